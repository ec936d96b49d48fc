//! JSON to Connect values, straight from the text, without a JSON tree.
//!
//! Where upstream silently alters a value that does not suit its schema (a number that does not fit wraps around, a text in a
//! number's place becomes 0) the record is refused with an error that says where, as `JsonConverter` of this worker does.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_api::logical::{self, DATE, DECIMAL, TIME, TIMESTAMP};
use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType, Struct, Value};
use wharf_converters::json::number::Number;
use wharf_converters::json::reader::{Kind, Reader};
use wharf_converters::value_budget::ValueBudget;

use crate::from_connect::is_extras;
use crate::names::{self, ADDITIONAL_PROPERTIES, KEY, VALUE};
use crate::options::Options;
use crate::variant;

/// Reads values.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    options: &'a Options,
    budget: ValueBudget,
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, usize),
    /// A field of a struct.
    Field(&'a Path<'a>, &'a str),
    /// The same place, as a member of a choice, which is a struct.
    Member(&'a Path<'a>),
}

impl Path<'_> {
    /// Whether it is part of what a struct holds.
    fn is_in_struct(&self) -> bool {
        match self {
            Self::Root => false,
            Self::Field(..) | Self::Member(_) => true,
            Self::Name(outer, _) | Self::Element(outer, _) => outer.is_in_struct(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Name(outer, name) | Self::Field(outer, name) => write!(f, "{outer}.{name}"),
            Self::Member(outer) => outer.fmt(f),
            Self::Element(outer, index) => write!(f, "{outer}[{index}]"),
        }
    }
}

impl<'a> Decoder<'a> {
    /// For a message of so many bytes.
    pub(crate) fn new(options: &'a Options, length: usize) -> Self {
        Self {
            options,
            budget: ValueBudget::new(length),
        }
    }

    /// Reads the next value.
    ///
    /// # Errors
    /// A data error when the text is not JSON or the value does not suit the schema.
    pub(crate) fn value(&self, schema: &SchemaRef, reader: &mut Reader<'_>) -> Result<Value> {
        self.read(schema, reader, &Path::Root)
    }

    fn read(&self, schema: &SchemaRef, reader: &mut Reader<'_>, path: &Path<'_>) -> Result<Value> {
        let kind = reader.peek()?;
        if kind == Kind::Null {
            reader.null()?;
            return match schema.default_value() {
                Some(default) => self.budget.copy(default),
                None if schema.is_optional() => Ok(Value::Null),
                None => Err(ConnectError::data(format!(
                    "Invalid null value for required {} field",
                    schema.schema_type()
                ))
                .caused_by(ConnectError::data(format!("the null stands at {path}")))),
            };
        }
        match schema.name() {
            Some(DECIMAL) => return decimal(reader, kind, schema),
            Some(name @ (DATE | TIME | TIMESTAMP)) => return date(reader, kind, name, schema),
            Some(variant::NAME) => return variant::from_json(schema, reader),
            _ => {}
        }
        let wanted = schema.schema_type();
        match (wanted, kind) {
            (SchemaType::Boolean, Kind::Boolean) => reader.boolean().map(Value::Boolean),
            (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 | SchemaType::Int64, Kind::Number) => {
                integer(reader.number()?, wanted, path)
            }
            (SchemaType::Float32 | SchemaType::Float64, Kind::Number | Kind::String) => {
                float(reader, kind, wanted, path)
            }
            (SchemaType::String, Kind::String) => Ok(Value::String(reader.string()?.into_owned())),
            (SchemaType::Bytes, Kind::String) => base64(&reader.string()?).map(Value::Bytes),
            (SchemaType::Bytes, Kind::Number) => {
                let number = reader.number()?;
                number
                    .decimal()
                    .map(Value::Decimal)
                    .ok_or_else(|| out_of_range(number, wanted, path))
            }
            (SchemaType::Array, Kind::Array) => {
                let element = part(schema.value_schema()?)?;
                let mut items = reader.begin()?;
                let mut array = Vec::new();
                while reader.next_element(&mut items)? {
                    array.push(self.read(element, reader, &Path::Element(path, array.len()))?);
                }
                Ok(Value::Array(array))
            }
            (SchemaType::Map, _) => self.map(schema, reader, kind, path),
            (SchemaType::Struct, _) if names::is_union(schema) => self.union(schema, reader, path),
            (SchemaType::Struct, Kind::Object) => self.structure(schema, reader, path),
            (SchemaType::Struct, other) => Err(ConnectError::data(format!(
                "Structs should be encoded as JSON objects, but found {}",
                other.name()
            ))),
            (wanted, kind) => Err(unsuited(kind.name(), wanted, path)),
        }
    }

