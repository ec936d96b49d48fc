//! From the text of schema files to resolved message types.
//!
//! A registered schema is `.proto` text, or a serialized file descriptor in Base64 as some clients register it. Imports come from the
//! schema's references, else from the well-known files. Names are resolved here, by Protobuf's rule: from the innermost scope outwards.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use wharf_api::{ConnectError, Result};

use crate::descriptor::{Enum, EnumId, Field, Kind, Message, MessageId, Oneof, Pool, Scalar};
use crate::field_meta::{self, Params};
use crate::well_known;

/// How deep braces may stand in a schema's text. The parser works by recursion.
const MAX_BRACES: usize = 128;
/// The most files that a schema may consist of.
const MAX_FILES: usize = 1000;

/// Where a file's text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.proto` text.
    Text,
    /// A serialized descriptor, in which `map<…>` has become a nested type.
    Binary,
}

/// A file's descriptor, with names as they were written.
///
/// # Errors
/// A data error when it is neither `.proto` text nor a descriptor.
pub(crate) fn parse_file(name: &str, text: &str) -> Result<(FileDescriptorProto, Form)> {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'<' | b'(' => depth += 1,
            b'}' | b']' | b'>' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACES {
            return Err(ConnectError::data(format!(
                "the Protobuf schema {name} nests deeper than {MAX_BRACES} levels; flatten it"
            )));
        }
    }
    let refused = match protox_parse::parse(name, text) {
        Ok(file) => return Ok((file, Form::Text)),
        Err(error) => error,
    };
    let bytes = STANDARD.decode(text.trim()).ok();
    if let Some(file) = bytes.and_then(|bytes| FileDescriptorProto::decode(bytes.as_slice()).ok()) {
        return Ok((file, Form::Binary));
    }
    Err(ConnectError::data(format!(
        "the Protobuf schema {name} cannot be read; correct it in the registry"
    ))
    .caused_by(ConnectError::data(refused.to_string())))
}

/// The types of a schema, of what it refers to by name, and of well-known files.
///
/// # Errors
/// A data error when a file cannot be read, is missing, or names a type that is not there.
pub(crate) fn link<'a>(text: &str, references: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Pool> {
    let references: HashMap<&str, &str> = references.collect();
    let (main, form) = parse_file("schema", text)?;
    let mut linker = Linker::default();
    let mut wanted: Vec<String> = main.dependency.clone();
    // Options of Confluent's need no import, as upstream has them at hand.
    let mut known: HashSet<String> = HashSet::new();
    let mut files = vec![(main, form, text)];
    while let Some(name) = wanted.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        let text = references.get(name.as_str()).copied().or_else(|| well_known::text(&name)).ok_or_else(|| {
            ConnectError::data(format!(
                "the Protobuf schema imports {name}, which is neither among its references in the registry nor well known; \
                 register it with a reference of that name"
            ))
        })?;
        let (file, form) = parse_file(&name, text)?;
        wanted.extend(file.dependency.iter().cloned());
        files.push((file, form, text));
        if files.len() > MAX_FILES {
            return Err(ConnectError::data(format!(
                "the Protobuf schema consists of more than {MAX_FILES} files"
            )));
        }
    }
    for (position, (file, form, text)) in files.iter().enumerate() {
        linker.declare(file, *form, text, position == 0);
    }
    linker.define(&files)
}

#[derive(Clone, Copy)]
enum TypeId {
    Message(MessageId),
    Enum(EnumId),
}

#[derive(Default)]
struct Linker {
    pool: Pool,
    names: HashMap<String, TypeId>,
    /// Parameters from binary descriptors, by message and field.
    params: HashMap<(String, String), Params>,
}

fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}

impl Linker {
    /// Enters all types by name.
    fn declare(&mut self, file: &FileDescriptorProto, form: Form, text: &str, is_main: bool) {
        let is_proto3 = file.syntax() == "proto3";
        let package = file.package().to_owned();
        if form == Form::Binary
            && let Ok(bytes) = STANDARD.decode(text.trim())
        {
            self.params.extend(field_meta::from_descriptor(&bytes, &package));
        }
        let mut roots = Vec::new();
        for message in &file.message_type {
            roots.push(self.declare_message(message, &package, form, is_proto3));
        }
        for enumeration in &file.enum_type {
            self.declare_enum(enumeration, &package, is_proto3);
        }
        if is_main {
            self.pool.roots = roots;
        }
    }

