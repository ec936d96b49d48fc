//! Tells of records of a source that failed: in the log and, beyond upstream, as dead letters.
//!
//! A dead letter of a source is sent by the task's own producer in the place of the record; this makes its bytes. Key and value
//! are the record as the task gave it, before any transform, by JsonConverter with schemas, so that it can be read back and
//! go through the same connector again. What Kafka itself refused is there only as the bytes that were to be sent.

use std::sync::Arc;

use wharf_api::java_text::to_java_string;
use wharf_api::record::Origin;
use wharf_api::schema::SchemaRef;
use wharf_api::{
    ConfigMap, ConnectError, Converter, ConverterType, Encoded, HeaderConverter, Headers, OffsetMap, Record,
    Result, Value,
};
use wharf_kafka::Undelivered;

use super::context_headers::context_headers;
use super::counters::ErrorCounters;
use super::log_reporter::LogReporter;
use super::retry_with_tolerance::RetryWithTolerance;
use super::stage::RecordFailure;
use crate::config::DeadLetterConfig;
use crate::herder::TaskId;
use crate::offsets::OffsetStorage;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// Which part of the source a record comes from, and which offset stands for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourcePlace {
    pub(crate) topic: String,
    pub(crate) partition: Option<OffsetMap>,
    pub(crate) offset: Option<OffsetMap>,
}

fn text(map: Option<&OffsetMap>) -> String {
    map.map_or_else(
        || "null".to_owned(),
        |map| to_java_string(&map.to_value().as_ref()),
    )
}

impl std::fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "source partition {}, source offset {}, for topic {}",
            text(self.partition.as_ref()),
            text(self.offset.as_ref()),
            self.topic
        )
    }
}

/// What there is of a record that failed.
pub(crate) enum Remains {
    /// The record as the task gave it.
    Record(Box<Record>),
    /// What Kafka refused.
    Bytes(Box<Undelivered>),
}

/// A dead letter, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp: Option<i64>,
}

/// Makes the dead letters of one source task.
pub(crate) struct SourceDeadLetters {
    config: DeadLetterConfig,
    task: TaskId,
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn HeaderConverter>,
}

/// The reporters of one source task.
pub(crate) struct SourceReporter {
    pub(crate) rules: RetryWithTolerance,
    pub(crate) counters: Arc<ErrorCounters>,
    log: Option<LogReporter>,
    pub(crate) dead_letters: Option<SourceDeadLetters>,
}

impl SourceReporter {
    pub(crate) fn new(
        rules: RetryWithTolerance,
        counters: Arc<ErrorCounters>,
        log: Option<LogReporter>,
        dead_letters: Option<SourceDeadLetters>,
    ) -> Self {
        Self {
            rules,
            counters,
            log,
            dead_letters,
        }
    }

    /// Writes the failure to the log, if it is to be there.
    pub(crate) fn log(&self, failure: &RecordFailure, record: impl FnOnce() -> String) {
        if let Some(log) = &self.log {
            log.report(failure, || format!(", where source record is = {}", record()));
        }
    }
}

impl SourceDeadLetters {
    /// # Errors
    /// Never; the converters are built in and have valid settings.
    pub(crate) fn new(config: DeadLetterConfig, task: TaskId) -> Result<Self> {
        let missing =
            || ConnectError::not_found(format!("{JSON} is not built in; this is a defect of wharf"));
        let settings = ConfigMap::from([("schemas.enable".to_owned(), "true".to_owned())]);
        let json = |part: ConverterType| {
            let mut converter = wharf_converters::converter(JSON).ok_or_else(missing)?;
            let mut settings = settings.clone();
            settings.insert("converter.type".to_owned(), part.name().to_owned());
            converter.configure(&settings, part)?;
            Ok::<_, ConnectError>(converter)
        };
        Ok(Self {
            config,
            task,
            key: json(ConverterType::Key)?,
            value: json(ConverterType::Value)?,
            header: wharf_converters::header_converter(SIMPLE).ok_or_else(missing)?,
        })
    }

