//! Producing without allocation per record, and delivery reports as events.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as ffi;

use super::client::{Client, Event, Queue};
use super::messages::{bytes, headers_of};
use super::{c_string, describe, millis, text};
use crate::KafkaError;
use crate::producer::Undelivered;

/// A cached `rd_kafka_topic_t`.
pub(crate) struct Topic {
    raw: NonNull<ffi::rd_kafka_topic_t>,
    // Dropped after `raw` was given back, because fields are dropped after `Drop::drop` ran.
    _client: Arc<Client>,
}

// SAFETY: topic handles are thread-safe and reference-counted in librdkafka.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Topic {
    pub(crate) fn new(client: &Arc<Client>, name: &str) -> Result<Self, KafkaError> {
        let c_name = c_string(name, "a topic name")?;
        // SAFETY: handle and name are valid; NULL means the client's default topic settings.
        let raw = unsafe { ffi::rd_kafka_topic_new(client.raw(), c_name.as_ptr(), ptr::null_mut()) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self {
                raw,
                _client: Arc::clone(client),
            }),
            None => {
                // SAFETY: reads a thread-local of librdkafka.
                let code = unsafe { ffi::rd_kafka_last_error() };
                Err(KafkaError::operation(
                    format!("use of topic {name}"),
                    code as i32,
                    describe(code),
                ))
            }
        }
    }

    pub(crate) fn raw(&self) -> *mut ffi::rd_kafka_topic_t {
        self.raw.as_ptr()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: our reference, given back once, while the client lives.
        unsafe { ffi::rd_kafka_topic_destroy(self.raw()) };
    }
}

/// A record on its way into the library, which copies everything it keeps.
pub(crate) struct Outgoing<'a> {
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'a str, Option<&'a [u8]>)],
    pub(crate) opaque: u64,
}

fn pointer(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

/// The headers in librdkafka's form; NULL when there are none.
fn native_headers(headers: &[(&str, Option<&[u8]>)]) -> *mut ffi::rd_kafka_headers_t {
    if headers.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: plain allocation, then additions that copy name and value by their given lengths.
    unsafe {
        let list = ffi::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            let (start, size) = pointer(*value);
            // A NULL value is Kafka's null header; the library then ignores the size.
            ffi::rd_kafka_header_add(
                list,
                name.as_ptr().cast(),
                name.len() as isize,
                start,
                if start.is_null() { -1 } else { size as isize },
            );
        }
        list
    }
}

/// Puts a record into the library's queue; the error is the library's code.
pub(crate) fn produce(client: &Client, topic: &Topic, record: &Outgoing<'_>) -> Result<(), i32> {
    use ffi::rd_kafka_vtype_t as v;
    let (key, key_size) = pointer(record.key);
    let (value, value_size) = pointer(record.value);
    let headers = native_headers(record.headers);
    // The headers argument comes last so that a NULL list can be cut off by an early end marker.
    let tail = if headers.is_null() {
        v::RD_KAFKA_VTYPE_END
    } else {
        v::RD_KAFKA_VTYPE_HEADERS
    };
    // SAFETY: the variadic arguments come in the tagged pairs and types that rdkafka.h prescribes: a topic handle that
    // lives, i32, int, (pointer, size), (pointer, size), i64, pointer, and headers or the end marker. With the copy flag
    // nothing is kept by reference. On success the library owns the headers, on failure we do.
    let code = unsafe {
        ffi::rd_kafka_producev(
            client.raw(),
            v::RD_KAFKA_VTYPE_RKT,
            topic.raw(),
            v::RD_KAFKA_VTYPE_PARTITION,
            record.partition.unwrap_or(-1),
            v::RD_KAFKA_VTYPE_MSGFLAGS,
            ffi::RD_KAFKA_MSG_F_COPY,
            v::RD_KAFKA_VTYPE_VALUE,
            value,
            value_size,
            v::RD_KAFKA_VTYPE_KEY,
            key,
            key_size,
            v::RD_KAFKA_VTYPE_TIMESTAMP,
            record.timestamp.unwrap_or(0),
            v::RD_KAFKA_VTYPE_OPAQUE,
            ptr::without_provenance_mut::<c_void>(record.opaque as usize),
            tail,
            headers,
            v::RD_KAFKA_VTYPE_END,
        )
    } as i32;
    if code != 0 && !headers.is_null() {
        // SAFETY: a failed call leaves the headers to us.
        unsafe { ffi::rd_kafka_headers_destroy(headers) };
    }
    if code == 0 { Ok(()) } else { Err(code) }
}

