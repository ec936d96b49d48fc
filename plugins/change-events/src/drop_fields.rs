//! Fields that a header names are left out of a record.

use std::sync::Arc;

use wharf_api::{ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, Value};
use wharf_transforms::support::{copy_null, copy_schema_basics, no_map, no_struct};

const PURPOSE: &str = "field replacement";
/// How many schemas are kept; the one used longest ago makes room.
const CAPACITY: usize = 64;

/// What is left out, and the schemas that came of it.
#[derive(Debug)]
pub(crate) struct DropFields {
    header: String,
    from_key: bool,
    /// Whether fields that are not optional stay.
    keeps_compatible: bool,
    /// A schema, the positions that stay, and the schema of these; the most recently used first.
    schemas: Vec<(SchemaRef, Vec<usize>, SchemaRef)>,
}

impl DropFields {
    pub(crate) fn new(header: String, from_key: bool, keeps_compatible: bool) -> Self {
        Self {
            header,
            from_key,
            keeps_compatible,
            schemas: Vec::new(),
        }
    }

    /// Leaves out what the record's own header names. Of the value only the first fields are looked at, so many as
    /// `value_fields` says.
    pub(crate) fn apply(&mut self, record: &mut Record, value_fields: usize) -> Result<()> {
        let names = self.names(record)?;
        if names.is_empty() {
            return Ok(());
        }
        if self.from_key && !record.key.is_null() {
            self.leave_out(&mut record.key_schema, &mut record.key, &names, usize::MAX)?;
        }
        if record.value_schema.is_some() {
            self.leave_out(&mut record.value_schema, &mut record.value, &names, value_fields)?;
        }
        Ok(())
    }

    /// The first header of that name counts.
    fn names(&self, record: &Record) -> Result<Vec<String>> {
        let mut headers = record.headers.iter();
        match headers
            .find(|header| header.key() == self.header)
            .map(|header| header.value())
        {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()),
            Some(other) => Err(ConnectError::data(format!(
                "header {} has to hold a list of field names, found: {}",
                self.header,
                other.java_class()
            ))
            .with_class("java.lang.ClassCastException")),
        }
    }

    fn leave_out(
        &mut self,
        schema: &mut Option<SchemaRef>,
        value: &mut Value,
        names: &[String],
        limit: usize,
    ) -> Result<()> {
        let Some(known) = schema else {
            return match value {
                Value::Map(entries) => {
                    entries.retain(|(key, _)| !key.as_str().is_some_and(|key| is_among(names, key)));
                    Ok(())
                }
                other => Err(no_map(other, PURPOSE)),
            };
        };
        if self.keeps_compatible && self.kept(known, names, limit)?.len() == known.fields()?.len() {
            return Ok(());
        }
        let inner = match value {
            Value::Null => return Ok(()),
            Value::Struct(inner) => inner,
            other => return Err(no_struct(other, PURPOSE)),
        };
        let kept = self.kept(inner.schema(), names, limit)?;
        let smaller = self.without(inner.schema(), &kept)?;
        inner.reshape(SchemaRef::clone(&smaller), |values| {
            for (to, from) in kept.iter().enumerate() {
                values.swap(to, *from);
            }
            values.truncate(kept.len());
            let fields = smaller.fields()?;
            values
                .iter_mut()
                .zip(fields)
                .try_for_each(|(value, field)| copy_null(value, field, true))
        })?;
        *schema = Some(smaller);
        Ok(())
    }

    /// The positions of fields that stay.
    fn kept(&self, schema: &Schema, names: &[String], limit: usize) -> Result<Vec<usize>> {
        let stays = |field: &&wharf_api::Field| {
            field.index() >= limit
                || !is_among(names, field.name())
                || (self.keeps_compatible && !field.schema().is_optional())
        };
        let fields = schema.fields()?.iter();
        Ok(fields.filter(stays).map(wharf_api::Field::index).collect())
    }

    /// The schema with these fields of another.
    fn without(&mut self, schema: &SchemaRef, kept: &[usize]) -> Result<SchemaRef> {
        let entries = &mut self.schemas;
        let known = entries
            .iter()
            .position(|(of, positions, _)| Arc::ptr_eq(of, schema) && positions == kept);
        match known {
            Some(at) => entries[..=at].rotate_right(1),
            None => {
                let mut builder = copy_schema_basics(schema, SchemaBuilder::structure());
                let fields = schema.fields()?;
                for field in kept.iter().map(|position| &fields[*position]) {
                    builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
                }
                let smaller = builder.build()?;
                entries.truncate(CAPACITY - 1);
                entries.insert(0, (SchemaRef::clone(schema), kept.to_vec(), smaller));
            }
        }
        Ok(SchemaRef::clone(&entries[0].2))
    }
}

fn is_among(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known == name)
}
