//! The record that most sources make for most of their life: a text or bytes without key and headers, and a source
//! offset of one number under a short name. It is written in one piece up to its content.
//!
//! The bytes are those of the general way in [`super::write`], to which every other record goes; a test holds the two
//! against each other. Measured for texts of 100 bytes: 35 ns the general way, 20 ns this way.

use super::ORIGIN_SOURCE;
use super::head::{RECORD_HEAD, SOURCE_HEAD, append, put_fixed};
use super::{NewOrigin, NewRecord};
use crate::error::Result;
use crate::flat::{length_u32, short, tag};
use crate::offset_map::OffsetMap;
use crate::value_ref::ValueRef;

/// A record of this kind, taken apart.
pub(super) struct Line<'a> {
    pub(super) partition: &'a OffsetMap,
    name: &'a [u8],
    position: i64,
    tag: u8,
    content: &'a [u8],
}

/// Where the name in the offset begins: behind the map's head and its own tag and length.
const NAME_AT: usize = RECORD_HEAD + SOURCE_HEAD + 5;
/// The position, the null key, and the head of the value.
const TAIL: usize = 9 + 5 + 9;
/// Everything before the content when the name is as long as it may be.
const ROOM: usize = NAME_AT + short::LONGEST + TAIL;

impl<'a> Line<'a> {
    /// `None` when the record is of another kind.
    #[inline(always)]
    pub(super) fn of(record: &NewRecord<'a>) -> Option<Self> {
        let NewOrigin::Source {
            partition: Some(partition),
            offset: Some(&[(name, ValueRef::Int64(position))]),
        } = record.origin
        else {
            return None;
        };
        let (tag, content) = match record.value.value {
            ValueRef::String(text) => (tag::STRING, text.as_bytes()),
            ValueRef::Bytes(bytes) => (tag::BYTES, bytes),
            _ => return None,
        };
        let is_line = record.key.value.is_null() && record.headers.is_empty() && name.len() <= short::LONGEST;
        is_line.then_some(Self {
            partition,
            name: name.as_bytes(),
            position,
            tag,
            content,
        })
    }

    /// Appends the record. `indexes` are those of the topic, the key and the value schema.
    #[inline(always)]
    pub(super) fn put(
        &self,
        out: &mut Vec<u8>,
        record: &NewRecord<'_>,
        indexes: [u32; 3],
        partition: u32,
    ) -> Result<()> {
        let name_length = self.name.len().min(short::LONGEST);
        let tail_at = NAME_AT + name_length;
        // Everything but the record's own length: so much and the content fit when this does.
        let length = length_u32(tail_at + TAIL + self.content.len())?;
        let content_length = self.content.len() as u32;
        let start = out.len();
        let room: &mut [u8; ROOM] = append(out);
        room[..4].copy_from_slice(&length.to_le_bytes());
        put_fixed(room, record.kafka_partition, record.timestamp, indexes);
        // Numbers that stand next to each other go in one store; what is not set stays zero.
        let map_length = 4 + 5 + name_length as u128 + 9;
        let origin = u128::from(ORIGIN_SOURCE)
            | u128::from(partition) << 8
            | (map_length + 5) << 40
            | u128::from(tag::MAP) << 72
            | map_length << 80
            | 1 << 112;
        room[28..44].copy_from_slice(&origin.to_le_bytes());
        room[NAME_AT - 5..NAME_AT - 3].copy_from_slice(&[tag::STRING, name_length as u8]);
        room[NAME_AT..NAME_AT + short::LONGEST].copy_from_slice(&short::word(self.name).to_le_bytes());
        if let Some(tail) = room[tail_at..].first_chunk_mut::<TAIL>() {
            tail[0] = tag::INT64;
            tail[1..9].copy_from_slice(&self.position.to_le_bytes());
            // The key: a block of one byte, which is null's tag.
            const { assert!(tag::NULL == 0) };
            tail[9] = 1;
            let whole = u64::from(content_length.wrapping_add(5));
            let value = whole | u64::from(self.tag) << 32 | u64::from(content_length) << 40;
            tail[14..22].copy_from_slice(&value.to_le_bytes());
            tail[22] = content_length.to_le_bytes()[3];
        }
        out.truncate(start + tail_at + TAIL);
        out.extend_from_slice(self.content);
        // No headers.
        out.extend_from_slice(&[0; 4]);
        Ok(())
    }
}
