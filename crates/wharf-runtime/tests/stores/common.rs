//! What the tests of all stores need: clients, topics of one's own, a look at the bare records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use wharf_kafka::{
    Admin, ClientKind, LogClients, LogTopic, NewTopic, OffsetSpec, Producer, Reader, TopicPartition,
    Translated, translate,
};
use wharf_test_services::KafkaBroker;

/// Longest time anything may take here before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A topic that is not made yet.
pub(crate) struct Topic {
    bootstrap: String,
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) admin: Arc<Admin>,
}

/// A bare record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Topic {
    /// On the shared broker. `None` where there is none; the test has nothing to do then.
    pub(crate) fn new(what: &str, partitions: i32) -> Option<Self> {
        Some(Self::on(KafkaBroker::shared()?.bootstrap(), what, partitions))
    }

    /// On this broker.
    pub(crate) fn on(bootstrap: &str, what: &str, partitions: i32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("stores-{what}-{now}-{number}"),
            bootstrap: bootstrap.to_owned(),
            partitions,
            admin: Arc::new(Admin::new(&settings(bootstrap, ClientKind::Admin, &[])).unwrap()),
        }
    }

    pub(crate) fn settings(&self, kind: ClientKind, pairs: &[(&str, &str)]) -> Translated {
        settings(&self.bootstrap, kind, pairs)
    }

    /// As the worker makes it.
    pub(crate) fn log_topic(&self) -> LogTopic {
        LogTopic {
            topic: NewTopic {
                name: self.name.clone(),
                partitions: Some(self.partitions),
                replication_factor: Some(1),
                configs: BTreeMap::new(),
            },
            key: "test.storage.topic",
            what: "what a test stores",
            single_partition: self.partitions == 1,
        }
    }

    /// The clients of a worker's stores, with exactly-once enabled or not.
    pub(crate) fn clients(&self, exactly_once: bool) -> LogClients {
        let isolation = if exactly_once {
            "read_committed"
        } else {
            "read_uncommitted"
        };
        let producer = [
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("enable.idempotence", "false"),
        ];
        LogClients {
            producer: self.settings(ClientKind::Producer, &producer),
            consumer: self.settings(
                ClientKind::Consumer,
                &[("group.id", "stores"), ("isolation.level", isolation)],
            ),
        }
    }

    pub(crate) fn transactional(&self, id: &str) -> Translated {
        let pairs = [
            ("transactional.id", id),
            ("enable.idempotence", "true"),
            ("acks", "all"),
        ];
        self.settings(ClientKind::Producer, &pairs)
    }

    /// Makes the topic with other settings than a worker would.
    pub(crate) fn create(&self, configs: &[(&str, &str)]) {
        let mut topic = self.log_topic().topic;
        topic.configs.extend(
            configs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        self.admin.create_topic(&topic, PATIENCE).unwrap();
    }

    /// Writes a record without any store.
    pub(crate) fn produce(&self, key: &str, value: Option<&str>) {
        let producer = Producer::new(&self.settings(ClientKind::Producer, &[])).unwrap();
        let handle = producer.topic(&self.name).unwrap();
        producer
            .send(
                &handle,
                None,
                None,
                Some(key.as_bytes()),
                value.map(str::as_bytes),
                &[],
                0,
            )
            .unwrap();
        assert!(producer.flush(PATIENCE, |delivery| delivery.result.unwrap()));
    }

    /// All committed records, in the order of each partition.
    pub(crate) fn records(&self) -> Vec<Raw> {
        let consumer = [("group.id", "raw"), ("isolation.level", "read_committed")];
        let mut reader = Reader::new(
            &self.settings(ClientKind::Consumer, &consumer),
            &self.name,
            self.partitions,
        )
        .unwrap();
        let specs: Vec<_> = (0..self.partitions)
            .map(|partition| {
                let partition = TopicPartition::new(self.name.as_str(), partition);
                (partition, OffsetSpec::Latest)
            })
            .collect();
        let ends = self.admin.list_offsets(&specs, false, PATIENCE).unwrap();
        let mut records = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while !ends
            .iter()
            .all(|end| reader.position(end.partition.partition) >= end.offset)
        {
            assert!(Instant::now() < deadline, "{} cannot be read", self.name);
            reader
                .poll(Duration::from_millis(20), |message| {
                    records.push(Raw {
                        partition: message.partition(),
                        key: text(message.key().unwrap_or_default()),
                        value: message.value().map(text),
                    });
                })
                .unwrap();
        }
        records
    }
}

fn settings(bootstrap: &str, kind: ClientKind, pairs: &[(&str, &str)]) -> Translated {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    all.extend(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    translate(kind, &all).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What a JVM worker wrote to a topic, as (key, value).
pub(crate) fn recorded(topic: &str) -> Vec<(String, Option<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../wharf-cluster/tests/recorded/topics")
        .join(topic);
    let lines = std::fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            (
                record["key"].as_str().unwrap().to_owned(),
                record["value"].as_str().map(str::to_owned),
            )
        })
        .collect()
}
