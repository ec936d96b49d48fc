//! `Flatten`: brings the fields of nested structs or maps to the top, under names joined by a delimiter.

use wharf_api::config::{ConfigDef, ConfigKey, Type};
use wharf_api::structs::check_field;
use wharf_api::{
    Applied, ConfigMap, ConnectError, Field, Record, Result, Schema, SchemaBuilder, SchemaRef, SchemaType,
    Transformation, Value,
};

use crate::options::text;
use crate::requirements::{Entries, map_put, no_text, require_map, require_struct};
use crate::schema_cache::SchemaCache;
use crate::schema_util::copy_schema_basics;
use crate::side::Side;

const DELIMITER: &str = "delimiter";
const PURPOSE: &str = "flattening";
/// Structs nested deeper than this are refused; a stack holds no more with certainty.
const MAX_DEPTH: usize = 512;

/// The transformation.
pub(crate) struct Flatten {
    side: Side,
    delimiter: String,
    plans: SchemaCache<Plan>,
}

/// The flat schema, and where each field of the nested one goes.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    nodes: Vec<Node>,
}

/// A field of the nested schema.
#[derive(Debug)]
enum Node {
    /// It becomes the field of the flat schema at this position; a null is read as this default.
    Leaf(usize, Option<Value>),
    /// A struct with these fields.
    Struct(Vec<Node>),
}

impl Flatten {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            delimiter: String::new(),
            plans: SchemaCache::default(),
        }
    }
}

fn joined(prefix: &str, delimiter: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        [prefix, delimiter, name].concat()
    }
}

/// Collects the fields of the flat schema.
struct Planner<'d> {
    delimiter: &'d str,
    builder: SchemaBuilder,
    count: usize,
}

impl Planner<'_> {
    fn nodes(
        &mut self,
        schema: &Schema,
        prefix: &str,
        is_optional: bool,
        default: Option<&Value>,
        depth: usize,
    ) -> Result<Vec<Node>> {
        if depth > MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "structs are nested more than {MAX_DEPTH} deep (field {})",
                prefix.get(..100).unwrap_or(prefix)
            )));
        }
        let default = default.and_then(Value::as_struct);
        schema
            .fields()?
            .iter()
            .map(|field| {
                let name = joined(prefix, self.delimiter, field.name());
                let is_optional = is_optional || field.schema().is_optional();
                // what an ancestor's default holds for the field
                let inherited = default
                    .and_then(|outer| outer.get(field.name()).ok())
                    .filter(|value| !value.is_null());
                let default = field.schema().default_value().or(inherited);
                match field.schema().schema_type() {
                    SchemaType::Struct => self
                        .nodes(field.schema(), &name, is_optional, default, depth + 1)
                        .map(Node::Struct),
                    SchemaType::Map => Err(ConnectError::data(format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {name})."
                    ))),
                    _ => self.leaf(field, &name, is_optional, default),
                }
            })
            .collect()
    }

    fn leaf(
        &mut self,
        field: &Field,
        name: &str,
        is_optional: bool,
        default: Option<&Value>,
    ) -> Result<Node> {
        let source = field.schema();
        let start = match source.value_schema() {
            Ok(Some(element)) => SchemaBuilder::array(SchemaRef::clone(element)),
            _ => SchemaBuilder::new(source.schema_type()),
        };
        let mut leaf = copy_schema_basics(source, start);
        if is_optional {
            leaf = leaf.optional();
        }
        if let Some(default) = default {
            leaf = leaf.default_value(default.clone());
        }
        let builder = std::mem::replace(&mut self.builder, SchemaBuilder::structure());
        self.builder = builder.field(name, leaf.build()?).checked()?;
        self.count += 1;
        Ok(Node::Leaf(self.count - 1, source.default_value().cloned()))
    }
}

fn plan(schema: &Schema, delimiter: &str) -> Result<Plan> {
    let mut planner = Planner {
        delimiter,
        builder: copy_schema_basics(schema, SchemaBuilder::structure()),
        count: 0,
    };
    let nodes = planner.nodes(schema, "", schema.is_optional(), schema.default_value(), 0)?;
    Ok(Plan {
        schema: planner.builder.build()?,
        nodes,
    })
}

