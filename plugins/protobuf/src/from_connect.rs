//! Connect schemas to message types, and to plans for writing, with the rules of upstream's converter.

use std::sync::Arc;

use wharf_api::logical::{DATE, DECIMAL, SCALE_PARAMETER, TIME, TIMESTAMP};
use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType};

use crate::case;
use crate::definition::{DefinitionId, Definitions, EnumDefinition, FieldDefinition, Label, TypeName};
use crate::descriptor::Scalar;
use crate::names::{
    self, CONNECT_TYPE, DATE_MESSAGE, DECIMAL_MESSAGE, DECIMAL_PRECISION, DEFAULT_NAME, ENUM,
    GENERALIZED_ENUM, GENERALIZED_UNION, TAG, TIME_MESSAGE, TIMESTAMP_MESSAGE, TYPE, UNION, VARIANT,
    VARIANT_MESSAGE, WRAPPER,
};
use crate::options::Options;
use crate::scalars::scalar_type;
use crate::to_connect::MAX_DEPTH;
use crate::well_known::WRAPPERS;
use crate::write_plan::WriteValue;
use crate::write_planner::Planner;

/// What a Connect schema becomes.
#[derive(Debug)]
pub(crate) struct WriteRoot {
    /// The text to register.
    pub(crate) text: String,
    /// What the text was made of; `None` for the well-known file of wrappers.
    pub(crate) definitions: Option<Definitions>,
    /// The full name of the message type.
    pub(crate) full_name: String,
    /// Its path of message indexes in that text.
    pub(crate) path: Vec<usize>,
    /// How values are written.
    pub(crate) value: WriteValue,
}

/// Compiles a schema.
///
/// # Errors
/// A data error when it has no message type.
pub(crate) fn write_root(options: &Options, schema: &Schema) -> Result<WriteRoot> {
    let wrapper = match schema.schema_type() {
        SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 => Some(("Int32Value", Scalar::Int32)),
        SchemaType::Int64 => Some(("Int64Value", Scalar::Int64)),
        SchemaType::Float32 => Some(("FloatValue", Scalar::Float)),
        SchemaType::Float64 => Some(("DoubleValue", Scalar::Double)),
        SchemaType::Boolean => Some(("BoolValue", Scalar::Bool)),
        SchemaType::String => Some(("StringValue", Scalar::String)),
        SchemaType::Bytes => Some(("BytesValue", Scalar::Bytes)),
        SchemaType::Struct => None,
        other => {
            return Err(ConnectError::data(format!(
                "Unsupported root schema of type {other}; put the value into a struct, with HoistField for example"
            ))
            .with_class("java.lang.IllegalArgumentException"));
        }
    };
    if let Some((name, scalar)) = wrapper {
        // Their order in the well-known file.
        const ORDER: [&str; 9] = [
            "DoubleValue",
            "FloatValue",
            "Int64Value",
            "UInt64Value",
            "Int32Value",
            "UInt32Value",
            "BoolValue",
            "StringValue",
            "BytesValue",
        ];
        let index = ORDER.iter().position(|known| *known == name).unwrap_or(0);
        if matches!(schema.name(), Some(DECIMAL | DATE | TIME | TIMESTAMP)) {
            return Err(ConnectError::data(format!(
                "a {} alone has no Protobuf schema; put the value into a struct, with HoistField for example",
                schema.name().unwrap_or_default()
            )));
        }
        return Ok(WriteRoot {
            text: WRAPPERS.to_owned(),
            definitions: None,
            full_name: format!("google.protobuf.{name}"),
            path: vec![index],
            value: WriteValue::Wrapped(scalar, schema.schema_type()),
        });
    }
    let mut builder = Builder {
        options,
        definitions: Definitions::default(),
        names: 0,
    };
    let full_name = builder.name_or_default(schema.name());
    let scrubbed: Vec<String> = full_name.split('.').map(|part| builder.scrubbed(part)).collect();
    let full_name = scrubbed.join(".");
    scrubbed.iter().try_for_each(|part| identifier(part))?;
    let (package, name) = match full_name.rsplit_once('.') {
        Some((package, name)) => (Some(package.to_owned()), name),
        None => (None, full_name.as_str()),
    };
    builder.definitions.package = package;
    let top = builder.definitions.add(name.to_owned(), None);
    builder.fields(top, schema, 0)?;
    let definitions = builder.definitions;
    let message = Planner {
        options,
        definitions: &definitions,
    }
    .message(schema, top, 0)?;
    Ok(WriteRoot {
        text: definitions.to_text(),
        definitions: Some(definitions),
        full_name,
        path: vec![0],
        value: WriteValue::Message(Arc::new(message)),
    })
}

