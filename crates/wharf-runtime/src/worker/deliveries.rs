//! What comes back from a source task's producer: acknowledgements, failures, and what follows from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wharf_abi::host::SourceTaskHandle;
use wharf_abi::message::RecordAck;
use wharf_api::{ConnectError, RecordMetadata};
use wharf_kafka::Delivery;

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
}

/// Batches of a task that wants to know of each acknowledged record.
#[derive(Default)]
pub(super) struct Tracked {
    pub(super) batches: BTreeMap<u64, TrackedBatch>,
    /// Which record of which batch a token stands for.
    pub(super) records: HashMap<u64, (u64, usize, Arc<str>)>,
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
        self.records.insert(token.number(), (batch, record, topic.into()));
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.in_flight += 1;
        }
    }

    fn acknowledged(&mut self, token: Token, delivery: &Delivery) {
        let Some((batch, record, topic)) = self.records.remove(&token.number()) else {
            return;
        };
        let Some(batch) = self.batches.get_mut(&batch) else {
            return;
        };
        let metadata = RecordMetadata {
            topic: topic.to_string(),
            partition: delivery.partition,
            offset: delivery.offset,
            timestamp: Some(delivery.timestamp).filter(|millis| *millis >= 0),
        };
        batch.acks.push(RecordAck {
            record,
            metadata: Some(metadata),
        });
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
