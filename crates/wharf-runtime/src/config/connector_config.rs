//! The keys that the framework defines for every connector, and the checked form of a connector's configuration.

use std::fmt;

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator, Width};
use wharf_api::{ConfigMap, ConnectError, Result};
use wharf_transforms::JavaRegex;

use super::WorkerConfig;
use super::converter_config::{ConverterConfig, ConverterKind};
use super::error_config::ErrorConfig;

/// The key with the connector's name.
pub const NAME: &str = "name";
/// The key with the connector's class or alias.
pub const CONNECTOR_CLASS: &str = "connector.class";
/// The key with the connector's version or version range (KIP-891).
pub const CONNECTOR_VERSION: &str = "connector.plugin.version";

pub(super) const COMMON_GROUP: &str = "Common";
pub(super) const ERROR_GROUP: &str = "Error Handling";

/// What listings show as the default of a converter key: the worker's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConverterDefault {
    /// Full class name.
    pub class: Option<String>,
    /// Version that would be used.
    pub version: Option<String>,
}

/// Defaults that depend on the worker and its plugins (KIP-891). All empty is right where nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameworkDefaults {
    /// Newest version of the connector's class.
    pub connector_version: Option<String>,
    /// The worker's key converter.
    pub key_converter: ConverterDefault,
    /// The worker's value converter.
    pub value_converter: ConverterDefault,
    /// The worker's header converter.
    pub header_converter: ConverterDefault,
}

/// The keys of all connectors, in upstream's order, groups and widths.
#[must_use]
pub fn connector_config_def(defaults: &FrameworkDefaults) -> ConfigDef {
    let def = ConfigDef::new()
        .define(
            common(NAME, Type::String, Importance::High, 1, Width::Medium, "Connector name")
                .validator(Validator::NonEmptyStringWithoutControlChars)
                .doc("The connector's name, unique among all connectors."),
        )
        .define(
            common(CONNECTOR_CLASS, Type::String, Importance::High, 2, Width::Long, "Connector class").doc(
                "The connector's class: its full name, its simple name, or the simple name without `Connector`.",
            ),
        )
        .define(optional(
            common(CONNECTOR_VERSION, Type::String, Importance::Medium, 3, Width::Medium, "Connector version")
                .doc("The connector's version: one version, a range such as `[1.0,2.0)`, or `latest`."),
            defaults.connector_version.as_deref(),
        ))
        .define(
            common("tasks.max", Type::Int, Importance::High, 4, Width::Short, "Tasks max")
                .default(1)
                .validator(Validator::at_least(1))
                .doc("How many tasks the connector may have at most."),
        )
        .define(
            common("tasks.max.enforce", Type::Boolean, Importance::Low, 5, Width::Short, "Enforce tasks max")
                .default(true)
                .doc(
                    "Whether a connector that asks for more tasks than tasks.max fails. Without it there is only a \
                     warning. Deprecated upstream from the start.",
                ),
        );
    let def = converter_keys(def, ConverterKind::Key, &defaults.key_converter, 6, "Key");
    let def = converter_keys(def, ConverterKind::Value, &defaults.value_converter, 8, "Value");
    let def = converter_keys(
        def,
        ConverterKind::Header,
        &defaults.header_converter,
        10,
        "Header",
    );
    let def = def
        .define(aliases("transforms", "transformation", "Transforms", 12, "Transforms"))
        .define(aliases("predicates", "predicate", "Predicates", 13, "Predicates"))
        .define(
            common("config.action.reload", Type::String, Importance::Low, 14, Width::Medium, "Reload Action")
                .default("restart")
                .validator(Validator::one_of(["none", "restart"]))
                .doc("What happens when a value from a config provider expires: the connector restarts, or nothing."),
        );
    error_keys(def)
}

fn error_keys(def: ConfigDef) -> ConfigDef {
    def.define(
        error(
            "errors.retry.timeout",
            Type::Long,
            1,
            Width::Medium,
            "Retry Timeout for Errors",
        )
        .default(0)
        .doc("How long a failed operation is tried again, in milliseconds; 0 for not at all, -1 for ever."),
    )
    .define(
        error(
            "errors.retry.delay.max.ms",
            Type::Long,
            2,
            Width::Medium,
            "Maximum Delay Between Retries for Errors",
        )
        .default(60_000)
        .doc("The longest pause between two attempts, in milliseconds."),
    )
    .define(
        error(
            "errors.tolerance",
            Type::String,
            3,
            Width::Short,
            "Error Tolerance",
        )
        .default("none")
        .validator(Validator::one_of(["none", "all"]))
        .doc("Whether a record that cannot be processed fails the task (none) or is skipped (all)."),
    )
    .define(
        error("errors.log.enable", Type::Boolean, 4, Width::Short, "Log Errors")
            .default(false)
            .doc("Whether every failed operation is logged, tolerated ones too."),
    )
    .define(
        error(
            "errors.log.include.messages",
            Type::Boolean,
            5,
            Width::Short,
            "Log Error Details",
        )
        .default(false)
        .doc("Whether the log of a failed operation shows the record."),
    )
}

