//! The configuration keys of a plugin, for `GET /connector-plugins/{plugin}/config` and `wharf plugin info`.

use wharf_api::config::{ConfigDef, ConfigKeyInfo, ConfigValue};
use wharf_api::{ConfigMap, PluginKind, Result};

use super::entry::Entry;
use super::registry::PluginRegistry;
use crate::config::{CONNECTORS, FrameworkDefaults, framework_config_def};
use crate::herder::HerderError;

impl PluginRegistry {
    /// The configuration keys of a plugin: its own in definition order, then, for a connector, the framework's that it does
    /// not define itself.
    ///
    /// # Errors
    /// Not found for an unknown name, bad request for kinds without listing and versions that are not there.
    pub fn plugin_config(
        &self,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        use PluginKind as Kind;
        const LISTED: [&[PluginKind]; 5] = [
            CONNECTORS,
            &[Kind::Converter],
            &[Kind::HeaderConverter],
            &[Kind::Transformation],
            &[Kind::Predicate],
        ];
        let found = LISTED
            .into_iter()
            .find_map(|kinds| Some((kinds, self.class(kinds, name)?)));
        let Some((kinds, class)) = found else {
            let unlisted = [Kind::ConfigProvider, Kind::OverridePolicy];
            return Err(match self.class(&unlisted, name) {
                None => HerderError::NotFound(format!("Unknown plugin {name}.")),
                Some(class) => HerderError::BadRequest(format!(
                    "Invalid plugin class {class}. Valid types are sink, source, converter, header_converter, \
                     transformation, predicate."
                )),
            });
        };
        let entry = self
            .select(kinds, class, version)
            .map_err(|problem| HerderError::BadRequest(problem.message))?;
        Ok(self.entry_config(entry)?)
    }

    fn entry_config(&self, entry: &Entry) -> Result<Vec<ConfigKeyInfo>> {
        let version = Some(entry.version.as_str()).filter(|version| !version.is_empty());
        let class = &*entry.class;
        if CONNECTORS.contains(&entry.kind) {
            let plugin = self.connector(class, version)?;
            let mut keys = plugin.config()?;
            let defaults = FrameworkDefaults {
                connector_version: plugin.stated_version(),
                ..FrameworkDefaults::default()
            };
            let framework = framework_config_def(plugin.kind, &defaults);
            for key in framework.infos() {
                if !keys.iter().any(|own| own.name == key.name) {
                    keys.push(key.clone());
                }
            }
            return Ok(keys);
        }
        let def = self.plugin_definition(entry.kind, class, version)?;
        Ok(def.infos().cloned().collect())
    }

    /// The keys that a converter, transformation or predicate takes. The validators of one in a library accept everything
    /// here, see [`validate_in_library`](Self::validate_in_library).
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn plugin_definition(
        &self,
        kind: PluginKind,
        name: &str,
        version: Option<&str>,
    ) -> Result<ConfigDef> {
        Ok(match kind {
            PluginKind::Converter => self.converter(name, version)?.as_converter().config(),
            PluginKind::HeaderConverter => self.header_converter(name, version)?.config(),
            PluginKind::Transformation => self.transformation(name, version)?.as_transformation().config(),
            PluginKind::Predicate => self.predicate(name, version)?.as_predicate().config(),
            _ => ConfigDef::new(),
        })
    }

    /// What the validators of a class in a library say of its settings. Nothing for what is built in, nor for libraries
    /// that do not know the question.
    ///
    /// # Errors
    /// When there is none of that name and version, or its plugin fails.
    pub fn validate_in_library(
        &self,
        kind: PluginKind,
        name: &str,
        version: Option<&str>,
        config: &ConfigMap,
    ) -> Result<Vec<ConfigValue>> {
        let entry = self.find(kind, name, version)?;
        if entry.path().is_none() {
            return Ok(Vec::new());
        }
        Ok(entry.create()?.validate(config)?.unwrap_or_default())
    }
}
