//! The producer of a source task, there only while the task has something to send: a client takes several threads and some
//! hundred kilobytes, and of a thousand sources most wait for something to happen.
//!
//! What must stay true: a client is closed only when nothing that was given to it is outstanding, and topic handles do not
//! outlive it.

use std::time::{Duration, Instant};

use wharf_api::Result;
use wharf_kafka::{Delivery, KafkaError, Producer, Translated};

use super::record_sender::kafka_error;

/// A client that was not used for this long is closed; the next record opens another one.
const IDLE: Duration = Duration::from_secs(30);

/// How long a new client may take to find a broker before the task goes on; it sends when it has found one.
const BROKERS: Duration = Duration::from_millis(300);

/// When a client is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Always: it holds a transactional id.
    Open,
    /// While it is used.
    WhileUsed,
}

/// The producer.
pub(crate) struct TaskProducer {
    properties: Translated,
    client: Option<Producer>,
    keeping: Keeping,
    last_used: Instant,
}

impl TaskProducer {
    /// A producer with these properties. Where making the client can fail by what the properties name, such as files with
    /// certificates, it is made at once, so that the task fails when it starts and not with its first record.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn new(properties: Translated, keeping: Keeping) -> Result<Self> {
        let is_plain = properties
            .librdkafka
            .get("security.protocol")
            .is_none_or(|protocol| protocol.eq_ignore_ascii_case("plaintext"));
        let mut producer = Self {
            properties,
            client: None,
            keeping,
            last_used: Instant::now(),
        };
        if keeping == Keeping::Open || !is_plain {
            producer.open()?;
        }
        Ok(producer)
    }

    /// The client, made if need be.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(&mut self) -> Result<&Producer> {
        self.last_used = Instant::now();
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let client = Producer::new(&self.properties).map_err(|error| kafka_error(&error))?;
                client.await_brokers(BROKERS);
                client
            }
        };
        Ok(self.client.insert(client))
    }

    /// The client, if it is there.
    pub(crate) fn client(&self) -> Option<&Producer> {
        self.client.as_ref()
    }

    /// Closes a client that was not used for a while; the topic handles made by it have to be dropped before. Says whether it is
    /// time for that.
    pub(crate) fn is_idle(&self) -> bool {
        self.keeping == Keeping::WhileUsed
            && self.last_used.elapsed() >= IDLE
            && self.client.as_ref().is_some_and(|client| client.in_flight() == 0)
    }

    /// Closes the client.
    pub(crate) fn close(&mut self) {
        self.client = None;
        wharf_kafka::trim_memory();
    }

    pub(crate) fn queued_bytes(&self) -> u64 {
        self.client.as_ref().map_or(0, Producer::queued_bytes)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.client.as_ref().map_or(0, Producer::in_flight)
    }

    pub(crate) fn take_failure(&self) -> Option<KafkaError> {
        self.client.as_ref()?.take_failure()
    }

    /// Takes reports, waiting at most this long for the first.
    pub(crate) fn poll_acks(&mut self, timeout: Duration, each: impl FnMut(Delivery)) {
        match &self.client {
            Some(client) => {
                if client.poll_acks(timeout, each) > 0 {
                    self.last_used = Instant::now();
                }
            }
            None => std::thread::sleep(timeout),
        }
    }

    /// Sends what is there; `true` when nothing is left within `timeout`.
    pub(crate) fn flush(&self, timeout: Duration, each: impl FnMut(Delivery)) -> bool {
        self.client
            .as_ref()
            .is_none_or(|client| client.flush(timeout, each))
    }

    pub(crate) fn purge(&self) {
        if let Some(client) = &self.client {
            client.purge();
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_kafka::{ClientKind, translate};

    use super::*;

    fn producer(keeping: Keeping, more: &[(&str, &str)]) -> Result<TaskProducer> {
        let base = [("bootstrap.servers", "127.0.0.1:1")];
        let settings = base.iter().chain(more);
        let settings = settings
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        TaskProducer::new(translate(ClientKind::Producer, &settings).unwrap(), keeping)
    }

    #[test]
    fn a_client_is_made_when_it_is_needed_and_closed_only_when_it_may_be() {
        let mut lazy = producer(Keeping::WhileUsed, &[]).unwrap();
        assert!(lazy.client().is_none() && !lazy.is_idle());
        lazy.open().unwrap();
        assert!(lazy.client().is_some() && !lazy.is_idle(), "used a moment ago");
        let long_ago = Instant::now().checked_sub(IDLE);
        // A machine that has just started knows no such time.
        if let Some(long_ago) = long_ago {
            lazy.last_used = long_ago;
            // What the client says of a broker that is not there waits to be taken.
            let give_up = Instant::now() + IDLE;
            while !lazy.is_idle() {
                assert!(Instant::now() < give_up);
                lazy.poll_acks(Duration::from_millis(10), |_| {});
            }
            lazy.close();
            assert!(!lazy.is_idle() && lazy.flush(Duration::ZERO, |_| {}));
            let mut kept = producer(Keeping::Open, &[]).unwrap();
            kept.last_used = long_ago;
            assert!(kept.client().is_some() && !kept.is_idle());
        }
    }

    #[test]
    fn a_secured_client_that_cannot_be_made_fails_at_once() {
        let secured = [("security.protocol", "SSL")];
        assert!(producer(Keeping::WhileUsed, &secured).unwrap().client().is_some());
    }
}
