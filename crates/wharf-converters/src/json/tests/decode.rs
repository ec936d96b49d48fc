//! What is read, and what is refused.

use super::*;

#[test]
fn values_without_schema_are_read_by_their_form() {
    for (json, value) in [
        ("", Value::Null),
        (" \n", Value::Null),
        ("null", Value::Null),
        ("true", true.into()),
        ("12", 12_i64.into()),
        ("007", 7_i64.into()),
        ("-0", 0_i64.into()),
        ("9223372036854775807", i64::MAX.into()),
        ("12.24", 12.24.into()),
        ("1e3", 1000.0.into()),
        ("1.0", 1.0.into()),
        ("\"a string\"", "a string".into()),
        (r#""\u00e9\uD83D\uDE00""#, "é😀".into()),
        (
            "[1, \"2\", null] and more",
            Value::Array(vec![1_i64.into(), "2".into(), Value::Null]),
        ),
        (
            r#"{"a":1,"b":[{}],"a":2}"#,
            map(&[
                ("a".into(), 2_i64.into()),
                ("b".into(), Value::Array(vec![map(&[])])),
            ]),
        ),
        (
            r#"{"schema":null,"payload":1}"#,
            map(&[("schema".into(), Value::Null), ("payload".into(), 1_i64.into())]),
        ),
    ] {
        assert_eq!(
            decode(&mut schemaless(), json).unwrap(),
            SchemaAndValue::new(None, value),
            "{json}"
        );
    }
    let read = decode(&mut JsonConverter::default(), r#"{"payload":[1],"schema":null}"#).unwrap();
    assert_eq!(read, SchemaAndValue::new(None, Value::Array(vec![1_i64.into()])));
}

#[test]
fn last_of_equal_keys_counts_at_the_place_of_the_first() {
    let many: Vec<String> = (0..100)
        .map(|number| format!("\"k{}\":{number}", number % 30))
        .collect();
    let read = decode(&mut schemaless(), &format!("{{{}}}", many.join(",")))
        .unwrap()
        .value;
    let wanted: Vec<_> = (0..30_i64)
        .map(|key| {
            (
                format!("k{key}").into(),
                (if key < 10 { key + 90 } else { key + 60 }).into(),
            )
        })
        .collect();
    assert_eq!(read.as_map().unwrap(), wanted);
    let schema = r#"{"type":"map","keys":{"type":"int32"},"values":{"type":"string"}}"#;
    let read = decode_with(
        &mut JsonConverter::default(),
        schema,
        r#"[[1,"a"],[2,"b"],[1,"c"]]"#,
    )
    .unwrap();
    assert_eq!(
        read.as_map().unwrap(),
        [(1.into(), "c".into()), (2.into(), "b".into())]
    );
    let schema = r#"{"type":"struct","fields":[{"type":"int32","field":"a"}]}"#;
    let read = decode_with(&mut JsonConverter::default(), schema, r#"{"a":1,"a":2}"#).unwrap();
    assert_eq!(read.as_struct().unwrap().get("a").unwrap(), &Value::Int32(2));
}

#[test]
fn anything_but_an_envelope_is_refused_with_the_remedy() {
    for json in [
        "",
        "null",
        "5",
        "\"x\"",
        "[]",
        "{}",
        r#"{"schema":null}"#,
        r#"{"payload":1}"#,
        r#"{"schema":null,"payload":1,"more":2}"#,
        r#"{"Schema":null,"payload":1}"#,
    ] {
        let error = decode(&mut JsonConverter::default(), json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error
                .message()
                .starts_with("JsonConverter with schemas.enable requires \"schema\""),
            "{error}"
        );
        assert!(
            error
                .message()
                .contains("set schemas.enable=false in your converter configuration."),
            "{error}"
        );
    }
}

#[test]
fn text_that_is_not_json_is_refused() {
    for json in [
        "{",
        "{\"schema\":null,\"payload\":1",
        "nan",
        "{'a':1}",
        "[1,]",
        "\u{1}",
        "{\"a\" 1}",
    ] {
        for mut converter in [JsonConverter::default(), schemaless()] {
            let error = decode(&mut converter, json).unwrap_err();
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::Data, SERIALIZATION_ERROR),
                "{json}"
            );
            assert_eq!(error.cause().unwrap().class(), crate::SERIALIZATION_EXCEPTION);
        }
    }
}

#[test]
fn envelope_s_members_come_in_any_order_and_spacing() {
    let mut converter = JsonConverter::default();
    let int = r#"{"type":"int32"}"#;
    for json in [
        format!(r#"{{"schema":{int},"payload":5}}"#),
        format!(r#"{{"payload":5,"schema":{int}}}"#),
        format!("\u{feff} {{ \"schema\" : {int} ,\n\"payload\" :\t5 }} rest"),
        format!(r#"{{"schema":null,"payload":"x","payload":5,"schema":{int}}}"#),
        format!(r#"{{"schema":{int},"payload":5,"payload":5}}"#),
        format!(r#"{{"\u0073chema":{int},"payload":5}}"#),
    ] {
        // Before and after another message has filled the cache.
        for _ in 0..2 {
            let read = decode(&mut converter, &json).unwrap();
            assert_eq!(read, SchemaAndValue::new(Some(Schema::int32()), 5), "{json}");
        }
    }
    assert!(
        decode(
            &mut converter,
            &format!(r#"{{"schema":{int},"payload":5,"x":1}}"#)
        )
        .is_err()
    );
    assert!(decode(&mut converter, &format!(r#"{{"schema":{int},"payload":5"#)).is_err());
    assert!(decode(&mut converter, &format!(r#"{{"schema":{int},"payload":5x}}"#)).is_err());
}

#[test]
fn payloads_of_the_wrong_form_are_refused_in_upstream_s_words() {
    let named = |base: &str, name: &str| {
        format!(r#"{{"type":"{base}","name":"{name}","parameters":{{"scale":"2"}}}}"#)
    };
    let (date, time) = (named("int32", logical::DATE), named("int32", logical::TIME));
    let (timestamp, decimal) = (
        named("int64", logical::TIMESTAMP),
        named("bytes", logical::DECIMAL),
    );
    let string_map = r#"{"type":"map","keys":{"type":"string"},"values":{"type":"int32"}}"#;
    let int_map = r#"{"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}}"#;
    let structure = r#"{"type":"struct","fields":[{"type":"string","field":"f"}]}"#;
    for (schema, payload, message) in [
        (r#"{"type":"bytes"}"#, "\"?\"", "Invalid bytes field"),
        (r#"{"type":"bytes"}"#, "\"AA\"", "Invalid bytes field"),
        (
            string_map,
            "[]",
            "Maps with string fields should be encoded as JSON objects, but found ARRAY",
        ),
        (
            string_map,
            "\"x\"",
            "Maps with string fields should be encoded as JSON objects, but found STRING",
        ),
        (
            int_map,
            "{}",
            "Maps with non-string fields should be encoded as JSON array of tuples, but found OBJECT",
        ),
        (
            int_map,
            "[[1]]",
            "Found invalid map entry, expected length 2 but found :1",
        ),
        (
            int_map,
            "[[1,2],[1,2,3]]",
            "Found invalid map entry, expected length 2 but found :3",
        ),
        (
            int_map,
            "[5]",
            "Found invalid map entry instead of array tuple: NUMBER",
        ),
        (
            structure,
            "[]",
            "Structs should be encoded as JSON objects, but found ARRAY",
        ),
        (
            structure,
            "true",
            "Structs should be encoded as JSON objects, but found BOOLEAN",
        ),
        (structure, "{}", "Invalid null value for required STRING field"),
        (
            structure,
            "{\"f\":null}",
            "Invalid null value for required STRING field",
        ),
        (structure, "null", "Invalid null value for required STRUCT field"),
        (
            &decimal,
            "true",
            "Invalid type for Decimal, underlying representation should be numeric or bytes but was BOOLEAN",
        ),
        (&decimal, "\"?\"", "Invalid bytes for Decimal field"),
        (&decimal, "\"\"", "Invalid bytes for Decimal field"),
        (
            r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal"}"#,
            "\"BQ==\"",
            "Invalid bytes for Decimal field",
        ),
        (&decimal, "1e99999999999", SERIALIZATION_ERROR),
        (
            &date,
            "\"1\"",
            "Invalid type for Date, underlying representation should be integer but was STRING",
        ),
        (
            &date,
            "3000000000",
            "Invalid type for Date, underlying representation should be integer but was NUMBER",
        ),
        (
            &date,
            "1.0",
            "Invalid type for Date, underlying representation should be integer but was NUMBER",
        ),
        (
            &time,
            "true",
            "Invalid type for Time, underlying representation should be integer but was BOOLEAN",
        ),
        (
            &time,
            "86400001",
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        ),
        (
            &timestamp,
            "\"1\"",
            "Invalid type for Timestamp, underlying representation should be integral but was STRING",
        ),
        (
            &timestamp,
            "1.5",
            "Invalid type for Timestamp, underlying representation should be integral but was NUMBER",
        ),
    ] {
        let mut converter = JsonConverter::default();
        for _ in 0..2 {
            let error = decode_with(&mut converter, schema, payload).unwrap_err();
            assert_eq!(
                (error.kind(), error.message()),
                (ErrorKind::Data, message),
                "{schema} {payload}"
            );
        }
    }
}

#[test]
fn values_that_upstream_would_alter_are_refused() {
    for (schema_type, payload) in [
        ("int8", "300"),
        ("int8", "-129"),
        ("int8", "\"x\""),
        ("int8", "true"),
        ("int16", "32768"),
        ("int32", "1.9"),
        ("int32", "3000000000"),
        ("int64", "9223372036854775808"),
        ("int64", "1e19"),
        ("int64", "[]"),
        ("float", "1e39"),
        ("float", "\"x\""),
        ("double", "1e400"),
        ("double", "{}"),
        ("boolean", "\"true\""),
        ("boolean", "1"),
        ("string", "5"),
        ("string", "{\"a\":1}"),
        ("bytes", "5"),
    ] {
        let schema = format!(
            r#"{{"type":"struct","fields":[{{"type":"array","items":{{"type":"{schema_type}"}},"field":"f"}}]}}"#
        );
        let ok = if schema_type == "string" || schema_type == "bytes" {
            "\"AA==\""
        } else {
            "0"
        };
        let ok = if schema_type == "boolean" { "false" } else { ok };
        let error = decode_with(
            &mut JsonConverter::default(),
            &schema,
            &format!("{{\"f\":[{ok},{payload}]}}"),
        )
        .unwrap_err();
        let shown = payload.trim_matches('"');
        assert_eq!(error.kind(), ErrorKind::Data);
        for part in [shown, "$.f[1]", "correct the data"] {
            assert!(error.message().contains(part), "{schema_type} {payload}: {error}");
        }
    }
    let error = decode_with(
        &mut JsonConverter::default(),
        r#"{"type":"array","items":{"type":"int8"}}"#,
        "{}",
    )
    .unwrap_err();
    assert!(error.message().contains("ARRAY"), "{error}");
    for json in [
        "{\"a\":9223372036854775808}",
        "{\"a\":1e400}",
        "{\"a\":\"\\ud800\"}",
    ] {
        assert!(decode(&mut schemaless(), json).is_err(), "{json}");
    }
    let long = format!("\"{}\"", "é".repeat(1000));
    let error = decode_with(&mut JsonConverter::default(), r#"{"type":"int8"}"#, &long).unwrap_err();
    assert!(error.message().chars().count() < 400, "{error}");
}

#[test]
fn values_that_lose_nothing_are_read_leniently() {
    for (schema_type, payload, value) in [
        ("int8", "1.0", Value::from(1_i8)),
        ("int32", "1e3", 1000.into()),
        ("int16", "007", 7_i16.into()),
        ("double", "1", 1.0.into()),
        ("double", "0.1000", 0.1.into()),
        ("float", "\"NaN\"", f32::NAN.into()),
        ("double", "\"-Infinity\"", f64::NEG_INFINITY.into()),
        ("bytes", "\"dGVz\\r\\ndA==\"", b"test".as_slice().into()),
        ("bytes", "\"dGVzdB==\"", b"test".as_slice().into()),
    ] {
        let schema = format!(r#"{{"type":"{schema_type}"}}"#);
        assert_eq!(
            decode_with(&mut JsonConverter::default(), &schema, payload).unwrap(),
            value,
            "{payload}"
        );
    }
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_ignored() {
    let schema = r#"{"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"string","optional":true,"field":"b"},{"type":"boolean","field":"c"}]}"#;
    let read = decode_with(
        &mut JsonConverter::default(),
        schema,
        r#"{"x":{"deep":[1,"\ud800"]},"c":true,"y":null,"\u0061":5}"#,
    );
    let read = read.unwrap();
    let read = read.as_struct().unwrap();
    assert_eq!(read.values(), [5.into(), Value::Null, true.into()]);
    read.validate().unwrap();
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    let open = |text: &str, levels: usize| text.repeat(levels);
    let nested = open("[", 256) + &open("]", 256);
    let read = decode(&mut schemaless(), &nested).unwrap();
    assert_eq!(
        encode(&mut schemaless(), None, &read.value).unwrap().unwrap(),
        nested
    );
    assert!(decode(&mut schemaless(), &(open("[", 257) + &open("]", 257))).is_err());
    assert!(decode(&mut schemaless(), &open("{\"a\":", 1_000_000)).is_err());
    let too_deep = Value::Array(vec![read.value]);
    assert!(encode(&mut schemaless(), None, &too_deep).is_err());

    let schema = |levels: usize| {
        open("{\"type\":\"array\",\"items\":", levels) + "{\"type\":\"int8\"}" + &open("}", levels)
    };
    let payload = |levels: usize| open("[", levels) + "1" + &open("]", levels);
    assert!(decode_with(&mut JsonConverter::default(), &schema(200), &payload(200)).is_ok());
    assert!(decode_with(&mut JsonConverter::default(), &schema(100_000), "1").is_err());
}