    fn map(&self, schema: &Schema, reader: &mut Reader<'_>, kind: Kind, path: &Path<'_>) -> Result<Value> {
        let key_schema = part(schema.key_schema()?)?;
        let value_schema = part(schema.value_schema()?)?;
        let mut entries = Entries::default();
        if names::is_object_map(schema) {
            if kind != Kind::Object {
                return Err(ConnectError::data(format!(
                    "Maps with string fields should be encoded as JSON objects, but found {}",
                    kind.name()
                )));
            }
            let mut items = reader.begin()?;
            while let Some(name) = reader.next_member(&mut items)? {
                let value = self.read(value_schema, reader, &Path::Name(path, &name))?;
                entries.put_text(&name, value);
            }
            return Ok(Value::Map(entries.list));
        }
        if kind != Kind::Array {
            return Err(ConnectError::data(format!(
                "Maps with non-string fields should be encoded as JSON array of objects, but found {}",
                kind.name()
            )));
        }
        let mut items = reader.begin()?;
        while reader.next_element(&mut items)? {
            let kind = reader.peek()?;
            if kind != Kind::Object {
                return Err(ConnectError::data(format!(
                    "Found invalid map entry instead of object: {}",
                    kind.name()
                )));
            }
            let path = Path::Element(path, entries.list.len());
            let (mut key, mut value, mut others) = (None, None, 0);
            let mut members = reader.begin()?;
            while let Some(name) = reader.next_member(&mut members)? {
                match &*name {
                    KEY => key = Some(self.read(key_schema, reader, &Path::Name(&path, KEY))?),
                    VALUE => value = Some(self.read(value_schema, reader, &Path::Name(&path, VALUE))?),
                    _ => {
                        reader.skip()?;
                        others += 1;
                    }
                }
            }
            let size = usize::from(key.is_some()) + usize::from(value.is_some()) + others;
            let (Some(key), Some(value), 2) = (key, value, size) else {
                return Err(ConnectError::data(format!(
                    "Found invalid map entry, expected length 2 but found :{size}"
                )));
            };
            entries.list.push((key, value));
        }
        Ok(Value::Map(entries.list))
    }

