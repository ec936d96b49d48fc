//! Finds the libraries of `plugin.path`.
//!
//! Each folder of the path holds libraries (`*.so`) or folders with the libraries of one plugin. Links are followed, and a
//! file reached twice counts once. Everything is looked at in the order of names, so that which of two equal classes is
//! refused does not depend on the file system.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

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
        let duplicates: Vec<_> =
            classes.iter().filter_map(|class| Some((class, self.location_of(class)?.to_owned()))).collect();
        for (class, other) in &duplicates {
            let reason = format!(
                "its class {} {} is already provided by {}; remove one of the two files",
                class.class,
                class.version,
                other.display()
            );
            self.refuse(RefusedPlugin::new(path, Refusal::Duplicate, reason));
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
                Err(error) => tracing::warn!(path = %child.display(), "plugin folder cannot be read: {error}"),
            }
        } else if is_library(&child) {
            found.push(child);
        }
    }
    found
}

fn children(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut children: Vec<PathBuf> =
        fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
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
