//! The reader of whole topics: against the mock cluster, and what only a real broker has: markers of transactions.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{PATIENCE, TICK, cluster, fill, properties};
use wharf_kafka::{
    Admin, ClientKind, LogClients, LogError, LogRecord, LogTopic, NewTopic, OffsetSpec, Producer, Reader,
    TopicLog, TopicPartition, TransactionError, translate,
};
use wharf_test_services::{KafkaBroker, SharedKafka};

/// Reads until `done`; what came is (partition, offset, value).
fn read_until(reader: &mut Reader, mut done: impl FnMut(&Reader) -> bool) -> Vec<(i32, i64, String)> {
    let mut seen = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !done(reader) && Instant::now() < deadline {
        reader
            .poll(TICK, |message| {
                let value = String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
                seen.push((message.partition(), message.offset(), value));
            })
            .unwrap();
    }
    assert!(done(reader), "{seen:?}");
    seen
}

#[test]
fn all_partitions_are_read_from_their_beginning_and_on() {
    let cluster = cluster("log", 3);
    for partition in 0..3 {
        fill(&cluster, "log", partition, 5);
    }
    let mut reader = Reader::new(
        &properties(&cluster, ClientKind::Consumer, &[("group.id", "g")]),
        "log",
        3,
    )
    .unwrap();
    let at = |reader: &Reader, offset| (0..3).all(|partition| reader.position(partition) == offset);
    let mut seen = read_until(&mut reader, |reader| at(reader, 5));
    seen.sort();
    let expected: Vec<_> = (0..3)
        .flat_map(|partition| (0..5).map(move |offset| (partition, offset, offset.to_string())))
        .collect();
    assert_eq!(seen, expected);
    fill(&cluster, "log", 1, 2);
    let seen = read_until(&mut reader, |reader| reader.position(1) == 7);
    assert_eq!(seen, [(1, 5, "0".into()), (1, 6, "1".into())]);
    reader.seek(1, 6, PATIENCE).unwrap();
    assert_eq!(reader.position(1), 6);
    assert_eq!(read_until(&mut reader, |reader| reader.position(1) == 7).len(), 1);
}

struct Broker {
    bootstrap: String,
    topic: String,
}

impl Broker {
    fn new(kafka: &SharedKafka) -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let broker = Self {
            bootstrap: kafka.bootstrap().to_owned(),
            topic: format!("log-{now}"),
        };
        let topic = NewTopic {
            name: broker.topic.clone(),
            partitions: Some(1),
            replication_factor: None,
            configs: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        };
        broker.admin().create_topic(&topic, PATIENCE).unwrap();
        broker
    }

    fn settings(&self, kind: ClientKind, pairs: &[(&str, &str)]) -> wharf_kafka::Translated {
        let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), self.bootstrap.clone())]);
        all.extend(
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        translate(kind, &all).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    fn admin(&self) -> Admin {
        Admin::new(&self.settings(ClientKind::Admin, &[])).unwrap()
    }

    fn end(&self) -> i64 {
        let partition = TopicPartition::new(self.topic.as_str(), 0);
        let offsets = self
            .admin()
            .list_offsets(&[(partition, OffsetSpec::Latest)], false, PATIENCE);
        offsets.unwrap()[0].offset
    }

    fn reader(&self, isolation: &str) -> Reader {
        let settings = self.settings(
            ClientKind::Consumer,
            &[("isolation.level", isolation), ("group.id", "g")],
        );
        Reader::new(&settings, &self.topic, 1).unwrap()
    }

    fn transactional(&self, id: &str) -> Producer {
        let pairs = [
            ("transactional.id", id),
            ("enable.idempotence", "true"),
            ("acks", "all"),
        ];
        Producer::new(&self.settings(ClientKind::Producer, &pairs)).unwrap()
    }

    fn send(&self, producer: &Producer, value: &str) {
        let topic = producer.topic(&self.topic).unwrap();
        producer
            .send(&topic, None, None, Some(b"k"), Some(value.as_bytes()), &[], 0)
            .unwrap();
    }
}

