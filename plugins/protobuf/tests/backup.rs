//! Wrapped messages go back as what they were also where upstream names another message than theirs. What both do alike is recorded.

use wharf_api::{Converter as _, Encoded, Headers, Result, SchemaAndValue};
use wharf_protobuf::ProtobufConverter;
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_testkit::converter_with_registry;

const NESTED: &str = "syntax = \"proto3\";\n\npackage p;\n\nmessage A {\n  int32 x = 1;\n\n  message B {\n    string y = 1;\n  }\n  message D {\n    \
                      string y = 1;\n  }\n}\nmessage C {\n  int32 z = 1;\n\n  message D {\n    string y = 1;\n  }\n}\n";

fn converter(registry: &TestRegistry) -> ProtobufConverter {
    converter_with_registry(&registry.url(), &[("schema.backup.enabled", "true")])
}

/// A message of the only schema, by its index and the payload.
fn message(rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 1], rest].concat()
}

fn wrapped(message: &[u8]) -> SchemaAndValue {
    let registry = TestRegistry::start();
    registry.register("t-value", &RegistrySchema::new(Format::Protobuf, NESTED));
    let mut reader = converter(&registry);
    reader.decode("t", &Headers::new(), Some(message)).unwrap()
}

fn restored(registry: &TestRegistry, wrapped: &SchemaAndValue) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let encoded = converter(registry).encode(
        "t",
        &mut Headers::new(),
        wrapped.schema.as_ref(),
        wrapped.value.as_ref(),
        &mut out,
    )?;
    assert_eq!(encoded, Encoded::Bytes);
    Ok(out)
}

#[test]
fn a_message_within_another_one_goes_back_as_what_it_was() {
    // The first message, the second, and the first within the first.
    for rest in [&b"\0\x08\x07"[..], b"\x02\x02\x08\x07", b"\x04\0\0\x0a\x01y"] {
        let message = message(rest);
        let registry = TestRegistry::start();
        assert_eq!(restored(&registry, &wrapped(&message)).unwrap(), message);
        assert_eq!(registry.text(1).as_deref(), Some(NESTED));
    }
}

#[test]
fn a_message_that_could_be_one_of_two_is_refused() {
    let registry = TestRegistry::start();
    let error = restored(&registry, &wrapped(&message(b"\x04\0\x02\x0a\x01y"))).unwrap_err();
    assert_eq!(error.message(), "Failed to restore Protobuf backup for topic t");
    assert!(error.trace().contains("has no message D;"), "{}", error.trace());
}
