//! JSON to values, straight from the text, without a JSON tree.
//!
//! Upstream's texts where it has an error. Where it silently alters a value that does not suit the schema (a number that
//! does not fit wraps around, a text in a number's place becomes 0, a number in a text's place becomes null), the record
//! is refused instead, with an error that names the field.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use wharf_api::logical::{self, DATE, DECIMAL, TIME, TIMESTAMP};
use wharf_api::{ConnectError, Field, Result, SchemaRef, SchemaType, Struct, Value, flat};

use super::number::Number;
use super::reader::{Items, Kind, Reader, syntax_error};
use crate::value_budget::{ValueBudget, weight};

/// Padding is needed, and bits that no byte needs are ignored: what upstream's reader does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// How much of a refused value an error shows.
const SHOWN_CHARACTERS: usize = 100;

/// Reads one message: its payload, and the defaults of its schema.
#[derive(Debug)]
pub(super) struct Decoder {
    replace_null_with_default: bool,
    budget: ValueBudget,
}

/// Where in a payload a value stands.
#[derive(Debug, Clone, Copy)]
enum Path<'p> {
    Root,
    Name(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Name(outer, name) => write!(f, "{outer}.{name}"),
            Self::Element(outer, position) => write!(f, "{outer}[{position}]"),
        }
    }
}

impl Decoder {
    /// For a message of so many bytes.
    pub(super) fn new(replace_null_with_default: bool, length: usize) -> Self {
        Self {
            replace_null_with_default,
            budget: ValueBudget::new(length),
        }
    }

    /// Reads the next value.
    pub(super) fn payload(&self, reader: &mut Reader<'_>, schema: Option<&SchemaRef>) -> Result<Value> {
        self.value(reader, schema, &Path::Root)
    }

    fn value(&self, reader: &mut Reader<'_>, schema: Option<&SchemaRef>, path: &Path<'_>) -> Result<Value> {
        let Some(schema) = schema else {
            return self.schemaless(reader, path);
        };
        let kind = reader.peek()?;
        if kind == Kind::Null {
            reader.null()?;
            return self.null(schema);
        }
        match schema.name() {
            Some(DECIMAL) => return decimal(reader, kind, schema),
            Some(name @ (DATE | TIME | TIMESTAMP)) => return date(reader, kind, name, schema, path),
            _ => {}
        }
        match (schema.schema_type(), kind) {
            (SchemaType::String, Kind::String) => Ok(Value::String(reader.string()?.into_owned())),
            (SchemaType::Boolean, Kind::Boolean) => reader.boolean().map(Value::Boolean),
            (SchemaType::Bytes, Kind::String) => {
                bytes(&reader.string()?, "Invalid bytes field").map(Value::Bytes)
            }
            (SchemaType::Float32 | SchemaType::Float64, Kind::Number | Kind::String) => {
                float(reader, kind, schema.schema_type(), path)
            }
            (
                number_type @ (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 | SchemaType::Int64),
                Kind::Number,
            ) => integer(reader.number()?, number_type, path),
            (SchemaType::Array, Kind::Array) => self.array(reader, schema.value_schema()?, path),
            (SchemaType::Map, kind) => self.map(reader, kind, schema, path),
            (SchemaType::Struct, Kind::Object) => self.structure(reader, schema, path),
            (SchemaType::Struct, kind) => Err(ConnectError::data(format!(
                "Structs should be encoded as JSON objects, but found {}",
                kind.name()
            ))),
            (expected, _) => Err(refused(path, reader.skip()?, expected, "is of another type")),
        }
    }

    /// What null means: the default if it is asked for, else null if the schema allows it.
    fn null(&self, schema: &SchemaRef) -> Result<Value> {
        match schema.default_value() {
            Some(default) if self.replace_null_with_default => Ok(match default {
                // The default was built before the schema had one; the value is of the schema as it is.
                Value::Struct(value) => {
                    self.budget.take(weight(default) - 1)?;
                    Struct::from_values(SchemaRef::clone(schema), value.values().to_vec()).into()
                }
                other => self.budget.copy(other)?,
            }),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(ConnectError::data(format!(
                "Invalid null value for required {} field",
                schema.schema_type()
            ))),
        }
    }

