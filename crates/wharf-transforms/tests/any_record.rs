//! What must hold for any record under any configuration: no transformation or predicate panics, nothing but what it is
//! for changes, what comes out suits its schema, the memory that it takes is in proportion to the record, and deep nesting
//! does no harm. A seed that fails is in the message.

use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::flat::SchemaCache;
use wharf_api::{
    ConfigMap, Datum, Decimal, Record, RecordBatch, RecordBatchRef, Schema, SchemaBuilder, SchemaRef,
    SchemaType, Struct, Transformation, Value, logical,
};
use wharf_test_services::Random;
use wharf_test_services::heap::{Counted, used_by};
use wharf_transforms::{PREDICATES, TRANSFORMATIONS};

#[global_allocator]
static HEAP: Counted = Counted;

/// Most bytes that a transformation may take at a time, its result included, for each byte that the record holds.
const MOST_PER_BYTE: usize = 2;
/// What may come on top of that: texts of the configuration, and what patterns prepare when they are first used.
const MOST_BESIDE: usize = 16 << 10;

fn any_number(random: &mut Random) -> i64 {
    match random.below(4) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => random.bits().cast_signed(),
        _ => random.bits().cast_signed() % 1000,
    }
}

fn any_text(random: &mut Random) -> &'static str {
    random.one_of(&[
        "",
        "a",
        "42",
        "-1.5",
        "true",
        "1970-01-02",
        "é😀",
        "99999999999999999999",
        "1e400",
        "NaN",
        "${topic}",
        "\0",
        "2019-08-23T14:34:54.346Z",
        "[1,2",
        "٣",
    ])
}

fn any_schema(random: &mut Random, depth: usize) -> SchemaRef {
    let builder = match random.below(if depth == 0 { 13 } else { 17 }) {
        kind @ 0..=8 => SchemaBuilder::new(SchemaType::ALL[kind]),
        9 => SchemaBuilder::bytes()
            .name(logical::DECIMAL)
            .parameter("scale", "2"),
        10 => SchemaBuilder::int32().name(logical::DATE).version(1),
        11 => SchemaBuilder::int32().name(logical::TIME).version(1),
        12 => SchemaBuilder::int64().name(logical::TIMESTAMP).version(1),
        13 => SchemaBuilder::array(any_schema(random, depth - 1)),
        14 => SchemaBuilder::map(Schema::string(), any_schema(random, depth - 1)),
        _ => {
            let mut builder = SchemaBuilder::structure();
            for name in NAMES {
                if random.below(2) == 0 {
                    builder = builder.field(name, any_schema(random, depth - 1));
                }
            }
            builder
        }
    };
    let builder = if random.below(2) == 0 {
        builder.optional()
    } else {
        builder
    };
    let plain = builder.clone().build().unwrap();
    if random.below(4) == 0 {
        let default = any_value(random, &plain);
        if let Ok(schema) = builder.default_value(default).build() {
            return schema;
        }
    }
    plain
}

/// Mostly a value that suits the schema.
fn any_value(random: &mut Random, schema: &SchemaRef) -> Value {
    if random.below(40) == 0 {
        return any_loose(random, 1);
    }
    if schema.is_optional() && random.below(3) == 0 {
        return Value::Null;
    }
    let number = any_number(random);
    #[allow(clippy::cast_possible_truncation, reason = "any number will do")]
    match (schema.schema_type(), schema.name()) {
        (_, Some(logical::DECIMAL)) => Decimal::new(number, 2).into(),
        (_, Some(logical::DATE | logical::TIME | logical::TIMESTAMP)) => Value::Date(number),
        (SchemaType::Int8, _) => Value::Int8(number as i8),
        (SchemaType::Int16, _) => Value::Int16(number as i16),
        (SchemaType::Int32, _) => Value::Int32(number as i32),
        (SchemaType::Int64, _) => number.into(),
        (SchemaType::Float32, _) => f32::from_bits(number as u32).into(),
        (SchemaType::Float64, _) => f64::from_bits(number.cast_unsigned()).into(),
        (SchemaType::Boolean, _) => (number % 2 == 0).into(),
        (SchemaType::String, _) => any_text(random).into(),
        (SchemaType::Bytes, _) => any_text(random).as_bytes().into(),
        (SchemaType::Array, _) => {
            let element = Arc::clone(schema.value_schema().unwrap().unwrap());
            Value::Array(
                (0..random.below(4))
                    .map(|_| any_value(random, &element))
                    .collect(),
            )
        }
        (SchemaType::Map, _) => {
            let element = Arc::clone(schema.value_schema().unwrap().unwrap());
            let count = random.below(4);
            Value::Map(
                NAMES[..count]
                    .iter()
                    .map(|name| ((*name).into(), any_value(random, &element)))
                    .collect(),
            )
        }
        (SchemaType::Struct, _) => {
            let fields = schema.fields().unwrap();
            let values = fields
                .iter()
                .map(|field| any_value(random, field.schema()))
                .collect();
            Struct::from_values(Arc::clone(schema), values).into()
        }
    }
}

