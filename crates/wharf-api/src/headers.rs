//! Record headers: an ordered list in which keys may repeat.

use std::fmt;

use crate::decimal::Decimal;
use crate::error::{ConnectError, Result};
use crate::logical;
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::structs::Struct;
use crate::validate::type_suits;
use crate::value::Value;

/// One header: a key, and a value with its schema.
#[derive(Debug, Clone)]
pub struct Header {
    key: String,
    schema: Option<SchemaRef>,
    value: Value,
}

impl Header {
    /// A header. No check is made: see [`Headers::add`] for one that checks.
    #[must_use]
    pub fn new(key: impl Into<String>, schema: Option<SchemaRef>, value: impl Into<Value>) -> Self {
        Self {
            key: key.into(),
            schema,
            value: value.into(),
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The schema; for a struct without one, the struct's own.
    #[must_use]
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.schema
            .as_ref()
            .or_else(|| self.value.as_struct().map(|value| value.schema()))
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The same header under another key.
    #[must_use]
    pub fn rename(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// The same key with another value.
    #[must_use]
    pub fn with(self, schema: Option<SchemaRef>, value: impl Into<Value>) -> Self {
        Self {
            key: self.key,
            schema,
            value: value.into(),
        }
    }
}

/// Headers are equal when key, value and [`schema`](Header::schema) are; a struct's own schema counts as given.
impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value && self.schema() == other.schema()
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = crate::values::convert_to_string(&self.value.as_ref());
        write!(
            f,
            "ConnectHeader(key={}, value={}, schema=",
            self.key,
            value.as_deref().unwrap_or("null")
        )?;
        match self.schema() {
            Some(schema) => write!(f, "{schema})"),
            None => f.write_str("null)"),
        }
    }
}

/// The headers of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headers(Vec<Header>);

macro_rules! number_headers {
    ($($(#[$doc:meta])* $name:ident => $type:ty, $schema:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, key: impl Into<String>, value: $type) -> &mut Self {
            self.0.push(Header::new(key, Some(Schema::$schema()), value));
            self
        }
    )*};
}

impl Headers {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The headers in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Header] {
        &self.0
    }

    /// The headers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a header without checking it.
    pub fn push(&mut self, header: Header) {
        self.0.push(header);
    }

    /// Appends a header after checking that the value suits the schema at its outermost level.
    ///
    /// # Errors
    /// A data error when it does not, or when a null value has a schema that is not optional.
    pub fn add(
        &mut self,
        key: impl Into<String>,
        schema: Option<SchemaRef>,
        value: impl Into<Value>,
    ) -> Result<&mut Self> {
        let value = value.into();
        if let Some(schema) = &schema {
            check(schema, &value)?;
        }
        self.0.push(Header {
            key: key.into(),
            schema,
            value,
        });
        Ok(self)
    }

