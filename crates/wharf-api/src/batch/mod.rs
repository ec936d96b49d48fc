//! Batches of records as one flat buffer: what `poll` fills and `put` reads, and what crosses the plugin border.
//!
//! A [`RecordBatch`] is append-only; a [`RecordBatchRef`] reads one where it lies. Schemas, topics and source partitions
//! are written once per batch and named by index. Records carry their own length, so that a reader of an older minor
//! version skips fields it does not know.
//!
//! Layout: records, then definitions, then a trailer of 16 bytes (definitions' position `u64`, record count `u32`,
//! [`LAYOUT`] `u32`). `docs/plugin-border.md` has it byte for byte.

mod consumed;
mod head;
mod line;
mod new_record;
mod read;
mod record_ref;
mod write;

pub use new_record::{Datum, NewOrigin, NewRecord};
pub use read::{RecordBatchRef, Records, decode_offset, offset_entries};
pub use record_ref::{HeaderRef, HeadersRef, OriginRef, RecordRef, SinkOrigin, SourceOrigin};
pub use write::RecordBatch;

/// Marks a batch of this layout.
pub const LAYOUT: u32 = 0x0157_4142;

const TRAILER: usize = 16;
const NO_TIMESTAMP: i64 = i64::MIN;
const NO_PARTITION: i32 = i32::MIN;

/// The fixed part of a record after its length: topic, partition, timestamp, key and value schema, kind of origin.
const HEAD: usize = 25;
const ORIGIN_SOURCE: u8 = 0;
const ORIGIN_SINK: u8 = 1;

/// The shortest record: length, fixed part, source partition and an empty offset, null key and value, header count.
const MIN_RECORD: usize = 4 + HEAD + 8 + 5 + 5 + 4;
/// The shortest header: an empty key, a schema index and a null.
const MIN_HEADER: usize = 4 + 4 + 5;
