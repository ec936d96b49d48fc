//! What must hold for any value and for any bytes: what JsonConverter writes it reads again, flat-encoded values are
//! written as owned ones, what does not suit its schema is refused, nothing panics, and the memory that is taken is in
//! proportion to what came in.

use std::sync::Arc;

use wharf_api::flat::{SchemaCache, is_flat};
use wharf_api::{
    ConfigMap, Converter, ConverterType, Decimal, Headers, NewRecord, OffsetMap, RecordBatch, RecordBatchRef,
    Schema, SchemaBuilder, SchemaRef, SchemaType, Struct, Value, ValueRef, logical,
};
use wharf_converters::value_budget::MAX_VALUES;
use wharf_converters::{BUILTIN, JsonConverter};
use wharf_test_services::Random;
use wharf_test_services::heap::{Counted, assert_in_proportion, used_by};

#[global_allocator]
static HEAP: Counted = Counted;

/// Most bytes that reading may take at a time for each byte of the message, its result included: the two brackets of an empty
/// array become a value in a list that has room for four.
const READING: usize = 96;
/// Most bytes that writing may take at a time for each byte that value and schema hold.
const WRITING: usize = 8;
/// What may come on top of both: errors, and the frame of a result.
const BESIDE: usize = 4 << 10;
/// The same where converters are used again and again: the tables of caches grow, and time zones are read once.
const BESIDE_CACHES: usize = 128 << 10;

fn any_text(random: &mut Random) -> String {
    let length = random.below_u64(20);
    (0..length)
        .map(|_| {
            random.one_of(&[
                'a',
                'Z',
                '0',
                ' ',
                '"',
                '\\',
                '/',
                '\n',
                '\0',
                '\u{1f}',
                '\u{7f}',
                'é',
                '日',
                '😀',
                '\u{10ffff}',
            ])
        })
        .collect()
}

fn any_bytes(random: &mut Random) -> Vec<u8> {
    let length = random.below_u64(20);
    (0..length).map(|_| random.bits().to_le_bytes()[0]).collect()
}

fn any_schema(random: &mut Random, depth: u64) -> SchemaRef {
    let kinds = if depth == 0 { 13 } else { 17 };
    let mut builder = match random.below_u64(kinds) {
        kind @ 0..=8 => SchemaBuilder::new(SchemaType::ALL[usize::try_from(kind).unwrap()]),
        9 => SchemaBuilder::bytes()
            .name(logical::DECIMAL)
            .version(1)
            .parameter(
                logical::SCALE_PARAMETER,
                (i64::try_from(random.below_u64(10)).unwrap() - 3).to_string(),
            ),
        10 => SchemaBuilder::int32().name(logical::DATE).version(1),
        11 => SchemaBuilder::int32().name(logical::TIME).version(1),
        12 => SchemaBuilder::int64().name(logical::TIMESTAMP).version(1),
        13 => SchemaBuilder::array(any_schema(random, depth - 1)),
        14 => SchemaBuilder::map(Schema::string(), any_schema(random, depth - 1)),
        15 => SchemaBuilder::map(Schema::int32(), any_schema(random, depth - 1)),
        _ => {
            let fields = random.below_u64(12);
            (0..fields).fold(SchemaBuilder::structure(), |builder, number| {
                let name = if random.once_in(4) {
                    format!("{}{number}", any_text(random))
                } else {
                    format!("f{number}")
                };
                builder.field(name, any_schema(random, depth - 1))
            })
        }
    };
    if random.once_in(3) {
        builder = builder.optional();
    }
    if random.once_in(4) {
        builder = builder.doc(any_text(random)).parameter("key", any_text(random));
    }
    let schema = builder.clone().build().unwrap();
    if random.once_in(4) && schema.schema_type().is_primitive() {
        let default = any_value(random, &schema, true);
        return builder.default_value(default).build().unwrap();
    }
    schema
}

