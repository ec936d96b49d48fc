//! The config and status topics of a real JVM worker (Kafka Connect 4.3, exactly-once enabled) against this crate: every
//! record is understood and written again with the same bytes, the states are those that its REST API showed, and what it
//! decided is what is decided here.
//!
//! `tests/java/topics/record.py` made the recordings.

use std::fs;
use std::path::Path;

use serde_json::Value;
use wharf_cluster::config_state::write::{self, WriteStep};
use wharf_cluster::config_state::{
    ConfigEvent, ConfigRecord, ConfigSnapshot, ConfigState, Properties, restore_placeholders,
    task_configs_changed, with_framework_keys,
};
use wharf_cluster::fencing::Fencing;
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::session_key::{HeldKey, KeyGenerator, RotationReason, SessionKey, rotation_needed};
use wharf_cluster::status_state::{
    State, Status, StatusIgnored, StatusKey, StatusState, TopicStatus, stale_statuses,
};
use wharf_cluster::target_state::TargetState;

/// What the recorded worker had as `inter.worker.key.ttl.ms`.
const KEY_TTL_MS: i64 = 25_000;

fn lines(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded/topics")
        .join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[derive(Debug, Clone, PartialEq)]
struct Recorded {
    offset: i64,
    key: String,
    value: Option<String>,
}

impl Recorded {
    fn value_bytes(&self) -> Option<&[u8]> {
        self.value.as_deref().map(str::as_bytes)
    }
}

fn topic(name: &str) -> Vec<Recorded> {
    let records: Vec<Recorded> = lines(name)
        .into_iter()
        .map(|line| Recorded {
            offset: line["offset"].as_i64().unwrap(),
            key: line["key"].as_str().unwrap().to_owned(),
            value: line["value"].as_str().map(str::to_owned),
        })
        .collect();
    assert!(records.len() > 40, "{name} is cut");
    records
}

fn configs() -> Vec<Recorded> {
    topic("config-topic.jsonl")
}

fn snapshot_of(records: &[Recorded]) -> ConfigSnapshot {
    let mut state = ConfigState::new();
    for record in records {
        state.apply(record.offset, Some(record.key.as_bytes()), record.value_bytes());
    }
    state.snapshot()
}

fn statuses_of(records: &[Recorded]) -> StatusState {
    let mut statuses = StatusState::new();
    for record in records {
        match statuses.apply(Some(record.key.as_bytes()), record.value_bytes()) {
            Ok(()) | Err(StatusIgnored::LateUnassigned) => {}
            Err(reason) => panic!("{record:?}: {reason}"),
        }
    }
    statuses
}

fn properties(config: &Value) -> Properties {
    let members = config.as_object().unwrap();
    members
        .iter()
        .map(|(key, value)| (key, value.as_str().unwrap()))
        .collect()
}

#[test]
fn every_record_of_the_config_topic_is_written_again_with_the_same_bytes() {
    let mut kinds = std::collections::BTreeSet::new();
    for recorded in configs() {
        let record = ConfigRecord::parse(&recorded.key, recorded.value_bytes())
            .unwrap_or_else(|reason| panic!("{}: {reason}", recorded.key));
        let again = record.to_topic_record();
        let value = again.value.map(|value| String::from_utf8(value).unwrap());
        assert_eq!((again.key, value), (recorded.key, recorded.value));
        kinds.insert(format!("{record:?}").split([' ', '(']).next().unwrap().to_owned());
    }
    assert_eq!(kinds.len(), 8, "a kind of record was never written: {kinds:?}");
}

#[test]
fn every_record_of_the_status_topic_is_written_again_with_the_same_bytes() {
    for recorded in topic("status-topic.jsonl") {
        let key = StatusKey::parse(&recorded.key).unwrap();
        assert_eq!(key.to_string(), recorded.key);
        let Some(value) = recorded.value_bytes() else {
            continue;
        };
        let again = match key {
            StatusKey::Topic { .. } => TopicStatus::from_record_value(value).unwrap().to_record_value(),
            _ => Status::from_record_value(value)
                .unwrap()
                .to_record_value()
                .unwrap(),
        };
        assert_eq!(String::from_utf8(again).unwrap(), recorded.value.unwrap());
    }
}

#[test]
fn the_states_are_those_that_the_rest_api_showed() {
    let (configs, statuses) = (configs(), topic("status-topic.jsonl"));
    let moments = lines("rest-api.jsonl");
    assert_eq!(moments.len(), 5);
    for moment in moments {
        let read = |field: &str| usize::try_from(moment[field].as_u64().unwrap()).unwrap();
        let snapshot = snapshot_of(&configs[..read("configs")]);
        let known = statuses_of(&statuses[..read("statuses")]);
        let shown = moment["connectors"].as_object().unwrap();
        assert_eq!(
            snapshot.connectors().collect::<Vec<_>>(),
            shown.keys().map(String::as_str).collect::<Vec<_>>()
        );
        assert_eq!(snapshot.inconsistent_connectors().count(), 0);
        assert_eq!(stale_statuses(&known, &snapshot), []);
        for (name, shown) in shown {
            compare(&snapshot, &known, name, shown);
        }
    }
}

fn compare(snapshot: &ConfigSnapshot, known: &StatusState, name: &str, shown: &Value) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    assert_eq!(
        **snapshot.config(name).unwrap(),
        properties(&shown["info"]["config"])
    );

    let tasks = shown["tasks"].as_array().unwrap();
    let ids: Vec<ConnectorTaskId> = (0..tasks.len())
        .map(|task| ConnectorTaskId::new(name, i32::try_from(task).unwrap()))
        .collect();
    assert_eq!(snapshot.tasks(name), ids);
    for (id, task) in ids.iter().zip(tasks) {
        assert_eq!(
            **snapshot.task_config(id).unwrap(),
            properties(&task["config"]),
            "{id}"
        );
    }

    let status = known.connector(name).unwrap();
    let connector = &shown["status"]["connector"];
    assert_eq!(Some(status.state.name().to_owned()), text(&connector["state"]));
    assert_eq!(Some(status.worker_id.clone()), text(&connector["worker_id"]));
    let expected_state = match snapshot.target_state(name).unwrap() {
        TargetState::Started => State::Running,
        TargetState::Paused => State::Paused,
        TargetState::Stopped => State::Stopped,
    };
    assert_eq!(status.state, expected_state);

    let task_statuses = shown["status"]["tasks"].as_array().unwrap();
    assert_eq!(known.tasks(name).count(), task_statuses.len());
    for ((task, status), shown) in known.tasks(name).zip(task_statuses) {
        assert_eq!(Some(i64::from(task)), shown["id"].as_i64());
        assert_eq!(Some(status.state.name().to_owned()), text(&shown["state"]));
        assert_eq!(status.trace, text(&shown["trace"]));
        assert_eq!(status.version, text(&shown["version"]));
    }

    let topics: Vec<&str> = known.topics(name).map(|status| &*status.topic).collect();
    let shown: Vec<&str> = shown["topics"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(topics, shown, "{name}");
}

#[test]
fn the_config_offset_does_not_count_the_marker_at_the_end() {
    let configs = configs();
    let last = configs.last().unwrap().offset;
    assert_eq!(snapshot_of(&configs).offset(), last + 1);
    // There are markers: some offsets are no record's.
    assert!(usize::try_from(last).unwrap() > configs.len());
}

#[test]
fn only_news_is_reported_once_the_topic_was_read() {
    let configs = configs();
    let (past, news) = configs.split_at(configs.len() / 2);
    let mut state = ConfigState::new();
    for record in past {
        assert_eq!(
            state.apply(record.offset, Some(record.key.as_bytes()), record.value_bytes()),
            []
        );
    }
    state.initial_read_complete();
    for record in news {
        let events = state.apply(record.offset, Some(record.key.as_bytes()), record.value_bytes());
        let is_silent = ["task-", "tasks-fencing-"]
            .iter()
            .any(|prefix| record.key.starts_with(prefix))
            || record.key.starts_with("target-state-") && record.value.is_none();
        assert_eq!(events.len(), usize::from(!is_silent), "{} {events:?}", record.key);
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, ConfigEvent::Ignored(_))),
            "{events:?}"
        );
    }
}

