//! The registry as validation of one connector's configuration sees it.

use std::fmt;

use wharf_api::config::{ConfigKeyInfo, NullableConfigMap};
use wharf_api::{ConfigMap, PluginKind, Result};

use super::connector_plugin::ConnectorPlugin;
use super::registry::PluginRegistry;
use crate::config::{
    ClientKind, ConverterKind, PluginValidation, PluginView, StandaloneConfig, VersionProblem,
    offsets_admin_config, sink_consumer_config, source_producer_config,
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
        Self {
            registry,
            connector,
            worker: None,
        }
    }

    /// Checks client overrides on top of the worker's own settings, as the clients will have them. Without it only what is
    /// wrong with an override by itself can be seen.
    #[must_use]
    pub fn with_worker(self, worker: &'r StandaloneConfig) -> Self {
        Self {
            worker: Some(worker),
            ..self
        }
    }

    fn connector_kind(&self) -> PluginKind {
        if self.connector.kind == ConnectorType::Sink {
            PluginKind::Sink
        } else {
            PluginKind::Source
        }
    }

    /// What the client will be made with.
    fn client_config(&self, client: ClientKind, overrides: &ConfigMap) -> ConfigMap {
        let Some(worker) = self.worker else {
            // What every client must have, and a connector leaves to the worker.
            let mut config = ConfigMap::from(
                [("bootstrap.servers", "localhost:9092"), ("group.id", "g")]
                    .map(|(k, v)| (k.into(), v.into())),
            );
            if client != ClientKind::Consumer {
                config.remove("group.id");
            }
            config.extend(overrides.clone());
            return config;
        };
        let prefix = client.override_prefix();
        let connector = overrides
            .iter()
            .map(|(key, value)| (format!("{prefix}{key}"), value.clone()))
            .collect();
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
        f.debug_struct("RegistryView")
            .field("connector", &self.connector.class)
            .finish_non_exhaustive()
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
        self.registry
            .select_version(plugin_kind(kind), class, Some(requirement))
            .map(drop)
    }

    fn connector_versions(&self) -> Vec<String> {
        self.registry
            .plugin_versions(self.connector_kind(), &self.connector.class)
    }

    fn check_connector_version(&self, requirement: &str) -> Result<(), VersionProblem> {
        self.registry
            .select_version(self.connector_kind(), &self.connector.class, Some(requirement))
            .map(drop)
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
            ConverterKind::Key | ConverterKind::Value => {
                self.registry.converter(class, version)?.as_converter().config()
            }
        };
        if def.keys().is_empty() {
            return Ok(None);
        }
        let values = def.validate_nullable(config);
        Ok(Some(PluginValidation {
            definition: def.infos().cloned().collect(),
            values,
        }))
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
            Err(problems) => problems
                .into_iter()
                .map(|problem| (problem.key, problem.message))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::test_module;

    fn registry() -> PluginRegistry {
        PluginRegistry::of_modules([
            ("/p/libold.so".into(), test_module::old()),
            ("/p/libnew.so".into(), test_module::new()),
        ])
    }

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn validation_sees_classes_and_versions() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", Some("1.0")).unwrap();
        let view = RegistryView::new(&registry, &connector);
        assert_eq!(view.connector_versions(), ["1.0", "1.10"]);
        assert_eq!(view.check_connector_version("[1.5,)"), Ok(()));
        let problem = view.check_connector_version("2").unwrap_err();
        assert_eq!(problem.available, ["1.0", "1.10"]);
        assert!(
            view.check_connector_version("[2")
                .unwrap_err()
                .available
                .is_empty()
        );
        assert_eq!(
            view.find_converter(ConverterKind::Key, "Rot").as_deref(),
            Some("org.x.RotConverter")
        );
        assert_eq!(view.find_converter(ConverterKind::Header, "Rot"), None);
        assert_eq!(view.converters(ConverterKind::Value).len(), 10);
        assert_eq!(
            view.converter_versions(ConverterKind::Key, "org.x.RotConverter"),
            ["1.0"]
        );
        assert!(
            view.check_converter_version(ConverterKind::Key, "org.x.RotConverter", "2")
                .is_err()
        );
    }

    #[test]
    fn a_converter_validates_its_own_settings() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", None).unwrap();
        let view = RegistryView::new(&registry, &connector);
        let class = view.find_converter(ConverterKind::Value, "Json").unwrap();
        let config = [("schemas.enable".to_owned(), Some("maybe".to_owned()))].into();
        let found = view
            .validate_converter(ConverterKind::Value, &class, None, &config)
            .unwrap()
            .unwrap();
        let value = found
            .values
            .iter()
            .find(|value| value.name == "schemas.enable")
            .unwrap();
        assert_eq!(value.errors.len(), 1);
        assert!(
            view.validate_converter(ConverterKind::Value, &class, Some("99"), &config)
                .is_err()
        );
    }

    #[test]
    fn client_overrides_are_checked_as_the_client_will_have_them() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", None).unwrap();
        let view = RegistryView::new(&registry, &connector);
        let problems = view.client_problems(
            ClientKind::Producer,
            &map(&[("linger.ms", "soon"), ("acks", "1")]),
        );
        assert_eq!(
            problems.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
            ["linger.ms"]
        );
        assert_eq!(
            view.client_problems(ClientKind::Consumer, &map(&[("max.poll.records", "5")])),
            []
        );

        let worker = StandaloneConfig::parse(&map(&[
            ("bootstrap.servers", "a:1"),
            ("key.converter", "K"),
            ("value.converter", "V"),
            ("offset.storage.file.filename", "/tmp/offsets"),
            ("producer.security.protocol", "SASL_PLAINTEXT"),
            ("producer.sasl.mechanism", "PLAIN"),
        ]))
        .unwrap();
        let login =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p\";";
        let problems = view
            .with_worker(&worker)
            .client_problems(ClientKind::Producer, &map(&[("sasl.jaas.config", login)]));
        assert_eq!(problems, []);
    }
}
