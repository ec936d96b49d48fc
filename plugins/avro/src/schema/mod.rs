//! Avro schemas: a graph of nodes, in which a named type stands once and is referred to by its place.
//!
//! [`parse`](AvroSchema::parse) takes the registry's text, [`to_text`](AvroSchema::to_text) gives the text that Java's
//! library writes, property by property, because the registry tells schemas apart by it. Unknown properties are kept.

mod build;
mod compatible;
mod defaults;
mod parse;
mod write;

use crate::json::Json;

pub(crate) use build::SchemaGraph;
pub(crate) use compatible::{can_read, promotes, same_name};
pub(crate) use defaults::{encode_default, is_valid_default, latin1};
pub(crate) use parse::check_name;

/// The place of a node in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// A schema.
#[derive(Debug, Clone)]
pub(crate) struct AvroSchema {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: NodeId,
}

/// A type with its properties.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) properties: Vec<(String, Json)>,
}

/// A type.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
}

/// The name of a record, enum or fixed type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

impl Name {
    /// A name that may hold its namespace; else it is in `namespace`.
    pub(crate) fn new(name: &str, namespace: Option<&str>) -> Self {
        let (namespace, name) = match name.rsplit_once('.') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (namespace, name),
        };
        Self {
            name: name.to_owned(),
            namespace: namespace.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }

    /// Namespace and name.
    pub(crate) fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A record type.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) fields: Vec<RecordField>,
    pub(crate) is_error: bool,
}

/// A field of a record.
#[derive(Debug, Clone)]
pub(crate) struct RecordField {
    pub(crate) name: String,
    pub(crate) schema: NodeId,
    pub(crate) doc: Option<String>,
    pub(crate) default: Option<Json>,
    /// Other than `ascending`.
    pub(crate) order: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) properties: Vec<(String, Json)>,
}

/// An enum type.
#[derive(Debug, Clone)]
pub(crate) struct Enum {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) symbols: Vec<String>,
    pub(crate) default: Option<String>,
}

/// A type of so many bytes.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) size: usize,
}

impl Node {
    pub(crate) fn plain(kind: Kind) -> Self {
        Self {
            kind,
            properties: Vec::new(),
        }
    }

    /// A property.
    pub(crate) fn property(&self, name: &str) -> Option<&Json> {
        self.properties
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// A property that is a text.
    pub(crate) fn text_property(&self, name: &str) -> Option<&str> {
        self.property(name).and_then(Json::as_text)
    }

    /// The name of a named type.
    pub(crate) fn name(&self) -> Option<&Name> {
        match &self.kind {
            Kind::Record(record) => Some(&record.name),
            Kind::Enum(kind) => Some(&kind.name),
            Kind::Fixed(fixed) => Some(&fixed.name),
            _ => None,
        }
    }

    /// The documentation of a named type.
    pub(crate) fn doc(&self) -> Option<&str> {
        match &self.kind {
            Kind::Record(record) => record.doc.as_deref(),
            Kind::Enum(kind) => kind.doc.as_deref(),
            Kind::Fixed(fixed) => fixed.doc.as_deref(),
            _ => None,
        }
    }

    /// The word for the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(_) => "record",
            Kind::Enum(_) => "enum",
            Kind::Fixed(_) => "fixed",
        }
    }
}

impl AvroSchema {
    /// The node at a place.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The outermost node.
    pub(crate) fn root(&self) -> &Node {
        self.node(self.root)
    }

    /// The full name of the outermost type, if it is a record: what subjects are named after.
    pub(crate) fn record_name(&self) -> Option<String> {
        match &self.root().kind {
            Kind::Record(record) => Some(record.name.full()),
            _ => None,
        }
    }
}
