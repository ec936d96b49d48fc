//! Schemas named by GUIDs in headers, with Confluent's own serializers (Python) on the other side: theirs are read by a sink here,
//! ours there, for keys and values of every format.
//!
//! The registry is the one of tests in this process, because a reader asks for a schema by its GUID (`/schemas/guids/{guid}`): Apicurio
//! 3.3.3, the real registry of the other tests, has no such path in the API that it shares with Confluent's, and gives no GUIDs.

use std::path::Path;

use serde_json::json;
use wharf_e2e::{Seen, Stage, ToWrite};
use wharf_schema_registry::testing::TestRegistry;
use wharf_test_services::schema_registry::CONFLUENT_KAFKA;
use wharf_test_services::{available, hex, python, unhex};

use crate::record_errors::{recorded_in, recording, until_committed, with};

/// `write URL TOPIC FORMAT TEXT…` prints for each text the key and the value that the serializers make of it, each as payload and header;
/// `read URL TOPIC FORMAT PART…` prints what is in such parts, which come as payload, name of the header and header.
const SCRIPT: &str = r#"
import sys
from google.protobuf.wrappers_pb2 import StringValue
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

do, url, topic, format, *rest = sys.argv[1:]
client = SchemaRegistryClient({"url": url, "timeout": 20})
to_header = {"schema.id.serializer": header_schema_id_serializer}
if do == "write":
    write = {
        "avro": lambda: AvroSerializer(client, '"string"', conf=to_header),
        "protobuf": lambda: ProtobufSerializer(StringValue, client, {**to_header, "use.deprecated.format": False}),
        "json": lambda: JSONSerializer('{"type":"string"}', client, conf=to_header),
    }[format]()
    for text in rest:
        for field in [MessageField.KEY, MessageField.VALUE]:
            headers = []
            value = StringValue(value=text) if format == "protobuf" else text
            payload = write(value, SerializationContext(topic, field, headers))
            (name, guid), = headers
            print(payload.hex(), name, guid.hex())
else:
    read = {
        "avro": lambda: AvroDeserializer(client),
        # A registry would have to give it serialized descriptors, which that of tests does not make of texts.
        "protobuf": lambda: ProtobufDeserializer(StringValue, {"use.deprecated.format": False}),
        "json": lambda: JSONDeserializer(None, schema_registry_client=client),
    }[format]()
    for payload, name, guid in zip(rest[::3], rest[1::3], rest[2::3]):
        field = MessageField.KEY if name == "__key_schema_id" else MessageField.VALUE
        value = read(bytes.fromhex(payload), SerializationContext(topic, field, [(name, bytes.fromhex(guid))]))
        print(value.value if format == "protobuf" else value)
"#;

const FORMATS: [(&str, &str); 3] = [
    ("avro", "io.confluent.connect.avro.AvroConverter"),
    ("protobuf", "io.confluent.connect.protobuf.ProtobufConverter"),
    ("json", "io.confluent.connect.json.JsonSchemaConverter"),
];

const NAMES: [&str; 2] = ["__key_schema_id", "__value_schema_id"];

/// What the serializers write for each text, of which key and value are that text.
fn written_there(python: &Path, url: &str, topic: &str, format: &str, texts: &[&str]) -> Vec<ToWrite> {
    let printed = python::run(python, SCRIPT, &[&["write", url, topic, format], texts].concat());
    let parts: Vec<Vec<&str>> = printed.lines().map(|line| line.split(' ').collect()).collect();
    let record = |parts: &[Vec<&str>]| {
        let header = |part: &Vec<&str>| (part[1].to_owned(), Some(unhex(part[2])));
        ToWrite {
            key: Some(unhex(parts[0][0])),
            value: Some(unhex(parts[1][0])),
            headers: parts.iter().map(header).collect(),
            ..ToWrite::default()
        }
    };
    parts.chunks(2).map(record).collect()
}

/// What the deserializers find in the keys and values of records.
fn read_there(python: &Path, url: &str, topic: &str, format: &str, records: &[Seen]) -> Vec<String> {
    let mut arguments = ["read", url, topic, format].map(str::to_owned).to_vec();
    for record in records {
        let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, NAMES);
        let payloads = [record.key.as_deref(), record.value.as_deref()];
        for ((name, guid), payload) in record.headers.iter().zip(payloads) {
            arguments.extend([hex(payload.unwrap()), name.clone(), hex(guid.as_deref().unwrap())]);
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    python::run(python, SCRIPT, &arguments)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn guids_in_headers_are_understood_by_the_original_serializers_and_theirs_here() {
    let Some(stage) = Stage::set_up("registry-headers") else {
        return;
    };
    let Some(python) = available(CONFLUENT_KAFKA.python()) else {
        return;
    };
    let (kafka, registry) = (stage.kafka(), TestRegistry::start());
    let url = registry.url();
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    stage.write("input", "1234567\n-7654321\n");
    // Python's deserializers take no payload of less than six bytes, though ids in headers leave shorter ones.
    let texts = ["1234567", "-7654321"];
    let to_header = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    for (format, class) in FORMATS {
        let named = |what: &str| stage.named(&format!("{format}-{what}"));
        let converter = json!({
            "key.converter": class, "key.converter.schema.registry.url": url,
            "value.converter": class, "value.converter.schema.registry.url": url
        });
        // Only texts can be cast to numbers, so a key or value that was not understood fails the sink.
        let reading = |topic: &str, sink: &str| {
            let read = json!({
                "record.file": stage.file(sink), "transforms": "key,value",
                "transforms.key.type": "org.apache.kafka.connect.transforms.Cast$Key",
                "transforms.key.spec": "int32",
                "transforms.value.type": "org.apache.kafka.connect.transforms.Cast$Value",
                "transforms.value.spec": "int32"
            });
            worker.create(sink, recording(&stage, topic, with(converter.clone(), read)));
            assert_eq!(recorded_in(&stage, sink, 2), texts, "{sink}");
            until_committed(&stage, sink, topic, 2);
            worker.until_states(sink, &["RUNNING", "RUNNING"]);
        };

        let theirs = named("t-theirs");
        kafka.create_topic(&theirs, 1, &[]);
        kafka.write_records(&theirs, written_there(&python, &url, &theirs, format, &texts));
        reading(&theirs, &named("sink-theirs"));

        let ours = named("t-ours");
        kafka.create_topic(&ours, 1, &[]);
        let source = json!({
            "connector.class": "FileStreamSource", "topic": ours, "file": stage.file("input"),
            "key.converter.key.schema.id.serializer": to_header,
            "value.converter.value.schema.id.serializer": to_header,
            "transforms": "hoist,key,part,back",
            "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.hoist.field": "line",
            "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey",
            "transforms.key.fields": "line",
            "transforms.part.type": "org.apache.kafka.connect.transforms.ExtractField$Key",
            "transforms.part.field": "line",
            "transforms.back.type": "org.apache.kafka.connect.transforms.ExtractField$Value",
            "transforms.back.field": "line"
        });
        worker.create(&named("source"), with(source, converter.clone()));
        let records = kafka.reader(&ours).read(2);
        assert_eq!(
            read_there(&python, &url, &ours, format, &records),
            [texts[0], texts[0], texts[1], texts[1]]
        );
        reading(&ours, &named("sink-ours"));
    }
    assert_eq!(worker.terminate(), Some(143));
}
