//! How values of a Connect schema are written: for each field its number and form. Compiled once for each schema.

use std::sync::Arc;

use wharf_api::SchemaType;

use crate::descriptor::Scalar;

/// A struct's fields, in the schema's order.
#[derive(Debug)]
pub(crate) struct WriteMessage {
    pub(crate) fields: Vec<WriteField>,
    /// Whether the schema's order is that of the numbers, in which fields are written.
    pub(crate) is_ordered: bool,
}

/// One field.
#[derive(Debug)]
pub(crate) enum WriteField {
    One(WriteOne),
    Repeated {
        number: u32,
        is_packed: bool,
        element: WriteValue,
    },
    Map {
        number: u32,
        key: WriteOne,
        value: WriteOne,
    },
    /// The members of a oneof, as the struct that stands for it has them.
    Oneof(Vec<WriteOne>),
}

/// A field that occurs at most once.
#[derive(Debug)]
pub(crate) struct WriteOne {
    pub(crate) number: u32,
    pub(crate) value: WriteValue,
    /// Whether zero and the like are written too.
    pub(crate) has_presence: bool,
}

/// How one value is written.
#[derive(Debug, Clone)]
pub(crate) enum WriteValue {
    Scalar(Scalar, SchemaType),
    /// Inside a wrapper message.
    Wrapped(Scalar, SchemaType),
    Enum(Arc<Vec<(String, i32)>>),
    Message(Arc<WriteMessage>),
    Decimal,
    Date,
    Time,
    Timestamp,
}

impl WriteValue {
    /// Whether values are messages, which are always written when they are there.
    pub(crate) fn is_message(&self) -> bool {
        !matches!(self, Self::Scalar(..) | Self::Enum(_))
    }

    /// Whether values stand side by side in one block when they are repeated.
    pub(crate) fn is_packable(&self) -> bool {
        match self {
            Self::Scalar(scalar, _) => scalar.is_packable(),
            Self::Enum(_) => true,
            _ => false,
        }
    }
}
