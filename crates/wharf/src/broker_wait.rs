//! Lets librdkafka's threads wait for answers instead of asking for them without a pause.
//!
//! An idempotent producer has one request of a partition on its way. When the next batch is full before the answer has come,
//! librdkafka 2.12.1 asks to be called again at once, cannot send, and asks again: a core is busy for as long as the broker thinks. It
//! looks at its connection by `rd_kafka_transport_io_serve` each time. The linker leads that call here (`build.rs`), and when a thread
//! has looked a few times without waiting and nothing was there, it waits for a millisecond at most: an answer, room to send in and a
//! call for attention by another thread end it earlier, as they end every other wait. See
//! `docs/decisions/20261122-broker-wait.md`.
//!
//! What must stay true: the function's arguments are those of the librdkafka that is linked; a test knows its version.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};

/// The shortest wait that there is.
const SHORTEST_MS: c_int = 1;
/// Looks in vain, one after the other, before a wait. Between two of them librdkafka may serve one of many requests of other threads, which
/// nothing on the connection tells of: each would else be a millisecond late.
const LOOKS_IN_VAIN: u32 = 16;

thread_local! {
    /// Looks without waiting that found nothing, since the last one that found something, or waited.
    static IN_VAIN: Cell<u32> = const { Cell::new(0) };
}

#[cfg(test)]
static PROLONGED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

unsafe extern "C" {
    fn __real_rd_kafka_transport_io_serve(
        transport: *mut c_void,
        queue: *mut c_void,
        timeout_ms: c_int,
    ) -> c_int;
}

/// Serves a connection after waiting for it; 0 when nothing happened.
///
/// # Safety
/// As of librdkafka's own function, which calls it with what that is due.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_rd_kafka_transport_io_serve(
    transport: *mut c_void,
    queue: *mut c_void,
    timeout_ms: c_int,
) -> c_int {
    let looks = IN_VAIN.get();
    // Less than 0 is without end.
    let timeout_ms = if timeout_ms == 0 && looks >= LOOKS_IN_VAIN {
        #[cfg(test)]
        PROLONGED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        SHORTEST_MS
    } else {
        timeout_ms
    };
    // SAFETY: the caller's own arguments, but for the time.
    let found = unsafe { __real_rd_kafka_transport_io_serve(transport, queue, timeout_ms) };
    IN_VAIN.set(if timeout_ms == 0 && found == 0 {
        looks + 1
    } else {
        0
    });
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant};

    use wharf_embedded_broker::EmbeddedBroker;
    use wharf_kafka::{ClientKind, Producer, SendError, librdkafka_version, translate};

    use super::PROLONGED;

    #[test]
    fn the_function_is_that_of_the_version_that_is_linked() {
        assert_eq!(
            librdkafka_version(),
            0x020c_01ff,
            "compare rd_kafka_transport_io_serve in rdkafka_transport.h of the new version, and see whether \
             rd_kafka_toppar_producer_serve still asks to be woken before it counts what is in flight"
        );
    }

    #[test]
    fn a_producer_whose_next_batch_is_full_waits_for_the_answer() {
        let broker = EmbeddedBroker::start().unwrap();
        let properties = BTreeMap::from([
            ("bootstrap.servers".to_owned(), broker.bootstrap().to_owned()),
            ("enable.idempotence".to_owned(), "true".to_owned()),
            ("acks".to_owned(), "all".to_owned()),
            ("linger.ms".to_owned(), "0".to_owned()),
        ]);
        let producer = Producer::new(&translate(ClientKind::Producer, &properties).unwrap()).unwrap();
        let topic = producer.topic("waits").unwrap();
        let began = Instant::now();
        let (mut sent, mut reported) = (0, 0);
        while PROLONGED.load(Ordering::Relaxed) == 0 {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "after {reported} of {sent} records"
            );
            match producer.send(&topic, None, None, None, Some(&[b'x'; 1_000]), &[], sent) {
                Ok(_) => sent += 1,
                Err(SendError::QueueFull) => {
                    producer.poll_acks(Duration::from_millis(10), |_| reported += 1);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(producer.flush(Duration::from_secs(60), |delivery| {
            assert!(delivery.result.is_ok());
            reported += 1;
        }));
        assert_eq!(reported, sent);
    }
}
