//! Values to JSON, straight from the borrowed view into the output.
//!
//! Null follows one rule at every level: the default if there is one and it is asked for, else `null` if the schema is
//! optional, else an error. Struct fields are read without defaults and then go through that rule.

use wharf_api::logical::{self, DATE, DECIMAL, TIME, TIMESTAMP};
use wharf_api::value_ref::{DecimalRef, MapRef, StructRef};
use wharf_api::{ConnectError, Field, Result, Schema, SchemaType, Value, ValueRef};

use super::reader::MAX_DEPTH;
use super::text::{write_bytes, write_float32, write_float64, write_integer, write_string};

/// The names of a struct's fields as they stand in JSON text, with quotes and colon.
#[derive(Debug, Default)]
pub(super) struct FieldNames(Vec<Box<[u8]>>);

impl FieldNames {
    /// Those of a schema's own fields; none unless it is a struct.
    pub(super) fn of(schema: &Schema) -> Self {
        let fields = schema.fields().unwrap_or_default();
        let written = |field: &Field| {
            let mut text = Vec::new();
            write_name(field.name(), &mut text);
            text.into_boxed_slice()
        };
        Self(fields.iter().map(written).collect())
    }
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    write_string(name, out);
    out.push(b':');
}

/// Writes payloads and schemas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoder {
    pub(super) numeric_decimals: bool,
    pub(super) replace_null_with_default: bool,
}

impl Encoder {
    /// Appends a value.
    pub(super) fn payload(
        &self,
        schema: Option<&Schema>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.value(schema, value, 0, out)
    }

    /// As [`payload`](Self::payload), with the names of the schema's fields.
    pub(super) fn payload_with(
        &self,
        schema: &Schema,
        names: &FieldNames,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match value {
            ValueRef::Struct(inner)
                if schema.schema_type() == SchemaType::Struct
                    && !matches!(schema.name(), Some(DECIMAL | DATE | TIME | TIMESTAMP)) =>
            {
                self.structure(schema, inner, Some(names), 0, out)
            }
            _ => self.value(Some(schema), value, 0, out),
        }
    }

    fn value(
        &self,
        schema: Option<&Schema>,
        value: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(schema) = schema else {
            return self.schemaless(value, depth, out);
        };
        if value.is_null() {
            return self.null(schema, depth, out);
        }
        if let Some(name) = schema.name()
            && let Some(result) = self.logical(name, schema, value, out)
        {
            return result;
        }
        match (schema.schema_type(), value) {
            (SchemaType::Int8, ValueRef::Int8(number)) => write_integer(number, out),
            (SchemaType::Int16, ValueRef::Int16(number)) => write_integer(number, out),
            (SchemaType::Int32, ValueRef::Int32(number)) => write_integer(number, out),
            (SchemaType::Int64, ValueRef::Int64(number)) => write_integer(number, out),
            (SchemaType::Float32, ValueRef::Float32(number)) => write_float32(number, out),
            (SchemaType::Float64, ValueRef::Float64(number)) => write_float64(number, out),
            (SchemaType::Boolean, ValueRef::Boolean(value)) => write_boolean(value, out),
            (SchemaType::String, ValueRef::String(text)) => write_string(text, out),
            (SchemaType::Bytes, ValueRef::Bytes(bytes)) => write_bytes(bytes, out),
            (SchemaType::Array, ValueRef::Array(items)) => {
                let element = schema.value_schema()?.map(AsRef::as_ref);
                return self.array(element, items.iter(), depth, out);
            }
            (SchemaType::Map, ValueRef::Map(entries)) => return self.map(schema, entries, depth, out),
            (SchemaType::Struct, ValueRef::Struct(value)) => {
                return self.structure(schema, value, None, depth, out);
            }
            (SchemaType::Bytes, other) => return Err(invalid_type("bytes type", other)),
            (expected, other) => return Err(invalid_type(expected.name(), other)),
        }
        Ok(())
    }

    fn null(&self, schema: &Schema, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        match schema.default_value() {
            Some(default) if self.replace_null_with_default => {
                self.value(Some(schema), default.as_ref(), deeper(depth)?, out)
            }
            _ if schema.is_optional() => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            _ => Err(ConnectError::data(
                "Conversion error: null value for field that is required and has no default value",
            )),
        }
    }

    fn schemaless(&self, value: ValueRef<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        match value {
            ValueRef::Null => out.extend_from_slice(b"null"),
            ValueRef::Boolean(value) => write_boolean(value, out),
            ValueRef::Int8(number) => write_integer(number, out),
            ValueRef::Int16(number) => write_integer(number, out),
            ValueRef::Int32(number) => write_integer(number, out),
            ValueRef::Int64(number) => write_integer(number, out),
            ValueRef::Float32(number) => write_float32(number, out),
            ValueRef::Float64(number) => write_float64(number, out),
            ValueRef::String(text) => write_string(text, out),
            ValueRef::Bytes(bytes) => write_bytes(bytes, out),
            ValueRef::Array(items) => return self.array(None, items.iter(), depth, out),
            ValueRef::Map(entries) => {
                let is_object = entries.iter().all(|(key, _)| matches!(key, ValueRef::String(_)));
                return self.entries(None, None, is_object, entries, depth, out);
            }
            ValueRef::Decimal(_) | ValueRef::Date(_) => {
                return Err(ConnectError::data(format!(
                    "Java class class {} does not have corresponding schema type.",
                    value.java_class()
                )));
            }
            ValueRef::Struct(_) => return Err(mismatching_schema()),
        }
        Ok(())
    }

