//! The fields of an envelope that `add.fields` and `add.headers` name, and where they are in one.

use wharf_api::{ConnectError, Result, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value};
use wharf_transforms::support::copy_schema_basics;

const OPERATION: &str = "op";
const SOURCE: &str = "source";
const TRANSACTION: &str = "transaction";
const UPDATE_DESCRIPTION: &str = "updateDescription";

/// One item of a list: `field`, `struct.field`, with `:name` behind for another name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldReference {
    /// The struct that the field is looked for in first; `None` is the envelope itself.
    parent: Option<String>,
    field: String,
    /// What it is called where it is added.
    name: String,
}

/// As Java splits: nothing is told of empty parts at the end.
fn split(text: &str, separator: char) -> Vec<&str> {
    if text.is_empty() {
        return vec![""];
    }
    match text.trim_end_matches(separator) {
        "" => Vec::new(),
        rest => rest.split(separator).collect(),
    }
}

/// Where a field is looked for that is named alone.
fn parent_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some(TRANSACTION),
        OPERATION | "ts_ms" | "ts_us" | "ts_ns" => None,
        UPDATE_DESCRIPTION => Some(UPDATE_DESCRIPTION),
        _ => Some(SOURCE),
    }
}

impl FieldReference {
    /// Reads an item; `None` when it is none.
    pub(crate) fn parse(prefix: &str, item: &str) -> Option<Self> {
        let (path, name) = match split(item, ':')[..] {
            [path] => (path, None),
            [path, name] => (path, Some(name)),
            _ => return None,
        };
        let steps = split(path, '.');
        let (parent, field) = match steps[..] {
            [] => return None,
            [field] => (parent_of(field), field),
            [parent, field, ..] => (Some(parent), field),
        };
        let name = match (name, parent) {
            (Some(name), _) => format!("{prefix}{name}"),
            (None, Some(parent)) if steps.len() > 1 => format!("{prefix}{parent}_{field}"),
            _ => format!("{prefix}{field}"),
        };
        Some(Self {
            parent: parent.map(str::to_owned),
            field: field.to_owned(),
            name,
        })
    }

    /// Whether this is the operation, the one thing that is known of a tombstone.
    pub(crate) fn is_operation(&self) -> bool {
        self.field == OPERATION
    }

    /// What it is called where it is added.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is in envelopes of this schema. A field that its struct does not have is looked for in the envelope; what is in
    /// neither is not added.
    pub(crate) fn resolve(&self, envelope: &Schema) -> Result<Option<Addition>> {
        let own = envelope.field(&self.field)?;
        let (place, found) = match &self.parent {
            None => match own {
                Some(own) => (Place::Envelope(own.index()), own),
                None => return Ok(None),
            },
            Some(parent) => {
                let within = envelope.field(parent)?.ok_or_else(|| {
                    let known = envelope.name().unwrap_or_default();
                    ConnectError::data(format!(
                        "{known} has no field \"{parent}\" that \"{}\" could be added from",
                        self.field
                    ))
                    .with_class("java.lang.NullPointerException")
                })?;
                match (within.schema().field(&self.field)?, own) {
                    (Some(field), _) => (Place::Struct(within.index(), field.index()), field),
                    (None, Some(own)) => (Place::EnvelopeBeside(within.index(), own.index()), own),
                    (None, None) => return Ok(None),
                }
            }
        };
        Ok(Some(Addition {
            name: self.name.clone(),
            schema: optional(found.schema())?,
            place,
        }))
    }
}

/// A field of an envelope that is added to a row or to the headers.
#[derive(Debug)]
pub(crate) struct Addition {
    /// Its new name.
    pub(crate) name: String,
    /// Its schema there: the same without default, and optional.
    pub(crate) schema: SchemaRef,
    place: Place,
}

/// Positions in an envelope.
#[derive(Debug)]
enum Place {
    Envelope(usize),
    Struct(usize, usize),
    /// In the envelope, but null as long as the struct before it is.
    EnvelopeBeside(usize, usize),
}

impl Addition {
    /// The value in this envelope; defaults are not looked at.
    pub(crate) fn value(&self, envelope: &Struct) -> Value {
        let values = envelope.values();
        match self.place {
            Place::Envelope(own) => values[own].clone(),
            Place::Struct(parent, field) => values[parent]
                .as_struct()
                .and_then(|parent| parent.values().get(field))
                .cloned()
                .unwrap_or(Value::Null),
            Place::EnvelopeBeside(parent, _) if values[parent].is_null() => Value::Null,
            Place::EnvelopeBeside(_, own) => values[own].clone(),
        }
    }
}

/// The same schema, optional and without default. As upstream, a struct loses its fields, and fails when it is added.
fn optional(source: &Schema) -> Result<SchemaRef> {
    let keys = source.key_schema().ok().flatten().cloned();
    let values = source.value_schema().ok().flatten().cloned();
    let builder = match (source.schema_type(), keys, values) {
        (SchemaType::Array, _, Some(item)) => SchemaBuilder::array(item),
        (SchemaType::Map, Some(key), Some(value)) => SchemaBuilder::map(key, value),
        (other, ..) => SchemaBuilder::new(other),
    };
    copy_schema_basics(source, builder).optional().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(item: &str) -> Option<(Option<String>, String, String)> {
        FieldReference::parse("__", item).map(|known| (known.parent, known.field, known.name))
    }

    #[test]
    fn items_are_read_as_upstream_reads_them() {
        for (item, parent, field, name) in [
            ("op", None, "op", "__op"),
            ("ts_ms", None, "ts_ms", "__ts_ms"),
            ("ts_us", None, "ts_us", "__ts_us"),
            ("ts_ns", None, "ts_ns", "__ts_ns"),
            ("lsn", Some("source"), "lsn", "__lsn"),
            ("id", Some("transaction"), "id", "__id"),
            ("total_order", Some("transaction"), "total_order", "__total_order"),
            ("source.ts_ms", Some("source"), "ts_ms", "__source_ts_ms"),
            ("source.ts_ms.x", Some("source"), "ts_ms", "__source_ts_ms"),
            ("source.", Some("source"), "source", "__source"),
            ("op:OP", None, "op", "__OP"),
            ("source.lsn:LSN", Some("source"), "lsn", "__LSN"),
            ("op:", None, "op", "__op"),
            ("", Some("source"), "", "__"),
            (":X", Some("source"), "", "__X"),
        ] {
            let expected = (parent.map(str::to_owned), field.to_owned(), name.to_owned());
            assert_eq!(parsed(item), Some(expected), "{item}");
        }
        for item in ["a:b:c", ":", ".", "..:x"] {
            assert_eq!(parsed(item), None, "{item}");
        }
    }

    #[test]
    fn an_added_schema_is_optional_and_has_no_default() {
        let source = SchemaBuilder::int64()
            .name("n")
            .version(3)
            .doc("d")
            .parameter("p", "1")
            .default_value(5_i64)
            .build()
            .unwrap();
        let added = optional(&source).unwrap();
        assert!(added.is_optional() && added.default_value().is_none());
        assert_eq!(
            (added.name(), added.version(), added.doc()),
            (Some("n"), Some(3), Some("d"))
        );
        assert_eq!(added.parameter("p"), Some("1"));
        for source in [
            SchemaBuilder::array(Schema::int8()).build().unwrap(),
            SchemaBuilder::map(Schema::string(), Schema::int8())
                .build()
                .unwrap(),
        ] {
            let added = optional(&source).unwrap();
            assert_eq!(added.value_schema().unwrap(), source.value_schema().unwrap());
        }
    }
}
