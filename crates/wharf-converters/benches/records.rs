//! What a record costs the converters that are built in.
#![allow(missing_docs, reason = "the macros of criterion make items without")]

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_api::{ConfigMap, ConverterType, Schema, SchemaRef, Value};
use wharf_converters::{BUILTIN, JsonConverter, SimpleHeaderConverter};
use wharf_test_services::heap::Counted;
use wharf_testkit::benches;

#[global_allocator]
static HEAP: Counted = Counted;

fn records(criterion: &mut Criterion) {
    for (title, enable) in [("JSON with schema", "true"), ("JSON without schema", "false")] {
        let config = ConfigMap::from([("schemas.enable".to_owned(), enable.to_owned())]);
        let mut converter = JsonConverter::default();
        wharf_api::Converter::configure(&mut converter, &config, ConverterType::Value)
            .expect("the configuration holds");
        benches::records(criterion, title, &mut converter);
    }
}

/// The values that converters of one type are measured with, by the class's short name.
fn single(name: &str) -> Option<(SchemaRef, Value)> {
    Some(match name {
        "BooleanConverter" => (Schema::boolean(), true.into()),
        "ByteArrayConverter" => (Schema::bytes(), vec![7_u8; 60].into()),
        "DoubleConverter" => (Schema::float64(), 12.5_f64.into()),
        "FloatConverter" => (Schema::float32(), 12.5_f32.into()),
        "IntegerConverter" => (Schema::int32(), 1_234_567_i32.into()),
        "LongConverter" => (Schema::int64(), 1_234_567_i64.into()),
        "ShortConverter" => (Schema::int16(), 1234_i16.into()),
        "StringConverter" => (Schema::string(), "x".repeat(60).into()),
        _ => return None,
    })
}

fn single_values(criterion: &mut Criterion) {
    for entry in BUILTIN {
        let name = entry.class.rsplit('.').next().unwrap_or(entry.class);
        let (Some(new), Some((schema, value))) = (entry.new_converter, single(name)) else {
            continue;
        };
        let mut converter = new();
        converter
            .configure(&ConfigMap::new(), ConverterType::Value)
            .expect("the configuration holds");
        benches::value_of(criterion, name, converter.as_mut(), &schema, &value);
    }
}

fn headers(criterion: &mut Criterion) {
    for (what, schema, value) in [
        ("text", Schema::string(), Value::from("a text of a few words")),
        ("number", Schema::int64(), 1_234_567_i64.into()),
        (
            "list",
            Schema::inferred_array(Some(Schema::int8())),
            Value::Array((1..=5_i8).map(Value::from).collect()),
        ),
    ] {
        let title = format!("SimpleHeaderConverter {what}");
        benches::header_of(criterion, &title, &mut SimpleHeaderConverter, &schema, &value);
    }
}

criterion_group!(all, records, single_values, headers);
criterion_main!(all);
