//! Where things are in this workspace, and how other programs are run from it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::flags::Profile;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo puts what it builds with this profile.
pub(crate) fn output_dir(profile: Profile) -> PathBuf {
    wharf_test_services::target_dir().join(match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    })
}

/// A binary of the workspace, once built.
pub(crate) fn binary(profile: Profile, name: &str) -> PathBuf {
    output_dir(profile).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The folder that plugin libraries are put in, to be named as `plugin.path`.
pub(crate) fn plugin_dir(profile: Profile) -> PathBuf {
    output_dir(profile).join("plugins")
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a command to its end with our output; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs a command to its end and hands back its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed what is not UTF-8"))
}

fn show(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `cargo metadata`: of the workspace members only, or with everything they depend on for this platform.
pub(crate) fn metadata(with_dependencies: bool) -> Result<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]);
    if with_dependencies {
        // Crates for other systems are neither downloaded nor built here, so they are not asked for.
        let rustc = read(Command::new("rustc").arg("-vV"))?;
        let host = rustc
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc names no host")?;
        command.args(["--filter-platform", host]);
    } else {
        command.arg("--no-deps");
    }
    serde_json::from_str(&read(&mut command)?).context("cargo metadata printed what is not JSON")
}
