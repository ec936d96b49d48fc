//! Writing a value by a plan.

use std::collections::HashMap;

use wharf_api::value_ref::{DecimalRef, StructRef};
use wharf_api::{ConnectError, Result, SchemaRef, SchemaType, Value, ValueRef, logical};

use super::{anything, write_block, write_count, write_long};

/// How values of one Connect schema are written as one Avro type.
#[derive(Debug)]
pub(crate) enum Encode {
    Boolean,
    /// Integers of this Connect type, and no other: Avro writes all of them alike, but reads no long where the schema has an int.
    Integer(SchemaType),
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    Decimal(SchemaRef),
    /// A decimal in so many bytes.
    FixedDecimal(SchemaRef, usize),
    Date(SchemaRef),
    Time(SchemaRef),
    Timestamp,
    /// Symbols with their numbers.
    Enum(HashMap<String, usize>),
    Array(Box<Encode>),
    Map(Box<Encode>),
    /// A map as an array of entries.
    Entries(Box<(Encode, Encode)>),
    Struct(Box<StructPlan>),
    /// A type that may be null: the branches of null, if there is one, and of the type.
    Nullable {
        null: Option<usize>,
        branch: usize,
        inner: Box<Encode>,
    },
    /// A struct that stands for a union: the branch of null, and each field's.
    Union(Box<UnionPlan>),
    Anything,
}

/// How a struct is written as a record.
#[derive(Debug)]
pub(crate) struct StructPlan {
    pub(super) schema: SchemaRef,
    /// The record's fields in order.
    pub(super) fields: Vec<Source>,
    /// Whether those are the struct's fields in order.
    pub(super) in_order: bool,
}

/// Where a record's field comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A field of the struct, and what is written in place of null.
    Field {
        index: usize,
        encode: Encode,
        default: Option<Value>,
    },
    /// Nowhere: the bytes of the record's default.
    Default(Vec<u8>),
}

/// How a struct that stands for a union is written.
#[derive(Debug)]
pub(crate) struct UnionPlan {
    pub(super) schema: SchemaRef,
    pub(super) null: Option<usize>,
    /// For each field its branch, how it is written, and its default.
    pub(super) fields: Vec<(usize, Encode, Option<Value>)>,
}

#[cold]
fn null_value() -> ConnectError {
    ConnectError::data("Found null value for non-optional schema")
}

#[cold]
fn wrong_class(expected: SchemaType, value: ValueRef<'_>) -> ConnectError {
    ConnectError::data(format!(
        "Invalid type for {expected}: class {}",
        value.java_class()
    ))
}

#[cold]
fn not_serializable(reason: String) -> ConnectError {
    ConnectError::data(reason).with_class("org.apache.avro.AvroTypeException")
}

impl Encode {
    /// Appends a value.
    ///
    /// # Errors
    /// A data error when the value is not of the schema that the plan was made for.
    pub(crate) fn write(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        match (self, value) {
            (Self::Integer(SchemaType::Int32), ValueRef::Int32(number)) => write_long(number.into(), out),
            (Self::Integer(SchemaType::Int64), ValueRef::Int64(number)) => write_long(number, out),
            (Self::String, ValueRef::String(text)) => write_block(text.as_bytes(), out),
            (Self::Double, ValueRef::Float64(number)) => out.extend_from_slice(&number.to_le_bytes()),
            (Self::Float, ValueRef::Float32(number)) => out.extend_from_slice(&number.to_le_bytes()),
            (Self::Boolean, ValueRef::Boolean(value)) => out.push(u8::from(value)),
            (Self::Struct(plan), ValueRef::Struct(value)) => plan.write(value, out)?,
            (Self::Nullable { null, .. }, ValueRef::Null) => match null {
                Some(null) => write_count(*null, out),
                None => return Err(null_value()),
            },
            (Self::Nullable { branch, inner, .. }, value) => {
                write_count(*branch, out);
                inner.write(value, out)?;
            }
            _ => self.write_rare(value, out)?,
        }
        Ok(())
    }

