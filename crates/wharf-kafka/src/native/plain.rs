//! Whether a consumed message has headers, without librdkafka's parser.
//!
//! librdkafka allocates a parser for each message that is asked for its headers, also to find that their number is 0 (about
//! an eighth of what a record cost a sink, by its profile). It has no call that answers less, so the answer is read from
//! where the library keeps it. That place is not part of its interface. What must stay true: it is read only in the very
//! version whose `rdkafka_msg.h` it was taken from; every other version is asked the ordinary way.

use std::ffi::{c_int, c_void};

use rdkafka::bindings as ffi;

/// The version of which [`Consumed`] is the layout: 2.12.1.
const VERSION: c_int = 0x020c_01ff;

/// librdkafka's mark for messages that were produced, whose part behind the broker is another.
const PRODUCED: c_int = 0x4_0000;

/// The start of librdkafka's `rd_kafka_msg_t`, which every consumed message is.
#[repr(C)]
struct Consumed {
    message: ffi::rd_kafka_message_t,
    link: [*const c_void; 2],
    flags: c_int,
    timestamp_type: c_int,
    timestamp: i64,
    headers: *const c_void,
    status: c_int,
    broker: i32,
    /// The headers as they were received: in the present format their number and then they themselves, in the formats
    /// before Kafka 0.11 nothing.
    unparsed_length: i32,
    unparsed: *const u8,
}

/// `true` when the message certainly has no headers; `false` when librdkafka has to be asked.
///
/// # Safety
/// `message` was handed over by librdkafka's consumer, without an error, and not given back yet.
pub(super) unsafe fn has_no_headers(message: &ffi::rd_kafka_message_t) -> bool {
    if super::librdkafka_version() != VERSION {
        return false;
    }
    // SAFETY: in this version a message that the consumer hands over is the first field of an `rd_kafka_msg_t`, which lives
    // as long as the message. The bytes lie in the response, which the message holds; they are read when there is one.
    unsafe {
        let consumed = (&raw const *message).cast::<Consumed>();
        (*consumed).flags & PRODUCED == 0
            && (*consumed).headers.is_null()
            && (*consumed).unparsed_length == 1
            && *(*consumed).unparsed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_that_of_the_version_that_is_linked() {
        let linked = super::super::librdkafka_version();
        assert_eq!(
            linked, VERSION,
            "compare `Consumed` with rd_kafka_msg_t of the new version, then change VERSION"
        );
        assert_eq!(
            std::mem::offset_of!(Consumed, headers) - size_of::<ffi::rd_kafka_message_t>(),
            32
        );
        assert_eq!(
            std::mem::offset_of!(Consumed, unparsed) - size_of::<ffi::rd_kafka_message_t>(),
            56
        );
    }

    #[test]
    fn only_a_lone_count_of_zero_is_no_headers() {
        let other = 0_u8;
        let cases: [(&[u8], c_int, *const c_void, bool); 6] = [
            (&[0], 0, std::ptr::null(), true),
            (&[0], PRODUCED, std::ptr::null(), false),
            (&[0], 0, (&raw const other).cast(), false),
            (&[2], 0, std::ptr::null(), false),
            (&[0, 0], 0, std::ptr::null(), false),
            (&[], 0, std::ptr::null(), false),
        ];
        for (bytes, flags, headers, expected) in cases {
            // SAFETY: all fields may be zero.
            let mut consumed: Consumed = unsafe { std::mem::zeroed() };
            consumed.flags = flags;
            consumed.headers = headers;
            consumed.unparsed = bytes.as_ptr();
            consumed.unparsed_length = i32::try_from(bytes.len()).unwrap();
            let whole = &raw const consumed;
            // SAFETY: laid out as librdkafka does it, and alive.
            assert_eq!(
                unsafe { has_no_headers(&*whole.cast()) },
                expected,
                "{bytes:?} {flags}"
            );
        }
    }
}
