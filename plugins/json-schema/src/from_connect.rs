//! Connect schemas to the text of JSON schemas.
//!
//! The text is what upstream registers, byte for byte, because the registry knows schemas by their text: the same schema from a JVM
//! worker and from this one must get the same id. Upstream builds its schema library's objects and prints them; the order of
//! keywords below is the printer's, the order within its hash maps comes from [`java_hash`](crate::java_hash).

use wharf_api::logical::DECIMAL;
use wharf_api::{ConnectError, Result, Schema, SchemaType};

use crate::encode::Encoder;
use crate::java_hash::{self, Table};
use crate::json_tree::{Json, Members, java_number};
use crate::names::{self, ADDITIONAL_PROPERTIES, ENUM, GENERALIZED_ENUM, ID, NAMESPACE, NULL_MARKER};
use crate::options::Options;
use crate::variant;

/// Schemas may nest this deep, which is within what crosses the plugin border.
pub(crate) const MAX_DEPTH: usize = 100;

/// The text to register for a Connect schema.
///
/// # Errors
/// A data error when the schema nests too deeply or its default does not suit it.
pub(crate) fn json_schema_text(options: &Options, schema: &Schema) -> Result<String> {
    let mut context = Context {
        options,
        ids: Vec::new(),
    };
    Ok(print(&context.node(schema, None, Optionality::AsDeclared, 0)?).to_text())
}

/// Whether to honour a schema's optional flag, which upstream does by wrapping it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Optionality {
    AsDeclared,
    /// The place allows null already. The flag shows nowhere.
    Ignored,
}

struct Node {
    kind: NodeKind,
    title: Option<String>,
    description: Option<String>,
    default: Option<Json>,
    id: Option<String>,
    /// Keywords that the schema library does not know, as they were put.
    extra: Vec<(String, Json)>,
}

enum NodeKind {
    Integer,
    Number,
    Boolean,
    String,
    Enum(Vec<Option<String>>),
    Array(Box<Node>),
    Map(Box<Node>),
    Object {
        properties: Vec<(String, Node)>,
        is_closed: bool,
    },
    OneOf(Vec<Node>),
    Null,
    Anything,
    Reference(String),
}

impl Node {
    fn new(kind: NodeKind) -> Self {
        Self {
            kind,
            title: None,
            description: None,
            default: None,
            id: None,
            extra: Vec::new(),
        }
    }

    fn with(mut self, keyword: &str, value: Json) -> Self {
        self.put(keyword, value);
        self
    }

    fn put(&mut self, keyword: &str, value: Json) {
        self.extra.push((keyword.to_owned(), value));
    }

    fn typed(kind: NodeKind, connect_type: &str) -> Self {
        Self::new(kind).with(names::CONNECT_TYPE, Json::String(connect_type.to_owned()))
    }
}

struct Context<'a> {
    options: &'a Options,
    /// Identifiers of structs that were written in full already.
    ids: Vec<String>,
}

