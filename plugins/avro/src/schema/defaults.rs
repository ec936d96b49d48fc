//! Default values of fields: whether they suit, and their bytes.

use super::{AvroSchema, Kind, NodeId};
use crate::codec::write_long;
use crate::json::Json;

/// Whether Java's library takes this default. A union takes what any of its members takes.
pub(crate) fn is_valid_default(schema: &AvroSchema, id: NodeId, value: &Json) -> bool {
    match &schema.node(id).kind {
        Kind::Null => *value == Json::Null,
        Kind::Boolean => matches!(value, Json::Boolean(_)),
        Kind::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Long => value.as_i64().is_some(),
        Kind::Float | Kind::Double => matches!(value, Json::Number(_)),
        Kind::Bytes | Kind::String | Kind::Enum(_) | Kind::Fixed(_) => value.as_text().is_some(),
        Kind::Array(of) => value
            .as_array()
            .is_some_and(|items| items.iter().all(|item| is_valid_default(schema, *of, item))),
        Kind::Map(of) => value.as_object().is_some_and(|members| {
            members
                .iter()
                .all(|(_, item)| is_valid_default(schema, *of, item))
        }),
        Kind::Union(members) => members
            .iter()
            .any(|member| is_valid_default(schema, *member, value)),
        Kind::Record(record) => {
            value.as_object().is_some()
                && record.fields.iter().all(|field| {
                    let own = value.get(&field.name).or(field.default.as_ref());
                    own.is_some_and(|own| is_valid_default(schema, field.schema, own))
                })
        }
    }
}

/// Appends the Avro bytes of a default.
///
/// # Errors
/// What does not suit.
pub(crate) fn encode_default(
    schema: &AvroSchema,
    id: NodeId,
    value: &Json,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let node = schema.node(id);
    let wrong = || format!("{value} is no default of type {}", node.type_name());
    match &node.kind {
        Kind::Null if *value == Json::Null => {}
        Kind::Boolean => match value {
            Json::Boolean(value) => out.push(u8::from(*value)),
            _ => return Err(wrong()),
        },
        Kind::Int | Kind::Long => write_long(value.as_i64().ok_or_else(wrong)?, out),
        // A float is read from its text directly, so that it is not rounded twice.
        Kind::Float => match value {
            Json::Number(text) => {
                let number: f32 = text.parse().map_err(|_| wrong())?;
                out.extend_from_slice(&number.to_le_bytes());
            }
            _ => return Err(wrong()),
        },
        Kind::Double => out.extend_from_slice(&value.as_f64().ok_or_else(wrong)?.to_le_bytes()),
        Kind::String => write_block(value.as_text().ok_or_else(wrong)?.as_bytes(), out),
        Kind::Bytes => write_block(&latin1(value.as_text().ok_or_else(wrong)?), out),
        Kind::Fixed(fixed) => {
            let bytes = latin1(value.as_text().ok_or_else(wrong)?);
            if bytes.len() != fixed.size {
                return Err(wrong());
            }
            out.extend_from_slice(&bytes);
        }
        Kind::Enum(kind) => {
            let symbol = value.as_text().ok_or_else(wrong)?;
            let ordinal = kind.symbols.iter().position(|known| known == symbol);
            write_count(ordinal.ok_or_else(wrong)?, out);
        }
        Kind::Array(of) => {
            let items = value.as_array().ok_or_else(wrong)?;
            if !items.is_empty() {
                write_count(items.len(), out);
                for item in items {
                    encode_default(schema, *of, item, out)?;
                }
            }
            out.push(0);
        }
        Kind::Map(of) => {
            let members = value.as_object().ok_or_else(wrong)?;
            if !members.is_empty() {
                write_count(members.len(), out);
                for (name, item) in members {
                    write_block(name.as_bytes(), out);
                    encode_default(schema, *of, item, out)?;
                }
            }
            out.push(0);
        }
        Kind::Union(members) => {
            let index = members
                .iter()
                .position(|member| is_valid_default(schema, *member, value))
                .ok_or_else(wrong)?;
            write_count(index, out);
            encode_default(schema, members[index], value, out)?;
        }
        Kind::Record(record) => {
            for field in &record.fields {
                let own = value
                    .get(&field.name)
                    .or(field.default.as_ref())
                    .ok_or_else(wrong)?;
                encode_default(schema, field.schema, own, out)?;
            }
        }
        Kind::Null => return Err(wrong()),
    }
    Ok(())
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(count).unwrap_or(i64::MAX), out);
}

fn write_block(bytes: &[u8], out: &mut Vec<u8>) {
    write_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Bytes written as text, one character per byte. Others become `?`, as Java writes ISO-8859-1.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}
