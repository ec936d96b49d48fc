//! `JsonConverter`, writing.

use wharf_api::{Decimal, Schema, SchemaBuilder, SchemaRef, Value, logical, structs};

use super::{Table, array, built, converter, fields, generated, json, map, samples, structure};
use crate::case::{Call, Usage};

const BOTH: [&[(&str, &str)]; 2] = [&[], &[("schemas.enable", "false")]];
const NUMERIC: &[(&str, &str)] = &[("decimal.format", "NUMERIC")];
const KEEP_NULL: &[(&str, &str)] = &[("replace.null.with.default", "false")];
const KEEP_NULL_BARE: &[(&str, &str)] = &[
    ("replace.null.with.default", "false"),
    ("schemas.enable", "false"),
];

fn call(config: &[(&str, &str)], schema: Option<&SchemaRef>, value: Value) -> Call {
    Call::From {
        converter: json(config),
        schema: schema.cloned(),
        value,
    }
}

pub(super) fn fill(table: &mut Table) {
    schemaless(table);
    every_class_for_every_type(table);
    logical_types(table);
    attributes(table);
    nulls_and_defaults(table);
    containers(table);
    texts(table);
    configuration(table);
    null_keys(table);
    generated::json_from(table);
}

/// A null key whose text is that of another key.
fn null_keys(table: &mut Table) {
    let defaulted = built(SchemaBuilder::string().optional().default_value("d"));
    for (keys, text) in [(defaulted, "d"), (Schema::optional_string(), "null")] {
        let schema = map(keys, Schema::int8());
        let entries =
            |keys: [Value; 3]| Value::Map(keys.into_iter().zip([1_i8, 2, 3].map(Value::from)).collect());
        for keys in [
            [Value::Null, "x".into(), text.into()],
            [text.into(), "x".into(), Value::Null],
            ["y".into(), Value::Null, "x".into()],
        ] {
            for config in [&[][..], KEEP_NULL] {
                table.same("null-key", call(config, Some(&schema), entries(keys.clone())));
            }
        }
    }
}

fn schemaless(table: &mut Table) {
    for value in samples::values() {
        table.same("schemaless", call(BOTH[1], None, value));
    }
    for value in samples::mostly(|_| false) {
        table.same("schemaless", call(&[], None, value));
    }
}

/// Values that suit the schema and, far more, such that do not.
fn every_class_for_every_type(table: &mut Table) {
    for schema in samples::schemas() {
        for value in samples::mostly(|value| structs::check(&schema, value).is_ok()) {
            table.same("class-of-type", call(BOTH[1], Some(&schema), value));
        }
    }
    for (schema, value) in samples::schemas().iter().zip([
        1_i8.into(),
        2_i16.into(),
        3.into(),
        4_398_046_511_104_i64.into(),
        12.34_f32.into(),
        12.34.into(),
        true.into(),
        "text".into(),
        (&b"test-string"[..]).into(),
        Value::Array(vec![1.into(), 2.into()]),
        Value::Map(vec![("k1".into(), 12.into()), ("k2".into(), 15.into())]),
        structure(&samples::point(), vec![7.into(), Value::Null]),
    ]) {
        table.same("envelope", call(&[], Some(schema), value));
    }
}

