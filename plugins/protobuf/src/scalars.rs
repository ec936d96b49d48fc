//! What scalars are in Connect.

use wharf_api::{SchemaType, Value};

use crate::descriptor::Scalar;

/// The Connect type of a scalar.
pub(crate) fn scalar_type(scalar: Scalar) -> SchemaType {
    match scalar {
        Scalar::Double => SchemaType::Float64,
        Scalar::Float => SchemaType::Float32,
        Scalar::Bool => SchemaType::Boolean,
        Scalar::String => SchemaType::String,
        Scalar::Bytes => SchemaType::Bytes,
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => SchemaType::Int32,
        _ => SchemaType::Int64,
    }
}

/// The value of a field that is not in a message.
pub(crate) fn zero(schema_type: SchemaType) -> Value {
    match schema_type {
        SchemaType::Int8 => Value::Int8(0),
        SchemaType::Int16 => Value::Int16(0),
        SchemaType::Int32 => Value::Int32(0),
        SchemaType::Int64 => Value::Int64(0),
        SchemaType::Float32 => Value::Float32(0.0),
        SchemaType::Float64 => Value::Float64(0.0),
        SchemaType::Boolean => Value::Boolean(false),
        SchemaType::Bytes => Value::Bytes(Vec::new()),
        _ => Value::String(String::new()),
    }
}

/// A default that proto2 declares.
pub(crate) fn declared_default(scalar: Scalar, schema_type: SchemaType, text: &str) -> Option<Value> {
    Some(match schema_type {
        SchemaType::Int8 => Value::Int8(text.parse().ok()?),
        SchemaType::Int16 => Value::Int16(text.parse().ok()?),
        SchemaType::Int32 => Value::Int32(text.parse().ok()?),
        SchemaType::Int64 if scalar == Scalar::Uint64 || scalar == Scalar::Fixed64 => {
            Value::Int64(text.parse::<u64>().ok()?.cast_signed())
        }
        SchemaType::Int64 => Value::Int64(text.parse().ok()?),
        SchemaType::Float32 => Value::Float32(text.parse().ok()?),
        SchemaType::Float64 => Value::Float64(text.parse().ok()?),
        SchemaType::Boolean => Value::Boolean(text.parse().ok()?),
        // As the parser left it; its escapes are not resolved.
        SchemaType::Bytes => Value::Bytes(text.as_bytes().to_vec()),
        _ => Value::String(text.to_owned()),
    })
}
