//! Validation of a connector configuration: framework, connector, client overrides and converters, merged into one
//! answer in upstream's order.
//!
//! Pure: everything that needs a plugin or a Kafka client comes in through [`PluginView`] and the closure that asks the
//! connector, so the rules are tested without either. The caller has replaced variables and found the connector's
//! class before.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use wharf_api::config::{ConfigDef, ConfigKeyInfo, ConfigValue, NullableConfigMap, ParsedValue, parse_type};
use wharf_api::policy::{ClientType, OverrideRequest};
use wharf_api::{
    ConfigMap, ConnectError, ConnectorTransactionBoundaries, ExactlyOnceSupport, PluginKind, Result,
};

use super::client_config::ClientKind;
use super::client_override_policy::ClientOverridePolicy;
use super::config_infos::{ConfigDefinition, ConfigInfo, ConfigInfos, ConfigValueInfo};
use super::connector_config::{CONNECTOR_CLASS, CONNECTOR_VERSION, FrameworkDefaults, NAME};
use super::converter_config::ConverterKind;
use super::enriched_config::{EnrichedConfig, given, texts};
use super::exactly_once_checks::{self, ConnectorAnswers, ExactlyOnceWorker};
use super::sink_connector_config::{
    DLQ_TOPIC_NAME, check_consumer_group, check_topics, sink_connector_config_def,
};
use super::source_connector_config::{
    SOURCE_DLQ_TOPIC_NAME, check_dead_letters, source_connector_config_def,
};
use super::topic_creation::{TOPIC_CREATION_PREFIX, TopicCreation};
use crate::herder::ConnectorType;

/// What a plugin says about a configuration.
#[derive(Debug, Clone, Default)]
pub struct PluginValidation {
    /// Its definition, in definition order.
    pub definition: Vec<ConfigKeyInfo>,
    /// What its validation found.
    pub values: Vec<ConfigValue>,
}

/// Why a required version cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionProblem {
    /// The message for the version key, and for the class key when the class has no such version.
    pub message: String,
    /// The versions there are; empty when the requirement itself cannot be read.
    pub available: Vec<String>,
}

/// What validation has to know about the worker's plugins and clients.
pub trait PluginView {
    /// The full class name that a class name or alias stands for among the classes of a kind.
    fn find_class(&self, kind: PluginKind, name: &str) -> Option<String>;

    /// Full names of all classes of a kind.
    fn classes(&self, kind: PluginKind) -> Vec<String>;

    /// All versions of a class, lowest first.
    fn versions(&self, kind: PluginKind, class: &str) -> Vec<String>;

    /// Checks that a class has a version that meets the requirement.
    ///
    /// # Errors
    ///
    /// The requirement cannot be read or met.
    fn check_version(&self, kind: PluginKind, class: &str, requirement: &str) -> Result<(), VersionProblem>;

    /// The keys that a transformation or predicate takes.
    ///
    /// # Errors
    ///
    /// It cannot be made; this becomes an error on the class key.
    fn plugin_config(&self, kind: PluginKind, class: &str, version: Option<&str>) -> Result<ConfigDef>;

    /// What a transformation or predicate says of its settings (prefix removed) beyond what its definition does: the
    /// validators of classes in libraries run there. Empty for those that are built in.
    ///
    /// # Errors
    ///
    /// The plugin fails.
    fn plugin_values(
        &self,
        kind: PluginKind,
        class: &str,
        version: Option<&str>,
        config: &ConfigMap,
    ) -> Result<Vec<ConfigValue>>;

    /// All versions of the connector's class.
    fn connector_versions(&self) -> Vec<String>;

    /// Checks that the connector's class has a version that meets the requirement.
    ///
    /// # Errors
    ///
    /// The requirement cannot be read or met.
    fn check_connector_version(&self, requirement: &str) -> Result<(), VersionProblem>;

    /// Lets a converter validate its settings (prefix removed, `converter.type` added). Nothing when it defines none.
    ///
    /// # Errors
    ///
    /// The converter cannot be made; this becomes an error on the class key.
    fn validate_converter(
        &self,
        kind: ConverterKind,
        class: &str,
        version: Option<&str>,
        config: &NullableConfigMap,
    ) -> Result<Option<PluginValidation>>;

