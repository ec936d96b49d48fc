//! Tests of schemas: equality, validation of values, and the numbers that the border knows types by.

use super::*;
use crate::schema_builder::SchemaBuilder;

#[test]
fn schemas_differ_when_any_attribute_does() {
    let base = || {
        SchemaBuilder::int32()
            .name("n")
            .version(1)
            .doc("d")
            .parameter("k", "v")
    };
    let same = base().build().unwrap();
    assert_eq!(base().build().unwrap(), same);
    for (what, other) in [
        ("optional", base().optional()),
        ("default", base().default_value(1)),
        ("parameters", base().parameter("l", "w")),
        (
            "type",
            SchemaBuilder::int64()
                .name("n")
                .version(1)
                .doc("d")
                .parameter("k", "v"),
        ),
        (
            "name",
            SchemaBuilder::int32()
                .name("m")
                .version(1)
                .doc("d")
                .parameter("k", "v"),
        ),
        (
            "version",
            SchemaBuilder::int32()
                .name("n")
                .version(2)
                .doc("d")
                .parameter("k", "v"),
        ),
        (
            "doc",
            SchemaBuilder::int32()
                .name("n")
                .version(1)
                .doc("e")
                .parameter("k", "v"),
        ),
        (
            "no parameters",
            SchemaBuilder::int32().name("n").version(1).doc("d"),
        ),
    ] {
        assert_ne!(other.build().unwrap(), same, "{what}");
    }
    let array = |element| SchemaBuilder::array(element).build().unwrap();
    let map = |key, value| SchemaBuilder::map(key, value).build().unwrap();
    let structure = |name: &str| {
        SchemaBuilder::structure()
            .field(name, Schema::int8())
            .build()
            .unwrap()
    };
    assert_eq!(array(Schema::int8()), array(Schema::int8()));
    assert_ne!(array(Schema::int8()), array(Schema::int16()));
    assert_ne!(
        map(Schema::int8(), Schema::int8()),
        map(Schema::int16(), Schema::int8())
    );
    assert_ne!(
        map(Schema::int8(), Schema::int8()),
        map(Schema::int8(), Schema::int16())
    );
    assert_eq!(structure("a"), structure("a"));
    assert_ne!(structure("a"), structure("b"));
    let bytes = |value: &[u8]| SchemaBuilder::bytes().default_value(value).build().unwrap();
    assert_eq!(bytes(b"ab"), bytes(b"ab"));
    assert_ne!(bytes(b"ab"), bytes(b"ac"));
}

#[test]
fn parts_are_offered_by_the_types_that_have_them_only() {
    let message = |error: ConnectError| error.message().to_owned();
    let plain = Schema::string();
    assert_eq!(
        message(plain.fields().unwrap_err()),
        "Cannot list fields on non-struct type"
    );
    assert_eq!(
        message(plain.field("a").unwrap_err()),
        "Cannot look up fields on non-struct type"
    );
    assert_eq!(
        message(plain.key_schema().unwrap_err()),
        "Cannot look up key schema on non-map type"
    );
    assert_eq!(
        message(plain.value_schema().unwrap_err()),
        "Cannot look up value schema on non-array and non-map type"
    );
    let array = SchemaBuilder::array(Schema::int8()).build().unwrap();
    assert_eq!(array.value_schema().unwrap(), Some(&Schema::int8()));
    assert!(array.key_schema().is_err());
    let map = SchemaBuilder::map(Schema::string(), Schema::int8())
        .build()
        .unwrap();
    assert_eq!(map.key_schema().unwrap(), Some(&Schema::string()));
}

#[test]
fn fields_are_found_in_narrow_and_wide_structs() {
    for width in [0, 1, SEARCHED_FIELDS, SEARCHED_FIELDS + 1, 40] {
        let builder = (0..width).fold(SchemaBuilder::structure(), |builder, index| {
            builder.field(format!("f{index}"), Schema::int8())
        });
        let schema = builder.build().unwrap();
        for index in 0..width {
            assert_eq!(
                schema.field(&format!("f{index}")).unwrap().unwrap().index(),
                index
            );
        }
        assert!(schema.field("unknown").unwrap().is_none());
        assert_eq!(schema.fields().unwrap().len(), width);
    }
}

#[test]
fn text_forms_are_upstream_s() {
    assert_eq!(Schema::int8().to_string(), "Schema{INT8}");
    let named = SchemaBuilder::int32().name("n").build().unwrap();
    assert_eq!(named.to_string(), "Schema{n:INT32}");
    assert_eq!(
        Field::new("f", 2, named).to_string(),
        "Field{name=f, index=2, schema=Schema{n:INT32}}"
    );
}

#[test]
fn nine_types_are_primitive() {
    assert_eq!(
        SchemaType::ALL
            .iter()
            .filter(|schema_type| schema_type.is_primitive())
            .count(),
        9
    );
    for (number, schema_type) in SchemaType::ALL.into_iter().enumerate() {
        assert_eq!(
            SchemaType::from_number(u8::try_from(number).unwrap()),
            Some(schema_type)
        );
    }
    assert_eq!(SchemaType::from_number(12), None);
}
