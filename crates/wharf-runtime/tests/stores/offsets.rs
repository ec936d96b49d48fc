//! The offset topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::{OffsetMap, Value};
use wharf_kafka::{Producer, partition_for_key};
use wharf_runtime::offsets::{
    KafkaOffsetBackingStore, LayeredOffsetBackingStore, OffsetBackingStore, OffsetEntry, OffsetStorage,
    OffsetStoreThread, OffsetTopic, send_offsets,
};

use crate::common::{PATIENCE, Topic};

fn start(topic: &Topic, exactly_once: bool) -> Arc<KafkaOffsetBackingStore> {
    let clients = topic.clients(exactly_once);
    let store = KafkaOffsetBackingStore::start(&topic.admin, &topic.log_topic(), &clients, PATIENCE);
    Arc::new(store.unwrap())
}

fn partition(pairs: &[(&str, &str)]) -> OffsetMap {
    let mut map = OffsetMap::new();
    for (key, value) in pairs {
        map.insert(*key, Value::from(*value));
    }
    map
}

fn offset(position: i64) -> OffsetMap {
    let mut map = OffsetMap::new();
    map.insert("position", Value::from(position));
    map
}

fn entry(key: &str, value: Option<&str>) -> OffsetEntry {
    (key.into(), value.map(Into::into))
}