    /// What the connector says of exactly-once delivery with this configuration; `None` when it says nothing.
    ///
    /// # Errors
    ///
    /// The connector fails.
    fn exactly_once_support(&self, config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>>;

    /// Whether the connector's tasks can say where transactions end.
    ///
    /// # Errors
    ///
    /// The connector fails.
    fn transaction_boundaries(&self, config: &ConfigMap) -> Result<ConnectorTransactionBoundaries>;

    /// The definition of a Kafka client's setting, where known.
    fn client_key(&self, client: ClientKind, key: &str) -> Option<ConfigKeyInfo>;

    /// What is wrong with a connector's settings for a client, beyond their types: key (without prefix) and message.
    fn client_problems(&self, client: ClientKind, overrides: &ConfigMap) -> Vec<(String, String)>;
}

/// What is to be validated, and how the worker is set.
pub struct ValidationRequest<'a> {
    /// The configuration, variables replaced. Values may be null.
    pub config: &'a NullableConfigMap,
    /// Source or sink.
    pub connector_type: ConnectorType,
    /// Defaults that depend on worker and plugins.
    pub defaults: &'a FrameworkDefaults,
    /// Which client settings may be overridden.
    pub override_policy: &'a ClientOverridePolicy,
    /// Whether the worker creates topics by rules.
    pub topic_creation_enable: bool,
    /// The group of which the worker is a member, if it is one.
    pub worker_group: Option<&'a str>,
    /// What the worker does of exactly-once delivery.
    pub exactly_once: ExactlyOnceWorker,
    /// Plugins and clients.
    pub plugins: &'a dyn PluginView,
}

/// The connector, asked about a configuration.
struct Asked<'a>(&'a dyn PluginView, ConfigMap);

impl ConnectorAnswers for Asked<'_> {
    fn exactly_once_support(&self) -> Result<Option<ExactlyOnceSupport>> {
        self.0.exactly_once_support(&self.1)
    }

    fn transaction_boundaries(&self) -> Result<ConnectorTransactionBoundaries> {
        self.0.transaction_boundaries(&self.1)
    }
}

/// The connector's class as a configuration gives it.
///
/// # Errors
///
/// It is missing; the message names the keys that are there, without their values, which may be secret.
pub fn connector_class(config: &NullableConfigMap) -> Result<&str> {
    config
        .get(CONNECTOR_CLASS)
        .and_then(Option::as_deref)
        .map(str::trim)
        .filter(|class| !class.is_empty())
        .ok_or_else(|| {
            let keys = config.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            ConnectError::config(format!("Connector config {{{keys}}} contains no connector type"))
        })
}

/// The framework's definition for a type of connector.
#[must_use]
pub fn framework_config_def(connector_type: ConnectorType, defaults: &FrameworkDefaults) -> ConfigDef {
    match connector_type {
        ConnectorType::Sink => sink_connector_config_def(defaults),
        _ => source_connector_config_def(defaults),
    }
}

/// Whether a key is one that the framework reads for connectors of either kind.
#[must_use]
pub fn is_framework_key(key: &str) -> bool {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let defaults = FrameworkDefaults::default();
        [ConnectorType::Source, ConnectorType::Sink]
            .into_iter()
            .flat_map(|kind| {
                let def = framework_config_def(kind, &defaults);
                def.names().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    });
    names.contains(key)
}

/// The listing of a connector's keys: its own in definition order, then the framework's that it does not define.
#[must_use]
pub fn connector_definitions(
    connector_type: ConnectorType,
    defaults: &FrameworkDefaults,
    own: &[ConfigKeyInfo],
) -> Vec<ConfigDefinition> {
    let names: BTreeSet<&str> = own.iter().map(|info| info.name.as_str()).collect();
    let framework = framework_config_def(connector_type, defaults);
    own.iter()
        .chain(
            framework
                .infos()
                .filter(|info| !names.contains(info.name.as_str())),
        )
        .map(ConfigDefinition::from)
        .collect()
}

