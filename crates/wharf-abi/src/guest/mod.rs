//! The plugin's side of the border: [`export_plugins!`](crate::export_plugins) and what it expands to.
//!
//! Every entry point catches panics of plugin code and turns them into errors that name the place. Nothing here keeps
//! state in statics but the panic hook, the logger and the reference to the worker, so several plugins may also be linked
//! into one program.

mod connector;
mod converter;
mod host;
mod logging;
mod panics;
mod task;
mod transform;

use std::ffi::c_void;

use wharf_api::{ConnectError, Result};

pub use self::connector::{sink_connector, source_connector};
pub use self::converter::{config_provider, converter, header_converter, override_policy};
pub use self::host::HostObject;
pub use self::transform::{predicate, transformation};
use crate::message::{BatchResult, Message};
use crate::module::{HostTableRef, PluginModule, PluginModuleRef, Role};
use crate::raw::{RawOutput, RawSlice, Status};

/// What an instance answers to a call.
pub enum Response {
    /// Bytes of a message, handed over.
    Owned(Vec<u8>),
    /// Bytes that the instance keeps until its next call.
    Kept,
}

impl Response {
    /// No result.
    ///
    /// # Errors
    /// Never; it fits the calls that return it.
    pub fn none() -> Result<Option<Self>> {
        Ok(Some(Self::Owned(Vec::new())))
    }

    /// A message.
    ///
    /// # Errors
    /// A data error when it is too large.
    pub fn message(message: &impl Message) -> Result<Option<Self>> {
        Ok(Some(Self::Owned(message.to_bytes()?)))
    }

    /// What was made of a batch.
    ///
    /// # Errors
    /// A data error when it is too large.
    pub fn result(result: BatchResult) -> Result<Option<Self>> {
        Ok(Some(Self::Owned(result.into_bytes()?)))
    }
}

/// An instance of a plugin class behind the border.
pub trait Instance: Send {
    /// Calls a method. `None` says that the method is not known.
    ///
    /// # Errors
    /// Whatever the plugin's method fails with.
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>>;

    /// The bytes behind [`Response::Kept`].
    fn kept(&self) -> &[u8] {
        &[]
    }
}

/// Makes instances of one class.
pub type Factory = fn(Role, HostObject) -> Result<Box<dyn Instance>>;

/// Set-up of a library, before any instance is made.
pub type Initializer = fn() -> Result<()>;

