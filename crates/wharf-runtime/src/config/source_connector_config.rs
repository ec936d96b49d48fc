//! The keys that the framework adds for source connectors.

use std::time::Duration;

use wharf_api::config::{ConfigDef, ConfigKey, ConfigValue, Importance, Type, Validator, Width};
use wharf_api::{ConfigMap, ConnectError, Result};

use super::connector_config::{ConnectorConfig, FrameworkDefaults, aliases, connector_config_def};
use super::error_config::DeadLetterConfig;
use super::topic_creation::TopicCreation;
use super::validation::add_error;

/// Whether the connector may run only where exactly-once delivery is on.
pub(super) const EXACTLY_ONCE_SUPPORT: &str = "exactly.once.support";
/// What ends a transaction.
pub(super) const TRANSACTION_BOUNDARY: &str = "transaction.boundary";
const TRANSACTION_INTERVAL: &str = "transaction.boundary.interval.ms";
/// Where a source of a distributed worker keeps its offsets, if not where the worker does (KIP-618).
pub const OFFSETS_TOPIC: &str = "offsets.storage.topic";

/// The topic for dead letters of a source, which upstream does not have.
pub const SOURCE_DLQ_TOPIC_NAME: &str = "wharf.errors.deadletterqueue.topic.name";
/// All keys about dead letters of a source: the topic, its replication factor when it has to be created (3), whether letters say
/// in headers what failed (they do). They are not in the definition: listings of keys stay upstream's.
const DEAD_LETTER_KEYS: [&str; 3] = [
    SOURCE_DLQ_TOPIC_NAME,
    "wharf.errors.deadletterqueue.topic.replication.factor",
    "wharf.errors.deadletterqueue.context.headers.enable",
];

/// Adds what is wrong with the keys about dead letters of a source, and that a sink has other ones.
pub(super) fn check_dead_letters(is_sink: bool, config: &ConfigMap, values: &mut Vec<ConfigValue>) {
    if is_sink {
        for key in DEAD_LETTER_KEYS.iter().filter(|key| config.contains_key(**key)) {
            let theirs = key.trim_start_matches("wharf.");
            add_error(
                values,
                key,
                format!("{key} is for source connectors; a sink connector has {theirs}"),
            );
        }
        return;
    }
    for key in DEAD_LETTER_KEYS {
        // Each is looked at alone, so that all mistakes are found at once.
        let alone = [SOURCE_DLQ_TOPIC_NAME, key].into_iter().filter_map(|key| {
            let text = if key == SOURCE_DLQ_TOPIC_NAME {
                Some("any")
            } else {
                config.get(key).map(String::as_str)
            };
            Some((key.to_owned(), text?.to_owned()))
        });
        if let Err(error) = DeadLetterConfig::parse(DEAD_LETTER_KEYS, true, &alone.collect()) {
            add_error(values, key, error.message().to_owned());
        }
    }
}

/// What ends a transaction of an exactly-once source task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionBoundary {
    /// Every batch that the task gives.
    #[default]
    Poll,
    /// A batch after this time; without one the worker's `offset.flush.interval.ms` counts.
    Interval(Option<Duration>),
    /// The connector says so.
    Connector,
}

/// Whether a configuration says that its connector may run only with exactly-once delivery.
#[must_use]
pub fn requires_exactly_once(config: &ConfigMap) -> bool {
    config
        .get(EXACTLY_ONCE_SUPPORT)
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("required"))
}

