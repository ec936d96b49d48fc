//! Java's text forms: what `toString` gives for each value, as StringConverter, Cast and error messages show it.
//!
//! One deliberate difference: Java prints a byte array as `[B@` and an identity hash, which says nothing and changes from
//! run to run. Here bytes print as padded Base64, the form that [`crate::values`] uses too.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::Field;
use crate::value_ref::ValueRef;
use crate::zone;

pub use crate::java_float::{float32, float64, write_float32, write_float64};

/// `Object.toString()` of a value; a text is given as it is, null as `null`.
#[must_use]
pub fn to_java_string(value: &ValueRef<'_>) -> String {
    let mut out = Vec::new();
    write_java_string(value, &mut out);
    into_text(out)
}

/// As [`to_java_string`], appended to `out` as UTF-8.
pub fn write_java_string(value: &ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        ValueRef::Int8(number) => write_display(out, number),
        ValueRef::Int16(number) => write_display(out, number),
        ValueRef::Int32(number) => write_display(out, number),
        ValueRef::Int64(number) => write_display(out, number),
        ValueRef::Float32(number) => write_float32(*number, out),
        ValueRef::Float64(number) => write_float64(*number, out),
        ValueRef::String(text) => out.extend_from_slice(text.as_bytes()),
        ValueRef::Bytes(bytes) => write_base64(bytes, out),
        ValueRef::Decimal(decimal) => write_display(out, &decimal.to_decimal()),
        ValueRef::Date(millis) => write_date(*millis, out),
        ValueRef::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.extend_from_slice(b", ");
                }
                write_java_string(&item, out);
            }
            out.push(b']');
        }
        ValueRef::Map(entries) => {
            out.push(b'{');
            for (position, (key, value)) in entries.iter().enumerate() {
                if position > 0 {
                    out.extend_from_slice(b", ");
                }
                write_java_string(&key, out);
                out.push(b'=');
                write_java_string(&value, out);
            }
            out.push(b'}');
        }
        ValueRef::Struct(value) => write_struct(value.fields(), out),
    }
}

/// Null fields are left out; there is no blank after the comma.
fn write_struct<'a>(fields: impl Iterator<Item = (&'a Field, ValueRef<'a>)>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Struct{");
    let mut first = true;
    for (field, value) in fields {
        if value.is_null() {
            continue;
        }
        if !std::mem::replace(&mut first, false) {
            out.push(b',');
        }
        out.extend_from_slice(field.name().as_bytes());
        out.push(b'=');
        write_java_string(&value, out);
    }
    out.push(b'}');
}

/// `java.util.Date.toString`, in the process's time zone.
fn write_date(millis: i64, out: &mut Vec<u8>) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (wall, zone_name) = zone::to_wall(millis, &zone::system());
    let month = usize::try_from(wall.month - 1).unwrap_or(0);
    // Years before 1 are shown as years BC, without saying so.
    let year = if wall.year > 0 { wall.year } else { 1 - wall.year };
    let text = format_args!(
        "{} {} {:02} {:02}:{:02}:{:02} {zone_name} {year}",
        DAYS[wall.weekday % 7],
        MONTHS[month % 12],
        wall.day,
        wall.hour,
        wall.minute,
        wall.second,
    );
    write_display(out, &text);
}

pub(crate) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly the length of the padded encoding.
    let written = BASE64.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

pub(crate) fn write_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

/// Everything that is written here is UTF-8.
pub(crate) fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
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
    fn values_print_as_java_s_to_string() {
        let inner = SchemaBuilder::structure()
            .field("a", Schema::int32())
            .field("b", Schema::optional_string())
            .field("c", Schema::optional_string())
            .build()
            .unwrap();
        let value = Struct::new(inner)
            .unwrap()
            .with("a", 1)
            .unwrap()
            .with("c", "x")
            .unwrap();
        for (value, text) in [
            (Value::Null, "null"),
            (Value::from(true), "true"),
            (Value::from(-5_i8), "-5"),
            (Value::from("raw \"text\""), "raw \"text\""),
            (Value::from(&b"\xff\x00"[..]), "/wA="),
            (Value::from(&b""[..]), ""),
            (Value::from(Decimal::new(150, 2)), "1.50"),
            (
                Value::Array(vec![Value::from(1), Value::Null, Value::from("x")]),
                "[1, null, x]",
            ),
            (Value::Array(vec![]), "[]"),
            (
                Value::Map(vec![
                    (Value::from("a"), Value::from(1)),
                    (Value::from("b"), Value::Array(vec![Value::from(2.0)])),
                ]),
                "{a=1, b=[2.0]}",
            ),
            (Value::Struct(Box::new(value)), "Struct{a=1,c=x}"),
        ] {
            assert_eq!(to_java_string(&value.as_ref()), text);
        }
    }

    #[test]
    fn dates_print_day_time_zone_and_year() {
        let text = to_java_string(&Value::Date(1_566_570_894_346).as_ref());
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!(words.len(), 6, "{text}");
        assert_eq!((words[1], words[5]), ("Aug", "2019"), "{text}");
        assert!(
            words[3].ends_with(":54") && words[0].len() == 3 && words[2].len() == 2,
            "{text}"
        );
    }
}
