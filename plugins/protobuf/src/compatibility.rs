//! Whether what one schema describes can be read with another: the check behind `latest.compatibility.strict` and
//! `id.compatibility.strict`.
//!
//! Messages are compared by name, fields by number: the kind on the wire must not change, and messages in fields are compared
//! as well, also those of imported files.

use std::collections::HashSet;

use wharf_api::{ConnectError, Result};
use wharf_schema_registry::{Compatible, References, RegisteredSchema, RegistrySchema, reference_texts};

use crate::descriptor::{Field, Kind, Message, MessageId, Pool, Scalar};
use crate::link::link;

/// Compares two schemas by their texts, the reader's with what it imports.
pub(crate) fn can_read(
    reader: &RegisteredSchema,
    references: &References,
    writer: &RegistrySchema,
) -> Compatible {
    let compared = link(&reader.schema.text, reference_texts(references)).and_then(|reader| {
        let writer = link(&writer.text, std::iter::empty())?;
        let mut check = Check {
            reader: &reader,
            writer: &writer,
            seen: HashSet::new(),
        };
        check.roots()
    });
    match compared {
        Ok(()) => Compatible::Yes,
        Err(error) => Compatible::No(error.message().to_owned()),
    }
}

struct Check<'a> {
    reader: &'a Pool,
    writer: &'a Pool,
    /// Pairs that were looked at; messages may contain themselves.
    seen: HashSet<(MessageId, MessageId)>,
}

impl Check<'_> {
    /// Each message of the written file must be in the reader's file, under the same full name.
    fn roots(&mut self) -> Result<()> {
        let (reader, writer) = (self.reader, self.writer);
        for id in &writer.roots {
            let message = writer.message(*id);
            let found = self.among(&reader.roots, message)?;
            let other = reader.message(found);
            if other.full_name != message.full_name {
                return Err(ConnectError::data(format!(
                    "the message {} is called {} instead",
                    message.full_name, other.full_name
                )));
            }
            self.message(found, *id)?;
            self.nested(other, message)?;
        }
        Ok(())
    }

    /// What is written within a message may stand in an imported file, too.
    fn nested(&mut self, known: &Message, written: &Message) -> Result<()> {
        let (reader, writer) = (self.reader, self.writer);
        for id in &written.nested {
            let message = writer.message(*id);
            let found = self.among(&known.nested, message).or_else(|missing| {
                let named = |other: &Message| other.name == message.name;
                let place = reader.messages.iter().position(named);
                place.map(MessageId).ok_or(missing)
            })?;
            self.message(found, *id)?;
            self.nested(reader.message(found), message)?;
        }
        Ok(())
    }

    fn among(&self, known: &[MessageId], message: &Message) -> Result<MessageId> {
        let is_same = |id: &&MessageId| self.reader.message(**id).name == message.name;
        known
            .iter()
            .find(is_same)
            .copied()
            .ok_or_else(|| ConnectError::data(format!("the message {} is missing", message.name)))
    }

    fn message(&mut self, known: MessageId, written: MessageId) -> Result<()> {
        if !self.seen.insert((known, written)) {
            return Ok(());
        }
        let (reader, writer) = (self.reader.message(known), self.writer.message(written));
        for field in &writer.fields {
            let Some(other) = reader.fields.iter().find(|other| other.number == field.number) else {
                continue;
            };
            if !self.has_kind_of(other, field) {
                return Err(ConnectError::data(format!(
                    "the field {} of {} has another type",
                    field.name, writer.name
                )));
            }
            if let (Some(known), Some(written)) = (inner(other), inner(field)) {
                self.message(known, written)?;
            }
        }
        Ok(())
    }

    fn has_kind_of(&self, reader: &Field, writer: &Field) -> bool {
        if reader.is_repeated != writer.is_repeated {
            return false;
        }
        match (reader.kind, writer.kind) {
            (Kind::Scalar(a), Kind::Scalar(b)) => group(a) == group(b),
            (Kind::Enum(a), Kind::Enum(b)) => {
                self.reader.enumeration(a).name == self.writer.enumeration(b).name
            }
            (Kind::Message(a), Kind::Message(b)) | (Kind::Group(a), Kind::Group(b)) => {
                self.reader.message(a).name == self.writer.message(b).name
            }
            _ => false,
        }
    }
}

/// The message that a field holds.
fn inner(field: &Field) -> Option<MessageId> {
    match field.kind {
        Kind::Message(id) | Kind::Group(id) => Some(id),
        _ => None,
    }
}

/// Types that can be read as one another.
fn group(kind: Scalar) -> u8 {
    match kind {
        Scalar::Int32 | Scalar::Uint32 | Scalar::Int64 | Scalar::Uint64 | Scalar::Bool => 0,
        Scalar::Sint32 | Scalar::Sint64 => 1,
        Scalar::String | Scalar::Bytes => 2,
        Scalar::Fixed32 | Scalar::Sfixed32 => 3,
        Scalar::Fixed64 | Scalar::Sfixed64 => 4,
        Scalar::Float => 5,
        Scalar::Double => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_schema_registry::{Format, RuleSet};

    #[test]
    fn messages_are_compared_by_number_and_kind() {
        let schema = |body: &str| {
            RegistrySchema::new(
                Format::Protobuf,
                format!("syntax = \"proto3\"; message M {{ {body} }}"),
            )
        };
        for (reader, writer, expected) in [
            ("int32 a = 1;", "int32 a = 1;", true),
            ("int64 a = 1; string b = 2;", "int32 a = 1;", true),
            ("", "int32 a = 1;", true),
            ("string a = 1;", "int32 a = 1;", false),
            ("repeated int32 a = 1;", "int32 a = 1;", false),
            ("sint32 a = 1;", "int32 a = 1;", false),
        ] {
            let is_compatible =
                can_read(&registered(schema(reader)), &[], &schema(writer)) == Compatible::Yes;
            assert_eq!(is_compatible, expected, "{reader} {writer}");
        }
    }

    fn registered(schema: RegistrySchema) -> RegisteredSchema {
        RegisteredSchema {
            schema,
            id: 1,
            version: None,
            guid: None,
            rules: RuleSet::default(),
        }
    }

    #[test]
    fn imported_messages_are_compared_too() {
        let schema = |body: &str| {
            RegistrySchema::new(
                Format::Protobuf,
                format!("syntax = \"proto3\"; package p; {body}"),
            )
        };
        let reader = registered(schema("import \"part.proto\"; message M { Part part = 1; }"));
        // What a converter writes has its messages inside.
        let writer = schema("message M { Part part = 1; message Part { int32 a = 1; } }");
        for (part, expected) in [
            ("message Part { int64 a = 1; Part inner = 2; }", None),
            (
                "message Part { string a = 1; }",
                Some("the field a of Part has another type"),
            ),
            ("message Other { int32 a = 1; }", Some("Part")),
        ] {
            let part = std::sync::Arc::new(registered(schema(part)));
            let references = [("part.proto".to_owned(), part)];
            match (can_read(&reader, &references, &writer), expected) {
                (Compatible::Yes, None) => {}
                (Compatible::No(reason), Some(text)) => assert!(reason.contains(text), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        let Compatible::No(reason) = can_read(&reader, &[], &writer) else {
            panic!("what is not there cannot be read with")
        };
        assert!(reason.contains("part.proto"), "{reason}");
    }
}
