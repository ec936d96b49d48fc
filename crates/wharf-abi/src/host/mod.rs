//! The worker's side of the border: typed handles over a plugin library's functions.
//!
//! A handle is used by one thread at a time. Calls that a plugin does not know give an error of kind unsupported; handles
//! turn it into the default where there is one.

mod connector;
mod converter;
mod library;
mod services;
mod task;
mod transform;

use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_api::config::ConfigValue;
use wharf_api::{ConfigMap, ConnectError, ErrorKind, Result};

pub use self::connector::ConnectorHandle;
pub use self::converter::{RemoteConverter, RemoteHeaderConverter, RemotePolicy, RemoteProvider};
pub use self::library::plugin_functions;
pub use self::services::{
    ConnectorServices, ConverterServices, HostServices, NoServices, SinkTaskServices, SourceTaskServices,
};
pub use self::task::{SinkTaskHandle, SourceTaskHandle};
pub use self::transform::{RemotePredicate, RemoteTransformation};
use crate::manifest::Manifest;
use crate::message::Message;
use crate::method::plugin;
use crate::module::{HostTable, HostTableRef, PluginModuleRef, Role};
use crate::raw::{RawOutput, RawSlice, Received, Status};

/// Where log lines of plugins go.
pub trait HostLog: Send + Sync {
    /// Writes a line; levels are 1 (error) to 5 (trace).
    fn log(&self, level: u32, target: &str, message: &str);

    /// The most verbose level that any logger takes now.
    fn max_level(&self) -> u32;

    /// Whether a line of this level and target is written.
    fn enabled(&self, level: u32, target: &str) -> bool;
}

static LOG: OnceLock<Box<dyn HostLog>> = OnceLock::new();

/// Says where log lines of plugins go; the first call counts.
pub fn set_log(log: Box<dyn HostLog>) {
    if LOG.set(log).is_ok() {
        log_levels_changed();
    }
}

/// Libraries that were started. They are never unloaded, so their functions may be called at any time.
static STARTED: Mutex<Vec<PluginModuleRef>> = Mutex::new(Vec::new());

/// Tells every library that answers of [`HostLog`] may be others from now on. Libraries of interface 1.0 ask for each line
/// and need not be told.
///
/// Libraries ask back before this returns: call it after the change, holding no lock that [`HostLog`] takes.
pub fn log_levels_changed() {
    // Copied out: what libraries ask may take its time.
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    started.into_iter().for_each(tell_log_levels_changed);
}

#[cfg(not(wharf_interface_1_0))]
fn tell_log_levels_changed(functions: PluginModuleRef) {
    if let Some(changed) = functions.log_levels_changed() {
        changed();
    }
}

#[cfg(wharf_interface_1_0)]
fn tell_log_levels_changed(_: PluginModuleRef) {}

/// Enters a library among those to be told of changed levels, once: tests start a library again and again.
fn remember(functions: PluginModuleRef) {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = |known: &PluginModuleRef| known.init() as usize == functions.init() as usize;
    if !started.iter().any(is_known) {
        started.push(functions);
    }
}

extern "C" fn host_call(object: *const c_void, method: u32, args: RawSlice, output: &mut RawOutput) -> u32 {
    // SAFETY: plugins call with an object they were given, and hold a reference to it.
    let services = unsafe { &*object.cast::<Box<dyn HostServices>>() };
    // SAFETY: the plugin keeps its arguments alive during the call.
    let args = unsafe { args.as_bytes() };
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| services.call(method, args)))
        .unwrap_or_else(|_| {
            Err(ConnectError::panic(
                "the worker panicked while it served a plugin's call",
            ))
        });
    let status = match answer {
        Ok(Some(bytes)) if bytes.is_empty() => Status::Ok,
        Ok(Some(bytes)) => {
            *output = RawOutput::owned(bytes);
            Status::Ok
        }
        Ok(None) => Status::Unsupported,
        Err(error) => {
            *output = RawOutput::owned(error.to_bytes().unwrap_or_default());
            Status::Error
        }
    };
    status as u32
}

extern "C" fn host_retain(object: *const c_void) {
    // SAFETY: the plugin holds a reference, so the object is alive.
    unsafe { Arc::increment_strong_count(object.cast::<Box<dyn HostServices>>()) }
}

extern "C" fn host_release(object: *const c_void) {
    // SAFETY: the plugin gives up one of its references.
    unsafe { Arc::decrement_strong_count(object.cast::<Box<dyn HostServices>>()) }
}

/// Runs a log call; a panic in it must not reach the plugin.
fn with_log<T>(default: T, work: impl FnOnce(&dyn HostLog) -> T) -> T {
    match LOG.get() {
        Some(log) => {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(log.as_ref()))).unwrap_or(default)
        }
        None => default,
    }
}

extern "C" fn host_log(level: u32, target: RawSlice, message: RawSlice) {
    // SAFETY: the plugin keeps both alive during the call.
    let (target, message) = unsafe { (target.as_bytes(), message.as_bytes()) };
    with_log((), |log| {
        log.log(
            level,
            &String::from_utf8_lossy(target),
            &String::from_utf8_lossy(message),
        )
    });
}

extern "C" fn host_max_log_level() -> u32 {
    with_log(0, |log| log.max_level())
}

extern "C" fn host_log_enabled(level: u32, target: RawSlice) -> bool {
    // SAFETY: the plugin keeps the target alive during the call.
    let target = unsafe { target.as_bytes() };
    with_log(false, |log| log.enabled(level, &String::from_utf8_lossy(target)))
}

