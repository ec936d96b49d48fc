//! Plans for reading: Avro's schema resolution, and what each of the reader's types is in Connect.
//!
//! Mostly writer and reader are the same schema. They differ with `use.latest.version` and the like.

use std::sync::Arc;

use wharf_api::{ConnectError, Result, SchemaRef, SchemaType, Value, logical};
use wharf_converters::value_budget::ValueBudget;

use super::cursor::Cursor;
use super::decode::{Decode, EntryOrder, EntryPlan, Fields, MemberPlan, Origin, StructPlan};
use crate::data::{AvroDataConfig, KEY_FIELD, VALUE_FIELD, is_anything, is_map_entry, is_union, scrub_name};
use crate::schema::{AvroSchema, Kind, Name, Node, NodeId, Record, encode_default, promotes, same_name};

/// The plan for messages of `writer`, read as `reader` describes, whose Connect schema is `schema`.
///
/// # Errors
/// A data error when the reader cannot take what the writer writes.
pub(crate) fn decoder(
    config: &AvroDataConfig,
    writer: &Arc<AvroSchema>,
    reader: &Arc<AvroSchema>,
    schema: Option<&SchemaRef>,
) -> Result<Decode> {
    match schema {
        Some(schema) => Planner {
            config,
            writer,
            reader,
        }
        .node(writer.root, reader.root, schema, 0),
        None if is_anything(writer) => Ok(Decode::Anything),
        None => Err(ConnectError::data(
            "Invalid Avro data for schemaless Connect data",
        )),
    }
}

const MAX_DEPTH: usize = 256;

struct Planner<'a> {
    config: &'a AvroDataConfig,
    writer: &'a Arc<AvroSchema>,
    reader: &'a Arc<AvroSchema>,
}

fn word(node: &Node) -> String {
    node.name()
        .map_or_else(|| node.type_name().to_owned(), Name::full)
}

