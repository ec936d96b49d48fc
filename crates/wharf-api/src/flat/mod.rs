//! The flat encoding: values, schemas and batches as plain bytes, the only form in which data crosses the plugin border.
//!
//! Little-endian; lengths and counts are `u32`. A value is a [`tag`] byte and its content. A struct names its schema by
//! an index into the batch's table, or [`NONE`] when it is the one its place declares. A schema stands on its own, its
//! nested schemas inline. The layout is part of interface major version 1 and described in `docs/plugin-border.md`.

mod schema;
pub(crate) mod short;
mod value_writer;
mod write;

use crate::error::{ConnectError, Result};
use crate::value::Value;
use crate::value_ref::{ArrayRef, MapRef, StructRef, ValueRef};

pub use schema::SchemaCache;
pub(crate) use schema::{get_schema, put_schema};
pub use value_writer::{DatumWriter, ValueWriter};
pub use write::SchemaTable;
pub(crate) use write::{put_datum, put_value};

/// An index that means "none".
pub const NONE: u32 = u32::MAX;

/// How deep values and schemas may nest, on both sides: what comes from foreign code must not exhaust the stack.
pub const MAX_DEPTH: usize = 128;

/// Tags of encoded values.
pub mod tag {
    #![allow(missing_docs)]
    pub const NULL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    pub const INT8: u8 = 3;
    pub const INT16: u8 = 4;
    pub const INT32: u8 = 5;
    pub const INT64: u8 = 6;
    pub const FLOAT32: u8 = 7;
    pub const FLOAT64: u8 = 8;
    pub const STRING: u8 = 9;
    pub const BYTES: u8 = 10;
    pub const DECIMAL: u8 = 11;
    pub const DATE: u8 = 12;
    pub const ARRAY: u8 = 13;
    pub const MAP: u8 = 14;
    pub const STRUCT: u8 = 15;
}

#[cold]
#[inline(never)]
pub(crate) fn malformed(what: &str) -> ConnectError {
    ConnectError::data(format!(
        "malformed data on the plugin border: {what}; was the plugin built with a damaged interface?"
    ))
}

#[cold]
#[inline(never)]
pub(crate) fn too_deep(what: &str) -> ConnectError {
    ConnectError::data(format!(
        "a {what} nests too deeply for the plugin border; the limit is {MAX_DEPTH} levels"
    ))
}

/// Reads the primitives of the encoding; every read is checked.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of `bytes`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether all bytes were read.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// A data error when fewer are left.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(malformed("it ends too early")),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// A data error when fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(*taken)
            }
            None => Err(malformed("it ends too early")),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// A data error at the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A length, count or index.
    ///
    /// # Errors
    /// A data error when fewer than four bytes are left.
    #[inline]
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A signed 32-bit number.
    ///
    /// # Errors
    /// A data error when fewer than four bytes are left.
    #[inline]
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// A signed 64-bit number.
    ///
    /// # Errors
    /// A data error when fewer than eight bytes are left.
    #[inline]
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A length and as many bytes.
    ///
    /// # Errors
    /// A data error when fewer are left.
    #[inline]
    pub fn block(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// A length and as many bytes of UTF-8.
    ///
    /// # Errors
    /// A data error when fewer are left or they are not UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.block()?).map_err(|_| malformed("a text is not UTF-8"))
    }
}

/// Passes over a value by its length alone.
pub(crate) fn skip_value(cursor: &mut Cursor<'_>) -> Result<()> {
    let length = match cursor.u8()? {
        tag::NULL | tag::FALSE | tag::TRUE => 0,
        tag::INT8 => 1,
        tag::INT16 => 2,
        tag::INT32 | tag::FLOAT32 => 4,
        tag::INT64 | tag::FLOAT64 | tag::DATE => 8,
        tag::STRING | tag::BYTES | tag::ARRAY | tag::MAP | tag::STRUCT => cursor.u32()? as usize,
        tag::DECIMAL => {
            cursor.u32()?;
            cursor.u32()? as usize
        }
        kind => return Err(malformed(&format!("unknown value tag {kind}"))),
    };
    cursor.take(length).map(drop)
}

#[inline]
pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// A length; nothing that crosses the border in one piece may reach 4 GiB.
#[inline]
pub(crate) fn put_len(out: &mut Vec<u8>, length: usize) -> Result<()> {
    put_u32(out, length_u32(length)?);
    Ok(())
}

#[inline]
pub(crate) fn length_u32(length: usize) -> Result<u32> {
    match u32::try_from(length) {
        Ok(value) if value != NONE => Ok(value),
        _ => Err(too_large(length)),
    }
}

#[inline]
pub(crate) fn put_block(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    put_len(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Runs `write` and puts the number of bytes it wrote in front of them.
#[inline]
pub(crate) fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let at = out.len();
    put_u32(out, 0);
    write(out)?;
    set_length(out, at)
}

/// Sets the length at `at` to what was written behind it.
#[inline]
pub(crate) fn set_length(out: &mut [u8], at: usize) -> Result<()> {
    let length = length_u32(out.len() - at - 4)?;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

#[cold]
#[inline(never)]
fn too_large(length: usize) -> ConnectError {
    ConnectError::data(format!(
        "a value of {length} bytes is too large to cross the plugin border; the limit is 4 GiB"
    ))
}

/// Encodes one value that stands alone, with the schemas of its structs: used for control messages.
///
/// # Errors
/// A data error when it is too large.
pub fn encode_value(value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let mut table = SchemaTable::default();
    let start = out.len();
    put_len(out, 0)?;
    let body = out.len();
    put_sized(out, |out| put_value(out, &value.as_ref(), None, &mut table))?;
    if table.schemas().is_empty() {
        return Ok(());
    }
    // The schemas of structs, which are rare here, stand before the value.
    let value = out.split_off(body);
    out.truncate(start);
    put_len(out, table.schemas().len())?;
    for schema in table.schemas() {
        put_sized(out, |out| put_schema(out, schema))?;
    }
    out.extend_from_slice(&value);
    Ok(())
}

/// Reads what [`encode_value`] wrote.
///
/// # Errors
/// A data error when the bytes are malformed.
pub fn decode_value(bytes: &[u8]) -> Result<Value> {
    view_value(bytes, |value| Ok(value.to_value()))
}

/// Looks at what [`encode_value`] wrote where it lies.
///
/// # Errors
/// As [`decode_value`], and what `look` fails with.
pub fn view_value<T>(bytes: &[u8], look: impl FnOnce(ValueRef<'_>) -> Result<T>) -> Result<T> {
    let mut cursor = Cursor::new(bytes);
    let count = cursor.u32()?;
    let mut table = Vec::new();
    for _ in 0..count {
        table.push(get_schema(cursor.block()?)?);
    }
    look(ValueRef::decode(cursor.block()?, None, &table)?)
}

/// Whether a view is over owned data; used by tests of the no-tree path.
#[must_use]
pub fn is_flat(value: &ValueRef<'_>) -> bool {
    matches!(
        value,
        ValueRef::Array(ArrayRef::Flat(_))
            | ValueRef::Map(MapRef::Flat(_))
            | ValueRef::Struct(StructRef::Flat(..))
    )
}

#[cfg(test)]
mod tests;
