//! Tries a library out in a process of its own, where even an abort does no harm.
//!
//! The parent runs its own executable again with [`VERIFY_ARGUMENT`] and the path; the child answers on its standard
//! output with one line, [`child_answer`]. No line means that the library ended the child.

use std::path::Path;
use std::process::{Command, Stdio};

use wharf_abi::manifest::Manifest;

use super::library::inspect;
use super::loader::load;
use super::refused::{Refusal, RefusedPlugin};

/// The hidden argument by which a child process is asked to verify the library named after it.
pub const VERIFY_ARGUMENT: &str = "__verify-plugin";

const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";

/// Checks the file and loads it into this process. The answer is what the library says of itself.
///
/// # Errors
/// Why the worker would refuse it.
pub fn verify(path: &Path) -> Result<Manifest, RefusedPlugin> {
    Ok(load(path)?.manifest().clone())
}

/// What the child process prints: one line, also for the parent's eyes only.
#[must_use]
pub fn child_answer(path: &Path) -> String {
    match verify(path) {
        Ok(_) => ACCEPTED.to_owned(),
        Err(refused) => format!("{REFUSED} {} {}", refused.code, refused.reason),
    }
}

/// As [`verify`], in a child process made from `exe`, which must answer to [`VERIFY_ARGUMENT`].
///
/// # Errors
/// Why the worker would refuse the library; also when loading it ends the child.
pub fn verify_in_child(exe: &Path, path: &Path) -> Result<Manifest, RefusedPlugin> {
    let manifest = inspect(path)?;
    let output = Command::new(exe)
        .arg(VERIFY_ARGUMENT)
        .arg(path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            let reason = format!("it could not be tried in a process of its own: {} ({error})", exe.display());
            RefusedPlugin::new(path, Refusal::Unreadable, reason)
        })?;
    // The library may print too; the child's answer is the last line.
    let text = String::from_utf8_lossy(&output.stdout);
    match read_answer(text.trim_end().rsplit('\n').next().unwrap_or_default()) {
        Some(Ok(())) if output.status.success() => Ok(manifest),
        Some(Err((code, reason))) => Err(RefusedPlugin::new(path, code, reason)),
        _ => {
            let reason = format!(
                "loading it ended the process ({}): a constructor or the initialiser of the library aborts; run it \
                 under a debugger",
                output.status
            );
            Err(RefusedPlugin::new(path, Refusal::Crashed, reason))
        }
    }
}

fn read_answer(line: &str) -> Option<Result<(), (Refusal, String)>> {
    if line == ACCEPTED {
        return Some(Ok(()));
    }
    let (code, reason) = line.strip_prefix(REFUSED)?.trim_start().split_once(' ')?;
    Some(Err((Refusal::from_code(code)?, reason.to_owned())))
}
