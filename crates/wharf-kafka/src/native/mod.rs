//! The only place of this crate that speaks to librdkafka's C interface.
//!
//! The `rdkafka` crate offers no batch consumption, no alteration of group offsets, no rebalance that is
//! acknowledged later, and allocates per record when producing; so the clients here are built on its
//! bindings directly. Rules that make the rest of the crate safe:
//!
//! - A [`client::Client`] owns the `rd_kafka_t`; everything made from it (topics, queues, messages) holds
//!   the client alive and is destroyed before it.
//! - No Rust code of a caller ever runs inside a C call-back: call-backs only log, or store what they were
//!   told in [`client::Hooks`]; a panic of a caller can therefore never unwind through C.
//! - Error codes inside C structs are read as integers: the generated enum does not list every code a broker may send.
#![allow(unsafe_code)]

pub(crate) mod admin;
mod certificate;
pub(crate) mod client;
pub(crate) mod consumer;
pub(crate) mod groups;
pub(crate) mod lists;
mod login;
pub(crate) mod memory;
pub(crate) mod messages;
mod plain;
pub(crate) mod producer;
pub(crate) mod transactions;

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as ffi;

use crate::KafkaError;

/// Text of a C string, empty for NULL.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that lives during the call.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, and terminated and alive by the contract of this function.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A NUL-terminated copy of `value`; `what` names it in the error.
pub(crate) fn c_string(value: &str, what: &str) -> Result<CString, KafkaError> {
    CString::new(value).map_err(|_| KafkaError::NulByte {
        what: what.to_owned(),
    })
}

/// Milliseconds as librdkafka takes them: never negative (which would mean "wait for ever").
pub(crate) fn millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}

/// The version of librdkafka that is linked, a byte for each part and one for the kind of release: `0x020c01ff` is 2.12.1.
pub fn librdkafka_version() -> i32 {
    // SAFETY: takes nothing and returns a constant.
    unsafe { ffi::rd_kafka_version() }
}

/// librdkafka's own words for a code.
pub(crate) fn describe(code: ffi::rd_kafka_resp_err_t) -> String {
    // SAFETY: the function takes any code and returns a static string.
    unsafe { text(ffi::rd_kafka_err2str(code)) }
}

/// Code and text of an error object, which is destroyed; `None` for NULL.
pub(crate) fn take_error(error: *mut ffi::rd_kafka_error_t) -> Option<(i32, String)> {
    if error.is_null() {
        return None;
    }
    // SAFETY: a non-NULL error returned by librdkafka is ours to read and destroy exactly once, which happens here.
    unsafe {
        let found = (
            ffi::rd_kafka_error_code(error) as i32,
            text(ffi::rd_kafka_error_string(error)),
        );
        ffi::rd_kafka_error_destroy(error);
        Some(found)
    }
}
