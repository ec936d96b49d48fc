//! Config providers: values of `${provider:path:key}` that must not stand in a configuration.
//!
//! [`ConfigProviders`] are those that `config.providers` of a worker names, [`reference`] knows the form of references, and
//! the files beside hold the providers that are built in. What must stay true: configurations are stored, listed and given
//! to other workers with their references; only what runs, and validation, sees the values.

mod allowed_paths;
mod builtin;
mod directory_config_provider;
mod env_var_config_provider;
mod file_config_provider;
mod providers;
mod reference;
mod resolved;

pub(crate) use builtin::{BUILTIN, BuiltinProvider};
pub use providers::{ConfigProviders, resolve_worker_properties};
pub use reference::{has_reference, restore_references};
pub use resolved::Resolved;