pub(crate) fn too_deep() -> ConnectError {
    ConnectError::data(format!(
        "the schema nests deeper than {MAX_DEPTH} levels, which ProtobufConverter cannot write; flatten it"
    ))
}

pub(crate) fn part<'a>(part: Option<&'a SchemaRef>, whole: &str) -> Result<&'a Schema> {
    part.map(AsRef::as_ref).ok_or_else(|| {
        ConnectError::data(format!(
            "an {whole} has no schema for its elements, so it has no Protobuf schema"
        ))
    })
}

/// Makes the definitions.
struct Builder<'a> {
    options: &'a Options,
    definitions: Definitions,
    names: usize,
}

impl Builder<'_> {
    fn name_or_default(&mut self, name: Option<&str>) -> String {
        match name {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => {
                self.names += 1;
                format!("{DEFAULT_NAME}{}", self.names)
            }
        }
    }

    fn scrubbed(&self, name: &str) -> String {
        if self.options.scrub_names {
            case::scrubbed(name)
        } else {
            name.to_owned()
        }
    }

    fn unqualified(&mut self, name: Option<&str>) -> String {
        let name = self.name_or_default(name);
        self.scrubbed(name.rsplit_once('.').map_or(name.as_str(), |(_, last)| last))
    }

    fn fields(&mut self, at: DefinitionId, schema: &Schema, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut index = 1;
        for field in schema.fields()? {
            let number = match tag(field.schema())? {
                Some(number) => number,
                None => {
                    index += 1;
                    index - 1
                }
            };
            self.field(at, field.schema(), field.name(), Some(number), None, depth)?;
        }
        let message = self.definitions.get(at);
        for (position, field) in message.fields.iter().enumerate() {
            let is_taken = message.fields[..position]
                .iter()
                .any(|other| other.number == field.number);
            if is_taken || !(1..1 << 29).contains(&field.number) || (19_000..20_000).contains(&field.number) {
                return Err(ConnectError::data(format!(
                    "the field {} of {} has the number {}, which is taken or not allowed; correct the parameter {TAG}",
                    field.name, message.name, field.number
                )));
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        at: DefinitionId,
        schema: &Schema,
        name: &str,
        number: Option<u32>,
        oneof: Option<usize>,
        depth: usize,
    ) -> Result<()> {
        let name = self.scrubbed(name);
        identifier(&name)?;
        let is_entry = self.definitions.get(at).is_entry;
        let label = match schema.schema_type() {
            SchemaType::Array | SchemaType::Map => Label::Repeated,
            _ if self.options.optional_for_nullables
                && schema.is_optional()
                && oneof.is_none()
                && !is_entry =>
            {
                Label::Optional
            }
            _ => Label::None,
        };
        let schema = match schema.schema_type() {
            SchemaType::Array => part(schema.value_schema()?, "array")?,
            _ => schema,
        };
        let mut params = Vec::new();
        let type_name = self.type_name(schema, &name, &mut params, oneof.is_some())?;
        match (schema.schema_type(), &type_name) {
            (SchemaType::Struct, _) if names::is_union(schema) => return self.union(at, schema, depth),
            (SchemaType::Struct, TypeName::Named(type_name)) if schema.name() != Some(VARIANT) => {
                // A type of the same name in the same message is the same type, and so is the message itself.
                let message = self.definitions.get(at);
                let is_known = message.name == *type_name
                    || message
                        .nested
                        .iter()
                        .any(|nested| self.definitions.get(*nested).name == *type_name);
                if !is_known {
                    let nested = self.nest(at, type_name);
                    self.fields(nested, schema, depth + 1)?;
                }
            }
            (SchemaType::Map, TypeName::Named(type_name)) => {
                let nested = self.nest(at, type_name);
                self.definitions.messages[nested.0].is_entry = true;
                if depth > MAX_DEPTH {
                    return Err(too_deep());
                }
                self.field(
                    nested,
                    part(schema.key_schema()?, "map")?,
                    names::KEY,
                    Some(1),
                    None,
                    depth + 1,
                )?;
                self.field(
                    nested,
                    part(schema.value_schema()?, "map")?,
                    names::VALUE,
                    Some(2),
                    None,
                    depth + 1,
                )?;
            }
            (_, TypeName::Named(type_name)) if is_enum(schema) => {
                let enum_name = schema
                    .name()
                    .map_or_else(|| type_name.clone(), |name| self.unqualified(Some(name)));
                if !self
                    .definitions
                    .get(at)
                    .enums
                    .iter()
                    .any(|known| known.name == enum_name)
                {
                    let values = self.symbols(schema)?;
                    self.definitions.messages[at.0].enums.push(EnumDefinition {
                        name: enum_name,
                        values,
                    });
                }
            }
            (_, TypeName::Named(type_name)) => {
                let import = import_of(type_name);
                if !self.definitions.imports.contains(&import) {
                    self.definitions.imports.push(import);
                }
            }
            (_, TypeName::Scalar(_)) => {}
        }
        if schema.name() == Some(VARIANT)
            && !self.definitions.imports.contains(&"confluent/type/variant.proto")
        {
            self.definitions.imports.push("confluent/type/variant.proto");
        }
        let number = number.ok_or_else(|| {
            ConnectError::data(format!(
                "the member {name} of a union has no parameter {TAG}, and so no field number in Protobuf; set it, or use a plain struct"
            ))
        })?;
        if label == Label::Optional {
            self.definitions.messages[at.0].oneofs.push(format!("_{name}"));
        }
        self.definitions.messages[at.0].fields.push(FieldDefinition {
            name,
            number,
            type_name,
            label,
            oneof,
            params,
        });
        Ok(())
    }

    fn nest(&mut self, at: DefinitionId, name: &str) -> DefinitionId {
        let nested = self.definitions.add(name.to_owned(), Some(at));
        self.definitions.messages[at.0].nested.push(nested);
        nested
    }

    fn union(&mut self, at: DefinitionId, schema: &Schema, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let name = match schema.parameter(GENERALIZED_UNION) {
            Some(name) if self.options.generalized_sum_types => name.to_owned(),
            _ => {
                let name = schema
                    .name()
                    .and_then(|name| name.strip_prefix(UNION))
                    .unwrap_or_default();
                self.unqualified(Some(name.trim_start_matches('.')))
            }
        };
        let oneof = self.definitions.get(at).oneofs.len();
        self.definitions.messages[at.0].oneofs.push(name);
        for member in schema.fields()? {
            self.field(
                at,
                member.schema(),
                member.name(),
                tag(member.schema())?,
                Some(oneof),
                depth + 1,
            )?;
        }
        Ok(())
    }

    fn symbols(&self, schema: &Schema) -> Result<Vec<(String, i32)>> {
        symbols(self.options, schema)
    }

    fn type_name(
        &mut self,
        schema: &Schema,
        field: &str,
        params: &mut Vec<(&'static str, String)>,
        in_oneof: bool,
    ) -> Result<TypeName> {
        let named = |name: &str| Ok(TypeName::Named(name.to_owned()));
        match schema.name() {
            Some(DECIMAL) => {
                for (key, parameter) in [("precision", DECIMAL_PRECISION), ("scale", SCALE_PARAMETER)] {
                    if let Some(value) = schema.parameter(parameter) {
                        params.push((key, value.to_owned()));
                    }
                }
                return named(DECIMAL_MESSAGE);
            }
            Some(DATE) => return named(DATE_MESSAGE),
            Some(TIME) => return named(TIME_MESSAGE),
            Some(TIMESTAMP) => return named(TIMESTAMP_MESSAGE),
            Some(VARIANT) => return named(VARIANT_MESSAGE),
            _ => {}
        }
        match schema.schema_type() {
            SchemaType::Int8 => params.push((CONNECT_TYPE, "int8".to_owned())),
            SchemaType::Int16 => params.push((CONNECT_TYPE, "int16".to_owned())),
            SchemaType::Array => {
                return Err(ConnectError::data("Array cannot be nested")
                    .with_class("java.lang.IllegalArgumentException"));
            }
            SchemaType::Map => return Ok(TypeName::Named(case::map_entry(&self.unqualified(schema.name())))),
            SchemaType::Struct => {
                let mut name = self.unqualified(schema.name());
                // A message type and a field of it cannot share a name.
                if name == field {
                    name.push_str("Message");
                }
                return Ok(TypeName::Named(name));
            }
            _ => {}
        }
        if is_enum(schema) {
            let name = schema
                .parameter(GENERALIZED_ENUM)
                .filter(|_| schema.schema_type() == SchemaType::String);
            return named(name.or(schema.parameter(ENUM)).unwrap_or_default());
        }
        let (scalar, is_wrapped) = scalar_of(self.options, schema, in_oneof)?;
        Ok(if is_wrapped {
            TypeName::Named(wrapper_of(scalar).to_owned())
        } else {
            TypeName::Scalar(scalar)
        })
    }
}

/// The symbols of an enum, in the order of the parameters.
pub(crate) fn symbols(options: &Options, schema: &Schema) -> Result<Vec<(String, i32)>> {
    let prefix = format!(
        "{}.",
        if options.generalized_sum_types {
            GENERALIZED_ENUM
        } else {
            ENUM
        }
    );
    let mut values = Vec::new();
    for (key, value) in schema.parameters().unwrap_or_default() {
        if let Some(symbol) = key.strip_prefix(&prefix) {
            let number = value.parse().map_err(|_| {
                ConnectError::data(format!(
                    "the parameter {key} of an enum is {value}, which is no number"
                ))
            })?;
            values.push((symbol.to_owned(), number));
        }
    }
    Ok(values)
}

/// Whether a name can stand in a schema: upstream's library takes letters of ASCII, digits after the first, and `_`.
fn identifier(name: &str) -> Result<()> {
    let is_letter = |char: char| char.is_ascii_alphabetic() || char == '_';
    let is_allowed =
        name.starts_with(is_letter) && name.chars().all(|char| is_letter(char) || char.is_ascii_digit());
    if is_allowed {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "Invalid protobuf schema definition: \"{name}\" is not a valid identifier; rename it, or set scrub.invalid.names=true"
    ))
    .with_class("java.lang.IllegalArgumentException"))
}

