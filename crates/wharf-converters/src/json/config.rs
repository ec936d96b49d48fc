//! The configuration of [`JsonConverter`](super::JsonConverter).

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator, Width};
use wharf_api::{ConfigMap, ConverterType, Result};

use crate::config::{base_config, parse};

/// Whether messages carry their schema.
pub const SCHEMAS_ENABLE: &str = "schemas.enable";
/// How many schemas are kept, for each direction.
pub const SCHEMAS_CACHE_SIZE: &str = "schemas.cache.size";
/// A schema that stands outside the messages (KIP-1054).
pub const SCHEMA_CONTENT: &str = "schema.content";
/// How decimals are written.
pub const DECIMAL_FORMAT: &str = "decimal.format";
/// Whether the default takes the place of null.
pub const REPLACE_NULL_WITH_DEFAULT: &str = "replace.null.with.default";

/// The keys.
pub(super) fn definition() -> ConfigDef {
    let key = |name, value_type, group, order, display_name| {
        ConfigKey::new(name, value_type)
            .group(group, order)
            .width(Width::Medium)
            .display_name(display_name)
    };
    base_config()
        .define(
            key(SCHEMAS_ENABLE, Type::Boolean, "Schemas", 0, "Enable Schemas")
                .default(true)
                .importance(Importance::High)
                .doc("Whether each message is an object of a schema and a payload. When false it is the payload alone."),
        )
        .define(
            key(SCHEMAS_CACHE_SIZE, Type::Int, "Schemas", 1, "Schema Cache Size")
                .default(1000)
                .importance(Importance::High)
                .doc("The most schemas that are kept ready, for each direction."),
        )
        .define(
            key(SCHEMA_CONTENT, Type::String, "Schemas", 2, "Schema Content")
                .default_null()
                .importance(Importance::High)
                .doc(
                    "A schema, in this converter's JSON form, for all messages that are read; each message is a payload \
                     without its schema then. It needs schemas.enable=true and does not change what is written.",
                ),
        )
        .define(
            key(DECIMAL_FORMAT, Type::String, "Serialization", 0, "Decimal Format")
                .default("BASE64")
                .validator(Validator::one_of_ignore_case(["NUMERIC", "BASE64"]))
                .importance(Importance::Low)
                .doc(
                    "How decimals are written, in any case: BASE64 for the encoded bytes, NUMERIC for a JSON number. \
                     Both forms are read.",
                ),
        )
        .define(
            key(REPLACE_NULL_WITH_DEFAULT, Type::Boolean, "Serialization", 1, "Replace null with default")
                .default(true)
                .importance(Importance::Low)
                .doc("Whether null becomes the default value, where the schema has one."),
        )
}

/// The parsed configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonConverterConfig {
    pub(super) schemas_enable: bool,
    pub(super) schemas_cache_size: usize,
    pub(super) schema_content: Option<String>,
    pub(super) numeric_decimals: bool,
    pub(super) replace_null_with_default: bool,
}

impl JsonConverterConfig {
    pub(super) fn parse(config: &ConfigMap, used_for: ConverterType) -> Result<Self> {
        let config = parse(&definition(), config, used_for)?;
        Ok(Self {
            schemas_enable: config.boolean(SCHEMAS_ENABLE)?,
            schemas_cache_size: usize::try_from(config.int(SCHEMAS_CACHE_SIZE)?).unwrap_or(0),
            schema_content: config
                .get_string(SCHEMA_CONTENT)
                .filter(|text| !text.is_empty())
                .map(Into::into),
            numeric_decimals: config.string(DECIMAL_FORMAT)?.eq_ignore_ascii_case("NUMERIC"),
            replace_null_with_default: config.boolean(REPLACE_NULL_WITH_DEFAULT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(entries: &[(&str, &str)]) -> Result<JsonConverterConfig> {
        let config = entries
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        JsonConverterConfig::parse(&config, ConverterType::Value)
    }

    #[test]
    fn definition_holds() {
        definition().check().unwrap();
    }

    #[test]
    fn defaults_are_those_of_upstream() {
        let defaults = JsonConverterConfig {
            schemas_enable: true,
            schemas_cache_size: 1000,
            schema_content: None,
            numeric_decimals: false,
            replace_null_with_default: true,
        };
        assert_eq!(parsed(&[]).unwrap(), defaults);
        assert_eq!(parsed(&[(SCHEMA_CONTENT, "")]).unwrap(), defaults);
    }

    #[test]
    fn decimal_format_is_known_in_any_case() {
        for (text, numeric) in [
            ("numeric", true),
            ("NuMeRiC", true),
            ("base64", false),
            ("BASE64", false),
        ] {
            assert_eq!(
                parsed(&[(DECIMAL_FORMAT, text)]).unwrap().numeric_decimals,
                numeric
            );
        }
        let message = parsed(&[(DECIMAL_FORMAT, "text")])
            .unwrap_err()
            .message()
            .to_owned();
        assert!(
            message.contains("text") && message.contains("NUMERIC, BASE64"),
            "{message}"
        );
    }

    #[test]
    fn cache_size_below_zero_means_no_cache() {
        assert_eq!(
            parsed(&[(SCHEMAS_CACHE_SIZE, "-5")]).unwrap().schemas_cache_size,
            0
        );
        assert!(parsed(&[(SCHEMAS_CACHE_SIZE, "many")]).is_err());
    }
}
