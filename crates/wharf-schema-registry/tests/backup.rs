//! Records together with their schemas, against the registry in this process. What upstream's classes do stands in the recordings of the
//! plugins; here is what those cannot tell: requests, registries that fail, and a way from one registry to another.

use wharf_api::{
    ConfigMap, ErrorKind, Result, Schema, SchemaAndValue, SchemaBuilder, SchemaRef, Struct, Value,
};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::wire::SchemaId;
use wharf_schema_registry::{
    Compatible, Format, References, RegisteredSchema, RegistryConfig, RegistrySchema, SchemaReference,
    SchemaRegistry, SchemaToWrite, WRAPPER,
};

fn schemas(registry: &TestRegistry, entries: &[(&str, &str)]) -> SchemaRegistry {
    let url = registry.url();
    let base = [
        ("schema.registry.url", url.as_str()),
        ("retries.wait.ms", "1"),
        ("max.retries", "0"),
        ("schema.backup.enabled", "true"),
        (
            "value.subject.name.strategy",
            "io.confluent.kafka.serializers.subject.TopicNameStrategy",
        ),
    ];
    let config: ConfigMap = base
        .iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    SchemaRegistry::new(RegistryConfig::parse(&config).unwrap(), Format::Avro, false).unwrap()
}

fn avro(text: &str, references: &[(&str, &str, i32)]) -> RegistrySchema {
    let mut schema = RegistrySchema::new(Format::Avro, text);
    schema.references = references
        .iter()
        .map(|(name, subject, version)| SchemaReference {
            name: (*name).to_owned(),
            subject: (*subject).to_owned(),
            version: *version,
        })
        .collect();
    schema
}

/// A schema with the id 3 that uses another, which uses a third.
fn chain(registry: &TestRegistry) -> [RegistrySchema; 3] {
    let chain = [
        avro("\"int\"", &[]),
        avro("\"long\"", &[("Leaf", "leaf", 1)]),
        avro("\"string\"", &[("Middle", "middle", 1)]),
    ];
    for (subject, schema) in ["leaf", "middle", "t-value"].into_iter().zip(&chain) {
        registry.register(subject, schema);
    }
    chain
}

fn no_name(_: &RegisteredSchema) -> Option<String> {
    None
}

fn wrap(schemas: &mut SchemaRegistry, id: SchemaId) -> Result<SchemaAndValue> {
    let read = SchemaAndValue::new(Some(Schema::string()), "hello");
    schemas.wrap("t", id, read, &no_name)
}

fn to_write(schema: &RegistrySchema) -> SchemaToWrite<'_> {
    SchemaToWrite {
        schema,
        record_name: None,
    }
}

fn yes(_: &RegisteredSchema, _: &References, _: &RegistrySchema) -> Compatible {
    Compatible::Yes
}

fn text(wrapped: &SchemaAndValue, field: &str) -> Value {
    wrapped.value.as_struct().unwrap().get(field).unwrap().clone()
}

fn unwrap(
    schemas: &mut SchemaRegistry,
    wrapped: &SchemaAndValue,
) -> Result<Option<(SchemaRef, Value, RegistrySchema)>> {
    let found = schemas.unwrap_backup("t", wrapped.schema.as_ref(), wrapped.value.as_ref())?;
    Ok(found.map(|found| {
        let schema = RegistrySchema::clone(&found.written_with);
        (SchemaRef::clone(found.schema), found.value.to_value(), schema)
    }))
}