/// Mostly a usual one; written out, numbers of the others would be digits without end.
fn any_scale(random: &mut Random) -> i32 {
    random.one_of(&[
        0,
        2,
        3,
        3,
        -3,
        300,
        1_000_000_000,
        -1_000_000_000,
        i32::MAX,
        i32::MIN,
    ])
}

/// A value of any class, as records without schema have them.
fn any_loose(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 12 }) {
        0 => Value::Null,
        1 => true.into(),
        2 => any_number(random).into(),
        3 => 1.5_f32.into(),
        4 => Value::Date(any_number(random)),
        5 => Decimal::new(any_number(random), any_scale(random)).into(),
        6 => any_text(random).into(),
        7 => any_text(random).as_bytes().into(),
        8 => Value::Array(
            (0..random.below(3))
                .map(|_| any_loose(random, depth - 1))
                .collect(),
        ),
        _ => {
            let count = random.below(4);
            let mut entries: Vec<(Value, Value)> = NAMES[..count]
                .iter()
                .map(|name| ((*name).into(), any_loose(random, depth - 1)))
                .collect();
            if random.below(8) == 0 {
                entries.push((any_loose(random, 0), any_loose(random, 0)));
            }
            Value::Map(entries)
        }
    }
}

fn any_part(random: &mut Random) -> (Option<SchemaRef>, Value) {
    if random.below(3) == 0 {
        return (None, any_loose(random, 3));
    }
    let schema = any_schema(random, 3);
    let value = any_value(random, &schema);
    (Some(schema), value)
}

fn any_record(random: &mut Random) -> Record {
    let topic = any_text(random);
    let mut record = if random.below(2) == 0 {
        Record::sink(topic, 0, any_number(random))
    } else {
        Record::source(topic, None, None)
    };
    (record.key_schema, record.key) = any_part(random);
    (record.value_schema, record.value) = any_part(random);
    record.timestamp = (random.below(3) > 0).then(|| any_number(random));
    for name in NAMES {
        if random.below(4) == 0 {
            record.headers.add_string(name, any_text(random));
        }
    }
    record
}

/// A configuration with each key set to something that it often takes.
fn any_config(random: &mut Random, definition: &ConfigDef) -> ConfigMap {
    let names = ["a", "b", "a,b", "b,c", "a.b", "in"];
    let keys = definition.infos().map(|key| key.name.clone());
    keys.filter_map(|key| {
        let value = match key.as_str() {
            "spec" => random.one_of(&[
                "a:string,b:int8",
                "a:boolean",
                "int32",
                "string",
                "float64",
                "c:float32",
            ]),
            "renames" => random.one_of(&["", "a:b,b:a", "a:x", "a:b"]),
            "field.syntax.version" => random.one_of(&["V1", "V2"]),
            "operation" => random.one_of(&["move", "copy"]),
            "regex" | "pattern" => random.one_of(&[".*", "a", "(.)(.*)", "(?<n>.)?.*"]),
            "replacement" => random.one_of(&["x", "$1", "42", "-1.5", "${n}"]),
            "target.type" => random.one_of(&["string", "unix", "Date", "Time", "Timestamp"]),
            "unix.precision" => random.one_of(&["nanoseconds", "microseconds", "milliseconds", "seconds"]),
            "format" | "timestamp.format" => random.one_of(&[
                "yyyy-MM-dd",
                "yyyy-MM-dd'T'HH:mm:ss.SSSX",
                "yyyyMMdd",
                "YYYY ww u W F D k K h a z G",
                "yy",
            ]),
            "replace.null.with.default" => random.one_of(&["true", "false"]),
            "schema.version" => "7",
            "value.literal" => any_text(random),
            "topic.format" => "${topic}-${timestamp}",
            _ if random.below(4) == 0 => return None,
            _ => random.one_of(&names),
        };
        Some((key, value.to_owned()))
    })
    .collect()
}

/// Key and value, each with its schema.
type Parts = [(Option<SchemaRef>, Value); 2];

fn parts_of(record: &Record) -> Parts {
    [
        (record.key_schema.clone(), record.key.clone()),
        (record.value_schema.clone(), record.value.clone()),
    ]
}

