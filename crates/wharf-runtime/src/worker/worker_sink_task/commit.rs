//! Commits of a sink task's offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use wharf_api::{Offsets, Result, TopicPartition};
use wharf_kafka::{Consumer, PartitionOffset};

use super::{Loop, OpenCommit, PartitionState};
use crate::worker::record_sender::kafka_error;

/// The token of automatic commits; those asked of the task are numbered from 1.
pub(super) const AUTO_COMMIT: u64 = 0;

impl Loop {
    /// `enable.auto.commit`: commits what was read, as Java's consumer does beside Connect. Records whose `put` then fails
    /// are not read again: at most once, because the user asked for it.
    pub(super) fn auto_commit(&mut self, consumer: &Consumer, now: Instant) {
        let Some(interval) = self.worker.auto_commit else {
            return;
        };
        if now < self.next_auto_commit {
            return;
        }
        self.next_auto_commit = now + interval;
        let read = self.read_but_not_committed();
        if !read.is_empty()
            && let Err(error) = consumer.commit_async(&read, AUTO_COMMIT)
        {
            tracing::error!("automatic commit of offsets failed: {error}");
        }
    }

    /// The last automatic commit, waited for.
    pub(super) fn last_auto_commit(&mut self, consumer: &Consumer) {
        let read = self.read_but_not_committed();
        if self.worker.auto_commit.is_some()
            && let Err(error) = consumer.commit_sync(&read, self.worker.commit_timeout)
        {
            tracing::error!("automatic commit of offsets failed: {error}");
        }
    }

    /// How far was read where that is news to the automatic commit.
    fn read_but_not_committed(&mut self) -> Vec<PartitionOffset> {
        let news = self
            .partitions
            .iter_mut()
            .filter(|state| state.consumed != state.auto_committed && state.consumed != state.committed);
        news.filter_map(|state| {
            state.auto_committed = state.consumed;
            let partition = &state.partition;
            Some(PartitionOffset::new(
                partition.topic.as_str(),
                partition.partition,
                state.consumed?,
            ))
        })
        .collect()
    }

    pub(super) fn commit_all(&mut self, consumer: &Consumer) -> Result<()> {
        let all: Vec<TopicPartition> = self
            .partitions
            .iter()
            .map(|state| state.partition.clone())
            .collect();
        self.commit(consumer, &all, false)
    }

