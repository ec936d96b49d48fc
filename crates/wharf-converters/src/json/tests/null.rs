//! Null, defaults and what replaces what.

use super::*;

#[test]
fn logical_defaults_are_encoded_like_payloads() {
    let with_default = |schema: &SchemaRef, optional: bool, default: Value| {
        let mut builder = SchemaBuilder::new(schema.schema_type())
            .name(schema.name().unwrap())
            .version(1)
            .parameters(schema.parameters().unwrap_or_default().to_vec());
        if optional {
            builder = builder.optional();
        }
        built(builder.default_value(default))
    };
    for (plain, default, other, default_json, payload) in [
        (
            logical::date(),
            Value::Date(42 * DAY),
            Value::Date(10 * DAY),
            "42",
            "10",
        ),
        (
            logical::time(),
            Value::Date(42),
            Value::Date(14_400_000),
            "42",
            "14400000",
        ),
        (
            logical::timestamp(),
            Value::Date(42),
            Value::Date(4_000_000_000),
            "42",
            "4000000000",
        ),
        (
            logical::decimal(2),
            Decimal::new(100, 2).into(),
            Decimal::new(156, 2).into(),
            "\"ZA==\"",
            "\"AJw=\"",
        ),
    ] {
        for optional in [false, true] {
            let schema = with_default(&plain, optional, default.clone());
            let mut converter = JsonConverter::default();
            let written = encode(&mut converter, Some(&schema), &other).unwrap().unwrap();
            assert!(
                written.contains(&format!("\"default\":{default_json}}},\"payload\":{payload}}}")),
                "{written}"
            );
            assert_eq!(
                decode(&mut converter, &written).unwrap(),
                SchemaAndValue::new(Some(Arc::clone(&schema)), other.clone())
            );
            // Null becomes the default both ways.
            let written = encode(&mut converter, Some(&schema), &Value::Null)
                .unwrap()
                .unwrap();
            assert!(
                written.ends_with(&format!("\"payload\":{default_json}}}")),
                "{written}"
            );
            let null = written.replace(&format!("\"payload\":{default_json}}}"), "\"payload\":null}");
            assert_eq!(decode(&mut converter, &null).unwrap().value, default);
        }
    }
    let schema = with_default(&logical::decimal(2), false, Decimal::new(100, 2).into());
    let mut numeric = configured(&[(DECIMAL_FORMAT, "NUMERIC")]);
    let written = encode(&mut numeric, Some(&schema), &Value::Null)
        .unwrap()
        .unwrap();
    assert!(
        written.contains("\"default\":1.00}") && written.ends_with("\"payload\":1.00}"),
        "{written}"
    );
}

