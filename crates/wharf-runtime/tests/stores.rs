//! The stores of a distributed worker on a real broker: several of them on one topic, as in a group of workers.

#[path = "stores/common.rs"]
mod common;
#[path = "stores/config.rs"]
mod config;
#[path = "stores/offsets.rs"]
mod offsets;
#[path = "stores/outage.rs"]
mod outage;
#[path = "stores/status.rs"]
mod status;
