//! The converter with a registry: which schema is written with, what is asked and how often, and what goes wrong.

use wharf_api::{
    Converter as _, Encoded, ErrorKind, Header, Headers, Result, Schema, SchemaAndValue, SchemaBuilder,
    SchemaRef, Struct, Value,
};
use wharf_avro::AvroConverter;
use wharf_schema_registry::testing::{
    TestRegistry, check_latest_is_kept_for_its_time, check_schemas_are_kept_within_bounds,
    check_subject_names,
};
use wharf_schema_registry::{Format, RegistrySchema, SchemaReference};
use wharf_testkit::converter_with_registry;

const TOPIC_NAMES: (&str, &str) = (
    "value.subject.name.strategy",
    "io.confluent.kafka.serializers.subject.TopicNameStrategy",
);
const NO_REGISTERING: (&str, &str) = ("auto.register.schemas", "false");

fn converter(registry: &TestRegistry, entries: &[(&str, &str)]) -> AvroConverter {
    let entries = [entries, &[TOPIC_NAMES, ("retries.wait.ms", "1")]].concat();
    converter_with_registry(&registry.url(), &entries)
}

fn encode(
    converter: &mut AvroConverter,
    schema: Option<&SchemaRef>,
    value: impl Into<Value>,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    converter.encode("t", &mut Headers::new(), schema, value.into().as_ref(), &mut out)?;
    Ok(out)
}

fn decode(converter: &mut AvroConverter, bytes: &[u8]) -> Result<SchemaAndValue> {
    converter.decode("t", &Headers::new(), Some(bytes))
}

fn avro(text: &str) -> RegistrySchema {
    RegistrySchema::new(Format::Avro, text)
}

fn pair(a: i32, b: &str) -> (SchemaRef, Value) {
    let schema = SchemaBuilder::structure()
        .name("n.Pair")
        .field("a", Schema::int32())
        .field("b", Schema::string())
        .build()
        .unwrap();
    let value = Struct::new(SchemaRef::clone(&schema))
        .and_then(|value| value.with("a", a))
        .and_then(|value| value.with("b", b))
        .unwrap();
    (schema, Value::from(value))
}

#[test]
fn the_published_examples_have_their_bytes() {
    let registry = TestRegistry::start();
    let mut converter = converter(&registry, &[]);
    for (schema, value, expected) in [
        (Schema::int32(), Value::Int32(12), &[0, 0, 0, 0, 1, 0x18][..]),
        (
            Schema::string(),
            Value::from("hi"),
            &[0, 0, 0, 0, 2, 4, b'h', b'i'],
        ),
        (Schema::bytes(), Value::Bytes(vec![0xff]), &[0, 0, 0, 0, 3, 0xff]),
    ] {
        let bytes = encode(&mut converter, Some(&schema), value.clone()).unwrap();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&mut converter, &bytes).unwrap().value, value);
    }
    assert_eq!(registry.text(1).as_deref(), Some("\"int\""));
}

#[test]
fn null_is_null_both_ways_and_asks_nobody() {
    let registry = TestRegistry::start();
    let mut converter = converter(&registry, &[]);
    let mut out = Vec::new();
    let mut headers = Headers::new();
    for schema in [None, Some(Schema::optional_int32())] {
        let encoded = converter.encode("t", &mut headers, schema.as_ref(), Value::Null.as_ref(), &mut out);
        assert_eq!(encoded.unwrap(), Encoded::Null);
    }
    assert_eq!(
        converter.decode("t", &headers, None).unwrap(),
        SchemaAndValue::NULL
    );
    let error = encode(&mut converter, Some(&Schema::int32()), Value::Null).unwrap_err();
    assert_eq!(error.message(), "Found null value for non-optional schema");
    assert!(registry.requests().is_empty());
}

