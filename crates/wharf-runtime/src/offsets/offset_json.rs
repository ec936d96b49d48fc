//! Source partitions and offsets as JSON: the bytes of keys and values in an offset store.
//!
//! Upstream writes them with a JsonConverter without schemas, and so does this: a key is `["connector",{partition}]`, a
//! value `{offset}`. What is read has integers of 64 bits, floats of 64 bits, and texts where bytes were.

use serde_json::{Map as JsonMap, Value as Json};
use wharf_api::{
    ConfigMap, ConnectError, Converter as _, ConverterType, Encoded, Headers, OffsetMap, Result, Value,
};
use wharf_cluster::java_hash::{self, Filled};
use wharf_converters::JsonConverter;

/// Writes and reads the JSON of offsets. It keeps nothing but buffers.
pub struct OffsetJson(JsonConverter);

impl Default for OffsetJson {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for OffsetJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OffsetJson")
    }
}

impl OffsetJson {
    /// A writer and reader.
    #[must_use]
    pub fn new() -> Self {
        let mut converter = JsonConverter::default();
        let config = ConfigMap::from([("schemas.enable".to_owned(), "false".to_owned())]);
        let configured = converter.configure(&config, ConverterType::Key);
        debug_assert!(configured.is_ok(), "{configured:?}");
        Self(converter)
    }

    fn encode(&mut self, value: &Value) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        match self
            .0
            .encode("", &mut Headers::new(), None, value.as_ref(), &mut out)?
        {
            Encoded::Bytes => Ok(out),
            Encoded::Null => Err(ConnectError::data("an offset cannot be written as nothing")),
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<Value> {
        Ok(self.0.decode("", &Headers::new(), Some(bytes))?.value)
    }

    /// The key of a connector's partition; records without a partition have `None`.
    ///
    /// # Errors
    /// A data error when a value of the partition is not a primitive.
    pub fn key(&mut self, connector: &str, partition: Option<&OffsetMap>) -> Result<Vec<u8>> {
        let partition = partition.map(ordered).transpose()?;
        self.encode(&Value::Array(vec![
            connector.into(),
            partition.unwrap_or_default(),
        ]))
    }

    /// The value of an offset.
    ///
    /// # Errors
    /// A data error when a value of the offset is not a primitive.
    pub fn value(&mut self, offset: &OffsetMap) -> Result<Vec<u8>> {
        self.encode(&ordered(offset)?)
    }

    /// The offset that a value holds; `None` for JSON's null.
    ///
    /// # Errors
    /// A data error when it is not an object of primitives.
    pub fn offset_of(&mut self, value: &[u8]) -> Result<Option<OffsetMap>> {
        match self.decode(value)? {
            Value::Null => Ok(None),
            value => {
                let offset = OffsetMap::from_value(&value)?;
                offset.check_primitive()?;
                Ok(Some(offset))
            }
        }
    }

    /// The partition that a key names, if it is a key of this connector with a partition. Other shapes are no partitions
    /// of anybody.
    pub fn partition_of(&mut self, connector: &str, key: &[u8]) -> Option<OffsetMap> {
        match self.decode(key) {
            Ok(Value::Array(parts)) => match parts.as_slice() {
                [name, partition @ Value::Map(_)] if name.as_str() == Some(connector) => {
                    OffsetMap::from_value(partition).ok()
                }
                _ => None,
            },
            _ => {
                tracing::warn!(key = %String::from_utf8_lossy(key), "offset with a malformed key ignored");
                None
            }
        }
    }

    /// The connector that a key of an offset store belongs to, with a partition or without; nothing for other shapes.
    pub(super) fn connector_of(&mut self, key: &[u8]) -> Option<String> {
        let Ok(Value::Array(mut parts)) = self.decode(key) else {
            return None;
        };
        match parts.as_mut_slice() {
            [Value::String(name), Value::Map(_) | Value::Null] => Some(std::mem::take(name)),
            _ => None,
        }
    }

    /// What a map becomes when it is stored and read again.
    ///
    /// # Errors
    /// A data error when a value is not a primitive.
    pub fn normalize(&mut self, map: &OffsetMap) -> Result<OffsetMap> {
        let bytes = self.value(map)?;
        Ok(self.offset_of(&bytes)?.unwrap_or_default())
    }

    /// A text that is the same for all maps that are equal once they are normalized.
    pub(super) fn canonical(&mut self, map: &OffsetMap) -> Result<Vec<u8>> {
        let normal = self.normalize(map)?;
        let mut entries: Vec<(Value, Value)> = normal
            .iter()
            .map(|(key, value)| (key.into(), value.clone()))
            .collect();
        entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
        self.encode(&Value::Map(entries))
    }
}

/// The map as a value, in the order of Java's `HashMap`.
fn ordered(map: &OffsetMap) -> Result<Value> {
    map.check_primitive()?;
    let mut entries: Vec<(&str, &Value)> = map.iter().collect();
    java_hash::sort(&mut entries, Filled::OneByOne, |(key, _)| key);
    Ok(Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.into(), value.clone()))
            .collect(),
    ))
}

