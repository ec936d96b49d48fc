//! The converter with `use.latest.version`: which message of which version a record is written as and read into.

use wharf_api::{Converter as _, ErrorKind, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::{
    TestRegistry, check_latest_is_kept_for_its_time, check_schemas_are_kept_within_bounds,
};
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_testkit::converter_with_registry;

const LATEST: [(&str, &str); 2] = [("auto.register.schemas", "false"), ("use.latest.version", "true")];

fn converter(registry: &TestRegistry, entries: &[(&str, &str)]) -> ProtobufConverter {
    converter_with_registry(&registry.url(), entries)
}

fn proto(body: &str) -> RegistrySchema {
    RegistrySchema::new(Format::Protobuf, format!("syntax = \"proto3\";\n{body}\n"))
}

fn order() -> (SchemaRef, Value) {
    let schema = SchemaBuilder::structure()
        .name("Order")
        .field("id", Schema::int64())
        .build()
        .unwrap();
    let value = Struct::from_values(SchemaRef::clone(&schema), vec![7_i64.into()]);
    (schema, value.into())
}

fn write(converter: &mut ProtobufConverter) -> wharf_api::Result<Vec<u8>> {
    let (schema, value) = order();
    let written = wharf_testkit::encode(
        converter,
        "orders",
        &mut Headers::new(),
        Some(&schema),
        value.as_ref(),
    )?;
    Ok(written.unwrap())
}

#[test]
fn the_latest_version_is_kept_for_its_time_and_then_asked_for_again() {
    let versions = [
        proto("message Order { int64 id = 1; }"),
        proto("message Order { int64 id = 1; string new = 2; }"),
    ];
    check_latest_is_kept_for_its_time(
        "orders-value",
        versions.each_ref(),
        converter,
        |converter| write(converter).unwrap(),
        |converter, message| {
            let read = converter
                .decode("orders", &Headers::new(), Some(message))
                .unwrap();
            read.value.as_struct().unwrap().values().len()
        },
    );
}

#[test]
fn a_record_is_the_message_of_its_name_wherever_that_stands_in_the_latest_version() {
    let registry = TestRegistry::start();
    registry.register("orders-value", &proto("message Order { int64 id = 1; }"));
    registry.register(
        "orders-value",
        &proto("message First { bool x = 1; } message Order { int64 id = 1; string new = 2; }"),
    );
    let bytes = write(&mut converter(&registry, &LATEST)).unwrap();
    // The second message: one index, which is 1.
    assert_eq!(bytes, [0, 0, 0, 0, 2, 2, 2, 8, 7]);
    // Without it the record's own schema is looked for.
    let own = write(&mut converter(&registry, &LATEST[..1])).unwrap_err();
    assert!(own.trace().contains("40403"), "{}", own.trace());
}

#[test]
fn the_latest_version_must_read_what_is_written_unless_told_otherwise() {
    let registry = TestRegistry::start();
    registry.register("orders-value", &proto("message Order { string id = 1; }"));
    let error = write(&mut converter(&registry, &LATEST)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let trace = error.trace();
    assert!(trace.contains("Incompatible schema"), "{trace}");
    assert!(trace.contains("latest.compatibility.strict=false"), "{trace}");
    let lax = [LATEST[0], LATEST[1], ("latest.compatibility.strict", "false")];
    // As upstream, the bytes are those of the record's own message; only the id is the other one's.
    let bytes = write(&mut converter(&registry, &lax)).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 1, 0, 8, 7]);

    registry.register("orders-value", &proto("message Another { int64 id = 1; }"));
    let error = write(&mut converter(&registry, &lax)).unwrap_err();
    assert!(
        error.trace().contains("has no message Order"),
        "{}",
        error.trace()
    );
}

#[test]
fn a_message_is_read_into_the_latest_version_where_that_is_wanted() {
    let registry = TestRegistry::start();
    registry.register(
        "orders-value",
        &proto("message Order { int64 id = 1; string gone = 2; }"),
    );
    registry.register(
        "orders-value",
        &proto("message First { bool x = 1; } message Order { int64 id = 1; repeated int32 new = 3; }"),
    );
    let message = [0, 0, 0, 0, 1, 0, 8, 7, 0x12, 1, b'x'];
    let none = Headers::new();
    let latest = converter(&registry, &LATEST)
        .decode("orders", &none, Some(&message))
        .unwrap();
    assert_eq!(latest.schema.unwrap().version(), Some(2));
    let latest = latest.value.as_struct().unwrap().values().to_vec();
    assert_eq!(latest, [Value::Int64(7), Value::Array(Vec::new())]);
    let own = converter(&registry, &[])
        .decode("orders", &none, Some(&message))
        .unwrap();
    let own = own.value.as_struct().unwrap().values().to_vec();
    assert_eq!(own, [Value::Int64(7), Value::from("x")]);

    // The latest version no longer has the message.
    registry.register("orders-value", &proto("message Another { int64 id = 1; }"));
    let error = converter(&registry, &LATEST)
        .decode("orders", &none, Some(&message))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[test]
fn a_schema_that_is_not_kept_any_more_is_asked_for_again() {
    check_schemas_are_kept_within_bounds::<ProtobufConverter>();
}