fn values(seen: Vec<(i32, i64, String)>) -> Vec<String> {
    seen.into_iter().map(|(_, _, value)| value).collect()
}

#[test]
fn the_end_is_reached_over_markers_and_aborted_records_and_not_before_an_open_transaction_ends() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let broker = Broker::new(kafka);
    let producer = broker.transactional(&format!("{}-writer", broker.topic));
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    broker.send(&producer, "committed");
    producer.commit_transaction(PATIENCE, |_| {}).unwrap();
    producer.begin_transaction().unwrap();
    broker.send(&producer, "aborted");
    assert!(producer.flush(PATIENCE, |_| {}));
    producer.abort_transaction(PATIENCE, |_| {}).unwrap();

    let end = broker.end();
    assert_eq!(end, 4);
    let mut committed = broker.reader("read_committed");
    assert_eq!(
        values(read_until(&mut committed, |reader| reader.position(0) == end)),
        ["committed"]
    );
    let mut all = broker.reader("read_uncommitted");
    let seen = values(read_until(&mut all, |reader| reader.position(0) == end));
    assert_eq!(seen, ["committed", "aborted"]);

    producer.begin_transaction().unwrap();
    broker.send(&producer, "open");
    assert!(producer.flush(PATIENCE, |_| {}));
    assert_eq!(
        values(read_until(&mut all, |reader| reader.position(0) == 5)),
        ["open"]
    );
    for _ in 0..5 {
        assert_eq!(committed.poll(TICK, |_| panic!("the transaction is open")), Ok(0));
    }
    assert_eq!(committed.position(0), 4);
    producer.commit_transaction(PATIENCE, |_| {}).unwrap();
    assert_eq!(
        values(read_until(&mut committed, |reader| reader.position(0) == 6)),
        ["open"]
    );
    assert_eq!(
        broker
            .admin()
            .describe_topic_configs(&broker.topic, PATIENCE)
            .unwrap()
            .get("cleanup.policy")
            .map(String::as_str),
        Some("compact")
    );
}

#[test]
fn a_newer_producer_of_a_transactional_id_fences_the_older_one() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let broker = Broker::new(kafka);
    let id = format!("{}-leader", broker.topic);
    let older = broker.transactional(&id);
    older.init_transactions(PATIENCE).unwrap();
    older.begin_transaction().unwrap();
    broker.send(&older, "lost");
    assert!(older.flush(PATIENCE, |_| {}));
    let newer = broker.transactional(&id);
    newer.init_transactions(PATIENCE).unwrap();
    let error = older.commit_transaction(PATIENCE, |_| {}).unwrap_err();
    assert!(matches!(error, TransactionError::Fatal(_)), "{error:?}");
    newer.begin_transaction().unwrap();
    broker.send(&newer, "kept");
    newer.commit_transaction(PATIENCE, |_| {}).unwrap();
    let end = broker.end();
    let mut reader = broker.reader("read_committed");
    assert_eq!(
        values(read_until(&mut reader, |reader| reader.position(0) == end)),
        ["kept"]
    );
}

fn log_topic(name: &str, single_partition: bool) -> LogTopic {
    LogTopic {
        topic: NewTopic {
            name: name.to_owned(),
            partitions: Some(if single_partition { 1 } else { 3 }),
            replication_factor: Some(1),
            configs: BTreeMap::new(),
        },
        key: "config.storage.topic",
        what: "configurations",
        single_partition,
    }
}

fn record(key: &str, value: Option<&str>) -> LogRecord {
    LogRecord {
        key: key.into(),
        value: value.map(Into::into),
    }
}