    /// Fields in any order. Those that the schema does not know are skipped or kept aside; those that are missing have their
    /// default, or are null. Where that is not allowed the struct is refused, unless it is the outermost: upstream looks only at what a
    /// struct holds.
    fn structure(&self, schema: &SchemaRef, reader: &mut Reader<'_>, path: &Path<'_>) -> Result<Value> {
        let fields = schema.fields()?;
        let extras_at = self.options.preserve_additional_properties.then(|| {
            fields
                .iter()
                .position(|field| is_extras(field.name(), field.schema()))
        });
        let extras_at = extras_at.flatten();
        self.budget.take(fields.len())?;
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            values.push(match field.schema().default_value() {
                Some(default) => self.budget.copy(default)?,
                None => Value::Null,
            });
        }
        let mut extras = Entries::default();
        let mut items = reader.begin()?;
        // Most writers keep the order of the schema, which saves the search.
        let mut expected = 0;
        while let Some(name) = reader.next_member(&mut items)? {
            let field = match fields.get(expected) {
                Some(field) if field.name() == name => Some(field),
                _ => schema.field(&name)?,
            };
            match (field, extras_at) {
                (Some(field), at) if at != Some(field.index()) => {
                    expected = field.index() + 1;
                    values[field.index()] =
                        self.read(field.schema(), reader, &Path::Field(path, field.name()))?;
                }
                (_, None) => {
                    reader.skip()?;
                }
                (Some(_), Some(_)) => {
                    return Err(ConnectError::data(format!(
                        "JSON payload contains a property named '{ADDITIONAL_PROPERTIES}' which collides with the reserved \
                         field name for preserve.additional.properties=true. Rename the property in the source data or disable \
                         the config."
                    )));
                }
                (None, Some(at)) => {
                    let variant_schema = part(fields[at].schema().value_schema()?)?;
                    let value = variant::from_json(variant_schema, reader)?;
                    extras.put_text(&name, value);
                }
            }
        }
        if let Some(at) = extras_at
            && !extras.list.is_empty()
        {
            values[at] = Value::Map(extras.list);
        }
        if path.is_in_struct() {
            let missing = fields
                .iter()
                .find(|field| values[field.index()].is_null() && !field.schema().is_optional());
            if let Some(field) = missing {
                return Err(ConnectError::data(format!(
                    "Invalid value: null used for required field: \"{}\", schema type: {}",
                    field.name(),
                    field.schema().schema_type()
                ))
                .caused_by(ConnectError::data(format!("the object stands at {path}"))));
            }
        }
        Ok(Struct::from_values(SchemaRef::clone(schema), values).into())
    }

    /// The first member that the kind of value fits; else the struct that knows the most of its names.
    fn union(&self, schema: &SchemaRef, reader: &mut Reader<'_>, path: &Path<'_>) -> Result<Value> {
        let fields = schema.fields()?;
        let mut best = None;
        for field in fields {
            if fits(field.schema(), reader)? {
                best = Some((field, 0));
                break;
            }
            let matching = matching_names(field.schema(), &mut reader.clone())?;
            if matching > best.map_or(0, |(_, most)| most) {
                best = Some((field, matching));
            }
        }
        let Some((field, _)) = best else {
            return Err(ConnectError::data("Did not find matching oneof field for data")
                .caused_by(ConnectError::data(format!("the value stands at {path}"))));
        };
        self.budget.take(fields.len())?;
        let mut values = vec![Value::Null; fields.len()];
        values[field.index()] = self.read(field.schema(), reader, &Path::Member(path))?;
        Ok(Struct::from_values(SchemaRef::clone(schema), values).into())
    }
}

/// Entries of a map; of equal keys the last counts.
#[derive(Default)]
struct Entries {
    list: Vec<(Value, Value)>,
    /// Texts that are in, once there are enough of them to make a search slow.
    known: std::collections::HashMap<String, usize>,
}

impl Entries {
    const SEARCHED: usize = 16;

    fn put_text(&mut self, name: &str, value: Value) {
        let place = if self.list.len() < Self::SEARCHED {
            self.list.iter().position(|(key, _)| key.as_str() == Some(name))
        } else {
            if self.known.is_empty() {
                let texts = self.list.iter().enumerate();
                self.known = texts
                    .filter_map(|(place, (key, _))| Some((key.as_str()?.to_owned(), place)))
                    .collect();
            }
            self.known.get(name).copied()
        };
        match place {
            Some(place) => self.list[place].1 = value,
            None => {
                if !self.known.is_empty() {
                    self.known.insert(name.to_owned(), self.list.len());
                }
                self.list.push((Value::String(name.to_owned()), value));
            }
        }
    }
}

/// Whether a value that is no struct is of the schema's kind.
fn fits(schema: &Schema, reader: &Reader<'_>) -> Result<bool> {
    let mut reader = reader.clone();
    let kind = reader.peek()?;
    Ok(match schema.schema_type() {
        SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 | SchemaType::Int64 => {
            kind == Kind::Number && reader.number()?.is_integer()
        }
        SchemaType::Float32 | SchemaType::Float64 => kind == Kind::Number,
        SchemaType::Boolean => kind == Kind::Boolean,
        SchemaType::String => kind == Kind::String,
        SchemaType::Bytes => kind == Kind::Number && !reader.number()?.is_integer(),
        SchemaType::Array => kind == Kind::Array,
        SchemaType::Map => matches!(kind, Kind::Object | Kind::Array),
        SchemaType::Struct => false,
    })
}

/// How many names of an object a struct knows, those of inner structs included.
fn matching_names(schema: &Schema, reader: &mut Reader<'_>) -> Result<usize> {
    if schema.schema_type() != SchemaType::Struct || reader.peek()? != Kind::Object {
        reader.skip()?;
        return Ok(0);
    }
    let mut count = 0;
    let mut seen = HashSet::new();
    let mut items = reader.begin()?;
    while let Some(name) = reader.next_member(&mut items)? {
        match schema.field(&name)? {
            Some(field) if seen.insert(field.index()) => count += 1 + matching_names(field.schema(), reader)?,
            _ => {
                reader.skip()?;
            }
        }
    }
    Ok(count)
}

