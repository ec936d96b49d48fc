//! Loads a plugin library into the process: the only unsafe module of this crate.
//!
//! A library is loaded once, after its file passed [`super::library::inspect`], and stays for ever: instances, buffers and
//! log targets of it may be in use anywhere. A constructor of the library that aborts cannot be contained here; who wants
//! to be sure loads it in a child process first ([`super::verify_in_child`]).
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::Arc;

use wharf_abi::abi_stable::library::{LibraryError, lib_header_from_path};
use wharf_abi::host::{Module, plugin_functions};
use wharf_abi::manifest::Manifest;

use super::library::{inspect, refusal};
use super::refused::{Refusal, RefusedPlugin};

/// Loads the library at this path and runs its initialiser.
///
/// # Errors
/// Why the library cannot be used.
pub fn load(path: &Path) -> Result<Arc<Module>, RefusedPlugin> {
    let refuse = |(code, reason): (Refusal, String)| RefusedPlugin::new(path, code, reason);
    let manifest = inspect(path)?;
    // The header comes from this very path. `RootModule::load_from_file` would answer with the first library loaded
    // for every later path.
    let header = lib_header_from_path(path).map_err(|error| refuse(library_error(error)))?;
    let functions = plugin_functions(header).map_err(|error| refuse(library_error(error)))?;
    let bytes = functions.manifest()();
    // SAFETY: the manifest is a static of the library, which is never unloaded.
    let mapped = Manifest::parse(unsafe { bytes.as_bytes() }).map_err(|error| refuse(refusal(error)))?;
    if mapped != manifest {
        // The loader knows libraries by device and inode, and may also give one loaded before under the same name.
        let reason = format!(
            "its file describes {} but the code loaded describes {}; if the file was replaced while the worker ran, \
             restart the worker",
            manifest.package, mapped.package
        );
        return Err(refuse((Refusal::BadManifest, reason)));
    }
    Module::start(functions).map_err(|error| {
        refuse((
            Refusal::InitFailed,
            format!("its initialiser failed: {error:#}; see the plugin's documentation"),
        ))
    })
}

fn library_error(error: LibraryError) -> (Refusal, String) {
    match error {
        LibraryError::OpenError { err, .. } => (
            Refusal::NotLoadable,
            format!("the system cannot load it: {err}; install what it needs"),
        ),
        LibraryError::GetSymbolError { .. } => (
            Refusal::NotAPlugin,
            "it has a manifest but not the entry point of a Wharf plugin; build it again as a cdylib".into(),
        ),
        LibraryError::RootModule { err, .. } => (
            Refusal::InitFailed,
            format!("its table of functions cannot be had: {err}; see the plugin's documentation"),
        ),
        // The texts of layout errors fill pages and speak of types that neither operator nor author has seen.
        other => {
            tracing::debug!(error = %other, "layout of a plugin library");
            (
                Refusal::WrongLayout,
                "its functions are not laid out as its interface version says; build it again with a released wharf-abi"
                    .into(),
            )
        }
    }
}
