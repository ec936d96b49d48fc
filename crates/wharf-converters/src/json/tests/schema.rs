//! Schemas in messages, in the configuration and in the caches.

use super::*;

#[test]
fn schemas_are_read_leniently_where_upstream_does() {
    let mut converter = JsonConverter::default();
    let long = |builder: SchemaBuilder| built(builder);
    for (text, schema) in [
        (r#"{"type":"int64"}"#, Schema::int64()),
        (r#"{"type":"int64","optional":"true"}"#, Schema::int64()),
        (r#"{"type":"int64","optional":1}"#, Schema::int64()),
        (r#"{"type":"int64","optional":true}"#, Schema::optional_int64()),
        (
            r#"{"type":"int64","version":1.0,"name":5,"doc":null,"parameters":[],"unknown":{}}"#,
            Schema::int64(),
        ),
        (
            r#"{"type":"int64","version":3}"#,
            long(SchemaBuilder::int64().version(3)),
        ),
        (r#"{"type":"int64","default":null}"#, Schema::int64()),
        (
            r#"{"type":"int64","default":5}"#,
            long(SchemaBuilder::int64().default_value(5_i64)),
        ),
        (
            r#"{"name":"a","type":"int64","name":"b"}"#,
            long(SchemaBuilder::int64().name("b")),
        ),
        (
            r#"{"type":"struct","fields":[]}"#,
            long(SchemaBuilder::structure()),
        ),
    ] {
        let read = decode(
            &mut converter,
            &format!(
                "{{\"schema\":{text},\"payload\":{}}}",
                if text.contains("struct") { "{}" } else { "5" }
            ),
        );
        assert_eq!(read.unwrap().schema.unwrap(), schema, "{text}");
    }
}

#[test]
fn broken_schemas_are_refused() {
    for (text, message) in [
        ("5", "Schema must contain 'type' field"),
        ("{}", "Schema must contain 'type' field"),
        (r#"{"type":5}"#, "Schema must contain 'type' field"),
        (r#"{"type":"foo"}"#, "Unknown schema type: foo"),
        (r#"{"type":"INT8"}"#, "Unknown schema type: INT8"),
        (
            r#"{"type":"array"}"#,
            "Array schema did not specify the element type",
        ),
        (
            r#"{"type":"array","items":null}"#,
            "Array schema did not specify the element type",
        ),
        (
            r#"{"type":"map","values":{"type":"int8"}}"#,
            "Map schema did not specify the key type",
        ),
        (
            r#"{"type":"map","keys":{"type":"int8"}}"#,
            "Map schema did not specify the value type",
        ),
        (
            r#"{"type":"struct"}"#,
            "Struct schema's \"fields\" argument is not an array.",
        ),
        (
            r#"{"type":"struct","fields":{}}"#,
            "Struct schema's \"fields\" argument is not an array.",
        ),
        (
            r#"{"type":"struct","fields":[{"type":"int8"}]}"#,
            "Struct schema's field name not specified properly",
        ),
        (
            r#"{"type":"struct","fields":[null]}"#,
            "Struct schema's field name not specified properly",
        ),
        (
            r#"{"type":"struct","fields":[{"type":"int8","field":5}]}"#,
            "Struct schema's field name not specified properly",
        ),
        (
            r#"{"type":"int8","parameters":{"a":1}}"#,
            "Schema parameters must have string values.",
        ),
        (
            r#"{"type":"int8","version":3000000000}"#,
            "the schema version 3000000000 does not fit 32 bits; correct the schema",
        ),
    ] {
        assert_eq!(
            decode_with(&mut JsonConverter::default(), text, "1")
                .unwrap_err()
                .message(),
            message,
            "{text}"
        );
    }
    let error = decode_with(
        &mut JsonConverter::default(),
        r#"{"type":"int8","default":"x"}"#,
        "1",
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[test]
fn fixed_schema_stands_for_all_messages() {
    let text = r#"{"type":"struct","fields":[{"type":"int32","field":"a"}]}"#;
    let mut converter = configured(&[(SCHEMA_CONTENT, text)]);
    let schema = built(SchemaBuilder::structure().field("a", Schema::int32()));
    for json in [r#"{"a":1}"#, r#"{"a":1,"more":2}"#] {
        let read = decode(&mut converter, json).unwrap();
        assert_eq!(read.schema.as_ref(), Some(&schema));
        assert_eq!(
            read.value.as_struct().unwrap().get("a").unwrap(),
            &Value::Int32(1)
        );
    }
    // What looks like an envelope is a payload too.
    let envelope = r#"{"schema":{"type":"int8"},"payload":{"a":1}}"#;
    assert_eq!(
        decode(&mut converter, envelope).unwrap_err().message(),
        "Invalid null value for required INT32 field"
    );
    assert_eq!(
        converter.decode("t", &Headers::new(), None).unwrap(),
        SchemaAndValue::NULL
    );
    // Writing is as ever.
    let written = encode(&mut converter, Some(&Schema::int8()), &1_i8.into())
        .unwrap()
        .unwrap();
    assert_eq!(
        written,
        r#"{"schema":{"type":"int8","optional":false},"payload":1}"#
    );
    // Without schemas.enable it has no effect.
    let mut converter = configured(&[(SCHEMA_CONTENT, text), (SCHEMAS_ENABLE, "false")]);
    assert_eq!(
        decode(&mut converter, "5").unwrap(),
        SchemaAndValue::new(None, 5_i64)
    );
}

#[test]
fn broken_fixed_schema_fails_the_configuration() {
    for (text, message) in [
        ("{", "Failed to parse schema in converter config"),
        ("x", "Failed to parse schema in converter config"),
        ("{}", "Schema must contain 'type' field"),
        (r#"{"type":"foo"}"#, "Unknown schema type: foo"),
    ] {
        let config = ConfigMap::from([(SCHEMA_CONTENT.to_owned(), text.to_owned())]);
        let error = JsonConverter::default()
            .configure(&config, ConverterType::Value)
            .unwrap_err();
        assert!(error.message().starts_with(message), "{error}");
    }
}

#[test]
fn schemas_are_cached_by_identity_then_by_equality() {
    let mut converter = configured(&[(SCHEMAS_CACHE_SIZE, "2")]);
    let named = |name: &str| built(SchemaBuilder::int32().name(name));
    let (first, same) = (named("a"), named("a"));
    for schema in [&first, &same, &first] {
        encode(&mut converter, Some(schema), &1.into()).unwrap();
    }
    assert_eq!(converter.written.len(), 1);
    for name in ["b", "c", "d", "a"] {
        let written = encode(&mut converter, Some(&named(name)), &1.into())
            .unwrap()
            .unwrap();
        assert!(written.contains(&format!("\"name\":\"{name}\"")));
        assert!(converter.written.len() <= 2);
        let read = decode(&mut converter, &written).unwrap();
        assert_eq!(read.schema.unwrap().name(), Some(name));
        assert!(converter.read.len() <= 2);
    }
    let json = |name: &str| format!(r#"{{"schema":{{"type":"int32","name":"{name}"}},"payload":1}}"#);
    let mut read = |name: &str| decode(&mut converter, &json(name)).unwrap().schema.unwrap();
    let (x, y) = (read("x"), read("y"));
    assert!(Arc::ptr_eq(&x, &read("x")) && Arc::ptr_eq(&y, &read("y")));
}

#[test]
fn caches_of_size_zero_change_nothing_else() {
    let mut converter = configured(&[(SCHEMAS_CACHE_SIZE, "0")]);
    for (schema, value, json) in both_ways() {
        assert_eq!(
            encode(&mut converter, Some(&schema), &value).unwrap().as_deref(),
            Some(json)
        );
        assert_eq!(decode(&mut converter, json).unwrap().value, value);
    }
    assert_eq!((converter.written.len(), converter.read.len()), (0, 0));
}

#[test]
fn inferred_containers_have_no_element_schema() {
    let schema = Schema::inferred_array(None);
    let value = Value::Array(vec![1.into(), "a".into()]);
    assert_eq!(
        encode(&mut JsonConverter::default(), Some(&schema), &value)
            .unwrap()
            .unwrap(),
        r#"{"schema":{"type":"array","items":null,"optional":false},"payload":[1,"a"]}"#
    );
    let schema = Schema::inferred_map(Some(Schema::string()), None);
    let value = map(&[("a".into(), 1.into())]);
    assert!(
        encode(&mut JsonConverter::default(), Some(&schema), &value)
            .unwrap()
            .unwrap()
            .ends_with(r#":{"a":1}}"#)
    );
}