    /// Asks the task what is safe and commits it. The only place where consumer offsets are committed. When closing, the
    /// partitions are closed in between and the commit is waited for.
    pub(super) fn commit(
        &mut self,
        consumer: &Consumer,
        partitions: &[TopicPartition],
        closing: bool,
    ) -> Result<()> {
        let mut failed = Ok(());
        let offers: Offsets = {
            let mut errors = self.worker.errors.lock();
            errors.wait(partitions, self.worker.flush_timeout);
            if !closing {
                failed = errors.check();
            }
            // Nothing behind a record whose dead letter is not written may be committed.
            let safe = |state: &PartitionState| {
                let current = state.current?;
                let held = errors.first_outstanding(&state.partition);
                Some((
                    state.partition.clone(),
                    held.map_or(current, |held| held.min(current)),
                ))
            };
            self.partitions
                .iter()
                .filter(|state| partitions.contains(&state.partition))
                .filter_map(safe)
                .collect()
        };
        failed?;
        if offers.is_empty() {
            return if closing {
                self.close_partitions(partitions)
            } else {
                Ok(())
            };
        }
        self.sequence += 1;
        let metrics = Arc::clone(&self.worker.reporter.metrics);
        metrics.commit_begins(self.sequence);
        let began = metrics.now();
        let answer = {
            let _note = self.worker.control.calling("preCommit");
            self.task.pre_commit(&offers)
        };
        let mut close_result = Ok(());
        if closing {
            close_result = self.close_partitions(partitions);
        }
        let allowed = match answer {
            Ok(allowed) => allowed,
            Err(error) if closing => {
                tracing::warn!("preCommit failed while closing; offsets are not committed: {error:#}");
                return close_result;
            }
            Err(error) => {
                tracing::error!("preCommit failed; going back to the last committed offsets: {error:#}");
                metrics.committed(began, false);
                self.rewind_to_committed(consumer, &offers)?;
                return Ok(());
            }
        };
        let commit = self.committable(&offers, self.held_back(partitions, allowed));
        if commit.is_empty() || self.worker.control.is_cancelled() {
            if commit.is_empty() {
                metrics.committed(began, true);
            }
            return close_result;
        }
        let list: Vec<PartitionOffset> = commit
            .iter()
            .map(|(partition, offset)| {
                PartitionOffset::new(partition.topic.as_str(), partition.partition, *offset)
            })
            .collect();
        if closing {
            let outcome = consumer.commit_sync(&list, self.worker.commit_timeout);
            metrics.committed(began, outcome.is_ok());
            match outcome {
                Ok(()) => self.set_committed(&commit),
                Err(error) => tracing::error!("commit of offsets failed: {error}"),
            }
        } else {
            match consumer.commit_async(&list, self.sequence) {
                Ok(()) => {
                    self.open_commit = Some(OpenCommit {
                        sequence: self.sequence,
                        started: Instant::now(),
                        began,
                        offsets: commit,
                    });
                }
                Err(error) => {
                    metrics.committed(began, false);
                    tracing::error!("commit {} of offsets failed: {error}", self.sequence);
                }
            }
        }
        close_result
    }

    /// What the task reported while it was asked may stand before what it allows.
    fn held_back(&self, partitions: &[TopicPartition], allowed: Offsets) -> Offsets {
        let mut errors = self.worker.errors.lock();
        if !errors.is_waiting() {
            return allowed;
        }
        errors.wait(partitions, self.worker.flush_timeout);
        let safe = |(partition, offset): (TopicPartition, i64)| {
            let held = errors.first_outstanding(&partition);
            let offset = held.map_or(offset, |held| held.min(offset));
            (partition, offset)
        };
        allowed.into_iter().map(safe).collect()
    }

    /// Of what the task allows: only what was offered, not beyond it, and only what is news.
    pub(super) fn committable(&self, offers: &Offsets, allowed: Offsets) -> Offsets {
        let mut commit = BTreeMap::new();
        for (partition, offset) in allowed {
            let Some(state) = self.partitions.iter().find(|state| state.partition == partition) else {
                tracing::warn!("the task wants to commit {partition}, which is not assigned to it; ignored");
                continue;
            };
            match offers.get(&partition) {
                None => {}
                Some(offered) if offset > *offered => {
                    tracing::warn!(
                        "the task wants to commit offset {offset} of {partition}, beyond the consumed {offered}; ignored"
                    );
                }
                Some(_) if state.committed == Some(offset) => {}
                Some(_) => {
                    commit.insert(partition, offset);
                }
            }
        }
        commit
    }

    pub(super) fn rewind_to_committed(&mut self, consumer: &Consumer, offers: &Offsets) -> Result<()> {
        let mut targets = Vec::new();
        for state in self
            .partitions
            .iter_mut()
            .filter(|state| offers.contains_key(&state.partition))
        {
            if let Some(committed) = state.committed {
                let partition = &state.partition;
                targets.push(PartitionOffset::new(
                    partition.topic.as_str(),
                    partition.partition,
                    committed,
                ));
                state.consumed = Some(committed);
                state.current = Some(committed);
            }
        }
        consumer.seek(&targets).map_err(|error| kafka_error(&error))
    }

    pub(super) fn set_committed(&mut self, offsets: &Offsets) {
        for state in &mut self.partitions {
            if let Some(offset) = offsets.get(&state.partition) {
                state.committed = Some(*offset);
            }
        }
    }
}
