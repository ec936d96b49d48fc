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

/// Mostly there is nothing to do, and that costs nothing.
#[inline]
fn set_length(values: &mut Vec<Value>, length: usize) {
    if values.len() != length {
        values.resize(length, Value::Null);
    }
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
        set_length(&mut values, schema.fields.len());
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

    /// As [`put`](Self::put), for the field at this position.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_at(&mut self, index: usize, value: impl Into<Value>) -> Result<&mut Self> {
        let value = value.into();
        let field = self
            .schema
            .fields
            .get(index)
            .ok_or_else(|| ConnectError::data(format!("there is no field {index} in {}", self.schema)))?;
        check_field(field, &value)?;
        self.values[index] = value;
        Ok(self)
    }

    /// Gives the struct another schema and changes its values to suit, which moves what stays the same. Gives what
    /// the change gives. Nothing is validated: see [`check_field`]. Values that are then missing are null, surplus ones are dropped.
    pub fn reshape<R>(&mut self, schema: SchemaRef, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
        let outcome = change(&mut self.values);
        set_length(&mut self.values, schema.fields.len());
        self.schema = schema;
        outcome
    }

    /// The schema, and the stored values in field order.
    #[must_use]
    pub fn into_parts(self) -> (SchemaRef, Vec<Value>) {
        (self.schema, self.values)
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

/// Checks a value against the schema of a field, as [`Struct::put`] does.
///
/// # Errors
/// A data error that names the field and what was expected.
pub fn check_field(field: &Field, value: &Value) -> Result<()> {
    validate_at(field.schema(), value, &Location::Field(field.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logical;
    use crate::schema::Schema;
    use crate::schema_builder::SchemaBuilder;

    fn schema() -> SchemaRef {
        let with_default = SchemaBuilder::int32().default_value(7).build().unwrap();
        SchemaBuilder::structure()
            .field("number", Schema::int32())
            .field("text", Schema::optional_string())
            .field("defaulted", with_default)
            .field(
                "list",
                SchemaBuilder::array(Schema::int8()).optional().build().unwrap(),
            )
            .field("bytes", Schema::optional_bytes())
            .build()
            .unwrap()
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().unwrap().message().to_owned()
    }

    #[test]
    fn only_struct_schemas_have_structs() {
        assert_eq!(
            message(Struct::new(Schema::int8())),
            "Not a struct schema: Schema{INT8}"
        );
    }

    #[test]
    fn defaults_show_in_get_but_not_in_typed_getters() {
        let mut value = Struct::new(schema()).unwrap();
        assert_eq!(value.get("defaulted").unwrap(), &Value::Int32(7));
        assert!(value.get_without_default("defaulted").unwrap().is_null());
        assert_eq!(value.get_int32("defaulted").unwrap(), None);
        value.put("defaulted", 8).unwrap();
        assert_eq!(value.get_int32("defaulted").unwrap(), Some(8));
        assert_eq!(
            message(value.get_int64("number")),
            "Field 'number' is not of type INT64"
        );
        assert_eq!(message(value.get("x")), "x is not a valid field name");
        assert_eq!(message(value.put("x", 1)), "x is not a valid field name");
    }

    #[test]
    fn what_is_put_must_suit_the_field() {
        let mut value = Struct::new(schema()).unwrap();
        for (field, bad, expected) in [
            (
                "number",
                Value::Null,
                "Invalid value: null used for required field: \"number\", schema type: INT32",
            ),
            (
                "defaulted",
                Value::Null,
                "Invalid value: null used for required field: \"defaulted\", schema type: INT32",
            ),
            (
                "number",
                Value::Int64(1),
                "Invalid Java object for schema with type INT32: class java.lang.Long for field: \"number\"",
            ),
            (
                "list",
                Value::Array(vec![Value::from("x")]),
                "Invalid Java object for schema with type INT8: class java.lang.String for element of array field: \
                 \"list\"",
            ),
            (
                "list",
                Value::Array(vec![Value::Null]),
                "Invalid value: null used for required element of array field: \"list\", schema type: INT8",
            ),
        ] {
            assert_eq!(message(value.put(field, bad)), expected);
        }
        assert_eq!(value, Struct::new(schema()).unwrap());
    }

    #[test]
    fn a_struct_can_be_taken_apart_and_reshaped() {
        let mut value = Struct::new(schema()).unwrap();
        value.put_at(0, 3).unwrap().put_at(1, "x").unwrap();
        assert!(value.put_at(0, "no").is_err());
        assert!(value.put_at(9, 1).is_err());
        let narrow = SchemaBuilder::structure()
            .field("text", Schema::string())
            .field("more", Schema::optional_int8())
            .build()
            .unwrap();
        value.reshape(SchemaRef::clone(&narrow), |values| {
            values.swap(0, 1);
            values.truncate(1);
        });
        assert_eq!(value.get_string("text").unwrap(), Some("x"));
        assert_eq!(value.into_parts(), (narrow, vec![Value::from("x"), Value::Null]));
    }

    #[test]
    fn validation_excuses_nulls_that_are_optional_or_have_a_default() {
        let mut value = Struct::new(schema()).unwrap();
        assert!(message(value.validate()).contains("field: \"number\""));
        value.put("number", 1).unwrap();
        value.validate().unwrap();
    }

    #[test]
    fn equality_looks_at_schema_and_content() {
        let value = |bytes: &[u8]| Struct::new(schema()).unwrap().with("bytes", bytes).unwrap();
        assert_eq!(value(b"ab"), value(b"ab"));
        assert_ne!(value(b"ab"), value(b"ac"));
        let other = SchemaBuilder::structure()
            .field("bytes", Schema::optional_bytes())
            .build()
            .unwrap();
        assert_ne!(
            value(b"ab"),
            Struct::new(other).unwrap().with("bytes", &b"ab"[..]).unwrap()
        );
    }

    #[test]
    fn nested_values_are_checked_with_upstream_s_words() {
        let map = SchemaBuilder::map(Schema::string(), Schema::int8())
            .build()
            .unwrap();
        let entry = |key: Value, value: Value| Value::Map(vec![(key, value)]);
        for (schema, value, expected) in [
            (
                &map,
                entry(Value::from(1), Value::from(1_i8)),
                "Invalid Java object for schema with type STRING: class java.lang.Integer for key of map value",
            ),
            (
                &map,
                entry(Value::from("k"), Value::Null),
                "Invalid value: null used for required value of map value, schema type: INT8",
            ),
            (
                &logical::date(),
                Value::Int32(1),
                "Invalid Java object for schema \"org.apache.kafka.connect.data.Date\" with type INT32: class \
                 java.lang.Integer for value",
            ),
            (
                &Schema::inferred_array(None),
                Value::Array(vec![]),
                "No schema defined for element of array value",
            ),
            (
                &schema(),
                Value::from(Struct::new(wider()).unwrap()),
                "Struct schemas do not match.",
            ),
        ] {
            assert_eq!(message(check(schema, &value)), expected);
        }
        check(&logical::decimal(1), &Value::from(crate::Decimal::new(1, 1))).unwrap();
        check(&logical::timestamp(), &Value::Date(1)).unwrap();
        assert!(check(&Schema::int64(), &Value::Date(1)).is_err());
    }

    fn wider() -> SchemaRef {
        SchemaBuilder::structure()
            .field("more", Schema::int8())
            .build()
            .unwrap()
    }
}
