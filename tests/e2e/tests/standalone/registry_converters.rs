//! The registry converters through a worker: each from its library, with a registry that is asked once.

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::process::wait_until;
use wharf_test_services::{KafkaBroker, ports};

use crate::bad_records::{BadRecord, fail_and_become_dead_letters};
use crate::record_errors::{
    error_header, recorded_in, recording, tolerant, trace_of_failed, until_committed, with,
};

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const PROTOBUF: &str = "io.confluent.connect.protobuf.ProtobufConverter";
const JSON_SCHEMA: &str = "io.confluent.connect.json.JsonSchemaConverter";

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
        converter: AVRO,
        format: Format::Avro,
        is_schema: |text| text == "\"string\"",
        messages: [b"\x0egr\xc3\xbc\xc3\x9fe", b"\0", b"\x08last"],
    });
}

#[test]
fn lines_travel_as_protobuf_and_what_is_not_protobuf_fails_the_sink() {
    lines_travel(&Expected {
        name: "protobuf",
        converter: PROTOBUF,
        format: Format::Protobuf,
        is_schema: |text| {
            text.contains("message StringValue {")
                && text.contains("string value = 1 [json_name = \"value\"];")
        },
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
        converter: JSON_SCHEMA,
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

/// A converter, and texts as it reads them.
pub(crate) struct Flavour {
    pub(crate) format: Format,
    pub(crate) converter: &'static str,
    /// A schema of texts.
    pub(crate) text: &'static str,
    /// Another one.
    other_text: &'static str,
    /// A schema for which there is no Connect schema, the message of a value of it, and a part of what is said of it.
    unmapped: (&'static str, &'static [u8], &'static str),
    /// What stands in a message between the id and a text of up to 63 bytes.
    before: fn(u8) -> Vec<u8>,
    /// What stands behind it.
    pub(crate) after: &'static str,
    /// What the recording sink writes down of a text.
    pub(crate) recorded: fn(&str) -> String,
}

pub(crate) const FLAVOURS: [Flavour; 3] = [
    Flavour {
        format: Format::Avro,
        converter: AVRO,
        text: r#""string""#,
        other_text: r#"{"type":"string","doc":"other"}"#,
        unmapped: (
            r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#,
            b"\0",
            "the Avro type L contains itself",
        ),
        before: |length| vec![length * 2],
        after: "",
        recorded: str::to_owned,
    },
    Flavour {
        format: Format::Protobuf,
        converter: PROTOBUF,
        text: r#"syntax = "proto3"; message V { string value = 1; }"#,
        other_text: r#"syntax = "proto3"; message W { string value = 1; }"#,
        unmapped: (
            r#"syntax = "proto3"; message A { B b = 1; } message B { repeated A a = 1; }"#,
            b"\0",
            "the Protobuf message A contains itself",
        ),
        // The first message, and its first field.
        before: |length| vec![0, 0x0a, length],
        after: "",
        recorded: |text| format!("Struct{{value={text}}}"),
    },
    Flavour {
        format: Format::Json,
        converter: JSON_SCHEMA,
        text: r#"{"type":"string"}"#,
        other_text: r#"{"type":"string","title":"other"}"#,
        unmapped: (
            r##"{"type":"object","properties":{"next":{"oneOf":[{"type":"null"},{"$ref":"#"}]}}}"##,
            b"{}",
            "refers to itself",
        ),
        before: |_| vec![b'"'],
        after: "\"",
        recorded: str::to_owned,
    },
];

/// The wire format: a zero, the id, and what the format makes of it.
pub(crate) fn message(id: i32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

impl Flavour {
    pub(crate) fn register(&self, registry: &TestRegistry, subject: &str, schema: &str) -> i32 {
        registry
            .register(subject, &RegistrySchema::new(self.format, schema))
            .0
    }

    pub(crate) fn message(&self, id: i32, text: &str) -> Vec<u8> {
        let before = (self.before)(u8::try_from(text.len()).unwrap());
        message(id, &[&before, text.as_bytes(), self.after.as_bytes()].concat())
    }

    fn recorded(&self, texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (self.recorded)(text)).collect()
    }
}

#[test]
fn a_schema_that_is_unknown_or_has_no_connect_schema_costs_its_record_only() {
    let Some(stage) = Stage::set_up("registry-schemas") else {
        return;
    };
    let registry = TestRegistry::start();
    // The worker knows nothing of a registry: each connector has its own converter.
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let unknown = message(99, b"\0");
    let mut cases = Vec::new();
    for flavour in &FLAVOURS {
        let (schema, payload, reason) = flavour.unmapped;
        let name = flavour.format.name().to_lowercase();
        for (what, bad, reason) in [
            (
                format!("{name}-unknown"),
                unknown.clone(),
                "Schema 99 not found; error code: 40403",
            ),
            (
                format!("{name}-unmapped"),
                message(
                    flavour.register(
                        &registry,
                        &format!("{}-value", stage.named(&format!("{name}-unmapped"))),
                        schema,
                    ),
                    payload,
                ),
                reason,
            ),
        ] {
            let id = flavour.register(&registry, &format!("{}-value", stage.named(&what)), flavour.text);
            cases.push(BadRecord {
                config: json!({
                    "value.converter": flavour.converter, "value.converter.schema.registry.url": registry.url()
                }),
                records: [flavour.message(id, "first"), bad, flavour.message(id, "last")]
                    .map(|value| (Some(b"key".to_vec()), value)),
                good: ["first", "last"].map(flavour.recorded),
                headers: Vec::new(),
                is_key: false,
                class: flavour.converter,
                reason: reason.to_owned(),
                what,
            });
        }
    }
    let avro = &FLAVOURS[0];
    let id = avro.register(&registry, &format!("{}-key", stage.named("key")), avro.text);
    cases.push(BadRecord {
        what: "key".to_owned(),
        config: json!({"key.converter": AVRO, "key.converter.schema.registry.url": registry.url()}),
        records: [
            (Some(avro.message(id, "a")), b"first".to_vec()),
            (Some(unknown.clone()), b"second".to_vec()),
            (None, b"last".to_vec()),
        ],
        good: ["first", "last"].map(str::to_owned),
        headers: Vec::new(),
        is_key: true,
        class: AVRO,
        reason: "Error retrieving Avro key schema for id 99".to_owned(),
    });
    fail_and_become_dead_letters(&stage, &worker, &cases);
}

#[test]
fn the_keys_of_one_connector_may_have_a_converter_and_a_registry_of_their_own() {
    let Some(stage) = Stage::set_up("registry-keys") else {
        return;
    };
    let (kafka, topic, registry) = (stage.kafka(), stage.named("t"), TestRegistry::start());
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "7\n-8\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let avro = json!({"key.converter": AVRO, "key.converter.schema.registry.url": registry.url()});
    let source = json!({
        "connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input"),
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
    worker.create(&stage.named("source"), with(source, avro.clone()));
    let seen = kafka.reader(&topic).read(2);
    let told: Vec<_> = seen
        .iter()
        .map(|record| (record.key.clone().unwrap(), record.text()))
        .collect();
    let expected = ["7", "-8"].map(|line| (FLAVOURS[0].message(1, line), line.to_owned()));
    assert_eq!(told, expected);
    assert_eq!(registry.subjects(), [format!("{topic}-key")]);

    // Only a text can be cast, and with the worker's converter the bytes before it would be a part of the text.
    let cast = json!({
        "transforms": "number",
        "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Key",
        "transforms.number.spec": "int32"
    });
    for (what, converter) in [("avro", avro), ("worker-s", json!({}))] {
        let name = stage.named(what);
        let own = with(cast.clone(), json!({"record.file": stage.file(what)}));
        worker.create(&name, recording(&stage, &topic, with(own, converter)));
    }
    assert_eq!(recorded_in(&stage, "avro", 2), ["7", "-8"]);
    until_committed(&stage, &stage.named("avro"), &topic, 2);
    worker.until_states(&stage.named("avro"), &["RUNNING", "RUNNING"]);
    let trace = trace_of_failed(&worker, &stage.named("worker-s"));
    assert!(trace.contains("Cast$Key cannot process"), "{trace}");
}

#[test]
fn while_a_registry_is_away_tasks_fail_at_new_schemas_and_when_it_is_back_nothing_is_lost() {
    let Some(stage) = Stage::set_up("registry-away") else {
        return;
    };
    let [port] = ports::lasting().unwrap();
    let (kafka, registry) = (
        stage.kafka(),
        TestRegistry::start_at(ports::listen(port).unwrap()),
    );
    let url = registry.url();
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let name = |flavour: &Flavour, what: &str| {
        stage.named(&format!("{}-{what}", flavour.format.name().to_lowercase()))
    };
    // The same ids in the registry that comes back.
    let register = |registry: &TestRegistry| {
        FLAVOURS.each_ref().map(|flavour| {
            let subject = format!("{}-value", name(flavour, "t"));
            [flavour.text, flavour.other_text].map(|schema| flavour.register(registry, &subject, schema))
        })
    };
    let ids = register(&registry);
    for (flavour, [known, _]) in FLAVOURS.iter().zip(ids) {
        let topic = name(flavour, "t");
        kafka.create_topic(&topic, 1, &[]);
        kafka.produce(&topic, [(None, flavour.message(known, "first").as_slice())]);
        for (what, more) in [
            ("strict", json!({})),
            ("tolerant", tolerant(&name(flavour, "dead"))),
        ] {
            let sink = name(flavour, what);
            let converter = json!({
                "value.converter": flavour.converter, "value.converter.schema.registry.url": url,
                "value.converter.max.retries": "2", "value.converter.retries.wait.ms": "10",
                "record.file": stage.file(&sink)
            });
            worker.create(&sink, recording(&stage, &topic, with(converter, more)));
        }
    }
    for flavour in &FLAVOURS {
        for what in ["strict", "tolerant"] {
            let expected = flavour.recorded(&["first"]);
            assert_eq!(recorded_in(&stage, &name(flavour, what), 1), expected);
        }
    }
    drop(registry);
    for (flavour, [known, new]) in FLAVOURS.iter().zip(ids) {
        let values = [
            flavour.message(known, "second"),
            flavour.message(new, "third"),
            flavour.message(known, "last"),
        ];
        kafka.produce(
            &name(flavour, "t"),
            values.iter().map(|value| (None, value.as_slice())),
        );
    }
    for (flavour, [_, new]) in FLAVOURS.iter().zip(ids) {
        let (topic, strict, tolerant) = (
            name(flavour, "t"),
            name(flavour, "strict"),
            name(flavour, "tolerant"),
        );
        let trace = trace_of_failed(&worker, &strict);
        for part in [
            format!(
                "the value converter {} cannot convert the record at topic {topic}, partition 0, offset 2",
                flavour.converter
            ),
            format!(
                "org.apache.kafka.common.errors.NetworkException: Network connection error while deserializing data for topic {topic}"
            ),
            format!("cannot reach the schema registry at {url}/schemas/ids/{new}: "),
            "Connection refused".to_owned(),
        ] {
            assert!(trace.contains(&part), "no '{part}' in {trace}");
        }
        // The schema that is known needs no registry.
        assert_eq!(
            recorded_in(&stage, &strict, 2),
            flavour.recorded(&["first", "second"])
        );
        until_committed(&stage, &strict, &topic, 2);

        // As upstream's, a sink that tolerates errors does not wait for a registry: the record is skipped, and kept.
        let expected = flavour.recorded(&["first", "second", "last"]);
        assert_eq!(recorded_in(&stage, &tolerant, 3), expected);
        until_committed(&stage, &tolerant, &topic, 4);
        let letters = kafka.reader(&name(flavour, "dead")).read_to_end();
        let [letter] = &letters[..] else {
            panic!("{letters:?}");
        };
        assert_eq!(letter.value, Some(flavour.message(new, "third")));
        for (header, expected) in [
            ("topic", topic.as_str()),
            ("partition", "0"),
            ("offset", "2"),
            ("stage", "VALUE_CONVERTER"),
            ("class.name", flavour.converter),
            (
                "exception.class.name",
                "org.apache.kafka.common.errors.NetworkException",
            ),
        ] {
            assert_eq!(error_header(letter, header), expected, "{header}");
        }
        assert!(error_header(letter, "exception.message").contains(&url));
    }

    let registry = TestRegistry::start_at(ports::listen(port).unwrap());
    assert_eq!(register(&registry), ids);
    for flavour in &FLAVOURS {
        let strict = name(flavour, "strict");
        let restart = format!("/connectors/{strict}/restart?includeTasks=true&onlyFailed=true");
        worker.call("POST", &restart, None, 202);
        let expected = flavour.recorded(&["first", "second", "third", "last"]);
        assert_eq!(recorded_in(&stage, &strict, 4), expected);
        until_committed(&stage, &strict, &name(flavour, "t"), 4);
        worker.until_states(&strict, &["RUNNING", "RUNNING"]);
    }
}

#[test]
fn a_registry_that_cannot_answer_now_is_asked_again_within_the_retry_time() {
    let Some(stage) = Stage::set_up("registry-busy") else {
        return;
    };
    let (kafka, topic, registry) = (stage.kafka(), stage.named("t"), TestRegistry::start());
    let (avro, name) = (&FLAVOURS[0], stage.named("sink"));
    let id = avro.register(&registry, &format!("{topic}-value"), avro.text);
    kafka.create_topic(&topic, 1, &[]);
    let values = ["first", "last"].map(|text| avro.message(id, text));
    kafka.produce(&topic, values.iter().map(|value| (None, value.as_slice())));
    // Each of the converter's two requests is the worker's one attempt.
    registry.fail_next(&[503; 4]);
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let converter = json!({
        "value.converter": AVRO, "value.converter.schema.registry.url": registry.url(),
        "value.converter.max.retries": "1", "value.converter.retries.wait.ms": "10",
        "errors.retry.timeout": "60000"
    });
    let dead = stage.named("dead");
    let sink = recording(&stage, &topic, with(converter, tolerant(&dead)));
    worker.create(&name, sink);
    assert_eq!(recorded_in(&stage, "calls", 2), ["first", "last"]);
    until_committed(&stage, &name, &topic, 2);
    assert_eq!(kafka.count(&dead), 0);
}
