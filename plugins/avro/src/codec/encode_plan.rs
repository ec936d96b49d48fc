//! Plans for writing: which Avro type each part of a Connect schema goes to.
//!
//! The Avro schema is mostly the one made of the Connect schema. With `use.latest.version` and the like it is one from the
//! registry: fields are found by name then, what it has more is written by its default, what it has less is left out.

use wharf_api::{ConnectError, Result, Schema, SchemaRef, SchemaType, Value, logical};

use super::encode::{Encode, Source, StructPlan, UnionPlan};
use crate::data::{
    AvroDataConfig, DEFAULT_SCHEMA_FULL_NAME, KEY_FIELD, VALUE_FIELD, fixed_size, is_map_entry, is_union,
    scrub_full_name, scrub_name,
};
use crate::schema::{AvroSchema, Kind, NodeId, Record, encode_default};

/// The plan for values of a Connect schema, or of none.
///
/// # Errors
/// A data error when the Avro schema has no place for them.
pub(crate) fn encoder(
    config: &AvroDataConfig,
    avro: &AvroSchema,
    schema: Option<&SchemaRef>,
) -> Result<Encode> {
    match schema {
        Some(schema) => Planner { config, avro }.node(avro.root, schema, 0),
        None => Ok(Encode::Anything),
    }
}

struct Planner<'a> {
    config: &'a AvroDataConfig,
    avro: &'a AvroSchema,
}

/// Schemas of this depth were refused before a plan was asked for; this is for those of the registry.
const MAX_DEPTH: usize = 2 * wharf_api::flat::MAX_DEPTH;

