//! Clients of the tests' own, which look at the broker and not at what the worker says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_kafka::{
    Admin, ClientKind, Consumer, ConsumerHandler, GroupMembers, KafkaError, MessageRef, NewTopic, OffsetSpec,
    Producer, SendError, Timestamp, TopicPartition, Translated, translate,
};

use crate::worker::PATIENCE;

const TICK: Duration = Duration::from_millis(50);

/// How long one of several tries may take: a request that met a broker in trouble is asked again rather than waited for.
const REQUEST: Duration = Duration::from_secs(5);

/// A broker, asked by an admin client.
pub struct Kafka {
    bootstrap: String,
    admin: Admin,
}

/// A record, copied out.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Partition it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970.
    pub timestamp: Timestamp,
}

impl Seen {
    /// The value as text; empty when there is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// A record to be written as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToWrite {
    /// Chosen by the key where there is none.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; now where there are none.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

fn client(bootstrap: &str, kind: ClientKind, more: &[(&str, &str)]) -> Translated {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    all.extend(
        more.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    translate(kind, &all).unwrap_or_else(|problems| panic!("{problems:?}"))
}

impl Kafka {
    /// For the broker at this address.
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            admin: Admin::new(&client(bootstrap, ClientKind::Admin, &[])).unwrap(),
        }
    }

    /// Creates a topic.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(partitions),
            replication_factor: Some(1),
            configs: configs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        };
        self.admin.create_topic(&topic, PATIENCE).unwrap();
    }

    /// How many partitions a topic has; `None` when there is no such topic.
    pub fn partitions(&self, topic: &str) -> Option<usize> {
        let found = self.admin.describe_topic(topic, PATIENCE).unwrap()?;
        Some(found.partitions)
    }

    /// A setting of a topic, the broker's default included.
    pub fn config(&self, topic: &str, key: &str) -> Option<String> {
        let mut settings = self.admin.describe_topic_configs(topic, PATIENCE).unwrap();
        settings.remove(key)
    }

    /// The offset that the next record of each partition will get.
    pub fn end_offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_end_offsets(topic) {
                Ok(ends) => return ends,
                // Partitions of a new topic have no leader for a moment, and a broker may be away.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(TICK);
        }
    }

    fn try_end_offsets(&self, topic: &str) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let found = self.admin.describe_topic(topic, REQUEST)?;
        let partitions = found.map_or(0, |topic| topic.partitions);
        let wanted: Vec<_> = (0..partitions)
            .map(|number| {
                let number = i32::try_from(number).unwrap();
                (TopicPartition::new(topic, number), OffsetSpec::Latest)
            })
            .collect();
        let listed = self.admin.list_offsets(&wanted, false, REQUEST)?;
        Ok(listed
            .into_iter()
            .map(|at| (at.partition.partition, at.offset))
            .collect())
    }

    /// How many records were ever written to a topic.
    pub fn count(&self, topic: &str) -> i64 {
        self.end_offsets(topic).values().sum()
    }

    /// Committed offsets of a group, by topic and partition.
    pub fn committed(&self, group: &str) -> BTreeMap<(String, i32), i64> {
        let known = self.admin.group_offsets(group, PATIENCE).unwrap_or_default();
        known
            .into_iter()
            .map(|at| {
                (
                    (at.partition.topic.to_string(), at.partition.partition),
                    at.offset,
                )
            })
            .collect()
    }

    /// What the broker knows of a group; `None` when there is no such group.
    pub fn group(&self, group: &str) -> Option<GroupMembers> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.admin.group_members(group, PATIENCE) {
                Ok(found) => return found,
                // Its coordinator may still be reading what it knows.
                Err(error) => assert!(error.is_retriable() && Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(TICK);
        }
    }

    /// Whether the broker knows a group of this name.
    pub fn has_group(&self, group: &str) -> bool {
        self.group(group).is_some()
    }

    /// Writes records and waits until they are acknowledged. Keys choose partitions as Java's do.
    pub fn produce<'a>(&self, topic: &str, records: impl IntoIterator<Item = (Option<&'a str>, &'a [u8])>) {
        self.write(topic, None, records);
    }

    fn write<'a>(
        &self,
        topic: &str,
        partition: Option<i32>,
        records: impl IntoIterator<Item = (Option<&'a str>, &'a [u8])>,
    ) {
        self.write_records(
            topic,
            records.into_iter().map(|(key, value)| ToWrite {
                partition,
                key: key.map(|key| key.as_bytes().to_vec()),
                value: Some(value.to_vec()),
                ..ToWrite::default()
            }),
        );
    }

    /// Writes records as they are and waits until they are acknowledged.
    pub fn write_records(&self, topic: &str, records: impl IntoIterator<Item = ToWrite>) {
        let producer = Producer::new(&client(
            &self.bootstrap,
            ClientKind::Producer,
            &[("max.request.size", "20000000")],
        ))
        .unwrap();
        let handle = producer.topic(topic).unwrap();
        let mut failed = Vec::new();
        let mut note = |delivery: wharf_kafka::Delivery| failed.extend(delivery.result.err());
        for record in records {
            let headers: Vec<(&str, Option<&[u8]>)> = record
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let send = || {
                producer.send(
                    &handle,
                    record.partition,
                    record.timestamp,
                    key,
                    value,
                    &headers,
                    0,
                )
            };
            while let Err(error) = send() {
                match error {
                    SendError::QueueFull => drop(producer.poll_acks(TICK, &mut note)),
                    other => panic!("{other}"),
                }
            }
        }
        assert!(producer.flush(PATIENCE, &mut note));
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Writes lines of text without keys.
    pub fn produce_lines(&self, topic: &str, lines: &[String]) {
        self.produce(topic, lines.iter().map(|line| (None, line.as_bytes())));
    }

    /// Writes lines of text to one partition.
    pub fn produce_to<L: AsRef<str>>(&self, topic: &str, partition: i32, lines: &[L]) {
        let lines = lines.iter().map(|line| (None, line.as_ref().as_bytes()));
        self.write(topic, Some(partition), lines);
    }

    /// Reads a topic from its beginning.
    pub fn reader(&self, topic: &str) -> TopicReader {
        TopicReader::new(self, topic, "reader", "read_uncommitted")
    }

    /// Reads from its beginning what transactions have committed. Its end is not known: ask for a number of records.
    pub fn committed_reader(&self, topic: &str) -> TopicReader {
        // In a group of its own, so that a reader of the other kind may read at the same time.
        TopicReader::new(self, topic, "committed-reader", "read_committed")
    }
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kafka({})", self.bootstrap)
    }
}