impl Planner<'_> {
    fn node(&self, writer: NodeId, reader: NodeId, schema: &SchemaRef, depth: usize) -> Result<Decode> {
        if depth > MAX_DEPTH {
            return Err(ConnectError::data("a schema nests too deep to be read"));
        }
        let (w, r) = (self.writer.node(writer), self.reader.node(reader));
        match (&w.kind, &r.kind) {
            (Kind::Union(members), _) => {
                let branch = |member: &NodeId| {
                    self.node(*member, reader, schema, depth + 1)
                        // A branch that does not suit matters only when it is met.
                        .unwrap_or_else(|error| Decode::Impossible(error.message().to_owned()))
                };
                Ok(Decode::Union(members.iter().map(branch).collect()))
            }
            (_, Kind::Union(members)) => self.member_of(writer, members, schema, depth),
            _ => self.plain(writer, reader, schema, depth),
        }
    }

    fn mismatch(&self, writer: NodeId, reader: NodeId) -> ConnectError {
        let (w, r) = (self.writer.node(writer), self.reader.node(reader));
        ConnectError::data(format!("Found {}, expecting {}", word(w), word(r)))
            .with_class("org.apache.avro.AvroTypeException")
    }

    /// The reader's member that a writer's type goes to: the same one first, then one of its name, then a wider one.
    fn member_of(
        &self,
        writer: NodeId,
        members: &[NodeId],
        schema: &SchemaRef,
        depth: usize,
    ) -> Result<Decode> {
        let w = self.writer.node(writer);
        let position = |suits: &dyn Fn(&Node) -> bool| {
            members.iter().position(|member| suits(self.reader.node(*member)))
        };
        let same_kind = |r: &Node| std::mem::discriminant(&w.kind) == std::mem::discriminant(&r.kind);
        let found = position(&|r| same_kind(r) && r.name() == w.name())
            .or_else(|| position(&|r| same_kind(r) && same_name(r, w)))
            .or_else(|| position(&|r| promotes(&w.kind, &r.kind)));
        let Some(index) = found else {
            return Err(ConnectError::data(format!("Found {}, expecting union", word(w)))
                .with_class("org.apache.avro.AvroTypeException"));
        };
        let member = members[index];
        if matches!(w.kind, Kind::Null) {
            return Ok(Decode::Null);
        }
        if !is_union(schema) || !self.stands_for_union(members) {
            return self.node(writer, member, schema, depth + 1);
        }
        // Null has no field; the fields of the others are in the order of the members.
        let is_null = |id: &NodeId| matches!(self.reader.node(*id).kind, Kind::Null);
        let field_index = members[..index].iter().filter(|id| !is_null(id)).count();
        let field = schema
            .fields()?
            .get(field_index)
            .ok_or_else(|| ConnectError::data("Did not find matching union field for data"))?;
        Ok(Decode::Member(Box::new(MemberPlan {
            schema: SchemaRef::clone(schema),
            index: field_index,
            inner: self.node(writer, member, field.schema(), depth + 1)?,
        })))
    }

    /// Whether a union is a struct in Connect, and not its one type.
    fn stands_for_union(&self, members: &[NodeId]) -> bool {
        let nulls = members
            .iter()
            .filter(|id| matches!(self.reader.node(**id).kind, Kind::Null))
            .count();
        match members.len() {
            1 => !self.config.flatten_singleton_unions,
            2 => nulls != 1,
            _ => true,
        }
    }

    fn plain(&self, writer: NodeId, reader: NodeId, schema: &SchemaRef, depth: usize) -> Result<Decode> {
        let (w, r) = (self.writer.node(writer), self.reader.node(reader));
        let missing = || self.mismatch(writer, reader);
        let own = || SchemaRef::clone(schema);
        let is_decimal = schema.name() == Some(logical::DECIMAL);
        Ok(match (&w.kind, &r.kind) {
            (Kind::Null, Kind::Null) => Decode::Null,
            (Kind::Boolean, Kind::Boolean) => Decode::Boolean,
            (Kind::Int, Kind::Int) => match (schema.schema_type(), schema.name()) {
                (SchemaType::Int8, _) => Decode::Int8,
                (SchemaType::Int16, _) => Decode::Int16,
                (_, Some(logical::DATE)) => Decode::Date(own()),
                (_, Some(logical::TIME)) => Decode::Time(own()),
                _ => Decode::Int32,
            },
            (Kind::Int | Kind::Long, Kind::Long) => match schema.name() {
                Some(logical::TIMESTAMP) => Decode::Timestamp,
                _ => Decode::Int64,
            },
            (Kind::Float, Kind::Float) => Decode::Float,
            (Kind::Double, Kind::Double) => Decode::Double,
            (Kind::Int | Kind::Long, Kind::Float) => Decode::FloatOfInteger,
            (Kind::Int | Kind::Long, Kind::Double) => Decode::DoubleOfInteger,
            (Kind::Float, Kind::Double) => Decode::DoubleOfFloat,
            (Kind::String | Kind::Bytes, Kind::String) => Decode::String,
            (Kind::String | Kind::Bytes, Kind::Bytes) if is_decimal => {
                Decode::Decimal(logical::scale(schema)?)
            }
            (Kind::String | Kind::Bytes, Kind::Bytes) => Decode::Bytes,
            (Kind::Fixed(wf), Kind::Fixed(rf)) if wf.size == rf.size && same_name(r, w) => match is_decimal {
                true => Decode::FixedDecimal(logical::scale(schema)?, wf.size),
                false => Decode::Fixed(wf.size),
            },
            (Kind::Enum(we), Kind::Enum(re)) if same_name(r, w) => {
                let known = |symbol: &String| {
                    let known = re.symbols.contains(symbol);
                    if known {
                        Some(symbol.clone())
                    } else {
                        re.default.clone()
                    }
                };
                Decode::Enum(we.symbols.iter().map(known).collect())
            }
            (Kind::Array(w), Kind::Array(r)) if is_map_entry(self.reader, *r) => {
                self.entries(*w, *r, schema, depth)?
            }
            (Kind::Array(w), Kind::Array(r)) => {
                let inner = schema.value_schema()?.ok_or_else(missing)?;
                Decode::Array(Box::new(self.node(*w, *r, inner, depth + 1)?))
            }
            (Kind::Map(w), Kind::Map(r)) => {
                let inner = schema.value_schema()?.ok_or_else(missing)?;
                Decode::Map(Box::new(self.node(*w, *r, inner, depth + 1)?))
            }
            (Kind::Record(wr), Kind::Record(rr)) if same_name(r, w) || depth == 0 => {
                self.structure(wr, rr, schema, depth)?
            }
            _ => return Err(missing()),
        })
    }

    fn entries(&self, writer: NodeId, reader: NodeId, schema: &SchemaRef, depth: usize) -> Result<Decode> {
        let missing = || self.mismatch(writer, reader);
        let (Kind::Record(w), Kind::Record(r)) =
            (&self.writer.node(writer).kind, &self.reader.node(reader).kind)
        else {
            return Err(missing());
        };
        let field = |name: &str| {
            let found = r.fields.iter().find(|field| field.name == name);
            let inner = match name {
                KEY_FIELD => schema.key_schema()?,
                _ => schema.value_schema()?,
            };
            match (found, inner) {
                (Some(field), Some(inner)) => Ok((field.schema, inner)),
                _ => Err(missing()),
            }
        };
        let [first, second] = w.fields.as_slice() else {
            return Err(missing());
        };
        let key_is_first = first.name == KEY_FIELD;
        if !(key_is_first && second.name == VALUE_FIELD
            || first.name == VALUE_FIELD && second.name == KEY_FIELD)
        {
            return Err(missing());
        }
        let plan = |of: &crate::schema::RecordField| {
            let (reader, inner) = field(&of.name)?;
            self.node(of.schema, reader, inner, depth + 1)
        };
        let (key, value) = match key_is_first {
            true => (plan(first)?, plan(second)?),
            false => (plan(second)?, plan(first)?),
        };
        let order = match key_is_first {
            true => EntryOrder::KeyFirst,
            false => EntryOrder::ValueFirst(Arc::clone(self.writer), first.schema),
        };
        Ok(Decode::Entries(Box::new(EntryPlan { key, value, order })))
    }

    fn structure(
        &self,
        writer: &Record,
        reader: &Record,
        schema: &SchemaRef,
        depth: usize,
    ) -> Result<Decode> {
        let mut origins: Vec<Option<Origin>> = reader.fields.iter().map(|_| None).collect();
        let mut in_order = writer.fields.len() == reader.fields.len();
        for (written, field) in writer.fields.iter().enumerate() {
            let position = reader
                .fields
                .iter()
                .position(|known| known.name == field.name)
                .or_else(|| {
                    reader
                        .fields
                        .iter()
                        .position(|known| known.aliases.contains(&field.name))
                });
            in_order &= position == Some(written);
            if let Some(position) = position {
                let known = &reader.fields[position];
                let inner = self.connect_field(schema, position, &known.name)?;
                let decode = self.node(field.schema, known.schema, inner, depth + 1)?;
                origins[position] = Some(Origin::Written(written, decode));
            }
        }
        let mut given = Vec::with_capacity(origins.len());
        for (position, (origin, field)) in origins.into_iter().zip(&reader.fields).enumerate() {
            given.push(match (origin, &field.default) {
                (Some(origin), _) => origin,
                (None, Some(json)) => {
                    let inner = self.connect_field(schema, position, &field.name)?;
                    Origin::Default(self.default_value(field.schema, json, inner)?)
                }
                (None, None) => {
                    return Err(ConnectError::data(format!(
                        "Found {}, expecting {}, missing required field {}",
                        writer.name.full(),
                        reader.name.full(),
                        field.name
                    ))
                    .with_class("org.apache.avro.AvroTypeException"));
                }
            });
        }
        let fields = if in_order {
            let decode = |origin| match origin {
                Origin::Written(_, decode) => Some(decode),
                Origin::Default(_) => None,
            };
            Fields::InOrder(given.into_iter().filter_map(decode).collect())
        } else {
            let written = writer.fields.iter().map(|field| field.schema).collect();
            Fields::Mixed(Arc::clone(self.writer), written, given)
        };
        Ok(Decode::Struct(Box::new(StructPlan {
            schema: SchemaRef::clone(schema),
            fields,
        })))
    }

    /// The Connect schema of a field; the mapping keeps their order.
    fn connect_field<'a>(&self, schema: &'a SchemaRef, position: usize, name: &str) -> Result<&'a SchemaRef> {
        schema
            .fields()?
            .get(position)
            .filter(|field| {
                field.name() == name || scrub_name(field.name(), self.config.scrub_invalid_names) == name
            })
            .map(wharf_api::schema::Field::schema)
            .ok_or_else(|| ConnectError::data(format!("{schema} has no field {name}")))
    }

    /// A default, by way of its bytes: read as if a writer of the reader's own schema had written it.
    fn default_value(&self, id: NodeId, json: &crate::json::Json, schema: &SchemaRef) -> Result<Value> {
        let mut bytes = Vec::new();
        encode_default(self.reader, id, json, &mut bytes).map_err(ConnectError::data)?;
        let own = Planner {
            config: self.config,
            writer: self.reader,
            reader: self.reader,
        };
        own.node(id, id, schema, 0)?
            .read(&mut Cursor::new(&bytes, &ValueBudget::new(bytes.len())), schema)
    }
}
