//! Records in the JSON form of [`codec`]; what is null or empty is left out. The other half is in `java/Records.java`.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value as Json, json};
use wharf_api::{Header, Headers, Origin, Record, Value};

use crate::codec::{schema_from_json, schema_or_null, value_from_json, value_to_json};

/// The JSON form of a record.
#[must_use]
pub fn record_to_json(record: &Record) -> Json {
    let mut out = Map::new();
    let mut set = |key: &str, value: Json| {
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    };
    set("topic", json!(record.topic));
    set("partition", json!(record.kafka_partition));
    if let Origin::Sink { offset, .. } = record.origin {
        set("offset", json!(offset));
    }
    set("keySchema", schema_or_null(record.key_schema.as_ref()));
    set("key", value_to_json(&record.key));
    set("schema", schema_or_null(record.value_schema.as_ref()));
    set("value", value_to_json(&record.value));
    set(
        "timestamp",
        json!(record.timestamp.map(|millis| millis.to_string())),
    );
    let headers: Vec<Json> = record
        .headers
        .iter()
        .map(|header| {
            json!([
                header.key(),
                schema_or_null(header.schema()),
                value_to_json(header.value())
            ])
        })
        .collect();
    if !headers.is_empty() {
        set("headers", Json::Array(headers));
    }
    Json::Object(out)
}

/// A record from its JSON form.
///
/// # Errors
/// When it is not one.
pub fn record_from_json(json: &Json) -> Result<Record> {
    let topic = json["topic"].as_str().context("a record without topic")?;
    let partition = json["partition"].as_i64().map(i32::try_from).transpose()?;
    let mut record = match json["offset"].as_i64() {
        // no transformation moves the original coordinates; see `java/Records.java`
        Some(offset) => {
            let mut record = Record::sink(topic, 0, offset);
            if let Origin::Sink { original_topic, .. } = &mut record.origin {
                "topic".clone_into(original_topic);
            }
            record
        }
        None => Record::source(topic, None, None),
    };
    record.kafka_partition = partition;
    record.key_schema = schema_from_json(&json["keySchema"])?;
    record.key = value_from_json(&json["key"])?;
    record.value_schema = schema_from_json(&json["schema"])?;
    record.value = value_from_json(&json["value"])?;
    record.timestamp = json["timestamp"].as_str().map(str::parse).transpose()?;
    let mut headers = Headers::new();
    for header in json["headers"].as_array().map_or(&[][..], Vec::as_slice) {
        let key = header[0].as_str().context("a header without key")?;
        let value: Value = value_from_json(&header[2])?;
        headers.push(Header::new(key, schema_from_json(&header[1])?, value));
    }
    record.headers = headers;
    Ok(record)
}