    /// Appends a text header; a null has the optional schema.
    pub fn add_string<'t>(&mut self, key: impl Into<String>, value: impl Into<Option<&'t str>>) -> &mut Self {
        let value = value.into();
        let schema = if value.is_some() {
            Schema::string()
        } else {
            Schema::optional_string()
        };
        self.0.push(Header::new(key, Some(schema), Value::from(value)));
        self
    }

    /// Appends a header of bytes; a null has the optional schema.
    pub fn add_bytes<'t>(&mut self, key: impl Into<String>, value: impl Into<Option<&'t [u8]>>) -> &mut Self {
        let value = value.into();
        let schema = if value.is_some() {
            Schema::bytes()
        } else {
            Schema::optional_bytes()
        };
        self.0.push(Header::new(key, Some(schema), Value::from(value)));
        self
    }

    number_headers! {
        /// Appends a BOOLEAN header.
        add_boolean => bool, boolean;
        /// Appends an INT8 header.
        add_byte => i8, int8;
        /// Appends an INT16 header.
        add_short => i16, int16;
        /// Appends an INT32 header.
        add_int => i32, int32;
        /// Appends an INT64 header.
        add_long => i64, int64;
        /// Appends a FLOAT32 header.
        add_float => f32, float32;
        /// Appends a FLOAT64 header.
        add_double => f64, float64;
    }

    /// Appends a Decimal header of the value's own scale; a null has no schema.
    pub fn add_decimal(&mut self, key: impl Into<String>, value: Option<Decimal>) -> &mut Self {
        let schema = value.as_ref().map(|value| logical::decimal(value.scale()));
        self.0.push(Header::new(key, schema, value));
        self
    }

    /// Appends an ARRAY header; a null has no schema.
    ///
    /// # Errors
    /// A data error when the schema is of another type.
    pub fn add_list(
        &mut self,
        key: impl Into<String>,
        value: Option<Vec<Value>>,
        schema: SchemaRef,
    ) -> Result<&mut Self> {
        self.add_container(key.into(), Value::from(value), schema, SchemaType::Array)
    }

    /// Appends a MAP header; a null has no schema.
    ///
    /// # Errors
    /// A data error when the schema is of another type.
    pub fn add_map(
        &mut self,
        key: impl Into<String>,
        value: Option<Vec<(Value, Value)>>,
        schema: SchemaRef,
    ) -> Result<&mut Self> {
        self.add_container(key.into(), Value::from(value), schema, SchemaType::Map)
    }

    fn add_container(
        &mut self,
        key: String,
        value: Value,
        schema: SchemaRef,
        expected: SchemaType,
    ) -> Result<&mut Self> {
        if value.is_null() {
            self.0.push(Header {
                key,
                schema: None,
                value,
            });
            return Ok(self);
        }
        if schema.schema_type() != expected {
            let found = schema.schema_type();
            return Err(ConnectError::data(format!(
                "Expecting {expected} but instead found {found}"
            )));
        }
        self.add(key, Some(schema), value)
    }

    /// Appends a STRUCT header with the struct's own schema; a null has no schema.
    pub fn add_struct(&mut self, key: impl Into<String>, value: Option<Struct>) -> &mut Self {
        let schema = value.as_ref().map(|value| SchemaRef::clone(value.schema()));
        self.0.push(Header::new(key, schema, value));
        self
    }

    /// Appends a Date header, in milliseconds since the epoch. A null has the required schema, as upstream.
    ///
    /// # Errors
    /// A data error when the value is not midnight UTC.
    pub fn add_date(&mut self, key: impl Into<String>, millis: Option<i64>) -> Result<&mut Self> {
        if let Some(millis) = millis {
            logical::date_to_days(&logical::date(), millis)?;
        }
        Ok(self.add_logical(key.into(), millis, logical::date()))
    }

    /// Appends a Time header, in milliseconds after midnight. A null has the required schema, as upstream.
    ///
    /// # Errors
    /// A data error when the value lies outside one day.
    pub fn add_time(&mut self, key: impl Into<String>, millis: Option<i64>) -> Result<&mut Self> {
        if let Some(millis) = millis {
            logical::time_to_millis(&logical::time(), millis)?;
        }
        Ok(self.add_logical(key.into(), millis, logical::time()))
    }

    /// Appends a Timestamp header, in milliseconds since the epoch. A null has the required schema, as upstream.
    pub fn add_timestamp(&mut self, key: impl Into<String>, millis: Option<i64>) -> &mut Self {
        self.add_logical(key.into(), millis, logical::timestamp())
    }

    fn add_logical(&mut self, key: String, millis: Option<i64>, schema: SchemaRef) -> &mut Self {
        let value = millis.map_or(Value::Null, Value::Date);
        self.0.push(Header {
            key,
            schema: Some(schema),
            value,
        });
        self
    }

    /// The newest header with this key.
    #[must_use]
    pub fn last_with_name(&self, key: &str) -> Option<&Header> {
        self.0.iter().rev().find(|header| header.key == key)
    }

    /// All headers with this key, in order.
    pub fn all_with_name<'h>(&'h self, key: &'h str) -> impl Iterator<Item = &'h Header> {
        self.0.iter().filter(move |header| header.key == key)
    }

    /// Removes all headers with this key.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.0.retain(|header| header.key != key);
        self
    }

    /// Keeps only the newest header with this key.
    pub fn retain_latest_of(&mut self, key: &str) -> &mut Self {
        if let Some(last) = self.0.iter().rposition(|header| header.key == key) {
            let mut position = 0;
            self.0.retain(|header| {
                position += 1;
                header.key != key || position - 1 == last
            });
        }
        self
    }

    /// Keeps only the newest header of each key, in order.
    pub fn retain_latest(&mut self) -> &mut Self {
        let mut seen = std::collections::HashSet::new();
        self.0.reverse();
        self.0.retain(|header| seen.insert(header.key.clone()));
        self.0.reverse();
        self
    }

    /// Removes all headers.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Replaces each header by what `change` makes of it; `None` drops it. Nothing is checked, as upstream.
    pub fn apply(&mut self, change: impl FnMut(Header) -> Option<Header>) -> &mut Self {
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            .filter_map(change)
            .collect();
        self
    }

    /// As [`apply`](Self::apply), for the headers with this key.
    pub fn apply_to(&mut self, key: &str, mut change: impl FnMut(Header) -> Option<Header>) -> &mut Self {
        self.apply(|header| {
            if header.key == key {
                change(header)
            } else {
                Some(header)
            }
        })
    }
}

/// `ConnectHeaders(headers=[…])`; without headers nothing stands behind the sign.
impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectHeaders(headers=")?;
        for (position, header) in self.0.iter().enumerate() {
            f.write_str(if position == 0 { "[" } else { ", " })?;
            write!(f, "{header}")?;
        }
        f.write_str(if self.0.is_empty() { ")" } else { "])" })
    }
}

impl<'h> IntoIterator for &'h Headers {
    type Item = &'h Header;
    type IntoIter = std::slice::Iter<'h, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

fn check(schema: &SchemaRef, value: &Value) -> Result<()> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(ConnectError::data(format!(
            "A null value requires an optional schema but was {schema}"
        )));
    }
    // The class of the base type is as good as that of the logical one, which counts only with that type.
    let is_logical = matches!(
        (schema.schema_type(), schema.name(), value),
        (SchemaType::Bytes, Some(logical::DECIMAL), Value::Decimal(_))
            | (
                SchemaType::Int32,
                Some(logical::DATE | logical::TIME),
                Value::Date(_)
            )
            | (SchemaType::Int64, Some(logical::TIMESTAMP), Value::Date(_))
    );
    if is_logical || type_suits(schema.schema_type(), value) {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "The value {} is not compatible with the schema {schema}",
        crate::java_text::to_java_string(&value.as_ref())
    )))
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