    /// The topic that they go to.
    pub(crate) fn topic(&self) -> &str {
        &self.config.topic
    }

    /// The letter for a record that failed.
    pub(crate) fn letter(
        &mut self,
        place: &SourcePlace,
        failure: &RecordFailure,
        remains: &Remains,
        offsets: &OffsetStorage,
    ) -> Letter {
        let (mut letter, content) = match remains {
            Remains::Record(record) => self.of_record(record),
            Remains::Bytes(bytes) => (
                Letter {
                    key: bytes.key.clone(),
                    value: bytes.value.clone(),
                    headers: bytes.headers.clone(),
                    timestamp: None,
                },
                "bytes",
            ),
        };
        if self.config.context_headers {
            let headers = context_headers(&self.task, &place.topic, None, failure);
            let json = |map: &Option<OffsetMap>| {
                let bytes = offsets.value_bytes(map.as_ref());
                bytes.ok().flatten()
            };
            let own = [
                ("source.partition", json(&place.partition)),
                ("source.offset", json(&place.offset)),
                ("content", Some(content.as_bytes().to_vec())),
            ];
            let upstreams = headers
                .into_iter()
                .map(|(name, value)| (name, value.map(String::into_bytes)));
            let own = own.map(|(name, value)| (format!("__wharf.errors.{name}"), value));
            letter.headers.extend(upstreams.chain(own));
        }
        letter
    }

    /// Key and value by JsonConverter; as text where that is not possible.
    fn of_record(&mut self, record: &Record) -> (Letter, &'static str) {
        let topic = record.topic.as_str();
        let key = json(self.key.as_mut(), topic, record.key_schema.as_ref(), &record.key);
        let value = json(
            self.value.as_mut(),
            topic,
            record.value_schema.as_ref(),
            &record.value,
        );
        let (key, value, content) = match (key, value) {
            (Ok(key), Ok(value)) => (key, value, "connect-json"),
            _ => (as_text(&record.key), as_text(&record.value), "text"),
        };
        let mut headers = Vec::new();
        for header in record.headers.iter() {
            let mut bytes = Vec::new();
            let encoded = self.header.encode_header(
                topic,
                header.key(),
                header.schema(),
                header.value().as_ref(),
                &mut bytes,
            );
            let value = match encoded {
                Ok(Encoded::Bytes) => Some(bytes),
                Ok(Encoded::Null) => None,
                Err(_) => as_text(header.value()),
            };
            headers.push((header.key().to_owned(), value));
        }
        let letter = Letter {
            key,
            value,
            headers,
            timestamp: record.timestamp.filter(|millis| *millis >= 0),
        };
        (letter, content)
    }
}

fn json(
    converter: &mut dyn Converter,
    topic: &str,
    schema: Option<&SchemaRef>,
    value: &Value,
) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let encoded = converter.encode(topic, &mut Headers::new(), schema, value.as_ref(), &mut bytes)?;
    Ok((encoded == Encoded::Bytes).then_some(bytes))
}

fn as_text(value: &Value) -> Option<Vec<u8>> {
    (!value.is_null()).then(|| to_java_string(&value.as_ref()).into_bytes())
}

/// What the log shows of a record that is there only as bytes.
pub(crate) fn text_of_bytes(place: &SourcePlace, bytes: &Undelivered) -> String {
    let mut record = Record::source(&place.topic, place.partition.clone(), place.offset.clone());
    record.key = Value::from(bytes.key.as_deref());
    record.value = Value::from(bytes.value.as_deref());
    record.to_string()
}

impl SourcePlace {
    pub(crate) fn of(record: &Record) -> Self {
        let (partition, offset) = match &record.origin {
            Origin::Source { partition, offset } => (partition.clone(), offset.clone()),
            Origin::Sink { .. } => (None, None),
        };
        Self {
            topic: record.topic.clone(),
            partition,
            offset,
        }
    }
}
