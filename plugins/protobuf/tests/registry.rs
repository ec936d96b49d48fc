//! The converter with a registry in this process: what is registered, what messages look like, what is read back.

use wharf_api::{
    ConnectError, Converter, ConverterType, Decimal, ErrorKind, Headers, Schema, SchemaAndValue,
    SchemaBuilder, SchemaRef, Struct, Value, logical,
};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::{TestRegistry, check_subject_names};
use wharf_schema_registry::{Format, RegistrySchema, SchemaReference};
use wharf_testkit::converter_with_registry;

fn converter(registry: &TestRegistry, entries: &[(&str, &str)]) -> ProtobufConverter {
    converter_with_registry(&registry.url(), entries)
}

fn encode(
    converter: &mut ProtobufConverter,
    headers: &mut Headers,
    schema: Option<&SchemaRef>,
    value: &Value,
) -> Result<Option<Vec<u8>>, ConnectError> {
    wharf_testkit::encode(converter, "orders", headers, schema, value.as_ref())
}

fn message(id: u8, index: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, id], index, payload].concat()
}

fn read(registry: &TestRegistry, entries: &[(&str, &str)], bytes: &[u8]) -> SchemaAndValue {
    converter(registry, entries)
        .decode("orders", &Headers::new(), Some(bytes))
        .unwrap()
}

fn register(registry: &TestRegistry, body: &str) {
    let text = format!("syntax = \"proto3\";\n{body}\n");
    registry.register("orders-value", &RegistrySchema::new(Format::Protobuf, text));
}