/// A partition or offset as the REST API shows it.
#[must_use]
pub fn to_json_object(map: &OffsetMap) -> JsonMap<String, Json> {
    let mut entries: Vec<(&str, &Value)> = map.iter().collect();
    java_hash::sort(&mut entries, Filled::OneByOne, |(key, _)| key);
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json(value)))
        .collect()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::String(text) => Json::String(text.clone()),
        // JSON has no numbers for NaN and the infinities
        Value::Float64(number) => {
            serde_json::Number::from_f64(*number).map_or_else(|| text(value), Json::Number)
        }
        Value::Float32(number) => {
            let digits = wharf_api::java_text::float32(*number);
            digits
                .parse()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| text(value), Json::Number)
        }
        Value::Bytes(_) => text(value),
        other => other.as_i64().map_or_else(|| text(other), Json::from),
    }
}

fn text(value: &Value) -> Json {
    Json::String(wharf_api::java_text::to_java_string(&value.as_ref()))
}

/// A partition or offset as the REST API is given it: integers of 64 bits, floats of 64 bits, no nesting.
///
/// # Errors
/// A data error that names the field.
pub fn from_json_object(map: &JsonMap<String, Json>) -> Result<OffsetMap> {
    let mut offsets = OffsetMap::new();
    for (key, json) in map {
        offsets.insert(key.as_str(), from_json_value(key, json)?);
    }
    Ok(offsets)
}

