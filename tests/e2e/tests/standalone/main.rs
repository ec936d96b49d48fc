//! The standalone worker as its users have it: one module for each theme.
#![allow(
    clippy::print_stdout,
    reason = "figures that a run found out are shown with --nocapture"
)]

mod avro;
mod client_security;
mod conversions;
mod delivery;
mod file_connectors;
mod lifecycle;
mod logging;
mod memory;
mod metrics;
mod offset_file;
mod offsets_api;
mod record_errors;
mod restart_policy;
mod sink_context;
mod stuck;
mod worker_config;
