//! Which Connect schema each message type becomes.

use super::*;
use crate::link::link;
use wharf_api::SchemaBuilder as B;

const FULL: &str = r#"syntax = "proto3"; package p;
import "google/protobuf/wrappers.proto"; import "google/protobuf/timestamp.proto"; import "google/type/date.proto";
import "confluent/type/decimal.proto"; import "confluent/meta.proto";
message M {
  int32 a = 1; uint32 b = 2; optional string c = 3; repeated int64 d = 4; map<string, N> e = 5; N f = 6;
  oneof choice { string g = 7; N h = 8; }
  E i = 9; google.protobuf.StringValue j = 10; google.protobuf.Timestamp k = 11; google.type.Date l = 12;
  confluent.type.Decimal m = 13 [(confluent.field_meta) = { params: [ { value: "5", key: "precision" }, { value: "2", key: "scale" } ] }];
  int32 n = 14 [(confluent.field_meta) = { params: [ { key: "connect.type", value: "int8" } ] }];
}
message N { bool x = 1; }
enum E { ZERO = 0; ONE = 1; }"#;

fn schema(options: &Options, text: &str) -> Result<SchemaRef> {
    let pool = link(text, std::iter::empty())?;
    read_message(options, &pool, pool.at(&[0]).unwrap(), None).map(|read| read.schema)
}

fn tagged(builder: B, number: u32) -> SchemaRef {
    builder.parameter(TAG, number.to_string()).build().unwrap()
}

fn n() -> B {
    B::structure()
        .name("N")
        .field("x", tagged(B::boolean().optional(), 1))
}

fn symbols(builder: B) -> B {
    builder
        .name("E")
        .parameter(ENUM, "E")
        .parameter(format!("{ENUM}.ZERO"), "0")
        .parameter(format!("{ENUM}.ONE"), "1")
        .optional()
}

#[test]
fn every_kind_of_field_has_its_schema() {
    let union = B::structure()
        .name("io.confluent.connect.protobuf.Union.choice")
        .field("g", tagged(B::string().optional(), 7))
        .field("h", tagged(n().optional(), 8))
        .optional()
        .build()
        .unwrap();
    let decimal = B::bytes()
        .name(logical::DECIMAL)
        .version(1)
        .parameter("scale", "2")
        .parameter(DECIMAL_PRECISION, "5")
        .optional();
    let expected = B::structure()
        .name("M")
        .field("choice_0", union)
        .field("a", tagged(B::int32().optional(), 1))
        .field("b", tagged(B::int64().optional().parameter(TYPE, "uint32"), 2))
        .field("c", tagged(B::string().optional(), 3))
        .field("d", tagged(B::array(Schema::optional_int64()).optional(), 4))
        .field(
            "e",
            tagged(
                B::map(tagged(B::string().optional(), 1), tagged(n().optional(), 2))
                    .name("e")
                    .optional(),
                5,
            ),
        )
        .field("f", tagged(n().optional(), 6))
        .field("i", tagged(symbols(B::string()), 9))
        .field("j", tagged(B::string().optional(), 10))
        .field(
            "k",
            tagged(B::int64().name(logical::TIMESTAMP).version(1).optional(), 11),
        )
        .field(
            "l",
            tagged(B::int32().name(logical::DATE).version(1).optional(), 12),
        )
        .field("m", tagged(decimal, 13))
        .field("n", tagged(B::int8().optional(), 14))
        .build()
        .unwrap();
    let found = schema(&Options::default(), FULL).unwrap();
    for (found, expected) in found.fields().unwrap().iter().zip(expected.fields().unwrap()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn options_change_schemas() {
    let field = |options: Options, name: &str| {
        let schema = schema(&options, FULL).unwrap();
        SchemaRef::clone(
            schema
                .field(name)
                .unwrap()
                .unwrap_or_else(|| panic!("{name}"))
                .schema(),
        )
    };
    let default = Options::default();
    assert!(
        field(
            Options {
                enhanced: true,
                ..default
            },
            "f"
        )
        .name()
            == Some("p.N")
    );
    assert_eq!(
        field(
            Options {
                int_for_enums: true,
                ..default
            },
            "i"
        ),
        tagged(symbols(B::int32()), 9)
    );
    assert_eq!(
        field(
            Options {
                flatten_unions: true,
                ..default
            },
            "g"
        ),
        tagged(B::string().optional(), 7)
    );
    assert!(
        field(
            Options {
                index_for_unions: false,
                ..default
            },
            "choice"
        )
        .is_optional()
    );
    let optional = Options {
        optional_for_nullables: true,
        ..default
    };
    assert!(!field(optional, "a").is_optional() && field(optional, "c").is_optional());
    let wrapper = Options {
        wrapper_for_nullables: true,
        ..default
    };
    assert!(!field(wrapper, "a").is_optional());
    assert_eq!(field(wrapper, "j"), tagged(B::string().optional(), 10));
    let generalized = Options {
        generalized_sum_types: true,
        ..default
    };
    assert_eq!(
        field(generalized, "choice_0").parameter(GENERALIZED_UNION),
        Some("choice")
    );
    assert_eq!(field(generalized, "i").parameter(GENERALIZED_ENUM), Some("E"));
}

#[test]
fn a_wrapper_alone_is_what_it_wraps() {
    let pool = link(crate::well_known::WRAPPERS, std::iter::empty()).unwrap();
    let read = |options: &Options| {
        read_message(options, &pool, pool.at(&[4]).unwrap(), Some(3))
            .unwrap()
            .schema
    };
    assert_eq!(read(&Options::default()), B::int32().version(3).build().unwrap());
    let kept = read(&Options {
        wrapper_for_raw_primitives: false,
        ..Options::default()
    });
    assert_eq!((kept.name(), kept.version()), (Some("Int32Value"), Some(3)));
}

#[test]
fn what_has_no_connect_schema_is_refused() {
    let recursive = r#"syntax = "proto3"; message A { B b = 1; } message B { repeated A a = 1; }"#;
    let error = schema(&Options::default(), recursive).unwrap_err();
    assert!(error.message().contains("contains itself"), "{error}");
    let mut wide = String::from("syntax = \"proto3\";");
    for level in 0..40 {
        wide.push_str(&format!(
            "message M{level} {{ M{0} a = 1; M{0} b = 2; }}",
            level + 1
        ));
    }
    wide.push_str("message M40 { int32 x = 1; }");
    let error = schema(&Options::default(), &wide).unwrap_err();
    assert!(error.message().contains("more than"), "{error}");
}
