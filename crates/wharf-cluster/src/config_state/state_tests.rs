//! Tests of how records build the state, and of what they report.

use super::*;
use crate::ids::ConnectorTaskId;
use crate::restart::RestartRequest;
use crate::target_state::TargetState;

/// A reader that has read these records, each `KEY VALUE` with `-` for null, one offset apart.
struct Reader {
    state: ConfigState,
    next_offset: i64,
}

impl Reader {
    fn live() -> Self {
        let mut reader = Self::starting();
        reader.state.initial_read_complete();
        reader
    }

    fn starting() -> Self {
        Self {
            state: ConfigState::new(),
            next_offset: 0,
        }
    }

    fn read(&mut self, record: &str) -> Vec<ConfigEvent> {
        let (key, value) = record.split_once(' ').unwrap();
        let value = (value != "-").then_some(value.as_bytes());
        let events = self.state.apply(self.next_offset, Some(key.as_bytes()), value);
        self.next_offset += 1;
        events
    }

    fn read_all(&mut self, records: &[&str]) -> Vec<ConfigEvent> {
        records.iter().flat_map(|record| self.read(record)).collect()
    }

    fn connector(&self) -> ConnectorState {
        let snapshot = self.state.snapshot();
        snapshot
            .connector("c")
            .map(|state| (**state).clone())
            .unwrap_or_default()
    }

    /// The only reason why the record is ignored.
    fn reason(&mut self, record: &str) -> IgnoreReason {
        match <[ConfigEvent; 1]>::try_from(self.read(record)) {
            Ok([ConfigEvent::Ignored(ignored)]) => ignored.reason,
            other => panic!("{record}: {other:?}"),
        }
    }
}

const CONNECTOR: &str = r#"connector-c {"properties":{"k":"v"}}"#;
const TASK_0: &str = r#"task-c-0 {"properties":{"n":"0"}}"#;
const TASK_1: &str = r#"task-c-1 {"properties":{"n":"1"}}"#;

