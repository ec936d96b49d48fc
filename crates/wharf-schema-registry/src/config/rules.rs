//! Keys about rules of schemas, about what goes along with a schema, and those whose work is not done here and would be missed.
//!
//! Whether a record meets rules is seen when its schema is known, and it fails then ([`crate::RuleSet`]). Keys that bring an executor or an
//! action along, which are Java classes, are refused before: whoever sets them counts on fields being encrypted, checked or changed. Keys
//! that only tune what is done anyway are accepted.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, ParsedValue, Type, Validator};
use wharf_api::{ConnectError, Result};

use crate::rules::is_override;

/// What executors and actions are named by; their own settings have the name between.
const RULES: [&str; 2] = ["rule.executors", "rule.actions"];
const NO_RULES: &str = "rules of schemas (conditions, encryption, migrations) are not run by this converter; remove the key and use \
                        schemas without rules, or leave this connector to a worker whose converter runs them";
const NO_BACKUP: &str = "records are not wrapped together with their schemas here; set it to false, or leave this connector to a worker \
                         whose converter does";
const NO_PLACE: &str = "must be ALL, CLIENT, GATEWAY, SERVER or NONE";

/// Adds the keys.
pub(super) fn rules(base: ConfigDef) -> ConfigDef {
    let low = |name: &str, value_type, doc: &str| {
        ConfigKey::new(name, value_type)
            .importance(Importance::Low)
            .doc(doc)
    };
    let base = RULES.into_iter().fold(base, |base, name| {
        base.define(
            low(
                name,
                Type::List,
                "Names of what runs rules of schemas. A name alone has no effect; its class cannot be brought along.",
            )
            .default(""),
        )
    });
    base.define(
        low(
            "rule.service.loader.enable",
            Type::Boolean,
            "Whether executors are looked for. There are none, so it has no effect.",
        )
        .default(true),
    )
    .define(
        low(
            "validation.rules.execution",
            Type::String,
            "When rules inside schemas are run. Must stay DISABLED: they are not run.",
        )
        .importance(Importance::Medium)
        .default("DISABLED")
        .validator(refuse("DISABLED", NO_RULES, |value| {
            value
                .as_str()
                .is_none_or(|text| text.eq_ignore_ascii_case("DISABLED"))
        })),
    )
    .define(
        low(
            "validation.rules.fail.fast",
            Type::Boolean,
            "Whether the first broken rule inside a schema is enough. None is run, so it has no effect.",
        )
        .default(false),
    )
    .define(
        low(
            "propagate.schema.tags",
            Type::Boolean,
            "Whether the registry copies tags of the version before into a schema that is registered.",
        )
        .default(false),
    )
    .define(
        low(
            "rule.metrics.enable",
            Type::Boolean,
            "Whether runs of rules are counted. None is run, so it has no effect.",
        )
        .default(true),
    )
    .define(
        low(
            "validation.rules.executor.class",
            Type::String,
            "The Java class that runs rules inside schemas. None is run, so it has no effect.",
        )
        .default("io.confluent.kafka.schemaregistry.rules.cel.CelValidator"),
    )
    .define(
        low(
            "execution.environment",
            Type::String,
            "Where this is, for rules that count in one place only: ALL, CLIENT, GATEWAY, SERVER or NONE.",
        )
        .importance(Importance::Medium)
        .default_null()
        .validator(refuse("ALL, CLIENT, GATEWAY, SERVER or NONE", NO_PLACE, |value| {
            value
                .as_str()
                .is_none_or(|place| ["ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"].contains(&place))
        })),
    )
    .define(
        low(
            "schema.backup.enabled",
            Type::Boolean,
            "Whether records are wrapped together with their schema's text and references. Must stay false.",
        )
        .default(false)
        .validator(refuse("false", NO_BACKUP, |value| {
            !matches!(value, ParsedValue::Boolean(true))
        })),
    )
    .define(
        low(
            "schema.format",
            Type::String,
            "The form in which schemas are registered. `serialized` makes the Protobuf converter register descriptors; nothing else has an \
             effect, and every form is read.",
        )
        .default_null(),
    )
}

fn refuse(allowed: &str, reason: &'static str, holds: fn(&ParsedValue) -> bool) -> Validator {
    Validator::custom(allowed, move |name, value| match holds(value) {
        true => Ok(()),
        false => Err(ConnectError::invalid_config(name, value, reason)),
    })
}

/// Settings of executors and actions, which no definition can list. Their values are often secrets and never shown.
pub(super) fn check_prefixed(parsed: &ParsedConfig) -> Result<()> {
    let belongs_to_a_class = |key: &&String| {
        !is_override(key)
            && RULES
                .iter()
                .any(|prefix| key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')))
    };
    match parsed.originals().keys().find(belongs_to_a_class) {
        Some(key) => Err(ConnectError::config(format!("{key} cannot be used: {NO_RULES}"))),
        None => Ok(()),
    }
}
