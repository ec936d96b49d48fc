//! Variants: values of any type, which JSON schemas without a type (`true`, `{}`) describe.
//!
//! In Connect a variant is a struct of two byte strings in the open Variant encoding that Parquet and Iceberg share: `metadata` is a
//! dictionary of object keys, `value` the value. Both directions check every offset; no bytes make them panic.

mod read;
mod write;

use std::sync::LazyLock;

use wharf_api::value_ref::StructRef;
use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef, Struct, Value, ValueRef};
use wharf_converters::json::reader::Reader;

/// The schema name.
pub(crate) const NAME: &str = "org.apache.kafka.connect.data.Variant";
const METADATA: &str = "metadata";
const VALUE: &str = "value";
/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 200;

/// Whether a schema is that of variants.
pub(crate) fn is_variant(schema: &Schema) -> bool {
    schema.name() == Some(NAME)
}

/// Starts the schema of variants.
pub(crate) fn builder() -> SchemaBuilder {
    SchemaBuilder::structure()
        .name(NAME)
        .field(METADATA, Schema::bytes())
        .field(VALUE, Schema::bytes())
}

/// The required schema of variants.
///
/// # Errors
/// Never: the builder has nothing to refuse.
pub(crate) fn schema() -> Result<SchemaRef> {
    static SCHEMA: LazyLock<Result<SchemaRef>> = LazyLock::new(|| builder().build());
    SCHEMA.clone()
}

/// Appends the JSON of a variant.
///
/// # Errors
/// A data error when the bytes are not a variant.
pub(crate) fn to_json(value: StructRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let bytes = |name| match value.get(name) {
        Some(ValueRef::Bytes(bytes)) => Ok(bytes),
        _ => Err(malformed("it has no bytes of that name")),
    };
    read::write_json(bytes(METADATA)?, bytes(VALUE)?, out)
}

/// Reads the next JSON value as a variant of this schema.
///
/// # Errors
/// A data error when the text is not JSON.
pub(crate) fn from_json(schema: &SchemaRef, reader: &mut Reader<'_>) -> Result<Value> {
    let (metadata, value) = write::encode(reader)?;
    Ok(Struct::from_values(
        SchemaRef::clone(schema),
        vec![Value::Bytes(metadata), Value::Bytes(value)],
    )
    .into())
}

#[cold]
fn malformed(why: &str) -> ConnectError {
    ConnectError::data(format!("a Variant is malformed: {why}"))
}

/// Kinds of primitive values, as the encoding numbers them.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const INT8: u8 = 3;
    pub(super) const INT16: u8 = 4;
    pub(super) const INT32: u8 = 5;
    pub(super) const INT64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const DECIMAL4: u8 = 8;
    pub(super) const DECIMAL8: u8 = 9;
    pub(super) const DECIMAL16: u8 = 10;
    pub(super) const DATE: u8 = 11;
    pub(super) const TIMESTAMP_MICROS: u8 = 12;
    pub(super) const TIMESTAMP_MICROS_NTZ: u8 = 13;
    pub(super) const FLOAT: u8 = 14;
    pub(super) const BINARY: u8 = 15;
    pub(super) const STRING: u8 = 16;
    pub(super) const TIME_MICROS_NTZ: u8 = 17;
    pub(super) const TIMESTAMP_NANOS: u8 = 18;
    pub(super) const TIMESTAMP_NANOS_NTZ: u8 = 19;
    pub(super) const UUID: u8 = 20;
}

/// Basic types: the low two bits of a value's first byte.
mod basic {
    pub(super) const PRIMITIVE: u8 = 0;
    pub(super) const SHORT_STRING: u8 = 1;
    pub(super) const OBJECT: u8 = 2;
    pub(super) const ARRAY: u8 = 3;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(json: &str) -> String {
        let schema = schema().unwrap();
        let value = from_json(&schema, &mut Reader::new(json.as_bytes())).unwrap();
        let ValueRef::Struct(value) = value.as_ref() else {
            panic!("a struct")
        };
        let mut out = Vec::new();
        to_json(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_survives_the_encoding() {
        let long = format!("\"{}\"", "x".repeat(100));
        let wide = format!("[{}]", vec!["1"; 300].join(","));
        for json in [
            "null",
            "true",
            "false",
            "1",
            "-5000000000",
            "1.56",
            "123456789012.5",
            "12345678901234567890123.25",
            "\"short\"",
            &long,
            "[]",
            "{}",
            "[1,[2,\"x\"],null]",
            r#"{"a":{"c":[1]},"b":2}"#,
            &wide,
        ] {
            assert_eq!(round_trip(json), json);
        }
        // Fields come back sorted by key.
        assert_eq!(round_trip(r#"{"b":1,"a":2}"#), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        for (json, metadata, value) in [
            ("1", &[1, 0, 0][..], &[0x14, 1, 0, 0, 0][..]),
            ("\"hi\"", &[1, 0, 0], &[0x09, b'h', b'i']),
            ("true", &[1, 0, 0], &[0x04]),
            (r#"{"a":null}"#, &[1, 1, 0, 1, b'a'], &[0x02, 1, 0, 0, 1, 0x00]),
            ("[true]", &[1, 0, 0], &[0x03, 1, 0, 1, 0x04]),
        ] {
            let (m, v) = write::encode(&mut Reader::new(json.as_bytes())).unwrap();
            assert_eq!((m.as_slice(), v.as_slice()), (metadata, value), "{json}");
        }
    }

    #[test]
    fn temporal_and_binary_values_become_texts() {
        let mut out = Vec::new();
        let empty = &[1, 0, 0][..];
        let with = |kind: u8, number: i64| [&[kind << 2][..], &number.to_le_bytes()].concat();
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (
                [&[kind::DATE << 2][..], &(-1_i32).to_le_bytes()].concat(),
                "\"1969-12-31\"",
            ),
            (
                with(kind::TIMESTAMP_MICROS, 1_500),
                "\"1970-01-01T00:00:00.001500Z\"",
            ),
            (with(kind::TIMESTAMP_MICROS_NTZ, 0), "\"1970-01-01T00:00:00\""),
            (
                with(kind::TIMESTAMP_NANOS, 1),
                "\"1970-01-01T00:00:00.000000001Z\"",
            ),
            (with(kind::TIME_MICROS_NTZ, 3_600_000_000), "\"01:00:00\""),
            (
                [&[kind::BINARY << 2][..], &3_u32.to_le_bytes(), b"abc"].concat(),
                "\"YWJj\"",
            ),
            (
                [&[kind::UUID << 2][..], &[0x11; 16]].concat(),
                "\"11111111-1111-1111-1111-111111111111\"",
            ),
        ];
        for (value, json) in cases {
            out.clear();
            read::write_json(empty, &value, &mut out).unwrap();
            assert_eq!(std::str::from_utf8(&out).unwrap(), json);
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let mut out = Vec::new();
        let (metadata, value) = write::encode(&mut Reader::new(br#"{"a":[1,{"b":"x"}],"c":2.5}"#)).unwrap();
        for end in 0..value.len() {
            assert!(read::write_json(&metadata, &value[..end], &mut out).is_err());
        }
        for position in 0..value.len() {
            for bit in 0..8 {
                let mut damaged = value.clone();
                damaged[position] ^= 1 << bit;
                let _ = read::write_json(&metadata, &damaged, &mut out);
                out.clear();
            }
        }
        assert!(read::write_json(&[], &value, &mut out).is_err());
        // An array whose element is itself.
        assert!(read::write_json(&[1, 0, 0], &[0x03, 1, 0, 0], &mut out).is_err());
    }
}
