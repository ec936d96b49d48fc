//! Message types to Connect schemas, and to plans for reading, with the rules of upstream's converter.
//!
//! A type that contains itself has no Connect schema here, because Connect schemas of this worker are trees, and is refused. So is what
//! grows beyond [`MAX_NODES`] when nested types are followed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value, logical};

use crate::case;
use crate::descriptor::{EnumId, Field, Kind, Message, MessageId, Oneof, Pool, Scalar, wrapped_scalar};
use crate::names::{
    CONNECT_TYPE, DATE_MESSAGE, DECIMAL_MESSAGE, DECIMAL_PRECISION, ENUM, GENERALIZED_ENUM,
    GENERALIZED_UNION, TAG, TIME_MESSAGE, TIMESTAMP_MESSAGE, TYPE, UNION, VARIANT, VARIANT_MESSAGE, WRAPPER,
};
use crate::options::Options;
use crate::read_plan::{Many, ReadEntry, ReadEnum, ReadField, ReadValue, Shape, Slot};
use crate::scalars::{declared_default, scalar_type, zero};

/// The most schemas that one message type may become, counted as often as they are used.
pub(crate) const MAX_NODES: usize = 100_000;
/// Schemas may nest this deep, which is within what crosses the plugin border.
pub(crate) const MAX_DEPTH: usize = 100;

/// How messages of a type are read.
#[derive(Debug)]
pub(crate) struct ReadMessage {
    /// The schema of what is read.
    pub(crate) schema: SchemaRef,
    /// How it is read; a wrapper may be a plain value.
    pub(crate) value: ReadValue,
}

/// Compiles a message type. `version` is that of the registry.
///
/// # Errors
/// A data error when the type contains itself or becomes too large.
pub(crate) fn read_message(
    options: &Options,
    pool: &Pool,
    id: MessageId,
    version: Option<i32>,
) -> Result<ReadMessage> {
    let mut context = Context {
        options,
        pool,
        known: HashMap::new(),
        open: HashSet::new(),
        nodes: 0,
    };
    if options.wrapper_for_raw_primitives
        && let Some(scalar) = wrapped_scalar(&pool.message(id).full_name)
    {
        let schema_type = scalar_type(scalar);
        let schema = with_version(SchemaBuilder::new(schema_type), version).build()?;
        return Ok(ReadMessage {
            schema,
            value: ReadValue::Wrapped(scalar, schema_type),
        });
    }
    let known = context.message(id, 0)?;
    let schema = with_version(known.builder, version).build()?;
    Ok(ReadMessage {
        value: ReadValue::Message {
            shape: known.shape,
            schema: SchemaRef::clone(&schema),
        },
        schema,
    })
}

fn with_version(builder: SchemaBuilder, version: Option<i32>) -> SchemaBuilder {
    match version {
        Some(version) => builder.version(version),
        None => builder,
    }
}

#[derive(Clone)]
struct Known {
    /// The struct's schema without what a place adds to it.
    builder: SchemaBuilder,
    shape: Arc<Shape>,
    nodes: usize,
    /// The number of the field that used it first, if that was not repeated. Upstream's later uses as an element show it.
    first_tag: Option<u32>,
}

struct Context<'a> {
    options: &'a Options,
    pool: &'a Pool,
    known: HashMap<MessageId, Known>,
    open: HashSet<MessageId>,
    nodes: usize,
}

/// A field's schema on its way, and how its values are read.
struct Parts {
    builder: SchemaBuilder,
    reading: Reading,
    is_map: bool,
}

/// How values are read, before the schema that structs carry is finished.
enum Reading {
    Plain(ReadValue),
    Message(Arc<Shape>),
    Group(Arc<Shape>),
}

impl Parts {
    fn plain(builder: SchemaBuilder, value: ReadValue) -> Self {
        Self {
            builder,
            reading: Reading::Plain(value),
            is_map: false,
        }
    }
}

impl Reading {
    fn with(self, schema: &SchemaRef) -> ReadValue {
        let schema = SchemaRef::clone(schema);
        match self {
            Self::Plain(value) => value,
            Self::Message(shape) => ReadValue::Message { shape, schema },
            Self::Group(shape) => ReadValue::Group { shape, schema },
        }
    }
}

