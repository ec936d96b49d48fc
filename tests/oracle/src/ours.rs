//! Our own answer to a case.

use wharf_api::config::{DefaultValue, ParsedValue, parse_type};
use wharf_api::{
    ConnectError, ConverterType, Encoded, Headers, Record, Result, SchemaAndValue, SchemaRef, Value,
    projector, values,
};

use crate::case::{Call, ConverterSpec, RecordPlugin, Usage};
use crate::record_codec::{record_from_json, record_to_json};

const TOPIC: &str = "topic";
const HEADER: &str = "header";

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A message.
    Bytes(Option<Vec<u8>>),
    /// A value with its schema.
    Pair(SchemaAndValue),
    /// A value.
    Value(Value),
    /// A schema.
    Schema(Option<SchemaRef>),
    /// A record, or none when it was dropped.
    Record(Option<Box<Record>>),
}

/// Makes the call.
///
/// # Errors
/// What the code under test refuses with.
pub fn answer(call: &Call) -> Result<Outcome> {
    match call {
        Call::From {
            converter,
            schema,
            value,
        } => write(converter, schema.as_ref(), value).map(Outcome::Bytes),
        Call::To { converter, bytes } => read(converter, bytes.as_deref()).map(Outcome::Pair),
        Call::Parse { text } => Ok(Outcome::Pair(values::parse_string(text))),
        Call::Convert {
            target,
            scale,
            schema,
            value,
        } => convert(target, *scale, schema.as_ref(), value).map(Outcome::Value),
        Call::Text { value } => Ok(Outcome::Value(values::convert_to_string(&value.as_ref()).into())),
        Call::Infer { value } => values::infer_schema(value).map(Outcome::Schema),
        Call::Project {
            schema,
            value,
            target,
        } => projector::project(schema, value, target).map(Outcome::Value),
        Call::Record {
            plugin,
            config,
            record,
        } => match plugin {
            RecordPlugin::Transformation(class) => {
                let mut made = wharf_transforms::transformation(class)
                    .or_else(|| wharf_change_events::transformation(class))
                    .ok_or_else(|| no_such(class))?;
                made.configure(config)?;
                let changed = made.applied(Record::clone(record))?;
                // as the JVM's answer is read: what the form does not tell is no difference
                let told = changed.map(|record| record_from_json(&record_to_json(&record)));
                let told = told
                    .transpose()
                    .map_err(|error| ConnectError::panic(format!("{error:#}")))?;
                Ok(Outcome::Record(told.map(Box::new)))
            }
            RecordPlugin::Predicate(class) => {
                let mut made = wharf_transforms::predicate(class).ok_or_else(|| no_such(class))?;
                made.configure(config)?;
                made.test(record).map(|decision| Outcome::Value(decision.into()))
            }
        },
        Call::Definition { plugin } => definition(*plugin),
        Call::Config { target, text } => parse_type("key", text, *target).map(|parsed| {
            Outcome::Value(match parsed {
                ParsedValue::Boolean(truth) => truth.into(),
                ParsedValue::Int(number) => number.into(),
                ParsedValue::Short(number) => number.into(),
                ParsedValue::Long(number) => number.into(),
                ParsedValue::Double(number) => number.into(),
                ParsedValue::List(items) => Value::Array(items.into_iter().map(Value::from).collect()),
                ParsedValue::Password(password) => password.reveal().into(),
                other => other.to_text().into(),
            })
        }),
    }
}

/// The keys of a class: name, type, default, validator and importance of each.
fn definition(plugin: RecordPlugin) -> Result<Outcome> {
    let definition = match plugin {
        RecordPlugin::Transformation(class) => wharf_transforms::transformation(class)
            .ok_or_else(|| no_such(class))?
            .config(),
        RecordPlugin::Predicate(class) => wharf_transforms::predicate(class)
            .ok_or_else(|| no_such(class))?
            .config(),
    };
    let keys = definition.infos().map(|key| {
        let default = match key.default {
            DefaultValue::Required => "required".to_owned(),
            _ => key.default_text().unwrap_or_else(|| "null".to_owned()),
        };
        let validator = key.validator.as_deref().unwrap_or_default();
        let (name, value_type, importance) = (&key.name, key.value_type.name(), key.importance.name());
        Value::from(format!("{name}|{value_type}|{default}|{validator}|{importance}"))
    });
    Ok(Outcome::Value(Value::Array(keys.collect())))
}

fn no_such(class: &str) -> ConnectError {
    ConnectError::not_found(format!("nothing is named {class}"))
}

fn write(spec: &ConverterSpec, schema: Option<&SchemaRef>, value: &Value) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    let encoded = match spec.usage {
        Usage::Header => {
            let mut converter =
                wharf_converters::header_converter(spec.class).ok_or_else(|| no_such(spec.class))?;
            converter.configure(&spec.config)?;
            converter.encode_header(TOPIC, HEADER, schema, value.as_ref(), &mut out)?
        }
        Usage::Key | Usage::Value => {
            let mut converter = converter(spec)?;
            converter.encode(TOPIC, &mut Headers::new(), schema, value.as_ref(), &mut out)?
        }
    };
    Ok((encoded == Encoded::Bytes).then_some(out))
}

fn read(spec: &ConverterSpec, bytes: Option<&[u8]>) -> Result<SchemaAndValue> {
    match spec.usage {
        Usage::Header => {
            let mut converter =
                wharf_converters::header_converter(spec.class).ok_or_else(|| no_such(spec.class))?;
            converter.configure(&spec.config)?;
            converter.decode_header(TOPIC, HEADER, bytes)
        }
        Usage::Key | Usage::Value => converter(spec)?.decode(TOPIC, &Headers::new(), bytes),
    }
}

fn converter(spec: &ConverterSpec) -> Result<Box<dyn wharf_api::Converter>> {
    let mut converter = wharf_converters::converter(spec.class).ok_or_else(|| no_such(spec.class))?;
    let used_for = match spec.usage {
        Usage::Key => ConverterType::Key,
        _ => ConverterType::Value,
    };
    converter.configure(&spec.config, used_for)?;
    Ok(converter)
}

fn convert(target: &str, scale: i32, from: Option<&SchemaRef>, value: &Value) -> Result<Value> {
    Ok(match target {
        "boolean" => values::convert_to_boolean(from, value)?.into(),
        "byte" => values::convert_to_byte(from, value)?.into(),
        "short" => values::convert_to_short(from, value)?.into(),
        "integer" => values::convert_to_integer(from, value)?.into(),
        "long" => values::convert_to_long(from, value)?.into(),
        "float" => values::convert_to_float(from, value)?.into(),
        "double" => values::convert_to_double(from, value)?.into(),
        "list" => Value::Array(values::convert_to_list(from, value)?),
        "map" => Value::Map(values::convert_to_map(from, value)?),
        "struct" => Value::Struct(values::convert_to_struct(from, value)?),
        "date" => Value::Date(values::convert_to_date(from, value)?),
        "time" => Value::Date(values::convert_to_time(from, value)?),
        "timestamp" => Value::Date(values::convert_to_timestamp(from, value)?),
        "decimal" => values::convert_to_decimal(from, value, scale)?.into(),
        other => {
            return Err(ConnectError::unsupported(format!(
                "no conversion is named {other}"
            )));
        }
    })
}
