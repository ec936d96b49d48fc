//! Values through JSON and back, and what is refused.

use super::*;
use crate::encode::{Encoder, Written};
use crate::names::ONE_OF;
use wharf_api::SchemaBuilder as B;

fn built(builder: B) -> SchemaRef {
    builder.build().unwrap()
}

fn json(options: &Options, schema: &SchemaRef, value: &Value) -> String {
    let mut out = Vec::new();
    assert_eq!(
        Encoder::new(options)
            .value(schema, value.as_ref(), &mut out)
            .unwrap(),
        Written::Yes
    );
    String::from_utf8(out).unwrap()
}

fn read(options: &Options, schema: &SchemaRef, text: &str) -> Result<Value> {
    Decoder::new(options, text.len()).value(schema, &mut Reader::new(text.as_bytes()))
}

#[test]
fn values_have_one_text_and_come_back() {
    let options = Options::default();
    let map = |key| built(B::map(key, Schema::optional_int32()));
    let union = built(
        B::structure()
            .name(ONE_OF)
            .field(format!("{ONE_OF}.field.0"), Schema::optional_int32())
            .field(format!("{ONE_OF}.field.1"), Schema::optional_string()),
    );
    let chosen = Struct::new(union.clone())
        .unwrap()
        .with(&format!("{ONE_OF}.field.1"), "x")
        .unwrap();
    for (schema, value, text) in [
        (Schema::int8(), Value::Int8(-1), "-1"),
        (Schema::int64(), Value::Int64(i64::MAX), "9223372036854775807"),
        (Schema::float32(), Value::Float32(12.34), "12.34"),
        (Schema::float64(), Value::Float64(1e10), "1.0E10"),
        (Schema::float64(), Value::Float64(f64::NAN), "\"NaN\""),
        (Schema::boolean(), Value::Boolean(true), "true"),
        (Schema::string(), Value::from("a\"😀"), "\"a\\\"\\uD83D\\uDE00\""),
        (
            Schema::bytes(),
            Value::from(&b"test-string"[..]),
            "\"dGVzdC1zdHJpbmc=\"",
        ),
        (Schema::optional_string(), Value::Null, "null"),
        (
            logical::decimal(2),
            Value::Decimal(wharf_api::Decimal::new(156, 2)),
            "\"AJw=\"",
        ),
        (logical::date(), Value::Date(864_000_000), "10"),
        (logical::time(), Value::Date(14_400_000), "14400000"),
        (logical::timestamp(), Value::Date(4_000_000_000), "4000000000"),
        (
            built(B::array(Schema::int32())),
            Value::Array(vec![Value::Int32(1), Value::Int32(2)]),
            "[1,2]",
        ),
        (
            map(Schema::string()),
            Value::Map(vec![(Value::from("k"), Value::Null)]),
            "{\"k\":null}",
        ),
        (
            map(Schema::int32()),
            Value::Map(vec![(Value::Int32(1), Value::Int32(2))]),
            "[{\"key\":1,\"value\":2}]",
        ),
        (
            map(Schema::optional_string()),
            Value::Map(vec![(Value::Null, Value::Int32(2))]),
            "[{\"key\":null,\"value\":2}]",
        ),
        (union, Value::from(chosen), "\"x\""),
    ] {
        assert_eq!(json(&options, &schema, &value), text);
        assert_eq!(read(&options, &schema, text).unwrap(), value, "{text}");
    }
    let numeric = Options {
        numeric_decimals: true,
        ..options
    };
    let decimal = Value::Decimal(wharf_api::Decimal::new(15600, 4));
    assert_eq!(json(&numeric, &logical::decimal(2), &decimal), "1.5600");
    assert_eq!(read(&numeric, &logical::decimal(2), "1.5600").unwrap(), decimal);
}

