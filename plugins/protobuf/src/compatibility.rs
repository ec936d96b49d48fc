//! Whether what one schema describes can be read with another: the check behind `latest.compatibility.strict` and
//! `id.compatibility.strict`.
//!
//! Messages are compared by name, fields by number: the kind on the wire must not change. Imported files are not followed; the registry
//! itself compares when schemas are registered.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};
use wharf_api::{ConnectError, Result};
use wharf_schema_registry::{Compatible, RegisteredSchema, RegistrySchema};

use crate::link::parse_file;

/// Compares two schemas by their texts.
pub(crate) fn can_read(reader: &RegisteredSchema, writer: &RegistrySchema) -> Compatible {
    let compared = parse_file("reader", &reader.schema.text).and_then(|(reader, _)| {
        let (writer, _) = parse_file("writer", &writer.text)?;
        if reader.package() != writer.package() {
            return Err(ConnectError::data(format!(
                "the package is {} instead of {}",
                reader.package(),
                writer.package()
            )));
        }
        messages(&reader.message_type, &writer.message_type)
    });
    match compared {
        Ok(()) => Compatible::Yes,
        Err(error) => Compatible::No(error.message().to_owned()),
    }
}

fn messages(reader: &[DescriptorProto], writer: &[DescriptorProto]) -> Result<()> {
    for written in writer {
        let known = reader
            .iter()
            .find(|known| known.name() == written.name())
            .ok_or_else(|| ConnectError::data(format!("the message {} is missing", written.name())))?;
        for field in &written.field {
            if let Some(other) = known.field.iter().find(|other| other.number() == field.number())
                && !is_compatible(other, field)
            {
                return Err(ConnectError::data(format!(
                    "the field {} of {} has another type",
                    field.name(),
                    written.name()
                )));
            }
        }
        messages(&known.nested_type, &written.nested_type)?;
    }
    Ok(())
}

fn is_compatible(reader: &FieldDescriptorProto, writer: &FieldDescriptorProto) -> bool {
    let is_repeated = |field: &FieldDescriptorProto| field.label == Some(Label::Repeated as i32);
    if is_repeated(reader) != is_repeated(writer) {
        return false;
    }
    match (&reader.type_name, &writer.type_name) {
        (Some(a), Some(b)) => {
            let last = |name: &str| {
                name.rsplit_once('.')
                    .map_or(name.to_owned(), |(_, last)| last.to_owned())
            };
            last(a) == last(b)
        }
        (None, None) => group(reader.r#type()) == group(writer.r#type()),
        _ => false,
    }
}

/// Types that can be read as one another.
fn group(kind: Type) -> u8 {
    match kind {
        Type::Int32 | Type::Uint32 | Type::Int64 | Type::Uint64 | Type::Bool => 0,
        Type::Sint32 | Type::Sint64 => 1,
        Type::String | Type::Bytes => 2,
        Type::Fixed32 | Type::Sfixed32 => 3,
        Type::Fixed64 | Type::Sfixed64 => 4,
        Type::Float => 5,
        Type::Double => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_schema_registry::Format;

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
            let registered = RegisteredSchema {
                schema: schema(reader),
                id: 1,
                version: None,
                guid: None,
            };
            let is_compatible = can_read(&registered, &schema(writer)) == Compatible::Yes;
            assert_eq!(is_compatible, expected, "{reader} {writer}");
        }
    }
}
