//! The ends of an exactly-once task's transactions, as its loop meets them.

use wharf_abi::host::SourceTaskHandle;
use wharf_api::Result;
use wharf_api::batch::decode_offset;

use super::{Running, WorkerSourceTask};
use crate::worker::submitted_records::Committable;
use crate::worker::transactions::{Committed, End, Transactions};

impl Running {
    /// What follows a batch, one without records included, where transactions are in use.
    pub(super) fn end_batch(&mut self, task: &mut SourceTaskHandle) -> Result<()> {
        let due = self
            .transactions
            .as_ref()
            .map(Transactions::after_batch)
            .transpose()?;
        match due.flatten() {
            Some(end) => self.commit_transaction(end, task),
            None => Ok(()),
        }
    }

    /// Commits or aborts what was sent since the last end, and tells the task what became of it. After an abort the offsets
    /// still move on: the records are skipped, not read again.
    pub(super) fn commit_transaction(&mut self, end: End, task: &mut SourceTaskHandle) -> Result<()> {
        if self.end_transaction(end)? == Committed::Yes {
            self.tell_committed(task);
        }
        Ok(())
    }

    pub(super) fn tell_committed(&mut self, task: &mut SourceTaskHandle) {
        self.after_deliveries(task);
        if let Some(tracked) = &mut self.deliveries.tracked {
            tracked.tell(task);
        }
        if let Err(error) = task.commit() {
            tracing::error!("the task's commit failed: {error:#}");
        }
    }

    pub(super) fn end_transaction(&mut self, end: End) -> Result<Committed> {
        let Some(mut transactions) = self.transactions.take() else {
            return Ok(Committed::GivenUp);
        };
        let outcome = self.end_by(&mut transactions, end);
        self.transactions = Some(transactions);
        if let (Ok(Committed::Yes), Some(tracked)) = (&outcome, &mut self.deliveries.tracked) {
            tracked.seal();
        }
        outcome
    }

    pub(super) fn end_by(&mut self, transactions: &mut Transactions, end: End) -> Result<Committed> {
        let WorkerSourceTask {
            producer,
            control,
            host,
            ..
        } = &self.worker;
        let Some(producer) = producer.client() else {
            return Ok(Committed::GivenUp);
        };
        let metrics = &self.worker.reporter.metrics;
        let began = metrics.now();
        let mut records = transactions.take_records();
        if end == End::Abort {
            transactions.abort(producer, control, &mut self.deliveries)?;
            self.deliveries.dropped += self.deliveries.submitted.in_flight() as u64;
            records = 0;
        }
        let mut entries = Vec::new();
        for Committable { key, offset } in self.deliveries.submitted.take_submitted() {
            let offset = offset.map(|bytes| decode_offset(&bytes)).transpose()?;
            entries.push((key.to_vec(), host.offsets.value_bytes(offset.as_ref())?));
        }
        let is_news = records > 0 || !entries.is_empty();
        let committed = transactions.commit(producer, control, &mut self.deliveries, entries);
        if is_news && !matches!(committed, Ok(Committed::GivenUp)) {
            metrics.committed(began, committed.is_ok());
            if committed.is_ok() && records > 0 {
                metrics.transaction(records);
            }
        }
        self.deliveries.measure();
        committed
    }
}
