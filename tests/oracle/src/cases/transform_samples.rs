//! Values that transformations are given: each with its schema, or none.

use wharf_api::{Decimal, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};

use super::samples;
use super::{array, built, fields, map, structure};

/// A value and its schema.
pub(super) type Sample = (Option<SchemaRef>, Value);

fn entries(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        entries
            .iter()
            .map(|(key, value)| ((*key).into(), value.clone()))
            .collect(),
    )
}

/// A struct of plain fields and its value.
pub(super) fn plain() -> Sample {
    let schema = built(
        fields(&[
            ("a", Schema::int32()),
            ("b", Schema::optional_string()),
            ("c", Schema::float64()),
            ("ts", Schema::int64()),
        ])
        .name("plain")
        .version(2)
        .doc("a doc")
        .parameter("p", "1"),
    );
    let value = structure(
        &schema,
        vec![42.into(), "text".into(), 1.5.into(), 86_401_234_i64.into()],
    );
    (Some(schema), value)
}

/// A struct whose fields have defaults and are null, optional itself and with a default.
pub(super) fn defaulted() -> Sample {
    let start = fields(&[
        ("a", built(SchemaBuilder::int32().optional().default_value(7))),
        ("b", built(SchemaBuilder::string().default_value("bd"))),
        ("c", Schema::optional_float64()),
        (
            "ts",
            built(SchemaBuilder::int64().optional().default_value(1_500_000_i64)),
        ),
    ])
    .optional();
    let default = structure(&built(start.clone()), vec![1.into(), "x".into()]);
    let schema = built(start.default_value(default));
    let value = structure(&schema, vec![]);
    (Some(schema), value)
}

/// A struct with every type of field.
pub(super) fn wide() -> Sample {
    let point = samples::point();
    let schema = built(fields(&[
        ("a", Schema::int8()),
        ("b", Schema::int16()),
        ("c", Schema::boolean()),
        ("d", Schema::float32()),
        ("bytes", Schema::bytes()),
        ("dec", logical::decimal(2)),
        ("date", logical::date()),
        ("time", logical::time()),
        ("ts", logical::optional_timestamp()),
        ("list", array(Schema::int32())),
        ("map", map(Schema::string(), Schema::int32())),
        ("point", SchemaRef::clone(&point)),
    ]));
    let value = vec![
        5_i8.into(),
        300_i16.into(),
        true.into(),
        2.5_f32.into(),
        (&b"\x01\xff"[..]).into(),
        Decimal::new(156, 2).into(),
        Value::Date(86_400_000 * 10_000),
        Value::Date(3_600_000),
        Value::Date(1_566_570_894_346),
        Value::Array(vec![1.into(), 2.into()]),
        Value::Map(vec![("k".into(), 1.into())]),
        structure(&point, vec![1.into(), "l".into()]),
    ];
    let value = structure(&schema, value);
    (Some(schema), value)
}

/// Structs within structs; the inner one may be left out, or have a default.
///
/// Java's struct that is a default has the schema of a builder, which equals no other: reading a null as such a default is
/// refused there, so only what does not read it is asked.
pub(super) fn nested(is_null: bool, has_default: bool) -> Sample {
    let inner = |builder: SchemaBuilder| {
        builder
            .field("x", Schema::int32())
            .field("y", built(SchemaBuilder::string().optional().default_value("yd")))
            .field("a.b", array(Schema::int8()))
    };
    let deep = built(fields(&[("x", Schema::int8())]).name("deep"));
    let start = inner(SchemaBuilder::structure())
        .field("deep", SchemaRef::clone(&deep))
        .optional();
    let list = || Value::Array(vec![1_i8.into()]);
    let deep_value = || structure(&deep, vec![3_i8.into()]);
    let default = structure(
        &built(start.clone()),
        vec![9.into(), Value::Null, list(), deep_value()],
    );
    let with_default = built(if has_default {
        start.default_value(default)
    } else {
        start
    });
    let schema = built(fields(&[
        ("a", Schema::int32()),
        ("in", SchemaRef::clone(&with_default)),
        ("deep", SchemaRef::clone(&deep)),
    ]));
    let inner = if is_null {
        Value::Null
    } else {
        structure(&with_default, vec![1.into(), Value::Null, list(), deep_value()])
    };
    let value = structure(&schema, vec![5.into(), inner, deep_value()]);
    (Some(schema), value)
}

/// What most transformations are given.
pub(super) fn all() -> Vec<Sample> {
    let sibling = |name: &str| {
        let schema = built(fields(&[(name, Schema::int32())]));
        let value = structure(&schema, vec![1.into()]);
        (Some(schema), value)
    };
    let required_null = {
        let schema = built(fields(&[("a", Schema::int32()), ("b", Schema::string())]));
        let value = Value::from(Struct::from_values(SchemaRef::clone(&schema), vec![]));
        (Some(schema), value)
    };
    let collides = {
        let inner = built(fields(&[("b", Schema::int8())]));
        let schema = built(fields(&[
            ("a", SchemaRef::clone(&inner)),
            ("a.b", Schema::int8()),
        ]));
        let value = structure(&schema, vec![structure(&inner, vec![1_i8.into()]), 2_i8.into()]);
        (Some(schema), value)
    };
    vec![
        plain(),
        defaulted(),
        wide(),
        nested(false, false),
        nested(true, false),
        sibling("b"),
        required_null,
        collides,
        (defaulted().0, Value::Null),
        (Some(Schema::int32()), 5.into()),
        (Some(Schema::optional_string()), Value::Null),
        (Some(Schema::string()), "1970 01 02".into()),
        (Some(Schema::int64()), 1_566_570_894_346_i64.into()),
        (Some(logical::timestamp()), Value::Date(1_566_570_894_346)),
        (Some(array(Schema::int32())), Value::Array(vec![1.into()])),
        (
            Some(map(Schema::string(), Schema::int32())),
            entries(&[("a", 1.into())]),
        ),
        (None, Value::Null),
        (None, 5.into()),
        (None, "2019 08 23".into()),
        (None, 86_401_234_i64.into()),
        (None, Value::Date(86_401_234)),
        (None, true.into()),
        (None, Value::Map(vec![])),
        (
            None,
            entries(&[("a", 42.into()), ("b", "text".into()), ("ts", 1500_i64.into())]),
        ),
        (
            None,
            entries(&[
                (
                    "a",
                    entries(&[("b", 1.into()), ("c", entries(&[("d", Value::Array(vec![]))]))]),
                ),
                ("a.b", 3.into()),
                ("e", entries(&[])),
                ("n", entries(&[("k", Value::Null)])),
                ("ts", Value::Date(0)),
            ]),
        ),
        (
            None,
            Value::Map(vec![(1.into(), 2.into()), ("a".into(), Value::Null)]),
        ),
        (None, entries(&[("a", plain().1), ("ts", "1970 01 02".into())])),
    ]
}
