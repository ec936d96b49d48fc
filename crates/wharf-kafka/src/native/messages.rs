//! Consumed messages: borrowed views of librdkafka's buffers, freed together.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::{ptr, slice};

use rdkafka::bindings as ffi;

use super::{plain, text};
use crate::ErrorCode;
use crate::types::Timestamp;

/// librdkafka's mark for the end of a partition.
const PARTITION_EOF: i32 = -191;

/// Messages that librdkafka handed over; their memory is given back on drop.
pub(crate) struct Batch {
    messages: Vec<*mut ffi::rd_kafka_message_t>,
}

impl Batch {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            messages: Vec::with_capacity(capacity),
        }
    }

    pub(crate) fn clear(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: every pointer in here was handed over by librdkafka and is destroyed once.
            unsafe { ffi::rd_kafka_message_destroy(message) };
        }
    }

    /// Adds a message that the caller owns.
    ///
    /// # Safety
    /// `message` was returned by a consume function of a client that outlives this batch.
    pub(crate) unsafe fn push(&mut self, message: *mut ffi::rd_kafka_message_t) {
        self.messages.push(message);
    }

    /// Takes up to `limit` messages that are there already from `queue`.
    pub(crate) fn fill(&mut self, queue: *mut ffi::rd_kafka_queue_t, limit: usize) {
        let start = self.messages.len();
        self.messages.reserve(limit);
        // SAFETY: `limit` slots past `start` are reserved; librdkafka writes that many pointers at most and says how
        // many, and those become the vector's.
        unsafe {
            let got =
                ffi::rd_kafka_consume_batch_queue(queue, 0, self.messages.as_mut_ptr().add(start), limit);
            self.messages.set_len(start + usize::try_from(got).unwrap_or(0));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages from number `from` on, each with its error or content.
    pub(crate) fn iter(&self, from: usize) -> impl Iterator<Item = Item<'_>> {
        let mut last: (*mut ffi::rd_kafka_topic_t, &str) = (ptr::null_mut(), "");
        self.messages[from..].iter().map(move |raw| {
            // SAFETY: the message lives as long as the batch. The topic's name lives as long as the topic, which the
            // message holds; names repeat, so the last one is kept. Codes are read as integers (see the module).
            unsafe {
                let raw = &**raw;
                let code = (&raw const raw.err).cast::<i32>().read();
                if raw.rkt != last.0 {
                    let name = if raw.rkt.is_null() {
                        ""
                    } else {
                        CStr::from_ptr(ffi::rd_kafka_topic_name(raw.rkt))
                            .to_str()
                            .unwrap_or("")
                    };
                    last = (raw.rkt, name);
                }
                if code == 0 {
                    Item::Message(MessageRef {
                        raw,
                        topic: last.1,
                        borrow: PhantomData,
                    })
                } else if code == PARTITION_EOF {
                    Item::End {
                        partition: raw.partition,
                        offset: raw.offset,
                    }
                } else {
                    let detail = text(ffi::rd_kafka_message_errstr(raw));
                    Item::Error {
                        code: ErrorCode(code),
                        topic: last.1.to_owned(),
                        detail,
                    }
                }
            }
        })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.clear();
    }
}

// SAFETY: messages may be freed on any thread.
unsafe impl Send for Batch {}

/// What the consumer's queue holds: messages, and errors between them.
pub(crate) enum Item<'a> {
    Message(MessageRef<'a>),
    /// A partition was read as far as it goes now; told only to clients that asked for it.
    End {
        partition: i32,
        offset: i64,
    },
    Error {
        code: ErrorCode,
        topic: String,
        detail: String,
    },
}

/// A consumed record; borrows the client library's buffer, nothing is copied.
#[derive(Clone, Copy)]
pub struct MessageRef<'a> {
    raw: &'a ffi::rd_kafka_message_t,
    topic: &'a str,
    borrow: PhantomData<&'a [u8]>,
}

/// The bytes at `start`; NULL is "no bytes", which is not the same as empty.
///
/// # Safety
/// `start` is NULL or points to `length` bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by the contract of this function.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}

impl<'a> MessageRef<'a> {
    /// Topic it was read from.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// Partition it was read from.
    pub fn partition(&self) -> i32 {
        self.raw.partition
    }

    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.raw.offset
    }

    /// Key; `None` is no key, empty is an empty key.
    pub fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: the message's own fields, alive for `'a`.
        unsafe { bytes(self.raw.key, self.raw.key_len) }
    }

    /// Value; `None` is a tombstone, empty is an empty value.
    pub fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: the message's own fields, alive for `'a`.
        unsafe { bytes(self.raw.payload, self.raw.len) }
    }

    /// When it was made.
    pub fn timestamp(&self) -> Timestamp {
        use ffi::rd_kafka_timestamp_type_t::{
            RD_KAFKA_TIMESTAMP_CREATE_TIME as CREATE, RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME as APPEND,
        };
        let mut kind = ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid and `kind` writable.
        let at = unsafe { ffi::rd_kafka_message_timestamp(self.raw, &raw mut kind) };
        match kind {
            CREATE => Timestamp::CreateTime(at),
            APPEND => Timestamp::LogAppendTime(at),
            _ => Timestamp::NotAvailable,
        }
    }

    /// Headers in their order; a value may be null. Parsed when first asked for.
    pub fn headers(&self) -> Headers<'a> {
        // SAFETY: the message is a consumed one without error: only of such a message is there a view.
        if unsafe { plain::has_no_headers(self.raw) } {
            return Headers {
                raw: ptr::null_mut(),
                next: 0,
                borrow: PhantomData,
            };
        }
        // SAFETY: the message lives for `'a`, and its batch is used by one thread at a time.
        unsafe { headers_of(self.raw) }
    }

    /// Bytes of key and value, the measure of memory budgets.
    pub fn size(&self) -> usize {
        self.raw.len + self.raw.key_len
    }
}

/// The headers of a consumed record or of a delivery report.
///
/// # Safety
/// The message lives for `'a`, and is used by one thread at a time: what was parsed is kept inside it.
pub(super) unsafe fn headers_of<'a>(message: &ffi::rd_kafka_message_t) -> Headers<'a> {
    let mut raw: *mut ffi::rd_kafka_headers_t = ptr::null_mut();
    // SAFETY: the message is valid; the headers it returns stay the message's.
    let code = unsafe { ffi::rd_kafka_message_headers(message, &raw mut raw) };
    if code as i32 != 0 {
        raw = ptr::null_mut();
    }
    Headers {
        raw,
        next: 0,
        borrow: PhantomData,
    }
}

/// Iterates over the headers of a record: name and value.
pub struct Headers<'a> {
    raw: *mut ffi::rd_kafka_headers_t,
    next: usize,
    borrow: PhantomData<&'a [u8]>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (Cow<'a, str>, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.raw.is_null() {
            return None;
        }
        let mut name: *const c_char = ptr::null();
        let mut value: *const c_void = ptr::null();
        let mut size = 0;
        // SAFETY: the headers belong to the message, which lives for `'a`; on success name and value point into them.
        unsafe {
            let code = ffi::rd_kafka_header_get_all(
                self.raw,
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            if code as i32 != 0 {
                return None;
            }
            self.next += 1;
            Some((CStr::from_ptr(name).to_string_lossy(), bytes(value, size)))
        }
    }
}
