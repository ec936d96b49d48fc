//! Avro through a worker: the converter from its library, with a registry that is asked once.

use serde_json::json;
use wharf_e2e::{PATIENCE, Stage};
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::KafkaBroker;
use wharf_test_services::process::wait_until;

#[test]
fn lines_travel_as_avro_and_what_is_not_avro_fails_the_sink() {
    let Some(broker) = KafkaBroker::shared() else {
        return;
    };
    let Some(stage) = Stage::with_shipped_plugins("avro", broker.bootstrap()) else {
        return;
    };
    let registry = TestRegistry::start();
    let topic = stage.named("lines");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "grüße\n\nlast\n");
    let worker = stage.start(
        &[
            ("value.converter", "io.confluent.connect.avro.AvroConverter"),
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
        [
            &b"\0\0\0\0\x01\x0egr\xc3\xbc\xc3\x9fe"[..],
            b"\0\0\0\0\x01\0",
            b"\0\0\0\0\x01\x08last"
        ]
    );
    assert_eq!(registry.text(1).as_deref(), Some("\"string\""));
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
    let expected = "grüße\n\nlast\n";
    assert!(
        wait_until(PATIENCE, || stage.path("output").exists()
            && stage.read("output") == expected.as_bytes()),
        "{}",
        worker.log()
    );
    kafka.produce_lines(&topic, &["no Avro".to_owned()]);
    let status = worker.until_states(&sink, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains("Unknown magic byte!"), "{trace}");
    assert_eq!(worker.terminate(), Some(143));
}
