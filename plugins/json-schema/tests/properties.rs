//! Properties: what is written is read back, and no bytes and no schema make the converter panic.

use proptest::collection::vec;
use proptest::prelude::*;
use wharf_api::{Converter, Decimal, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_json_schema::JsonSchemaConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_testkit::{check_mismatched, converter_with_registry, with_part_replaced};

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
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

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
            let _ = converter.decode("t", &Headers::new(), Some(&bytes));
            let _ = converter.decode("t", &Headers::new(), Some(&payload));
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
            // As upstream, a null that may not be is written as one, and refused by who reads it.
            let reason = unreadable.map(|error| error.message().to_owned());
            let is_null = |reason: &String| reason.starts_with("Invalid null value for required");
            prop_assert!(reason.as_ref().is_none_or(is_null), "{:?} {:?}: {:?}", schema, value, reason);
        }
    }
}
