//! `JsonConverter`, reading payloads that do not suit their schema: every type with every form of JSON. Upstream alters
//! most of them silently, which is declared; [`declared`] is the whole rule.

use super::Table;
use super::json_to::{call, envelope};

const TYPES: [&str; 11] = [
    "int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes", "array", "struct",
];

const PAYLOADS: [&str; 24] = [
    "0",
    "1",
    "-1",
    "1.0",
    "1e3",
    "1.9",
    "-0.5",
    "300",
    "40000",
    "3000000000",
    "9223372036854775808",
    "1e39",
    "1e400",
    "\"x\"",
    "\"5\"",
    "\"true\"",
    "\"NaN\"",
    "\"Infinity\"",
    "\"-Infinity\"",
    "true",
    "false",
    "[]",
    "[1]",
    "{}",
];

pub(super) fn fill(table: &mut Table) {
    for schema_type in TYPES {
        let schema = match schema_type {
            "array" => "{\"type\":\"array\",\"items\":{\"type\":\"int8\"}}".to_owned(),
            "struct" => "{\"type\":\"struct\",\"fields\":[]}".to_owned(),
            other => format!("{{\"type\":\"{other}\"}}"),
        };
        for payload in PAYLOADS {
            let call = call(&[], envelope(&schema, payload));
            table.add("mismatch", call, declared(schema_type, payload));
        }
    }
}

/// The largest value of an integer type.
fn largest(schema_type: &str) -> Option<f64> {
    Some(match schema_type {
        "int8" => i8::MAX.into(),
        "int16" => i16::MAX.into(),
        "int32" => i32::MAX.into(),
        "int64" => 9.2e18,
        _ => return None,
    })
}

/// The difference that this payload shows for this type.
fn declared(schema_type: &str, payload: &str) -> Option<&'static str> {
    let number: Option<f64> = payload.parse().ok();
    let is_text = payload.starts_with('"');
    match schema_type {
        "int8" | "int16" | "int32" | "int64" => match number {
            Some(number) if number.fract() != 0.0 => Some("integer-fraction"),
            Some(number) => (number > largest(schema_type)?).then_some("integer-range"),
            // Booleans and containers too are 0 upstream.
            None => Some("number-text"),
        },
        "float" | "double" => match number {
            Some(number) if number.is_infinite() => Some("float-range"),
            Some(number) => (schema_type == "float" && number > f64::from(f32::MAX)).then_some("float-range"),
            None if matches!(payload, "\"NaN\"" | "\"Infinity\"" | "\"-Infinity\"") => Some("float-names"),
            None => Some("number-text"),
        },
        "boolean" => (!matches!(payload, "true" | "false")).then_some("boolean-other"),
        "string" | "bytes" if is_text => None,
        "string" | "bytes" => Some("text-number"),
        "array" => (!payload.starts_with('[')).then_some("array-other"),
        _ => None,
    }
}
