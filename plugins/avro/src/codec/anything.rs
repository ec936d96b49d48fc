//! Data without schema: a record of nine fields of which one is set, in which arrays and maps hold such records again.

use wharf_api::{ConnectError, Result, Value, ValueRef, flat};

use super::cursor::{Cursor, malformed};
use super::{write_block, write_count, write_long};

/// The fields of the record, in order.
const FIELDS: usize = 9;
/// What stands for null in every field.
const UNSET: u8 = 0;
/// The second branch of the union that every field is.
const SET: u8 = 2;

const BOOLEAN: usize = 0;
const DOUBLE: usize = 2;
const FLOAT: usize = 3;
const INT: usize = 4;
const LONG: usize = 5;
const STRING: usize = 6;
const ARRAY: usize = 7;
const MAP: usize = 8;

/// Appends a value without schema.
pub(super) fn write(value: ValueRef<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > flat::MAX_DEPTH {
        return Err(ConnectError::data(format!(
            "a value without schema nests more than {} levels",
            flat::MAX_DEPTH
        )));
    }
    let field = match value {
        ValueRef::Null => {
            out.extend_from_slice(&[UNSET; FIELDS]);
            return Ok(());
        }
        ValueRef::Boolean(_) => BOOLEAN,
        ValueRef::Float64(_) => DOUBLE,
        ValueRef::Float32(_) => FLOAT,
        ValueRef::Int8(_) | ValueRef::Int16(_) | ValueRef::Int32(_) => INT,
        ValueRef::Int64(_) => LONG,
        ValueRef::String(_) => STRING,
        ValueRef::Array(_) => ARRAY,
        ValueRef::Map(_) => MAP,
        other => {
            return Err(ConnectError::data(format!(
                "Unknown Java type for schemaless data: class {}",
                other.java_class()
            )));
        }
    };
    out.extend_from_slice(&[UNSET; FIELDS][..field]);
    out.push(SET);
    match value {
        ValueRef::Boolean(value) => out.push(u8::from(value)),
        ValueRef::Float64(value) => out.extend_from_slice(&value.to_le_bytes()),
        ValueRef::Float32(value) => out.extend_from_slice(&value.to_le_bytes()),
        ValueRef::String(text) => write_block(text.as_bytes(), out),
        ValueRef::Array(items) => {
            if !items.is_empty() {
                write_count(items.len(), out);
                for item in items.iter() {
                    write(item, depth + 1, out)?;
                }
            }
            out.push(0);
        }
        ValueRef::Map(entries) => {
            if !entries.is_empty() {
                write_count(entries.len(), out);
                for (key, item) in entries.iter() {
                    write(key, depth + 1, out)?;
                    write(item, depth + 1, out)?;
                }
            }
            out.push(0);
        }
        other => write_long(other.as_i64().unwrap_or_default(), out),
    }
    out.extend_from_slice(&[UNSET; FIELDS][field + 1..]);
    Ok(())
}

/// Reads a value without schema; the first field that is set counts.
pub(super) fn read(cursor: &mut Cursor<'_>, depth: usize) -> Result<Value> {
    // As deep as values can cross the plugin border.
    if depth >= flat::MAX_DEPTH {
        return Err(malformed(format!(
            "a value without schema nests more than {} levels",
            flat::MAX_DEPTH
        )));
    }
    let mut found = Value::Null;
    for field in 0..FIELDS {
        match cursor.long()? {
            0 => continue,
            1 => {}
            other => return Err(malformed(format!("a union has no branch {other}"))),
        }
        let value = match field {
            BOOLEAN => Value::Boolean(cursor.byte()? == 1),
            1 => Value::Bytes(cursor.block()?.to_vec()),
            DOUBLE => Value::Float64(f64::from_le_bytes(cursor.array()?)),
            FLOAT => Value::Float32(f32::from_le_bytes(cursor.array()?)),
            INT => Value::Int32(cursor.int()?),
            LONG => Value::Int64(cursor.long()?),
            STRING => Value::String(cursor.text()?.to_owned()),
            ARRAY => {
                let mut items = Vec::new();
                loop {
                    let count = cursor.block_count(FIELDS)?;
                    if count == 0 {
                        break Value::Array(items);
                    }
                    for _ in 0..count {
                        items.push(read(cursor, depth + 1)?);
                    }
                }
            }
            _ => {
                let mut entries = Vec::new();
                loop {
                    let count = cursor.block_count(2 * FIELDS)?;
                    if count == 0 {
                        break Value::Map(entries);
                    }
                    for _ in 0..count {
                        let key = read(cursor, depth + 1)?;
                        entries.push((key, read(cursor, depth + 1)?));
                    }
                }
            }
        };
        if found.is_null() {
            found = value;
        }
    }
    Ok(found)
}