/// Moves values to their places. Those below a struct that is null stay null.
fn place(values: Vec<Value>, nodes: &[Node], fields: &[Field], out: &mut [Value]) -> Result<()> {
    for (value, node) in values.into_iter().zip(nodes) {
        match (node, value) {
            (Node::Leaf(at, default), Value::Null) => {
                out[*at] = default.clone().unwrap_or_default();
                check_field(&fields[*at], &out[*at])?;
            }
            (Node::Leaf(at, _), value) => out[*at] = value,
            (Node::Struct(nodes), Value::Struct(inner)) => {
                place(inner.into_parts().1, nodes, fields, out)?;
            }
            (Node::Struct(_), _) => {}
        }
    }
    Ok(())
}

/// Without recursion, as maps may be nested as deep as their maker liked.
fn flatten_map(entries: Entries, delimiter: &str) -> Result<Entries> {
    let mut out = Vec::with_capacity(entries.len());
    let mut open = vec![(String::new(), entries.into_iter())];
    while let Some((prefix, rest)) = open.last_mut() {
        let Some((key, value)) = rest.next() else {
            open.pop();
            continue;
        };
        let name = match key {
            Value::String(key) => joined(prefix, delimiter, &key),
            Value::Null => joined(prefix, delimiter, "null"),
            key => return Err(no_text(&key)),
        };
        match value {
            Value::Map(inner) => open.push((name, inner.into_iter())),
            Value::Date(_) | Value::Decimal(_) => {
                return Err(ConnectError::data(format!(
                    "Flatten transformation was passed a value of type class {} which is not supported by Connect's \
                     data API",
                    value.java_class()
                )));
            }
            Value::Struct(_) => {
                return Err(ConnectError::data(format!(
                    "Flatten transformation does not support class {} for record without schemas (for field {name}).",
                    value.java_class()
                )));
            }
            value => map_put(&mut out, &name, value),
        }
    }
    Ok(out)
}

