//! The converter with `skip.known.types=false`: well-known files are schemas of their own, to which the record's schema refers. Their texts,
//! subjects and versions are compared with upstream's in `recorded.rs`.

use wharf_api::{Converter as _, Headers, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_testkit::converter_with_registry;

const KNOWN: (&str, &str) = ("skip.known.types", "false");
const OFF: (&str, &str) = ("auto.register.schemas", "false");
const TOPIC_NAMES: (&str, &str) = (
    "value.subject.name.strategy",
    "io.confluent.kafka.serializers.subject.TopicNameStrategy",
);
const DATE: &str = "google/type/date.proto";

fn converter(registry: &TestRegistry, entries: &[(&str, &str)]) -> ProtobufConverter {
    converter_with_registry(&registry.url(), &[entries, &[TOPIC_NAMES]].concat())
}

fn write(registry: &TestRegistry, entries: &[(&str, &str)], records: usize) -> wharf_api::Result<Vec<u8>> {
    let schema = SchemaBuilder::structure()
        .name("Order")
        .field("on", logical::date())
        .field("id", Schema::int64())
        .build()
        .unwrap();
    let values = vec![Value::Date(86_400_000), Value::Int64(7)];
    let value = Value::from(Struct::from_values(SchemaRef::clone(&schema), values));
    let mut converter = converter(registry, entries);
    let mut written = Vec::new();
    for _ in 0..records {
        let bytes = wharf_testkit::encode(
            &mut converter,
            "orders",
            &mut Headers::new(),
            Some(&schema),
            value.as_ref(),
        )?;
        written = bytes.unwrap();
    }
    Ok(written)
}

#[test]
fn a_file_is_registered_before_the_schema_that_imports_it_and_asked_for_once() {
    let registry = TestRegistry::start();
    // Tags are for the record's schema only.
    let message = write(&registry, &[KNOWN, ("propagate.schema.tags", "true")], 2).unwrap();
    assert_eq!(
        registry.requests(),
        [
            "POST /subjects/google%2Ftype%2Fdate.proto/versions",
            "POST /subjects/orders-value/versions",
        ]
    );
    let body = registry.last_body();
    assert_eq!(body["propagateSchemaTags"], true);
    assert_eq!(
        body["references"],
        serde_json::json!([{"name": DATE, "subject": DATE, "version": 1}])
    );
    let back = converter(&registry, &[])
        .decode("orders", &Headers::new(), Some(&message))
        .unwrap();
    let values = back.value.as_struct().unwrap().values();
    assert_eq!(values, [Value::Date(86_400_000), Value::Int64(7)]);
}

#[test]
fn files_are_left_out_by_default() {
    let registry = TestRegistry::start();
    write(&registry, &[], 1).unwrap();
    assert_eq!(registry.subjects(), ["orders-value"]);
    assert_eq!(registry.last_body().get("references"), None);
}

#[test]
fn files_are_only_looked_up_where_nothing_shall_be_registered() {
    for entries in [
        &[KNOWN, ("reference.lookup.only", "true")][..],
        &[
            KNOWN,
            ("reference.lookup.only", "true"),
            OFF,
            ("use.latest.version", "true"),
        ],
        &[KNOWN, OFF],
        &[KNOWN, OFF, ("use.latest.version", "true")],
    ] {
        let registry = TestRegistry::start();
        let error = write(&registry, entries, 1).unwrap_err();
        assert_eq!(
            error.message(),
            "Failed to serialize Protobuf data from topic orders:"
        );
        assert_eq!(registry.subjects(), [""; 0], "{entries:?}");
    }
}

#[test]
fn a_file_s_latest_version_is_referred_to_with_use_latest_version() {
    let registry = TestRegistry::start();
    write(&registry, &[KNOWN], 1).unwrap();
    let other = "syntax = \"proto3\";\npackage google.type;\nmessage Date { int32 year = 1; int32 month = 2; int32 day = 3; bool new = 4; }";
    registry.register(DATE, &RegistrySchema::new(Format::Protobuf, other));
    registry.clear_requests();
    let latest = [KNOWN, OFF, ("use.latest.version", "true")];
    write(&registry, &latest, 1).unwrap();
    assert_eq!(
        registry.requests()[0],
        "GET /subjects/google%2Ftype%2Fdate.proto/versions/latest"
    );
    // Without that key the file is looked up by its text.
    registry.clear_requests();
    write(&registry, &[KNOWN, OFF], 1).unwrap();
    assert_eq!(
        registry.requests(),
        [
            "POST /subjects/google%2Ftype%2Fdate.proto?deleted=true",
            "POST /subjects/orders-value?deleted=true",
        ]
    );
}
