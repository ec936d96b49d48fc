//! What must hold for any record under any configuration: no transformation or predicate panics, nothing but what it is
//! for changes, what comes out suits its schema, and deep nesting does no harm. A seed that fails is in the message.

use std::sync::Arc;

use wharf_api::config::ConfigDef;
use wharf_api::{
    ConfigMap, Decimal, Record, Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value, logical,
};
use wharf_test_services::Random;
use wharf_transforms::{PREDICATES, TRANSFORMATIONS};

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

/// A value of any class, as records without schema have them.
fn any_loose(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 12 }) {
        0 => Value::Null,
        1 => true.into(),
        2 => any_number(random).into(),
        3 => 1.5_f32.into(),
        4 => Value::Date(any_number(random)),
        5 => Decimal::new(any_number(random), 3).into(),
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

const NAMES: [&str; 4] = ["a", "b", "c", "a.b"];

#[test]
fn no_record_makes_a_transformation_panic_or_change_what_it_must_not() {
    for entry in TRANSFORMATIONS {
        let mut applied = 0;
        for seed in 0..1500 {
            let random = &mut Random::new(seed);
            let mut transformation = (entry.new)();
            let config = any_config(random, &transformation.config());
            if transformation.configure(&config).is_err() {
                continue;
            }
            for _ in 0..3 {
                let record = any_record(random);
                let Ok(Some(changed)) = transformation.applied(record.clone()) else {
                    continue;
                };
                applied += 1;
                let context = format!("{} with seed {seed} and {config:?} on {record}", entry.class);
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
