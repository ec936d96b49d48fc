//! Schemas: the type of a key, a value or a field, as Connect knows it.
//!
//! A [`Schema`] is immutable and shared as [`SchemaRef`]. Two schemas are equal when all their attributes are (type,
//! optional, version, name, doc, default, fields, key and value schema, parameters), as upstream. Build one with
//! [`SchemaBuilder`](crate::SchemaBuilder) or take a ready-made one (`Schema::string()`, `Schema::optional_int64()`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::error::{ConnectError, Result};
use crate::value::Value;

/// The twelve types of the Connect data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SchemaType {
    /// 8-bit signed integer.
    Int8,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 32-bit IEEE 754 number.
    Float32,
    /// 64-bit IEEE 754 number.
    Float64,
    /// `true` or `false`.
    Boolean,
    /// Unicode text.
    String,
    /// A sequence of bytes.
    Bytes,
    /// A sequence of values of one schema.
    Array,
    /// Keys of one schema to values of one schema.
    Map,
    /// Named fields, each with a schema.
    Struct,
}

impl SchemaType {
    /// All types, in upstream's order.
    pub const ALL: [Self; 12] = [
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::Boolean,
        Self::String,
        Self::Bytes,
        Self::Array,
        Self::Map,
        Self::Struct,
    ];

    /// Whether this is one of the nine types without parts.
    #[must_use]
    pub fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }

    /// The name in capitals, as in error messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }

    /// The type with this number (its position in [`SchemaType::ALL`]).
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A shared, immutable schema.
pub type SchemaRef = Arc<Schema>;

/// A named, numbered part of a STRUCT schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    name: String,
    index: usize,
    schema: SchemaRef,
}

impl Field {
    /// A field at the given position.
    #[must_use]
    pub fn new(name: impl Into<String>, index: usize, schema: SchemaRef) -> Self {
        Self {
            name: name.into(),
            index,
            schema,
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position within its struct, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The schema of its values.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Field{{name={}, index={}, schema={}}}",
            self.name, self.index, self.schema
        )
    }
}

/// An immutable schema.
#[derive(Clone)]
pub struct Schema {
    pub(crate) schema_type: SchemaType,
    pub(crate) optional: bool,
    pub(crate) default: Option<Value>,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<i32>,
    pub(crate) doc: Option<String>,
    pub(crate) parameters: Option<Vec<(String, String)>>,
    pub(crate) fields: Vec<Field>,
    pub(crate) key_schema: Option<SchemaRef>,
    pub(crate) value_schema: Option<SchemaRef>,
    /// Field positions by name, filled for wide structs only; narrow ones are searched.
    pub(crate) index: HashMap<String, usize>,
}

/// Structs with more fields than this keep a table of names.
const SEARCHED_FIELDS: usize = 8;

macro_rules! ready_made {
    ($($plain:ident, $optional:ident => $type:ident;)*) => {$(
        #[doc = concat!("The required ", stringify!($type), " schema without name, version or default.")]
        #[must_use]
        pub fn $plain() -> SchemaRef {
            static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::plain(SchemaType::$type, false)));
            Arc::clone(&SCHEMA)
        }

        #[doc = concat!("The optional ", stringify!($type), " schema without name, version or default.")]
        #[must_use]
        pub fn $optional() -> SchemaRef {
            static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::plain(SchemaType::$type, true)));
            Arc::clone(&SCHEMA)
        }
    )*};
}

impl Schema {
    ready_made! {
        int8, optional_int8 => Int8;
        int16, optional_int16 => Int16;
        int32, optional_int32 => Int32;
        int64, optional_int64 => Int64;
        float32, optional_float32 => Float32;
        float64, optional_float64 => Float64;
        boolean, optional_boolean => Boolean;
        string, optional_string => String;
        bytes, optional_bytes => Bytes;
    }

    pub(crate) fn plain(schema_type: SchemaType, optional: bool) -> Self {
        Self {
            schema_type,
            optional,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: None,
            fields: Vec::new(),
            key_schema: None,
            value_schema: None,
            index: HashMap::new(),
        }
    }

    /// An ARRAY whose element schema may be missing, as the text parser of [`crate::values`] makes them.
    #[must_use]
    pub fn inferred_array(element: Option<SchemaRef>) -> SchemaRef {
        Arc::new(Self {
            value_schema: element,
            ..Self::plain(SchemaType::Array, false)
        })
    }

    /// A MAP whose key and value schema may be missing, as the text parser of [`crate::values`] makes them.
    #[must_use]
    pub fn inferred_map(key: Option<SchemaRef>, value: Option<SchemaRef>) -> SchemaRef {
        Arc::new(Self {
            key_schema: key,
            value_schema: value,
            ..Self::plain(SchemaType::Map, false)
        })
    }

