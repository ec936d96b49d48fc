//! The broker of a run, and what is asked of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use wharf_kafka::{Admin, ClientKind, KafkaError, NewTopic, OffsetSpec, TopicPartition, translate};
use wharf_test_services::{KafkaBroker, KafkaOptions};

const REQUEST: Duration = Duration::from_secs(10);

/// Topics that were measured are of no use any more; the disk is. The count of records stays what it was.
const RETENTION_MS: &str = "60000";

/// A broker of one's own.
pub(crate) struct Kafka {
    broker: KafkaBroker,
    admin: Admin,
}

impl Kafka {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let properties = [
            ("log.retention.check.interval.ms", "5000"),
            ("log.segment.delete.delay.ms", "1000"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
        let broker = KafkaBroker::start_with(&KafkaOptions {
            properties,
            ..KafkaOptions::default()
        })?;
        let settings = BTreeMap::from([("bootstrap.servers".to_owned(), broker.bootstrap())]);
        let translated = translate(ClientKind::Admin, &settings)
            .map_err(|problems| anyhow::anyhow!("the admin client's settings: {problems:?}"))?;
        let admin = Admin::new(&translated)?;
        Ok(Self { broker, admin })
    }

    /// Address for `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> String {
        self.broker.bootstrap()
    }

    /// A topic of one partition; kept for good, or for as long as a measurement takes.
    pub(crate) fn create_topic(&self, name: &str, keep: bool) -> Result<()> {
        self.create_topic_of(1, name, keep)
    }

    /// The same with so many partitions.
    pub(crate) fn create_topic_of(&self, partitions: i32, name: &str, keep: bool) -> Result<()> {
        let retention = if keep { "-1" } else { RETENTION_MS };
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(partitions),
            replication_factor: Some(1),
            configs: [("retention.ms".to_owned(), retention.to_owned())].into(),
        };
        self.admin.create_topic(&topic, REQUEST)?;
        // A new partition has no leader for a moment, and no engine shall have to wait for it.
        let deadline = Instant::now() + REQUEST;
        for partition in 0..partitions {
            while let Err(error) = self.end_of(name, partition) {
                if Instant::now() >= deadline {
                    return Err(error).with_context(|| format!("topic {name} does not come up"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// How many records were ever written to a topic of one partition.
    pub(crate) fn end(&self, topic: &str) -> Result<u64, KafkaError> {
        self.end_of(topic, 0)
    }

    fn end_of(&self, topic: &str, partition: i32) -> Result<u64, KafkaError> {
        let wanted = [(TopicPartition::new(topic, partition), OffsetSpec::Latest)];
        let found = self.admin.list_offsets(&wanted, false, REQUEST)?;
        Ok(found
            .first()
            .map_or(0, |at| u64::try_from(at.offset).unwrap_or(0)))
    }

    /// Checks that a topic has got so many records, neither more nor fewer.
    pub(crate) fn verify(&self, topic: &str, records: u64) -> Result<String> {
        let end = self.end(topic)?;
        if end != records {
            bail!("topic {topic} has {end} records instead of {records}");
        }
        Ok(format!("end offset of the topic is {end}"))
    }
}
