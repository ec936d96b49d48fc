//! What each operation writes to the config topic, and in which order.
//!
//! A function here gives steps; whoever has producers and a consumer carries them out one after another and stops at the
//! first that fails. All of an operation has [`WRITE_TIMEOUT_MS`].
//!
//! What must stay true: a commit is written only when the task configurations before it can be read; and only the records
//! that any worker may write are outside of [`WriteStep::Privileged`].

use super::{ConfigRecord, Properties};
use crate::ids::ConnectorTaskId;
use crate::restart::RestartRequest;
use crate::session_key::SessionKey;
use crate::target_state::TargetState;
use crate::topic_record::TopicRecord;

/// How long an operation may take, from its first step to its last.
pub const WRITE_TIMEOUT_MS: u64 = 30_000;

/// One step of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteStep {
    /// Read the topic up to its present end.
    ReadToEnd,
    /// As [`ReadToEnd`](Self::ReadToEnd), but a failure is logged and the operation has succeeded.
    TryReadToEnd,
    /// Records that only the leader writes: one transaction of the fencible producer where there is one, else sent
    /// by the plain one, waiting for each acknowledgement.
    Privileged(Vec<TopicRecord>),
    /// A record that any worker may write: through the plain producer, waiting for its acknowledgement.
    Plain(TopicRecord),
}

fn privileged(record: ConfigRecord) -> WriteStep {
    WriteStep::Privileged(vec![record.to_topic_record()])
}

/// Creates a connector or replaces its configuration; with a target state when one was asked for at its creation.
#[must_use]
pub fn put_connector_config(
    connector: &str,
    config: Properties,
    target_state: Option<TargetState>,
) -> Vec<WriteStep> {
    let state = target_state.map(|state| target_state_record(connector, Some(state)));
    let config = ConfigRecord::Connector {
        name: connector.to_owned(),
        config: Some(config),
    };
    vec![
        WriteStep::Privileged(state.into_iter().chain([config.to_topic_record()]).collect()),
        WriteStep::ReadToEnd,
    ]
}

/// Deletes a connector. Its task configurations, commit and fencing stay in the topic.
#[must_use]
pub fn remove_connector_config(connector: &str) -> Vec<WriteStep> {
    let config = ConfigRecord::Connector {
        name: connector.to_owned(),
        config: None,
    };
    vec![
        WriteStep::Privileged(vec![
            config.to_topic_record(),
            target_state_record(connector, None),
        ]),
        WriteStep::ReadToEnd,
    ]
}

/// Publishes task configurations, numbered in their order, and commits them.
#[must_use]
pub fn put_task_configs(connector: &str, configs: Vec<Properties>) -> Vec<WriteStep> {
    let tasks: Vec<TopicRecord> = (0..)
        .zip(configs)
        .map(|(task, config)| {
            let id = ConnectorTaskId::new(connector, task);
            ConfigRecord::Task { id, config }.to_topic_record()
        })
        .collect();
    let commit = ConfigRecord::Commit {
        connector: connector.to_owned(),
        // More than 2^31 configurations fit into no worker's memory.
        tasks: i32::try_from(tasks.len()).unwrap_or(i32::MAX),
    };
    let mut steps = vec![WriteStep::ReadToEnd];
    if !tasks.is_empty() {
        steps.extend([WriteStep::Privileged(tasks), WriteStep::ReadToEnd]);
    }
    steps.extend([privileged(commit), WriteStep::ReadToEnd]);
    steps
}

/// Stops a connector: takes its tasks away, then says so.
#[must_use]
pub fn stop_connector(connector: &str) -> Vec<WriteStep> {
    let mut steps = put_task_configs(connector, Vec::new());
    steps.extend(put_target_state(connector, TargetState::Stopped));
    steps.push(WriteStep::TryReadToEnd);
    steps
}

/// Pauses or resumes a connector; the last part of stopping one.
#[must_use]
pub fn put_target_state(connector: &str, state: TargetState) -> Vec<WriteStep> {
    vec![WriteStep::Plain(target_state_record(connector, Some(state)))]
}

/// Records for how many tasks earlier producers are fenced.
#[must_use]
pub fn put_task_count_record(connector: &str, tasks: i32) -> Vec<WriteStep> {
    let record = ConfigRecord::TasksFencing {
        connector: connector.to_owned(),
        tasks,
    };
    vec![privileged(record), WriteStep::ReadToEnd]
}

