//! The text of a schema, and those of the schemas it uses, into a graph.

use std::collections::HashMap;

use super::{AvroSchema, Enum, Fixed, Kind, Name, NodeId, Record, RecordField, SchemaGraph};
use crate::json::Json;

/// What each kind of type says by members of its own; all others are properties.
const PRIMITIVE_MEMBERS: &[&str] = &["type"];
const ARRAY_MEMBERS: &[&str] = &["type", "items"];
const MAP_MEMBERS: &[&str] = &["type", "values"];
const RECORD_MEMBERS: &[&str] = &["type", "name", "namespace", "doc", "fields", "aliases"];
const ENUM_MEMBERS: &[&str] = &[
    "type",
    "name",
    "namespace",
    "doc",
    "symbols",
    "default",
    "aliases",
];
const FIXED_MEMBERS: &[&str] = &["type", "name", "namespace", "doc", "size", "aliases"];
const FIELD_MEMBERS: &[&str] = &["type", "name", "doc", "default", "order", "aliases"];

impl AvroSchema {
    /// Parses a schema. Texts of the schemas it uses come first, each after those that it uses.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(text: &str, uses: &[&str]) -> Result<Self, String> {
        let mut parser = Parser::default();
        for used in uses {
            parser.schema(&Json::parse(used)?, None)?;
        }
        // A text may be the bare name of a type, without quotes, as Java's parser takes it.
        let json = match Json::parse(text) {
            Err(_) if check_name(text.trim()).is_ok() => Json::text(text.trim()),
            parsed => parsed?,
        };
        let root = parser.schema(&json, None)?;
        Ok(parser.graph.finish(root))
    }
}

#[derive(Default)]
struct Parser {
    graph: SchemaGraph,
    names: HashMap<String, NodeId>,
}

/// Whether a name without namespace holds only letters, digits and `_`, and no digit first.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    match chars.next() {
        None => return Err("Empty name".to_owned()),
        Some(c) if !(c.is_alphabetic() || c == '_') => {
            return Err(format!("Illegal initial character: {name}"));
        }
        _ => {}
    }
    match chars.all(|c| c.is_alphanumeric() || c == '_') {
        true => Ok(()),
        false => Err(format!("Illegal character in: {name}")),
    }
}

fn required<'a>(json: &'a Json, name: &str, of: &str) -> Result<&'a Json, String> {
    json.get(name)
        .ok_or_else(|| format!("{of} has no {name}: {json}"))
}

fn texts(json: Option<&Json>) -> Vec<String> {
    json.and_then(Json::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| item.as_text().map(str::to_owned))
        .collect()
}

fn optional_text(json: &Json, name: &str) -> Option<String> {
    json.get(name).and_then(Json::as_text).map(str::to_owned)
}

