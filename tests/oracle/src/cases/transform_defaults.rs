//! Transformations of what has a default: a logical type that is cast, a struct whose null field has a struct as its default.
//!
//! A cast of the whole value keeps the name of its schema, and by the name of a logical type alone Java tells which class a
//! default must have.
//!
//! In Java a struct that is a default has the schema of the builder that it was given to, and a builder equals no other
//! schema. `Struct.validate` and `Struct.get` take such a default; `Struct.put`, by which transformations copy fields, refuses it.

use wharf_api::{Decimal, Record, Schema, SchemaBuilder, SchemaRef, Value, logical};

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

fn class(name: &str) -> RecordPlugin {
    let class = wharf_transforms::TRANSFORMATIONS
        .iter()
        .map(|entry| entry.class)
        .find(|class| class.ends_with(&format!(".{name}$Value")))
        .expect("tables name classes of the catalogue");
    RecordPlugin::Transformation(class)
}

pub(super) fn cast_defaults(table: &mut Table) {
    let decimal = || {
        SchemaBuilder::bytes()
            .name(logical::DECIMAL)
            .parameter(logical::SCALE_PARAMETER, "1")
    };
    let date = |name: &str| SchemaBuilder::int32().name(name);
    let timestamp = || SchemaBuilder::int64().name(logical::TIMESTAMP);
    let number = || Value::from(Decimal::new(15, 1));
    // Java before 19 writes more digits of it.
    let long_text = || SchemaBuilder::float32().default_value(5.093_271e7_f32);
    for (builder, value) in [
        (decimal().default_value(number()), number()),
        (decimal(), number()),
        (date(logical::DATE).default_value(Value::Date(0)), Value::Date(0)),
        (date(logical::TIME).default_value(Value::Date(1)), Value::Date(2)),
        (timestamp().default_value(Value::Date(1)), Value::Date(2)),
        (
            timestamp().optional().default_value(Value::Date(1)),
            Value::Date(2),
        ),
        (timestamp().optional(), Value::Date(2)),
        (long_text(), 5.093_271e7_f32.into()),
    ] {
        let schema = built(builder);
        let within = built(SchemaBuilder::structure().field("a", SchemaRef::clone(&schema)));
        let whole = structure(&within, vec![value.clone()]);
        for (spec, schema, value) in [
            ("string", &schema, &value),
            ("int64", &schema, &value),
            ("a:string", &within, &whole),
        ] {
            let record =
                Record::sink("topic", 0, 3).with_value(Some(SchemaRef::clone(schema)), value.clone());
            let call = Call::Record {
                plugin: class("Cast"),
                config: [("spec".to_owned(), spec.to_owned())].into(),
                record: Box::new(record),
            };
            table.same("cast-default", call);
        }
    }
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
        for keeps_null in [false, true] {
            let extra = keeps_null.then_some(KEEP_NULL);
            let config = config.iter().copied().chain(extra);
            let call = Call::Record {
                plugin: class(name),
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