impl Context<'_> {
    fn node(
        &mut self,
        schema: &Schema,
        index: Option<usize>,
        optionality: Optionality,
        depth: usize,
    ) -> Result<Node> {
        if depth >= MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "the schema nests deeper than {MAX_DEPTH} levels, which JsonSchemaConverter cannot write; flatten it"
            )));
        }
        let id = schema.parameter(ID).map(str::to_owned);
        self.ids.extend(id.clone());
        let mut node = self.bare(schema, optionality, depth)?;
        if !matches!(node.kind, NodeKind::OneOf(_)) {
            self.describe(schema, &mut node)?;
            if optionality == Optionality::AsDeclared && schema.is_optional() {
                node = Node::new(NodeKind::OneOf(vec![Node::new(NodeKind::Null), node]));
            }
        }
        node.id = id;
        if let Some(index) = index {
            node.put(names::CONNECT_INDEX, Json::Number(index.to_string()));
        }
        Ok(node)
    }

    /// The schema without title, index and the like.
    fn bare(&mut self, schema: &Schema, optionality: Optionality, depth: usize) -> Result<Node> {
        Ok(match schema.schema_type() {
            SchemaType::Int8 => Node::typed(NodeKind::Integer, "int8"),
            SchemaType::Int16 => Node::typed(NodeKind::Integer, "int16"),
            SchemaType::Int32 => Node::typed(NodeKind::Integer, "int32"),
            SchemaType::Int64 => Node::typed(NodeKind::Integer, "int64"),
            SchemaType::Float32 => Node::typed(NodeKind::Number, "float32"),
            SchemaType::Float64 => Node::typed(NodeKind::Number, "float64"),
            SchemaType::Boolean => Node::new(NodeKind::Boolean),
            SchemaType::String => Node::new(self.string_kind(schema)),
            SchemaType::Bytes => {
                let is_number = schema.name() == Some(DECIMAL) && self.options.numeric_decimals;
                Node::typed(
                    if is_number {
                        NodeKind::Number
                    } else {
                        NodeKind::String
                    },
                    "bytes",
                )
            }
            SchemaType::Array => {
                let element = required_part(schema.value_schema()?, "array", "element")?;
                let items = self.child(element, None, depth)?;
                Node::new(NodeKind::Array(Box::new(items)))
            }
            SchemaType::Map => {
                let key = required_part(schema.key_schema()?, "map", "key")?;
                let value = required_part(schema.value_schema()?, "map", "value")?;
                if names::is_object_map(schema) {
                    let values = self.node(value, None, Optionality::AsDeclared, depth + 1)?;
                    Node::typed(NodeKind::Map(Box::new(values)), "map")
                } else {
                    let properties = vec![
                        (
                            names::KEY.to_owned(),
                            self.node(key, Some(0), Optionality::AsDeclared, depth + 1)?,
                        ),
                        (
                            names::VALUE.to_owned(),
                            self.node(value, Some(1), Optionality::AsDeclared, depth + 1)?,
                        ),
                    ];
                    let entry = Node::new(NodeKind::Object {
                        properties,
                        is_closed: false,
                    });
                    Node::typed(NodeKind::Array(Box::new(entry)), "map")
                }
            }
            SchemaType::Struct => self.structure(schema, optionality, depth)?,
        })
    }

    fn string_kind(&self, schema: &Schema) -> NodeKind {
        if schema.parameter(GENERALIZED_ENUM).is_none() && schema.parameter(ENUM).is_none() {
            return NodeKind::String;
        }
        let prefix = format!(
            "{}.",
            if self.options.generalized_sum_types {
                GENERALIZED_ENUM
            } else {
                ENUM
            }
        );
        let symbols = schema
            .parameters()
            .unwrap_or_default()
            .iter()
            .filter_map(|(key, _)| {
                let symbol = key.strip_prefix(&prefix)?;
                Some((symbol != NULL_MARKER).then(|| symbol.to_owned()))
            });
        NodeKind::Enum(symbols.collect())
    }

    fn structure(&mut self, schema: &Schema, optionality: Optionality, depth: usize) -> Result<Node> {
        if variant::is_variant(schema) {
            return Ok(Node::new(NodeKind::Anything));
        }
        if names::is_union(schema) {
            let mut members = Vec::new();
            if schema.is_optional() && optionality == Optionality::AsDeclared {
                members.push(Node::new(NodeKind::Null));
            }
            for field in schema.fields()? {
                members.push(self.node(
                    field.schema(),
                    Some(field.index()),
                    Optionality::Ignored,
                    depth + 1,
                )?);
            }
            return Ok(Node::new(NodeKind::OneOf(members)));
        }
        if schema.is_optional() && optionality == Optionality::AsDeclared {
            let inner = self.node(schema, None, Optionality::Ignored, depth + 1)?;
            return Ok(Node::new(NodeKind::OneOf(vec![Node::new(NodeKind::Null), inner])));
        }
        let mut properties = Vec::new();
        for field in schema.fields()? {
            if self.options.preserve_additional_properties && is_extras(field.name(), field.schema()) {
                continue;
            }
            properties.push((
                field.name().to_owned(),
                self.child(field.schema(), Some(field.index()), depth)?,
            ));
        }
        Ok(Node::new(NodeKind::Object {
            properties,
            is_closed: !self.options.additional_properties,
        }))
    }

    /// The schema of a field or element; a reference when it was written before.
    fn child(&mut self, schema: &Schema, index: Option<usize>, depth: usize) -> Result<Node> {
        match schema.parameter(ID) {
            Some(id) if self.ids.iter().any(|known| known == id) => {
                Ok(Node::new(NodeKind::Reference(id.to_owned())))
            }
            _ => self.node(schema, index, Optionality::AsDeclared, depth + 1),
        }
    }

    fn describe(&self, schema: &Schema, node: &mut Node) -> Result<()> {
        node.title = schema.name().map(str::to_owned);
        if let Some(version) = schema.version() {
            node.put(names::CONNECT_VERSION, Json::Number(version.to_string()));
        }
        node.description = schema.doc().map(str::to_owned);
        let parameters: Vec<(String, Json)> = schema
            .parameters()
            .unwrap_or_default()
            .iter()
            .filter(|(key, _)| !key.starts_with(NAMESPACE))
            .map(|(key, value)| (key.clone(), Json::String(value.clone())))
            .collect();
        if !parameters.is_empty() {
            let sorted = java_hash::sort(java_hash::sort(parameters, Table::Grown), Table::Sized);
            node.put(
                names::CONNECT_PARAMETERS,
                Json::Object(sorted.into_iter().collect()),
            );
        }
        if let Some(default) = schema.default_value() {
            let mut text = Vec::new();
            Encoder::new(self.options).value(schema, default.as_ref(), &mut text)?;
            node.default = Some(as_java_prints(Json::parse(&text)?));
        }
        Ok(())
    }
}

