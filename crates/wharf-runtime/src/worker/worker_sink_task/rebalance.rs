//! What the consumer tells a sink task: records, partitions that come and go, answers to commits. All of it happens inside
//! a poll, on the task's thread.

use wharf_api::batch::OriginRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{RecordBatch, RecordBatchRef, Result, TopicPartition};
use wharf_kafka::{Consumer, ConsumerHandler, KafkaError, MessageRef};

use super::records::Step;
use super::{Halt, Loop, POSITION_TIMEOUT, PartitionState, kafka_partitions, plain};
use crate::worker::record_sender::kafka_error;

impl ConsumerHandler for Loop {
    fn message(&mut self, message: MessageRef<'_>) {
        if self.failure.is_some() || self.halt.is_some() {
            return;
        }
        match self.take(&message) {
            Ok(Step::Go(()) | Step::Skip) => {
                self.announce(message.topic());
                let (next, is_deferred) = (message.offset() + 1, self.is_deferred);
                if let Some(state) = self.state(&message) {
                    // Where reading began is where a failed commit goes back to.
                    state.committed.get_or_insert(message.offset());
                    // What is still raw may fail yet.
                    if !is_deferred {
                        state.consumed = Some(next);
                    }
                }
            }
            Ok(Step::Interrupted) => self.halt = Some(Halt::Cut),
            Err(error) => self.halt = Some(Halt::Failed(error)),
        }
    }

    fn assigned(&mut self, consumer: &Consumer, partitions: &[wharf_kafka::TopicPartition]) {
        if self.closed {
            return;
        }
        let added: Vec<TopicPartition> = partitions.iter().map(plain).collect();
        self.end_empty_redelivery(consumer);
        let committed = consumer.committed(partitions, POSITION_TIMEOUT);
        let mut reachable = committed.is_ok();
        let committed = committed.unwrap_or_default();
        for (partition, kafka_partition) in added.iter().zip(partitions) {
            let known = committed
                .iter()
                .find(|known| known.partition == *kafka_partition)
                .map(|known| known.offset);
            // Kafka is asked once too often at the most: a task in a rebalance is deaf to everything else.
            let position = known.or_else(|| {
                let asks = reachable && !self.worker.control.is_stopping();
                asks.then(|| consumer.position(kafka_partition, POSITION_TIMEOUT))
                    .and_then(|answer| {
                        reachable = answer.is_ok();
                        answer
                            .inspect_err(|error| {
                                tracing::warn!("the position in {partition} is not known yet: {error}")
                            })
                            .ok()
                    })
            });
            tracing::debug!("assigned {partition}, position {position:?}");
            self.partitions.retain(|state| state.partition != *partition);
            self.partitions.push(PartitionState {
                partition: partition.clone(),
                consumed: position,
                current: position,
                committed: position,
                auto_committed: None,
            });
        }
        let still_paused: Vec<_> = {
            let mut requests = self.worker.host.requests();
            requests.assignment.extend(added.iter().cloned());
            let assignment = requests.assignment.clone();
            requests.paused.retain(|partition| assignment.contains(partition));
            requests.paused.iter().cloned().collect()
        };
        let pause = if self.paused || (self.redelivering && !self.batch.is_empty()) {
            consumer.pause(&consumer.assignment())
        } else {
            consumer.pause(&kafka_partitions(still_paused.iter()))
        };
        self.keep(pause.map_err(|error| kafka_error(&error)));
        if added.is_empty() || self.failure.is_some() {
            return;
        }
        let opened = self
            .task
            .open(&added)
            .and_then(|()| self.apply_requests(consumer));
        self.keep(opened);
    }

    fn revoked(&mut self, consumer: &Consumer, partitions: &[wharf_kafka::TopicPartition]) {
        if self.closed || partitions.is_empty() {
            return;
        }
        let gone: Vec<TopicPartition> = partitions.iter().map(plain).collect();
        let committed = self.commit(consumer, &gone, true);
        self.keep(committed);
        self.forget(&gone);
    }

    fn lost(&mut self, _consumer: &Consumer, partitions: &[wharf_kafka::TopicPartition]) {
        if self.closed || partitions.is_empty() {
            return;
        }
        let gone: Vec<TopicPartition> = partitions.iter().map(plain).collect();
        let closed = self.close_partitions(&gone);
        self.keep(closed);
        self.forget(&gone);
    }

    fn committed(&mut self, _consumer: &Consumer, token: u64, result: Result<(), KafkaError>) {
        let Some(open) = self.open_commit.take_if(|open| open.sequence == token) else {
            tracing::debug!("commit {token} was answered after it had been given up");
            return;
        };
        match result {
            Ok(()) => {
                tracing::debug!("commit {token} took {} ms", open.started.elapsed().as_millis());
                self.set_committed(&open.offsets);
            }
            Err(error) => tracing::error!("commit {token} of offsets failed: {error}"),
        }
    }
}

impl Loop {
    /// Notes the use of a topic, once per turn.
    fn announce(&mut self, topic: &str) {
        if let Some(active) = &self.worker.active_topics
            && !self.announced.iter().any(|known| known == topic)
        {
            let task = &self.worker.reporter.task;
            active.add(&task.connector, task.task, topic);
            self.announced.push(topic.to_owned());
        }
    }

    /// Ends a redelivery of which no record is left.
    pub(super) fn end_empty_redelivery(&mut self, consumer: &Consumer) {
        if self.redelivering && self.batch.is_empty() {
            self.redelivering = false;
            if !self.paused {
                let resumed = self.resume_all(consumer);
                self.keep(resumed);
            }
        }
    }

    /// Drops everything that belongs to partitions that went.
    fn forget(&mut self, gone: &[TopicPartition]) {
        self.partitions.retain(|state| !gone.contains(&state.partition));
        self.last = 0;
        self.worker.errors.lock().forget(gone);
        {
            let mut requests = self.worker.host.requests();
            for partition in gone {
                requests.assignment.remove(partition);
                requests.to_pause.remove(partition);
                requests.to_resume.remove(partition);
                requests.rewinds.remove(partition);
            }
        }
        if self.batch.is_empty() {
            return;
        }
        match without_partitions(&mut self.batch, gone) {
            Ok(kept) => self.batch = kept,
            Err(error) => self.keep(Err(error)),
        }
    }
}

/// The batch without the records of these partitions.
fn without_partitions(batch: &mut RecordBatch, gone: &[TopicPartition]) -> Result<RecordBatch> {
    let mut kept = RecordBatch::new();
    let mut schemas = SchemaCache::default();
    let all = RecordBatchRef::parse(batch.finish()?, &mut schemas)?;
    for record in all.iter() {
        let record = record?;
        // A transform may have given it another topic or partition, which are nobody's to give up.
        let of = |partition: &TopicPartition| match record.origin() {
            OriginRef::Sink(origin) => {
                partition.topic == origin.original_topic && partition.partition == origin.original_partition
            }
            OriginRef::Source(_) => false,
        };
        if !gone.iter().any(of) {
            kept.push_record(&record.to_record(&all)?)?;
        }
    }
    Ok(kept)
}