fn any_value(random: &mut Random, schema: &SchemaRef, never_null: bool) -> Value {
    // With a default, null would come back as the default.
    if schema.is_optional() && schema.default_value().is_none() && !never_null && random.once_in(4) {
        return Value::Null;
    }
    // Narrowing is the point: any bits will do.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    match (schema.schema_type(), schema.name()) {
        (_, Some(logical::DECIMAL)) => {
            Decimal::new(random.bits() as i64, logical::scale(schema).unwrap()).into()
        }
        (_, Some(logical::DATE)) => Value::Date(i64::from(random.bits() as i32) * logical::MILLIS_PER_DAY),
        (_, Some(logical::TIME)) => Value::Date(random.below_u64(86_400_001) as i64),
        (_, Some(logical::TIMESTAMP)) => Value::Date(random.bits() as i64),
        (SchemaType::Int8, _) => (random.bits() as i8).into(),
        (SchemaType::Int16, _) => (random.bits() as i16).into(),
        (SchemaType::Int32, _) => (random.bits() as i32).into(),
        (SchemaType::Int64, _) => (random.bits() as i64).into(),
        (SchemaType::Float32, _) => f32::from_bits(random.bits() as u32).into(),
        (SchemaType::Float64, _) => f64::from_bits(random.bits()).into(),
        (SchemaType::Boolean, _) => random.once_in(2).into(),
        (SchemaType::String, _) => any_text(random).into(),
        (SchemaType::Bytes, _) => any_bytes(random).into(),
        (SchemaType::Array, _) => {
            let element = Arc::clone(schema.value_schema().unwrap().unwrap());
            Value::Array(
                (0..random.below_u64(5))
                    .map(|_| any_value(random, &element, false))
                    .collect(),
            )
        }
        (SchemaType::Map, _) => {
            let key = schema.key_schema().unwrap().unwrap().schema_type();
            let item = Arc::clone(schema.value_schema().unwrap().unwrap());
            let key = |number: u64| match key {
                SchemaType::String => format!("k{number}").into(),
                _ => Value::Int32(number as i32),
            };
            Value::Map(
                (0..random.below_u64(20))
                    .map(|number| (key(number), any_value(random, &item, false)))
                    .collect(),
            )
        }
        (SchemaType::Struct, _) => {
            let mut value = Struct::new(Arc::clone(schema)).unwrap();
            for field in schema.fields().unwrap() {
                let item = any_value(random, field.schema(), false);
                value.put(field.name(), item).unwrap();
            }
            value.into()
        }
    }
}

fn converter(decimal_format: &str) -> JsonConverter {
    let config = ConfigMap::from([("decimal.format".to_owned(), decimal_format.to_owned())]);
    let mut converter = JsonConverter::default();
    converter.configure(&config, ConverterType::Value).unwrap();
    converter
}

fn encode(converter: &mut JsonConverter, schema: &SchemaRef, value: ValueRef<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    converter
        .encode("t", &mut Headers::new(), Some(schema), value, &mut out)
        .unwrap();
    out
}

#[test]
fn what_is_written_is_read_again() {
    let mut converters = [converter("BASE64"), converter("NUMERIC")];
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let schema = any_schema(&mut random, 3);
        let value = any_value(&mut random, &schema, false);
        for converter in &mut converters {
            let written = encode(converter, &schema, value.as_ref());
            let text = String::from_utf8(written.clone()).expect("JSON is text");
            // Twice: the second message finds the schema of the first.
            for _ in 0..2 {
                let read = converter.decode("t", &Headers::new(), Some(&written)).unwrap();
                assert_eq!(read.schema.as_ref(), Some(&schema), "seed {seed}: {text}");
                assert_eq!(read.value, value, "seed {seed}: {text}");
            }
        }
    }
}

#[test]
fn flat_values_are_written_as_owned_ones() {
    let mut converter = converter("BASE64");
    let mut containers = 0;
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let schema = any_schema(&mut random, 3);
        let value = any_value(&mut random, &schema, false);
        let mut batch = RecordBatch::new();
        let partition = OffsetMap::new();
        let record = NewRecord::source("t", &partition, &[]).value(Some(&schema), value.as_ref());
        batch.push(&record).unwrap();
        let mut schemas = SchemaCache::default();
        let batch = RecordBatchRef::parse(batch.finish().unwrap(), &mut schemas).unwrap();
        let flat_value = batch.iter().next().unwrap().unwrap().value();
        containers += u32::from(is_flat(&flat_value));
        let from_flat = encode(&mut converter, &schema, flat_value);
        assert_eq!(
            from_flat,
            encode(&mut converter, &schema, value.as_ref()),
            "seed {seed}"
        );
    }
    assert!(containers > 50, "few values had parts: {containers}");
}

