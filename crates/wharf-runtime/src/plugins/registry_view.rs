//! The registry as validation of one connector's configuration sees it.

use std::borrow::Cow;
use std::fmt;

use wharf_abi::host::NoServices;
use wharf_api::config::{
    ConfigDef, ConfigKey, ConfigKeyInfo, ConfigValue, Importance, NullableConfigMap, Type,
};
use wharf_api::connector::VALIDATE_OFFLINE;
use wharf_api::{ConfigMap, ConnectorTransactionBoundaries, ExactlyOnceSupport, PluginKind, Result};
use wharf_kafka::{PropertyDefault, PropertyImportance, PropertyType};

use super::connector_plugin::ConnectorPlugin;
use super::registry::PluginRegistry;
use crate::config::{
    ClientKind, ConverterKind, PluginValidation, PluginView, VersionProblem, WorkerConfig,
    add_library_errors, offsets_admin_config, sink_consumer_config, source_producer_config,
};
use crate::herder::{ConnectorType, without_nulls};

/// What plugins may do to check a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outreach {
    /// Ask the systems that it names.
    Full,
    /// Read it, and nothing else.
    Offline,
}

/// Plugins and Kafka clients, for validating the configuration of one connector.
#[derive(Clone, Copy)]
pub struct RegistryView<'r> {
    registry: &'r PluginRegistry,
    connector: &'r ConnectorPlugin,
    worker: Option<&'r WorkerConfig>,
    outreach: Outreach,
}

impl<'r> RegistryView<'r> {
    /// A view for this connector's class.
    #[must_use]
    pub fn new(registry: &'r PluginRegistry, connector: &'r ConnectorPlugin) -> Self {
        Self {
            registry,
            connector,
            worker: None,
            outreach: Outreach::Full,
        }
    }

    /// What plugins may do to check a configuration.
    #[must_use]
    pub fn with_outreach(self, outreach: Outreach) -> Self {
        Self { outreach, ..self }
    }

    /// What the connector says of its own keys.
    ///
    /// # Errors
    /// When the plugin fails.
    pub fn validate_connector(&self, config: &NullableConfigMap) -> Result<PluginValidation> {
        self.connector.validate(&self.asked(&without_nulls(config)))
    }