fn from_json_value(key: &str, json: &Json) -> Result<Value> {
    let nested = |class: &str| {
        // The sentence of upstream's own check.
        Err(ConnectError::data(format!(
            "Offsets may only contain primitive types as values, but field {key} contains a {class}"
        )))
    };
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Boolean(*value)),
        Json::String(text) => Ok(Value::String(text.clone())),
        Json::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
            (Some(integer), ..) => Ok(Value::Int64(integer)),
            (None, false, Some(float)) => Ok(Value::Float64(float)),
            _ => Err(ConnectError::data(format!(
                "field {key} is {number}, which does not fit into 64 bits; give a smaller number or a text"
            ))),
        },
        Json::Array(_) => nested("java.util.ArrayList"),
        Json::Object(_) => nested("java.util.HashMap"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn keys_and_values_are_written_as_upstream_writes_them() {
        let mut json = OffsetJson::new();
        let partition = OffsetMap::new()
            .with("protocol", "p")
            .with("table", 1_i32)
            .with("schema", Value::Null)
            .with("database", true)
            .with("server", 1.5_f64);
        assert_eq!(
            text(json.key("my-source", Some(&partition)).unwrap()),
            r#"["my-source",{"schema":null,"server":1.5,"protocol":"p","database":true,"table":1}]"#
        );
        assert_eq!(text(json.key("c", None).unwrap()), r#"["c",null]"#);
        for (value, expected) in [
            (Value::from(42_i64), r#"{"v":42}"#),
            (Value::from(-7_i8), r#"{"v":-7}"#),
            (Value::from(1.1_f32), r#"{"v":1.1}"#),
            (Value::from(1e10_f64), r#"{"v":1.0E10}"#),
            (Value::from(&b"\xff\x00"[..]), r#"{"v":"/wA="}"#),
            (Value::from("a\"b\\c\n\u{1}/ä"), r#"{"v":"a\"b\\c\n\u0001/ä"}"#),
            (Value::from("😀"), r#"{"v":"\uD83D\uDE00"}"#),
        ] {
            assert_eq!(text(json.value(&[("v", value)].into()).unwrap()), expected);
        }
        assert_eq!(text(json.value(&OffsetMap::new()).unwrap()), "{}");
    }

    #[test]
    fn nested_values_are_refused() {
        let mut json = OffsetJson::new();
        let nested = OffsetMap::new().with("list", Value::Array(vec![]));
        let expected = "Offsets may only contain primitive types as values, but field list contains a java.util.ArrayList";
        assert_eq!(json.key("c", Some(&nested)).unwrap_err().message(), expected);
        assert_eq!(json.value(&nested).unwrap_err().message(), expected);
        assert!(json.offset_of(br#"{"a":{}}"#).is_err());
        assert!(json.offset_of(b"[1]").is_err());
    }

    #[test]
    fn what_is_read_has_wide_numbers_and_texts_for_bytes() {
        let mut json = OffsetJson::new();
        let map = OffsetMap::new()
            .with("i", 1_i8)
            .with("f", 1.1_f32)
            .with("b", &b"\xff\x00"[..])
            .with("n", Value::Null)
            .with("t", "x");
        let normal = OffsetMap::new()
            .with("i", 1_i64)
            .with("f", 1.1_f64)
            .with("b", "/wA=")
            .with("n", Value::Null)
            .with("t", "x");
        assert_eq!(json.normalize(&map).unwrap(), normal);
        assert_eq!(json.normalize(&normal).unwrap(), normal);
        assert_eq!(json.offset_of(b"null"), Ok(None));
    }

    #[test]
    fn keys_of_other_shapes_name_no_partition() {
        let mut json = OffsetJson::new();
        assert_eq!(
            json.partition_of("c", br#"["c",{"f":1}]"#),
            Some([("f", 1_i64)].into())
        );
        assert_eq!(
            json.partition_of("c", br#" [ "c" , { "f" : 1 } ] "#),
            Some([("f", 1_i64)].into())
        );
        for key in [
            r#"["d",{"f":1}]"#,
            r#"["c",null]"#,
            r#"["c"]"#,
            r#"{"c":1}"#,
            "c",
            "",
            r#"["c",{"f":1},2]"#,
        ] {
            assert_eq!(json.partition_of("c", key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn maps_of_the_rest_api_are_read_and_shown() {
        let Ok(Json::Object(body)) =
            serde_json::from_str(r#"{"topic":"t","cluster":null,"n":1,"f":1.0,"b":true}"#)
        else {
            panic!("not an object")
        };
        let map = from_json_object(&body).unwrap();
        assert_eq!(map.get("n"), Some(&Value::Int64(1)));
        assert_eq!(map.get("f"), Some(&Value::Float64(1.0)));
        assert_eq!(to_json_object(&map), body);
        let order = OffsetMap::new()
            .with("kafka_topic", "t")
            .with("kafka_partition", 0);
        assert_eq!(
            serde_json::to_string(&to_json_object(&order)).unwrap(),
            r#"{"kafka_partition":0,"kafka_topic":"t"}"#
        );
        for (body, part) in [
            (r#"{"a":[1]}"#, "field a contains a java.util.ArrayList"),
            (r#"{"a":{}}"#, "field a contains a java.util.HashMap"),
            (r#"{"a":18446744073709551615}"#, "does not fit into 64 bits"),
        ] {
            let Ok(Json::Object(body)) = serde_json::from_str(body) else {
                panic!("not an object")
            };
            let error = from_json_object(&body).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
