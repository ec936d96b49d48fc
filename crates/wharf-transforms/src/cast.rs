//! `Cast`: gives the whole key or value, or some of its fields, another primitive type.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedValue, Type, Validator};
use wharf_api::structs::check_field;
use wharf_api::values::convert_to_string;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct,
    Transformation, Value, java_text, logical,
};

use crate::java_number::{float_text, parse_integer, to_f32, to_f64, to_i32, to_i64};
use crate::options::{list, replace_null_with_default, replaces_null};
use crate::requirements::{map_get, map_put, require_map, require_struct};
use crate::schema_cache::SchemaCache;
use crate::schema_util::{copy_null, copy_schema_basics};
use crate::side::Side;

const SPEC: &str = "spec";
const PURPOSE: &str = "cast types";
const TARGETS: &str = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]";
const SOURCES: &str = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]";

/// What is cast to what.
#[derive(Debug, PartialEq)]
enum Casts {
    Whole(SchemaType),
    Fields(Vec<(String, SchemaType)>),
}

impl Casts {
    fn of(&self, field: &str) -> Option<SchemaType> {
        match self {
            Self::Whole(_) => None,
            Self::Fields(casts) => casts
                .iter()
                .rev()
                .find(|(name, _)| name == field)
                .map(|(_, target)| *target),
        }
    }
}

/// The schema that results, and what each field of the original is cast to.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    targets: Vec<Option<SchemaType>>,
}

/// The transformation.
pub(crate) struct Cast {
    side: Side,
    casts: Casts,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

impl Cast {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            casts: Casts::Fields(Vec::new()),
            replace_null: true,
            plans: SchemaCache::default(),
        }
    }
}

/// As `String.split(":")`, which tells nothing of empty parts at the end.
fn split(item: &str) -> Vec<&str> {
    if item.is_empty() {
        return vec![""];
    }
    match item.trim_end_matches(':') {
        "" => Vec::new(),
        item => item.split(':').collect(),
    }
}

fn parse_casts(items: &[String]) -> Result<Casts> {
    let mut fields = Vec::new();
    let mut whole = None;
    for item in items {
        match split(item)[..] {
            [target] => whole = Some(target_type(target)?),
            [field, target] => fields.push((field.trim().to_owned(), target_type(target)?)),
            [] => {
                return Err(ConnectError::connect("Index 0 out of bounds for length 0")
                    .with_class("java.lang.ArrayIndexOutOfBoundsException"));
            }
            _ => {
                return Err(ConnectError::invalid_config(
                    "renames",
                    format_args!("[{}]", items.join(", ")),
                    &format!("Invalid rename mapping: {item}"),
                ));
            }
        }
    }
    match whole {
        None => Ok(Casts::Fields(fields)),
        Some(_) if items.len() > 1 => Err(ConnectError::config(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in \
             their spec",
        )),
        Some(target) => Ok(Casts::Whole(target)),
    }
}

fn target_type(text: &str) -> Result<SchemaType> {
    let name = text.trim();
    let capitals = name.to_uppercase();
    let Some(target) = SchemaType::ALL.into_iter().find(|known| known.name() == capitals) else {
        // upstream gives name and value to its exception the wrong way round
        return Err(ConnectError::config(format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant \
             org.apache.kafka.connect.data.Schema.Type.{capitals} for configuration Invalid type found in casting \
             spec: {name}"
        )));
    };
    if target.is_primitive() && target != SchemaType::Bytes {
        return Ok(target);
    }
    Err(ConnectError::config(format!(
        "Cast transformation does not support casting to {target}; supported types are {TARGETS}"
    )))
}

/// The type of a value that came without schema.
fn inferred_type(value: &Value) -> Option<SchemaType> {
    Some(match value {
        Value::Boolean(_) => SchemaType::Boolean,
        Value::Int8(_) => SchemaType::Int8,
        Value::Int16(_) => SchemaType::Int16,
        Value::Int32(_) => SchemaType::Int32,
        Value::Int64(_) => SchemaType::Int64,
        Value::Float32(_) => SchemaType::Float32,
        Value::Float64(_) => SchemaType::Float64,
        Value::String(_) => SchemaType::String,
        Value::Bytes(_) => SchemaType::Bytes,
        Value::Array(_) => SchemaType::Array,
        Value::Map(_) => SchemaType::Map,
        Value::Struct(_) => SchemaType::Struct,
        Value::Null | Value::Decimal(_) | Value::Date(_) => return None,
    })
}

