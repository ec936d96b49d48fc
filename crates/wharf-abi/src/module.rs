//! The tables of functions on both sides.

use std::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;

use crate::raw::{RawOutput, RawSlice};

/// What part of a class an instance plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// The connector, converter, transformation, … itself.
    Plugin = 0,
    /// The task of a connector.
    Task = 1,
}

/// The worker's functions. It lives as long as the process.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostTableRef)))]
#[sabi(missing_field(panic))]
pub struct HostTable {
    /// Calls a method of the worker for an instance's host object. The answer is a [`crate::raw::Status`].
    pub call:
        extern "C" fn(object: *const c_void, method: u32, args: RawSlice, output: &mut RawOutput) -> u32,
    /// One more reference to a host object.
    pub retain: extern "C" fn(object: *const c_void),
    /// One reference less.
    pub release: extern "C" fn(object: *const c_void),
    /// Writes a log line: level (1 error … 5 trace), target, message.
    pub log: extern "C" fn(level: u32, target: RawSlice, message: RawSlice),
    /// The most verbose level that any logger takes now, to skip `log_enabled`.
    pub max_log_level: extern "C" fn() -> u32,
    /// Whether a log line of this level and target would be written.
    #[sabi(last_prefix_field)]
    pub log_enabled: extern "C" fn(level: u32, target: RawSlice) -> bool,
}

/// A plugin library's functions. New ones go last, behind `last_prefix_field`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// The manifest, the same bytes as in the file's section.
    pub manifest: extern "C" fn() -> RawSlice,
    /// Called once before anything else.
    pub init: extern "C" fn(host: HostTableRef, output: &mut RawOutput) -> u32,
    /// Makes an instance of the class at this position of the manifest, in this [`Role`]. It takes over one reference to
    /// the host object, also when it fails.
    pub create: extern "C" fn(
        class: u32,
        role: u32,
        object: *const c_void,
        instance: &mut *mut c_void,
        output: &mut RawOutput,
    ) -> u32,
    /// Calls a method of an instance.
    pub call:
        extern "C" fn(instance: *mut c_void, method: u32, args: RawSlice, output: &mut RawOutput) -> u32,
    /// Drops an instance.
    #[sabi(last_prefix_field)]
    pub destroy: extern "C" fn(instance: *mut c_void),
    /// Levels of the worker's loggers have changed: what the library remembers of them no longer holds. Called at any
    /// time after `init`, by any thread. Since 1.1; a library without it must ask anew for each line.
    #[cfg(not(wharf_interface_1_0))]
    #[sabi(missing_field(option))]
    pub log_levels_changed: extern "C" fn(),
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}

    const BASE_NAME: &'static str = "wharf_plugin";
    const NAME: &'static str = "wharf_plugin";
    /// Of this only the major version counts to the loader; minor versions are compared by manifest.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}
