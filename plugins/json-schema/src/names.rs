//! Names that upstream's converter gives to schemas, parameters and keywords. They are part of its contract.

/// Prefix of parameters that the converter uses for itself and does not write as `connect.parameters`.
pub(crate) const NAMESPACE: &str = "io.confluent.connect.json";
/// Parameter of a struct that other places refer to.
pub(crate) const ID: &str = "io.confluent.connect.json.Id";
/// Parameter that marks a STRING as an enum.
pub(crate) const ENUM: &str = "io.confluent.connect.json.Enum";
/// Name of a struct that stands for a choice of schemas.
pub(crate) const ONE_OF: &str = "io.confluent.connect.json.OneOf";
/// As [`ENUM`], with `generalized.sum.type.support`.
pub(crate) const GENERALIZED_ENUM: &str = "org.apache.kafka.connect.data.Enum";
/// Parameter that marks a struct as a choice, with `generalized.sum.type.support`.
pub(crate) const GENERALIZED_UNION: &str = "org.apache.kafka.connect.data.Union";
/// Start of a choice's name, with `generalized.sum.type.support`.
pub(crate) const UNION_PREFIX: &str = "connect_union_";
/// Start of a choice's field names, with `generalized.sum.type.support`.
pub(crate) const UNION_FIELD_PREFIX: &str = "connect_union_field_";
/// Stands for JSON's null among the symbols of an enum.
pub(crate) const NULL_MARKER: &str = "<NULL>";
/// Field that keeps what an object has besides its properties.
pub(crate) const ADDITIONAL_PROPERTIES: &str = "__connect_additional_properties__";
/// Start of the identifiers given by [`ID`].
pub(crate) const ID_PREFIX: &str = "#id";

/// Keyword: the exact Connect type.
pub(crate) const CONNECT_TYPE: &str = "connect.type";
/// Keyword: the Connect schema's version.
pub(crate) const CONNECT_VERSION: &str = "connect.version";
/// Keyword: the Connect schema's parameters.
pub(crate) const CONNECT_PARAMETERS: &str = "connect.parameters";
/// Keyword: a field's position in its struct.
pub(crate) const CONNECT_INDEX: &str = "connect.index";

/// Field or property of a map entry: its key.
pub(crate) const KEY: &str = "key";
/// Field or property of a map entry: its value.
pub(crate) const VALUE: &str = "value";

use wharf_api::{Schema, SchemaType};

/// Whether a struct schema stands for a choice of schemas.
pub(crate) fn is_union(schema: &Schema) -> bool {
    schema.name() == Some(ONE_OF) || schema.parameter(GENERALIZED_UNION).is_some()
}

/// Whether a map is a JSON object: its keys are strings that cannot be null.
pub(crate) fn is_object_map(schema: &Schema) -> bool {
    matches!(schema.key_schema(), Ok(Some(key)) if key.schema_type() == SchemaType::String && !key.is_optional())
}