fn cast(schema: Option<&Schema>, value: Value, target: SchemaType) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let source = schema.map_or_else(|| inferred_type(&value), |schema| Some(schema.schema_type()));
    let Some(source) = source else {
        return Err(ConnectError::data(format!(
            "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
            value.java_class()
        )));
    };
    if !source.is_primitive() {
        return Err(ConnectError::data(format!(
            "Cast transformation does not support casting from {source}; supported types are {SOURCES}"
        )));
    }
    if target == SchemaType::String {
        return Ok(cast_to_string(value));
    }
    match schema {
        Some(schema) if schema.name().is_some() => convert(encoded(schema, value)?, target),
        _ => convert(value, target),
    }
}

/// The number that a date, time or timestamp is kept as.
fn encoded(schema: &Schema, value: Value) -> Result<Value> {
    let logical = schema
        .name()
        .filter(|name| [logical::DATE, logical::TIME, logical::TIMESTAMP].contains(name));
    Ok(match (logical, value) {
        (None, value) => value,
        (Some(logical::DATE), Value::Date(millis)) => logical::date_to_days(schema, millis)?.into(),
        (Some(logical::TIME), Value::Date(millis)) => logical::time_to_millis(schema, millis)?.into(),
        (Some(_), Value::Date(millis)) => logical::timestamp_to_millis(schema, millis)?.into(),
        (Some(_), value) => {
            return Err(ConnectError::connect(format!(
                "class {} cannot be cast to class java.util.Date",
                value.java_class()
            ))
            .with_class("java.lang.ClassCastException"));
        }
    })
}

fn cast_to_string(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        Value::Date(_) => convert_to_string(&value.as_ref()).into(),
        value => java_text::to_java_string(&value.as_ref()).into(),
    }
}

fn convert(value: Value, target: SchemaType) -> Result<Value> {
    let converted = match &value {
        Value::Boolean(truth) => from_number(&Value::Int8(i8::from(*truth)), target),
        Value::String(text) => match from_text(text, target) {
            None => {
                return Err(ConnectError::data(format!(
                    "Value ({text}) was out of range for requested data type"
                )));
            }
            converted => converted,
        },
        value => from_number(value, target),
    };
    converted.ok_or_else(|| {
        ConnectError::data(format!(
            "Unexpected type in Cast transformation: class {}",
            value.java_class()
        ))
    })
}

fn from_number(value: &Value, target: SchemaType) -> Option<Value> {
    // Java drops the high bits.
    #[allow(clippy::cast_possible_truncation)]
    Some(match target {
        SchemaType::Int8 => Value::Int8(to_i32(value)? as i8),
        SchemaType::Int16 => Value::Int16(to_i32(value)? as i16),
        SchemaType::Int32 => Value::Int32(to_i32(value)?),
        SchemaType::Int64 => Value::Int64(to_i64(value)?),
        SchemaType::Float32 => Value::Float32(to_f32(value)?),
        SchemaType::Float64 => Value::Float64(to_f64(value)?),
        SchemaType::Boolean => Value::Boolean(to_i64(value)? != 0),
        _ => return None,
    })
}

fn from_text(text: &str, target: SchemaType) -> Option<Value> {
    Some(match target {
        SchemaType::Int8 => Value::Int8(parse_integer(text)?.try_into().ok()?),
        SchemaType::Int16 => Value::Int16(parse_integer(text)?.try_into().ok()?),
        SchemaType::Int32 => Value::Int32(parse_integer(text)?.try_into().ok()?),
        SchemaType::Int64 => Value::Int64(parse_integer(text)?),
        SchemaType::Float32 => Value::Float32(float_text(text)?.parse().ok()?),
        SchemaType::Float64 => Value::Float64(float_text(text)?.parse().ok()?),
        SchemaType::Boolean => Value::Boolean(text.eq_ignore_ascii_case("true")),
        _ => return None,
    })
}

