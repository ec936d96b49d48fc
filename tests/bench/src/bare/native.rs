//! The calls into librdkafka that the bare loops make: as few as the library allows.
//!
//! Apart from `wharf_kafka`, which is part of what is measured. Invariants: a client outlives its queue, its topic and its
//! messages; every message that librdkafka hands over is given back once; every delivery report is looked at.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, bail};
use rdkafka::bindings as ffi;

/// Messages taken from the library at once.
const BATCH: usize = 1024;

/// librdkafka's code for a queue that is full.
const QUEUE_FULL: i32 = -184;

/// librdkafka's words for a code.
fn words(code: i32) -> String {
    // SAFETY: librdkafka describes each of its codes; the codes here come from it as this enum.
    unsafe {
        let mut descriptions = ptr::null();
        let mut count = 0;
        ffi::rd_kafka_get_err_descs(&raw mut descriptions, &raw mut count);
        for index in 0..count {
            let description = descriptions.add(index);
            if (&raw const (*description).code).cast::<i32>().read() == code && !(*description).desc.is_null()
            {
                return CStr::from_ptr((*description).desc).to_string_lossy().into_owned();
            }
        }
    }
    format!("librdkafka's code {code}")
}

/// An owned client with the queue that its reports or messages arrive on.
struct Client {
    raw: NonNull<ffi::rd_kafka_t>,
    queue: NonNull<ffi::rd_kafka_queue_t>,
}