fn logical_types(table: &mut Table) {
    let mut values = samples::dates();
    values.extend(samples::values().into_iter().filter(|value| {
        matches!(
            value,
            Value::Null | Value::Decimal(_) | Value::Int32(300) | Value::String(_)
        )
    }));
    for schema in samples::logicals() {
        for value in &values {
            table.same("logical", call(BOTH[1], Some(&schema), value.clone()));
        }
    }
    for (unscaled, scale) in [
        (156, 2),
        (-156, 2),
        (15_600, 4),
        (5, -3),
        (1, 10),
        (0, 3),
        (-1, 0),
    ] {
        let value = Value::from(Decimal::new(unscaled, scale));
        for schema_scale in [scale, 2] {
            let schema = logical::decimal(schema_scale);
            table.same("decimal", call(NUMERIC, Some(&schema), value.clone()));
            table.same("decimal", call(&[], Some(&schema), value.clone()));
        }
        table.same("decimal", call(NUMERIC, None, value));
    }
    let huge: Decimal = "123456789012345678901234567890.123456789"
        .parse()
        .unwrap_or_else(|_| Decimal::new(0, 0));
    table.same(
        "decimal",
        call(NUMERIC, Some(&logical::decimal(9)), huge.clone().into()),
    );
    table.same("decimal", call(&[], Some(&logical::decimal(9)), huge.into()));
    for scale in [None, Some("x"), Some("2.0"), Some("+2"), Some("99999999999")] {
        let mut builder = SchemaBuilder::bytes().name(logical::DECIMAL);
        if let Some(scale) = scale {
            builder = builder.parameter("scale", scale);
        }
        let schema = built(builder);
        for config in [&[][..], NUMERIC] {
            let value = Value::from(Decimal::new(156, 2));
            table.same("decimal-schema", call(config, Some(&schema), value));
        }
    }
    // The names on other types mean nothing.
    let names = [logical::DECIMAL, logical::DATE, logical::TIME, logical::TIMESTAMP];
    for (name, value) in names.into_iter().zip(samples::dates()) {
        let schema = built(SchemaBuilder::string().name(name));
        table.same("logical-name", call(&[], Some(&schema), "x".into()));
        table.same("logical-name", call(&[], Some(&schema), value));
    }
}

fn attributes(table: &mut Table) {
    let named = |builder: SchemaBuilder| {
        builder
            .name("com.example.Name")
            .version(2)
            .doc("what it \"is\"")
            .parameter("b", "2")
            .parameter("a", "1\n")
    };
    for (builder, value) in [
        (SchemaBuilder::int8(), Value::from(1_i8)),
        (SchemaBuilder::float32(), 1.5_f32.into()),
        (SchemaBuilder::string().optional(), "x".into()),
        (SchemaBuilder::bytes(), (&b"\x00"[..]).into()),
        (SchemaBuilder::array(Schema::int8()), Value::Array(vec![])),
        (
            SchemaBuilder::map(Schema::string(), Schema::int8()),
            Value::Map(vec![]),
        ),
    ] {
        table.same("attributes", call(&[], Some(&built(named(builder))), value));
    }
    for builder in [
        SchemaBuilder::int32().name(""),
        SchemaBuilder::int32().version(0),
        SchemaBuilder::int32().version(-1),
        SchemaBuilder::int32().doc(""),
        SchemaBuilder::int32().parameter("", ""),
        SchemaBuilder::int32().name("é😀/\u{1}"),
    ] {
        table.same("attributes", call(&[], Some(&built(builder)), 1.into()));
    }
    let whole = built(named(fields(&[
        ("a", built(SchemaBuilder::int32().default_value(7).doc("d"))),
        ("b \"c\"", built(SchemaBuilder::string().optional().name("n"))),
        ("d", logical::date()),
    ])));
    let value = structure(&whole, vec![1.into(), Value::Null, Value::Date(864_000_000)]);
    table.same("attributes", call(&[], Some(&whole), value));
}

fn with_default(builder: SchemaBuilder, default: impl Into<Value>) -> [SchemaRef; 2] {
    let default = default.into();
    [
        built(builder.clone().default_value(default.clone())),
        built(builder.optional().default_value(default)),
    ]
}

