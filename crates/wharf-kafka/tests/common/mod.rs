//! What the tests against librdkafka's mock cluster share: no network but loopback, no waiting by the clock.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses its own part"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use wharf_kafka::{
    ClientKind, Consumer, ConsumerHandler, KafkaError, MessageRef, Producer, Timestamp, TopicPartition,
    Translated, translate,
};

/// Longest time anything may take here before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// One poll.
pub const TICK: Duration = Duration::from_millis(50);

pub type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A mock cluster of one broker with one topic.
pub fn cluster(topic: &str, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, partitions, 1).unwrap();
    cluster
}

pub fn properties(cluster: &Cluster, client: ClientKind, pairs: &[(&str, &str)]) -> Translated {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), cluster.bootstrap_servers())]);
    all.extend(
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    translate(client, &all).unwrap_or_else(|problems| panic!("{problems:?}"))
}

pub fn producer(cluster: &Cluster, pairs: &[(&str, &str)]) -> Producer {
    Producer::new(&properties(cluster, ClientKind::Producer, pairs)).unwrap()
}

pub fn consumer(cluster: &Cluster, pairs: &[(&str, &str)]) -> Consumer {
    // The mock cluster lets every rebalance but the first take a session time-out less a second.
    let mut all = vec![
        ("group.id", "connect-sink"),
        ("session.timeout.ms", "4000"),
        ("heartbeat.interval.ms", "200"),
    ];
    all.extend(pairs);
    Consumer::new(&properties(cluster, ClientKind::Consumer, &all)).unwrap()
}

/// Sends `count` numbered records without key to one partition and waits until they are there.
pub fn fill(cluster: &Cluster, topic: &str, partition: i32, count: u64) {
    let producer = producer(cluster, &[]);
    let handle = producer.topic(topic).unwrap();
    for number in 0..count {
        let value = number.to_string();
        producer
            .send(
                &handle,
                Some(partition),
                None,
                None,
                Some(value.as_bytes()),
                &[],
                number,
            )
            .unwrap();
    }
    let mut failed = 0;
    assert!(producer.flush(PATIENCE, |delivery| failed +=
        usize::from(delivery.result.is_err())));
    assert_eq!(failed, 0);
}

/// A record, copied out.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: Timestamp,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

type Act = Box<dyn FnMut(&Consumer, &[TopicPartition])>;

/// Writes down what a consumer tells, and does something in call-backs.
#[derive(Default)]
pub struct Recorder {
    pub seen: Vec<Seen>,
    pub assigned: Vec<Vec<TopicPartition>>,
    pub revoked: Vec<Vec<TopicPartition>>,
    pub lost: Vec<Vec<TopicPartition>>,
    pub committed: Vec<(u64, Result<(), KafkaError>)>,
    pub on_assigned: Option<Act>,
    pub on_revoked: Option<Act>,
}

impl ConsumerHandler for Recorder {
    fn message(&mut self, message: MessageRef<'_>) {
        self.seen.push(Seen {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.value().map(<[u8]>::to_vec),
            timestamp: message.timestamp(),
            headers: message
                .headers()
                .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        });
    }

    fn assigned(&mut self, consumer: &Consumer, partitions: &[TopicPartition]) {
        self.assigned.push(partitions.to_vec());
        if let Some(act) = &mut self.on_assigned {
            act(consumer, partitions);
        }
    }

    fn revoked(&mut self, consumer: &Consumer, partitions: &[TopicPartition]) {
        self.revoked.push(partitions.to_vec());
        if let Some(act) = &mut self.on_revoked {
            act(consumer, partitions);
        }
    }

    fn lost(&mut self, _consumer: &Consumer, partitions: &[TopicPartition]) {
        self.lost.push(partitions.to_vec());
    }

    fn committed(&mut self, _consumer: &Consumer, token: u64, result: Result<(), KafkaError>) {
        self.committed.push((token, result));
    }
}

/// Polls until `done`, failing the test when that takes too long.
pub fn poll_until(consumer: &Consumer, recorder: &mut Recorder, done: impl Fn(&Recorder) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(recorder) {
        assert!(
            Instant::now() < deadline,
            "nothing more came; seen {} records",
            recorder.seen.len()
        );
        consumer.poll_batch(TICK, 500, 1 << 20, recorder).unwrap();
    }
}
