//! Properties: what is written is read back, no bytes make the converter panic, and hostile ones cost little memory.

use proptest::collection::vec;
use proptest::prelude::*;
use wharf_api::{Converter, Decimal, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_converters::value_budget::MAX_VALUES;
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::heap::{Counted, assert_in_proportion, used_by};
use wharf_test_services::{Random, damage};
use wharf_testkit::{check_mismatched, converter_with_registry, with_part_replaced};

#[global_allocator]
static HEAP: Counted = Counted;

/// Most bytes that reading may take at a time for each byte of the message, its result included: the name that is made
/// up for the unknown number of an enum is a text for one byte.
const READING: usize = 160;
/// What may come on top: errors, and what caches grow by.
const BESIDE: usize = 8 << 10;
/// What reading a schema of these tests takes, where damage names another message of it.
const SCHEMA: usize = 512 << 10;
/// Most bytes for each of the values that a schema may add to a message.
const OF_A_VALUE: usize = 96;

fn converter(registry: &TestRegistry) -> ProtobufConverter {
    converter_with_registry(&registry.url(), &[])
}

fn typed(word: &'static str, value: i64) -> (SchemaRef, Value) {
    let parameter = "io.confluent.connect.protobuf.Type";
    (
        SchemaBuilder::int64().parameter(parameter, word).build().unwrap(),
        Value::Int64(value),
    )
}

/// Schemas with a value of each.
fn data() -> impl Strategy<Value = (SchemaRef, Value)> {
    let leaf = prop_oneof![
        any::<i8>().prop_map(|v| (Schema::int8(), Value::from(v))),
        any::<i16>().prop_map(|v| (Schema::int16(), Value::from(v))),
        any::<i32>().prop_map(|v| (Schema::int32(), Value::from(v))),
        any::<i64>().prop_map(|v| (Schema::int64(), Value::from(v))),
        any::<u32>().prop_map(|v| typed("uint32", v.into())),
        any::<u32>().prop_map(|v| typed("fixed32", v.into())),
        any::<i64>().prop_map(|v| typed("sint64", v)),
        any::<i64>().prop_map(|v| typed("uint64", v)),
        any::<f32>().prop_map(|v| (Schema::float32(), Value::from(v))),
        any::<f64>().prop_map(|v| (Schema::float64(), Value::from(v))),
        any::<bool>().prop_map(|v| (Schema::boolean(), Value::from(v))),
        any::<String>().prop_map(|v| (Schema::string(), Value::from(v))),
        vec(any::<u8>(), 0..200).prop_map(|v| (Schema::bytes(), Value::from(v))),
        (any::<i64>(), -3..9_i32)
            .prop_map(|(v, scale)| (logical::decimal(scale), Value::from(Decimal::new(v, scale)))),
        (0..90_000_i64).prop_map(|v| (logical::date(), Value::Date(v * 86_400_000))),
        (0..86_400_000_i64).prop_map(|v| (logical::time(), Value::Date(v))),
        any::<i32>().prop_map(|v| (logical::timestamp(), Value::Date(i64::from(v) * 1001))),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..5).prop_map(structure),
            (inner.clone(), 1..4_usize)
                .prop_filter("no list of lists", |((schema, _), _)| !is_container(schema))
                .prop_map(|((schema, value), count)| {
                    (
                        SchemaBuilder::array(schema).build().unwrap(),
                        Value::Array(vec![value; count]),
                    )
                }),
            (any::<String>(), inner)
                .prop_filter("no map of lists", |(_, (schema, _))| !is_container(schema))
                .prop_map(|(key, (schema, value))| {
                    let schema = SchemaBuilder::map(Schema::string(), schema).build().unwrap();
                    (schema, Value::Map(vec![(Value::from(key), value)]))
                }),
        ]
    })
}

fn is_container(schema: &Schema) -> bool {
    schema.value_schema().is_ok()
}

fn structure(fields: Vec<(SchemaRef, Value)>) -> (SchemaRef, Value) {
    let mut builder = SchemaBuilder::structure();
    let mut values = Vec::new();
    for (position, (schema, value)) in fields.into_iter().enumerate() {
        builder = builder.field(format!("f{position}"), schema);
        values.push(value);
    }
    let schema = builder.build().unwrap();
    (
        SchemaRef::clone(&schema),
        Value::from(Struct::from_values(schema, values)),
    )
}

