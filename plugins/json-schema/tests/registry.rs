//! The converter with a registry in this process: what is registered, what messages look like, what is read back.

use wharf_api::{
    ConnectError, Converter, Decimal, ErrorKind, Headers, Schema, SchemaAndValue, SchemaBuilder, SchemaRef,
    Struct, Value, logical,
};
use wharf_json_schema::JsonSchemaConverter;
use wharf_schema_registry::testing::{
    TestRegistry, check_latest_is_kept_for_its_time, check_schemas_are_kept_within_bounds,
    check_subject_names,
};
use wharf_schema_registry::{Format, RegistrySchema, SchemaReference};
use wharf_testkit::converter_with_registry;

fn converter(registry: &TestRegistry, entries: &[(&str, &str)]) -> JsonSchemaConverter {
    converter_with_registry(&registry.url(), entries)
}

fn encode(
    converter: &mut JsonSchemaConverter,
    headers: &mut Headers,
    schema: Option<&SchemaRef>,
    value: &Value,
) -> Result<Option<Vec<u8>>, ConnectError> {
    wharf_testkit::encode(converter, "orders", headers, schema, value.as_ref())
}

fn order() -> (SchemaRef, Value) {
    let schema = SchemaBuilder::structure()
        .name("com.Order")
        .field("id", Schema::int64())
        .field("note", Schema::optional_string())
        .field("price", logical::decimal(2))
        .field("at", logical::optional_timestamp())
        .build()
        .unwrap();
    let value = Struct::new(SchemaRef::clone(&schema))
        .unwrap()
        .with("id", 7_i64)
        .unwrap()
        .with("price", Value::Decimal(Decimal::new(156, 2)))
        .unwrap()
        .with("at", Value::Date(1_000))
        .unwrap();
    (schema, value.into())
}

