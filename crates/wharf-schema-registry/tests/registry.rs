//! The client against the registry in this process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wharf_api::{ConfigMap, ErrorKind};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::wire::SchemaId;
use wharf_schema_registry::{
    Compatible, Direction, Format, References, RegisteredSchema, RegistryConfig, RegistryError,
    RegistrySchema, SchemaReference, SchemaRegistry, SchemaRegistryClient, SchemaToWrite,
};

fn config(urls: &str, entries: &[(&str, &str)]) -> RegistryConfig {
    let base = [("schema.registry.url", urls), ("retries.wait.ms", "1")];
    let config: ConfigMap = base
        .iter()
        .chain(entries)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    RegistryConfig::parse(&config).unwrap()
}

fn client(registry: &TestRegistry) -> SchemaRegistryClient {
    SchemaRegistryClient::new(&config(&registry.url(), &[])).unwrap()
}

fn avro(text: &str) -> RegistrySchema {
    RegistrySchema::new(Format::Avro, text)
}

fn answer(error: RegistryError) -> (u16, i64) {
    match error {
        RegistryError::Answer { status, code, .. } => (status, code),
        other => panic!("no answer: {other}"),
    }
}

fn yes(_: &RegisteredSchema, _: &References, _: &RegistrySchema) -> Compatible {
    Compatible::Yes
}

#[test]
fn a_schema_is_asked_for_once_in_every_way() {
    let registry = TestRegistry::start();
    let mut client = client(&registry);
    let schema = avro("\"int\"");
    for _ in 0..2 {
        let registered = client.register("a/b", &schema, false).unwrap();
        assert_eq!(
            (registered.id, registered.version, &registered.schema),
            (1, Some(1), &schema)
        );
        let guid = registered.guid.unwrap();
        assert_eq!(client.schema_by_id(1, None).unwrap().schema, schema);
        assert_eq!(client.schema_by_guid(guid).unwrap().id, 1);
        assert_eq!(client.latest("a/b").unwrap().version, Some(1));
        assert_eq!(client.version("a/b", 1).unwrap().id, 1);
        assert_eq!(client.lookup("a/b", &schema, true).unwrap().id, 1);
    }
    assert_eq!(
        registry.requests(),
        [
            "POST /subjects/a%2Fb/versions",
            "GET /schemas/ids/1?fetchMaxId=false",
            &format!("GET /schemas/guids/{}", registry.guid(1).unwrap()),
            "GET /subjects/a%2Fb/versions/latest",
            "GET /subjects/a%2Fb/versions/1?deleted=true",
            "POST /subjects/a%2Fb?normalize=true&deleted=true",
        ]
    );
    assert_eq!(
        registry.last_header("content-type").as_deref(),
        Some("application/vnd.schemaregistry.v1+json")
    );
}

#[test]
fn what_is_not_there_has_the_registry_s_codes() {
    let registry = TestRegistry::start();
    let mut client = client(&registry);
    registry.register("s", &avro("\"int\""));
    registry.refuse("long");
    assert_eq!(answer(client.schema_by_id(9, None).unwrap_err()), (404, 40403));
    assert_eq!(answer(client.latest("none").unwrap_err()), (404, 40401));
    assert_eq!(answer(client.version("s", 7).unwrap_err()), (404, 40402));
    assert_eq!(
        answer(client.lookup("s", &avro("\"string\""), false).unwrap_err()),
        (404, 40403)
    );
    assert_eq!(
        answer(client.register("s", &avro("\"long\""), false).unwrap_err()),
        (409, 409)
    );
    assert_eq!(
        answer(client.register("s", &avro("{"), false).unwrap_err()),
        (422, 42201)
    );
    assert_eq!(client.associated_subject("-", "t", false).unwrap(), None);
}

