//! What is made of envelopes of one schema, worked out once.

use std::sync::Arc;

use wharf_api::structs::check_field;
use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef, Struct, Value};
use wharf_transforms::support::{copy_null, copy_schema_basics, no_struct};

use crate::field_reference::{Addition, FieldReference};
use crate::settings::{Deletes, Settings};
use crate::{AFTER, BEFORE};

const DELETED: &str = "__deleted";
const PURPOSE: &str = "source field insertion";

/// The plan. What cannot be had is told when a record needs it: envelopes of inserts do well without `before`.
#[derive(Debug)]
pub(crate) struct Plan {
    before: Result<Row>,
    after: Result<Row>,
    headers: Result<Vec<Addition>>,
    fields: Result<Vec<Addition>>,
}

/// One of the two rows of an envelope.
#[derive(Debug)]
pub(crate) struct Row {
    index: usize,
    /// The schema as it is in the envelope.
    pub(crate) schema: SchemaRef,
    /// The schema with what is added.
    extended: Result<SchemaRef>,
    /// How many of its fields are those of the row and the mark of deletes.
    pub(crate) own_fields: usize,
}

/// The value of the mark of deletes, where rows get one.
fn mark(settings: &Settings, is_delete: bool) -> Option<&'static str> {
    let mark = if is_delete { "true" } else { "false" };
    (settings.deletes == Deletes::Rewrite).then_some(mark)
}

fn resolved(references: &[FieldReference], envelope: &Schema) -> Result<Vec<Addition>> {
    references
        .iter()
        .filter_map(|reference| reference.resolve(envelope).transpose())
        .collect()
}

impl Plan {
    pub(crate) fn new(envelope: &Schema, settings: &Settings) -> Self {
        let fields = resolved(&settings.fields, envelope);
        let row = |name: &str| Row::new(name, envelope, settings, &fields);
        Self {
            before: row(BEFORE),
            after: row(AFTER),
            headers: resolved(&settings.headers, envelope),
            fields,
        }
    }

    pub(crate) fn before(&self) -> Result<&Row> {
        self.before.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn after(&self) -> Result<&Row> {
        self.after.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn headers(&self) -> Result<&[Addition]> {
        self.headers.as_deref().map_err(Clone::clone)
    }

    /// The row of an envelope with what is added to it.
    pub(crate) fn extract(
        &self,
        row: &Row,
        envelope: Struct,
        settings: &Settings,
        is_delete: bool,
    ) -> Result<Box<Struct>> {
        let fields = self.fields.as_ref().map_err(Clone::clone)?;
        let additions: Vec<Value> = fields.iter().map(|field| field.value(&envelope)).collect();
        let (_, mut values) = envelope.into_parts();
        let mut found = match row.or_default(std::mem::take(&mut values[row.index])) {
            Value::Struct(found) => found,
            other => return Err(no_struct(&other, PURPOSE)),
        };
        // A default's own schema is another one with the same fields.
        if !Arc::ptr_eq(found.schema(), &row.schema) && found.schema().fields()? != row.schema.fields()? {
            return Err(ConnectError::data("Struct schemas do not match."));
        }
        let extended = row.extended.as_ref().map_err(Clone::clone)?;
        let mark = mark(settings, is_delete);
        let replaces_null = mark.is_some() && settings.replaces_null;
        found.reshape(SchemaRef::clone(extended), |values| {
            extend(values, extended, mark, additions, replaces_null)
        })?;
        Ok(found)
    }
}

/// Appends the mark and the additions, each of which has to suit its field.
fn extend(
    values: &mut Vec<Value>,
    schema: &Schema,
    mark: Option<&str>,
    additions: Vec<Value>,
    replaces_null: bool,
) -> Result<()> {
    let fields = schema.fields()?;
    for (value, field) in values.iter_mut().zip(fields) {
        copy_null(value, field, replaces_null)?;
    }
    values.reserve_exact(fields.len().saturating_sub(values.len()));
    values.extend(mark.map(Value::from));
    for addition in additions {
        if let Some(field) = fields.get(values.len()) {
            check_field(field, &addition)?;
        }
        values.push(addition);
    }
    Ok(())
}

impl Row {
    fn new(
        name: &str,
        envelope: &Schema,
        settings: &Settings,
        fields: &Result<Vec<Addition>>,
    ) -> Result<Self> {
        let field = envelope.field(name)?.ok_or_else(|| {
            ConnectError::connect(format!("Unknown field: {name}"))
                .with_class("java.lang.IllegalArgumentException")
        })?;
        let schema = SchemaRef::clone(field.schema());
        let mark = mark(settings, name == BEFORE);
        Ok(Self {
            index: field.index(),
            own_fields: schema.fields().map_or(0, <[_]>::len) + usize::from(mark.is_some()),
            extended: extended(&schema, mark.is_some(), fields),
            schema,
        })
    }

    fn or_default(&self, value: Value) -> Value {
        match value {
            Value::Null => self.schema.default_value().cloned().unwrap_or(Value::Null),
            value => value,
        }
    }

    /// Whether an envelope has no such row.
    pub(crate) fn is_missing(&self, envelope: &Struct) -> bool {
        envelope.values()[self.index].is_null() && self.schema.default_value().is_none()
    }

    /// The row of an envelope as it is there.
    pub(crate) fn of<'e>(&'e self, envelope: &'e Struct) -> Option<&'e Struct> {
        match &envelope.values()[self.index] {
            Value::Null => self.schema.default_value()?.as_struct(),
            value => value.as_struct(),
        }
    }
}

fn extended(row: &Schema, has_mark: bool, fields: &Result<Vec<Addition>>) -> Result<SchemaRef> {
    let mut builder = copy_schema_basics(row, SchemaBuilder::structure());
    for field in row.fields()? {
        builder = builder.field(field.name(), SchemaRef::clone(field.schema()));
    }
    if has_mark {
        builder = builder.field(DELETED, Schema::optional_string());
    }
    for field in fields.as_ref().map_err(Clone::clone)? {
        builder = builder.field(&field.name, SchemaRef::clone(&field.schema));
    }
    builder.build()
}