fn converter_keys(
    def: ConfigDef,
    kind: ConverterKind,
    default: &ConverterDefault,
    order: i32,
    word: &str,
) -> ConfigDef {
    let class = common(
        kind.class_key(),
        Type::Class,
        Importance::Low,
        order,
        Width::Short,
        &format!("{word} converter class"),
    )
    .doc(format!(
        "Converter of {kind}s. Its settings follow under `{}`. Without it, the worker's converter is used with the \
         worker's settings.",
        kind.prefix()
    ));
    let version = common(
        kind.version_key(),
        Type::String,
        Importance::Low,
        order + 1,
        Width::Short,
        &format!("{word} converter version"),
    )
    .doc(format!(
        "Version of the {kind} converter: one version, a range, or `latest`."
    ));
    def.define(optional(class, default.class.as_deref()))
        .define(optional(version, default.version.as_deref()))
}

pub(super) fn common(
    name: &str,
    value_type: Type,
    importance: Importance,
    order: i32,
    width: Width,
    display: &str,
) -> ConfigKey {
    ConfigKey::new(name, value_type)
        .importance(importance)
        .group(COMMON_GROUP, order)
        .width(width)
        .display_name(display)
}

pub(super) fn error(name: &str, value_type: Type, order: i32, width: Width, display: &str) -> ConfigKey {
    ConfigKey::new(name, value_type)
        .importance(Importance::Medium)
        .group(ERROR_GROUP, order)
        .width(width)
        .display_name(display)
}

/// A list of aliases, each given once.
pub(super) fn aliases(name: &str, kind: &str, group: &str, order: i32, display: &str) -> ConfigKey {
    let unique = Validator::custom(format!("unique {kind} aliases"), |name, value| {
        let items = value.as_list().unwrap_or_default();
        if items
            .iter()
            .enumerate()
            .any(|(at, item)| items[..at].contains(item))
        {
            return Err(ConnectError::invalid_config(
                name,
                value,
                "Duplicate alias provided.",
            ));
        }
        Ok(())
    });
    ConfigKey::new(name, Type::List)
        .default("")
        .validator(Validator::All(vec![Validator::NonNull, unique]))
        .importance(Importance::Low)
        .doc(format!(
            "Names of the {kind}s; the settings of each follow under `{name}.<name>.`."
        ))
        .group(group, order)
        .width(Width::Long)
        .display_name(display)
}

fn optional(key: ConfigKey, default: Option<&str>) -> ConfigKey {
    match default {
        Some(text) => key.default(text),
        None => key.default_null(),
    }
}

/// A regular expression in Java's grammar.
pub(super) fn valid_regex() -> Validator {
    Validator::custom("valid regex", |name, value| {
        match value.as_str().map(JavaRegex::new) {
            Some(Err(error)) => Err(ConnectError::invalid_config(
                name,
                value,
                &format!("Invalid regex: {}", error.message()),
            )),
            _ => Ok(()),
        }
    })
}

/// A connector's configuration as far as the framework reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorConfig {
    /// The connector's name.
    pub name: String,
    /// Its class or alias, as given.
    pub class: String,
    /// Required version or range.
    pub version: Option<String>,
    /// Most tasks it may have.
    pub tasks_max: u32,
    /// Whether asking for more fails the connector.
    pub tasks_max_enforce: bool,
    /// Its own key converter.
    pub key_converter: Option<ConverterConfig>,
    /// Its own value converter.
    pub value_converter: Option<ConverterConfig>,
    /// Its own header converter.
    pub header_converter: Option<ConverterConfig>,
    /// How failures of records are treated.
    pub errors: ErrorConfig,
    /// Everything as given.
    pub originals: ConfigMap,
}

impl ConnectorConfig {
    /// Reads a configuration that passed validation.
    ///
    /// # Errors
    ///
    /// The first value that does not fit.
    pub fn parse(config: &ConfigMap) -> Result<Self> {
        let parsed = connector_config_def(&FrameworkDefaults::default()).parse(config)?;
        let converter = |kind: ConverterKind| {
            parsed
                .get_class(kind.class_key())
                .map(|class| ConverterConfig::new(kind, class, config))
        };
        Ok(Self {
            name: parsed.string(NAME)?.to_owned(),
            class: parsed.string(CONNECTOR_CLASS)?.to_owned(),
            version: parsed.get_string(CONNECTOR_VERSION).map(str::to_owned),
            tasks_max: parsed.int("tasks.max")?.unsigned_abs(),
            tasks_max_enforce: parsed.boolean("tasks.max.enforce")?,
            key_converter: converter(ConverterKind::Key),
            value_converter: converter(ConverterKind::Value),
            header_converter: converter(ConverterKind::Header),
            errors: ErrorConfig::new(&parsed)?,
            originals: config.clone(),
        })
    }

