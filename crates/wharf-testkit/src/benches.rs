//! What a record costs a converter: encoding and decoding a small flat one and a nested one, from owned values and from flat
//! batches as they cross the plugin border.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    Converter, Headers, NewRecord, OffsetMap, RecordBatch, RecordBatchRef, Schema, SchemaBuilder, SchemaRef,
    Struct, Value, ValueRef,
};

/// A row: a number, a string, a double, a text of sixty characters.
fn flat() -> (SchemaRef, Value) {
    let schema = SchemaBuilder::structure()
        .name("bench.Flat")
        .field("id", Schema::int64())
        .field("name", Schema::optional_string())
        .field("price", Schema::float64())
        .field("text", Schema::string())
        .build()
        .expect("the schema holds");
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
        .expect("the schema holds");
    let lines = SchemaBuilder::array(SchemaRef::clone(&line))
        .build()
        .expect("the schema holds");
    let labels = SchemaBuilder::map(Schema::string(), Schema::optional_string())
        .name("labels")
        .build()
        .expect("the schema holds");
    let schema = SchemaBuilder::structure()
        .name("bench.Order")
        .field("id", Schema::int64())
        .field("lines", lines)
        .field("labels", labels)
        .field("paid", Schema::optional_boolean())
        .build()
        .expect("the schema holds");
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

/// Measures a configured converter; `title` is what its figures are called.
///
/// # Panics
/// When it cannot write or read a record.
pub fn records(criterion: &mut Criterion, title: &str, converter: &mut dyn Converter) {
    let mut headers = Headers::new();
    let mut out = Vec::new();
    for (name, (schema, value)) in [("flat", flat()), ("nested", nested())] {
        let mut encode = |converter: &mut dyn Converter, schema: Option<&SchemaRef>, value: ValueRef<'_>| {
            out.clear();
            converter
                .encode(name, &mut headers, schema, value, &mut out)
                .expect("the record is written");
            out.len()
        };
        let length = encode(converter, Some(&schema), value.as_ref());
        let mut group = criterion.benchmark_group(format!("{title} {name}"));
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| encode(converter, Some(&schema), black_box(&value).as_ref()));
        });
        let mut batch = RecordBatch::new();
        let (partition, offset): (OffsetMap, [(&str, ValueRef<'_>); 0]) = (OffsetMap::default(), []);
        batch
            .push(&NewRecord::source(name, &partition, &offset).value(Some(&schema), &value))
            .expect("the record suits its schema");
        let bytes = batch.finish().expect("the batch is whole").to_vec();
        let mut schemas = SchemaCache::default();
        let parsed = RecordBatchRef::parse(&bytes, &mut schemas).expect("the batch is whole");
        let record = parsed
            .iter()
            .next()
            .expect("there is one record")
            .expect("the record is whole");
        group.bench_function("encode flat", |bencher| {
            bencher.iter(|| encode(converter, record.value_schema(), black_box(&record).value()));
        });
        let message = out.clone();
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                converter
                    .decode(name, &headers, Some(black_box(&message)))
                    .expect("the message is read")
            });
        });
        group.finish();
    }
}