/// A delivery report as the library gives it.
pub(crate) struct Report {
    pub(crate) opaque: u64,
    pub(crate) code: i32,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) size: usize,
}

/// The queue on which a producer's delivery reports arrive.
pub(crate) fn main_queue(client: &Client) -> Queue {
    // SAFETY: the handle is valid; the returned reference is ours. NULL cannot be returned for a live client.
    Queue::adopt(unsafe { ffi::rd_kafka_queue_get_main(client.raw()) }).expect("a client has a main queue")
}

/// Calls `each` for every report of the event; `explain` gives words and record for a failed one.
pub(crate) fn reports(
    event: &Event,
    mut each: impl FnMut(Report, &dyn Fn() -> (String, Undelivered)),
) -> usize {
    if event.kind() != ffi::RD_KAFKA_EVENT_DR {
        return 0;
    }
    let mut count = 0;
    loop {
        // SAFETY: the event is valid; the message belongs to it and is used only until the next turn, before the event
        // is destroyed. The code is read as an integer (see the module).
        unsafe {
            let raw = ffi::rd_kafka_event_message_next(event.raw());
            let Some(message) = raw.as_ref() else { return count };
            count += 1;
            let code = (&raw const message.err).cast::<i32>().read();
            let mut kind = ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            let report = Report {
                opaque: message._private.addr() as u64,
                code,
                partition: message.partition,
                // Without acknowledgements the library counts on from its mark for "unknown".
                offset: message.offset.max(-1),
                timestamp: ffi::rd_kafka_message_timestamp(message, &raw mut kind),
                size: message.len + message.key_len,
            };
            each(report, &|| {
                let words = text(ffi::rd_kafka_err2str(message.err));
                (words, undelivered(message))
            });
        }
    }
}

/// A copy of a record that was not delivered.
///
/// # Safety
/// `message` belongs to a delivery report that is not destroyed yet.
unsafe fn undelivered(message: &ffi::rd_kafka_message_t) -> Undelivered {
    // SAFETY: name, key, value and headers belong to the message and are copied while it lives. Headers that there are none
    // of are told by a code, and then nothing was written to `raw`.
    unsafe {
        let topic = if message.rkt.is_null() {
            String::new()
        } else {
            text(ffi::rd_kafka_topic_name(message.rkt))
        };
        Undelivered {
            topic,
            key: bytes(message.key, message.key_len).map(<[u8]>::to_vec),
            value: bytes(message.payload, message.len).map(<[u8]>::to_vec),
            headers: headers_of(message)
                .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

/// Records that are not reported yet, sent or not.
pub(crate) fn outstanding(client: &Client) -> usize {
    // SAFETY: the handle is valid.
    usize::try_from(unsafe { ffi::rd_kafka_outq_len(client.raw()) }).unwrap_or(0)
}

/// Sends what waits for `linger.ms` now; waits at most `timeout`.
pub(crate) fn flush(client: &Client, timeout: Duration) {
    // SAFETY: the handle is valid. The result only says whether the time was enough, which the caller sees itself.
    unsafe { ffi::rd_kafka_flush(client.raw(), millis(timeout)) };
}

/// Drops all records that are queued or being sent; each is still reported.
pub(crate) fn purge(client: &Client) {
    // SAFETY: the handle is valid; for a producer with these flags the call cannot fail.
    unsafe {
        ffi::rd_kafka_purge(
            client.raw(),
            ffi::RD_KAFKA_PURGE_F_QUEUE | ffi::RD_KAFKA_PURGE_F_INFLIGHT,
        )
    };
}
