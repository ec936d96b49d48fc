//! Reading a value by a plan.

use std::sync::Arc;

use wharf_api::flat::ValueWriter;
use wharf_api::value_ref::DecimalRef;
use wharf_api::{Decimal, Field, Result, SchemaAndValue, SchemaRef, Value, ValueRef, logical};
use wharf_converters::value_budget::{weight, weight_of_bytes};

use super::cursor::{Cursor, malformed};
use super::{anything, skip};
use crate::schema::{AvroSchema, NodeId};

/// How bytes of one Avro type are read as values of one Connect schema.
#[derive(Debug)]
pub(crate) enum Decode {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Date(SchemaRef),
    Time(SchemaRef),
    Timestamp,
    Float,
    Double,
    /// An integer where the reader has a float.
    FloatOfInteger,
    /// An integer where the reader has a double.
    DoubleOfInteger,
    /// A float where the reader has a double.
    DoubleOfFloat,
    String,
    Bytes,
    Fixed(usize),
    /// A decimal of this scale.
    Decimal(i32),
    /// A decimal of this scale in so many bytes.
    FixedDecimal(i32, usize),
    /// The reader's symbols by the writer's numbers.
    Enum(Box<[Option<String>]>),
    Array(Box<Decode>),
    Map(Box<Decode>),
    /// An array of entries; whether the value comes before the key.
    Entries(Box<EntryPlan>),
    Struct(Box<StructPlan>),
    /// What each branch is read as.
    Union(Box<[Decode]>),
    /// A field of a struct that stands for a union.
    Member(Box<MemberPlan>),
    /// What a reader cannot take, and why; an error only when it comes.
    Impossible(String),
    Anything,
}

/// How a record is read as an entry of a map.
#[derive(Debug)]
pub(crate) struct EntryPlan {
    pub(super) key: Decode,
    pub(super) value: Decode,
    pub(super) order: EntryOrder,
}

/// What comes first in an entry.
#[derive(Debug)]
pub(super) enum EntryOrder {
    KeyFirst,
    /// The value, which the writer's schema describes thus.
    ValueFirst(Arc<AvroSchema>, NodeId),
}

/// How a value is read into the one field of a struct that is set.
#[derive(Debug)]
pub(crate) struct MemberPlan {
    pub(super) schema: SchemaRef,
    pub(super) index: usize,
    pub(super) inner: Decode,
}

/// How a record is read as a struct.
#[derive(Debug)]
pub(crate) struct StructPlan {
    pub(super) schema: SchemaRef,
    pub(super) fields: Fields,
}

/// Where the fields of a struct come from.
#[derive(Debug)]
pub(super) enum Fields {
    /// The writer's, in the same order.
    InOrder(Vec<Decode>),
    /// The writer's schema, the fields it has, and what each of the struct's is.
    Mixed(Arc<AvroSchema>, Vec<NodeId>, Vec<Origin>),
}

/// Where a field of a struct comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The writer's field of this number.
    Written(usize, Decode),
    /// The writer does not have it.
    Default(Value),
}

