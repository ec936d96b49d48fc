//! What stands first in every record, at fixed places.

use super::{HEAD, NO_PARTITION, NO_TIMESTAMP};

/// The length of a record and its fixed part.
pub(super) const RECORD_HEAD: usize = 4 + HEAD;

/// The source's partition index, the length of the offset, and the head of the map that an offset is.
pub(super) const SOURCE_HEAD: usize = 4 + 4 + 1 + 4 + 4;

/// Where the index of the value's schema lies.
pub(super) const VALUE_SCHEMA: usize = 24;

/// Sets topic, Kafka partition, timestamp and schemas. `indexes` are those of the topic, the key and the value schema.
#[inline(always)]
pub(super) fn put_fixed<const N: usize>(
    head: &mut [u8; N],
    kafka_partition: Option<i32>,
    timestamp: Option<i64>,
    indexes: [u32; 3],
) {
    const { assert!(N >= RECORD_HEAD) };
    let [topic, key_schema, value_schema] = indexes;
    let partition = kafka_partition.unwrap_or(NO_PARTITION).cast_unsigned();
    head[4..12].copy_from_slice(&pair(topic, partition));
    head[12..20].copy_from_slice(&timestamp.unwrap_or(NO_TIMESTAMP).to_le_bytes());
    head[20..28].copy_from_slice(&pair(key_schema, value_schema));
}

/// Two numbers in one store: what a record costs is the number of stores.
#[inline(always)]
fn pair(first: u32, second: u32) -> [u8; 8] {
    (u64::from(first) | u64::from(second) << 32).to_le_bytes()
}

/// Appends `N` zeros, to be written where they lie: bytes laid out elsewhere and copied in one piece would be read back
/// before the processor has stored them, which costs more than the copy.
#[inline]
pub(super) fn append<const N: usize>(out: &mut Vec<u8>) -> &mut [u8; N] {
    out.extend_from_slice(&[0; N]);
    out.last_chunk_mut().expect("as many bytes were just appended")
}
