//! Borrowed values: one read view over owned [`Value`] trees and over flat-encoded ones.
//!
//! Converters and sink tasks read through [`ValueRef`], so that a record which crossed the border is used where it
//! lies, without building a tree. Flat bytes are checked when a view is made ([`ValueRef::decode`]); after that,
//! walking it cannot fail.

mod containers;

use std::borrow::Cow;

use crate::decimal::Decimal;
use crate::error::{ConnectError, Result};
use crate::flat::{self, Cursor, tag};
use crate::schema::{Field, SchemaRef, SchemaType};
use crate::structs::Struct;
use crate::value::Value;

pub use containers::{ArrayRef, FlatItems, MapRef, StructRef};

/// A borrowed value.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// INT8.
    Int8(i8),
    /// INT16.
    Int16(i16),
    /// INT32.
    Int32(i32),
    /// INT64.
    Int64(i64),
    /// FLOAT32.
    Float32(f32),
    /// FLOAT64.
    Float64(f64),
    /// STRING.
    String(&'a str),
    /// BYTES.
    Bytes(&'a [u8]),
    /// BYTES with the logical name Decimal.
    Decimal(DecimalRef<'a>),
    /// A logical Date, Time or Timestamp: milliseconds since the epoch.
    Date(i64),
    /// ARRAY.
    Array(ArrayRef<'a>),
    /// MAP.
    Map(MapRef<'a>),
    /// STRUCT.
    Struct(StructRef<'a>),
}

/// A borrowed decimal.
#[derive(Debug, Clone, Copy)]
pub enum DecimalRef<'a> {
    /// An owned decimal.
    Owned(&'a Decimal),
    /// Scale and unscaled value as big-endian two's complement.
    Flat(i32, &'a [u8]),
}

impl DecimalRef<'_> {
    /// The decimal.
    #[must_use]
    pub fn to_decimal(&self) -> Decimal {
        match self {
            Self::Owned(decimal) => (*decimal).clone(),
            Self::Flat(scale, bytes) => Decimal::from_be_bytes(bytes, *scale),
        }
    }

    /// The scale.
    #[must_use]
    pub fn scale(&self) -> i32 {
        match self {
            Self::Owned(decimal) => decimal.scale(),
            Self::Flat(scale, _) => *scale,
        }
    }

    /// The unscaled value as big-endian two's complement of minimal length.
    #[must_use]
    pub fn be_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Owned(decimal) => Cow::Owned(decimal.to_be_bytes()),
            Self::Flat(_, bytes) => Cow::Borrowed(bytes),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The view of an owned value.
    #[must_use]
    pub fn from_value(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Int8(value) => Self::Int8(*value),
            Value::Int16(value) => Self::Int16(*value),
            Value::Int32(value) => Self::Int32(*value),
            Value::Int64(value) => Self::Int64(*value),
            Value::Float32(value) => Self::Float32(*value),
            Value::Float64(value) => Self::Float64(*value),
            Value::String(value) => Self::String(value),
            Value::Bytes(value) => Self::Bytes(value),
            Value::Decimal(value) => Self::Decimal(DecimalRef::Owned(value)),
            Value::Date(value) => Self::Date(*value),
            Value::Array(items) => Self::Array(ArrayRef::Owned(items)),
            Value::Map(entries) => Self::Map(MapRef::Owned(entries)),
            Value::Struct(value) => Self::Struct(StructRef::Owned(value)),
        }
    }

    /// The view of one flat-encoded value that fills `bytes`. `schema` is the declared schema, from which structs take
    /// theirs; `table` holds the schemas that the batch defines.
    ///
    /// # Errors
    /// A data error when the bytes are not a value of this encoding, or nest more than [`flat::MAX_DEPTH`] levels.
    #[inline]
    pub fn decode(bytes: &'a [u8], schema: Option<&'a SchemaRef>, table: &'a [SchemaRef]) -> Result<Self> {
        // What most records are made of is built where it is returned: moving a value of many variants costs more
        // than reading it.
        match *bytes {
            [tag::NULL] => Ok(Self::Null),
            [tag::STRING, a, b, c, d, ref text @ ..]
                if u32::from_le_bytes([a, b, c, d]) as usize == text.len() =>
            {
                match std::str::from_utf8(text) {
                    Ok(text) => Ok(Self::String(text)),
                    Err(_) => Err(flat::malformed("a text is not UTF-8")),
                }
            }
            [tag::BYTES, a, b, c, d, ref content @ ..]
                if u32::from_le_bytes([a, b, c, d]) as usize == content.len() =>
            {
                Ok(Self::Bytes(content))
            }
            _ => Self::decode_any(bytes, schema, table),
        }
    }

    fn decode_any(bytes: &'a [u8], schema: Option<&'a SchemaRef>, table: &'a [SchemaRef]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let value = Self::read(&mut cursor, schema, table)?;
        value.check(1)?;
        if cursor.is_empty() {
            Ok(value)
        } else {
            Err(flat::malformed("bytes after a value"))
        }
    }

    /// Walks containers once, so that later walks cannot meet a malformed part.
    fn check(&self, depth: usize) -> Result<()> {
        let (items, fields) = match self {
            Self::Array(ArrayRef::Flat(items)) | Self::Map(MapRef::Flat(items)) => (items, None),
            Self::Struct(StructRef::Flat(schema, items)) => (items, Some(&schema.fields)),
            _ => return Ok(()),
        };
        if depth > flat::MAX_DEPTH {
            return Err(flat::too_deep("value"));
        }
        let is_map = matches!(self, Self::Map(_));
        let mut cursor = Cursor::new(items.body);
        for position in 0..items.count {
            let schema = match fields {
                Some(fields) => fields.get(position).map(Field::schema),
                None if is_map && position % 2 == 0 => items.key_schema(),
                None => items.value_schema(),
            };
            Self::read(&mut cursor, schema, items.table)?.check(depth + 1)?;
        }
        if cursor.is_empty() {
            Ok(())
        } else {
            Err(flat::malformed("bytes after the last element"))
        }
    }

    #[inline]
    pub(crate) fn read(
        cursor: &mut Cursor<'a>,
        schema: Option<&'a SchemaRef>,
        table: &'a [SchemaRef],
    ) -> Result<Self> {
        Ok(match cursor.u8()? {
            tag::NULL => Self::Null,
            tag::FALSE => Self::Boolean(false),
            tag::TRUE => Self::Boolean(true),
            tag::INT8 => Self::Int8(i8::from_le_bytes(cursor.array()?)),
            tag::INT16 => Self::Int16(i16::from_le_bytes(cursor.array()?)),
            tag::INT32 => Self::Int32(i32::from_le_bytes(cursor.array()?)),
            tag::INT64 => Self::Int64(i64::from_le_bytes(cursor.array()?)),
            tag::FLOAT32 => Self::Float32(f32::from_le_bytes(cursor.array()?)),
            tag::FLOAT64 => Self::Float64(f64::from_le_bytes(cursor.array()?)),
            tag::STRING => Self::String(cursor.text()?),
            tag::BYTES => Self::Bytes(cursor.block()?),
            tag::DECIMAL => {
                let scale = i32::from_le_bytes(cursor.array()?);
                Self::Decimal(DecimalRef::Flat(scale, cursor.block()?))
            }
            tag::DATE => Self::Date(i64::from_le_bytes(cursor.array()?)),
            kind => return Self::read_container(kind, cursor, schema, table),
        })
    }

    fn read_container(
        kind: u8,
        cursor: &mut Cursor<'a>,
        declared: Option<&'a SchemaRef>,
        table: &'a [SchemaRef],
    ) -> Result<Self> {
        if !matches!(kind, tag::ARRAY | tag::MAP | tag::STRUCT) {
            return Err(flat::malformed(&format!("unknown value tag {kind}")));
        }
        let mut body = Cursor::new(cursor.block()?);
        let number = body.u32()?;
        let items = |count: usize| FlatItems {
            count,
            body: body.rest(),
            declared,
            table,
        };
        Ok(match kind {
            tag::ARRAY => Self::Array(ArrayRef::Flat(items(number as usize))),
            tag::MAP => Self::Map(MapRef::Flat(items((number as usize).saturating_mul(2)))),
            _ => {
                let schema = match number {
                    flat::NONE => {
                        declared.ok_or_else(|| flat::malformed("a struct without a declared schema"))?
                    }
                    index => table
                        .get(index as usize)
                        .ok_or_else(|| flat::malformed("a struct whose schema is not defined"))?,
                };
                if schema.schema_type() != SchemaType::Struct {
                    return Err(flat::malformed("a struct whose schema is of another type"));
                }
                Self::Struct(StructRef::Flat(schema, items(schema.fields.len())))
            }
        })
    }

    /// Whether this is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a STRING.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match *self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of BYTES.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Any integer type, widened.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int8(number) => Some(number.into()),
            Self::Int16(number) => Some(number.into()),
            Self::Int32(number) => Some(number.into()),
            Self::Int64(number) => Some(number),
            _ => None,
        }
    }

    /// The same value, owned.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match *self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Int8(value) => Value::Int8(value),
            Self::Int16(value) => Value::Int16(value),
            Self::Int32(value) => Value::Int32(value),
            Self::Int64(value) => Value::Int64(value),
            Self::Float32(value) => Value::Float32(value),
            Self::Float64(value) => Value::Float64(value),
            Self::String(value) => Value::String(value.to_owned()),
            Self::Bytes(value) => Value::Bytes(value.to_vec()),
            Self::Decimal(value) => Value::Decimal(value.to_decimal()),
            Self::Date(value) => Value::Date(value),
            Self::Array(ArrayRef::Owned(items)) => Value::Array(items.to_vec()),
            Self::Array(items) => Value::Array(items.iter().map(|item| item.to_value()).collect()),
            Self::Map(MapRef::Owned(entries)) => Value::Map(entries.to_vec()),
            Self::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.to_value(), value.to_value()))
                    .collect(),
            ),
            Self::Struct(StructRef::Owned(value)) => Value::Struct(Box::new(value.clone())),
            Self::Struct(value) => {
                let values = value.fields().map(|(_, value)| value.to_value()).collect();
                Value::Struct(Box::new(Struct::from_values(
                    SchemaRef::clone(value.schema()),
                    values,
                )))
            }
        }
    }

    /// The Java class that upstream holds such a value in, as error messages name it.
    #[must_use]
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "[B",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Date(_) => "java.util.Date",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
        }
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.to_value() == other.to_value()
    }
}

macro_rules! conversions {
    ($($type:ty => $variant:ident;)*) => {$(
        impl<'a> From<$type> for ValueRef<'a> {
            #[inline]
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

conversions! {
    bool => Boolean;
    i8 => Int8;
    i16 => Int16;
    i32 => Int32;
    i64 => Int64;
    f32 => Float32;
    f64 => Float64;
    &'a str => String;
    &'a String => String;
    &'a [u8] => Bytes;
    &'a Vec<u8> => Bytes;
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        Self::from_value(value)
    }
}

impl<'a> From<&'a Struct> for ValueRef<'a> {
    fn from(value: &'a Struct) -> Self {
        Self::Struct(StructRef::Owned(value))
    }
}

impl<'a, T: Into<ValueRef<'a>>> From<Option<T>> for ValueRef<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl TryFrom<ValueRef<'_>> for i64 {
    type Error = ConnectError;

    fn try_from(value: ValueRef<'_>) -> Result<Self> {
        value
            .as_i64()
            .ok_or_else(|| ConnectError::data(format!("expected an integer, found a {}", value.java_class())))
    }
}
