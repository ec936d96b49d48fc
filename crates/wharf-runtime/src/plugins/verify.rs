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
            let reason = format!(
                "it could not be tried in a process of its own: {} ({error})",
                exe.display()
            );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::library::tests::{good_manifest, library};
    use wharf_abi::manifest::SECTION;

    #[test]
    fn the_childs_answer_is_understood() {
        let refused = |code, reason: &str| Some(Err((code, reason.to_owned())));
        for (line, answer) in [
            ("accepted", Some(Ok(()))),
            (
                "refused WHARF-PLUGIN-011 its initialiser failed: x",
                refused(Refusal::InitFailed, "its initialiser failed: x"),
            ),
            ("refused WHARF-PLUGIN-999 y", None),
            ("hello", None),
            ("", None),
        ] {
            assert_eq!(read_answer(line), answer, "{line}");
        }
    }

    #[test]
    fn a_library_that_the_system_cannot_load_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libx.so");
        // A manifest, but nothing that could be loaded.
        std::fs::write(
            &path,
            library(SECTION, &good_manifest("class=source|a.B|1.0|a.T|\n")),
        )
        .unwrap();
        let refused = verify(&path).unwrap_err();
        assert_eq!(refused.code, Refusal::NotLoadable);
        assert_eq!(
            child_answer(&path),
            format!("refused {} {}", refused.code, refused.reason)
        );
        assert_eq!(child_answer(&path).lines().count(), 1);
    }

    #[test]
    fn a_child_that_ends_without_an_answer_means_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libx.so");
        std::fs::write(
            &path,
            library(SECTION, &good_manifest("class=source|a.B|1.0|a.T|\n")),
        )
        .unwrap();
        assert_eq!(
            verify_in_child(Path::new("/bin/false"), &path).unwrap_err().code,
            Refusal::Crashed
        );
        assert_eq!(
            verify_in_child(Path::new("/bin/true"), &path).unwrap_err().code,
            Refusal::Crashed
        );
        std::fs::write(&path, "").unwrap();
        assert_eq!(
            verify_in_child(Path::new("/bin/true"), &path).unwrap_err().code,
            Refusal::NotALibrary
        );
    }
}
