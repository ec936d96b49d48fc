//! Schemas on the border: each stands on its own, with everything below it inline.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Cursor, MAX_DEPTH, SchemaTable, malformed, put_block, put_len, put_sized, put_value, too_deep};
use crate::error::Result;
use crate::schema::{Field, Schema, SchemaRef, SchemaType};
use crate::structs::Struct;
use crate::value::Value;
use crate::value_ref::ValueRef;

mod schema_flag {
    pub(super) const OPTIONAL: u8 = 1;
    pub(super) const NAME: u8 = 2;
    pub(super) const VERSION: u8 = 4;
    pub(super) const DOC: u8 = 8;
    pub(super) const PARAMETERS: u8 = 16;
    pub(super) const DEFAULT: u8 = 32;
    pub(super) const KEY: u8 = 64;
    pub(super) const VALUE: u8 = 128;
}

/// Encodes a schema with everything below it.
pub(crate) fn put_schema(out: &mut Vec<u8>, schema: &Schema) -> Result<()> {
    put_schema_at(out, schema, 0)
}

fn put_schema_at(out: &mut Vec<u8>, schema: &Schema, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(too_deep("schema"));
    }
    let flags = [
        (schema.optional, schema_flag::OPTIONAL),
        (schema.name.is_some(), schema_flag::NAME),
        (schema.version.is_some(), schema_flag::VERSION),
        (schema.doc.is_some(), schema_flag::DOC),
        (schema.parameters.is_some(), schema_flag::PARAMETERS),
        (schema.default.is_some(), schema_flag::DEFAULT),
        (schema.key_schema.is_some(), schema_flag::KEY),
        (schema.value_schema.is_some(), schema_flag::VALUE),
    ];
    out.push(schema.schema_type as u8);
    out.push(
        flags
            .iter()
            .filter(|(set, _)| *set)
            .fold(0, |all, (_, flag)| all | flag),
    );
    if let Some(name) = &schema.name {
        put_block(out, name.as_bytes())?;
    }
    if let Some(version) = schema.version {
        out.extend_from_slice(&version.to_le_bytes());
    }
    if let Some(doc) = &schema.doc {
        put_block(out, doc.as_bytes())?;
    }
    if let Some(parameters) = &schema.parameters {
        put_len(out, parameters.len())?;
        for (key, value) in parameters {
            put_block(out, key.as_bytes())?;
            put_block(out, value.as_bytes())?;
        }
    }
    for part in [&schema.key_schema, &schema.value_schema].into_iter().flatten() {
        put_sized(out, |out| put_schema_at(out, part, depth + 1))?;
    }
    put_len(out, schema.fields.len())?;
    for field in &schema.fields {
        put_block(out, field.name().as_bytes())?;
        put_sized(out, |out| put_schema_at(out, field.schema(), depth + 1))?;
    }
    if let Some(default) = &schema.default {
        // Structs are written as arrays of their values: the schema they follow is this one.
        let plain = untyped(default);
        put_sized(out, |out| {
            put_value(out, &plain.as_ref(), None, &mut SchemaTable::default())
        })?;
    }
    Ok(())
}

fn untyped(value: &Value) -> Value {
    match value {
        Value::Struct(inner) => Value::Array(inner.values().iter().map(untyped).collect()),
        Value::Array(items) => Value::Array(items.iter().map(untyped).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(k, v)| (untyped(k), untyped(v))).collect()),
        other => other.clone(),
    }
}

fn typed(value: Value, schema: &SchemaRef) -> Value {
    match (schema.schema_type, value) {
        (SchemaType::Struct, Value::Array(values)) => {
            let typed_values = values
                .into_iter()
                .zip(&schema.fields)
                .map(|(value, field)| typed(value, field.schema()))
                .collect();
            Value::Struct(Box::new(Struct::from_values(Arc::clone(schema), typed_values)))
        }
        (SchemaType::Array, Value::Array(items)) => match &schema.value_schema {
            Some(element) => Value::Array(items.into_iter().map(|item| typed(item, element)).collect()),
            None => Value::Array(items),
        },
        (SchemaType::Map, Value::Map(entries)) => match (&schema.key_schema, &schema.value_schema) {
            (Some(key), Some(item)) => Value::Map(
                entries
                    .into_iter()
                    .map(|(k, v)| (typed(k, key), typed(v, item)))
                    .collect(),
            ),
            _ => Value::Map(entries),
        },
        (_, value) => value,
    }
}

/// Reads what [`put_schema`] wrote.
pub(crate) fn get_schema(bytes: &[u8]) -> Result<SchemaRef> {
    get_schema_at(bytes, 0)
}

fn get_schema_at(bytes: &[u8], depth: usize) -> Result<SchemaRef> {
    if depth > MAX_DEPTH {
        return Err(too_deep("schema"));
    }
    let mut cursor = Cursor::new(bytes);
    let schema_type =
        SchemaType::from_number(cursor.u8()?).ok_or_else(|| malformed("unknown schema type"))?;
    let flags = cursor.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let mut schema = Schema::plain(schema_type, has(schema_flag::OPTIONAL));
    if has(schema_flag::NAME) {
        schema.name = Some(cursor.text()?.to_owned());
    }
    if has(schema_flag::VERSION) {
        schema.version = Some(cursor.i32()?);
    }
    if has(schema_flag::DOC) {
        schema.doc = Some(cursor.text()?.to_owned());
    }
    if has(schema_flag::PARAMETERS) {
        let count = cursor.u32()?;
        let mut parameters = Vec::new();
        for _ in 0..count {
            parameters.push((cursor.text()?.to_owned(), cursor.text()?.to_owned()));
        }
        schema.parameters = Some(parameters);
    }
    if has(schema_flag::KEY) {
        schema.key_schema = Some(get_schema_at(cursor.block()?, depth + 1)?);
    }
    if has(schema_flag::VALUE) {
        schema.value_schema = Some(get_schema_at(cursor.block()?, depth + 1)?);
    }
    let fields = cursor.u32()?;
    for index in 0..fields as usize {
        let name = cursor.text()?.to_owned();
        schema.fields.push(Field::new(
            name,
            index,
            get_schema_at(cursor.block()?, depth + 1)?,
        ));
    }
    schema.index_fields();
    if !has(schema_flag::DEFAULT) {
        return Ok(Arc::new(schema));
    }
    let plain = ValueRef::decode(cursor.block()?, None, &[])?.to_value();
    let without_default = Arc::new(schema.clone());
    schema.default = Some(typed(plain, &without_default));
    Ok(Arc::new(schema))
}

/// Schemas read before, by their bytes, so that one schema keeps one identity from batch to batch.
#[derive(Debug, Default)]
pub struct SchemaCache {
    known: HashMap<Vec<u8>, SchemaRef>,
}

/// A task that uses more schemas than this starts its cache afresh.
const MAX_CACHED_SCHEMAS: usize = 1024;

impl SchemaCache {
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<SchemaRef> {
        if let Some(schema) = self.known.get(bytes) {
            return Ok(Arc::clone(schema));
        }
        let schema = get_schema(bytes)?;
        if self.known.len() >= MAX_CACHED_SCHEMAS {
            self.known.clear();
        }
        self.known.insert(bytes.to_vec(), Arc::clone(&schema));
        Ok(schema)
    }
}
