//! From a batch that the task gave to records in the producer's queue: transforms, conversion, send.
//!
//! Record by record where all is built in. Where a converter or transform is in a library, first attempts are made for the whole
//! batch, one crossing of the border each, and then the records are looked at in their order all the same.
//!
//! What must stay true: records of a batch are sent in their order; each is entered in [`SubmittedRecords`] before the producer
//! gets it, those that are left out or skipped too.
//!
//! [`SubmittedRecords`]: crate::worker::submitted_records::SubmittedRecords

use std::sync::Arc;

use wharf_api::batch::{Datum, HeadersRef, OriginRef, RecordBatchRef};
use wharf_api::{ConnectError, Headers, Record, RecordBatch, RecordRef, Result, Value};
use wharf_kafka::{ErrorCode, TopicHandle};

use super::failures::Failed;
use super::{Conversion, Running};
use crate::metrics::{RecordStage, TaskMetrics};
use crate::worker::converters::{
    Answers, RemoteAnswers, RemoteBatch, TaskConverter, TaskConverters, single_value,
};
use crate::worker::errors::{Attempt, Stage, WORKER_SOURCE_TASK};
use crate::worker::record_sender::{
    Offered, RecordParts, Sent, kafka_error, send, take_added_headers, valid_timestamp,
};
use crate::worker::submitted_records::PartitionId;
use crate::worker::transactions::Committed;
use crate::worker::transformation_chain::Pending;

/// What is known of the partitions and topics of a batch.
struct Known {
    partitions: Vec<Option<PartitionId>>,
    topics: Vec<Option<TopicHandle>>,
    /// The topic that a transform gave to the last record.
    changed_topic: Option<(String, Option<TopicHandle>)>,
}

/// First attempts for a whole batch.
#[derive(Default)]
struct Ahead {
    /// What the transforms made of each record; none when there are no transforms. A record is none when it is to be made anew.
    pending: Option<std::vec::IntoIter<Option<Pending>>>,
    /// Whether keys and values that a library was given are missing in those records.
    is_stripped: bool,
    /// Only of records that went through all transforms.
    keys: Option<RemoteBatch>,
    values: Option<RemoteBatch>,
}

/// A record as it is to be sent.
struct Outgoing<'r> {
    topic: &'r str,
    kafka_partition: Option<i32>,
    timestamp: Option<i64>,
    key: Datum<'r>,
    value: Datum<'r>,
}

impl<'r> Outgoing<'r> {
    #[inline]
    fn unchanged(record: &RecordRef<'r>) -> Self {
        Self {
            topic: record.topic(),
            kafka_partition: record.kafka_partition(),
            timestamp: record.timestamp(),
            key: Datum {
                schema: record.key_schema(),
                value: record.key(),
            },
            value: Datum {
                schema: record.value_schema(),
                value: record.value(),
            },
        }
    }

    fn changed(record: &'r Record) -> Self {
        Self {
            topic: &record.topic,
            kafka_partition: record.kafka_partition,
            timestamp: record.timestamp,
            key: Datum::new(record.key_schema.as_ref(), &record.key),
            value: Datum::new(record.value_schema.as_ref(), &record.value),
        }
    }
}