impl Plan {
    fn new(schema: &Schema, casts: &Casts) -> Result<Self> {
        let mut targets = Vec::new();
        let (mut builder, target) = match casts {
            Casts::Whole(target) => (copy_schema_basics(schema, SchemaBuilder::new(*target)), *target),
            Casts::Fields(_) => {
                let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
                for field in schema.fields()? {
                    let target = casts.of(field.name());
                    let updated = match target {
                        Some(target) => cast_schema(field.schema(), SchemaBuilder::new(target), target)?,
                        None => SchemaRef::clone(field.schema()),
                    };
                    builder = builder.field(field.name(), updated);
                    targets.push(target);
                }
                (builder, SchemaType::Struct)
            }
        };
        if schema.is_optional() {
            builder = builder.optional();
        }
        if let Some(default) = schema.default_value() {
            builder = builder.default_value(cast(Some(schema), default.clone(), target)?);
        }
        Ok(Self {
            schema: builder.build()?,
            targets,
        })
    }

    fn apply(&self, original: &Schema, values: &mut [Value], replace_null: bool) -> Result<()> {
        let fields = original.fields()?.iter().zip(self.schema.fields()?);
        for ((value, target), (from, to)) in values.iter_mut().zip(&self.targets).zip(fields) {
            if value.is_null() {
                if replace_null && let Some(default) = from.schema().default_value() {
                    *value = default.clone();
                } else {
                    copy_null(value, to, false)?;
                    continue;
                }
            }
            if let Some(target) = target {
                *value = cast(Some(from.schema()), std::mem::take(value), *target)?;
                check_field(to, value)?;
            }
        }
        Ok(())
    }
}

/// A field's schema after the cast: optional as before, with the default cast, and nothing else of the original.
fn cast_schema(source: &Schema, mut builder: SchemaBuilder, target: SchemaType) -> Result<SchemaRef> {
    if source.is_optional() {
        builder = builder.optional();
    }
    if let Some(default) = source.default_value() {
        builder = builder.default_value(cast(Some(source), default.clone(), target)?);
    }
    builder.build()
}

impl Transformation for Cast {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.casts = parse_casts(&list(&config, SPEC))?;
        self.replace_null = replaces_null(&config);
        self.plans = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        let spec = Validator::custom(
            "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>",
            |_, value: &ParsedValue| match value.as_list() {
                None | Some([]) => Err(ConnectError::config("Must specify at least one field to cast.")),
                Some(items) => parse_casts(items).map(drop),
            },
        );
        ConfigDef::new()
            .define(
                ConfigKey::new(SPEC, Type::List)
                    .validator(spec)
                    .importance(Importance::High)
                    .doc(
                        "Fields and the types they are cast to, as pairs with a colon between; or one type alone, to \
                         which the whole is cast. Types are int8, int16, int32, int64, float32, float64, boolean and \
                         string.",
                    ),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        if value.is_null() {
            return Ok(Applied::Kept);
        }
        let Some(schema) = schema else {
            match &self.casts {
                Casts::Whole(target) => *value = cast(None, std::mem::take(value), *target)?,
                Casts::Fields(casts) => {
                    let entries = require_map(value, PURPOSE)?;
                    let cast_all = casts
                        .iter()
                        .map(|(field, _)| {
                            let target = self.casts.of(field).unwrap_or(SchemaType::String);
                            let value = map_get(entries, field).cloned().unwrap_or_default();
                            cast(None, value, target)
                        })
                        .collect::<Result<Vec<_>>>()?;
                    for ((field, _), value) in casts.iter().zip(cast_all) {
                        map_put(entries, field, value);
                    }
                }
            }
            return Ok(Applied::Kept);
        };
        let casts = &self.casts;
        let plan = self.plans.get(schema, |schema| Plan::new(schema, casts))?;
        if let Casts::Whole(target) = casts {
            *value = cast(Some(schema), std::mem::take(value), *target)?;
        } else {
            let inner: &mut Struct = require_struct(value, PURPOSE)?;
            inner.reshape(SchemaRef::clone(&plan.schema), |values| {
                plan.apply(schema, values, self.replace_null)
            })?;
        }
        *schema = SchemaRef::clone(&plan.schema);
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
#[path = "cast_tests.rs"]
mod tests;
