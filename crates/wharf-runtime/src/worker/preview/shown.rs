//! How records, bytes and errors show in the answer of a preview.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::Value as Json;
use wharf_api::schema::SchemaRef;
use wharf_api::{ConnectError, Converter as _, ConverterType, Encoded, Headers, Record, Value};
use wharf_converters::JsonConverter;

/// A record between two steps. Keys, values and headers are as `JsonConverter` writes them, with `schema` and `payload`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownRecord {
    /// The topic.
    pub topic: String,
    /// The partition; null where the partitioner chooses it.
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Json,
    /// The value.
    pub value: Json,
    /// The headers, each with its name.
    pub headers: Vec<(String, Json)>,
}

impl From<&Record> for ShownRecord {
    fn from(record: &Record) -> Self {
        Self {
            topic: record.topic.clone(),
            partition: record.kafka_partition,
            timestamp: record.timestamp,
            key: data(record.key_schema.as_ref(), &record.key),
            value: data(record.value_schema.as_ref(), &record.value),
            headers: record
                .headers
                .iter()
                .map(|header| (header.key().to_owned(), data(header.schema(), header.value())))
                .collect(),
        }
    }
}

/// Data with its schema. What JSON cannot say is shown as a text.
fn data(schema: Option<&SchemaRef>, value: &Value) -> Json {
    let mut converter = JsonConverter::default();
    let enable = [("schemas.enable".to_owned(), "true".to_owned())].into();
    let mut out = Vec::new();
    let written = converter
        .configure(&enable, ConverterType::Value)
        .and_then(|()| converter.encode("", &mut Headers::new(), schema, value.as_ref(), &mut out));
    match written {
        Ok(Encoded::Null) => Json::Null,
        Ok(Encoded::Bytes) => serde_json::from_slice(&out).unwrap_or(Json::Null),
        Err(error) => serde_json::json!({ "unshowable": error.message() }),
    }
}

/// Bytes as a text where they are one, in Base64 elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownBytes {
    /// Kafka's null.
    Null,
    /// UTF-8.
    Text(String),
    /// Other bytes.
    Base64(String),
}

impl ShownBytes {
    pub(super) fn new(bytes: Option<&[u8]>) -> Self {
        match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
            None => Self::Null,
            Some((_, Ok(text))) => Self::Text(text.to_owned()),
            Some((bytes, Err(_))) => Self::Base64(BASE64.encode(bytes)),
        }
    }
}

/// A header as it is written to Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownHeader {
    /// Its name.
    pub key: String,
    /// Its bytes.
    pub value: ShownBytes,
}

/// An error as reports have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownError {
    /// The class of the Java exception.
    pub class: String,
    /// What went wrong, causes included.
    pub message: String,
}

impl From<&ConnectError> for ShownError {
    fn from(error: &ConnectError) -> Self {
        Self {
            class: error.class().to_owned(),
            message: format!("{error:#}"),
        }
    }
}
