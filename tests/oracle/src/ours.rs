//! Our own answer to a case.

use wharf_api::config::{ParsedValue, parse_type};
use wharf_api::{
    ConnectError, ConverterType, Encoded, Headers, Result, SchemaAndValue, SchemaRef, Value, projector,
    values,
};

use crate::case::{Call, ConverterSpec, Usage};

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

fn no_such(class: &str) -> ConnectError {
    ConnectError::not_found(format!("no converter is named {class}"))
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
