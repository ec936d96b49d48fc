//! What tests need from this workspace and cargo does not build for them: the worker, the plugin libraries.
//!
//! `cargo xtask test` builds them first and names them by environment. Without it they are looked for where
//! `cargo xtask build` puts them; a missing one is [`ServiceError::Unavailable`], under the same rule as any service.

use std::path::PathBuf;

use crate::{ServiceError, target_dir};

/// Environment key: the worker binary.
pub const WORKER: &str = "WHARF_BIN";
/// Environment key: the folder to name as `plugin.path`.
pub const PLUGINS: &str = "WHARF_PLUGIN_DIR";
/// Environment key: the embedded broker as a program.
pub const EMBEDDED_BROKER: &str = "WHARF_EMBEDDED_BROKER";

/// The worker binary.
pub fn worker() -> Result<PathBuf, ServiceError> {
    find(|key| std::env::var_os(key).map(PathBuf::from), WORKER, "wharf")
}

/// The folder with the plugin libraries.
pub fn plugins() -> Result<PathBuf, ServiceError> {
    find(|key| std::env::var_os(key).map(PathBuf::from), PLUGINS, "plugins")
}

/// The embedded broker, for tests that want it in a process of its own.
pub fn embedded_broker() -> Result<PathBuf, ServiceError> {
    find(
        |key| std::env::var_os(key).map(PathBuf::from),
        EMBEDDED_BROKER,
        "wharf-embedded-broker",
    )
}

fn find(get: impl Fn(&str) -> Option<PathBuf>, key: &str, name: &str) -> Result<PathBuf, ServiceError> {
    let path = get(key).unwrap_or_else(|| target_dir().join("debug").join(name));
    if path.exists() {
        return Ok(path);
    }
    Err(ServiceError::unavailable(format!(
        "{} is not there; run the tests by `cargo xtask test`, or build it by `cargo xtask build`",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_and_what_is_missing_is_unavailable() {
        let here = std::env::current_exe().unwrap();
        let said = here.clone();
        assert_eq!(find(move |_| Some(said.clone()), WORKER, "wharf"), Ok(here));
        let error = find(|_| Some(PathBuf::from("/nowhere/wharf")), WORKER, "wharf").unwrap_err();
        assert!(
            matches!(&error, ServiceError::Unavailable(why) if why.contains("cargo xtask test")),
            "{error}"
        );
    }
}
