//! The converter's keys: those that all registry converters share, its data keys, and those of its serializer.

use std::sync::LazyLock;

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, Type, Validator};
use wharf_api::{ConfigMap, Result};
use wharf_schema_registry::{RegistryConfig, config as shared};

use crate::options::Options;

const OBJECT_ADDITIONAL_PROPERTIES: &str = "object.additional.properties";
const USE_OPTIONAL_FOR_NONREQUIRED: &str = "use.optional.for.nonrequired";
const IGNORE_MODERN_DIALECTS: &str = "ignore.modern.dialects";
const DECIMAL_FORMAT: &str = "decimal.format";
const FLATTEN_SINGLETON_UNIONS: &str = "flatten.singleton.unions";
const PRESERVE_ADDITIONAL_PROPERTIES: &str = "preserve.additional.properties";
const GENERALIZED_SUM_TYPE_SUPPORT: &str = "generalized.sum.type.support";
const IGNORE_DEFAULT_FOR_NULLABLES: &str = "ignore.default.for.nullables";
const FAIL_INVALID_SCHEMA: &str = "json.fail.invalid.schema";
const INDENT_OUTPUT: &str = "json.indent.output";

/// What stands in the doc of keys that upstream's converter knows but never looks at.
const NO_EFFECT: &str =
    "Upstream's serializer uses it for objects of Java classes only; it has no effect on Connect data.";

fn flag(name: &str, default: bool, importance: Importance, doc: &str) -> ConfigKey {
    ConfigKey::new(name, Type::Boolean)
        .default(default)
        .importance(importance)
        .doc(doc)
}

/// All keys.
pub(crate) fn definition() -> ConfigDef {
    static DEFINITION: LazyLock<ConfigDef> =
        LazyLock::new(|| serializer_keys(data_keys(shared::definition())));
    DEFINITION.clone()
}

fn data_keys(base: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    base.define(flag(
        GENERALIZED_SUM_TYPE_SUPPORT,
        false,
        Medium,
        "Whether enums and unions have names that other schema formats share.",
    ))
    .define(flag(
        IGNORE_DEFAULT_FOR_NULLABLES,
        false,
        Medium,
        "Whether a null is written as null even where the schema has a default.",
    ))
    .define(flag(
        OBJECT_ADDITIONAL_PROPERTIES,
        true,
        Medium,
        "Whether written schemas allow properties that they do not name.",
    ))
    .define(flag(
        USE_OPTIONAL_FOR_NONREQUIRED,
        false,
        Medium,
        "Whether properties that a schema does not require become optional fields.",
    ))
    .define(flag(
        IGNORE_MODERN_DIALECTS,
        false,
        Low,
        "Whether schemas of drafts after 7 are read as draft 7.",
    ))
    .define(
        ConfigKey::new(DECIMAL_FORMAT, Type::String)
            .default("BASE64")
            .validator(Validator::one_of_ignore_case(["BASE64", "NUMERIC"]))
            .importance(Low)
            .doc("How decimals are written: BASE64 for the encoded bytes, NUMERIC for a JSON number. Both forms are read."),
    )
    .define(flag(
        FLATTEN_SINGLETON_UNIONS,
        true,
        Low,
        "Whether a combination of one schema is that schema.",
    ))
    .define(flag(
        PRESERVE_ADDITIONAL_PROPERTIES,
        false,
        Medium,
        "Whether properties that a schema does not name but allows are kept, in the field __connect_additional_properties__.",
    ))
}

fn serializer_keys(base: ConfigDef) -> ConfigDef {
    use Importance::{Low, Medium};
    base.define(flag(
        FAIL_INVALID_SCHEMA,
        false,
        Medium,
        "Whether messages are checked against their JSON Schema, written and read, and refused when they do not match.",
    ))
    .define(flag(INDENT_OUTPUT, false, Low, "Whether messages are written with line ends and indentation."))
    .define(flag("json.fail.unknown.properties", true, Low, NO_EFFECT))
    .define(flag("json.write.dates.iso8601", false, Medium, NO_EFFECT))
    .define(flag("json.oneof.for.nullables", true, Medium, NO_EFFECT))
    .define(flag("json.envelope.detection", true, Low, NO_EFFECT))
    .define(flag(
        "json.validate.before.domain.rules",
        false,
        Low,
        "Rules of the registry are not run by this converter, so it makes no difference when messages are checked.",
    ))
    .define(
        ConfigKey::new("json.schema.spec.version", Type::String)
            .default("draft_7")
            .validator(Validator::one_of_ignore_case(["draft_4", "draft_6", "draft_7", "draft_2019_09", "draft_2020_12"]))
            .importance(Medium)
            .doc(NO_EFFECT),
    )
    .define(ConfigKey::new("json.schema.scan.packages", Type::List).default("").importance(Low).doc(NO_EFFECT))
    .define(
        ConfigKey::new("json.default.property.inclusion", Type::String)
            .default_null()
            .importance(Medium)
            .doc(NO_EFFECT),
    )
    .define(ConfigKey::new("json.value.type", Type::Class).default("java.lang.Object").importance(Medium).doc(NO_EFFECT))
    .define(ConfigKey::new("json.key.type", Type::Class).default("java.lang.Object").importance(Medium).doc(NO_EFFECT))
    .define(ConfigKey::new("type.property", Type::String).default("javaType").importance(Medium).doc(NO_EFFECT))
    .define(ConfigKey::new("json.type.allowed.packages", Type::List).default("*").importance(Medium).doc(NO_EFFECT))
}

