//! The form of a message: a schema's id before the payload, or its GUID in a record header.
//!
//! - magic byte 0, the id as four bytes (big-endian), the payload;
//! - magic byte 1 and sixteen bytes of GUID, in the header `__key_schema_id` or `__value_schema_id`; the message is the
//!   payload alone then. Readers look at the header first, and also take such a GUID at the start of a message.
//!
//! What follows the id in Protobuf (the path to the message type) belongs to that format and stays in the rest here.

use std::sync::Arc;

use wharf_api::{ConnectError, Headers, Result, Schema, Value};

use crate::error::serialization;
use crate::model::Guid;

/// The header that names the schema of a key.
pub const KEY_SCHEMA_ID_HEADER: &str = "__key_schema_id";
/// The header that names the schema of a value.
pub const VALUE_SCHEMA_ID_HEADER: &str = "__value_schema_id";

const MAGIC_ID: u8 = 0;
const MAGIC_GUID: u8 = 1;

/// How a message says which schema it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaId {
    /// The id in this registry.
    Id(i32),
    /// The GUID, the same in all registries.
    Guid(Guid),
}

impl std::fmt::Display for SchemaId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Guid(guid) => write!(f, "{guid}"),
        }
    }
}

/// The name of the header for a key or a value.
#[must_use]
pub fn header_name(is_key: bool) -> &'static str {
    if is_key {
        KEY_SCHEMA_ID_HEADER
    } else {
        VALUE_SCHEMA_ID_HEADER
    }
}

/// Appends magic byte and id.
pub fn write_id(id: i32, out: &mut Vec<u8>) {
    out.push(MAGIC_ID);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Puts magic byte and GUID, and for Protobuf the path to the message type, into the record's headers.
pub fn write_guid_header(headers: &mut Headers, is_key: bool, guid: Guid, suffix: &[u8]) {
    let mut value = vec![MAGIC_GUID];
    value.extend_from_slice(&guid.0);
    value.extend_from_slice(suffix);
    let name = header_name(is_key);
    let same = headers
        .last_with_name(name)
        .is_some_and(|header| *header.value() == Value::Bytes(value.clone()));
    // A record that is tried again has the header already.
    if !same {
        headers.push(wharf_api::Header::new(name, Some(Schema::bytes()), value));
    }
}

/// A message taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The schema it was written with.
    pub schema_id: SchemaId,
    /// What follows id or GUID where that stands: in the header, or `None` when it stands in the message.
    pub header_rest: Option<&'a [u8]>,
    /// The message without id or GUID.
    pub rest: &'a [u8],
}

/// Where it is said which schema a message was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaIdSource {
    /// In the record header, else before the payload.
    HeaderOrPrefix,
    /// Before the payload, whatever the header says.
    Prefix,
    /// In the configuration: a message is its payload alone. The bytes stand for what would follow the id.
    Configured(SchemaId, Arc<[u8]>),
}

impl SchemaIdSource {
    /// The same, with what would follow the id where that is configured.
    #[must_use]
    pub fn with_rest(self, bytes: &[u8]) -> Self {
        match self {
            Self::Configured(id, _) => Self::Configured(id, bytes.into()),
            other => other,
        }
    }

    /// Finds out which schema a message was written with.
    ///
    /// # Errors
    /// A data error when it is nowhere said: `Unknown magic byte!`.
    pub fn read<'a>(&'a self, headers: &'a Headers, is_key: bool, message: &'a [u8]) -> Result<Envelope<'a>> {
        match self {
            Self::Configured(schema_id, rest) => {
                return Ok(Envelope {
                    schema_id: *schema_id,
                    header_rest: Some(rest),
                    rest: message,
                });
            }
            // Most records have no header at all.
            Self::HeaderOrPrefix if !headers.is_empty() => {
                if let Some(header) = headers.last_with_name(header_name(is_key))
                    && let Value::Bytes(value) = header.value()
                {
                    let (schema_id, rest) = take(value)?;
                    return Ok(Envelope {
                        schema_id,
                        header_rest: Some(rest),
                        rest: message,
                    });
                }
            }
            Self::HeaderOrPrefix | Self::Prefix => {}
        }
        let (schema_id, rest) = take(message)?;
        Ok(Envelope {
            schema_id,
            header_rest: None,
            rest,
        })
    }
}