impl Running {
    pub(super) fn send_batch(
        &mut self,
        batch: &RecordBatchRef<'_>,
        tracked: Option<u64>,
        conversion: &mut Conversion,
    ) -> Result<Sent> {
        let mut known = Known {
            partitions: vec![None; batch.partition_count() + 1],
            topics: vec![None; batch.topics().len()],
            changed_topic: None,
        };
        let mut ahead = if conversion.converters.are_remote() || conversion.chain.is_remote() {
            look_ahead(batch, conversion, &self.worker.reporter.metrics)?
        } else {
            Ahead::default()
        };
        let mut keys = ahead.keys.as_mut().map(RemoteBatch::parse).transpose()?;
        let mut values = ahead.values.as_mut().map(RemoteBatch::parse).transpose()?;
        let mut keys = keys.as_mut().map(RemoteAnswers::iter);
        let mut values = values.as_mut().map(RemoteAnswers::iter);
        let (mut arena, mut places) = (Vec::new(), Vec::new());
        // First attempts for the whole batch were timed as they were made.
        let is_timed = !conversion.converters.are_remote() && !conversion.chain.is_remote();
        let metrics = Arc::clone(&self.worker.reporter.metrics);

        let mut records = batch.iter();
        for position in 0.. {
            let place = records.clone();
            // From here on nothing may refer to this whole: then it is never built, only what is asked of it is read.
            let Some(record) = records.next().transpose()? else {
                break;
            };
            let OriginRef::Source(origin) = record.origin() else {
                return Err(ConnectError::connect(
                    "a source task gave a record that does not come from a source",
                ));
            };
            if is_timed {
                self.timer.begin();
            }
            let failed = Failed {
                batch,
                place,
                position,
                partition: self.known_partition(batch, origin.partition_index(), &mut known)?,
                offset: origin.offset_bytes(),
                tracked,
            };
            /// The value of an attempt; a failure is reported and ends this record's way.
            macro_rules! go {
                ($attempt:expr) => {
                    match $attempt {
                        Attempt::Done(done) => done,
                        Attempt::Interrupted => return Ok(Sent::Interrupted),
                        Attempt::Failed(failure) => match self.fail(&failure, &failed)? {
                            Sent::All => {
                                self.after_record(position, &mut known)?;
                                continue;
                            }
                            Sent::Interrupted => return Ok(Sent::Interrupted),
                        },
                    }
                };
            }
            let Conversion {
                chain,
                converters,
                rules,
            } = conversion;
            let pending = ahead.pending.as_mut().and_then(Iterator::next);
            // Taken before anything can fail, so that they stay in step with the records.
            let is_ahead = match &pending {
                Some(pending) => pending.as_ref().is_some_and(|pending| chain.is_through(pending)),
                None => true,
            };
            let first_key = if is_ahead { next_of(&mut keys)? } else { None };
            let first_value = if is_ahead { next_of(&mut values)? } else { None };
            let has_failed = matches!(first_key, Some(Err(_))) || matches!(first_value, Some(Err(_)));
            let mut changed = None;
            if !chain.is_empty() {
                let attempt = match pending.flatten() {
                    Some(pending) if !(has_failed && ahead.is_stripped) => chain.finish(pending, rules),
                    _ => chain.run(rules, |new| record.write_into(new), || failed.record())?,
                };
                self.timer.lap(&metrics.stages, RecordStage::Transform);
                changed = go!(attempt);
                if changed.is_none() {
                    self.leave_out(&failed);
                    self.after_record(position, &mut known)?;
                    continue;
                }
            }
            let mut headers = match &mut changed {
                Some(record) => std::mem::take(&mut record.headers),
                None if record.headers().is_empty() => Headers::new(),
                None => record.headers().to_headers()?,
            };
            let connect_headers = headers.len();
            let outgoing = match &changed {
                Some(record) => Outgoing::changed(record),
                None => Outgoing::unchanged(&record),
            };
            let topic = outgoing.topic;
            /// The bytes of a key or a value: those of the first attempt, made in a library, or of attempts made here.
            macro_rules! bytes_of {
                ($converter:ident, $datum:expr, $first:expr) => {{
                    let known = headers.len();
                    let attempt = match $first {
                        None => $converter.encode(topic, $datum, &mut headers),
                        Some(Ok(answer)) => {
                            take_added_headers(answer.headers, connect_headers, &mut headers)?;
                            Ok(answer.bytes)
                        }
                        Some(Err(error)) => Err(error),
                    };
                    match attempt {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            let headers = (&mut headers, known);
                            go!($converter.encode_again(rules, topic, $datum, headers, error))
                        }
                    }
                }};
            }
            go!(converters.try_encode_headers(rules, topic, &headers, &mut arena, &mut places));
            let TaskConverters { key, value, .. } = converters;
            let key = bytes_of!(key, outgoing.key, first_key);
            let value = bytes_of!(value, outgoing.value, first_value);
            self.timer.lap(&metrics.stages, RecordStage::Convert);
            let timestamp = valid_timestamp(outgoing.timestamp)?;
            let index = changed.is_none().then(|| record.topic_index());
            let Some((topic, is_first_of_topic)) = self.known_topic(topic, index, &mut known)? else {
                return Ok(Sent::Interrupted);
            };
            let header_list: Vec<(&str, Option<&[u8]>)> = headers
                .iter()
                .enumerate()
                .map(|(at, header)| match (places.get(at), header.value()) {
                    (Some(place), _) => (header.key(), place.clone().map(|place| &arena[place])),
                    // What a converter added is bytes already.
                    (None, Value::Bytes(bytes)) => (header.key(), Some(bytes.as_slice())),
                    (None, _) => (header.key(), None),
                })
                .collect();
            let parts = RecordParts {
                partition: outgoing.kafka_partition,
                timestamp,
                key,
                value,
                headers: &header_list,
            };
            let sent = self.send_one(&failed, topic, is_first_of_topic, &parts)?;
            self.timer.lap(&metrics.stages, RecordStage::Send);
            match sent {
                Sent::All => self.after_record(position, &mut known)?,
                Sent::Interrupted => return Ok(Sent::Interrupted),
            }
        }
        Ok(Sent::All)
    }

    fn send_one(
        &mut self,
        sent: &Failed<'_>,
        topic: &TopicHandle,
        is_first_of_topic: bool,
        parts: &RecordParts<'_>,
    ) -> Result<Sent> {
        let Some(producer) = self.worker.producer.client() else {
            return Err(ConnectError::illegal_state(
                "the producer was closed while its task was sending; this is a defect of wharf",
            ));
        };
        if let Some(transactions) = &mut self.transactions {
            transactions.open(producer)?;
            transactions.record();
        }
        // Entered before the producer has it, so that no acknowledgement comes unseen.
        let deliveries = &mut self.deliveries;
        let token = deliveries.submitted.submit(sent.partition, sent.offset);
        if let (Some(number), Some(tracked)) = (sent.tracked, &mut deliveries.tracked) {
            tracked.submitted(number, sent.position, topic.name(), token);
        }
        let connector = &self.worker.reporter.task.connector;
        let active = self.worker.active_topics.as_ref();
        if is_first_of_topic && active.is_some_and(|active| !active.contains(connector, topic.name())) {
            deliveries
                .unconfirmed_topics
                .push((token, topic.name().to_owned()));
        }
        let refused = match send(producer, &self.worker.control, deliveries, topic, parts, token) {
            Ok(Offered::Taken) => return Ok(Sent::All),
            Ok(Offered::Refused(error)) => Some(error),
            Ok(Offered::Interrupted) => None,
            Err(error) => {
                deliveries.submitted.withdraw(token);
                return Err(error);
            }
        };
        deliveries.submitted.withdraw(token);
        deliveries.unconfirmed_topics.retain(|(first, _)| *first != token);
        if let Some(tracked) = &mut deliveries.tracked {
            tracked.withdraw(token);
        }
        let Some(error) = refused else {
            return Ok(Sent::Interrupted);
        };
        if self.transactions.is_some() || error.code() == Some(ErrorCode::FATAL) {
            return Err(kafka_error(&error));
        }
        let failure =
            self.worker
                .errors
                .rules
                .failed(Stage::KafkaProduce, WORKER_SOURCE_TASK, kafka_error(&error));
        self.fail(&failure, sent)
    }

    /// What is due after a record, sent or not, where the task says where transactions end.
    fn after_record(&mut self, position: usize, known: &mut Known) -> Result<()> {
        let due = self.transactions.as_ref().map(|it| it.after_record(position));
        if let Some(end) = due.transpose()?.flatten() {
            self.has_committed |= self.end_transaction(end)? == Committed::Yes;
            // The numbers of source partitions hold until their offsets are taken.
            known.partitions.fill(None);
        }
        Ok(())
    }

    #[inline]
    fn known_partition(
        &mut self,
        batch: &RecordBatchRef<'_>,
        index: Option<u32>,
        known: &mut Known,
    ) -> Result<PartitionId> {
        let slot = index.map_or(batch.partition_count(), |index| index as usize);
        if let Some(partition) = known.partitions.get(slot).copied().flatten() {
            return Ok(partition);
        }
        let partition = self.partition(batch, index)?;
        known.partitions[slot] = Some(partition);
        Ok(partition)
    }

    /// A topic, and whether this is its first record; `None` when the task is to stop before Kafka can say. The topic of a
    /// record that no transform changed has an `index`.
    #[inline]
    fn known_topic<'k>(
        &mut self,
        name: &str,
        index: Option<u32>,
        known: &'k mut Known,
    ) -> Result<Option<(&'k TopicHandle, bool)>> {
        let slot = match index {
            Some(index) => &mut known.topics[index as usize],
            None => {
                let changed = &mut known.changed_topic;
                if changed.as_ref().is_none_or(|(known, _)| known != name) {
                    *changed = Some((name.to_owned(), None));
                }
                match changed {
                    Some((_, topic)) => topic,
                    None => return Ok(None),
                }
            }
        };
        let is_first = slot.is_none();
        if is_first {
            *slot = self.topic_or_stop(name)?;
        }
        Ok(slot.as_ref().map(|topic| (topic, is_first)))
    }
}

