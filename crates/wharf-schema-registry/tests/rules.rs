//! Rules of schemas: none is run, so which records pass.

use wharf_api::{ConfigMap, ErrorKind};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::wire::SchemaId;
use wharf_schema_registry::{
    Compatible, Format, References, RegisteredSchema, RegistryConfig, RegistrySchema, SchemaRegistry,
    SchemaToWrite,
};

fn config(url: &str, entries: &[(&str, &str)]) -> RegistryConfig {
    let config: ConfigMap = [("schema.registry.url", url)]
        .iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    RegistryConfig::parse(&config).unwrap()
}

fn avro(text: &str) -> RegistrySchema {
    RegistrySchema::new(Format::Avro, text)
}

fn yes(_: &RegisteredSchema, _: &References, _: &RegistrySchema) -> Compatible {
    Compatible::Yes
}

fn rule(part: &str, mode: &str) -> serde_json::Value {
    serde_json::json!({ part: [{"name": "hide", "kind": "TRANSFORM", "type": "ENCRYPT", "mode": mode}] })
}

#[test]
fn records_whose_schema_has_a_rule_neither_go_nor_come_without_it() {
    let registry = TestRegistry::start();
    let own = avro("\"int\"");
    let (id, _) = registry.register_with_rules("t-value", &own, &rule("domainRules", "WRITEREAD"));
    let guid = registry.guid(id).unwrap().to_string();
    let none = |_: &RegisteredSchema| None;
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let off = ("auto.register.schemas", "false");
    let id = id.to_string();
    // However the schema is chosen; a registered one without rules inherits those of the version before.
    for entries in [
        &[][..],
        &[off],
        &[off, ("use.latest.version", "true")],
        &[off, ("use.schema.id", &id)],
        &[off, ("use.schema.guid", &guid)],
        &[("use.latest.version", "true")],
    ] {
        let config = config(&registry.url(), entries);
        let mut schemas = SchemaRegistry::new(config, Format::Avro, false).unwrap();
        let error = schemas.for_write("t", written, &yes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert_eq!(error.message(), "Failed to serialize Avro data from topic t:");
        let trace = error.trace();
        assert!(trace.contains("Rule failed: hide"), "{entries:?}: {trace}");
        assert!(trace.contains("Error serializing Avro message"), "{trace}");
        assert!(
            trace.contains("Could not find rule executor of type ENCRYPT"),
            "{trace}"
        );
        let read = schemas.for_read("t", SchemaId::Id(1), &none);
        let error = match schemas.config().read_latest {
            true => schemas.reader_schema("t", &read.unwrap()).unwrap_err(),
            false => read.unwrap_err(),
        };
        assert_eq!(error.message(), "Failed to deserialize data for topic t to Avro:");
        let trace = error.trace();
        assert!(trace.contains("Rule failed: hide"), "{trace}");
        assert!(
            trace.contains("Error deserializing Avro message for id 1"),
            "{trace}"
        );
    }
}

#[test]
fn rules_of_bytes_are_those_of_the_schema_that_wrote_them() {
    let registry = TestRegistry::start();
    registry.register_with_rules("t-value", &avro("\"int\""), &rule("encodingRules", "READ"));
    registry.register_with_rules("t-value", &avro("\"long\""), &serde_json::json!({}));
    registry.register_with_rules("t-value", &avro("\"double\""), &rule("encodingRules", "READ"));
    let config = config(&registry.url(), &[("use.latest.version", "true")]);
    let mut schemas = SchemaRegistry::new(config, Format::Avro, false).unwrap();
    let none = |_: &RegisteredSchema| None;
    let error = schemas.for_read("t", SchemaId::Id(1), &none).unwrap_err();
    assert!(error.trace().contains("Rule failed: hide"), "{}", error.trace());
    let written = schemas.for_read("t", SchemaId::Id(2), &none).unwrap();
    let reader = schemas.reader_schema("t", &written).unwrap().unwrap();
    assert_eq!(reader.id, 3);
}

#[test]
fn rules_that_the_configuration_switches_off_let_records_pass() {
    let registry = TestRegistry::start();
    let own = avro("\"int\"");
    registry.register_with_rules("t-value", &own, &rule("domainRules", "WRITEREAD"));
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let none = |_: &RegisteredSchema| None;
    for (key, passes) in [
        ("rule.executors.hide.disabled", true),
        ("rule.executors._ENCRYPT_.disabled", true),
        ("rule.executors._default_.disabled", true),
        ("rule.executors._CEL_.disabled", false),
    ] {
        let config = config(&registry.url(), &[(key, "true")]);
        let mut schemas = SchemaRegistry::new(config, Format::Avro, false).unwrap();
        assert_eq!(schemas.for_write("t", written, &yes).is_ok(), passes, "{key}");
        assert_eq!(
            schemas.for_read("t", SchemaId::Id(1), &none).is_ok(),
            passes,
            "{key}"
        );
    }
}

#[test]
fn rules_of_the_other_direction_and_those_that_may_fail_let_records_pass() {
    let registry = TestRegistry::start();
    let own = avro("\"int\"");
    registry.register_with_rules("t-value", &own, &rule("domainRules", "READ"));
    registry.register_with_rules("u-value", &own, &rule("domainRules", "WRITE"));
    let mut lenient = rule("encodingRules", "WRITEREAD");
    lenient["encodingRules"][0]["onFailure"] = "NONE".into();
    registry.register_with_rules("v-value", &own, &lenient);
    let mut schemas = SchemaRegistry::new(config(&registry.url(), &[]), Format::Avro, false).unwrap();
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let none = |_: &RegisteredSchema| None;
    for (topic, id, writes, reads) in [("t", 1, true, false), ("u", 2, false, true), ("v", 3, true, true)] {
        assert_eq!(schemas.for_write(topic, written, &yes).is_ok(), writes, "{topic}");
        assert_eq!(
            schemas.for_read(topic, SchemaId::Id(id), &none).is_ok(),
            reads,
            "{topic}"
        );
    }
}

#[test]
fn migrations_between_the_message_s_version_and_the_latest_are_rules_too() {
    for (mode, written, fails) in [
        ("UPGRADE", 1, true),
        ("UPDOWN", 1, true),
        ("DOWNGRADE", 1, false),
        // The rule is that of version 2, which this message has passed.
        ("UPGRADE", 2, false),
    ] {
        let registry = TestRegistry::start();
        registry.register("t-value", &avro("\"int\""));
        registry.register_with_rules("t-value", &avro("\"long\""), &rule("migrationRules", mode));
        registry.register_with_rules("t-value", &avro("\"double\""), &serde_json::json!({}));
        let entries = [("use.latest.version", "true")];
        let mut schemas =
            SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
        let read = schemas.for_read("t", SchemaId::Id(written), &|_| None).unwrap();
        assert_eq!(read.version, Some(written));
        let result = schemas.reader_schema("t", &read);
        assert_eq!(result.is_err(), fails, "{mode} from version {written}");
        if let Err(error) = result {
            assert!(error.trace().contains("Rule failed: hide"), "{}", error.trace());
        }
    }
}
