//! A run of a replay: sends letters, and keeps in Kafka how far that is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wharf_kafka::{Delivery, KafkaError, PartitionOffset, Producer, SendError, TopicHandle};

use super::DeadLetterError;
use super::letter::DeadLetter;
use super::plan::{Decision, Target, headers_to_send};
use super::progress::{Progress, RunNote};
use super::queue::{DeadLetterTopic, Offsets, REQUEST, TICK, Watch, is_at, patiently};
use super::replay::Replay;

/// How often progress is written.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// For what is on its way when a run ends.
const FLUSH: Duration = Duration::from_secs(30);

/// What a group holds for the topic: by partition the offset, and the text beside it.
pub(super) fn committed(
    queue: &DeadLetterTopic,
    group: &str,
) -> Result<BTreeMap<i32, (i64, String)>, DeadLetterError> {
    let committed = patiently(|| queue.admin.group_offsets_with_metadata(group, REQUEST))?;
    Ok(committed
        .into_iter()
        .filter(|(at, _)| *at.partition.topic == *queue.name)
        .map(|(at, text)| (at.partition.partition, (at.offset, text)))
        .collect())
}

/// A run that has begun.
pub(super) struct Run<'r> {
    replay: &'r Replay<'r>,
    producer: Producer,
    topics: HashMap<String, TopicHandle>,
    progress: Progress,
    /// Letters on their way by the numbers that they were sent with.
    on_their_way: HashMap<u64, (i32, i64, String)>,
    number: u64,
    acknowledged: u64,
    /// The first letter that was not taken.
    failed: Option<DeadLetterError>,
    id: String,
    committed_at: Option<Instant>,
    /// When the next letter may be sent.
    due: Instant,
}

