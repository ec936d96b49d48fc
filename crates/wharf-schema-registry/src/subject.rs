//! Under which subject a schema is registered and looked up.

use wharf_api::config::ParsedConfig;
use wharf_api::{ConnectError, Result};

use crate::config::{KEY_SUBJECT_NAME_STRATEGY, VALUE_SUBJECT_NAME_STRATEGY};
use crate::error::serialization;

/// How a subject is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectNameStrategy {
    /// The subject that the registry associates with the topic; the fallback's name where it has none.
    #[default]
    Associated,
    /// `<topic>-key`, `<topic>-value`.
    Topic,
    /// The full name of the record type.
    Record,
    /// `<topic>-<full name of the record type>`.
    TopicRecord,
}

impl SubjectNameStrategy {
    /// The Java classes.
    pub const CLASSES: &'static [&'static str] = &[
        "io.confluent.kafka.serializers.subject.AssociatedNameStrategy",
        "io.confluent.kafka.serializers.subject.TopicNameStrategy",
        "io.confluent.kafka.serializers.subject.RecordNameStrategy",
        "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
    ];

    /// The Java class.
    #[must_use]
    pub fn class(self) -> &'static str {
        Self::CLASSES[self as usize]
    }

    pub(crate) fn from_config(config: &ParsedConfig, key: &str) -> Result<Self> {
        let class = config.class(key)?;
        [Self::Associated, Self::Topic, Self::Record, Self::TopicRecord]
            .into_iter()
            .find(|strategy| strategy.class() == class)
            .ok_or_else(|| ConnectError::invalid_config(key, class, "not a strategy that can be used here"))
    }

    /// Whether the name depends on the schema.
    #[must_use]
    pub fn uses_schema(self) -> bool {
        matches!(self, Self::Record | Self::TopicRecord)
    }

    /// The subject, without asking the registry for an association.
    ///
    /// # Errors
    /// A data error when the name of a record type is needed and the schema is none.
    pub fn subject(self, topic: &str, is_key: bool, record: Option<&str>) -> Result<String> {
        let record = || {
            record.ok_or_else(|| {
                let (key, what) = if is_key {
                    (KEY_SUBJECT_NAME_STRATEGY, "key")
                } else {
                    (VALUE_SUBJECT_NAME_STRATEGY, "value")
                };
                serialization(format!(
                    "In configuration {key} = {}, the message {what} must only be a record schema",
                    self.class()
                ))
            })
        };
        Ok(match self {
            Self::Associated | Self::Topic if is_key => format!("{topic}-key"),
            Self::Associated | Self::Topic => format!("{topic}-value"),
            Self::Record => record()?.to_owned(),
            Self::TopicRecord => format!("{topic}-{}", record()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_belong_to_their_strategies() {
        assert!(
            SubjectNameStrategy::CLASSES
                .iter()
                .all(|class| class.starts_with("io.confluent.kafka.serializers.subject."))
        );
        assert!(
            SubjectNameStrategy::TopicRecord
                .class()
                .ends_with(".TopicRecordNameStrategy")
        );
        assert!(
            SubjectNameStrategy::Associated
                .class()
                .ends_with(".AssociatedNameStrategy")
        );
    }

    #[test]
    fn subjects_are_named_as_upstream_s() {
        use SubjectNameStrategy::{Associated, Record, Topic, TopicRecord};
        for (strategy, is_key, expected) in [
            (Associated, true, "t-key"),
            (Associated, false, "t-value"),
            (Topic, true, "t-key"),
            (Topic, false, "t-value"),
            (Record, false, "a.B"),
            (TopicRecord, true, "t-a.B"),
        ] {
            assert_eq!(strategy.subject("t", is_key, Some("a.B")).unwrap(), expected);
        }
        assert_eq!(Topic.subject("t", false, None).unwrap(), "t-value");
        assert_eq!(
            Record.subject("t", true, None).unwrap_err().message(),
            "In configuration key.subject.name.strategy = io.confluent.kafka.serializers.subject.RecordNameStrategy, \
             the message key must only be a record schema"
        );
    }
}