    /// The converter to use: the connector's own, else the worker's with the worker's settings.
    #[must_use]
    pub fn converter<'a>(&'a self, kind: ConverterKind, worker: &'a WorkerConfig) -> &'a ConverterConfig {
        match kind {
            ConverterKind::Key => self.key_converter.as_ref(),
            ConverterKind::Value => self.value_converter.as_ref(),
            ConverterKind::Header => self.header_converter.as_ref(),
        }
        .unwrap_or_else(|| worker.converter(kind))
    }
}

impl fmt::Debug for ConnectorConfig {
    /// Leaves the values out, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorConfig")
            .field("name", &self.name)
            .field("class", &self.class)
            .field("version", &self.version)
            .field("tasks_max", &self.tasks_max)
            .field("keys", &self.originals.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn keys_stand_in_upstreams_order_with_its_numbers() {
        let def = connector_config_def(&FrameworkDefaults::default());
        assert_eq!(def.check(), Ok(()));
        let rows: Vec<_> = def
            .infos()
            .map(|info| {
                (
                    info.name.as_str(),
                    info.group.as_deref().unwrap_or(""),
                    info.order_in_group,
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("name", "Common", 1),
                ("connector.class", "Common", 2),
                ("connector.plugin.version", "Common", 3),
                ("tasks.max", "Common", 4),
                ("tasks.max.enforce", "Common", 5),
                ("key.converter", "Common", 6),
                ("key.converter.plugin.version", "Common", 7),
                ("value.converter", "Common", 8),
                ("value.converter.plugin.version", "Common", 9),
                ("header.converter", "Common", 10),
                ("header.converter.plugin.version", "Common", 11),
                ("transforms", "Transforms", 12),
                ("predicates", "Predicates", 13),
                ("config.action.reload", "Common", 14),
                ("errors.retry.timeout", "Error Handling", 1),
                ("errors.retry.delay.max.ms", "Error Handling", 2),
                ("errors.tolerance", "Error Handling", 3),
                ("errors.log.enable", "Error Handling", 4),
                ("errors.log.include.messages", "Error Handling", 5),
            ]
        );
        assert_eq!(
            def.groups(),
            ["Common", "Transforms", "Predicates", "Error Handling"]
        );
    }

    #[test]
    fn defaults_of_the_worker_show_in_the_definition() {
        let defaults = FrameworkDefaults {
            connector_version: Some("1.2".into()),
            key_converter: ConverterDefault {
                class: Some("a.B".into()),
                version: None,
            },
            ..FrameworkDefaults::default()
        };
        let def = connector_config_def(&defaults);
        let default = |name: &str| def.key(name).unwrap().info().default_text();
        assert_eq!(default(CONNECTOR_VERSION).as_deref(), Some("1.2"));
        assert_eq!(default("key.converter").as_deref(), Some("a.B"));
        assert_eq!(default("value.converter"), None);
    }

    #[test]
    fn repeated_aliases_and_bad_names_are_refused() {
        let def = connector_config_def(&FrameworkDefaults::default());
        let values = def.validate(&map(&[
            ("name", "a\u{1}b"),
            ("connector.class", "C"),
            ("transforms", "t,u,t"),
        ]));
        let errors: Vec<_> = values.iter().flat_map(|value| &value.errors).collect();
        assert_eq!(
            errors,
            [
                "Invalid value a\u{1}b for configuration name: String may not contain control sequences but had the \
             following ASCII chars: 1",
                "Invalid value [t, u, t] for configuration transforms: Duplicate alias provided.",
            ]
        );
    }

    #[test]
    fn converter_settings_count_only_with_the_class() {
        let worker = crate::config::StandaloneConfig::parse(&map(&[
            ("bootstrap.servers", "b:1"),
            ("key.converter", "K"),
            ("value.converter", "V"),
            ("value.converter.x", "worker"),
            ("offset.storage.file.filename", "/tmp/o"),
        ]))
        .unwrap()
        .worker;
        let config = ConnectorConfig::parse(&map(&[
            ("name", "c"),
            ("connector.class", "C"),
            ("tasks.max", "3"),
            ("key.converter", "Own"),
            ("key.converter.x", "own"),
            ("value.converter.x", "lost"),
        ]))
        .unwrap();
        assert_eq!((config.tasks_max, config.tasks_max_enforce), (3, true));
        assert_eq!(config.converter(ConverterKind::Key, &worker).config["x"], "own");
        let value = config.converter(ConverterKind::Value, &worker);
        assert_eq!(
            (value.class.as_str(), value.config["x"].as_str()),
            ("V", "worker")
        );
    }
}
