//! Transformations of a struct whose null field has a struct as its default.
//!
//! In Java a struct that is a default has the schema of the builder that it was given to, and a builder equals no other
//! schema. `Struct.validate` and `Struct.get` take such a default; `Struct.put`, by which transformations copy fields, refuses it.

use wharf_api::{Record, Schema, SchemaBuilder, SchemaRef, Value};

use super::{Table, built, structure};
use crate::case::{Call, RecordPlugin};

const DIFFERS: Option<&str> = Some("struct-default-copied");
const KEEP_NULL: (&str, &str) = ("replace.null.with.default", "false");

/// `{a: 5, in: null}`, where `in` has the default `{x: 9}`.
fn record() -> Record {
    let inner = SchemaBuilder::structure().field("x", Schema::int32()).optional();
    let default = structure(&built(inner.clone()), vec![9.into()]);
    let inner = built(inner.default_value(default));
    let schema = built(
        SchemaBuilder::structure()
            .field("a", Schema::int32())
            .field("in", inner),
    );
    let value = structure(&schema, vec![5.into(), Value::Null]);
    Record::sink("topic", 0, 3).with_value(Some(SchemaRef::clone(&schema)), value)
}

pub(super) fn struct_defaults(table: &mut Table) {
    for (name, config, differs) in [
        ("InsertField", &[("topic.field", "t")][..], DIFFERS),
        ("ReplaceField", &[("renames", "a:b")], DIFFERS),
        ("ReplaceField", &[("exclude", "in")], None),
        ("Cast", &[("spec", "a:string")], DIFFERS),
        ("MaskField", &[("fields", "a")], DIFFERS),
        (
            "TimestampConverter",
            &[("field", "none"), ("target.type", "unix")],
            DIFFERS,
        ),
        ("SetSchemaMetadata", &[("schema.name", "n")], DIFFERS),
        (
            "HeaderFrom",
            &[("fields", "a"), ("headers", "h"), ("operation", "move")],
            DIFFERS,
        ),
        ("Flatten", &[], None),
        ("HoistField", &[("field", "f")], None),
    ] {
        let class = wharf_transforms::TRANSFORMATIONS
            .iter()
            .map(|entry| entry.class)
            .find(|class| class.ends_with(&format!(".{name}$Value")))
            .expect("tables name classes of the catalogue");
        for keeps_null in [false, true] {
            let extra = keeps_null.then_some(KEEP_NULL);
            let config = config.iter().copied().chain(extra);
            let call = Call::Record {
                plugin: RecordPlugin::Transformation(class),
                config: config
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
                record: Box::new(record()),
            };
            // What keeps the null copies no default.
            table.add("struct-default", call, differs.filter(|_| !keeps_null));
        }
    }
}