fn nulls_and_defaults(table: &mut Table) {
    let configs = [&[], BOTH[1], KEEP_NULL, KEEP_NULL_BARE];
    let decimal = || {
        SchemaBuilder::bytes()
            .name(logical::DECIMAL)
            .version(1)
            .parameter("scale", "2")
    };
    let date = SchemaBuilder::int32().name(logical::DATE).version(1);
    let timestamp = SchemaBuilder::int64().name(logical::TIMESTAMP).version(1);
    let mut schemas = vec![Schema::int32(), Schema::optional_int32()];
    schemas.extend(with_default(SchemaBuilder::int32(), 42));
    schemas.extend(with_default(SchemaBuilder::string(), "d"));
    schemas.extend(with_default(SchemaBuilder::bytes(), &b"\x01\x02"[..]));
    schemas.extend(with_default(SchemaBuilder::float64(), 1e10));
    schemas.extend(with_default(SchemaBuilder::float32(), f32::NAN));
    schemas.extend(with_default(decimal(), Decimal::new(100, 2)));
    schemas.extend(with_default(date, Value::Date(864_000_000)));
    schemas.extend(with_default(timestamp, Value::Date(42)));
    schemas.extend(with_default(
        SchemaBuilder::array(Schema::int8()),
        vec![Value::from(1_i8)],
    ));
    schemas.extend(with_default(
        SchemaBuilder::map(Schema::string(), Schema::optional_int8()),
        vec![(Value::from("k"), Value::Null)],
    ));
    for schema in &schemas {
        for config in configs {
            table.same("null", call(config, Some(schema), Value::Null));
        }
        let holder = built(fields(&[("f", SchemaRef::clone(schema))]));
        for config in [BOTH[1], KEEP_NULL_BARE] {
            let value = structure(&holder, vec![Value::Null]);
            table.same("null-field", call(config, Some(&holder), value));
        }
    }
    let numeric = built(decimal().default_value(Decimal::new(100, 2)));
    table.same("null", call(NUMERIC, Some(&numeric), Value::Null));
    let plain = fields(&[("x", Schema::int32())]).optional();
    let default = structure(&built(plain.clone()), vec![5.into()]);
    let schema = built(plain.default_value(default));
    for value in [Value::Null, structure(&schema, vec![6.into()])] {
        table.add(
            "struct-default",
            call(&[], Some(&schema), value),
            Some("struct-default"),
        );
    }
    table.same("struct-default", call(KEEP_NULL_BARE, Some(&schema), Value::Null));
    for (element, value) in [
        (Schema::int8(), Value::Null),
        (Schema::optional_int8(), Value::Null),
        (built(SchemaBuilder::int8().default_value(3_i8)), Value::Null),
    ] {
        for config in configs {
            let items = Value::Array(vec![1_i8.into(), value.clone()]);
            table.same(
                "null-element",
                call(config, Some(&array(SchemaRef::clone(&element))), items),
            );
            let entries = Value::Map(vec![("k".into(), value.clone())]);
            let schema = map(Schema::string(), SchemaRef::clone(&element));
            table.same("null-element", call(config, Some(&schema), entries));
        }
    }
}

