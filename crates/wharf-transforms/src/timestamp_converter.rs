//! `TimestampConverter`: changes the form of a timestamp, which is the whole key or value or one field. In UTC.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type, Validator};
use wharf_api::logical::{self, MILLIS_PER_DAY};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct,
    Transformation, Value,
};

use crate::options::{replace_null_with_default, replaces_null, text};
use crate::requirements::{map_get, map_put, no_struct, require_map};
use crate::schema_cache::SchemaCache;
use crate::schema_util::{copy_null, copy_schema_basics};
use crate::side::Side;
use crate::simple_date_format::SimpleDateFormat;

const FIELD: &str = "field";
const TARGET_TYPE: &str = "target.type";
const FORMAT: &str = "format";
const UNIX_PRECISION: &str = "unix.precision";
const PURPOSE: &str = "converting timestamp formats";
const NULL_POINTER: &str = "java.lang.NullPointerException";

/// A form of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

impl Form {
    const NAMES: [(&str, Self); 5] = [
        ("string", Self::Text),
        ("unix", Self::Unix),
        ("Date", Self::Date),
        ("Time", Self::Time),
        ("Timestamp", Self::Timestamp),
    ];

    fn schema(self, is_optional: bool) -> SchemaRef {
        match (self, is_optional) {
            (Self::Text, false) => Schema::string(),
            (Self::Text, true) => Schema::optional_string(),
            (Self::Unix, false) => Schema::int64(),
            (Self::Unix, true) => Schema::optional_int64(),
            (Self::Date, false) => logical::date(),
            (Self::Date, true) => logical::optional_date(),
            (Self::Time, false) => logical::time(),
            (Self::Time, true) => logical::optional_time(),
            (Self::Timestamp, false) => logical::timestamp(),
            (Self::Timestamp, true) => logical::optional_timestamp(),
        }
    }

    fn of_schema(schema: &Schema) -> Result<Self> {
        match (schema.name(), schema.schema_type()) {
            (Some(logical::TIMESTAMP), _) => Ok(Self::Timestamp),
            (Some(logical::DATE), _) => Ok(Self::Date),
            (Some(logical::TIME), _) => Ok(Self::Time),
            (_, SchemaType::String) => Ok(Self::Text),
            (_, SchemaType::Int64) => Ok(Self::Unix),
            _ => Err(ConnectError::connect(format!(
                "Schema {schema} does not correspond to a known timestamp type format"
            ))),
        }
    }

    fn of_value(value: &Value) -> Result<Self> {
        match value {
            Value::Date(_) => Ok(Self::Timestamp),
            Value::Int64(_) => Ok(Self::Unix),
            Value::String(_) => Ok(Self::Text),
            other => Err(ConnectError::data(format!(
                "TimestampConverter does not support class {} objects as timestamps",
                other.java_class()
            ))),
        }
    }
}

/// The unit of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Precision {
    const NAMES: [(&str, Self); 4] = [
        ("nanoseconds", Self::Nanoseconds),
        ("microseconds", Self::Microseconds),
        ("milliseconds", Self::Milliseconds),
        ("seconds", Self::Seconds),
    ];

    /// As Java's `TimeUnit`: cut off towards zero, and as near as an `i64` comes.
    fn to_millis(self, number: i64) -> i64 {
        match self {
            Self::Nanoseconds => number / 1_000_000,
            Self::Microseconds => number / 1000,
            Self::Milliseconds => number,
            Self::Seconds => number.saturating_mul(1000),
        }
    }

    fn of_millis(self, millis: i64) -> i64 {
        match self {
            Self::Nanoseconds => millis.saturating_mul(1_000_000),
            Self::Microseconds => millis.saturating_mul(1000),
            Self::Milliseconds => millis,
            Self::Seconds => millis / 1000,
        }
    }
}

/// How timestamps are converted.
#[derive(Debug)]
struct Conversion {
    target: Form,
    precision: Precision,
    format: Option<SimpleDateFormat>,
}

