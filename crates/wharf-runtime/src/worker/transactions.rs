//! Transactions of a source task: its records and their offsets become visible together, or not at all (KIP-618).
//!
//! A transaction is begun by its first record and ended where [`Boundary`] says. What must stay true: offsets are written in
//! the transaction of their records and nowhere else; after a failure nothing is committed; a task that was given up or has lost
//! its lease commits nothing more.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wharf_api::source::TransactionEnd;
use wharf_api::{ConnectError, Result};
use wharf_kafka::{Producer, TopicHandle, TransactionError};

use super::control::TaskControl;
use super::deliveries::Deliveries;
use super::record_sender::kafka_error;
use crate::offsets::{OffsetEntry, OffsetTopic, send_offsets};

/// What the producer reports offsets by; no record has it.
pub(super) const OFFSET: u64 = u64::MAX;
/// How long one wait for Kafka lasts before the task's thread looks at whether it is still wanted.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one attempt to claim the transactional id lasts: soon enough for a task that is to stop.
const CLAIM_STEP: Duration = Duration::from_secs(1);
/// For the end of a transaction that is given up; whoever uses the id next ends it otherwise.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// What was asked for through the transaction context, since it was last looked at.
#[derive(Debug, Default)]
struct Asked {
    commit_batch: bool,
    abort_batch: bool,
    commit_records: BTreeSet<usize>,
    abort_records: BTreeSet<usize>,
}

/// Where a task's plugin asks for ends of transactions, from any thread.
#[derive(Debug, Default)]
pub(crate) struct TransactionRequests(Mutex<Asked>);

/// What is to be done with the open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Abort,
}

fn one_of(commit: bool, abort: bool) -> Result<Option<End>> {
    match (commit, abort) {
        (true, true) => Err(ConnectError::illegal_state(
            "the task asked for both commit and abort of the same transaction",
        )),
        (true, false) => Ok(Some(End::Commit)),
        (false, true) => Ok(Some(End::Abort)),
        (false, false) => Ok(None),
    }
}

impl TransactionRequests {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ask(&self, end: TransactionEnd) -> Result<()> {
        let mut asked = self.asked();
        match end {
            TransactionEnd::CommitBatch => asked.commit_batch = true,
            TransactionEnd::AbortBatch => asked.abort_batch = true,
            TransactionEnd::CommitRecord(position) => drop(asked.commit_records.insert(position)),
            TransactionEnd::AbortRecord(position) => drop(asked.abort_records.insert(position)),
            other => {
                return Err(ConnectError::illegal_state(format!(
                    "this worker does not know how to end a transaction by {other:?}"
                )));
            }
        }
        Ok(())
    }

    fn after_record(&self, position: usize) -> Result<Option<End>> {
        let mut asked = self.asked();
        let (commit, abort) = (
            asked.commit_records.remove(&position),
            asked.abort_records.remove(&position),
        );
        one_of(commit, abort)
    }

    /// Positions are those of one batch, so they are forgotten with it.
    fn after_batch(&self) -> Result<Option<End>> {
        let asked = std::mem::take(&mut *self.asked());
        one_of(asked.commit_batch, asked.abort_batch)
    }

    fn wants_batch_commit(&self) -> bool {
        self.asked().commit_batch
    }
}

/// What ends a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Boundary {
    Poll,
    Interval(Duration),
    Connector(Arc<TransactionRequests>),
}

impl Boundary {
    /// Where the plugin asks for ends, if they are its to say.
    pub(super) fn requests(&self) -> Option<Arc<TransactionRequests>> {
        match self {
            Self::Connector(requests) => Some(Arc::clone(requests)),
            Self::Poll | Self::Interval(_) => None,
        }
    }
}

/// What has to be done about other instances of a task before it may start.
pub(crate) trait StartGate: Send + Sync {
    /// Has the leader fence the producers of earlier tasks of the connector. Waits, less when the task is to stop.
    fn fence(&self, control: &TaskControl) -> Result<()>;

    /// Says whether what was fenced for is still what is to run; called when the task's own producer has claimed its id.
    /// Waits while that cannot be said, less when the task is to stop.
    fn confirm(&self, control: &TaskControl) -> Result<()>;
}

/// What a task needs to write in transactions.
pub(crate) struct ExactlyOnce {
    pub(crate) gate: Arc<dyn StartGate>,
    pub(crate) boundary: Boundary,
    pub(crate) topic: Arc<dyn OffsetTopic>,
}

/// The transactions of a task that runs.
pub(super) struct Transactions {
    boundary: Boundary,
    topic: Arc<dyn OffsetTopic>,
    handle: TopicHandle,
    is_open: bool,
    /// Records that were sent since it is.
    records: u64,
    last_commit: Instant,
}