/// The configuration, checked.
pub(crate) struct JsonSchemaConverterConfig {
    pub(crate) registry: RegistryConfig,
    pub(crate) options: Options,
    /// Whether messages are checked against their schema.
    pub(crate) validates: bool,
    pub(crate) indents: bool,
}

impl JsonSchemaConverterConfig {
    /// Reads a configuration without prefix.
    ///
    /// # Errors
    /// A config error that names the key.
    pub(crate) fn parse(config: &ConfigMap) -> Result<Self> {
        let parsed: ParsedConfig = shared::parse(&definition(), config)?;
        let options = Options {
            additional_properties: parsed.boolean(OBJECT_ADDITIONAL_PROPERTIES)?,
            optional_for_nonrequired: parsed.boolean(USE_OPTIONAL_FOR_NONREQUIRED)?,
            ignore_modern_dialects: parsed.boolean(IGNORE_MODERN_DIALECTS)?,
            numeric_decimals: parsed.string(DECIMAL_FORMAT)?.eq_ignore_ascii_case("NUMERIC"),
            flatten_singleton_unions: parsed.boolean(FLATTEN_SINGLETON_UNIONS)?,
            preserve_additional_properties: parsed.boolean(PRESERVE_ADDITIONAL_PROPERTIES)?,
            generalized_sum_types: parsed.boolean(GENERALIZED_SUM_TYPE_SUPPORT)?,
            ignore_default_for_nullables: parsed.boolean(IGNORE_DEFAULT_FOR_NULLABLES)?,
        };
        Ok(Self {
            options,
            validates: parsed.boolean(FAIL_INVALID_SCHEMA)?,
            indents: parsed.boolean(INDENT_OUTPUT)?,
            registry: RegistryConfig::from_parsed(parsed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(entries: &[(&str, &str)]) -> Result<JsonSchemaConverterConfig> {
        let url = [("schema.registry.url", "http://localhost:1")];
        let entries = url.iter().chain(entries);
        JsonSchemaConverterConfig::parse(
            &entries
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn definition_holds() {
        definition().check().unwrap();
    }

    #[test]
    fn defaults_are_those_of_upstream() {
        let config = parsed(&[]).unwrap();
        assert_eq!(config.options, Options::default());
        assert!(!config.validates && !config.indents);
    }

    #[test]
    fn every_key_is_read() {
        let config = parsed(&[
            (OBJECT_ADDITIONAL_PROPERTIES, "false"),
            (USE_OPTIONAL_FOR_NONREQUIRED, "true"),
            (IGNORE_MODERN_DIALECTS, "true"),
            (DECIMAL_FORMAT, "numeric"),
            (FLATTEN_SINGLETON_UNIONS, "false"),
            (PRESERVE_ADDITIONAL_PROPERTIES, "true"),
            (GENERALIZED_SUM_TYPE_SUPPORT, "true"),
            (IGNORE_DEFAULT_FOR_NULLABLES, "true"),
            (FAIL_INVALID_SCHEMA, "true"),
            (INDENT_OUTPUT, "true"),
        ])
        .unwrap();
        let expected = Options {
            additional_properties: false,
            optional_for_nonrequired: true,
            ignore_modern_dialects: true,
            numeric_decimals: true,
            flatten_singleton_unions: false,
            preserve_additional_properties: true,
            generalized_sum_types: true,
            ignore_default_for_nullables: true,
        };
        assert_eq!(config.options, expected);
        assert!(config.validates && config.indents);
        for (key, value) in [
            (DECIMAL_FORMAT, "text"),
            ("validation.rules.execution", "BEFORE_DOMAIN_RULES"),
        ] {
            assert!(parsed(&[(key, value)]).is_err(), "{key}");
        }
        assert!(JsonSchemaConverterConfig::parse(&ConfigMap::new()).is_err());
    }
}