impl Conversion {
    fn convert(&self, source: Option<Form>, value: &Value) -> Result<Value> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let source = match source {
            Some(source) => source,
            None => Form::of_value(value)?,
        };
        let millis = self.read(source, value)?;
        Ok(match self.target {
            Form::Text => Value::String(self.format()?.format(millis)),
            Form::Unix => Value::Int64(self.precision.of_millis(millis)),
            // there is no midnight before the first of all instants
            Form::Date => Value::Date(millis.saturating_sub(millis.rem_euclid(MILLIS_PER_DAY))),
            Form::Time => Value::Date(millis.rem_euclid(MILLIS_PER_DAY)),
            Form::Timestamp => Value::Date(millis),
        })
    }

    /// Only a text that is read needs a format which configuration did not ask for.
    fn format(&self) -> Result<&SimpleDateFormat> {
        self.format.as_ref().ok_or_else(|| {
            ConnectError::connect(format!(
                "a timestamp that is a text cannot be read without the setting \"{FORMAT}\""
            ))
            .with_class(NULL_POINTER)
        })
    }

    fn read(&self, source: Form, value: &Value) -> Result<i64> {
        let (expected, class) = match (source, value) {
            (Form::Text, Value::String(text)) => {
                let format = self.format()?;
                return format.parse(text).ok_or_else(|| {
                    ConnectError::data(format!(
                        "Could not parse timestamp: value ({text}) does not match pattern ({})",
                        format.pattern()
                    ))
                });
            }
            (Form::Unix, Value::Int64(number)) => return Ok(self.precision.to_millis(*number)),
            (Form::Date | Form::Time | Form::Timestamp, Value::Date(millis)) => return Ok(*millis),
            (Form::Text, _) => ("string timestamp", "a String"),
            (Form::Unix, _) => ("Unix timestamp", "a Long"),
            (Form::Date, _) => ("Date", "a java.util.Date"),
            (Form::Time, _) => ("Time", "a java.util.Date"),
            (Form::Timestamp, _) => ("Timestamp", "a java.util.Date"),
        };
        Err(ConnectError::data(format!(
            "Expected {expected} to be {class}, but found class {}",
            value.java_class()
        )))
    }
}

/// The transformation.
pub(crate) struct TimestampConverter {
    side: Side,
    /// Empty for the whole key or value.
    field: String,
    conversion: Conversion,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl TimestampConverter {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            field: String::new(),
            conversion: Conversion {
                target: Form::Timestamp,
                precision: Precision::Milliseconds,
                format: None,
            },
            replace_null: true,
            schemas: SchemaCache::default(),
        }
    }
}

fn updated_schema(
    schema: &Schema,
    field: &str,
    conversion: &Conversion,
    replace_null: bool,
) -> Result<SchemaRef> {
    let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
    for known in schema.fields()? {
        let updated = if known.name() == field {
            conversion.target.schema(known.schema().is_optional())
        } else {
            SchemaRef::clone(known.schema())
        };
        builder = builder.field(known.name(), updated);
    }
    if schema.is_optional() {
        builder = builder.optional();
    }
    if let Some(Value::Struct(default)) = schema.default_value() {
        let mut default = default.clone();
        let without_default = builder.clone().build()?;
        convert_field(&mut default, &without_default, field, conversion, replace_null)?;
        builder = builder.default_value(Value::Struct(default));
    }
    builder.build()
}

fn convert_field(
    value: &mut Struct,
    updated: &SchemaRef,
    field: &str,
    conversion: &Conversion,
    replace_null: bool,
) -> Result<()> {
    let original = SchemaRef::clone(value.schema());
    value.reshape(SchemaRef::clone(updated), |values| {
        let fields = original.fields().unwrap_or_default();
        let targets = updated.fields().unwrap_or_default();
        values
            .iter_mut()
            .zip(fields.iter().zip(targets))
            .try_for_each(|(value, (from, to))| {
                if from.name() != field {
                    return copy_null(value, from, replace_null);
                }
                if value.is_null()
                    && replace_null
                    && let Some(default) = from.schema().default_value()
                {
                    *value = default.clone();
                }
                *value = conversion.convert(Some(Form::of_schema(from.schema())?), value)?;
                check_field(to, value)
            })
    })
}

