//! The keys that the framework adds for sink connectors, and the rules between them.

use wharf_api::config::{
    ConfigDef, ConfigKey, ConfigValue, Importance, NullableConfigMap, Type, Validator, Width, parse_type,
};
use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_transforms::JavaRegex;

use super::client_config::default_consumer_group;
use super::connector_config::{
    ConnectorConfig, FrameworkDefaults, NAME, common, connector_config_def, error, valid_regex,
};
use super::error_config::DeadLetterConfig;
use super::validation::add_error;

/// The key with the list of topics.
pub const TOPICS: &str = "topics";
/// The key with the pattern of topics.
pub const TOPICS_REGEX: &str = "topics.regex";
/// The key with the dead letter topic.
pub const DLQ_TOPIC_NAME: &str = "errors.deadletterqueue.topic.name";
const DLQ_FACTOR: &str = "errors.deadletterqueue.topic.replication.factor";
const DLQ_HEADERS: &str = "errors.deadletterqueue.context.headers.enable";

/// The keys of sink connectors.
#[must_use]
pub fn sink_connector_config_def(defaults: &FrameworkDefaults) -> ConfigDef {
    connector_config_def(defaults)
        .define(
            common(TOPICS, Type::List, Importance::High, 4, Width::Long, "Topics")
                .default("")
                .validator(Validator::distinct_list(true, false))
                .doc("The topics to consume, separated by commas."),
        )
        .define(
            common(
                TOPICS_REGEX,
                Type::String,
                Importance::High,
                4,
                Width::Long,
                "Topics regex",
            )
            .default("")
            .validator(valid_regex())
            .doc("A Java regular expression that the whole name of a topic must match to be consumed."),
        )
        .define(
            error(
                DLQ_TOPIC_NAME,
                Type::String,
                6,
                Width::Medium,
                "Dead Letter Queue Topic Name",
            )
            .default("")
            .doc("The topic for records that could not be processed; empty for none."),
        )
        .define(
            dlq_factor()
                .default(3)
                .doc("Replication factor of the dead letter topic when it has to be created."),
        )
        .define(
            error(
                DLQ_HEADERS,
                Type::Boolean,
                8,
                Width::Medium,
                "Enable Error Context Headers",
            )
            .default(false)
            .doc("Whether dead letter records get headers that say what failed."),
        )
}

fn dlq_factor() -> ConfigKey {
    error(
        DLQ_FACTOR,
        Type::Short,
        7,
        Width::Medium,
        "Dead Letter Queue Topic Replication Factor",
    )
}

/// A sink's consumers in the group of the workers would throw both groups into disorder. In upstream's words, and as there the
/// key is listed even when all is well.
pub(super) fn check_consumer_group(config: &NullableConfigMap, workers: &str, values: &mut Vec<ConfigValue>) {
    const OVERRIDE: &str = "consumer.override.group.id";
    let text = |key: &str| config.get(key).and_then(Option::as_deref);
    if let Some(group) = text(OVERRIDE) {
        values.push(ConfigValue::with_value(OVERRIDE, group));
        if group == workers {
            let message = format!("Consumer group {group} conflicts with Connect worker group {workers}");
            add_error(values, OVERRIDE, message);
        }
    } else if let Some(name) = text(NAME)
        && default_consumer_group(name) == workers
    {
        let message = format!(
            "Consumer group for sink connector named {name} conflicts with Connect worker group {workers}"
        );
        add_error(values, NAME, message);
    }
}

