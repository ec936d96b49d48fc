//! What can go wrong with a registry, and as what it reaches the worker.
//!
//! Upstream's converters wrap what their client throws: some answers become an error that the worker retries, some stay
//! exceptions of the Kafka client, the rest are data errors. The table is in [`Format::registry_error`]; classes and texts are
//! those of upstream, since they end up in traces and dead letter headers.

use wharf_api::{ConnectError, ErrorKind};

const SERIALIZATION: &str = "org.apache.kafka.common.errors.SerializationException";
const REST_CLIENT: &str = "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException";

/// Why a call to the registry failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry answered with an error.
    #[error("{message}; error code: {code}")]
    Answer {
        /// The HTTP status.
        status: u16,
        /// The registry's own code, as in 40401.
        code: i64,
        /// Its message.
        message: String,
    },
    /// There is no connection: refused, reset, unknown host, TLS.
    #[error("{0}")]
    Network(String),
    /// No answer came in time.
    #[error("{0}")]
    Timeout(String),
    /// The answer is not what this call's answer looks like.
    #[error("the schema registry's answer cannot be read: {0}")]
    Unreadable(String),
    /// The registry has a schema that does not suit, and the configuration forbids to use it.
    #[error("{0}")]
    Incompatible(String),
    /// The configuration does not allow the call.
    #[error("{0}")]
    Config(String),
    /// The task is to stop, so nobody waits for the answer any more.
    #[error("{0}")]
    Interrupted(String),
}

impl RegistryError {
    /// Whether another try may help: upstream's statuses, and whatever is not an answer.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Answer { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Network(_) | Self::Timeout(_) => true,
            _ => false,
        }
    }

    /// Whether the registry says that there is no such subject, version or schema.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Answer { status: 404, .. })
    }

    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Answer { .. } => REST_CLIENT,
            Self::Network(_) => "java.net.ConnectException",
            Self::Timeout(_) => "java.net.SocketTimeoutException",
            Self::Unreadable(_) | Self::Incompatible(_) => "java.io.IOException",
            Self::Config(_) => "org.apache.kafka.common.config.ConfigException",
            Self::Interrupted(_) => "java.lang.InterruptedException",
        }
    }
}

/// A data error of the class that Kafka's serializers throw.
#[must_use]
pub fn serialization(message: impl Into<String>) -> ConnectError {
    ConnectError::data(message).with_class(SERIALIZATION)
}

/// Which way a converter works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From Connect data to a message.
    Serialize,
    /// From a message to Connect data.
    Deserialize,
}

/// A schema format of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Avro.
    Avro,
    /// JSON Schema.
    Json,
    /// Protobuf.
    Protobuf,
}