impl Client {
    fn new(
        kind: ffi::rd_kafka_type_t,
        settings: &BTreeMap<String, String>,
        events: i32,
        queue: unsafe extern "C" fn(*mut ffi::rd_kafka_t) -> *mut ffi::rd_kafka_queue_t,
    ) -> Result<Self> {
        let mut reason = [0 as c_char; 512];
        // SAFETY: `conf` is ours until `rd_kafka_new` succeeds; keys and values are terminated and copied; librdkafka
        // terminates `reason`.
        unsafe {
            let conf = ffi::rd_kafka_conf_new();
            for (key, value) in settings {
                let (c_key, c_value) = (CString::new(key.as_str())?, CString::new(value.as_str())?);
                let set = ffi::rd_kafka_conf_set(
                    conf,
                    c_key.as_ptr(),
                    c_value.as_ptr(),
                    reason.as_mut_ptr(),
                    reason.len(),
                );
                if set != ffi::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    ffi::rd_kafka_conf_destroy(conf);
                    bail!("{key}: {}", CStr::from_ptr(reason.as_ptr()).to_string_lossy());
                }
            }
            ffi::rd_kafka_conf_set_events(conf, events);
            let raw = ffi::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
            let Some(raw) = NonNull::new(raw) else {
                ffi::rd_kafka_conf_destroy(conf);
                bail!("{}", CStr::from_ptr(reason.as_ptr()).to_string_lossy());
            };
            let queue = NonNull::new(queue(raw.as_ptr())).context("the client has no queue")?;
            Ok(Self { raw, queue })
        }
    }

    /// Asks which brokers there are, for at most so long.
    fn ask_for_brokers(&self) {
        const PATIENCE_MS: i32 = 300;
        let mut found: *const ffi::rd_kafka_metadata = ptr::null();
        // SAFETY: the client lives; what was found is ours and given back once.
        unsafe {
            ffi::rd_kafka_metadata(self.raw.as_ptr(), 0, ptr::null_mut(), &raw mut found, PATIENCE_MS);
            if !found.is_null() {
                ffi::rd_kafka_metadata_destroy(found);
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: both are ours and given back once, the queue first.
        unsafe {
            ffi::rd_kafka_queue_destroy(self.queue.as_ptr());
            ffi::rd_kafka_destroy(self.raw.as_ptr());
        }
    }
}

/// An owned topic; declared before its client where both are fields, so that it goes first.
struct Topic(NonNull<ffi::rd_kafka_topic_t>);

impl Topic {
    fn new(client: &Client, name: &str) -> Result<Self> {
        let name = CString::new(name)?;
        // SAFETY: the client lives; the name is terminated and copied.
        let raw = unsafe { ffi::rd_kafka_topic_new(client.raw.as_ptr(), name.as_ptr(), ptr::null_mut()) };
        Ok(Self(NonNull::new(raw).context("the topic cannot be used")?))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: ours, given back once, while the client lives.
        unsafe { ffi::rd_kafka_topic_destroy(self.0.as_ptr()) };
    }
}

/// Sends to one topic.
pub(crate) struct Producer {
    topic: Topic,
    client: Client,
    /// Records that Kafka acknowledged.
    pub(crate) delivered: u64,
    /// Records that were given up, and why the first was.
    pub(crate) failed: u64,
    first_failure: i32,
}

impl Producer {
    /// A producer with librdkafka's settings.
    pub(crate) fn new(settings: &BTreeMap<String, String>, topic: &str) -> Result<Self> {
        let client = Client::new(
            ffi::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            settings,
            ffi::RD_KAFKA_EVENT_DR,
            ffi::rd_kafka_queue_get_main,
        )?;
        // As the worker does, so that an idempotent producer has its id before half a second is over.
        for _ in 0..2 {
            client.ask_for_brokers();
        }
        Ok(Self {
            topic: Topic::new(&client, topic)?,
            client,
            delivered: 0,
            failed: 0,
            first_failure: 0,
        })
    }

    /// Queues a copy of this value for a partition that the library chooses; `false` when the queue is full.
    pub(crate) fn send(&self, value: &[u8]) -> Result<bool> {
        self.send_to(-1, value)
    }

    /// The same for this partition.
    pub(crate) fn send_to(&self, partition: i32, value: &[u8]) -> Result<bool> {
        // SAFETY: the topic lives; with the copy flag the value is only read, and only during the call.
        let refused = unsafe {
            ffi::rd_kafka_produce(
                self.topic.0.as_ptr(),
                partition,
                ffi::RD_KAFKA_MSG_F_COPY,
                value.as_ptr().cast_mut().cast(),
                value.len(),
                ptr::null(),
                0,
                ptr::null_mut(),
            )
        };
        if refused == 0 {
            return Ok(true);
        }
        // SAFETY: reads a thread-local of librdkafka.
        match unsafe { ffi::rd_kafka_last_error() } as i32 {
            QUEUE_FULL => Ok(false),
            code => bail!("a record was refused: {}", words(code)),
        }
    }

    /// Takes the delivery reports that are there, waiting at most so long for the first.
    pub(crate) fn take_reports(&mut self, mut wait_ms: i32) {
        loop {
            // SAFETY: the queue lives; the event is ours and destroyed after its last message was looked at. The code is
            // read as an integer, because the enum may not list each one.
            unsafe {
                let event = ffi::rd_kafka_queue_poll(self.client.queue.as_ptr(), wait_ms);
                if event.is_null() {
                    return;
                }
                if ffi::rd_kafka_event_type(event) == ffi::RD_KAFKA_EVENT_DR {
                    while let Some(message) = ffi::rd_kafka_event_message_next(event).as_ref() {
                        match (&raw const message.err).cast::<i32>().read() {
                            0 => self.delivered += 1,
                            code => {
                                if self.failed == 0 {
                                    self.first_failure = code;
                                }
                                self.failed += 1;
                            }
                        }
                    }
                }
                ffi::rd_kafka_event_destroy(event);
            }
            wait_ms = 0;
        }
    }

    /// Sends what is queued without waiting for `linger.ms`, for at most so long; the number that is still not reported.
    pub(crate) fn flush(&mut self, wait_ms: i32) -> i32 {
        // SAFETY: the client lives.
        unsafe {
            ffi::rd_kafka_flush(self.client.raw.as_ptr(), wait_ms);
        }
        self.take_reports(0);
        // SAFETY: as above.
        unsafe { ffi::rd_kafka_outq_len(self.client.raw.as_ptr()) }
    }

    /// Why the first record that failed did.
    pub(crate) fn failure(&self) -> String {
        words(self.first_failure)
    }
}

/// Reads partition 0 of one topic from offset 0, by the library's simple interface: no group.
pub(crate) struct Consumer {
    topic: Topic,
    client: Client,
    messages: Vec<*mut ffi::rd_kafka_message_t>,
}

impl Consumer {
    /// A consumer with librdkafka's settings.
    pub(crate) fn new(settings: &BTreeMap<String, String>, topic: &str) -> Result<Self> {
        let client = Client::new(
            ffi::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            settings,
            0,
            ffi::rd_kafka_queue_new,
        )?;
        let topic = Topic::new(&client, topic)?;
        // Offset 0, not "the beginning": for that the library asks the broker, and asks again only after half a second when
        // it was not connected yet.
        // SAFETY: topic and queue live, until after `rd_kafka_consume_stop`.
        let refused =
            unsafe { ffi::rd_kafka_consume_start_queue(topic.0.as_ptr(), 0, 0, client.queue.as_ptr()) };
        if refused != 0 {
            // SAFETY: reads a thread-local of librdkafka.
            let code = unsafe { ffi::rd_kafka_last_error() } as i32;
            bail!("the partition cannot be read: {}", words(code));
        }
        Ok(Self {
            topic,
            client,
            messages: Vec::with_capacity(BATCH),
        })
    }

    /// Hands over the values of the messages that come within so long; how many there were.
    pub(crate) fn take(
        &mut self,
        wait_ms: i32,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<u64> {
        // SAFETY: the queue lives and the vector has room for a batch; librdkafka says how many pointers it wrote. Each
        // message is read before it is given back, and given back once, whatever `each` answers.
        unsafe {
            let got = ffi::rd_kafka_consume_batch_queue(
                self.client.queue.as_ptr(),
                wait_ms,
                self.messages.as_mut_ptr(),
                BATCH,
            );
            self.messages.set_len(usize::try_from(got).unwrap_or(0));
            let mut outcome = Ok(());
            for raw in &self.messages {
                let message = &**raw;
                let code = (&raw const message.err).cast::<i32>().read();
                if outcome.is_ok() {
                    outcome = match code {
                        0 if message.payload.is_null() => Err(anyhow::anyhow!("a record has no value")),
                        0 => each(std::slice::from_raw_parts(message.payload.cast(), message.len))
                            .map_err(anyhow::Error::from),
                        code => Err(anyhow::anyhow!("reading failed: {}", words(code))),
                    };
                }
                ffi::rd_kafka_message_destroy(*raw);
            }
            let count = self.messages.len() as u64;
            self.messages.clear();
            outcome.map(|()| count)
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // SAFETY: both live; nothing is taken from the queue afterwards.
        unsafe { ffi::rd_kafka_consume_stop(self.topic.0.as_ptr(), 0) };
    }
}