/// What the transformation puts in the place of key and value where they lie, as trees and in a batch, which must be the same.
fn projected(transformation: &dyn Transformation, record: &Record) -> Option<Parts> {
    let project = |key, value| {
        let (key, value) = transformation.project(key, value)?;
        Some([key, value].map(|part| (part.schema.cloned(), part.value.to_value())))
    };
    let parts = project(
        Datum::new(record.key_schema.as_ref(), &record.key),
        Datum::new(record.value_schema.as_ref(), &record.value),
    );
    let mut batch = RecordBatch::new();
    if batch.push_record(record).is_ok() {
        let mut cache = SchemaCache::default();
        let batch = RecordBatchRef::parse(batch.finish().unwrap(), &mut cache).unwrap();
        let record = batch.iter().next().unwrap().unwrap();
        let datum = |schema, value| Datum { schema, value };
        let found = project(
            datum(record.key_schema(), record.key()),
            datum(record.value_schema(), record.value()),
        );
        assert_eq!(found, parts);
    }
    parts
}

fn assert_in_proportion(peak: usize, held: usize, context: &str) {
    let most = MOST_BESIDE + MOST_PER_BYTE * held;
    assert!(
        peak <= most,
        "{peak} bytes, more than {most} for a record of {held}: {context}"
    );
}

const NAMES: [&str; 4] = ["a", "b", "c", "a.b"];

#[test]
fn no_record_makes_a_transformation_panic_or_change_what_it_must_not() {
    for entry in TRANSFORMATIONS {
        let (mut applied, mut projections) = (0, 0);
        for seed in 0..1500 {
            let random = &mut Random::new(seed);
            let mut transformation = (entry.new)();
            let config = any_config(random, &transformation.config());
            if transformation.configure(&config).is_err() {
                continue;
            }
            for _ in 0..3 {
                let made = used_by(|| any_record(random));
                let record = made.outcome;
                let context = format!("{} with seed {seed} and {config:?} on {record}", entry.class);
                let projected = projected(transformation.as_ref(), &record);
                let copy = record.clone();
                let used = used_by(|| transformation.applied(copy));
                assert_in_proportion(used.peak, made.kept, &context);
                let Ok(Some(changed)) = used.outcome else {
                    assert_eq!(projected, None, "{context}");
                    continue;
                };
                applied += 1;
                if let Some(parts) = projected {
                    projections += 1;
                    assert_eq!(parts, parts_of(&changed), "{context}");
                }
                assert_eq!(changed.origin, record.origin, "{context}");
                assert_eq!(changed.timestamp, record.timestamp, "{context}");
                assert_eq!(changed.kafka_partition, record.kafka_partition, "{context}");
                if !entry.class.ends_with("Router") {
                    assert_eq!(changed.topic, record.topic, "{context}");
                }
                if !entry.class.contains("Header") {
                    assert_eq!(changed.headers, record.headers, "{context}");
                }
                if !entry.class.ends_with("$Key") && !entry.class.ends_with("ValueToKey") {
                    assert_eq!(
                        (&changed.key_schema, &changed.key),
                        (&record.key_schema, &record.key),
                        "{context}"
                    );
                }
                if !entry.class.ends_with("$Value") {
                    assert_eq!(
                        (&changed.value_schema, &changed.value),
                        (&record.value_schema, &record.value),
                        "{context}"
                    );
                }
                // the schema of a struct is that of its record, or converters would be misled
                for (schema, value) in [
                    (&changed.key_schema, &changed.key),
                    (&changed.value_schema, &changed.value),
                ] {
                    if let (Some(schema), Value::Struct(inner)) = (schema, value)
                        && record.value != changed.value
                    {
                        assert_eq!(
                            inner.values().len(),
                            inner.schema().fields().unwrap().len(),
                            "{context}"
                        );
                        assert_eq!(schema, inner.schema(), "{context}");
                    }
                }
            }
        }
        assert!(
            applied > 20 || entry.class.ends_with("Filter"),
            "{} applied {applied} times",
            entry.class
        );
        assert_eq!(
            projections > 20,
            entry.class.contains("ExtractField"),
            "{} projected {projections} times",
            entry.class
        );
    }
}

#[test]
fn no_record_makes_a_predicate_panic() {
    for entry in PREDICATES {
        let mut answers = [0, 0];
        for seed in 0..1000 {
            let random = &mut Random::new(seed);
            let mut predicate = (entry.new)();
            let config = any_config(random, &predicate.config());
            if predicate.configure(&config).is_err() {
                continue;
            }
            let answer = predicate.test(&any_record(random)).unwrap();
            answers[usize::from(answer)] += 1;
        }
        assert!(
            answers.iter().all(|count| *count > 0),
            "{} answered {answers:?}",
            entry.class
        );
    }
}

