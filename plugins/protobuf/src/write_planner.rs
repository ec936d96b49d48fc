//! Plans for writing, by the finished definitions of message types.

use std::sync::Arc;

use wharf_api::logical::{DATE, DECIMAL, TIME, TIMESTAMP};
use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType};

use crate::case;
use crate::definition::{DefinitionId, Definitions, FieldDefinition, Label, TypeName};
use crate::descriptor::Scalar;
use crate::from_connect::{is_enum, part, scalar_of, symbols, too_deep};
use crate::names::{self, VARIANT};
use crate::options::Options;
use crate::to_connect::MAX_DEPTH;
use crate::write_plan::{WriteField, WriteMessage, WriteOne, WriteValue};

/// Makes the plan by the finished definitions, as upstream looks fields up by name.
pub(crate) struct Planner<'a> {
    pub(crate) options: &'a Options,
    pub(crate) definitions: &'a Definitions,
}

impl Planner<'_> {
    /// The plan for a struct that is written as this message type.
    ///
    /// # Errors
    /// A data error when a field has no place in it.
    pub(crate) fn message(&self, schema: &Schema, at: DefinitionId, depth: usize) -> Result<WriteMessage> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let mut fields = Vec::new();
        for field in schema.fields()? {
            let field_schema = field.schema();
            if field_schema.schema_type() == SchemaType::Struct && names::is_union(field_schema) {
                let members = field_schema.fields()?.iter().map(|member| {
                    let (number, value, _) = self.one(member.schema(), member.name(), at, true, depth)?;
                    Ok(WriteOne {
                        number,
                        value,
                        has_presence: true,
                    })
                });
                fields.push(WriteField::Oneof(members.collect::<Result<_>>()?));
                continue;
            }
            fields.push(self.field(field_schema, field.name(), at, depth)?);
        }
        let numbers: Vec<Option<u32>> = fields
            .iter()
            .map(|field| match field {
                WriteField::One(one) => Some(one.number),
                WriteField::Repeated { number, .. } | WriteField::Map { number, .. } => Some(*number),
                WriteField::Oneof(_) => None,
            })
            .collect();
        let is_ordered = numbers.iter().all(Option::is_some) && numbers.is_sorted();
        Ok(WriteMessage { fields, is_ordered })
    }

    fn field(&self, schema: &Schema, name: &str, at: DefinitionId, depth: usize) -> Result<WriteField> {
        Ok(match schema.schema_type() {
            SchemaType::Array => {
                let element = part(schema.value_schema()?, "array")?;
                let (number, element, _) = self.one(element, name, at, false, depth)?;
                WriteField::Repeated {
                    number,
                    is_packed: element.is_packable(),
                    element,
                }
            }
            SchemaType::Map => {
                let definition = self.definition(name, at)?;
                let TypeName::Named(type_name) = &definition.type_name else {
                    return Err(self.unknown(name, at));
                };
                let entry = self
                    .definitions
                    .resolve(at, type_name)
                    .ok_or_else(|| self.unknown(name, at))?;
                let one = |schema: Option<&SchemaRef>, name: &str| {
                    let schema = part(schema, "map")?;
                    match self.field(schema, name, entry, depth + 1)? {
                        WriteField::One(one) => Ok(one),
                        _ => Err(ConnectError::data(
                            "a map's key or value is an array or a map, which the type of its entries cannot hold; put it into a \
                             struct",
                        )),
                    }
                };
                WriteField::Map {
                    number: definition.number,
                    key: one(schema.key_schema()?, names::KEY)?,
                    value: one(schema.value_schema()?, names::VALUE)?,
                }
            }
            _ => {
                let (number, value, label) = self.one(schema, name, at, false, depth)?;
                let has_presence = value.is_message() || label == Label::Optional;
                WriteField::One(WriteOne {
                    number,
                    value,
                    has_presence,
                })
            }
        })
    }

    fn definition(&self, name: &str, at: DefinitionId) -> Result<&FieldDefinition> {
        let name = if self.options.scrub_names {
            case::scrubbed(name)
        } else {
            name.to_owned()
        };
        let found = self
            .definitions
            .get(at)
            .fields
            .iter()
            .find(|field| field.name == name);
        found.ok_or_else(|| self.unknown(&name, at))
    }

    #[cold]
    fn unknown(&self, name: &str, at: DefinitionId) -> ConnectError {
        ConnectError::data(format!("Cannot find field with name {name}")).caused_by(ConnectError::data(
            format!(
                "two structs share the name {}, but not their fields; name them differently",
                self.definitions.get(at).name
            ),
        ))
    }

    fn one(
        &self,
        schema: &Schema,
        name: &str,
        at: DefinitionId,
        in_oneof: bool,
        depth: usize,
    ) -> Result<(u32, WriteValue, Label)> {
        let definition = self.definition(name, at)?;
        let value = match (schema.name(), schema.schema_type()) {
            (Some(DECIMAL), _) => WriteValue::Decimal,
            (Some(DATE), _) => WriteValue::Date,
            (Some(TIME), _) => WriteValue::Time,
            (Some(TIMESTAMP), _) => WriteValue::Timestamp,
            (Some(VARIANT), _) => {
                let bytes = |number| {
                    let value = WriteValue::Scalar(Scalar::Bytes, SchemaType::Bytes);
                    WriteField::One(WriteOne {
                        number,
                        value,
                        has_presence: false,
                    })
                };
                let fields = vec![bytes(1), bytes(2)];
                WriteValue::Message(Arc::new(WriteMessage {
                    fields,
                    is_ordered: true,
                }))
            }
            (_, SchemaType::Struct) => {
                let TypeName::Named(type_name) = &definition.type_name else {
                    return Err(self.unknown(name, at));
                };
                let nested = self
                    .definitions
                    .resolve(at, type_name)
                    .ok_or_else(|| self.unknown(name, at))?;
                WriteValue::Message(Arc::new(self.message(schema, nested, depth + 1)?))
            }
            (_, SchemaType::Array | SchemaType::Map) => {
                return Err(ConnectError::data("Array cannot be nested")
                    .with_class("java.lang.IllegalArgumentException"));
            }
            _ if is_enum(schema) => WriteValue::Enum(Arc::new(symbols(self.options, schema)?)),
            _ => {
                let (scalar, is_wrapped) = scalar_of(self.options, schema, in_oneof)?;
                if is_wrapped {
                    WriteValue::Wrapped(scalar, schema.schema_type())
                } else {
                    WriteValue::Scalar(scalar, schema.schema_type())
                }
            }
        };
        Ok((definition.number, value, definition.label))
    }
}
