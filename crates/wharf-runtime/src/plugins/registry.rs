//! All plugin classes that this worker can use, and how they are found by name and version.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_abi::host::{
    HostServices, Module, NoServices, RemoteConverter, RemoteHeaderConverter, RemotePolicy, RemotePredicate,
    RemoteProvider, RemoteTransformation,
};
use wharf_abi::manifest::ManifestClass;
use wharf_api::{
    ClientConfigOverridePolicy, ConfigProvider, ConnectError, HeaderConverter, PluginKind, Result,
};

use super::builtin::{ConverterPlugin, PredicatePlugin, TransformationPlugin};
use super::connector_plugin::ConnectorPlugin;
use super::entry::{Builtin, Entry, Origin};
use super::maven_version::MavenVersion;
use super::names::{PluginNames, pruned_name, simple_name};
use super::plugin_error::{no_such_version, not_found, unreadable_range, version_error};
use super::refused::RefusedPlugin;
use super::version_range::VersionRange;
use crate::config::{CONNECTORS, NamedClass, VersionProblem};
use crate::config_providers;
use crate::herder::PluginInfo;

/// Version of what is built in.
const BUILTIN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// One class in one version, as `wharf plugin list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLocation {
    /// The full class name.
    pub class: String,
    /// The kind.
    pub kind: PluginKind,
    /// The version, if stated.
    pub version: Option<String>,
    /// The simple name, unless it is ambiguous.
    pub first_alias: Option<String>,
    /// The simple name without the kind's word, unless it is ambiguous or the same.
    pub second_alias: Option<String>,
    /// The library; `None` for what is built in.
    pub path: Option<PathBuf>,
}

/// The classes of all loaded libraries and those built in. It does not change after the scan.
#[derive(Debug)]
pub struct PluginRegistry {
    /// Ordered by kind, class, version; of two equal ones the library's comes after the one that is built in.
    entries: Vec<Entry>,
    names: PluginNames,
    refused: Vec<RefusedPlugin>,
}

impl Default for PluginRegistry {
    /// What is built in.
    fn default() -> Self {
        let mut registry = Self {
            entries: Vec::new(),
            names: PluginNames::default(),
            refused: Vec::new(),
        };
        for builtin in wharf_converters::BUILTIN {
            for kind in builtin.kinds {
                registry.add_builtin(*kind, builtin.class, Builtin::Converter(builtin));
            }
        }
        for builtin in wharf_transforms::TRANSFORMATIONS {
            let class = builtin.class;
            registry.add_builtin(
                PluginKind::Transformation,
                class,
                Builtin::Transformation(builtin),
            );
        }
        for builtin in wharf_transforms::PREDICATES {
            registry.add_builtin(PluginKind::Predicate, builtin.class, Builtin::Predicate(builtin));
        }
        for builtin in &config_providers::BUILTIN {
            registry.add_builtin(
                PluginKind::ConfigProvider,
                builtin.class,
                Builtin::Provider(builtin),
            );
        }
        registry
    }
}

impl PluginRegistry {
    /// What is built in and these modules: for tests and for workers that link plugins statically. Of two equal classes the
    /// first counts.
    #[must_use]
    pub fn of_modules(modules: impl IntoIterator<Item = (PathBuf, Arc<Module>)>) -> Self {
        let mut registry = Self::default();
        for (path, module) in modules {
            registry.add_module(&path, &module);
        }
        registry
    }

    /// Adds the classes of a loaded library that are not there yet.
    pub(super) fn add_module(&mut self, path: &Path, module: &Arc<Module>) {
        let path: Arc<Path> = path.into();
        for (position, class) in module.manifest().classes.iter().enumerate() {
            let Some(class) = class else { continue };
            if self.location_of(class).is_none() {
                let origin = Origin::Library {
                    path: Arc::clone(&path),
                    module: Arc::clone(module),
                    position,
                };
                let before = module.manifest().classes[..position].iter().flatten();
                let is_another_name = before
                    .filter(|before| before.kind == class.kind)
                    .any(|before| simple_name(&before.class) == simple_name(&class.class));
                self.add(
                    class.kind,
                    &class.class,
                    &class.version,
                    class.task_class.as_deref(),
                    origin,
                    is_another_name,
                );
            }
        }
    }

