//! Projects values from the schema they were written with to the schema of a reader, as upstream's `SchemaProjector`.
//!
//! Numbers widen, source-only fields are dropped, target-only fields need a default or be optional. Versions, docs and
//! defaults of the two schemas need not agree; types, names and parameters must. All errors are of kind
//! [`ErrorKind::SchemaProjector`](crate::ErrorKind::SchemaProjector).

use crate::error::{ConnectError, Result};
use crate::schema::{Schema, SchemaRef, SchemaType, same_parameters};
use crate::structs::Struct;
use crate::value::Value;

/// The value, which was written with `source`, as one of `target`.
///
/// # Errors
/// A schema projector error when the schemas are not compatible or a field is missing.
pub fn project(source: &Schema, value: &Value, target: &SchemaRef) -> Result<Value> {
    check_compatible(source, target)?;
    if source.is_optional() && !target.is_optional() {
        let Some(default) = target.default_value() else {
            return Err(ConnectError::schema_projector(
                "Writer schema is optional, however, target schema does not provide a default value.",
            ));
        };
        return if value.is_null() {
            Ok(default.clone())
        } else {
            project_required(source, value, target)
        };
    }
    if value.is_null() {
        Ok(Value::Null)
    } else {
        project_required(source, value, target)
    }
}

fn check_compatible(source: &Schema, target: &Schema) -> Result<()> {
    let (from, to) = (source.schema_type(), target.schema_type());
    // The numeric types come first, in order of rank.
    let widens = from <= to && to <= SchemaType::Float64;
    if from != to && !widens {
        return Err(ConnectError::schema_projector(format!(
            "Schema type mismatch. source type: {from} and target type: {to}"
        )));
    }
    if source.name() != target.name() {
        return Err(ConnectError::schema_projector(format!(
            "Schema name mismatch. source name: {} and target name: {}",
            source.name().unwrap_or("null"),
            target.name().unwrap_or("null")
        )));
    }
    if !same_parameters(source.parameters(), target.parameters()) {
        return Err(ConnectError::schema_projector(format!(
            "Schema parameters not equal. source parameters: {} and target parameters: {}",
            parameters_text(source),
            parameters_text(target)
        )));
    }
    Ok(())
}

fn parameters_text(schema: &Schema) -> String {
    let Some(parameters) = schema.parameters() else {
        return "null".to_owned();
    };
    let entries: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn project_required(source: &Schema, value: &Value, target: &SchemaRef) -> Result<Value> {
    match (target.schema_type(), value) {
        (SchemaType::Struct, Value::Struct(value)) => project_struct(source, value, target),
        (SchemaType::Array, Value::Array(items)) => {
            let (from, to) = (
                part(source.value_schema.as_ref())?,
                part(target.value_schema.as_ref())?,
            );
            items
                .iter()
                .map(|item| project(from, item, to))
                .collect::<Result<_>>()
                .map(Value::Array)
        }
        (SchemaType::Map, Value::Map(entries)) => {
            let (from_key, to_key) = (
                part(source.key_schema.as_ref())?,
                part(target.key_schema.as_ref())?,
            );
            let (from, to) = (
                part(source.value_schema.as_ref())?,
                part(target.value_schema.as_ref())?,
            );
            entries
                .iter()
                .map(|(key, value)| Ok((project(from_key, key, to_key)?, project(from, value, to)?)))
                .collect::<Result<_>>()
                .map(Value::Map)
        }
        (to, value) if to != source.schema_type() => widen(value, to),
        (_, value) => Ok(value.clone()),
    }
}

fn part(schema: Option<&SchemaRef>) -> Result<&SchemaRef> {
    schema.ok_or_else(|| {
        ConnectError::schema_projector("the schema of an array or map says nothing of its elements")
    })
}

/// Upstream converts the boxed class; a date is no number.
fn widen(value: &Value, to: SchemaType) -> Result<Value> {
    let integer = value.as_i64();
    // A FLOAT32 of a large integer loses digits, as in Java.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    Ok(match (to, value) {
        (SchemaType::Float64, Value::Float32(number)) => Value::Float64(f64::from(*number)),
        (SchemaType::Float32 | SchemaType::Float64, _) if integer.is_none() => {
            return Err(cannot_widen(value, to));
        }
        (SchemaType::Float32, _) => Value::Float32(integer.unwrap_or_default() as f32),
        (SchemaType::Float64, _) => Value::Float64(integer.unwrap_or_default() as f64),
        _ => {
            let number = integer.ok_or_else(|| cannot_widen(value, to))?;
            match to {
                SchemaType::Int8 => Value::Int8(number as i8),
                SchemaType::Int16 => Value::Int16(number as i16),
                SchemaType::Int32 => Value::Int32(number as i32),
                _ => Value::Int64(number),
            }
        }
    })
}

