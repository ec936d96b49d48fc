//! STRUCT values: a schema and one value per field.

use std::fmt;

use crate::error::{ConnectError, Result};
use crate::schema::{Field, SchemaRef, SchemaType};
use crate::validate::{Location, validate_at, validate_value};
use crate::value::Value;

/// A value of a STRUCT schema. Fields that were never set are null.
#[derive(Debug, Clone)]
pub struct Struct {
    schema: SchemaRef,
    values: Vec<Value>,
}

macro_rules! typed_getters {
    ($($(#[$doc:meta])* $name:ident => $type:ident, $out:ty, $($pattern:pat => $result:expr),+;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// A data error when there is no such field or it is declared with another type.
        pub fn $name(&self, field: &str) -> Result<Option<$out>> {
            Ok(match self.declared(field, SchemaType::$type)? {
                $($pattern => Some($result),)+
                _ => None,
            })
        }
    )*};
}

impl Struct {
    /// A struct with no field set.
    ///
    /// # Errors
    /// A data error when the schema is not a STRUCT.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        if schema.schema_type() != SchemaType::Struct {
            return Err(ConnectError::data(format!("Not a struct schema: {schema}")));
        }
        let values = vec![Value::Null; schema.fields.len()];
        Ok(Self { schema, values })
    }

    /// A struct from values in field order, without validating them. Missing ones are null, surplus ones dropped.
    pub fn from_values(schema: SchemaRef, mut values: Vec<Value>) -> Self {
        values.resize(schema.fields.len(), Value::Null);
        Self { schema, values }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The stored values in field order, defaults not applied.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    fn lookup(&self, field: &str) -> Result<&Field> {
        self.schema
            .field(field)?
            .ok_or_else(|| ConnectError::data(format!("{field} is not a valid field name")))
    }

    fn declared(&self, field: &str, expected: SchemaType) -> Result<&Value> {
        let field = self.lookup(field)?;
        if field.schema().schema_type() != expected {
            return Err(ConnectError::data(format!(
                "Field '{}' is not of type {expected}",
                field.name()
            )));
        }
        Ok(&self.values[field.index()])
    }

    /// The stored value of a field; when that is null and the field has a default, the default.
    ///
    /// # Errors
    /// A data error when there is no such field.
    pub fn get(&self, field: &str) -> Result<&Value> {
        Ok(self.get_field(self.lookup(field)?))
    }

    /// As [`get`](Self::get), for a field of this struct's own schema.
    #[must_use]
    pub fn get_field<'a>(&'a self, field: &'a Field) -> &'a Value {
        match &self.values[field.index()] {
            Value::Null => field.schema().default_value().unwrap_or(&Value::Null),
            value => value,
        }
    }

    /// The stored value of a field as it is.
    ///
    /// # Errors
    /// A data error when there is no such field.
    pub fn get_without_default(&self, field: &str) -> Result<&Value> {
        Ok(&self.values[self.lookup(field)?.index()])
    }

    typed_getters! {
        /// The stored INT8; defaults are not applied.
        get_int8 => Int8, i8, Value::Int8(value) => *value;
        /// The stored INT16; defaults are not applied.
        get_int16 => Int16, i16, Value::Int16(value) => *value;
        /// The stored INT32; defaults are not applied.
        get_int32 => Int32, i32, Value::Int32(value) => *value;
        /// The stored INT64; defaults are not applied.
        get_int64 => Int64, i64, Value::Int64(value) => *value;
        /// The stored FLOAT32; defaults are not applied.
        get_float32 => Float32, f32, Value::Float32(value) => *value;
        /// The stored FLOAT64; defaults are not applied.
        get_float64 => Float64, f64, Value::Float64(value) => *value;
        /// The stored BOOLEAN; defaults are not applied.
        get_boolean => Boolean, bool, Value::Boolean(value) => *value;
        /// The stored STRING; defaults are not applied.
        get_string => String, &str, Value::String(value) => value.as_str();
        /// The stored BYTES; defaults are not applied.
        get_bytes => Bytes, &[u8], Value::Bytes(value) => value.as_slice();
        /// The stored ARRAY; defaults are not applied.
        get_array => Array, &[Value], Value::Array(value) => value.as_slice();
        /// The stored MAP; defaults are not applied.
        get_map => Map, &[(Value, Value)], Value::Map(value) => value.as_slice();
        /// The stored STRUCT; defaults are not applied.
        get_struct => Struct, &Struct, Value::Struct(value) => value.as_ref();
    }

    /// Sets a field.
    ///
    /// # Errors
    /// A data error when there is no such field or the value does not suit its schema. Null needs an optional schema;
    /// a default does not excuse it.
    pub fn put(&mut self, field: &str, value: impl Into<Value>) -> Result<&mut Self> {
        let value = value.into();
        let index = {
            let field = self.lookup(field)?;
            validate_at(field.schema(), &value, &Location::Field(field.name()))?;
            field.index()
        };
        self.values[index] = value;
        Ok(self)
    }

    /// As [`put`](Self::put), for chains that build a struct in one expression.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Result<Self> {
        self.put(field, value)?;
        Ok(self)
    }

    /// Checks every field; a null is fine where the field is optional or has a default.
    ///
    /// # Errors
    /// A data error that names the first field that does not hold.
    pub fn validate(&self) -> Result<()> {
        for field in &self.schema.fields {
            let value = &self.values[field.index()];
            let schema = field.schema();
            if value.is_null() && (schema.is_optional() || schema.default_value().is_some()) {
                continue;
            }
            validate_at(schema, value, &Location::Field(field.name()))?;
        }
        Ok(())
    }
}

impl PartialEq for Struct {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema && self.values == other.values
    }
}

impl fmt::Display for Struct {
    /// `Struct{a=1,b=x}`; nulls are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::java_text::to_java_string(
            &Value::Struct(Box::new(self.clone())).as_ref(),
        ))
    }
}

/// Checks a value against a schema, as the API does when a default is set or a record is built.
///
/// # Errors
/// A data error that names the place and what was expected.
pub fn check(schema: &SchemaRef, value: &Value) -> Result<()> {
    validate_value(schema, value)
}
