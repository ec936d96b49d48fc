//! Builds schemas step by step, with upstream's rules: every attribute is set at most once, a default is validated at
//! once against the builder as it stands, field names are unique.
//!
//! The methods of [`SchemaBuilder`] take and give the builder, and the first mistake is kept until
//! [`build`](SchemaBuilder::build) reports it, so a schema reads as one expression.

use std::sync::Arc;

use crate::error::{ConnectError, Result};
use crate::schema::{Field, Schema, SchemaRef, SchemaType};
use crate::validate::validate_value;
use crate::value::Value;

/// A schema under construction.
#[derive(Debug, Clone)]
pub struct SchemaBuilder {
    schema: Schema,
    optional: Option<bool>,
    error: Option<ConnectError>,
}

macro_rules! primitives {
    ($($name:ident => $type:ident;)*) => {$(
        #[doc = concat!("Starts a ", stringify!($type), " schema.")]
        #[must_use]
        pub fn $name() -> Self {
            Self::new(SchemaType::$type)
        }
    )*};
}

impl SchemaBuilder {
    primitives! {
        int8 => Int8;
        int16 => Int16;
        int32 => Int32;
        int64 => Int64;
        float32 => Float32;
        float64 => Float64;
        boolean => Boolean;
        string => String;
        bytes => Bytes;
        structure => Struct;
    }

    /// Starts a schema of the given type. Arrays and maps have their own starts, as they need element schemas.
    #[must_use]
    pub fn new(schema_type: SchemaType) -> Self {
        Self {
            schema: Schema::plain(schema_type, false),
            optional: None,
            error: None,
        }
    }

    /// Starts an ARRAY of elements with the given schema.
    #[must_use]
    pub fn array(element: SchemaRef) -> Self {
        let mut builder = Self::new(SchemaType::Array);
        builder.schema.value_schema = Some(element);
        builder
    }

    /// Starts a MAP with the given key and value schemas.
    #[must_use]
    pub fn map(key: SchemaRef, value: SchemaRef) -> Self {
        let mut builder = Self::new(SchemaType::Map);
        builder.schema.key_schema = Some(key);
        builder.schema.value_schema = Some(value);
        builder
    }

    fn fail(&mut self, message: impl Into<String>) {
        self.error
            .get_or_insert_with(|| ConnectError::schema_builder(message));
    }

    fn set_once(&mut self, what: &str, already: bool) -> bool {
        if already {
            self.fail(format!(
                "Invalid SchemaBuilder call: {what} has already been set."
            ));
        }
        !already
    }

    /// Null becomes a valid value.
    #[must_use]
    pub fn optional(mut self) -> Self {
        if self.set_once("optional", self.optional == Some(false)) {
            self.optional = Some(true);
            self.schema.optional = true;
        }
        self
    }

    /// Null is not a valid value. The default when neither is said.
    #[must_use]
    pub fn required(mut self) -> Self {
        if self.set_once("optional", self.optional == Some(true)) {
            self.optional = Some(false);
        }
        self
    }

