//! Sends dead letters again, and keeps in Kafka how far that is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use wharf_kafka::{Delivery, KafkaError, OffsetSpec, PartitionOffset, Producer, SendError, TopicHandle};

use super::DeadLetterError;
use super::letter::DeadLetter;
use super::names::{LONGEST_TOPIC, default_group};
use super::plan::{Decision, Destination, ReplayPlan, ReplayRequest, Target, headers_to_send};
use super::progress::{Earlier, Progress, RunNote, earlier};
use super::queue::{DeadLetterTopic, Offsets, REQUEST, TICK, Watch, is_at, patiently};

/// How often progress is written.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// For what is on its way when a run ends.
const FLUSH: Duration = Duration::from_secs(30);
/// Brokers keep no longer text beside an offset by default, and some is needed for the rest of the note.
const LONGEST_IDENTITY: usize = 3_500;

/// A replay that is planned and not begun.
#[derive(Debug)]
pub struct Replay<'q> {
    queue: &'q DeadLetterTopic,
    request: ReplayRequest,
    plan: ReplayPlan,
    starts: Offsets,
    ends: Offsets,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many letters Kafka has taken.
    pub sent: u64,
    /// How many were to be sent.
    pub planned: u64,
    /// Whether it came to its end.
    pub is_complete: bool,
}

impl<'q> Replay<'q> {
    /// Plans a replay: looks for the progress of an earlier run and reads the letters that are left once. Writes nothing.
    ///
    /// # Errors
    /// When the group keeps the progress of something else, or Kafka does not answer.
    pub fn plan(queue: &'q DeadLetterTopic, mut request: ReplayRequest) -> Result<Self, DeadLetterError> {
        let identity = request.identity();
        if identity.len() > LONGEST_IDENTITY {
            return Err(DeadLetterError::TooLong {
                length: identity.len(),
            });
        }
        let group = request
            .group
            .clone()
            .unwrap_or_else(|| default_group(&queue.name, &identity));
        let first = queue.offsets(OffsetSpec::Earliest)?;
        let latest = queue.offsets(OffsetSpec::Latest)?;
        let committed = committed(queue, &group)?;
        let (starts, ends, resumes) = match earlier(&identity, &committed) {
            Earlier::Other(found) => return Err(DeadLetterError::OtherProgress { group, found }),
            Earlier::None => (first.clone(), latest, false),
            Earlier::Complete(mut at) => {
                at.extend(missing(&at, &first));
                (at, latest, false)
            }
            Earlier::Interrupted { since, until, at } => {
                (request.selection.since, request.selection.until) = (since, until);
                let mut starts: Offsets = at.iter().map(|(partition, (at, _))| (*partition, *at)).collect();
                let mut ends: Offsets = at
                    .iter()
                    .map(|(partition, (_, end))| (*partition, *end))
                    .collect();
                starts.extend(missing(&starts, &first));
                ends.extend(missing(&ends, &latest));
                (starts, ends, true)
            }
        };
        let mut plan = ReplayPlan {
            topic: queue.name.clone(),
            replay: identity,
            group,
            resumes,
            ..ReplayPlan::default()
        };
        let deleted: i64 = starts
            .iter()
            .filter(|_| !committed.is_empty())
            .map(|(partition, start)| (first.get(partition).unwrap_or(start) - start).max(0))
            .sum();
        if deleted > 0 {
            plan.warnings.push(format!(
                "{deleted} offset(s) of topic {} that no run has looked at were deleted by its retention meanwhile",
                queue.name
            ));
        }
        queue.scan(&starts, &ends, |letter| {
            plan.count(&request, &letter);
            std::ops::ControlFlow::Continue(())
        })?;
        plan.judge(&request);
        let mut replay = Self {
            queue,
            request,
            plan,
            starts,
            ends,
        };
        replay.look_at_targets()?;
        Ok(replay)
    }

    /// What it is about to do.
    #[must_use]
    pub fn what(&self) -> &ReplayPlan {
        &self.plan
    }

    /// Names that records of the plan are from, for a replay through a connector.
    pub(super) fn targets(&self) -> impl Iterator<Item = &String> {
        self.plan.by_topic.keys()
    }

