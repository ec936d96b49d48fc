//! Which converter, of which version, with which settings.

use std::fmt;

use wharf_api::{ConfigMap, PluginKind};

/// The three places a converter can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConverterKind {
    /// For record keys.
    Key,
    /// For record values.
    Value,
    /// For header values.
    Header,
}

impl ConverterKind {
    /// In the order in which validation lists their keys.
    pub const ALL: [Self; 3] = [Self::Header, Self::Key, Self::Value];

    /// What `converter.type` says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Header => "header",
        }
    }

    /// What a plugin has to be to stand here.
    #[must_use]
    pub fn plugin_kind(self) -> PluginKind {
        match self {
            Self::Key | Self::Value => PluginKind::Converter,
            Self::Header => PluginKind::HeaderConverter,
        }
    }

    /// The key with the class.
    #[must_use]
    pub fn class_key(self) -> &'static str {
        match self {
            Self::Key => "key.converter",
            Self::Value => "value.converter",
            Self::Header => "header.converter",
        }
    }

    /// The key with the version (KIP-891).
    #[must_use]
    pub fn version_key(self) -> &'static str {
        match self {
            Self::Key => "key.converter.plugin.version",
            Self::Value => "value.converter.plugin.version",
            Self::Header => "header.converter.plugin.version",
        }
    }

    /// What the converter's own keys start with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Key => "key.converter.",
            Self::Value => "value.converter.",
            Self::Header => "header.converter.",
        }
    }
}

impl fmt::Display for ConverterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A converter as a worker or connector configuration names it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConverterConfig {
    /// Class name or alias, as given.
    pub class: String,
    /// Required version or range; the newest without one.
    pub version: Option<String>,
    /// The converter's own settings, without prefix, `converter.type` added.
    pub config: ConfigMap,
}

impl ConverterConfig {
    /// Collects the converter's settings from a configuration in which its class is named.
    #[must_use]
    pub fn new(kind: ConverterKind, class: &str, config: &ConfigMap) -> Self {
        let mut own = with_prefix(config, kind.prefix());
        let version = own
            .remove("plugin.version")
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        own.entry("converter.type".to_owned())
            .or_insert_with(|| kind.name().to_owned());
        Self {
            class: class.trim().to_owned(),
            version,
            config: own,
        }
    }
}

impl fmt::Debug for ConverterConfig {
    /// Names the settings without their values, since some converters take passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConverterConfig")
            .field("class", &self.class)
            .field("version", &self.version)
            .field("config", &self.config.keys())
            .finish()
    }
}

/// The entries whose key starts with `prefix`, without it.
pub(crate) fn with_prefix(config: &ConfigMap, prefix: &str) -> ConfigMap {
    config
        .range(prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter(|(key, _)| key.len() > prefix.len())
        .map(|(key, value)| (key[prefix.len()..].to_owned(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converter_gets_its_own_settings_and_its_type() {
        let config: ConfigMap = [
            ("key.converter", "Json"),
            ("key.converter.plugin.version", " [1,2) "),
            ("key.converter.schemas.enable", "false"),
            ("value.converter.schemas.enable", "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let converter = ConverterConfig::new(ConverterKind::Key, " Json", &config);
        assert_eq!(
            (converter.class.as_str(), converter.version.as_deref()),
            ("Json", Some("[1,2)"))
        );
        let own: Vec<_> = converter
            .config
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(own, [("converter.type", "key"), ("schemas.enable", "false")]);
        assert!(!format!("{converter:?}").contains("false"));
    }
}