    fn declare_message(
        &mut self,
        message: &DescriptorProto,
        scope: &str,
        form: Form,
        is_proto3: bool,
    ) -> MessageId {
        let id = MessageId(self.pool.messages.len());
        let full_name = joined(scope, message.name());
        self.pool.messages.push(Message {
            name: message.name().to_owned(),
            full_name: full_name.clone(),
            fields: Vec::new(),
            oneofs: Vec::new(),
            nested: Vec::new(),
        });
        for nested in &message.nested_type {
            let nested_id = self.declare_message(nested, &full_name, form, is_proto3);
            let is_made_for_map = nested.options.as_ref().is_some_and(|options| options.map_entry());
            if form == Form::Binary || !is_made_for_map {
                self.pool.messages[id.0].nested.push(nested_id);
            }
        }
        for enumeration in &message.enum_type {
            self.declare_enum(enumeration, &full_name, is_proto3);
        }
        self.names.entry(full_name).or_insert(TypeId::Message(id));
        id
    }

    fn declare_enum(&mut self, enumeration: &EnumDescriptorProto, scope: &str, is_open: bool) {
        let id = EnumId(self.pool.enums.len());
        let full_name = joined(scope, enumeration.name());
        self.pool.enums.push(Enum {
            name: enumeration.name().to_owned(),
            full_name: full_name.clone(),
            values: enumeration
                .value
                .iter()
                .map(|value| (value.name().to_owned(), value.number()))
                .collect(),
            is_open,
        });
        self.names.entry(full_name).or_insert(TypeId::Enum(id));
    }

    /// Fills in the fields. Messages are walked in the order in which they were declared.
    fn define(mut self, files: &[(FileDescriptorProto, Form, &str)]) -> Result<Pool> {
        let mut next = 0;
        for (file, _, _) in files {
            let is_proto3 = file.syntax() == "proto3";
            for message in &file.message_type {
                self.define_message(message, &mut next, is_proto3)?;
            }
        }
        Ok(self.pool)
    }

    fn define_message(&mut self, message: &DescriptorProto, next: &mut usize, is_proto3: bool) -> Result<()> {
        let id = *next;
        *next += 1;
        let scope = self.pool.messages[id].full_name.clone();
        let mut oneofs: Vec<Oneof> = message
            .oneof_decl
            .iter()
            .enumerate()
            .map(|(index, oneof)| Oneof {
                name: oneof.name().to_owned(),
                index,
                fields: Vec::new(),
            })
            .collect();
        let mut fields = Vec::with_capacity(message.field.len());
        for (position, field) in message.field.iter().enumerate() {
            let oneof = field
                .oneof_index
                .filter(|_| !field.proto3_optional())
                .and_then(|index| usize::try_from(index).ok())
                .filter(|index| *index < oneofs.len());
            if let Some(oneof) = oneof {
                oneofs[oneof].fields.push(position);
            }
            fields.push(self.field(field, &scope, oneof, is_proto3)?);
        }
        let mut numbers = HashSet::new();
        if let Some(field) = fields.iter().find(|field| !numbers.insert(field.number)) {
            return Err(ConnectError::data(format!(
                "the Protobuf message {scope} has two fields with the number {}; correct it in the registry",
                field.number
            )));
        }
        // What stands for the word `optional` is no oneof.
        oneofs.retain(|oneof| !oneof.fields.is_empty());
        for (position, oneof) in oneofs.iter_mut().enumerate() {
            oneof
                .fields
                .iter()
                .for_each(|field| fields[*field].oneof = Some(position));
        }
        self.pool.messages[id].fields = fields;
        self.pool.messages[id].oneofs = oneofs;
        for nested in &message.nested_type {
            self.define_message(nested, next, is_proto3)?;
        }
        Ok(())
    }

