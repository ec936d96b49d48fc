//! Plugins: from the files of `plugin.path` to instances.
//!
//! [`inspect`] reads what a library says of itself without running it, [`load`] loads it, [`PluginRegistry::scan`] does
//! both for every library of `plugin.path` and adds what is built in. Lookups by name, alias and version range go to
//! the registry.
//!
//! Invariants: a library that does not fit is refused with one line and harms nothing else; the listing shows exactly
//! what can be used, since every library is loaded before it is listed; a loaded library stays loaded.

mod announced;
mod builtin;
mod connector_plugin;
mod entry;
mod library;
mod loader;
mod maven_version;
mod names;
mod plugin_config;
mod plugin_error;
mod refused;
mod registry;
mod registry_view;
mod scan;
#[cfg(test)]
pub(crate) mod test_module;
mod verify;
mod version_range;

pub(crate) use announced::AnnouncedPlugins;
pub use builtin::{ConverterPlugin, PredicatePlugin, TransformationPlugin};
pub use connector_plugin::ConnectorPlugin;
pub use library::inspect;
pub use loader::load;
pub use maven_version::MavenVersion;
pub use names::{pruned_name, simple_name};
pub use refused::{Refusal, RefusedPlugin};
pub use registry::{PluginLocation, PluginRegistry};
pub use registry_view::{Outreach, RegistryView};
pub use verify::{VERIFY_ARGUMENT, child_answer, verify, verify_in_child};
pub use version_range::VersionRange;
