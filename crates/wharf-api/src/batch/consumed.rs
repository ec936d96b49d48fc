//! The record that most sinks get for most of their life: a text or bytes without key and headers, where it was consumed.
//! It is written in one piece up to its content.
//!
//! The bytes are those of the general way in [`super::write`], to which every other record goes; a test holds the two
//! against each other. Measured for texts of 100 bytes: 31 ns the general way, 18 ns this way.

use super::ORIGIN_SINK;
use super::head::{RECORD_HEAD, append, put_fixed};
use super::{NewOrigin, NewRecord};
use crate::error::Result;
use crate::flat::{NONE, length_u32, tag};
use crate::value_ref::ValueRef;

/// A record of this kind, taken apart.
pub(super) struct Consumed<'a> {
    offset: i64,
    timestamp_type: u8,
    tag: u8,
    content: &'a [u8],
}

/// Where the type of the timestamp stands: behind the offset.
const TYPE_AT: usize = RECORD_HEAD + 8;
/// Where the content begins: behind the type, the index that says "as it was consumed", the null key, and the head of
/// the value.
const CONTENT_AT: usize = TYPE_AT + 1 + 4 + 5 + 9;

impl<'a> Consumed<'a> {
    /// `None` when the record is of another kind.
    #[inline(always)]
    pub(super) fn of(record: &NewRecord<'a>) -> Option<Self> {
        let NewOrigin::Sink {
            offset,
            timestamp_type,
            original: None,
        } = record.origin
        else {
            return None;
        };
        let (tag, content) = match record.value.value {
            ValueRef::String(text) => (tag::STRING, text.as_bytes()),
            ValueRef::Bytes(bytes) => (tag::BYTES, bytes),
            _ => return None,
        };
        (record.key.value.is_null() && record.headers.is_empty()).then_some(Self {
            offset,
            timestamp_type: timestamp_type as u8,
            tag,
            content,
        })
    }

    /// Appends the record. `indexes` are those of the topic, the key and the value schema.
    #[inline(always)]
    pub(super) fn put(&self, out: &mut Vec<u8>, record: &NewRecord<'_>, indexes: [u32; 3]) -> Result<()> {
        // Everything but the record's own length: the content's length fits when this does.
        let length = length_u32(CONTENT_AT + self.content.len())?;
        let content_length = self.content.len() as u32;
        out.reserve(CONTENT_AT + self.content.len() + 4);
        let room: &mut [u8; CONTENT_AT] = append(out);
        room[..4].copy_from_slice(&length.to_le_bytes());
        put_fixed(room, record.kafka_partition, record.timestamp, indexes);
        room[RECORD_HEAD - 1] = ORIGIN_SINK;
        room[RECORD_HEAD..TYPE_AT].copy_from_slice(&self.offset.to_le_bytes());
        // Numbers that stand next to each other go in one store. The key is a block of one byte, which is null's tag.
        const { assert!(tag::NULL == 0) };
        let rest = u128::from(self.timestamp_type)
            | u128::from(NONE) << 8
            | 1 << 40
            | u128::from(content_length.wrapping_add(5)) << 80
            | u128::from(self.tag) << 112
            | u128::from(content_length) << 120;
        room[TYPE_AT..TYPE_AT + 16].copy_from_slice(&rest.to_le_bytes());
        room[TYPE_AT + 16..].copy_from_slice(&content_length.to_le_bytes()[1..]);
        out.extend_from_slice(self.content);
        // No headers.
        out.extend_from_slice(&[0; 4]);
        Ok(())
    }
}