    fn field(
        &self,
        field: &FieldDescriptorProto,
        scope: &str,
        oneof: Option<usize>,
        is_proto3: bool,
    ) -> Result<Field> {
        let wrong = |what: &str| {
            ConnectError::data(format!(
                "the field {} of the Protobuf message {scope} {what}",
                field.name()
            ))
        };
        let kind = match &field.type_name {
            Some(name) => match self
                .resolve(scope, name)
                .ok_or_else(|| wrong(&format!("has the unknown type {name}")))?
            {
                TypeId::Message(id) if field.r#type == Some(Type::Group as i32) => Kind::Group(id),
                TypeId::Message(id) => Kind::Message(id),
                TypeId::Enum(id) => Kind::Enum(id),
            },
            None => Kind::Scalar(scalar(field.r#type()).ok_or_else(|| wrong("has no type"))?),
        };
        let number = u32::try_from(field.number())
            .ok()
            .filter(|number| (1..1 << 29).contains(number));
        let has_optional_keyword = field.proto3_optional()
            || !is_proto3 && field.label == Some(Label::Optional as i32) && field.oneof_index.is_none();
        let params = field_meta::from_options(field.options.as_ref()).or_else(|| {
            self.params
                .get(&(scope.to_owned(), field.name().to_owned()))
                .cloned()
        });
        Ok(Field {
            name: field.name().to_owned(),
            number: number.ok_or_else(|| wrong("has no valid number"))?,
            kind,
            is_repeated: field.label == Some(Label::Repeated as i32),
            oneof,
            is_proto3_optional: field.proto3_optional(),
            has_optional_keyword,
            default: field.default_value.clone(),
            params: params.unwrap_or_default(),
        })
    }

    fn resolve(&self, scope: &str, name: &str) -> Option<TypeId> {
        if let Some(absolute) = name.strip_prefix('.') {
            return self.names.get(absolute).copied();
        }
        let mut scope = scope;
        loop {
            if let Some(found) = self.names.get(&joined(scope, name)) {
                return Some(*found);
            }
            if scope.is_empty() {
                return None;
            }
            scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

fn scalar(kind: Type) -> Option<Scalar> {
    Some(match kind {
        Type::Double => Scalar::Double,
        Type::Float => Scalar::Float,
        Type::Int64 => Scalar::Int64,
        Type::Uint64 => Scalar::Uint64,
        Type::Int32 => Scalar::Int32,
        Type::Fixed64 => Scalar::Fixed64,
        Type::Fixed32 => Scalar::Fixed32,
        Type::Bool => Scalar::Bool,
        Type::String => Scalar::String,
        Type::Bytes => Scalar::Bytes,
        Type::Uint32 => Scalar::Uint32,
        Type::Sfixed32 => Scalar::Sfixed32,
        Type::Sfixed64 => Scalar::Sfixed64,
        Type::Sint32 => Scalar::Sint32,
        Type::Sint64 => Scalar::Sint64,
        Type::Group | Type::Message | Type::Enum => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_from_the_inside_out() {
        let text = r#"syntax = "proto3"; package p;
            import "other.proto"; import "google/protobuf/timestamp.proto";
            message A { message B { C c = 1; .p.C d = 2; } message C { int32 x = 1; } B b = 1; q.D e = 2;
              google.protobuf.Timestamp t = 3; map<string, C> m = 4; }
            message C { string y = 1; }"#;
        let other = r#"syntax = "proto3"; package q; message D { bool z = 1; }"#;
        let pool = link(text, [("other.proto", other)].into_iter()).unwrap();
        let kind =
            |path: &[usize], field: usize| match pool.message(pool.at(path).unwrap()).fields[field].kind {
                Kind::Message(id) => pool.message(id).full_name.clone(),
                other => format!("{other:?}"),
            };
        assert_eq!(kind(&[0, 0], 0), "p.A.C");
        assert_eq!(kind(&[0, 0], 1), "p.C");
        assert_eq!(kind(&[0], 1), "q.D");
        assert_eq!(kind(&[0], 2), "google.protobuf.Timestamp");
        // What is made for a map is not counted in text.
        assert_eq!(pool.message(pool.at(&[0]).unwrap()).nested.len(), 2);
        assert_eq!(pool.path_of("p.A.C").unwrap(), [0, 1]);
        assert_eq!(pool.path_of("p.C").unwrap(), [1]);
        assert!(pool.at(&[2]).is_none() && pool.at(&[]).is_none());
    }

    #[test]
    fn descriptors_in_base64_are_read_with_their_options() {
        let (mut file, _) = parse_file(
            "x",
            r#"syntax = "proto3"; package p; message M { int32 a = 1; map<string,int32> m = 2; }"#,
        )
        .unwrap();
        file.source_code_info = None;
        let mut bytes = file.encode_to_vec();
        let text = STANDARD.encode(&bytes);
        let pool = link(&text, std::iter::empty()).unwrap();
        let message = pool.message(pool.at(&[0]).unwrap());
        assert_eq!((message.full_name.as_str(), message.nested.len()), ("p.M", 1));
        // A second message with an option that the descriptor types do not know.
        let params = [&[0x12, 20, 0x0a, 12][..], b"connect.type", &[0x12, 4], b"int8"].concat();
        let options = [&[0x82, 0x44, params.len() as u8][..], &params].concat();
        let field = [
            &[
                0x0a,
                1,
                b'f',
                0x18,
                1,
                0x20,
                1,
                0x28,
                5,
                0x42,
                options.len() as u8,
            ][..],
            &options,
        ]
        .concat();
        let message = [&[0x0a, 1, b'N', 0x12, field.len() as u8][..], &field].concat();
        bytes.extend([0x22, message.len() as u8]);
        bytes.extend(message);
        let pool = link(&STANDARD.encode(&bytes), std::iter::empty()).unwrap();
        assert_eq!(
            pool.message(pool.at(&[1]).unwrap()).fields[0].params,
            [("connect.type".to_owned(), "int8".to_owned())]
        );
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        let deep = format!("{}{}", "message M {".repeat(100_000), "}".repeat(100_000));
        for (text, reason) in [
            ("not a schema", "cannot be read"),
            (r#"syntax = "proto3"; import "x.proto";"#, "imports x.proto"),
            (r#"syntax = "proto3"; message M { X x = 1; }"#, "unknown type X"),
            (deep.as_str(), "nests deeper"),
        ] {
            let error = link(text, std::iter::empty()).unwrap_err();
            assert!(error.message().contains(reason), "{error}");
        }
    }
}