fn tag(schema: &Schema) -> Result<Option<u32>> {
    schema
        .parameter(TAG)
        .map(|text| {
            text.parse().map_err(|_| {
                ConnectError::data(format!("the parameter {TAG} is {text}, which is no field number"))
            })
        })
        .transpose()
}

pub(crate) fn is_enum(schema: &Schema) -> bool {
    match schema.schema_type() {
        SchemaType::String => {
            schema.parameter(GENERALIZED_ENUM).is_some() || schema.parameter(ENUM).is_some()
        }
        SchemaType::Int32 => schema.parameter(ENUM).is_some(),
        _ => false,
    }
}

fn import_of(type_name: &str) -> &'static str {
    match type_name {
        DECIMAL_MESSAGE => "confluent/type/decimal.proto",
        VARIANT_MESSAGE => "confluent/type/variant.proto",
        DATE_MESSAGE => "google/type/date.proto",
        TIME_MESSAGE => "google/type/timeofday.proto",
        TIMESTAMP_MESSAGE => "google/protobuf/timestamp.proto",
        _ => "google/protobuf/wrappers.proto",
    }
}

fn wrapper_of(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Double => "google.protobuf.DoubleValue",
        Scalar::Float => "google.protobuf.FloatValue",
        Scalar::Bool => "google.protobuf.BoolValue",
        Scalar::String => "google.protobuf.StringValue",
        Scalar::Bytes => "google.protobuf.BytesValue",
        Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => "google.protobuf.Int32Value",
        Scalar::Uint32 | Scalar::Fixed32 => "google.protobuf.UInt32Value",
        Scalar::Uint64 | Scalar::Fixed64 => "google.protobuf.UInt64Value",
        Scalar::Int64 | Scalar::Sint64 | Scalar::Sfixed64 => "google.protobuf.Int64Value",
    }
}

