//! What a record costs: encoding and decoding a small flat one and a nested one, from owned values and from flat batches
//! as they cross the plugin border.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    ConfigMap, Converter as _, ConverterType, Headers, NewRecord, OffsetMap, RecordBatch, RecordBatchRef,
    Schema, SchemaAndValue, SchemaBuilder, SchemaRef, Struct, Value, ValueRef,
};
use wharf_avro::AvroConverter;
use wharf_schema_registry::testing::TestRegistry;

fn converter(registry: &TestRegistry) -> AvroConverter {
    let mut converter = AvroConverter::default();
    let config = ConfigMap::from([("schema.registry.url".to_owned(), registry.url())]);
    converter.configure(&config, ConverterType::Value).unwrap();
    converter
}

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
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("id", 1_234_567_i64)
        .and_then(|value| value.with("name", "a name"))
        .and_then(|value| value.with("price", 12.5))
        .and_then(|value| value.with("text", "x".repeat(60)))
        .unwrap();
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
    let schema = SchemaBuilder::structure()
        .name("bench.Order")
        .field("id", Schema::int64())
        .field(
            "lines",
            SchemaBuilder::array(SchemaRef::clone(&line)).build().unwrap(),
        )
        .field(
            "labels",
            SchemaBuilder::map(Schema::string(), Schema::optional_string())
                .build()
                .unwrap(),
        )
        .field("paid", Schema::optional_boolean())
        .build()
        .unwrap();
    let lines = (0..3)
        .map(|number| {
            Struct::new(SchemaRef::clone(&line))
                .unwrap()
                .with("article", format!("article {number}"))
                .and_then(|value| value.with("count", number))
                .map(Value::from)
                .unwrap()
        })
        .collect::<Vec<_>>();
    let labels = vec![
        (Value::from("colour"), Value::from("red")),
        (Value::from("size"), Value::Null),
    ];
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("id", 7_i64)
        .and_then(|value| value.with("lines", lines))
        .and_then(|value| value.with("labels", labels))
        .and_then(|value| value.with("paid", true))
        .unwrap();
    (schema, Value::from(value))
}

fn records(c: &mut Criterion) {
    let registry = TestRegistry::start();
    for (name, (schema, value)) in [("flat", flat()), ("nested", nested())] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let mut avro = converter(&registry);
        let mut headers = Headers::new();
        let mut out = Vec::new();
        group.bench_function("encode owned", |b| {
            b.iter(|| {
                out.clear();
                avro.encode(
                    name,
                    &mut headers,
                    Some(&schema),
                    black_box(value.as_ref()),
                    &mut out,
                )
            });
        });
        let mut batch = RecordBatch::new();
        let (partition, offset): (OffsetMap, [(&str, ValueRef<'_>); 0]) = (OffsetMap::default(), []);
        batch
            .push(&NewRecord::source(name, &partition, &offset).value(Some(&schema), &value))
            .unwrap();
        let bytes = batch.finish().unwrap().to_vec();
        let mut schemas = SchemaCache::default();
        let parsed = RecordBatchRef::parse(&bytes, &mut schemas).unwrap();
        let record = parsed.iter().next().unwrap().unwrap();
        group.bench_function("encode flat", |b| {
            b.iter(|| {
                out.clear();
                let value = black_box(&record).value();
                avro.encode(name, &mut headers, record.value_schema(), value, &mut out)
            });
        });
        let message = out.clone();
        group.bench_function("decode", |b| {
            b.iter(|| -> SchemaAndValue { avro.decode(name, &headers, Some(black_box(&message))).unwrap() });
        });
        group.finish();
    }
}

criterion_group!(benches, records);
criterion_main!(benches);
