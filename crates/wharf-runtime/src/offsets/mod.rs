//! Source offsets: how far each source partition was read, as upstream stores it.
//!
//! Keys and values are JSON ([`offset_json`]); in standalone mode they live in one file of Java serialization
//! ([`FileOffsetBackingStore`]), which the Java worker reads and writes too, in distributed mode in a compacted topic
//! ([`KafkaOffsetBackingStore`]), or in one of the connector's own over it ([`LayeredOffsetBackingStore`]). [`OffsetStorage`]
//! is a connector's view of a store, [`OffsetStorageWriter`] gathers a task's offsets and flushes them within a time limit;
//! with exactly-once the task's own producer writes them ([`OffsetTopic`]).
//!
//! Invariants: what a store said it has stored survives the end of the process; a partition that is known keeps the very
//! key bytes it was stored under, since every reader looks it up by them.

mod composition;
mod file_store;
pub mod java_serialization;
mod kafka_store;
mod known_offsets;
mod layered_store;
pub mod offset_json;
mod offset_storage;
mod offset_topic;
mod offset_writer;
mod store;

pub use composition::{OffsetStores, OffsetTopicPlace};
pub use file_store::FileOffsetBackingStore;
pub use kafka_store::KafkaOffsetBackingStore;
pub(crate) use known_offsets::KnownOffsets;
pub use layered_store::LayeredOffsetBackingStore;
pub use offset_storage::OffsetStorage;
pub use offset_topic::{OffsetTopic, send_offsets};
pub use offset_writer::{FlushError, OffsetStorageWriter, OffsetStoreThread};
pub use store::{MemoryOffsetBackingStore, OffsetBackingStore, OffsetEntry, StoredEntry};
