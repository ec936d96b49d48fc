//! A dead letter topic, read with the settings that a connector of the worker would have.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use wharf_kafka::{Admin, ClientKind, KafkaError, OffsetSpec, Reader, TopicPartition, Translated, translate};

use super::DeadLetterError;
use super::letter::DeadLetter;
use super::overview::{Counting, Overview};
use super::selection::Selection;
use crate::config::{dead_letter_admin_config, dead_letter_reader_config, dead_letter_sender_config};
use crate::inspect::{ClientFile, InspectError};

/// For Kafka to answer at first.
const CONNECT: Duration = Duration::from_secs(20);
/// For one request.
pub(super) const REQUEST: Duration = Duration::from_secs(20);
/// Without anything new, a topic is given up after this long.
const STALLED: Duration = Duration::from_secs(30);
/// For one look at what came.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// What a reader fetches ahead.
const PREFETCH: u64 = 8 << 20;

/// A dead letter topic. Its calls block.
pub struct DeadLetterTopic {
    pub(super) name: String,
    pub(super) partitions: i32,
    pub(super) admin: Admin,
    pub(super) producer: Translated,
    consumer: Translated,
}

/// Offsets by partition.
pub(super) type Offsets = BTreeMap<i32, i64>;

impl DeadLetterTopic {
    /// Makes the clients and looks whether the topic is there.
    ///
    /// # Errors
    /// When the settings make no client, Kafka does not answer, or there is no such topic.
    pub fn connect(file: &ClientFile, topic: &str) -> Result<Self, DeadLetterError> {
        let mut problems: Vec<String> = Vec::new();
        let mut client = |kind, settings: &wharf_api::ConfigMap| {
            translate(kind, settings).unwrap_or_else(|found| {
                for problem in found {
                    let text = format!("{}: {}", problem.key, problem.message);
                    if !problems.contains(&text) {
                        problems.push(text);
                    }
                }
                Translated::default()
            })
        };
        let worker = &file.worker;
        let admin = client(ClientKind::Admin, &dead_letter_admin_config(worker));
        let producer = client(ClientKind::Producer, &dead_letter_sender_config(worker));
        let mut consumer = client(ClientKind::Consumer, &dead_letter_reader_config(worker));
        if !problems.is_empty() {
            return Err(InspectError::WorkerFile(problems).into());
        }
        consumer.bound_prefetch(PREFETCH);
        let unreachable = |reason: KafkaError| InspectError::Unreachable {
            servers: worker.bootstrap_servers.join(","),
            reason,
        };
        let admin = Admin::new(&admin).map_err(unreachable)?;
        admin.cluster_id(CONNECT).map_err(unreachable)?;
        let found = admin.describe_topic(topic, REQUEST)?;
        let found = found.ok_or_else(|| DeadLetterError::NoSuchTopic {
            topic: topic.to_owned(),
        })?;
        Ok(Self {
            name: topic.to_owned(),
            partitions: i32::try_from(found.partitions).unwrap_or(i32::MAX),
            admin,
            producer,
            consumer,
        })
    }