#[test]
fn a_preview_registers_nothing() {
    let registry = TestRegistry::start();
    let mut preview = converter(&registry, &[(wharf_api::converter::PREVIEW, "true")]);
    let (schema, value) = (Some(Schema::int32()), Value::Int32(12));
    let error = encode(&mut preview, schema.as_ref(), value.clone()).unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("subject t-value does not have this schema yet: a task would register it"),
        "{text}"
    );
    assert_eq!(registry.subjects(), [""; 0]);

    let bytes = encode(&mut converter(&registry, &[]), schema.as_ref(), value.clone()).unwrap();
    assert_eq!(encode(&mut preview, schema.as_ref(), value).unwrap(), bytes);
}

#[test]
fn the_registry_is_asked_once_per_schema_and_topic() {
    let registry = TestRegistry::start();
    let mut converter = converter(&registry, &[]);
    let (schema, value) = pair(1, "x");
    let bytes = encode(&mut converter, Some(&schema), value.clone()).unwrap();
    assert_eq!(registry.requests().len(), 1);
    for _ in 0..3 {
        // Another copy of the same schema is the same schema.
        let (copy, _) = pair(1, "x");
        assert_eq!(encode(&mut converter, Some(&copy), value.clone()).unwrap(), bytes);
        assert_eq!(
            encode(&mut converter, Some(&schema), value.clone()).unwrap(),
            bytes
        );
    }
    assert_eq!(registry.requests().len(), 1);
    for _ in 0..3 {
        decode(&mut converter, &bytes).unwrap();
    }
    // The schema of the id, and its version.
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn a_guid_goes_into_the_header_and_is_read_from_there() {
    let registry = TestRegistry::start();
    let key = "value.schema.id.serializer";
    let class = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    let mut converter = converter(&registry, &[(key, class)]);
    let mut headers = Headers::new();
    let mut out = Vec::new();
    for _ in 0..2 {
        out.clear();
        converter
            .encode(
                "t",
                &mut headers,
                Some(&Schema::int32()),
                Value::Int32(12).as_ref(),
                &mut out,
            )
            .unwrap();
    }
    assert_eq!((out.as_slice(), headers.len()), (&[0x18][..], 1));
    let guid = registry.guid(1).unwrap();
    let header = headers.last_with_name("__value_schema_id").unwrap();
    assert_eq!(*header.value(), Value::Bytes([&[1][..], &guid.0].concat()));
    assert_eq!(
        converter.decode("t", &headers, Some(&out)).unwrap().value,
        Value::Int32(12)
    );
    let mut unknown = Headers::new();
    unknown.push(Header::new("__value_schema_id", None, vec![1; 17]));
    let error = converter.decode("t", &unknown, Some(&out)).unwrap_err();
    assert!(error.trace().contains("not found"), "{}", error.trace());
}

#[test]
fn the_latest_schema_is_filled_by_names_and_defaults() {
    let registry = TestRegistry::start();
    let latest = r#"{"type":"record","name":"Pair","namespace":"n","fields":[{"name":"c","type":["null","int"],"default":null},{"name":"b","type":"string"},{"name":"d","type":"string","default":"x"},{"name":"a","type":"long"}]}"#;
    registry.register("t-value", &avro(latest));
    let mut converter = converter(&registry, &[NO_REGISTERING, ("use.latest.version", "true")]);
    let (schema, value) = pair(5, "b");
    let bytes = encode(&mut converter, Some(&schema), value).unwrap();
    assert_eq!(bytes[5..], [0, 2, b'b', 2, b'x', 10]);
}

#[test]
fn a_latest_schema_that_cannot_hold_the_record_is_refused() {
    let registry = TestRegistry::start();
    registry.register(
        "t-value",
        &avro(r#"{"type":"record","name":"n.Pair","fields":[{"name":"z","type":"int"}]}"#),
    );
    let latest = [NO_REGISTERING, ("use.latest.version", "true")];
    let (schema, value) = pair(5, "b");
    let error = encode(&mut converter(&registry, &latest), Some(&schema), value.clone()).unwrap_err();
    assert_eq!(error.message(), "Failed to serialize Avro data from topic t:");
    assert!(
        error.trace().contains("latest.compatibility.strict=false"),
        "{}",
        error.trace()
    );
    assert!(
        error.trace().contains("the field z is missing"),
        "{}",
        error.trace()
    );
    let lax = [latest[0], latest[1], ("latest.compatibility.strict", "false")];
    let error = encode(&mut converter(&registry, &lax), Some(&schema), value).unwrap_err();
    assert!(error.trace().contains("has a field z"), "{}", error.trace());
}

#[test]
fn the_latest_schema_is_judged_with_those_it_uses() {
    for (part, fits) in [("\"long\"", true), ("\"string\"", false)] {
        let registry = TestRegistry::start();
        let number =
            format!(r#"{{"type":"record","name":"n.Part","fields":[{{"name":"x","type":{part}}}]}}"#);
        registry.register("part", &avro(&number));
        let mut latest =
            avro(r#"{"type":"record","name":"n.Whole","fields":[{"name":"part","type":"n.Part"}]}"#);
        latest.references = vec![SchemaReference {
            name: "n.Part".to_owned(),
            subject: "part".to_owned(),
            version: 1,
        }];
        registry.register("t-value", &latest);
        let inner = SchemaBuilder::structure()
            .name("n.Part")
            .field("x", Schema::int32())
            .build()
            .unwrap();
        let schema = SchemaBuilder::structure()
            .name("n.Whole")
            .field("part", SchemaRef::clone(&inner))
            .build()
            .unwrap();
        let value = Struct::new(SchemaRef::clone(&schema))
            .unwrap()
            .with("part", Struct::new(inner).unwrap().with("x", 5).unwrap())
            .unwrap();
        let mut converter = converter(&registry, &[NO_REGISTERING, ("use.latest.version", "true")]);
        let written = encode(&mut converter, Some(&schema), value);
        match written {
            Ok(bytes) => assert_eq!((fits, bytes.as_slice()), (true, &[0, 0, 0, 0, 2, 10][..])),
            Err(error) => {
                assert!(!fits, "{}", error.trace());
                assert!(
                    error.trace().contains("latest.compatibility.strict=false"),
                    "{}",
                    error.trace()
                );
            }
        }
    }
}

#[test]
fn a_message_is_read_into_the_latest_schema_where_that_is_wanted() {
    let registry = TestRegistry::start();
    let (old, _) = registry.register(
        "t-value",
        &avro(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"gone","type":{"type":"array","items":"string"}},{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}}]}"#),
    );
    registry.register(
        "t-value",
        &avro(r#"{"type":"record","name":"R","fields":[{"name":"b","type":"string","default":"new"},{"name":"e","type":{"type":"enum","name":"E","symbols":["Z","X"],"default":"Z"}},{"name":"renamed","aliases":["a"],"type":["null","double"],"default":null}]}"#),
    );
    let mut message = vec![0];
    message.extend(old.to_be_bytes());
    // a = 3, gone = ["s"], e = Y
    message.extend([6, 2, 2, b's', 0, 2]);
    let mut latest = converter(&registry, &[("use.latest.version", "true")]);
    let SchemaAndValue { schema, value } = decode(&mut latest, &message).unwrap();
    let value = value.as_struct().unwrap();
    assert_eq!(schema.unwrap().fields().unwrap().len(), 3);
    assert_eq!(
        value.values(),
        [Value::from("new"), Value::from("Z"), Value::Float64(3.0)]
    );
    let mut own = converter(&registry, &[]);
    let value = decode(&mut own, &message).unwrap().value;
    assert_eq!(value.as_struct().unwrap().get("e").unwrap().as_str(), Some("Y"));
}

#[test]
fn schemas_that_use_others_are_read_with_them() {
    let registry = TestRegistry::start();
    registry.register(
        "inner",
        &avro(r#"{"type":"record","name":"n.Inner","fields":[{"name":"x","type":"int"}]}"#),
    );
    let mut outer = avro(r#"{"type":"record","name":"n.Outer","fields":[{"name":"i","type":"n.Inner"}]}"#);
    outer.references = vec![SchemaReference {
        name: "n.Inner".to_owned(),
        subject: "inner".to_owned(),
        version: 1,
    }];
    let (id, _) = registry.register("t-value", &outer);
    let mut message = vec![0];
    message.extend(id.to_be_bytes());
    message.push(14);
    let value = decode(&mut converter(&registry, &[]), &message).unwrap().value;
    let inner = value.as_struct().unwrap().get("i").unwrap();
    assert_eq!(inner.as_struct().unwrap().get_int32("x").unwrap(), Some(7));
}

#[test]
fn what_the_registry_refuses_fails_the_record_and_what_it_cannot_do_now_is_tried_again() {
    let registry = TestRegistry::start();
    registry.refuse("Pair");
    let (schema, value) = pair(1, "x");
    let mut writer = converter(&registry, &[("max.retries", "1")]);
    let error = encode(&mut writer, Some(&schema), value.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(
        error.trace().contains("incompatible with an earlier schema"),
        "{}",
        error.trace()
    );
    registry.fail_next(&[503, 503]);
    let error = encode(&mut writer, Some(&Schema::int32()), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable);
    assert_eq!(error.message(), "Failed to serialize Avro data from topic t :");
    assert!(encode(&mut writer, Some(&Schema::int32()), 1).is_ok());
}

#[test]
fn a_type_that_contains_itself_is_refused_with_a_way_out() {
    let registry = TestRegistry::start();
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    registry.register("t-value", &avro(list));
    let error = decode(&mut converter(&registry, &[]), &[0, 0, 0, 0, 1, 0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.message().contains("L contains itself"), "{error}");
}

/// Records R0, R1 and so on, of which each has the one before it in these fields, in a union whose last member uses them all.
fn records_of_records(count: usize, fields: &[&str]) -> String {
    let record = |level: usize| {
        let of = match level {
            0 => "\"int\"".to_owned(),
            _ => format!("\"R{}\"", level - 1),
        };
        let field = |name: &&str| format!(r#"{{"name":"{name}","type":{of}}}"#);
        let fields: Vec<_> = fields.iter().map(field).collect();
        format!(
            r#"{{"type":"record","name":"R{level}","fields":[{}]}}"#,
            fields.join(",")
        )
    };
    let records: Vec<_> = (0..count).map(record).collect();
    format!("[{}]", records.join(","))
}

#[test]
fn types_that_lead_deep_or_become_many_are_refused() {
    // The first member of the union, whose value is 7.
    for (count, fields, is_fine) in [
        (100, &["a"][..], true),
        (5_000, &["a"], false),
        (12, &["a", "b"], true),
        (40, &["a", "b"], false),
    ] {
        let registry = TestRegistry::start();
        registry.register("t-value", &avro(&records_of_records(count, fields)));
        let message = [&[0, 0, 0, 0, 1, 0][..], &vec![14; fields.len()]].concat();
        let read = decode(&mut converter(&registry, &[]), &message);
        match read {
            Ok(_) => assert!(is_fine, "{count} {fields:?}"),
            Err(error) => {
                assert!(!is_fine, "{error}");
                assert_eq!(error.kind(), ErrorKind::Data);
                assert!(
                    error.message().contains("100000 schemas or 256 levels"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn names_that_avro_does_not_take_are_refused_unless_they_are_scrubbed() {
    let registry = TestRegistry::start();
    let schema = SchemaBuilder::structure()
        .field("a-b", Schema::int32())
        .build()
        .unwrap();
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("a-b", 1)
        .unwrap();
    let error = encode(&mut converter(&registry, &[]), Some(&schema), value.clone()).unwrap_err();
    assert_eq!(error.message(), "Illegal character in: a-b");
    let mut scrubbing = converter(&registry, &[("scrub.invalid.names", "true")]);
    let bytes = encode(&mut scrubbing, Some(&schema), value).unwrap();
    assert!(registry.text(1).unwrap().contains("\"a_b\""));
    assert_eq!(bytes[5..], [2]);
}

#[test]
fn trailing_bytes_matter_only_when_they_shall() {
    let registry = TestRegistry::start();
    registry.register("t-value", &avro("\"int\""));
    let message = [0, 0, 0, 0, 1, 2, 9];
    assert_eq!(
        decode(&mut converter(&registry, &[]), &message).unwrap().value,
        Value::Int32(1)
    );
    let strict = [("avro.fail.on.trailing.data", "true")];
    assert!(decode(&mut converter(&registry, &strict), &message).is_err());
}

#[test]
fn a_value_of_another_type_than_its_schema_is_a_data_error() {
    let registry = TestRegistry::start();
    let mut converter = converter(&registry, &[]);
    let error = encode(&mut converter, Some(&Schema::int32()), "x").unwrap_err();
    assert_eq!(error.message(), "Invalid type for INT32: class java.lang.String");
    let (_, value) = pair(1, "x");
    let other = SchemaBuilder::structure()
        .field("z", Schema::int32())
        .build()
        .unwrap();
    let error = encode(&mut converter, Some(&other), value).unwrap_err();
    assert_eq!(error.message(), "Mismatching struct schema");
    let error = encode(&mut converter, None, vec![1_u8]).unwrap_err();
    assert_eq!(error.message(), "Unknown Java type for schemaless data: class [B");
}

#[test]
fn subjects_are_named_by_topic_record_or_both() {
    let subjects = ["t-value", "n.Pair", "t-n.Pair"];
    check_subject_names(subjects, |registry, strategy| {
        let mut converter: AvroConverter = converter_with_registry(&registry.url(), &[strategy]);
        let (schema, value) = pair(5, "b");
        let bytes = encode(&mut converter, Some(&schema), value).unwrap();
        let back = decode(&mut converter, &bytes).unwrap();
        assert_eq!(back.schema.unwrap().name(), Some("n.Pair"));
    });
}

#[test]
fn the_latest_version_is_kept_for_its_time_and_then_asked_for_again() {
    let versions = [
        avro(
            r#"{"type":"record","name":"Pair","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}"#,
        ),
        avro(
            r#"{"type":"record","name":"Pair","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"},{"name":"c","type":"int","default":7}]}"#,
        ),
    ];
    check_latest_is_kept_for_its_time(
        "t-value",
        versions.each_ref(),
        converter,
        |converter| {
            let (schema, value) = pair(5, "b");
            encode(converter, Some(&schema), value).unwrap()
        },
        |converter, message| {
            let read = decode(converter, message).unwrap().value;
            read.as_struct().unwrap().values().len()
        },
    );
}

#[test]
fn a_message_that_is_read_with_the_latest_version_has_the_same_schema_each_time() {
    let registry = TestRegistry::start();
    registry.register("t-value", &avro(r#"["int","string"]"#));
    for time in ["-1", "0"] {
        let entries = [
            ("use.latest.version", "true"),
            ("latest.cache.ttl.sec", time),
            ("generalized.sum.type.support", "true"),
        ];
        let mut reader = converter(&registry, &entries);
        let mut read = || decode(&mut reader, &[0, 0, 0, 0, 1, 0, 10]).unwrap();
        let first = read();
        assert_eq!(read(), first, "{time}");
    }
}

#[test]
fn messages_without_an_id_are_read_with_the_configured_one() {
    let registry = TestRegistry::start();
    registry.register("t-value", &avro("\"int\""));
    let class = "io.confluent.kafka.serializers.schema.id.ConfigSchemaIdDeserializer";
    let mut reader = converter(
        &registry,
        &[("value.schema.id.deserializer", class), ("use.schema.id", "1")],
    );
    assert_eq!(decode(&mut reader, &[0x18]).unwrap().value, Value::Int32(12));
}

#[test]
fn a_schema_that_is_not_kept_any_more_is_asked_for_again() {
    check_schemas_are_kept_within_bounds::<AvroConverter>();
}
