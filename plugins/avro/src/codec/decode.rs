//! Reading a value by a plan.

use std::sync::Arc;

use wharf_api::{Decimal, Result, SchemaRef, Struct, Value, logical};

use super::cursor::{Cursor, malformed};
use super::{anything, skip};
use crate::schema::{AvroSchema, NodeId};

/// More elements than this are not reserved at once, however many are announced.
const MAX_RESERVED: usize = 1024;

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
    pub(super) first: Decode,
    pub(super) second: Decode,
    pub(super) key_is_first: bool,
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
    /// The writer's fields in order.
    pub(super) steps: Vec<Step>,
    /// Whether those are the struct's fields in order.
    pub(super) in_order: bool,
    pub(super) field_count: usize,
    /// Fields that the writer does not have.
    pub(super) defaults: Vec<(usize, Value)>,
}

/// What becomes of a field of the writer.
#[derive(Debug)]
pub(super) enum Step {
    /// It is this field.
    Field(usize, Decode),
    /// It is passed over.
    Skip(Arc<AvroSchema>, NodeId),
}

impl Decode {
    /// Reads a value.
    ///
    /// # Errors
    /// A data error when the bytes are not a value of the writer's schema, or the reader's has no place for it.
    pub(crate) fn read(&self, cursor: &mut Cursor<'_>) -> Result<Value> {
        // Java narrows integers by dropping the high bits, and widens them with rounding.
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
        Ok(match self {
            Self::Null => Value::Null,
            Self::Boolean => Value::Boolean(cursor.byte()? == 1),
            Self::Int8 => Value::Int8(cursor.int()? as i8),
            Self::Int16 => Value::Int16(cursor.int()? as i16),
            Self::Int32 => Value::Int32(cursor.int()?),
            Self::Int64 => Value::Int64(cursor.long()?),
            Self::Date(schema) => Value::Date(logical::date_from_days(schema, cursor.int()?)?),
            Self::Time(schema) => Value::Date(logical::time_from_millis(schema, cursor.int()?)?),
            Self::Timestamp => Value::Date(cursor.long()?),
            Self::Float => Value::Float32(f32::from_le_bytes(cursor.array()?)),
            Self::Double => Value::Float64(f64::from_le_bytes(cursor.array()?)),
            Self::FloatOfInteger => Value::Float32(cursor.long()? as f32),
            Self::DoubleOfInteger => Value::Float64(cursor.long()? as f64),
            Self::DoubleOfFloat => Value::Float64(f32::from_le_bytes(cursor.array()?).into()),
            Self::String => Value::String(cursor.text()?.to_owned()),
            Self::Bytes => Value::Bytes(cursor.block()?.to_vec()),
            Self::Fixed(size) => Value::Bytes(cursor.take(*size)?.to_vec()),
            Self::Decimal(scale) => Value::Decimal(decimal(cursor.block()?, *scale)?),
            Self::FixedDecimal(scale, size) => Value::Decimal(decimal(cursor.take(*size)?, *scale)?),
            Self::Enum(symbols) => {
                let number = cursor.long()?;
                let symbol = usize::try_from(number)
                    .ok()
                    .and_then(|number| symbols.get(number));
                match symbol {
                    Some(Some(symbol)) => Value::String(symbol.clone()),
                    Some(None) => {
                        return Err(malformed("the reader's enum does not have the writer's symbol"));
                    }
                    None => return Err(malformed(format!("an enum has no symbol number {number}"))),
                }
            }
            Self::Array(inner) => Value::Array(read_array(inner, cursor)?),
            Self::Map(inner) => Value::Map(read_map(inner, cursor)?),
            Self::Entries(plan) => Value::Map(plan.read(cursor)?),
            Self::Struct(plan) => plan.read(cursor)?,
            Self::Union(branches) => {
                let number = cursor.long()?;
                let branch = usize::try_from(number)
                    .ok()
                    .and_then(|number| branches.get(number));
                match branch {
                    Some(branch) => return branch.read(cursor),
                    None => return Err(malformed(format!("a union has no branch {number}"))),
                }
            }
            Self::Member(plan) => {
                let mut values = vec![Value::Null; plan.index];
                values.push(plan.inner.read(cursor)?);
                Value::from(Struct::from_values(SchemaRef::clone(&plan.schema), values))
            }
            Self::Impossible(reason) => return Err(malformed(reason.clone())),
            Self::Anything => anything::read(cursor, 0)?,
        })
    }

