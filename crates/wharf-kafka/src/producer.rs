//! The producer of source tasks.
//!
//! [`Producer::send`] copies a record into librdkafka's queue and allocates nothing of its own (but for
//! headers); delivery reports wait until the thread that owns the task asks for them by
//! [`Producer::poll_acks`], so offsets can be kept without locks. What must stay true: every accepted
//! record is reported exactly once, delivered or not, with the number it was sent with; records of one
//! partition are delivered in the order sent, as long as the user left at most one request in flight or
//! idempotence on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::native::client::{Client, Queue};
use crate::native::producer::{self as native, Outgoing, Topic};
use crate::properties::{ClientKind, Translated};
use crate::types::TopicMetadata;
use crate::{ErrorCode, KafkaError};

/// How long one step of a flush waits, so that reports are taken while it goes on.
const FLUSH_STEP: Duration = Duration::from_millis(20);

/// A topic to send to; make it once per topic and keep it.
#[derive(Clone)]
pub struct TopicHandle {
    name: Arc<str>,
    topic: Arc<Topic>,
}

impl TopicHandle {
    /// Name of the topic.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a record was not accepted. It will not be reported by [`Producer::poll_acks`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// `buffer.memory` is used up: call [`Producer::poll_acks`] and send the same record again.
    #[error("the producer's buffer is full")]
    QueueFull,
    /// The record can not be sent, now or later.
    #[error(transparent)]
    Failed(#[from] KafkaError),
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The number given to [`Producer::send`].
    pub opaque: u64,
    /// Success, or why the record was given up; see [`KafkaError::is_retriable`] and [`KafkaError::java_class`].
    pub result: Result<(), KafkaError>,
    /// The partition chosen; −1 when none was.
    pub partition: i32,
    /// The record's offset; −1 when unknown (`acks=0`, failure).
    pub offset: i64,
    /// The record's timestamp in milliseconds since 1970; −1 when unknown.
    pub timestamp: i64,
    /// The record, when it was not delivered.
    pub undelivered: Option<Box<Undelivered>>,
}

/// A copy of a record that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undelivered {
    /// The topic it was for.
    pub topic: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A producer. Sharing it between threads is sound; reports then go to whichever polls first.
pub struct Producer {
    // Before `client`: a queue must be given back while its client lives.
    queue: Queue,
    pub(crate) client: Arc<Client>,
    queued_bytes: AtomicU64,
    /// The whole of `buffer.memory`.
    buffer_bytes: u64,
    /// Idempotent and without transactions: it asks for its id by itself.
    asks_for_id: bool,
}

fn failed(topic: &TopicHandle, code: i32, detail: String) -> SendError {
    let operation = format!("sending to topic {}", topic.name);
    SendError::Failed(KafkaError::operation(operation, code, detail))
}

impl Producer {
    /// Makes a producer; no broker is contacted yet.
    pub fn new(properties: &Translated) -> Result<Self, KafkaError> {
        let client = Arc::new(Client::new(ClientKind::Producer, &properties.librdkafka)?);
        let queue = native::main_queue(&client);
        let is = |key: &str| properties.librdkafka.get(key).map(String::as_str);
        let buffer_kbytes = is("queue.buffering.max.kbytes");
        let buffer_bytes = buffer_kbytes
            .and_then(|count| count.parse().ok())
            .map(|count: u64| count * 1024);
        Ok(Self {
            queue,
            client,
            queued_bytes: AtomicU64::new(0),
            buffer_bytes: buffer_bytes.unwrap_or(u64::MAX),
            asks_for_id: is("enable.idempotence") == Some("true") && is("transactional.id").is_none(),
        })
    }

    /// Waits, at most so long, until an idempotent producer can ask for the id that it needs to send; others are not waited for.
    ///
    /// librdkafka asks for it when it has heard of the cluster. It hears of it by an address of `bootstrap.servers`, whose
    /// connection it then gives up: at that moment it has no other one to ask by, and looks again after half a second. A
    /// second answer comes by a connection that stays. Without this call nothing is wrong, but the first record is late.
    pub fn await_brokers(&self, timeout: Duration) {
        if !self.asks_for_id {
            return;
        }
        let began = Instant::now();
        for _ in 0..2 {
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() || !self.client.ask_for_brokers(left) {
                return;
            }
        }
    }

    /// The handle by which records are sent to `name`.
    pub fn topic(&self, name: &str) -> Result<TopicHandle, KafkaError> {
        Ok(TopicHandle {
            name: name.into(),
            topic: Arc::new(Topic::new(&self.client, name)?),
        })
    }

