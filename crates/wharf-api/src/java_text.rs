//! Java's text forms: what `toString` gives for each value, as StringConverter, Cast and error messages show it.
//!
//! One deliberate difference: Java prints a byte array as `[B@` and an identity hash, which says nothing and changes from
//! run to run. Here bytes print as padded Base64, the form that [`crate::values`] uses too. Floating-point numbers follow
//! Java 19 and later, which print the fewest digits that do; older ones sometimes print one more (`1.23456792E8`).

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::Field;
use crate::value_ref::ValueRef;
use crate::zone;

/// Room for any number in Rust's scientific notation (`-1.2345678901234567e-308` is the longest).
const NUMBER_LENGTH: usize = 32;

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

/// `Float.toString`: the fewest digits that tell the number from its neighbours (`1.0`, `1.0E10`, `1.0E-5`).
#[must_use]
pub fn float32(number: f32) -> String {
    let mut out = Vec::with_capacity(NUMBER_LENGTH);
    write_float32(number, &mut out);
    into_text(out)
}

/// `Double.toString`: as [`float32`], for 64 bits.
#[must_use]
pub fn float64(number: f64) -> String {
    let mut out = Vec::with_capacity(NUMBER_LENGTH);
    write_float64(number, &mut out);
    into_text(out)
}

macro_rules! float_writer {
    ($name:ident, $type:ty, $text:literal) => {
        #[doc = concat!("As [`", $text, "`], appended to `out` without further allocation.")]
        pub fn $name(number: $type, out: &mut Vec<u8>) {
            if number.is_nan() {
                out.extend_from_slice(b"NaN");
                return;
            }
            if number.is_sign_negative() {
                out.push(b'-');
            }
            let number = number.abs();
            if number.is_infinite() {
                out.extend_from_slice(b"Infinity");
                return;
            }
            let mut room = [0; NUMBER_LENGTH];
            let shortest = scientific(&mut room, format_args!("{number:e}"));
            // Java always shows two digits; where one would do, the second is the nearest that still means the number
            // (the smallest double is 4.9E-324, not 5.0E-324).
            let mut other_room = [0; NUMBER_LENGTH];
            let two_digits = scientific(&mut other_room, format_args!("{number:.1e}"));
            let is_one_digit = shortest.find('e') == Some(1);
            if is_one_digit && two_digits.parse() == Ok(number) {
                write_scientific(two_digits, out);
            } else {
                write_scientific(shortest, out);
            }
        }
    };
}

float_writer!(write_float32, f32, "float32");
float_writer!(write_float64, f64, "float64");

fn scientific<'r>(room: &'r mut [u8; NUMBER_LENGTH], text: std::fmt::Arguments<'_>) -> &'r str {
    let mut left = room.as_mut_slice();
    // A number's text always fits; if it did not, it would be cut.
    let _ = left.write_fmt(text);
    let unused = left.len();
    std::str::from_utf8(&room[..NUMBER_LENGTH - unused]).unwrap_or("0e0")
}

/// Turns Rust's `d.ddde±n` into Java's form: plain between 10^-3 and 10^7, else `d.dddE±n`.
fn write_scientific(text: &str, out: &mut Vec<u8>) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let rest = rest.trim_end_matches('0').as_bytes();
    let first = first.as_bytes();
    match exponent.parse::<i32>().unwrap_or(0) {
        shift @ 0..=6 => {
            let shift = usize::try_from(shift).unwrap_or(0);
            let (before, after) = rest.split_at(shift.min(rest.len()));
            out.extend_from_slice(first);
            out.extend_from_slice(before);
            out.resize(out.len() + shift - before.len(), b'0');
            out.push(b'.');
            out.extend_from_slice(if after.is_empty() { b"0" } else { after });
        }
        shift @ -3..=-1 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + usize::try_from(-shift - 1).unwrap_or(0), b'0');
            out.extend_from_slice(first);
            out.extend_from_slice(rest);
        }
        _ => {
            out.extend_from_slice(first);
            out.push(b'.');
            out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
            out.push(b'E');
            out.extend_from_slice(exponent.as_bytes());
        }
    }
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
    fn doubles_print_as_java_prints_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.5, "0.5"),
            (3.99, "3.99"),
            (100.0, "100.0"),
            (1_234_567.0, "1234567.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e10, "1.0E10"),
            (0.001, "0.001"),
            (0.002_5, "0.0025"),
            (0.000_99, "9.9E-4"),
            (1e-5, "1.0E-5"),
            (1e23, "1.0E23"),
            (2e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::from_bits(1), "4.9E-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float64(number), text);
        }
    }

    #[test]
    fn floats_print_as_java_prints_them() {
        for (number, text) in [
            (1.1_f32, "1.1"),
            (123_456_789.0, "1.2345679E8"),
            (16_777_216.0, "1.6777216E7"),
            (-2.5, "-2.5"),
            (f32::MAX, "3.4028235E38"),
            (f32::from_bits(1), "1.4E-45"),
            (f32::NAN, "NaN"),
        ] {
            assert_eq!(float32(number), text);
        }
    }

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
