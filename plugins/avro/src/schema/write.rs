//! The text of a schema, as Java's library writes it.
//!
//! The order of members is that of `Schema.toString`: for named types name, namespace, doc, what the type consists of,
//! properties in the order they were added, aliases. A named type is written out where it first stands and named after that.

use std::collections::HashSet;

use super::{AvroSchema, Kind, Name, NodeId, RecordField};
use crate::json::{Json, write_text};

impl AvroSchema {
    /// The text that is registered.
    pub(crate) fn to_text(&self) -> String {
        let mut writer = Writer {
            schema: self,
            known: HashSet::new(),
            out: String::new(),
        };
        writer.node(self.root, None);
        writer.out
    }
}

struct Writer<'a> {
    schema: &'a AvroSchema,
    known: HashSet<String>,
    out: String,
}

impl Writer<'_> {
    fn member(&mut self, name: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        write_text(name, &mut self.out);
        self.out.push(':');
    }

    fn text_member(&mut self, name: &str, text: &str) {
        self.member(name);
        write_text(text, &mut self.out);
    }

    fn properties(&mut self, properties: &[(String, Json)]) {
        for (name, value) in properties {
            self.member(name);
            value.write(&mut self.out);
        }
    }

    fn texts(&mut self, name: &str, texts: &[String]) {
        self.member(name);
        Json::Array(texts.iter().map(Json::text).collect()).write(&mut self.out);
    }

    fn node(&mut self, id: NodeId, space: Option<&str>) {
        let schema = self.schema;
        let node = schema.node(id);
        match &node.kind {
            Kind::Union(members) => {
                self.out.push('[');
                for (position, member) in members.iter().enumerate() {
                    if position > 0 {
                        self.out.push(',');
                    }
                    self.node(*member, space);
                }
                self.out.push(']');
            }
            Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_) => self.named(id, space),
            Kind::Array(items) => {
                self.out.push('{');
                self.text_member("type", "array");
                self.member("items");
                self.node(*items, space);
                self.properties(&node.properties);
                self.out.push('}');
            }
            Kind::Map(values) => {
                self.out.push('{');
                self.text_member("type", "map");
                self.member("values");
                self.node(*values, space);
                self.properties(&node.properties);
                self.out.push('}');
            }
            _ if node.properties.is_empty() => write_text(node.type_name(), &mut self.out),
            _ => {
                self.out.push('{');
                self.text_member("type", node.type_name());
                self.properties(&node.properties);
                self.out.push('}');
            }
        }
    }

    fn named(&mut self, id: NodeId, space: Option<&str>) {
        let node = self.schema.node(id);
        let Some(name) = node.name() else { return };
        if !self.known.insert(name.full()) {
            let reference = reference(name, space);
            write_text(&reference, &mut self.out);
            return;
        }
        self.out.push('{');
        let aliases = match &node.kind {
            Kind::Record(record) => {
                self.text_member("type", if record.is_error { "error" } else { "record" });
                self.name(name, space);
                self.doc(record.doc.as_deref());
                self.member("fields");
                self.out.push('[');
                for (position, field) in record.fields.iter().enumerate() {
                    if position > 0 {
                        self.out.push(',');
                    }
                    self.field(field, name.namespace.as_deref());
                }
                self.out.push(']');
                &record.aliases
            }
            Kind::Enum(kind) => {
                self.text_member("type", "enum");
                self.name(name, space);
                self.doc(kind.doc.as_deref());
                self.texts("symbols", &kind.symbols);
                if let Some(default) = &kind.default {
                    self.text_member("default", default);
                }
                &kind.aliases
            }
            Kind::Fixed(fixed) => {
                self.text_member("type", "fixed");
                self.name(name, space);
                self.doc(fixed.doc.as_deref());
                self.member("size");
                self.out.push_str(&fixed.size.to_string());
                &fixed.aliases
            }
            _ => return,
        };
        self.properties(&node.properties);
        if !aliases.is_empty() {
            self.texts("aliases", aliases);
        }
        self.out.push('}');
    }

    fn name(&mut self, name: &Name, space: Option<&str>) {
        self.text_member("name", &name.name);
        match &name.namespace {
            Some(own) if space != Some(own) => self.text_member("namespace", own),
            None if space.is_some() => self.text_member("namespace", ""),
            _ => {}
        }
    }

    fn doc(&mut self, doc: Option<&str>) {
        if let Some(doc) = doc {
            self.text_member("doc", doc);
        }
    }

    fn field(&mut self, field: &RecordField, space: Option<&str>) {
        self.out.push('{');
        self.text_member("name", &field.name);
        self.member("type");
        self.node(field.schema, space);
        self.doc(field.doc.as_deref());
        if let Some(default) = &field.default {
            self.member("default");
            default.write(&mut self.out);
        }
        if let Some(order) = &field.order {
            self.text_member("order", order);
        }
        if !field.aliases.is_empty() {
            self.texts("aliases", &field.aliases);
        }
        self.properties(&field.properties);
        self.out.push('}');
    }
}

