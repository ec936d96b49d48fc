//! Properties: what is written is read back, and no bytes and no schema make the converter panic, and hostile ones
//! cost little memory.

use proptest::collection::vec;
use proptest::prelude::*;
use wharf_api::{Converter, Decimal, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_converters::value_budget::MAX_VALUES;
use wharf_json_schema::JsonSchemaConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::heap::{Counted, assert_in_proportion, used_by};
use wharf_test_services::{Random, damage};
use wharf_testkit::{check_mismatched, converter_with_registry, with_part_replaced};

#[global_allocator]
static HEAP: Counted = Counted;

/// Most bytes that reading may take at a time for each byte of the message, its result included: a number and its comma
/// become a value in a list that grows.
const READING: usize = 112;
/// What may come on top: errors, and the tables of what is kept, such as regular expressions.
const BESIDE: usize = 64 << 10;
/// As `READING`, where a message is held against its schema before.
const CHECKING: usize = 160;
/// As `BESIDE`, with the reasons why a message does not match.
const REASONS: usize = 32 << 20;
/// What reading a schema may take, once.
const SCHEMA: usize = 4 << 20;
/// Most bytes for each of the values that a schema may add to a message.
const OF_A_VALUE: usize = 96;

/// Holds messages against their schema.
const CHECKED: (&str, &str) = ("json.fail.invalid.schema", "true");

fn converter(registry: &TestRegistry) -> JsonSchemaConverter {
    converter_with_registry(&registry.url(), &[])
}

/// Schemas with a value of each. Floats are finite, since NaN is written as a text.
fn data() -> impl Strategy<Value = (SchemaRef, Value)> {
    let leaf = prop_oneof![
        any::<i8>().prop_map(|v| (Schema::int8(), Value::from(v))),
        any::<i16>().prop_map(|v| (Schema::int16(), Value::from(v))),
        any::<i32>().prop_map(|v| (Schema::int32(), Value::from(v))),
        any::<i64>().prop_map(|v| (Schema::int64(), Value::from(v))),
        any::<f32>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(|v| (Schema::float32(), Value::from(v))),
        any::<f64>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(|v| (Schema::float64(), Value::from(v))),
        any::<bool>().prop_map(|v| (Schema::boolean(), Value::from(v))),
        any::<String>().prop_map(|v| (Schema::string(), Value::from(v))),
        vec(any::<u8>(), 0..40).prop_map(|v| (Schema::bytes(), Value::from(v))),
        (any::<i64>(), -3..9_i32)
            .prop_map(|(v, scale)| (logical::decimal(scale), Value::from(Decimal::new(v, scale)))),
        any::<i16>().prop_map(|v| (logical::date(), Value::Date(i64::from(v) * 86_400_000))),
        (0..86_400_000_i64).prop_map(|v| (logical::time(), Value::Date(v))),
        any::<i64>().prop_map(|v| (logical::timestamp(), Value::Date(v))),
        Just((Schema::optional_string(), Value::Null)),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec((any::<String>(), inner.clone()), 1..5).prop_map(|fields| {
                let mut builder = SchemaBuilder::structure();
                let mut values = Vec::new();
                for (position, (name, (schema, value))) in fields.into_iter().enumerate() {
                    builder = builder.field(format!("{name}{position}"), schema);
                    values.push(value);
                }
                let schema = builder.build().unwrap();
                (
                    SchemaRef::clone(&schema),
                    Value::from(Struct::from_values(schema, values)),
                )
            }),
            (inner.clone(), 0..3_usize).prop_map(|((schema, value), count)| {
                (
                    SchemaBuilder::array(schema).build().unwrap(),
                    Value::Array(vec![value; count]),
                )
            }),
            (any::<String>(), inner.clone()).prop_map(|(key, (schema, value))| {
                let schema = SchemaBuilder::map(Schema::string(), schema).build().unwrap();
                (schema, Value::Map(vec![(Value::from(key), value)]))
            }),
            (any::<i32>(), inner).prop_map(|(key, (schema, value))| {
                let schema = SchemaBuilder::map(Schema::int32(), schema).build().unwrap();
                (schema, Value::Map(vec![(Value::from(key), value)]))
            }),
        ]
    })
}

