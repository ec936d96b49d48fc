//! A source's topic, read as it grows: what is committed, when that matters.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_e2e::Kafka;
use wharf_kafka::{ClientKind, Reader, translate};

use crate::record::{Tally, number};

/// One wait for records.
const TICK: Duration = Duration::from_millis(50);

/// The records of a flow that are in its topic, which has one partition.
pub(crate) struct Topic {
    flow: usize,
    name: String,
    reader: Reader,
    pub(crate) tally: Tally,
    /// Records that are none of this flow.
    pub(crate) foreign: Vec<String>,
}

impl Topic {
    pub(crate) fn new(flow: usize, name: &str, bootstrap: &str, isolation: &str) -> Self {
        let group = format!("books-of-{name}");
        let settings = [
            ("bootstrap.servers", bootstrap),
            ("group.id", &group),
            ("isolation.level", isolation),
        ];
        let settings: BTreeMap<String, String> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let settings =
            translate(ClientKind::Consumer, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
        Self {
            flow,
            name: name.to_owned(),
            reader: Reader::new(&settings, name, 1).unwrap(),
            tally: Tally::default(),
            foreign: Vec::new(),
        }
    }

    /// Reads what there is for a moment.
    pub(crate) fn read_on(&mut self) {
        let (flow, tally, foreign) = (self.flow, &mut self.tally, &mut self.foreign);
        let outcome = self.reader.poll(TICK, |message| {
            let value = String::from_utf8_lossy(message.value().unwrap_or_default());
            match number(flow, &value) {
                Some(number) => tally.take(number),
                None => foreign.push(value.into_owned()),
            }
        });
        outcome.unwrap_or_else(|error| panic!("topic {}: {error}", self.name));
    }

    /// Whether everything was read that is in the topic.
    pub(crate) fn is_read(&self, kafka: &Kafka) -> bool {
        let ends = kafka.end_offsets(&self.name);
        ends.iter()
            .all(|(partition, end)| self.reader.position(*partition) >= *end)
    }
}
