//! How messages of a type are read: for each field number, what it holds and where it goes. Compiled once for each schema, together
//! with the Connect schema.

use std::sync::Arc;

use wharf_api::{SchemaRef, SchemaType, Value};
use wharf_converters::value_budget::weight;

use crate::descriptor::Scalar;

/// A message type's fields, without the schema, which differs from place to place.
#[derive(Debug)]
pub(crate) struct Shape {
    /// By number.
    pub(crate) fields: Vec<ReadField>,
    /// The values of a struct before anything was read.
    pub(crate) initial: Vec<Value>,
    /// As how many values those count.
    pub(crate) weight: usize,
}

impl Shape {
    pub(crate) fn new(fields: Vec<ReadField>, initial: Vec<Value>) -> Self {
        Self {
            weight: initial.iter().map(weight).sum(),
            fields,
            initial,
        }
    }
}

/// One field.
#[derive(Debug)]
pub(crate) struct ReadField {
    pub(crate) number: u32,
    pub(crate) slot: Slot,
    pub(crate) many: Many,
    pub(crate) value: ReadValue,
}

/// Where a field's value goes.
#[derive(Debug)]
pub(crate) enum Slot {
    /// A field of the struct.
    Field(usize),
    /// A field of the struct that clears the other fields of its oneof.
    Flattened { field: usize, others: Vec<usize> },
    /// A member of the struct that stands for a oneof.
    Member {
        field: usize,
        union: SchemaRef,
        member: usize,
    },
}

impl Slot {
    pub(crate) fn field(&self) -> usize {
        match self {
            Self::Field(field) | Self::Flattened { field, .. } | Self::Member { field, .. } => *field,
        }
    }
}

/// How often a field may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Many {
    /// Once; of messages that occur again the parts are joined.
    One,
    /// Each occurrence is an element; scalars may also stand side by side in a block.
    Repeated,
    /// Each occurrence is an entry.
    Map,
}

/// How one value is read.
#[derive(Debug)]
pub(crate) enum ReadValue {
    Scalar(Scalar, SchemaType),
    /// A wrapper message, read as what it wraps.
    Wrapped(Scalar, SchemaType),
    Enum(Arc<ReadEnum>),
    Message {
        shape: Arc<Shape>,
        schema: SchemaRef,
    },
    Group {
        shape: Arc<Shape>,
        schema: SchemaRef,
    },
    Decimal,
    Date,
    Time,
    Timestamp,
    Entry(Box<ReadEntry>),
}

impl ReadValue {
    /// Whether a second occurrence is joined with the first.
    pub(crate) fn is_message(&self) -> bool {
        !matches!(self, Self::Scalar(..) | Self::Enum(_))
    }
}

/// A map's entry, with what stands for parts that are missing.
#[derive(Debug)]
pub(crate) struct ReadEntry {
    pub(crate) key: ReadValue,
    pub(crate) value: ReadValue,
    pub(crate) default_key: Value,
    pub(crate) default_value: Value,
}

/// An enum.
#[derive(Debug)]
pub(crate) struct ReadEnum {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, i32)>,
    pub(crate) is_open: bool,
    pub(crate) as_number: bool,
}

impl ReadEnum {
    /// The value of a number; `None` for one that a closed enum does not have.
    pub(crate) fn value(&self, number: i32) -> Option<Value> {
        let known = self.values.iter().find(|(_, known)| *known == number);
        match known {
            _ if self.as_number && (known.is_some() || self.is_open) => Some(Value::Int32(number)),
            Some((name, _)) => Some(Value::String(name.clone())),
            // The name that upstream's library makes up.
            None if self.is_open => Some(Value::String(format!(
                "UNKNOWN_ENUM_VALUE_{}_{number}",
                self.name
            ))),
            None => None,
        }
    }
}