    fn write_rare(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        match (self, value) {
            (Self::Anything, value) => return anything::write(value, 1, out),
            (Self::Union(plan), ValueRef::Null) => match plan.null {
                Some(null) => write_count(null, out),
                None => return Err(null_value()),
            },
            (_, ValueRef::Null) => return Err(null_value()),
            (Self::Integer(SchemaType::Int8), ValueRef::Int8(number)) => write_long(number.into(), out),
            (Self::Integer(SchemaType::Int16), ValueRef::Int16(number)) => write_long(number.into(), out),
            (Self::Double, ValueRef::Float32(number)) => {
                out.extend_from_slice(&f64::from(number).to_le_bytes());
            }
            (Self::Bytes, ValueRef::Bytes(bytes)) => write_block(bytes, out),
            (Self::Fixed(size), ValueRef::Bytes(bytes)) => {
                if bytes.len() != *size {
                    return Err(not_serializable(format!(
                        "{} bytes cannot be written as a fixed type of {size}",
                        bytes.len()
                    )));
                }
                out.extend_from_slice(bytes);
            }
            (Self::Decimal(schema), ValueRef::Decimal(value)) => write_block(&unscaled(schema, value)?, out),
            (Self::FixedDecimal(schema, size), ValueRef::Decimal(value)) => {
                write_padded(&unscaled(schema, value)?, *size, out)?;
            }
            (Self::Date(schema), ValueRef::Date(millis)) => {
                write_long(logical::date_to_days(schema, millis)?.into(), out);
            }
            (Self::Time(schema), ValueRef::Date(millis)) => {
                write_long(logical::time_to_millis(schema, millis)?.into(), out);
            }
            (Self::Timestamp, ValueRef::Date(millis)) => write_long(millis, out),
            (Self::Enum(symbols), ValueRef::String(text)) => match symbols.get(text) {
                Some(number) => write_count(*number, out),
                None => return Err(not_serializable(format!("the enum has no symbol {text}"))),
            },
            (Self::Array(inner), ValueRef::Array(items)) => {
                if !items.is_empty() {
                    write_count(items.len(), out);
                    for item in items.iter() {
                        inner.write(item, out)?;
                    }
                }
                out.push(0);
            }
            (Self::Map(inner), ValueRef::Map(entries)) => {
                if !entries.is_empty() {
                    write_count(entries.len(), out);
                    for (key, item) in entries.iter() {
                        let key = key.as_str().ok_or_else(|| wrong_class(SchemaType::String, key))?;
                        write_block(key.as_bytes(), out);
                        inner.write(item, out)?;
                    }
                }
                out.push(0);
            }
            (Self::Entries(inner), ValueRef::Map(entries)) => {
                if !entries.is_empty() {
                    write_count(entries.len(), out);
                    for (key, item) in entries.iter() {
                        inner.0.write(key, out)?;
                        inner.1.write(item, out)?;
                    }
                }
                out.push(0);
            }
            (Self::Union(plan), ValueRef::Struct(value)) => plan.write(value, out)?,
            (_, value) => return Err(wrong_class(self.expects(), value)),
        }
        Ok(())
    }

    /// Appends the bytes of a value that is BYTES alone: without length, as messages hold them.
    ///
    /// # Errors
    /// A data error when the value is of another type.
    pub(crate) fn write_raw(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        match (self, value) {
            (Self::Bytes, ValueRef::Bytes(bytes)) => out.extend_from_slice(bytes),
            (Self::Decimal(schema), ValueRef::Decimal(value)) => {
                out.extend_from_slice(&unscaled(schema, value)?)
            }
            (_, ValueRef::Null) => return Err(null_value()),
            (_, value) => return Err(wrong_class(SchemaType::Bytes, value)),
        }
        Ok(())
    }