    pub(crate) fn index_fields(&mut self) {
        if self.fields.len() > SEARCHED_FIELDS {
            self.index = self
                .fields
                .iter()
                .map(|field| (field.name.clone(), field.index))
                .collect();
        }
    }

    /// The type.
    #[must_use]
    pub fn schema_type(&self) -> SchemaType {
        self.schema_type
    }

    /// Whether null is a valid value.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The default value, if one was set.
    #[must_use]
    pub fn default_value(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// The name of the logical or domain type.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// The documentation.
    #[must_use]
    pub fn doc(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// The parameters in the order they were added; `None` when none were set.
    #[must_use]
    pub fn parameters(&self) -> Option<&[(String, String)]> {
        self.parameters.as_deref()
    }

    /// One parameter.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters
            .as_ref()?
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The same schema under another name and version; what is not given stays. A struct that is the default keeps the
    /// schema it has.
    #[must_use]
    pub fn with_name_and_version(&self, name: Option<&str>, version: Option<i32>) -> SchemaRef {
        let mut schema = self.clone();
        if let Some(name) = name {
            schema.name = Some(name.to_owned());
        }
        schema.version = version.or(schema.version);
        Arc::new(schema)
    }

    /// The fields of a STRUCT, in order.
    ///
    /// # Errors
    /// A data error for any other type.
    pub fn fields(&self) -> Result<&[Field]> {
        match self.schema_type {
            SchemaType::Struct => Ok(&self.fields),
            _ => Err(ConnectError::data("Cannot list fields on non-struct type")),
        }
    }

    /// The field of a STRUCT with this name, if there is one.
    ///
    /// # Errors
    /// A data error for any other type.
    pub fn field(&self, name: &str) -> Result<Option<&Field>> {
        if self.schema_type != SchemaType::Struct {
            return Err(ConnectError::data("Cannot look up fields on non-struct type"));
        }
        Ok(if self.index.is_empty() {
            self.fields.iter().find(|field| field.name == name)
        } else {
            self.index.get(name).map(|&index| &self.fields[index])
        })
    }

    /// The key schema of a MAP; `None` only for maps made by the text parser.
    ///
    /// # Errors
    /// A data error for any other type.
    pub fn key_schema(&self) -> Result<Option<&SchemaRef>> {
        match self.schema_type {
            SchemaType::Map => Ok(self.key_schema.as_ref()),
            _ => Err(ConnectError::data("Cannot look up key schema on non-map type")),
        }
    }

    /// The value schema of a MAP or the element schema of an ARRAY; `None` only for those made by the text parser.
    ///
    /// # Errors
    /// A data error for any other type.
    pub fn value_schema(&self) -> Result<Option<&SchemaRef>> {
        match self.schema_type {
            SchemaType::Map | SchemaType::Array => Ok(self.value_schema.as_ref()),
            _ => Err(ConnectError::data(
                "Cannot look up value schema on non-array and non-map type",
            )),
        }
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.schema_type == other.schema_type
                && self.optional == other.optional
                && self.version == other.version
                && self.name == other.name
                && self.doc == other.doc
                && self.default == other.default
                && self.fields == other.fields
                && self.key_schema == other.key_schema
                && self.value_schema == other.value_schema
                && same_parameters(self.parameters.as_deref(), other.parameters.as_deref()))
    }
}

/// Parameters are a map: their order does not count.
pub(crate) fn same_parameters(left: Option<&[(String, String)]>, right: Option<&[(String, String)]>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => {
            left.len() == right.len() && left.iter().all(|entry| right.contains(entry))
        }
        _ => false,
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Schema");
        out.field("type", &self.schema_type)
            .field("optional", &self.optional);
        if let Some(name) = &self.name {
            out.field("name", name);
        }
        if let Some(version) = &self.version {
            out.field("version", version);
        }
        if let Some(doc) = &self.doc {
            out.field("doc", doc);
        }
        if let Some(default) = &self.default {
            out.field("default", default);
        }
        if let Some(parameters) = &self.parameters {
            out.field("parameters", parameters);
        }
        if !self.fields.is_empty() {
            out.field("fields", &self.fields);
        }
        if let Some(key) = &self.key_schema {
            out.field("key", key);
        }
        if let Some(value) = &self.value_schema {
            out.field("value", value);
        }
        out.finish()
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Schema{{{name}:{}}}", self.schema_type),
            None => write!(f, "Schema{{{}}}", self.schema_type),
        }
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
