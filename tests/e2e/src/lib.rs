//! What the end-to-end tests stand on: a worker as a process of its own, with plugins loaded from `plugin.path`, on a
//! real broker, and independent clients that look at what it did.
//!
//! One binary holds all tests (`tests/standalone/`, one module for each theme), because each binary would link the
//! Kafka client again. Run them by `cargo xtask test -- -p wharf-e2e`, which builds worker and plugins first.
//!
//! This is test code throughout: it panics when something is not as it should be, which is how a test fails.
//!
//! What must stay true: tests wait for conditions, never for time; every name (topic, group, connector, file) is the
//! test's own, so that tests run side by side on one broker; a worker ends with its test, and with the test process.

pub mod group;
mod kafka;
pub mod leases;
pub mod metrics;
pub mod patches;
pub mod previews;
pub mod secrets;
pub mod security;
mod stage;
pub mod truth;
mod worker;

pub use kafka::{Kafka, Seen, ToWrite, TopicReader};
pub use stage::{Stage, properties};
pub use worker::{Launch, PATIENCE, Worker, has_state, states};