    fn expects(&self) -> SchemaType {
        match self {
            Self::Boolean => SchemaType::Boolean,
            Self::Integer(kind) => *kind,
            Self::Date(_) | Self::Time(_) => SchemaType::Int32,
            Self::Timestamp => SchemaType::Int64,
            Self::Float => SchemaType::Float32,
            Self::Double => SchemaType::Float64,
            Self::String | Self::Enum(_) | Self::Anything => SchemaType::String,
            Self::Bytes | Self::Fixed(_) | Self::Decimal(_) | Self::FixedDecimal(..) => SchemaType::Bytes,
            Self::Array(_) => SchemaType::Array,
            Self::Map(_) | Self::Entries(_) => SchemaType::Map,
            Self::Struct(_) | Self::Union(_) => SchemaType::Struct,
            Self::Nullable { inner, .. } => inner.expects(),
        }
    }
}

fn unscaled(schema: &SchemaRef, value: DecimalRef<'_>) -> Result<Vec<u8>> {
    let wanted = logical::scale(schema)?;
    match value.scale() == wanted {
        true => Ok(value.be_bytes().into_owned()),
        // The long way, for its message.
        false => logical::decimal_to_bytes(schema, &value.to_decimal()),
    }
}

/// A number in exactly so many bytes, its sign before it.
fn write_padded(bytes: &[u8], size: usize, out: &mut Vec<u8>) -> Result<()> {
    let Some(missing) = size.checked_sub(bytes.len()) else {
        return Err(ConnectError::data(format!(
            "Unscaled value byte array length {} is greater than fixed size {size}",
            bytes.len()
        )));
    };
    let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) {
        0xff
    } else {
        0
    };
    out.resize(out.len() + missing, sign);
    out.extend_from_slice(bytes);
    Ok(())
}

/// Nothing else than the schema that the plan was made for can be written by it.
fn check_schema(expected: &SchemaRef, value: &StructRef<'_>) -> Result<()> {
    let schema = value.schema();
    if SchemaRef::ptr_eq(schema, expected) || **schema == **expected {
        Ok(())
    } else {
        Err(ConnectError::data("Mismatching struct schema"))
    }
}

impl StructPlan {
    fn write(&self, value: StructRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        check_schema(&self.schema, &value)?;
        match value {
            StructRef::Owned(owned) if self.in_order => {
                self.write_values(owned.values().iter().map(Value::as_ref), out)
            }
            value if self.in_order => self.write_values(value.fields().map(|(_, value)| value), out),
            value => {
                let values: Vec<ValueRef<'_>> = value.fields().map(|(_, value)| value).collect();
                let in_avro_order = self.fields.iter().map(|source| match source {
                    Source::Field { index, .. } => values.get(*index).copied().unwrap_or(ValueRef::Null),
                    Source::Default(_) => ValueRef::Null,
                });
                self.write_values(in_avro_order, out)
            }
        }
    }

    #[inline]
    fn write_values<'a>(&self, values: impl Iterator<Item = ValueRef<'a>>, out: &mut Vec<u8>) -> Result<()> {
        for (source, value) in self.fields.iter().zip(values) {
            match source {
                Source::Field { encode, default, .. } => match (value, default) {
                    (ValueRef::Null, Some(default)) => encode.write(default.as_ref(), out)?,
                    (value, _) => encode.write(value, out)?,
                },
                Source::Default(bytes) => out.extend_from_slice(bytes),
            }
        }
        Ok(())
    }
}

impl UnionPlan {
    fn write(&self, value: StructRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        check_schema(&self.schema, &value)?;
        for ((branch, encode, default), (_, value)) in self.fields.iter().zip(value.fields()) {
            let value = match (value, default) {
                (ValueRef::Null, Some(default)) => default.as_ref(),
                (value, _) => value,
            };
            if !value.is_null() {
                write_count(*branch, out);
                return encode.write(value, out);
            }
        }
        match self.null {
            Some(null) => write_count(null, out),
            None => return Err(null_value()),
        }
        Ok(())
    }
}