impl Context<'_> {
    fn count(&mut self, nodes: usize, depth: usize) -> Result<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "the Protobuf message becomes more than {MAX_NODES} schemas or {MAX_DEPTH} levels when its types are followed; \
                 make it smaller"
            )));
        }
        Ok(())
    }

    fn message(&mut self, id: MessageId, depth: usize) -> Result<Known> {
        if let Some(known) = self.known.get(&id).cloned() {
            self.count(known.nodes, depth)?;
            return Ok(known);
        }
        let pool = self.pool;
        let message = pool.message(id);
        if !self.open.insert(id) {
            return Err(ConnectError::data(format!(
                "the Protobuf message {} contains itself, and a recursive schema has no Connect schema here; read the topic with \
                 another converter",
                message.full_name
            )));
        }
        self.count(1, depth)?;
        let before = self.nodes;
        let name = if self.options.enhanced {
            &message.full_name
        } else {
            &message.name
        };
        let mut layout = Layout {
            builder: SchemaBuilder::structure().name(name),
            fields: Vec::new(),
            initial: Vec::new(),
        };
        for oneof in &message.oneofs {
            if self.options.flatten_unions {
                self.flattened(message, oneof, &mut layout, depth)?;
            } else {
                self.union(message, oneof, &mut layout, depth)?;
            }
        }
        for field in message.fields.iter().filter(|field| field.oneof.is_none()) {
            let slot = Slot::Field(layout.initial.len());
            let (schema, many, value) = self.field(field, false, depth)?;
            layout.initial.push(self.initial(field, &value, many)?);
            layout.builder = layout.builder.field(&field.name, schema);
            layout.fields.push(ReadField {
                number: field.number,
                slot,
                many,
                value,
            });
        }
        self.open.remove(&id);
        layout.fields.sort_by_key(|field| field.number);
        // A mistake in the schema shows here and not at each use.
        layout.builder.clone().build()?;
        let known = Known {
            builder: layout.builder,
            shape: Arc::new(Shape::new(layout.fields, layout.initial)),
            nodes: self.nodes - before + 1,
            first_tag: None,
        };
        self.known.insert(id, known.clone());
        Ok(known)
    }

    fn flattened(
        &mut self,
        message: &Message,
        oneof: &Oneof,
        layout: &mut Layout,
        depth: usize,
    ) -> Result<()> {
        let start = layout.initial.len();
        for (position, field) in oneof.fields.iter().enumerate() {
            let field = &message.fields[*field];
            let (schema, many, value) = self.field(field, true, depth)?;
            let others = (0..oneof.fields.len())
                .filter(|other| *other != position)
                .map(|other| start + other)
                .collect();
            layout.initial.push(Value::Null);
            layout.builder =
                std::mem::replace(&mut layout.builder, SchemaBuilder::structure()).field(&field.name, schema);
            let slot = Slot::Flattened {
                field: start + position,
                others,
            };
            layout.fields.push(ReadField {
                number: field.number,
                slot,
                many,
                value,
            });
        }
        Ok(())
    }

    fn union(&mut self, message: &Message, oneof: &Oneof, layout: &mut Layout, depth: usize) -> Result<()> {
        let mut union = SchemaBuilder::structure();
        union = if self.options.generalized_sum_types {
            union.name(&oneof.name).parameter(GENERALIZED_UNION, &oneof.name)
        } else if self.options.enhanced {
            union.name(format!("{UNION}.{}.{}", message.full_name, oneof.name))
        } else {
            union.name(format!("{UNION}.{}", oneof.name))
        };
        let mut members = Vec::new();
        for field in &oneof.fields {
            let field = &message.fields[*field];
            let (schema, many, value) = self.field(field, true, depth + 1)?;
            union = union.field(&field.name, schema);
            members.push((field.number, many, value));
        }
        let union = union.optional().build()?;
        let at = layout.initial.len();
        for (member, (number, many, value)) in members.into_iter().enumerate() {
            let slot = Slot::Member {
                field: at,
                union: SchemaRef::clone(&union),
                member,
            };
            layout.fields.push(ReadField {
                number,
                slot,
                many,
                value,
            });
        }
        layout.initial.push(Value::Null);
        let name = if self.options.index_for_unions {
            format!("{}_{}", oneof.name, oneof.index)
        } else {
            oneof.name.clone()
        };
        layout.builder =
            std::mem::replace(&mut layout.builder, SchemaBuilder::structure()).field(name, union);
        Ok(())
    }

    /// A field's schema, and how it is read.
    fn field(&mut self, field: &Field, in_oneof: bool, depth: usize) -> Result<(SchemaRef, Many, ReadValue)> {
        self.count(1, depth)?;
        let Parts {
            mut builder,
            reading,
            is_map,
        } = self.parts(field, depth)?;
        let tag = field.number.to_string();
        if field.is_repeated && !is_map {
            let element = builder.optional().build()?;
            let value = reading.with(&element);
            let array = SchemaBuilder::array(element)
                .optional()
                .parameter(TAG, tag)
                .build()?;
            return Ok((array, Many::Repeated, value));
        }
        if self.is_optional(field, in_oneof) {
            builder = builder.optional();
        }
        if in_oneof && self.options.wrapper_for_nullables && self.wrapped(field).is_some() {
            builder = builder.parameter(WRAPPER, "true");
        }
        let schema = builder.parameter(TAG, tag).build()?;
        let value = reading.with(&schema);
        Ok((schema, if is_map { Many::Map } else { Many::One }, value))
    }

    /// Whether a field that occurs once is optional.
    fn is_optional(&self, field: &Field, in_oneof: bool) -> bool {
        match field.kind {
            Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => true,
            Kind::Scalar(_) if in_oneof => true,
            Kind::Scalar(_) if self.options.optional_for_nullables => field.has_optional_keyword,
            Kind::Scalar(_) => !self.options.wrapper_for_nullables,
        }
    }

    fn wrapped(&self, field: &Field) -> Option<Scalar> {
        match field.kind {
            Kind::Message(id) => wrapped_scalar(&self.pool.message(id).full_name),
            _ => None,
        }
    }

    fn parts(&mut self, field: &Field, depth: usize) -> Result<Parts> {
        let (id, is_group) = match field.kind {
            Kind::Scalar(scalar) => return Ok(scalar_parts(field, scalar)),
            Kind::Enum(id) => return Ok(self.enum_parts(id)),
            Kind::Message(id) => (id, false),
            Kind::Group(id) => (id, true),
        };
        let full_name = self.pool.message(id).full_name.as_str();
        match full_name {
            DECIMAL_MESSAGE => {
                let param = |name: &str| {
                    let (_, text) = field.params.iter().find(|(key, _)| key == name)?;
                    text.parse::<i32>().ok()
                };
                let mut builder = SchemaBuilder::bytes()
                    .name(logical::DECIMAL)
                    .version(1)
                    .parameter(logical::SCALE_PARAMETER, param("scale").unwrap_or(0).to_string());
                if let Some(precision) = param("precision") {
                    builder = builder.parameter(DECIMAL_PRECISION, precision.to_string());
                }
                return Ok(Parts::plain(builder, ReadValue::Decimal));
            }
            DATE_MESSAGE => {
                return Ok(Parts::plain(
                    SchemaBuilder::int32().name(logical::DATE).version(1),
                    ReadValue::Date,
                ));
            }
            TIME_MESSAGE => {
                return Ok(Parts::plain(
                    SchemaBuilder::int32().name(logical::TIME).version(1),
                    ReadValue::Time,
                ));
            }
            TIMESTAMP_MESSAGE => {
                return Ok(Parts::plain(
                    SchemaBuilder::int64().name(logical::TIMESTAMP).version(1),
                    ReadValue::Timestamp,
                ));
            }
            VARIANT_MESSAGE => {
                let builder = SchemaBuilder::structure()
                    .name(VARIANT)
                    .field("metadata", Schema::bytes())
                    .field("value", Schema::bytes());
                let bytes = |number, field| ReadField {
                    number,
                    slot: Slot::Field(field),
                    many: Many::One,
                    value: ReadValue::Scalar(Scalar::Bytes, SchemaType::Bytes),
                };
                let initial = vec![Value::Bytes(Vec::new()), Value::Bytes(Vec::new())];
                let shape = Shape::new(vec![bytes(1, 0), bytes(2, 1)], initial);
                return Ok(Parts {
                    builder,
                    reading: Reading::Message(Arc::new(shape)),
                    is_map: false,
                });
            }
            _ => {}
        }
        // A wrapper is what it wraps wherever it stands, not only alone.
        if (self.options.wrapper_for_nullables || self.options.wrapper_for_raw_primitives)
            && let Some(scalar) = wrapped_scalar(full_name)
        {
            let schema_type = scalar_type(scalar);
            return Ok(Parts::plain(
                SchemaBuilder::new(schema_type),
                ReadValue::Wrapped(scalar, schema_type),
            ));
        }
        if field.is_repeated && self.pool.is_map_entry(id) {
            return self.map_parts(id, depth);
        }
        let known = self.message(id, depth + 1)?;
        let mut builder = known.builder;
        match self.known.get_mut(&id) {
            Some(entry) if !field.is_repeated => {
                entry.first_tag.get_or_insert(field.number);
            }
            Some(Known {
                first_tag: Some(tag), ..
            }) => builder = builder.parameter(TAG, tag.to_string()),
            _ => {}
        }
        let reading = if is_group {
            Reading::Group(known.shape)
        } else {
            Reading::Message(known.shape)
        };
        Ok(Parts {
            builder,
            reading,
            is_map: false,
        })
    }

    fn map_parts(&mut self, id: MessageId, depth: usize) -> Result<Parts> {
        let pool = self.pool;
        let entry = pool.message(id);
        let name = case::map_field(if self.options.enhanced {
            &entry.full_name
        } else {
            &entry.name
        });
        let (key, value) = (&entry.fields[0], &entry.fields[1]);
        let (key_schema, _, key_read) = self.field(key, false, depth + 1)?;
        let (value_schema, _, value_read) = self.field(value, false, depth + 1)?;
        let read = ReadEntry {
            default_key: self.default_of(key, &key_read)?,
            default_value: self.default_of(value, &value_read)?,
            key: key_read,
            value: value_read,
        };
        let builder = SchemaBuilder::map(key_schema, value_schema).name(name);
        let mut parts = Parts::plain(builder, ReadValue::Entry(Box::new(read)));
        parts.is_map = true;
        Ok(parts)
    }

    fn enum_parts(&self, id: EnumId) -> Parts {
        let enumeration = self.pool.enumeration(id);
        let as_number = self.options.int_for_enums;
        let mut builder = if as_number {
            SchemaBuilder::int32()
        } else {
            SchemaBuilder::string()
        };
        builder = builder.name(if self.options.enhanced {
            &enumeration.full_name
        } else {
            &enumeration.name
        });
        let name = if self.options.generalized_sum_types {
            GENERALIZED_ENUM
        } else {
            ENUM
        };
        builder = builder.parameter(name, &enumeration.name);
        for (symbol, number) in &enumeration.values {
            builder = builder.parameter(format!("{name}.{symbol}"), number.to_string());
        }
        let read = ReadEnum {
            name: enumeration.name.clone(),
            values: enumeration.values.clone(),
            is_open: enumeration.is_open,
            as_number,
        };
        Parts::plain(builder, ReadValue::Enum(Arc::new(read)))
    }

    /// What a field holds before anything was read.
    fn initial(&self, field: &Field, value: &ReadValue, many: Many) -> Result<Value> {
        Ok(match many {
            Many::Repeated => Value::Array(Vec::new()),
            Many::Map => Value::Map(Vec::new()),
            Many::One => {
                let is_message = value.is_message();
                let has_word = field.is_proto3_optional
                    || self.options.optional_for_proto2 && field.has_optional_keyword;
                if self.options.struct_for_nulls || !is_message && !has_word {
                    self.default_of(field, value)?
                } else {
                    Value::Null
                }
            }
        })
    }

    /// What stands for a value that is not in the message.
    fn default_of(&self, field: &Field, value: &ReadValue) -> Result<Value> {
        Ok(match value {
            ReadValue::Scalar(scalar, schema_type) => match &field.default {
                Some(text) => declared_default(*scalar, *schema_type, text).ok_or_else(|| {
                    ConnectError::data(format!(
                        "the default {text} of the Protobuf field {} is not one of its type",
                        field.name
                    ))
                })?,
                None => zero(*schema_type),
            },
            ReadValue::Wrapped(_, schema_type) => zero(*schema_type),
            ReadValue::Enum(read) => {
                let declared = field
                    .default
                    .as_ref()
                    .and_then(|name| read.values.iter().find(|(known, _)| known == name));
                declared
                    .or(read.values.first())
                    .and_then(|(_, number)| read.value(*number))
                    .unwrap_or_default()
            }
            ReadValue::Message { shape, schema } | ReadValue::Group { shape, schema } => {
                Struct::from_values(SchemaRef::clone(schema), shape.initial.clone()).into()
            }
            ReadValue::Time | ReadValue::Timestamp => Value::Date(0),
            // An empty message of these has no meaning.
            ReadValue::Decimal | ReadValue::Date | ReadValue::Entry(_) => Value::Null,
        })
    }
}

struct Layout {
    builder: SchemaBuilder,
    fields: Vec<ReadField>,
    initial: Vec<Value>,
}

fn scalar_parts(field: &Field, scalar: Scalar) -> Parts {
    let mut schema_type = scalar_type(scalar);
    if schema_type == SchemaType::Int32 {
        let said = field
            .params
            .iter()
            .find(|(key, _)| key == CONNECT_TYPE)
            .map(|(_, value)| value.as_str());
        schema_type = match said {
            Some("int8") => SchemaType::Int8,
            Some("int16") => SchemaType::Int16,
            _ => SchemaType::Int32,
        };
    }
    let mut builder = SchemaBuilder::new(schema_type);
    let is_plain = matches!(scalar, Scalar::Int32 | Scalar::Int64);
    if !is_plain && matches!(schema_type, SchemaType::Int32 | SchemaType::Int64) {
        builder = builder.parameter(TYPE, scalar.word());
    }
    Parts::plain(builder, ReadValue::Scalar(scalar, schema_type))
}

#[cfg(test)]
#[path = "to_connect_tests.rs"]
mod tests;