    fn schemaless(&self, reader: &mut Reader<'_>, path: &Path<'_>) -> Result<Value> {
        Ok(match reader.peek()? {
            Kind::Null => {
                reader.null()?;
                Value::Null
            }
            Kind::Boolean => Value::Boolean(reader.boolean()?),
            Kind::String => Value::String(reader.string()?.into_owned()),
            Kind::Number => {
                let number = reader.number()?;
                if number.is_integer() {
                    return integer(number, SchemaType::Int64, path);
                }
                match number.float64() {
                    finite if finite.is_finite() => Value::Float64(finite),
                    _ => return Err(too_large(path, number, SchemaType::Float64)),
                }
            }
            Kind::Array => return self.array(reader, None, path),
            Kind::Object => self.object(reader, None, path)?,
        })
    }

    fn array(&self, reader: &mut Reader<'_>, element: Option<&SchemaRef>, path: &Path<'_>) -> Result<Value> {
        let mut items = reader.begin()?;
        let mut values = Vec::new();
        while reader.next_element(&mut items)? {
            values.push(self.value(reader, element, &Path::Element(path, values.len()))?);
        }
        Ok(Value::Array(values))
    }

    fn map(&self, reader: &mut Reader<'_>, kind: Kind, schema: &SchemaRef, path: &Path<'_>) -> Result<Value> {
        let item = schema.value_schema()?;
        let pair_key = schema
            .key_schema()?
            .filter(|key| key.schema_type() != SchemaType::String);
        match (pair_key, kind) {
            (None, Kind::Object) => self.object(reader, item, path),
            (Some(key), Kind::Array) => self.pairs(reader, key, item, path),
            (None, kind) => Err(ConnectError::data(format!(
                "Maps with string fields should be encoded as JSON objects, but found {}",
                kind.name()
            ))),
            (Some(_), kind) => Err(ConnectError::data(format!(
                "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
                kind.name()
            ))),
        }
    }

