//! A schema under construction.

use super::{AvroSchema, Kind, Node, NodeId, RecordField};
use crate::json::Json;

/// Nodes that grow into a schema.
#[derive(Debug, Default)]
pub(crate) struct SchemaGraph {
    nodes: Vec<Node>,
}

impl SchemaGraph {
    /// Adds a node.
    pub(crate) fn add(&mut self, kind: Kind) -> NodeId {
        self.nodes.push(Node::plain(kind));
        // More nodes than that do not fit into any message that holds a schema.
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Adds a property, unless it is there already.
    pub(crate) fn set_property(&mut self, id: NodeId, name: &str, value: Json) {
        let properties = &mut self.nodes[id.0 as usize].properties;
        if !properties.iter().any(|(key, _)| key == name) {
            properties.push((name.to_owned(), value));
        }
    }

    /// Gives a record its fields, which may refer to it.
    pub(crate) fn set_fields(&mut self, id: NodeId, fields: Vec<RecordField>) {
        if let Kind::Record(record) = &mut self.nodes[id.0 as usize].kind {
            record.fields = fields;
        }
    }

    /// Gives an enum or fixed type what comes after its name, or any type another kind.
    pub(crate) fn set_kind(&mut self, id: NodeId, kind: Kind) {
        self.nodes[id.0 as usize].kind = kind;
    }

    /// The schema so far, for questions about it.
    pub(crate) fn view<T>(&mut self, root: NodeId, ask: impl FnOnce(&AvroSchema) -> T) -> T {
        let schema = AvroSchema {
            nodes: std::mem::take(&mut self.nodes),
            root,
        };
        let answer = ask(&schema);
        self.nodes = schema.nodes;
        answer
    }

    /// The finished schema.
    pub(crate) fn finish(self, root: NodeId) -> AvroSchema {
        AvroSchema {
            nodes: self.nodes,
            root,
        }
    }
}
