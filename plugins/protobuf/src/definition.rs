//! Message types that are made of Connect schemas, and their text.
//!
//! The text is what upstream registers, byte for byte, because the registry knows schemas by their text. That includes blank lines which
//! are indented inside nested messages.

use crate::descriptor::Scalar;

/// A type that is being made, by its place in [`Definitions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DefinitionId(pub(crate) usize);

/// The message types of a file with one message at the top.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) package: Option<String>,
    /// In order of first use.
    pub(crate) imports: Vec<&'static str>,
    /// The first is the one at the top.
    pub(crate) messages: Vec<MessageDefinition>,
}

/// A message type.
#[derive(Debug)]
pub(crate) struct MessageDefinition {
    pub(crate) name: String,
    pub(crate) parent: Option<DefinitionId>,
    pub(crate) fields: Vec<FieldDefinition>,
    pub(crate) oneofs: Vec<String>,
    pub(crate) nested: Vec<DefinitionId>,
    pub(crate) enums: Vec<EnumDefinition>,
    /// Whether it holds the entries of a map.
    pub(crate) is_entry: bool,
}

/// A field.
#[derive(Debug)]
pub(crate) struct FieldDefinition {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) type_name: TypeName,
    pub(crate) label: Label,
    /// Position in [`MessageDefinition::oneofs`].
    pub(crate) oneof: Option<usize>,
    /// For `(confluent.field_meta)`.
    pub(crate) params: Vec<(&'static str, String)>,
}

/// A field's type as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeName {
    Scalar(Scalar),
    Named(String),
}

/// The word before a field's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    None,
    Optional,
    Repeated,
}

/// An enum type.
#[derive(Debug)]
pub(crate) struct EnumDefinition {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, i32)>,
}

impl Definitions {
    pub(crate) fn get(&self, id: DefinitionId) -> &MessageDefinition {
        &self.messages[id.0]
    }

    /// Adds a message type, below another or at the top.
    pub(crate) fn add(&mut self, name: String, parent: Option<DefinitionId>) -> DefinitionId {
        let id = DefinitionId(self.messages.len());
        self.messages.push(MessageDefinition {
            name,
            parent,
            fields: Vec::new(),
            oneofs: Vec::new(),
            nested: Vec::new(),
            enums: Vec::new(),
            is_entry: false,
        });
        id
    }

    /// The type that a name means inside a message: one of its own, else of those around it.
    pub(crate) fn resolve(&self, at: DefinitionId, name: &str) -> Option<DefinitionId> {
        let mut scope = Some(at);
        while let Some(id) = scope {
            let message = self.get(id);
            if let Some(found) = message
                .nested
                .iter()
                .find(|nested| self.get(**nested).name == name)
            {
                return Some(*found);
            }
            scope = message.parent;
        }
        self.messages
            .first()
            .filter(|top| top.name == name)
            .map(|_| DefinitionId(0))
    }

    /// The `.proto` text.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::from("syntax = \"proto3\";\n");
        if let Some(package) = &self.package {
            out.push_str(&format!("package {package};\n"));
        }
        if !self.imports.is_empty() {
            out.push('\n');
            for import in &self.imports {
                out.push_str(&format!("import \"{import}\";\n"));
            }
        }
        if !self.messages.is_empty() {
            out.push('\n');
            out.push_str(&self.message_text(DefinitionId(0)));
        }
        out
    }

    fn message_text(&self, id: DefinitionId) -> String {
        let message = self.get(id);
        let mut out = format!("message {} {{", message.name);
        let (plain, members): (Vec<_>, Vec<_>) =
            message.fields.iter().partition(|field| field.oneof.is_none());
        if !plain.is_empty() {
            out.push('\n');
            plain
                .iter()
                .for_each(|field| indent(&field_text(field), &mut out));
        }
        let with_members = |position: &usize| members.iter().any(|field| field.oneof == Some(*position));
        let oneofs: Vec<usize> = (0..message.oneofs.len()).filter(with_members).collect();
        if !oneofs.is_empty() {
            out.push('\n');
            for position in oneofs {
                let mut text = format!("oneof {} {{\n", message.oneofs[position]);
                for field in members.iter().filter(|field| field.oneof == Some(position)) {
                    indent(&field_text(field), &mut text);
                }
                text.push_str("}\n");
                indent(&text, &mut out);
            }
        }
        if !message.nested.is_empty() || !message.enums.is_empty() {
            out.push('\n');
            message
                .nested
                .iter()
                .for_each(|nested| indent(&self.message_text(*nested), &mut out));
            message
                .enums
                .iter()
                .for_each(|enumeration| indent(&enum_text(enumeration), &mut out));
        }
        out.push_str("}\n");
        out
    }
}

fn enum_text(enumeration: &EnumDefinition) -> String {
    let mut out = format!("enum {} {{", enumeration.name);
    if !enumeration.values.is_empty() {
        out.push('\n');
    }
    for (name, number) in &enumeration.values {
        indent(&format!("{name} = {number};\n"), &mut out);
    }
    out.push_str("}\n");
    out
}

fn field_text(field: &FieldDefinition) -> String {
    let label = match field.label {
        Label::None => "",
        Label::Optional => "optional ",
        Label::Repeated => "repeated ",
    };
    let type_name = match &field.type_name {
        TypeName::Scalar(scalar) => scalar.word(),
        TypeName::Named(name) => name,
    };
    let mut out = format!("{label}{type_name} {} = {}", field.name, field.number);
    if !field.params.is_empty() {
        let mut params = String::from("params: [\n");
        for (position, (key, value)) in field.params.iter().enumerate() {
            let end = if position + 1 < field.params.len() {
                ","
            } else {
                ""
            };
            let (key, value) = (
                format!("key: \"{key}\""),
                format!("value: \"{}\"", escaped(value)),
            );
            // For these two upstream keeps an older order.
            let is_decimal = field.params[position].0 != crate::names::CONNECT_TYPE;
            let (first, second) = if is_decimal { (value, key) } else { (key, value) };
            indent(&format!("{{\n  {first},\n  {second}\n}}{end}\n"), &mut params);
        }
        params.push_str("]\n");
        out.push_str(" [(confluent.field_meta) = {\n");
        indent(&params, &mut out);
        out.push_str("}]");
    }
    out.push_str(";\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\'', "\\'")
        .replace('\n', "\\n")
}

/// Appends lines with two blanks before each, empty ones included.
fn indent(text: &str, out: &mut String) {
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}
