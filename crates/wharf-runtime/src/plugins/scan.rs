//! Finds the libraries of `plugin.path`.
//!
//! Each folder of the path holds libraries (`*.so`) or folders with the libraries of one plugin. Links are followed, and a
//! file reached twice counts once. Everything is looked at in the order of names, so that which of two equal classes is
//! refused does not depend on the file system.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use wharf_abi::manifest::ManifestClass;

use super::library::inspect;
use super::loader::load;
use super::refused::{Refusal, RefusedPlugin};
use super::registry::PluginRegistry;

impl PluginRegistry {
    /// Loads every library of these folders. What cannot be used is logged in one line each and listed by
    /// [`refused`](Self::refused).
    #[must_use]
    pub fn scan(plugin_path: &[PathBuf]) -> Self {
        let mut registry = Self::default();
        let mut seen = HashSet::new();
        for path in plugin_path.iter().flat_map(|folder| libraries(folder)) {
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if !seen.insert(real) {
                tracing::debug!(path = %path.display(), "plugin library was found before under another name");
                continue;
            }
            registry.add_library(&path);
        }
        for refused in registry.refused() {
            tracing::warn!("plugin library refused: {refused}");
        }
        registry
    }

    fn add_library(&mut self, path: &Path) {
        let manifest = match inspect(path) {
            Ok(manifest) => manifest,
            Err(refused) => return self.refuse(refused),
        };
        let classes: Vec<_> = manifest.classes.iter().flatten().collect();
        let duplicates: Vec<_> = classes
            .iter()
            .filter_map(|class| Some((class, self.location_of(class)?.to_owned())))
            .collect();
        if !duplicates.is_empty() {
            self.refuse(RefusedPlugin::new(
                path,
                Refusal::Duplicate,
                duplicate_reason(&duplicates),
            ));
        }
        if classes.is_empty() {
            let reason = "it offers no plugin class that this worker knows; use a newer worker";
            return self.refuse(RefusedPlugin::new(path, Refusal::NotAPlugin, reason));
        }
        if duplicates.len() == classes.len() {
            return;
        }
        match load(path) {
            Ok(module) => {
                self.add_module(path, &module);
                let names: Vec<&str> = classes.iter().map(|class| class.class.as_str()).collect();
                tracing::info!(plugin = %manifest.package, path = %path.display(), classes = ?names, "plugin library loaded");
            }
            Err(refused) => self.refuse(refused),
        }
    }
}

/// Names the classes that are there already, and the files they are in.
fn duplicate_reason(duplicates: &[(&&ManifestClass, PathBuf)]) -> String {
    let classes: Vec<String> = duplicates
        .iter()
        .map(|(class, _)| format!("{} {}", class.class, class.version))
        .collect();
    let files: BTreeSet<String> = duplicates
        .iter()
        .map(|(_, file)| file.display().to_string())
        .collect();
    format!(
        "{} already provided by {}; remove one of the files",
        if let [class] = &classes[..] {
            format!("its class {class} is")
        } else {
            format!("its classes {} are", classes.join(", "))
        },
        files.into_iter().collect::<Vec<_>>().join(", ")
    )
}

/// The libraries of a folder of `plugin.path`.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let children = match children(folder) {
        Ok(children) => children,
        Err(error) => {
            tracing::warn!(
                path = %folder.display(),
                "folder of plugin.path cannot be read: {error}; create it or correct plugin.path"
            );
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for child in children {
        if child.is_dir() {
            match self::children(&child) {
                Ok(files) => found.extend(files.into_iter().filter(|file| is_library(file))),
                Err(error) => {
                    tracing::warn!(path = %child.display(), "plugin folder cannot be read: {error}")
                }
            }
        } else if is_library(&child) {
            found.push(child);
        }
    }
    found
}

fn children(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut children: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    children.sort();
    Ok(children)
}

fn is_library(path: &Path) -> bool {
    let is_library = path.extension().is_some_and(|extension| extension == "so") && !path.is_dir();
    if !is_library {
        tracing::debug!(path = %path.display(), "not a plugin library by its name");
    }
    is_library
}

#[cfg(test)]
mod tests {
    use wharf_abi::manifest::SECTION;

    use super::*;
    use crate::plugins::library::tests::{good_manifest, library, system_library};
    use crate::plugins::test_module;

    #[test]
    fn each_library_that_cannot_be_used_is_refused_and_the_rest_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("first/plugin/deep")).unwrap();
        fs::create_dir_all(at("second")).unwrap();
        fs::write(at("first/a-text.so"), "hello").unwrap();
        fs::write(at("first/readme.md"), "hello").unwrap();
        fs::write(at("first/plugin/empty.so"), "").unwrap();
        fs::write(at("first/plugin/deep/too-deep.so"), "").unwrap();
        fs::write(at("second/foreign.so"), system_library()).unwrap();
        std::os::unix::fs::symlink(at("first/a-text.so"), at("second/again.so")).unwrap();
        std::os::unix::fs::symlink(at("first/plugin"), at("second/linked")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("second/dangling.so")).unwrap();

        let registry = PluginRegistry::scan(&[at("first"), at("missing"), at("second")]);
        let refused: Vec<_> = registry
            .refused()
            .iter()
            .map(|refused| (refused.path.clone(), refused.code))
            .collect();
        assert_eq!(
            refused,
            [
                (at("first/a-text.so"), Refusal::NotALibrary),
                (at("first/plugin/empty.so"), Refusal::NotALibrary),
                (at("second/dangling.so"), Refusal::Unreadable),
                (at("second/foreign.so"), Refusal::NotAPlugin),
            ]
        );
        assert_eq!(registry.list(true), []);
        assert!(registry.converter("Json", None).is_ok());
    }

    #[test]
    fn a_class_in_a_version_that_is_there_already_is_a_duplicate_naming_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libcopy.so");
        let manifest = good_manifest("class=source|org.x.AlphaSourceConnector|1.0.0|org.x.AlphaTask|\n");
        fs::write(&path, library(SECTION, &manifest)).unwrap();
        let mut registry = PluginRegistry::of_modules([("/p/libold.so".into(), test_module::old())]);
        let before = registry.list(false);
        registry.add_library(&path);
        let [refused] = registry.refused() else {
            panic!("{:?}", registry.refused())
        };
        assert_eq!((refused.code, &refused.path), (Refusal::Duplicate, &path));
        assert_eq!(
            refused.reason,
            "its class org.x.AlphaSourceConnector 1.0.0 is already provided by /p/libold.so; remove one of the files"
        );
        assert_eq!(registry.list(false), before);

        let two = "class=source|org.x.AlphaSourceConnector|1.0|t|\nclass=source|org.y.BetaConnector|1.0|t|\n";
        fs::write(&path, library(SECTION, &good_manifest(two))).unwrap();
        registry.add_library(&path);
        assert_eq!(
            registry.refused()[1].reason,
            "its classes org.x.AlphaSourceConnector 1.0, org.y.BetaConnector 1.0 are already provided by /p/libold.so; \
             remove one of the files"
        );
        assert_eq!(registry.refused().len(), 2);
    }

    #[test]
    fn a_library_without_any_known_class_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libfuture.so");
        fs::write(
            &path,
            library(SECTION, &good_manifest("class=hologram|a.B|1.0||\n")),
        )
        .unwrap();
        let registry = PluginRegistry::scan(&[folder.path().to_owned()]);
        assert_eq!(registry.refused()[0].code, Refusal::NotAPlugin);
    }
}