#[test]
fn no_bytes_make_a_converter_panic() {
    let mut converters: Vec<_> = BUILTIN
        .iter()
        .filter_map(|entry| entry.new_converter)
        .map(|new| new())
        .collect();
    converters.push(Box::new(plain()));
    let mut header_converters: Vec<_> = BUILTIN
        .iter()
        .map(|entry| (entry.new_header_converter)())
        .collect();

    let mut json = converter("BASE64");
    let mut refused = 0;
    for seed in 0..3000 {
        let mut random = Random::new(seed);
        let mut bytes = if random.once_in(4) {
            any_bytes(&mut random)
        } else {
            let schema = any_schema(&mut random, 2);
            let value = any_value(&mut random, &schema, false);
            encode(&mut json, &schema, value.as_ref())
        };
        for _ in 0..random.below_u64(4) {
            let at = usize::try_from(random.below_u64(bytes.len() as u64 + 1)).unwrap();
            match random.below_u64(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.one_of(b"\"\\{}[],:0-.eE\x00\xff\xc3unt")),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = random.bits().to_le_bytes()[0];
                    }
                }
            }
        }
        for converter in &mut converters {
            let used = used_by(|| converter.decode("t", &Headers::new(), Some(&bytes)));
            assert_in_proportion(
                used.peak,
                READING,
                bytes.len(),
                BESIDE_CACHES,
                &format!("seed {seed}"),
            );
            refused += u32::from(used.outcome.is_err());
        }
        for converter in &mut header_converters {
            let used = used_by(|| converter.decode_header("t", "h", Some(&bytes)));
            assert_in_proportion(
                used.peak,
                READING,
                bytes.len(),
                BESIDE_CACHES,
                &format!("seed {seed}"),
            );
            refused += u32::from(used.outcome.is_err());
        }
    }
    assert!(refused > 1000, "most damaged messages are refused, not {refused}");
}

/// Messages whose parts are as small as they can be, and numbers that would be endless if they were written out.
fn costly_messages() -> Vec<(&'static str, String)> {
    const PARTS: usize = 20_000;
    let many = |part: &str| vec![part; PARTS].join(",");
    let fields: Vec<String> = (0..PARTS).map(|number| format!("\"{number}\":0")).collect();
    let named: Vec<String> = (0..PARTS / 10)
        .map(|number| format!("{{\"field\":\"{number}\",\"type\":\"int8\",\"optional\":true}}"))
        .collect();
    let decimal = |scale: i64, payload: &str| {
        format!(
            "{{\"schema\":{{\"type\":\"bytes\",\"name\":\"{}\",\"parameters\":{{\"scale\":\"{scale}\"}}}},\"payload\":{payload}}}",
            logical::DECIMAL
        )
    };
    let wrapped = |schema: &str, payload: &str| format!("{{\"schema\":{schema},\"payload\":{payload}}}");
    let ints = r#"{"type":"array","items":{"type":"int8"}}"#;
    let rows = r#"{"type":"array","items":{"type":"struct","fields":[{"field":"a","type":"int8","optional":true},{"field":"b","type":"string","optional":true}]}}"#;
    vec![
        ("numbers", format!("[{}]", many("1"))),
        ("arrays", format!("[{}]", many("[]"))),
        ("objects", format!("[{}]", many("{}"))),
        ("texts", format!("[{}]", many("\"\""))),
        ("fields", format!("{{{}}}", fields.join(","))),
        ("a text", format!("\"{}\"", "x".repeat(PARTS))),
        ("escapes", format!("\"{}\"", "\\u0000".repeat(PARTS))),
        ("a number", "7".repeat(PARTS)),
        ("a fraction", format!("0.{}", "7".repeat(PARTS))),
        ("a large exponent", "1e2147483647".to_owned()),
        ("a small exponent", "1e-2147483647".to_owned()),
        ("levels", "[".repeat(250) + &"]".repeat(250)),
        ("too many levels", "[".repeat(PARTS)),
        ("no end", "{\"a\":".repeat(PARTS)),
        ("a scale", decimal(2_147_483_647, "\"AQ==\"")),
        ("a number with a scale", decimal(-2_147_483_648, "1e2147483647")),
        ("a number with another scale", decimal(2_147_483_647, "1")),
        ("a number with another exponent", decimal(2, "1e2147483647")),
        ("a number with a small exponent", decimal(2, "1e-2147483647")),
        ("int8s", wrapped(ints, &format!("[{}]", many("1")))),
        ("rows", wrapped(rows, &format!("[{}]", many("{}")))),
        (
            "a schema",
            wrapped(
                &format!("{{\"type\":\"struct\",\"fields\":[{}]}}", named.join(",")),
                "{}",
            ),
        ),
    ]
}

