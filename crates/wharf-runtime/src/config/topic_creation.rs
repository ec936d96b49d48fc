//! Rules by which a source connector creates its topics (`topic.creation.*`, KIP-158).
//!
//! Groups are tried in the listed order; the default group takes what is left. A rule applies only to topics that do
//! not exist: an existing topic is never altered. Upstream checks these keys when tasks start; here they are checked
//! when the configuration is submitted.

use wharf_api::config::{ConfigDef, ConfigKey, ParsedConfig, Type, Validator, parse_type};
use wharf_api::{ConfigMap, ConnectError};
use wharf_transforms::JavaRegex;

use super::converter_config::with_prefix;

/// The key with the names of the groups.
pub(super) const GROUPS: &str = "topic.creation.groups";
/// What all keys of topic creation start with.
pub const TOPIC_CREATION_PREFIX: &str = "topic.creation.";

const DEFAULT_GROUP: &str = "default";
const OWN_KEYS: &[&str] = &["include", "exclude", "replication.factor", "partitions"];

/// A key and what is wrong with its value.
type Problem = (String, String);

/// One group of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicCreationGroup {
    /// Its name.
    pub name: String,
    /// Partitions of new topics; -1 for the broker's default.
    pub partitions: i32,
    /// Replication factor of new topics; -1 for the broker's default.
    pub replication_factor: i16,
    /// Other settings of new topics.
    pub configs: ConfigMap,
    include: Option<JavaRegex>,
    exclude: Option<JavaRegex>,
}

impl TopicCreationGroup {
    fn matches(&self, topic: &str) -> bool {
        let excluded = self.exclude.as_ref().is_some_and(|regex| regex.matches(topic));
        !excluded && self.include.as_ref().is_some_and(|regex| regex.matches(topic))
    }
}

/// All rules of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicCreation {
    groups: Vec<TopicCreationGroup>,
    default: TopicCreationGroup,
}