impl Format {
    /// The registry's name of the format: `AVRO`, `JSON`, `PROTOBUF`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Json => "JSON",
            Self::Protobuf => "PROTOBUF",
        }
    }

    /// The format of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Avro, Self::Json, Self::Protobuf]
            .into_iter()
            .find(|format| format.name() == name)
    }

    /// The word in messages: `Avro`, `JSON`, `Protobuf`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Avro => "Avro",
            Self::Json => "JSON",
            Self::Protobuf => "Protobuf",
        }
    }

    /// The outer message of a converter's error, in this converter's words. Those of retriable errors differ in blanks.
    pub(crate) fn outer(self, direction: Direction, topic: &str, retriable: bool) -> String {
        let word = self.word();
        match (self, direction) {
            (Self::Json, Direction::Serialize) => format!(
                "Converting Kafka Connect data to byte[] failed due to serialization error of topic {topic}: "
            ),
            (Self::Json, Direction::Deserialize) => format!(
                "Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}: "
            ),
            (_, Direction::Serialize) if retriable => {
                format!("Failed to serialize {word} data from topic {topic} :")
            }
            (_, Direction::Serialize) => format!("Failed to serialize {word} data from topic {topic}:"),
            (_, Direction::Deserialize) => format!(
                "Failed to deserialize data for topic {topic} to {word}:{}",
                if retriable { " " } else { "" }
            ),
        }
    }

    /// The data error for a value or a message that does not suit; `cause` says why.
    #[must_use]
    #[cold]
    pub fn data_error(self, direction: Direction, topic: &str, cause: ConnectError) -> ConnectError {
        ConnectError::data(self.outer(direction, topic, false)).caused_by(cause)
    }

    /// The config error for a configuration that turns out wrong when a record is converted.
    #[must_use]
    #[cold]
    pub fn config_error(self, topic: &str, reason: &str) -> ConnectError {
        let what = match self {
            Self::Json => "JSON Schema",
            other => other.word(),
        };
        ConnectError::config(format!(
            "Failed to access {what} data from topic {topic} : {reason}"
        ))
    }

    /// What a failed call becomes; `action` says what was tried, as in `Error registering Avro schema`.
    ///
    /// | failure | error |
    /// |---|---|
    /// | answers 408, 500, 503, 504; no answer in time | retriable |
    /// | no connection | `NetworkException` of the Kafka client |
    /// | answers 401, 403, 429, 502 | the Kafka client's exceptions for them |
    /// | a wrong configuration | config |
    /// | the task is to stop | interrupted |
    /// | everything else | data |
    #[must_use]
    #[cold]
    pub fn registry_error(
        self,
        direction: Direction,
        topic: &str,
        action: &str,
        error: &RegistryError,
    ) -> ConnectError {
        let text = error.to_string();
        let reason = ConnectError::connect(text.clone()).with_class(error.class());
        let kafka = |class: &str, message: &str| {
            ConnectError::new(ErrorKind::Connect, message)
                .with_class(format!("org.apache.kafka.common.errors.{class}"))
                .caused_by(reason.clone())
        };
        match error {
            RegistryError::Answer { status: 401, .. } => kafka("AuthenticationException", action),
            RegistryError::Answer { status: 403, .. } => kafka("AuthorizationException", action),
            RegistryError::Answer { status: 429, .. } => kafka("ThrottlingQuotaExceededException", &text),
            RegistryError::Answer { status: 502, .. } => kafka("DisconnectException", action),
            RegistryError::Timeout(_)
            | RegistryError::Answer {
                status: 408 | 500 | 503 | 504,
                ..
            } => ConnectError::retriable(self.outer(direction, topic, true))
                .caused_by(kafka("TimeoutException", action)),
            RegistryError::Network(_) => {
                let word = if self == Self::Json { "Json" } else { self.word() };
                let message = match direction {
                    Direction::Serialize => format!(
                        "Network connection error while serializing {word} data for topic {topic}: {text}"
                    ),
                    Direction::Deserialize => {
                        format!("Network connection error while deserializing data for topic {topic}: {text}")
                    }
                };
                kafka("NetworkException", &message)
            }
            RegistryError::Config(_) => self.config_error(topic, &text),
            RegistryError::Interrupted(_) => ConnectError::interrupted(text),
            _ => self.data_error(direction, topic, serialization(action).caused_by(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> RegistryError {
        RegistryError::Answer {
            status,
            code: i64::from(status) * 100 + 1,
            message: "no".to_owned(),
        }
    }

    #[test]
    fn failures_reach_the_worker_as_upstream_s() {
        let common = |class: &str| format!("org.apache.kafka.common.errors.{class}");
        for (error, kind, class) in [
            (
                answer(408),
                ErrorKind::Retriable,
                ErrorKind::Retriable.java_class().to_owned(),
            ),
            (
                answer(500),
                ErrorKind::Retriable,
                ErrorKind::Retriable.java_class().to_owned(),
            ),
            (
                answer(503),
                ErrorKind::Retriable,
                ErrorKind::Retriable.java_class().to_owned(),
            ),
            (
                answer(504),
                ErrorKind::Retriable,
                ErrorKind::Retriable.java_class().to_owned(),
            ),
            (answer(401), ErrorKind::Connect, common("AuthenticationException")),
            (answer(403), ErrorKind::Connect, common("AuthorizationException")),
            (
                answer(429),
                ErrorKind::Connect,
                common("ThrottlingQuotaExceededException"),
            ),
            (answer(502), ErrorKind::Connect, common("DisconnectException")),
            (
                RegistryError::Network("refused".to_owned()),
                ErrorKind::Connect,
                common("NetworkException"),
            ),
            (
                RegistryError::Timeout("late".to_owned()),
                ErrorKind::Retriable,
                ErrorKind::Retriable.java_class().to_owned(),
            ),
            (
                answer(404),
                ErrorKind::Data,
                ErrorKind::Data.java_class().to_owned(),
            ),
            (
                answer(409),
                ErrorKind::Data,
                ErrorKind::Data.java_class().to_owned(),
            ),
            (
                answer(422),
                ErrorKind::Data,
                ErrorKind::Data.java_class().to_owned(),
            ),
            (
                RegistryError::Config("x".to_owned()),
                ErrorKind::Config,
                ErrorKind::Config.java_class().to_owned(),
            ),
        ] {
            let mapped = Format::Avro.registry_error(
                Direction::Serialize,
                "t",
                "Error registering Avro schema",
                &error,
            );
            assert_eq!(
                (mapped.kind(), mapped.class()),
                (kind, class.as_str()),
                "{error:?}"
            );
            assert!(mapped.trace().contains(&error.to_string()), "{}", mapped.trace());
        }
    }

    #[test]
    fn outer_texts_are_those_of_each_converter() {
        let text = |format: Format, direction| {
            let cause = serialization("why");
            format.data_error(direction, "t", cause).message().to_owned()
        };
        use Direction::{Deserialize, Serialize};
        for (format, direction, expected) in [
            (
                Format::Avro,
                Serialize,
                "Failed to serialize Avro data from topic t:",
            ),
            (
                Format::Avro,
                Deserialize,
                "Failed to deserialize data for topic t to Avro:",
            ),
            (
                Format::Protobuf,
                Serialize,
                "Failed to serialize Protobuf data from topic t:",
            ),
            (
                Format::Protobuf,
                Deserialize,
                "Failed to deserialize data for topic t to Protobuf:",
            ),
            (
                Format::Json,
                Serialize,
                "Converting Kafka Connect data to byte[] failed due to serialization error of topic t: ",
            ),
            (
                Format::Json,
                Deserialize,
                "Converting byte[] to Kafka Connect data failed due to serialization error of topic t: ",
            ),
        ] {
            assert_eq!(text(format, direction), expected);
        }
        assert_eq!(
            Format::Json.config_error("t", "x").message(),
            "Failed to access JSON Schema data from topic t : x"
        );
    }
}
