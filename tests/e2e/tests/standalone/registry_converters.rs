//! The registry converters through a worker: each from its library, with a registry that is asked once.

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage};
use wharf_schema_registry::Format;
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::KafkaBroker;
use wharf_test_services::process::wait_until;

/// What the lines `grüße`, an empty one and `last` are in one format.
struct Expected {
    name: &'static str,
    converter: &'static str,
    format: Format,
    /// Whether this text is the registered schema's.
    is_schema: fn(&str) -> bool,
    /// The messages after the magic byte and the id.
    messages: [&'static [u8]; 3],
}

#[test]
fn lines_travel_as_avro_and_what_is_not_avro_fails_the_sink() {
    lines_travel(&Expected {
        name: "avro",
        converter: "io.confluent.connect.avro.AvroConverter",
        format: Format::Avro,
        is_schema: |text| text == "\"string\"",
        messages: [b"\x0egr\xc3\xbc\xc3\x9fe", b"\0", b"\x08last"],
    });
}

#[test]
fn lines_travel_as_protobuf_and_what_is_not_protobuf_fails_the_sink() {
    lines_travel(&Expected {
        name: "protobuf",
        converter: "io.confluent.connect.protobuf.ProtobufConverter",
        format: Format::Protobuf,
        is_schema: |text| text.contains("message StringValue {") && text.contains("string value = 1;"),
        // The eighth message of Google's wrappers; a field that has its default is not written.
        messages: [
            b"\x02\x0e\x0a\x07gr\xc3\xbc\xc3\x9fe",
            b"\x02\x0e",
            b"\x02\x0e\x0a\x04last",
        ],
    });
}

#[test]
fn lines_travel_as_json_schema_and_what_is_not_of_it_fails_the_sink() {
    lines_travel(&Expected {
        name: "json-schema",
        converter: "io.confluent.connect.json.JsonSchemaConverter",
        format: Format::Json,
        is_schema: |text| serde_json::from_str::<Value>(text).unwrap() == json!({"type": "string"}),
        messages: ["\"grüße\"".as_bytes(), b"\"\"", b"\"last\""],
    });
}

/// Lines of a file go into a topic in the wire format of the registry and into another file again; then a record that is
/// none of the format fails the sink.
fn lines_travel(expected: &Expected) {
    let Some(broker) = KafkaBroker::shared() else {
        return;
    };
    let Some(stage) = Stage::with_shipped_plugins(expected.name, broker.bootstrap()) else {
        return;
    };
    let registry = TestRegistry::start();
    let topic = stage.named("lines");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let lines = "grüße\n\nlast\n";
    stage.write("input", lines);
    let worker = stage.start(
        &[
            ("value.converter", expected.converter),
            ("value.converter.schema.registry.url", &registry.url()),
            ("offset.flush.interval.ms", "100"),
        ],
        &[],
    );
    worker.create(
        &stage.named("source"),
        json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")}),
    );
    let records = kafka.reader(&topic).read(3);
    let values: Vec<&[u8]> = records
        .iter()
        .map(|record| record.value.as_deref().unwrap())
        .collect();
    assert_eq!(
        values,
        expected
            .messages
            .map(|message| [b"\0\0\0\0\x01", message].concat())
    );
    let schema = registry.schema(1).unwrap();
    assert_eq!(schema.format, expected.format);
    assert!((expected.is_schema)(&schema.text), "{}", schema.text);
    assert_eq!(registry.subjects(), [format!("{topic}-value")]);
    let registered =
        |request: &String| request.starts_with("POST /subjects/") && request.ends_with("/versions");
    assert_eq!(
        registry
            .requests()
            .iter()
            .filter(|request| registered(request))
            .count(),
        1
    );

    let sink = stage.named("sink");
    worker.create(
        &sink,
        json!({"connector.class": "FileStreamSink", "topics": topic, "file": stage.file("output")}),
    );
    assert!(
        wait_until(PATIENCE, || stage.read("output") == lines.as_bytes()),
        "{}",
        worker.log()
    );
    kafka.produce_lines(&topic, &["in no format of a registry".to_owned()]);
    let status = worker.until_states(&sink, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains("Unknown magic byte!"), "{trace}");
    assert_eq!(worker.terminate(), Some(143));
}