    /// Writes a value of one of the four logical types; `None` for any other name.
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
                ValueRef::Decimal(decimal) => self.decimal(schema, decimal, out),
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
            _ => return None,
        })
    }

    /// As a number the scale is not verified, as upstream; the number shows its own.
    fn decimal(&self, schema: &Schema, decimal: DecimalRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        let decimal = decimal.to_decimal();
        if self.numeric_decimals {
            out.extend_from_slice(decimal.to_string().as_bytes());
        } else {
            write_bytes(&logical::decimal_to_bytes(schema, &decimal)?, out);
        }
        Ok(())
    }

    fn array<'v>(
        &self,
        element: Option<&Schema>,
        items: impl Iterator<Item = ValueRef<'v>>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let depth = deeper(depth)?;
        out.push(b'[');
        for (position, item) in items.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            self.value(element, item, depth, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn map(&self, schema: &Schema, entries: MapRef<'_>, depth: usize, out: &mut Vec<u8>) -> Result<()> {
        let key = schema.key_schema()?.map(AsRef::as_ref);
        let item = schema.value_schema()?.map(AsRef::as_ref);
        let is_object = match key {
            Some(key) => key.schema_type() == SchemaType::String,
            None => entries.iter().all(|(key, _)| matches!(key, ValueRef::String(_))),
        };
        self.entries(key, item, is_object, entries, depth, out)
    }

    /// An object when the keys are strings, else an array of pairs.
    fn entries(
        &self,
        key_schema: Option<&Schema>,
        value_schema: Option<&Schema>,
        is_object: bool,
        entries: MapRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let depth = deeper(depth)?;
        if is_object && entries.iter().any(|(key, _)| matches!(key, ValueRef::Null)) {
            return self.entries_with_null_key(key_schema, value_schema, entries, depth, out);
        }
        out.push(if is_object { b'{' } else { b'[' });
        for (position, (key, value)) in entries.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            if is_object {
                self.object_key(key_schema, key, depth, out)?;
                out.push(b':');
                self.value(value_schema, value, depth, out)?;
            } else {
                out.push(b'[');
                self.value(key_schema, key, depth, out)?;
                out.push(b',');
                self.value(value_schema, value, depth, out)?;
                out.push(b']');
            }
        }
        out.push(if is_object { b'}' } else { b']' });
        Ok(())
    }

    /// The text of the null key may be that of another one. Such entries become one member of the object, as upstream: in
    /// the place of the first, with the value of the last.
    fn entries_with_null_key(
        &self,
        key_schema: Option<&Schema>,
        value_schema: Option<&Schema>,
        entries: MapRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut null_key = Vec::new();
        self.object_key(key_schema, ValueRef::Null, depth, &mut null_key)?;
        let mut null_member = None;
        let mut members: Vec<Vec<u8>> = Vec::new();
        for (key, value) in entries.iter() {
            let mut member = Vec::new();
            self.object_key(key_schema, key, depth, &mut member)?;
            let is_null_key = member == null_key;
            member.push(b':');
            self.value(value_schema, value, depth, &mut member)?;
            match null_member {
                Some(position) if is_null_key => members[position] = member,
                _ => {
                    if is_null_key {
                        null_member = Some(members.len());
                    }
                    members.push(member);
                }
            }
        }
        out.push(b'{');
        out.extend(members.join(&b','));
        out.push(b'}');
        Ok(())
    }

    /// A null key that its schema allows becomes the text `null`, as upstream.
    fn object_key(
        &self,
        schema: Option<&Schema>,
        key: ValueRef<'_>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        self.value(schema, key, depth, out)?;
        if &out[start..] == b"null" {
            out.truncate(start);
            write_string("null", out);
        }
        Ok(())
    }

    fn structure(
        &self,
        schema: &Schema,
        value: StructRef<'_>,
        names: Option<&FieldNames>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let own: &Schema = value.schema();
        if *own != *schema && !differ_in_default_only(own, schema) {
            return Err(mismatching_schema());
        }
        let depth = deeper(depth)?;
        out.push(b'{');
        match value {
            // As most structs come; one walk for both would ask at each field which it is.
            StructRef::Owned(owned) => {
                let values = owned.values().iter().map(Value::as_ref);
                self.fields(own.fields()?.iter().zip(values), names, depth, out)?;
            }
            StructRef::Flat(..) => self.fields(value.fields(), names, depth, out)?,
        }
        out.push(b'}');
        Ok(())
    }

    #[inline]
    fn fields<'v>(
        &self,
        fields: impl Iterator<Item = (&'v Field, ValueRef<'v>)>,
        names: Option<&FieldNames>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        for (position, (field, value)) in fields.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            match names.and_then(|names| names.0.get(position)) {
                Some(name) => out.extend_from_slice(name),
                None => write_name(field.name(), out),
            }
            self.value(Some(field.schema()), value, depth, out)?;
        }
        Ok(())
    }
}

pub(super) fn write_boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A struct that is a schema's default was built before the schema had one, so its own schema cannot have it.
fn differ_in_default_only(own: &Schema, declared: &Schema) -> bool {
    declared.default_value().is_some()
        && own.default_value().is_none()
        && own.schema_type() == declared.schema_type()
        && own.is_optional() == declared.is_optional()
        && own.name() == declared.name()
        && own.version() == declared.version()
        && own.doc() == declared.doc()
        && own.parameters() == declared.parameters()
        && own.fields().ok() == declared.fields().ok()
}

pub(super) fn deeper(depth: usize) -> Result<usize> {
    if depth >= MAX_DEPTH {
        return Err(ConnectError::data(format!(
            "the value nests deeper than {MAX_DEPTH} levels, which JsonConverter cannot write; flatten it"
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

#[cold]
fn mismatching_schema() -> ConnectError {
    ConnectError::data("Mismatching schema.")
}
