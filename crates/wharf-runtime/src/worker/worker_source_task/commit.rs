//! Storing the offsets of an at-least-once task, and the end of any task.

use std::time::{Duration, Instant};

use wharf_abi::host::SourceTaskHandle;
use wharf_api::Result;
use wharf_api::batch::decode_offset;

use super::{Running, WorkerSourceTask};
use crate::logging;
use crate::worker::submitted_records::Committable;
use crate::worker::transactions::{End, Transactions};

impl Running {
    pub(super) fn commit(&mut self, task: &mut SourceTaskHandle) {
        self.commit_offsets(task);
        self.next_commit = Instant::now() + self.worker.flush_interval;
    }

    /// Stores the offsets of acknowledged records. The only place where source offsets are stored.
    pub(super) fn commit_offsets(&mut self, task: &mut SourceTaskHandle) {
        let WorkerSourceTask {
            control,
            offset_writer,
            host,
            reporter,
            flush_timeout,
            ..
        } = &mut self.worker;
        // A task that was given up may have a successor already, whose offsets must stand.
        if control.is_cancelled() {
            return;
        }
        let _context = logging::with_context(format!(
            "[{}|task-{}|offsets] ",
            reporter.task.connector, reporter.task.task
        ));
        let metrics = &reporter.metrics;
        let began = metrics.now();
        let started = Instant::now();
        for Committable { key, offset } in self.deliveries.submitted.take_committable() {
            let offset = offset.map(|bytes| decode_offset(&bytes)).transpose();
            match offset.and_then(|offset| host.offsets.value_bytes(offset.as_ref())) {
                Ok(value) => offset_writer.put(key.to_vec(), value),
                Err(error) => {
                    tracing::error!("an offset cannot be stored and is skipped: {error:#}");
                }
            }
        }
        let outcome = offset_writer.commit(*flush_timeout);
        metrics.committed(began, outcome.is_ok());
        match outcome {
            Ok(false) => tracing::debug!("no offsets to commit"),
            Ok(true) => tracing::info!("committed offsets in {} ms", started.elapsed().as_millis()),
            Err(error) => {
                tracing::error!(
                    "failed to commit offsets; they are tried again with the next commit: {error:#}"
                );
                return;
            }
        }
        if let Err(error) = task.commit() {
            tracing::error!("the task's commit failed: {error:#}");
        }
    }

    /// The end of the task: waits for outstanding acknowledgements and stores what they allow.
    pub(super) fn finish(&mut self, task: &mut SourceTaskHandle, clean: bool) -> Result<()> {
        if self.worker.control.is_cancelled() {
            self.worker.producer.purge();
            return Ok(());
        }
        if let Some(commits) = self.transactions.as_ref().map(Transactions::commits_at_end) {
            // What belongs together is not cut: what was sent of it is sent again.
            let outcome = if clean && commits && !self.has_cut_batch {
                self.commit_transaction(End::Commit, task)
            } else {
                Ok(())
            };
            if let (Some(transactions), Some(producer)) =
                (&mut self.transactions, self.worker.producer.client())
            {
                transactions.give_up(producer);
            }
            return outcome;
        }
        // What is acknowledged already is stored first: waiting for the rest may take all the time there is.
        self.take_deliveries(Duration::ZERO);
        self.after_deliveries(task);
        self.commit_offsets(task);
        let deadline = Instant::now() + self.worker.flush_timeout;
        let all = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let deliveries = &mut self.deliveries;
            let all = self
                .worker
                .producer
                .flush(left, |delivery| deliveries.take(delivery));
            // What Kafka refused may have to be sent as dead letters.
            if self.deliveries.refused.is_empty() {
                break all;
            }
            self.settle_refused()?;
        };
        if !all {
            tracing::warn!(
                "{} records were not acknowledged within {} ms; they are sent again when the task runs next",
                self.deliveries.submitted.in_flight(),
                self.worker.flush_timeout.as_millis()
            );
        }
        self.after_deliveries(task);
        self.commit_offsets(task);
        self.worker.producer.purge();
        Ok(())
    }
}
