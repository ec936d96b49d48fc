//! What is registered for each Connect schema, byte for byte, and what cannot be.

use super::*;
use wharf_api::SchemaBuilder as B;
use wharf_api::logical;

fn root(options: &Options, builder: B) -> Result<WriteRoot> {
    write_root(options, &builder.build().unwrap())
}

fn text(builder: B) -> String {
    root(&Options::default(), builder).unwrap().text
}

#[test]
fn structs_become_messages_as_upstream_prints_them() {
    let address = B::structure()
        .name("com.Address")
        .field("street", Schema::string())
        .build()
        .unwrap();
    let schema = B::structure()
        .name("com.example.Person")
        .field("id", Schema::int64())
        .field("age", Schema::int8())
        .field("address", address)
        .field("tags", B::array(Schema::string()).build().unwrap())
        .field(
            "attributes",
            B::map(Schema::string(), Schema::int32())
                .name("attributes")
                .build()
                .unwrap(),
        )
        .field("price", logical::decimal(2))
        .field("at", logical::optional_timestamp())
        .field("day", logical::date());
    let expected = r#"syntax = "proto3";
package com.example;

import "confluent/type/decimal.proto";
import "google/protobuf/timestamp.proto";
import "google/type/date.proto";

message Person {
  int64 id = 1;
  int32 age = 2 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int8"
      }
    ]
  }];
  Address address = 3;
  repeated string tags = 4;
  repeated attributesEntry attributes = 5;
  confluent.type.Decimal price = 6 [(confluent.field_meta) = {
    params: [
      {
        value: "2",
        key: "scale"
      }
    ]
  }];
  google.protobuf.Timestamp at = 7;
  google.type.Date day = 8;

  message Address {
    string street = 1;
  }
  message attributesEntry {
    string key = 1;
    int32 value = 2;
  }
}
"#;
    let root = root(&Options::default(), schema).unwrap();
    assert_eq!(root.text, expected);
    assert_eq!(
        (root.full_name.as_str(), root.path.as_slice()),
        ("com.example.Person", &[0][..])
    );
}

#[test]
fn unnamed_schemas_get_numbers_and_names_that_clash_a_suffix() {
    let inner = B::structure().field("a", Schema::boolean()).build().unwrap();
    let same = B::structure()
        .name("x")
        .field("b", Schema::boolean())
        .build()
        .unwrap();
    let schema = B::structure().field("i", inner).field("x", same);
    assert_eq!(
        text(schema),
        "syntax = \"proto3\";\n\nmessage ConnectDefault1 {\n  ConnectDefault2 i = 1;\n  xMessage x = 2;\n  \n  message \
         ConnectDefault2 {\n    bool a = 1;\n  }\n  message xMessage {\n    bool b = 1;\n  }\n}\n"
            .replace("\n  \n  message", "\n\n  message")
    );
}

#[test]
fn blank_lines_inside_nested_messages_are_indented() {
    let innermost = B::structure()
        .name("C")
        .field("c", Schema::int32())
        .build()
        .unwrap();
    let inner = B::structure().name("B").field("b", innermost).build().unwrap();
    let text = text(B::structure().name("A").field("a", inner));
    assert!(
        text.contains("  message B {\n    C b = 1;\n  \n    message C {\n"),
        "{text:?}"
    );
}

#[test]
fn unions_enums_and_optionals() {
    let tagged = |builder: B, number: u32| {
        builder
            .optional()
            .parameter(TAG, number.to_string())
            .build()
            .unwrap()
    };
    let union = B::structure()
        .name("io.confluent.connect.protobuf.Union.choice")
        .field("text", tagged(B::string(), 13))
        .field("number", tagged(B::int32(), 14))
        .optional()
        .build()
        .unwrap();
    let color = B::string()
        .name("Color")
        .parameter(ENUM, "Color")
        .parameter(format!("{ENUM}.RED"), "0")
        .parameter(format!("{ENUM}.BLUE"), "5")
        .optional()
        .build()
        .unwrap();
    let schema = || {
        B::structure()
            .name("M")
            .field("choice_0", union.clone())
            .field("color", color.clone())
            .field("name", Schema::optional_string())
    };
    assert_eq!(
        text(schema()),
        "syntax = \"proto3\";\n\nmessage M {\n  Color color = 2;\n  string name = 3;\n\n  oneof choice {\n    string text = 13;\n    \
         int32 number = 14;\n  }\n\n  enum Color {\n    RED = 0;\n    BLUE = 5;\n  }\n}\n"
    );
}

