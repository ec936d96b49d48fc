//! Which half of a record a transformation works on: upstream's inner classes `$Key` and `$Value`.

use wharf_api::{Record, SchemaRef, Value};

/// Key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
}

impl Side {
    /// Schema and value of this side, to change in place.
    pub(crate) fn of(self, record: &mut Record) -> (&mut Option<SchemaRef>, &mut Value) {
        match self {
            Self::Key => (&mut record.key_schema, &mut record.key),
            Self::Value => (&mut record.value_schema, &mut record.value),
        }
    }
}