/// The keys of source connectors.
#[must_use]
pub fn source_connector_config_def(defaults: &FrameworkDefaults) -> ConfigDef {
    connector_config_def(defaults)
        .define(aliases(
            super::topic_creation::GROUPS,
            "topic creation group",
            "Topic Creation",
            1,
            "Topic Creation Groups",
        ))
        .define(
            exactly_once(EXACTLY_ONCE_SUPPORT, Type::String, Importance::Medium, 2, "Exactly once support")
                .default("requested")
                .validator(Validator::one_of_ignore_case(["REQUIRED", "REQUESTED"]))
                .doc("Whether the connector may run only where every record is delivered exactly once."),
        )
        .define(
            exactly_once(TRANSACTION_BOUNDARY, Type::String, Importance::Medium, 3, "Transaction Boundary")
                .default("poll")
                .validator(Validator::one_of_ignore_case(["INTERVAL", "POLL", "CONNECTOR"]))
                .doc("What ends a transaction: every batch, a time, or the connector."),
        )
        .define(
            exactly_once(
                TRANSACTION_INTERVAL,
                Type::Long,
                Importance::Low,
                4,
                "Transaction boundary interval",
            )
            .default_null()
            .validator(null_or_at_least_zero())
            .doc("Time between two ends of transactions, in milliseconds; the worker's flush interval without it."),
        )
        .define(
            ConfigKey::new(OFFSETS_TOPIC, Type::String)
                .default_null()
                .validator(Validator::NonEmptyString)
                .importance(Importance::Low)
                .group("offsets.topic", 1)
                .width(Width::Long)
                .display_name("Offsets topic")
                .doc("A topic of its own for the connector's offsets, in distributed mode."),
        )
}

fn exactly_once(
    name: &str,
    value_type: Type,
    importance: Importance,
    order: i32,
    display: &str,
) -> ConfigKey {
    ConfigKey::new(name, value_type)
        .importance(importance)
        .group("Exactly Once Support", order)
        .width(Width::Short)
        .display_name(display)
}

fn null_or_at_least_zero() -> Validator {
    let range = Validator::at_least(0);
    Validator::custom("null or a non-negative number", move |name, value| {
        if value.is_null() {
            Ok(())
        } else {
            range.ensure_valid(name, value)
        }
    })
}

/// A source connector's configuration as far as the framework reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConnectorConfig {
    /// What all connectors have.
    pub common: ConnectorConfig,
    /// Rules for creating topics, if there are any and the worker allows it.
    pub topic_creation: Option<TopicCreation>,
    /// What ends a transaction, where transactions are used.
    pub transaction_boundary: TransactionBoundary,
    /// Where records that failed are kept.
    pub dead_letters: Option<DeadLetterConfig>,
}

impl SourceConnectorConfig {
    /// Reads a configuration that passed validation.
    ///
    /// # Errors
    ///
    /// The first value that does not fit.
    pub fn parse(config: &ConfigMap, topic_creation_enable: bool) -> Result<Self> {
        let topic_creation = if topic_creation_enable {
            TopicCreation::parse(config).map_err(|problems| {
                ConnectError::config(
                    problems
                        .into_iter()
                        .map(|(_, text)| text)
                        .collect::<Vec<_>>()
                        .join("; "),
                )
            })?
        } else {
            None
        };
        Ok(Self {
            common: ConnectorConfig::parse(config)?,
            topic_creation,
            transaction_boundary: transaction_boundary(config)?,
            dead_letters: DeadLetterConfig::parse(DEAD_LETTER_KEYS, true, config)?,
        })
    }
}