fn commit(tasks: i32) -> String {
    format!(r#"commit-c {{"tasks":{tasks}}}"#)
}

fn updated(tasks: &[i32]) -> ConfigEvent {
    ConfigEvent::TaskConfigsUpdated {
        connector: "c".to_owned(),
        tasks: tasks
            .iter()
            .map(|task| ConnectorTaskId::new("c", *task))
            .collect(),
    }
}

#[test]
fn the_config_offset_moves_with_every_decoded_record() {
    let mut state = ConfigState::new();
    assert_eq!(state.offset(), NO_OFFSET);
    for (offset, key, value, expected) in [
        (0, Some("connector-c"), Some("{"), NO_OFFSET),
        (0, Some("connector-c"), Some(r#"{"properties":{}}"#), 1),
        // 1 is a transaction marker.
        (2, Some("no-key-of-ours"), Some("{}"), 3),
        (3, Some("connector-c"), Some("[1]"), 4),
        (4, None, Some("1"), 5),
        (5, Some("connector-c"), None, 6),
        (6, Some("connector-c"), Some(""), 7),
        (7, Some("connector-c"), Some("not json"), 7),
        (8, Some("task-x"), Some("{} trailing"), 9),
        (9, Some("commit-unknown"), Some("007"), 10),
        (10, None, Some("{"), 10),
    ] {
        state.apply(offset, key.map(str::as_bytes), value.map(str::as_bytes));
        assert_eq!(state.offset(), expected, "{offset}");
        assert_eq!(state.snapshot().offset(), expected);
    }
}

#[test]
fn task_configs_wait_for_their_commit() {
    let mut reader = Reader::live();
    let created = reader.read(CONNECTOR);
    assert_eq!(created, [ConfigEvent::ConnectorConfigUpdated("c".to_owned())]);
    assert_eq!(reader.connector().target_state, Some(TargetState::Started));
    assert!(reader.read_all(&[TASK_0, TASK_1]).is_empty());
    assert!(reader.connector().task_configs.is_empty());
    assert_eq!(reader.state.snapshot().tasks("c"), []);
    assert_eq!(reader.read(&commit(2)), [updated(&[0, 1])]);

    let snapshot = reader.state.snapshot();
    let tasks = snapshot.tasks("c");
    assert_eq!(
        tasks,
        [ConnectorTaskId::new("c", 0), ConnectorTaskId::new("c", 1)]
    );
    assert_eq!(snapshot.task_config(&tasks[1]).unwrap().get("n"), Some("1"));
    let state = reader.connector();
    assert_eq!(state.applied_config, state.config);
    assert_eq!(state.task_config_generation, Some(0));
    assert!(state.pending_fencing);
}

#[test]
fn extra_task_configs_of_a_larger_past_are_no_fault() {
    let mut reader = Reader::live();
    reader.read_all(&[CONNECTOR, TASK_0, TASK_1]);
    assert_eq!(reader.read(&commit(1)), [updated(&[0, 1])]);
    let snapshot = reader.state.snapshot();
    assert_eq!(snapshot.tasks("c"), [ConnectorTaskId::new("c", 0)]);
    assert_eq!(reader.connector().task_configs.len(), 2);
    // Stopped: no task, and the deferred set is empty.
    assert_eq!(reader.read(&commit(0)), [updated(&[])]);
    assert_eq!(reader.state.snapshot().tasks("c"), []);
    assert_eq!(reader.connector().task_config_generation, Some(1));
}

#[test]
fn an_incomplete_commit_leaves_no_tasks_until_a_complete_one() {
    let mut reader = Reader::live();
    reader.read_all(&[CONNECTOR, TASK_0, TASK_1, &commit(2), TASK_1]);
    let events = reader.read(&commit(2));
    let [ConfigEvent::Ignored(ignored), update] = &*events else {
        panic!("{events:?}")
    };
    let reason = IgnoreReason::IncompleteTaskConfigs {
        expected: 2,
        found: 1,
    };
    assert_eq!((&ignored.reason, update), (&reason, &updated(&[])));
    let snapshot = reader.state.snapshot();
    assert_eq!(snapshot.tasks("c"), []);
    assert_eq!(snapshot.task_count("c"), 2);
    assert_eq!(snapshot.inconsistent_connectors().collect::<Vec<_>>(), ["c"]);
    assert_eq!(reader.connector().task_config_generation, Some(0));
    // What was deferred is gone: task 0 alone does not complete it.
    reader.read_all(&[TASK_0, &commit(2)]);
    assert_eq!(reader.state.snapshot().tasks("c"), []);
    reader.read_all(&[TASK_0, TASK_1, &commit(2)]);
    assert_eq!(reader.state.snapshot().tasks("c").len(), 2);
    assert!(!reader.connector().inconsistent);
}

#[test]
fn a_first_commit_without_any_task_config_counts_no_generation() {
    let mut reader = Reader::live();
    reader.read(CONNECTOR);
    assert_eq!(reader.read(&commit(0)), [updated(&[])]);
    let state = reader.connector();
    assert_eq!((state.task_count, state.task_config_generation), (Some(0), None));
    assert!(state.pending_fencing && !state.inconsistent);
    // Counts that no list could have do not hurt.
    for tasks in [i32::MAX, -1] {
        reader.read(&commit(tasks));
        assert_eq!(reader.state.snapshot().tasks("c"), []);
    }
}

#[test]
fn a_commit_for_a_connector_that_is_gone_drops_what_waited() {
    let mut reader = Reader::live();
    reader.read_all(&[TASK_0]);
    assert_eq!(reader.reason(&commit(1)), IgnoreReason::ConnectorUnknown);
    // Even one whose value means nothing.
    assert_eq!(reader.reason("commit-c -"), IgnoreReason::ConnectorUnknown);
    reader.read(CONNECTOR);
    reader.read(&commit(1));
    assert!(reader.connector().inconsistent);
    // The commit of a known connector must be an object with a number.
    let before = reader.connector();
    assert_eq!(reader.reason("commit-c -"), IgnoreReason::Tombstone);
    assert_eq!(
        reader.reason("commit-c []"),
        IgnoreReason::NotAnObject("an array")
    );
    for (value, found) in [
        ("{}", "missing"),
        (r#"{"tasks":"1"}"#, "a text"),
        (r#"{"tasks":1.0}"#, "a number with a fraction"),
    ] {
        let reason = IgnoreReason::Field {
            field: "tasks",
            expected: "an integer",
            found,
        };
        assert_eq!(reader.reason(&format!("commit-c {value}")), reason);
    }
    assert_eq!(reader.connector(), before);
}

#[test]
fn a_deleted_connector_leaves_what_its_successor_needs() {
    let mut reader = Reader::live();
    reader.read_all(&[
        CONNECTOR,
        TASK_0,
        &commit(1),
        r#"tasks-fencing-c {"task-count":1}"#,
        r#"target-state-c {"state":"PAUSED","state.v2":"PAUSED"}"#,
        TASK_1,
    ]);
    assert_eq!(
        reader.read("connector-c -"),
        [ConfigEvent::ConnectorConfigRemoved("c".to_owned())]
    );
    let left = ConnectorState {
        target_state: Some(TargetState::Paused),
        task_count_record: Some(1),
        task_config_generation: Some(0),
        ..ConnectorState::default()
    };
    assert_eq!(reader.connector(), left);
    assert!(!reader.state.contains("c"));
    assert_eq!(reader.state.snapshot().connectors().count(), 0);
    // The tombstone of the target state comes right after it.
    assert!(reader.read("target-state-c -").is_empty());
    assert_eq!(reader.connector().target_state, None);
    reader.read(CONNECTOR);
    assert_eq!(reader.connector().target_state, Some(TargetState::Started));
}

#[test]
fn target_states_are_reported_when_they_change_a_connector_that_is_there() {
    let changed = || vec![ConfigEvent::TargetStateChanged("c".to_owned())];
    let mut reader = Reader::live();
    for (record, state, events) in [
        (
            r#"target-state-c {"state":"PAUSED","state.v2":"STOPPED"}"#,
            Some(TargetState::Stopped),
            vec![],
        ),
        (
            CONNECTOR,
            Some(TargetState::Stopped),
            vec![ConfigEvent::ConnectorConfigUpdated("c".to_owned())],
        ),
        (
            r#"target-state-c {"state":"PAUSED","state.v2":"STOPPED"}"#,
            Some(TargetState::Stopped),
            vec![],
        ),
        (
            r#"target-state-c {"state":"PAUSED"}"#,
            Some(TargetState::Paused),
            changed(),
        ),
        (
            r#"target-state-c {"state":"STARTED","state.v2":null}"#,
            Some(TargetState::Started),
            changed(),
        ),
        (
            r#"target-state-c {"state":"nonsense","state.v2":"STOPPED"}"#,
            Some(TargetState::Stopped),
            changed(),
        ),
        ("target-state-c -", Some(TargetState::Started), vec![]),
    ] {
        assert_eq!(reader.read(record), events, "{record}");
        assert_eq!(reader.connector().target_state, state, "{record}");
    }
}

#[test]
fn target_states_that_mean_nothing_change_nothing() {
    let mut reader = Reader::live();
    reader.read(CONNECTOR);
    for value in [
        "[]",
        "{}",
        r#"{"state":1}"#,
        r#"{"state":"STARTED","state.v2":"RUNNING"}"#,
        r#"{"state":"paused"}"#,
    ] {
        reader.reason(&format!("target-state-c {value}"));
        assert_eq!(reader.connector().target_state, Some(TargetState::Started));
    }
    // A newer field of another type is noted, and the older one counts.
    let events = reader.read(r#"target-state-c {"state":"PAUSED","state.v2":7}"#);
    assert!(
        matches!(
            &*events,
            [ConfigEvent::Ignored(_), ConfigEvent::TargetStateChanged(_)]
        ),
        "{events:?}"
    );
}

#[test]
fn fencing_records_and_commits_mark_each_other() {
    let mut reader = Reader::live();
    reader.read_all(&[CONNECTOR, TASK_0, &commit(1)]);
    assert!(reader.connector().pending_fencing);
    assert!(reader.read(r#"tasks-fencing-c {"task-count":1}"#).is_empty());
    let state = reader.connector();
    assert_eq!((state.pending_fencing, state.task_count_record), (false, Some(1)));
    assert_eq!(reader.reason("tasks-fencing-c -"), IgnoreReason::Tombstone);
    reader.read(&commit(0));
    assert!(reader.connector().pending_fencing);
}

#[test]
fn what_happened_before_the_start_is_state_and_not_news() {
    let mut reader = Reader::starting();
    assert!(
        reader
            .read_all(&[
                CONNECTOR,
                TASK_0,
                &commit(1),
                r#"target-state-c {"state":"PAUSED"}"#,
                r#"session-key {"key":"AQI=","algorithm":"HmacSHA256","creation-timestamp":1}"#,
            ])
            .is_empty()
    );
    let restart = r#"restart-connector-c {"include-tasks":true,"only-failed":false}"#;
    let level = r#"logger-cluster-org.x {"level":"DEBUG"}"#;
    assert_eq!(reader.reason(restart), IgnoreReason::BeforeStart);
    assert_eq!(reader.reason(level), IgnoreReason::BeforeStart);
    assert_eq!(reader.state.snapshot().session_key().unwrap().bytes(), [1, 2]);
    reader.state.initial_read_complete();
    assert_eq!(
        reader.read(restart),
        [ConfigEvent::RestartRequested(RestartRequest {
            connector: "c".to_owned(),
            only_failed: false,
            include_tasks: true,
        })]
    );
    assert_eq!(
        reader.read(level),
        [ConfigEvent::LoggingLevelUpdated {
            namespace: "org.x".to_owned(),
            level: "DEBUG".to_owned(),
        }]
    );
    let key = r#"session-key {"key":"AQM=","algorithm":"HmacSHA256","creation-timestamp":2}"#;
    let events = reader.read(key);
    assert!(
        matches!(&*events, [ConfigEvent::SessionKeyUpdated(key)] if key.bytes() == [1, 3]),
        "{events:?}"
    );
}

#[test]
fn flags_of_a_restart_that_are_no_booleans_count_as_false() {
    let mut reader = Reader::live();
    let events = reader.read(r#"restart-connector-c {"include-tasks":"yes"}"#);
    let reasons: Vec<Severity> = events
        .iter()
        .filter_map(|event| match event {
            ConfigEvent::Ignored(ignored) => Some(ignored.reason.severity()),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [Severity::Warn, Severity::Warn]);
    let plain = RestartRequest {
        connector: "c".to_owned(),
        only_failed: false,
        include_tasks: false,
    };
    assert_eq!(events.last(), Some(&ConfigEvent::RestartRequested(plain)));
}

#[test]
fn records_that_mean_nothing_are_ignored_with_a_reason_that_tells_no_value() {
    let mut reader = Reader::live();
    reader.read(CONNECTOR);
    let before = reader.state.snapshot();
    for record in [
        "their-key secret",
        r#"their-key {"x":"secret"}"#,
        r#"connector-c "secret""#,
        r#"connector-c {"properties":"secret"}"#,
        r#"connector-c {"properties":{"k":["secret"]}}"#,
        r#"connector-c {"properties":{"k":1}}"#,
        "task-c-0 -",
        r#"task-c-0 {"properties":null}"#,
        r#"task-c {"properties":{}}"#,
        r#"session-key {"key":"secret!","algorithm":"a","creation-timestamp":1}"#,
        r#"session-key {"key":"","algorithm":"a","creation-timestamp":1}"#,
        "session-key -",
        "restart-connector-c -",
        "logger-cluster-x -",
        r#"logger-cluster-x {"level":5}"#,
    ] {
        let events = reader.read(record);
        let [ConfigEvent::Ignored(ignored)] = &*events else {
            panic!("{record}: {events:?}")
        };
        assert!(!ignored.to_string().contains("secret"), "{ignored}");
        assert!(ignored.to_string().contains("at offset"), "{ignored}");
    }
    let after = reader.state.snapshot();
    assert_eq!(after.connector("c"), before.connector("c"));
    assert_eq!(after.session_key(), None);
}

#[test]
fn a_snapshot_does_not_see_later_records() {
    let mut reader = Reader::live();
    reader.read(CONNECTOR);
    let before = reader.state.snapshot();
    reader.read_all(&[
        TASK_0,
        &commit(1),
        "connector-d {\"properties\":{}}",
        "connector-c -",
    ]);
    assert!(before.contains("c") && !before.contains("d"));
    assert_eq!(before.offset(), 1);
    let after = reader.state.snapshot();
    assert!(!after.contains("c") && after.contains("d"));
}
