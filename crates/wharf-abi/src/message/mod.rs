//! Control messages: everything that crosses the border beside batches, written as flat [`Value`]s.
//!
//! A message is a map with text keys (or a plain value). Readers take the keys they know and use defaults for those that
//! are missing, so both sides may grow.

mod config;
mod records;

use wharf_api::flat::{decode_value, encode_value};
use wharf_api::sink::ReportedRecord;
use wharf_api::{ConfigMap, ConnectError, ErrorKind, OffsetMap, Offsets, Result, TopicPartition, Value};

pub use self::records::{
    BatchResult, MetricRegistration, RecordAck, errors_from_value, errors_to_value, is_postponed, postponed,
};

/// Something that crosses the border as a value.
pub trait Message: Sized {
    /// As a value.
    fn to_value(&self) -> Value;

    /// From a value.
    ///
    /// # Errors
    /// A data error when a part that must be there is missing or of another type.
    fn from_value(value: &Value) -> Result<Self>;

    /// As bytes.
    ///
    /// # Errors
    /// A data error when it is too large.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        encode_value(&self.to_value(), &mut out)?;
        Ok(out)
    }

    /// From bytes.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value), or when the bytes are malformed.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_value(&decode_value(bytes)?)
    }
}

/// Builds a map value.
#[must_use]
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (Value::from(key), value))
            .collect(),
    )
}

fn unexpected(what: &str) -> ConnectError {
    ConnectError::data(format!("a message on the plugin border has no valid {what}"))
}

fn text(value: &Value, key: &str) -> Result<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| unexpected(key))
}

fn text_or_default(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn optional_text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn flag(value: &Value, key: &str, default: bool) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(default)
}

fn number(value: &Value, key: &str) -> Result<i64> {
    value
        .get(key)
        .and_then(Value::as_i64)
        .ok_or_else(|| unexpected(key))
}

fn int(value: &Value, key: &str) -> Result<i32> {
    i32::try_from(number(value, key)?).map_err(|_| unexpected(key))
}

/// The part under a key; null when it is missing.
#[must_use]
pub fn part<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

impl Message for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(value.clone())
    }
}

impl Message for bool {
    fn to_value(&self) -> Value {
        Value::Boolean(*self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        value.as_bool().ok_or_else(|| unexpected("truth value"))
    }
}

impl Message for i64 {
    fn to_value(&self) -> Value {
        Value::Int64(*self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        value.as_i64().ok_or_else(|| unexpected("number"))
    }
}

impl Message for String {
    fn to_value(&self) -> Value {
        Value::from(self.as_str())
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| unexpected("text"))
    }
}

impl<T: Message> Message for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Message::to_value)
    }

    fn from_value(value: &Value) -> Result<Self> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}

impl<T: Message> Message for Vec<T> {
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Message::to_value).collect())
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_array()
            .ok_or_else(|| unexpected("list"))?
            .iter()
            .map(T::from_value)
            .collect()
    }
}

impl<A: Message, B: Message> Message for (A, B) {
    fn to_value(&self) -> Value {
        Value::Array(vec![self.0.to_value(), self.1.to_value()])
    }

    fn from_value(value: &Value) -> Result<Self> {
        match value.as_array() {
            Some([a, b, ..]) => Ok((A::from_value(a)?, B::from_value(b)?)),
            _ => Err(unexpected("pair")),
        }
    }
}

impl Message for ConfigMap {
    fn to_value(&self) -> Value {
        Value::Map(
            self.iter()
                .map(|(key, value)| (Value::from(key.as_str()), Value::from(value.as_str())))
                .collect(),
        )
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_map()
            .ok_or_else(|| unexpected("configuration"))?
            .iter()
            .map(|(key, value)| {
                Ok((
                    key.as_str()
                        .ok_or_else(|| unexpected("configuration key"))?
                        .to_owned(),
                    value
                        .as_str()
                        .ok_or_else(|| unexpected("configuration value"))?
                        .to_owned(),
                ))
            })
            .collect()
    }
}