fn containers(table: &mut Table) {
    let entry = |key: Value, value: Value| Value::Map(vec![(key, value)]);
    let inner = samples::point();
    for (schema, value) in [
        (map(Schema::int32(), Schema::int32()), entry(1.into(), 12.into())),
        (map(Schema::int32(), Schema::int32()), Value::Map(vec![])),
        (
            map(Schema::optional_string(), Schema::int32()),
            entry("k".into(), 1.into()),
        ),
        (
            map(Schema::optional_string(), Schema::int32()),
            entry(Value::Null, 1.into()),
        ),
        (
            map(Schema::string(), Schema::int32()),
            entry(Value::Null, 1.into()),
        ),
        (map(Schema::string(), Schema::int32()), entry(1.into(), 1.into())),
        (
            map(Schema::string(), Schema::int32()),
            entry("k".into(), "x".into()),
        ),
        (
            map(Schema::boolean(), Schema::string()),
            entry(true.into(), "x".into()),
        ),
        (
            map(logical::date(), logical::decimal(2)),
            entry(Value::Date(864_000_000), Decimal::new(156, 2).into()),
        ),
        (
            map(
                built(SchemaBuilder::string().name("n")),
                array(SchemaRef::clone(&inner)),
            ),
            entry("k".into(), Value::Array(vec![structure(&inner, vec![1.into()])])),
        ),
        (
            map(SchemaRef::clone(&inner), Schema::int8()),
            entry(structure(&inner, vec![1.into()]), 1_i8.into()),
        ),
        (
            array(array(Schema::optional_int16())),
            Value::Array(vec![
                Value::Array(vec![1_i16.into(), Value::Null]),
                Value::Array(vec![]),
            ]),
        ),
        (array(Schema::int16()), Value::Array(vec![1.into()])),
        (
            map(map(Schema::string(), Schema::int8()), Schema::int8()),
            entry(entry("a".into(), 1_i8.into()), 2_i8.into()),
        ),
    ] {
        for config in BOTH {
            table.same("container", call(config, Some(&schema), value.clone()));
        }
    }
    let outer = built(fields(&[
        ("in", SchemaRef::clone(&inner)),
        ("list", array(SchemaRef::clone(&inner))),
        ("none", built(SchemaBuilder::structure().optional())),
    ]));
    let nested = structure(
        &outer,
        vec![
            structure(&inner, vec![1.into(), "a".into()]),
            Value::Array(vec![structure(&inner, vec![2.into()])]),
        ],
    );
    let empty = built(SchemaBuilder::structure().name("empty"));
    let other = built(fields(&[("y", Schema::int32())]));
    for config in BOTH {
        table.same("struct", call(config, Some(&outer), nested.clone()));
        table.same("struct", call(config, Some(&empty), structure(&empty, vec![])));
        table.same(
            "struct",
            call(config, Some(&other), structure(&inner, vec![1.into()])),
        );
        table.same("struct", call(config, Some(&inner), structure(&inner, vec![])));
    }
    // Schemas inside a schemaless container are not looked for.
    table.same(
        "struct",
        call(BOTH[1], None, Value::Array(vec![structure(&inner, vec![])])),
    );
    table.same("struct", call(BOTH[1], None, entry("k".into(), Value::Date(5))));
}

fn texts(table: &mut Table) {
    for code in (0..0x20).chain([
        0x22, 0x2f, 0x5c, 0x7f, 0x80, 0xa0, 0x2028, 0xfeff, 0xffff, 0x1_0000, 0x10_ffff,
    ]) {
        let text: String = char::from_u32(code).into_iter().collect();
        table.same("text", call(BOTH[1], Some(&Schema::string()), text.into()));
    }
    let keys = Value::Map(vec![("é😀\"\\\n".into(), 1.into()), ("".into(), 2.into())]);
    table.same("text", call(BOTH[1], None, keys));
}

fn configuration(table: &mut Table) {
    let value = || Value::from(Decimal::new(156, 2));
    for config in [
        [("decimal.format", "numeric")],
        [("decimal.format", " base64 ")],
        [("decimal.format", "text")],
        [("decimal.format", "")],
        [("schemas.enable", "TRUE")],
        [("schemas.enable", "maybe")],
        [("schemas.enable", "")],
        [("schemas.cache.size", "0")],
        [("schemas.cache.size", "-1")],
        [("schemas.cache.size", "many")],
        [("replace.null.with.default", "x")],
        [("unknown.key", "x")],
        [("schema.content", "")],
        [("schema.content", "{\"type\":\"int8\"}")],
        [("schema.content", "{\"type\":")],
        [("schema.content", "5")],
    ] {
        table.same(
            "configuration",
            call(&config, Some(&logical::decimal(2)), value()),
        );
    }
    for usage in [Usage::Key, Usage::Header] {
        for config in BOTH {
            for (schema, value) in [
                (None, Value::Null),
                (Some(Schema::int8()), 1_i8.into()),
                (None, "x".into()),
            ] {
                let converter = converter(wharf_converters::JSON_CONVERTER, usage, config);
                table.same(
                    "usage",
                    Call::From {
                        converter,
                        schema,
                        value,
                    },
                );
            }
        }
    }
}
