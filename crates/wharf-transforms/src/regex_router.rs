//! `RegexRouter`: gives the record another topic when the whole name of its topic matches.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::{Applied, ConfigMap, Record, Result, Transformation};

use crate::JavaRegex;
use crate::options::{text, valid_regex};
use crate::regex_replacement::Replacement;

const REGEX: &str = "regex";
const REPLACEMENT: &str = "replacement";

/// The transformation.
#[derive(Default)]
pub(crate) struct RegexRouter {
    rule: Option<(JavaRegex, Replacement)>,
    /// The last topic and what became of it: topics seldom change from record to record.
    last: Option<(String, Option<String>)>,
}

impl Transformation for RegexRouter {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        let regex = JavaRegex::new(config.string(REGEX)?)?;
        let replacement = Replacement::new(&text(&config, REPLACEMENT)?, &regex);
        self.rule = Some((regex, replacement));
        self.last = None;
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(REGEX, Type::String)
                    .validator(valid_regex())
                    .importance(Importance::High)
                    .doc("Java regular expression that the whole name of the topic must match."),
            )
            .define(
                ConfigKey::new(REPLACEMENT, Type::String)
                    .importance(Importance::High)
                    .doc("What replaces the match; $1 and ${name} stand for groups."),
            )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let Some((regex, replacement)) = &self.rule else {
            return Ok(Applied::Kept);
        };
        let known = self.last.as_ref().filter(|(topic, _)| *topic == record.topic);
        if known.is_none() {
            let routed = regex
                .matches(&record.topic)
                .then(|| regex.replace_first(&record.topic, replacement))
                .transpose()?;
            self.last = Some((record.topic.clone(), routed));
        }
        if let Some((_, Some(routed))) = &self.last {
            record.topic.clone_from(routed);
        }
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::config;

    #[test]
    fn only_topics_that_match_as_a_whole_change() {
        for (regex, replacement, topic, expected) in [
            ("foo", "bar", "foo", "bar"),
            ("foo", "bar", "foobar", "foobar"),
            ("(.*)", "$1", "orig", "orig"),
            (r"(.*)-(\d{8})", "$1", "index-20160117", "index"),
        ] {
            let mut router = RegexRouter::default();
            router
                .configure(&config([("regex", regex), ("replacement", replacement)]))
                .unwrap();
            for topic_again in [topic, topic, "other", topic] {
                let routed = router.applied(Record::sink(topic_again, 0, 0)).unwrap().unwrap();
                if topic_again == topic {
                    assert_eq!(routed.topic, expected, "{regex}");
                }
            }
        }
    }

    #[test]
    fn mistakes_are_refused_by_configuration_or_at_the_first_match() {
        let mut router = RegexRouter::default();
        assert!(
            router
                .configure(&config([("regex", "("), ("replacement", "x")]))
                .is_err()
        );
        assert!(router.configure(&config([("regex", "a")])).is_err());
        router
            .configure(&config([("regex", "(a)"), ("replacement", "$2")]))
            .unwrap();
        assert!(router.applied(Record::sink("b", 0, 0)).is_ok());
        for _ in 0..2 {
            let error = router.applied(Record::sink("a", 0, 0)).unwrap_err();
            assert_eq!(error.class(), "java.lang.IndexOutOfBoundsException");
        }
    }
}
