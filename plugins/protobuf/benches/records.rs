//! What a record costs: encoding and decoding a small flat one and a nested one.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharf_api::{
    ConfigMap, Converter as _, ConverterType, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value,
};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;

/// A row: a number, a string, a double, a text of sixty characters.
fn flat() -> (SchemaRef, Value) {
    let schema = SchemaBuilder::structure()
        .name("bench.Flat")
        .field("id", Schema::int64())
        .field("name", Schema::optional_string())
        .field("price", Schema::float64())
        .field("text", Schema::string())
        .build()
        .unwrap();
    let values = vec![
        Value::Int64(1_234_567),
        Value::from("a name"),
        Value::Float64(12.5),
        Value::from("x".repeat(60)),
    ];
    let value = Struct::from_values(SchemaRef::clone(&schema), values);
    (schema, Value::from(value))
}

/// An order with three lines and a map of texts.
fn nested() -> (SchemaRef, Value) {
    let line = SchemaBuilder::structure()
        .name("bench.Line")
        .field("article", Schema::string())
        .field("count", Schema::int32())
        .build()
        .unwrap();
    let labels = SchemaBuilder::map(Schema::string(), Schema::optional_string())
        .name("labels")
        .build()
        .unwrap();
    let schema = SchemaBuilder::structure()
        .name("bench.Order")
        .field("id", Schema::int64())
        .field(
            "lines",
            SchemaBuilder::array(SchemaRef::clone(&line)).build().unwrap(),
        )
        .field("labels", labels)
        .field("paid", Schema::optional_boolean())
        .build()
        .unwrap();
    let lines = (0..3)
        .map(|number| {
            let values = vec![Value::from(format!("article {number}")), Value::Int32(number)];
            Value::from(Struct::from_values(SchemaRef::clone(&line), values))
        })
        .collect();
    let labels = ["a", "b", "c"]
        .map(|key| (Value::from(key), Value::from("a label")))
        .to_vec();
    let values = vec![
        Value::Int64(7),
        Value::Array(lines),
        Value::Map(labels),
        Value::Boolean(true),
    ];
    let value = Struct::from_values(SchemaRef::clone(&schema), values);
    (schema, Value::from(value))
}

fn records(criterion: &mut Criterion) {
    let registry = TestRegistry::start();
    let mut converter = ProtobufConverter::default();
    let config = ConfigMap::from([("schema.registry.url".to_owned(), registry.url())]);
    converter.configure(&config, ConverterType::Value).unwrap();
    let mut headers = Headers::new();
    for (name, (schema, value)) in [("flat", flat()), ("nested", nested())] {
        let mut out = Vec::new();
        converter
            .encode(name, &mut headers, Some(&schema), value.as_ref(), &mut out)
            .unwrap();
        let message = out.clone();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                out.clear();
                converter
                    .encode(
                        name,
                        &mut headers,
                        Some(&schema),
                        black_box(&value).as_ref(),
                        &mut out,
                    )
                    .unwrap()
            });
        });
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                converter
                    .decode(name, &headers, Some(black_box(&message)))
                    .unwrap()
            });
        });
    }
}

criterion_group!(benches, records);
criterion_main!(benches);
