//! A schema to be written as a serialized descriptor in Base64, as `schema.format=serialized` wants it registered.
//!
//! The bytes are those of upstream, which makes the descriptor of the text: types are named as the text names them, members of oneofs come
//! before other fields, and a field without a word before it has no label. Options of Confluent's are an extension, for which prost's types
//! have no place, so the fields are put down here by number (`google/protobuf/descriptor.proto`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::definition::{
    DefinitionId, Definitions, EnumDefinition, FieldDefinition, Label, MessageDefinition, TypeName,
};
use crate::descriptor::Scalar;
use crate::wire::{WireType, write_block, write_tag, write_varint};

/// What upstream registers for keys and values that are single scalars: the well-known file of wrappers.
const WRAPPERS: &str = include_str!("well_known/wrappers.base64");
/// The name of a file that has none.
const FILE: &str = "default";
/// Numbers of types that have a name, and of labels.
const MESSAGE: u64 = 11;
const ENUM: u64 = 14;
const OPTIONAL: u64 = 1;
const REPEATED: u64 = 3;
/// The number of `(confluent.field_meta)` among options of fields.
const FIELD_META: u32 = 1088;

/// The text to register; without definitions that of the wrappers.
pub(crate) fn text(definitions: Option<&Definitions>) -> String {
    match definitions {
        Some(definitions) => STANDARD.encode(file(definitions)),
        None => WRAPPERS.trim_end().to_owned(),
    }
}

fn block(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    write_tag(number, WireType::Block, out);
    write_block(bytes, out);
}

fn string(number: u32, text: &str, out: &mut Vec<u8>) {
    block(number, text.as_bytes(), out);
}

fn integer(number: u32, value: u64, out: &mut Vec<u8>) {
    write_tag(number, WireType::Varint, out);
    write_varint(value, out);
}

fn file(definitions: &Definitions) -> Vec<u8> {
    let mut out = Vec::new();
    string(1, FILE, &mut out);
    if let Some(package) = &definitions.package {
        string(2, package, &mut out);
    }
    for import in &definitions.imports {
        string(3, import, &mut out);
    }
    block(4, &message(definitions, DefinitionId(0)), &mut out);
    string(12, "proto3", &mut out);
    out
}

fn message(definitions: &Definitions, id: DefinitionId) -> Vec<u8> {
    let message: &MessageDefinition = definitions.get(id);
    let mut out = Vec::new();
    string(1, &message.name, &mut out);
    // Only those with members are in the text; those of single optional fields come after them.
    let members_of = |position: usize| {
        let fields = message.fields.iter();
        fields.filter(move |field| field.oneof == Some(position))
    };
    let named: Vec<usize> = (0..message.oneofs.len())
        .filter(|position| members_of(*position).next().is_some())
        .collect();
    let mut oneofs: Vec<String> = Vec::new();
    for position in named {
        for member in members_of(position) {
            let options = FieldIn {
                oneof: Some(oneofs.len()),
                is_member: true,
            };
            block(2, &field(definitions, id, member, options), &mut out);
        }
        oneofs.push(message.oneofs[position].clone());
    }
    for plain in message.fields.iter().filter(|field| field.oneof.is_none()) {
        let oneof = (plain.label == Label::Optional).then(|| {
            oneofs.push(format!("_{}", plain.name));
            oneofs.len() - 1
        });
        let options = FieldIn {
            oneof,
            is_member: false,
        };
        block(2, &field(definitions, id, plain, options), &mut out);
    }
    for nested in &message.nested {
        block(3, &self::message(definitions, *nested), &mut out);
    }
    for enumeration in &message.enums {
        block(4, &enumeration_of(enumeration), &mut out);
    }
    for oneof in &oneofs {
        let mut text = Vec::new();
        string(1, oneof, &mut text);
        // Options that hold nothing.
        block(2, &[], &mut text);
        block(8, &text, &mut out);
    }
    out
}

/// Where a field stands.
struct FieldIn {
    /// The oneof's place in its message.
    oneof: Option<usize>,
    /// Whether the oneof has a name of its own.
    is_member: bool,
}

fn field(definitions: &Definitions, at: DefinitionId, field: &FieldDefinition, place: FieldIn) -> Vec<u8> {
    let mut out = Vec::new();
    string(1, &field.name, &mut out);
    integer(3, u64::from(field.number), &mut out);
    match field.label {
        Label::Repeated => integer(4, REPEATED, &mut out),
        Label::Optional => integer(4, OPTIONAL, &mut out),
        Label::None if place.is_member => integer(4, OPTIONAL, &mut out),
        Label::None => {}
    }
    match &field.type_name {
        TypeName::Scalar(scalar) => integer(5, number_of(*scalar), &mut out),
        TypeName::Named(name) => {
            let is_enum = is_enum(definitions, at, name);
            integer(5, if is_enum { ENUM } else { MESSAGE }, &mut out);
            string(6, name, &mut out);
        }
    }
    if !field.params.is_empty() {
        let mut meta = Vec::new();
        for (key, value) in &field.params {
            let mut entry = Vec::new();
            string(1, key, &mut entry);
            string(2, value, &mut entry);
            block(2, &entry, &mut meta);
        }
        let mut options = Vec::new();
        block(FIELD_META, &meta, &mut options);
        block(8, &options, &mut out);
    }
    if let Some(oneof) = place.oneof {
        integer(9, oneof as u64, &mut out);
    }
    if place.oneof.is_some() && !place.is_member {
        integer(17, 1, &mut out);
    }
    out
}

/// Whether a name means an enum, in a message or those around it.
fn is_enum(definitions: &Definitions, at: DefinitionId, name: &str) -> bool {
    let mut scope = Some(at);
    while let Some(id) = scope {
        let message = definitions.get(id);
        if message.enums.iter().any(|own| own.name == name) {
            return true;
        }
        if message
            .nested
            .iter()
            .any(|nested| definitions.get(*nested).name == name)
        {
            return false;
        }
        scope = message.parent;
    }
    false
}

fn enumeration_of(enumeration: &EnumDefinition) -> Vec<u8> {
    let mut out = Vec::new();
    string(1, &enumeration.name, &mut out);
    for (name, number) in &enumeration.values {
        let mut value = Vec::new();
        string(1, name, &mut value);
        // A negative number is written with all its 64 bits.
        integer(2, i64::from(*number).cast_unsigned(), &mut value);
        block(2, &value, &mut out);
    }
    out
}

/// The number of a scalar in `FieldDescriptorProto.Type`.
fn number_of(scalar: Scalar) -> u64 {
    match scalar {
        Scalar::Double => 1,
        Scalar::Float => 2,
        Scalar::Int64 => 3,
        Scalar::Uint64 => 4,
        Scalar::Int32 => 5,
        Scalar::Fixed64 => 6,
        Scalar::Fixed32 => 7,
        Scalar::Bool => 8,
        Scalar::String => 9,
        Scalar::Bytes => 12,
        Scalar::Uint32 => 13,
        Scalar::Sfixed32 => 15,
        Scalar::Sfixed64 => 16,
        Scalar::Sint32 => 17,
        Scalar::Sint64 => 18,
    }
}
