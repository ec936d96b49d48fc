//! Header converters, transforms and predicates of a third party, where a worker or a connector names them.

use serde_json::{Value, json};
use wharf_e2e::{Seen, Stage, ToWrite, Worker};
use wharf_test_services::http;

use crate::record_errors::{
    error_header, header, recorded, recorded_in, recording, source_of, tolerant, tolerant_source,
    until_committed, until_position, with,
};

const ROT13: &str = "wharf.test.Rot13HeaderConverter";
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
const INSERT_HEADER: &str = "org.apache.kafka.connect.transforms.InsertHeader";
const FILTER: &str = "org.apache.kafka.connect.transforms.Filter";

/// A sink that lets those records through only whose header `mark` reads `keep` to its transforms.
fn keeping(stage: &Stage, name: &str, topic: &str) -> Value {
    let config = json!({
        "record.file": stage.file(name),
        "transforms": "drop",
        "transforms.drop.type": FILTER,
        "transforms.drop.predicate": "kept",
        "transforms.drop.negate": "true",
        "predicates": "kept",
        "predicates.kept.type": "wharf.test.ValueContains",
        "predicates.kept.of.header": "mark",
        "predicates.kept.text": "keep"
    });
    recording(stage, topic, config)
}

/// What a source writes and a sink reads with the header converter that `own` names, or the worker's; `rotates` says whether that is
/// the third party's.
fn headers_are_converted(stage: &Stage, worker: &Worker, what: &str, own: Option<&str>, rotates: bool) {
    let kafka = stage.kafka();
    let (written, read) = (
        stage.named(&format!("{what}-written")),
        stage.named(&format!("{what}-read")),
    );
    kafka.create_topic(&written, 1, &[]);
    kafka.create_topic(&read, 1, &[]);
    let own = own.map_or(json!({}), |class| json!({"header.converter": class}));
    let source = json!({
        "connector.class": "FileStreamSource",
        "topic": written,
        "file": stage.file("input"),
        "transforms": "mark",
        "transforms.mark.type": INSERT_HEADER,
        "transforms.mark.header": "mark",
        "transforms.mark.value.literal": "Hello World"
    });
    worker.create(&stage.named(&format!("{what}-source")), with(source, own.clone()));
    let expected = if rotates { "Uryyb Jbeyq" } else { "Hello World" };
    let seen = kafka.reader(&written).read(1).remove(0);
    assert_eq!(header(&seen, "mark").as_deref(), Some(expected), "{what}");

    let marked = |value: &str, mark: &[u8]| ToWrite {
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("mark".to_owned(), Some(mark.to_vec()))],
        ..ToWrite::default()
    };
    kafka.write_records(&read, [marked("plain", b"keep"), marked("rotated", b"xrrc")]);
    worker.create(
        &stage.named(&format!("{what}-sink")),
        with(keeping(stage, what, &read), own),
    );
    let expected = if rotates { "rotated" } else { "plain" };
    assert_eq!(recorded_in(stage, what, 1), [expected], "{what}");
    until_committed(stage, &stage.named(&format!("{what}-sink")), &read, 2);
    assert_eq!(
        recorded_in(stage, what, 1),
        [expected],
        "{what}: the other one is left out"
    );
}

#[test]
fn a_third_party_s_header_converter_is_the_worker_s_or_a_connector_s() {
    let Some(stage) = Stage::set_up("header-converter") else {
        return;
    };
    stage.write("input", "line\n");
    let flush = ("offset.flush.interval.ms", "300");
    let worker = stage.start(&[flush, ("header.converter", ROT13)], &[]);
    headers_are_converted(&stage, &worker, "of-worker", None, true);
    headers_are_converted(&stage, &worker, "not-of-worker", Some(SIMPLE), false);
    assert_eq!(worker.terminate(), Some(143));
    let worker = stage.start(&[flush], &[]);
    headers_are_converted(&stage, &worker, "of-none", None, false);
    headers_are_converted(&stage, &worker, "of-connector", Some(ROT13), true);
}

