//! Connect values to JSON, straight from the borrowed view into the output.
//!
//! What upstream leaves out is left out here: a null of a required field without default is no member at all. Number texts and
//! escapes are those of [`wharf_converters::json::text`].

use wharf_api::logical::{self, DATE, DECIMAL, TIME, TIMESTAMP};
use wharf_api::value_ref::{MapRef, StructRef};
use wharf_api::{ConnectError, Result, Schema, SchemaType, ValueRef};
use wharf_converters::json::reader::MAX_DEPTH;
use wharf_converters::json::text::{write_bytes, write_float32, write_float64, write_integer, write_string};

use crate::from_connect::is_extras;
use crate::names::{self, KEY, VALUE};
use crate::options::Options;
use crate::variant;

/// Writes values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder<'a> {
    options: &'a Options,
}

/// Whether there was something to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// A null without a place: nothing was appended.
    Nothing,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// A data error when the value does not suit the schema.
    pub(crate) fn value(&self, schema: &Schema, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<Written> {
        self.node(schema, value, 0, out)
    }

    fn node(&self, schema: &Schema, value: ValueRef<'_>, depth: usize, out: &mut Vec<u8>) -> Result<Written> {
        if value.is_null() {
            return match schema.default_value() {
                Some(default) if !self.options.ignore_default_for_nullables => {
                    self.node(schema, default.as_ref(), deeper(depth)?, out)
                }
                _ if schema.is_optional() => {
                    out.extend_from_slice(b"null");
                    Ok(Written::Yes)
                }
                _ => Ok(Written::Nothing),
            };
        }
        if let Some(name) = schema.name()
            && let Some(result) = self.logical(name, schema, value, out)
        {
            return result.map(|()| Written::Yes);
        }
        match (schema.schema_type(), value) {
            (SchemaType::Int8, ValueRef::Int8(number)) => write_integer(number, out),
            (SchemaType::Int16, ValueRef::Int16(number)) => write_integer(number, out),
            (SchemaType::Int32, ValueRef::Int32(number)) => write_integer(number, out),
            (SchemaType::Int64, ValueRef::Int64(number)) => write_integer(number, out),
            (SchemaType::Float32, ValueRef::Float32(number)) => write_float32(number, out),
            (SchemaType::Float64, ValueRef::Float64(number)) => write_float64(number, out),
            (SchemaType::Boolean, ValueRef::Boolean(value)) => {
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            (SchemaType::String, ValueRef::String(text)) => write_string(text, out),
            (SchemaType::Bytes, ValueRef::Bytes(bytes)) => write_bytes(bytes, out),
            (SchemaType::Bytes, ValueRef::Decimal(decimal)) => {
                out.extend_from_slice(decimal.to_decimal().to_string().as_bytes());
            }
            (SchemaType::Array, ValueRef::Array(items)) => {
                let element = part(schema.value_schema()?)?;
                let depth = deeper(depth)?;
                out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    separate(position, out);
                    self.node_or_null(element, item, depth, out)?;
                }
                out.push(b']');
            }
            (SchemaType::Map, ValueRef::Map(entries)) => self.map(schema, entries, depth, out)?,
            (SchemaType::Struct, ValueRef::Struct(value)) => {
                return self.structure(schema, value, depth, out);
            }
            (SchemaType::Bytes, other) => return Err(invalid_type("bytes type", other)),
            (expected, other) => return Err(invalid_type(expected.name(), other)),
        }
        Ok(Written::Yes)
    }

    /// Where every element has a place, a null that has none becomes JSON's null.
    fn node_or_null(
        &self,
        schema: &Schema,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if self.node(schema, value, depth, out)? == Written::Nothing {
            out.extend_from_slice(b"null");
        }
        Ok(())
    }

    fn logical(
        &self,
        name: &str,
        schema: &Schema,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Result<()>> {
        let date = |type_name| match value {
            ValueRef::Date(millis) => Ok(millis),
            other => Err(ConnectError::data(format!(
                "Invalid type for {type_name}, expected Date but was class {}",
                other.java_class()
            ))),
        };
        Some(match name {
            DECIMAL => match value {
                ValueRef::Decimal(decimal) if self.options.numeric_decimals => {
                    out.extend_from_slice(decimal.to_decimal().to_string().as_bytes());
                    Ok(())
                }
                ValueRef::Decimal(decimal) => logical::decimal_to_bytes(schema, &decimal.to_decimal())
                    .map(|bytes| write_bytes(&bytes, out)),
                other => Err(ConnectError::data(format!(
                    "Invalid type for Decimal, expected BigDecimal but was class {}",
                    other.java_class()
                ))),
            },
            DATE => date("Date")
                .and_then(|millis| logical::date_to_days(schema, millis))
                .map(|days| write_integer(days, out)),
            TIME => date("Time")
                .and_then(|millis| logical::time_to_millis(schema, millis))
                .map(|millis| write_integer(millis, out)),
            TIMESTAMP => date("Timestamp")
                .and_then(|millis| logical::timestamp_to_millis(schema, millis))
                .map(|millis| write_integer(millis, out)),
            variant::NAME => match value {
                ValueRef::Struct(value) => variant::to_json(value, out),
                other => Err(ConnectError::data(format!(
                    "Invalid type for Variant, expected Struct but was class {}",
                    other.java_class()
                ))),
            },
            _ => return None,
        })
    }

    fn map(&self, schema: &Schema, entries: MapRef<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let key_schema = part(schema.key_schema()?)?;
        let value_schema = part(schema.value_schema()?)?;
        let depth = deeper(depth)?;
        let is_object = names::is_object_map(schema);
        out.push(if is_object { b'{' } else { b'[' });
        for (position, (key, value)) in entries.iter().enumerate() {
            separate(position, out);
            if is_object {
                if self.node(key_schema, key, depth, out)? == Written::Nothing {
                    return Err(ConnectError::data(
                        "a key of a map is null, which a JSON object cannot have; drop the entry, or make keys optional",
                    ));
                }
                out.push(b':');
                self.node_or_null(value_schema, value, depth, out)?;
            } else {
                let depth = deeper(depth)?;
                out.extend_from_slice(b"{\"key\":");
                self.node_or_null(key_schema, key, depth, out)?;
                out.extend_from_slice(b",\"value\":");
                self.node_or_null(value_schema, value, depth, out)?;
                out.push(b'}');
            }
        }
        debug_assert_eq!((KEY, VALUE), ("key", "value"), "the names are written out above");
        out.push(if is_object { b'}' } else { b']' });
        Ok(())
    }

    fn structure(
        &self,
        schema: &Schema,
        value: StructRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        let own: &Schema = value.schema();
        if *own != *schema && !differ_in_default_only(own, schema) {
            return Err(ConnectError::data("Mismatching schema."));
        }
        let depth = deeper(depth)?;
        if names::is_union(schema) {
            for (field, value) in value.fields() {
                let value = self.with_default(field.schema(), value);
                if !value.is_null() {
                    return self.node(field.schema(), value, depth, out);
                }
            }
            return self.node(schema, ValueRef::Null, depth, out);
        }
        out.push(b'{');
        let mut is_first = true;
        let mut extras = None;
        for (field, value) in value.fields() {
            if self.options.preserve_additional_properties && is_extras(field.name(), field.schema()) {
                extras = Some(self.with_default(field.schema(), value));
                continue;
            }
            let start = out.len();
            if !is_first {
                out.push(b',');
            }
            write_string(field.name(), out);
            out.push(b':');
            let value = self.with_default(field.schema(), value);
            match self.node(field.schema(), value, depth, out)? {
                Written::Yes => is_first = false,
                Written::Nothing => out.truncate(start),
            }
        }
        if let Some(ValueRef::Map(extras)) = extras {
            for (name, value) in extras.iter() {
                let (ValueRef::String(name), ValueRef::Struct(value)) = (name, value) else {
                    continue;
                };
                if !std::mem::replace(&mut is_first, false) {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                variant::to_json(value, out)?;
            }
        }
        out.push(b'}');
        Ok(Written::Yes)
    }

    fn with_default<'v>(&self, schema: &'v Schema, value: ValueRef<'v>) -> ValueRef<'v> {
        match (value, schema.default_value()) {
            (ValueRef::Null, Some(default)) if !self.options.ignore_default_for_nullables => default.as_ref(),
            _ => value,
        }
    }
}

/// A struct that is a schema's default was built before the schema had one, so its own schema cannot have it.
fn differ_in_default_only(own: &Schema, declared: &Schema) -> bool {
    declared.default_value().is_some()
        && own.default_value().is_none()
        && own.is_optional() == declared.is_optional()
        && own.name() == declared.name()
        && own.version() == declared.version()
        && own.doc() == declared.doc()
        && own.parameters() == declared.parameters()
        && own.fields().ok() == declared.fields().ok()
}

fn separate(position: usize, out: &mut Vec<u8>) {
    if position > 0 {
        out.push(b',');
    }
}

fn part(schema: Option<&wharf_api::SchemaRef>) -> Result<&Schema> {
    schema.map(AsRef::as_ref).ok_or_else(|| {
        ConnectError::data("an array or map has no schema for its elements, so it has no JSON Schema")
    })
}

fn deeper(depth: usize) -> Result<usize> {
    if depth >= MAX_DEPTH {
        return Err(ConnectError::data(format!(
            "the value nests deeper than {MAX_DEPTH} levels, which JsonSchemaConverter cannot write; flatten it"
        )));
    }
    Ok(depth + 1)
}

#[cold]
fn invalid_type(expected: &str, value: ValueRef<'_>) -> ConnectError {
    ConnectError::data(format!(
        "Invalid type for {expected}: class {}",
        value.java_class()
    ))
}