/// Validates a connector configuration. `connector` asks the connector itself; it is not called when its required
/// version cannot be had.
///
/// # Errors
///
/// There is no `connector.class`, or the connector's own validation failed as a whole.
pub fn validate_connector(
    request: &ValidationRequest<'_>,
    connector: impl FnOnce(&NullableConfigMap) -> Result<PluginValidation>,
) -> Result<ConfigInfos> {
    let class = connector_class(request.config)?;
    let framework = framework_config_def(request.connector_type, request.defaults);
    let enriched = EnrichedConfig::new(framework, request.config, request.plugins);
    let mut values = enriched.def().validate_nullable(request.config);
    enriched.check(request.config, request.plugins, &mut values);
    let def = enriched.into_def();
    if request.connector_type == ConnectorType::Sink {
        check_topics(request.config, &mut values);
        if let Some(group) = request.worker_group {
            check_consumer_group(request.config, group, &mut values);
        }
    }
    let version_fits = check_connector_version(request, &mut values);
    let converters: Vec<_> = ConverterKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, check_converter(request, kind, &mut values)?)))
        .collect();
    let is_sink = request.connector_type == ConnectorType::Sink;
    check_dead_letters(is_sink, &texts(request.config), &mut values);
    check_topic_creation(request, &mut values);
    for (key, _) in request.config.iter().filter(|(_, value)| value.is_none()) {
        add_error(
            &mut values,
            key,
            "Null value can not be supplied as the configuration value.".to_owned(),
        );
    }
    if !version_fits {
        return Ok(merge(class, &def, &PluginValidation::default(), values));
    }
    if request.connector_type == ConnectorType::Source {
        let asked = Asked(request.plugins, texts(request.config));
        exactly_once_checks::check(request.exactly_once, &asked, &mut values);
    }
    let own = connector(request.config)?;
    let converters: Vec<_> = converters
        .into_iter()
        .filter_map(|(kind, class)| validate_converter(request, kind, &class, &mut values))
        .collect();
    let mut result = merge(class, &def, &own, values);
    for kind in ClientKind::ALL
        .into_iter()
        .filter(|kind| uses_client(request, *kind))
    {
        append(&mut result, client_overrides(request, kind));
    }
    for part in converters {
        append(&mut result, part);
    }
    Ok(result)
}

/// Adds a message to a key's value, making the value if there is none yet.
pub(super) fn add_error(values: &mut Vec<ConfigValue>, key: &str, message: String) {
    let at = values
        .iter()
        .position(|value| value.name == key)
        .unwrap_or_else(|| {
            values.push(ConfigValue::new(key));
            values.len() - 1
        });
    values[at].add_error(message);
}

pub(super) fn set_recommended(values: &mut [ConfigValue], key: &str, recommended: Vec<String>) {
    if let Some(value) = values.iter_mut().find(|value| value.name == key) {
        value.recommended_values = recommended.into_iter().map(ParsedValue::from).collect();
    }
}

fn check_connector_version(request: &ValidationRequest<'_>, values: &mut Vec<ConfigValue>) -> bool {
    set_recommended(values, CONNECTOR_VERSION, request.plugins.connector_versions());
    let Some(requirement) = given(request.config, CONNECTOR_VERSION) else {
        return true;
    };
    let Err(problem) = request.plugins.check_connector_version(requirement) else {
        return true;
    };
    if !problem.available.is_empty() {
        add_error(values, CONNECTOR_CLASS, problem.message.clone());
    }
    add_error(values, CONNECTOR_VERSION, problem.message);
    false
}

