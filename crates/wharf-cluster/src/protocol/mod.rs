//! The messages that workers send each other through the group coordinator: what a worker says when it joins
//! ([`WorkerState`]) and what the leader gives it ([`Assignment`]), under one of three protocols ([`ConnectProtocol`]).
//!
//! The broker passes these bytes on without looking into them; the other side may be a JVM worker.
//!
//! What must stay true:
//! - What is written is what a JVM worker writes, including the order of entries, so that equal states are equal bytes.
//! - What is read is what a JVM worker reads: newer versions, missing fields at the end and surplus bytes are no errors,
//!   and whatever it refuses is refused here, by name.
//! - No bytes make a reader panic or allocate more than a small multiple of their length.

mod assignment;
mod codec;
mod connect_protocol;
mod connectors_and_tasks;
mod plugin_classes;
mod worker_state;

pub use self::assignment::Assignment;
pub use self::codec::ProtocolError;
pub use self::connect_protocol::{ConnectProtocol, UnknownProtocol};
pub use self::connectors_and_tasks::ConnectorsAndTasks;
pub use self::plugin_classes::PluginClasses;
pub use self::worker_state::{WorkerState, worker_id};

/// The protocol type with which workers join their group.
pub const PROTOCOL_TYPE: &str = "connect";

#[cfg(test)]
mod tests;
