//! The registry as validation of one connector's configuration sees it.

use std::fmt;

use wharf_api::config::{ConfigKeyInfo, NullableConfigMap};
use wharf_api::{ConfigMap, PluginKind, Result};

use super::connector_plugin::ConnectorPlugin;
use super::registry::PluginRegistry;
use crate::config::{
    ClientKind, ConverterKind, PluginValidation, PluginView, StandaloneConfig, VersionProblem, offsets_admin_config,
    sink_consumer_config, source_producer_config,
};
use crate::herder::ConnectorType;

/// Plugins and Kafka clients, for validating the configuration of one connector.
#[derive(Clone, Copy)]
pub struct RegistryView<'r> {
    registry: &'r PluginRegistry,
    connector: &'r ConnectorPlugin,
    worker: Option<&'r StandaloneConfig>,
}

impl<'r> RegistryView<'r> {
    /// A view for this connector's class.
    #[must_use]
    pub fn new(registry: &'r PluginRegistry, connector: &'r ConnectorPlugin) -> Self {
        Self { registry, connector, worker: None }
    }

    /// Checks client overrides on top of the worker's own settings, as the clients will have them. Without it only what is
    /// wrong with an override by itself can be seen.
    #[must_use]
    pub fn with_worker(self, worker: &'r StandaloneConfig) -> Self {
        Self { worker: Some(worker), ..self }
    }

    fn connector_kind(&self) -> PluginKind {
        if self.connector.kind == ConnectorType::Sink { PluginKind::Sink } else { PluginKind::Source }
    }

    /// What the client will be made with.
    fn client_config(&self, client: ClientKind, overrides: &ConfigMap) -> ConfigMap {
        let Some(worker) = self.worker else {
            let mut config = ConfigMap::from([("bootstrap.servers".to_owned(), "localhost:9092".to_owned())]);
            config.extend(overrides.clone());
            return config;
        };
        let prefix = client.override_prefix();
        let connector = overrides.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())).collect();
        let name = "validation";
        match client {
            ClientKind::Producer => source_producer_config(worker, name, 0, &connector),
            ClientKind::Consumer => sink_consumer_config(worker, name, 0, &connector),
            ClientKind::Admin => offsets_admin_config(worker, name, &connector),
        }
    }
}

impl fmt::Debug for RegistryView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryView").field("connector", &self.connector.class).finish_non_exhaustive()
    }
}

fn plugin_kind(kind: ConverterKind) -> PluginKind {
    match kind {
        ConverterKind::Header => PluginKind::HeaderConverter,
        ConverterKind::Key | ConverterKind::Value => PluginKind::Converter,
    }
}

impl PluginView for RegistryView<'_> {
    fn find_converter(&self, kind: ConverterKind, name: &str) -> Option<String> {
        self.registry.plugin_class(plugin_kind(kind), name, None)
    }

    fn converters(&self, kind: ConverterKind) -> Vec<String> {
        self.registry.plugin_classes(plugin_kind(kind))
    }

    fn converter_versions(&self, kind: ConverterKind, class: &str) -> Vec<String> {
        self.registry.plugin_versions(plugin_kind(kind), class)
    }

    fn check_converter_version(
        &self,
        kind: ConverterKind,
        class: &str,
        requirement: &str,
    ) -> Result<(), VersionProblem> {
        self.registry.select_version(plugin_kind(kind), class, Some(requirement)).map(drop)
    }

    fn connector_versions(&self) -> Vec<String> {
        self.registry.plugin_versions(self.connector_kind(), &self.connector.class)
    }

    fn check_connector_version(&self, requirement: &str) -> Result<(), VersionProblem> {
        self.registry.select_version(self.connector_kind(), &self.connector.class, Some(requirement)).map(drop)
    }

    fn validate_converter(
        &self,
        kind: ConverterKind,
        class: &str,
        version: Option<&str>,
        config: &NullableConfigMap,
    ) -> Result<Option<PluginValidation>> {
        let def = match kind {
            ConverterKind::Header => self.registry.header_converter(class, version)?.config(),
            ConverterKind::Key | ConverterKind::Value => self.registry.converter(class, version)?.as_converter().config(),
        };
        if def.keys().is_empty() {
            return Ok(None);
        }
        let values = def.validate_nullable(config);
        Ok(Some(PluginValidation { definition: def.infos().cloned().collect(), values }))
    }

    /// Types of client settings are not published by the client library; problems with them are.
    fn client_key(&self, _client: ClientKind, _key: &str) -> Option<ConfigKeyInfo> {
        None
    }

    fn client_problems(&self, client: ClientKind, overrides: &ConfigMap) -> Vec<(String, String)> {
        let kind = match client {
            ClientKind::Producer => wharf_kafka::ClientKind::Producer,
            ClientKind::Consumer => wharf_kafka::ClientKind::Consumer,
            ClientKind::Admin => wharf_kafka::ClientKind::Admin,
        };
        match wharf_kafka::translate(kind, &self.client_config(client, overrides)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| (problem.key, problem.message)).collect(),
        }
    }
}