fn transaction_boundary(config: &ConfigMap) -> Result<TransactionBoundary> {
    let text = |key: &str| {
        config
            .get(key)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let invalid = |key: &str, text: &str, why: &str| Err(ConnectError::invalid_config(key, text, why));
    let boundary = text(TRANSACTION_BOUNDARY).unwrap_or("poll");
    match boundary.to_ascii_lowercase().as_str() {
        "poll" => Ok(TransactionBoundary::Poll),
        "connector" => Ok(TransactionBoundary::Connector),
        "interval" => match text(TRANSACTION_INTERVAL) {
            None => Ok(TransactionBoundary::Interval(None)),
            Some(text) => match text.parse() {
                Ok(millis) => Ok(TransactionBoundary::Interval(Some(Duration::from_millis(millis)))),
                Err(_) => invalid(
                    TRANSACTION_INTERVAL,
                    text,
                    "it is a time in milliseconds, not negative",
                ),
            },
        },
        _ => invalid(
            TRANSACTION_BOUNDARY,
            boundary,
            "it is one of poll, interval, connector",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_keys_follow_the_common_ones_in_their_groups() {
        let def = source_connector_config_def(&FrameworkDefaults::default());
        assert_eq!(def.check(), Ok(()));
        let rows: Vec<_> = def
            .infos()
            .skip(19)
            .map(|info| (info.name.as_str(), info.order_in_group))
            .collect();
        assert_eq!(
            rows,
            [
                ("topic.creation.groups", 1),
                ("exactly.once.support", 2),
                ("transaction.boundary", 3),
                ("transaction.boundary.interval.ms", 4),
                ("offsets.storage.topic", 1),
            ]
        );
        assert_eq!(
            def.groups()[4..],
            ["Topic Creation", "Exactly Once Support", "offsets.topic"]
        );
    }

    #[test]
    fn what_ends_a_transaction_is_read_in_any_case_and_refused_by_name() {
        let parse = |boundary: &str, interval: Option<&str>| {
            let entries = [
                (TRANSACTION_BOUNDARY, Some(boundary)),
                (TRANSACTION_INTERVAL, interval),
            ];
            let config: ConfigMap = entries
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
                .collect();
            transaction_boundary(&config)
        };
        let interval = |millis| TransactionBoundary::Interval(Some(Duration::from_millis(millis)));
        assert_eq!(
            transaction_boundary(&ConfigMap::new()),
            Ok(TransactionBoundary::Poll)
        );
        assert_eq!(parse("POLL", Some("5")), Ok(TransactionBoundary::Poll));
        assert_eq!(parse(" Connector ", None), Ok(TransactionBoundary::Connector));
        assert_eq!(parse("interval", None), Ok(TransactionBoundary::Interval(None)));
        assert_eq!(parse("interval", Some("250")), Ok(interval(250)));
        for (boundary, given, key) in [
            ("x", None, TRANSACTION_BOUNDARY),
            ("interval", Some("-1"), TRANSACTION_INTERVAL),
        ] {
            let error = parse(boundary, given).unwrap_err();
            assert!(error.message().contains(key), "{error}");
        }
    }

    #[test]
    fn dead_letters_of_a_source_have_keys_of_their_own_and_each_mistake_is_named() {
        let map = |entries: &[(&str, &str)]| -> ConfigMap {
            let entry = |(key, value): &(&str, &str)| {
                (format!("wharf.errors.deadletterqueue.{key}"), (*value).to_owned())
            };
            entries.iter().map(entry).collect()
        };
        let parse = |entries: &[(&str, &str)]| DeadLetterConfig::parse(DEAD_LETTER_KEYS, true, &map(entries));
        assert_eq!(
            parse(&[("topic.name", " "), ("topic.replication.factor", "1")]),
            Ok(None)
        );
        let letters = |replication_factor, context_headers| {
            let topic = "dead".to_owned();
            Ok(Some(DeadLetterConfig {
                topic,
                replication_factor,
                context_headers,
            }))
        };
        assert_eq!(parse(&[("topic.name", "dead")]), letters(3, true));
        let all = [
            ("topic.name", "dead"),
            ("topic.replication.factor", "1"),
            ("context.headers.enable", "FALSE"),
        ];
        assert_eq!(parse(&all), letters(1, false));

        let wrong = map(&[
            ("topic.replication.factor", "x"),
            ("context.headers.enable", "maybe"),
        ]);
        let mut values = Vec::new();
        check_dead_letters(false, &wrong, &mut values);
        let names: Vec<_> = values.iter().map(|value| value.name.as_str()).collect();
        assert_eq!(names, DEAD_LETTER_KEYS[1..]);
        let mut values = Vec::new();
        check_dead_letters(true, &map(&all), &mut values);
        assert_eq!(values.len(), 3);
        assert!(
            values[0].errors[0].contains("has errors.deadletterqueue."),
            "{values:?}"
        );
    }

    #[test]
    fn topic_rules_are_read_only_where_the_worker_allows_them() {
        let config: ConfigMap = [
            ("name", "c"),
            ("connector.class", "C"),
            ("topic.creation.default.partitions", "2"),
            ("topic.creation.default.replication.factor", "1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        assert!(
            SourceConnectorConfig::parse(&config, true)
                .unwrap()
                .topic_creation
                .is_some()
        );
        assert!(
            SourceConnectorConfig::parse(&config, false)
                .unwrap()
                .topic_creation
                .is_none()
        );
    }
}
