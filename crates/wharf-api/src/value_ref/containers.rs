//! Borrowed arrays, maps and structs: over owned trees, or over flat bytes that were checked when the view was made.

use super::ValueRef;
use crate::flat::{self, Cursor};
use crate::schema::{Field, SchemaRef};
use crate::structs::Struct;
use crate::value::Value;

/// Flat-encoded parts of an array, map or struct, checked already.
#[derive(Debug, Clone, Copy)]
pub struct FlatItems<'a> {
    /// Values, not entries: a map of two entries has four.
    pub(super) count: usize,
    pub(super) body: &'a [u8],
    /// What the place declares, of which the element schemas are part.
    pub(super) declared: Option<&'a SchemaRef>,
    pub(super) table: &'a [SchemaRef],
}

impl<'a> FlatItems<'a> {
    pub(super) fn key_schema(&self) -> Option<&'a SchemaRef> {
        self.declared.and_then(|schema| schema.key_schema.as_ref())
    }

    pub(super) fn value_schema(&self) -> Option<&'a SchemaRef> {
        self.declared.and_then(|schema| schema.value_schema.as_ref())
    }
}

/// A borrowed array.
#[derive(Debug, Clone, Copy)]
pub enum ArrayRef<'a> {
    /// Owned elements.
    Owned(&'a [Value]),
    /// Encoded elements.
    Flat(FlatItems<'a>),
}

/// A borrowed map.
#[derive(Debug, Clone, Copy)]
pub enum MapRef<'a> {
    /// Owned entries.
    Owned(&'a [(Value, Value)]),
    /// Encoded entries.
    Flat(FlatItems<'a>),
}

/// A borrowed struct.
#[derive(Debug, Clone, Copy)]
pub enum StructRef<'a> {
    /// An owned struct.
    Owned(&'a Struct),
    /// A schema and the encoded field values in order.
    Flat(&'a SchemaRef, FlatItems<'a>),
}

impl<'a> ArrayRef<'a> {
    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Owned(items) => items.len(),
            Self::Flat(items) => items.count,
        }
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let (owned, flat) = match *self {
            Self::Owned(items) => (Some(items.iter()), None),
            Self::Flat(items) => (None, Some(FlatIter::new(items))),
        };
        owned
            .into_iter()
            .flatten()
            .map(Value::as_ref)
            .chain(flat.into_iter().flatten())
    }
}

impl<'a> MapRef<'a> {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Owned(entries) => entries.len(),
            Self::Flat(items) => items.count / 2,
        }
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (ValueRef<'a>, ValueRef<'a>)> + use<'a> {
        let (owned, flat) = match *self {
            Self::Owned(entries) => (Some(entries.iter()), None),
            Self::Flat(items) => (None, Some(FlatIter::new(items))),
        };
        let flat = flat.into_iter().flat_map(|mut iter| {
            std::iter::from_fn(move || {
                let key = iter.next_with(iter.items.key_schema())?;
                Some((key, iter.next_with(iter.items.value_schema())?))
            })
        });
        owned
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
            .chain(flat)
    }
}

impl<'a> StructRef<'a> {
    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &'a SchemaRef {
        match *self {
            Self::Owned(value) => value.schema(),
            Self::Flat(schema, _) => schema,
        }
    }

    /// Each field with its stored value, defaults not applied.
    pub fn fields(&self) -> impl Iterator<Item = (&'a Field, ValueRef<'a>)> + use<'a> {
        let fields = &self.schema().fields;
        let (owned, flat) = match *self {
            Self::Owned(value) => (Some(value.values().iter()), None),
            Self::Flat(_, items) => (None, Some(FlatIter::new(items))),
        };
        let flat = flat.into_iter().flat_map(move |mut iter| {
            fields.iter().map(move |field| {
                (
                    field,
                    iter.next_with(Some(field.schema())).unwrap_or(ValueRef::Null),
                )
            })
        });
        owned
            .into_iter()
            .flat_map(move |values| {
                fields
                    .iter()
                    .zip(values)
                    .map(|(field, value)| (field, value.as_ref()))
            })
            .chain(flat)
    }

    /// The stored value of a field, defaults not applied; `None` when there is no such field.
    #[must_use]
    pub fn get_without_default(&self, name: &str) -> Option<ValueRef<'a>> {
        self.entry(name).map(|(_, value)| value)
    }

    /// A field with its stored value. What stands before it is passed over.
    fn entry(&self, name: &str) -> Option<(&'a Field, ValueRef<'a>)> {
        let fields = &self.schema().fields;
        let position = fields.iter().position(|field| field.name() == name)?;
        let field = &fields[position];
        let value = match *self {
            Self::Owned(value) => value.values().get(position).map(Value::as_ref),
            Self::Flat(_, items) => {
                let mut values = FlatIter::new(items);
                values.pass(position);
                values.next_with(Some(field.schema()))
            }
        };
        Some((field, value.unwrap_or(ValueRef::Null)))
    }

    /// The value of a field, its default when it is null; `None` when there is no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ValueRef<'a>> {
        let (field, value) = self.entry(name)?;
        Some(match (value, field.schema().default_value()) {
            (ValueRef::Null, Some(default)) => default.as_ref(),
            _ => value,
        })
    }
}

struct FlatIter<'a> {
    items: FlatItems<'a>,
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> FlatIter<'a> {
    fn new(items: FlatItems<'a>) -> Self {
        Self {
            items,
            cursor: Cursor::new(items.body),
            left: items.count,
        }
    }

    /// Passes over values without reading them.
    fn pass(&mut self, count: usize) {
        for _ in 0..count.min(self.left) {
            self.left -= 1;
            // The bytes were checked when the container was decoded.
            if flat::skip_value(&mut self.cursor).is_err() {
                self.left = 0;
            }
        }
    }

    fn next_with(&mut self, schema: Option<&'a SchemaRef>) -> Option<ValueRef<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        // The bytes were checked when the container was decoded.
        Some(ValueRef::read(&mut self.cursor, schema, self.items.table).unwrap_or(ValueRef::Null))
    }
}

impl<'a> Iterator for FlatIter<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.next_with(self.items.value_schema())
    }
}
