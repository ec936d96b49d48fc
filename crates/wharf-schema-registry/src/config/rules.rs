//! Keys about rules of schemas, about what goes along with a schema, and those whose work is not done here and would be missed.
//!
//! Whether a record meets rules is seen when its schema is known, and it fails then ([`crate::RuleSet`]). Keys that bring an executor or an
//! action along, which are Java classes, are refused before: whoever sets them counts on fields being encrypted, checked or changed. Keys
//! that only tune what is done anyway are accepted.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, ParsedValue, Type, Validator};
use wharf_api::{ConnectError, Result};

use crate::rules::is_override;

/// Whether records go together with their schemas.
pub(super) const BACKUP: &str = "schema.backup.enabled";
/// What executors and actions are named by; their own settings have the name between.
const RULES: [&str; 2] = ["rule.executors", "rule.actions"];
const NO_RULES: &str = "rules of schemas (conditions, encryption, migrations) are not run by this converter; remove the key and use \
                        schemas without rules, or leave this connector to a worker whose converter runs them";
const NO_VALIDATION: &str = "validation rule executor class 'io.confluent.kafka.schemaregistry.rules.cel.CelValidator' could not be loaded: it \
                             is in kafka-schema-rules, which neither Confluent's converters nor this one have with them; remove the key, or \
                             leave this connector to a worker whose converter has it";
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
        .validator(Validator::custom("DISABLED", validation_rules)),
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
            BACKUP,
            Type::Boolean,
            "Whether what is read is wrapped together with its schema's text and references, and such wrappers are written as what they hold, \
             with the schema they bring along.",
        )
        .default(false),
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

/// Upstream's converter fails when it is configured, because the class is missing; an unknown word is refused before.
fn validation_rules(name: &str, value: &ParsedValue) -> Result<()> {
    let known = ["DISABLED", "BEFORE_DOMAIN_RULES", "AFTER_DOMAIN_RULES"];
    let word = value.as_str().unwrap_or_default();
    let reason = match known.iter().position(|known| word.eq_ignore_ascii_case(known)) {
        Some(0) => return Ok(()),
        Some(_) => NO_VALIDATION,
        None => "Invalid enumerator",
    };
    Err(ConnectError::invalid_config(name, value, reason))
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