#[test]
fn retriable_answers_are_tried_again_with_growing_waits() {
    let registry = TestRegistry::start();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let config = config(
        &registry.url(),
        &[("retries.wait.ms", "100"), ("retries.max.wait.ms", "150")],
    );
    let mut client = SchemaRegistryClient::new(&config).unwrap();
    client.wait_by(move |wait| {
        if !wait.is_zero() {
            seen.lock().unwrap().push(wait);
        }
        false
    });
    registry.fail_next(&[503, 429, 500]);
    assert_eq!(client.register("s", &avro("\"int\""), false).unwrap().id, 1);
    let waits: Vec<Duration> = waits.lock().unwrap().drain(..).collect();
    assert_eq!(waits.len(), 3);
    assert!(
        waits
            .iter()
            .all(|wait| !wait.is_zero() && wait.as_millis() <= 150),
        "{waits:?}"
    );
    registry.fail_next(&[503, 503, 503, 503]);
    assert_eq!(answer(client.latest("s").unwrap_err()).0, 503);
    // What is refused is not tried again.
    registry.clear_requests();
    registry.fail_next(&[409]);
    assert_eq!(answer(client.latest("s").unwrap_err()).0, 409);
    assert_eq!(registry.requests().len(), 1);
}

#[test]
fn a_task_that_is_to_stop_ends_the_wait_between_tries_and_asks_nobody_any_more() {
    let (first, second) = (TestRegistry::start(), TestRegistry::start());
    let urls = format!("{},{}", first.url(), second.url());
    for (is_stopping_before, requests) in [(false, 1), (true, 0)] {
        first.clear_requests();
        first.fail_next(&[503; 9]);
        let mut client = SchemaRegistryClient::new(&config(&urls, &[])).unwrap();
        // The task stops while a try is waited for, or before there was one.
        client.wait_by(move |wait| is_stopping_before || !wait.is_zero());
        let error = client.latest("s").unwrap_err();
        assert!(matches!(error, RegistryError::Interrupted(_)), "{error:?}");
        assert_eq!(first.requests().len(), requests);
        assert!(second.requests().is_empty());
        let error = Format::Avro.registry_error(Direction::Serialize, "t", "an action", &error);
        assert!(error.is_interrupted(), "{}", error.trace());
    }
}

#[test]
fn the_next_address_is_asked_when_one_is_gone() {
    let gone = TestRegistry::start().url();
    let registry = TestRegistry::start();
    let urls = format!("{gone}, {}", registry.url());
    let mut client = SchemaRegistryClient::new(&config(&urls, &[])).unwrap();
    assert_eq!(client.register("s", &avro("\"int\""), false).unwrap().id, 1);
    let mut alone = SchemaRegistryClient::new(&config(&gone, &[])).unwrap();
    let error = alone.latest("s").unwrap_err();
    assert!(matches!(error, RegistryError::Network(_)), "{error:?}");
    assert!(error.to_string().contains(&gone), "{error}");
}

#[test]
fn credentials_and_headers_are_sent_and_never_told() {
    let registry = TestRegistry::start();
    registry.require_authorization("Basic dTpw");
    let address = registry.url().replace("http://", "http://u:p@");
    let headers = [("request.header.X-Tenant", "seven")];
    let mut client = SchemaRegistryClient::new(&config(&address, &headers)).unwrap();
    client.register("s", &avro("\"int\""), false).unwrap();
    assert_eq!(registry.last_header("x-tenant").as_deref(), Some("seven"));
    assert!(!format!("{client:?}").contains("u:p"));
    let mut stranger = SchemaRegistryClient::new(&config(&registry.url(), &[])).unwrap();
    assert_eq!(answer(stranger.latest("s").unwrap_err()).0, 401);
}

#[test]
fn references_come_before_what_uses_them() {
    let registry = TestRegistry::start();
    let uses = |name: &str, subject: &str| SchemaReference {
        name: name.to_owned(),
        subject: subject.to_owned(),
        version: 1,
    };
    registry.register("leaf", &avro("\"int\""));
    let mut middle = avro("\"long\"");
    middle.references = vec![uses("Leaf", "leaf")];
    registry.register("middle", &middle);
    let mut top = avro("\"string\"");
    top.references = vec![uses("Middle", "middle"), uses("Leaf", "leaf")];
    let found = client(&registry).references(&top).unwrap();
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Leaf", "Middle"]);
    top.references = vec![uses("Gone", "gone")];
    assert_eq!(
        answer(client(&registry).references(&top).unwrap_err()),
        (404, 40401)
    );
}