/// Whether a field holds what an object has besides its properties.
pub(crate) fn is_extras(name: &str, schema: &Schema) -> bool {
    name == ADDITIONAL_PROPERTIES
        && schema.schema_type() == SchemaType::Map
        && matches!(schema.key_schema(), Ok(Some(key)) if key.schema_type() == SchemaType::String)
        && matches!(schema.value_schema(), Ok(Some(value)) if variant::is_variant(value))
}

fn required_part<'a>(part: Option<&'a wharf_api::SchemaRef>, whole: &str, what: &str) -> Result<&'a Schema> {
    part.map(AsRef::as_ref).ok_or_else(|| {
        ConnectError::data(format!(
            "the {whole} schema has no {what} schema, so it has no JSON Schema"
        ))
    })
}

/// A default after it went through upstream's two JSON libraries.
fn as_java_prints(json: Json) -> Json {
    match json {
        Json::Number(text) => Json::Number(java_number(&text)),
        Json::Array(items) => Json::Array(items.into_iter().map(as_java_prints).collect()),
        Json::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name, as_java_prints(value)))
                .collect();
            Json::Object(java_hash::sort(members, Table::Grown).into_iter().collect())
        }
        other => other,
    }
}

/// Keywords in the order of upstream's printer.
fn print(node: &Node) -> Json {
    let mut out = Members::new();
    let mut put = |name: &str, value: Json| {
        out.insert(name.to_owned(), value);
    };
    let word = |text: &str| Json::String(text.to_owned());
    match &node.kind {
        NodeKind::Integer => put("type", word("integer")),
        NodeKind::Number => put("type", word("number")),
        NodeKind::String => put("type", word("string")),
        NodeKind::Array(_) => put("type", word("array")),
        NodeKind::Null => put("type", word("null")),
        NodeKind::Map(_) => put("type", word("object")),
        NodeKind::Object { is_closed, .. } => {
            put("type", word("object"));
            if *is_closed {
                put("additionalProperties", Json::Boolean(false));
            }
        }
        NodeKind::Enum(symbols) => {
            let keys: Vec<Option<&str>> = symbols.iter().map(Option::as_deref).collect();
            let symbol = |position: usize| keys[position].map_or(Json::Null, word);
            put(
                "enum",
                Json::Array(
                    java_hash::order(&keys, Table::Grown)
                        .into_iter()
                        .map(symbol)
                        .collect(),
                ),
            );
        }
        NodeKind::Reference(id) => put("$ref", word(id)),
        NodeKind::Boolean | NodeKind::OneOf(_) | NodeKind::Anything => {}
    }
    for (keyword, text) in [("title", &node.title), ("description", &node.description)] {
        if let Some(text) = text {
            put(keyword, word(text));
        }
    }
    if let Some(default) = &node.default {
        put("default", default.clone());
    }
    // Without `$schema` the printer takes the schema for one of draft 4.
    if let Some(id) = &node.id {
        put("id", word(id));
    }
    for (keyword, value) in java_hash::sort_copied(node.extra.clone()) {
        put(&keyword, value);
    }
    match &node.kind {
        NodeKind::Boolean => put("type", word("boolean")),
        NodeKind::Array(items) => put("items", print(items)),
        NodeKind::Map(values) => put("additionalProperties", print(values)),
        NodeKind::OneOf(members) => put("oneOf", Json::Array(members.iter().map(print).collect())),
        NodeKind::Object { properties, .. } if !properties.is_empty() => {
            let printed = properties
                .iter()
                .map(|(name, node)| (name.clone(), print(node)))
                .collect();
            put(
                "properties",
                Json::Object(java_hash::sort(printed, Table::Grown).into_iter().collect()),
            );
        }
        _ => {}
    }
    Json::Object(out)
}

#[cfg(test)]
#[path = "from_connect_tests.rs"]
mod tests;
