//! From what a connector proposes for its tasks to what is published for them, if anything is.
//!
//! What must stay true: a resolved secret is never published; where the connector's configuration has a placeholder of a
//! config provider, the task's has the same one.

use super::{ConfigSnapshot, Properties};
use crate::ids::ConnectorTaskId;

const TASK_CLASS: &str = "task.class";
const TOPICS: [&str; 2] = ["topics", "topics.regex"];
const FIRST_BACKOFF_MS: u64 = 250;
const LAST_BACKOFF_MS: u64 = 60_000;

/// A task configuration with what the framework adds to it: the class of the task, and the topics of a sink as its
/// connector's resolved configuration has them.
#[must_use]
pub fn with_framework_keys(
    connector_config: &Properties,
    mut task_config: Properties,
    task_class: &str,
) -> Properties {
    task_config.insert(TASK_CLASS, Some(task_class.to_owned()));
    for key in TOPICS {
        if connector_config.contains_key(key) {
            task_config.insert(key, connector_config.get(key).map(str::to_owned));
        }
    }
    task_config
}

/// Whether a value refers to a config provider: `${provider:key}` or `${provider:path:key}`, anywhere in it.
#[must_use]
pub fn has_placeholder(value: &str) -> bool {
    value
        .match_indices("${")
        .filter_map(|(at, opening)| value[at + opening.len()..].split_once('}'))
        .any(|(inside, _)| inside.contains(':'))
}

/// Puts placeholders back where resolved values stand: every key whose value in the connector's unresolved configuration
/// has a placeholder gets that value in each task configuration that has the key.
#[must_use]
pub fn restore_placeholders(
    raw_connector_config: &Properties,
    task_configs: Vec<Properties>,
) -> Vec<Properties> {
    let with_placeholders: Vec<(&str, &str)> = raw_connector_config
        .iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .filter(|(_, value)| has_placeholder(value))
        .collect();
    let restore = |mut config: Properties| {
        for (key, value) in &with_placeholders {
            if config.contains_key(key) {
                config.insert(*key, Some((*value).to_owned()));
            }
        }
        config
    };
    task_configs.into_iter().map(restore).collect()
}

/// Whether task configurations are to be published: their number differs, one of them differs, or the connector's resolved
/// configuration is not the one for which they were last committed in full. The last makes every change of a connector
/// restart its tasks, since converters and the like stand in its configuration only.
///
/// `applied` is the resolved form of [`ConnectorState::applied_config`](super::ConnectorState::applied_config), made when it
/// was first needed after the commit; `current` is the connector's configuration, resolved now.
#[must_use]
pub fn task_configs_changed(
    snapshot: &ConfigSnapshot,
    connector: &str,
    proposed: &[Properties],
    applied: Option<&Properties>,
    current: Option<&Properties>,
) -> bool {
    let is_same = |(task, config): (i32, &Properties)| {
        snapshot
            .task_config(&ConnectorTaskId::new(connector, task))
            .is_some_and(|known| **known == *config)
    };
    // A connector whose commit was incomplete must publish again, even if what survived happens to look the same.
    let is_inconsistent = snapshot
        .connector(connector)
        .is_some_and(|state| state.inconsistent);
    is_inconsistent
        || i32::try_from(proposed.len()) != Ok(snapshot.task_count(connector))
        || !(0..).zip(proposed).all(is_same)
        || applied != current
}

/// How long to wait before task configurations are published again, after so many failures. There is no last attempt.
#[must_use]
pub const fn publication_backoff_ms(failures_before: u32) -> u64 {
    // 2^8 · 250 ms is beyond the limit already, so no larger shift is needed.
    let doublings = if failures_before < 8 { failures_before } else { 8 };
    let wait = FIRST_BACKOFF_MS << doublings;
    if wait < LAST_BACKOFF_MS {
        wait
    } else {
        LAST_BACKOFF_MS
    }
}