fn part(schema: Option<&SchemaRef>) -> Result<&SchemaRef> {
    schema.ok_or_else(|| ConnectError::data("an array or map has no schema for its elements"))
}

fn integer(number: Number<'_>, wanted: SchemaType, path: &Path<'_>) -> Result<Value> {
    let value = number.whole().and_then(|value| match wanted {
        SchemaType::Int8 => i8::try_from(value).ok().map(Value::Int8),
        SchemaType::Int16 => i16::try_from(value).ok().map(Value::Int16),
        SchemaType::Int32 => i32::try_from(value).ok().map(Value::Int32),
        _ => Some(Value::Int64(value)),
    });
    value.ok_or_else(|| out_of_range(number, wanted, path))
}

/// Numbers, and the texts that the writer puts for those which JSON does not have.
fn float(reader: &mut Reader<'_>, kind: Kind, wanted: SchemaType, path: &Path<'_>) -> Result<Value> {
    let is_double = wanted == SchemaType::Float64;
    if kind == Kind::String {
        let number = match &*reader.string()? {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Err(unsuited(kind.name(), wanted, path)),
        };
        // The three have a counterpart in the narrower type.
        #[allow(clippy::cast_possible_truncation)]
        return Ok(if is_double {
            Value::Float64(number)
        } else {
            Value::Float32(number as f32)
        });
    }
    let number = reader.number()?;
    let value = if is_double {
        Value::Float64(number.float64())
    } else {
        Value::Float32(number.float32())
    };
    match value {
        Value::Float64(value) if !value.is_finite() => Err(out_of_range(number, wanted, path)),
        Value::Float32(value) if !value.is_finite() => Err(out_of_range(number, wanted, path)),
        value => Ok(value),
    }
}

fn decimal(reader: &mut Reader<'_>, kind: Kind, schema: &Schema) -> Result<Value> {
    match kind {
        Kind::Number => {
            let number = reader.number()?;
            number
                .decimal()
                .map(Value::Decimal)
                .ok_or_else(|| ConnectError::data("a decimal's exponent has more than 32 bits"))
        }
        Kind::String => {
            let bytes = base64(&reader.string()?)
                .and_then(|bytes| {
                    if bytes.is_empty() {
                        Err(ConnectError::data("no bytes"))
                    } else {
                        Ok(bytes)
                    }
                })
                .and_then(|bytes| logical::decimal_from_bytes(schema, &bytes));
            bytes
                .map(Value::Decimal)
                .map_err(|cause| ConnectError::data("Invalid bytes for Decimal field").caused_by(cause))
        }
        other => Err(ConnectError::data(format!(
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was {}",
            other.name()
        ))),
    }
}

fn date(reader: &mut Reader<'_>, kind: Kind, name: &str, schema: &Schema) -> Result<Value> {
    let number = if kind == Kind::Number {
        reader.number()?.integer()
    } else {
        None
    };
    let small = number.and_then(|number| i32::try_from(number).ok());
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
        (_, _, Some(millis)) => logical::timestamp_from_millis(schema, millis)?,
        (_, _, None) => return Err(wrong("Timestamp", "integral")),
    };
    Ok(Value::Date(millis))
}

fn base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|reason| {
        ConnectError::data("Invalid bytes field")
            .caused_by(ConnectError::data(format!("not Base64: {reason}")))
    })
}

#[cold]
fn out_of_range(number: Number<'_>, wanted: SchemaType, path: &Path<'_>) -> ConnectError {
    let text: String = number.text().chars().take(80).collect();
    ConnectError::data(format!(
        "the number {text} at {path} is not one of type {wanted}; correct the data, or declare a type that holds it"
    ))
}

#[cold]
fn unsuited(found: &str, wanted: SchemaType, path: &Path<'_>) -> ConnectError {
    ConnectError::data(format!(
        "the value at {path} is a {found} where the schema has {wanted}; correct the data or its schema"
    ))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
