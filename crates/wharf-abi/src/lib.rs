//! The border between the worker and a plugin library.
//!
//! A plugin is a shared library that may have been built by another compiler, with another allocator and other flags, so
//! only plain C data crosses: slices of bytes in the flat encoding of [`wharf_api::flat`], numbers, and function pointers.
//! There are very few functions ([`module::PluginModule`]): make an instance, call a method of it by number, drop it;
//! and, the other way, call the worker by number ([`module::HostTable`]). A method that one side does not know answers
//! [`raw::Status::Unsupported`], and the caller goes on as if the default had been taken; that is how minor versions
//! of the interface grow.
//!
//! - [`export_plugins!`] and [`guest`] are the plugin's side,
//! - [`host`] is the worker's side,
//! - [`manifest`] is what both agree on before any code of the plugin runs.
//!
//! Invariants: no panic crosses (each side contains its own); memory is freed by the side that allocated it; an instance is
//! never called by two threads at a time; a batch crosses in one call.

pub mod guest;
pub mod host;
pub mod manifest;
pub mod message;
pub mod method;
pub mod module;
pub mod raw;

#[doc(hidden)]
pub use abi_stable;
#[doc(hidden)]
pub use wharf_api;

/// Major version of the interface: a plugin of another one is refused.
pub const INTERFACE_MAJOR: u32 = 1;

/// Minor version of the interface: a plugin of an older or the same one loads.
///
/// | minor | what came |
/// |---|---|
/// | 1 | [`module::PluginModule::log_levels_changed`], [`method::plugin::VALIDATE`] beyond connectors |
///
/// With `--cfg wharf_interface_1_0` the crate is as it was in 1.0, which tests build plugins with.
pub const INTERFACE_MINOR: u32 = if cfg!(wharf_interface_1_0) { 0 } else { 1 };
