//! What a connector's converters and transformations would make of records, step by step.
//!
//! The same converters and transformations as tasks use, made for the one request. What must stay true: no connector and no
//! task is started, no offset is committed or stored, nothing is written to Kafka; references to config providers stay as
//! they are written, and messages show them where they quote a value of the worker's file, so that no answer can be made to
//! tell one.

mod sample;
mod shown;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wharf_api::batch::Datum;
use wharf_api::record::Origin;
use wharf_api::{Applied, ConfigMap, ConnectError, Headers, Record, Result};

pub use self::sample::{Sample, SampleData, SampleHeader};
pub use self::shown::{ShownBytes, ShownError, ShownHeader, ShownRecord};
use super::Worker;
use super::converters::TaskConverters;
use super::task_errors::{ConverterPurpose, task_converters};
use super::transformation_chain::TransformationChain;
use crate::config::{ConnectorConfig, ConverterKind};
use crate::herder::{ConnectorType, HerderError, RawConfig, without_nulls};

/// Most records of one request.
pub const MOST_RECORDS: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The connector's configuration.
    pub config: RawConfig,
    /// Records; of a sink as they lie in Kafka, of a source as its task makes them.
    #[serde(default)]
    pub records: Vec<Sample>,
    /// For sinks: the topic whose last records are taken, too.
    #[serde(default)]
    pub topic: Option<String>,
    /// How many of them; 10 unless said otherwise.
    #[serde(default)]
    pub last: Option<usize>,
}

/// What became of the records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The connector's class.
    pub class: String,
    /// Source or sink.
    #[serde(rename = "type")]
    pub kind: ConnectorType,
    /// One entry for each record, in order.
    pub records: Vec<PreviewedRecord>,
}

/// The way of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedRecord {
    /// Where it comes from.
    pub topic: String,
    /// Its partition there.
    pub partition: Option<i32>,
    /// Its offset there.
    pub offset: Option<i64>,
    /// What happened to it, in order; the last one is where its way ends.
    pub steps: Vec<PreviewStep>,
    /// `put`, `written`, `dropped` or `failed`.
    pub outcome: &'static str,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewStep {
    /// `KEY_CONVERTER`, `VALUE_CONVERTER`, `HEADER_CONVERTER`, `TRANSFORMATION`, as reports name stages.
    pub stage: &'static str,
    /// The alias of a transformation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The class that works here.
    pub class: String,
    /// Whether its predicate lets a transformation work on the record; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applies: Option<bool>,
    /// The record after the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<ShownRecord>,
    /// What is written to Kafka for this part of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ShownBytes>,
    /// The headers that are written to Kafka.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<ShownHeader>>,
    /// Why the step failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ShownError>,
}

impl PreviewStep {
    fn new(stage: &'static str, class: &str) -> Self {
        Self {
            stage,
            alias: None,
            class: class.to_owned(),
            applies: None,
            record: None,
            bytes: None,
            headers: None,
            error: None,
        }
    }

    fn failed(self, error: &ConnectError) -> Self {
        Self {
            error: Some(ShownError::from(error)),
            ..self
        }
    }
}

const KEY: &str = "KEY_CONVERTER";
const VALUE: &str = "VALUE_CONVERTER";
const HEADER: &str = "HEADER_CONVERTER";
const TRANSFORMATION: &str = "TRANSFORMATION";

/// Converters and transformations of a connector that does not run.
struct Bench {
    converters: TaskConverters,
    chain: TransformationChain,
    classes: [String; 3],
}

