//! The configuration of [`AvroConverter`](crate::AvroConverter): the keys that all registry converters share, and those
//! of the mapping between Connect and Avro.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::{ConfigMap, ConverterType, Result};
use wharf_schema_registry::{RegistryConfig, config as shared};

use crate::data::AvroDataConfig;

const ENHANCED_AVRO_SCHEMA_SUPPORT: &str = "enhanced.avro.schema.support";
const SCRUB_INVALID_NAMES: &str = "scrub.invalid.names";
const CONNECT_META_DATA: &str = "connect.meta.data";
const DISCARD_TYPE_DOC_DEFAULT: &str = "discard.type.doc.default";
const ALLOW_OPTIONAL_MAP_KEYS: &str = "allow.optional.map.keys";
const FLATTEN_SINGLETON_UNIONS: &str = "flatten.singleton.unions";
const GENERALIZED_SUM_TYPE_SUPPORT: &str = "generalized.sum.type.support";
const IGNORE_DEFAULT_FOR_NULLABLES: &str = "ignore.default.for.nullables";
const FAIL_ON_TRAILING_DATA: &str = "avro.fail.on.trailing.data";

/// What stands in the doc of keys that upstream's converter knows but never looks at.
const NO_EFFECT: &str =
    "Upstream's serializers use it for objects of Java classes only; it has no effect on Connect data.";

/// The keys.
pub(crate) fn definition() -> ConfigDef {
    use Importance::{Low, Medium};
    let flag = |name: &str, default: bool, importance, doc: &str| {
        ConfigKey::new(name, Type::Boolean)
            .default(default)
            .importance(importance)
            .doc(doc)
    };
    let class = |name: &str| {
        ConfigKey::new(name, Type::Class)
            .default_null()
            .importance(Medium)
            .doc(NO_EFFECT)
    };
    shared::definition()
        .define(flag(
            ENHANCED_AVRO_SCHEMA_SUPPORT,
            false,
            Medium,
            "Whether enums stay enums, and fields of unions are named by the types' full names.",
        ))
        .define(flag(
            SCRUB_INVALID_NAMES,
            false,
            Medium,
            "Whether characters that Avro does not take are replaced in names.",
        ))
        .define(flag(
            CONNECT_META_DATA,
            true,
            Low,
            "Whether Avro schemas carry what only Connect schemas know: names, versions, parameters, defaults.",
        ))
        .define(flag(
            DISCARD_TYPE_DOC_DEFAULT,
            false,
            Low,
            "Whether documentation and defaults of Avro types are left out of Connect schemas.",
        ))
        .define(flag(
            ALLOW_OPTIONAL_MAP_KEYS,
            false,
            Low,
            "Whether maps with optional text keys become Avro maps, and not arrays of entries.",
        ))
        .define(flag(
            FLATTEN_SINGLETON_UNIONS,
            true,
            Low,
            "Whether a union of one type is that type.",
        ))
        .define(flag(
            GENERALIZED_SUM_TYPE_SUPPORT,
            false,
            Medium,
            "Whether unions and enums have the form that all registry formats share.",
        ))
        .define(flag(
            IGNORE_DEFAULT_FOR_NULLABLES,
            false,
            Medium,
            "Whether null stays null in optional fields that have a default.",
        ))
        .define(flag(
            FAIL_ON_TRAILING_DATA,
            false,
            Low,
            "Whether bytes after the value make a message malformed.",
        ))
        .define(flag("specific.avro.reader", false, Low, NO_EFFECT))
        .define(flag("avro.reflection.allow.null", false, Medium, NO_EFFECT))
        .define(flag("avro.use.logical.type.converters", false, Medium, NO_EFFECT))
        .define(flag("avro.remove.java.properties", false, Medium, NO_EFFECT))
        .define(class("specific.avro.key.type"))
        .define(class("specific.avro.value.type"))
}

/// The parsed configuration.
#[derive(Debug)]
pub(crate) struct AvroConverterConfig {
    pub(crate) registry: RegistryConfig,
    pub(crate) data: AvroDataConfig,
    pub(crate) fail_on_trailing_data: bool,
}

impl AvroConverterConfig {
    pub(crate) fn parse(config: &ConfigMap, used_for: ConverterType) -> Result<Self> {
        let mut config = config.clone();
        config.insert("converter.type".to_owned(), used_for.name().to_owned());
        let parsed = shared::parse(&definition(), &config)?;
        Ok(Self {
            data: AvroDataConfig {
                connect_meta_data: parsed.boolean(CONNECT_META_DATA)?,
                enhanced_schema_support: parsed.boolean(ENHANCED_AVRO_SCHEMA_SUPPORT)?,
                generalized_sum_types: parsed.boolean(GENERALIZED_SUM_TYPE_SUPPORT)?,
                scrub_invalid_names: parsed.boolean(SCRUB_INVALID_NAMES)?,
                discard_type_doc_default: parsed.boolean(DISCARD_TYPE_DOC_DEFAULT)?,
                allow_optional_map_keys: parsed.boolean(ALLOW_OPTIONAL_MAP_KEYS)?,
                flatten_singleton_unions: parsed.boolean(FLATTEN_SINGLETON_UNIONS)?,
                ignore_default_for_nullables: parsed.boolean(IGNORE_DEFAULT_FOR_NULLABLES)?,
            },
            fail_on_trailing_data: parsed.boolean(FAIL_ON_TRAILING_DATA)?,
            registry: RegistryConfig::from_parsed(parsed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_holds_and_defaults_are_those_of_upstream() {
        definition().check().unwrap();
        let config = ConfigMap::from([(
            shared::SCHEMA_REGISTRY_URL.to_owned(),
            "http://localhost:1".to_owned(),
        )]);
        let parsed = AvroConverterConfig::parse(&config, ConverterType::Key).unwrap();
        assert_eq!(parsed.data, AvroDataConfig::default());
        assert!(AvroConverterConfig::parse(&ConfigMap::new(), ConverterType::Key).is_err());
    }
}
