//! Between Connect's schemas and Avro's: names, properties and parameters, as upstream's `AvroData` maps them.

mod default_value;
mod from_connect;
mod names;
mod to_connect;
mod within;

pub(crate) use from_connect::from_connect;
pub(crate) use names::{scrub_full_name, scrub_name, split_name};
pub(crate) use to_connect::{ToConnect, is_anything, is_map_entry};

use wharf_api::{Schema, SchemaType};

pub(crate) const NAMESPACE: &str = "io.confluent.connect.avro";
pub(crate) const DEFAULT_SCHEMA_NAME: &str = "ConnectDefault";
pub(crate) const DEFAULT_SCHEMA_FULL_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
pub(crate) const MAP_ENTRY: &str = "MapEntry";
pub(crate) const KEY_FIELD: &str = "key";
pub(crate) const VALUE_FIELD: &str = "value";

pub(crate) const CONNECT_NAME: &str = "connect.name";
pub(crate) const CONNECT_DOC: &str = "connect.doc";
pub(crate) const CONNECT_RECORD_DOC: &str = "connect.record.doc";
pub(crate) const CONNECT_ENUM_DOC: &str = "connect.enum.doc";
pub(crate) const CONNECT_VERSION: &str = "connect.version";
pub(crate) const CONNECT_DEFAULT: &str = "connect.default";
pub(crate) const CONNECT_PARAMETERS: &str = "connect.parameters";
pub(crate) const CONNECT_INTERNAL_TYPE: &str = "connect.internal.type";
pub(crate) const CONNECT_TYPE: &str = "connect.type";
pub(crate) const CONNECT_FIXED_SIZE: &str = "connect.fixed.size";
pub(crate) const CONNECT_DECIMAL_PRECISION: &str = "connect.decimal.precision";
pub(crate) const DEFAULT_PRECISION: i32 = 64;

pub(crate) const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
pub(crate) const ENUM_DOC_PREFIX: &str = "io.confluent.connect.avro.enum.doc.";
pub(crate) const ENUM_DEFAULT_PREFIX: &str = "io.confluent.connect.avro.enum.default.";
pub(crate) const FIELD_DOC_PREFIX: &str = "io.confluent.connect.avro.field.doc.";
/// Says that a default came from a field of an Avro record, and not from `connect.default`.
pub(crate) const FIELD_DEFAULT_FLAG: &str = "io.confluent.connect.avro.field.default";

pub(crate) const UNION: &str = "io.confluent.connect.avro.Union";
pub(crate) const ENUM: &str = "io.confluent.connect.avro.Enum";
pub(crate) const GENERAL_UNION: &str = "org.apache.kafka.connect.data.Union";
pub(crate) const GENERAL_ENUM: &str = "org.apache.kafka.connect.data.Enum";
pub(crate) const GENERAL_UNION_PREFIX: &str = "connect_union_";
pub(crate) const GENERAL_UNION_FIELD_PREFIX: &str = "connect_union_field_";

pub(crate) const LOGICAL_TYPE: &str = "logicalType";
/// Properties and parameters that begin with this go over as they are.
pub(crate) const AVRO_PREFIX: &str = "avro";

/// How data is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AvroDataConfig {
    pub(crate) connect_meta_data: bool,
    pub(crate) enhanced_schema_support: bool,
    pub(crate) generalized_sum_types: bool,
    pub(crate) scrub_invalid_names: bool,
    pub(crate) discard_type_doc_default: bool,
    pub(crate) allow_optional_map_keys: bool,
    pub(crate) flatten_singleton_unions: bool,
    pub(crate) ignore_default_for_nullables: bool,
}

impl Default for AvroDataConfig {
    fn default() -> Self {
        Self {
            connect_meta_data: true,
            enhanced_schema_support: false,
            generalized_sum_types: false,
            scrub_invalid_names: false,
            discard_type_doc_default: false,
            allow_optional_map_keys: false,
            flatten_singleton_unions: true,
            ignore_default_for_nullables: false,
        }
    }
}

impl AvroDataConfig {
    /// The parameter that marks enums.
    pub(crate) fn enum_parameter(&self) -> &'static str {
        if self.generalized_sum_types {
            GENERAL_ENUM
        } else {
            ENUM
        }
    }

    /// Whether a map becomes an Avro map and not an array of entries.
    pub(crate) fn is_string_map(&self, schema: &Schema) -> bool {
        schema.key_schema().ok().flatten().is_some_and(|key| {
            key.schema_type() == SchemaType::String && (!key.is_optional() || self.allow_optional_map_keys)
        })
    }

    /// The enum's full name, where values of this schema are written as an enum.
    pub(crate) fn enum_name<'a>(&self, schema: &'a Schema) -> Option<&'a str> {
        if schema.schema_type() != SchemaType::String {
            return None;
        }
        if self.generalized_sum_types && schema.parameter(GENERAL_ENUM).is_some() {
            return schema.parameter(GENERAL_ENUM);
        }
        if self.enhanced_schema_support {
            return schema.parameter(ENUM);
        }
        None
    }
}

/// Whether a struct stands for a union, with one field per member.
pub(crate) fn is_union(schema: &Schema) -> bool {
    schema.schema_type() == SchemaType::Struct
        && (schema.name() == Some(UNION) || schema.parameter(GENERAL_UNION).is_some())
}

/// Whether BYTES are of a fixed size, and how many they are.
pub(crate) fn fixed_size(schema: &Schema) -> Option<usize> {
    schema.name()?;
    if schema.schema_type() != SchemaType::Bytes {
        return None;
    }
    schema.parameter(CONNECT_FIXED_SIZE)?.parse().ok()
}
