//! For tests of plugins: a worker in memory, harnesses that run a plugin as a worker does, and conformance suites.
//!
//! Plugins are run through the border, linked statically: what a test sees is what the worker sees, encoded and decoded.
//! Nothing here waits: [`FakeWorker`] lets the time of a wait pass at once. Nothing here knows the runtime.
//!
//! ```text
//! #[test]
//! fn the_source_passes_the_suite() {
//!     wharf_testkit::source_suite(my_plugin::wharf_plugin::plugin_module(), "org.example.MySource", || Fixture::new());
//! }
//! ```

#[cfg(feature = "benches")]
pub mod benches;
mod configuration;
mod converters;
mod fake_worker;
mod mismatch;
mod plugin;
mod sink_harness;
mod sink_suite;
mod source_harness;
mod source_suite;

pub use converters::{converter_with_registry, encode};
pub use fake_worker::{FakeWorker, Metric};
pub use mismatch::{check_mismatched, with_part_replaced};
pub use plugin::PluginUnderTest;
pub use sink_harness::SinkHarness;
pub use sink_suite::{SinkFixture, sink_suite};
pub use source_harness::SourceHarness;
pub use source_suite::{SourceFixture, source_suite};

/// A configuration from pairs.
#[must_use]
pub fn config<K: Into<String>, V: Into<String>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> wharf_api::ConfigMap {
    entries
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}
