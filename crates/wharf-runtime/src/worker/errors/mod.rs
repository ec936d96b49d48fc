//! What happens to a record that fails: trying again, tolerating, reporting.
//!
//! The rules are upstream's but for what `docs/decisions/20261121-record-errors.md` lists. [`RetryWithTolerance`] runs an
//! operation and judges what fails; [`sink_reporter`] and [`source_reporter`] tell of it: a log line, a dead letter. The task
//! loops bring records and Kafka.
//!
//! What must stay true: a failure is reported before it fails the task; no offset moves past a record whose dead letter is not
//! written.

mod consumed_record;
mod context_headers;
mod counters;
mod dead_letter_queue;
mod dead_letter_topic;
mod log_reporter;
mod retry_with_tolerance;
mod sink_reporter;
mod source_reporter;
mod stage;

pub(crate) use self::consumed_record::{ConsumedRecord, timestamp_of};
pub use self::counters::{ErrorCounters, ErrorCounts};
pub(crate) use self::dead_letter_queue::{DeadLetterQueue, unwritten};
pub(crate) use self::dead_letter_topic::ensure_dead_letter_topic;
pub(crate) use self::log_reporter::LogReporter;
#[cfg(test)]
pub(crate) use self::retry_with_tolerance::RetryClock;
pub(crate) use self::retry_with_tolerance::{Attempt, RetryWithTolerance, TaskClock};
pub(crate) use self::sink_reporter::{Reported, SharedSinkReporter, SinkReporter};
pub(crate) use self::source_reporter::{
    Letter, Remains, SourceDeadLetters, SourcePlace, SourceReporter, text_of_bytes,
};
pub(crate) use self::stage::{RecordFailure, Stage};

/// The class that stands for a sink task in reports of what it could not write.
pub(crate) const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";
/// The class that stands for the worker where Kafka refused a source's record.
pub(crate) const WORKER_SOURCE_TASK: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";