#[test]
fn nulls_and_defaults() {
    let options = Options::default();
    let with_default = built(B::int32().default_value(7).optional());
    let schema = built(
        B::structure()
            .field("a", with_default.clone())
            .field("b", Schema::int32())
            .field("c", Schema::optional_int32()),
    );
    let empty = Value::from(Struct::new(schema.clone()).unwrap());
    // The null that is not allowed is left out.
    assert_eq!(json(&options, &schema, &empty), r#"{"a":7,"c":null}"#);
    let keeps = Options {
        ignore_default_for_nullables: true,
        ..options
    };
    assert_eq!(json(&keeps, &schema, &empty), r#"{"a":null,"c":null}"#);
    assert_eq!(read(&options, &with_default, "null").unwrap(), Value::Int32(7));
    let expected = Struct::from_values(schema.clone(), vec![Value::Int32(7), Value::Null, Value::Null]);
    assert_eq!(
        read(&options, &schema, r#"{"x":[1]}"#).unwrap(),
        Value::from(expected)
    );
    let mut out = Vec::new();
    assert_eq!(
        Encoder::new(&options)
            .value(&Schema::int32(), wharf_api::ValueRef::Null, &mut out)
            .unwrap(),
        Written::Nothing
    );
    let error = read(&options, &schema, r#"{"b":null}"#).unwrap_err();
    assert_eq!(error.message(), "Invalid null value for required INT32 field");
}

#[test]
fn a_choice_takes_the_struct_that_knows_most_names() {
    let point = |names: &[&str]| {
        built(
            names
                .iter()
                .fold(B::structure(), |builder, name| {
                    builder.field(*name, Schema::optional_int32())
                })
                .optional(),
        )
    };
    let (flat, deep) = (point(&["x", "y"]), point(&["x", "y", "z"]));
    let union = built(
        B::structure()
            .name(ONE_OF)
            .field("0", flat)
            .field("1", deep.clone()),
    );
    let value = read(&Options::default(), &union, r#"{"z":3,"x":1,"y":2}"#).unwrap();
    let inner = value.as_struct().unwrap().get("1").unwrap();
    assert_eq!(inner.as_struct().unwrap().schema(), &deep);
    let error = read(&Options::default(), &union, r#"{"q":1}"#).unwrap_err();
    assert_eq!(error.message(), "Did not find matching oneof field for data");
}

#[test]
fn undeclared_properties_are_kept_when_asked_for() {
    let options = Options {
        preserve_additional_properties: true,
        ..Options::default()
    };
    let extras = built(B::map(Schema::string(), variant::schema().unwrap()).optional());
    let schema = built(
        B::structure()
            .field("a", Schema::int32())
            .field(ADDITIONAL_PROPERTIES, extras),
    );
    let text = r#"{"a":1,"more":{"x":[1,"y"]},"n":null}"#;
    let value = read(&options, &schema, text).unwrap();
    assert_eq!(json(&options, &schema, &value), text);
    let error = read(&options, &schema, r#"{"__connect_additional_properties__":1}"#).unwrap_err();
    assert!(error.message().contains("collides"), "{error}");
}

#[test]
fn values_that_do_not_suit_their_schema_are_refused() {
    let map = |key| built(B::map(key, Schema::int32()));
    for (schema, text, reason) in [
        (
            Schema::int8(),
            "300",
            "the number 300 at $ is not one of type INT8",
        ),
        (Schema::int32(), "1.9", "not one of type INT32"),
        (Schema::int32(), "\"x\"", "is a STRING where the schema has INT32"),
        (Schema::string(), "5", "is a NUMBER where the schema has STRING"),
        (Schema::float32(), "1e39", "not one of type FLOAT32"),
        (Schema::float64(), "\"x\"", "is a STRING"),
        (Schema::bytes(), "\"!\"", "Invalid bytes field"),
        (Schema::boolean(), "\"true\"", "is a STRING"),
        (built(B::array(Schema::int8())), "[1,[2]]", "at $[1] is a ARRAY"),
        (built(B::array(Schema::int8())), "{}", "is a OBJECT"),
        (
            map(Schema::string()),
            "[]",
            "Maps with string fields should be encoded as JSON objects, but found ARRAY",
        ),
        (
            map(Schema::int8()),
            "{}",
            "JSON array of objects, but found OBJECT",
        ),
        (
            map(Schema::int8()),
            "[1]",
            "Found invalid map entry instead of object: NUMBER",
        ),
        (
            map(Schema::int8()),
            "[{\"key\":1}]",
            "expected length 2 but found :1",
        ),
        (
            built(B::structure()),
            "[]",
            "Structs should be encoded as JSON objects, but found ARRAY",
        ),
        (
            logical::decimal(1),
            "true",
            "underlying representation should be numeric or bytes but was BOOLEAN",
        ),
        (logical::decimal(1), "\"\"", "Invalid bytes for Decimal field"),
        (
            logical::date(),
            "1.5",
            "Invalid type for Date, underlying representation should be integer but was NUMBER",
        ),
        (
            logical::time(),
            "99999999",
            "Time values must use number of milliseconds",
        ),
        (logical::timestamp(), "\"x\"", "should be integral but was STRING"),
        (Schema::int32(), "", "serialization error"),
    ] {
        let error = read(&Options::default(), &schema, text).unwrap_err();
        assert!(format!("{error:#}").contains(reason), "{text}: {error:#}");
    }
}

#[test]
fn schemas_that_do_not_match_are_refused() {
    let schema = built(B::structure().field("a", Schema::int32()));
    let other = Value::from(Struct::new(built(B::structure().field("b", Schema::int32()))).unwrap());
    let options = Options::default();
    let mut out = Vec::new();
    let refused = |schema: &SchemaRef, value: &Value, out: &mut Vec<u8>| {
        Encoder::new(&options)
            .value(schema, value.as_ref(), out)
            .unwrap_err()
            .message()
            .to_owned()
    };
    assert_eq!(refused(&schema, &other, &mut out), "Mismatching schema.");
    assert_eq!(
        refused(&Schema::int32(), &Value::from("x"), &mut out),
        "Invalid type for INT32: class java.lang.String"
    );
    assert_eq!(
        refused(&Schema::bytes(), &Value::from("x"), &mut out),
        "Invalid type for bytes type: class java.lang.String"
    );
    assert_eq!(
        refused(&logical::timestamp(), &Value::Int64(1), &mut out),
        "Invalid type for Timestamp, expected Date but was class java.lang.Long"
    );
}
