//! What must hold for any value and any bytes: what the converter writes it reads again, flat-encoded values are written as
//! owned ones, nothing panics, and hostile bytes cost little memory.

use wharf_api::flat::SchemaCache;
use wharf_api::{
    Converter as _, Decimal, Headers, NewRecord, OffsetMap, RecordBatch, RecordBatchRef, Schema,
    SchemaAndValue, SchemaBuilder, SchemaRef, Struct, Value, ValueRef, logical,
};
use wharf_avro::AvroConverter;
use wharf_converters::value_budget::MAX_VALUES;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::damage;
use wharf_test_services::heap::{Counted, assert_in_proportion, used_by};
use wharf_testkit::{check_mismatched, converter_with_registry, with_part_replaced};

#[global_allocator]
static HEAP: Counted = Counted;

/// Most bytes that reading may take at a time for each byte of the message, its result included: the two bytes of a row become a
/// struct of two values in a list, beside their flat form.
const READING: usize = 160;
/// What may come on top: errors, and what caches grow by.
const BESIDE: usize = 8 << 10;
/// What reading a schema of these tests takes; the first message of each has to.
const SCHEMA: usize = 64 << 10;
/// How many elements that take no bytes a message may have.
const MAX_EMPTY_ELEMENTS: usize = 1 << 16;
/// Most bytes for each of the values that a schema may add to a message.
const OF_A_VALUE: usize = 96;

/// Records made by chance.
struct Random(wharf_test_services::Random);

impl Random {
    fn new(seed: u64) -> Self {
        Self(wharf_test_services::Random::new(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.bits()
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.0.below_u64(limit)).unwrap()
    }

    fn integer(&mut self) -> i64 {
        let number = self.next().cast_signed();
        number >> self.below(64)
    }

    fn text(&mut self) -> String {
        let letters = ['a', 'Z', '0', ' ', '"', '\\', '\n', '\0', 'é', '日', '😀'];
        (0..self.below(12)).map(|_| letters[self.below(11)]).collect()
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most))
            .map(|_| self.next().to_le_bytes()[0])
            .collect()
    }

    /// A schema and a value of it. `names` keeps the names of structs apart.
    fn schema(&mut self, depth: u32, names: &mut u32) -> SchemaRef {
        let kinds = if depth < 4 { 16 } else { 13 };
        let builder = match self.below(kinds) {
            0 => SchemaBuilder::int8(),
            1 => SchemaBuilder::int16(),
            2 => SchemaBuilder::int32(),
            3 => SchemaBuilder::int64(),
            4 => SchemaBuilder::float32(),
            5 => SchemaBuilder::float64(),
            6 => SchemaBuilder::boolean(),
            7 => SchemaBuilder::string(),
            8 => SchemaBuilder::bytes(),
            9 => SchemaBuilder::int32().name(logical::DATE).version(1),
            10 => SchemaBuilder::int32().name(logical::TIME).version(1),
            11 => SchemaBuilder::int64().name(logical::TIMESTAMP).version(1),
            12 => SchemaBuilder::bytes()
                .name(logical::DECIMAL)
                .version(1)
                .parameter("scale", "3"),
            13 => SchemaBuilder::array(self.schema(depth + 1, names)),
            14 => {
                let key = if self.below(2) == 0 {
                    Schema::string()
                } else {
                    Schema::int32()
                };
                let value = self.schema(depth + 1, names);
                *names += 1;
                // Unnamed maps with other keys share one type name, which can stand only once.
                SchemaBuilder::map(key, value).name(format!("p.Map{names}"))
            }
            _ => {
                *names += 1;
                let mut builder = SchemaBuilder::structure().name(format!("p.Struct{names}"));
                for position in 0..=self.below(5) {
                    builder = builder.field(format!("f{position}"), self.schema(depth + 1, names));
                }
                builder
            }
        };
        let builder = if self.below(3) == 0 {
            builder.optional()
        } else {
            builder
        };
        builder.build().unwrap()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    fn value(&mut self, schema: &SchemaRef) -> Value {
        use wharf_api::SchemaType::*;
        if schema.is_optional() && self.below(4) == 0 {
            return Value::Null;
        }
        match (schema.schema_type(), schema.name()) {
            (_, Some(logical::DATE)) => {
                Value::Date(i64::from(self.integer() as i16) * logical::MILLIS_PER_DAY)
            }
            (_, Some(logical::TIME)) => Value::Date(i64::from(self.next() as u16)),
            (_, Some(logical::TIMESTAMP)) => Value::Date(self.integer()),
            (_, Some(logical::DECIMAL)) => Value::Decimal(Decimal::new(self.integer(), 3)),
            (Int8, _) => Value::Int8(self.integer() as i8),
            (Int16, _) => Value::Int16(self.integer() as i16),
            (Int32, _) => Value::Int32(self.integer() as i32),
            (Int64, _) => Value::Int64(self.integer()),
            (Float32, _) => Value::Float32(self.integer() as f32),
            (Float64, _) => Value::Float64(f64::from_bits(self.next())),
            (Boolean, _) => Value::Boolean(self.below(2) == 0),
            (String, _) => Value::String(self.text()),
            (Bytes, _) => Value::Bytes(self.bytes(10)),
            (Array, _) => {
                let of = schema.value_schema().unwrap().unwrap().clone();
                Value::Array((0..self.below(4)).map(|_| self.value(&of)).collect())
            }
            (Map, _) => {
                let (key, of) = (
                    schema.key_schema().unwrap().unwrap(),
                    schema.value_schema().unwrap().unwrap(),
                );
                let is_text = key.schema_type() == String;
                let count = self.below(4);
                let entry = |number: usize| {
                    let key = if is_text {
                        Value::from(format!("k{number}"))
                    } else {
                        Value::Int32(number as i32)
                    };
                    (key, self.value(of))
                };
                Value::Map((0..count).map(entry).collect())
            }
            (Struct, _) => {
                let values = schema
                    .fields()
                    .unwrap()
                    .iter()
                    .map(|field| self.value(field.schema()))
                    .collect();
                Value::from(self::Struct::from_values(SchemaRef::clone(schema), values))
            }
        }
    }
}

