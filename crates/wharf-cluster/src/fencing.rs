//! Zombie fencing: what a leader does before exactly-once tasks of a source connector may start (KIP-618).
//!
//! What must stay true: the decision is made from a snapshot read to the end of the config topic, and a task count is
//! recorded only for the task configurations that it was made for.

use crate::config_state::{ConfigSnapshot, ConnectorState};

/// What is to be done for a connector's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// Nothing: all earlier producers are fenced.
    NotNeeded,
    /// Record the number of tasks and nothing else: there were no exactly-once tasks before, or the only one there was is
    /// fenced by its successor, which has the same transactional id.
    Record {
        /// The number to record.
        tasks: i32,
    },
    /// Fence the producers of earlier tasks, read the config topic to its end, decide again, and record the number
    /// of tasks if the decision is the same.
    Fence {
        /// Tasks 0 up to this one, exclusive, have producers to be fenced.
        earlier_tasks: i32,
        /// The number to record afterwards.
        tasks: i32,
        /// The generation of task configurations that this is for.
        generation: Option<i32>,
    },
}

impl Fencing {
    /// Decides for a connector, from a snapshot that was just read to the end of the topic.
    #[must_use]
    pub fn decide(snapshot: &ConfigSnapshot, connector: &str) -> Self {
        snapshot
            .connector(connector)
            .map_or(Self::NotNeeded, |state| Self::decide_by(state))
    }

    fn decide_by(state: &ConnectorState) -> Self {
        let tasks = state.task_count.unwrap_or(0);
        match state.task_count_record {
            _ if !state.pending_fencing => Self::NotNeeded,
            None => Self::Record { tasks },
            Some(1) if tasks == 1 => Self::Record { tasks },
            Some(earlier_tasks) => Self::Fence {
                earlier_tasks,
                tasks,
                generation: state.task_config_generation,
            },
        }
    }
}

/// The transactional id of a task's producer, the one that fencing takes away from earlier tasks.
#[must_use]
pub fn transactional_id(group_id: &str, connector: &str, task: impl std::fmt::Display) -> String {
    format!("{group_id}-{connector}-{task}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_state::ConfigState;

    fn snapshot(records: &[(&str, &str)]) -> ConfigSnapshot {
        let mut state = ConfigState::new();
        for (offset, (key, value)) in (0..).zip(records) {
            state.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
        }
        state.snapshot()
    }

    fn after(past: &str) -> ConfigSnapshot {
        let mut records = vec![("connector-c".to_owned(), r#"{"properties":{}}"#.to_owned())];
        for step in past.split_whitespace() {
            let (what, count) = step.split_at(1);
            let count: i32 = count.parse().unwrap();
            if what == "c" {
                for task in 0..count {
                    records.push((format!("task-c-{task}"), r#"{"properties":{}}"#.to_owned()));
                }
                records.push(("commit-c".to_owned(), format!(r#"{{"tasks":{count}}}"#)));
            } else {
                records.push((
                    "tasks-fencing-c".to_owned(),
                    format!(r#"{{"task-count":{count}}}"#),
                ));
            }
        }
        let records: Vec<(&str, &str)> = records.iter().map(|(k, v)| (&**k, &**v)).collect();
        snapshot(&records)
    }

    /// `cN` is a commit of N tasks, `fN` a fencing record for N.
    #[test]
    fn the_order_of_commits_and_fencing_records_decides() {
        for (past, expected) in [
            ("", Fencing::NotNeeded),
            ("f3", Fencing::NotNeeded),
            ("c3 f3", Fencing::NotNeeded),
            ("c3", Fencing::Record { tasks: 3 }),
            ("c1", Fencing::Record { tasks: 1 }),
            ("c1 f1 c1", Fencing::Record { tasks: 1 }),
            (
                "c1 f1 c2",
                Fencing::Fence {
                    earlier_tasks: 1,
                    tasks: 2,
                    generation: Some(1),
                },
            ),
            (
                "c3 f3 c1",
                Fencing::Fence {
                    earlier_tasks: 3,
                    tasks: 1,
                    generation: Some(1),
                },
            ),
            (
                "c2 f2 c0 c2",
                Fencing::Fence {
                    earlier_tasks: 2,
                    tasks: 2,
                    generation: Some(2),
                },
            ),
        ] {
            assert_eq!(Fencing::decide(&after(past), "c"), expected, "{past}");
        }
        assert_eq!(Fencing::decide(&after("c3"), "unknown"), Fencing::NotNeeded);
    }

    #[test]
    fn newer_task_configurations_change_the_decision() {
        let decide = |past| Fencing::decide(&after(past), "c");
        assert_eq!(decide("c3 f3 c2"), decide("c3 f3 c2"));
        assert_ne!(decide("c3 f3 c2"), decide("c3 f3 c2 c4"));
        assert_ne!(decide("c1 f1 c1"), decide("c1 f1 c1 c3"));
        assert_ne!(decide("c3"), decide("c3 c2"));
    }
}