#[cfg(test)]
mod tests {
    use super::super::ConfigState;
    use super::*;

    fn state(records: &[(&str, &str)]) -> ConfigState {
        let mut state = ConfigState::new();
        for (offset, (key, value)) in (0..).zip(records) {
            state.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
        }
        state
    }

    #[test]
    fn placeholders_are_found_as_upstream_s_pattern_finds_them() {
        for (value, expected) in [
            ("${env:HOME}", true),
            ("${file:/a/b.properties:key}", true),
            ("x ${a:} y", true),
            ("${:}", true),
            ("${a:\n}", true),
            ("${a} ${b:c}", true),
            ("${a${b:c}", true),
            ("${a}", false),
            ("${a:b", false),
            ("$a:b}", false),
            ("${a} : }", false),
            ("", false),
        ] {
            assert_eq!(has_placeholder(value), expected, "{value}");
        }
    }

    #[test]
    fn secrets_become_placeholders_again() {
        let raw = Properties::from([("password", "${env:P}"), ("url", "u"), ("unused", "${env:U}")]);
        let tasks = vec![
            Properties::from([("password", "secret"), ("url", "other")]),
            Properties::from([("task", "1")]),
        ];
        assert_eq!(
            restore_placeholders(&raw, tasks),
            [
                Properties::from([("password", "${env:P}"), ("url", "other")]),
                Properties::from([("task", "1")]),
            ]
        );
    }

    #[test]
    fn class_and_topics_are_added() {
        let connector = Properties::from([("topics", "a,b"), ("name", "c")]);
        assert_eq!(
            with_framework_keys(&connector, Properties::from([("topics", "x")]), "T"),
            Properties::from([("topics", "a,b"), ("task.class", "T")])
        );
        let connector = Properties::from([("topics.regex", "a.*")]);
        assert_eq!(
            with_framework_keys(&connector, Properties::new(), "T"),
            Properties::from([("topics.regex", "a.*"), ("task.class", "T")])
        );
    }

    #[test]
    fn only_changes_are_published() {
        let config = Properties::from([("k", "v")]);
        let task = |n: &str| Properties::from([("n", n), ("k", "v")]);
        let complete = [
            ("connector-c", r#"{"properties":{"k":"v"}}"#),
            ("task-c-0", r#"{"properties":{"n":"0","k":"v"}}"#),
            ("task-c-1", r#"{"properties":{"k":"v","n":"1"}}"#),
            ("commit-c", r#"{"tasks":2}"#),
        ];
        let known = state(&complete).snapshot();
        let applied = known.connector("c").unwrap().applied_config.clone();
        let other = Properties::from([("k", "w")]);
        for (proposed, current, expected) in [
            (vec![task("0"), task("1")], &config, false),
            (vec![task("1"), task("0")], &config, true),
            (vec![task("0")], &config, true),
            (vec![task("0"), task("1"), task("2")], &config, true),
            (vec![], &config, true),
            (vec![task("0"), task("1")], &other, true),
        ] {
            assert_eq!(
                task_configs_changed(&known, "c", &proposed, applied.as_deref(), Some(current)),
                expected,
                "{} tasks",
                proposed.len()
            );
        }
        // The second commit lost the record of task 1 to compaction.
        let mut records = complete.to_vec();
        records.extend([
            ("task-c-0", r#"{"properties":{}}"#),
            ("commit-c", r#"{"tasks":2}"#),
        ]);
        let broken = state(&records).snapshot();
        assert!(task_configs_changed(
            &broken,
            "c",
            &[task("0"), task("1")],
            applied.as_deref(),
            Some(&config)
        ));
        assert!(!task_configs_changed(
            &ConfigState::new().snapshot(),
            "c",
            &[],
            None,
            None
        ));
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<u64> = (0..11).map(publication_backoff_ms).collect();
        assert_eq!(
            waits,
            [
                250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000
            ]
        );
        assert_eq!(publication_backoff_ms(u32::MAX), 60_000);
    }
}