    /// A configuration as plugins get it that check it.
    fn asked<'c>(&self, config: &'c ConfigMap) -> Cow<'c, ConfigMap> {
        match self.outreach {
            // That is the worker's word, and nobody else's.
            Outreach::Full if config.contains_key(VALIDATE_OFFLINE) => {
                let mut config = config.clone();
                config.remove(VALIDATE_OFFLINE);
                Cow::Owned(config)
            }
            Outreach::Full => Cow::Borrowed(config),
            Outreach::Offline => {
                let mut config = config.clone();
                config.insert(VALIDATE_OFFLINE.to_owned(), "true".to_owned());
                Cow::Owned(config)
            }
        }
    }

    /// Checks client overrides on top of the worker's own settings, as the clients will have them. Without it only what is
    /// wrong with an override by itself can be seen.
    #[must_use]
    pub fn with_worker(self, worker: &'r WorkerConfig) -> Self {
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

fn kafka_kind(client: ClientKind) -> wharf_kafka::ClientKind {
    match client {
        ClientKind::Producer => wharf_kafka::ClientKind::Producer,
        ClientKind::Consumer => wharf_kafka::ClientKind::Consumer,
        ClientKind::Admin => wharf_kafka::ClientKind::Admin,
    }
}

fn config_type(of: PropertyType) -> Type {
    match of {
        PropertyType::Boolean => Type::Boolean,
        PropertyType::Short => Type::Short,
        PropertyType::Int => Type::Int,
        PropertyType::Long => Type::Long,
        PropertyType::Double => Type::Double,
        PropertyType::Text => Type::String,
        PropertyType::List => Type::List,
        PropertyType::Class => Type::Class,
        PropertyType::Password => Type::Password,
    }
}

impl PluginView for RegistryView<'_> {
    fn exactly_once_support(&self, config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
        let mut connector = self.connector.new_connector(Box::new(NoServices))?;
        connector.exactly_once_support(&self.asked(config))
    }

    fn transaction_boundaries(&self, config: &ConfigMap) -> Result<ConnectorTransactionBoundaries> {
        let mut connector = self.connector.new_connector(Box::new(NoServices))?;
        connector.transaction_boundaries(&self.asked(config))
    }

    fn find_class(&self, kind: PluginKind, name: &str) -> Option<String> {
        self.registry.plugin_class(kind, name, None)
    }

    fn classes(&self, kind: PluginKind) -> Vec<String> {
        self.registry.plugin_classes(kind)
    }

    fn versions(&self, kind: PluginKind, class: &str) -> Vec<String> {
        self.registry.plugin_versions(kind, class)
    }

    fn check_version(&self, kind: PluginKind, class: &str, requirement: &str) -> Result<(), VersionProblem> {
        self.registry
            .select_version(kind, class, Some(requirement))
            .map(drop)
    }

    fn plugin_config(&self, kind: PluginKind, class: &str, version: Option<&str>) -> Result<ConfigDef> {
        self.registry.plugin_definition(kind, class, version)
    }

    fn plugin_values(
        &self,
        kind: PluginKind,
        class: &str,
        version: Option<&str>,
        config: &ConfigMap,
    ) -> Result<Vec<ConfigValue>> {
        self.registry
            .validate_in_library(kind, class, version, &self.asked(config))
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
        let kind = kind.plugin_kind();
        let def = self.registry.plugin_definition(kind, class, version)?;
        if def.keys().is_empty() {
            return Ok(None);
        }
        let mut values = def.validate_nullable(config);
        let texts = without_nulls(config);
        add_library_errors(
            &mut values,
            self.registry
                .validate_in_library(kind, class, version, &self.asked(&texts))?,
        );
        Ok(Some(PluginValidation {
            definition: def.infos().cloned().collect(),
            values,
        }))
    }

    fn client_key(&self, client: ClientKind, key: &str) -> Option<ConfigKeyInfo> {
        let found = wharf_kafka::definition(kafka_kind(client), key)?;
        let key = ConfigKey::new(found.key, config_type(found.value_type))
            .importance(match found.importance {
                PropertyImportance::High => Importance::High,
                PropertyImportance::Medium => Importance::Medium,
                PropertyImportance::Low => Importance::Low,
            })
            .doc(found.documentation);
        let key = match found.default {
            PropertyDefault::Required => key,
            PropertyDefault::Null => key.default_null(),
            PropertyDefault::Text(default) => key.default(default),
        };
        Some(key.info().clone())
    }

    fn client_problems(&self, client: ClientKind, overrides: &ConfigMap) -> Vec<(String, String)> {
        match wharf_kafka::translate(kafka_kind(client), &self.client_config(client, overrides)) {
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
    use crate::config::StandaloneConfig;
    use crate::config::{ClientOverridePolicy, FrameworkDefaults, ValidationRequest, validate_connector};
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
            view.find_class(PluginKind::Converter, "Rot").as_deref(),
            Some("org.x.RotConverter")
        );
        assert_eq!(view.find_class(PluginKind::HeaderConverter, "Rot"), None);
        assert_eq!(view.classes(PluginKind::Converter).len(), 10);
        assert_eq!(
            view.versions(PluginKind::Converter, "org.x.RotConverter"),
            ["1.0"]
        );
        assert!(
            view.check_version(PluginKind::Converter, "org.x.RotConverter", "2")
                .is_err()
        );
    }

    #[test]
    fn a_converter_validates_its_own_settings() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", None).unwrap();
        let view = RegistryView::new(&registry, &connector);
        let class = view.find_class(PluginKind::Converter, "Json").unwrap();
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
    fn client_overrides_are_defined_as_the_java_clients_define_them() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", None).unwrap();
        let view = RegistryView::new(&registry, &connector);
        let batch_size = view.client_key(ClientKind::Producer, "batch.size").unwrap();
        assert_eq!(
            (
                batch_size.value_type,
                batch_size.importance,
                batch_size.default_text()
            ),
            (Type::Int, Importance::Medium, Some("16384".to_owned()))
        );
        assert_eq!((batch_size.group, batch_size.order_in_group), (None, -1));
        let serializer = view.client_key(ClientKind::Producer, "key.serializer").unwrap();
        assert!(serializer.default.is_required());
        let login = view.client_key(ClientKind::Admin, "sasl.jaas.config").unwrap();
        assert_eq!((login.value_type, login.default_text()), (Type::Password, None));
        let list = view
            .client_key(ClientKind::Consumer, "interceptor.classes")
            .unwrap();
        assert_eq!(list.default_text(), Some(String::new()));
        assert_eq!(view.client_key(ClientKind::Consumer, "batch.size"), None);
        assert_eq!(view.client_key(ClientKind::Producer, "my.own"), None);
    }

    #[test]
    fn client_overrides_show_types_errors_and_no_secrets_in_a_validation() {
        let registry = registry();
        let connector = registry.connector("AlphaSource", None).unwrap();
        let config: NullableConfigMap = [
            ("name", "c"),
            ("connector.class", "AlphaSource"),
            ("producer.override.batch.size", "many"),
            ("producer.override.compression.type", "rar"),
            ("producer.override.linger.ms", " 7 "),
            ("producer.override.my.own", "x"),
            ("producer.override.ssl.key.password", "s3cret"),
        ]
        .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
        .into();
        let request = ValidationRequest {
            config: &config,
            connector_type: ConnectorType::Source,
            defaults: &FrameworkDefaults::default(),
            override_policy: &ClientOverridePolicy::All,
            topic_creation_enable: true,
            worker_group: None,
            exactly_once: crate::config::ExactlyOnceWorker::Standalone,
            plugins: &RegistryView::new(&registry, &connector),
        };
        let infos = validate_connector(&request, |_| Ok(PluginValidation::default())).unwrap();
        let shown: Vec<_> = infos
            .configs
            .iter()
            .filter_map(|info| {
                let value = info.value.as_ref()?;
                let key = value.name.strip_prefix("producer.override.")?;
                let value_type = info.definition.as_ref().map(|definition| definition.value_type);
                Some((key, value_type, value.value.as_deref(), value.errors.len()))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("batch.size", Some("INT"), None, 1),
                ("compression.type", Some("STRING"), Some("rar"), 1),
                ("linger.ms", Some("LONG"), Some("7"), 0),
                ("my.own", None, Some("x"), 0),
                ("ssl.key.password", Some("PASSWORD"), Some("[hidden]"), 0),
            ]
        );
        assert_eq!(infos.error_count, 2);
        let linger = infos.configs.iter().filter_map(|info| info.definition.as_ref());
        let linger = linger
            .clone()
            .find(|definition| definition.name == "producer.override.linger.ms")
            .unwrap();
        assert_eq!(
            (linger.display_name.as_str(), linger.default_value.as_deref()),
            ("linger.ms", Some("5"))
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
            .with_worker(&worker.worker)
            .client_problems(ClientKind::Producer, &map(&[("sasl.jaas.config", login)]));
        assert_eq!(problems, []);
    }
}