/// Maps and structs nested as deep as the readers of messages let them be, and far more for maps.
#[test]
fn deep_nesting_is_flattened_or_refused() {
    let nested_map =
        |depth: usize| (0..depth).fold(Value::from(1), |inner, _| Value::Map(vec![("a".into(), inner)]));
    let nested_struct = |depth: usize| {
        let start = SchemaBuilder::structure()
            .field("a", Schema::int8())
            .build()
            .unwrap();
        let mut value = Struct::from_values(start, vec![1_i8.into()]);
        for _ in 1..depth {
            let schema = SchemaBuilder::structure()
                .field("a", Arc::clone(value.schema()))
                .build()
                .unwrap();
            value = Struct::from_values(schema, vec![value.into()]);
        }
        value
    };
    for entry in TRANSFORMATIONS
        .iter()
        .filter(|entry| entry.class.ends_with("$Value"))
    {
        for seed in 0..10 {
            let random = &mut Random::new(seed);
            let mut transformation = (entry.new)();
            let config = any_config(random, &transformation.config());
            if transformation.configure(&config).is_err() {
                continue;
            }
            let record = Record::sink("t", 0, 0);
            // what matters is to come back
            let _ = transformation.applied(record.clone().with_value(None, nested_map(1500)));
            let value = nested_struct(400);
            let _ = transformation.applied(record.with_value(Some(Arc::clone(value.schema())), value));
        }
    }
}

/// Records with many parts, and with long ones: texts, arrays, maps and structs, with a schema and without. With what each holds.
fn large_records() -> Vec<(Record, usize)> {
    const PARTS: usize = 500;
    let text = "x".repeat(1 << 16);
    let mut names: Vec<String> = (0..PARTS).map(|number| format!("f{number}")).collect();
    names.push("a".to_owned());
    let wide = |schema: &SchemaRef, value: &Value| {
        let builder = names.iter().fold(SchemaBuilder::structure(), |builder, name| {
            builder.field(name.clone(), Arc::clone(schema))
        });
        let schema = builder.build().unwrap();
        let value = Struct::from_values(Arc::clone(&schema), vec![value.clone(); names.len()]);
        (Some(schema), Value::from(value))
    };
    let map = || {
        Value::Map(
            names
                .iter()
                .map(|name| (name.as_str().into(), 1.into()))
                .collect(),
        )
    };
    let row = || {
        let schema = SchemaBuilder::structure()
            .field("a", Schema::int8())
            .build()
            .unwrap();
        (
            Arc::clone(&schema),
            Value::from(Struct::from_values(schema, vec![1_i8.into()])),
        )
    };
    let make: [&dyn Fn() -> (Option<SchemaRef>, Value); 8] = [
        &|| (Some(Schema::string()), text.as_str().into()),
        &|| (None, Value::Map(vec![("a".into(), text.as_str().into())])),
        &|| wide(&Schema::int64(), &1_i64.into()),
        &|| wide(&Schema::string(), &"42".into()),
        &|| {
            let (schema, row) = row();
            wide(&schema, &row)
        },
        &|| (None, map()),
        &|| (None, Value::Map(vec![("a".into(), map())])),
        &|| {
            let (schema, row) = row();
            let rows = SchemaBuilder::array(schema).build().unwrap();
            (Some(rows), Value::Array(vec![row; PARTS]))
        },
    ];
    let record = |make: &dyn Fn() -> (Option<SchemaRef>, Value)| {
        let mut record = Record::sink("t", 0, 0);
        (record.key_schema, record.key) = make();
        (record.value_schema, record.value) = make();
        record.headers.add_string("a", text.as_str());
        record.timestamp = Some(0);
        record
    };
    make.map(|make| {
        let made = used_by(|| record(make));
        (made.outcome, made.kept)
    })
    .into()
}

#[test]
fn large_records_take_memory_in_proportion() {
    let records = large_records();
    for entry in TRANSFORMATIONS {
        let mut most = 0;
        for seed in 0..30 {
            let random = &mut Random::new(seed);
            let mut transformation = (entry.new)();
            let config = any_config(random, &transformation.config());
            if transformation.configure(&config).is_err() {
                continue;
            }
            for (record, held) in &records {
                let copy = record.clone();
                let used = used_by(|| transformation.applied(copy));
                assert_in_proportion(used.peak, *held, &format!("{} with {config:?}", entry.class));
                most = most.max(used.peak);
            }
        }
        // Those that make something anew for each part of the record are seen to.
        let rebuilds = ["Cast", "Flatten", "InsertField", "MaskField", "SetSchemaMetadata"];
        if rebuilds
            .iter()
            .any(|name| entry.class.contains(&format!(".{name}$")))
        {
            assert!(most > 20_000, "{} took {most} bytes", entry.class);
        }
    }
}
