//! Records that a preview is given or reads from a topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value as Json;
use wharf_api::schema::{Schema, SchemaRef};
use wharf_api::{ConfigMap, ConnectError, Converter as _, ConverterType, Headers, Result, Value};
use wharf_converters::JsonConverter;
use wharf_kafka::{Admin, OffsetSpec, Reader, TopicPartition, translate};

use super::super::Worker;
use super::MOST_RECORDS;
use crate::config::{sink_consumer_config, task_admin_config};

/// How long a topic may take to be read.
const READ_TIME: Duration = Duration::from_secs(20);

/// A record to be previewed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The topic that it comes from or goes to.
    pub topic: String,
    /// Its partition.
    #[serde(default)]
    pub partition: Option<i32>,
    /// Its offset.
    #[serde(default)]
    pub offset: Option<i64>,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// The key.
    #[serde(default)]
    pub key: SampleData,
    /// The value.
    #[serde(default)]
    pub value: SampleData,
    /// The headers.
    #[serde(default)]
    pub headers: Vec<SampleHeader>,
}

/// A header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleHeader {
    /// Its name.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: SampleData,
}

/// A key or value. For sinks, all forms are bytes; for sources they are data: a text, bytes, or what `JsonConverter`
/// reads.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum SampleData {
    /// Null.
    #[default]
    Null,
    /// A text.
    Text(String),
    /// Bytes.
    Base64 {
        /// In Base64.
        base64: String,
    },
    /// JSON; with `schema` and `payload`, data with that schema.
    Json {
        /// The JSON.
        json: Json,
    },
}

impl SampleData {
    /// As it lies in Kafka.
    ///
    /// # Errors
    /// What is no Base64.
    pub(super) fn to_bytes(&self) -> Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64 { base64 } => Some(
                BASE64
                    .decode(base64)
                    .map_err(|error| ConnectError::data(format!("`base64` holds no Base64: {error}")))?,
            ),
            Self::Json { json } => Some(json.to_string().into_bytes()),
        })
    }

    /// As a source's task makes it.
    ///
    /// # Errors
    /// What is no Base64, or no data for `JsonConverter`.
    pub(super) fn to_data(&self) -> Result<(Option<SchemaRef>, Value)> {
        Ok(match self {
            Self::Null => (None, Value::Null),
            Self::Text(text) => (Some(Schema::string()), text.as_str().into()),
            Self::Base64 { .. } => {
                let bytes = self.to_bytes()?.unwrap_or_default();
                (Some(Schema::bytes()), Value::from(bytes))
            }
            Self::Json { json } => {
                let has_schema = json.as_object().is_some_and(|object| {
                    object.len() == 2 && object.contains_key("schema") && object.contains_key("payload")
                });
                let mut converter = JsonConverter::default();
                let enable = [("schemas.enable".to_owned(), has_schema.to_string())].into();
                converter.configure(&enable, ConverterType::Value)?;
                let bytes = json.to_string();
                let read = converter.decode("", &Headers::new(), Some(bytes.as_bytes()))?;
                (read.schema, read.value)
            }
        })
    }

    fn of_bytes(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Null, |bytes| Self::Base64 {
            base64: BASE64.encode(bytes),
        })
    }
}

impl Worker {
    /// The last records of a topic, oldest first, by a client of its own that belongs to no group.
    pub(super) fn last_records(&self, topic: &str, last: usize, config: &ConfigMap) -> Result<Vec<Sample>> {
        let translated = |kind, settings: &ConfigMap| {
            translate(kind, settings).map_err(|problems| {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                ConnectError::config(list.join("; "))
            })
        };
        let unreadable = |error: wharf_kafka::KafkaError| {
            ConnectError::connect(format!("topic {topic} cannot be read: {error}"))
        };
        let last = last.min(MOST_RECORDS);
        let name = "preview";
        let settings = task_admin_config(&self.config, name, 0, config);
        let admin =
            Admin::new(&translated(wharf_kafka::ClientKind::Admin, &settings)?).map_err(unreadable)?;
        let found = admin.describe_topic(topic, READ_TIME).map_err(unreadable)?;
        let Some(found) = found else {
            return Err(ConnectError::config(format!("there is no topic {topic}")));
        };
        let partitions = i32::try_from(found.partitions).unwrap_or(i32::MAX);
        let of = |spec: &OffsetSpec| -> Result<BTreeMap<i32, i64>> {
            let specs: Vec<_> = (0..partitions)
                .map(|partition| (TopicPartition::new(topic, partition), *spec))
                .collect();
            let listed = admin.list_offsets(&specs, false, READ_TIME).map_err(unreadable)?;
            Ok(listed
                .into_iter()
                .map(|entry| (entry.partition.partition, entry.offset))
                .collect())
        };
        let (first, end) = (of(&OffsetSpec::Earliest)?, of(&OffsetSpec::Latest)?);
        let settings = sink_consumer_config(&self.config, name, 0, config);
        let consumer = translated(wharf_kafka::ClientKind::Consumer, &settings)?;
        let mut reader = Reader::new(&consumer, topic, partitions).map_err(unreadable)?;
        let back = i64::try_from(last).unwrap_or(i64::MAX);
        for (partition, end) in &end {
            let start = end
                .saturating_sub(back)
                .max(first.get(partition).copied().unwrap_or(0));
            reader.seek(*partition, start, READ_TIME).map_err(unreadable)?;
        }
        let deadline = Instant::now() + READ_TIME;
        let mut samples: BTreeMap<(i64, i32, i64), Sample> = BTreeMap::new();
        let is_behind = |reader: &Reader| {
            end.iter().any(|(partition, end)| {
                let is_empty = first.get(partition) == Some(end);
                !is_empty && reader.position(*partition) < *end
            })
        };
        while is_behind(&reader) {
            if Instant::now() >= deadline {
                return Err(ConnectError::connect(format!(
                    "the last records of topic {topic} were not read within {} s",
                    READ_TIME.as_secs()
                )));
            }
            reader
                .poll(Duration::from_millis(200), |message| {
                    let millis = message.timestamp().millis();
                    let sample = Sample {
                        topic: topic.to_owned(),
                        partition: Some(message.partition()),
                        offset: Some(message.offset()),
                        timestamp: millis,
                        key: SampleData::of_bytes(message.key()),
                        value: SampleData::of_bytes(message.value()),
                        headers: message
                            .headers()
                            .map(|header| SampleHeader {
                                key: header.0.into_owned(),
                                value: SampleData::of_bytes(header.1),
                            })
                            .collect(),
                    };
                    let order = (millis.unwrap_or(0), message.partition(), message.offset());
                    samples.insert(order, sample);
                })
                .map_err(unreadable)?;
        }
        let skip = samples.len().saturating_sub(last);
        Ok(samples.into_values().skip(skip).collect())
    }
}