    fn add_builtin(&mut self, kind: PluginKind, class: &str, builtin: Builtin) {
        self.add(
            kind,
            class,
            BUILTIN_VERSION,
            None,
            Origin::Builtin(builtin),
            false,
        );
    }

    fn add(
        &mut self,
        kind: PluginKind,
        class: &str,
        version: &str,
        task_class: Option<&str>,
        origin: Origin,
        is_another_name: bool,
    ) {
        self.names.add(kind, class, !is_another_name);
        let entry = Entry {
            kind,
            class: class.into(),
            version: MavenVersion::new(version),
            task_class: task_class.unwrap_or_default().into(),
            origin,
            is_another_name,
        };
        let key = |entry: &Entry| (entry.kind, Arc::clone(&entry.class));
        let at = self.entries.partition_point(|known| {
            key(known)
                .cmp(&key(&entry))
                .then_with(|| known.version.cmp(&entry.version))
                .is_le()
        });
        self.entries.insert(at, entry);
    }

    /// The library that offers this class in this version already.
    pub(super) fn location_of(&self, class: &ManifestClass) -> Option<&Path> {
        let version = MavenVersion::new(&class.version);
        self.entries
            .iter()
            .filter(|entry| {
                entry.kind == class.kind && *entry.class == *class.class && entry.version == version
            })
            .find_map(Entry::path)
    }

    pub(super) fn refuse(&mut self, refused: RefusedPlugin) {
        self.refused.push(refused);
    }

    /// Libraries that are not used, in the order in which they were found.
    #[must_use]
    pub fn refused(&self) -> &[RefusedPlugin] {
        &self.refused
    }

    /// The listing of the REST API: by kind, class and version, each class and version once.
    #[must_use]
    pub fn list(&self, connectors_only: bool) -> Vec<PluginInfo> {
        let listed = |kind| match kind {
            PluginKind::Sink | PluginKind::Source => true,
            PluginKind::ConfigProvider | PluginKind::OverridePolicy => false,
            _ => !connectors_only,
        };
        let mut list: Vec<PluginInfo> = self
            .entries
            .iter()
            .filter(|entry| listed(entry.kind))
            .map(|entry| PluginInfo {
                class: entry.class.to_string(),
                plugin_type: entry.kind.name(),
                version: entry.stated_version(),
            })
            .collect();
        list.dedup();
        list
    }

    /// Every class with its aliases and file, in the order of [`list`](Self::list).
    #[must_use]
    pub fn locations(&self) -> Vec<PluginLocation> {
        let alias = |entry: &Entry, alias: &str| {
            (self.names.class_of_alias(alias) == Some(&entry.class)).then(|| alias.to_owned())
        };
        self.entries
            .iter()
            .map(|entry| {
                let simple = simple_name(&entry.class);
                let pruned = pruned_name(entry.kind, &entry.class);
                PluginLocation {
                    class: entry.class.to_string(),
                    kind: entry.kind,
                    version: entry.stated_version(),
                    first_alias: alias(entry, simple),
                    second_alias: if pruned == simple {
                        None
                    } else {
                        alias(entry, pruned)
                    },
                    path: entry.path().map(Path::to_owned),
                }
            })
            .collect()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn of_kinds<'r, 'k>(&'r self, kinds: &'k [PluginKind]) -> impl Iterator<Item = &'r Entry> + use<'r, 'k> {
        self.entries.iter().filter(|entry| kinds.contains(&entry.kind))
    }