#[test]
fn a_header_that_a_third_party_s_converter_refuses_makes_its_record_a_dead_letter() {
    let Some(stage) = Stage::set_up("refused-header") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    let record = |value: &str, mark: Option<&[u8]>| ToWrite {
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("mark".to_owned(), mark.map(<[u8]>::to_vec))],
        ..ToWrite::default()
    };
    kafka.write_records(
        &topic,
        [
            record("one", Some(b"bar")),
            record("bad", Some(b"\xff")),
            record("two", None),
        ],
    );
    // The file has a number in the header of one line of three, which cannot be rotated: its value is its header.
    let refusing = json!({
        "header.converter": ROT13,
        "transforms": "word,number",
        "transforms.word.type": INSERT_HEADER,
        "transforms.word.header": "mark",
        "transforms.word.value.literal": "Hello",
        "transforms.number.type": INSERT_HEADER,
        "transforms.number.header": "number",
        "transforms.number.value.literal": "7",
        "transforms.number.predicate": "bad",
        "predicates": "bad",
        "predicates.bad.type": "wharf.test.ValueContains",
        "predicates.bad.text": "bad"
    });
    let (written, lost) = (stage.named("written"), stage.named("lost"));
    kafka.create_topic(&written, 1, &[]);
    let (worker, source) = source_of(
        &stage,
        "one\nbad\ntwo\n",
        &written,
        with(refusing, tolerant_source(&lost)),
    );
    let name = stage.named("sink");
    let own = json!({"header.converter": ROT13});
    worker.create(&name, recording(&stage, &topic, with(own, tolerant(&dead))));

    assert_eq!(recorded(&stage, 2), ["one", "two"]);
    until_committed(&stage, &name, &topic, 3);
    let letter = kafka.reader(&dead).read(1).remove(0);
    assert_eq!(letter.text(), "bad");
    assert!(
        letter.headers.contains(&("mark".to_owned(), Some(vec![0xff]))),
        "the header is the one that was consumed: {letter:?}"
    );
    assert_eq!(error_header(&letter, "offset"), "1");

    let sent = kafka.reader(&written).read(2);
    assert_eq!(sent.iter().map(Seen::text).collect::<Vec<_>>(), ["one", "two"]);
    until_position(&worker, &source, 12);
    let lost = kafka.reader(&lost).read(1).remove(0);
    for letter in [&letter, &lost] {
        assert_eq!(error_header(letter, "stage"), "HEADER_CONVERTER");
        assert_eq!(error_header(letter, "class.name"), ROT13);
    }
    assert_eq!(
        error_header(&lost, "exception.message"),
        "only text can be rotated, not a java.lang.Byte"
    );
}

#[test]
fn a_third_party_s_transform_and_predicate_work_in_a_source() {
    let Some(stage) = Stage::set_up("third-party-source") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    let transforms = json!({
        "transforms": "upper,leave",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "transforms.upper.busy.times": "2",
        "transforms.upper.predicate": "kept",
        "transforms.upper.negate": "true",
        "transforms.leave.type": FILTER,
        "transforms.leave.predicate": "left",
        "predicates": "kept,left",
        "predicates.kept.type": "wharf.test.ValueContains",
        "predicates.kept.text": "keep",
        "predicates.left.type": "wharf.test.ValueContains",
        "predicates.left.text": "LEFT",
        "errors.retry.timeout": "10000"
    });
    let input = "one\nrefuse\nkeep drop\ndrop\npanic\nleft\nbusy\nkeep left\n";
    let (worker, name) = source_of(&stage, input, &topic, with(transforms, tolerant_source(&dead)));
    let sent = kafka.reader(&topic).read(4);
    assert_eq!(
        sent.iter().map(Seen::text).collect::<Vec<_>>(),
        ["ONE", "keep drop", "BUSY", "keep left"],
        "in their order, the one that was tried again too"
    );
    until_position(&worker, &name, input.len());
    assert_eq!(kafka.count(&topic), 4);
    let letters = kafka.reader(&dead).read(2);
    let told: Vec<(Value, String, String)> = letters
        .iter()
        .map(|letter| {
            let value: Value = serde_json::from_slice(letter.value.as_deref().unwrap()).unwrap();
            let class = error_header(letter, "class.name");
            (
                value["payload"].clone(),
                class,
                error_header(letter, "exception.class.name"),
            )
        })
        .collect();
    let row = |payload: &str, error: &str| {
        let class = "wharf.test.UppercaseValue".to_owned();
        (json!(payload), class, error.to_owned())
    };
    assert_eq!(
        told,
        [
            row("refuse", "org.apache.kafka.connect.errors.DataException"),
            row("panic", "java.lang.RuntimeException"),
        ]
    );

    let metrics = http::request(worker.address(), "GET", "/metrics", None)
        .unwrap()
        .body;
    for (part, alias, class) in [
        ("transform", "upper", "wharf.test.UppercaseValue"),
        ("predicate", "kept", "wharf.test.ValueContains"),
        ("predicate", "left", "wharf.test.ValueContains"),
    ] {
        let name = format!("kafka_connect_connector_{part}_info{{");
        let labels = [format!("{part}=\"{alias}\""), format!("{part}_class=\"{class}\"")];
        let is_told = |line: &str| line.starts_with(&name) && labels.iter().all(|label| line.contains(label));
        assert!(metrics.lines().any(is_told), "{alias}: {metrics}");
    }
}
