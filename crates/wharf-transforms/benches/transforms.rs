//! Nanoseconds per record for each transformation, with a schema and without, and for each predicate; and how many allocations
//! one record costs.
//!
//! The record is made anew outside of the measured time, since a transformation takes it; dropping the result is inside,
//! as a worker drops it too.
#![allow(clippy::print_stdout, reason = "counts are part of the result")]
#![allow(missing_docs, reason = "the macros of criterion make items without")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use wharf_api::{ConfigMap, Headers, Record, Schema, SchemaBuilder, SchemaRef, Struct, Value};
use wharf_test_services::heap::{Counted, used_by};
use wharf_transforms::{PREDICATES, TRANSFORMATIONS};

#[global_allocator]
static HEAP: Counted = Counted;

type Settings = &'static [(&'static str, &'static str)];

fn config(settings: Settings) -> ConfigMap {
    settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// The settings with which a class is measured.
fn settings(class: &str) -> Option<Settings> {
    Some(match class {
        "Cast$Value" => &[("spec", "number:string,ratio:float32")],
        "DropHeaders" => &[("headers", "h")],
        "ExtractField$Value" => &[("field", "line")],
        "Filter" => &[],
        "Flatten$Value" => &[("delimiter", "_")],
        "HeaderFrom$Value" => &[("fields", "number"), ("headers", "h2"), ("operation", "move")],
        "HoistField$Value" => &[("field", "whole")],
        "InsertField$Value" => &[("static.field", "source"), ("static.value", "file")],
        "InsertHeader" => &[("header", "h2"), ("value.literal", "42")],
        "MaskField$Value" => &[("fields", "line,number")],
        "RegexRouter" => &[("regex", "(.*)"), ("replacement", "prefix-$1")],
        "ReplaceField$Value" => &[("exclude", "ratio"), ("renames", "line:text")],
        "SetSchemaMetadata$Value" => &[("schema.name", "named")],
        "TimestampConverter$Value" => &[
            ("field", "at"),
            ("target.type", "string"),
            ("format", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
        ],
        "TimestampRouter" => &[],
        "ValueToKey" => &[("fields", "line")],
        _ => return None,
    })
}

fn structure() -> Record {
    let inner = SchemaBuilder::structure()
        .field("x", Schema::int32())
        .build()
        .unwrap();
    let schema = SchemaBuilder::structure()
        .field("line", Schema::string())
        .field("number", Schema::int64())
        .field("ratio", Schema::float64())
        .field("at", Schema::int64())
        .field("inner", SchemaRef::clone(&inner))
        .build()
        .unwrap();
    let values = vec![
        "a line of some length, as files have them".into(),
        42_i64.into(),
        0.5.into(),
        1_566_570_894_346_i64.into(),
        Struct::from_values(inner, vec![1.into()]).into(),
    ];
    record(
        Some(SchemaRef::clone(&schema)),
        Struct::from_values(schema, values).into(),
    )
}

fn map() -> Record {
    let value = vec![
        ("line".into(), "a line of some length, as files have them".into()),
        ("number".into(), 42_i64.into()),
        ("ratio".into(), 0.5.into()),
        ("at".into(), 1_566_570_894_346_i64.into()),
        ("inner".into(), Value::Map(vec![("x".into(), 1.into())])),
    ];
    record(None, Value::Map(value))
}

fn record(schema: Option<SchemaRef>, value: Value) -> Record {
    let mut record = Record::sink("topic", 0, 0)
        .with_value(schema, value)
        .with_timestamp(1_566_570_894_346);
    record.headers.add_string("h", "x");
    record
}

fn transforms(criterion: &mut Criterion) {
    for entry in TRANSFORMATIONS {
        let name = entry.class.rsplit('.').next().unwrap_or(entry.class);
        let Some(settings) = settings(name) else { continue };
        let config = config(settings);
        for (shape, record) in [("schema", structure()), ("schemaless", map())] {
            if shape == "schemaless" && name.starts_with("SetSchemaMetadata") {
                continue;
            }
            let mut transformation = (entry.new)();
            transformation.configure(&config).unwrap();
            drop(transformation.applied(record.clone()).unwrap());
            let again = record.clone();
            let used = used_by(|| transformation.applied(again).unwrap());
            println!("{name}/{shape}: {} allocations per record", used.allocations);
            drop(used.outcome);
            criterion.bench_function(&format!("{name}/{shape}"), |bencher| {
                bencher.iter_batched(
                    || record.clone(),
                    |record| black_box(transformation.applied(record)),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

/// What a case is called, and the records that come by turns.
type Case = (&'static str, Vec<Record>);

/// The settings and the cases with which a predicate is measured.
fn predicate_cases(name: &str) -> Option<(Settings, [Case; 2])> {
    let on = |topic: &str| {
        let mut record = structure();
        record.topic = topic.to_owned();
        record
    };
    let tombstone = record(None, Value::Null);
    let mut without_headers = structure();
    without_headers.headers = Headers::new();
    Some(match name {
        "HasHeaderKey" => (
            &[("name", "h")],
            [("has it", vec![structure()]), ("has none", vec![without_headers])],
        ),
        "RecordIsTombstone" => (
            &[],
            [("tombstone", vec![tombstone]), ("value", vec![structure()])],
        ),
        "TopicNameMatches" => (
            &[("pattern", "orders-[a-z]+")],
            [
                ("one topic", vec![on("orders-europe")]),
                ("two topics", vec![on("orders-europe"), on("orders-asia")]),
            ],
        ),
        _ => return None,
    })
}

fn predicates(criterion: &mut Criterion) {
    for entry in PREDICATES {
        let name = entry.class.rsplit('.').next().unwrap_or(entry.class);
        let (settings, cases) = predicate_cases(name).expect("every predicate is measured");
        for (what, records) in cases {
            let mut predicate = (entry.new)();
            predicate.configure(&config(settings)).unwrap();
            let mut records = records.iter().cycle();
            let mut next = || predicate.test(black_box(records.next().unwrap())).unwrap();
            // The first record of each topic.
            black_box((next(), next()));
            let used = used_by(&mut next);
            println!("{name}/{what}: {} allocations per record", used.allocations);
            criterion.bench_function(&format!("{name}/{what}"), |bencher| bencher.iter(&mut next));
        }
    }
}

criterion_group!(benches, transforms, predicates);
criterion_main!(benches);