impl Worker {
    /// Sends records through the converters and transformations of a configuration. Calls plugin code, and may read from
    /// Kafka: blocks.
    ///
    /// # Errors
    /// Bad request when the configuration cannot be used or the records cannot be read.
    pub(crate) fn preview(&self, class: &str, request: PreviewRequest) -> Result<Preview, HerderError> {
        // The worker's own settings were resolved when it started.
        let hide = |text: &str| self.config.config_providers.hide(text);
        let bad = |error: ConnectError| HerderError::BadRequest(hide(&format!("{error:#}")));
        let mut config = without_nulls(&request.config);
        config
            .entry("connector.class".to_owned())
            .or_insert_with(|| class.to_owned());
        config
            .entry("name".to_owned())
            .or_insert_with(|| "preview".to_owned());
        let parsed = ConnectorConfig::parse(&config).map_err(bad)?;
        let plugin = self
            .plugins
            .connector(&parsed.class, parsed.version.as_deref())
            .map_err(bad)?;
        let named = self.plugins.connector(class, None).map_err(bad)?;
        if named.class != plugin.class {
            return Err(HerderError::BadRequest(format!(
                "Included connector type {} does not match request type {class}",
                parsed.class
            )));
        }
        let mut samples = request.records;
        if let Some(topic) = &request.topic {
            if plugin.kind != ConnectorType::Sink {
                return Err(HerderError::BadRequest(
                    "only sink connectors read topics: give the records that the source's tasks would make"
                        .to_owned(),
                ));
            }
            let last = request.last.unwrap_or(10);
            samples.extend(self.last_records(topic, last, &config).map_err(bad)?);
        }
        if samples.len() > MOST_RECORDS {
            return Err(HerderError::BadRequest(format!(
                "{} records are too many for a preview; {MOST_RECORDS} may be asked for at once",
                samples.len()
            )));
        }
        let mut bench = self.bench(&parsed, &config).map_err(bad)?;
        let mut records = samples
            .iter()
            .enumerate()
            .map(|(at, sample)| {
                let way = match plugin.kind {
                    ConnectorType::Sink => bench.sink(sample),
                    _ => bench.source(sample),
                };
                way.map_err(|error| {
                    HerderError::BadRequest(format!("record {at} cannot be read: {}", error.message()))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let steps = records.iter_mut().flat_map(|record| &mut record.steps);
        for error in steps.filter_map(|step| step.error.as_mut()) {
            error.message = hide(&error.message);
        }
        Ok(Preview {
            class: plugin.class.to_string(),
            kind: plugin.kind,
            records,
        })
    }

    fn bench(&self, parsed: &ConnectorConfig, config: &ConfigMap) -> Result<Bench> {
        let class = |kind: ConverterKind| {
            let named = parsed.converter(kind, &self.config);
            self.plugins
                .plugin_class(kind.plugin_kind(), &named.class, named.version.as_deref())
                .unwrap_or_else(|| named.class.clone())
        };
        Ok(Bench {
            converters: task_converters(&self.plugins, &self.config, parsed, ConverterPurpose::Preview)?,
            chain: TransformationChain::of_connector(config, &self.plugins)?,
            classes: [
                class(ConverterKind::Key),
                class(ConverterKind::Value),
                class(ConverterKind::Header),
            ],
        })
    }
}

/// A record's steps so far.
struct Way(PreviewedRecord);

impl Way {
    fn new(sample: &Sample) -> Self {
        Self(PreviewedRecord {
            topic: sample.topic.clone(),
            partition: sample.partition,
            offset: sample.offset,
            steps: Vec::new(),
            outcome: "failed",
        })
    }

    fn end(mut self, outcome: &'static str) -> PreviewedRecord {
        self.0.outcome = outcome;
        self.0
    }
}

impl Bench {
    /// Key, value and headers are read, then transformed; what is left is what `put` would get.
    fn sink(&mut self, sample: &Sample) -> Result<PreviewedRecord> {
        let mut way = Way::new(sample);
        let topic = &sample.topic;
        let (key, value) = (sample.key.to_bytes()?, sample.value.to_bytes()?);
        let raw_headers: Vec<(String, Option<Vec<u8>>)> = sample
            .headers
            .iter()
            .map(|header| Ok((header.key.clone(), header.value.to_bytes()?)))
            .collect::<Result<_>>()?;
        let mut seen = Headers::new();
        for (key, bytes) in &raw_headers {
            seen.add_bytes(key.as_str(), bytes.as_deref());
        }
        let mut record = Record::sink(
            topic.as_str(),
            sample.partition.unwrap_or(0),
            sample.offset.unwrap_or(0),
        );
        record.timestamp = sample.timestamp;
        let [key_class, value_class, header_class] = self.classes.clone();
        let step = PreviewStep::new(KEY, &key_class);
        match self.converters.key.decode(topic, &seen, key.as_deref()) {
            Ok(decoded) => {
                let decoded = decoded.into_owned();
                (record.key_schema, record.key) = (decoded.schema, decoded.value);
                way.0.steps.push(step.after(&record));
            }
            Err(error) => return Ok(way.fail(step, &error)),
        }
        let step = PreviewStep::new(VALUE, &value_class);
        match self.converters.value.decode(topic, &seen, value.as_deref()) {
            Ok(decoded) => {
                let decoded = decoded.into_owned();
                (record.value_schema, record.value) = (decoded.schema, decoded.value);
                way.0.steps.push(step.after(&record));
            }
            Err(error) => return Ok(way.fail(step, &error)),
        }
        let step = PreviewStep::new(HEADER, &header_class);
        let raw = raw_headers
            .iter()
            .map(|(key, bytes)| (Cow::Borrowed(key.as_str()), bytes.as_deref()));
        match self.converters.decode_headers(topic, raw) {
            Ok(headers) => {
                record.headers = headers;
                way.0.steps.push(step.after(&record));
            }
            Err(error) => return Ok(way.fail(step, &error)),
        }
        Ok(match self.transform(&mut way, record) {
            Passed::Through(_) => way.end("put"),
            Passed::Dropped => way.end("dropped"),
            Passed::Failed => way.end("failed"),
        })
    }

    /// Transformed, then written as bytes.
    fn source(&mut self, sample: &Sample) -> Result<PreviewedRecord> {
        let mut way = Way::new(sample);
        let mut record = Record::source(sample.topic.as_str(), None, None);
        record.kafka_partition = sample.partition;
        record.timestamp = sample.timestamp;
        (record.key_schema, record.key) = sample.key.to_data()?;
        (record.value_schema, record.value) = sample.value.to_data()?;
        for header in &sample.headers {
            let (schema, value) = header.value.to_data()?;
            record
                .headers
                .push(wharf_api::Header::new(header.key.as_str(), schema, value));
        }
        debug_assert!(matches!(record.origin, Origin::Source { .. }));
        let record = match self.transform(&mut way, record) {
            Passed::Through(record) => *record,
            Passed::Dropped => return Ok(way.end("dropped")),
            Passed::Failed => return Ok(way.end("failed")),
        };
        let [key_class, value_class, header_class] = self.classes.clone();
        let topic = record.topic.as_str();
        let mut headers = record.headers.clone();
        let step = PreviewStep::new(KEY, &key_class);
        let datum = Datum::new(record.key_schema.as_ref(), &record.key);
        match self.converters.key.encode(topic, datum, &mut headers) {
            Ok(bytes) => way.0.steps.push(step.wrote(bytes)),
            Err(error) => return Ok(way.fail(step, &error)),
        }
        let step = PreviewStep::new(VALUE, &value_class);
        let datum = Datum::new(record.value_schema.as_ref(), &record.value);
        match self.converters.value.encode(topic, datum, &mut headers) {
            Ok(bytes) => way.0.steps.push(step.wrote(bytes)),
            Err(error) => return Ok(way.fail(step, &error)),
        }
        let step = PreviewStep::new(HEADER, &header_class);
        let (mut arena, mut places) = (Vec::new(), Vec::new());
        match self
            .converters
            .encode_headers(topic, &headers, &mut arena, &mut places)
        {
            Ok(()) => {
                let shown = headers.iter().zip(&places).map(|(header, place)| ShownHeader {
                    key: header.key().to_owned(),
                    value: ShownBytes::new(place.clone().and_then(|place| arena.get(place))),
                });
                way.0.steps.push(PreviewStep {
                    headers: Some(shown.collect()),
                    ..step
                });
            }
            Err(error) => return Ok(way.fail(step, &error)),
        }
        Ok(way.end("written"))
    }

    fn transform(&mut self, way: &mut Way, mut record: Record) -> Passed {
        for stage in self.chain.stages_mut() {
            let mut step = PreviewStep::new(TRANSFORMATION, &stage.class);
            step.alias = Some(stage.alias.clone());
            let applies = match stage.applies_to(&record) {
                Ok(applies) => applies,
                Err(error) => {
                    way.0.steps.push(step.failed(&error));
                    return Passed::Failed;
                }
            };
            step.applies = stage.condition.is_some().then_some(applies);
            if !applies {
                way.0.steps.push(step.after(&record));
                continue;
            }
            match stage.transform(&mut record) {
                Ok(Applied::Kept) => way.0.steps.push(step.after(&record)),
                Ok(Applied::Dropped) => {
                    way.0.steps.push(step);
                    return Passed::Dropped;
                }
                Err(error) => {
                    way.0.steps.push(step.failed(&error));
                    return Passed::Failed;
                }
            }
        }
        Passed::Through(Box::new(record))
    }
}

enum Passed {
    Through(Box<Record>),
    Dropped,
    Failed,
}

impl Way {
    fn fail(mut self, step: PreviewStep, error: &ConnectError) -> PreviewedRecord {
        self.0.steps.push(step.failed(error));
        self.end("failed")
    }
}

impl PreviewStep {
    fn after(self, record: &Record) -> Self {
        Self {
            record: Some(ShownRecord::from(record)),
            ..self
        }
    }

    fn wrote(self, bytes: Option<&[u8]>) -> Self {
        Self {
            bytes: Some(ShownBytes::new(bytes)),
            ..self
        }
    }
}

#[cfg(test)]
#[path = "preview_tests.rs"]
mod tests;
