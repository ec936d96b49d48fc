//! `cargo xtask build`: the worker and every plugin, with the plugin libraries where `plugin.path` looks for them.
//!
//! A library is put in place by rename and never overwritten: a worker that has the old one mapped would die of
//! a bus error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::flags::{Build, Profile};
use crate::{project, toolchain};

/// One crate below `plugins/` that makes a library.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plugin {
    package: String,
    file_name: String,
}

/// How much is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The worker and its plugins.
    Product,
    /// Those, and one package more.
    ProductAnd(&'static str),
    /// All members: with the same features as in `cargo test --workspace`, so that nothing is compiled twice.
    Workspace,
}

/// The verb.
pub(crate) fn run(options: Build) -> Result<()> {
    build(options.profile, Scope::Product)?;
    println!("worker   {}", project::binary(options.profile, "wharf").display());
    println!("plugins  {}", project::plugin_dir(options.profile).display());
    Ok(())
}

/// Builds worker, plugins and what else is in `scope`, and puts the plugin libraries in place.
pub(crate) fn build(profile: Profile, scope: Scope) -> Result<()> {
    toolchain::check()?;
    let plugins = plugins(&project::metadata(false)?, &project::root().join("plugins"));
    let mut command = project::cargo();
    command.arg("build");
    if scope == Scope::Workspace {
        command.arg("--workspace");
    } else {
        command.args(["-p", "wharf"]);
        command.args(plugins.iter().flat_map(|plugin| ["-p", plugin.package.as_str()]));
    }
    if let Scope::ProductAnd(package) = scope {
        command.args(["-p", package]);
    }
    if profile == Profile::Release {
        command.arg("--release");
        // What `GET /` says of the build; debug builds do without, or every commit would build the worker anew.
        if let Ok(commit) = project::read(
            Command::new("git")
                .current_dir(project::root())
                .args(["rev-parse", "HEAD"]),
        ) {
            command.env("WHARF_COMMIT", commit.trim());
        }
    }
    project::run(&mut command)?;
    place(
        &plugins,
        &project::output_dir(profile),
        &project::plugin_dir(profile),
    )
}

fn plugins(metadata: &Value, folder: &Path) -> Vec<Plugin> {
    let is_cdylib = |target: &&Value| {
        target["crate_types"]
            .as_array()
            .is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
    };
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| {
            package["manifest_path"]
                .as_str()
                .is_some_and(|path| Path::new(path).starts_with(folder))
        })
        .filter_map(|package| {
            let target = package["targets"].as_array()?.iter().find(is_cdylib)?;
            let name = target["name"].as_str()?.replace('-', "_");
            Some(Plugin {
                package: package["name"].as_str()?.to_owned(),
                file_name: format!(
                    "{}{name}{}",
                    std::env::consts::DLL_PREFIX,
                    std::env::consts::DLL_SUFFIX
                ),
            })
        })
        .collect()
}

fn place(plugins: &[Plugin], built: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for Plugin { file_name, .. } in plugins {
        let from = built.join(file_name);
        // A name that no scan of plugin.path takes for a library.
        let fresh = folder.join(format!(".{file_name}.{}.new", std::process::id()));
        fs::copy(&from, &fresh)
            .and_then(|_| fs::rename(&fresh, folder.join(file_name)))
            .with_context(|| format!("cannot put {} into {}", from.display(), folder.display()))?;
    }
    let wanted: BTreeSet<_> = plugins.iter().map(|plugin| plugin.file_name.as_str()).collect();
    for stale in stale(folder, &wanted)? {
        fs::remove_file(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
    }
    Ok(())
}

/// Libraries of ours that no crate makes any more; files of others in that folder are left alone.
fn stale(folder: &Path, wanted: &BTreeSet<&str>) -> Result<Vec<PathBuf>> {
    let prefix = format!("{}wharf_", std::env::consts::DLL_PREFIX);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(&prefix) && name.ends_with(std::env::consts::DLL_SUFFIX) && !wanted.contains(name)
        {
            found.push(folder.join(name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plugins_are_the_crates_below_plugins_that_make_a_library() {
        let package = |name: &str, path: &str, kind: &str| json!({"name": name, "manifest_path": path, "targets": [{"name": name, "crate_types": [kind]}]});
        let metadata = json!({"packages": [
            package("wharf-file", "/w/plugins/file/Cargo.toml", "cdylib"),
            package("helper", "/w/plugins/helper/Cargo.toml", "rlib"),
            package("wharf-abi", "/w/crates/wharf-abi/Cargo.toml", "cdylib"),
        ]});
        let found = plugins(&metadata, Path::new("/w/plugins"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].package, "wharf-file");
        assert!(found[0].file_name.contains("wharf_file."), "{found:?}");
    }

    #[test]
    fn placing_replaces_by_a_new_file_and_removes_only_our_stale_libraries() {
        let dir = wharf_test_services::target_dir().join(format!("xtask-place-{}", std::process::id()));
        let (built, folder) = (dir.join("built"), dir.join("plugins"));
        fs::create_dir_all(&built).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let lib = |name: &str| {
            format!(
                "{}{name}{}",
                std::env::consts::DLL_PREFIX,
                std::env::consts::DLL_SUFFIX
            )
        };
        fs::write(built.join(lib("wharf_file")), "new").unwrap();
        for name in ["wharf_file", "wharf_gone", "theirs"] {
            fs::write(folder.join(lib(name)), "old").unwrap();
        }
        let mut mapped = fs::File::open(folder.join(lib("wharf_file"))).unwrap();

        place(
            &[Plugin {
                package: "wharf-file".into(),
                file_name: lib("wharf_file"),
            }],
            &built,
            &folder,
        )
        .unwrap();

        assert_eq!(fs::read_to_string(folder.join(lib("wharf_file"))).unwrap(), "new");
        assert_eq!(
            std::io::read_to_string(&mut mapped).unwrap(),
            "old",
            "an open library must not change"
        );
        let mut left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [lib("theirs"), lib("wharf_file")].map(std::ffi::OsString::from)
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