/// The scalar of a plain schema, and whether it goes into a wrapper message.
pub(crate) fn scalar_of(options: &Options, schema: &Schema, in_oneof: bool) -> Result<(Scalar, bool)> {
    let scalar = match schema.schema_type() {
        SchemaType::Int8 | SchemaType::Int16 => Scalar::Int32,
        SchemaType::Int32 | SchemaType::Int64 => match schema.parameter(TYPE) {
            Some(word) => Scalar::from_word(word)
                .filter(|scalar| scalar_type(*scalar) == schema.schema_type())
                .ok_or_else(|| {
                    ConnectError::data(format!(
                        "the parameter {TYPE} is {word}, which is no Protobuf type for {}",
                        schema.schema_type()
                    ))
                })?,
            None if schema.schema_type() == SchemaType::Int32 => Scalar::Int32,
            None => Scalar::Int64,
        },
        SchemaType::Float32 => Scalar::Float,
        SchemaType::Float64 => Scalar::Double,
        SchemaType::Boolean => Scalar::Bool,
        SchemaType::String => Scalar::String,
        _ => Scalar::Bytes,
    };
    let is_marked = schema
        .parameter(WRAPPER)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Ok((
        scalar,
        options.wrapper_for_nullables && schema.is_optional() && (!in_oneof || is_marked),
    ))
}

#[cfg(test)]
#[path = "from_connect_tests.rs"]
mod tests;
