//! `TopicNameMatches`: true for records whose whole topic name matches a Java regular expression.

use wharf_api::config::{ConfigDef, ConfigKey, Type, Validator};
use wharf_api::{ConfigMap, ConnectError, Predicate, Record, Result};

use crate::JavaRegex;
use crate::options::{text, valid_regex};

const PATTERN: &str = "pattern";

/// The predicate.
#[derive(Default)]
pub(crate) struct TopicNameMatches {
    pattern: Option<JavaRegex>,
    /// The last topic and its answer: topics seldom change from record to record.
    last: Option<(String, bool)>,
}

impl Predicate for TopicNameMatches {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let pattern = text(&self.config().parse(config)?, PATTERN)?;
        let compiled = JavaRegex::new(&pattern).map_err(|error| {
            let reason = format!(
                "entry must be a Java-compatible regular expression: {}",
                error.message()
            );
            ConnectError::invalid_config(PATTERN, &pattern, &reason)
        })?;
        self.pattern = Some(compiled);
        self.last = None;
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::new(PATTERN, Type::String)
                .validator(Validator::All(vec![Validator::NonEmptyString, valid_regex()]))
                .doc("Java regular expression that the whole name of the record's topic must match."),
        )
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        if let Some((topic, answer)) = &self.last
            && *topic == record.topic
        {
            return Ok(*answer);
        }
        let answer = self
            .pattern
            .as_ref()
            .is_some_and(|pattern| pattern.matches(&record.topic));
        self.last = Some((record.topic.clone(), answer));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::config;

    #[test]
    fn the_whole_name_must_match() {
        let mut predicate = TopicNameMatches::default();
        predicate
            .configure(&config([("pattern", "my-prefix-.*")]))
            .unwrap();
        for (topic, expected) in [
            ("my-prefix-", true),
            ("my-prefix-x", true),
            ("my-prefix-x", true),
            ("x-my-prefix-", false),
            ("", false),
        ] {
            assert_eq!(
                predicate.test(&Record::sink(topic, 0, 0)).unwrap(),
                expected,
                "{topic}"
            );
        }
        for bad in ["", "["] {
            assert!(predicate.configure(&config([("pattern", bad)])).is_err());
        }
    }
}