/// Adds the errors of rules that concern several keys: exactly one of the topic keys is set, and the dead letter topic
/// is none of the topics.
pub(super) fn check_topics(config: &NullableConfigMap, values: &mut Vec<ConfigValue>) {
    let text = |key: &str| {
        config
            .get(key)
            .and_then(Option::as_deref)
            .unwrap_or_default()
            .trim()
    };
    let (topics, regex, dlq) = (text(TOPICS), text(TOPICS_REGEX), text(DLQ_TOPIC_NAME));
    match (topics.is_empty(), regex.is_empty()) {
        (false, false) => {
            let message =
                format!("{TOPICS} and {TOPICS_REGEX} are mutually exclusive options, but both are set.");
            add_error(values, TOPICS, message.clone());
            add_error(values, TOPICS_REGEX, message);
        }
        (true, true) => {
            let message = format!("Must configure one of {TOPICS} or {TOPICS_REGEX}");
            add_error(values, TOPICS, message.clone());
            add_error(values, TOPICS_REGEX, message);
        }
        _ => {}
    }
    if dlq.is_empty() {
        return;
    }
    let list = topic_list(topics);
    if list.iter().any(|topic| topic == dlq) {
        let message = format!(
            "The DLQ topic '{dlq}' may not be included in the list of topics ('{TOPICS}=[{}]') consumed by the connector",
            list.join(", ")
        );
        add_error(values, TOPICS, message);
    }
    if !regex.is_empty() && JavaRegex::new(regex).is_ok_and(|compiled| compiled.matches(dlq)) {
        let message = format!(
            "The DLQ topic '{dlq}' may not be matched by the regex for the topics ('{TOPICS_REGEX}={regex}') consumed by \
             the connector"
        );
        add_error(values, TOPICS_REGEX, message);
    }
}

/// The topics of a list, blank items dropped, each once.
fn topic_list(text: &str) -> Vec<String> {
    let parsed = parse_type(TOPICS, text, Type::List).ok();
    let items = parsed
        .as_ref()
        .and_then(|value| value.as_list())
        .unwrap_or_default();
    let mut topics: Vec<String> = Vec::new();
    for item in items {
        if !item.is_empty() && !topics.contains(item) {
            topics.push(item.clone());
        }
    }
    topics
}

/// What a sink connector consumes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TopicSelection {
    /// These topics.
    List(Vec<String>),
    /// All topics whose whole name matches.
    Regex(JavaRegex),
}

/// A sink connector's configuration as far as the framework reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkConnectorConfig {
    /// What all connectors have.
    pub common: ConnectorConfig,
    /// What it consumes.
    pub topics: TopicSelection,
    /// Where records that failed are kept.
    pub dead_letters: Option<DeadLetterConfig>,
}

