//! What a task counts of failures: the numbers of upstream's `task-error-metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Counted since the task was started. Cheap to read at any time, from any thread.
#[derive(Debug, Default)]
pub struct ErrorCounters {
    record_failures: AtomicU64,
    record_errors: AtomicU64,
    records_skipped: AtomicU64,
    retries: AtomicU64,
    errors_logged: AtomicU64,
    dead_letter_requests: AtomicU64,
    dead_letter_failures: AtomicU64,
    last_error: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorCounts {
    /// `total-record-failures`: attempts that failed, those made again included.
    pub record_failures: u64,
    /// `total-record-errors`: operations that failed in the end.
    pub record_errors: u64,
    /// `total-records-skipped`.
    pub records_skipped: u64,
    /// `total-retries`: attempts made again.
    pub retries: u64,
    /// `total-errors-logged`.
    pub errors_logged: u64,
    /// `deadletterqueue-produce-requests`.
    pub dead_letter_requests: u64,
    /// `deadletterqueue-produce-failures`.
    pub dead_letter_failures: u64,
    /// `last-error-timestamp`: milliseconds since 1970, 0 if there was none.
    pub last_error_millis: u64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl ErrorCounters {
    /// All numbers.
    #[must_use]
    pub fn counts(&self) -> ErrorCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ErrorCounts {
            record_failures: read(&self.record_failures),
            record_errors: read(&self.record_errors),
            records_skipped: read(&self.records_skipped),
            retries: read(&self.retries),
            errors_logged: read(&self.errors_logged),
            dead_letter_requests: read(&self.dead_letter_requests),
            dead_letter_failures: read(&self.dead_letter_failures),
            last_error_millis: read(&self.last_error),
        }
    }

    pub(crate) fn failure(&self) {
        count(&self.record_failures);
    }

    /// An operation failed in the end.
    pub(crate) fn error(&self, is_skipped: bool) {
        count(&self.record_errors);
        if is_skipped {
            count(&self.records_skipped);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.last_error.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        count(&self.retries);
    }

    pub(crate) fn logged(&self) {
        count(&self.errors_logged);
    }

    pub(crate) fn dead_letter(&self) {
        count(&self.dead_letter_requests);
    }

    pub(crate) fn dead_letter_failed(&self) {
        count(&self.dead_letter_failures);
    }
}