/// What a library made of a key or a value.
struct Converted<'b> {
    bytes: Option<&'b [u8]>,
    /// Those of the record, and behind them those that the converter added.
    headers: HeadersRef<'b>,
}

/// The next answer of a library, if there is one.
#[inline(always)]
fn next_of<'b>(answers: &mut Option<Answers<'b>>) -> Result<Option<Result<Converted<'b>>>> {
    let Some(answers) = answers else {
        return Ok(None);
    };
    let converted = |answer: RecordRef<'b>| Converted {
        bytes: answer.value().as_bytes(),
        headers: answer.headers(),
    };
    Ok(Some(answers.next()?.map(converted)))
}

/// Batches for the converters that are in libraries.
struct Given {
    keys: Option<RecordBatch>,
    values: Option<RecordBatch>,
    count: usize,
}

impl Given {
    fn push(&mut self, outgoing: &Outgoing<'_>, headers: &Headers) -> Result<()> {
        self.count += 1;
        for (batch, datum) in [(&mut self.keys, outgoing.key), (&mut self.values, outgoing.value)] {
            if let Some(batch) = batch {
                batch.push(&single_value(outgoing.topic, datum, headers.as_slice()))?;
            }
        }
        Ok(())
    }

    /// Takes out of a record what was given.
    fn strip(&self, record: &mut Record) {
        if self.keys.is_some() {
            record.key = Value::Null;
        }
        if self.values.is_some() {
            record.value = Value::Null;
        }
    }
}