#[test]
fn a_record_is_wrapped_with_what_its_schema_refers_to_and_the_registry_is_asked_once() {
    let registry = TestRegistry::start();
    chain(&registry);
    let mut schemas = schemas(&registry, &[]);
    registry.clear_requests();
    let wrapped = wrap(&mut schemas, SchemaId::Id(3)).unwrap();
    assert_eq!(
        wrapped.schema.as_ref().and_then(|schema| schema.name()),
        Some(WRAPPER)
    );
    for (field, expected) in [
        ("data", Value::from("hello")),
        ("schemaId", Value::Int32(3)),
        ("schemaVersion", Value::Int32(1)),
        ("schemaGuid", Value::Null),
        ("schemaType", "AVRO".into()),
        ("schemaSubject", "t-value".into()),
        ("rawSchema", "\"string\"".into()),
        (
            "directRefs",
            r#"[{"name":"Middle","subject":"middle","version":1}]"#.into(),
        ),
        (
            "referenceTree",
            concat!(
                r#"{"Leaf":{"subject":"leaf","version":1,"schema":"\"int\"","references":[],"globalId":1,"schemaType":"AVRO"},"#,
                r#""Middle":{"subject":"middle","version":1,"schema":"\"long\"","#,
                r#""references":[{"name":"Leaf","subject":"leaf","version":1}],"globalId":2,"schemaType":"AVRO"}}"#
            )
            .into(),
        ),
    ] {
        assert_eq!(text(&wrapped, field), expected, "{field}");
    }
    let asked = [
        "GET /schemas/ids/3?fetchMaxId=false",
        "GET /schemas/ids/3/versions?deleted=false",
        "GET /subjects/middle/versions/1?deleted=true",
        "GET /subjects/leaf/versions/1?deleted=true",
    ];
    assert_eq!(registry.requests(), asked);
    assert_eq!(wrap(&mut schemas, SchemaId::Id(3)).unwrap(), wrapped);
    assert_eq!(registry.requests().len(), asked.len());
}

#[test]
fn a_schema_that_is_named_by_its_guid_or_is_not_of_the_subject_has_no_version() {
    let registry = TestRegistry::start();
    registry.register("elsewhere", &avro("\"string\"", &[]));
    let guid = registry.guid(1).unwrap();
    let mut schemas = schemas(&registry, &[]);
    for (id, number, named) in [
        (SchemaId::Id(1), Value::Int32(1), Value::Null),
        (SchemaId::Guid(guid), Value::Null, guid.to_string().into()),
    ] {
        let wrapped = wrap(&mut schemas, id).unwrap();
        assert_eq!(text(&wrapped, "schemaId"), number);
        assert_eq!(text(&wrapped, "schemaGuid"), named);
        assert_eq!(text(&wrapped, "schemaVersion"), Value::Null);
        assert_eq!(text(&wrapped, "schemaSubject"), "t-value".into());
    }
}

#[test]
fn a_wrapper_goes_to_another_registry_with_all_that_it_needs() {
    let registry = TestRegistry::start();
    chain(&registry);
    let wrapped = wrap(&mut schemas(&registry, &[]), SchemaId::Id(3)).unwrap();
    // The leaf is the second version there; that nothing may be registered is said of records' own schemas.
    let other = TestRegistry::start();
    other.register("leaf", &avro("\"float\"", &[]));
    let mut restoring = schemas(&other, &[("auto.register.schemas", "false")]);
    let (schema, value, written_with) = unwrap(&mut restoring, &wrapped).unwrap().unwrap();
    assert_eq!((schema, value), (Schema::string(), "hello".into()));
    assert_eq!(written_with, avro("\"string\"", &[("Middle", "middle", 1)]));
    assert_eq!(other.version("leaf", 2), Some(avro("\"int\"", &[])));
    assert_eq!(
        other.version("middle", 1),
        Some(avro("\"long\"", &[("Leaf", "leaf", 2)]))
    );
    assert_eq!(other.subjects(), ["leaf", "middle"]);
    other.clear_requests();
    unwrap(&mut restoring, &wrapped).unwrap().unwrap();
    assert_eq!(other.requests(), Vec::<String>::new());
}

#[test]
fn a_registry_that_fails_is_told_apart_from_one_that_refuses() {
    let registry = TestRegistry::start();
    chain(&registry);
    let wrapped = wrap(&mut schemas(&registry, &[]), SchemaId::Id(3)).unwrap();
    for (status, kind, reading, writing) in [
        (503, ErrorKind::Retriable, "", ""),
        (429, ErrorKind::Retriable, "", ""),
        (401, ErrorKind::Config, ": SR status 401", ": SR status 401"),
        (404, ErrorKind::Data, "", ""),
        (422, ErrorKind::Data, "", ""),
    ] {
        registry.fail_next(&[status]);
        let error = wrap(&mut schemas(&registry, &[]), SchemaId::Id(3)).unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let message = format!("Failed to wrap Avro backup for topic t{reading}");
        assert_eq!(error.message(), message, "{status}");
        let other = TestRegistry::start();
        other.fail_next(&[status]);
        let error = unwrap(&mut schemas(&other, &[]), &wrapped).unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        let message = format!("Failed to register reference leaf{writing}");
        assert_eq!(error.message(), message, "{status}");
    }
}

