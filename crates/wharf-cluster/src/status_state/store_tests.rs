//! Tests of reading statuses, of the rules for writing them, and of what is stale.

use super::*;
use crate::config_state::ConfigState;
use crate::ids::ConnectorTaskId;

fn status(state: State, worker_id: &str, generation: i32) -> Status {
    Status {
        state,
        trace: None,
        worker_id: worker_id.to_owned(),
        generation,
        version: None,
    }
}

fn read(statuses: &mut StatusState, key: &str, value: Option<&Status>) -> Result<(), StatusIgnored> {
    let value = value.and_then(Status::to_record_value);
    statuses.apply(Some(key.as_bytes()), value.as_deref())
}

fn read_back(statuses: &mut StatusState, write: &PendingWrite) {
    statuses
        .apply(Some(write.record.key.as_bytes()), write.record.value.as_deref())
        .unwrap();
}

fn task(task: i32) -> ConnectorTaskId {
    ConnectorTaskId::new("c", task)
}

#[test]
fn nothing_is_known_before_it_was_read_back() {
    let mut statuses = StatusState::new();
    let running = status(State::Running, "a", 1);
    let write = statuses
        .put_connector("c", running.clone(), PutMode::Put)
        .unwrap();
    assert_eq!(statuses.connector("c"), None);
    assert_eq!(statuses.connectors().count(), 0);
    read_back(&mut statuses, &write);
    assert_eq!(statuses.connector("c"), Some(&running));
}

#[test]
fn a_safe_put_yields_to_another_worker_of_a_newer_generation() {
    for (known, own_generation, expected) in [
        (None, 1, true),
        (Some(("own", 9)), 1, true),
        (Some(("other", 1)), 1, true),
        (Some(("other", 1)), 2, true),
        (Some(("other", 2)), 1, false),
    ] {
        for key in ["status-connector-c", "status-task-c-0"] {
            let mut statuses = StatusState::new();
            if let Some((worker, generation)) = known {
                read(
                    &mut statuses,
                    key,
                    Some(&status(State::Running, worker, generation)),
                )
                .unwrap();
            }
            let own = status(State::Unassigned, "own", own_generation);
            let mut put = |mode| match key {
                "status-connector-c" => statuses.put_connector("c", own.clone(), mode),
                _ => statuses.put_task(&task(0), own.clone(), mode),
            };
            assert_eq!(put(PutMode::Safe).is_some(), expected, "{known:?}");
            assert!(put(PutMode::Put).is_some());
        }
    }
}

#[test]
fn a_late_unassigned_does_not_hide_that_a_task_runs_elsewhere() {
    for (known, new, taken) in [
        ((State::Running, 5), (State::Unassigned, 5), false),
        ((State::Running, 5), (State::Unassigned, 4), false),
        ((State::Running, 5), (State::Unassigned, 6), true),
        ((State::Paused, 5), (State::Unassigned, 4), true),
        ((State::Running, 5), (State::Failed, 4), true),
    ] {
        let mut statuses = StatusState::new();
        let (known, new) = (status(known.0, "a", known.1), status(new.0, "b", new.1));
        read(&mut statuses, "status-task-c-0", Some(&known)).unwrap();
        let outcome = read(&mut statuses, "status-task-c-0", Some(&new));
        assert_eq!(statuses.task(&task(0)), Some(if taken { &new } else { &known }));
        assert_eq!(
            outcome,
            if taken {
                Ok(())
            } else {
                Err(StatusIgnored::LateUnassigned)
            }
        );
        // Connectors have no such rule.
        read(&mut statuses, "status-connector-c", Some(&known)).unwrap();
        read(&mut statuses, "status-connector-c", Some(&new)).unwrap();
        assert_eq!(statuses.connector("c"), Some(&new));
    }
}

#[test]
fn a_task_that_its_worker_stopped_in_the_generation_in_which_it_started_is_unassigned() {
    for (generation, taken) in [(5, true), (6, true), (4, false)] {
        let mut statuses = StatusState::new();
        let running = status(State::Running, "a", 5);
        let stopped = status(State::Unassigned, "a", generation);
        read(&mut statuses, "status-task-c-0", Some(&running)).unwrap();
        let outcome = read(&mut statuses, "status-task-c-0", Some(&stopped));
        assert_eq!(outcome.is_ok(), taken, "{generation}");
        let expected = if taken { &stopped } else { &running };
        assert_eq!(statuses.task(&task(0)), Some(expected), "{generation}");
    }
}

#[test]
fn a_connector_s_tombstone_takes_its_tasks_along() {
    let mut statuses = StatusState::new();
    let running = status(State::Running, "a", 1);
    for key in [
        "status-connector-c",
        "status-task-c-0",
        "status-task-c-1",
        "status-task-d-0",
    ] {
        read(&mut statuses, key, Some(&running)).unwrap();
    }
    assert_eq!(statuses.connectors().collect::<Vec<_>>(), ["c", "d"]);
    read(&mut statuses, "status-task-c-1", None).unwrap();
    assert_eq!(statuses.tasks("c").map(|(task, _)| task).collect::<Vec<_>>(), [0]);
    read(&mut statuses, "status-connector-c", None).unwrap();
    assert_eq!(statuses.connectors().collect::<Vec<_>>(), ["d"]);
    assert_eq!(statuses.tasks("c").count(), 0);
}