    /// Reads a value that is BYTES alone: all there is, without length.
    ///
    /// # Errors
    /// A data error when the schema is of another type.
    pub(crate) fn read_raw(&self, bytes: &[u8]) -> Result<Value> {
        match self {
            Self::Bytes => Ok(Value::Bytes(bytes.to_vec())),
            Self::Decimal(scale) => Ok(Value::Decimal(decimal(bytes, *scale)?)),
            Self::String => std::str::from_utf8(bytes)
                .map(Value::from)
                .map_err(|_| malformed("a string is not UTF-8")),
            _ => Err(malformed("bytes cannot be read as what the reader wants")),
        }
    }

    /// The least number of bytes that a value takes.
    fn least(&self) -> usize {
        match self {
            Self::Null | Self::Impossible(_) => 0,
            Self::Float | Self::DoubleOfFloat => 4,
            Self::Double => 8,
            Self::Fixed(size) | Self::FixedDecimal(_, size) => *size,
            Self::Struct(plan) => plan
                .steps
                .iter()
                .map(|step| match step {
                    Step::Field(_, decode) => decode.least(),
                    Step::Skip(..) => 0,
                })
                .fold(0, usize::saturating_add),
            Self::Member(plan) => plan.inner.least(),
            Self::Anything => 9,
            _ => 1,
        }
    }
}

fn decimal(bytes: &[u8], scale: i32) -> Result<Decimal> {
    match bytes {
        [] => Err(malformed("Zero length BigInteger")),
        bytes => Ok(Decimal::from_be_bytes(bytes, scale)),
    }
}

fn read_array(inner: &Decode, cursor: &mut Cursor<'_>) -> Result<Vec<Value>> {
    let least = inner.least();
    let mut items = Vec::new();
    loop {
        let count = cursor.block_count(least)?;
        if count == 0 {
            return Ok(items);
        }
        items.reserve(count.min(MAX_RESERVED));
        for _ in 0..count {
            items.push(inner.read(cursor)?);
        }
    }
}

fn read_map(inner: &Decode, cursor: &mut Cursor<'_>) -> Result<Vec<(Value, Value)>> {
    let least = inner.least().saturating_add(1);
    let mut entries = Vec::new();
    loop {
        let count = cursor.block_count(least)?;
        if count == 0 {
            return Ok(entries);
        }
        entries.reserve(count.min(MAX_RESERVED));
        for _ in 0..count {
            let key = Value::String(cursor.text()?.to_owned());
            entries.push((key, inner.read(cursor)?));
        }
    }
}

impl EntryPlan {
    fn read(&self, cursor: &mut Cursor<'_>) -> Result<Vec<(Value, Value)>> {
        let least = self.first.least().saturating_add(self.second.least());
        let mut entries = Vec::new();
        loop {
            let count = cursor.block_count(least)?;
            if count == 0 {
                return Ok(entries);
            }
            entries.reserve(count.min(MAX_RESERVED));
            for _ in 0..count {
                let first = self.first.read(cursor)?;
                let second = self.second.read(cursor)?;
                entries.push(if self.key_is_first {
                    (first, second)
                } else {
                    (second, first)
                });
            }
        }
    }
}

impl StructPlan {
    fn read(&self, cursor: &mut Cursor<'_>) -> Result<Value> {
        let values = if self.in_order {
            let mut values = Vec::with_capacity(self.field_count);
            for step in &self.steps {
                if let Step::Field(_, decode) = step {
                    values.push(decode.read(cursor)?);
                }
            }
            values
        } else {
            let mut values = vec![Value::Null; self.field_count];
            for (index, default) in &self.defaults {
                values[*index] = default.clone();
            }
            for step in &self.steps {
                match step {
                    Step::Field(index, decode) => values[*index] = decode.read(cursor)?,
                    Step::Skip(avro, id) => skip::skip(avro, *id, cursor, 0)?,
                }
            }
            values
        };
        Ok(Value::from(Struct::from_values(
            SchemaRef::clone(&self.schema),
            values,
        )))
    }
}