impl Decode {
    /// Reads a value as a tree.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) fn read(&self, cursor: &mut Cursor<'_>, schema: &SchemaRef) -> Result<Value> {
        let read = SchemaAndValue::read_from(|out| out.write(Some(schema), |out| self.write(cursor, out)));
        Ok(read?.value)
    }

    /// Reads a value and writes it as what Connect has for it.
    ///
    /// # Errors
    /// A data error when the bytes are not a value of the writer's schema, or the reader's has no place for it.
    pub(crate) fn write(&self, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
        // Java narrows integers by dropping the high bits, and widens them with rounding.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Boolean => ValueRef::Boolean(cursor.byte()? == 1),
            Self::Int8 => ValueRef::Int8(cursor.int()? as i8),
            Self::Int16 => ValueRef::Int16(cursor.int()? as i16),
            Self::Int32 => ValueRef::Int32(cursor.int()?),
            Self::Int64 => ValueRef::Int64(cursor.long()?),
            Self::Date(schema) => ValueRef::Date(logical::date_from_days(schema, cursor.int()?)?),
            Self::Time(schema) => ValueRef::Date(logical::time_from_millis(schema, cursor.int()?)?),
            Self::Timestamp => ValueRef::Date(cursor.long()?),
            Self::Float => ValueRef::Float32(f32::from_le_bytes(cursor.array()?)),
            Self::Double => ValueRef::Float64(f64::from_le_bytes(cursor.array()?)),
            Self::FloatOfInteger => ValueRef::Float32(cursor.long()? as f32),
            Self::DoubleOfInteger => ValueRef::Float64(cursor.long()? as f64),
            Self::DoubleOfFloat => ValueRef::Float64(f32::from_le_bytes(cursor.array()?).into()),
            Self::String => ValueRef::String(cursor.text()?),
            Self::Bytes => ValueRef::Bytes(cursor.block()?),
            Self::Fixed(size) => ValueRef::Bytes(cursor.take(*size)?),
            Self::Decimal(scale) => return write_decimal(cursor.block()?, *scale, out),
            Self::FixedDecimal(scale, size) => return write_decimal(cursor.take(*size)?, *scale, out),
            Self::Enum(symbols) => {
                let symbol = symbol(symbols, cursor.long()?)?;
                cursor.take_values(weight_of_bytes(symbol.len()))?;
                ValueRef::String(symbol)
            }
            Self::Union(branches) => {
                let number = cursor.long()?;
                let branch = usize::try_from(number)
                    .ok()
                    .and_then(|number| branches.get(number));
                return match branch {
                    Some(branch) => branch.write(cursor, out),
                    None => Err(malformed(format!("a union has no branch {number}"))),
                };
            }
            Self::Array(inner) => return write_array(inner, cursor, out),
            Self::Map(inner) => return write_map(inner, cursor, out),
            Self::Entries(plan) => return plan.write(cursor, out),
            Self::Struct(plan) => return plan.write(cursor, out),
            Self::Member(plan) => return plan.write(cursor, out),
            Self::Impossible(reason) => return Err(malformed(reason.clone())),
            Self::Anything => return out.value(anything::read(cursor, 0)?.as_ref(), None),
        };
        out.value(value, None)
    }

    /// Reads a value that is BYTES alone: all there is, without length.
    ///
    /// # Errors
    /// A data error when the schema is of another type.
    pub(crate) fn write_raw(&self, bytes: &[u8], out: &mut ValueWriter<'_>) -> Result<()> {
        let value = match self {
            Self::Bytes => ValueRef::Bytes(bytes),
            Self::Decimal(scale) => return write_decimal(bytes, *scale, out),
            Self::String => std::str::from_utf8(bytes)
                .map(ValueRef::from)
                .map_err(|_| malformed("a string is not UTF-8"))?,
            _ => return Err(malformed("bytes cannot be read as what the reader wants")),
        };
        out.value(value, None)
    }

    /// The least number of bytes that a value takes.
    fn least(&self) -> usize {
        match self {
            Self::Null | Self::Impossible(_) => 0,
            Self::Float | Self::DoubleOfFloat => 4,
            Self::Double => 8,
            Self::Fixed(size) | Self::FixedDecimal(_, size) => *size,
            Self::Struct(plan) => plan.least(),
            Self::Member(plan) => plan.inner.least(),
            Self::Anything => 9,
            _ => 1,
        }
    }
}

/// Writes a decimal whose bytes may have more signs than it needs.
fn write_decimal(bytes: &[u8], scale: i32, out: &mut ValueWriter<'_>) -> Result<()> {
    if bytes.is_empty() {
        return Err(malformed("Zero length BigInteger"));
    }
    let decimal = Decimal::from_be_bytes(bytes, scale);
    out.value(ValueRef::Decimal(DecimalRef::Owned(&decimal)), None)
}

