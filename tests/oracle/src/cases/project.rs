//! `SchemaProjector.project`.

use wharf_api::{Decimal, Schema, SchemaBuilder, SchemaRef, SchemaType, Value, logical};

use super::{Table, array, built, fields, generated, map, samples, structure};
use crate::case::Call;

fn call(schema: &SchemaRef, value: Value, target: &SchemaRef) -> Call {
    Call::Project {
        schema: SchemaRef::clone(schema),
        value,
        target: SchemaRef::clone(target),
    }
}

/// A value that suits each of [`samples::schemas`].
fn suiting() -> Vec<Value> {
    vec![
        127_i8.into(),
        255_i16.into(),
        32_767.into(),
        327_890_i64.into(),
        1.2_f32.into(),
        1.2345.into(),
        true.into(),
        "x".into(),
        (&b"\x01"[..]).into(),
        Value::Array(vec![1.into()]),
        Value::Map(vec![("k".into(), 1.into())]),
        structure(&samples::point(), vec![1.into()]),
    ]
}

pub(super) fn fill(table: &mut Table) {
    let schemas = samples::schemas();
    for (source, value) in schemas.iter().zip(suiting()) {
        for target in &schemas {
            table.same("type", call(source, value.clone(), target));
        }
    }
    for value in [i64::MAX, i64::MIN, 16_777_217, 9_007_199_254_740_993] {
        for target in [Schema::float32(), Schema::float64()] {
            table.same("precision", call(&Schema::int64(), value.into(), &target));
        }
    }
    attributes(table);
    logical_types(table);
    containers(table);
    generated::project(table);
}

fn attributes(table: &mut Table) {
    let plain = Schema::int32();
    let optional = Schema::optional_int32();
    let required_default = built(SchemaBuilder::int32().default_value(7));
    let optional_default = built(SchemaBuilder::int32().optional().default_value(8));
    let wide_default = built(SchemaBuilder::int64().default_value(9_i64));
    let all = [
        &plain,
        &optional,
        &required_default,
        &optional_default,
        &wide_default,
    ];
    for source in all {
        for target in all {
            let value = if source.schema_type() == SchemaType::Int32 {
                Value::from(1)
            } else {
                Value::from(1_i64)
            };
            table.same("optional", call(source, Value::Null, target));
            table.same("optional", call(source, value, target));
        }
    }
    let named = |name: &str| built(SchemaBuilder::int32().name(name));
    let versioned = built(SchemaBuilder::int32().version(3).doc("d"));
    let parameter = |value: &str| built(SchemaBuilder::int32().parameter("p", value));
    for (source, target) in [
        (&plain, &named("n")),
        (&named("n"), &plain),
        (&named("n"), &named("n")),
        (&named("n"), &named("m")),
        (&plain, &versioned),
        (&plain, &parameter("1")),
        (&parameter("1"), &plain),
        (&parameter("1"), &parameter("1")),
        (&parameter("1"), &parameter("2")),
    ] {
        table.same("attributes", call(source, 1.into(), target));
    }
}

fn logical_types(table: &mut Table) {
    let decimal = |scale| (logical::decimal(scale), Value::from(Decimal::new(156, 2)));
    let (two, value) = decimal(2);
    let (three, _) = decimal(3);
    table.same("logical", call(&two, value.clone(), &two));
    table.same("logical", call(&two, value.clone(), &three));
    table.same("logical", call(&two, value, &Schema::bytes()));
    let all = [
        logical::date(),
        logical::time(),
        logical::timestamp(),
        Schema::int32(),
        Schema::int64(),
    ];
    for source in &all {
        for target in &all {
            let value = match source.name() {
                Some(_) => Value::Date(0),
                None if **source == *Schema::int32() => 1.into(),
                None => 1_i64.into(),
            };
            table.same("logical", call(source, value, target));
        }
    }
}

fn containers(table: &mut Table) {
    let items = |items: Vec<Value>| Value::Array(items);
    let numbers = || items(vec![1_i8.into(), 2_i8.into()]);
    let some = || items(vec![1_i8.into(), Value::Null]);
    let optional = array(Schema::optional_int8());
    let defaulted = array(built(SchemaBuilder::int16().default_value(9_i16)));
    table.same(
        "array",
        call(&array(Schema::int8()), numbers(), &array(Schema::int32())),
    );
    table.same(
        "array",
        call(&array(Schema::int32()), numbers(), &array(Schema::string())),
    );
    table.same(
        "array",
        call(&array(Schema::string()), items(vec![]), &array(Schema::int8())),
    );
    table.same("array", call(&optional, some(), &optional));
    table.same("array", call(&optional, some(), &array(Schema::int8())));
    table.same("array", call(&optional, some(), &defaulted));
    let entries = |key: Value, value: Value| Value::Map(vec![(key, value)]);
    let narrow = map(Schema::int8(), Schema::optional_int8());
    let wide = map(Schema::int16(), Schema::optional_int64());
    table.same("map", call(&narrow, entries(1_i8.into(), Value::Null), &wide));
    table.same("map", call(&narrow, entries(1_i8.into(), 2_i8.into()), &wide));
    table.same("map", call(&wide, entries(1_i16.into(), 2_i64.into()), &narrow));
    table.same(
        "map",
        call(
            &narrow,
            Value::Map(vec![]),
            &map(Schema::string(), Schema::int8()),
        ),
    );

    let with_default = built(SchemaBuilder::int64().default_value(5_i64));
    let source = built(fields(&[
        ("kept", Schema::int32()),
        ("dropped", Schema::string()),
        ("defaulted", SchemaRef::clone(&with_default)),
        ("maybe", Schema::optional_int8()),
    ]));
    let full = structure(&source, vec![3.into(), "x".into(), 6_i64.into(), 1_i8.into()]);
    let sparse = structure(&source, vec![3.into(), "x".into()]);
    let targets = [
        fields(&[("kept", Schema::int64()), ("defaulted", Schema::int64())]),
        fields(&[("kept", Schema::int8())]),
        fields(&[("missing", Schema::int8())]),
        fields(&[("missing", Schema::optional_int8()), ("kept", Schema::int32())]),
        fields(&[("missing", SchemaRef::clone(&with_default))]),
        fields(&[(
            "missing",
            built(SchemaBuilder::int8().optional().default_value(4_i8)),
        )]),
        fields(&[("maybe", Schema::optional_int64())]),
        fields(&[("maybe", Schema::int8())]),
        fields(&[("maybe", built(SchemaBuilder::int8().default_value(7_i8)))]),
        fields(&[("dropped", Schema::optional_string())]).optional(),
        SchemaBuilder::structure(),
        SchemaBuilder::structure().name("n"),
    ];
    for target in targets {
        let target = built(target);
        table.same("struct", call(&source, full.clone(), &target));
        table.same("struct", call(&source, sparse.clone(), &target));
    }
    let outer = |inner: &SchemaRef| built(fields(&[("in", SchemaRef::clone(inner))]));
    let narrow = outer(&source);
    let wide = outer(&built(fields(&[("kept", Schema::float64())])));
    let wrong = outer(&built(fields(&[("kept", Schema::string())])));
    for target in [&wide, &wrong, &narrow] {
        table.same(
            "nested",
            call(&narrow, structure(&narrow, vec![full.clone()]), target),
        );
    }
}