#[test]
fn what_a_record_is_written_with_follows_the_configuration() {
    let registry = TestRegistry::start();
    let (own, latest) = (avro("\"int\""), avro("\"long\""));
    registry.register("t-value", &own);
    registry.register_with_metadata("t-value", &avro("\"float\""), &[("stage", "test")]);
    registry.register("t-value", &latest);
    let off = ("auto.register.schemas", "false");
    for (entries, text) in [
        (&[][..], "\"int\""),
        (&[off][..], "\"int\""),
        (&[off, ("use.latest.version", "true")][..], "\"long\""),
        (&[off, ("use.schema.id", "3")][..], "\"long\""),
        (
            &[off, ("use.latest.with.metadata", "stage=test")][..],
            "\"float\"",
        ),
    ] {
        let config = config(&registry.url(), entries);
        let mut registry = SchemaRegistry::new(config, Format::Avro, false).unwrap();
        let written = SchemaToWrite {
            schema: &own,
            record_name: None,
        };
        let chosen = registry.for_write("t", written, &yes).unwrap();
        assert_eq!(chosen.registered.schema.text, text, "{entries:?}");
        assert_eq!(chosen.subject, "t-value");
    }
}

#[test]
fn a_latest_schema_that_does_not_suit_is_refused_unless_told_otherwise() {
    let registry = TestRegistry::start();
    registry.register("t-value", &avro("\"long\""));
    let no = |_: &RegisteredSchema, _: &References, _: &RegistrySchema| Compatible::No("because".to_owned());
    let entries = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let own = avro("\"int\"");
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let mut strict = SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
    let error = strict.for_write("t", written, &no).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(
        error.trace().contains("latest.compatibility.strict=false"),
        "{}",
        error.trace()
    );
    let entries = [entries[0], entries[1], ("latest.compatibility.strict", "false")];
    let mut lax = SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
    assert_eq!(lax.for_write("t", written, &no).unwrap().registered.id, 1);
}

#[test]
fn a_message_s_schema_comes_with_its_version_where_the_subject_has_it() {
    let registry = TestRegistry::start();
    registry.register("t-value", &avro("\"long\""));
    registry.register("t-value", &avro("\"int\""));
    registry.register("elsewhere", &avro("\"string\""));
    let mut reader = SchemaRegistry::new(config(&registry.url(), &[]), Format::Avro, false).unwrap();
    let none = |_: &RegisteredSchema| None;
    let read = reader.for_read("t", SchemaId::Id(2), &none).unwrap();
    assert_eq!(
        (read.version, read.registered.schema.text.as_str()),
        (Some(2), "\"int\"")
    );
    let guid = registry.guid(1).unwrap();
    assert_eq!(
        reader.for_read("t", SchemaId::Guid(guid), &none).unwrap().version,
        Some(1)
    );
    assert_eq!(
        reader.for_read("t", SchemaId::Id(3), &none).unwrap().version,
        None
    );
    let error = reader.for_read("t", SchemaId::Id(99), &none).unwrap_err();
    assert_eq!(error.message(), "Failed to deserialize data for topic t to Avro:");
    assert!(
        error
            .trace()
            .contains("Error retrieving Avro value schema for id 99"),
        "{}",
        error.trace()
    );
    let mut other = SchemaRegistry::new(config(&registry.url(), &[]), Format::Protobuf, false).unwrap();
    let error = other.for_read("t", SchemaId::Id(1), &none).unwrap_err();
    assert!(
        error.trace().contains("the schema is AVRO, not PROTOBUF"),
        "{}",
        error.trace()
    );
}

#[test]
fn a_registry_names_the_subject_of_a_topic() {
    let registry = TestRegistry::start();
    registry.associate("t", false, "shared");
    let mut writer = SchemaRegistry::new(config(&registry.url(), &[]), Format::Avro, false).unwrap();
    let own = avro("\"int\"");
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    assert_eq!(writer.for_write("t", written, &yes).unwrap().subject, "shared");
    assert_eq!(writer.for_write("u", written, &yes).unwrap().subject, "u-value");
    assert!(
        registry
            .requests()
            .iter()
            .any(|request| request.starts_with("GET /associations/resources/-/t?"))
    );
}

