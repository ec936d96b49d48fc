//! The calls of a transactional producer.

use std::time::Duration;

use rdkafka::bindings as ffi;

use super::client::Client;
use super::{millis, text};

/// Code, words, and what the library says can be done about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) detail: String,
    pub(crate) fatal: bool,
    pub(crate) abort: bool,
    pub(crate) retriable: bool,
}

/// Takes over an error object.
fn outcome(error: *mut ffi::rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the object is valid and ours; it is destroyed once, after the last look at it.
    unsafe {
        let failure = Failure {
            code: ffi::rd_kafka_error_code(error) as i32,
            detail: text(ffi::rd_kafka_error_string(error)),
            fatal: ffi::rd_kafka_error_is_fatal(error) != 0,
            abort: ffi::rd_kafka_error_txn_requires_abort(error) != 0,
            retriable: ffi::rd_kafka_error_is_retriable(error) != 0,
        };
        ffi::rd_kafka_error_destroy(error);
        Err(failure)
    }
}

pub(crate) fn init(client: &Client, timeout: Duration) -> Result<(), Failure> {
    // SAFETY: the handle is valid.
    outcome(unsafe { ffi::rd_kafka_init_transactions(client.raw(), millis(timeout)) })
}

pub(crate) fn begin(client: &Client) -> Result<(), Failure> {
    // SAFETY: the handle is valid.
    outcome(unsafe { ffi::rd_kafka_begin_transaction(client.raw()) })
}

pub(crate) fn commit(client: &Client, timeout: Duration) -> Result<(), Failure> {
    // SAFETY: the handle is valid.
    outcome(unsafe { ffi::rd_kafka_commit_transaction(client.raw(), millis(timeout)) })
}

pub(crate) fn abort(client: &Client, timeout: Duration) -> Result<(), Failure> {
    // SAFETY: the handle is valid.
    outcome(unsafe { ffi::rd_kafka_abort_transaction(client.raw(), millis(timeout)) })
}
