//! The thread that brings statuses into the status topic.
//!
//! The producer sends each once; what fails for a reason that passes is sent again from here, for as long as it is still
//! worth saying. What must stay true: of two statuses of one connector or task the one put later is never overtaken by the
//! other; a flush is answered when everything put before it is in the topic or was given up.

use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wharf_cluster::status_state::{PendingWrite, StatusState};
use wharf_kafka::{KafkaError, LogRecord, TopicLog};

use crate::sync::lock;

/// For one attempt; what is not acknowledged by then is looked at again before it is sent again.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Between two attempts.
const RETRY: Duration = Duration::from_millis(250);
/// Records of one attempt at most.
const TOGETHER: usize = 1000;

/// Where statuses are written to.
pub(super) trait StatusLog: Send {
    /// Name of the topic.
    fn name(&self) -> &str;

    /// Writes records once and says what became of each.
    fn write_each(&self, records: &[LogRecord], timeout: Duration) -> Vec<Result<(), KafkaError>>;
}

impl StatusLog for Arc<TopicLog> {
    fn name(&self) -> &str {
        TopicLog::name(self)
    }

    fn write_each(&self, records: &[LogRecord], timeout: Duration) -> Vec<Result<(), KafkaError>> {
        TopicLog::write_each(self, records, timeout)
    }
}

/// What the thread is told.
pub(super) enum Order {
    /// Write this.
    Write(PendingWrite),
    /// Answer when everything before is done.
    Flush(Sender<()>),
    /// Do not wait before the next attempt.
    Hurry,
    /// End.
    Stop,
}

struct Queued {
    number: u64,
    write: PendingWrite,
    /// Whether it was sent before.
    failed: bool,
}

pub(super) struct StatusWriter<L> {
    log: L,
    state: Arc<Mutex<StatusState>>,
    queue: VecDeque<Queued>,
    /// Numbers of writes up to which somebody waits.
    flushes: Vec<(u64, Sender<()>)>,
    next: u64,
    is_in_trouble: bool,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    /// Without waiting.
    Now,
    Out,
}

impl<L: StatusLog> StatusWriter<L> {
    pub(super) fn new(log: L, state: Arc<Mutex<StatusState>>) -> Self {
        Self {
            log,
            state,
            queue: VecDeque::new(),
            flushes: Vec::new(),
            next: 0,
            is_in_trouble: false,
        }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            self.answer_flushes();
            if self.queue.is_empty() {
                match inbox.recv().map(|order| self.take(order)) {
                    Ok(Go::Out) | Err(_) => return,
                    Ok(_) => {}
                }
            }
            loop {
                match inbox.try_recv().map(|order| self.take(order)) {
                    Ok(Go::Out) | Err(TryRecvError::Disconnected) => return,
                    Ok(_) => {}
                    Err(TryRecvError::Empty) => break,
                }
            }
            if self.attempt() > 0 && self.wait(inbox) == Go::Out {
                return;
            }
        }
    }

    fn take(&mut self, order: Order) -> Go {
        match order {
            Order::Write(write) => {
                self.queue.push_back(Queued {
                    number: self.next,
                    write,
                    failed: false,
                });
                self.next += 1;
                Go::On
            }
            Order::Flush(answer) => {
                self.flushes.push((self.next, answer));
                Go::Now
            }
            Order::Hurry => Go::Now,
            Order::Stop => Go::Out,
        }
    }

    /// Answers those whose writes are no longer in the queue.
    fn answer_flushes(&mut self) {
        let first = self.queue.front().map_or(u64::MAX, |queued| queued.number);
        self.flushes.retain(|(until, answer)| {
            let is_done = first >= *until;
            if is_done {
                // The one who asked may have given up.
                let _ = answer.send(());
            }
            !is_done
        });
    }

    /// Sends what is in the queue once. Says how many have to be sent again.
    fn attempt(&mut self) -> usize {
        self.drop_what_is_outdated();
        let count = self.queue.len().min(TOGETHER);
        let sent: Vec<Queued> = self.queue.drain(..count).collect();
        let records: Vec<LogRecord> = sent
            .iter()
            .map(|queued| LogRecord {
                key: queued.write.record.key.clone().into_bytes(),
                value: queued.write.record.value.clone(),
            })
            .collect();
        let outcomes = if records.is_empty() {
            Vec::new()
        } else {
            self.log.write_each(&records, ATTEMPT)
        };
        let mut again = Vec::new();
        for (mut queued, outcome) in sent.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.is_in_trouble = false,
                Err(error) if error.is_retriable() => {
                    if !std::mem::replace(&mut self.is_in_trouble, true) {
                        tracing::warn!(
                            "statuses cannot be written to topic {} and are sent again until they can: {error}",
                            self.log.name()
                        );
                    }
                    queued.failed = true;
                    again.push(queued);
                }
                Err(error) => tracing::error!(
                    "status `{}` cannot be written to topic {}: {error}",
                    queued.write.record.key,
                    self.log.name()
                ),
            }
        }
        let count = again.len();
        again
            .into_iter()
            .rev()
            .for_each(|queued| self.queue.push_front(queued));
        count
    }

    /// Of what failed before, only what is still worth saying is sent again.
    fn drop_what_is_outdated(&mut self) {
        if !self.queue.iter().any(|queued| queued.failed) {
            return;
        }
        let state = lock(&self.state);
        let mut later = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.queue.len());
        for queued in std::mem::take(&mut self.queue).into_iter().rev() {
            let is_last = later.insert(queued.write.record.key.clone());
            if !queued.failed || (is_last && state.should_retry(&queued.write)) {
                kept.push_front(queued);
            }
        }
        self.queue = kept;
    }

    /// Waits before the next attempt.
    fn wait(&mut self, inbox: &Receiver<Order>) -> Go {
        let until = Instant::now() + RETRY;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(left) {
                Ok(order) => match self.take(order) {
                    Go::On => {}
                    go => return go,
                },
                Err(RecvTimeoutError::Timeout) => return Go::On,
                Err(RecvTimeoutError::Disconnected) => return Go::Out,
            }
        }
    }
}

#[cfg(test)]
#[path = "status_writer_tests.rs"]
mod tests;