fn converter(registry: &TestRegistry) -> AvroConverter {
    let topic_names = (
        "value.subject.name.strategy",
        "io.confluent.kafka.serializers.subject.TopicNameStrategy",
    );
    converter_with_registry(&registry.url(), &[topic_names])
}

fn encode(converter: &mut AvroConverter, schema: Option<&SchemaRef>, value: ValueRef<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    converter
        .encode("t", &mut Headers::new(), schema, value, &mut out)
        .unwrap();
    out
}

/// Values as they come back: bytes for bytes, whatever the schema's own attributes.
fn plain(value: &Value) -> Value {
    match value {
        Value::Struct(value) => Value::Array(value.values().iter().map(plain).collect()),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(k, v)| (plain(k), plain(v))).collect()),
        other => other.clone(),
    }
}

#[test]
fn what_is_written_is_read_again_and_flat_values_are_written_as_owned_ones() {
    let registry = TestRegistry::start();
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let mut names = 0;
        let schema = random.schema(0, &mut names);
        let value = random.value(&schema);
        if value.is_null() {
            continue;
        }
        let mut avro = converter(&registry);
        let bytes = encode(&mut avro, Some(&schema), value.as_ref());
        let SchemaAndValue {
            schema: read,
            value: again,
        } = avro
            .decode(&format!("other{seed}"), &Headers::new(), Some(&bytes))
            .unwrap();
        assert_eq!(plain(&again), plain(&value), "seed {seed}");
        let read = read.unwrap();
        assert_eq!(read.schema_type(), schema.schema_type(), "seed {seed}");
        // What was read is written as it came.
        assert_eq!(
            encode(&mut avro, Some(&read), again.as_ref())[5..],
            bytes[5..],
            "seed {seed}"
        );

        let mut batch = RecordBatch::new();
        let (partition, offset): (OffsetMap, [(&str, ValueRef<'_>); 0]) = (OffsetMap::default(), []);
        batch
            .push(&NewRecord::source("t", &partition, &offset).value(Some(&schema), &value))
            .unwrap();
        let flat = batch.finish().unwrap().to_vec();
        let mut schemas = SchemaCache::default();
        let parsed = RecordBatchRef::parse(&flat, &mut schemas).unwrap();
        let record = parsed.iter().next().unwrap().unwrap();
        assert_eq!(
            encode(&mut avro, record.value_schema(), record.value()),
            bytes,
            "seed {seed}"
        );
    }
}

#[test]
fn a_value_that_is_not_of_its_schema_is_a_data_error_or_can_be_read() {
    let registry = TestRegistry::start();
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut names = 0;
        let (schema, other_schema) = (random.schema(0, &mut names), random.schema(0, &mut names));
        let (value, other) = (random.value(&schema), random.value(&other_schema));
        let by = if random.below(2) == 0 {
            Value::Null
        } else {
            other.clone()
        };
        let place = random.below(1000);
        let mut avro = converter(&registry);
        let replaced = with_part_replaced(&value, place, &by);
        for (schema, value) in [
            (Some(&schema), &other),
            (Some(&other_schema), &value),
            (Some(&schema), &replaced),
            (None, &value),
        ] {
            let unreadable = check_mismatched(&mut avro, schema, value);
            assert_eq!(unreadable, None, "seed {seed}: {schema:?} {value:?}");
        }
    }
}

const HOSTILE: &[&str] = &[
    "\"string\"",
    "\"bytes\"",
    r#"{"type":"array","items":"null"}"#,
    r#"{"type":"array","items":{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}}"#,
    r#"{"type":"map","values":"long"}"#,
    r#"["null","int",{"type":"fixed","name":"F","size":1000000}]"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"double"}},{"name":"u","type":["int","string","null"]},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"t","type":{"type":"int","logicalType":"time-millis"}},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}}]}"#,
    r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":["null","boolean"]}]}}"#,
];

fn anything() -> String {
    let registry = TestRegistry::start();
    let bytes = encode(&mut converter(&registry), None, ValueRef::Boolean(true));
    let id = i32::from_be_bytes(bytes[1..5].try_into().unwrap());
    registry.text(id).unwrap()
}

#[test]
fn arbitrary_bytes_never_panic_and_never_become_more_than_they_can_hold() {
    let registry = TestRegistry::start();
    let anything = anything();
    let mut random = Random::new(7);
    for schema in HOSTILE.iter().copied().chain([anything.as_str()]) {
        let (id, _) = registry.register("t-value", &RegistrySchema::new(Format::Avro, schema));
        let mut avro = converter(&registry);
        for round in 0..3000 {
            let mut message = vec![0];
            message.extend(id.to_be_bytes());
            message.extend(random.bytes(40));
            if round % 3 == 0 {
                // A length or count of 2^40, at the beginning or somewhere.
                let at = 5 + random.below(message.len() as u64 - 4);
                message.splice(at..at, [0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
            }
            let used = used_by(|| avro.decode("t", &Headers::new(), Some(&message)));
            let beside = BESIDE + SCHEMA + OF_A_VALUE * MAX_EMPTY_ELEMENTS;
            assert_in_proportion(used.peak, READING, message.len(), beside, schema);
            if let Ok(SchemaAndValue {
                value: Value::Array(items),
                ..
            }) = used.outcome
            {
                assert!(items.len() <= MAX_EMPTY_ELEMENTS, "{schema}");
            }
        }
    }
}

/// The message of a payload in the schema that is registered.
fn message(registry: &TestRegistry, schema: &str, payload: &[u8]) -> Vec<u8> {
    let (id, _) = registry.register("t-value", &RegistrySchema::new(Format::Avro, schema));
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

#[test]
fn damaged_messages_take_memory_in_proportion() {
    let registry = TestRegistry::start();
    let (mut refused, mut read) = (0, 0);
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let schema = random.schema(0, &mut 0);
        let value = random.value(&schema);
        if value.is_null() {
            continue;
        }
        let mut avro = converter(&registry);
        let whole = encode(&mut avro, Some(&schema), value.as_ref());
        avro.decode("t", &Headers::new(), Some(&whole)).unwrap();
        for round in 0..40 {
            let mut message = whole.clone();
            if round % 8 == 0 {
                message.truncate(5);
                message.extend(random.bytes(200));
            } else {
                damage(&mut random.0, &mut message, 5);
            }
            let used = used_by(|| avro.decode("t", &Headers::new(), Some(&message)));
            let context = format!("seed {seed}, round {round}: {message:?} of {schema:?}");
            assert_in_proportion(used.peak, READING, message.len(), BESIDE, &context);
            refused += u32::from(used.outcome.is_err());
            read += u32::from(used.outcome.is_ok());
        }
    }
    assert!(refused > 1000 && read > 500, "{refused} refused, {read} read");
}

#[test]
fn messages_of_the_smallest_parts_take_memory_in_proportion() {
    const PARTS: usize = 20_000;
    let registry = TestRegistry::start();
    let list = |of: &str| format!(r#"{{"type":"array","items":{of}}}"#);
    let map = |of: &str| format!(r#"{{"type":"map","values":{of}}}"#);
    let entries = r#"{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"int"}]}"#;
    let row = r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"bytes"}]}"#;
    for (what, schema, part) in [
        ("truth values", list("\"boolean\""), &[1][..]),
        ("doubles", list("\"double\""), &[0; 8]),
        ("texts", list("\"string\""), &[0]),
        ("bytes", list("\"bytes\""), &[0]),
        ("arrays", list(&list("\"int\"")), &[0]),
        ("arrays of one", list(&list("\"int\"")), &[2, 0, 0]),
        ("maps", list(&map("\"int\"")), &[0]),
        ("entries", map("\"boolean\""), &[0, 1]),
        ("entries with other keys", list(entries), &[0, 0]),
        ("rows", list(row), &[0, 0]),
        ("nulls of a union", list("[\"null\",\"int\"]"), &[0]),
        ("members of a union", list("[\"string\",\"int\"]"), &[0, 0]),
        (
            "decimals",
            list(r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#),
            &[2, 1],
        ),
        ("data without schema", anything(), &[0; 9]),
    ] {
        let mut payload = Vec::new();
        // Data without schema: seven fields that are not set before the array.
        let is_anything = what == "data without schema";
        payload.extend(if is_anything {
            &[0, 0, 0, 0, 0, 0, 0, 2][..]
        } else {
            &[]
        });
        // The count, in zigzag form.
        payload.extend([0xc0, 0xb8, 0x02]);
        payload.extend(part.repeat(PARTS));
        payload.extend([0, 0]);
        let message = message(&registry, &schema, &payload);
        let mut avro = converter(&registry);
        // The schema is read once.
        avro.decode("t", &Headers::new(), Some(&message[..5]))
            .unwrap_err();
        let used = used_by(|| avro.decode("t", &Headers::new(), Some(&message)));
        let read = used
            .outcome
            .unwrap_or_else(|error| panic!("{what}: {}", error.trace()));
        let count = match &read.value {
            Value::Array(items) => items.len(),
            Value::Map(entries) => entries.len(),
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(count, PARTS, "{what}");
        assert_in_proportion(used.peak, READING, message.len(), BESIDE, what);
    }
}

/// Schemas whose values take far more than the bytes that stand for them, with such bytes, and what the reader has instead.
fn schemas_of_many_values() -> Vec<(&'static str, String, &'static [u8], Option<String>)> {
    let many = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(",");
    let empty = |number: usize| format!(r#"{{"type":"record","name":"E{number}","fields":[]}}"#);
    let list = |of: &str| format!(r#"{{"type":"array","items":{of}}}"#);
    let record = |fields: &str| list(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#));
    let boolean = r#"{"name":"a","type":"boolean"}"#;
    vec![
        (
            "a union of a thousand",
            list(&format!("[{}]", many(1000, &empty))),
            &[0],
            None,
        ),
        (
            "many records without fields",
            record(&many(110, &|number| {
                format!(r#"{{"name":"f{number}","type":{}}}"#, empty(number))
            })),
            &[],
            None,
        ),
        (
            "a long symbol",
            list(&format!(
                r#"{{"type":"enum","name":"E","symbols":["{}"]}}"#,
                "x".repeat(32_000)
            )),
            &[0],
            None,
        ),
        (
            "a thousand defaults",
            record(boolean),
            &[1],
            Some(record(&many(1000, &|number| {
                format!(r#"{{"name":"f{number}","type":"long","default":1}}"#)
            }))),
        ),
        (
            "a long default",
            record(boolean),
            &[1],
            Some(record(&format!(
                r#"{{"name":"t","type":"string","default":"{}"}}"#,
                "x".repeat(32_000)
            ))),
        ),
    ]
}

#[test]
fn values_that_a_schema_adds_are_counted() {
    for (count, is_read) in [(4000_u32, true), (40_000, false)] {
        for (what, schema, part, reader) in schemas_of_many_values() {
            let registry = TestRegistry::start();
            let zigzag = count * 2;
            let mut payload: Vec<u8> = (0..3).map(|at| (zigzag >> (7 * at)) as u8 | 0x80).collect();
            payload[2] &= 0x7f;
            payload.extend(part.repeat(usize::try_from(count).unwrap()));
            payload.push(0);
            let message = message(&registry, &schema, &payload);
            let mut avro: AvroConverter = match reader {
                None => converter(&registry),
                Some(reader) => {
                    registry.register("t-value", &RegistrySchema::new(Format::Avro, reader));
                    let latest = [("use.latest.version", "true"), ("auto.register.schemas", "false")];
                    converter_with_registry(&registry.url(), &latest)
                }
            };
            let _ = avro.decode("t", &Headers::new(), Some(&message[..5]));
            let used = used_by(|| avro.decode("t", &Headers::new(), Some(&message)));
            match used.outcome {
                Ok(_) => assert!(is_read, "{what}"),
                Err(error) => {
                    let trace = error.trace();
                    assert!(
                        !is_read && trace.contains("more than 4194304 values"),
                        "{what}: {trace}"
                    );
                }
            }
            let beside = BESIDE + OF_A_VALUE * MAX_VALUES;
            assert_in_proportion(used.peak, READING, message.len(), beside, what);
        }
    }
}

#[test]
fn bytes_without_any_form_are_refused_as_data_errors() {
    let registry = TestRegistry::start();
    registry.register("t-value", &RegistrySchema::new(Format::Avro, "\"int\""));
    let mut avro = converter(&registry);
    for (bytes, reason) in [
        (&[][..], "the message is empty"),
        (&[7, 0, 0, 0, 1, 2], "Unknown magic byte!"),
        (&[0, 0, 0], "ends within its schema id"),
        (&[0, 0, 0, 0, 99, 2], "Schema 99 not found"),
        (&[0, 0, 0, 0, 1], "ends within a value"),
        (
            &[
                0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
            "Invalid long encoding",
        ),
        (
            &[0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "Invalid int encoding",
        ),
    ] {
        let error = avro.decode("t", &Headers::new(), Some(bytes)).unwrap_err();
        assert_eq!(error.kind(), wharf_api::ErrorKind::Data, "{}", error.trace());
        assert_eq!(error.message(), "Failed to deserialize data for topic t to Avro:");
        assert!(error.trace().contains(reason), "{}", error.trace());
    }
}

#[test]
fn values_without_schema_that_nest_too_deep_are_refused_both_ways() {
    let registry = TestRegistry::start();
    let mut avro = converter(&registry);
    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let bytes = encode(&mut avro, None, nested(100).as_ref());
    assert_eq!(
        avro.decode("t", &Headers::new(), Some(&bytes)).unwrap(),
        SchemaAndValue::new(None, nested(100))
    );
    let error = avro
        .encode(
            "t",
            &mut Headers::new(),
            None,
            nested(5000).as_ref(),
            &mut Vec::new(),
        )
        .unwrap_err();
    assert!(error.message().contains("nests more than"), "{error}");
    // Each level: unset fields, the set one, a block of one element.
    let mut message = bytes[..5].to_vec();
    for _ in 0..5000 {
        message.extend([0, 0, 0, 0, 0, 0, 0, 2, 2]);
    }
    message.extend([0; 60_000]);
    let error = avro.decode("t", &Headers::new(), Some(&message)).unwrap_err();
    assert!(error.trace().contains("nests more than"), "{}", error.trace());
}
