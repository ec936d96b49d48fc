//! What comes back from a source task's producer: acknowledgements, failures, and what follows from them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use wharf_abi::host::SourceTaskHandle;
use wharf_abi::message::RecordAck;
use wharf_api::{ConnectError, RecordMetadata};
use wharf_kafka::{Delivery, ErrorCode, KafkaError, Undelivered};

use super::errors::unwritten;
use super::record_sender::kafka_error;
use super::submitted_records::{SubmittedRecords, Token};

/// The records of a task that are on their way.
#[derive(Default)]
pub(super) struct Deliveries {
    pub(super) submitted: SubmittedRecords,
    pub(super) failure: Option<ConnectError>,
    /// Topics whose first record is on its way.
    pub(super) unconfirmed_topics: Vec<(Token, String)>,
    pub(super) confirmed_topics: Vec<String>,
    /// For tasks that want to know of each record: batches with records in flight.
    pub(super) tracked: Option<Tracked>,
    /// Whether records that Kafka refuses are skipped, once they are reported.
    pub(super) is_tolerant: bool,
    /// Those, until they are reported.
    pub(super) refused: Vec<Refused>,
    /// Dead letters on their way, under the tokens of their records.
    pub(super) letters: HashSet<Token>,
    /// Dead letters that could not be written.
    pub(super) lost_letters: u64,
}

/// A record that Kafka did not take. It is not acknowledged yet.
pub(super) struct Refused {
    pub(super) token: Token,
    pub(super) error: KafkaError,
    pub(super) record: Box<Undelivered>,
}

/// Batches of a task that wants to know of each acknowledged record.
#[derive(Default)]
pub(super) struct Tracked {
    pub(super) batches: BTreeMap<u64, TrackedBatch>,
    /// Which record of which batch a token stands for, and its topic; none when a dead letter stands for the record.
    pub(super) records: HashMap<u64, (u64, usize, Option<Arc<str>>)>,
    pub(super) next_batch: u64,
}

pub(super) struct TrackedBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) acks: Vec<RecordAck>,
    /// Those that the task is to be told of.
    pub(super) sealed: Vec<RecordAck>,
    pub(super) in_flight: usize,
    pub(super) complete: bool,
}

impl Deliveries {
    /// Bytes of the batches that are kept to tell their task what became of each record.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.tracked.as_ref().map_or(0, |tracked| {
            tracked
                .batches
                .values()
                .map(|batch| batch.bytes.len() as u64)
                .sum()
        })
    }

    pub(super) fn take(&mut self, delivery: Delivery) {
        let token = Token::from_number(delivery.opaque);
        match delivery.result {
            Ok(()) => {
                self.submitted.ack(token);
                if !self.letters.is_empty() {
                    self.letters.remove(&token);
                }
                if !self.unconfirmed_topics.is_empty() {
                    let confirmed = self
                        .unconfirmed_topics
                        .iter()
                        .position(|(first, _)| *first == token);
                    if let Some(at) = confirmed {
                        self.confirmed_topics
                            .push(self.unconfirmed_topics.swap_remove(at).1);
                    }
                }
                if let Some(tracked) = &mut self.tracked {
                    tracked.acknowledged(token, &delivery);
                }
            }
            // What was given up on purpose is no failure of the record.
            Err(error)
                if matches!(
                    error.code(),
                    Some(ErrorCode::PURGED_QUEUED | ErrorCode::PURGED_IN_FLIGHT)
                ) && self.is_tolerant => {}
            Err(error) if self.letters.remove(&token) => {
                self.lost_letters += 1;
                let topic = delivery
                    .undelivered
                    .map(|record| record.topic)
                    .unwrap_or_default();
                self.failure
                    .get_or_insert_with(|| unwritten(&topic, kafka_error(&error)));
            }
            Err(error) if self.is_tolerant && error.code() != Some(ErrorCode::FATAL) => {
                self.refused.push(Refused {
                    token,
                    error,
                    record: delivery.undelivered.unwrap_or_default(),
                });
            }
            Err(error) => {
                let class = error.java_class();
                self.failure.get_or_insert_with(|| {
                    ConnectError::connect("Unrecoverable exception from producer send callback")
                        .caused_by(ConnectError::connect(error.to_string()).with_class(class))
                });
            }
        }
    }
}

impl Tracked {
    /// Notes that a record of a batch is on its way.
    pub(super) fn submitted(&mut self, batch: u64, record: usize, topic: &str, token: Token) {
        self.enter(batch, record, Some(topic.into()), token);
    }

    /// Notes that a dead letter in the place of a record is on its way.
    pub(super) fn buried(&mut self, batch: u64, record: usize, token: Token) {
        self.enter(batch, record, None, token);
    }

    fn enter(&mut self, batch: u64, record: usize, topic: Option<Arc<str>>, token: Token) {
        self.records.insert(token.number(), (batch, record, topic));
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.in_flight += 1;
        }
    }

    /// Takes back what was noted last of a record: it is not on its way.
    pub(super) fn withdraw(&mut self, token: Token) {
        if let Some((batch, ..)) = self.records.remove(&token.number())
            && let Some(batch) = self.batches.get_mut(&batch)
        {
            batch.in_flight -= 1;
        }
    }

    /// Notes that a record is not sent at all: its task is told of it without metadata.
    pub(super) fn dropped(&mut self, batch: u64, record: usize) {
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.acks.push(RecordAck {
                record,
                metadata: None,
            });
        }
    }

    /// The record of this token was refused by Kafka, which is tolerated; `is_buried` says that a dead letter goes on in its
    /// place.
    pub(super) fn refused(&mut self, token: Token, is_buried: bool) {
        if is_buried {
            if let Some((.., topic)) = self.records.get_mut(&token.number()) {
                *topic = None;
            }
        } else if let Some((batch, record, _)) = self.records.remove(&token.number()) {
            self.dropped(batch, record);
            if let Some(batch) = self.batches.get_mut(&batch) {
                batch.in_flight -= 1;
            }
        }
    }

    fn acknowledged(&mut self, token: Token, delivery: &Delivery) {
        let Some((batch, record, topic)) = self.records.remove(&token.number()) else {
            return;
        };
        let Some(batch) = self.batches.get_mut(&batch) else {
            return;
        };
        let metadata = topic.map(|topic| RecordMetadata {
            topic: topic.to_string(),
            partition: delivery.partition,
            offset: delivery.offset,
            timestamp: Some(delivery.timestamp).filter(|millis| *millis >= 0),
        });
        batch.acks.push(RecordAck { record, metadata });
        batch.in_flight -= 1;
    }

    /// The task may be told of what was acknowledged until now.
    pub(super) fn seal(&mut self) {
        for batch in self.batches.values_mut() {
            batch.sealed.append(&mut batch.acks);
        }
    }

    /// What is on its way will never be acknowledged: its transaction was aborted.
    pub(super) fn forget_in_flight(&mut self) {
        self.records.clear();
        self.batches.values_mut().for_each(|batch| batch.in_flight = 0);
    }

    /// Tells the task of what was sealed since the last call.
    pub(super) fn tell(&mut self, task: &mut SourceTaskHandle) {
        for batch in self.batches.values_mut().filter(|batch| !batch.sealed.is_empty()) {
            batch.sealed.sort_by_key(|ack| ack.record);
            if let Err(error) = task.commit_records(&batch.bytes, &batch.sealed) {
                tracing::error!("commitRecord failed: {error:#}");
            }
            batch.sealed.clear();
        }
        self.batches
            .retain(|_, batch| batch.in_flight > 0 || !batch.complete || !batch.acks.is_empty());
    }
}