impl TopicCreation {
    /// Reads the rules; nothing when the configuration holds none.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: key and message.
    pub fn parse(config: &ConfigMap) -> Result<Option<Self>, Vec<(String, String)>> {
        if !config.keys().any(|key| key.starts_with(TOPIC_CREATION_PREFIX)) {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let default = read_group(DEFAULT_GROUP, None, config, &mut problems);
        let mut groups = Vec::new();
        for name in group_names(config) {
            if name.is_empty() {
                problems.push((
                    GROUPS.to_owned(),
                    format!("{GROUPS} holds an empty name; remove the extra comma"),
                ));
                continue;
            }
            groups.extend(read_group(&name, default.as_ref(), config, &mut problems));
        }
        match default {
            Some(default) if problems.is_empty() => Ok(Some(Self { groups, default })),
            _ => Err(problems),
        }
    }

    /// The group whose rules a new topic gets: the first that includes and does not exclude it, else the default.
    #[must_use]
    pub fn group_for(&self, topic: &str) -> &TopicCreationGroup {
        self.groups
            .iter()
            .find(|group| group.matches(topic))
            .unwrap_or(&self.default)
    }
}

/// Names in the list, each once, without `default`, which is always there.
fn group_names(config: &ConfigMap) -> Vec<String> {
    let parsed = config
        .get(GROUPS)
        .and_then(|text| parse_type(GROUPS, text, Type::List).ok());
    let mut names: Vec<String> = Vec::new();
    for name in parsed
        .as_ref()
        .and_then(|value| value.as_list())
        .unwrap_or_default()
    {
        if name == DEFAULT_GROUP {
            tracing::warn!("{GROUPS} names the group default, which always exists; the name is ignored");
        } else if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn group_def(prefix: &str, default: Option<&TopicCreationGroup>, is_default: bool) -> ConfigDef {
    let number = |suffix: &str, value_type: Type, what: &'static str, fallback: Option<i64>| {
        let key =
            ConfigKey::new(format!("{prefix}{suffix}"), value_type).validator(positive_or_minus_one(what));
        match fallback {
            Some(number) => key.default(number),
            None => key,
        }
    };
    let factor = default.map(|group| i64::from(group.replication_factor));
    let partitions = default.map(|group| i64::from(group.partitions));
    // without a sound default group its problems are reported already; groups must not repeat them
    let unknown = (!is_default && default.is_none()).then_some(-1);
    let def = ConfigDef::new()
        .define(number(
            "replication.factor",
            Type::Short,
            REPLICATION_FACTOR,
            factor.or(unknown),
        ))
        .define(number(
            "partitions",
            Type::Int,
            PARTITIONS,
            partitions.or(unknown),
        ));
    if is_default {
        return def;
    }
    let patterns =
        |suffix: &str| ConfigKey::new(format!("{prefix}{suffix}"), Type::List).validator(regexes());
    def.define(patterns("include"))
        .define(patterns("exclude").default(""))
}

fn read_group(
    name: &str,
    default: Option<&TopicCreationGroup>,
    config: &ConfigMap,
    problems: &mut Vec<Problem>,
) -> Option<TopicCreationGroup> {
    let prefix = format!("{TOPIC_CREATION_PREFIX}{name}.");
    let is_default = name == DEFAULT_GROUP;
    let def = group_def(&prefix, default, is_default);
    let before = problems.len();
    for value in def.validate(config) {
        // one message says enough, unlike in validation answers that peers compare
        problems.extend(
            value
                .errors
                .first()
                .map(|error| (value.name.clone(), error.clone())),
        );
    }
    if problems.len() > before {
        return None;
    }
    let parsed = def.parse(config).ok()?;
    let mut configs = default.map(|group| group.configs.clone()).unwrap_or_default();
    configs.extend(
        with_prefix(config, &prefix)
            .into_iter()
            .filter(|(key, _)| !OWN_KEYS.contains(&key.as_str())),
    );
    Some(TopicCreationGroup {
        name: name.to_owned(),
        partitions: parsed.get_int(&format!("{prefix}partitions"))?,
        replication_factor: parsed.get_short(&format!("{prefix}replication.factor"))?,
        configs,
        include: joined(&parsed, &format!("{prefix}include")),
        exclude: joined(&parsed, &format!("{prefix}exclude")),
    })
}

/// One pattern out of the items of a list; nothing for an empty list.
fn joined(parsed: &ParsedConfig, key: &str) -> Option<JavaRegex> {
    let items = parsed.get_list(key).filter(|items| !items.is_empty())?;
    JavaRegex::new(&items.join("|")).ok()
}

fn regexes() -> Validator {
    Validator::custom("list of regular expressions", |name, value| {
        let Some(items) = value.as_list() else {
            return Ok(());
        };
        JavaRegex::new(&items.join("|")).map(drop).map_err(|error| {
            ConnectError::invalid_config(name, value, &format!("Invalid regex: {}", error.message()))
        })
    })
}

const REPLICATION_FACTOR: &str = "Replication factor must be positive and not larger than the number of brokers in the Kafka \
                                  cluster, or -1 to use the broker's default";
const PARTITIONS: &str = "Number of partitions must be positive, or -1 to use the broker's default";

/// For every key that takes a replication factor.
pub(super) fn replication_factor_validator() -> Validator {
    positive_or_minus_one(REPLICATION_FACTOR)
}

/// For every key that takes a number of partitions.
pub(super) fn partitions_validator() -> Validator {
    positive_or_minus_one(PARTITIONS)
}

fn positive_or_minus_one(message: &'static str) -> Validator {
    Validator::custom(
        if message == REPLICATION_FACTOR {
            "Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default"
        } else {
            "Positive number, or -1 to use the broker's default"
        },
        move |name, value| match value.as_f64() {
            Some(number) if number != -1.0 && number < 1.0 => {
                Err(ConnectError::invalid_config(name, value, message))
            }
            _ => Ok(()),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| (format!("{TOPIC_CREATION_PREFIX}{key}"), (*value).to_owned()))
            .collect()
    }

    const DEFAULTS: &[(&str, &str)] = &[("default.partitions", "3"), ("default.replication.factor", "-1")];

    fn with(entries: &[(&str, &str)]) -> ConfigMap {
        map(&[DEFAULTS, entries].concat())
    }

    fn problems(config: &ConfigMap) -> Vec<Problem> {
        TopicCreation::parse(config).unwrap_err()
    }

    #[test]
    fn a_configuration_without_rules_has_none() {
        assert_eq!(
            TopicCreation::parse(&[("topics".to_owned(), "a".to_owned())].into()),
            Ok(None)
        );
    }

    #[test]
    fn groups_are_tried_in_order_and_the_default_takes_the_rest() {
        let rules = TopicCreation::parse(&with(&[
            ("groups", "first, default, second"),
            ("first.include", "a.*,b.*"),
            ("first.exclude", "ax"),
            ("first.partitions", "9"),
            ("first.cleanup.policy", "compact"),
            ("second.include", "a.*"),
            ("second.replication.factor", "2"),
            ("default.cleanup.policy", "delete"),
            ("default.retention.ms", "5"),
        ]))
        .unwrap()
        .unwrap();
        let cases = [
            ("abc", "first"),
            ("b", "first"),
            ("ax", "second"),
            ("xa", "default"),
            ("", "default"),
        ];
        for (topic, group) in cases {
            assert_eq!(rules.group_for(topic).name, group, "{topic}");
        }
        let first = rules.group_for("abc");
        assert_eq!((first.partitions, first.replication_factor), (9, -1));
        assert_eq!(first.configs["cleanup.policy"], "compact");
        assert_eq!(first.configs["retention.ms"], "5");
        let second = rules.group_for("ax");
        assert_eq!((second.partitions, second.replication_factor), (3, 2));
        assert_eq!(second.configs["cleanup.policy"], "delete");
        assert_eq!(second.configs.len(), 2);
    }

    #[test]
    fn the_default_group_must_be_complete() {
        let problems = problems(&map(&[("groups", "g"), ("g.include", "a")]));
        assert_eq!(
            problems.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
            [
                "topic.creation.default.replication.factor",
                "topic.creation.default.partitions",
            ]
        );
        assert!(problems[0].1.starts_with("Missing required configuration"));
    }

    #[test]
    fn every_wrong_key_is_named() {
        let problems = problems(&with(&[
            ("groups", "g,h,"),
            ("g.include", "("),
            ("g.partitions", "0"),
            ("h.replication.factor", "x"),
        ]));
        let keys: Vec<_> = problems.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "topic.creation.g.partitions",
                "topic.creation.g.include",
                "topic.creation.h.replication.factor",
                "topic.creation.h.include",
                "topic.creation.groups",
            ]
        );
        assert!(problems[0].1.contains("Number of partitions must be positive"));
        assert!(problems[1].1.contains("Invalid regex: "));
        assert!(problems[2].1.contains("Not a number of type SHORT"));
        assert!(problems[3].1.starts_with("Missing required configuration"));
    }
}