fn take(bytes: &[u8]) -> Result<(SchemaId, &[u8])> {
    match bytes.split_first() {
        Some((&MAGIC_ID, rest)) => match rest.split_first_chunk::<4>() {
            Some((id, rest)) => Ok((SchemaId::Id(i32::from_be_bytes(*id)), rest)),
            None => Err(bad(
                "java.nio.BufferUnderflowException",
                "the message ends within its schema id",
            )),
        },
        Some((&MAGIC_GUID, rest)) => match rest.split_first_chunk::<16>() {
            Some((guid, rest)) => Ok((SchemaId::Guid(Guid(*guid)), rest)),
            None => Err(bad(
                "java.nio.BufferUnderflowException",
                "the message ends within its schema GUID",
            )),
        },
        Some(_) => Err(bad("java.lang.IllegalArgumentException", "Unknown magic byte!")),
        None => Err(bad("java.nio.BufferUnderflowException", "the message is empty")),
    }
}

#[cold]
fn bad(class: &str, reason: &str) -> ConnectError {
    serialization("Error deserializing schema ID").caused_by(ConnectError::data(reason).with_class(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(headers: &'a Headers, is_key: bool, message: &'a [u8]) -> Result<Envelope<'a>> {
        SchemaIdSource::HeaderOrPrefix.read(headers, is_key, message)
    }

    #[test]
    fn an_id_may_be_looked_for_before_the_payload_only_or_be_configured() {
        let mut headers = Headers::new();
        write_guid_header(&mut headers, false, Guid([7; 16]), &[]);
        let message = [0, 0, 0, 0, 1, 9];
        let envelope = SchemaIdSource::Prefix.read(&headers, false, &message).unwrap();
        assert_eq!(
            (envelope.schema_id, envelope.header_rest, envelope.rest),
            (SchemaId::Id(1), None, &[9][..])
        );
        let configured = SchemaIdSource::Configured(SchemaId::Id(5), Arc::new([])).with_rest(&[0]);
        let envelope = configured.read(&headers, false, &message).unwrap();
        assert_eq!(
            (envelope.schema_id, envelope.header_rest, envelope.rest),
            (SchemaId::Id(5), Some(&[0][..]), &message[..])
        );
        let prefix = SchemaIdSource::Prefix;
        assert_eq!(prefix.clone().with_rest(&[0]), prefix);
    }

    #[test]
    fn an_id_stands_before_the_payload() {
        let mut bytes = Vec::new();
        write_id(1, &mut bytes);
        bytes.push(0x18);
        assert_eq!(bytes, [0, 0, 0, 0, 1, 0x18]);
        let none = Headers::new();
        let envelope = read(&none, false, &bytes).unwrap();
        assert_eq!(
            (envelope.schema_id, envelope.rest),
            (SchemaId::Id(1), &[0x18][..])
        );
        assert_eq!(envelope.header_rest, None);
    }

    #[test]
    fn a_guid_in_the_header_comes_first_and_is_not_added_twice() {
        let guid = Guid([7; 16]);
        let mut headers = Headers::new();
        write_guid_header(&mut headers, true, guid, &[0]);
        write_guid_header(&mut headers, true, guid, &[0]);
        assert_eq!(headers.len(), 1);
        let envelope = read(&headers, true, &[0, 0, 0, 0, 1]).unwrap();
        assert_eq!(envelope.schema_id, SchemaId::Guid(guid));
        assert_eq!(
            (envelope.header_rest, envelope.rest),
            (Some(&[0][..]), &[0, 0, 0, 0, 1][..])
        );
        // A value's reader does not look at the key's header.
        assert_eq!(
            read(&headers, false, &[0, 0, 0, 0, 1]).unwrap().schema_id,
            SchemaId::Id(1)
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let none = Headers::new();
        for (bytes, reason) in [
            (&[][..], "the message is empty"),
            (&[5, 0, 0, 0, 1], "Unknown magic byte!"),
            (&[0, 0, 0], "within its schema id"),
            (&[1, 0, 0, 0, 1], "within its schema GUID"),
        ] {
            let error = read(&none, false, bytes).unwrap_err();
            assert_eq!(error.message(), "Error deserializing schema ID");
            assert!(error.cause().unwrap().message().contains(reason), "{error}");
        }
    }
}
