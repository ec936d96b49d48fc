//! Python packages for tests: clients and checkers that others wrote, in virtual environments of their own.
//!
//! An environment lies in the cache of the services and is filled once, from PyPI. Its name says the version it holds,
//! so a changed version is another folder.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;
use crate::bundle::cache_dir;
use crate::process::on_path;

/// A package, and how to see that it is there.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// Its name on PyPI.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What it stands on, pinned where that matters, as in `click==8.5.1`.
    pub with: &'a [&'a str],
    /// Arguments for Python under which the package prints its version.
    pub check: &'a [&'a str],
}

impl Package<'_> {
    /// The Python that has the package: a virtual environment that is filled when it is not yet.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when Python is missing or the packages cannot be fetched.
    pub fn python(&self) -> Result<PathBuf, ServiceError> {
        let Self { name, version, .. } = self;
        let cache = cache_dir();
        let folder = cache.join(format!("{name}-{version}"));
        let python = folder.join("bin/python");
        let cannot = |what: &str, why: &dyn Display| {
            ServiceError::unavailable(format!("cannot {what} for {name} {version}: {why}"))
        };
        if !on_path("python3") {
            return Err(cannot("run python3", &"install Python 3.10 or later"));
        }
        fs::create_dir_all(&cache).map_err(|error| cannot("create the cache", &error))?;
        // Test processes that start together fill it once.
        let lock = File::create(cache.join(format!("{name}.lock")))
            .map_err(|error| cannot("lock the cache", &error))?;
        lock.lock().map_err(|error| cannot("lock the cache", &error))?;
        if self.is_in(&python) {
            return Ok(python);
        }
        // Also when half filled, or made by a Python that is gone.
        quiet(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
        )
        .map_err(|why| cannot("make a virtual environment", &why))?;
        quiet(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .arg(format!("{name}=={version}"))
                .args(self.with),
        )
        .map_err(|why| cannot("fetch the packages", &why))?;
        if self.is_in(&python) {
            return Ok(python);
        }
        Err(ServiceError::failed(format!(
            "{name} {version} was installed in {} and does not run there",
            folder.display()
        )))
    }

    fn is_in(&self, python: &Path) -> bool {
        let mut command = Command::new(python);
        command.args(self.check);
        quiet(&mut command).is_ok_and(|said| said.contains(self.version))
    }
}

/// What a script prints with these arguments, without the blanks around it.
///
/// # Panics
/// When it fails, with what it complains about.
#[must_use]
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(python);
    command.args(["-c", script]).args(arguments);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs it to its end: what it printed, or the last line of its complaint.
fn quiet(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let complaint = [output.stderr, output.stdout]
        .map(|bytes| text(&bytes))
        .join("\n");
    let last = complaint
        .trim()
        .lines()
        .rfind(|line| !line.starts_with("[notice]"));
    Err(last.unwrap_or("no reason given").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_its_last_line_that_is_none_of_pips_notices() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo first; echo last; echo '[notice] new pip'; exit 1"]);
        assert_eq!(quiet(&mut shell), Err("last".to_owned()));
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo ' said '"]);
        assert_eq!(quiet(&mut shell), Ok("said".to_owned()));
    }
}