impl Planner<'_> {
    fn mismatch(&self, id: NodeId, schema: &Schema) -> ConnectError {
        let node = self.avro.node(id);
        let name = node
            .name()
            .map_or_else(|| node.type_name().to_owned(), crate::schema::Name::full);
        ConnectError::data(format!("values of {schema} cannot be written as Avro's {name}"))
            .with_class("org.apache.avro.AvroTypeException")
    }

    fn node(&self, id: NodeId, schema: &SchemaRef, depth: usize) -> Result<Encode> {
        if depth > MAX_DEPTH {
            return Err(ConnectError::data("a schema nests too deep to be written"));
        }
        let node = self.avro.node(id);
        if is_union(schema) {
            return match &node.kind {
                Kind::Union(members) => self.union(id, members, schema, depth),
                _ => Err(self.mismatch(id, schema)),
            };
        }
        if let Kind::Union(members) = &node.kind {
            let null = self.null_branch(members);
            let branch = self
                .branch(members, schema)
                .ok_or_else(|| self.mismatch(id, schema))?;
            return Ok(Encode::Nullable {
                null: null.filter(|_| schema.is_optional()),
                branch,
                inner: Box::new(self.node(members[branch], schema, depth + 1)?),
            });
        }
        self.plain(id, schema, depth)
    }

    fn null_branch(&self, members: &[NodeId]) -> Option<usize> {
        let is_null = |id: &NodeId| matches!(self.avro.node(*id).kind, Kind::Null);
        members.iter().position(is_null)
    }

    /// The member of a union that takes values of a schema: the same type first, then one that is wide enough.
    fn branch(&self, members: &[NodeId], schema: &Schema) -> Option<usize> {
        let position = |suits: &dyn Fn(NodeId) -> bool| members.iter().position(|id| suits(*id));
        position(&|id| self.is_same(id, schema)).or_else(|| position(&|id| self.plain_type_suits(id, schema)))
    }

    fn is_same(&self, id: NodeId, schema: &Schema) -> bool {
        let node = self.avro.node(id);
        let named = |name: Option<&str>| {
            let full = node.name().map(crate::schema::Name::full);
            match name {
                Some(name) => full == Some(scrub_full_name(name, self.config.scrub_invalid_names)),
                None => full.is_some_and(|full| full.starts_with(DEFAULT_SCHEMA_FULL_NAME)),
            }
        };
        match (&node.kind, schema.schema_type()) {
            (Kind::Int, SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32)
            | (Kind::Long, SchemaType::Int64)
            | (Kind::Float, SchemaType::Float32)
            | (Kind::Double, SchemaType::Float64)
            | (Kind::Boolean, SchemaType::Boolean) => true,
            (Kind::String, SchemaType::String) => self.config.enum_name(schema).is_none(),
            (Kind::Enum(kind), SchemaType::String) => {
                self.config.enum_name(schema) == Some(kind.name.full().as_str())
            }
            (Kind::Bytes, SchemaType::Bytes) => fixed_size(schema).is_none(),
            (Kind::Fixed(fixed), SchemaType::Bytes) => {
                fixed_size(schema) == Some(fixed.size) && named(schema.name())
            }
            (Kind::Array(items), SchemaType::Map) => {
                !self.config.is_string_map(schema) && is_map_entry(self.avro, *items)
            }
            (Kind::Array(items), SchemaType::Array) => !is_map_entry(self.avro, *items),
            (Kind::Map(_), SchemaType::Map) => self.config.is_string_map(schema),
            (Kind::Record(_), SchemaType::Struct) => named(schema.name()),
            _ => false,
        }
    }

    /// Whether values can be written at all, whatever the names say.
    fn plain_type_suits(&self, id: NodeId, schema: &Schema) -> bool {
        match (&self.avro.node(id).kind, schema.schema_type()) {
            (Kind::Long, SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32)
            | (Kind::Double, SchemaType::Float32)
            | (Kind::String | Kind::Enum(_), SchemaType::String)
            | (Kind::Bytes, SchemaType::Bytes)
            | (Kind::Record(_), SchemaType::Struct) => true,
            (Kind::Fixed(fixed), SchemaType::Bytes) => fixed_size(schema) == Some(fixed.size),
            _ => false,
        }
    }

    fn union(&self, id: NodeId, members: &[NodeId], schema: &SchemaRef, depth: usize) -> Result<Encode> {
        let mut fields = Vec::with_capacity(schema.fields()?.len());
        for field in schema.fields()? {
            let member = field.schema();
            let branch = self
                .branch(members, member)
                .ok_or_else(|| self.mismatch(id, member))?;
            let encode = self.node(members[branch], member, depth + 1)?;
            fields.push((branch, encode, self.default_of(member)));
        }
        Ok(Encode::Union(Box::new(UnionPlan {
            schema: SchemaRef::clone(schema),
            null: self.null_branch(members).filter(|_| schema.is_optional()),
            fields,
        })))
    }

    /// What a struct gives for a field that is null.
    fn default_of(&self, schema: &Schema) -> Option<Value> {
        match self.config.ignore_default_for_nullables {
            true => None,
            false => schema.default_value().cloned(),
        }
    }

    fn plain(&self, id: NodeId, schema: &SchemaRef, depth: usize) -> Result<Encode> {
        use SchemaType::{
            Array, Boolean, Bytes, Float32, Float64, Int8, Int16, Int32, Int64, Map, String, Struct,
        };
        let own = || SchemaRef::clone(schema);
        let missing = || self.mismatch(id, schema);
        Ok(
            match (&self.avro.node(id).kind, schema.schema_type(), schema.name()) {
                (Kind::Int, Int32, Some(logical::DATE)) => Encode::Date(own()),
                (Kind::Int, Int32, Some(logical::TIME)) => Encode::Time(own()),
                (Kind::Long, Int64, Some(logical::TIMESTAMP)) => Encode::Timestamp,
                (Kind::Int, kind @ (Int8 | Int16 | Int32), _)
                | (Kind::Long, kind @ (Int8 | Int16 | Int32 | Int64), _) => Encode::Integer(kind),
                (Kind::Float, Float32, _) => Encode::Float,
                (Kind::Double, Float32 | Float64, _) => Encode::Double,
                (Kind::Boolean, Boolean, _) => Encode::Boolean,
                (Kind::String, String, _) => Encode::String,
                (Kind::Enum(kind), String, _) => Encode::Enum(
                    kind.symbols
                        .iter()
                        .enumerate()
                        .map(|(number, symbol)| (symbol.clone(), number))
                        .collect(),
                ),
                (Kind::Bytes, Bytes, Some(logical::DECIMAL)) => Encode::Decimal(own()),
                (Kind::Fixed(fixed), Bytes, Some(logical::DECIMAL)) => {
                    Encode::FixedDecimal(own(), fixed.size)
                }
                (Kind::Bytes, Bytes, _) => Encode::Bytes,
                (Kind::Fixed(fixed), Bytes, _) => Encode::Fixed(fixed.size),
                (Kind::Array(items), Array, _) => {
                    let inner = schema.value_schema()?.ok_or_else(missing)?;
                    Encode::Array(Box::new(self.node(*items, inner, depth + 1)?))
                }
                (Kind::Map(values), Map, _) => {
                    let inner = schema.value_schema()?.ok_or_else(missing)?;
                    Encode::Map(Box::new(self.node(*values, inner, depth + 1)?))
                }
                (Kind::Array(items), Map, _) => self.entries(id, *items, schema, depth)?,
                (Kind::Record(record), Struct, _) => self.structure(record, schema, depth)?,
                _ => return Err(missing()),
            },
        )
    }

    fn entries(&self, id: NodeId, items: NodeId, schema: &SchemaRef, depth: usize) -> Result<Encode> {
        let missing = || self.mismatch(id, schema);
        let (key, value) = (schema.key_schema()?, schema.value_schema()?);
        match (&self.avro.node(items).kind, key, value) {
            (Kind::Record(record), Some(key), Some(value)) => match record.fields.as_slice() {
                [first, second] if first.name == KEY_FIELD && second.name == VALUE_FIELD => {
                    Ok(Encode::Entries(Box::new((
                        self.node(first.schema, key, depth + 1)?,
                        self.node(second.schema, value, depth + 1)?,
                    ))))
                }
                _ => Err(missing()),
            },
            _ => Err(missing()),
        }
    }

    fn structure(&self, record: &Record, schema: &SchemaRef, depth: usize) -> Result<Encode> {
        let own = schema.fields()?;
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let same = |known: &&wharf_api::schema::Field| {
                scrub_name(known.name(), self.config.scrub_invalid_names) == field.name
            };
            fields.push(match own.iter().find(same) {
                Some(known) => Source::Field {
                    index: known.index(),
                    encode: self.node(field.schema, known.schema(), depth + 1)?,
                    default: self.default_of(known.schema()),
                },
                None => {
                    let default = field.default.as_ref().ok_or_else(|| {
                        ConnectError::data(format!(
                            "the Avro record {} has a field {} that {schema} does not have, and no default for it",
                            record.name.full(),
                            field.name
                        ))
                        .with_class("org.apache.avro.AvroTypeException")
                    })?;
                    let mut bytes = Vec::new();
                    encode_default(self.avro, field.schema, default, &mut bytes).map_err(ConnectError::data)?;
                    Source::Default(bytes)
                }
            });
        }
        let in_order = fields.len() == own.len()
            && fields.iter().enumerate().all(
                |(position, source)| matches!(source, Source::Field { index, .. } if *index == position),
            );
        Ok(Encode::Struct(Box::new(StructPlan {
            schema: SchemaRef::clone(schema),
            fields,
            in_order,
        })))
    }
}
