//! Writing values: the table of schemas of a batch, and the encoding of one value.

use std::sync::Arc;

use super::{NONE, put_block, put_len, put_sized, put_u32, tag, too_deep};
use crate::error::Result;
use crate::schema::SchemaRef;
use crate::value_ref::{ArrayRef, MapRef, StructRef, ValueRef};

/// The schemas that a batch defines, written once each.
#[derive(Debug, Default)]
pub struct SchemaTable {
    schemas: Vec<SchemaRef>,
    last: usize,
}

impl SchemaTable {
    /// The index of this schema, giving it one when it is new. Schemas are told apart by identity first: a task should
    /// keep its schemas and not build an equal one for each record.
    #[inline]
    pub fn index(&mut self, schema: &SchemaRef) -> u32 {
        if self
            .schemas
            .get(self.last)
            .is_some_and(|known| Arc::ptr_eq(known, schema))
        {
            return u32::try_from(self.last).unwrap_or(NONE);
        }
        self.find(schema)
    }

    #[inline(never)]
    fn find(&mut self, schema: &SchemaRef) -> u32 {
        let found = self.schemas.iter().position(|known| Arc::ptr_eq(known, schema));
        let found = found.or_else(|| self.schemas.iter().position(|known| known == schema));
        self.last = found.unwrap_or_else(|| {
            self.schemas.push(Arc::clone(schema));
            self.schemas.len() - 1
        });
        u32::try_from(self.last).unwrap_or(NONE)
    }

    /// The schemas by index.
    #[must_use]
    pub fn schemas(&self) -> &[SchemaRef] {
        &self.schemas
    }

    pub(crate) fn clear(&mut self) {
        self.schemas.clear();
        self.last = 0;
    }
}

/// Encodes one part of a record: its length, then the value. Texts, bytes and nulls are written in one piece: they are
/// what most records are made of, and are written without a call (measured: 3 ns each).
#[inline(always)]
pub(crate) fn put_datum(
    out: &mut Vec<u8>,
    value: &ValueRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
) -> Result<()> {
    match *value {
        ValueRef::Null => {
            out.extend_from_slice(&[1, 0, 0, 0, tag::NULL]);
            Ok(())
        }
        ValueRef::String(text) => put_plain_datum(out, tag::STRING, text.as_bytes()),
        ValueRef::Bytes(bytes) => put_plain_datum(out, tag::BYTES, bytes),
        _ => put_other_datum(out, value, declared, table),
    }
}

#[inline(never)]
fn put_other_datum(
    out: &mut Vec<u8>,
    value: &ValueRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
) -> Result<()> {
    put_sized(out, |out| put_value(out, value, declared, table))
}

#[inline]
fn put_plain_datum(out: &mut Vec<u8>, tag: u8, content: &[u8]) -> Result<()> {
    const HEAD: u32 = 5;
    let length = super::length_u32(content.len() + HEAD as usize)?;
    let (whole, inner) = (length.to_le_bytes(), (length - HEAD).to_le_bytes());
    out.extend_from_slice(&[
        whole[0], whole[1], whole[2], whole[3], tag, inner[0], inner[1], inner[2], inner[3],
    ]);
    out.extend_from_slice(content);
    Ok(())
}

/// Encodes a value. `declared` is the schema that its place declares; a struct of that very schema does not name it.
#[inline]
pub(crate) fn put_value(
    out: &mut Vec<u8>,
    value: &ValueRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
) -> Result<()> {
    match *value {
        // The usual value of a source offset, in one piece.
        ValueRef::Int64(number) => {
            let mut encoded = [tag::INT64; 9];
            encoded[1..].copy_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&encoded);
            Ok(())
        }
        _ => put_any(out, value, declared, table, 0),
    }
}

#[inline]
pub(super) fn put_any(
    out: &mut Vec<u8>,
    value: &ValueRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
    depth: usize,
) -> Result<()> {
    match *value {
        ValueRef::Null => out.push(tag::NULL),
        ValueRef::Boolean(false) => out.push(tag::FALSE),
        ValueRef::Boolean(true) => out.push(tag::TRUE),
        ValueRef::Int8(number) => put_number(out, tag::INT8, number.to_le_bytes()),
        ValueRef::Int16(number) => put_number(out, tag::INT16, number.to_le_bytes()),
        ValueRef::Int32(number) => put_number(out, tag::INT32, number.to_le_bytes()),
        ValueRef::Int64(number) => put_number(out, tag::INT64, number.to_le_bytes()),
        ValueRef::Float32(number) => put_number(out, tag::FLOAT32, number.to_le_bytes()),
        ValueRef::Float64(number) => put_number(out, tag::FLOAT64, number.to_le_bytes()),
        ValueRef::Date(millis) => put_number(out, tag::DATE, millis.to_le_bytes()),
        ValueRef::String(text) => {
            out.push(tag::STRING);
            put_block(out, text.as_bytes())?;
        }
        ValueRef::Bytes(bytes) => {
            out.push(tag::BYTES);
            put_block(out, bytes)?;
        }
        ValueRef::Decimal(decimal) => {
            put_number(out, tag::DECIMAL, decimal.scale().to_le_bytes());
            put_block(out, &decimal.be_bytes())?;
        }
        ValueRef::Array(_) | ValueRef::Map(_) | ValueRef::Struct(_) if depth >= super::MAX_DEPTH => {
            return Err(too_deep("value"));
        }
        ValueRef::Array(items) => put_array(out, items, declared, table, depth)?,
        ValueRef::Map(entries) => put_map(out, entries, declared, table, depth)?,
        ValueRef::Struct(inner) => put_struct(out, inner, declared, table, depth)?,
    }
    Ok(())
}

fn put_array(
    out: &mut Vec<u8>,
    items: ArrayRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
    depth: usize,
) -> Result<()> {
    let element = declared.and_then(|schema| schema.value_schema.as_ref());
    out.push(tag::ARRAY);
    put_sized(out, |out| {
        put_len(out, items.len())?;
        items
            .iter()
            .try_for_each(|item| put_any(out, &item, element, table, depth + 1))
    })
}

fn put_map(
    out: &mut Vec<u8>,
    entries: MapRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
    depth: usize,
) -> Result<()> {
    let key_schema = declared.and_then(|schema| schema.key_schema.as_ref());
    let value_schema = declared.and_then(|schema| schema.value_schema.as_ref());
    out.push(tag::MAP);
    put_sized(out, |out| {
        put_len(out, entries.len())?;
        entries.iter().try_for_each(|(key, value)| {
            put_any(out, &key, key_schema, table, depth + 1)?;
            put_any(out, &value, value_schema, table, depth + 1)
        })
    })
}

fn put_struct(
    out: &mut Vec<u8>,
    inner: StructRef<'_>,
    declared: Option<&SchemaRef>,
    table: &mut SchemaTable,
    depth: usize,
) -> Result<()> {
    let schema = inner.schema();
    let is_declared = declared.is_some_and(|declared| Arc::ptr_eq(declared, schema) || declared == schema);
    let index = if is_declared { NONE } else { table.index(schema) };
    out.push(tag::STRUCT);
    put_sized(out, |out| {
        put_u32(out, index);
        inner
            .fields()
            .try_for_each(|(field, value)| put_any(out, &value, Some(field.schema()), table, depth + 1))
    })
}

#[inline]
fn put_number<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
    out.reserve(1 + N);
    out.push(tag);
    out.extend_from_slice(&bytes);
}