#[test]
fn a_topic_without_subject_of_its_own_has_the_fallback_s() {
    let registry = TestRegistry::start();
    registry.associate("t", false, "shared");
    let own = avro(r#"{"type":"record","name":"n.R","fields":[]}"#);
    let written = SchemaToWrite {
        schema: &own,
        record_name: Some("n.R"),
    };
    for (fallback, subject) in [("TOPIC", "u-value"), ("record", "n.R"), ("TOPIC_RECORD", "u-n.R")] {
        let entries = [
            ("subject.name.strategy.fallback.type", fallback),
            ("subject.name.strategy.kafka.cluster.id", "of/mine"),
        ];
        let mut serde = SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
        assert_eq!(serde.for_write("t", written, &yes).unwrap().subject, "shared");
        assert_eq!(serde.for_write("u", written, &yes).unwrap().subject, subject);
        let id = serde.for_write("u", written, &yes).unwrap().registered.id;
        let read = serde.for_read("u", SchemaId::Id(id), &|_| Some("n.R".to_owned()));
        assert_eq!(read.unwrap().subject, subject);
    }
    assert!(
        registry
            .requests()
            .iter()
            .any(|request| request.starts_with("GET /associations/resources/of%2Fmine/u?"))
    );
    let entries = [("subject.name.strategy.fallback.type", "NONE")];
    let mut serde = SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
    let error = serde.for_write("u", written, &yes).unwrap_err();
    assert!(
        error.trace().contains("No associated subject found for topic u"),
        "{}",
        error.trace()
    );
}

#[test]
fn a_registry_that_is_down_is_told_apart_from_one_that_refuses() {
    let gone = TestRegistry::start().url();
    let entries = [
        ("max.retries", "0"),
        (
            "value.subject.name.strategy",
            "io.confluent.kafka.serializers.subject.TopicNameStrategy",
        ),
    ];
    let mut registry = SchemaRegistry::new(config(&gone, &entries), Format::Avro, false).unwrap();
    let own = avro("\"int\"");
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let error = registry.for_write("t", written, &yes).unwrap_err();
    assert_eq!(error.class(), "org.apache.kafka.common.errors.NetworkException");
    assert!(error.message().contains(&gone), "{error}");
}

#[test]
fn tags_are_left_to_the_registry_where_they_are_wanted() {
    let registry = TestRegistry::start();
    let own = avro("\"int\"");
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let tags = ("propagate.schema.tags", "true");
    let off = ("auto.register.schemas", "false");
    for (entries, expected) in [
        (&[][..], serde_json::json!({"schema": "\"int\""})),
        (
            &[tags],
            serde_json::json!({"schema": "\"int\"", "propagateSchemaTags": true}),
        ),
        // What is only looked up gets none.
        (&[tags, off], serde_json::json!({"schema": "\"int\""})),
    ] {
        let config = config(&registry.url(), entries);
        let mut schemas = SchemaRegistry::new(config, Format::Avro, false).unwrap();
        let with = schemas.for_write("t", written, &yes).unwrap();
        assert_eq!(with.registered.id, 1);
        assert_eq!(registry.last_body(), expected, "{entries:?}");
    }
}

#[test]
fn compatibility_is_judged_with_the_schemas_that_the_latest_one_uses() {
    let registry = TestRegistry::start();
    registry.register("part", &avro("\"int\""));
    let mut latest = avro("\"long\"");
    latest.references.push(SchemaReference {
        name: "Part".to_owned(),
        subject: "part".to_owned(),
        version: 1,
    });
    registry.register("t-value", &latest);
    let entries = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut schemas = SchemaRegistry::new(config(&registry.url(), &entries), Format::Avro, false).unwrap();
    let own = avro("\"int\"");
    let written = SchemaToWrite {
        schema: &own,
        record_name: None,
    };
    let check = |_: &RegisteredSchema, references: &References, _: &RegistrySchema| {
        let used: Vec<_> = references
            .iter()
            .map(|(name, used)| (name.as_str(), used.schema.text.as_str()))
            .collect();
        match used.as_slice() {
            [("Part", "\"int\"")] => Compatible::Yes,
            other => Compatible::No(format!("{other:?}")),
        }
    };
    assert_eq!(schemas.for_write("t", written, &check).unwrap().registered.id, 2);
}

#[test]
fn what_is_read_with_the_latest_schema_is_asked_for_again_whatever_is_written() {
    let read_fixed = |entries: &[(&str, &str)]| {
        let config = config("http://localhost:1", entries);
        SchemaRegistry::new(config, Format::Json, false)
            .unwrap()
            .is_read_fixed()
    };
    let (latest, ttl) = (("use.latest.version", "true"), ("latest.cache.ttl.sec", "5"));
    assert!(read_fixed(&[]));
    assert!(read_fixed(&[ttl]));
    assert!(read_fixed(&[latest]));
    for register in ["true", "false"] {
        assert!(!read_fixed(&[latest, ttl, ("auto.register.schemas", register)]));
    }
}