impl fmt::Debug for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions")
            .field("boundary", &self.boundary)
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// All of it is visible now, or there was nothing.
    Yes,
    /// The task is no longer wanted here; nothing was committed.
    GivenUp,
}

impl ExactlyOnce {
    /// Fences whoever ran this task before and claims its transactional id. `None` when the task is to stop meanwhile.
    ///
    /// # Errors
    /// When that is refused, or what was fenced for is no longer what is to run.
    pub(super) fn begin(self, producer: &Producer, control: &TaskControl) -> Result<Option<Transactions>> {
        self.gate.fence(control)?;
        let mut told = Instant::now();
        loop {
            if control.is_stopping() {
                return Ok(None);
            }
            // A producer that is still claiming when its task was given up would fence the task's successor.
            match producer.init_transactions(CLAIM_STEP) {
                Ok(()) => break,
                Err(TransactionError::Retriable(error)) => {
                    if told.elapsed() >= PATIENCE {
                        told = Instant::now();
                        tracing::warn!(
                            "the transactional id cannot be claimed yet, which is tried again: {error}"
                        );
                    }
                }
                Err(error) => return Err(failed("claim its transactional id", &error)),
            }
        }
        self.gate.confirm(control)?;
        // One that froze must not even start the plugin.
        if control.is_stopping() {
            return Ok(None);
        }
        let handle = producer
            .topic(self.topic.topic())
            .map_err(|error| kafka_error(&error))?;
        Ok(Some(Transactions {
            boundary: self.boundary,
            topic: self.topic,
            handle,
            is_open: false,
            records: 0,
            last_commit: Instant::now(),
        }))
    }
}

impl Transactions {
    /// Refuses records that would be taken for offsets.
    pub(super) fn check_topic(&self, topic: &str) -> Result<()> {
        if topic != self.topic.topic() {
            return Ok(());
        }
        Err(ConnectError::connect(format!(
            "the task writes records to {topic}, the topic of its own offsets; name another topic for its records, or another \
             offsets.storage.topic for its offsets"
        )))
    }

    /// Sees to it that a transaction is open.
    pub(super) fn open(&mut self, producer: &Producer) -> Result<()> {
        if !self.is_open {
            producer
                .begin_transaction()
                .map_err(|error| failed("begin a transaction", &error))?;
            self.is_open = true;
        }
        Ok(())
    }

    /// A record belongs to the open transaction.
    pub(super) fn record(&mut self) {
        self.records += 1;
    }

    /// How many records belong to the transaction that is about to end.
    pub(super) fn take_records(&mut self) -> u64 {
        std::mem::take(&mut self.records)
    }

    /// The time between two commits begins anew.
    pub(super) fn restart_clock(&mut self) {
        self.last_commit = Instant::now();
    }

    /// What is due after the record at this position of its batch.
    pub(super) fn after_record(&self, position: usize) -> Result<Option<End>> {
        match &self.boundary {
            Boundary::Connector(requests) => requests.after_record(position),
            Boundary::Poll | Boundary::Interval(_) => Ok(None),
        }
    }

    /// What is due after a batch, one without records included.
    pub(super) fn after_batch(&self) -> Result<Option<End>> {
        match &self.boundary {
            Boundary::Poll => Ok(Some(End::Commit)),
            Boundary::Interval(interval) => {
                Ok((self.last_commit.elapsed() >= *interval).then_some(End::Commit))
            }
            Boundary::Connector(requests) => requests.after_batch(),
        }
    }

    /// Whether a transaction may end before its time.
    pub(super) fn may_end_early(&self) -> bool {
        matches!(self.boundary, Boundary::Poll | Boundary::Interval(_))
    }

    /// Whether what is there is committed when the task stops or pauses.
    pub(super) fn commits_at_end(&self) -> bool {
        match &self.boundary {
            Boundary::Poll | Boundary::Interval(_) => true,
            Boundary::Connector(requests) => requests.wants_batch_commit(),
        }
    }