impl SinkConnectorConfig {
    /// Reads a configuration that passed validation.
    ///
    /// # Errors
    ///
    /// The first value that does not fit.
    pub fn parse(config: &ConfigMap) -> Result<Self> {
        let common = ConnectorConfig::parse(config)?;
        let text = |key: &str| config.get(key).map(|text| text.trim()).unwrap_or_default();
        let topics = match (text(TOPICS), text(TOPICS_REGEX)) {
            ("", "") => {
                return Err(ConnectError::config(format!(
                    "Must configure one of {TOPICS} or {TOPICS_REGEX}"
                )));
            }
            (list, "") => TopicSelection::List(topic_list(list)),
            ("", regex) => TopicSelection::Regex(JavaRegex::new(regex).map_err(|error| {
                ConnectError::invalid_config(
                    TOPICS_REGEX,
                    regex,
                    &format!("Invalid regex: {}", error.message()),
                )
            })?),
            _ => {
                return Err(ConnectError::config(format!(
                    "{TOPICS} and {TOPICS_REGEX} are mutually exclusive options, but both are set."
                )));
            }
        };
        let keys = [DLQ_TOPIC_NAME, DLQ_FACTOR, DLQ_HEADERS];
        Ok(Self {
            common,
            topics,
            dead_letters: DeadLetterConfig::parse(keys, false, config)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(entries: &[(&str, &str)]) -> Vec<(String, String)> {
        let config: NullableConfigMap = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect();
        let mut values = vec![ConfigValue::new(TOPICS), ConfigValue::new(TOPICS_REGEX)];
        check_topics(&config, &mut values);
        values
            .into_iter()
            .flat_map(|value| {
                value
                    .errors
                    .into_iter()
                    .map(move |error| (value.name.clone(), error))
            })
            .collect()
    }

    #[test]
    fn exactly_one_of_the_topic_keys_must_be_set() {
        assert_eq!(errors(&[("topics", "a")]), []);
        assert_eq!(errors(&[("topics.regex", "a.*")]), []);
        let both = "topics and topics.regex are mutually exclusive options, but both are set.";
        assert_eq!(
            errors(&[("topics", "a"), ("topics.regex", "b")]),
            [
                (TOPICS.to_owned(), both.to_owned()),
                (TOPICS_REGEX.to_owned(), both.to_owned()),
            ]
        );
        let none = "Must configure one of topics or topics.regex";
        assert_eq!(
            errors(&[("topics", "  ")]),
            [
                (TOPICS.to_owned(), none.to_owned()),
                (TOPICS_REGEX.to_owned(), none.to_owned()),
            ]
        );
    }

    #[test]
    fn the_dead_letter_topic_must_not_be_consumed() {
        let listed = errors(&[("topics", "a, d"), (DLQ_TOPIC_NAME, " d ")]);
        assert_eq!(listed, [(
            TOPICS.to_owned(),
            "The DLQ topic 'd' may not be included in the list of topics ('topics=[a, d]') consumed by the connector"
                .to_owned()
        )]);
        let matched = errors(&[("topics.regex", "d.*"), (DLQ_TOPIC_NAME, "dead")]);
        assert_eq!((matched.len(), matched[0].0.as_str()), (1, TOPICS_REGEX));
        assert_eq!(errors(&[("topics.regex", "d"), (DLQ_TOPIC_NAME, "dead")]), []);
        assert_eq!(errors(&[("topics.regex", "("), (DLQ_TOPIC_NAME, "dead")]), []);
    }

    #[test]
    fn topics_without_a_name_or_given_twice_are_refused() {
        let cases = [
            ("a,b", None),
            ("", None),
            ("a,,b", Some("Configuration 'topics' values must not be empty.")),
            (
                "a,a",
                Some("Configuration 'topics' values must not be duplicated."),
            ),
        ];
        let def = sink_connector_config_def(&FrameworkDefaults::default());
        for (text, expected) in cases {
            let config = [(TOPICS.to_owned(), Some(text.to_owned()))].into();
            let values = def.validate_nullable(&config);
            let topics = values.iter().find(|value| value.name == TOPICS).unwrap();
            assert_eq!(topics.errors.first().map(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn sink_keys_follow_the_common_ones() {
        let def = sink_connector_config_def(&FrameworkDefaults::default());
        assert_eq!(def.check(), Ok(()));
        let names: Vec<_> = def.names().skip(19).collect();
        assert_eq!(
            names,
            [
                "topics",
                "topics.regex",
                "errors.deadletterqueue.topic.name",
                "errors.deadletterqueue.topic.replication.factor",
                "errors.deadletterqueue.context.headers.enable",
            ]
        );
    }

    #[test]
    fn topics_are_read_as_list_or_pattern() {
        let parse = |key: &str, value: &str| {
            let entries = [("name", "c"), ("connector.class", "C"), (key, value)];
            let config = entries
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
            SinkConnectorConfig::parse(&config).map(|config| config.topics)
        };
        let list = TopicSelection::List(vec!["a".into(), "b".into()]);
        assert_eq!(parse("topics", " a,,b , a"), Ok(list));
        assert!(
            matches!(parse("topics.regex", "a.*"), Ok(TopicSelection::Regex(regex)) if regex.matches("ab"))
        );
        assert!(
            parse("topics.regex", "(")
                .unwrap_err()
                .message()
                .contains("Invalid regex: ")
        );
        assert!(parse("other", "x").is_err());
    }
}
