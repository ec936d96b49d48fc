//! Values as text: JSON-like, with strings raw at the top and quoted within containers.

use jiff::tz::TimeZone;

use super::temporal::write_temporal;
use crate::java_text::{into_text, write_base64, write_java_string};
use crate::value_ref::ValueRef;
use crate::zone;

/// The text of a value; null has none.
#[must_use]
pub fn convert_to_string(value: &ValueRef<'_>) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut out = Vec::new();
    write_string(value, &mut out);
    Some(into_text(out))
}

/// As [`convert_to_string`], appended to `out` as UTF-8; null is written as `null`.
pub fn write_string(value: &ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::String(text) => out.extend_from_slice(text.as_bytes()),
        ValueRef::Bytes(bytes) => write_base64(bytes, out),
        // Only these need the time zone, which is not free to look up.
        ValueRef::Date(_) | ValueRef::Array(_) | ValueRef::Map(_) | ValueRef::Struct(_) => {
            write_embedded(value, &zone::system(), out);
        }
        _ => write_java_string(value, out),
    }
}

pub(super) fn write_embedded(value: &ValueRef<'_>, zone: &TimeZone, out: &mut Vec<u8>) {
    match value {
        ValueRef::String(text) => write_quoted(text, out),
        ValueRef::Bytes(bytes) => {
            out.push(b'"');
            write_base64(bytes, out);
            out.push(b'"');
        }
        ValueRef::Date(millis) => write_temporal(*millis, zone, out),
        ValueRef::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_embedded(&item, zone, out);
            }
            out.push(b']');
        }
        ValueRef::Map(entries) => write_entries(entries.iter(), zone, out),
        ValueRef::Struct(value) => {
            let fields = value.fields().map(|(field, value)| {
                let value = match field.schema().default_value() {
                    Some(default) if value.is_null() => default.as_ref(),
                    _ => value,
                };
                (ValueRef::String(field.name()), value)
            });
            write_entries(fields, zone, out);
        }
        _ => write_java_string(value, out),
    }
}

fn write_entries<'a>(
    entries: impl Iterator<Item = (ValueRef<'a>, ValueRef<'a>)>,
    zone: &TimeZone,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_embedded(&key, zone, out);
        out.push(b':');
        write_embedded(&value, zone, out);
    }
    out.push(b'}');
}

fn write_quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Decimal;
    use crate::schema::Schema;
    use crate::schema_builder::SchemaBuilder;
    use crate::structs::Struct;
    use crate::value::Value;

    #[test]
    fn strings_are_raw_at_the_top_and_quoted_within() {
        let with_default = SchemaBuilder::int32().default_value(5).build().unwrap();
        let schema = SchemaBuilder::structure()
            .field("a", with_default)
            .field("b", Schema::optional_string())
            .build()
            .unwrap();
        for (value, text) in [
            (Value::from("a \"b\" \\c"), "a \"b\" \\c"),
            (
                Value::Array(vec![Value::from("a \"b\" \\c")]),
                r#"["a \"b\" \\c"]"#,
            ),
            (Value::from(&b"\xff\x00"[..]), "/wA="),
            (
                Value::Array(vec![Value::from(&b"\xff\x00"[..]), Value::Null]),
                "[\"/wA=\",null]",
            ),
            (Value::from(1.0), "1.0"),
            (Value::from(1e10), "1.0E10"),
            (Value::from(f32::NAN), "NaN"),
            (Value::from(Decimal::new(1, -400)), "1E+400"),
            (Value::from(Decimal::new(150, 2)), "1.50"),
            (
                Value::Map(vec![
                    (Value::from("k"), Value::from(1)),
                    (Value::from(2), Value::from("v")),
                    (Value::from("n"), Value::Null),
                ]),
                r#"{"k":1,2:"v","n":null}"#,
            ),
            (Value::from(Struct::new(schema).unwrap()), r#"{"a":5,"b":null}"#),
        ] {
            assert_eq!(convert_to_string(&value.as_ref()).unwrap(), text);
        }
        assert_eq!(convert_to_string(&ValueRef::Null), None);
    }

    #[test]
    fn dates_within_containers_are_not_quoted() {
        let value = Value::Array(vec![Value::Date(1_566_518_400_000)]);
        let mut out = Vec::new();
        write_embedded(&value.as_ref(), &TimeZone::UTC, &mut out);
        assert_eq!(out, b"[2019-08-23]");
    }
}
