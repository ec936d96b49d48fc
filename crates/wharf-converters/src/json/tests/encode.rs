//! What is written, and what both directions agree on.

use super::*;

#[test]
fn envelopes_are_those_of_upstream_both_ways() {
    let mut converter = JsonConverter::default();
    for (schema, value, json) in both_ways() {
        // Twice, so that the second time goes through the caches.
        for _ in 0..2 {
            assert_eq!(
                encode(&mut converter, Some(&schema), &value).unwrap().as_deref(),
                Some(json)
            );
            let decoded = decode(&mut converter, json).unwrap();
            assert_eq!(
                decoded,
                SchemaAndValue::new(Some(Arc::clone(&schema)), value.clone()),
                "{json}"
            );
        }
    }
}

#[test]
fn payload_alone_is_written_without_schemas() {
    for (schema, value, json) in both_ways() {
        let payload = &json[json.find(",\"payload\":").unwrap() + 11..json.len() - 1];
        assert_eq!(
            encode(&mut schemaless(), Some(&schema), &value)
                .unwrap()
                .as_deref(),
            Some(payload)
        );
    }
}

#[test]
fn values_without_schema_are_written_by_their_class() {
    for (value, json) in [
        (Value::from(5_i8), "5"),
        (true.into(), "true"),
        (1.5_f32.into(), "1.5"),
        (b"\x00".as_slice().into(), "\"AA==\""),
        (
            Value::Array(vec![1.into(), "a".into(), Value::Null]),
            "[1,\"a\",null]",
        ),
        (
            map(&[("a".into(), 1.into()), ("b".into(), Value::Array(vec![]))]),
            r#"{"a":1,"b":[]}"#,
        ),
        (
            map(&[("a".into(), 1.into()), (2.into(), 3.into())]),
            r#"[["a",1],[2,3]]"#,
        ),
        (map(&[]), "{}"),
    ] {
        assert_eq!(encode(&mut schemaless(), None, &value).unwrap().unwrap(), json);
        let envelope = format!("{{\"schema\":null,\"payload\":{json}}}");
        assert_eq!(
            encode(&mut JsonConverter::default(), None, &value)
                .unwrap()
                .unwrap(),
            envelope
        );
    }
}

#[test]
fn values_that_do_not_suit_are_not_written() {
    let structure = built(SchemaBuilder::structure().field("a", Schema::int32()));
    let other = built(SchemaBuilder::structure().field("a", Schema::int64()));
    let value: Value = Struct::new(Arc::clone(&structure))
        .unwrap()
        .with("a", 1)
        .unwrap()
        .into();
    for (schema, value, message) in [
        (
            Some(Schema::int32()),
            "x".into(),
            "Invalid type for INT32: class java.lang.String",
        ),
        (
            Some(Schema::int8()),
            1_i16.into(),
            "Invalid type for INT8: class java.lang.Short",
        ),
        (
            Some(Schema::string()),
            value.clone(),
            "Invalid type for STRING: class org.apache.kafka.connect.data.Struct",
        ),
        (Some(other), value.clone(), "Mismatching schema."),
        (None, value, "Mismatching schema."),
        (
            None,
            Value::Date(0),
            "Java class class java.util.Date does not have corresponding schema type.",
        ),
        (
            None,
            Value::Array(vec![Decimal::new(1, 0).into()]),
            "Java class class java.math.BigDecimal does not have corresponding schema type.",
        ),
        (
            Some(logical::timestamp()),
            5_i64.into(),
            "Invalid type for Timestamp, expected Date but was class java.lang.Long",
        ),
        (
            Some(logical::date()),
            5.into(),
            "Invalid type for Date, expected Date but was class java.lang.Integer",
        ),
        (
            Some(logical::time()),
            5.into(),
            "Invalid type for Time, expected Date but was class java.lang.Integer",
        ),
        (
            Some(logical::decimal(2)),
            b"x".as_slice().into(),
            "Invalid type for Decimal, expected BigDecimal but was class [B",
        ),
        (
            Some(logical::decimal(2)),
            Decimal::new(156, 3).into(),
            "Decimal value has mismatching scale for given Decimal schema. Schema has scale 2, value has scale 3.",
        ),
        (
            Some(logical::date()),
            Value::Date(1),
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ),
        (
            Some(Schema::int32()),
            Value::Null,
            "Conversion error: null value for field that is required and has no default value",
        ),
    ] {
        for mut converter in [JsonConverter::default(), schemaless()] {
            let error = encode(&mut converter, schema.as_ref(), &value).unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Data, message));
        }
    }
}

#[test]
fn decimals_have_two_forms() {
    let numeric = || configured(&[(SCHEMAS_ENABLE, "false"), (DECIMAL_FORMAT, "numeric")]);
    for (decimal, as_number, as_bytes) in [
        (Decimal::new(156, 2), "1.56", "\"AJw=\""),
        (Decimal::new(-156, 2), "-1.56", "\"/2Q=\""),
        (Decimal::new(15600, 4), "1.5600", "\"PPA=\""),
        (Decimal::new(5, -3), "5E+3", "\"BQ==\""),
        (Decimal::new(1, 10), "1E-10", "\"AQ==\""),
        (Decimal::new(0, 0), "0", "\"AA==\""),
    ] {
        let schema = logical::decimal(decimal.scale());
        let value = Value::from(decimal.clone());
        assert_eq!(
            encode(&mut numeric(), Some(&schema), &value).unwrap().unwrap(),
            as_number
        );
        assert_eq!(
            encode(&mut schemaless(), Some(&schema), &value).unwrap().unwrap(),
            as_bytes
        );
        let schema_text = format!(
            r#"{{"type":"bytes","name":"{}","parameters":{{"scale":"{}"}}}}"#,
            logical::DECIMAL,
            decimal.scale()
        );
        // Both forms are read, whatever is written.
        for payload in [as_number, as_bytes] {
            let read = decode_with(&mut JsonConverter::default(), &schema_text, payload).unwrap();
            assert_eq!(read, value, "{payload}");
        }
    }
    // A number is not checked against the schema's scale.
    let value = Decimal::new(15, 1).into();
    assert_eq!(
        encode(&mut numeric(), Some(&logical::decimal(2)), &value)
            .unwrap()
            .unwrap(),
        "1.5"
    );
}

#[test]
fn every_type_has_a_name_that_is_read_again() {
    for schema_type in SchemaType::ALL
        .into_iter()
        .filter(|schema_type| schema_type.is_primitive())
    {
        let schema = built(SchemaBuilder::new(schema_type).optional());
        let written = encode(&mut JsonConverter::default(), Some(&schema), &Value::Null)
            .unwrap()
            .unwrap();
        assert_eq!(
            decode(&mut JsonConverter::default(), &written).unwrap().schema,
            Some(schema)
        );
    }
}