impl Message for OffsetMap {
    fn to_value(&self) -> Value {
        Self::to_value(self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        Self::from_value(value)
    }
}

impl Message for TopicPartition {
    fn to_value(&self) -> Value {
        map([
            ("topic", self.topic.as_str().into()),
            ("partition", self.partition.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            topic: text(value, "topic")?,
            partition: int(value, "partition")?,
        })
    }
}

impl Message for Offsets {
    fn to_value(&self) -> Value {
        Value::Array(
            self.iter()
                .map(|(partition, offset)| (partition.clone(), *offset).to_value())
                .collect(),
        )
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Vec::<(TopicPartition, i64)>::from_value(value)?
            .into_iter()
            .collect())
    }
}

impl Message for ReportedRecord {
    fn to_value(&self) -> Value {
        map([
            ("partition", self.partition.to_value()),
            ("offset", self.offset.into()),
            ("batch", Value::from(self.batch.as_deref())),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            partition: TopicPartition::from_value(part(value, "partition"))?,
            offset: number(value, "offset")?,
            batch: match part(value, "batch") {
                Value::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            },
        })
    }
}

impl Message for ConnectError {
    fn to_value(&self) -> Value {
        map([
            ("kind", self.kind().name().into()),
            ("message", self.message().into()),
            ("class", Value::from(self.explicit_class())),
            ("frames", self.frames().to_vec().to_value()),
            ("cause", self.cause().map_or(Value::Null, Message::to_value)),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let kind = ErrorKind::from_name(&text(value, "kind")?);
        let mut error = Self::new(kind, text_or_default(value, "message"));
        if let Some(class) = optional_text(value, "class") {
            error = error.with_class(class);
        }
        if let Ok(frames) = Vec::<String>::from_value(part(value, "frames")) {
            error = error.with_frames(frames);
        }
        Ok(match Option::<Self>::from_value(part(value, "cause"))? {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::RecordMetadata;
    use wharf_api::config::{ConfigKeyInfo, ConfigValue, Importance, ParsedValue, Password, Type, Width};
    use wharf_api::plugin::MetricKind;
    use wharf_api::source::TransactionEnd;

    use super::*;

    fn round_trip<T: Message + PartialEq + std::fmt::Debug>(message: T) {
        assert_eq!(T::from_bytes(&message.to_bytes().unwrap()).unwrap(), message);
    }

    #[test]
    fn messages_survive_the_border() {
        round_trip(
            ConnectError::data("bad")
                .with_class("a.B")
                .with_frames(["x:1"])
                .context("outer"),
        );
        round_trip(ConfigMap::from([("a".to_owned(), "ä=b".to_owned())]));
        round_trip(Offsets::from([(TopicPartition::new("t", 3), 42)]));
        round_trip(vec![(OffsetMap::from([("f", "x")]), None::<OffsetMap>)]);
        round_trip(TransactionEnd::AbortRecord(7));
        round_trip(RecordAck {
            record: 3,
            metadata: None,
        });
        round_trip(RecordAck {
            record: 3,
            metadata: Some(RecordMetadata {
                topic: "t".into(),
                partition: 1,
                offset: 9,
                timestamp: None,
            }),
        });
        round_trip(MetricRegistration {
            kind: MetricKind::Gauge,
            name: "n".into(),
            description: "d".into(),
            tags: vec![("k".into(), "v".into())],
        });
        for result in [
            BatchResult::for_all(3, vec![1, 2], vec![(1, ConnectError::retriable("later"))]),
            BatchResult::for_all(3, vec![1, 2, 3], Vec::new()),
        ] {
            let bytes = result.clone().into_bytes().unwrap();
            assert_eq!(BatchResult::from_bytes(&bytes).unwrap(), result);
        }
    }

    #[test]
    fn a_key_definition_survives_the_border_and_unknown_parts_are_skipped() {
        let key = wharf_api::config::ConfigKey::new("k", Type::Int)
            .default(7)
            .importance(Importance::High)
            .group("G", 3)
            .width(Width::Long)
            .dependents(["x"])
            .doc("what it is");
        let mut value = key.info().to_value();
        if let Value::Map(entries) = &mut value {
            entries.push(("from the future".into(), 1_i32.into()));
        }
        assert_eq!(&ConfigKeyInfo::from_value(&value).unwrap(), key.info());
    }

    #[test]
    fn passwords_do_not_cross_back() {
        let mut value = ConfigValue::with_value("p", ParsedValue::Password(Password::new("secret")));
        value.add_error("bad");
        let bytes = value.to_bytes().unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        assert_eq!(ConfigValue::from_bytes(&bytes).unwrap().errors, ["bad"]);
    }
}