#[test]
fn null_becomes_the_default_where_it_is_asked_for() {
    const DEFAULT: i32 = 5;
    let optional = |yes: bool| {
        if yes {
            SchemaBuilder::int32().optional()
        } else {
            SchemaBuilder::int32()
        }
    };
    let write_error = "Conversion error: null value for field that is required and has no default value";
    let read_error = "Invalid null value for required INT32 field";
    for (is_optional, has_default, replace, result) in [
        (true, true, true, Some(Value::from(DEFAULT))),
        (true, true, false, Some(Value::Null)),
        (false, true, true, Some(Value::from(DEFAULT))),
        (false, true, false, None),
        (true, false, true, Some(Value::Null)),
        (true, false, false, Some(Value::Null)),
        (false, false, true, None),
        (false, false, false, None),
    ] {
        let mut builder = optional(is_optional);
        if has_default {
            builder = builder.default_value(DEFAULT);
        }
        let field = built(builder);
        let whole = built(SchemaBuilder::structure().field("f", Arc::clone(&field)));
        let mut converter =
            configured(&[(REPLACE_NULL_WITH_DEFAULT, if replace { "true" } else { "false" })]);
        let place = format!("optional {is_optional}, default {has_default}, replace {replace}");

        let unset: Value = Struct::new(Arc::clone(&whole)).unwrap().into();
        for (schema, value, in_struct) in [(&field, Value::Null, false), (&whole, unset, true)] {
            // Writing.
            let written = encode(&mut converter, Some(schema), &value);
            let payload = |text: &str| {
                if in_struct {
                    format!("{{\"f\":{text}}}")
                } else {
                    text.to_owned()
                }
            };
            match &result {
                Some(result) => {
                    let shown = if result.is_null() { "null" } else { "5" };
                    let end = format!(",\"payload\":{}}}", payload(shown));
                    assert!(written.unwrap().unwrap().ends_with(&end), "{place}");
                }
                None => assert_eq!(written.unwrap_err().message(), write_error, "{place}"),
            }
            // Reading, null or missing.
            let mut schema_text = Vec::new();
            converter.encoder.schema(Some(schema), &mut schema_text).unwrap();
            let schema_text = String::from_utf8(schema_text).unwrap();
            let payloads = if in_struct {
                vec!["{\"f\":null}", "{}"]
            } else {
                vec!["null"]
            };
            for json in payloads {
                let read = decode_with(&mut converter, &schema_text, json);
                match (&result, read) {
                    (Some(result), Ok(Value::Struct(read))) => {
                        assert_eq!(read.get_without_default("f").unwrap(), result, "{place}");
                        let shown = if has_default {
                            &Value::Int32(DEFAULT)
                        } else {
                            &Value::Null
                        };
                        assert_eq!(read.get("f").unwrap(), shown, "{place}");
                    }
                    (Some(result), Ok(read)) => assert_eq!(read, *result, "{place}"),
                    (None, read) => assert_eq!(read.unwrap_err().message(), read_error, "{place}"),
                    (Some(_), Err(error)) => panic!("{place}: {error}"),
                }
            }
        }
    }
}

#[test]
fn struct_default_survives_both_ways() {
    let plain = built(SchemaBuilder::structure().field("a", Schema::int32()).optional());
    let default = Struct::new(plain).unwrap().with("a", 1).unwrap();
    let schema = built(
        SchemaBuilder::structure()
            .field("a", Schema::int32())
            .optional()
            .default_value(default),
    );
    let mut converter = JsonConverter::default();
    let written = encode(&mut converter, Some(&schema), &Value::Null)
        .unwrap()
        .unwrap();
    assert!(
        written.contains("\"default\":{\"a\":1}},\"payload\":{\"a\":1}}"),
        "{written}"
    );
    let read = decode(
        &mut converter,
        &written.replace("\"payload\":{\"a\":1}", "\"payload\":null"),
    )
    .unwrap();
    assert_eq!(read.schema.as_ref().unwrap(), &schema);
    assert_eq!(read.value.as_struct().unwrap().schema(), &schema);
    assert_eq!(
        encode(&mut converter, read.schema.as_ref(), &read.value)
            .unwrap()
            .unwrap(),
        written
    );
}

#[test]
fn null_key_that_is_allowed_becomes_a_text() {
    let schema = built(SchemaBuilder::map(Schema::optional_string(), Schema::int32()));
    let value = map(&[(Value::Null, 1.into())]);
    assert_eq!(
        encode(&mut schemaless(), Some(&schema), &value).unwrap().unwrap(),
        r#"{"null":1}"#
    );
}

#[test]
fn null_without_schema_is_a_tombstone() {
    for mut converter in [JsonConverter::default(), schemaless()] {
        assert_eq!(encode(&mut converter, None, &Value::Null).unwrap(), None);
        let decoded = converter.decode("t", &Headers::new(), None).unwrap();
        assert_eq!(decoded, SchemaAndValue::NULL);
    }
    let schema = Schema::optional_int32();
    assert_eq!(
        encode(&mut schemaless(), Some(&schema), &Value::Null)
            .unwrap()
            .as_deref(),
        Some("null")
    );
}
