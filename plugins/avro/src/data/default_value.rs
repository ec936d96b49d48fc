//! Default values: Connect's into the JSON of a schema, and that JSON into Connect's.

use wharf_api::{ConnectError, Decimal, Result, Schema, SchemaRef, SchemaType, Struct, Value, logical};

use super::to_connect::{is_map_entry, union_field_name};
use super::{AvroDataConfig, is_union, scrub_name};
use crate::json::Json;
use crate::schema::{AvroSchema, Kind, NodeId, latin1};

/// The JSON of a default.
pub(super) fn to_json(config: &AvroDataConfig, schema: &Schema, value: &Value) -> Result<Json> {
    let inner = |schema: Option<&SchemaRef>, value: &Value| match schema {
        Some(schema) => to_json(config, schema, value),
        None => Err(invalid(schema.map(AsRef::as_ref), value)),
    };
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Boolean(*value),
        Value::Int8(value) => Json::integer(*value),
        Value::Int16(value) => Json::integer(*value),
        Value::Int32(value) => Json::integer(*value),
        Value::Int64(value) => Json::integer(*value),
        Value::Float32(value) => Json::float(*value),
        Value::Float64(value) => Json::double(*value),
        Value::String(text) => Json::text(text),
        Value::Bytes(bytes) => from_latin1(bytes),
        Value::Decimal(decimal) => from_latin1(&logical::decimal_to_bytes(schema, decimal)?),
        Value::Date(millis) => Json::integer(logical_number(schema, *millis)?),
        Value::Array(items) => {
            let of = schema.value_schema()?;
            Json::Array(items.iter().map(|item| inner(of, item)).collect::<Result<_>>()?)
        }
        Value::Map(entries) => {
            let (key, of) = (schema.key_schema()?, schema.value_schema()?);
            if config.is_string_map(schema) {
                let entry = |(name, item): &(Value, Value)| {
                    let name = name.as_str().ok_or_else(|| invalid(Some(schema), value))?;
                    Ok((name.to_owned(), inner(of, item)?))
                };
                Json::Object(entries.iter().map(entry).collect::<Result<_>>()?)
            } else {
                let entry = |(name, item): &(Value, Value)| {
                    Ok(Json::Array(vec![inner(key, name)?, inner(of, item)?]))
                };
                Json::Array(entries.iter().map(entry).collect::<Result<_>>()?)
            }
        }
        Value::Struct(value) => {
            let mut members = Vec::new();
            for field in schema.fields()? {
                let json = to_json(config, field.schema(), value.get(field.name())?)?;
                if is_union(schema) {
                    // Upstream takes the first member, set or not.
                    return Ok(json);
                }
                members.push((scrub_name(field.name(), config.scrub_invalid_names), json));
            }
            Json::Object(members)
        }
    })
}

fn invalid(schema: Option<&Schema>, value: &Value) -> ConnectError {
    let kind = schema.map_or("null", |schema| schema.schema_type().name());
    ConnectError::data(format!(
        "Invalid type used for default value of {kind} field: class {}",
        value.java_class()
    ))
}

/// The number that a date, time or timestamp is written as.
fn logical_number(schema: &Schema, millis: i64) -> Result<i64> {
    Ok(match schema.name() {
        Some(logical::DATE) => logical::date_to_days(schema, millis)?.into(),
        Some(logical::TIME) => logical::time_to_millis(schema, millis)?.into(),
        _ => millis,
    })
}