/// Reads one topic, each record once, in the order of each partition.
pub struct TopicReader {
    consumer: Consumer,
    kafka: Kafka,
    topic: String,
    collected: Collected,
}

#[derive(Default)]
struct Collected {
    seen: Vec<Seen>,
    next: BTreeMap<i32, i64>,
}

impl ConsumerHandler for Collected {
    fn message(&mut self, message: MessageRef<'_>) {
        let next = self.next.entry(message.partition()).or_default();
        // A rebalance may send the reader back.
        if message.offset() < *next {
            return;
        }
        *next = message.offset() + 1;
        self.seen.push(Seen {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.value().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp: message.timestamp(),
        });
    }

    fn assigned(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn revoked(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn lost(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn committed(&mut self, _: &Consumer, _: u64, _: Result<(), KafkaError>) {}
}

impl TopicReader {
    fn new(kafka: &Kafka, topic: &str, group: &str, isolation: &str) -> Self {
        let group = format!("{group}-of-{topic}");
        let settings = [
            ("group.id", group.as_str()),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("isolation.level", isolation),
            // A topic that appears later is found soon.
            ("metadata.max.age.ms", "1000"),
        ];
        let consumer = Consumer::new(&client(&kafka.bootstrap, ClientKind::Consumer, &settings)).unwrap();
        consumer.subscribe(&[topic.to_owned()]).unwrap();
        Self {
            consumer,
            kafka: Kafka::new(&kafka.bootstrap),
            topic: topic.to_owned(),
            collected: Collected::default(),
        }
    }

    fn poll(&mut self) {
        self.consumer
            .poll_batch(TICK, 10_000, 64 << 20, &mut self.collected)
            .unwrap();
    }

    /// Reads what is there now, to the end; what was not returned before.
    pub fn read_to_end(&mut self) -> Vec<Seen> {
        let ends = self.kafka.end_offsets(&self.topic);
        let deadline = Instant::now() + PATIENCE;
        let behind = |next: &BTreeMap<i32, i64>| {
            ends.iter()
                .any(|(partition, end)| next.get(partition).copied().unwrap_or(0) < *end)
        };
        while behind(&self.collected.next) {
            assert!(
                Instant::now() < deadline,
                "the topic {} cannot be read to its end",
                self.topic
            );
            self.poll();
        }
        std::mem::take(&mut self.collected.seen)
    }

    /// Reads until at least `count` records came that were not returned before.
    pub fn read(&mut self, count: usize) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        while self.collected.seen.len() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {count} records came from topic {}",
                self.collected.seen.len(),
                self.topic
            );
            self.poll();
        }
        std::mem::take(&mut self.collected.seen)
    }
}

impl std::fmt::Debug for TopicReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TopicReader({})", self.topic)
    }
}