/// Resolves the converter that the connector names itself; nothing when it names none or a wrong one.
fn check_converter(
    request: &ValidationRequest<'_>,
    kind: ConverterKind,
    values: &mut Vec<ConfigValue>,
) -> Option<String> {
    set_recommended(
        values,
        kind.class_key(),
        request.plugins.classes(kind.plugin_kind()),
    );
    let own = given(request.config, kind.class_key());
    let found = match own {
        Some(name) => match request.plugins.find_class(kind.plugin_kind(), name) {
            Some(class) => Some(class),
            None => {
                let reason = format!("Class {name} could not be found.");
                let error = ConnectError::invalid_config(kind.class_key(), name, &reason);
                add_error(values, kind.class_key(), error.message().to_owned());
                None
            }
        },
        None => None,
    };
    if let Some(value) = values.iter_mut().find(|value| value.name == kind.class_key()) {
        // an alias is shown as the class it stands for
        match (&found, own) {
            (Some(class), _) => value.value = ParsedValue::Class(class.clone()),
            (None, Some(_)) => value.value = ParsedValue::Null,
            (None, None) => {}
        }
    }
    let class = found.clone().or_else(|| match kind {
        _ if own.is_some() => None,
        ConverterKind::Key => request.defaults.key_converter.class.clone(),
        ConverterKind::Value => request.defaults.value_converter.class.clone(),
        ConverterKind::Header => request.defaults.header_converter.class.clone(),
    });
    // a converter that is not there has no versions to choose from
    if own.is_some()
        && found.is_none()
        && let Some(version) = values.iter_mut().find(|value| value.name == kind.version_key())
    {
        version.visible = false;
    }
    if let Some(class) = &class {
        set_recommended(
            values,
            kind.version_key(),
            request.plugins.versions(kind.plugin_kind(), class),
        );
        if let Some(requirement) = given(request.config, kind.version_key())
            && let Err(problem) = request
                .plugins
                .check_version(kind.plugin_kind(), class, requirement)
        {
            if !problem.available.is_empty() {
                add_error(values, kind.class_key(), problem.message.clone());
            }
            add_error(values, kind.version_key(), problem.message);
            return None;
        }
    }
    found
}

/// Problems of topic creation rules. Their keys have no definition of their own, so only those with errors are listed.
fn check_topic_creation(request: &ValidationRequest<'_>, values: &mut Vec<ConfigValue>) {
    if request.connector_type == ConnectorType::Sink || !request.topic_creation_enable {
        return;
    }
    if let Err(problems) = TopicCreation::parse(&texts(request.config)) {
        for (key, message) in problems {
            add_error(values, &key, message);
        }
    }
}

fn uses_client(request: &ValidationRequest<'_>, kind: ClientKind) -> bool {
    if request.connector_type == ConnectorType::Sink {
        let dead_letters = given(request.config, DLQ_TOPIC_NAME).is_some_and(|topic| !topic.is_empty());
        return kind == ClientKind::Consumer || dead_letters;
    }
    match kind {
        ClientKind::Producer => true,
        ClientKind::Consumer => false,
        ClientKind::Admin => {
            let creates = |key: &String| key.starts_with(TOPIC_CREATION_PREFIX);
            request.config.keys().any(creates)
                || given(request.config, SOURCE_DLQ_TOPIC_NAME).is_some_and(|topic| !topic.is_empty())
        }
    }
}

fn client_overrides(request: &ValidationRequest<'_>, kind: ClientKind) -> Part {
    let overrides = kind.overrides(&texts(request.config));
    let problems = request.plugins.client_problems(kind, &overrides);
    let mut infos = Vec::new();
    let mut values = Vec::new();
    let question = OverrideRequest {
        properties: &overrides,
        client: match kind {
            ClientKind::Producer => ClientType::Producer,
            ClientKind::Consumer => ClientType::Consumer,
            ClientKind::Admin => ClientType::Admin,
        },
        connector_name: given(request.config, NAME).unwrap_or_default(),
        connector_type: match request.connector_type {
            ConnectorType::Sink => "sink",
            _ => "source",
        },
        connector_class: given(request.config, CONNECTOR_CLASS).unwrap_or_default(),
    };
    // A policy that cannot decide allows nothing.
    let decided = request
        .override_policy
        .validate(&question)
        .unwrap_or_else(|error| {
            let refuse = |(key, text): (&String, &String)| {
                let mut value = ConfigValue::with_value(key, text.as_str());
                value.add_error(format!("the override policy cannot decide: {error:#}"));
                value
            };
            overrides.iter().map(refuse).collect()
        });
    for mut value in decided {
        let text = overrides.get(&value.name).map(String::as_str).unwrap_or_default();
        if let Some(info) = request.plugins.client_key(kind, &value.name) {
            match parse_type(&value.name, text, info.value_type) {
                Ok(parsed) => value.value = parsed,
                Err(error) => {
                    value.value = ParsedValue::Null;
                    value.add_error(error.message());
                }
            }
            infos.push(info);
        }
        for (key, message) in &problems {
            if *key == value.name && !value.errors.contains(message) {
                value.add_error(message.as_str());
            }
        }
        values.push(value);
    }
    prefixed(kind.override_prefix(), &infos, &values)
}

