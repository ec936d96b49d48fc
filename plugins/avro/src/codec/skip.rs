//! Passing over what a reader's schema does not have.

use wharf_api::Result;

use super::cursor::{Cursor, malformed};
use crate::schema::{AvroSchema, Kind, NodeId};

/// How deep values may nest; types that contain themselves would have no end otherwise.
const MAX_DEPTH: usize = 512;

/// Passes over a value.
pub(super) fn skip(avro: &AvroSchema, id: NodeId, cursor: &mut Cursor<'_>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(malformed(format!("a value nests more than {MAX_DEPTH} levels")));
    }
    match &avro.node(id).kind {
        Kind::Null => {}
        Kind::Boolean => {
            cursor.byte()?;
        }
        Kind::Int | Kind::Long | Kind::Enum(_) => {
            cursor.long()?;
        }
        Kind::Float => {
            cursor.take(4)?;
        }
        Kind::Double => {
            cursor.take(8)?;
        }
        Kind::Bytes | Kind::String => {
            cursor.block()?;
        }
        Kind::Fixed(fixed) => {
            cursor.take(fixed.size)?;
        }
        Kind::Array(items) => loop {
            let count = cursor.block_count(least(avro, *items, 0))?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                skip(avro, *items, cursor, depth + 1)?;
            }
        },
        Kind::Map(values) => loop {
            let count = cursor.block_count(1)?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                cursor.block()?;
                skip(avro, *values, cursor, depth + 1)?;
            }
        },
        Kind::Union(members) => {
            let branch = cursor.long()?;
            let member = usize::try_from(branch)
                .ok()
                .and_then(|branch| members.get(branch));
            let member = member.ok_or_else(|| malformed(format!("a union has no branch {branch}")))?;
            skip(avro, *member, cursor, depth + 1)?;
        }
        Kind::Record(record) => {
            for field in &record.fields {
                skip(avro, field.schema, cursor, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// The least number of bytes that a value takes; 0 also where that is not looked for any deeper.
fn least(avro: &AvroSchema, id: NodeId, depth: usize) -> usize {
    match &avro.node(id).kind {
        Kind::Null => 0,
        Kind::Fixed(fixed) => fixed.size,
        Kind::Record(_) if depth > 8 => 0,
        Kind::Record(record) => record
            .fields
            .iter()
            .map(|field| least(avro, field.schema, depth + 1))
            .fold(0, usize::saturating_add),
        _ => 1,
    }
}
