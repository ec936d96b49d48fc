//! Properties: what is written is read back, and no bytes make the converter panic.

use proptest::collection::vec;
use proptest::prelude::*;
use wharf_api::{Converter, Decimal, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_testkit::{check_mismatched, converter_with_registry, with_part_replaced};

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
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

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
        // Bytes that look more like fields than chance would make them.
        let likely: Vec<u8> = fields.iter().flat_map(|(number, wire_type, byte)| [number << 3 | wire_type, byte % 8, *byte]).collect();
        for payload in [payload, likely] {
            let bytes = [&[0, 0, 0, 0, 1, 0], payload.as_slice()].concat();
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
            prop_assert_eq!(unreadable, None, "{:?} {:?}", schema, value);
        }
    }
}