fn named<T: Copy, const N: usize>(names: &[(&str, T); N], name: &str) -> Result<T> {
    names
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, found)| *found)
        .ok_or_else(|| ConnectError::config(format!("{name} is none of the known values")))
}

impl Transformation for TimestampConverter {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.field = text(&config, FIELD)?;
        let pattern = config.string(FORMAT)?;
        let target = named(&Form::NAMES, config.string(TARGET_TYPE)?)?;
        let is_blank = pattern.trim().is_empty();
        if target == Form::Text && is_blank {
            return Err(ConnectError::config(
                "TimestampConverter requires format option to be specified when using string timestamps",
            ));
        }
        let format = (!is_blank).then(|| {
            SimpleDateFormat::new(pattern).map_err(|error| {
                // upstream gives name and value to its exception the wrong way round
                ConnectError::config(format!(
                    "Invalid value {}: {} for configuration TimestampConverter requires a SimpleDateFormat-compatible \
                     pattern for string timestamps: {pattern}",
                    error.class(),
                    error.message()
                ))
            })
        });
        self.conversion = Conversion {
            target,
            precision: named(&Precision::NAMES, config.string(UNIX_PRECISION)?)?,
            format: format.transpose()?,
        };
        self.replace_null = replaces_null(&config);
        self.schemas = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(FIELD, Type::String)
                    .default("")
                    .importance(Importance::High)
                    .doc("Name of the field that is the timestamp; empty when the whole is."),
            )
            .define(
                ConfigKey::new(TARGET_TYPE, Type::String)
                    .validator(Validator::one_of(Form::NAMES.map(|(name, _)| name)))
                    .importance(Importance::High)
                    .doc("The form wanted: string, unix, Date, Time or Timestamp."),
            )
            .define(
                ConfigKey::new(FORMAT, Type::String)
                    .default("")
                    .doc("How texts are read and written: a pattern of java.text.SimpleDateFormat."),
            )
            .define(
                ConfigKey::new(UNIX_PRECISION, Type::String)
                    .default("milliseconds")
                    .validator(Validator::one_of(Precision::NAMES.map(|(name, _)| name)))
                    .importance(Importance::Low)
                    .doc("The unit of unix timestamps, read and written."),
            )
            .define(replace_null_with_default())
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        let conversion = &self.conversion;
        match schema {
            None if value.is_null() || self.field.is_empty() => *value = conversion.convert(None, value)?,
            None => {
                let entries = require_map(value, PURPOSE)?;
                let timestamp = map_get(entries, &self.field).unwrap_or(&Value::Null);
                let converted = conversion.convert(None, timestamp)?;
                map_put(entries, &self.field, converted);
            }
            Some(schema) if self.field.is_empty() => {
                *value = conversion.convert(Some(Form::of_schema(schema)?), value)?;
                *schema = conversion.target.schema(schema.is_optional());
            }
            Some(schema) => {
                if !matches!(value, Value::Struct(_) | Value::Null) {
                    return Err(no_struct(value, PURPOSE));
                }
                let (field, replace_null) = (&self.field, self.replace_null);
                let updated = self.schemas.get(schema, |schema| {
                    updated_schema(schema, field, conversion, replace_null)
                })?;
                if let Value::Struct(inner) = value {
                    convert_field(inner, updated, field, conversion, replace_null)?;
                }
                *schema = SchemaRef::clone(updated);
            }
        }
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
#[path = "timestamp_converter_tests.rs"]
mod tests;