    /// A map with string keys. Of two equal keys the last counts, at the place of the first.
    fn object(&self, reader: &mut Reader<'_>, item: Option<&SchemaRef>, path: &Path<'_>) -> Result<Value> {
        let mut items = reader.begin()?;
        let mut entries: Vec<(Cow<'_, str>, Value)> = Vec::new();
        while let Some(name) = reader.next_member(&mut items)? {
            let value = self.value(reader, item, &Path::Name(path, &name))?;
            entries.push((name, value));
        }
        let entries = without_duplicates(entries, |name| Ok(name.clone()))?;
        Ok(Value::Map(
            entries
                .into_iter()
                .map(|(name, value)| (Value::String(name.into_owned()), value))
                .collect(),
        ))
    }

    /// A map with other keys: an array of pairs.
    fn pairs(
        &self,
        reader: &mut Reader<'_>,
        key_schema: &SchemaRef,
        item: Option<&SchemaRef>,
        path: &Path<'_>,
    ) -> Result<Value> {
        let mut items = reader.begin()?;
        let mut entries: Vec<(Value, Value)> = Vec::new();
        while reader.next_element(&mut items)? {
            let kind = reader.peek()?;
            if kind != Kind::Array {
                return Err(ConnectError::data(format!(
                    "Found invalid map entry instead of array tuple: {}",
                    kind.name()
                )));
            }
            let path = Path::Element(path, entries.len());
            check_pair(&mut reader.clone())?;
            let mut pair = reader.begin()?;
            reader.next_element(&mut pair)?;
            let key = self.value(reader, Some(key_schema), &path)?;
            reader.next_element(&mut pair)?;
            let value = self.value(reader, item, &path)?;
            reader.next_element(&mut pair)?;
            entries.push((key, value));
        }
        // Values have no hash; their flat encoding is equal exactly when they are, but for maps as keys.
        let entries = without_duplicates(entries, |key| {
            let mut encoded = Vec::new();
            flat::encode_value(key, &mut encoded).map(|()| encoded)
        })?;
        Ok(Value::Map(entries))
    }

    /// Fields in any order; those that the schema does not know are skipped, those that are missing count as null.
    fn structure(&self, reader: &mut Reader<'_>, schema: &SchemaRef, path: &Path<'_>) -> Result<Value> {
        let fields = schema.fields()?;
        let mut items = reader.begin()?;
        self.budget.take(fields.len())?;
        let mut values: Vec<Value> = Vec::with_capacity(fields.len());
        // Most writers keep the order of the schema, which saves the search.
        while let Some(name) = reader.next_member(&mut items)? {
            let Some(field) = fields.get(values.len()).filter(|field| field.name() == name) else {
                values = self.other_order(reader, schema, path, (items, name, values))?;
                break;
            };
            values.push(self.value(reader, Some(field.schema()), &Path::Name(path, field.name()))?);
        }
        for field in fields.iter().skip(values.len()) {
            values.push(self.null(field.schema())?);
        }
        Ok(Struct::from_values(SchemaRef::clone(schema), values).into())
    }

    /// The fields of a struct from the first member on that does not stand where the schema has it.
    fn other_order<'t>(
        &self,
        reader: &mut Reader<'t>,
        schema: &SchemaRef,
        path: &Path<'_>,
        (mut items, first, before): (Items, Cow<'t, str>, Vec<Value>),
    ) -> Result<Vec<Value>> {
        let fields = schema.fields()?;
        let mut values: Vec<Option<Value>> = before.into_iter().map(Some).collect();
        values.resize(fields.len(), None);
        let mut member = Some(first);
        while let Some(name) = member {
            if let Some(field) = schema.field(&name)? {
                let value = self.value(reader, Some(field.schema()), &Path::Name(path, field.name()))?;
                values[field.index()] = Some(value);
            } else {
                reader.skip()?;
            }
            member = reader.next_member(&mut items)?;
        }
        let value_or_null = |(value, field): (Option<Value>, &Field)| match value {
            Some(value) => Ok(value),
            None => self.null(field.schema()),
        };
        values.into_iter().zip(fields).map(value_or_null).collect()
    }
}

/// Maps up to this size are searched for equal keys by comparing all pairs, which is faster than hashing them.
const SMALL_MAP: usize = 16;

/// Keeps the last value of each key, at the place of the first.
fn without_duplicates<K: PartialEq, I: std::hash::Hash + Eq>(
    mut entries: Vec<(K, Value)>,
    identity: impl Fn(&K) -> Result<I>,
) -> Result<Vec<(K, Value)>> {
    let is_repeated = |position: usize| {
        entries[..position]
            .iter()
            .any(|(key, _)| *key == entries[position].0)
    };
    if entries.len() <= SMALL_MAP && !(0..entries.len()).any(is_repeated) {
        return Ok(entries);
    }
    let mut places: HashMap<I, usize> = HashMap::with_capacity(entries.len());
    let mut kept = 0;
    for position in 0..entries.len() {
        let place = *places.entry(identity(&entries[position].0)?).or_insert(kept);
        if place == kept {
            kept += 1;
        }
        entries.swap(place, position);
    }
    entries.truncate(kept);
    Ok(entries)
}

/// Looks ahead for exactly two elements.
fn check_pair(reader: &mut Reader<'_>) -> Result<()> {
    let mut items = reader.begin()?;
    let mut size = 0;
    while reader.next_element(&mut items)? {
        reader.skip()?;
        size += 1;
    }
    if size == 2 {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "Found invalid map entry, expected length 2 but found :{size}"
    )))
}

fn integer(number: Number<'_>, number_type: SchemaType, path: &Path<'_>) -> Result<Value> {
    let value = number.whole().and_then(|value| match number_type {
        SchemaType::Int8 => i8::try_from(value).ok().map(Value::Int8),
        SchemaType::Int16 => i16::try_from(value).ok().map(Value::Int16),
        SchemaType::Int32 => i32::try_from(value).ok().map(Value::Int32),
        _ => Some(Value::Int64(value)),
    });
    value.ok_or_else(|| {
        refused(
            path,
            number.text().as_bytes(),
            number_type,
            "is not a whole number in the range of that type",
        )
    })
}

