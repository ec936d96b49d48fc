//! Schemas made from others, and structs that take a new schema: upstream's `SchemaUtil` and the copying loops.

use wharf_api::structs::check_field;
use wharf_api::{Field, Result, Schema, SchemaBuilder, Struct, Value};

/// Name, version, doc and parameters of a schema on a builder; neither `optional` nor the default.
pub fn copy_schema_basics(source: &Schema, mut builder: SchemaBuilder) -> SchemaBuilder {
    if let Some(name) = source.name() {
        builder = builder.name(name);
    }
    if let Some(version) = source.version() {
        builder = builder.version(version);
    }
    if let Some(doc) = source.doc() {
        builder = builder.doc(doc);
    }
    builder.parameters(source.parameters().unwrap_or_default().iter().cloned())
}

/// The value of a field of a struct, read as `replace.null.with.default` says.
pub(crate) fn field_value<'s>(value: &'s Struct, field: &'s Field, replace_null: bool) -> &'s Value {
    if replace_null {
        value.get_field(field)
    } else {
        &value.values()[field.index()]
    }
}

/// What becomes of a null when upstream copies a field into a new struct: the default where it is wanted and there is
/// one, else null stays, which a required field does not take. Values that are not null suit their field already.
///
/// # Errors
/// A data error that names the required field.
pub fn copy_null(value: &mut Value, field: &Field, replace_null: bool) -> Result<()> {
    if !value.is_null() {
        return Ok(());
    }
    if replace_null && let Some(default) = field.schema().default_value() {
        *value = default.clone();
        return Ok(());
    }
    check_field(field, value)
}