/// Texts that look like schemas.
fn json_schema() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(r#"{"type":"string"}"#.to_owned()),
        Just(r#"{"type":["null","integer"]}"#.to_owned()),
        Just(r#"{"type":"integer","connect.type":"int8","default":3}"#.to_owned()),
        Just(r#"{"enum":["a",1,null]}"#.to_owned()),
        Just("true".to_owned()),
        Just(r##"{"$ref":"#"}"##.to_owned()),
        Just(r##"{"$ref":"#/properties/a"}"##.to_owned()),
        Just(r#"{"type":"null"}"#.to_owned()),
        Just("5".to_owned()),
        Just(r#"{"properties":[],"items":[]}"#.to_owned()),
        Just(r#"{"enum":{},"oneOf":1}"#.to_owned()),
        Just(r#"{"connect.index":-1,"connect.parameters":{"a":1},"type":"boolean"}"#.to_owned()),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!(r#"{{"type":"object","properties":{{"a":{a},"b":{b}}}}}"#)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!(r#"{{"oneOf":[{a},{b}]}}"#)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!(r#"{{"allOf":[{a},{b}]}}"#)),
            inner
                .clone()
                .prop_map(|a| format!(r#"{{"type":"array","items":{a}}}"#)),
            inner.prop_map(|a| format!(
                r#"{{"type":"object","connect.type":"map","additionalProperties":{a}}}"#
            )),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((schema, value) in data()) {
        let registry = TestRegistry::start();
        let mut converter = converter(&registry);
        let mut headers = Headers::new();
        let mut out = Vec::new();
        converter.encode("t", &mut headers, Some(&schema), value.as_ref(), &mut out).unwrap();
        let read = converter.decode("t", &headers, Some(&out)).unwrap();
        // Structs carry their schema, which gets the registry's version at the top.
        match (&read.value, &value) {
            (Value::Struct(read), Value::Struct(written)) => prop_assert_eq!(read.values(), written.values()),
            (read, written) => prop_assert_eq!(read, written),
        }
    }

    #[test]
    fn no_schema_and_no_message_makes_it_panic(schema in json_schema(), message in vec(any::<u8>(), 0..60), text in "[{}\\[\\]\":,a-z0-9.]{0,40}") {
        let registry = TestRegistry::start();
        registry.register("t-value", &RegistrySchema::new(Format::Json, schema));
        let mut converter = converter(&registry);
        for payload in [message, text.into_bytes(), br#"{"a":{"a":1,"b":[1]},"b":null}"#.to_vec()] {
            let bytes = [&[0, 0, 0, 0, 1], payload.as_slice()].concat();
            // A schema that is refused is read again for each message.
            let used = used_by(|| converter.decode("t", &Headers::new(), Some(&bytes)));
            assert_in_proportion(used.peak, READING, bytes.len(), BESIDE + SCHEMA, &format!("{bytes:?}"));
            let _ = converter.decode("t", &Headers::new(), Some(&payload));
        }
    }

    #[test]
    fn damaged_messages_take_memory_in_proportion((schema, value) in data(), seed in any::<u64>()) {
        let registry = TestRegistry::start();
        let mut checking: JsonSchemaConverter = converter_with_registry(&registry.url(), &[CHECKED]);
        let mut converter = converter(&registry);
        let headers = Headers::new();
        let mut whole = Vec::new();
        converter.encode("t", &mut Headers::new(), Some(&schema), value.as_ref(), &mut whole).unwrap();
        converter.decode("t", &headers, Some(&whole)).unwrap();
        let _ = checking.decode("t", &headers, Some(&whole));
        let mut random = Random::new(seed);
        for _ in 0..20 {
            let mut message = whole.clone();
            damage(&mut random, &mut message, 5);
            let context = format!("{:?} of {schema:?}", String::from_utf8_lossy(&message));
            let used = used_by(|| converter.decode("t", &headers, Some(&message)));
            assert_in_proportion(used.peak, READING, message.len(), BESIDE, &context);
            let used = used_by(|| checking.decode("t", &headers, Some(&message)));
            assert_in_proportion(used.peak, CHECKING, message.len(), BESIDE, &context);
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
            // As upstream, a null that may not be is written as one, a field's by leaving it out, and refused by who reads it.
            let reason = unreadable.map(|error| error.message().to_owned());
            let is_null = |reason: &String| {
                reason.starts_with("Invalid null value for required")
                    || reason.starts_with("Invalid value: null used for required field")
            };
            prop_assert!(reason.as_ref().is_none_or(is_null), "{:?} {:?}: {:?}", schema, value, reason);
        }
    }
}

/// A converter that has read this schema, and the message of a text in it.
fn message_of(
    registry: &TestRegistry,
    schema: &str,
    settings: &[(&str, &str)],
    text: &str,
) -> (JsonSchemaConverter, Vec<u8>) {
    registry.register("t-value", &RegistrySchema::new(Format::Json, schema));
    let mut converter: JsonSchemaConverter = converter_with_registry(&registry.url(), settings);
    let start = [0, 0, 0, 0, 1];
    let message = |text: &str| [&start[..], text.as_bytes()].concat();
    let _ = converter.decode("t", &Headers::new(), Some(&message("[]")));
    (converter, message(text))
}

#[test]
fn messages_of_the_smallest_parts_take_memory_in_proportion() {
    const PARTS: usize = 20_000;
    let list = |of: &str| format!(r#"{{"type":"array","items":{of}}}"#);
    let many = |part: &str| format!("[{}]", vec![part; PARTS].join(","));
    let names = (0..PARTS).map(|number| format!("\"{number}\":0"));
    let names = format!("{{{}}}", names.collect::<Vec<_>>().join(","));
    let row = r#"{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"string"}}}"#;
    let map = r#"{"type":"object","connect.type":"map","additionalProperties":{"type":"integer"}}"#;
    let preserve = ("preserve.additional.properties", "true");
    for (what, schema, text) in [
        (
            "numbers",
            list(r#"{"type":"integer","connect.type":"int8"}"#),
            many("1"),
        ),
        ("texts", list(r#"{"type":"string"}"#), many("\"\"")),
        ("arrays", list(&list(r#"{"type":"integer"}"#)), many("[]")),
        ("arrays of one", list(&list(r#"{"type":"integer"}"#)), many("[1]")),
        ("rows", list(row), many("{}")),
        ("maps", list(map), many("{}")),
        ("maps of one", list(map), many("{\"\":0}")),
        ("entries", map.to_owned(), names.clone()),
        (
            "members of a choice",
            list(r#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#),
            many("1"),
        ),
        ("values of any type", list("true"), many("1")),
        ("objects of any type", list("{}"), many("{\"\":0}")),
        ("fields of any type", "true".to_owned(), names.clone()),
        ("fields that are not known", row.to_owned(), names.clone()),
        (
            "levels of any type",
            "true".to_owned(),
            format!("{}{}", "[".repeat(120), "]".repeat(120)),
        ),
    ] {
        for (settings, factor) in [(&[preserve][..], READING), (&[preserve, CHECKED], CHECKING)] {
            let registry = TestRegistry::start();
            let (mut converter, message) = message_of(&registry, &schema, settings, &text);
            let used = used_by(|| converter.decode("t", &Headers::new(), Some(&message)));
            if let Err(error) = used.outcome {
                panic!("{what}: {}", error.trace());
            }
            assert_in_proportion(used.peak, factor, message.len(), BESIDE, what);
        }
    }
}

#[test]
fn reasons_why_a_message_does_not_match_take_bounded_memory() {
    let schema = r#"{"type":"object","connect.type":"map","additionalProperties":{"type":"array","items":{"type":"string"}}}"#;
    for (name, values) in [(20, 40_000), (900, 20_000), (200_000, 200_000), (1_000_000, 100)] {
        let text = format!("{{\"{}\":[{}]}}", "x".repeat(name), vec!["1"; values].join(","));
        let registry = TestRegistry::start();
        let (mut converter, message) = message_of(&registry, schema, &[CHECKED], &text);
        let used = used_by(|| converter.decode("t", &Headers::new(), Some(&message)));
        let error = used.outcome.unwrap_err().trace();
        assert!(error.contains("Validation error in JSON"), "{error}");
        assert_in_proportion(
            used.peak,
            CHECKING,
            message.len(),
            REASONS,
            &format!("{name} {values}"),
        );
    }
}

#[test]
fn values_that_a_schema_adds_are_counted() {
    let list = |of: &str| format!(r#"{{"type":"array","items":{of}}}"#);
    let thousand = |of: &dyn Fn(usize) -> String| (0..1000).map(of).collect::<Vec<_>>().join(",");
    let wide = thousand(&|number| format!(r#""f{number}":{{"type":"integer"}}"#));
    let choices = thousand(&|number| {
        format!(r#"{{"type":"object","properties":{{"f{number}":{{"type":"integer"}}}}}}"#)
    });
    let long = "x".repeat(32_000);
    let schemas = [
        (
            "fields that are not set",
            list(&format!(r#"{{"type":"object","properties":{{{wide}}}}}"#)),
            "{}",
        ),
        (
            "a choice of a thousand",
            list(&format!(r#"{{"oneOf":[{{"type":"integer"}},{choices}]}}"#)),
            "1",
        ),
        (
            "a long default",
            list(&format!(
                r#"{{"type":"object","properties":{{"a":{{"type":"string","default":"{long}"}}}}}}"#
            )),
            "{}",
        ),
        (
            "a long default for null",
            list(&format!(r#"{{"type":"string","default":"{long}"}}"#)),
            "null",
        ),
    ];
    for (count, is_read) in [(4000, true), (40_000, false)] {
        for (what, schema, part) in &schemas {
            let text = format!("[{}]", vec![*part; count].join(","));
            let registry = TestRegistry::start();
            let (mut converter, message) = message_of(&registry, schema, &[], &text);
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