/// The records of one transaction, or one record by itself: between others there is a marker.
fn batches(records: &[Recorded]) -> Vec<Vec<Recorded>> {
    let mut batches: Vec<Vec<Recorded>> = Vec::new();
    let mut next_offset = -1;
    for record in records {
        match batches.last_mut() {
            Some(batch) if record.offset == next_offset => batch.push(record.clone()),
            _ => batches.push(vec![record.clone()]),
        }
        next_offset = record.offset + 1;
    }
    batches
}

#[test]
fn operations_write_the_transactions_that_were_recorded() {
    let configs = configs();
    let batches = batches(&configs);
    let config = |key: &str, nth: usize| {
        let record = configs
            .iter()
            .filter(|record| record.key == key && record.value.is_some())
            .nth(nth)
            .unwrap();
        match ConfigRecord::parse(key, record.value_bytes()) {
            Ok(
                ConfigRecord::Connector {
                    config: Some(config), ..
                }
                | ConfigRecord::Task { config, .. },
            ) => config,
            other => panic!("{key}: {other:?}"),
        }
    };
    let tasks = |name: &str, count: usize, nth: usize| -> Vec<Properties> {
        (0..count)
            .map(|task| config(&format!("task-{name}-{task}"), nth))
            .collect()
    };
    for steps in [
        write::put_connector_config("lines", config("connector-lines", 0), None),
        write::put_connector_config("copy", config("connector-copy", 0), Some(TargetState::Paused)),
        write::put_connector_config(
            "waiting",
            config("connector-waiting", 0),
            Some(TargetState::Stopped),
        ),
        write::put_task_configs("num-ber-7", tasks("num-ber-7", 3, 0)),
        write::put_task_configs("num-ber-7", tasks("num-ber-7", 2, 1)),
        write::put_task_count_record("num-ber-7", 3),
        write::put_task_count_record("num-ber-7", 2),
        write::remove_connector_config("copy"),
    ] {
        for step in steps {
            let WriteStep::Privileged(records) = step else {
                continue;
            };
            let records: Vec<(String, Option<Vec<u8>>)> = records
                .into_iter()
                .map(|record| (record.key, record.value))
                .collect();
            let is_recorded = batches.iter().any(|batch| {
                batch
                    .iter()
                    .map(|record| (record.key.clone(), record.value_bytes().map(<[u8]>::to_vec)))
                    .eq(records.iter().cloned())
            });
            assert!(
                is_recorded,
                "{:?}",
                records.iter().map(|(key, _)| key).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn fencing_is_decided_as_the_worker_decided_it() {
    let configs = configs();
    let mut decisions = Vec::new();
    for (at, record) in configs.iter().enumerate() {
        let Ok(ConfigRecord::TasksFencing { connector, tasks }) =
            ConfigRecord::parse(&record.key, record.value_bytes())
        else {
            continue;
        };
        let decision = Fencing::decide(&snapshot_of(&configs[..at]), &connector);
        let (Fencing::Record { tasks: decided } | Fencing::Fence { tasks: decided, .. }) = decision else {
            panic!("no fencing for {connector} at {}", record.offset)
        };
        assert_eq!(decided, tasks, "{connector} at {}", record.offset);
        let earlier = match decision {
            Fencing::Fence { earlier_tasks, .. } => Some(earlier_tasks),
            _ => None,
        };
        decisions.push((connector.clone(), earlier));
        assert_eq!(
            Fencing::decide(&snapshot_of(&configs[..=at]), &connector),
            Fencing::NotNeeded
        );
    }
    let expected = [
        ("lines", None),
        ("num-ber-7", None),
        ("num-ber-7", Some(3)),
        ("num-ber-7", Some(2)),
    ];
    assert_eq!(
        decisions,
        expected.map(|(name, earlier)| (name.to_owned(), earlier))
    );
}

#[test]
fn session_keys_rotate_when_the_worker_rotated_them() {
    let keys: Vec<SessionKey> = configs()
        .iter()
        .filter_map(
            |record| match ConfigRecord::parse(&record.key, record.value_bytes()) {
                Ok(ConfigRecord::SessionKey(key)) => Some(key),
                _ => None,
            },
        )
        .collect();
    let generator = KeyGenerator::new("HmacSHA256", None).unwrap();
    assert!(keys.len() > 1);
    for pair in keys.windows(2) {
        let held = HeldKey::received(pair[0].clone().into(), KEY_TTL_MS);
        let replaced_at = pair[1].created_at_ms();
        assert_eq!(
            rotation_needed(Some(&held), &generator, replaced_at),
            Some(RotationReason::Expired)
        );
        let expires_at = held.expires_at_ms().unwrap();
        assert_eq!(rotation_needed(Some(&held), &generator, expires_at - 1), None);
        assert!(
            (0..5000).contains(&(replaced_at - expires_at)),
            "{replaced_at} {expires_at}"
        );
    }
}

#[test]
fn published_task_configs_are_complete_and_would_not_be_published_again() {
    let snapshot = snapshot_of(&configs());
    for connector in snapshot.connectors() {
        let state = snapshot.connector(connector).unwrap();
        let published: Vec<Properties> = snapshot
            .tasks(connector)
            .iter()
            .map(|id| (**snapshot.task_config(id).unwrap()).clone())
            .collect();
        // A connector that was stopped from its beginning has not published anything.
        if state.task_count.is_none() {
            assert_eq!(connector, "waiting");
            continue;
        }
        assert!(!task_configs_changed(
            &snapshot,
            connector,
            &published,
            state.applied_config.as_deref(),
            state.config.as_deref()
        ));
    }

    // What the file source proposes is its own configuration, with the secret resolved.
    let raw = snapshot.config("lines").unwrap();
    let mut resolved = (**raw).clone();
    resolved.insert("file", Some("/recording/lines.txt".to_owned()));
    let class = "org.apache.kafka.connect.file.FileStreamSourceTask";
    let published = restore_placeholders(raw, vec![with_framework_keys(&resolved, resolved.clone(), class)]);
    assert_eq!(
        published[0],
        **snapshot.task_config(&ConnectorTaskId::new("lines", 0)).unwrap()
    );
}

#[test]
fn compaction_takes_nothing_away_that_counts() {
    let configs = configs();
    let compacted: Vec<Recorded> = configs
        .iter()
        .enumerate()
        .filter(|(at, record)| configs[at + 1..].iter().all(|later| later.key != record.key))
        .map(|(_, record)| record.clone())
        .collect();
    assert!(compacted.len() < configs.len());
    // Brokers remove tombstones too, after a while.
    let without_tombstones: Vec<Recorded> = compacted
        .iter()
        .filter(|record| record.value.is_some())
        .cloned()
        .collect();
    assert!(without_tombstones.len() < compacted.len());
    let whole = snapshot_of(&configs);
    for records in [compacted, without_tombstones] {
        let snapshot = snapshot_of(&records);
        assert_eq!(snapshot.offset(), whole.offset());
        assert!(snapshot.connectors().eq(whole.connectors()));
        assert_eq!(snapshot.session_key(), whole.session_key());
        for name in whole.connectors() {
            assert_eq!(snapshot.config(name), whole.config(name));
            assert_eq!(snapshot.target_state(name), whole.target_state(name));
            assert_eq!(snapshot.tasks(name), whole.tasks(name));
            for id in whole.tasks(name) {
                assert_eq!(snapshot.task_config(&id), whole.task_config(&id));
            }
            let fencing = |snapshot: &ConfigSnapshot| Fencing::decide(snapshot, name);
            assert_eq!(fencing(&snapshot), fencing(&whole), "{name}");
        }
    }
}