/// The reader's symbol for the writer's number.
fn symbol(symbols: &[Option<String>], number: i64) -> Result<&str> {
    let symbol = usize::try_from(number)
        .ok()
        .and_then(|number| symbols.get(number));
    match symbol {
        Some(Some(symbol)) => Ok(symbol),
        Some(None) => Err(malformed("the reader's enum does not have the writer's symbol")),
        None => Err(malformed(format!("an enum has no symbol number {number}"))),
    }
}

/// Runs `element` for each element in the blocks of an array or map.
fn each(
    cursor: &mut Cursor<'_>,
    least: usize,
    mut element: impl FnMut(&mut Cursor<'_>) -> Result<()>,
) -> Result<()> {
    loop {
        let count = cursor.block_count(least)?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            element(cursor)?;
        }
    }
}

fn write_array(inner: &Decode, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
    out.array(|out| each(cursor, inner.least(), |cursor| inner.write(cursor, out)))
}

fn write_map(inner: &Decode, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
    let least = inner.least().saturating_add(1);
    out.map(|out| {
        each(cursor, least, |cursor| {
            out.value(ValueRef::String(cursor.text()?), None)?;
            inner.write(cursor, out)
        })
    })
}

impl EntryPlan {
    fn write(&self, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
        let least = self.key.least().saturating_add(self.value.least());
        out.map(|out| {
            each(cursor, least, |cursor| match &self.order {
                EntryOrder::KeyFirst => {
                    self.key.write(cursor, out)?;
                    self.value.write(cursor, out)
                }
                EntryOrder::ValueFirst(avro, id) => {
                    let mut value = cursor.clone();
                    skip::skip(avro, *id, cursor, 0)?;
                    self.key.write(cursor, out)?;
                    self.value.write(&mut value, out)
                }
            })
        })
    }
}

impl MemberPlan {
    fn write(&self, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
        out.structure(&self.schema, |out| {
            let count = self.schema.fields()?.len();
            cursor.take_values(count)?;
            for index in 0..count {
                if index == self.index {
                    self.inner.write(cursor, out)?;
                } else {
                    out.value(ValueRef::Null, None)?;
                }
            }
            Ok(())
        })
    }
}

impl StructPlan {
    fn write(&self, cursor: &mut Cursor<'_>, out: &mut ValueWriter<'_>) -> Result<()> {
        cursor.take_values(self.schema.fields()?.len())?;
        out.structure(&self.schema, |out| match &self.fields {
            Fields::InOrder(fields) => fields.iter().try_for_each(|field| field.write(cursor, out)),
            Fields::Mixed(avro, written, origins) => {
                let mut starts = Vec::with_capacity(written.len());
                for id in written {
                    starts.push(cursor.clone());
                    skip::skip(avro, *id, cursor, 0)?;
                }
                let schemas = self.schema.fields()?.iter().map(Field::schema);
                origins
                    .iter()
                    .zip(schemas)
                    .try_for_each(|(origin, schema)| match origin {
                        Origin::Written(position, decode) => decode.write(&mut starts[*position], out),
                        Origin::Default(value) => {
                            cursor.take_values(weight(value) - 1)?;
                            out.value(value.as_ref(), Some(schema))
                        }
                    })
            }
        })
    }

    fn least(&self) -> usize {
        let sum = |fields: &mut dyn Iterator<Item = &Decode>| {
            fields.map(Decode::least).fold(0, usize::saturating_add)
        };
        match &self.fields {
            Fields::InOrder(fields) => sum(&mut fields.iter()),
            Fields::Mixed(_, _, origins) => sum(&mut origins.iter().filter_map(|origin| match origin {
                Origin::Written(_, decode) => Some(decode),
                Origin::Default(_) => None,
            })),
        }
    }
}
