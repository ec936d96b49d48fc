//! Names that upstream's converter gives to schemas and parameters. They are part of its contract.

/// Parameter that marks a STRING or INT32 as an enum; its value is the enum's name.
pub(crate) const ENUM: &str = "io.confluent.connect.protobuf.Enum";
/// Name of a struct that stands for a oneof begins with this and a point.
pub(crate) const UNION: &str = "io.confluent.connect.protobuf.Union";
/// Parameter with a field's number.
pub(crate) const TAG: &str = "io.confluent.connect.protobuf.Tag";
/// Parameter with the Protobuf type of an integer, where it is not the plain one.
pub(crate) const TYPE: &str = "io.confluent.connect.protobuf.Type";
/// Parameter of a oneof's member that was a wrapper message.
pub(crate) const WRAPPER: &str = "io.confluent.connect.protobuf.Wrapper";
/// As [`ENUM`], with `generalized.sum.type.support`.
pub(crate) const GENERALIZED_ENUM: &str = "org.apache.kafka.connect.data.Enum";
/// Parameter that marks a struct as a oneof, with `generalized.sum.type.support`.
pub(crate) const GENERALIZED_UNION: &str = "org.apache.kafka.connect.data.Union";
/// Name of schemas that have none, before their number.
pub(crate) const DEFAULT_NAME: &str = "ConnectDefault";
/// Parameter of a decimal's precision.
pub(crate) const DECIMAL_PRECISION: &str = "connect.decimal.precision";
/// Parameter in field options that says INT8 or INT16.
pub(crate) const CONNECT_TYPE: &str = "connect.type";
/// Schema name of a value of any type.
pub(crate) const VARIANT: &str = "org.apache.kafka.connect.data.Variant";

/// Field of a map's entry: its key.
pub(crate) const KEY: &str = "key";
/// Field of a map's entry: its value.
pub(crate) const VALUE: &str = "value";

/// Message types that stand for Connect's logical types.
pub(crate) const DECIMAL_MESSAGE: &str = "confluent.type.Decimal";
pub(crate) const VARIANT_MESSAGE: &str = "confluent.type.Variant";
pub(crate) const DATE_MESSAGE: &str = "google.type.Date";
pub(crate) const TIME_MESSAGE: &str = "google.type.TimeOfDay";
pub(crate) const TIMESTAMP_MESSAGE: &str = "google.protobuf.Timestamp";

use wharf_api::Schema;

/// Whether a struct schema stands for a oneof.
pub(crate) fn is_union(schema: &Schema) -> bool {
    schema.name().is_some_and(|name| name.starts_with(UNION)) || schema.parameter(GENERALIZED_UNION).is_some()
}
