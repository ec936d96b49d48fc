//! Nanoseconds per record for each transformation, with a schema and without, and how many allocations one record costs.
//!
//! The record is made anew outside of the measured time, since a transformation takes it; dropping the result is inside,
//! as a worker drops it too.
#![allow(unsafe_code, reason = "a counting allocator cannot be had without")]
#![allow(clippy::print_stdout, reason = "counts are part of the result")]
#![allow(missing_docs, reason = "the macros of criterion make items without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use wharf_api::{ConfigMap, Record, Schema, SchemaBuilder, SchemaRef, Struct, Value};
use wharf_transforms::TRANSFORMATIONS;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The settings with which a class is measured.
fn settings(class: &str) -> Option<&'static [(&'static str, &'static str)]> {
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
        let config: ConfigMap = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        for (shape, record) in [("schema", structure()), ("schemaless", map())] {
            if shape == "schemaless" && name.starts_with("SetSchemaMetadata") {
                continue;
            }
            let mut transformation = (entry.new)();
            transformation.configure(&config).unwrap();
            drop(transformation.applied(record.clone()).unwrap());
            let again = record.clone();
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            let changed = transformation.applied(again).unwrap();
            let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
            drop(changed);
            println!("{name}/{shape}: {allocations} allocations per record");
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

criterion_group!(benches, transforms);
criterion_main!(benches);