fn plain() -> JsonConverter {
    let mut plain = JsonConverter::default();
    let config = ConfigMap::from([("schemas.enable".to_owned(), "false".to_owned())]);
    plain.configure(&config, ConverterType::Value).unwrap();
    plain
}

#[test]
fn costly_messages_take_memory_in_proportion_and_are_written_again_so() {
    let mut read_and_written = 0;
    for (what, message) in costly_messages() {
        for mut json in [plain(), converter("BASE64"), converter("NUMERIC")] {
            let read = used_by(|| json.decode("t", &Headers::new(), Some(message.as_bytes())));
            assert_in_proportion(read.peak, READING, message.len(), BESIDE, what);
            let Ok(data) = read.outcome else { continue };
            let mut out = Vec::new();
            let mut headers = Headers::new();
            let written = used_by(|| {
                json.encode(
                    "t",
                    &mut headers,
                    data.schema.as_ref(),
                    data.value.as_ref(),
                    &mut out,
                )
            });
            assert_in_proportion(written.peak, WRITING, read.kept, BESIDE, what);
            read_and_written += u32::from(written.outcome.is_ok());
        }
    }
    assert!(
        read_and_written > 20,
        "most can be read by one of the converters: {read_and_written}"
    );
}

/// Messages in which few bytes stand for a struct of a thousand fields, or for a long default.
fn messages_of_many_values(rows: usize) -> Vec<(&'static str, String)> {
    let field = |number: usize| format!(r#"{{"field":"{number}","type":"int8","optional":true}}"#);
    let fields = (0..1000).map(field).collect::<Vec<_>>().join(",");
    let wide = format!(r#"{{"type":"struct","fields":[{fields}]}}"#);
    let long = format!(
        r#"{{"type":"struct","fields":[{{"field":"a","type":"string","default":"{}"}}]}}"#,
        "x".repeat(32_000)
    );
    let default = format!(
        r#"{{"type":"struct","fields":[{{"field":"a","type":"struct","fields":[{fields}],"default":{{}}}}]}}"#
    );
    let many = |row: &str| vec![row; rows].join(",");
    let all = |of: &str, row: &str| {
        format!(
            r#"{{"schema":{{"type":"array","items":{of}}},"payload":[{}]}}"#,
            many(row)
        )
    };
    vec![
        ("fields that are not set", all(&wide, "{}")),
        ("a long default", all(&long, "{}")),
        ("a default with many fields", all(&default, "{}")),
        (
            "defaults within a schema",
            format!(
                r#"{{"schema":{{"type":"array","items":{wide},"default":[{}]}},"payload":null}}"#,
                many("{}")
            ),
        ),
    ]
}

#[test]
fn values_that_a_schema_adds_are_counted() {
    // Most that one of them may take.
    const OF_A_VALUE: usize = 80;
    for (rows, is_read) in [(2000, true), (20_000, false)] {
        for (what, message) in messages_of_many_values(rows) {
            let mut json = converter("BASE64");
            // Twice: the second message finds the schema of the first.
            for _ in 0..2 {
                let used = used_by(|| json.decode("t", &Headers::new(), Some(message.as_bytes())));
                let beside = BESIDE + OF_A_VALUE * MAX_VALUES;
                assert_in_proportion(used.peak, READING, message.len(), beside, what);
                match used.outcome {
                    Ok(_) => assert!(is_read, "{what}"),
                    Err(error) => {
                        assert!(
                            !is_read && error.trace().contains("more than 4194304 values"),
                            "{error}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_that_does_not_suit_its_schema_is_refused_and_makes_no_converter_panic() {
    // What each converter of one type takes; all of them take null.
    let only = |class: &str| {
        let (_, name) = class.rsplit_once('.').unwrap();
        Some(match name {
            "BooleanConverter" => SchemaType::Boolean,
            "ByteArrayConverter" => SchemaType::Bytes,
            "DoubleConverter" => SchemaType::Float64,
            "FloatConverter" => SchemaType::Float32,
            "IntegerConverter" => SchemaType::Int32,
            "LongConverter" => SchemaType::Int64,
            "ShortConverter" => SchemaType::Int16,
            _ => return None,
        })
    };
    let mut converters: Vec<(&str, Box<dyn Converter>)> = BUILTIN
        .iter()
        .filter_map(|entry| Some((entry.class, (entry.new_converter?)())))
        .collect();
    converters.push(("a.Plain", Box::new(plain())));
    converters.push(("a.Numeric", Box::new(converter("NUMERIC"))));
    let of_one_type = converters
        .iter()
        .filter(|(class, _)| only(class).is_some())
        .count();
    assert_eq!(of_one_type, 7);
    let mut header_converters: Vec<_> = BUILTIN
        .iter()
        .map(|entry| (entry.new_header_converter)())
        .collect();
    let mut refused = 0;
    for seed in 0..2000 {
        let mut random = Random::new(seed);
        let made = used_by(|| {
            let schema = any_schema(&mut random, 2);
            let others = any_schema(&mut random, 2);
            let value = any_value(&mut random, &others, false);
            (schema, others.schema_type(), value)
        });
        let (schema, value_type, value) = &made.outcome;
        for (class, converter) in &mut converters {
            let (mut out, mut headers) = (Vec::new(), Headers::new());
            let context = format!("{class} with seed {seed}: {schema:?} {value:?}");
            let used =
                used_by(|| converter.encode("t", &mut headers, Some(schema), value.as_ref(), &mut out));
            assert_in_proportion(used.peak, WRITING, made.kept, BESIDE_CACHES, &context);
            refused += u32::from(used.outcome.is_err());
            if let Some(known) = only(class)
                && *value_type != known
                && !matches!(value, Value::Null)
            {
                assert!(used.outcome.is_err(), "{context}");
            }
        }
        for converter in &mut header_converters {
            let mut out = Vec::new();
            let used = used_by(|| converter.encode_header("t", "h", Some(schema), value.as_ref(), &mut out));
            assert_in_proportion(
                used.peak,
                WRITING,
                made.kept,
                BESIDE_CACHES,
                &format!("seed {seed}"),
            );
            refused += u32::from(used.outcome.is_err());
        }
        // Whatever the schema says, JSON tells objects, lists and texts from each other.
        let shape = |kind: SchemaType| match kind {
            SchemaType::Struct | SchemaType::Map | SchemaType::Array | SchemaType::String => Some(kind),
            _ => None,
        };
        if let (Some(one), Some(other)) = (shape(schema.schema_type()), shape(*value_type))
            && one != other
            && !matches!(value, Value::Null)
        {
            let mut json = converter("BASE64");
            let written = json.encode(
                "t",
                &mut Headers::new(),
                Some(schema),
                value.as_ref(),
                &mut Vec::new(),
            );
            assert!(written.is_err(), "seed {seed}: {schema:?} {value:?}");
        }
    }
    assert!(refused > 10_000, "most are refused, not {refused}");
}