    /// Counts the letters, and lists the first of them if so many lines are wanted.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn overview(&self, selection: &Selection, lines: Option<usize>) -> Result<Overview, DeadLetterError> {
        let (starts, ends) = (
            self.offsets(OffsetSpec::Earliest)?,
            self.offsets(OffsetSpec::Latest)?,
        );
        let mut counting = Counting::new(&self.name, selection, lines);
        self.scan(&starts, &ends, |letter| {
            counting.take(&letter);
            ControlFlow::Continue(())
        })?;
        Ok(counting.finish())
    }

    /// The letter at this place; `None` when there is none, or none any more.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub fn letter(&self, partition: i32, offset: i64) -> Result<Option<DeadLetter>, DeadLetterError> {
        let of = |offsets: Offsets| offsets.get(&partition).copied();
        let (Some(first), Some(end)) = (
            of(self.offsets(OffsetSpec::Earliest)?),
            of(self.offsets(OffsetSpec::Latest)?),
        ) else {
            return Ok(None);
        };
        if !(first..end).contains(&offset) {
            return Ok(None);
        }
        let mut found = None;
        self.scan(
            &[(partition, offset)].into(),
            &[(partition, offset + 1)].into(),
            |letter| {
                found = (letter.offset == offset).then_some(letter);
                ControlFlow::Break(())
            },
        )?;
        Ok(found)
    }

    /// First or last offsets of all partitions; no further than transactions are finished.
    pub(super) fn offsets(&self, spec: OffsetSpec) -> Result<Offsets, DeadLetterError> {
        self.offsets_of(&self.name, self.partitions, spec)
    }

    /// The same of another topic.
    pub(super) fn offsets_of(
        &self,
        topic: &str,
        partitions: i32,
        spec: OffsetSpec,
    ) -> Result<Offsets, DeadLetterError> {
        let specs: Vec<_> = (0..partitions)
            .map(|partition| (TopicPartition::new(topic, partition), spec))
            .collect();
        // A topic that was made a moment ago has no leaders yet.
        let listed = patiently(|| self.admin.list_offsets(&specs, true, REQUEST))?;
        Ok(listed
            .into_iter()
            .map(|at| (at.partition.partition, at.offset))
            .collect())
    }

    /// A reader from these offsets on.
    pub(super) fn reader(&self, starts: &Offsets) -> Result<Reader, DeadLetterError> {
        Ok(Reader::at(&self.consumer, &self.name, starts)?)
    }

    /// Hands over the letters between these offsets, in the order of each partition, until it is told to break.
    pub(super) fn scan(
        &self,
        starts: &Offsets,
        ends: &Offsets,
        mut each: impl FnMut(DeadLetter) -> ControlFlow<()>,
    ) -> Result<(), DeadLetterError> {
        // A partition that is at its end already is not asked for.
        let starts: Offsets = starts
            .iter()
            .filter(|(partition, start)| ends.get(partition).is_some_and(|end| *start < end))
            .map(|(partition, start)| (*partition, *start))
            .collect();
        if starts.is_empty() {
            return Ok(());
        }
        let mut reader = self.reader(&starts)?;
        let mut watch = Watch::new();
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() && !is_at(&reader, &starts, ends) {
            let count = reader.poll(TICK, |message| {
                let is_meant = ends
                    .get(&message.partition())
                    .is_some_and(|end| message.offset() < *end);
                if is_meant && flow.is_continue() {
                    flow = each(DeadLetter::of(&message));
                }
            })?;
            watch.look(&self.name, count)?;
        }
        Ok(())
    }
}

/// Makes a request again while Kafka says that it will be able to answer: leaders and coordinators move.
pub(super) fn patiently<T>(mut request: impl FnMut() -> Result<T, KafkaError>) -> Result<T, DeadLetterError> {
    let deadline = Instant::now() + REQUEST;
    loop {
        match request() {
            Err(error) if error.is_retriable() && Instant::now() < deadline => std::thread::sleep(TICK),
            outcome => return Ok(outcome?),
        }
    }
}

/// Whether a reader has read all that it was to read.
pub(super) fn is_at(reader: &Reader, starts: &Offsets, ends: &Offsets) -> bool {
    starts.keys().all(|partition| {
        ends.get(partition)
            .is_none_or(|end| reader.position(*partition) >= *end)
    })
}

/// Gives up a topic from which nothing comes.
pub(super) struct Watch(Instant);

impl Watch {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn look(&mut self, topic: &str, came: usize) -> Result<(), DeadLetterError> {
        if came > 0 {
            self.0 = Instant::now();
        }
        if self.0.elapsed() < STALLED {
            return Ok(());
        }
        Err(InspectError::Unreadable {
            topic: topic.to_owned(),
            reason: format!(
                "nothing came within {} s, though its end was not reached",
                STALLED.as_secs()
            ),
        }
        .into())
    }
}

impl std::fmt::Debug for DeadLetterTopic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetterTopic")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