/// Lets a converter check its own settings. Nothing when it has no definition or already has an error.
fn validate_converter(
    request: &ValidationRequest<'_>,
    kind: ConverterKind,
    class: &str,
    values: &mut Vec<ConfigValue>,
) -> Option<Part> {
    if values
        .iter()
        .any(|value| value.name == kind.class_key() && !value.errors.is_empty())
    {
        return None;
    }
    let mut config: NullableConfigMap = request
        .config
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(kind.prefix())?.to_owned(), value.clone())))
        .collect();
    config.remove("plugin.version");
    config
        .entry("converter.type".to_owned())
        .or_insert_with(|| Some(kind.name().to_owned()));
    let version = given(request.config, kind.version_key());
    match request.plugins.validate_converter(kind, class, version, &config) {
        Ok(None) => None,
        Ok(Some(found)) => Some(prefixed(kind.prefix(), &found.definition, &found.values)),
        Err(error) => {
            let message = format!("Failed to load class {class}: {}", error.message());
            add_error(values, kind.class_key(), message);
            None
        }
    }
}

/// The contribution of a converter or client: here keys with errors are counted, not messages.
struct Part {
    error_count: usize,
    groups: Vec<String>,
    configs: Vec<ConfigInfo>,
}

fn prefixed(prefix: &str, infos: &[ConfigKeyInfo], values: &[ConfigValue]) -> Part {
    let mut part = Part {
        error_count: 0,
        groups: Vec::new(),
        configs: Vec::new(),
    };
    for value in values {
        let info = infos.iter().find(|info| info.name == value.name);
        part.groups.extend(info.and_then(|info| info.group.clone()));
        part.error_count += usize::from(!value.errors.is_empty());
        let mut shown = ConfigValueInfo::from(value);
        shown.name.insert_str(0, prefix);
        let definition = info.map(|info| ConfigDefinition::with_prefix(prefix, info));
        part.configs.push(ConfigInfo {
            definition,
            value: Some(shown),
        });
    }
    part
}

fn append(result: &mut ConfigInfos, part: Part) {
    result.error_count += part.error_count;
    for group in part.groups {
        if !result.groups.contains(&group) {
            result.groups.push(group);
        }
    }
    result.configs.extend(part.configs);
}

/// Framework and connector together: values without definition first, then framework keys, then the connector's. A key
/// of the connector that the framework defines too takes that place with the connector's definition and value.
fn merge(
    class: &str,
    framework: &ConfigDef,
    own: &PluginValidation,
    values: Vec<ConfigValue>,
) -> ConfigInfos {
    let own_info = |name: &str| own.definition.iter().find(|info| info.name == name);
    let mut definitions: Vec<&ConfigKeyInfo> = framework
        .infos()
        .map(|info| own_info(&info.name).unwrap_or(info))
        .collect();
    definitions.extend(
        own.definition
            .iter()
            .filter(|info| framework.key(&info.name).is_none()),
    );
    let all: Vec<&ConfigValue> = values.iter().chain(&own.values).collect();
    let mut error_count = 0;
    let mut configs = Vec::new();
    for value in all
        .iter()
        .filter(|value| !definitions.iter().any(|info| info.name == value.name))
    {
        error_count += value.errors.len();
        configs.push(ConfigInfo {
            definition: None,
            value: Some(ConfigValueInfo::from(*value)),
        });
    }
    for info in definitions {
        // the later wins: the connector's after the framework's
        let value = all.iter().rev().find(|value| value.name == info.name);
        error_count += value.map_or(0, |value| value.errors.len());
        configs.push(ConfigInfo {
            definition: Some(ConfigDefinition::from(info)),
            value: value.map(|value| ConfigValueInfo::from(*value)),
        });
    }
    let mut groups: Vec<String> = framework.groups().into_iter().map(str::to_owned).collect();
    for group in own.definition.iter().filter_map(|info| info.group.as_ref()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    ConfigInfos {
        name: class.to_owned(),
        error_count,
        groups,
        configs,
    }
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