fn value(store: &dyn OffsetBackingStore, key: &str) -> Option<String> {
    let found = store.get(&[key.into()]).unwrap().remove(0);
    found.map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn workers_find_each_others_offsets_and_a_restart_continues() {
    let Some(topic) = Topic::new("offsets", 5) else {
        return;
    };
    let (first, second) = (start(&topic, false), start(&topic, false));
    let of_first = OffsetStorage::new("my-source", Arc::clone(&first) as _);
    let of_second = OffsetStorage::new("my-source", Arc::clone(&second) as _);
    let (a, b) = (
        partition(&[("filename", "a.txt")]),
        partition(&[("table", "t"), ("database", "d"), ("server", "s")]),
    );
    of_first
        .write(&[(a.clone(), Some(offset(42))), (b.clone(), Some(offset(1)))])
        .unwrap();
    let both = [a.clone(), b.clone()];
    assert_eq!(
        of_second.read(&both).unwrap(),
        [Some(offset(42)), Some(offset(1))]
    );
    of_second
        .write(&[(a.clone(), Some(offset(43))), (b, None)])
        .unwrap();
    assert_eq!(of_first.read(&both).unwrap(), [Some(offset(43)), None]);
    first.stop();
    assert!(first.get(&[b"k".to_vec()]).is_err());

    let third = start(&topic, false);
    assert_eq!(third.len(), 1);
    let storage = OffsetStorage::new("my-source", third as _);
    assert_eq!(storage.list().unwrap(), [(a, offset(43))]);

    // Fields in the order of Java's hash map, and the partition of Java's producer.
    let mut written: Vec<(String, Option<String>)> = Vec::new();
    for record in topic.records() {
        let partition = partition_for_key(record.key.as_bytes(), 5);
        assert_eq!(
            record.partition,
            i32::try_from(partition).unwrap(),
            "{}",
            record.key
        );
        written.push((record.key, record.value));
    }
    written.sort();
    let expected = [
        (
            r#"["my-source",{"filename":"a.txt"}]"#,
            Some(r#"{"position":42}"#),
        ),
        (
            r#"["my-source",{"filename":"a.txt"}]"#,
            Some(r#"{"position":43}"#),
        ),
        (
            r#"["my-source",{"server":"s","database":"d","table":"t"}]"#,
            Some(r#"{"position":1}"#),
        ),
        (r#"["my-source",{"server":"s","database":"d","table":"t"}]"#, None),
    ];
    let mut expected = expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
    expected.sort();
    assert_eq!(written, expected);
}

#[test]
fn records_of_others_are_passed_over_and_keys_keep_their_bytes() {
    let Some(topic) = Topic::new("offsets", 2) else {
        return;
    };
    topic.create(&[("cleanup.policy", "compact")]);
    topic.produce("status-connector-a", Some("{}"));
    topic.produce("\u{1}", None);
    let strange = r#"["c", {"g":1,"f":"x"}]"#;
    topic.produce(strange, Some(r#"{"position":7}"#));
    let store = start(&topic, false);
    assert_eq!(store.len(), 1);
    let storage = OffsetStorage::new("c", Arc::clone(&store) as _);
    let known = storage.list().unwrap().remove(0).0;
    storage.write(&[(known, Some(offset(8)))]).unwrap();
    assert_eq!(value(&*store, strange).as_deref(), Some(r#"{"position":8}"#));
}

#[test]
fn a_topic_that_deletes_old_records_is_refused() {
    let Some(topic) = Topic::new("offsets", 1) else {
        return;
    };
    topic.create(&[("cleanup.policy", "delete")]);
    let clients = topic.clients(false);
    let error =
        KafkaOffsetBackingStore::start(&topic.admin, &topic.log_topic(), &clients, PATIENCE).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("cleanup.policy=delete") && error.contains(&topic.name),
        "{error}"
    );
}

#[test]
fn offsets_of_a_transaction_count_when_it_is_committed_and_never_when_it_is_aborted() {
    let Some(topic) = Topic::new("offsets", 3) else {
        return;
    };
    let store = start(&topic, true);
    let producer = Producer::new(&topic.transactional(&format!("{}-task", topic.name))).unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let handle = producer.topic(OffsetTopic::topic(&*store)).unwrap();
    let key = r#"["c",{"f":"x"}]"#;
    let send = |position: &str| {
        producer.begin_transaction().unwrap();
        let entries = [entry(key, Some(position))];
        store.before_transaction(&entries).unwrap();
        send_offsets(&producer, &handle, &entries, 9, PATIENCE, |_| {}).unwrap();
        entries
    };
    let entries = send("1");
    let mut reported = Vec::new();
    producer
        .commit_transaction(PATIENCE, |delivery| reported.push(delivery.opaque))
        .unwrap();
    store.after_transaction(entries.to_vec());
    assert_eq!(reported, [9]);
    assert_eq!(value(&*store, key).as_deref(), Some("1"));
    send("2");
    assert!(producer.flush(PATIENCE, |_| {}));
    // Whoever left it open may be dead: a worker that starts does not wait for it, and knows what is committed.
    let started = start(&topic, true);
    assert_eq!(started.len(), 1);
    producer.abort_transaction(PATIENCE, |_| {}).unwrap();
    assert_eq!(value(&*store, key).as_deref(), Some("1"));
}

#[test]
fn a_connectors_own_topic_lies_over_the_workers() {
    let (Some(own), Some(workers)) = (Topic::new("own", 1), Topic::new("workers", 1)) else {
        return;
    };
    let (primary, secondary) = (start(&own, true), start(&workers, false));
    let thread = OffsetStoreThread::start(Arc::clone(&secondary) as _).unwrap();
    let layered = LayeredOffsetBackingStore::new(
        Arc::clone(&primary) as _,
        Arc::clone(&secondary) as _,
        thread.clone(),
    );
    let (old, new) = (r#"["c",{"f":"old"}]"#, r#"["c",{"f":"new"}]"#);
    secondary.set(vec![entry(old, Some("1"))]).unwrap();
    assert_eq!(value(&layered, old).as_deref(), Some("1"));
    layered
        .set(vec![entry(old, None), entry(new, Some("2"))])
        .unwrap();
    // After it everything that was put off is done.
    thread.store(Vec::new()).unwrap();
    assert_eq!(value(&layered, old), None);
    for store in [&primary, &secondary] {
        assert_eq!(
            (value(&**store, old), value(&**store, new)),
            (None, Some("2".into()))
        );
    }
}

/// Resident memory of this process in bytes; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or_default()
        * 1024
}

#[test]
#[allow(clippy::print_stderr, reason = "a measurement, shown by --nocapture")]
fn a_hundred_thousand_offsets_are_read_at_the_start() {
    const KEYS: usize = 100_000;
    let Some(topic) = Topic::new("offsets", 25) else {
        return;
    };
    let entries: Vec<OffsetEntry> = (0..KEYS)
        .map(|number| {
            entry(
                &format!(
                    r#"["source-{}",{{"filename":"/data/file-{number}.txt"}}]"#,
                    number % 1000
                ),
                Some(&format!(r#"{{"position":{number}}}"#)),
            )
        })
        .collect();
    let bytes: usize = entries
        .iter()
        .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
        .sum();
    let writer = start(&topic, false);
    let started = Instant::now();
    writer.set(entries).unwrap();
    let written = started.elapsed();
    writer.stop();
    drop(writer);
    let (before, started) = (resident(), Instant::now());
    let store = start(&topic, false);
    let read = started.elapsed();
    assert_eq!(store.len(), KEYS);
    eprintln!(
        "{KEYS} offsets ({bytes} bytes of keys and values): written in {} ms, read at the start in {} ms, {} bytes of memory \
         more",
        written.as_millis(),
        read.as_millis(),
        resident().saturating_sub(before)
    );
    let started = Instant::now();
    assert_eq!(store.connector_entries("source-7").unwrap().len(), KEYS / 1000);
    eprintln!(
        "one connector's offsets read in {} ms",
        started.elapsed().as_millis()
    );
    assert!(read < Duration::from_secs(20), "{read:?}");
}