    /// Puts one record into the queue.
    ///
    /// Without `partition` the Java clients' rule chooses: murmur2 of the key, or for a record without key a
    /// partition that changes now and then. Without `timestamp` (or with 0, which librdkafka cannot tell from none)
    /// the time of the call is taken. `opaque` comes back in the record's [`Delivery`].
    #[expect(
        clippy::too_many_arguments,
        reason = "one record, taken apart so that nothing is built per record"
    )]
    pub fn send(
        &self,
        topic: &TopicHandle,
        partition: Option<i32>,
        timestamp: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
        opaque: u64,
    ) -> Result<(), SendError> {
        let record = Outgoing {
            partition,
            timestamp,
            key,
            value,
            headers,
            opaque,
        };
        let size = (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        // librdkafka would say that the queue is full, and say so for ever.
        if size > self.buffer_bytes {
            return Err(self.too_large(topic, size));
        }
        // Counted before the call: the report may be there before the call returns.
        self.queued_bytes.fetch_add(size, Ordering::Relaxed);
        native::produce(&self.client, &topic.topic, &record).map_err(|code| {
            self.queued_bytes.fetch_sub(size, Ordering::Relaxed);
            self.refusal(topic, code, size)
        })
    }

    #[cold]
    fn too_large(&self, topic: &TopicHandle, size: u64) -> SendError {
        let buffer = self.buffer_bytes;
        let detail = format!(
            "the record of {size} bytes is larger than the whole buffer of the producer, which has {buffer} bytes; raise \
             buffer.memory, and wharf.task.memory.max.bytes, of which a task's buffers are parts"
        );
        failed(topic, ErrorCode::MESSAGE_TOO_LARGE.0, detail)
    }

    #[cold]
    fn refusal(&self, topic: &TopicHandle, code: i32, size: u64) -> SendError {
        if ErrorCode(code) == ErrorCode::QUEUE_FULL {
            return SendError::QueueFull;
        }
        let detail = match ErrorCode(code) {
            ErrorCode::MESSAGE_TOO_LARGE => format!(
                "the record of {size} bytes is larger than max.request.size allows; raise max.request.size"
            ),
            ErrorCode::FATAL => "the producer can no longer be used".to_owned(),
            code => format!("the client library refused the record with {code:?}"),
        };
        failed(topic, code, detail)
    }

    /// Reports what became of records, waiting at most `timeout` for the first report; returns how many.
    pub fn poll_acks(&self, timeout: Duration, mut each: impl FnMut(Delivery)) -> usize {
        let (mut count, mut wait) = (0, timeout);
        while let Some(event) = self.queue.poll(wait) {
            self.client.note_error_event(&event);
            let mut bytes = 0;
            let reported = native::reports(&event, |report, explain| {
                bytes += report.size as u64;
                let mut undelivered = None;
                let result = match report.code {
                    0 => Ok(()),
                    code => {
                        let (detail, record) = explain();
                        let operation = format!("sending to topic {}", record.topic);
                        undelivered = Some(Box::new(record));
                        Err(KafkaError::operation(operation, code, detail))
                    }
                };
                each(Delivery {
                    opaque: report.opaque,
                    result,
                    partition: report.partition,
                    offset: report.offset,
                    timestamp: report.timestamp,
                    undelivered,
                });
            });
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            count += reported;
            wait = Duration::ZERO;
        }
        count
    }

    /// Sends everything without waiting for `linger.ms` and reports it; `true` when nothing is left within `timeout`.
    pub fn flush(&self, timeout: Duration, mut each: impl FnMut(Delivery)) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            self.poll_acks(Duration::ZERO, &mut each);
            let left = deadline.saturating_duration_since(Instant::now());
            if self.in_flight() == 0 || left.is_zero() {
                return self.in_flight() == 0;
            }
            native::flush(&self.client, left.min(FLUSH_STEP));
        }
    }

    /// Gives up every record that is not delivered yet; each is still reported, as
    /// [`ErrorCode::PURGED_QUEUED`] or [`ErrorCode::PURGED_IN_FLIGHT`].
    pub fn purge(&self) {
        native::purge(&self.client);
    }

    /// Records accepted but not reported yet.
    pub fn in_flight(&self) -> usize {
        native::outstanding(&self.client)
    }

    /// Bytes of keys and values of these records.
    pub fn queued_bytes(&self) -> u64 {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    /// Takes the failure that ends this producer (refused authentication, TLS, fencing), if one came up.
    /// Failures are noticed by [`Producer::poll_acks`].
    pub fn take_failure(&self) -> Option<KafkaError> {
        self.client.take_failure()
    }

    /// All topics of the cluster.
    pub fn list_topics(&self, timeout: Duration) -> Result<Vec<TopicMetadata>, KafkaError> {
        self.client.topics(timeout)
    }
}
