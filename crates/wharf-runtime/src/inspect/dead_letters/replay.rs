//! Plans a replay: what is left of an earlier run, what is to be sent where, and what is in the way.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use wharf_kafka::OffsetSpec;

use super::DeadLetterError;
use super::names::{LONGEST_TOPIC, default_group};
use super::plan::{Destination, ReplayPlan, ReplayRequest};
use super::progress::{Earlier, earlier};
use super::queue::{DeadLetterTopic, Offsets, REQUEST};
use super::run::{Run, committed};

/// Brokers keep no longer text beside an offset by default, and some is needed for the rest of the note.
const LONGEST_IDENTITY: usize = 3_500;

/// A replay that is planned and not begun.
#[derive(Debug)]
pub struct Replay<'q> {
    pub(super) queue: &'q DeadLetterTopic,
    pub(super) request: ReplayRequest,
    pub(super) plan: ReplayPlan,
    /// Where the partitions begin for this run.
    pub(super) starts: Offsets,
    /// Where they end for it.
    pub(super) ends: Offsets,
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
        let (sent, is_complete) = Run::new(self)?.carry_out(stop, tell)?;
        Ok(outcome(sent, is_complete))
    }
}

/// Entries of partitions that are not there yet.
fn missing(known: &Offsets, all: &Offsets) -> Offsets {
    all.iter()
        .filter(|(partition, _)| !known.contains_key(partition))
        .map(|(partition, offset)| (*partition, *offset))
        .collect()
}