impl<'r> Run<'r> {
    pub(super) fn new(replay: &'r Replay<'r>) -> Result<Self, DeadLetterError> {
        // Two runs on one machine at one time are two processes.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            replay,
            producer: Producer::new(&replay.queue.producer)?,
            topics: HashMap::new(),
            progress: Progress::new(replay.starts.iter().map(|(partition, at)| (*partition, *at))),
            on_their_way: HashMap::new(),
            number: 0,
            acknowledged: 0,
            failed: None,
            id: format!("{:x}-{:x}", now.as_nanos(), std::process::id()),
            committed_at: None,
            due: Instant::now(),
        })
    }

    /// Sends, and writes progress when it begins, now and then, and when it ends, however it ends. Says how many letters Kafka has
    /// taken, and whether all were looked at.
    pub(super) fn carry_out(
        mut self,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(u64, bool), DeadLetterError> {
        self.commit()?;
        let ended = self.send_all(stop, tell);
        let flushed = self.flush();
        // What arrived is noted even when something else did not, unless the progress is another run's now.
        let noted = match &ended {
            Err(DeadLetterError::TakenOver) => Ok(()),
            _ => self.commit(),
        };
        let is_complete = ended?;
        flushed?;
        noted?;
        Ok((self.acknowledged, is_complete))
    }

    /// Reads and sends until the end, or until it is told to stop; says whether it was the end.
    fn send_all(&mut self, stop: &AtomicBool, tell: &mut dyn FnMut(u64)) -> Result<bool, DeadLetterError> {
        let Replay {
            queue, starts, ends, ..
        } = self.replay;
        let starts: Offsets = starts
            .iter()
            .filter(|(partition, start)| ends.get(partition).is_some_and(|end| *start < end))
            .map(|(partition, start)| (*partition, *start))
            .collect();
        let mut reader = queue.reader(&starts)?;
        let mut waiting: VecDeque<DeadLetter> = VecDeque::new();
        let mut watch = Watch::new();
        loop {
            while let Some(letter) = waiting.pop_front() {
                if stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                if !self.take(&letter, stop)? {
                    return Ok(false);
                }
                self.look_after(tell)?;
            }
            for (partition, end) in ends {
                self.progress
                    .reached(*partition, reader.position(*partition).min(*end));
            }
            if is_at(&reader, &starts, ends) {
                return Ok(true);
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let count = reader.poll(TICK, |message| {
                if ends
                    .get(&message.partition())
                    .is_some_and(|end| message.offset() < *end)
                {
                    waiting.push_back(DeadLetter::of(&message));
                }
            })?;
            watch.look(&queue.name, count)?;
            self.look_after(tell)?;
        }
    }

    /// Sends a letter if it is meant; `false` when the run is to stop before it could.
    fn take(&mut self, letter: &DeadLetter, stop: &AtomicBool) -> Result<bool, DeadLetterError> {
        let Decision::Send(target) = self.replay.request.decide(letter) else {
            self.progress.reached(letter.partition, letter.offset + 1);
            return Ok(true);
        };
        if let Some(rate) = self.replay.request.rate {
            while Instant::now() < self.due {
                if stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                let left = self.due.saturating_duration_since(Instant::now());
                self.poll(left.min(TICK));
                self.look_after(&mut |_| {})?;
            }
            // A pause of Kafka is not made up for by a burst.
            self.due = self.due.max(Instant::now()) + Duration::from_secs_f64(1.0 / rate);
        }
        let headers = headers_to_send(letter);
        let headers: Vec<(&str, Option<&[u8]>)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let not_sent = |reason: KafkaError| DeadLetterError::NotSent {
            partition: letter.partition,
            offset: letter.offset,
            topic: target.topic.clone(),
            reason,
        };
        let handle = self.handle(&target)?;
        self.number += 1;
        self.on_their_way.insert(
            self.number,
            (letter.partition, letter.offset, target.topic.clone()),
        );
        self.progress.sent(letter.partition, letter.offset);
        loop {
            let (key, value) = (letter.key.as_deref(), letter.value.as_deref());
            let sent = self.producer.send(
                &handle,
                target.partition,
                letter.timestamp,
                key,
                value,
                &headers,
                self.number,
            );
            match sent {
                Ok(()) => return Ok(true),
                Err(SendError::QueueFull) => {
                    self.poll(TICK);
                    self.look_after(&mut |_| {})?;
                    if stop.load(Ordering::Relaxed) {
                        self.on_their_way.remove(&self.number);
                        return Ok(false);
                    }
                }
                Err(SendError::Failed(reason)) => return Err(not_sent(reason)),
                Err(other) => return Err(DeadLetterError::Worker(other.to_string())),
            }
        }
    }

    fn handle(&mut self, target: &Target) -> Result<TopicHandle, DeadLetterError> {
        if let Some(handle) = self.topics.get(&target.topic) {
            return Ok(handle.clone());
        }
        let handle = self.producer.topic(&target.topic)?;
        self.topics.insert(target.topic.clone(), handle.clone());
        Ok(handle)
    }

    /// Takes acknowledgements, waiting at most this long for the first.
    fn poll(&mut self, wait: Duration) {
        let Self {
            producer,
            progress,
            on_their_way,
            acknowledged,
            failed,
            ..
        } = self;
        producer.poll_acks(wait, |delivery: Delivery| {
            let Some((partition, offset, topic)) = on_their_way.remove(&delivery.opaque) else {
                return;
            };
            match delivery.result {
                Ok(()) => {
                    *acknowledged += 1;
                    progress.acknowledged(partition, offset);
                }
                Err(reason) => {
                    failed.get_or_insert(DeadLetterError::NotSent {
                        partition,
                        offset,
                        topic,
                        reason,
                    });
                }
            }
        });
        if let Some(reason) = producer.take_failure() {
            failed.get_or_insert(reason.into());
        }
    }

    /// Takes acknowledgements and writes progress when it is time to.
    fn look_after(&mut self, tell: &mut dyn FnMut(u64)) -> Result<(), DeadLetterError> {
        self.poll(Duration::ZERO);
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        if self.committed_at.is_none_or(|at| at.elapsed() >= COMMIT_EVERY) {
            self.commit()?;
            tell(self.acknowledged);
        }
        Ok(())
    }

    /// Waits for what is on its way.
    fn flush(&mut self) -> Result<(), DeadLetterError> {
        let deadline = Instant::now() + FLUSH;
        while !self.on_their_way.is_empty() && self.failed.is_none() && Instant::now() < deadline {
            self.poll(TICK);
        }
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => Ok(()),
        }
    }

    /// Writes how far it is, unless another run has begun since the last time.
    fn commit(&mut self) -> Result<(), DeadLetterError> {
        let Replay {
            queue,
            plan,
            request,
            ends,
            ..
        } = self.replay;
        if self.committed_at.is_some() {
            let known = committed(queue, &plan.group)?;
            let is_own =
                |text: &String| serde_json::from_str::<RunNote>(text).is_ok_and(|note| note.run == self.id);
            if !known.values().all(|(_, text)| is_own(text)) {
                return Err(DeadLetterError::TakenOver);
            }
        }
        let note = |end: i64| RunNote {
            replay: plan.replay.clone(),
            run: self.id.clone(),
            since: request.selection.since,
            until: request.selection.until,
            end,
        };
        let mut offsets = Vec::new();
        for (partition, done) in self.progress.done() {
            let end = ends.get(&partition).copied().unwrap_or(done);
            let text = serde_json::to_string(&note(end))
                .map_err(|error| DeadLetterError::Worker(error.to_string()))?;
            offsets.push((PartitionOffset::new(queue.name.as_str(), partition, done), text));
        }
        patiently(|| {
            let admin = &queue.admin;
            admin.alter_group_offsets_with_metadata(&plan.group, &offsets, REQUEST)
        })?;
        self.committed_at = Some(Instant::now());
        Ok(())
    }
}