    /// Sets the name of the logical or domain type.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let already = self.schema.name.as_ref().is_some_and(|set| *set != name);
        if self.set_once("name", already) {
            self.schema.name = Some(name);
        }
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        let already = self.schema.version.is_some_and(|set| set != version);
        if self.set_once("version", already) {
            self.schema.version = Some(version);
        }
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        let doc = doc.into();
        let already = self.schema.doc.as_ref().is_some_and(|set| *set != doc);
        if self.set_once("doc", already) {
            self.schema.doc = Some(doc);
        }
        self
    }

    /// Sets the default value. Call [`optional`](Self::optional) and [`field`](Self::field) first when the default
    /// depends on them: it is validated at once.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        let value = value.into();
        let already = self.schema.default.as_ref().is_some_and(|set| *set != value);
        if !self.set_once("default", already) {
            return self;
        }
        match validate_value(&self.schema, &value) {
            Ok(()) => self.schema.default = (!value.is_null()).then_some(value),
            Err(error) => {
                self.error.get_or_insert_with(|| {
                    ConnectError::schema_builder("Invalid default value").caused_by(error)
                });
            }
        }
        self
    }

    /// Adds a parameter; one with the same key is replaced.
    #[must_use]
    pub fn parameter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        let parameters = self.schema.parameters.get_or_insert_with(Vec::new);
        match parameters.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => entry.1 = value,
            None => parameters.push((key, value)),
        }
        self
    }

    /// Adds parameters in order.
    #[must_use]
    pub fn parameters(self, parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        parameters
            .into_iter()
            .fold(self, |builder, (key, value)| builder.parameter(key, value))
    }

    /// Adds a field to a STRUCT.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, schema: SchemaRef) -> Self {
        let name = name.into();
        if self.schema.schema_type != SchemaType::Struct {
            self.fail(format!(
                "Cannot create fields on type {}",
                self.schema.schema_type
            ));
        } else if name.is_empty() {
            self.fail("fieldName cannot be null.");
        } else if self.schema.fields.iter().any(|field| field.name() == name) {
            self.fail(format!(
                "Cannot create field because of field name duplication {name}"
            ));
        } else {
            let index = self.schema.fields.len();
            self.schema.fields.push(Field::new(name, index, schema));
        }
        self
    }

    /// The builder, for those who do more before they build and must not overtake a mistake.
    ///
    /// # Errors
    /// The first mistake made on the way, as of [`build`](Self::build).
    pub fn checked(self) -> Result<Self> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// The finished schema.
    ///
    /// # Errors
    /// The first mistake made on the way, as a schema builder error.
    pub fn build(self) -> Result<SchemaRef> {
        match self.error {
            Some(error) => Err(error),
            None => {
                let mut schema = self.schema;
                schema.index_fields();
                Ok(Arc::new(schema))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::logical;
    use crate::structs::Struct;

    fn message(builder: SchemaBuilder) -> String {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaBuilder);
        error.message().to_owned()
    }

    #[test]
    fn attributes_are_set_at_most_once() {
        let base = || {
            SchemaBuilder::int8()
                .name("n")
                .version(1)
                .doc("d")
                .optional()
                .default_value(1_i8)
        };
        assert!(
            base()
                .name("n")
                .version(1)
                .doc("d")
                .optional()
                .default_value(1_i8)
                .build()
                .is_ok()
        );
        for (builder, what) in [
            (base().name("m"), "name"),
            (base().version(2), "version"),
            (base().doc("e"), "doc"),
            (base().required(), "optional"),
            (base().default_value(2_i8), "default"),
        ] {
            assert_eq!(
                message(builder),
                format!("Invalid SchemaBuilder call: {what} has already been set.")
            );
        }
    }

    #[test]
    fn a_default_must_suit_the_schema_as_it_stands() {
        for (builder, default) in [
            (SchemaBuilder::int8(), Value::Int16(1)),
            (SchemaBuilder::int16(), Value::Int8(1)),
            (SchemaBuilder::int32(), Value::from("x")),
            (SchemaBuilder::int64(), Value::Int32(1)),
            (SchemaBuilder::float32(), Value::Float64(1.0)),
            (SchemaBuilder::float64(), Value::Float32(1.0)),
            (SchemaBuilder::boolean(), Value::from("true")),
            (SchemaBuilder::string(), Value::from(true)),
            (SchemaBuilder::bytes(), Value::from("x")),
            // The name of a logical type decides alone.
            (SchemaBuilder::string().name(logical::DECIMAL), Value::from("x")),
            (SchemaBuilder::int64().name(logical::DATE), Value::Int64(1)),
            (
                SchemaBuilder::array(Schema::int8()),
                Value::Array(vec![Value::from("x")]),
            ),
            (
                SchemaBuilder::map(Schema::int8(), Schema::int8()),
                Value::Map(vec![(Value::from("x"), Value::Null)]),
            ),
            (SchemaBuilder::string(), Value::Null),
        ] {
            let error = builder.default_value(default).build().unwrap_err();
            assert_eq!(error.message(), "Invalid default value");
            assert_eq!(error.cause().unwrap().kind(), ErrorKind::Data);
        }
        assert!(
            SchemaBuilder::string()
                .optional()
                .default_value(Value::Null)
                .build()
                .is_ok()
        );
        let builder = SchemaBuilder::structure().field("a", Schema::int8());
        let value = Struct::new(builder.clone().build().unwrap())
            .unwrap()
            .with("a", 1_i8)
            .unwrap();
        let schema = builder.default_value(value.clone()).build().unwrap();
        assert_eq!(schema.default_value(), Some(&Value::from(value)));
    }

    #[test]
    fn fields_are_named_once_and_belong_to_structs() {
        let field = |builder: SchemaBuilder, name: &str| builder.field(name, Schema::int8());
        assert_eq!(
            message(field(SchemaBuilder::int8(), "a")),
            "Cannot create fields on type INT8"
        );
        assert_eq!(
            message(field(SchemaBuilder::structure(), "")),
            "fieldName cannot be null."
        );
        assert_eq!(
            message(field(field(SchemaBuilder::structure(), "a"), "a")),
            "Cannot create field because of field name duplication a"
        );
    }

    #[test]
    fn parameters_gather_in_order() {
        let schema = SchemaBuilder::int8()
            .parameter("b", "1")
            .parameters([("a".to_owned(), "2".to_owned())])
            .parameter("b", "3")
            .build()
            .unwrap();
        let expected = [("b".to_owned(), "3".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert_eq!(schema.parameters(), Some(&expected[..]));
        assert_eq!(
            SchemaBuilder::int8().parameters([]).build().unwrap().parameters(),
            None
        );
    }
}