/// Runs one entry point: contains panics and writes the answer.
fn enter(output: &mut RawOutput, work: impl FnOnce() -> Result<Option<RawOutput>>) -> u32 {
    let status = match panics::contain(work) {
        Ok(Some(answer)) => {
            *output = answer;
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

/// Behind `PluginModule::init`.
#[doc(hidden)]
pub fn init(host: HostTableRef, initializer: Option<Initializer>, output: &mut RawOutput) -> u32 {
    panics::install_hook();
    logging::install(host);
    host::set(host);
    enter(output, || {
        initializer.map_or(Ok(()), |initialize| initialize())?;
        Ok(Some(RawOutput::EMPTY))
    })
}

/// Behind `PluginModule::create`.
///
/// # Safety
/// `object` must be null or one reference to an object of the worker whose table was given to [`init`].
#[doc(hidden)]
pub unsafe fn create(
    factories: &[Factory],
    class: u32,
    role: u32,
    object: *const c_void,
    instance: &mut *mut c_void,
    output: &mut RawOutput,
) -> u32 {
    // SAFETY: the caller vouches that this is a reference, and gives it up.
    let object = unsafe { HostObject::take(object) };
    enter(output, || {
        let role = match role {
            0 => Role::Plugin,
            1 => Role::Task,
            other => {
                return Err(ConnectError::unsupported(format!(
                    "unknown role {other} of an instance"
                )));
            }
        };
        let factory = factories
            .get(class as usize)
            .ok_or_else(|| ConnectError::not_found(format!("the library has no class number {class}")))?;
        let made: Box<Box<dyn Instance>> = Box::new(factory(role, object)?);
        *instance = Box::into_raw(made).cast();
        Ok(Some(RawOutput::EMPTY))
    })
}

/// Behind `PluginModule::call`.
///
/// # Safety
/// `instance` must come from [`create`], must not have been destroyed, and no other call of it may be going on. `args`
/// must be valid for the call.
#[doc(hidden)]
pub unsafe fn call(instance: *mut c_void, method: u32, args: RawSlice, output: &mut RawOutput) -> u32 {
    // SAFETY: `create` made it as this type; the caller vouches that it is alive and not in use.
    let instance = unsafe { &mut *instance.cast::<Box<dyn Instance>>() };
    // SAFETY: the caller vouches for the arguments.
    let args = unsafe { args.as_bytes() };
    enter(output, || {
        Ok(match instance.call(method, args)? {
            None => None,
            Some(Response::Owned(bytes)) if bytes.is_empty() => Some(RawOutput::EMPTY),
            Some(Response::Owned(bytes)) => Some(RawOutput::owned(bytes)),
            Some(Response::Kept) => Some(RawOutput::borrowed(instance.kept())),
        })
    })
}

/// Behind `PluginModule::destroy`.
///
/// # Safety
/// `instance` must come from [`create`] and is not used again.
#[doc(hidden)]
pub unsafe fn destroy(instance: *mut c_void) {
    if instance.is_null() {
        return;
    }
    // SAFETY: `create` made it as this type, and the caller gives it up.
    let instance = unsafe { Box::from_raw(instance.cast::<Box<dyn Instance>>()) };
    // A panic in a destructor is contained; there is nobody to tell.
    let _ = panics::contain(move || {
        drop(instance);
        Ok(())
    });
}

/// The functions that [`export_plugins!`](crate::export_plugins) makes for each library.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct EntryPoints {
    /// `PluginModule::manifest`.
    pub manifest: extern "C" fn() -> RawSlice,
    /// `PluginModule::init`.
    pub init: extern "C" fn(HostTableRef, &mut RawOutput) -> u32,
    /// `PluginModule::create`.
    pub create: extern "C" fn(u32, u32, *const c_void, &mut *mut c_void, &mut RawOutput) -> u32,
    /// `PluginModule::call`.
    pub call: extern "C" fn(*mut c_void, u32, RawSlice, &mut RawOutput) -> u32,
    /// `PluginModule::destroy`.
    pub destroy: extern "C" fn(*mut c_void),
}

/// The table of a library: its own functions, and those that are the same in all.
#[doc(hidden)]
#[must_use]
pub fn plugin_module(entry: EntryPoints) -> PluginModuleRef {
    use abi_stable::prefix_type::PrefixTypeTrait as _;
    PluginModule {
        manifest: entry.manifest,
        init: entry.init,
        create: entry.create,
        call: entry.call,
        destroy: entry.destroy,
        #[cfg(not(wharf_interface_1_0))]
        log_levels_changed: logging::levels_changed,
    }
    .leak_into_prefix()
}

/// Exports plugin classes from a library.
///
/// ```text
/// wharf_abi::export_plugins! {
///     source_connector FileSource { class: "org.example.FileSourceConnector", task_class: "org.example.FileSourceTask" }
///     sink_connector FileSink { class: "org.example.FileSinkConnector", task_class: "org.example.FileSinkTask" }
///     converter Rot13 { class: "org.example.Rot13Converter" }
/// }
/// ```
///
/// Kinds: `source_connector`, `sink_connector`, `converter`, `header_converter`, `transformation`, `predicate`, `config_provider`,
/// `override_policy`. Each type implements the trait of its kind and `Default`. The version is the crate's. A library that
/// must be set up first names a function `fn() -> wharf_api::Result<()>` in a first line `init: set_up;`.
///
/// The macro makes a module `wharf_plugin` with `plugin_module()`, by which a program that links the crate statically
/// (a test) gets at the classes. Use it once per library; one program can link only one such library statically.
#[macro_export]
macro_rules! export_plugins {
    (init: $init:path; $($classes:tt)+) => {
        $crate::export_plugins! { @init [Some($init)] $($classes)+ }
    };
    (@init [$init:expr]
     $($kind:ident $type:ty { class: $class:literal $(, task_class: $task:literal)? $(,)? })+) => {
        /// The library's entry points.
        pub mod wharf_plugin {
            #[allow(unused_imports)]
            use super::*;
            use $crate::abi_stable::library::{LibHeader, RootModuleResult};
            use $crate::guest::{EntryPoints, Factory, Initializer};
            use $crate::manifest::{INTERFACE, MAGIC, PANIC, TARGET, concatenate, total_length};
            use $crate::module::{HostTableRef, PluginModuleRef};
            use $crate::raw::{RawOutput, RawSlice};

            const MANIFEST_PARTS: &[&str] = &[
                MAGIC, "\ninterface=", INTERFACE, "\npanic=", PANIC, "\ntarget=", TARGET,
                "\npackage=", env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"),
                $(
                    "\nclass=", $crate::__plugin_kind_name!($kind), "|", $class, "|", env!("CARGO_PKG_VERSION"), "|",
                    concat!("", $($task)?), "|",
                )+
                "\nend\n",
            ];

            #[used]
            #[unsafe(link_section = ".wharf_manifest")]
            static MANIFEST: [u8; total_length(MANIFEST_PARTS)] = concatenate(MANIFEST_PARTS);

            static FACTORIES: &[Factory] = &[$($crate::guest::$kind::<$type>),+];

            const INITIALIZER: Option<Initializer> = $init;

            extern "C" fn manifest() -> RawSlice {
                RawSlice::new(&MANIFEST)
            }

            extern "C" fn init(host: HostTableRef, output: &mut RawOutput) -> u32 {
                $crate::guest::init(host, INITIALIZER, output)
            }

            extern "C" fn create(
                class: u32,
                role: u32,
                object: *const ::std::ffi::c_void,
                instance: &mut *mut ::std::ffi::c_void,
                output: &mut RawOutput,
            ) -> u32 {
                // SAFETY: the worker gives one reference to a host object of its own with this call.
                unsafe { $crate::guest::create(FACTORIES, class, role, object, instance, output) }
            }

            extern "C" fn call(
                instance: *mut ::std::ffi::c_void,
                method: u32,
                args: RawSlice,
                output: &mut RawOutput,
            ) -> u32 {
                // SAFETY: the worker calls only instances that `create` made, one call at a time.
                unsafe { $crate::guest::call(instance, method, args, output) }
            }

            extern "C" fn destroy(instance: *mut ::std::ffi::c_void) {
                // SAFETY: the worker destroys an instance once, as its last use.
                unsafe { $crate::guest::destroy(instance) }
            }

            /// The library's functions, as the worker gets them.
            #[must_use]
            pub fn plugin_module() -> PluginModuleRef {
                $crate::guest::plugin_module(EntryPoints { manifest, init, create, call, destroy })
            }

            extern "C" fn load() -> RootModuleResult {
                $crate::abi_stable::library::__call_root_module_loader(plugin_module)
            }

            /// Where the worker's loader looks.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            #[cfg(not(test))]
            pub static HEADER: LibHeader = unsafe {
                // SAFETY: `load` returns a module of the type named here.
                LibHeader::from_constructor::<PluginModuleRef>(load, $crate::abi_stable::library::CheckTypeLayout::Yes)
            };
        }
    };
    (@init $($classes:tt)*) => {
        compile_error!("a plugin class reads: kind Type { class: \"its.Name\", task_class: \"its.TaskName\" }");
    };
    ($($classes:tt)+) => {
        $crate::export_plugins! { @init [None] $($classes)+ }
    };
}

/// The manifest's word for a kind.
#[doc(hidden)]
#[macro_export]
macro_rules! __plugin_kind_name {
    (source_connector) => {
        "source"
    };
    (sink_connector) => {
        "sink"
    };
    (transformation) => {
        "transformation"
    };
    (predicate) => {
        "predicate"
    };
    (converter) => {
        "converter"
    };
    (header_converter) => {
        "header_converter"
    };
    (config_provider) => {
        "configprovider"
    };
    (override_policy) => {
        "connectorclientconfigoverridepolicy"
    };
}
