//! Programs that come as an archive in Maven Central: fetched once, unpacked in the cache folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;
use crate::bundle::{DEPENDENCY_PLUGIN, cache_dir};
use crate::process::on_path;

/// The folder `name` of the cache, with what `unpack` makes of the artifact. `unpack` is given the folder with the artifact's file
/// and an empty one to fill; `tools` are the programs that it runs.
///
/// A folder appears by one rename, after everything in it is complete; concurrent fetches wait for each other on a file lock.
///
/// # Errors
/// [`ServiceError::Unavailable`] when it cannot be had here.
pub(crate) fn fetch(
    name: &str,
    artifact: &str,
    tools: &[&str],
    unpack: impl FnOnce(&Path, &Path) -> Result<(), ServiceError>,
) -> Result<PathBuf, ServiceError> {
    let cache = cache_dir();
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    for tool in ["mvn"].iter().chain(tools) {
        if !on_path(tool) {
            return Err(ServiceError::unavailable(format!(
                "`{tool}` is needed once to fetch {name}"
            )));
        }
    }
    let cannot = |what: &str, error: io::Error| {
        ServiceError::unavailable(format!("cannot {what} in {}: {error}", cache.display()))
    };
    fs::create_dir_all(&cache).map_err(|e| cannot("create the cache", e))?;
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(|e| cannot("lock", e))?;
    lock.lock().map_err(|e| cannot("lock", e))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let work = cache.join(format!("{name}.partial"));
    let _ = fs::remove_dir_all(&work);
    let unpacked = work.join("unpacked");
    fs::create_dir_all(&unpacked).map_err(|e| cannot("write", e))?;
    run(Command::new("mvn")
        .args(["-q", "-B"])
        .arg(format!("{DEPENDENCY_PLUGIN}:copy"))
        .arg(format!("-Dartifact={artifact}"))
        .arg(format!("-DoutputDirectory={}", work.display())))?;
    unpack(&work, &unpacked)?;
    fs::rename(&unpacked, &folder).map_err(|e| cannot("rename", e))?;
    let _ = fs::remove_dir_all(&work);
    Ok(folder)
}

/// Runs a program to its end.
///
/// # Errors
/// [`ServiceError::Unavailable`] when it cannot be run or fails, with the line of its output that says why.
pub(crate) fn run(command: &mut Command) -> Result<(), ServiceError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| ServiceError::unavailable(format!("cannot run {program}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let line = text
        .lines()
        .find(|line| line.contains("ERROR"))
        .unwrap_or_else(|| text.trim());
    Err(ServiceError::unavailable(format!("{program} failed: {line}")))
}
