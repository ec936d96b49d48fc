//! Records together with their schemas through a worker: a sink gets them wrapped, and what a source has wrapped is written with the schema
//! that it brings along.

use serde_json::json;
use wharf_e2e::Stage;
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::KafkaBroker;

use crate::record_errors::{recorded_in, recording, until_committed, with};
use crate::registry_converters::FLAVOURS;

/// What the converters call their formats, and a schema of texts that they would not make themselves.
const BROUGHT: [(&str, &str); 3] = [
    ("AVRO", r#"{"type":"string","doc":"kept"}"#),
    (
        "PROTOBUF",
        "syntax = \"proto3\"; package kept; message StringValue { string value = 1; }",
    ),
    ("JSON_SCHEMA", r#"{"type":"string","title":"kept"}"#),
];

#[test]
fn a_sink_gets_records_together_with_their_schemas() {
    let Some(stage) = Stage::set_up("registry-wrapped") else {
        return;
    };
    let (kafka, registry) = (stage.kafka(), TestRegistry::start());
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    for (flavour, (format, _)) in FLAVOURS.iter().zip(BROUGHT) {
        let name = stage.named(format);
        kafka.create_topic(&name, 1, &[]);
        let subject = format!("{name}-value");
        let id = flavour.register(&registry, &subject, flavour.text);
        let messages = ["first", "last"].map(|text| flavour.message(id, text));
        kafka.produce(&name, messages.iter().map(|message| (None, message.as_slice())));
        let config = json!({
            "value.converter": flavour.converter, "value.converter.schema.registry.url": registry.url(),
            "value.converter.schema.backup.enabled": "true", "record.file": stage.file(format)
        });
        worker.create(&name, recording(&stage, &name, config));
        let wrapped = ["first", "last"].map(|text| {
            format!(
                "Struct{{data={},schemaId={id},schemaVersion=1,schemaType={format},schemaSubject={subject},rawSchema={}}}",
                (flavour.recorded)(text),
                flavour.text
            )
        });
        assert_eq!(recorded_in(&stage, format, 2), wrapped);
        until_committed(&stage, &name, &name, 2);
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn what_a_source_has_wrapped_is_written_with_the_schema_it_brings_along() {
    let Some(broker) = KafkaBroker::shared() else {
        return;
    };
    let Some(stage) = Stage::with_shipped_plugins("registry-unwrapped", broker.bootstrap()) else {
        return;
    };
    let (kafka, registry) = (stage.kafka(), TestRegistry::start());
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    stage.write("input", "first\nlast\n");
    for (flavour, (format, brought)) in FLAVOURS.iter().zip(BROUGHT) {
        let topic = stage.named(format);
        kafka.create_topic(&topic, 1, &[]);
        let source = json!({
            "connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input"),
            "value.converter": flavour.converter, "value.converter.schema.registry.url": registry.url(),
            "value.converter.schema.backup.enabled": "true"
        });
        let wraps = json!({
            "transforms": "data,type,raw,name",
            "transforms.data.type": "org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.data.field": "data",
            "transforms.type.type": "org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.type.static.field": "schemaType",
            "transforms.type.static.value": format,
            "transforms.raw.type": "org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.raw.static.field": "rawSchema",
            "transforms.raw.static.value": brought,
            "transforms.name.type": "org.apache.kafka.connect.transforms.SetSchemaMetadata$Value",
            "transforms.name.schema.name": "io.confluent.connect.backup.Wrapper"
        });
        worker.create(&topic, with(source, wraps));
        let seen = kafka.reader(&topic).read(2);
        let schema = registry.version(&format!("{topic}-value"), 1).unwrap();
        assert_eq!((schema.format, schema.text.as_str()), (flavour.format, brought));
        let id = i32::from_be_bytes(seen[0].value.as_ref().unwrap()[1..5].try_into().unwrap());
        assert_eq!(registry.text(id).as_deref(), Some(brought));
        let values = seen.iter().map(|record| record.value.clone().unwrap());
        let expected = ["first", "last"].map(|text| flavour.message(id, text));
        assert_eq!(values.collect::<Vec<_>>(), expected, "{format}");
        worker.until_states(&topic, &["RUNNING", "RUNNING"]);
    }
    assert_eq!(worker.terminate(), Some(143));
}