/// Bytes as a text of one character per byte.
fn from_latin1(bytes: &[u8]) -> Json {
    Json::Text(bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// The Connect value of a default in a schema's JSON; `schema` is the Connect schema without it.
///
/// # Errors
/// A data error when it does not suit; the schema has no default then.
pub(super) fn from_json(
    config: &AvroDataConfig,
    avro: &AvroSchema,
    id: NodeId,
    schema: &SchemaRef,
    json: &Json,
) -> Result<Value> {
    if *json == Json::Null {
        return Ok(Value::Null);
    }
    let wrong = || ConnectError::data(format!("{json} is no default for {schema}"));
    let integer = || json.as_i64().ok_or_else(wrong);
    Ok(match &avro.node(id).kind {
        Kind::Null => return Err(wrong()),
        Kind::Boolean => match json {
            Json::Boolean(value) => Value::Boolean(*value),
            _ => return Err(wrong()),
        },
        Kind::Int => {
            let number = i32::try_from(integer()?).map_err(|_| wrong())?;
            // Java narrows by dropping the high bits.
            #[allow(clippy::cast_possible_truncation)]
            match (schema.schema_type(), schema.name()) {
                (SchemaType::Int8, _) => Value::Int8(number as i8),
                (SchemaType::Int16, _) => Value::Int16(number as i16),
                (_, Some(logical::DATE)) => Value::Date(logical::date_from_days(schema, number)?),
                (_, Some(logical::TIME)) => Value::Date(logical::time_from_millis(schema, number)?),
                _ => Value::Int32(number),
            }
        }
        Kind::Long => match schema.name() {
            Some(logical::TIMESTAMP) => Value::Date(integer()?),
            _ => Value::Int64(integer()?),
        },
        Kind::Float => match json {
            // Narrowed as Java does it: by way of the double.
            #[allow(clippy::cast_possible_truncation)]
            Json::Number(_) => Value::Float32(json.as_f64().ok_or_else(wrong)? as f32),
            _ => return Err(wrong()),
        },
        Kind::Double => Value::Float64(json.as_f64().ok_or_else(wrong)?),
        Kind::String | Kind::Enum(_) => Value::String(json.as_text().ok_or_else(wrong)?.to_owned()),
        Kind::Bytes | Kind::Fixed(_) => {
            let bytes = latin1(json.as_text().ok_or_else(wrong)?);
            match schema.name() {
                Some(logical::DECIMAL) => {
                    Value::Decimal(Decimal::from_be_bytes(&bytes, logical::scale(schema)?))
                }
                _ => Value::Bytes(bytes),
            }
        }
        Kind::Array(of) if is_map_entry(avro, *of) => return Err(wrong()),
        Kind::Array(of) => {
            let inner = schema.value_schema()?.ok_or_else(wrong)?;
            let items = json.as_array().ok_or_else(wrong)?;
            let item = |item| from_json(config, avro, *of, inner, item);
            Value::Array(items.iter().map(item).collect::<Result<_>>()?)
        }
        Kind::Map(of) => {
            let inner = schema.value_schema()?.ok_or_else(wrong)?;
            let members = json.as_object().ok_or_else(wrong)?;
            let entry = |(name, item): &(String, Json)| {
                Ok((
                    Value::from(name.as_str()),
                    from_json(config, avro, *of, inner, item)?,
                ))
            };
            Value::Map(members.iter().map(entry).collect::<Result<_>>()?)
        }
        Kind::Union(members) => union_default(config, avro, members, schema, json)?,
        Kind::Record(record) => {
            if json.as_object().is_none() {
                return Err(wrong());
            }
            let mut value = Struct::new(SchemaRef::clone(schema))?;
            for field in &record.fields {
                let known = schema.field(&field.name)?.ok_or_else(wrong)?;
                let own = match json.get(&field.name) {
                    Some(own) => from_json(config, avro, field.schema, known.schema(), own)?,
                    None => known.schema().default_value().cloned().unwrap_or_default(),
                };
                value.put(&field.name, own)?;
            }
            Value::from(value)
        }
    })
}

/// A union's default is of its first type.
fn union_default(
    config: &AvroDataConfig,
    avro: &AvroSchema,
    members: &[NodeId],
    schema: &SchemaRef,
    json: &Json,
) -> Result<Value> {
    let wrong = || ConnectError::data(format!("{json} is no default for {schema}"));
    let first = *members.first().ok_or_else(wrong)?;
    if !is_union(schema) {
        // A union of one type that stands for it.
        return from_json(config, avro, first, schema, json);
    }
    let name = union_field_name(config, avro, first, 0);
    let field = schema.field(&name)?.ok_or_else(wrong)?;
    let value = from_json(config, avro, first, field.schema(), json)?;
    let mut union = Struct::new(SchemaRef::clone(schema))?;
    union.put(&name, value)?;
    Ok(Value::from(union))
}
