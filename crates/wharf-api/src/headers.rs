//! Record headers: an ordered list in which keys may repeat.

use crate::error::{ConnectError, Result};
use crate::schema::{Schema, SchemaRef, SchemaType};
use crate::validate::class_suits;
use crate::value::Value;

/// One header: a key, and a value with its schema.
#[derive(Debug, Clone, PartialEq)]
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

/// The headers of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headers(Vec<Header>);

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

    /// Replaces each header by what `change` makes of it; `None` drops it.
    ///
    /// # Errors
    /// As [`add`](Self::add), for a header that was changed.
    pub fn apply(&mut self, mut change: impl FnMut(Header) -> Option<Header>) -> Result<&mut Self> {
        let changed: Vec<Header> = std::mem::take(&mut self.0)
            .into_iter()
            .filter_map(&mut change)
            .collect();
        for header in &changed {
            if let Some(schema) = &header.schema {
                check(schema, &header.value)?;
            }
        }
        self.0 = changed;
        Ok(self)
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
    let is_list_or_map = matches!(
        schema.schema_type(),
        SchemaType::Array | SchemaType::Map | SchemaType::Struct
    );
    if class_suits(schema, value)
        || (is_list_or_map && class_suits(&Schema::plain(schema.schema_type(), false), value))
    {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "The value {} is not compatible with the schema {schema}",
        crate::java_text::to_java_string(&value.as_ref())
    )))
}