#[test]
fn a_wrapper_s_data_fails_in_the_words_of_restoring() {
    let registry = TestRegistry::start();
    let own = avro("\"string\"", &[]);
    for (status, kind, message) in [
        (
            503,
            ErrorKind::Retriable,
            "Failed to restore Avro backup for topic t",
        ),
        (
            429,
            ErrorKind::Retriable,
            "Failed to restore Avro backup for topic t",
        ),
        (
            502,
            ErrorKind::Retriable,
            "Failed to restore Avro backup for topic t",
        ),
        (422, ErrorKind::Data, "Failed to restore Avro backup for topic t"),
        (401, ErrorKind::Connect, "Error registering Avro schema\"string\""),
    ] {
        let mut schemas = schemas(&registry, &[]);
        registry.fail_next(&[status]);
        let error = schemas.for_write("t", to_write(&own), &yes).unwrap_err();
        let error = schemas.restore_error("t", error);
        assert_eq!((error.kind(), error.message()), (kind, message), "{status}");
        assert!(error.trace().contains("told to fail"), "{}", error.trace());
    }
    let gone = TestRegistry::start();
    let mut schemas = schemas(&gone, &[]);
    let url = gone.url();
    drop(gone);
    let error = schemas.for_write("t", to_write(&own), &yes).unwrap_err();
    let error = schemas.restore_error("t", error);
    assert_eq!(error.class(), "org.apache.kafka.common.errors.NetworkException");
    let start = "Network connection error during restore Avro backup for topic t: ";
    assert!(
        error.message().starts_with(start) && error.message().contains(&url),
        "{error}"
    );
    let other = schemas.restore_error("t", wharf_api::ConnectError::data("of the mapping"));
    assert_eq!(other.message(), "of the mapping");
}

#[test]
fn what_is_no_wrapper_and_what_has_no_schema_stays_as_it_is() {
    let registry = TestRegistry::start();
    chain(&registry);
    let mut on = schemas(&registry, &[]);
    let wrapped = wrap(&mut on, SchemaId::Id(3)).unwrap();
    let mut off = schemas(&registry, &[("schema.backup.enabled", "false")]);
    registry.clear_requests();
    let plain = SchemaAndValue::new(None, "hello");
    assert_eq!(
        on.wrap("t", SchemaId::Id(3), plain.clone(), &no_name).unwrap(),
        plain
    );
    assert_eq!(
        wrap(&mut off, SchemaId::Id(3)).unwrap().schema,
        Some(Schema::string())
    );
    assert_eq!(unwrap(&mut off, &wrapped).unwrap(), None);
    let null = SchemaAndValue::new(wrapped.schema.clone(), Value::Null);
    let other = SchemaBuilder::structure().name("Wrapper").build().unwrap();
    let other = SchemaAndValue::new(
        Some(SchemaRef::clone(&other)),
        Struct::from_values(other, Vec::new()),
    );
    for value in [plain, null, other] {
        assert_eq!(unwrap(&mut on, &value).unwrap(), None);
    }
    assert_eq!(registry.requests(), Vec::<String>::new());
}

#[test]
fn a_preview_registers_nothing_that_a_wrapper_brings_along() {
    let registry = TestRegistry::start();
    chain(&registry);
    let wrapped = wrap(&mut schemas(&registry, &[]), SchemaId::Id(3)).unwrap();
    let preview = ("wharf.preview", "true");
    let mut known = schemas(&registry, &[preview]);
    assert!(unwrap(&mut known, &wrapped).unwrap().is_some());
    let other = TestRegistry::start();
    let error = unwrap(&mut schemas(&other, &[preview]), &wrapped).unwrap_err();
    assert!(
        error.trace().contains("a preview registers nothing"),
        "{}",
        error.trace()
    );
    assert_eq!(other.subjects(), Vec::<String>::new());
}