#[test]
fn what_was_written_to_a_log_is_read_when_its_end_was_asked_for_after() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let broker = Broker::new(kafka);
    let admin = Arc::new(broker.admin());
    let name = format!("{}-log", broker.topic);
    let partitions = TopicLog::open(&admin, &log_topic(&name, false), PATIENCE).unwrap();
    assert_eq!(partitions, 3);
    let clients = LogClients {
        producer: broker.settings(ClientKind::Producer, &[]),
        consumer: broker.settings(ClientKind::Consumer, &[("group.id", "g")]),
    };
    let start = || {
        let seen: Arc<Mutex<BTreeMap<String, Option<String>>>> = Arc::default();
        let of_log = Arc::clone(&seen);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let log = TopicLog::start(
            &name,
            partitions,
            &clients,
            Arc::clone(&admin),
            PATIENCE,
            move |message| {
                of_log
                    .lock()
                    .unwrap()
                    .insert(text(message.key().unwrap()), message.value().map(text));
            },
        );
        (log.unwrap(), seen)
    };
    let (first, of_first) = start();
    assert!(of_first.lock().unwrap().is_empty());
    let records: Vec<_> = (0..50).map(|n| record(&format!("k{n}"), Some("x"))).collect();
    first.write(&records, PATIENCE).unwrap();
    first.write(&[record("k7", None)], PATIENCE).unwrap();
    let (second, of_second) = start();
    first.read_to_end(PATIENCE).unwrap();
    let expected: BTreeMap<_, _> = (0..50)
        .map(|n| (format!("k{n}"), (n != 7).then(|| "x".to_owned())))
        .collect();
    assert_eq!(*of_first.lock().unwrap(), expected);
    assert_eq!(*of_second.lock().unwrap(), expected);
    // Records go where Java workers would put them, or a key would live in two partitions.
    second.write(&[record("k7", Some("y"))], PATIENCE).unwrap();
    first.read_to_end(PATIENCE).unwrap();
    assert_eq!(of_first.lock().unwrap()["k7"].as_deref(), Some("y"));
    let too_large = "x".repeat(2 << 20);
    let outcomes = second.write_each(
        &[
            record("k1", Some("z")),
            record("k2", Some(&too_large)),
            record("k3", None),
        ],
        PATIENCE,
    );
    let ok: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(ok, [true, false, true], "{outcomes:?}");
    first.read_to_end(PATIENCE).unwrap();
    let of_first = of_first.lock().unwrap();
    let value = |key: &str| of_first[key].as_deref();
    assert_eq!(
        (value("k1"), value("k2"), value("k3")),
        (Some("z"), Some("x"), None)
    );
    second.stop();
    assert!(matches!(second.read_to_end(PATIENCE), Err(LogError::Closed(_))));
}

#[test]
fn a_topic_that_is_not_kept_as_a_log_has_to_be_is_refused_with_its_remedy() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let broker = Broker::new(kafka);
    let admin = broker.admin();
    let make = |name: &str, partitions, policy: &str| {
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(partitions),
            replication_factor: None,
            configs: BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]),
        };
        admin.create_topic(&topic, PATIENCE).unwrap();
    };
    for (policy, word) in [
        ("delete", "cleanup.policy=delete"),
        ("compact,delete", "cleanup.policy=compact,delete"),
    ] {
        let name = format!("{}-{}", broker.topic, policy.replace(',', "-"));
        make(&name, 1, policy);
        let error = TopicLog::open(&admin, &log_topic(&name, true), PATIENCE)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(word) && error.contains(&name) && error.contains("kafka-configs"),
            "{error}"
        );
    }
    let name = format!("{}-wide", broker.topic);
    make(&name, 2, "compact");
    let error = TopicLog::open(&admin, &log_topic(&name, true), PATIENCE)
        .unwrap_err()
        .to_string();
    assert!(error.contains("has 2 partitions"), "{error}");
    assert_eq!(TopicLog::open(&admin, &log_topic(&name, false), PATIENCE), Ok(2));
    let mut impossible = log_topic(&format!("{}-impossible", broker.topic), true);
    impossible.topic.replication_factor = Some(9);
    let error = TopicLog::open(&admin, &impossible, Duration::from_millis(600)).unwrap_err();
    assert!(error.to_string().contains("eplication factor"), "{error}");
}