/// First attempts at transforms and, of what went through them, at conversions in libraries.
fn look_ahead(
    batch: &RecordBatchRef<'_>,
    conversion: &mut Conversion,
    metrics: &TaskMetrics,
) -> Result<Ahead> {
    let Conversion {
        chain,
        converters,
        rules,
    } = conversion;
    let TaskConverters { key, value, .. } = converters;
    // As a rule the batches grow to about the size of the one they come from.
    let room = |converter: &TaskConverter| {
        let is_given = converter.is_remote();
        is_given.then(|| RecordBatch::with_capacity(batch.bytes().len()))
    };
    // What is not changed the converter of values reads where it lies.
    let is_read_in_place = chain.is_empty();
    let mut given = Given {
        keys: room(key),
        values: room(value).filter(|_| !is_read_in_place),
        count: 0,
    };
    let began = metrics.now();
    let mut pending = None;
    let mut is_stripped = false;
    if is_read_in_place {
        // Converters look at values, so keys must be handed over as such.
        if key.is_remote() {
            for record in batch.iter() {
                let record = record?;
                given.push(&Outgoing::unchanged(&record), &record.headers().to_headers()?)?;
            }
        }
    } else if chain.is_remote() {
        let owned = |record: Result<RecordRef<'_>>| Ok(Pending::new(record?.to_record(batch)?));
        let mut records: Vec<Pending> = batch.iter().map(owned).collect::<Result<_>>()?;
        chain.pass(&mut records, rules.may_retry())?;
        for pending in records.iter().filter(|pending| chain.is_through(pending)) {
            if let Pending::At { record, .. } = pending {
                given.push(&Outgoing::changed(record), &record.headers)?;
            }
        }
        pending = Some(records.into_iter().map(Some).collect::<Vec<_>>());
    } else {
        // Each goes through at once, and what a library is given of it need not be kept.
        is_stripped = true;
        let mut records = Vec::with_capacity(batch.len());
        for record in batch.iter() {
            let mut new = Record::source(String::new(), None, None);
            record?.write_into(&mut new)?;
            let mut pending = chain.run_once(new);
            if let Some(Pending::At { record, .. }) = &mut pending {
                given.push(&Outgoing::changed(record), &record.headers)?;
                given.strip(record);
            }
            records.push(pending);
        }
        pending = Some(records);
    }
    if let Some(pending) = &pending {
        metrics.stage_of_all(RecordStage::Transform, began, pending.len());
    }
    let began = metrics.now();
    let Given { keys, values, count } = given;
    let keys = match keys {
        Some(mut keys) => key.encode_batch(keys.finish()?, count)?,
        None => None,
    };
    let values = match values {
        Some(mut values) => value.encode_batch(values.finish()?, count)?,
        None if is_read_in_place => value.encode_batch(batch.bytes(), batch.len())?,
        None => None,
    };
    metrics.stage_of_all(RecordStage::Convert, began, batch.len());
    Ok(Ahead {
        pending: pending.map(Vec::into_iter),
        is_stripped,
        keys,
        values,
    })
}
