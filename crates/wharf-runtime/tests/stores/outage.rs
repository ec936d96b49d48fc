//! A broker that goes away and comes back, as in every rolling upgrade.

use std::sync::Arc;
use std::time::Duration;

use wharf_cluster::config_state::Properties;
use wharf_cluster::config_state::write;
use wharf_runtime::herder::{ConnectorState, TaskId};
use wharf_runtime::offsets::{KafkaOffsetBackingStore, OffsetBackingStore};
use wharf_runtime::stores::{ConfigBackingStore, StatusBackingStore};
use wharf_runtime::worker::StatusStore;
use wharf_test_services::KafkaBroker;

use crate::common::{PATIENCE, Topic};

/// Long enough for a broker that is there.
const SHORT: Duration = Duration::from_secs(5);

#[test]
fn after_an_outage_statuses_arrive_and_offsets_and_configurations_are_stored_again() {
    let Some(mut broker) = KafkaBroker::for_test() else {
        return;
    };
    let topic = |what, partitions| Topic::on(&broker.bootstrap(), what, partitions);
    let (offsets, statuses, configs) = (topic("offsets", 3), topic("statuses", 2), topic("configs", 1));
    let offset_store = KafkaOffsetBackingStore::start(
        &offsets.admin,
        &offsets.log_topic(),
        &offsets.clients(false),
        SHORT,
    )
    .unwrap();
    let status_store = Arc::new(
        StatusBackingStore::start(
            &statuses.admin,
            &statuses.log_topic(),
            &statuses.clients(false),
            "w:1",
            PATIENCE,
        )
        .unwrap(),
    );
    let config_store = ConfigBackingStore::start(
        &configs.admin,
        &configs.log_topic(),
        &configs.clients(false),
        None,
        PATIENCE,
    )
    .unwrap();
    let key = br#"["c",{"f":"x"}]"#.to_vec();
    let entry = |value: &str| vec![(key.clone(), Some(value.as_bytes().to_vec()))];
    offset_store.set(entry("1")).unwrap();

    broker.stop().unwrap();
    let local = StatusStore::with_sink("w:1", Arc::clone(&status_store) as _);
    let task = TaskId::new("c", 0);
    local.set_task(&task, local.next_epoch(), ConnectorState::Running, None, None);
    assert!(offset_store.set(entry("2")).unwrap_err().is_retriable());
    assert!(
        offset_store
            .get(std::slice::from_ref(&key))
            .unwrap_err()
            .is_retriable()
    );
    assert!(!status_store.flush(Duration::ZERO));
    local.set_task(&task, local.next_epoch(), ConnectorState::Paused, None, None);

    broker.restart().unwrap();
    status_store.request_flush();
    assert!(status_store.flush(2 * PATIENCE));
    status_store.read_to_end(PATIENCE).unwrap();
    assert_eq!(status_store.task(&task).unwrap().state, ConnectorState::Paused);
    let steps = write::put_connector_config("c", Properties::from([("name", "c")]), None);
    config_store.carry_out(steps).unwrap();
    assert!(config_store.snapshot().contains("c"));
    offset_store.set(entry("3")).unwrap();
    assert_eq!(offset_store.get(&[key]).unwrap(), [Some(b"3".to_vec())]);
}
