//! Transactions of a producer whose properties name a `transactional.id`.
//!
//! The calls come in turn: [`Producer::init_transactions`] once, which fences whoever used the id before, then
//! [`Producer::begin_transaction`], records, and [`Producer::commit_transaction`] or [`Producer::abort_transaction`]. All of
//! them block, at most for the time they are given, and must not run while another thread sends.

use std::time::{Duration, Instant};

use crate::native::transactions as native;
use crate::{Delivery, ErrorCode, KafkaError, Producer};

/// How long one attempt lasts before the time that is left is looked at.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How long an abort goes on before the reports are taken that it waits for.
const ABORT_STEP: Duration = Duration::from_millis(50);

/// Why a transaction did not go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// This transaction is lost, the producer is not: abort it.
    #[error("the transaction has to be aborted: {0}")]
    Abort(KafkaError),
    /// The producer can no longer be used: it was fenced, or is not allowed to do this.
    #[error(transparent)]
    Fatal(KafkaError),
    /// Nothing is known of the outcome; the same call may be made again.
    #[error("no answer yet: {0}")]
    Retriable(KafkaError),
}

impl TransactionError {
    /// What was behind it.
    #[must_use]
    pub fn kafka_error(&self) -> &KafkaError {
        match self {
            Self::Abort(error) | Self::Fatal(error) | Self::Retriable(error) => error,
        }
    }

    /// Whether the transactional id belongs to another producer now, or the transaction's time was up, which Kafka
    /// tells in the same words.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        const FENCED: [ErrorCode; 4] = [
            ErrorCode::FENCED,
            ErrorCode::INVALID_PRODUCER_EPOCH,
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            ErrorCode::PRODUCER_FENCED,
        ];
        self.kafka_error()
            .code()
            .is_some_and(|code| FENCED.contains(&code))
    }
}

impl Producer {
    /// Claims the transactional id: an older producer of that id is fenced, its open transaction aborted.
    ///
    /// # Errors
    /// When the coordinator refuses, or does not answer within `timeout`; fatal when the login was refused, which the library
    /// goes on trying without end.
    pub fn init_transactions(&self, timeout: Duration) -> Result<(), TransactionError> {
        let outcome = self.until("claiming the transactional id", timeout, |time| {
            native::init(&self.client, time)
        });
        if let Err(TransactionError::Retriable(_)) = &outcome {
            self.poll_acks(Duration::ZERO, |_| {});
            if let Some(refused) = self.take_failure() {
                return Err(TransactionError::Fatal(refused));
            }
        }
        outcome
    }

    /// Begins a transaction; nothing is sent yet.
    ///
    /// # Errors
    /// When one is open already, or the producer can no longer be used.
    pub fn begin_transaction(&self) -> Result<(), TransactionError> {
        native::begin(&self.client).map_err(|failure| self.explain("beginning a transaction", failure))
    }

    /// Sends what is queued, waits for it, reports it to `each` and makes it visible.
    ///
    /// # Errors
    /// When a record was not delivered ([`TransactionError::Abort`]), the producer was fenced, or there was no answer within
    /// `timeout`.
    pub fn commit_transaction(
        &self,
        timeout: Duration,
        each: impl FnMut(Delivery),
    ) -> Result<(), TransactionError> {
        let started = Instant::now();
        // The library waits for reports to be taken, so they are taken before it is asked.
        self.flush(timeout, each);
        self.until(
            "committing a transaction",
            timeout.saturating_sub(started.elapsed()),
            |time| native::commit(&self.client, time),
        )
    }

    /// Gives up what was sent since the transaction began; what was not delivered yet is reported to `each` as such.
    ///
    /// # Errors
    /// When the producer was fenced, or there was no answer within `timeout`.
    pub fn abort_transaction(
        &self,
        timeout: Duration,
        mut each: impl FnMut(Delivery),
    ) -> Result<(), TransactionError> {
        // The library takes back what was not sent, and waits for its reports to be taken: so it is asked for short times, and
        // goes on where it was.
        let deadline = Instant::now() + timeout;
        loop {
            self.poll_acks(Duration::ZERO, &mut each);
            let left = deadline.saturating_duration_since(Instant::now());
            match native::abort(&self.client, left.min(ABORT_STEP)) {
                Ok(()) => break,
                Err(failure) if failure.retriable && left > ABORT_STEP => {}
                Err(failure) => return Err(self.explain("aborting a transaction", failure)),
            }
        }
        self.poll_acks(Duration::ZERO, each);
        Ok(())
    }

    /// Makes a call again while only time is lacking.
    fn until(
        &self,
        what: &str,
        timeout: Duration,
        mut attempt: impl FnMut(Duration) -> Result<(), native::Failure>,
    ) -> Result<(), TransactionError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match attempt(left.min(ATTEMPT)) {
                Ok(()) => return Ok(()),
                Err(failure) if failure.retriable && left > ATTEMPT => {}
                Err(failure) => return Err(self.explain(what, failure)),
            }
        }
    }

    fn explain(&self, what: &str, failure: native::Failure) -> TransactionError {
        let operation = format!("{what} (producer {})", self.client.id());
        let error = KafkaError::operation(operation, failure.code, failure.detail);
        if failure.fatal {
            TransactionError::Fatal(error)
        } else if failure.abort {
            TransactionError::Abort(error)
        } else if failure.retriable {
            TransactionError::Retriable(error)
        } else {
            TransactionError::Fatal(error)
        }
    }
}