    pub(super) fn queue(&self) -> &'q DeadLetterTopic {
        self.queue
    }

    /// Where the partitions end for this run.
    pub(super) fn ends(&self) -> &Offsets {
        &self.ends
    }

    fn look_at_targets(&mut self) -> Result<(), DeadLetterError> {
        let is_through = matches!(self.request.destination, Destination::Connector(_));
        for topic in self.plan.by_topic.keys() {
            let mut refuse = |text: String| self.plan.refusals.push(text);
            if *topic == self.queue.name {
                refuse(format!(
                    "the letters would go back into topic {topic}: name another one"
                ));
                continue;
            }
            if topic.len() > LONGEST_TOPIC {
                refuse(format!(
                    "topic {topic} would have {} characters, more than Kafka's {LONGEST_TOPIC}",
                    topic.len()
                ));
                continue;
            }
            if is_through {
                continue;
            }
            let Some(found) = self.queue.admin.describe_topic(topic, REQUEST)? else {
                refuse(format!(
                    "topic {topic} does not exist: create it, or send its letters elsewhere with --to TOPIC"
                ));
                continue;
            };
            if let Some(highest) = self.plan.highest_partition.get(topic)
                && usize::try_from(*highest).is_ok_and(|highest| highest >= found.partitions)
            {
                refuse(format!(
                    "topic {topic} has {} partition(s) now, and a letter is from partition {highest}: do without --same-partition",
                    found.partitions
                ));
            }
            // Who may write to a topic may not always see how it is kept.
            let policy = self
                .queue
                .admin
                .describe_topic_configs(topic, REQUEST)
                .ok()
                .and_then(|mut configs| configs.remove("cleanup.policy"));
            if policy.is_some_and(|policy| policy.contains("compact")) {
                self.plan.warnings.push(format!(
                    "topic {topic} is compacted: a record that is sent again becomes the newest of its key, over a newer value"
                ));
            }
        }
        if self.request.destination == Destination::Original && self.plan.to_send > 0 {
            self.plan.warnings.push(
                "all consumers of these topics get the records again, not only the connector that failed; --through-connector \
                 sends them to it alone"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Sends. Progress is written when it begins, every second and when it ends, however it ends. `stop` ends it early; `tell` is
    /// called now and then with the number of letters that were sent.
    ///
    /// # Errors
    /// When a record is not taken, another run has taken over, or Kafka does not answer.
    pub fn run(&self, stop: &AtomicBool, tell: &mut dyn FnMut(u64)) -> Result<Outcome, DeadLetterError> {
        let outcome = |sent, is_complete| Outcome {
            sent,
            planned: self.plan.to_send,
            is_complete,
        };
        let starts: Offsets = self.starts.clone();
        if starts
            .iter()
            .all(|(partition, start)| self.ends.get(partition).is_none_or(|end| start >= end))
        {
            return Ok(outcome(0, true));
        }
        let mut run = Run::new(self)?;
        run.commit()?;
        let ended = run.send_all(stop, tell);
        let flushed = run.flush();
        // What arrived is noted even when something else did not, unless the progress is another run's now.
        let noted = match &ended {
            Err(DeadLetterError::TakenOver) => Ok(()),
            _ => run.commit(),
        };
        let is_complete = ended?;
        flushed?;
        noted?;
        Ok(outcome(run.acknowledged, is_complete))
    }
}

/// Entries of partitions that are not there yet.
fn missing(known: &Offsets, all: &Offsets) -> Offsets {
    all.iter()
        .filter(|(partition, _)| !known.contains_key(partition))
        .map(|(partition, offset)| (*partition, *offset))
        .collect()
}

fn committed(queue: &DeadLetterTopic, group: &str) -> Result<BTreeMap<i32, (i64, String)>, DeadLetterError> {
    let committed = patiently(|| queue.admin.group_offsets_with_metadata(group, REQUEST))?;
    Ok(committed
        .into_iter()
        .filter(|(at, _)| *at.partition.topic == *queue.name)
        .map(|(at, text)| (at.partition.partition, (at.offset, text)))
        .collect())
}

/// A run that has begun.
struct Run<'r> {
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
    fn new(replay: &'r Replay<'r>) -> Result<Self, DeadLetterError> {
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