fn cannot_widen(value: &Value, to: SchemaType) -> ConnectError {
    ConnectError::schema_projector(format!(
        "a value of class {} cannot become {to}",
        value.java_class()
    ))
}

fn project_struct(source: &Schema, value: &Struct, target: &SchemaRef) -> Result<Value> {
    let mut values = Vec::with_capacity(target.fields.len());
    for field in &target.fields {
        let schema = field.schema();
        values.push(match source.field(field.name())? {
            Some(from) => value
                .get(from.name())
                .and_then(|stored| project(from.schema(), stored, schema))
                .map_err(|error| {
                    ConnectError::schema_projector(format!("Error projecting {}", field.name()))
                        .caused_by(error)
                })?,
            None if schema.is_optional() => Value::Null,
            None => schema.default_value().cloned().ok_or_else(|| {
                ConnectError::schema_projector(format!(
                    "Required field `{}` is missing from source schema: {source}",
                    field.name()
                ))
            })?,
        });
    }
    Ok(Value::Struct(Box::new(Struct::from_values(
        SchemaRef::clone(target),
        values,
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::logical;
    use crate::schema_builder::SchemaBuilder;

    fn message(result: Result<Value>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaProjector);
        error.message().to_owned()
    }

    fn schemas() -> [SchemaRef; 9] {
        [
            Schema::int8(),
            Schema::int16(),
            Schema::int32(),
            Schema::int64(),
            Schema::float32(),
            Schema::float64(),
            Schema::boolean(),
            Schema::bytes(),
            Schema::string(),
        ]
    }

    #[test]
    fn numbers_widen_and_nothing_else_changes_type() {
        for (position, (source, value)) in [
            (Schema::int8(), Value::Int8(127)),
            (Schema::int16(), Value::Int16(255)),
            (Schema::int32(), Value::Int32(32_767)),
            (Schema::int64(), Value::Int64(327_890)),
            (Schema::float32(), Value::Float32(1.5)),
            (Schema::float64(), Value::Float64(1.25)),
        ]
        .into_iter()
        .enumerate()
        {
            for (rank, target) in schemas().into_iter().enumerate() {
                let projected = project(&source, &value, &target);
                if rank >= position && rank <= 5 {
                    let projected = projected.unwrap();
                    crate::structs::check(&target, &projected).unwrap();
                    let number = |value: &Value| match value {
                        Value::Float32(number) => f64::from(*number),
                        Value::Float64(number) => *number,
                        other => other.as_i64().unwrap() as f64,
                    };
                    assert_eq!(number(&projected), number(&value));
                } else {
                    assert_eq!(
                        message(projected),
                        format!(
                            "Schema type mismatch. source type: {} and target type: {}",
                            source.schema_type(),
                            target.schema_type()
                        )
                    );
                }
            }
        }
    }

    #[test]
    fn optional_values_need_a_default_in_a_required_target() {
        let with_default = SchemaBuilder::int32().default_value(7).build().unwrap();
        let source = Schema::optional_int32();
        assert_eq!(
            project(&source, &Value::Null, &with_default).unwrap(),
            Value::Int32(7)
        );
        assert_eq!(
            project(&source, &Value::Int32(1), &with_default).unwrap(),
            Value::Int32(1)
        );
        assert_eq!(
            project(&source, &Value::Null, &Schema::optional_int64()).unwrap(),
            Value::Null
        );
        assert_eq!(
            message(project(&source, &Value::Int32(1), &Schema::int32())),
            "Writer schema is optional, however, target schema does not provide a default value."
        );
    }

    #[test]
    fn names_and_parameters_must_agree_but_versions_need_not() {
        let plain = Schema::int32();
        let named = SchemaBuilder::int32().name("n").build().unwrap();
        assert!(message(project(&plain, &Value::Int32(1), &named)).starts_with("Schema name mismatch"));
        let versioned = SchemaBuilder::int32().version(3).doc("d").build().unwrap();
        assert_eq!(
            project(&plain, &Value::Int32(1), &versioned).unwrap(),
            Value::Int32(1)
        );
        let (two, three) = (logical::decimal(2), logical::decimal(3));
        let decimal = Value::from(crate::Decimal::new(156, 2));
        assert_eq!(project(&two, &decimal, &two).unwrap(), decimal);
        assert_eq!(
            message(project(&two, &decimal, &three)),
            "Schema parameters not equal. source parameters: {scale=2} and target parameters: {scale=3}"
        );
        let date = Value::Date(86_400_000);
        assert_eq!(project(&logical::date(), &date, &logical::date()).unwrap(), date);
    }

    #[test]
    fn structs_are_projected_field_by_field() {
        let with_default = SchemaBuilder::int64().default_value(5_i64).build().unwrap();
        let source = SchemaBuilder::structure()
            .field("kept", Schema::int32())
            .field("dropped", Schema::string())
            .field("defaulted", with_default)
            .build()
            .unwrap();
        let added_default = SchemaBuilder::string().default_value("new").build().unwrap();
        let target = SchemaBuilder::structure()
            .field("kept", Schema::int64())
            .field("defaulted", Schema::int64())
            .field("optional", Schema::optional_string())
            .field("added", added_default)
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&source))
            .unwrap()
            .with("kept", 3)
            .unwrap();
        let projected = project(&source, &Value::from(value.clone()), &target).unwrap();
        let projected = projected.as_struct().unwrap();
        assert_eq!(projected.to_string(), "Struct{kept=3,defaulted=5,added=new}");
        projected.validate().unwrap();

        let needs_more = SchemaBuilder::structure()
            .field("missing", Schema::int8())
            .build()
            .unwrap();
        assert_eq!(
            message(project(&source, &Value::from(value.clone()), &needs_more)),
            "Required field `missing` is missing from source schema: Schema{STRUCT}"
        );
        let narrower = SchemaBuilder::structure()
            .field("kept", Schema::int8())
            .build()
            .unwrap();
        assert_eq!(
            message(project(&source, &Value::from(value), &narrower)),
            "Error projecting kept"
        );
    }

    #[test]
    fn elements_follow_the_same_rules() {
        let array = |element| SchemaBuilder::array(element).build().unwrap();
        let map = |key, value| SchemaBuilder::map(key, value).build().unwrap();
        let items = Value::Array(vec![Value::Int8(1), Value::Int8(2)]);
        assert_eq!(
            project(&array(Schema::int8()), &items, &array(Schema::int32())).unwrap(),
            Value::Array(vec![Value::Int32(1), Value::Int32(2)])
        );
        assert!(project(&array(Schema::int32()), &items, &array(Schema::string())).is_err());
        let entries = Value::Map(vec![(Value::Int8(1), Value::Null)]);
        let target = map(Schema::int16(), Schema::optional_int64());
        assert_eq!(
            project(&map(Schema::int8(), Schema::optional_int8()), &entries, &target).unwrap(),
            Value::Map(vec![(Value::Int16(1), Value::Null)])
        );
    }
}