fn properties(json: &Json, members: &[&str]) -> Vec<(String, Json)> {
    json.as_object()
        .unwrap_or_default()
        .iter()
        .filter(|(name, _)| !members.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

impl Parser {
    fn schema(&mut self, json: &Json, namespace: Option<&str>) -> Result<NodeId, String> {
        match json {
            Json::Text(name) => self.by_name(name, namespace),
            Json::Array(members) => {
                let mut union = Vec::with_capacity(members.len());
                for member in members {
                    let member = self.schema(member, namespace)?;
                    if matches!(self.graph.node(member).kind, Kind::Union(_)) {
                        return Err(format!("Nested union: {json}"));
                    }
                    union.push(member);
                }
                self.check_union(&union)?;
                Ok(self.graph.add(Kind::Union(union)))
            }
            Json::Object(_) => self.object(json, namespace),
            other => Err(format!("Schema not yet supported: {other}")),
        }
    }

    /// A union holds each type once, named types by their names.
    fn check_union(&self, members: &[NodeId]) -> Result<(), String> {
        let mut seen = Vec::with_capacity(members.len());
        for member in members {
            let node = self.graph.node(*member);
            let name = node
                .name()
                .map_or_else(|| node.type_name().to_owned(), Name::full);
            if seen.contains(&name) {
                return Err(format!("Duplicate in union:{name}"));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn by_name(&mut self, name: &str, namespace: Option<&str>) -> Result<NodeId, String> {
        if let Some(kind) = primitive(name) {
            return Ok(self.graph.add(kind));
        }
        let full = Name::new(name, namespace).full();
        self.names
            .get(&full)
            // Names without namespace may be meant as they stand.
            .or_else(|| self.names.get(name))
            .copied()
            .ok_or_else(|| format!("Undefined name: \"{full}\""))
    }

    fn object(&mut self, json: &Json, namespace: Option<&str>) -> Result<NodeId, String> {
        let kind = required(json, "type", "a schema")?;
        let Json::Text(kind) = kind else {
            // {"type": {…}}: the inner schema is what is meant, and outer properties are lost, as in Java's parser.
            return self.schema(kind, namespace);
        };
        let (id, members) = match kind.as_str() {
            "record" | "error" => return self.record(json, namespace, kind == "error"),
            "enum" => (self.enumeration(json, namespace)?, ENUM_MEMBERS),
            "fixed" => (self.fixed(json, namespace)?, FIXED_MEMBERS),
            "array" => {
                let items = self.schema(required(json, "items", "an array")?, namespace)?;
                (self.graph.add(Kind::Array(items)), ARRAY_MEMBERS)
            }
            "map" => {
                let values = self.schema(required(json, "values", "a map")?, namespace)?;
                (self.graph.add(Kind::Map(values)), MAP_MEMBERS)
            }
            name => match primitive(name) {
                Some(kind) => (self.graph.add(kind), PRIMITIVE_MEMBERS),
                None => return self.by_name(name, namespace),
            },
        };
        self.add_properties(id, json, members);
        Ok(id)
    }

    fn add_properties(&mut self, id: NodeId, json: &Json, members: &[&str]) {
        for (name, value) in properties(json, members) {
            self.graph.set_property(id, &name, value);
        }
    }

    /// Adds a named type, so that what comes after it can refer to it.
    fn declare(&mut self, json: &Json, namespace: Option<&str>) -> Result<(NodeId, Name), String> {
        let name = required(json, "name", "a named type")?;
        let name = name
            .as_text()
            .ok_or_else(|| format!("a name that is no text: {name}"))?;
        let own = json.get("namespace").and_then(Json::as_text);
        let name = Name::new(name, own.or(namespace));
        check_name(&name.name)?;
        let id = self.graph.add(Kind::Null);
        if self.names.insert(name.full(), id).is_some() {
            return Err(format!("Can't redefine: {}", name.full()));
        }
        Ok((id, name))
    }

    fn record(&mut self, json: &Json, namespace: Option<&str>, is_error: bool) -> Result<NodeId, String> {
        let (id, name) = self.declare(json, namespace)?;
        let inner = name.namespace.clone();
        self.graph.set_kind(
            id,
            Kind::Record(Record {
                name,
                doc: optional_text(json, "doc"),
                aliases: texts(json.get("aliases")),
                fields: Vec::new(),
                is_error,
            }),
        );
        let fields = required(json, "fields", "a record")?;
        let fields = fields
            .as_array()
            .ok_or_else(|| format!("fields that are no list: {fields}"))?;
        let mut parsed: Vec<RecordField> = Vec::with_capacity(fields.len());
        for field in fields {
            let name = required(field, "name", "a field")?;
            let name = name
                .as_text()
                .ok_or_else(|| format!("a name that is no text: {name}"))?;
            check_name(name)?;
            if parsed.iter().any(|known| known.name == name) {
                return Err(format!(
                    "Duplicate field {name} in record {}",
                    json.get("name").unwrap_or(&Json::Null)
                ));
            }
            parsed.push(RecordField {
                name: name.to_owned(),
                schema: self.schema(required(field, "type", "a field")?, inner.as_deref())?,
                doc: optional_text(field, "doc"),
                default: field.get("default").cloned(),
                order: optional_text(field, "order")
                    .map(|order| order.to_ascii_lowercase())
                    .filter(|order| order != "ascending"),
                aliases: texts(field.get("aliases")),
                properties: properties(field, FIELD_MEMBERS),
            });
        }
        self.graph.set_fields(id, parsed);
        self.add_properties(id, json, RECORD_MEMBERS);
        Ok(id)
    }

    fn enumeration(&mut self, json: &Json, namespace: Option<&str>) -> Result<NodeId, String> {
        let (id, name) = self.declare(json, namespace)?;
        let symbols = texts(Some(required(json, "symbols", "an enum")?));
        let default = optional_text(json, "default");
        if let Some(default) = &default
            && !symbols.contains(default)
        {
            return Err(format!(
                "The Enum Default: {default} is not in the enum symbol set: {symbols:?}"
            ));
        }
        self.graph.set_kind(
            id,
            Kind::Enum(Enum {
                name,
                doc: optional_text(json, "doc"),
                aliases: texts(json.get("aliases")),
                symbols,
                default,
            }),
        );
        Ok(id)
    }

    fn fixed(&mut self, json: &Json, namespace: Option<&str>) -> Result<NodeId, String> {
        let (id, name) = self.declare(json, namespace)?;
        let size = required(json, "size", "a fixed")?
            .as_i64()
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size <= i32::MAX as usize)
            .ok_or_else(|| format!("Invalid or no size: {json}"))?;
        self.graph.set_kind(
            id,
            Kind::Fixed(Fixed {
                name,
                doc: optional_text(json, "doc"),
                aliases: texts(json.get("aliases")),
                size,
            }),
        );
        Ok(id)
    }
}
