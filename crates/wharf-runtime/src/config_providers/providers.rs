//! The providers that a worker's `config.providers` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_api::provider::ConfigData;
use wharf_api::{ConfigMap, ConfigProvider, ConnectError, Result};

use super::reference::{has_reference, references};
use super::resolved::Resolved;
use crate::config::with_prefix;
use crate::plugins::PluginRegistry;

/// The key with the names.
pub(super) const CONFIG_PROVIDERS: &str = "config.providers";

type Providers = BTreeMap<String, Mutex<Box<dyn ConfigProvider>>>;

/// What a worker resolves references with. Cheap to clone; one worker has one set of instances.
///
/// Made from properties first, which only says what is wanted; [`load`](Self::load) makes the instances once the plugins are
/// known. Until then nothing is resolved.
#[derive(Clone, Default)]
pub struct ConfigProviders {
    /// Class and parameters of each provider that has a class, by its name.
    wanted: BTreeMap<String, (String, ConfigMap)>,
    /// Names without a class.
    without_class: Vec<String>,
    loaded: Arc<OnceLock<Providers>>,
    /// The worker file, where it has references.
    of_worker: Arc<OnceLock<Arc<Resolved>>>,
}

impl ConfigProviders {
    /// What a worker file names.
    #[must_use]
    pub fn named_in(properties: &ConfigMap) -> Self {
        let mut providers = Self::default();
        let list = properties.get(CONFIG_PROVIDERS).map_or("", String::as_str);
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let settings = with_prefix(properties, &format!("{CONFIG_PROVIDERS}.{name}."));
            match settings.get("class").map(|class| class.trim()) {
                Some(class) if !class.is_empty() => {
                    let parameters = with_prefix(&settings, "param.");
                    let wanted = (class.to_owned(), parameters);
                    providers.wanted.insert(name.to_owned(), wanted);
                }
                _ => providers.without_class.push(name.to_owned()),
            }
        }
        providers
    }

    /// Names that [`resolve`](Self::resolve) knows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.wanted.keys().map(String::as_str)
    }

    /// Names without `config.providers.<name>.class`: as upstream, references to them stay as they are.
    #[must_use]
    pub fn without_class(&self) -> &[String] {
        &self.without_class
    }

    /// Makes the instances. What is loaded already stays.
    ///
    /// # Errors
    /// Every provider whose class is not there or that does not take its settings.
    pub fn load(&self, plugins: &PluginRegistry) -> Result<(), Vec<ConnectError>> {
        if self.loaded.get().is_some() {
            return Ok(());
        }
        let mut providers = Providers::new();
        let mut mistakes = Vec::new();
        for (name, (class, parameters)) in &self.wanted {
            let made = plugins.config_provider(class, None).and_then(|mut provider| {
                provider.configure(parameters)?;
                Ok(provider)
            });
            match made {
                Ok(provider) => drop(providers.insert(name.clone(), Mutex::new(provider))),
                Err(error) => mistakes.push(ConnectError::invalid_config(
                    &format!("{CONFIG_PROVIDERS}.{name}.class"),
                    class,
                    &format!("{error:#}"),
                )),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        // Another thread may have been faster; its instances are as good.
        let _ = self.loaded.set(providers);
        Ok(())
    }

    /// Takes note of what references of the worker's own file stand for, once: texts that are shown quote none of it.
    pub fn keep_secret(&self, worker: Resolved) {
        if worker.has_values() {
            let _ = self.of_worker.set(Arc::new(worker));
        }
    }

    /// A text with references in the place of values of the worker's file.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.of_worker
            .get()
            .map_or_else(|| text.to_owned(), |worker| worker.hide(text))
    }

    /// Puts values in the place of references. References to names and keys that nobody knows stay. Each provider is asked
    /// once for all keys of a path. Calls plugin code, which may block; a configuration without references asks nobody.
    ///
    /// # Errors
    /// A provider fails; the message names it, the path and the keys.
    pub fn resolve(&self, config: &ConfigMap) -> Result<Resolved> {
        let of_worker = self.of_worker.get().cloned();
        let Some(providers) = self.loaded.get().filter(|providers| !providers.is_empty()) else {
            return Ok(Resolved::plain(config.clone()).of_worker(of_worker));
        };
        let mut asked: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for reference in config.values().flat_map(|text| references(text)) {
            if providers.contains_key(reference.provider) {
                let keys = asked.entry((reference.provider, reference.path)).or_default();
                keys.insert(reference.key);
            }
        }
        let mut found: BTreeMap<(&str, &str), ConfigData> = BTreeMap::new();
        for ((name, path), keys) in asked {
            if let Some(provider) = providers.get(name) {
                let keys: Vec<&str> = keys.into_iter().collect();
                let answer = provider
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get(path, &keys)
                    .map_err(|error| failed(name, path, &keys, error))?;
                found.insert((name, path), answer);
            }
        }
        let ttls = found
            .iter()
            .filter_map(|((name, path), data)| Some((((*name).to_owned(), (*path).to_owned()), data.ttl?)))
            .collect();
        let resolved = Resolved::new(config, ttls, |reference| {
            let data = found.get(&(reference.provider, reference.path))?;
            data.data.get(reference.key).cloned()
        });
        Ok(resolved.of_worker(of_worker))
    }

    /// Resolves some keys of a configuration, for those who read no others. Asks nobody unless one of them has a reference.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_keys(&self, config: &ConfigMap, is_read: impl Fn(&str) -> bool) -> Result<Resolved> {
        let read: ConfigMap = config
            .iter()
            .filter(|(key, value)| has_reference(value) && is_read(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if read.is_empty() {
            return Ok(Resolved::plain(config.clone()));
        }
        let mut resolved = self.resolve(&read)?;
        let mut all = config.clone();
        all.append(&mut resolved.config);
        resolved.config = all;
        Ok(resolved)
    }
}

fn failed(provider: &str, path: &str, keys: &[&str], error: ConnectError) -> ConnectError {
    let place = if path.is_empty() {
        String::new()
    } else {
        format!(" at path {path}")
    };
    let keys = keys.join(", ");
    ConnectError::config(format!("config provider `{provider}` cannot give {keys}{place}")).caused_by(error)
}

impl fmt::Debug for ConfigProviders {
    /// Without parameters, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: BTreeMap<&str, &str> = self
            .wanted
            .iter()
            .map(|(name, (class, _))| (name.as_str(), class.as_str()))
            .collect();
        f.debug_struct("ConfigProviders")
            .field("classes", &classes)
            .field("is_loaded", &self.loaded.get().is_some())
            .finish_non_exhaustive()
    }
}

/// The properties of a worker file with the values that references in them stand for. The file's own `plugin.path`, as it
/// is written, says where providers of libraries are; those that are built in need none.
///
/// # Errors
/// A provider cannot be had, or fails.
pub fn resolve_worker_properties(properties: &ConfigMap) -> Result<Resolved, Vec<ConnectError>> {
    let providers = ConfigProviders::named_in(properties);
    if providers.wanted.is_empty() || !properties.values().any(|value| has_reference(value)) {
        return Ok(Resolved::plain(properties.clone()));
    }
    let built_in = PluginRegistry::default();
    let needs_libraries = providers
        .wanted
        .values()
        .any(|(class, _)| built_in.config_provider(class, None).is_err());
    let plugins = if needs_libraries {
        let path = properties.get("plugin.path").map_or("", String::as_str);
        let folders: Vec<PathBuf> = path
            .split(',')
            .map(str::trim)
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .collect();
        PluginRegistry::scan(&folders)
    } else {
        built_in
    };
    providers.load(&plugins)?;
    providers.resolve(properties).map_err(|error| vec![error])
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
