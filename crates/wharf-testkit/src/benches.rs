//! What a record costs a converter, in nanoseconds and in allocations: a small row and a nested order, from owned values and from
//! flat batches as they cross the plugin border, and single values for converters that know one type only.
//!
//! A benchmark that uses this has [`wharf_test_services::heap::Counted`] as its allocator, or all allocations are none.
#![allow(clippy::print_stdout, reason = "counts are part of the result")]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use wharf_api::flat::SchemaCache;
use wharf_api::{
    Converter, HeaderConverter, Headers, NewRecord, OffsetMap, RecordBatch, RecordBatchRef, Schema,
    SchemaBuilder, SchemaRef, Struct, Value, ValueRef,
};
use wharf_test_services::heap::used_by;

/// Prints the allocations of a record and measures its nanoseconds. The first time, with all that is kept then, counts for neither.
fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    title: &str,
    what: &str,
    mut record: impl FnMut() -> T,
) {
    drop(black_box(record()));
    let used = used_by(&mut record);
    println!("{title}/{what}: {} allocations per record", used.allocations);
    drop(black_box(used.outcome));
    group.bench_function(what, |bencher| bencher.iter(&mut record));
}

/// A row: a number, a string, a double, a text of sixty characters.
fn row() -> (SchemaRef, Value) {
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
fn order() -> (SchemaRef, Value) {
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

/// Measures a configured converter of records with a row and an order; `title` is what its figures are called.
///
/// # Panics
/// When it cannot write or read a record.
pub fn records(criterion: &mut Criterion, title: &str, converter: &mut dyn Converter) {
    for (name, (schema, value)) in [("row", row()), ("order", order())] {
        value_of(criterion, &format!("{title} {name}"), converter, &schema, &value);
    }
}

/// Measures a configured converter with a value of its schema.
///
/// # Panics
/// When it cannot write or read it.
pub fn value_of(
    criterion: &mut Criterion,
    title: &str,
    converter: &mut dyn Converter,
    schema: &SchemaRef,
    value: &Value,
) {
    let mut headers = Headers::new();
    let mut out = Vec::new();
    let mut encode = |converter: &mut dyn Converter, schema: Option<&SchemaRef>, value: ValueRef<'_>| {
        out.clear();
        converter
            .encode("bench", &mut headers, schema, value, &mut out)
            .expect("the record is written");
        out.len()
    };
    let length = encode(converter, Some(schema), value.as_ref());
    let mut group = criterion.benchmark_group(title);
    group.throughput(Throughput::Bytes(length as u64));
    measure(&mut group, title, "encode", || {
        encode(converter, Some(schema), black_box(value).as_ref())
    });
    let mut batch = RecordBatch::new();
    let (partition, offset): (OffsetMap, [(&str, ValueRef<'_>); 0]) = (OffsetMap::default(), []);
    batch
        .push(&NewRecord::source("bench", &partition, &offset).value(Some(schema), value))
        .expect("the record suits its schema");
    let bytes = batch.finish().expect("the batch is whole").to_vec();
    let mut schemas = SchemaCache::default();
    let parsed = RecordBatchRef::parse(&bytes, &mut schemas).expect("the batch is whole");
    let record = parsed
        .iter()
        .next()
        .expect("there is one record")
        .expect("the record is whole");
    measure(&mut group, title, "encode flat", || {
        encode(converter, record.value_schema(), black_box(&record).value())
    });
    let message = out.clone();
    measure(&mut group, title, "decode", || {
        converter
            .decode("bench", &headers, Some(black_box(&message)))
            .expect("the message is read")
    });
    group.finish();
}

/// Measures a header converter with a value of its schema.
///
/// # Panics
/// When it cannot write or read it.
pub fn header_of(
    criterion: &mut Criterion,
    title: &str,
    converter: &mut dyn HeaderConverter,
    schema: &SchemaRef,
    value: &Value,
) {
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group(title);
    measure(&mut group, title, "encode", || {
        out.clear();
        converter
            .encode_header("bench", "key", Some(schema), black_box(value).as_ref(), &mut out)
            .expect("the header is written")
    });
    let message = out.clone();
    measure(&mut group, title, "decode", || {
        converter
            .decode_header("bench", "key", Some(black_box(&message)))
            .expect("the header is read")
    });
    group.finish();
}
