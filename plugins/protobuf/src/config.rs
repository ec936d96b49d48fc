//! The converter's keys: those that all registry converters share, its data keys, and those of its serializer.

use std::sync::LazyLock;

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, Type};
use wharf_api::{ConfigMap, ConnectError, Result};
pub(crate) use wharf_schema_registry::config::WriteWith;
use wharf_schema_registry::{FindImports, RegistryConfig, config as shared};

use crate::options::Options;

const NOT_ANSWERED: &str =
    "Upstream's serializer uses it for Java classes only; it has no effect on Connect data.";
const DEFAULT_REFERENCE_NAMES: &str =
    "io.confluent.kafka.serializers.subject.DefaultReferenceSubjectNameStrategy";
const QUALIFIED_REFERENCE_NAMES: &str =
    "io.confluent.kafka.serializers.subject.QualifiedReferenceSubjectNameStrategy";

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
                .importance(Importance::Low)
                .doc(
                    "Whether well-known files that a schema imports are left out. Otherwise they are registered, too, and the schema refers \
                     to them.",
                ),
        )
        .define(
            ConfigKey::new("reference.lookup.only", Type::Boolean)
                .default(false)
                .importance(Importance::Medium)
                .doc("Whether schemas that are referred to are looked up only, and never registered. They are with skip.known.types=false only."),
        )
        .define(
            ConfigKey::new("reference.subject.name.strategy", Type::Class)
                .default(DEFAULT_REFERENCE_NAMES)
                .importance(Importance::Low)
                .doc(
                    "How subjects of schemas that are referred to are named: as the file, or with points for slashes and without .proto \
                     (QualifiedReferenceSubjectNameStrategy). It counts with skip.known.types=false only.",
                ),
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

/// What becomes of well-known files that a written schema imports.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum KnownTypes {
    /// Every reader has them.
    #[default]
    Skipped,
    /// They are schemas of their own.
    Registered {
        find: FindImports,
        /// The subject of a file.
        subject: fn(&str) -> String,
    },
}

impl KnownTypes {
    fn from_parsed(parsed: &ParsedConfig) -> Result<Self> {
        const STRATEGY: &str = "reference.subject.name.strategy";
        if parsed.boolean("skip.known.types")? {
            return Ok(Self::Skipped);
        }
        let subject: fn(&str) -> String = match parsed.class(STRATEGY)? {
            DEFAULT_REFERENCE_NAMES => |file| file.to_owned(),
            QUALIFIED_REFERENCE_NAMES => |file| file.replace(".proto", "").replace('/', "."),
            other => {
                return Err(ConnectError::invalid_config(
                    STRATEGY,
                    other,
                    &format!("only {DEFAULT_REFERENCE_NAMES}, {QUALIFIED_REFERENCE_NAMES} can be used here"),
                ));
            }
        };
        let find = match parsed.boolean("reference.lookup.only")? {
            true => FindImports::ByText,
            false => FindImports::AsConfigured,
        };
        Ok(Self::Registered { find, subject })
    }
}

/// `use.message.indexes`, which upstream's `ConfigSchemaIdDeserializer` reads without defining it: numbers between commas.
fn message_index(parsed: &ParsedConfig) -> Result<Vec<usize>> {
    const KEY: &str = "use.message.indexes";
    let Some(text) = parsed.originals().get(KEY).filter(|text| !text.is_empty()) else {
        return Ok(vec![0]);
    };
    text.split(',')
        .map(|number| number.trim().parse())
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| ConnectError::invalid_config(KEY, text, "must be numbers, separated by commas"))
}

/// The configuration, checked.
pub(crate) struct ProtobufConverterConfig {
    pub(crate) registry: RegistryConfig,
    pub(crate) options: Options,
    pub(crate) known_types: KnownTypes,
    /// Whether schemas are registered as serialized descriptors (`schema.format`).
    pub(crate) serializes: bool,
    /// The path to the message type of messages that do not say it.
    pub(crate) message_index: Vec<usize>,
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
            known_types: KnownTypes::from_parsed(&parsed)?,
            // Other forms are the text itself: what this converter writes has no extensions but Confluent's.
            serializes: parsed
                .get_string("schema.format")
                .is_some_and(|form| form.eq_ignore_ascii_case("serialized")),
            message_index: message_index(&parsed)?,
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
    }

    #[test]
    fn a_message_index_may_be_configured() {
        for (text, expected) in [("", vec![0]), ("2", vec![2]), ("1, 0", vec![1, 0])] {
            let config = parsed(&[("use.message.indexes", text.to_owned())]).unwrap();
            assert_eq!(config.message_index, expected, "{text}");
        }
        for text in ["x", "1,,2", "-1"] {
            assert!(
                parsed(&[("use.message.indexes", text.to_owned())]).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn well_known_files_are_named_by_the_strategy() {
        const STRATEGY: &str = "reference.subject.name.strategy";
        let off = ("skip.known.types", "false".to_owned());
        assert!(matches!(parsed(&[]).unwrap().known_types, KnownTypes::Skipped));
        for (class, expected) in [
            (DEFAULT_REFERENCE_NAMES, "google/type/date.proto"),
            (QUALIFIED_REFERENCE_NAMES, "google.type.date"),
        ] {
            let config = parsed(&[off.clone(), (STRATEGY, class.to_owned())]).unwrap();
            let KnownTypes::Registered { find, subject } = config.known_types else {
                panic!("{class}")
            };
            assert_eq!(subject("google/type/date.proto"), expected);
            assert_eq!(find, FindImports::AsConfigured);
        }
        let own = (STRATEGY, "com.example.Mine".to_owned());
        assert!(parsed(std::slice::from_ref(&own)).is_ok());
        let Err(error) = parsed(&[off, own]) else {
            panic!("a class of one's own was taken")
        };
        assert!(error.message().contains(STRATEGY), "{error}");
    }
}
