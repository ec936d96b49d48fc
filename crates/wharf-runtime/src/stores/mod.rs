//! What the workers of a group keep in Kafka: configurations, source offsets, statuses, each in a compacted topic.
//!
//! The topics are read and followed by [`wharf_kafka::TopicLog`]; what their records mean is decided by `wharf-cluster`; here the
//! two are put together and given to the herder and to tasks. What must stay true: a store never waits for a plugin, and its
//! listeners never wait at all; a write that returned was acknowledged by all replicas in sync.

mod census;
mod config_store;
mod status_store;
mod status_writer;

pub use self::census::Census;
pub use self::config_store::{ConfigBackingStore, ConfigListener, ConfigStoreError};
pub use self::status_store::{OverwrittenListener, RunningListener, StatusBackingStore, instance_state};
pub use crate::offsets::{KafkaOffsetBackingStore, LayeredOffsetBackingStore};
