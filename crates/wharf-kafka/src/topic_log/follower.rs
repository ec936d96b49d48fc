//! The thread that reads a log and says when its end was reached.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use super::{End, LogError, REQUEST, RETRY, ReadPositions, Request, TICK};
use crate::{Admin, ErrorCode, KafkaError, MessageRef, OffsetSpec, Reader, TopicPartition};

/// What takes longer to be read to its end is worth a word.
const LONG: Duration = Duration::from_secs(10);

/// Somebody who waits for the end of the topic.
pub(super) struct Waiting {
    answer: Sender<Result<(), LogError>>,
    end: End,
    /// Ends of the partitions; `None` until the brokers have said them.
    ends: Option<Vec<i64>>,
    /// When it is said that it takes long.
    warn_at: Option<Instant>,
}

/// The thread that reads.
pub(super) struct Follower<F> {
    pub(super) reader: Reader,
    pub(super) partitions: i32,
    pub(super) admin: Arc<Admin>,
    pub(super) each: F,
    pub(super) waiting: Vec<Waiting>,
    /// When the brokers may be asked for the ends again, after they did not say them.
    pub(super) ask_again: Option<Instant>,
    /// What is told of the reader's positions.
    pub(super) positions: ReadPositions,
    /// Until then a broker may not know the topic yet, which may have been created a moment ago.
    pub(super) new_until: Instant,
}

impl<F: FnMut(MessageRef<'_>)> Follower<F> {
    pub(super) fn run(mut self, inbox: &Receiver<Request>) {
        loop {
            loop {
                match inbox.try_recv() {
                    Ok(Request::ReadToEnd(answer, end)) => self.waiting.push(Waiting {
                        answer,
                        end,
                        ends: None,
                        warn_at: Some(Instant::now() + LONG),
                    }),
                    Ok(Request::Stop) | Err(TryRecvError::Disconnected) => {
                        return self.answer_all(&LogError::Closed(self.reader.topic().to_owned()));
                    }
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.ask_for_ends();
            // Mostly there is nothing to wait for.
            self.answer_those_at_the_end();
            match self.reader.poll(TICK, &mut self.each) {
                Ok(_) => {}
                // The client asks again by itself.
                Err(error) if self.is_not_known_yet(&error) => {
                    tracing::warn!(
                        "topic {} is not known to all brokers yet: {error}",
                        self.reader.topic()
                    );
                }
                Err(error) => {
                    tracing::error!("topic {} cannot be read: {error}", self.reader.topic());
                    self.answer_all(&error.into());
                    // What passes is tried again by the client itself; what does not is tried again slowly.
                    std::thread::sleep(RETRY);
                }
            }
            self.positions.note(|partition| self.reader.position(partition));
            self.answer_those_at_the_end();
        }
    }

    fn is_not_known_yet(&self, error: &KafkaError) -> bool {
        error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) && Instant::now() < self.new_until
    }

    /// One request serves all who came since the last one.
    fn ask_for_ends(&mut self) {
        let is_too_early = self.ask_again.is_some_and(|at| Instant::now() < at);
        if is_too_early || self.waiting.iter().all(|waiting| waiting.ends.is_some()) {
            return;
        }
        let specs: Vec<_> = (0..self.partitions)
            .map(|partition| {
                (
                    TopicPartition::new(self.reader.topic(), partition),
                    OffsetSpec::Latest,
                )
            })
            .collect();
        for end in [End::Written, End::Committed] {
            self.ask_for(end, &specs);
        }
    }

    fn ask_for(&mut self, end: End, specs: &[(TopicPartition, OffsetSpec)]) {
        let is_asked_for = |waiting: &Waiting| waiting.ends.is_none() && waiting.end == end;
        if !self.waiting.iter().any(is_asked_for) {
            return;
        }
        match self.admin.list_offsets(specs, end == End::Committed, REQUEST) {
            Ok(found) => {
                self.ask_again = None;
                let ends: Vec<i64> = (0..self.partitions)
                    .map(|partition| {
                        found
                            .iter()
                            .find(|end| end.partition.partition == partition)
                            .map_or(0, |end| end.offset)
                    })
                    .collect();
                for waiting in self.waiting.iter_mut().filter(|waiting| is_asked_for(waiting)) {
                    waiting.ends = Some(ends.clone());
                }
            }
            Err(error) if error.is_retriable() => {
                if self.ask_again.replace(Instant::now() + RETRY).is_none() {
                    tracing::warn!(
                        "the end of topic {} is not known yet and is asked for again: {error}",
                        self.reader.topic()
                    );
                }
            }
            Err(error) => self.answer_all(&error.into()),
        }
    }

    fn answer_those_at_the_end(&mut self) {
        let reader = &self.reader;
        self.waiting.retain_mut(|waiting| {
            let Some(ends) = &waiting.ends else { return true };
            let reached = (0..)
                .zip(ends)
                .all(|(partition, end)| reader.position(partition) >= *end);
            if reached {
                // The one who asked may have given up.
                let _ = waiting.answer.send(Ok(()));
            } else if let Some(at) = waiting.warn_at
                && Instant::now() >= at
            {
                waiting.warn_at = None;
                warn_of_wait(reader, ends);
            }
            !reached
        });
    }

    fn answer_all(&mut self, error: &LogError) {
        for waiting in self.waiting.drain(..) {
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}

fn warn_of_wait(reader: &Reader, ends: &[i64]) {
    let missing: Vec<String> = (0..)
        .zip(ends)
        .filter(|(partition, end)| reader.position(*partition) < **end)
        .map(|(partition, end)| {
            let position = reader.position(partition);
            format!("partition {partition} is read to offset {position} of {end}")
        })
        .collect();
    tracing::warn!(
        "topic {} is not read to its end after {} s: {}; a transaction that is open there is waited for, \
         kafka-transactions.sh find-hanging tells whether one was left behind",
        reader.topic(),
        LONG.as_secs(),
        missing.join(", ")
    );
}
