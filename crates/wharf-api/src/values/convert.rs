//! Conversions between types: upstream's `Values.convertTo…`.

use std::borrow::Cow;
use std::sync::Arc;

use super::parse::parse_string;
use crate::decimal::Decimal;
use crate::error::{ConnectError, Result};
use crate::java_text;
use crate::logical::{self, MILLIS_PER_DAY};
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::structs::Struct;
use crate::value::Value;

const NULL_POINTER: &str = "java.lang.NullPointerException";
const NUMBER_FORMAT: &str = "java.lang.NumberFormatException";

macro_rules! primitive_conversions {
    ($($(#[$doc:meta])* $name:ident => $schema:ident, $variant:ident, $out:ty;)*) => {$(
        $(#[$doc])*
        /// `from` is the schema of the value. Null stays null.
        ///
        /// # Errors
        /// A data error when the value cannot be such a one.
        pub fn $name(from: Option<&SchemaRef>, value: &Value) -> Result<Option<$out>> {
            match convert(&Schema::$schema(), from.map(Arc::as_ref), value)? {
                Value::$variant(converted) => Ok(Some(converted)),
                _ => Ok(None),
            }
        }
    )*};
}

primitive_conversions! {
    /// As BOOLEAN: numbers are true unless they are 0 after truncation.
    convert_to_boolean => optional_boolean, Boolean, bool;
    /// As INT8: numbers are truncated and wrap (300 gives 44).
    convert_to_byte => optional_int8, Int8, i8;
    /// As INT16: numbers are truncated and wrap.
    convert_to_short => optional_int16, Int16, i16;
    /// As INT32: numbers are truncated and wrap.
    convert_to_integer => optional_int32, Int32, i32;
    /// As INT64: numbers are truncated; a decimal wraps.
    convert_to_long => optional_int64, Int64, i64;
    /// As FLOAT32: what is too large becomes infinite.
    convert_to_float => optional_float32, Float32, f32;
    /// As FLOAT64: what is too large becomes infinite.
    convert_to_double => optional_float64, Float64, f64;
}

macro_rules! other_conversions {
    ($($(#[$doc:meta])* $name:ident => $schema:expr, $variant:ident, $out:ty;)*) => {$(
        $(#[$doc])*
        /// `from` is the schema of the value.
        ///
        /// # Errors
        /// A data error for null, and when the value cannot be such a one.
        pub fn $name(from: Option<&SchemaRef>, value: &Value) -> Result<$out> {
            let target: SchemaRef = $schema;
            match convert(&target, from.map(Arc::as_ref), value)? {
                Value::$variant(converted) => Ok(converted.into()),
                other => Err(unable(&other, &target)),
            }
        }
    )*};
}

other_conversions! {
    /// As ARRAY: an array, or a text that reads as one.
    convert_to_list => Schema::inferred_array(None), Array, Vec<Value>;
    /// As MAP: a map, or a text that reads as one.
    convert_to_map => Schema::inferred_map(None, None), Map, Vec<(Value, Value)>;
    /// As STRUCT: only a struct.
    convert_to_struct => Arc::new(Schema::plain(SchemaType::Struct, false)), Struct, Box<Struct>;
    /// As Date, in milliseconds since the epoch: numbers are days.
    convert_to_date => logical::date(), Date, i64;
    /// As Time, in milliseconds after midnight: numbers are milliseconds.
    convert_to_time => logical::time(), Date, i64;
    /// As Timestamp, in milliseconds since the epoch: numbers are milliseconds.
    convert_to_timestamp => logical::timestamp(), Date, i64;
}

/// As Decimal: numbers go by way of a 64-bit float (5 gives 5.0), texts are exact, bytes are an unscaled value of this
/// scale. `from` is the schema of the value.
///
/// # Errors
/// A data error for null, and when the value cannot be such a one.
pub fn convert_to_decimal(_from: Option<&SchemaRef>, value: &Value, scale: i32) -> Result<Decimal> {
    let target = logical::decimal(scale);
    match convert(&target, None, value)? {
        Value::Decimal(decimal) => Ok(decimal),
        other => Err(unable(&other, &target)),
    }
}

fn unable(value: &Value, target: impl std::fmt::Display) -> ConnectError {
    ConnectError::data(format!(
        "Unable to convert {} (class {}) to {target}",
        java_text::to_java_string(&value.as_ref()),
        value.java_class()
    ))
}

/// The value as one of the target's type.
pub(super) fn convert(target: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value> {
    if value.is_null() {
        if target.is_optional() {
            return Ok(Value::Null);
        }
        return Err(ConnectError::data(
            "Unable to convert a null value to a schema that requires a value",
        ));
    }
    // Java narrows by dropping the high bits.
    #[allow(clippy::cast_possible_truncation)]
    Ok(match (target.schema_type(), target.name()) {
        (SchemaType::Bytes, Some(logical::DECIMAL)) => Value::Decimal(to_decimal(target, value)?),
        (SchemaType::Bytes, _) => match value {
            Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Value::Decimal(decimal) => Value::Bytes(decimal.to_be_bytes()),
            other => return Err(unable(other, target)),
        },
        (SchemaType::String, _) => Value::from(super::convert_to_string(&value.as_ref())),
        (SchemaType::Boolean, _) => Value::Boolean(to_boolean(from, value)?),
        (SchemaType::Int8, _) => Value::Int8(to_long(from, value)? as i8),
        (SchemaType::Int16, _) => Value::Int16(to_long(from, value)? as i16),
        (SchemaType::Int32, Some(logical::DATE)) => Value::Date(to_date(target, from, value)?),
        (SchemaType::Int32, Some(logical::TIME)) => Value::Date(to_time(target, from, value)?),
        (SchemaType::Int32, _) => Value::Int32(to_long(from, value)? as i32),
        (SchemaType::Int64, Some(logical::TIMESTAMP)) => Value::Date(to_timestamp(from, value)?),
        (SchemaType::Int64, _) => Value::Int64(to_long(from, value)?),
        (SchemaType::Float32, _) => Value::Float32(to_double(from, value)? as f32),
        (SchemaType::Float64, _) => Value::Float64(to_double(from, value)?),
        (SchemaType::Array, _) => match parsed(value)?.into_owned() {
            Value::Array(items) => Value::Array(items),
            other => return Err(unable(&other, target)),
        },
        (SchemaType::Map, _) => match parsed(value)?.into_owned() {
            Value::Map(entries) => Value::Map(entries),
            other => return Err(unable(&other, target)),
        },
        (SchemaType::Struct, _) => match value {
            Value::Struct(value) => Value::Struct(value.clone()),
            other => return Err(unable(other, target)),
        },
    })
}

/// What a text reads as; any other value is itself.
fn parsed(value: &Value) -> Result<Cow<'_, Value>> {
    match value {
        Value::String(text) => parsed_text(text).map(Cow::Owned),
        other => Ok(Cow::Borrowed(other)),
    }
}

/// What a text reads as. The text `null` reads as nothing at all, which upstream trips over.
fn parsed_text(text: &str) -> Result<Value> {
    match parse_string(text).value {
        Value::Null => Err(ConnectError::data("Unable to convert the text null").with_class(NULL_POINTER)),
        value => Ok(value),
    }
}

fn to_boolean(from: Option<&Schema>, value: &Value) -> Result<bool> {
    match value {
        Value::Boolean(value) => return Ok(*value),
        Value::String(text) => {
            if let Value::Boolean(value) = parsed_text(text)? {
                return Ok(value);
            }
        }
        _ => {}
    }
    Ok(to_long(from, value)? != 0)
}

/// A number or numeric text, truncated; a date in the encoding that its own schema gives it.
fn to_long(from: Option<&Schema>, value: &Value) -> Result<i64> {
    // Java's conversion from floating point truncates and saturates, as this one.
    #[allow(clippy::cast_possible_truncation)]
    match (value, from) {
        (Value::Float32(number), _) => return Ok(*number as i64),
        (Value::Float64(number), _) => return Ok(*number as i64),
        (Value::Decimal(decimal), _) => return Ok(decimal.to_i64_wrapping()),
        (Value::String(text), _) => {
            if let Ok(decimal) = text.parse::<Decimal>() {
                return Ok(decimal.to_i64_wrapping());
            }
        }
        (Value::Date(millis), Some(schema)) => match schema.name() {
            Some(logical::DATE) => return logical::date_to_days(schema, *millis).map(i64::from),
            Some(logical::TIME) => return logical::time_to_millis(schema, *millis).map(i64::from),
            Some(logical::TIMESTAMP) => return Ok(*millis),
            _ => {}
        },
        _ => {}
    }
    value.as_i64().ok_or_else(|| not_a_number(from, value))
}

fn not_a_number(from: Option<&Schema>, value: &Value) -> ConnectError {
    match from {
        Some(schema) => unable(value, schema),
        None => unable(value, "a number"),
    }
}

fn to_double(from: Option<&Schema>, value: &Value) -> Result<f64> {
    match value {
        Value::Float32(number) => return Ok(f64::from(*number)),
        Value::Float64(number) => return Ok(*number),
        Value::Decimal(decimal) => return Ok(decimal.to_f64()),
        Value::String(text) => {
            if let Ok(decimal) = text.parse::<Decimal>() {
                return Ok(decimal.to_f64());
            }
        }
        _ => {}
    }
    to_long(from, value).map(|number| number as f64)
}

/// What a date object is declared as.
///
/// Upstream looks at the schema that came with the value even when the value is a text that reads as a date: such a text
/// becomes a date when it came without schema, and is refused when it came as a STRING.
enum DateKind<'s> {
    /// There is no schema: it is what is wanted.
    AsWanted,
    /// One of the three logical types.
    Logical(&'s str, &'s Schema),
    /// Some other schema: only a conversion to a number is left, which refuses.
    Other,
}

fn date_kind(from: Option<&Schema>) -> DateKind<'_> {
    match from {
        None => DateKind::AsWanted,
        Some(schema) => match schema.name() {
            Some(name @ (logical::DATE | logical::TIME | logical::TIMESTAMP)) => {
                DateKind::Logical(name, schema)
            }
            _ => DateKind::Other,
        },
    }
}

fn to_date(target: &Schema, from: Option<&Schema>, value: &Value) -> Result<i64> {
    let value = parsed(value)?;
    // Java narrows by dropping the high bits.
    #[allow(clippy::cast_possible_truncation)]
    let days = match (&*value, date_kind(from)) {
        (Value::Date(millis), DateKind::AsWanted | DateKind::Logical(logical::DATE, _)) => {
            return Ok(*millis);
        }
        (Value::Date(millis), DateKind::Logical(logical::TIMESTAMP, _)) => millis / MILLIS_PER_DAY,
        // The milliseconds of a Time count as days, as upstream.
        _ => to_long(from, &value)?,
    } as i32;
    logical::date_from_days(target, days)
}

fn to_time(target: &Schema, from: Option<&Schema>, value: &Value) -> Result<i64> {
    let value = parsed(value)?;
    match (&*value, date_kind(from)) {
        (Value::Date(millis), DateKind::AsWanted | DateKind::Logical(logical::TIME, _)) => Ok(*millis),
        (Value::Date(millis), DateKind::Logical(logical::TIMESTAMP, _)) => {
            Ok(millis.rem_euclid(MILLIS_PER_DAY))
        }
        // Java narrows by dropping the high bits. The days of a Date count as milliseconds, as upstream.
        #[allow(clippy::cast_possible_truncation)]
        _ => logical::time_from_millis(target, to_long(from, &value)? as i32),
    }
}

fn to_timestamp(from: Option<&Schema>, value: &Value) -> Result<i64> {
    let value = parsed(value)?;
    match (&*value, date_kind(from)) {
        (Value::Date(millis), DateKind::AsWanted | DateKind::Logical(logical::TIMESTAMP, _)) => Ok(*millis),
        (Value::Date(millis), DateKind::Logical(logical::DATE, schema)) => {
            logical::date_to_days(schema, *millis).map(|days| i64::from(days) * MILLIS_PER_DAY)
        }
        (Value::Date(millis), DateKind::Logical(logical::TIME, schema)) => {
            logical::time_to_millis(schema, *millis).map(i64::from)
        }
        _ => to_long(from, &value),
    }
}

fn to_decimal(target: &Schema, value: &Value) -> Result<Decimal> {
    let number = match value {
        Value::Decimal(decimal) => return Ok(decimal.clone()),
        Value::Bytes(bytes) if bytes.is_empty() => {
            return Err(ConnectError::data("Zero length BigInteger").with_class(NUMBER_FORMAT));
        }
        Value::Bytes(bytes) => return logical::decimal_from_bytes(target, bytes),
        Value::String(text) => return text.parse().map_err(|_| not_a_decimal(value, target)),
        Value::Float32(number) => f64::from(*number),
        Value::Float64(number) => *number,
        other => match other.as_i64() {
            Some(number) => number as f64,
            None => return Err(unable(value, target)),
        },
    };
    java_text::float64(number)
        .parse()
        .map_err(|_| not_a_decimal(value, target))
}

fn not_a_decimal(value: &Value, target: &Schema) -> ConnectError {
    unable(value, target).with_class(NUMBER_FORMAT)
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