#[test]
fn a_write_is_repeated_only_while_it_is_still_wanted() {
    let running = status(State::Running, "a", 1);
    let unassigned = status(State::Unassigned, "a", 1);
    for mode in [PutMode::Put, PutMode::Safe] {
        let is_put = mode == PutMode::Put;
        let start = || {
            let mut statuses = StatusState::new();
            let write = statuses.put_task(&task(0), running.clone(), mode).unwrap();
            (statuses, write)
        };

        let (statuses, write) = start();
        assert!(statuses.should_retry(&write), "nothing happened");

        let (mut statuses, write) = start();
        statuses
            .put_task(&task(0), unassigned.clone(), PutMode::Put)
            .unwrap();
        assert_eq!(
            statuses.should_retry(&write),
            is_put,
            "the same key was written again"
        );

        let (mut statuses, write) = start();
        statuses
            .put_task(&task(1), unassigned.clone(), PutMode::Put)
            .unwrap();
        assert!(statuses.should_retry(&write), "another key was written");

        let (mut statuses, write) = start();
        statuses
            .put_connector("x", status(State::Running, "a", 2), PutMode::Put)
            .unwrap();
        assert!(
            !statuses.should_retry(&write),
            "this worker is in another generation"
        );

        let (mut statuses, write) = start();
        read(
            &mut statuses,
            "status-task-c-0",
            Some(&status(State::Running, "b", 2)),
        )
        .unwrap();
        assert_eq!(
            statuses.should_retry(&write),
            is_put,
            "another worker wrote in a newer generation"
        );

        let (mut statuses, write) = start();
        read(&mut statuses, "status-connector-c", None).unwrap();
        assert!(!statuses.should_retry(&write), "the connector was deleted");

        let (mut statuses, write) = start();
        read(&mut statuses, "status-task-c-0", None).unwrap();
        read(&mut statuses, "status-task-c-0", Some(&unassigned)).unwrap();
        assert!(
            !statuses.should_retry(&write),
            "the task was deleted and is another one now"
        );
    }
}

#[test]
fn what_is_destroyed_is_written_as_a_tombstone() {
    let mut statuses = StatusState::new();
    let destroyed = status(State::Destroyed, "a", 1);
    let write = statuses.put_task(&task(3), destroyed, PutMode::Put).unwrap();
    assert_eq!(
        (&*write.record.key, write.record.value),
        ("status-task-c-3", None)
    );
}

#[test]
fn a_topic_is_written_once_and_forgotten_by_a_reset() {
    let mut statuses = StatusState::new();
    let used = TopicStatus {
        topic: "t".to_owned(),
        connector: "c".to_owned(),
        task: 0,
        discover_timestamp_ms: 1,
    };
    let write = statuses.put_topic(&used).unwrap();
    assert_eq!(write.record.key, "status-topic-t:connector-c");
    assert!(statuses.should_retry(&write));
    assert!(statuses.put_topic(&used).is_some(), "not read back yet");
    read_back(&mut statuses, &write);
    assert_eq!(statuses.put_topic(&used), None);
    assert_eq!(statuses.topics("c").collect::<Vec<_>>(), [&used]);
    assert!(statuses.reset_topics("d").is_empty());
    let resets = statuses.reset_topics("c");
    assert_eq!(resets.len(), 1);
    read_back(&mut statuses, &resets[0]);
    assert_eq!(statuses.topics("c").count(), 0);
    assert!(statuses.put_topic(&used).is_some());
}

#[test]
fn records_of_others_are_ignored_with_a_reason() {
    let mut statuses = StatusState::new();
    for (key, value) in [
        (None, Some("{}")),
        (Some("my-key"), Some("{}")),
        (Some("status-task-c"), None),
        (Some("status-connector-c"), Some("x")),
        (Some("status-connector-c"), Some("")),
        (Some("status-topic-t:connector-c"), Some("{}")),
    ] {
        let outcome = statuses.apply(key.map(str::as_bytes), value.map(str::as_bytes));
        assert!(outcome.is_err(), "{key:?} {value:?}");
    }
    assert_eq!(statuses.connectors().count(), 0);
    assert_eq!(statuses.topics("c").count(), 0);
}

#[test]
fn statuses_of_what_was_deleted_are_stale() {
    let mut configs = ConfigState::new();
    for (offset, (key, value)) in (0..).zip([
        ("connector-c", r#"{"properties":{}}"#),
        ("task-c-0", r#"{"properties":{}}"#),
        ("commit-c", r#"{"tasks":1}"#),
    ]) {
        configs.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
    }
    let mut statuses = StatusState::new();
    for key in [
        "status-connector-c",
        "status-task-c-0",
        "status-task-c-1",
        "status-connector-gone",
        "status-task-gone-0",
        "status-task-orphan-0",
    ] {
        read(&mut statuses, key, Some(&status(State::Running, "a", 1))).unwrap();
    }
    let stale: Vec<String> = stale_statuses(&statuses, &configs.snapshot())
        .iter()
        .map(StatusKey::to_string)
        .collect();
    assert_eq!(
        stale,
        [
            "status-task-c-1",
            "status-task-gone-0",
            "status-connector-gone",
            "status-task-orphan-0",
            "status-connector-orphan",
        ]
    );
}
