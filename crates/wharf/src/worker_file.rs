//! What both kinds of worker begin with: the log, the worker file, and every mistake in it at once.

use std::path::Path;

use wharf_api::{ConfigMap, ConnectError};
use wharf_runtime::config::{WorkerMode, read_properties};
use wharf_runtime::config_providers::{ConfigProviders, resolve_worker_properties};
use wharf_runtime::logging;
use wharf_runtime::standalone::further_mistakes;

use crate::exit::Exit;
use crate::output::complain;

/// Starts the log and reads a worker file by the rules of its mode. What is wrong is told already when this fails.
///
/// # Errors
/// The exit code.
pub(crate) fn log_and_read<T>(
    path: &Path,
    mode: WorkerMode,
    parse: impl FnOnce(&ConfigMap) -> Result<T, Vec<ConnectError>>,
    providers: impl FnOnce(&T) -> &ConfigProviders,
) -> Result<T, Exit> {
    if let Err(error) = logging::init(&std::env::var(logging::ENV).unwrap_or_default()) {
        complain(format_args!("{error:#}"));
        return Err(Exit::Setup);
    }
    read(path, mode, parse, providers).map_err(|mistakes| tell(&mistakes))
}

/// Logs the mistakes of a worker file.
pub(crate) fn tell(mistakes: &[String]) -> Exit {
    for mistake in mistakes {
        tracing::error!("{mistake}");
    }
    tracing::error!(
        "{} mistake(s) in the worker's settings: not started",
        mistakes.len()
    );
    Exit::Setup
}

/// Reads and checks the worker file. An empty path stands for no properties.
fn read<T>(
    path: &Path,
    mode: WorkerMode,
    parse: impl FnOnce(&ConfigMap) -> Result<T, Vec<ConnectError>>,
    providers: impl FnOnce(&T) -> &ConfigProviders,
) -> Result<T, Vec<String>> {
    let properties = if path.as_os_str().is_empty() {
        ConfigMap::new()
    } else {
        read_properties(path).map_err(|error| vec![format!("{error:#}")])?
    };
    let resolved = resolve_worker_properties(&properties).map_err(|errors| {
        errors
            .iter()
            .map(|error| format!("{error:#}"))
            .collect::<Vec<_>>()
    })?;
    let config = parse(&resolved.config).map_err(|errors| {
        let mut mistakes: Vec<String> = errors.iter().map(|error| format!("{error:#}")).collect();
        mistakes.extend(further_mistakes(mode, &resolved.config));
        mistakes
            .iter()
            .map(|mistake| resolved.hide(mistake))
            .collect::<Vec<_>>()
    })?;
    providers(&config).keep_secret(resolved);
    Ok(config)
}
