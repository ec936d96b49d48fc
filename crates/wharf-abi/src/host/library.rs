//! Gets at the functions of a library that was opened, whatever minor version of the interface it was built against.
//!
//! Tables of functions grow at their end, so a library has at most the functions that this build knows. `abi_stable`'s own
//! check wants it the other way round, at least as many, because there a program is older than its libraries. So the check is
//! made here with the sides exchanged: the table that the library knows must be the beginning of the one known here, in both
//! directions of the border. A library that knows more is of a newer minor version and was refused by its manifest; here it is
//! refused by its layout.

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::library::{LibHeader, LibraryError};
use abi_stable::std_types::RBoxError;

use crate::module::PluginModuleRef;

/// Checks the layout of a library's functions and gets them. The library's manifest must have been checked before.
///
/// # Errors
/// The layout is another than this interface's, or the library's constructor failed.
pub fn plugin_functions(header: &'static LibHeader) -> Result<PluginModuleRef, LibraryError> {
    let Some(layout) = header.root_mod_consts().layout().into_option() else {
        // Not made by `export_plugins!`, which always says its layout: let the usual check decide.
        return header.init_root_module::<PluginModuleRef>();
    };
    check_layout_compatibility(layout, <PluginModuleRef as StableAbi>::LAYOUT)
        .map_err(|errors| LibraryError::AbiInstability(RBoxError::new(errors)))?;
    // SAFETY: the library's table was found to be the beginning of this one, and it says itself which fields it has:
    // accessors of fields behind the last prefix field give nothing for the others.
    unsafe { header.init_root_module_with_unchecked_layout::<PluginModuleRef>() }
}