#[test]
fn nullable_fields_are_marked_as_the_configuration_says() {
    let schema = || {
        B::structure()
            .name("M")
            .field("a", Schema::optional_string())
            .field("b", Schema::string())
    };
    let optional = Options {
        optional_for_nullables: true,
        ..Options::default()
    };
    assert!(
        root(&optional, schema())
            .unwrap()
            .text
            .contains("  optional string a = 1;\n  string b = 2;\n")
    );
    let wrapper = Options {
        wrapper_for_nullables: true,
        ..Options::default()
    };
    let text = root(&wrapper, schema()).unwrap().text;
    assert!(text.contains("import \"google/protobuf/wrappers.proto\";\n"));
    assert!(text.contains("  google.protobuf.StringValue a = 1;\n  string b = 2;\n"));
    let typed = B::int64()
        .parameter(TYPE, "fixed32")
        .parameter(TAG, "9")
        .build()
        .unwrap();
    let text = root(&Options::default(), B::structure().name("M").field("a", typed))
        .unwrap()
        .text;
    assert!(text.contains("  fixed32 a = 9;\n"));
    let scrub = Options {
        scrub_names: true,
        ..Options::default()
    };
    let text = root(
        &scrub,
        B::structure().name("my-app.1M").field("a b", Schema::string()),
    )
    .unwrap()
    .text;
    assert!(
        text.contains("package my_app;") && text.contains("message x1M {\n  string a_b = 1;"),
        "{text}"
    );
}

#[test]
fn scalars_alone_are_wrappers() {
    for (schema, name, index) in [
        (Schema::int8(), "Int32Value", 4),
        (Schema::int64(), "Int64Value", 2),
        (Schema::float64(), "DoubleValue", 0),
        (Schema::string(), "StringValue", 7),
        (Schema::optional_bytes(), "BytesValue", 8),
    ] {
        let root = write_root(&Options::default(), &schema).unwrap();
        assert_eq!(root.full_name, format!("google.protobuf.{name}"));
        assert_eq!(root.path, [index]);
        assert_eq!(root.text, WRAPPERS);
    }
}

#[test]
fn what_has_no_message_type_is_refused() {
    let strings = B::array(Schema::string()).build().unwrap();
    let nested = B::structure()
        .name("M")
        .field("a", B::array(strings.clone()).build().unwrap());
    let clash = B::structure()
        .name("M")
        .field("a", B::int32().parameter(TAG, "1").build().unwrap())
        .field("b", Schema::string());
    let bad_tag = B::structure()
        .name("M")
        .field("a", B::int32().parameter(TAG, "x").build().unwrap());
    let bad_type = B::structure()
        .name("M")
        .field("a", B::int32().parameter(TYPE, "uint64").build().unwrap());
    let no_tag = B::structure()
        .name("io.confluent.connect.protobuf.Union.u")
        .field("x", Schema::optional_string())
        .build()
        .unwrap();
    let union = B::structure().name("M").field("u", no_tag);
    let same = |field: &str| {
        B::structure()
            .name("S")
            .field(field, Schema::string())
            .build()
            .unwrap()
    };
    let twins = B::structure()
        .name("M")
        .field("a", same("x"))
        .field("b", same("y"));
    for (builder, reason) in [
        (
            B::array(Schema::string()),
            "Unsupported root schema of type ARRAY",
        ),
        (nested, "Array cannot be nested"),
        (clash, "is taken"),
        (bad_tag, "no field number"),
        (bad_type, "no Protobuf type for INT32"),
        (union, "has no parameter"),
        (twins, "Cannot find field with name y"),
        (B::int64().name(TIMESTAMP).version(1), "has no Protobuf schema"),
    ] {
        let error = root(&Options::default(), builder).err().unwrap();
        assert!(error.message().contains(reason), "{error}");
    }
    let deep = (0..MAX_DEPTH + 2).fold(Schema::int8(), |inner, _| {
        B::structure().field("f", inner).build().unwrap()
    });
    let error = write_root(&Options::default(), &deep).err().unwrap();
    assert!(error.message().contains("nests deeper"));
}