impl Transformation for Flatten {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.delimiter = text(&self.config().parse(config)?, DELIMITER)?;
        self.plans = SchemaCache::default();
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::new(DELIMITER, Type::String)
                .default(".")
                .doc("What stands between the names of outer and inner fields."),
        )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let (schema, value) = self.side.of(record);
        if value.is_null() {
            return Ok(Applied::Kept);
        }
        let Some(schema) = schema else {
            let entries = std::mem::take(require_map(value, PURPOSE)?);
            *value = Value::Map(flatten_map(entries, &self.delimiter)?);
            return Ok(Applied::Kept);
        };
        let inner = require_struct(value, PURPOSE)?;
        let delimiter = &self.delimiter;
        let plan = self.plans.get(schema, |schema| plan(schema, delimiter))?;
        let fields = plan.schema.fields()?;
        inner.reshape(SchemaRef::clone(&plan.schema), |values| {
            let mut flat = vec![Value::Null; fields.len()];
            let outcome = place(std::mem::take(values), &plan.nodes, fields, &mut flat);
            *values = flat;
            outcome
        })?;
        *schema = SchemaRef::clone(&plan.schema);
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::Struct;

    use super::*;
    use crate::options::config;

    fn flatten(record: Record) -> Result<Record> {
        let mut transformation = Flatten::new(Side::Value);
        transformation.configure(&config([])).unwrap();
        Ok(transformation.applied(record)?.unwrap())
    }

    fn map(entries: Vec<(&str, Value)>) -> Value {
        Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    #[test]
    fn maps_are_merged_in_order() {
        let list = || Value::Array(vec![2.into()]);
        for (nested, flat) in [
            (
                map(vec![
                    ("a", map(vec![("b", 1.into()), ("c", map(vec![("d", list())]))])),
                    ("e", map(vec![])),
                ]),
                map(vec![("a.b", 1.into()), ("a.c.d", list())]),
            ),
            (
                map(vec![("a", Value::Null), ("b", map(vec![("k", Value::Null)]))]),
                map(vec![("a", Value::Null), ("b.k", Value::Null)]),
            ),
            (
                map(vec![("a.b", 1.into()), ("a", map(vec![("b", 2.into())]))]),
                map(vec![("a.b", 2.into())]),
            ),
        ] {
            let record = Record::sink("t", 0, 0).with_value(None, nested);
            assert_eq!(flatten(record).unwrap().value, flat);
        }
    }

    #[test]
    fn a_leaf_is_optional_and_has_a_default_if_an_ancestor_has() {
        let inner = |builder: SchemaBuilder| {
            builder
                .field("x", Schema::int32())
                .field("y", SchemaBuilder::string().default_value("yd").build().unwrap())
        };
        let start = inner(SchemaBuilder::structure()).optional();
        let default = Struct::new(start.clone().build().unwrap())
            .unwrap()
            .with("x", 9)
            .unwrap();
        let outer = SchemaBuilder::structure()
            .name("n")
            .field("top", Schema::int8())
            .field("in", start.default_value(default).build().unwrap())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&outer))
            .unwrap()
            .with("top", 1_i8)
            .unwrap();
        let record = Record::sink("t", 0, 0).with_value(Some(outer), value);
        let flat = flatten(record).unwrap();
        let schema = flat.value_schema.unwrap();
        assert_eq!(schema.name(), Some("n"));
        let x = schema.field("in.x").unwrap().unwrap().schema();
        assert_eq!((x.is_optional(), x.default_value()), (true, Some(&9.into())));
        let y = schema.field("in.y").unwrap().unwrap().schema();
        assert_eq!((y.is_optional(), y.default_value()), (true, Some(&"yd".into())));
        assert_eq!(
            flat.value.as_struct().unwrap().values(),
            [1_i8.into(), Value::Null, Value::Null]
        );
    }

    #[test]
    fn maps_within_structs_and_strange_keys_are_refused() {
        let map_schema = SchemaBuilder::map(Schema::string(), Schema::string())
            .optional()
            .build();
        let schema = SchemaBuilder::structure()
            .field("m", map_schema.unwrap())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema)).unwrap();
        let error = flatten(Record::sink("t", 0, 0).with_value(Some(schema), value)).unwrap_err();
        assert_eq!(
            error.message(),
            "Flatten transformation does not support MAP for record with schemas (for field m)."
        );
        for value in [
            Value::Map(vec![(1.into(), 1.into())]),
            map(vec![("d", Value::Date(0))]),
            Value::from(1),
        ] {
            assert!(flatten(Record::sink("t", 0, 0).with_value(None, value)).is_err());
        }
    }

    #[test]
    fn the_first_field_that_cannot_be_is_the_one_refused() {
        let map = SchemaBuilder::map(Schema::string(), Schema::string()).build();
        let inner = SchemaBuilder::structure().field("b", Schema::int8()).build();
        let schema = SchemaBuilder::structure()
            .field("a", inner.unwrap())
            .field("a.b", Schema::int8())
            .field("m", map.unwrap())
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema)).unwrap();
        let error = flatten(Record::sink("t", 0, 0).with_value(Some(schema), value)).unwrap_err();
        assert_eq!(
            error.message(),
            "Cannot create field because of field name duplication a.b"
        );
    }

    #[test]
    fn structs_nested_too_deep_are_refused() {
        let mut schema = Schema::int8();
        for _ in 0..=MAX_DEPTH + 1 {
            schema = SchemaBuilder::structure()
                .field("f", schema)
                .optional()
                .build()
                .unwrap();
        }
        let value = Struct::new(SchemaRef::clone(&schema)).unwrap();
        let error = flatten(Record::sink("t", 0, 0).with_value(Some(schema), value)).unwrap_err();
        assert!(error.message().contains("nested more than 512 deep"), "{error}");
    }
}
