//! A plugin made of plain functions, linked into the tests: it knows its classes, makes instances, and all of them have the
//! configuration keys `own` and `name`, in which they find no mistake.

use std::ffi::c_void;
use std::sync::Arc;

use wharf_abi::guest::{EntryPoints, plugin_module};
use wharf_abi::host::Module;
use wharf_abi::manifest::{INTERFACE, MAGIC, TARGET};
use wharf_abi::message::Message as _;
use wharf_abi::method::plugin as method;
use wharf_abi::module::HostTableRef;
use wharf_abi::raw::{RawOutput, RawSlice, Status};
use wharf_api::config::{ConfigKey, ConfigValue, Type};

extern "C" fn init(_: HostTableRef, _: &mut RawOutput) -> u32 {
    Status::Ok as u32
}

extern "C" fn create(_: u32, _: u32, _: *const c_void, instance: &mut *mut c_void, _: &mut RawOutput) -> u32 {
    *instance = std::ptr::dangling_mut::<u8>().cast();
    Status::Ok as u32
}

extern "C" fn call(_: *mut c_void, called: u32, _: RawSlice, output: &mut RawOutput) -> u32 {
    if called == method::VALIDATE {
        *output = RawOutput::owned(Vec::<ConfigValue>::new().to_bytes().unwrap());
        return Status::Ok as u32;
    }
    if called != method::CONFIG {
        return Status::Unsupported as u32;
    }
    let name = ConfigKey::new("name", Type::Int).info().clone();
    let own = ConfigKey::new("own", Type::Int).info().clone();
    *output = RawOutput::owned(vec![own, name].to_bytes().unwrap());
    Status::Ok as u32
}

extern "C" fn destroy(_: *mut c_void) {}

const OLD: &str = "source|org.x.AlphaSourceConnector|1.0|org.x.AlphaTask|\n\
    class=sink|org.x.AlphaSinkConnector|1.0|org.x.AlphaSinkTask|\n\
    class=source|org.y.BetaConnector|1.0|org.y.BetaTask|\n\
    class=converter|org.x.RotConverter|1.0||\n";
const NEW: &str = "source|org.x.AlphaSourceConnector|1.10|org.x.AlphaTask|\n\
    class=source|org.z.BetaConnector|1.0|org.z.BetaTask|\n\
    class=configprovider|org.x.VaultConfigProvider|1.0||\n";
const SEVERAL_NAMES: &str = "sink|org.b.OmegaSinkConnector|1.0|org.b.OmegaTask|\n\
    class=sink|org.a.OmegaSinkConnector|1.0|org.a.OmegaTask|\n";

macro_rules! module {
    ($name:ident, $classes:expr) => {
        /// A started module with these classes.
        pub(crate) fn $name() -> Arc<Module> {
            extern "C" fn manifest() -> RawSlice {
                let text = format!(
                    "{MAGIC}\ninterface={INTERFACE}\npanic=unwind\ntarget={TARGET}\npackage=test 1\nclass={}\nend\n",
                    $classes.trim_end()
                );
                RawSlice::new(text.leak().as_bytes())
            }
            Module::start(plugin_module(EntryPoints { manifest, init, create, call, destroy })).unwrap()
        }
    };
}

module!(old, OLD);
module!(new, NEW);
module!(several_names, SEVERAL_NAMES);