/// Numbers, and the texts that stand for those which JSON does not have.
fn float(reader: &mut Reader<'_>, kind: Kind, float_type: SchemaType, path: &Path<'_>) -> Result<Value> {
    let is_double = float_type == SchemaType::Float64;
    if kind == Kind::String {
        let text = reader.string()?;
        let number = match &*text {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => return Err(refused(path, other.as_bytes(), float_type, "is a text")),
        };
        // The three have the same names in both widths.
        #[allow(clippy::cast_possible_truncation)]
        return Ok(if is_double {
            Value::Float64(number)
        } else {
            Value::Float32(number as f32)
        });
    }
    let number = reader.number()?;
    let (value, is_finite) = if is_double {
        let value = number.float64();
        (Value::Float64(value), value.is_finite())
    } else {
        let value = number.float32();
        (Value::Float32(value), value.is_finite())
    };
    if is_finite {
        Ok(value)
    } else {
        Err(too_large(path, number, float_type))
    }
}

fn decimal(reader: &mut Reader<'_>, kind: Kind, schema: &SchemaRef) -> Result<Value> {
    match kind {
        Kind::Number => {
            let number = reader.number()?;
            let decimal = number.decimal().ok_or_else(|| {
                syntax_error(&format!(
                    "the exponent of {} has more than 32 bits",
                    number.text()
                ))
            })?;
            Ok(Value::Decimal(decimal))
        }
        Kind::String => {
            const INVALID: &str = "Invalid bytes for Decimal field";
            let unscaled = bytes(&reader.string()?, INVALID)?;
            let decimal = if unscaled.is_empty() {
                Err(ConnectError::data("a decimal has at least one byte"))
            } else {
                logical::decimal_from_bytes(schema, &unscaled).map(Value::Decimal)
            };
            decimal.map_err(|cause| ConnectError::data(INVALID).caused_by(cause))
        }
        other => Err(ConnectError::data(format!(
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was {}",
            other.name()
        ))),
    }
}

fn date(
    reader: &mut Reader<'_>,
    kind: Kind,
    name: &str,
    schema: &SchemaRef,
    path: &Path<'_>,
) -> Result<Value> {
    let number = if kind == Kind::Number {
        Some(reader.number()?)
    } else {
        None
    };
    let number = number.filter(Number::is_integer);
    let small = number.and_then(|number| i32::try_from(number.integer()?).ok());
    let wrong = |type_name, wanted| {
        ConnectError::data(format!(
            "Invalid type for {type_name}, underlying representation should be {wanted} but was {}",
            kind.name()
        ))
    };
    let millis = match (name, small, number) {
        (DATE, Some(days), _) => logical::date_from_days(schema, days)?,
        (DATE, None, _) => return Err(wrong("Date", "integer")),
        (TIME, Some(millis), _) => logical::time_from_millis(schema, millis)?,
        (TIME, None, _) => return Err(wrong("Time", "integer")),
        (_, _, Some(number)) => match number.integer() {
            Some(millis) => logical::timestamp_from_millis(schema, millis)?,
            None => return Err(too_large(path, number, SchemaType::Int64)),
        },
        (_, _, None) => return Err(wrong("Timestamp", "integral")),
    };
    Ok(Value::Date(millis))
}

/// Blanks and line ends between the characters are ignored, as upstream.
fn bytes(text: &str, error: &str) -> Result<Vec<u8>> {
    let decoded = BASE64.decode(text).or_else(|_| {
        let compact: Vec<u8> = text.bytes().filter(|byte| *byte > b' ').collect();
        BASE64.decode(compact)
    });
    decoded.map_err(|reason| {
        ConnectError::data(error).caused_by(ConnectError::data(format!("not Base64: {reason}")))
    })
}

#[cold]
fn too_large(path: &Path<'_>, number: Number<'_>, wanted: SchemaType) -> ConnectError {
    refused(
        path,
        number.text().as_bytes(),
        wanted,
        "is too large for that type",
    )
}

/// The error where upstream would alter the value instead.
#[cold]
fn refused(path: &Path<'_>, value: &[u8], wanted: SchemaType, why: &str) -> ConnectError {
    let text = String::from_utf8_lossy(value);
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    ConnectError::data(format!(
        "the value {shown}{dots} at {path} cannot be read as {wanted}: it {why}; correct the data, or declare a type in \
         the schema that holds it"
    ))
}
