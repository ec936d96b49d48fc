//! A reader of whole topics, for the topics in which workers keep what they know.
//!
//! It belongs to no group and commits nothing: it is given partitions, starts at their beginning and reads on. What must stay
//! true: everything below [`Reader::position`] was handed over or is not for readers (markers of transactions, records of
//! aborted ones), so a position that has reached the topic's end means that all of it was read.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::native::client::{Client, Queue};
use crate::native::consumer as native;
use crate::native::lists::List;
use crate::native::messages::{Batch, Item, MessageRef};
use crate::properties::{ClientKind, Translated};
use crate::types::{PartitionOffset, TopicPartition};
use crate::{ErrorCode, KafkaError};

/// Largest number of messages taken from the library in one step.
const STEP: usize = 1024;
/// librdkafka's "from the first record there is".
const BEGINNING: i64 = -2;

/// Reads some partitions of one topic. One thread uses it.
pub struct Reader {
    // Declared before `client`, so dropped while it lives.
    batch: Batch,
    queue: Queue,
    client: Client,
    topic: String,
    positions: HashMap<i32, i64>,
}

impl Reader {
    /// Starts to read partitions `0..partitions` of `topic` from their beginnings. The properties have to name a group,
    /// because the client library wants one; it is never joined.
    ///
    /// # Errors
    /// When the client library does not accept the properties.
    pub fn new(properties: &Translated, topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        let beginnings: Vec<PartitionOffset> = (0..partitions)
            .map(|partition| PartitionOffset::new(topic, partition, BEGINNING))
            .collect();
        Self::assigned(properties, topic, &beginnings, HashMap::new())
    }

    /// Starts to read some partitions of `topic`, each from an offset of its own; what is not there any more is passed over.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn at(properties: &Translated, topic: &str, starts: &BTreeMap<i32, i64>) -> Result<Self, KafkaError> {
        let offsets: Vec<PartitionOffset> = starts
            .iter()
            .map(|(partition, offset)| PartitionOffset::new(topic, *partition, *offset))
            .collect();
        let positions = starts.iter().map(|(partition, offset)| (*partition, *offset));
        Self::assigned(properties, topic, &offsets, positions.collect())
    }

    fn assigned(
        properties: &Translated,
        topic: &str,
        starts: &[PartitionOffset],
        positions: HashMap<i32, i64>,
    ) -> Result<Self, KafkaError> {
        let mut settings = properties.librdkafka.clone();
        // Only so is it known that what lies between the last record and the end is nothing for readers.
        settings.insert("enable.partition.eof".to_owned(), "true".to_owned());
        settings.insert("enable.auto.commit".to_owned(), "false".to_owned());
        settings.insert("auto.offset.reset".to_owned(), "earliest".to_owned());
        let client = Client::new(ClientKind::Consumer, &settings)?;
        let create = |(_, detail)| KafkaError::Create {
            client: ClientKind::Consumer.name(),
            detail,
        };
        let queue = native::single_queue(&client).map_err(create)?;
        native::assign(&client, &List::of_offsets(starts)?, false).map_err(create)?;
        Ok(Self {
            batch: Batch::with_capacity(STEP),
            queue,
            client,
            topic: topic.to_owned(),
            positions,
        })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The next offset of a partition that was not read yet; 0, or where it was told to start, before anything of
    /// it came.
    #[must_use]
    pub fn position(&self, partition: i32) -> i64 {
        self.positions.get(&partition).copied().unwrap_or_default()
    }

    /// Waits at most `timeout` for records and hands over those that are there, in the order of their partition. Returns how
    /// many there were.
    ///
    /// # Errors
    /// What no waiting mends: refused authentication or authorization, a topic that was deleted, data that cannot be read.
    /// Records handed over before it are valid. Anything else is logged and tried again by itself.
    pub fn poll(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(MessageRef<'_>),
    ) -> Result<usize, KafkaError> {
        let mut count = 0;
        let mut outcome = Ok(());
        if native::wait_one(&self.client, timeout, &mut self.batch) {
            self.batch.fill(self.queue.raw(), STEP);
            for item in self.batch.iter(0) {
                match item {
                    Item::Message(message) => {
                        self.positions.insert(message.partition(), message.offset() + 1);
                        count += 1;
                        each(message);
                    }
                    Item::End { partition, offset } => {
                        let position = self.positions.entry(partition).or_default();
                        *position = (*position).max(offset);
                    }
                    Item::Error { code, topic, detail } => {
                        if code.is_passing() {
                            tracing::warn!(target: crate::logging::CONSUMER_TARGET, topic, code = code.name(), "{detail}");
                        } else {
                            let operation = format!("reading {}", self.topic);
                            outcome = Err(KafkaError::operation(operation, code.0, detail));
                        }
                    }
                }
            }
            self.batch.clear();
        }
        if let Some(error) = self.client.take_failure() {
            return Err(error);
        }
        outcome.map(|()| count)
    }

    /// Reads a partition again from an offset on.
    ///
    /// # Errors
    /// When the partition is not read by this reader.
    pub fn seek(&mut self, partition: i32, offset: i64, timeout: Duration) -> Result<(), KafkaError> {
        let to = [PartitionOffset::new(self.topic.as_str(), partition, offset)];
        native::seek(&self.client, &List::of_offsets(&to)?, timeout).map_err(|(code, detail)| {
            KafkaError::operation(
                format!(
                    "seeking in {}",
                    TopicPartition::new(self.topic.as_str(), partition)
                ),
                code,
                detail,
            )
        })?;
        self.positions.insert(partition, offset);
        Ok(())
    }
}

impl ErrorCode {
    /// Whether a reader goes on by itself: the library connects, asks and looks again.
    fn is_passing(self) -> bool {
        !matches!(
            self,
            Self::TOPIC_AUTHORIZATION_FAILED
                | Self::GROUP_AUTHORIZATION_FAILED
                | Self::CLUSTER_AUTHORIZATION_FAILED
                | Self::AUTHENTICATION
                | Self::SSL
                | Self::FATAL
                | Self::AUTO_OFFSET_RESET
                | Self::UNKNOWN_TOPIC_OR_PARTITION
        )
    }
}