fn host_table() -> HostTableRef {
    use abi_stable::prefix_type::PrefixTypeTrait;
    static TABLE: OnceLock<HostTableRef> = OnceLock::new();
    *TABLE.get_or_init(|| {
        HostTable {
            call: host_call,
            retain: host_retain,
            release: host_release,
            log: host_log,
            max_log_level: host_max_log_level,
            log_enabled: host_log_enabled,
        }
        .leak_into_prefix()
    })
}

/// A plugin library that is ready for use. It stays in memory until the process ends.
pub struct Module {
    functions: PluginModuleRef,
    manifest: Manifest,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("manifest", &self.manifest)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Checks the manifest once more and runs the library's initialiser.
    ///
    /// # Errors
    /// When the manifest does not hold or the initialiser fails or panics.
    pub fn start(functions: PluginModuleRef) -> Result<Arc<Self>> {
        let bytes = functions.manifest()();
        // SAFETY: the manifest is a static of the library, which is never unloaded.
        let manifest = Manifest::parse(unsafe { bytes.as_bytes() })
            .map_err(|error| ConnectError::connect(error.to_string()))?;
        manifest
            .check()
            .map_err(|error| ConnectError::connect(error.to_string()))?;
        let mut output = RawOutput::EMPTY;
        let status = functions.init()(host_table(), &mut output);
        // SAFETY: the plugin filled the output in this call.
        answer(status, unsafe { Received::new(output) })?;
        remember(functions);
        // Levels may have changed between what the library asked in `init` and now.
        tell_log_levels_changed(functions);
        Ok(Arc::new(Self { functions, manifest }))
    }

    /// What the library says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes an instance of the class at this position of the manifest.
    ///
    /// # Errors
    /// When its constructor fails or panics.
    pub fn create(
        self: &Arc<Self>,
        class: usize,
        role: Role,
        services: Box<dyn HostServices>,
    ) -> Result<Handle> {
        let class = u32::try_from(class).unwrap_or(u32::MAX);
        let object = Arc::into_raw(Arc::new(services)).cast::<c_void>();
        let mut instance = std::ptr::null_mut();
        let mut output = RawOutput::EMPTY;
        let status = self.functions.create()(class, role as u32, object, &mut instance, &mut output);
        // SAFETY: the plugin filled the output in this call.
        answer(status, unsafe { Received::new(output) })?;
        if instance.is_null() {
            return Err(ConnectError::connect("the plugin gave no instance"));
        }
        Ok(Handle {
            module: Arc::clone(self),
            instance,
        })
    }
}

fn answer(status: u32, received: Received) -> Result<Received> {
    match Status::from_number(status) {
        Status::Ok => Ok(received),
        Status::Unsupported => Err(ConnectError::unsupported("the plugin does not know this call")),
        Status::Error => Err(ConnectError::from_bytes(received.bytes())
            .unwrap_or_else(|_| ConnectError::connect("the plugin gave an unreadable error"))),
    }
}

/// An instance of a plugin class.
pub struct Handle {
    module: Arc<Module>,
    instance: *mut c_void,
}

// SAFETY: plugin instances are `Send`; `&mut self` on calls keeps them to one thread at a time.
unsafe impl Send for Handle {}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("package", &self.module.manifest.package)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Calls a method with plain bytes. The answer's bytes may lie in the instance: it borrows the handle.
    ///
    /// # Errors
    /// What the plugin fails with; of kind unsupported when it does not know the method.
    pub fn call_raw(&mut self, method: u32, args: &[u8]) -> Result<Answer<'_>> {
        let mut output = RawOutput::EMPTY;
        let status = self.module.functions.call()(self.instance, method, RawSlice::new(args), &mut output);
        // SAFETY: the plugin filled the output in this call, and `Answer` keeps the handle from another call.
        let received = answer(status, unsafe { Received::new(output) })?;
        Ok(Answer {
            received,
            _handle: std::marker::PhantomData,
        })
    }

    /// Calls a method that answers with a message.
    ///
    /// # Errors
    /// As [`call_raw`](Self::call_raw), or when the answer is malformed.
    pub fn ask<T: Message>(&mut self, method: u32, args: &impl Message) -> Result<T> {
        T::from_bytes(self.call_raw(method, &args.to_bytes()?)?.bytes())
    }

    /// Checks a configuration with the validators of the plugin's class; `None` when the plugin does not know the question,
    /// as libraries of interface 1.0 know it for connectors only.
    ///
    /// # Errors
    /// What the plugin fails with.
    pub fn validate(&mut self, config: &ConfigMap) -> Result<Option<Vec<ConfigValue>>> {
        or_default(self.ask(plugin::VALIDATE, config).map(Some), || None)
    }

    /// Calls a method without a result.
    ///
    /// # Errors
    /// As [`call_raw`](Self::call_raw).
    pub fn tell(&mut self, method: u32, args: &impl Message) -> Result<()> {
        self.call_raw(method, &args.to_bytes()?).map(|_| ())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.module.functions.destroy()(self.instance);
    }
}

/// The bytes a plugin answered with.
#[derive(Debug)]
pub struct Answer<'h> {
    received: Received,
    _handle: std::marker::PhantomData<&'h mut Handle>,
}

impl Answer<'_> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.received.bytes()
    }
}

/// The default where a plugin does not know a call.
fn or_default<T>(result: Result<T>, default: impl FnOnce() -> T) -> Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(default()),
        other => other,
    }
}