#[test]
fn a_record_is_registered_once_and_read_back() {
    let registry = TestRegistry::start();
    let mut writer = converter(&registry, &[]);
    let schema = SchemaBuilder::structure()
        .name("com.Order")
        .field("id", Schema::int64())
        .field("note", Schema::optional_string())
        .field("price", logical::decimal(2))
        .field("at", logical::optional_timestamp())
        .field("on", logical::date())
        .field("time", logical::time())
        .field("lines", SchemaBuilder::array(Schema::int32()).build().unwrap())
        .field(
            "marks",
            SchemaBuilder::map(Schema::string(), Schema::boolean())
                .name("marks")
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let value = Struct::from_values(
        SchemaRef::clone(&schema),
        vec![
            Value::Int64(7),
            Value::Null,
            Value::Decimal(Decimal::new(-156, 2)),
            Value::Date(-1_500),
            Value::Date(864_000_000),
            Value::Date(3_723_004),
            Value::Array(vec![Value::Int32(0), Value::Int32(-1)]),
            Value::Map(vec![
                (Value::from("a"), Value::Boolean(true)),
                (Value::from("b"), Value::Boolean(false)),
            ]),
        ],
    );
    let mut headers = Headers::new();
    let bytes = encode(
        &mut writer,
        &mut headers,
        Some(&schema),
        &Value::from(value.clone()),
    )
    .unwrap()
    .unwrap();
    let expected = [
        &[0x08, 7][..],
        &[0x1a, 8, 0x0a, 2, 0xff, 0x64, 0x10, 3, 0x18, 2],
        &[
            0x22, 17, 0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x10, 0x80, 0xca,
            0xb5, 0xee, 0x01,
        ],
        &[0x2a, 7, 0x08, 0xb2, 0x0f, 0x10, 1, 0x18, 11],
        &[0x32, 11, 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 0x80, 0x92, 0xf4, 0x01],
        &[
            0x3a, 11, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ],
        &[0x42, 5, 0x0a, 1, b'a', 0x10, 1],
        &[0x42, 3, 0x0a, 1, b'b'],
    ]
    .concat();
    assert_eq!(bytes[..6], [0, 0, 0, 0, 1, 0]);
    assert_eq!(bytes[6..], expected);
    registry.clear_requests();
    encode(
        &mut writer,
        &mut headers,
        Some(&schema),
        &Value::from(value.clone()),
    )
    .unwrap();
    assert_eq!(registry.requests(), Vec::<String>::new());

    let back = read(&registry, &[], &bytes);
    assert_eq!(back.schema.as_ref().unwrap().version(), Some(1));
    let back = back.value;
    let back = back.as_struct().unwrap();
    // A text without presence comes back empty.
    let mut wanted = value.values().to_vec();
    wanted[1] = Value::from("");
    assert_eq!(back.values(), wanted);
}

#[test]
fn wire_examples_have_upstream_s_bytes() {
    let registry = TestRegistry::start();
    let mut writer = converter(&registry, &[]);
    let schema = SchemaBuilder::structure()
        .name("M")
        .field("a", Schema::int32())
        .build()
        .unwrap();
    for (number, payload) in [
        (0, &[][..]),
        (1, &[8, 1]),
        (-1, &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
    ] {
        let value = Value::from(Struct::from_values(
            SchemaRef::clone(&schema),
            vec![Value::Int32(number)],
        ));
        let bytes = encode(&mut writer, &mut Headers::new(), Some(&schema), &value)
            .unwrap()
            .unwrap();
        assert_eq!(bytes, message(1, &[0], payload));
    }
    // A scalar alone: the fifth message of the wrappers.
    let bytes = encode(
        &mut writer,
        &mut Headers::new(),
        Some(&Schema::int32()),
        &Value::Int32(5),
    )
    .unwrap()
    .unwrap();
    assert_eq!(bytes, message(2, &[2, 8], &[8, 5]));
    assert_eq!(read(&registry, &[], &bytes).value, Value::Int32(5));
    assert_eq!(
        encode(&mut writer, &mut Headers::new(), None, &Value::Null).unwrap(),
        None
    );
    assert_eq!(
        encode(&mut writer, &mut Headers::new(), Some(&schema), &Value::Null).unwrap(),
        None
    );
}

#[test]
fn nullable_fields_keep_null_apart_from_zero() {
    for option in ["optional.for.nullables", "wrapper.for.nullables"] {
        let registry = TestRegistry::start();
        let config = [(option, "true")];
        let schema = SchemaBuilder::structure()
            .name("M")
            .field("a", Schema::optional_int32())
            .field("b", Schema::optional_string())
            .field("c", Schema::int64())
            .build()
            .unwrap();
        for values in [
            vec![Value::Null, Value::Null, Value::Int64(0)],
            vec![Value::Int32(0), Value::from(""), Value::Int64(1)],
            vec![Value::Int32(-7), Value::from("x"), Value::Int64(-1)],
        ] {
            let value = Value::from(Struct::from_values(SchemaRef::clone(&schema), values.clone()));
            let bytes = encode(
                &mut converter(&registry, &config),
                &mut Headers::new(),
                Some(&schema),
                &value,
            )
            .unwrap()
            .unwrap();
            let back = read(&registry, &config, &bytes).value;
            assert_eq!(back.as_struct().unwrap().values(), values, "{option}");
        }
    }
}

#[test]
fn unions_and_enums_go_both_ways() {
    let registry = TestRegistry::start();
    register(
        &registry,
        "message M { int32 z = 9; oneof u { string a = 3; N b = 1; } E e = 2; } message N { bool x = 1; } enum E { ZERO = 0; ONE = 1; }",
    );
    for payload in [
        &[0x0a, 2, 8, 1, 0x10, 1, 0x48, 3][..],
        &[0x0a, 0, 0x48, 3],
        &[0x10, 1, 0x1a, 1, b'x'],
        &[0x1a, 0],
        &[],
    ] {
        let bytes = message(1, &[0], payload);
        let first = read(&registry, &[], &bytes);
        let again = encode(
            &mut converter(&registry, &[]),
            &mut Headers::new(),
            first.schema.as_ref(),
            &first.value,
        )
        .unwrap()
        .unwrap();
        assert_eq!(&again[6..], payload);
    }
    // An unknown number of an open enum has a name, and of two members the last counts.
    let read = read(
        &registry,
        &[],
        &message(1, &[0], &[0x10, 7, 0x0a, 0, 0x1a, 1, b'y']),
    )
    .value;
    let read = read.as_struct().unwrap();
    assert_eq!(read.get("e").unwrap(), &Value::from("UNKNOWN_ENUM_VALUE_E_7"));
    let union = read.get("u_0").unwrap().as_struct().unwrap();
    assert_eq!(union.values(), [Value::from("y"), Value::Null]);
}

#[test]
fn messages_are_found_by_their_index_and_merged_when_they_come_twice() {
    let registry = TestRegistry::start();
    register(
        &registry,
        "message A { message C { int32 c = 1; } int32 a = 1; } message B { A x = 1; repeated int32 y = 2; A.C z = 3; }",
    );
    let nested = read(&registry, &[], &message(1, &[4, 0, 0], &[8, 3]));
    assert_eq!(nested.schema.unwrap().name(), Some("C"));
    let payload = [
        &[0x0a, 2, 8, 1][..],
        &[0x12, 2, 1, 2],
        &[0x10, 3],
        &[0x0a, 2, 8, 5],
        &[0x2a, 1, 9],
    ]
    .concat();
    let second = read(&registry, &[], &message(1, &[2, 2], &payload)).value;
    let second = second.as_struct().unwrap();
    assert_eq!(
        second.get("x").unwrap().as_struct().unwrap().values(),
        [Value::Int32(5)]
    );
    assert_eq!(
        second.get("y").unwrap(),
        &Value::Array([1, 2, 3].map(Value::Int32).to_vec())
    );
    assert!(second.get("z").unwrap().is_null());
    let filled = read(
        &registry,
        &[("generate.struct.for.nulls", "true")],
        &message(1, &[2, 2], &[]),
    )
    .value;
    assert_eq!(
        filled
            .as_struct()
            .unwrap()
            .get("z")
            .unwrap()
            .as_struct()
            .unwrap()
            .values(),
        [Value::Int32(0)]
    );
}

#[test]
fn schemas_of_other_subjects_are_imported() {
    let registry = TestRegistry::start();
    let other = RegistrySchema::new(
        Format::Protobuf,
        "syntax = \"proto3\"; package o; message O { string s = 1; }",
    );
    registry.register("other", &other);
    let mut main = RegistrySchema::new(
        Format::Protobuf,
        "syntax = \"proto3\"; import \"o.proto\"; message M { o.O o = 1; }",
    );
    main.references.push(SchemaReference {
        name: "o.proto".to_owned(),
        subject: "other".to_owned(),
        version: 1,
    });
    registry.register("orders-value", &main);
    let value = read(&registry, &[], &message(2, &[0], &[0x0a, 3, 0x0a, 1, b'x'])).value;
    assert_eq!(
        value
            .as_struct()
            .unwrap()
            .get("o")
            .unwrap()
            .as_struct()
            .unwrap()
            .get("s")
            .unwrap(),
        &Value::from("x")
    );
}

#[test]
fn bad_messages_are_data_errors_that_say_why() {
    let registry = TestRegistry::start();
    register(
        &registry,
        "message M { string s = 1; int32 n = 2; M2 m = 3; } message M2 { int32 x = 1; }",
    );
    let mut reader = converter(&registry, &[]);
    for (bytes, reason) in [
        (vec![], "the message is empty"),
        (b"{\"a\":1}".to_vec(), "Unknown magic byte!"),
        (message(1, &[], &[]), "ended unexpectedly"),
        (message(1, &[2, 8], &[]), "no message with the index [4]"),
        (message(1, &[2, 1], &[]), "a message index is negative"),
        (message(1, &[0], &[0x0a, 5, b'x']), "ended unexpectedly"),
        (message(1, &[0], &[0x0a, 1, 0xff]), "invalid UTF-8"),
        (message(1, &[0], &[0x00]), "invalid tag (zero)"),
        (message(1, &[0], &[0x0f]), "invalid wire type"),
        (message(1, &[0], &[0x0c]), "end-group"),
    ] {
        let error = reader
            .decode("orders", &Headers::new(), Some(&bytes))
            .unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            text.contains("Failed to deserialize data for topic orders to Protobuf:"),
            "{text}"
        );
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn a_small_message_cannot_become_very_many_values() {
    let registry = TestRegistry::start();
    let fields: String = (1..1000)
        .map(|number| format!("int32 f{number} = {number};"))
        .collect();
    register(
        &registry,
        &format!("message M {{ repeated N n = 1; }} message N {{ {fields} }}"),
    );
    let payload = [0x0a, 0].repeat(100_000);
    let error = converter(&registry, &[])
        .decode("orders", &Headers::new(), Some(&message(1, &[0], &payload)))
        .unwrap_err();
    assert!(format!("{error:#}").contains("becomes more than"), "{error:#}");
}

#[test]
fn subjects_are_named_by_topic_record_or_both() {
    let subjects = ["orders-value", "com.Order", "orders-com.Order"];
    check_subject_names(subjects, |registry, strategy| {
        let mut writer = converter(registry, &[strategy]);
        let schema = SchemaBuilder::structure()
            .name("com.Order")
            .field("id", Schema::int64())
            .build()
            .unwrap();
        let value = Struct::from_values(SchemaRef::clone(&schema), vec![7_i64.into()]).into();
        let bytes = encode(&mut writer, &mut Headers::new(), Some(&schema), &value).unwrap();
        let back = writer
            .decode("orders", &Headers::new(), bytes.as_deref())
            .unwrap();
        assert_eq!(back.value.as_struct().unwrap().values(), [Value::Int64(7)]);
    });
}

#[test]
fn the_guid_and_the_index_of_the_message_may_stand_in_a_header_of_key_and_value() {
    let class = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    for (part, header) in [
        (ConverterType::Key, "__key_schema_id"),
        (ConverterType::Value, "__value_schema_id"),
    ] {
        let registry = TestRegistry::start();
        let config = [
            ("schema.registry.url".to_owned(), registry.url()),
            (format!("{}.schema.id.serializer", part.name()), class.to_owned()),
        ];
        let mut converter = ProtobufConverter::default();
        converter.configure(&config.into(), part).unwrap();
        let mut headers = Headers::new();
        let text = Value::from("hi");
        let bytes = encode(&mut converter, &mut headers, Some(&Schema::string()), &text).unwrap();
        assert_eq!(bytes.as_deref(), Some(&[0x0a, 2, b'h', b'i'][..]));
        assert_eq!(headers.len(), 1);
        // One index: the eighth message of Google's wrappers.
        let expected = [&[1][..], &registry.guid(1).unwrap().0, &[2, 0x0e]].concat();
        assert_eq!(
            *headers.last_with_name(header).unwrap().value(),
            Value::Bytes(expected)
        );
        let back = converter.decode("orders", &headers, bytes.as_deref()).unwrap();
        assert_eq!(back.value, text);
    }
}

#[test]
fn messages_without_an_id_are_read_with_the_configured_one() {
    const CLASS: (&str, &str) = (
        "value.schema.id.deserializer",
        "io.confluent.kafka.serializers.schema.id.ConfigSchemaIdDeserializer",
    );
    let registry = TestRegistry::start();
    register(
        &registry,
        "message A { int32 a = 1; } message B { int32 b = 1; message C { int32 c = 1; } }",
    );
    for (index, field) in [(None, "a"), (Some("1"), "b"), (Some("1,0"), "c")] {
        let index = index.map(|index| ("use.message.indexes", index));
        let entries: Vec<_> = [CLASS, ("use.schema.id", "1")].into_iter().chain(index).collect();
        let back = read(&registry, &entries, &[8, 5]);
        assert_eq!(back.schema.unwrap().fields().unwrap()[0].name(), field);
        assert_eq!(back.value.as_struct().unwrap().values(), [Value::Int32(5)]);
    }
}
