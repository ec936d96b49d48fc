//! Which Connect schema each JSON Schema becomes.

use super::*;
use crate::from_connect::json_schema_text;
use wharf_api::SchemaBuilder as B;
use wharf_api::{Value, logical};

fn read_with(options: &Options, text: &str) -> Result<SchemaRef> {
    connect_schema(
        options,
        &Documents::parse(text, std::iter::empty(), options.ignore_modern_dialects)?,
        None,
    )
}

fn read(text: &str) -> SchemaRef {
    read_with(&Options::default(), text).unwrap_or_else(|error| panic!("{text}: {error:#}"))
}

fn refused(text: &str) -> String {
    format!("{:#}", read_with(&Options::default(), text).unwrap_err())
}

fn built(builder: B) -> SchemaRef {
    builder.build().unwrap()
}

fn symbols(values: &[&str]) -> B {
    values
        .iter()
        .fold(B::string().parameter(ENUM, ""), |builder, value| {
            builder.parameter(format!("{ENUM}.{value}"), *value)
        })
}

#[test]
fn simple_types() {
    for (text, expected) in [
        (r#"{"type":"boolean"}"#, Schema::boolean()),
        (r#"{"type":"integer"}"#, Schema::int64()),
        (r#"{"type":"integer","connect.type":"int8"}"#, Schema::int8()),
        (r#"{"type":"number"}"#, Schema::float64()),
        (r#"{"type":"number","connect.type":"float32"}"#, Schema::float32()),
        (r#"{"type":"number","connect.type":"bytes"}"#, Schema::bytes()),
        (r#"{"type":"string"}"#, Schema::string()),
        (r#"{"type":"string","connect.type":"bytes"}"#, Schema::bytes()),
        (r#"{"minimum":1}"#, Schema::float64()),
        (r#"{"minLength":1}"#, Schema::string()),
        (r#"{"const":"a"}"#, built(symbols(&["a"]))),
        (
            r#"{"enum":["b","a",null,1.50]}"#,
            built(symbols(&["b", "a", "<NULL>", "1.5"])),
        ),
        (
            r#"{"type":"array","items":{"type":"string"}}"#,
            built(B::array(Schema::string())),
        ),
        (r#"true"#, variant::schema().unwrap()),
        (r#"{}"#, variant::schema().unwrap()),
        (r#"{"type":"integer","format":"int32"}"#, Schema::int64()),
        (
            r#"{"type":"string","enum":["a"],"title":"lost"}"#,
            built(symbols(&["a"])),
        ),
        (r#"{"type":"integer","enum":[1,2]}"#, Schema::int64()),
        (r#"{"type":"string","const":"a"}"#, Schema::string()),
        (r#"{"const":123,"type":"integer"}"#, Schema::int64()),
        (
            r#"{"$schema":"http://json-schema.org/draft-04/schema#","const":"a","type":"boolean"}"#,
            Schema::boolean(),
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn keywords_become_attributes() {
    assert_eq!(
        read(
            r#"{"type":"integer","title":"n","description":"d","default":7,"connect.version":3,"connect.type":"int32","connect.parameters":{"p":"v"}}"#
        ),
        built(
            B::int32()
                .name("n")
                .version(3)
                .doc("d")
                .parameter("p", "v")
                .default_value(7)
        )
    );
    assert_eq!(
        read(
            r#"{"type":"integer","title":"org.apache.kafka.connect.data.Date","connect.type":"int32","connect.version":1,"default":1}"#
        ),
        built(
            B::int32()
                .name(logical::DATE)
                .version(1)
                .default_value(Value::Date(86_400_000))
        )
    );
    let documents = Documents::parse(r#"{"type":"string"}"#, std::iter::empty(), false).unwrap();
    assert_eq!(
        connect_schema(&Options::default(), &documents, Some(5))
            .unwrap()
            .version(),
        Some(5)
    );
}

#[test]
fn choices() {
    let one_of = |name: &str| B::structure().name(name);
    let field = |index: usize| format!("{ONE_OF}.field.{index}");
    for (text, expected) in [
        (
            r#"{"oneOf":[{"type":"null"},{"type":"string"}]}"#,
            Schema::optional_string(),
        ),
        (
            r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#,
            Schema::optional_string(),
        ),
        (r#"{"type":["null","integer"]}"#, Schema::optional_int64()),
        (r#"{"oneOf":[{"type":"string"}]}"#, Schema::string()),
        (
            r#"{"oneOf":[{"type":"null"},{"type":"string"},{"type":"boolean"}]}"#,
            built(
                one_of(ONE_OF)
                    .field(field(0), Schema::optional_string())
                    .field(field(1), Schema::optional_boolean())
                    .optional(),
            ),
        ),
        (
            r#"{"type":["string","boolean"]}"#,
            built(
                one_of(ONE_OF)
                    .field(field(0), Schema::optional_string())
                    .field(field(1), Schema::optional_boolean()),
            ),
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    let generalized = Options {
        generalized_sum_types: true,
        ..Options::default()
    };
    let expected = B::structure()
        .name("connect_union_0")
        .parameter(GENERALIZED_UNION, "connect_union_0")
        .field("connect_union_field_0", Schema::optional_string())
        .field("connect_union_field_1", Schema::optional_boolean());
    assert_eq!(
        read_with(&generalized, r#"{"type":["string","boolean"]}"#).unwrap(),
        built(expected)
    );
    let enumeration = B::string()
        .parameter(GENERALIZED_ENUM, "")
        .parameter(format!("{GENERALIZED_ENUM}.b"), "0")
        .parameter(format!("{GENERALIZED_ENUM}.a"), "1");
    assert_eq!(
        read_with(&generalized, r#"{"enum":["b","a"]}"#).unwrap(),
        built(enumeration)
    );
}

#[test]
fn objects() {
    let text = r#"{"type":"object","properties":{"c":{"type":"string"},"a":{"type":"boolean","connect.index":1},
        "b":{"type":"integer","connect.index":0}},"required":["a"]}"#;
    // "c" has no index, and 0 and 1 are taken.
    let plain = B::structure()
        .field("b", Schema::int64())
        .field("a", Schema::boolean())
        .field("c", Schema::string());
    assert_eq!(read(text), built(plain));
    let optional = Options {
        optional_for_nonrequired: true,
        ..Options::default()
    };
    let expected = B::structure()
        .field("b", Schema::optional_int64())
        .field("a", Schema::boolean())
        .field("c", Schema::optional_string());
    assert_eq!(read_with(&optional, text).unwrap(), built(expected));
    assert_eq!(
        read(r#"{"type":"object","connect.type":"map","additionalProperties":{"type":"boolean"}}"#),
        built(B::map(Schema::string(), Schema::boolean()))
    );
    // Without indexes the order is that of a hash map.
    let names: Vec<_> = read(r#"{"properties":{"id":{"type":"string"},"name":{"type":"string"},"tags":{"type":"string"},"price":{"type":"string"}}}"#)
        .fields()
        .unwrap()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    assert_eq!(names.len(), 4);
    let extras = Options {
        preserve_additional_properties: true,
        ..Options::default()
    };
    let schema = read_with(
        &extras,
        r#"{"type":"object","properties":{"a":{"type":"boolean"}}}"#,
    )
    .unwrap();
    assert_eq!(schema.fields().unwrap()[1].name(), ADDITIONAL_PROPERTIES);
    let closed = r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"boolean"}}}"#;
    assert_eq!(read_with(&extras, closed).unwrap().fields().unwrap().len(), 1);
}

#[test]
fn all_of_joins_properties_or_picks_a_type() {
    let text = r##"{"definitions":{"base":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}},
        "allOf":[{"$ref":"#/definitions/base"},{"type":"object","properties":{"b":{"type":"boolean"}}}]}"##;
    assert_eq!(
        read(text),
        built(
            B::structure()
                .field("a", Schema::string())
                .field("b", Schema::boolean())
        )
    );
    for (text, expected) in [
        (
            r#"{"allOf":[{"type":"number"},{"format":"x"}]}"#,
            Schema::float64(),
        ),
        (
            r#"{"allOf":[{"type":"string"},{"maxLength":3}]}"#,
            Schema::string(),
        ),
        (
            r#"{"allOf":[{"oneOf":[{"type":"null"},{"type":"string"}]},{"minLength":1}]}"#,
            Schema::optional_string(),
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    assert!(
        refused(r#"{"allOf":[{"type":"boolean"},{"type":"number"}]}"#)
            .contains("Unsupported criterion allOf")
    );
}

#[test]
fn references_are_followed_and_second_uses_get_an_identifier() {
    let text = r##"{"$defs":{"p":{"type":"object","title":"P","properties":{"a":{"type":"boolean"}}}},"type":"object",
        "properties":{"x":{"$ref":"#/$defs/p","connect.index":0},"y":{"$ref":"#/$defs/p","connect.index":1},
        "z":{"oneOf":[{"type":"null"},{"$ref":"#/$defs/p"}],"connect.index":2}}}"##;
    let p = || B::structure().name("P").field("a", Schema::boolean());
    let again = || p().parameter(ID, "#id2");
    let expected = B::structure()
        .field("x", built(p()))
        .field("y", built(again()))
        .field("z", built(again().optional()));
    assert_eq!(read(text), built(expected));
    let other = [
        (
            "other.json",
            r#"{"type":"object","properties":{"k":{"$ref":"third.json#/definitions/n"}}}"#,
        ),
        ("third.json", r#"{"definitions":{"n":{"type":"integer"}}}"#),
    ];
    let documents = Documents::parse(
        r#"{"type":"array","items":{"$ref":"other.json"}}"#,
        other.iter().copied(),
        false,
    )
    .unwrap();
    assert_eq!(
        connect_schema(&Options::default(), &documents, None).unwrap(),
        built(B::array(built(B::structure().field("k", Schema::int64()))))
    );
}

#[test]
fn drafts_differ_in_what_stands_beside_a_reference() {
    let beside = r##""$defs":{"s":{"type":"object","properties":{"a":{"type":"string"}}}},"$ref":"#/$defs/s","properties":{"b":{"type":"string"}}"##;
    for (schema, fields) in [
        ("http://json-schema.org/draft-07/schema#", 1),
        ("https://json-schema.org/draft/2019-09/schema", 2),
        ("https://json-schema.org/draft/2020-12/schema", 2),
    ] {
        let text = format!(r#"{{"$schema":"{schema}",{beside}}}"#);
        assert_eq!(read(&text).fields().unwrap().len(), fields, "{schema}");
    }
    let old = Options {
        ignore_modern_dialects: true,
        ..Options::default()
    };
    let text = format!(r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema",{beside}}}"#);
    assert_eq!(read_with(&old, &text).unwrap().fields().unwrap().len(), 1);
}

#[test]
fn what_has_no_connect_schema_is_refused() {
    for (text, reason) in [
        (
            r#"{"type":"null"}"#,
            "Unsupported schema type org.everit.json.schema.NullSchema",
        ),
        ("false", "FalseSchema"),
        (r#"{"not":{}}"#, "NotSchema"),
        (
            r#"{"type":"array"}"#,
            "Array schema did not specify the items type",
        ),
        (r#"{"type":"array","items":[{"type":"string"}]}"#, "items type"),
        (
            r#"{"type":"integer","connect.type":"int128"}"#,
            "Unsupported type int128",
        ),
        (r#"{"type":"text"}"#, "unknown type: [text]"),
        (r#"{"type":1}"#, "keyword type"),
        (r#"5"#, "an object or a boolean"),
        (r#"{"type":"integer","default":"x"}"#, "Invalid default value"),
        (r#"{"$ref":"nowhere.json"}"#, "not among its references"),
        (r##"{"$ref":"#"}"##, "refers to itself"),
        (
            r##"{"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}"##,
            "refers to itself",
        ),
        (
            r##"{"type":"object","properties":{"next":{"oneOf":[{"type":"null"},{"$ref":"#"}]}}}"##,
            "refers to itself",
        ),
        ("{", "not a JSON Schema"),
    ] {
        let message = refused(text);
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn few_definitions_that_describe_very_many_fields_are_refused() {
    let mut text = String::from(r##"{"$ref":"#/definitions/d0","definitions":{"##);
    for level in 0..40 {
        let next = level + 1;
        text.push_str(&format!(
            r##""d{level}":{{"type":"object","properties":{{"a":{{"$ref":"#/definitions/d{next}"}},"b":{{"$ref":"#/definitions/d{next}"}}}}}},"##
        ));
    }
    text.push_str(r#""d40":{"type":"string"}}}"#);
    assert!(refused(&text).contains("more than"));
    let arrays = format!(
        "{}{{\"type\":\"string\"}}{}",
        r#"{"type":"array","items":"#.repeat(150),
        "}".repeat(150)
    );
    assert!(refused(&arrays).contains("nests too deeply"));
}

#[test]
fn what_is_written_is_read_back() {
    let inner = built(
        B::structure()
            .name("I")
            .version(2)
            .field("x", Schema::optional_bytes()),
    );
    let schema = built(
        B::structure()
            .name("R")
            .doc("d")
            .field("a", Schema::optional_int8())
            .field("b", built(B::string().default_value("x").optional()))
            .field("c", built(B::array(inner.clone()).optional()))
            .field("d", built(B::map(Schema::string(), logical::decimal(3))))
            .field("e", built(B::map(Schema::int16(), logical::optional_time())))
            .field("f", inner),
    );
    for options in [
        Options::default(),
        Options {
            numeric_decimals: true,
            ..Options::default()
        },
        Options {
            additional_properties: false,
            ..Options::default()
        },
    ] {
        let text = json_schema_text(&options, &schema).unwrap();
        assert_eq!(read_with(&options, &text).unwrap(), schema, "{text}");
    }
}