#[test]
fn a_record_is_registered_once_and_read_back() {
    let registry = TestRegistry::start();
    let mut writer = converter(&registry, &[]);
    let (schema, value) = order();
    let mut headers = Headers::new();
    let bytes = encode(&mut writer, &mut headers, Some(&schema), &value)
        .unwrap()
        .unwrap();
    assert_eq!(&bytes[..5], [0, 0, 0, 0, 1]);
    assert_eq!(
        std::str::from_utf8(&bytes[5..]).unwrap(),
        r#"{"id":7,"note":null,"price":"AJw=","at":1000}"#
    );
    assert!(
        registry
            .text(1)
            .unwrap()
            .starts_with(r#"{"type":"object","title":"com.Order","properties":{"#)
    );
    assert_eq!(registry.subjects(), ["orders-value"]);
    registry.clear_requests();
    // An equal schema at another address is the same.
    let (again, _) = order();
    encode(&mut writer, &mut headers, Some(&again), &value).unwrap();
    assert_eq!(registry.requests(), Vec::<String>::new());

    let mut reader = converter(&registry, &[]);
    let read = reader.decode("orders", &headers, Some(&bytes)).unwrap();
    let read_schema = read.schema.clone().unwrap();
    // The registry's version becomes the schema's.
    assert_eq!(read_schema.version(), Some(1));
    assert_eq!(read_schema.fields().unwrap(), schema.fields().unwrap());
    assert_eq!(
        read.value.as_struct().unwrap().values(),
        value.as_struct().unwrap().values()
    );
    registry.clear_requests();
    assert_eq!(reader.decode("orders", &headers, Some(&bytes)).unwrap(), read);
    assert_eq!(registry.requests(), Vec::<String>::new());
    assert_eq!(
        reader.decode("orders", &headers, None).unwrap(),
        SchemaAndValue::NULL
    );
}

#[test]
fn nulls_are_tombstones_where_upstream_makes_them() {
    let registry = TestRegistry::start();
    let mut writer = converter(&registry, &[]);
    let mut headers = Headers::new();
    assert_eq!(
        encode(&mut writer, &mut headers, None, &Value::Null).unwrap(),
        None
    );
    assert_eq!(
        encode(&mut writer, &mut headers, Some(&Schema::int32()), &Value::Null).unwrap(),
        None
    );
    assert!(registry.subjects().is_empty());
    let bytes = encode(
        &mut writer,
        &mut headers,
        Some(&Schema::optional_int32()),
        &Value::Null,
    )
    .unwrap()
    .unwrap();
    assert_eq!(&bytes[5..], b"null");
    let error = encode(&mut writer, &mut headers, None, &Value::from(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(
        error.message(),
        "Converting Kafka Connect data to byte[] failed due to serialization error of topic orders: "
    );
}

#[test]
fn the_guid_may_stand_in_a_header() {
    let registry = TestRegistry::start();
    let strategy = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    let mut writer = converter(&registry, &[("value.schema.id.serializer", strategy)]);
    let mut headers = Headers::new();
    let bytes = encode(&mut writer, &mut headers, Some(&Schema::int32()), &Value::from(5))
        .unwrap()
        .unwrap();
    assert_eq!(bytes, b"5");
    assert!(headers.last_with_name("__value_schema_id").is_some());
    let read = converter(&registry, &[])
        .decode("orders", &headers, Some(&bytes))
        .unwrap();
    assert_eq!(read.value, Value::Int32(5));
}

#[test]
fn messages_are_checked_when_the_configuration_says_so() {
    let registry = TestRegistry::start();
    let text = r#"{"type":"object","properties":{"id":{"type":"integer","minimum":10}}}"#;
    registry.register("orders-value", &RegistrySchema::new(Format::Json, text));
    let message = |json: &str| [&[0, 0, 0, 0, 1], json.as_bytes()].concat();
    let none = Headers::new();
    converter(&registry, &[])
        .decode("orders", &none, Some(&message(r#"{"id":1}"#)))
        .unwrap();
    let mut strict = converter(&registry, &[("json.fail.invalid.schema", "true")]);
    strict
        .decode("orders", &none, Some(&message(r#"{"id":10}"#)))
        .unwrap();
    let error = strict
        .decode("orders", &none, Some(&message(r#"{"id":1}"#)))
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("Validation error in JSON, Error report:"), "{text}");
    assert!(text.contains("#/id: 1 is less than the minimum of 10"), "{text}");
}

#[test]
fn a_schema_is_read_with_those_that_it_refers_to() {
    let registry = TestRegistry::start();
    let address = r#"{"type":"object","title":"Address","properties":{"street":{"type":"string"}}}"#;
    registry.register("address", &RegistrySchema::new(Format::Json, address));
    let mut person = RegistrySchema::new(
        Format::Json,
        r#"{"type":"object","properties":{"at":{"$ref":"address.json"}}}"#,
    );
    person.references.push(SchemaReference {
        name: "address.json".to_owned(),
        subject: "address".to_owned(),
        version: 1,
    });
    registry.register("orders-value", &person);
    let message = [&[0, 0, 0, 0, 2], &br#"{"at":{"street":"x"}}"#[..]].concat();
    let read = converter(&registry, &[("json.fail.invalid.schema", "true")])
        .decode("orders", &Headers::new(), Some(&message))
        .unwrap();
    let at = read
        .value
        .as_struct()
        .unwrap()
        .get("at")
        .unwrap()
        .as_struct()
        .unwrap();
    assert_eq!(at.schema().name(), Some("Address"));
    assert_eq!(at.get("street").unwrap(), &Value::from("x"));
}

#[test]
fn the_latest_schema_must_take_what_is_written() {
    let registry = TestRegistry::start();
    registry.register(
        "orders-value",
        &RegistrySchema::new(Format::Json, r#"{"type":"string"}"#),
    );
    let latest = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut writer = converter(&registry, &latest);
    let mut headers = Headers::new();
    let bytes = encode(
        &mut writer,
        &mut headers,
        Some(&Schema::string()),
        &Value::from("x"),
    )
    .unwrap()
    .unwrap();
    assert_eq!(bytes, b"\0\0\0\0\x01\"x\"");
    let error = encode(&mut writer, &mut headers, Some(&Schema::int32()), &Value::from(1)).unwrap_err();
    assert!(format!("{error:#}").contains("Incompatible schema"), "{error:#}");
    let lenient = [latest[0], latest[1], ("latest.compatibility.strict", "false")];
    encode(
        &mut converter(&registry, &lenient),
        &mut headers,
        Some(&Schema::int32()),
        &Value::from(1),
    )
    .unwrap();
}

#[test]
fn bad_messages_are_data_errors_that_say_why() {
    let registry = TestRegistry::start();
    registry.register(
        "orders-value",
        &RegistrySchema::new(Format::Json, r#"{"type":"integer","connect.type":"int8"}"#),
    );
    registry.register("avro-value", &RegistrySchema::new(Format::Avro, r#""int""#));
    let mut reader = converter(&registry, &[]);
    let none = Headers::new();
    let outer = "Converting byte[] to Kafka Connect data failed due to serialization error of topic orders: ";
    for (message, reason) in [
        (&b""[..], "the message is empty"),
        (b"{\"id\":1}", "Unknown magic byte!"),
        (b"\0\0\0\0\x01{", "is a OBJECT where the schema has INT8"),
        (b"\0\0\0\0\x01\xff", "not JSON text"),
        (b"\0\0\0\0\x01", "not JSON text"),
        (b"\0\0\0\0\x01300", "the number 300 at $ is not one of type INT8"),
        (b"\0\0\0\0\x09300", "40403"),
        (b"\0\0\0\0\x021", "AVRO"),
    ] {
        let error = reader.decode("orders", &none, Some(message)).unwrap_err();
        let text = format!("{error:#}");
        assert_eq!(error.kind(), ErrorKind::Data, "{text}");
        assert!(text.contains(reason), "{text}");
        assert!(
            text.contains(outer) || text.contains("schema has") || text.contains("type INT8"),
            "{text}"
        );
    }
    registry.fail_next(&[503, 503, 503, 503]);
    let config = [("max.retries", "0")];
    let error = converter(&registry, &config)
        .decode("orders", &none, Some(b"\0\0\0\0\x011"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retriable);
}

#[test]
fn output_may_be_indented() {
    let registry = TestRegistry::start();
    let mut writer = converter(&registry, &[("json.indent.output", "true")]);
    let schema = SchemaBuilder::array(Schema::int32()).build().unwrap();
    let value = Value::Array(vec![Value::Int32(1)]);
    let bytes = encode(&mut writer, &mut Headers::new(), Some(&schema), &value)
        .unwrap()
        .unwrap();
    assert_eq!(&bytes[5..], b"[ 1 ]");
}

#[test]
fn subjects_are_named_by_topic_record_or_both() {
    let subjects = ["orders-value", "com.Order", "orders-com.Order"];
    check_subject_names(subjects, |registry, strategy| {
        let mut writer = converter(registry, &[strategy]);
        let (schema, value) = order();
        let bytes = encode(&mut writer, &mut Headers::new(), Some(&schema), &value).unwrap();
        let back = writer
            .decode("orders", &Headers::new(), bytes.as_deref())
            .unwrap();
        assert_eq!(back.schema.unwrap().name(), Some("com.Order"));
    });
}

#[test]
fn the_latest_version_is_kept_for_its_time_and_then_asked_for_again() {
    let text = |more: &str| {
        format!(
            r#"{{"type":"object","title":"com.Order","properties":{{"id":{{"type":"integer","connect.index":0,"connect.type":"int64"}}{more}}}}}"#
        )
    };
    let versions = [
        text(""),
        text(r#","new":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]}"#),
    ]
    .map(|text| RegistrySchema::new(Format::Json, text));
    check_latest_is_kept_for_its_time(
        "orders-value",
        versions.each_ref(),
        converter,
        |converter| {
            let schema = SchemaBuilder::structure()
                .name("com.Order")
                .field("id", Schema::int64())
                .build()
                .unwrap();
            let value = Struct::from_values(SchemaRef::clone(&schema), vec![7_i64.into()]).into();
            let bytes = encode(converter, &mut Headers::new(), Some(&schema), &value).unwrap();
            bytes.unwrap()
        },
        |converter, message| {
            let read = converter
                .decode("orders", &Headers::new(), Some(message))
                .unwrap();
            read.value.as_struct().unwrap().values().len()
        },
    );
}

#[test]
fn a_message_is_read_into_the_latest_schema_where_that_is_wanted() {
    let registry = TestRegistry::start();
    for text in [
        r#"{"type":"object","title":"com.Order","properties":{"id":{"type":"integer"},"gone":{"type":"string"}}}"#,
        r#"{"type":"object","title":"com.Order","properties":{"id":{"type":"integer"},"new":{"oneOf":[{"type":"null"},{"type":"string"}]}}}"#,
    ] {
        registry.register("orders-value", &RegistrySchema::new(Format::Json, text));
    }
    let message = [&[0, 0, 0, 0, 1], &br#"{"id":3,"gone":"x"}"#[..]].concat();
    let none = Headers::new();
    let mut latest = converter(&registry, &[("use.latest.version", "true")]);
    let SchemaAndValue { schema, value } = latest.decode("orders", &none, Some(&message)).unwrap();
    assert_eq!(schema.unwrap().version(), Some(2));
    let value = value.as_struct().unwrap();
    assert_eq!(value.get("id").unwrap(), &Value::Int64(3));
    assert!(value.get("new").unwrap().is_null());
    assert_eq!(value.values().len(), 2, "what the latest schema has");
    let own = converter(&registry, &[])
        .decode("orders", &none, Some(&message))
        .unwrap();
    assert_eq!(
        own.value.as_struct().unwrap().get("gone").unwrap(),
        &Value::from("x")
    );
}

#[test]
fn a_schema_that_is_not_kept_any_more_is_asked_for_again() {
    check_schemas_are_kept_within_bounds::<JsonSchemaConverter>();
}
