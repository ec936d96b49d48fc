//! What is registered for each Connect schema, byte for byte.

use super::*;
use wharf_api::SchemaBuilder as B;
use wharf_api::{Decimal, SchemaRef, Struct, Value, logical};

fn text(schema: &SchemaRef) -> String {
    json_schema_text(&Options::default(), schema).unwrap()
}

fn built(builder: B) -> SchemaRef {
    builder.build().unwrap()
}

#[test]
fn primitives_say_their_connect_type() {
    for (schema, expected) in [
        (Schema::int8(), r#"{"type":"integer","connect.type":"int8"}"#),
        (Schema::int16(), r#"{"type":"integer","connect.type":"int16"}"#),
        (Schema::int32(), r#"{"type":"integer","connect.type":"int32"}"#),
        (Schema::int64(), r#"{"type":"integer","connect.type":"int64"}"#),
        (Schema::float32(), r#"{"type":"number","connect.type":"float32"}"#),
        (Schema::float64(), r#"{"type":"number","connect.type":"float64"}"#),
        (Schema::boolean(), r#"{"type":"boolean"}"#),
        (Schema::string(), r#"{"type":"string"}"#),
        (Schema::bytes(), r#"{"type":"string","connect.type":"bytes"}"#),
        (
            Schema::optional_int32(),
            r#"{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int32"}]}"#,
        ),
    ] {
        assert_eq!(text(&schema), expected);
    }
}

#[test]
fn attributes_become_keywords_in_the_printer_s_order() {
    let schema = built(
        B::int32()
            .name("n")
            .version(3)
            .doc("d")
            .parameter("p", "v")
            .parameter(ENUM, "hidden")
            .default_value(7),
    );
    assert_eq!(
        text(&schema),
        r#"{"type":"integer","title":"n","description":"d","default":7,"connect.version":3,"connect.type":"int32","connect.parameters":{"p":"v"}}"#
    );
    assert_eq!(
        text(&built(B::boolean().name("n").default_value(true))),
        r#"{"title":"n","default":true,"type":"boolean"}"#
    );
    assert_eq!(
        text(&built(B::float64().default_value(1.0).optional())),
        r#"{"oneOf":[{"type":"null"},{"type":"number","default":1,"connect.type":"float64"}]}"#
    );
    assert_eq!(
        text(&built(B::bytes().default_value(&b"ab"[..]))),
        r#"{"type":"string","default":"YWI=","connect.type":"bytes"}"#
    );
}

#[test]
fn logical_types_are_named_and_versioned() {
    for (schema, expected) in [
        (
            logical::date(),
            r#"{"type":"integer","title":"org.apache.kafka.connect.data.Date","connect.version":1,"connect.type":"int32"}"#,
        ),
        (
            logical::timestamp(),
            r#"{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp","connect.version":1,"connect.type":"int64"}"#,
        ),
        (
            logical::decimal(2),
            r#"{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}"#,
        ),
    ] {
        assert_eq!(text(&schema), expected);
    }
    let numeric = Options {
        numeric_decimals: true,
        ..Options::default()
    };
    let schema = B::bytes()
        .name(DECIMAL)
        .parameter("scale", "2")
        .default_value(Value::Decimal(Decimal::new(150, 2)));
    assert_eq!(
        json_schema_text(&numeric, &built(schema)).unwrap(),
        r#"{"type":"number","title":"org.apache.kafka.connect.data.Decimal","default":1.5,"connect.type":"bytes","connect.parameters":{"scale":"2"}}"#
    );
}

#[test]
fn structs_are_objects_with_properties_in_hash_order() {
    let address = built(B::structure().name("Address").field("street", Schema::string()));
    let schema = built(
        B::structure()
            .name("com.Person")
            .field("id", Schema::int64())
            .field("name", Schema::optional_string())
            .field("price", logical::decimal(2))
            .field("created_at", logical::optional_timestamp())
            .field("tags", built(B::array(Schema::string())))
            .field("address", address),
    );
    assert_eq!(
        text(&schema),
        concat!(
            r#"{"type":"object","title":"com.Person","properties":{"#,
            r#""address":{"type":"object","title":"Address","connect.index":5,"properties":{"street":{"type":"string","connect.index":0}}},"#,
            r#""price":{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.index":2,"connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}},"#,
            r#""name":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]},"#,
            r#""created_at":{"connect.index":3,"oneOf":[{"type":"null"},{"type":"integer","title":"org.apache.kafka.connect.data.Timestamp","connect.version":1,"connect.type":"int64"}]},"#,
            r#""id":{"type":"integer","connect.index":0,"connect.type":"int64"},"#,
            r#""tags":{"type":"array","connect.index":4,"items":{"type":"string"}}}}"#
        )
    );
    let closed = Options {
        additional_properties: false,
        ..Options::default()
    };
    let schema = built(B::structure().field("a", Schema::boolean()).optional());
    assert_eq!(
        json_schema_text(&closed, &schema).unwrap(),
        r#"{"oneOf":[{"type":"null"},{"type":"object","additionalProperties":false,"properties":{"a":{"connect.index":0,"type":"boolean"}}}]}"#
    );
}

#[test]
fn containers_choices_and_enums() {
    let map = |key| built(B::map(key, Schema::int32()));
    let one_of = built(
        B::structure()
            .name(names::ONE_OF)
            .optional()
            .field("a", Schema::optional_string())
            .field("b", Schema::optional_boolean()),
    );
    let symbols = built(
        B::string()
            .parameter(ENUM, "")
            .parameter(format!("{ENUM}.b"), "b")
            .parameter(format!("{ENUM}.a"), "a")
            .parameter(format!("{ENUM}.<NULL>"), "<NULL>"),
    );
    for (schema, expected) in [
        (
            map(Schema::string()),
            r#"{"type":"object","connect.type":"map","additionalProperties":{"type":"integer","connect.type":"int32"}}"#,
        ),
        (
            map(Schema::int32()),
            r#"{"type":"array","connect.type":"map","items":{"type":"object","properties":{"value":{"type":"integer","connect.index":1,"connect.type":"int32"},"key":{"type":"integer","connect.index":0,"connect.type":"int32"}}}}"#,
        ),
        (
            one_of,
            r#"{"oneOf":[{"type":"null"},{"type":"string","connect.index":0},{"connect.index":1,"type":"boolean"}]}"#,
        ),
        (symbols, r#"{"enum":[null,"a","b"]}"#),
        (
            variant::schema().unwrap(),
            r#"{"title":"org.apache.kafka.connect.data.Variant"}"#,
        ),
    ] {
        assert_eq!(text(&schema), expected);
    }
}

#[test]
fn a_struct_with_an_identifier_is_written_once() {
    let address = built(B::structure().field("a", Schema::boolean()).parameter(ID, "#id1"));
    let schema = built(
        B::structure()
            .field("x", SchemaRef::clone(&address))
            .field("y", address),
    );
    assert_eq!(
        text(&schema),
        r##"{"type":"object","properties":{"x":{"type":"object","id":"#id1","connect.index":0,"properties":{"a":{"connect.index":0,"type":"boolean"}}},"y":{"$ref":"#id1"}}}"##
    );
}

#[test]
fn defaults_of_containers_are_written() {
    let schema =
        built(B::array(Schema::float32()).default_value(vec![Value::from(1.5_f32), Value::from(2.0_f32)]));
    assert_eq!(
        text(&schema),
        r#"{"type":"array","default":[1.5,2],"items":{"type":"number","connect.type":"float32"}}"#
    );
    let builder = B::structure()
        .field("b", Schema::int32())
        .field("a", Schema::string());
    let value = Struct::new(built(builder.clone()))
        .unwrap()
        .with("b", 1)
        .unwrap()
        .with("a", "x")
        .unwrap();
    assert!(text(&built(builder.default_value(value))).contains(r#""default":{"a":"x","b":1}"#));
}

#[test]
fn schemas_that_nest_too_deeply_are_refused() {
    let deep = (0..MAX_DEPTH + 1).fold(Schema::int8(), |inner, _| built(B::array(inner)));
    let error = json_schema_text(&Options::default(), &deep).unwrap_err();
    assert!(error.message().contains("nests deeper"), "{error}");
}
