//! Records of a source that are not sent: left out by a transform, failed, or refused by Kafka.
//!
//! What must stay true: such a record is done in its place among the others, and not before its dead letter is acknowledged.

use wharf_api::batch::{RecordBatchRef, Records, decode_offset};
use wharf_api::{ConnectError, Record, Result};

use super::Running;
use crate::offsets::offset_json::OffsetJson;
use crate::worker::deliveries::Refused;
use crate::worker::errors::{
    Letter, RecordFailure, Remains, SourcePlace, Stage, WORKER_SOURCE_TASK, text_of_bytes, unwritten,
};
use crate::worker::record_sender::{Offered, RecordParts, Sent, kafka_error, send};
use crate::worker::submitted_records::{Committable, PartitionId, Token};

/// A record of the batch that is being sent, as far as it is needed when it is not sent.
pub(super) struct Failed<'r> {
    pub(super) batch: &'r RecordBatchRef<'r>,
    /// Where it is read again: a whole record that is kept beside would be moved about for all those that do not fail.
    pub(super) place: Records<'r>,
    pub(super) position: usize,
    pub(super) partition: PartitionId,
    pub(super) offset: Option<&'r [u8]>,
    pub(super) tracked: Option<u64>,
}

impl Failed<'_> {
    pub(super) fn record(&self) -> Result<Record> {
        match self.place.clone().next() {
            Some(record) => record?.to_record(self.batch),
            None => Err(ConnectError::illegal_state(
                "a record was read once and is not there any more; this is a defect of wharf",
            )),
        }
    }
}

impl Running {
    /// A record is not sent: it counts as done in its place, and its task is told so.
    pub(super) fn leave_out(&mut self, record: &Failed<'_>) {
        let deliveries = &mut self.deliveries;
        let token = deliveries.submitted.submit(record.partition, record.offset);
        deliveries.submitted.ack(token);
        deliveries.dropped += 1;
        if let (Some(number), Some(tracked)) = (record.tracked, &mut deliveries.tracked) {
            tracked.dropped(number, record.position);
        }
    }

    /// Reports a record that failed. When that is tolerated it is skipped.
    ///
    /// # Errors
    /// When it is not, or the dead letter cannot be sent.
    #[cold]
    pub(super) fn fail(&mut self, failure: &RecordFailure, failed: &Failed<'_>) -> Result<Sent> {
        let record = failed.record()?;
        let place = SourcePlace::of(&record);
        self.worker.errors.log(failure, || record.to_string());
        if !failure.is_tolerated {
            // The record is read again: a dead letter would say that it was given up.
            return Err(failure.fatal(&place));
        }
        let Some(letters) = &mut self.worker.errors.dead_letters else {
            self.leave_out(failed);
            return Ok(Sent::All);
        };
        let remains = Remains::Record(Box::new(record));
        let letter = letters.letter(&place, failure, &remains, &self.worker.host.offsets);
        let deliveries = &mut self.deliveries;
        let token = deliveries.submitted.submit(failed.partition, failed.offset);
        if let (Some(number), Some(tracked)) = (failed.tracked, &mut deliveries.tracked) {
            tracked.buried(number, failed.position, token);
        }
        let sent = self.bury(&letter, token)?;
        if matches!(sent, Sent::Interrupted) {
            self.deliveries.submitted.withdraw(token);
            if let Some(tracked) = &mut self.deliveries.tracked {
                tracked.withdraw(token);
            }
        }
        Ok(sent)
    }

    /// Sends a dead letter under the token of its record.
    fn bury(&mut self, letter: &Letter, token: Token) -> Result<Sent> {
        let Some(letters) = &self.worker.errors.dead_letters else {
            return Ok(Sent::All);
        };
        self.worker.errors.counters.dead_letter();
        let name = letters.topic().to_owned();
        let Some(topic) = self.topic_or_stop(&name)? else {
            return Ok(Sent::Interrupted);
        };
        let producer = self.worker.producer.open()?;
        if let Some(transactions) = &mut self.transactions {
            transactions.open(producer)?;
        }
        let headers: Vec<(&str, Option<&[u8]>)> = letter
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let parts = RecordParts {
            partition: None,
            timestamp: letter.timestamp,
            key: letter.key.as_deref(),
            value: letter.value.as_deref(),
            headers: &headers,
        };
        self.deliveries.letters.insert(token);
        match send(
            producer,
            &self.worker.control,
            &mut self.deliveries,
            &topic,
            &parts,
            token,
        )? {
            Offered::Taken => Ok(Sent::All),
            Offered::Interrupted => {
                self.deliveries.letters.remove(&token);
                Ok(Sent::Interrupted)
            }
            Offered::Refused(error) => {
                self.worker.errors.counters.dead_letter_failed();
                Err(unwritten(&name, kafka_error(&error)))
            }
        }
    }

    /// Reports what Kafka refused since the last call, where that is tolerated, and skips it.
    ///
    /// # Errors
    /// When a dead letter cannot be sent.
    pub(super) fn settle_refused(&mut self) -> Result<()> {
        for _ in 0..std::mem::take(&mut self.deliveries.lost_letters) {
            self.worker.errors.counters.dead_letter_failed();
        }
        if self.deliveries.refused.is_empty() {
            return Ok(());
        }
        for refused in std::mem::take(&mut self.deliveries.refused) {
            if let Sent::Interrupted = self.settle(refused)? {
                // It stays unacknowledged, and is sent again when the task runs next.
                break;
            }
        }
        Ok(())
    }

    fn settle(&mut self, refused: Refused) -> Result<Sent> {
        let Refused { token, error, record } = refused;
        let known = self.deliveries.submitted.place(token);
        let place = place_of(&self.worker.reporter.task.connector, &record.topic, known);
        let errors = &mut self.worker.errors;
        let failure = errors
            .rules
            .failed(Stage::KafkaProduce, WORKER_SOURCE_TASK, kafka_error(&error));
        errors.log(&failure, || text_of_bytes(&place, &record));
        self.deliveries
            .unconfirmed_topics
            .retain(|(first, _)| *first != token);
        let letter = errors.dead_letters.as_mut().map(|letters| {
            letters.letter(
                &place,
                &failure,
                &Remains::Bytes(record),
                &self.worker.host.offsets,
            )
        });
        if let Some(tracked) = &mut self.deliveries.tracked {
            tracked.refused(token, letter.is_some());
        }
        match letter {
            Some(letter) => self.bury(&letter, token),
            None => {
                self.deliveries.submitted.ack(token);
                self.deliveries.dropped += 1;
                Ok(Sent::All)
            }
        }
    }
}

/// The place of a record that is known only by what is kept while it is on its way.
fn place_of(connector: &str, topic: &str, known: Option<Committable>) -> SourcePlace {
    let (partition, offset) = match known {
        Some(Committable { key, offset }) => (
            OffsetJson::new().partition_of(connector, &key),
            offset.and_then(|bytes| decode_offset(&bytes).ok()),
        ),
        None => (None, None),
    };
    SourcePlace {
        topic: topic.to_owned(),
        partition,
        offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_record_on_its_way_is_read_from_what_is_kept_of_it() {
        let known = Committable {
            key: br#"["c",{"file":"a","part":3,"deep":true}]"#.as_slice().into(),
            offset: None,
        };
        let place = place_of("c", "t", Some(known));
        assert_eq!(
            place.to_string(),
            "source partition {file=a, part=3, deep=true}, source offset null, for topic t"
        );
        assert_eq!(place_of("c", "t", None).partition, None);
    }
}
