//! The standalone worker as its users have it: one module for each theme.
#![allow(
    clippy::print_stdout,
    reason = "figures that a run found out are shown with --nocapture"
)]

mod bad_records;
mod client_security;
mod config_providers;
mod conversions;
mod delivery;
mod file_connectors;
mod lifecycle;
mod logging;
mod memory;
mod metrics;
mod offset_file;
mod offsets_api;
mod preview;
mod record_errors;
mod refused_records;
mod registry_access;
mod registry_backup;
mod registry_bad_bytes;
mod registry_converters;
mod registry_headers;
mod registry_outage;
mod registry_real;
mod restart_policy;
mod sink_context;
mod stuck;
mod third_party;
mod validation;
mod worker_config;