/// Values without their schemas, which gain tags and lose names on the way.
fn bare(value: &Value) -> Value {
    match value {
        Value::Struct(inner) => Value::Array(inner.values().iter().map(bare).collect()),
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (bare(key), bare(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

const ANY: &str = r#"syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "confluent/type/decimal.proto";
message M { int32 a = 1; repeated sint32 b = 2; map<int32, M2> c = 3; oneof d { string e = 4; M2 f = 5; } M2 g = 6;
  google.protobuf.Timestamp h = 7; confluent.type.Decimal i = 8; repeated M2 j = 9; optional fixed64 k = 10; E l = 11; }
message M2 { bytes x = 1; repeated float y = 2; } enum E { Z = 0; }"#;

proptest! {
    #[test]
    fn what_is_written_is_read_back(fields in vec(data(), 1..6)) {
        let registry = TestRegistry::start();
        let mut converter = converter(&registry);
        let (schema, value) = structure(fields);
        let mut headers = Headers::new();
        let mut out = Vec::new();
        converter.encode("t", &mut headers, Some(&schema), value.as_ref(), &mut out).unwrap();
        let read = converter.decode("t", &headers, Some(&out)).unwrap();
        prop_assert_eq!(bare(&read.value), bare(&value));
    }

    #[test]
    fn no_message_makes_it_panic(payload in vec(any::<u8>(), 0..80), fields in vec((1..12_u8, 0..6_u8, any::<u8>()), 0..12)) {
        let registry = TestRegistry::start();
        registry.register("t-value", &RegistrySchema::new(Format::Protobuf, ANY));
        let mut converter = converter(&registry);
        converter.decode("t", &Headers::new(), Some(&[0, 0, 0, 0, 1, 0])).unwrap();
        // Bytes that look more like fields than chance would make them.
        let likely: Vec<u8> = fields.iter().flat_map(|(number, wire_type, byte)| [number << 3 | wire_type, byte % 8, *byte]).collect();
        for payload in [payload, likely] {
            let bytes = [&[0, 0, 0, 0, 1, 0], payload.as_slice()].concat();
            let used = used_by(|| converter.decode("t", &Headers::new(), Some(&bytes)));
            assert_in_proportion(used.peak, READING, bytes.len(), BESIDE, &format!("{bytes:?}"));
            let _ = converter.decode("t", &Headers::new(), Some(&payload));
        }
    }

    #[test]
    fn damaged_messages_take_memory_in_proportion(fields in vec(data(), 1..6), seed in any::<u64>()) {
        let registry = TestRegistry::start();
        let mut converter = converter(&registry);
        let (schema, value) = structure(fields);
        let mut headers = Headers::new();
        let mut whole = Vec::new();
        converter.encode("t", &mut headers, Some(&schema), value.as_ref(), &mut whole).unwrap();
        converter.decode("t", &headers, Some(&whole)).unwrap();
        let mut random = Random::new(seed);
        for round in 0..20 {
            let mut message = whole.clone();
            // The id stays, now and then the number of the message does not.
            let (kept, beside) = if round == 0 { (5, BESIDE + SCHEMA) } else { (6, BESIDE) };
            damage(&mut random, &mut message, kept);
            let used = used_by(|| converter.decode("t", &headers, Some(&message)));
            assert_in_proportion(used.peak, READING, message.len(), beside, &format!("{message:?} of {schema:?}"));
        }
    }

    #[test]
    fn a_value_that_is_not_of_its_schema_is_a_data_error_or_can_be_read(
        (schema, value) in data(), (other_schema, other) in data(), place in any::<usize>(), null in any::<bool>()
    ) {
        let registry = TestRegistry::start();
        let mut converter = converter(&registry);
        let by = if null { Value::Null } else { other.clone() };
        let replaced = with_part_replaced(&value, place, &by);
        for (schema, value) in [(Some(&schema), &other), (Some(&other_schema), &value), (Some(&schema), &replaced), (None, &value)] {
            let unreadable = check_mismatched(&mut converter, schema, value);
            prop_assert_eq!(unreadable, None, "{:?} {:?}", schema, value);
        }
    }
}

/// A message of so many parts, with its length where that is asked for, and the converter that knows its schema.
fn message_of(
    registry: &TestRegistry,
    schema: &str,
    settings: &[(&str, &str)],
    payload: &[u8],
) -> (ProtobufConverter, Vec<u8>) {
    registry.register("t-value", &RegistrySchema::new(Format::Protobuf, schema));
    let mut converter: ProtobufConverter = converter_with_registry(&registry.url(), settings);
    let start = [0, 0, 0, 0, 1, 0];
    // The schema is read once.
    converter.decode("t", &Headers::new(), Some(&start)).unwrap();
    (converter, [&start[..], payload].concat())
}

/// A block of this field.
fn block(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    out.extend_from_slice(content);
    out
}

#[test]
fn messages_of_the_smallest_parts_take_memory_in_proportion() {
    const PARTS: usize = 20_000;
    let proto3 = |body: &str| format!("syntax = \"proto3\"; message M {{ {body} }}");
    let entries: Vec<u8> = (0..PARTS)
        .flat_map(|number| {
            block(
                1,
                &[
                    8,
                    number.to_le_bytes()[0] | 0x80,
                    number.to_le_bytes()[1] | 0x80,
                    0,
                ],
            )
        })
        .collect();
    // A type within a type, and so on, each of which occurs twice: empty, and with all that is in it.
    let levels: String = (0..90)
        .map(|level| format!("message L{level} {{ L{} l = 1; }}", level + 1))
        .collect();
    let levels = format!("syntax = \"proto3\"; {levels} message L90 {{ bytes b = 2; }}");
    let within = (0..90).fold(block(2, &[7; PARTS]), |inner, _| {
        [block(1, &[]), block(1, &inner)].concat()
    });
    for (what, schema, payload) in [
        (
            "packed numbers",
            proto3("repeated int32 a = 1;"),
            block(1, &[0; PARTS]),
        ),
        ("numbers", proto3("repeated int32 a = 1;"), [8, 0].repeat(PARTS)),
        (
            "texts",
            proto3("repeated string a = 1;"),
            block(1, &[]).repeat(PARTS),
        ),
        (
            "messages",
            format!(
                "{} message N {{ int32 a = 1; string b = 2; }}",
                proto3("repeated N n = 1;")
            ),
            block(1, &[]).repeat(PARTS),
        ),
        ("entries", proto3("map<int32, bool> a = 1;"), entries),
        (
            "entries of one key",
            proto3("map<string, bool> a = 1;"),
            block(1, &[]).repeat(PARTS),
        ),
        (
            "members of a oneof",
            format!(
                "{} message N {{ oneof o {{ int32 a = 1; bool b = 2; }} }}",
                proto3("repeated N n = 1;")
            ),
            block(1, &[16, 0]).repeat(PARTS),
        ),
        (
            "unknown numbers of an enum",
            format!("{} enum E {{ Z = 0; }}", proto3("repeated E e = 1;")),
            block(1, &[1; PARTS]),
        ),
        (
            "parts of one message",
            format!("{} message N {{ int32 a = 1; }}", proto3("N n = 1;")),
            block(1, &[]).repeat(PARTS),
        ),
        (
            "parts of one wrapper",
            "syntax = \"proto3\"; import \"google/protobuf/wrappers.proto\"; message M { google.protobuf.StringValue n = 1; }".to_owned(),
            block(1, &[]).repeat(PARTS),
        ),
        ("parts of messages within messages", levels, within),
    ] {
        let registry = TestRegistry::start();
        let (mut converter, message) = message_of(&registry, &schema, &[], &payload);
        let used = used_by(|| converter.decode("t", &Headers::new(), Some(&message)));
        if let Err(error) = used.outcome {
            panic!("{what}: {}", error.trace());
        }
        assert_in_proportion(used.peak, READING, message.len(), BESIDE, what);
    }
}

#[test]
fn values_that_a_schema_adds_are_counted() {
    let thousand = |field: &str| {
        (1..=1000)
            .map(|number| format!("{field} f{number} = {number};"))
            .collect::<String>()
    };
    let wide = thousand("int32");
    let long = "x".repeat(32_000);
    let repeated = "message M { repeated N n = 1; }";
    let schemas = [
        (
            "fields that are not set",
            format!("{repeated} message N {{ {wide} }}"),
            &[0x0a, 0][..],
            &[][..],
        ),
        (
            "the last of a thousand members",
            format!("{repeated} message N {{ oneof o {{ {wide} }} }}"),
            &[0x0a, 3, 0xc0, 0x3e, 0],
            &[],
        ),
        (
            "entries without a value",
            format!("message M {{ map<int32, N> n = 1; }} message N {{ {wide} }}"),
            &[0x0a, 0],
            &[],
        ),
        (
            "structs for nulls",
            format!("{repeated} message N {{ W w = 1; }} message W {{ {wide} }}"),
            &[0x0a, 0],
            &[("generate.struct.for.nulls", "true")],
        ),
        (
            "a long name",
            format!("message M {{ repeated E e = 1; }} enum E {{ {long} = 0; }}"),
            &[8, 0],
            &[],
        ),
        (
            "a long name for unknown numbers",
            format!("message M {{ repeated {long} e = 1; }} enum {long} {{ Z = 0; }}"),
            &[8, 1],
            &[],
        ),
        (
            "a long default",
            format!("{repeated} message N {{ required string a = 1 [default = \"{long}\"]; }}"),
            &[0x0a, 0],
            &[],
        ),
    ];
    for (count, is_read) in [(4000, true), (40_000, false)] {
        for (what, body, part, settings) in &schemas {
            let syntax = if body.contains("required") { 2 } else { 3 };
            let schema = format!("syntax = \"proto{syntax}\"; {body}");
            let registry = TestRegistry::start();
            let (mut converter, message) = message_of(&registry, &schema, settings, &part.repeat(count));
            let used = used_by(|| converter.decode("t", &Headers::new(), Some(&message)));
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
