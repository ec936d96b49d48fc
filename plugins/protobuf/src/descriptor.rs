//! Message types after their names were resolved: what the conversions work on.

/// A type by its place in the [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(pub(crate) usize);

/// An enum by its place in the [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EnumId(pub(crate) usize);

/// All types of a schema and of what it imports.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    /// Messages of the main file, as message indexes count them.
    pub(crate) roots: Vec<MessageId>,
}

/// A message type.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) fields: Vec<Field>,
    /// Those that were written as such, not those that stand for the word `optional`.
    pub(crate) oneofs: Vec<Oneof>,
    /// Nested types, as message indexes count them.
    pub(crate) nested: Vec<MessageId>,
}

/// A oneof: its name, its position among all oneofs, and its fields' positions.
#[derive(Debug, Clone)]
pub(crate) struct Oneof {
    pub(crate) name: String,
    pub(crate) index: usize,
    pub(crate) fields: Vec<usize>,
}

/// An enum type.
#[derive(Debug, Clone)]
pub(crate) struct Enum {
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) values: Vec<(String, i32)>,
    /// Whether unknown numbers are kept, as in proto3.
    pub(crate) is_open: bool,
}

/// A field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) is_repeated: bool,
    /// Position in [`Message::oneofs`].
    pub(crate) oneof: Option<usize>,
    /// `optional` was written in proto3.
    pub(crate) is_proto3_optional: bool,
    /// `optional` was written, in proto2 or proto3.
    pub(crate) has_optional_keyword: bool,
    /// The default that proto2 lets a field declare, as it is written.
    pub(crate) default: Option<String>,
    /// `(confluent.field_meta).params`.
    pub(crate) params: Vec<(String, String)>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Enum(EnumId),
    Message(MessageId),
    /// A message between two tags, in proto2.
    Group(MessageId),
}

/// Scalar types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
}

impl Scalar {
    const ALL: [(Self, &'static str); 15] = [
        (Self::Double, "double"),
        (Self::Float, "float"),
        (Self::Int64, "int64"),
        (Self::Uint64, "uint64"),
        (Self::Int32, "int32"),
        (Self::Fixed64, "fixed64"),
        (Self::Fixed32, "fixed32"),
        (Self::Bool, "bool"),
        (Self::String, "string"),
        (Self::Bytes, "bytes"),
        (Self::Uint32, "uint32"),
        (Self::Sfixed32, "sfixed32"),
        (Self::Sfixed64, "sfixed64"),
        (Self::Sint32, "sint32"),
        (Self::Sint64, "sint64"),
    ];

    /// The word in schemas.
    pub(crate) fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(scalar, _)| *scalar == self)
            .map_or("", |(_, word)| word)
    }

    /// The type of a word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(scalar, _)| *scalar)
    }

    /// Whether values stand side by side in one block when they are repeated.
    pub(crate) fn is_packable(self) -> bool {
        !matches!(self, Self::String | Self::Bytes)
    }
}

impl Pool {
    pub(crate) fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0]
    }

    pub(crate) fn enumeration(&self, id: EnumId) -> &Enum {
        &self.enums[id.0]
    }

    /// The message that a path of indexes leads to.
    pub(crate) fn at(&self, path: &[usize]) -> Option<MessageId> {
        let mut level = &self.roots;
        let mut found = None;
        for index in path {
            let id = *level.get(*index)?;
            found = Some(id);
            level = &self.message(id).nested;
        }
        found
    }

    /// The path of indexes that leads to a message of this full name.
    pub(crate) fn path_of(&self, full_name: &str) -> Option<Vec<usize>> {
        fn search(pool: &Pool, level: &[MessageId], full_name: &str, path: &mut Vec<usize>) -> bool {
            for (index, id) in level.iter().enumerate() {
                let message = pool.message(*id);
                path.push(index);
                if message.full_name == full_name {
                    return true;
                }
                let is_prefix = full_name
                    .strip_prefix(&message.full_name)
                    .is_some_and(|rest| rest.starts_with('.'));
                if is_prefix && search(pool, &message.nested, full_name, path) {
                    return true;
                }
                path.pop();
            }
            false
        }
        let mut path = Vec::new();
        search(self, &self.roots, full_name, &mut path).then_some(path)
    }

    /// The path of a message by the parts of its name, of which those that are no message's on their way are passed over: the schema's
    /// package may be another than the name's, or none. Without any that is, the only message that there is of its last part's name, at
    /// whatever level, or the only message at all.
    pub(crate) fn path_of_parts(&self, full_name: &str) -> Option<Vec<usize>> {
        let (mut level, mut path) = (&self.roots, Vec::new());
        for part in full_name.split('.') {
            if let Some(index) = level.iter().position(|id| self.message(*id).name == part) {
                path.push(index);
                level = &self.message(level[index]).nested;
            }
        }
        if !path.is_empty() {
            return Some(path);
        }
        let name = full_name.rsplit('.').next().unwrap_or(full_name);
        let (mut all, mut named) = (Vec::new(), Vec::new());
        self.paths(&self.roots, &mut Vec::new(), &mut |path, id| {
            all.push(path.to_vec());
            if self.message(id).name == name {
                named.push(path.to_vec());
            }
        });
        match (named.len(), all.len()) {
            (1, _) => named.pop(),
            (0, 1) => all.pop(),
            _ => None,
        }
    }

    /// Visits all messages with their paths.
    fn paths(&self, level: &[MessageId], path: &mut Vec<usize>, visit: &mut impl FnMut(&[usize], MessageId)) {
        for (index, id) in level.iter().enumerate() {
            path.push(index);
            visit(path, *id);
            self.paths(&self.message(*id).nested, path, visit);
            path.pop();
        }
    }

    /// Whether a message is one that the compiler makes for `map<…>`, or looks like one, as upstream tells maps.
    pub(crate) fn is_map_entry(&self, id: MessageId) -> bool {
        let message = self.message(id);
        message.name.ends_with("Entry")
            && matches!(
                message.fields.as_slice(),
                [key, value] if key.name == "key" && value.name == "value" && !key.is_repeated && !value.is_repeated
            )
    }
}

/// The scalar inside a wrapper message of Google's, by its full name.
pub(crate) fn wrapped_scalar(full_name: &str) -> Option<Scalar> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "DoubleValue" => Scalar::Double,
        "FloatValue" => Scalar::Float,
        "Int64Value" => Scalar::Int64,
        "UInt64Value" => Scalar::Uint64,
        "Int32Value" => Scalar::Int32,
        "UInt32Value" => Scalar::Uint32,
        "BoolValue" => Scalar::Bool,
        "StringValue" => Scalar::String,
        "BytesValue" => Scalar::Bytes,
        _ => return None,
    })
}
