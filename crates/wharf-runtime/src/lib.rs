//! The worker: plugin loading, connectors and tasks, offsets, statuses, configuration, and the standalone herder.

pub mod config;
pub mod config_providers;
pub mod distributed;
pub mod herder;
pub mod http_client;
pub mod inspect;
pub mod logging;
pub mod metrics;
pub mod offsets;
pub mod plugins;
pub mod standalone;
pub mod stores;
mod sync;
pub mod worker;