/// Hands a new session key to all workers.
#[must_use]
pub fn put_session_key(key: SessionKey) -> Vec<WriteStep> {
    vec![privileged(ConfigRecord::SessionKey(key)), WriteStep::ReadToEnd]
}

/// Asks all workers to restart what they run of a connector.
#[must_use]
pub fn put_restart_request(request: RestartRequest) -> Vec<WriteStep> {
    vec![privileged(ConfigRecord::Restart(request)), WriteStep::ReadToEnd]
}

/// Sets a logger's level on all workers.
#[must_use]
pub fn put_logger_level(namespace: &str, level: &str) -> Vec<WriteStep> {
    let record = ConfigRecord::Logger {
        namespace: namespace.to_owned(),
        level: level.to_owned(),
    };
    vec![WriteStep::Plain(record.to_topic_record())]
}

fn target_state_record(connector: &str, state: Option<TargetState>) -> TopicRecord {
    ConfigRecord::TargetState {
        connector: connector.to_owned(),
        state,
    }
    .to_topic_record()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps as lines: `r` reads to the end, `?` tries to, `p` and `t` are records, plain or of one transaction.
    fn lines(steps: Vec<WriteStep>) -> Vec<String> {
        let line = |record: TopicRecord| {
            let value = record.value.map(|value| String::from_utf8(value).unwrap());
            format!("{}={}", record.key, value.as_deref().unwrap_or("null"))
        };
        steps
            .into_iter()
            .map(|step| match step {
                WriteStep::ReadToEnd => "r".to_owned(),
                WriteStep::TryReadToEnd => "?".to_owned(),
                WriteStep::Plain(record) => format!("p {}", line(record)),
                WriteStep::Privileged(records) => {
                    format!(
                        "t {}",
                        records.into_iter().map(line).collect::<Vec<_>>().join(" ")
                    )
                }
            })
            .collect()
    }

    #[test]
    fn every_operation_writes_what_upstream_writes() {
        let config = |value: &str| Properties::from([("k", value)]);
        for (steps, expected) in [
            (
                put_connector_config("c", config("v"), None),
                vec![r#"t connector-c={"properties":{"k":"v"}}"#, "r"],
            ),
            (
                put_connector_config("c", config("v"), Some(TargetState::Stopped)),
                vec![
                    r#"t target-state-c={"state":"PAUSED","state.v2":"STOPPED"} connector-c={"properties":{"k":"v"}}"#,
                    "r",
                ],
            ),
            (
                remove_connector_config("c"),
                vec!["t connector-c=null target-state-c=null", "r"],
            ),
            (
                put_task_configs("c", vec![config("0"), config("1")]),
                vec![
                    "r",
                    r#"t task-c-0={"properties":{"k":"0"}} task-c-1={"properties":{"k":"1"}}"#,
                    "r",
                    r#"t commit-c={"tasks":2}"#,
                    "r",
                ],
            ),
            (
                stop_connector("c"),
                vec![
                    "r",
                    r#"t commit-c={"tasks":0}"#,
                    "r",
                    r#"p target-state-c={"state":"PAUSED","state.v2":"STOPPED"}"#,
                    "?",
                ],
            ),
            (
                put_target_state("c", TargetState::Paused),
                vec![r#"p target-state-c={"state":"PAUSED","state.v2":"PAUSED"}"#],
            ),
            (
                put_task_count_record("c", 3),
                vec![r#"t tasks-fencing-c={"task-count":3}"#, "r"],
            ),
            (
                put_session_key(SessionKey::new(vec![0xff, 0], "HmacSHA256", 7)),
                vec![
                    r#"t session-key={"key":"/wA=","algorithm":"HmacSHA256","creation-timestamp":7}"#,
                    "r",
                ],
            ),
            (
                put_restart_request(RestartRequest {
                    connector: "c".to_owned(),
                    only_failed: true,
                    include_tasks: false,
                }),
                vec![
                    r#"t restart-connector-c={"include-tasks":false,"only-failed":true}"#,
                    "r",
                ],
            ),
            (
                put_logger_level("org.x", "DEBUG"),
                vec![r#"p logger-cluster-org.x={"level":"DEBUG"}"#],
            ),
        ] {
            assert_eq!(lines(steps), expected);
        }
    }
}