/// A named type where it stands again: without namespace within the same one, unless the name is that of a primitive type.
fn reference(name: &Name, space: Option<&str>) -> String {
    let is_primitive = || {
        matches!(
            name.name.as_str(),
            "null"
                | "boolean"
                | "int"
                | "long"
                | "float"
                | "double"
                | "bytes"
                | "string"
                | "record"
                | "enum"
                | "array"
                | "map"
                | "union"
                | "fixed"
        )
    };
    match &name.namespace {
        Some(own) if space != Some(own) || is_primitive() => name.full(),
        _ => name.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::AvroSchema;

    fn rewritten(text: &str) -> String {
        AvroSchema::parse(text, &[]).unwrap().to_text()
    }

    #[test]
    fn texts_of_java_s_library_are_written_again_as_they_were() {
        for text in [
            r#""int""#,
            r#"{"type":"int","connect.type":"int8"}"#,
            r#"["null",{"type":"array","items":"string"}]"#,
            r#"{"type":"map","values":"long","p":{"a":[1,2.5]}}"#,
            r#"{"type":"record","name":"A","namespace":"n","doc":"d","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["a","b"],"default":"a"},"doc":"fd","default":"b","order":"ignore","aliases":["y"],"q":1},{"name":"e","type":"E"},{"name":"f","type":{"type":"fixed","name":"F","namespace":"","size":4}},{"name":"g","type":["null","F"],"default":null},{"name":"self","type":["null","A"]}],"p":"v","aliases":["n.B"]}"#,
        ] {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn names_are_shortened_where_the_namespace_is_the_same() {
        let text = r#"{"type":"record","name":"a.b.C","fields":[{"name":"x","type":{"type":"record","name":"a.b.D","fields":[]}},{"name":"y","type":"a.b.D"}]}"#;
        assert_eq!(
            rewritten(text),
            r#"{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"x","type":{"type":"record","name":"D","fields":[]}},{"name":"y","type":"D"}]}"#
        );
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (text, reason) in [
            ("{", "EOF"),
            ("\"nowhere\"", "Undefined name"),
            (
                r#"{"type":"record","name":"1a","fields":[]}"#,
                "Illegal initial character",
            ),
            (
                r#"{"type":"record","name":"a-b","fields":[]}"#,
                "Illegal character in: a-b",
            ),
            (r#"{"type":"fixed","name":"f","size":-1}"#, "size"),
            (r#"["int","int"]"#, "Duplicate in union:int"),
            (r#"["int",["null"]]"#, "Nested union"),
            (r#"{"type":"record","name":"a"}"#, "no fields"),
            (
                r#"[{"type":"fixed","name":"f","size":1},{"type":"fixed","name":"f","size":2}]"#,
                "Can't redefine",
            ),
            ("7", "not yet supported"),
        ] {
            let error = AvroSchema::parse(text, &[]).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn schemas_that_are_used_are_known_by_name() {
        let used = r#"{"type":"record","name":"n.Used","fields":[]}"#;
        let text = r#"{"type":"record","name":"n.User","fields":[{"name":"x","type":"Used"}]}"#;
        assert!(AvroSchema::parse(text, &[]).is_err());
        let schema = AvroSchema::parse(text, &[used]).unwrap();
        assert_eq!(schema.record_name().as_deref(), Some("n.User"));
    }
}