    /// Commits the open transaction together with these offsets, waiting as long as Kafka takes.
    ///
    /// # Errors
    /// Whatever happens, the task cannot go on: what is committed is not known to it any more.
    pub(super) fn commit(
        &mut self,
        producer: &Producer,
        control: &TaskControl,
        deliveries: &mut Deliveries,
        entries: Vec<OffsetEntry>,
    ) -> Result<Committed> {
        self.restart_clock();
        if entries.is_empty() && !self.is_open {
            return Ok(Committed::Yes);
        }
        if control.is_cancelled() {
            return Ok(Committed::GivenUp);
        }
        self.topic.before_transaction(&entries)?;
        self.open(producer)?;
        while let Err(error) = send_offsets(producer, &self.handle, &entries, OFFSET, PATIENCE, |delivery| {
            deliveries.take(delivery);
        }) {
            if !error.is_retriable() {
                return Err(error);
            }
            if control.is_cancelled() {
                return Ok(Committed::GivenUp);
            }
        }
        loop {
            // Between this look and the commit a lease may end; then the id is fenced, and the commit fails.
            if control.is_cancelled() {
                return Ok(Committed::GivenUp);
            }
            match producer.commit_transaction(PATIENCE, |delivery| deliveries.take(delivery)) {
                Ok(()) => break,
                Err(TransactionError::Retriable(error)) => {
                    tracing::warn!("a transaction is not committed yet, which is tried again: {error}");
                }
                Err(error) => {
                    let of_record = deliveries.failure.take();
                    let reason = failed("commit its transaction", &error);
                    // A record that was not delivered is the better reason, unless it was taken back because of a fencing.
                    return Err(of_record.filter(|_| !error.is_fenced()).unwrap_or(reason));
                }
            }
        }
        self.is_open = false;
        // A copy that comes late could undo what was forgotten meanwhile; the topic has the offsets.
        if !control.is_cancelled() {
            self.topic.after_transaction(entries);
        }
        match deliveries.failure.take() {
            Some(error) => Err(error),
            None => Ok(Committed::Yes),
        }
    }

    /// Gives up what was sent since the transaction began.
    ///
    /// # Errors
    /// When the producer can no longer be used.
    pub(super) fn abort(
        &mut self,
        producer: &Producer,
        control: &TaskControl,
        deliveries: &mut Deliveries,
    ) -> Result<()> {
        if !self.is_open {
            tracing::warn!("the task asked for the end of a transaction, but none is open");
            return Ok(());
        }
        loop {
            match producer.abort_transaction(PATIENCE, |_| {}) {
                Ok(()) => break,
                Err(TransactionError::Retriable(error)) if !control.is_cancelled() => {
                    tracing::warn!("a transaction is not aborted yet, which is tried again: {error}");
                }
                Err(error) => return Err(failed("abort its transaction", &error)),
            }
        }
        deliveries.failure = None;
        deliveries.unconfirmed_topics.clear();
        if let Some(tracked) = &mut deliveries.tracked {
            tracked.forget_in_flight();
        }
        self.is_open = false;
        Ok(())
    }

    /// Ends the transaction of a task that ends itself without a commit, so that readers need not wait for its time-out.
    pub(super) fn give_up(&mut self, producer: &Producer) {
        if std::mem::take(&mut self.is_open)
            && let Err(error) = producer.abort_transaction(ABORT_TIMEOUT, |_| {})
        {
            tracing::debug!("an open transaction is left to whoever runs the task next: {error}");
        }
    }
}

fn failed(what: &str, error: &TransactionError) -> ConnectError {
    let cause = kafka_error(error.kafka_error());
    let hint = if error.is_fenced() {
        "another instance of this task has taken over, or the transaction took longer than the producer's \
         transaction.timeout.ms: then raise producer.override.transaction.timeout.ms, or end transactions earlier by \
         transaction.boundary.interval.ms"
    } else {
        "what it had sent is not visible and is sent again when the task is restarted"
    };
    ConnectError::connect(format!("the task cannot {what}; {hint}")).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_ends_transactions_after_records_and_batches() {
        let requests = TransactionRequests::default();
        requests.ask(TransactionEnd::CommitRecord(1)).unwrap();
        requests.ask(TransactionEnd::AbortRecord(2)).unwrap();
        requests.ask(TransactionEnd::CommitBatch).unwrap();
        assert!(requests.wants_batch_commit());
        assert_eq!(requests.after_record(0), Ok(None));
        assert_eq!(requests.after_record(1), Ok(Some(End::Commit)));
        assert_eq!(requests.after_record(1), Ok(None));
        assert_eq!(requests.after_record(2), Ok(Some(End::Abort)));
        assert_eq!(requests.after_batch(), Ok(Some(End::Commit)));
        assert_eq!(requests.after_batch(), Ok(None));
    }

    #[test]
    fn positions_do_not_outlive_their_batch() {
        let requests = TransactionRequests::default();
        requests.ask(TransactionEnd::CommitRecord(3)).unwrap();
        assert_eq!(requests.after_batch(), Ok(None));
        assert_eq!(requests.after_record(3), Ok(None));
    }

    #[test]
    fn commit_and_abort_at_one_place_fail_the_task() {
        let requests = TransactionRequests::default();
        requests.ask(TransactionEnd::CommitRecord(0)).unwrap();
        requests.ask(TransactionEnd::AbortRecord(0)).unwrap();
        assert!(requests.after_record(0).is_err());
        requests.ask(TransactionEnd::AbortBatch).unwrap();
        requests.ask(TransactionEnd::CommitBatch).unwrap();
        assert!(requests.after_batch().is_err());
    }
}