    /// The class of one of these kinds that a full name or alias stands for.
    pub(super) fn class<'r>(&'r self, kinds: &[PluginKind], name: &str) -> Option<&'r str> {
        self.names.class(kinds, name)
    }

    fn all_versions<'r, 'k>(
        &'r self,
        kinds: &'k [PluginKind],
        class: &'k str,
    ) -> impl Iterator<Item = &'r Entry> + use<'r, 'k> {
        self.of_kinds(kinds).filter(move |entry| *entry.class == *class)
    }

    fn versions(&self, kinds: &[PluginKind], class: &str) -> Vec<String> {
        let mut versions: Vec<String> = self
            .all_versions(kinds, class)
            .map(|entry| entry.version.to_string())
            .collect();
        versions.dedup();
        versions
    }

    /// The highest version of a class that meets a requirement; the highest of all without one.
    pub(super) fn select<'r>(
        &'r self,
        kinds: &[PluginKind],
        class: &str,
        requirement: Option<&str>,
    ) -> Result<&'r Entry, VersionProblem> {
        let range = VersionRange::parse(requirement.unwrap_or_default()).map_err(unreadable_range)?;
        self.all_versions(kinds, class)
            .filter(|entry| range.as_ref().is_none_or(|range| range.contains(&entry.version)))
            // the last of equal ones: a library wins over what is built in
            .max_by(|a, b| a.version.cmp(&b.version))
            .ok_or_else(|| {
                let range = range.map_or_else(|| "latest".to_owned(), |range| range.to_string());
                no_such_version(class, &range, self.versions(kinds, class))
            })
    }

    pub(super) fn find(&self, kind: PluginKind, name: &str, version: Option<&str>) -> Result<&Entry> {
        let kinds = &[kind];
        let class = self.class(kinds, name).ok_or_else(|| {
            let available: Vec<String> = self.of_kinds(kinds).map(Entry::describe).collect();
            not_found(format!(
                "Failed to find any class that implements {} and which name matches {name}, available {}s are: {}",
                java_interface(kind),
                kind.name(),
                available.join(", ")
            ))
        })?;
        self.select(kinds, class, version).map_err(version_error)
    }

    /// The connector class that `connector.class` and `connector.plugin.version` name.
    ///
    /// # Errors
    /// Of kind not found when the name fits no class or several, of kind config when there is no such version; in upstream's
    /// words.
    pub fn connector(&self, name: &str, version: Option<&str>) -> Result<ConnectorPlugin> {
        let class = self
            .names
            .connector(name)
            .map_err(|named| self.no_connector(name, &named))?;
        let entry = self.select(CONNECTORS, class, version).map_err(version_error)?;
        entry
            .connector()
            .ok_or_else(|| not_found(format!("{class} is not a connector of a library")))
    }

    /// No connector has this name, or several have it.
    fn no_connector(&self, name: &str, named: &BTreeSet<&str>) -> ConnectError {
        if named.is_empty() {
            let available: Vec<String> = self.of_kinds(CONNECTORS).map(Entry::describe).collect();
            return not_found(format!(
                "Failed to find any class that implements Connector and which name matches {name}, available connectors \
                 are: {}",
                available.join(", ")
            ));
        }
        not_found(format!(
            "More than one connector matches alias {name}. Please use full package and class name instead. Classes \
             found: {}",
            named.iter().copied().collect::<Vec<_>>().join(", ")
        ))
    }

    /// Whether there is what a configuration names.
    ///
    /// # Errors
    /// Of kind not found when the name fits no class or several, of kind config when there is no such version; in upstream's
    /// words.
    pub(crate) fn check_class(&self, named: &NamedClass<'_>) -> Result<()> {
        match (named.kinds, named.class) {
            (_, None) => Ok(()),
            ([kind], Some(class)) => self.find(*kind, class, named.version).map(drop),
            (_, Some(class)) => self.connector(class, named.version).map(drop),
        }
    }

    /// The connector class whose tasks have this class name, in this version; the newest without one.
    ///
    /// # Errors
    /// When there is none.
    pub fn connector_for_task_class(
        &self,
        task_class: &str,
        version: Option<&str>,
    ) -> Result<ConnectorPlugin> {
        let class = self
            .of_kinds(CONNECTORS)
            .find(|entry| *entry.task_class == *task_class)
            .map(|entry| &*entry.class)
            .ok_or_else(|| not_found(format!("no connector plugin has tasks of class {task_class}")))?;
        self.connector(class, version)
    }

    /// A converter for keys or values.
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn converter(&self, name: &str, version: Option<&str>) -> Result<ConverterPlugin> {
        self.converter_with(name, version, Box::new(NoServices))
    }

    /// As [`converter`](Self::converter), for one that may ask for these services.
    ///
    /// # Errors
    /// As [`converter`](Self::converter).
    pub fn converter_with(
        &self,
        name: &str,
        version: Option<&str>,
        services: Box<dyn HostServices>,
    ) -> Result<ConverterPlugin> {
        let entry = self.find(PluginKind::Converter, name, version)?;
        if let Origin::Builtin(Builtin::Converter(builtin)) = entry.origin
            && let Some(new) = builtin.new_converter
        {
            return Ok(ConverterPlugin::Builtin {
                class: builtin.class,
                converter: new(),
            });
        }
        Ok(ConverterPlugin::Remote(Box::new(RemoteConverter::new(
            entry.create_with(services)?,
        )?)))
    }

    /// A converter for header values.
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn header_converter(&self, name: &str, version: Option<&str>) -> Result<Box<dyn HeaderConverter>> {
        let entry = self.find(PluginKind::HeaderConverter, name, version)?;
        match entry.origin {
            Origin::Builtin(Builtin::Converter(builtin)) => Ok((builtin.new_header_converter)()),
            _ => Ok(Box::new(RemoteHeaderConverter::new(entry.create()?)?)),
        }
    }

    /// A transformation.
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn transformation(&self, name: &str, version: Option<&str>) -> Result<TransformationPlugin> {
        let entry = self.find(PluginKind::Transformation, name, version)?;
        Ok(match entry.origin {
            Origin::Builtin(Builtin::Transformation(builtin)) => TransformationPlugin::Builtin {
                class: builtin.class,
                transformation: (builtin.new)(),
            },
            _ => TransformationPlugin::Remote(Box::new(RemoteTransformation::new(entry.create()?)?)),
        })
    }

    /// A predicate.
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn predicate(&self, name: &str, version: Option<&str>) -> Result<PredicatePlugin> {
        let entry = self.find(PluginKind::Predicate, name, version)?;
        Ok(match entry.origin {
            Origin::Builtin(Builtin::Predicate(builtin)) => PredicatePlugin::Builtin {
                class: builtin.class,
                predicate: (builtin.new)(),
            },
            _ => PredicatePlugin::Remote(Box::new(RemotePredicate::new(entry.create()?)?)),
        })
    }

    /// A config provider.
    ///
    /// # Errors
    /// When there is none of that name, or its plugin fails.
    pub fn config_provider(&self, name: &str, version: Option<&str>) -> Result<Box<dyn ConfigProvider>> {
        let entry = self.find(PluginKind::ConfigProvider, name, version)?;
        if let Origin::Builtin(Builtin::Provider(builtin)) = entry.origin {
            return Ok((builtin.new)());
        }
        Ok(Box::new(RemoteProvider::new(entry.create()?)))
    }

    /// An override policy of a library.
    ///
    /// # Errors
    /// When there is none of that name, or its plugin fails.
    pub fn override_policy(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Box<dyn ClientConfigOverridePolicy>> {
        Ok(Box::new(RemotePolicy::new(
            self.find(PluginKind::OverridePolicy, name, version)?.create()?,
        )))
    }

    /// The full class name of a kind that a name or alias stands for, in the version that would be used.
    #[must_use]
    pub fn plugin_class(&self, kind: PluginKind, name: &str, version: Option<&str>) -> Option<String> {
        let class = self.class(&[kind], name)?;
        self.select(&[kind], class, version)
            .ok()
            .map(|entry| entry.class.to_string())
    }

    /// As [`plugin_class`](Self::plugin_class): what a converter key names.
    #[must_use]
    pub fn converter_class(&self, kind: PluginKind, name: &str, version: Option<&str>) -> Option<String> {
        self.plugin_class(kind, name, version)
    }

    /// Full names of all classes of a kind.
    #[must_use]
    pub fn plugin_classes(&self, kind: PluginKind) -> Vec<String> {
        let mut classes: Vec<String> = self
            .of_kinds(&[kind])
            .map(|entry| entry.class.to_string())
            .collect();
        classes.dedup();
        classes
    }

    /// All versions of a class, lowest first.
    #[must_use]
    pub fn plugin_versions(&self, kind: PluginKind, class: &str) -> Vec<String> {
        self.versions(&[kind], class)
    }

    /// The newest version of a class, or the newest that meets a requirement.
    ///
    /// # Errors
    /// The requirement cannot be read or met.
    pub fn select_version(
        &self,
        kind: PluginKind,
        class: &str,
        requirement: Option<&str>,
    ) -> Result<String, VersionProblem> {
        self.select(&[kind], class, requirement)
            .map(|entry| entry.version.to_string())
    }
}

fn java_interface(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Sink | PluginKind::Source => "Connector",
        other => other.suffix(),
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
