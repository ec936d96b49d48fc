//! The config topic.

use std::sync::mpsc::channel;

use wharf_cluster::config_state::write::{self, WriteStep};
use wharf_cluster::config_state::{ConfigEvent, ConfigRecord, Properties};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::target_state::TargetState;
use wharf_cluster::topic_record::TopicRecord;
use wharf_runtime::stores::{ConfigBackingStore, ConfigStoreError};

use crate::common::{PATIENCE, Topic, recorded};

/// With `leader`, by a transactional producer of that id.
fn start(topic: &Topic, leader: Option<&str>) -> ConfigBackingStore {
    let fencible = leader.map(|id| topic.transactional(id));
    let clients = topic.clients(leader.is_some());
    ConfigBackingStore::start(&topic.admin, &topic.log_topic(), &clients, fencible, PATIENCE).unwrap()
}

fn config(value: &str) -> Properties {
    Properties::from([("name", "c"), ("k", value)])
}

#[test]
fn workers_hear_what_is_written_and_a_restart_continues() {
    let Some(topic) = Topic::new("configs", 1) else {
        return;
    };
    let (first, second) = (start(&topic, None), start(&topic, None));
    let (told, heard) = channel();
    second.listen(Box::new(move |events, snapshot| {
        told.send((events, snapshot.offset())).unwrap();
    }));
    first.claim().unwrap();
    assert!(!first.needs_claim() && !first.is_fencible());
    first
        .carry_out(write::put_connector_config(
            "c",
            config("1"),
            Some(TargetState::Started),
        ))
        .unwrap();
    first
        .carry_out(write::put_task_configs("c", vec![config("t0"), config("t1")]))
        .unwrap();
    first
        .carry_out(write::put_target_state("c", TargetState::Paused))
        .unwrap();
    second.read_to_end(PATIENCE).unwrap();
    let heard: Vec<(Vec<ConfigEvent>, i64)> = heard.try_iter().collect();
    let tasks = vec![ConnectorTaskId::new("c", 0), ConnectorTaskId::new("c", 1)];
    let expected = [
        // Before the connector there is nobody whose target state could change.
        vec![],
        vec![ConfigEvent::ConnectorConfigUpdated("c".into())],
        vec![],
        vec![],
        vec![ConfigEvent::TaskConfigsUpdated {
            connector: "c".into(),
            tasks: tasks.clone(),
        }],
        vec![ConfigEvent::TargetStateChanged("c".into())],
    ];
    let expected: Vec<_> = expected.into_iter().zip(1..).collect();
    assert_eq!(heard, expected);

    let third = start(&topic, None);
    first.read_to_end(PATIENCE).unwrap();
    for store in [&first, &second, &third] {
        let snapshot = store.snapshot();
        assert_eq!((snapshot.offset(), snapshot.tasks("c")), (6, tasks.clone()));
        assert_eq!(snapshot.target_state("c"), Some(TargetState::Paused));
    }
    third.carry_out(write::remove_connector_config("c")).unwrap();
    second.read_to_end(PATIENCE).unwrap();
    assert!(!second.snapshot().contains("c"));
    second.stop();
    assert!(matches!(
        second.carry_out(vec![WriteStep::ReadToEnd]),
        Err(ConfigStoreError::Log(_))
    ));
}

#[test]
fn a_former_leader_is_fenced_until_it_claims_again() {
    let Some(topic) = Topic::new("configs", 1) else {
        return;
    };
    let id = format!("connect-cluster-{}", topic.name);
    let (old, new) = (start(&topic, Some(&id)), start(&topic, Some(&id)));
    let put = |store: &ConfigBackingStore, value: &str| {
        store.carry_out(write::put_connector_config("c", config(value), None))
    };
    assert!(old.needs_claim());
    assert!(matches!(put(&old, "unclaimed"), Err(ConfigStoreError::Fenced(_))));
    old.claim().unwrap();
    put(&old, "1").unwrap();
    old.claim().unwrap();
    new.claim().unwrap();
    put(&new, "2").unwrap();
    let error = put(&old, "lost").unwrap_err();
    assert!(matches!(error, ConfigStoreError::Fenced(_)), "{error}");
    assert!(old.needs_claim() && !new.needs_claim());
    // What any worker may write needs no claim.
    old.carry_out(write::put_target_state("c", TargetState::Paused))
        .unwrap();
    old.claim().unwrap();
    put(&old, "3").unwrap();
    new.read_to_end(PATIENCE).unwrap();
    let expected = config("3");
    for store in [&old, &new] {
        let snapshot = store.snapshot();
        assert_eq!(snapshot.config("c").map(|config| &**config), Some(&expected));
        // Markers of transactions are no records, so the last record's offset counts for all.
        assert_eq!(snapshot.offset(), old.snapshot().offset());
    }
    let values: Vec<_> = topic
        .records()
        .into_iter()
        .filter(|record| record.key == "connector-c")
        .collect();
    assert_eq!(values.len(), 3, "{values:?}");
    old.release_claim();
    assert!(old.needs_claim());
}

#[test]
fn what_no_worker_writes_is_passed_over() {
    let Some(topic) = Topic::new("configs", 1) else {
        return;
    };
    topic.create(&[("cleanup.policy", "compact")]);
    topic.produce("connector-a", Some(r#"{"properties":{"name":"a"}}"#));
    topic.produce("of another application", Some("{}"));
    topic.produce("connector-b", Some("no JSON at all"));
    let store = start(&topic, None);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.connectors().collect::<Vec<_>>(), ["a"]);
    // A key that nobody knows counts as read, a value that is no JSON does not: all workers count alike.
    assert_eq!(snapshot.offset(), 2);
}

#[test]
fn a_config_topic_with_several_partitions_is_refused() {
    let Some(mut topic) = Topic::new("configs", 2) else {
        return;
    };
    topic.create(&[("cleanup.policy", "compact")]);
    topic.partitions = 1;
    let error = ConfigBackingStore::start(
        &topic.admin,
        &topic.log_topic(),
        &topic.clients(false),
        None,
        PATIENCE,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("has 2 partitions") && error.contains(&topic.name),
        "{error}"
    );
}

#[test]
fn a_jvm_workers_topic_is_taken_over_and_its_records_are_written_with_the_same_bytes() {
    let Some(topic) = Topic::new("configs", 1) else {
        return;
    };
    let records = recorded("config-topic.jsonl");
    let before = start(&topic, None);
    // Each record through the store, as it was.
    let steps = records
        .iter()
        .map(|(key, value)| {
            WriteStep::Plain(TopicRecord {
                key: key.clone(),
                value: value.as_ref().map(|value| value.clone().into_bytes()),
            })
        })
        .collect();
    before.carry_out(steps).unwrap();
    let store = start(&topic, None);
    before.read_to_end(PATIENCE).unwrap();
    let snapshot = store.snapshot();
    assert_eq!(snapshot, before.snapshot());
    assert!(snapshot.connectors().next().is_some());
    // A connector of theirs, written by our own operation.
    let (key, value) = records
        .iter()
        .find(|(key, value)| key.starts_with("connector-") && value.is_some())
        .unwrap();
    let name = key.strip_prefix("connector-").unwrap();
    let Ok(ConfigRecord::Connector {
        config: Some(config), ..
    }) = ConfigRecord::parse(key, value.as_deref().map(str::as_bytes))
    else {
        panic!("{key} is a connector's");
    };
    store
        .carry_out(write::put_connector_config(name, config, None))
        .unwrap();
    let last = topic.records().pop().unwrap();
    assert_eq!((&last.key, &last.value), (key, value));
}
