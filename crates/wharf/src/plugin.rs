//! `wharf plugin` and `connect-plugin-path`: what is there, what would be refused, what a class takes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wharf_api::config::ConfigDef;
use wharf_runtime::config::read_properties;
use wharf_runtime::plugins::{
    PluginLocation, PluginRegistry, VERIFY_ARGUMENT, child_answer, load, verify_in_child,
};

use crate::cli::PluginSources;
use crate::exit::Exit;
use crate::output::{complain, print};
use crate::plugin_table;

/// When this process is the child in which a library is tried: tries it, and says how this process ends.
pub(crate) fn answer_parent(args: &[OsString]) -> Option<Exit> {
    match args {
        [_, command, file] if command == VERIFY_ARGUMENT => {
            print(child_answer(Path::new(file)));
            Some(Exit::Success)
        }
        _ => None,
    }
}

/// `wharf plugin list`.
pub(crate) fn list(sources: &PluginSources) -> Exit {
    let registries = match registries(sources) {
        Ok(registries) => registries,
        Err(exit) => return exit,
    };
    let plugins: Vec<PluginLocation> = registries.iter().flat_map(PluginRegistry::locations).collect();
    print(plugin_table::render(&plugins));
    Exit::Success
}

/// `connect-plugin-path sync-manifests`: native plugins carry their manifest in themselves.
pub(crate) fn sync_manifests(sources: &PluginSources, dry_run: bool) -> Exit {
    if let Err(exit) = places(sources) {
        return exit;
    }
    if dry_run {
        print("Dry run started: No changes will be committed.");
    }
    print("Scanning for plugins...\nNo changes required.");
    Exit::Success
}

/// `wharf plugin verify`.
pub(crate) fn verify(file: &Path) -> Exit {
    let verified = std::env::current_exe().map(|exe| verify_in_child(&exe, file));
    match verified {
        Ok(Ok(manifest)) => {
            let (major, minor) = manifest.interface;
            print(format_args!(
                "{}: accepted, {}, interface {major}.{minor}, {}",
                file.display(),
                manifest.package,
                manifest.target
            ));
            for class in manifest.classes.iter().flatten() {
                print(format_args!(
                    "  {} {} {}",
                    class.kind.name(),
                    class.class,
                    class.version
                ));
            }
            Exit::Success
        }
        Ok(Err(refused)) => {
            complain(refused);
            Exit::Refused
        }
        Err(error) => {
            complain(format_args!(
                "cannot find this program's own file to start it again: {error}"
            ));
            Exit::Setup
        }
    }
}

/// `wharf plugin info`.
pub(crate) fn info(class: &str, sources: &PluginSources) -> Exit {
    let registries = match registries(sources) {
        Ok(registries) => registries,
        Err(exit) => return exit,
    };
    let mut reasons = Vec::new();
    for registry in &registries {
        // a connector's own keys alone; the framework's are the same for all
        let keys = match registry.connector(class, None) {
            Ok(connector) => connector.config().map_err(|error| format!("{error:#}")),
            Err(_) => registry
                .plugin_config(class, None)
                .map_err(|error| error.to_string()),
        };
        match keys {
            Ok(keys) => {
                for place in registry.locations().iter().filter(|place| is_named(place, class)) {
                    print(heading(place));
                }
                print(format_args!(
                    "\n{}",
                    ConfigDef::from_infos(keys).to_text().trim_end()
                ));
                return Exit::Success;
            }
            Err(reason) => reasons.push(reason),
        }
    }
    for reason in reasons {
        complain(reason);
    }
    if *sources == PluginSources::default() {
        complain(
            "only built-in plugins were looked at: name the place of others with --plugin-path, --plugin-location or \
             --worker-config",
        );
    }
    Exit::Refused
}

fn is_named(place: &PluginLocation, name: &str) -> bool {
    let aliases = [place.first_alias.as_deref(), place.second_alias.as_deref()];
    place.class == name || aliases.contains(&Some(name))
}

fn heading(place: &PluginLocation) -> String {
    let file = place
        .path
        .as_ref()
        .map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let version = place.version.as_deref().unwrap_or("undefined");
    format!("{} {}, version {version}, {file}", place.kind.name(), place.class)
}

/// Folders to scan, and single libraries.
struct Places {
    folders: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
}

/// All places that were named, which must exist.
fn places(sources: &PluginSources) -> Result<Places, Exit> {
    let mut places = Places {
        folders: sources.plugin_path.clone(),
        libraries: Vec::new(),
    };
    for file in &sources.worker_config {
        let properties = read_properties(file).map_err(|error| {
            complain(format_args!("{error:#}"));
            Exit::Setup
        })?;
        let plugin_path = properties
            .get("plugin.path")
            .map(String::as_str)
            .unwrap_or_default();
        let folders = plugin_path
            .split(',')
            .map(str::trim)
            .filter(|folder| !folder.is_empty());
        places.folders.extend(folders.map(PathBuf::from));
    }
    for location in &sources.plugin_location {
        if location.is_dir() {
            places.folders.push(location.clone());
        } else {
            places.libraries.push(location.clone());
        }
    }
    match places
        .folders
        .iter()
        .chain(&places.libraries)
        .find(|place| !place.exists())
    {
        None => Ok(places),
        Some(missing) => {
            complain(format_args!(
                "{} does not exist: correct the path of the plugins",
                missing.display()
            ));
            Err(Exit::Setup)
        }
    }
}

/// What is built in and in all places. Libraries that are refused are named on standard error.
fn registries(sources: &PluginSources) -> Result<Vec<PluginRegistry>, Exit> {
    let places = places(sources)?;
    let mut registries = vec![PluginRegistry::scan(&places.folders)];
    for refused in registries[0].refused() {
        complain(refused);
    }
    for library in places.libraries {
        match load(&library) {
            Ok(module) => registries.push(PluginRegistry::of_modules([(library, module)])),
            Err(refused) => complain(refused),
        }
    }
    Ok(registries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_from_all_options_and_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let (library, worker) = (folder.path().join("a.so"), folder.path().join("w.properties"));
        std::fs::write(&library, "").unwrap();
        std::fs::write(&worker, format!("plugin.path = {}, ", folder.path().display())).unwrap();
        let sources = PluginSources {
            plugin_path: vec![folder.path().into()],
            plugin_location: vec![folder.path().into(), library.clone()],
            worker_config: vec![worker],
        };
        let found = places(&sources).map_err(|exit| panic!("{exit:?}")).unwrap();
        assert_eq!(found.folders, [folder.path(), folder.path(), folder.path()]);
        assert_eq!(found.libraries, [library]);
        for missing in [
            PluginSources {
                plugin_path: vec![folder.path().join("x")],
                ..PluginSources::default()
            },
            PluginSources {
                plugin_location: vec![folder.path().join("x.so")],
                ..PluginSources::default()
            },
            PluginSources {
                worker_config: vec![folder.path().join("x.properties")],
                ..PluginSources::default()
            },
        ] {
            assert_eq!(places(&missing).err(), Some(Exit::Setup), "{missing:?}");
        }
    }

    #[test]
    fn the_child_answers_only_to_its_own_argument() {
        let args = |line: &[&str]| line.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(answer_parent(&args(&["wharf", "plugin", "list"])), None);
        assert_eq!(
            answer_parent(&args(&["wharf", VERIFY_ARGUMENT, "/no/such.so"])),
            Some(Exit::Success)
        );
    }
}
