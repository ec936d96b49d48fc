//! What the workers of a group agree on, without clock and without I/O: the messages of the group protocol, who runs
//! what, and what the records of the config and status topics mean.
//!
//! Everything here is a function of its inputs, so that a simulation of many workers can run thousands of times a
//! second, and so that two workers that saw the same records come to the same answer, a JVM worker included.
//!
//! What must stay true:
//! - Bytes written here are those that Kafka Connect's own workers write and read.
//! - No function asks for the time, draws a random number or touches the network: whoever calls brings both.
//! - Nothing here knows connectors as plugins, only their names and their configurations as text.

pub mod assignor;
pub mod config_state;
pub mod fencing;
pub mod herder;
pub mod ids;
pub mod java_hash;
pub mod java_json;
pub mod member;
pub mod protocol;
pub mod restart;
pub mod session_key;
pub mod signature;
pub mod status_state;
pub mod target_state;
pub mod time;
pub mod topic_record;
