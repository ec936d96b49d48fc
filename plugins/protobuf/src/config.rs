//! The converter's keys: those that all registry converters share, its data keys, and those of its serializer.

use std::sync::LazyLock;

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedValue, Type, Validator};
use wharf_api::{ConfigMap, Result};
use wharf_schema_registry::{RegistryConfig, config as shared};

use crate::options::Options;

const NOT_ANSWERED: &str =
    "Upstream's serializer uses it for Java classes only; it has no effect on Connect data.";
const KNOWN_ONLY: &str = "Only well-known types are imported by what this converter writes, and they are never registered: true is the \
                          only value.";

/// Name, default, documentation.
const FLAGS: &[(&str, bool, &str)] = &[
    (
        "generalized.sum.type.support",
        false,
        "Whether enums and unions have names that other schema formats share.",
    ),
    (
        "ignore.default.for.nullables",
        false,
        "Whether a null is left out even where the schema has a default.",
    ),
    (
        "enhanced.protobuf.schema.support",
        false,
        "Whether names of messages and enums are full names, with their package.",
    ),
    (
        "scrub.invalid.names",
        false,
        "Whether characters that Protobuf does not allow in names are replaced.",
    ),
    (
        "int.for.enums",
        false,
        "Whether enums are read as INT32 instead of STRING.",
    ),
    (
        "optional.for.nullables",
        false,
        "Whether optional fields have the word optional in Protobuf, and only those are optional when read.",
    ),
    (
        "optional.for.proto2",
        true,
        "Whether fields of proto2 with the word optional are null when they are not set.",
    ),
    (
        "wrapper.for.nullables",
        false,
        "Whether optional scalars are wrapper messages in Protobuf.",
    ),
    (
        "wrapper.for.raw.primitives",
        true,
        "Whether a message that is a wrapper is read as what it wraps.",
    ),
    (
        "generate.struct.for.nulls",
        false,
        "Whether a message that is not set is read as one with default values.",
    ),
    (
        "generate.index.for.unions",
        true,
        "Whether the field for a oneof has its number at the end of its name.",
    ),
    (
        "flatten.unions",
        false,
        "Whether a oneof's members are fields of the message's own struct.",
    ),
];

/// All keys.
pub(crate) fn definition() -> ConfigDef {
    static DEFINITION: LazyLock<ConfigDef> = LazyLock::new(|| {
        let base = FLAGS
            .iter()
            .fold(shared::definition(), |base, (name, default, doc)| {
                let importance = match *name {
                    "generate.index.for.unions" | "flatten.unions" => Importance::Low,
                    _ => Importance::Medium,
                };
                base.define(
                    ConfigKey::new(*name, Type::Boolean)
                        .default(*default)
                        .importance(importance)
                        .doc(*doc),
                )
            });
        base.define(
            ConfigKey::new("skip.known.types", Type::Boolean)
                .default(true)
                .validator(Validator::custom("true", |name, value| match value {
                    ParsedValue::Boolean(false) => {
                        Err(wharf_api::ConnectError::invalid_config(name, "false", KNOWN_ONLY))
                    }
                    _ => Ok(()),
                }))
                .importance(Importance::Low)
                .doc(KNOWN_ONLY),
        )
        .define(
            ConfigKey::new("reference.lookup.only", Type::Boolean)
                .default(false)
                .importance(Importance::Medium)
                .doc("What this converter writes has no references to look up, so it has no effect."),
        )
        .define(
            ConfigKey::new("reference.subject.name.strategy", Type::Class)
                .default("io.confluent.kafka.serializers.subject.DefaultReferenceSubjectNameStrategy")
                .importance(Importance::Low)
                .doc("What this converter writes has no references to name, so it has no effect."),
        )
        .define(
            ConfigKey::new("specific.protobuf.value.type", Type::Class)
                .default("java.lang.Object")
                .importance(Importance::Medium)
                .doc(NOT_ANSWERED),
        )
        .define(
            ConfigKey::new("specific.protobuf.key.type", Type::Class)
                .default("java.lang.Object")
                .importance(Importance::Medium)
                .doc(NOT_ANSWERED),
        )
        .define(
            ConfigKey::new("derive.type", Type::Boolean)
                .default(false)
                .importance(Importance::Medium)
                .doc(NOT_ANSWERED),
        )
    });
    DEFINITION.clone()
}

/// The configuration, checked.
pub(crate) struct ProtobufConverterConfig {
    pub(crate) registry: RegistryConfig,
    pub(crate) options: Options,
}

impl ProtobufConverterConfig {
    /// Reads a configuration without prefix.
    ///
    /// # Errors
    /// A config error that names the key.
    pub(crate) fn parse(config: &ConfigMap) -> Result<Self> {
        let parsed = shared::parse(&definition(), config)?;
        let options = Options {
            generalized_sum_types: parsed.boolean("generalized.sum.type.support")?,
            ignore_default_for_nullables: parsed.boolean("ignore.default.for.nullables")?,
            enhanced: parsed.boolean("enhanced.protobuf.schema.support")?,
            scrub_names: parsed.boolean("scrub.invalid.names")?,
            int_for_enums: parsed.boolean("int.for.enums")?,
            optional_for_nullables: parsed.boolean("optional.for.nullables")?,
            optional_for_proto2: parsed.boolean("optional.for.proto2")?,
            wrapper_for_nullables: parsed.boolean("wrapper.for.nullables")?,
            wrapper_for_raw_primitives: parsed.boolean("wrapper.for.raw.primitives")?,
            struct_for_nulls: parsed.boolean("generate.struct.for.nulls")?,
            index_for_unions: parsed.boolean("generate.index.for.unions")?,
            flatten_unions: parsed.boolean("flatten.unions")?,
        };
        Ok(Self {
            options,
            registry: RegistryConfig::from_parsed(parsed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(entries: &[(&str, String)]) -> Result<ProtobufConverterConfig> {
        let mut config =
            ConfigMap::from([("schema.registry.url".to_owned(), "http://localhost:1".to_owned())]);
        config.extend(
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
        ProtobufConverterConfig::parse(&config)
    }

    #[test]
    fn definition_holds() {
        definition().check().unwrap();
    }

    #[test]
    fn defaults_are_those_of_upstream() {
        assert_eq!(parsed(&[]).unwrap().options, Options::default());
    }

    #[test]
    fn every_flag_is_read() {
        let mut seen = vec![Options::default()];
        for (name, default, _) in FLAGS {
            let options = parsed(&[(name, (!default).to_string())]).unwrap().options;
            assert!(!seen.contains(&options), "{name}");
            seen.push(options);
        }
        assert!(parsed(&[("skip.known.types", "false".to_owned())]).is_err());
    }
}
