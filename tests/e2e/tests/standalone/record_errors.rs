//! Records that fail: skipped, tried again, kept as dead letters, or the end of their task; with transforms, predicates and
//! converters of a third party.

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Seen, Stage, Worker};
use wharf_test_services::process::wait_until;

pub(crate) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// `config` with more entries.
pub(crate) fn with(mut config: Value, more: Value) -> Value {
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

pub(crate) fn recording(stage: &Stage, topic: &str, more: Value) -> Value {
    let sink = json!({
        "connector.class": "wharf.test.RecordingSink", "tasks.max": "1", "topics": topic, "record.file": stage.file("calls")
    });
    with(sink, more)
}

/// Keys by which a sink skips what fails, and keeps it.
pub(crate) fn tolerant(dead: &str) -> Value {
    json!({
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": dead,
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true"
    })
}

/// Keys by which a source skips what fails, and keeps it.
pub(crate) fn tolerant_source(dead: &str) -> Value {
    json!({
        "errors.tolerance": "all",
        "wharf.errors.deadletterqueue.topic.name": dead,
        "wharf.errors.deadletterqueue.topic.replication.factor": "1"
    })
}

/// A worker whose file source, that this config completes, has this input; with the source's name.
pub(crate) fn source_of(stage: &Stage, input: &str, topic: &str, more: Value) -> (Worker, String) {
    stage.write("input", input);
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    let name = stage.named("source");
    let source = json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")});
    worker.create(&name, with(source, more));
    (worker, name)
}

/// Until the offset of a file source is stored, so many bytes from the start.
pub(crate) fn until_position(worker: &Worker, name: &str, position: usize) {
    worker.until(
        &format!("/connectors/{name}/offsets"),
        &format!("the offset {position}"),
        |answer| answer["offsets"][0]["offset"]["position"] == json!(position),
    );
}

/// The values that the recording sink got, once there are `count`.
pub(crate) fn recorded(stage: &Stage, count: usize) -> Vec<String> {
    recorded_in(stage, "calls", count)
}

/// The same of a sink whose `record.file` is this one.
pub(crate) fn recorded_in(stage: &Stage, file: &str, count: usize) -> Vec<String> {
    let values = || -> Vec<String> {
        let text = String::from_utf8(stage.read(file)).unwrap();
        let value = |line: &str| Some(line.strip_prefix("record ")?.split_once(' ')?.1.to_owned());
        text.lines().filter_map(value).collect()
    };
    assert!(wait_until(PATIENCE, || values().len() >= count), "{:?}", values());
    values()
}

pub(crate) fn header(record: &Seen, name: &str) -> Option<String> {
    let (_, value) = record.headers.iter().find(|(known, _)| known == name)?;
    Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
}

pub(crate) fn error_header(record: &Seen, name: &str) -> String {
    header(record, &format!("__connect.errors.{name}")).unwrap_or_else(|| panic!("no {name} in {record:?}"))
}

pub(crate) fn trace_of_failed(worker: &Worker, name: &str) -> String {
    let status = worker.until_states(name, &["RUNNING", "FAILED"]);
    status["tasks"][0]["trace"].as_str().unwrap().to_owned()
}

/// Waits until the group of a sink has committed this offset of partition 0 of the topic.
pub(crate) fn until_committed(stage: &Stage, connector: &str, topic: &str, offset: i64) {
    until_committed_of(stage, connector, (topic, 0), offset);
}

/// The same of any partition.
pub(crate) fn until_committed_of(
    stage: &Stage,
    connector: &str,
    (topic, partition): (&str, i32),
    offset: i64,
) {
    let kafka = stage.kafka();
    let place = (topic.to_owned(), partition);
    let committed = || {
        kafka
            .committed(&format!("connect-{connector}"))
            .get(&place)
            .copied()
    };
    assert!(
        wait_until(PATIENCE, || committed() == Some(offset)),
        "{:?}",
        committed()
    );
}

#[test]
fn bad_records_of_a_sink_become_dead_letters_and_their_offsets_are_committed() {
    let Some(stage) = Stage::set_up("dead-letters") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    let bad: [&[u8]; 2] = [b"{no json", b"\xff\xfe"];
    let values: [&[u8]; 4] = [b"{\"a\":1}", bad[0], bad[1], b"2"];
    kafka.produce(&topic, values.map(|value| (Some("key"), value)));
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let name = stage.named("sink");
    let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false", "errors.log.enable": "true",
                      "errors.log.include.messages": "true"});
    worker.create(&name, recording(&stage, &topic, with(json, tolerant(&dead))));
    assert_eq!(recorded(&stage, 2), ["{a=1}", "2"]);
    let letters = kafka.reader(&dead).read(2);
    for (index, letter) in letters.iter().enumerate() {
        assert_eq!(letter.value.as_deref(), Some(bad[index]));
        assert_eq!(letter.key.as_deref(), Some(b"key".as_slice()));
        for (header, expected) in [
            ("topic", topic.as_str()),
            ("partition", "0"),
            ("offset", if index == 0 { "1" } else { "2" }),
            ("connector.name", &name),
            ("task.id", "0"),
            ("stage", "VALUE_CONVERTER"),
            ("class.name", JSON),
            (
                "exception.class.name",
                "org.apache.kafka.connect.errors.DataException",
            ),
        ] {
            assert_eq!(error_header(letter, header), expected, "{header}");
        }
        let trace = error_header(letter, "exception.stacktrace");
        assert!(trace.contains("SerializationException"), "{trace}");
    }
    assert_eq!(kafka.partitions(&dead), Some(1));
    until_committed(&stage, &name, &topic, 4);
    worker.wait_log(&format!(
        "Error encountered in task {name}-0. Executing stage 'VALUE_CONVERTER' with class '{JSON}', where consumed record is \
         {{topic='{topic}', partition=0, offset=1, timestamp="
    ));
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_third_party_s_converter_transform_and_predicate_fail_record_by_record_in_their_order() {
    let Some(stage) = Stage::set_up("third-party") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    // As Rot13Converter reads them: one, (not text), refuse, keep drop, drop, panic, busy, two.
    let rotated: [&[u8]; 8] = [
        b"bar",
        b"\xff",
        b"ershfr",
        b"xrrc qebc",
        b"qebc",
        b"cnavp",
        b"ohfl",
        b"gjb",
    ];
    kafka.produce(&topic, rotated.map(|value| (None, value)));
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let name = stage.named("sink");
    let transforms = json!({
        "value.converter": "wharf.test.Rot13Converter",
        "transforms": "upper,mark",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "transforms.upper.busy.times": "2",
        "transforms.upper.predicate": "kept",
        "transforms.upper.negate": "true",
        "transforms.mark.type": "org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.mark.field": "line",
        "predicates": "kept",
        "predicates.kept.type": "wharf.test.ValueContains",
        "predicates.kept.text": "keep",
        "errors.retry.timeout": "10000"
    });
    worker.create(
        &name,
        recording(&stage, &topic, with(transforms, tolerant(&dead))),
    );
    let expected = ["{line=ONE}", "{line=keep drop}", "{line=BUSY}", "{line=TWO}"].map(|text| {
        // Hoisted with a schema, so it is a struct.
        text.replace("{line=", "Struct{line=")
    });
    assert_eq!(recorded(&stage, 4), expected);
    let letters = kafka.reader(&dead).read(3);
    let told: Vec<_> = letters
        .iter()
        .map(|letter| {
            let part = |name| error_header(letter, name);
            (
                part("offset"),
                part("stage"),
                part("class.name"),
                part("exception.class.name"),
            )
        })
        .collect();
    let (converter, transform) = ("wharf.test.Rot13Converter", "wharf.test.UppercaseValue");
    let data = "org.apache.kafka.connect.errors.DataException";
    let row = |offset: &str, stage: &str, class: &str, error: &str| {
        (
            offset.to_owned(),
            stage.to_owned(),
            class.to_owned(),
            error.to_owned(),
        )
    };
    assert_eq!(
        told,
        [
            row("1", "VALUE_CONVERTER", converter, data),
            row("2", "TRANSFORMATION", transform, data),
            row("5", "TRANSFORMATION", transform, "java.lang.RuntimeException"),
        ]
    );
    for (letter, at) in letters.iter().zip([1, 2, 5]) {
        assert_eq!(
            letter.value.as_deref(),
            Some(rotated[at]),
            "the bytes are those that were consumed"
        );
    }
    until_committed(&stage, &name, &topic, 8);
}

#[test]
fn a_sink_task_reports_what_it_cannot_write_at_once_or_later() {
    let Some(stage) = Stage::set_up("errant") else {
        return;
    };
    let kafka = stage.kafka();
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let mut seen = 0;
    for (what, late) in [("now", "false"), ("later", "true")] {
        let (topic, dead) = (stage.named(what), stage.named(&format!("{what}-dead")));
        let name = stage.named(&format!("{what}-sink"));
        kafka.create_topic(&topic, 1, &[]);
        let lines: [&[u8]; 3] = [b"\"good\"", b" \"bad one\" ", b"\"fine\""];
        kafka.produce(&topic, lines.map(|line| (Some("k"), line)));
        let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false", "report.prefix": "bad",
                          "report.late": late});
        worker.create(&name, recording(&stage, &topic, with(json, tolerant(&dead))));
        let letter = kafka.reader(&dead).read(1).remove(0);
        // At once the worker still has the bytes, later the record is converted back.
        let expected: &[u8] = if late == "true" { b"\"bad one\"" } else { lines[1] };
        assert_eq!(letter.value.as_deref(), Some(expected), "{what}");
        assert_eq!(letter.key.as_deref(), Some(b"k".as_slice()));
        for (name, expected) in [
            ("stage", "TASK_PUT"),
            ("class.name", "org.apache.kafka.connect.sink.SinkTask"),
            ("offset", "1"),
            ("topic", &topic),
            (
                "exception.class.name",
                "org.apache.kafka.connect.errors.DataException",
            ),
        ] {
            assert_eq!(error_header(&letter, name), expected, "{what} {name}");
        }
        until_committed(&stage, &name, &topic, 3);
        seen += 3;
        assert_eq!(recorded(&stage, seen).len(), seen);
    }
    // Without tolerance the report fails, and the task with it; there is a dead letter all the same.
    let (topic, dead, name) = (
        stage.named("none"),
        stage.named("none-dead"),
        stage.named("none-sink"),
    );
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["bad".to_owned()]);
    let letters = with(
        tolerant(&dead),
        json!({"errors.tolerance": "none", "report.prefix": "bad"}),
    );
    worker.create(&name, recording(&stage, &topic, letters));
    let trace = trace_of_failed(&worker, &name);
    assert!(
        trace.contains(&format!(
            "the task cannot write the record at topic {topic}, partition 0, offset 0"
        )),
        "{trace}"
    );
    assert_eq!(kafka.reader(&dead).read(1)[0].text(), "bad");
    assert_eq!(kafka.committed(&format!("connect-{name}")).get(&(topic, 0)), None);
}

#[test]
fn a_dead_letter_that_cannot_be_written_fails_the_task_and_its_offset_stays() {
    let Some(stage) = Stage::set_up("lost-letter") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&dead, 1, &[("max.message.bytes", "200")]);
    let long = format!("no json {}", "x".repeat(2000));
    kafka.produce_lines(&topic, &["1".to_owned(), long, "2".to_owned()]);
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let name = stage.named("sink");
    let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    worker.create(&name, recording(&stage, &topic, with(json, tolerant(&dead))));
    let trace = trace_of_failed(&worker, &name);
    assert!(
        trace.contains(&format!("a dead letter cannot be written to topic {dead}")),
        "{trace}"
    );
    assert!(trace.contains("RecordTooLargeException"), "{trace}");
    let committed = kafka.committed(&format!("connect-{name}"));
    let offset = committed.get(&(topic, 0)).copied();
    assert!(offset.is_none_or(|offset| offset <= 1), "{offset:?}");
}

#[test]
fn what_a_transform_leaves_out_of_a_source_counts_as_done() {
    let Some(stage) = Stage::set_up("left-out") else {
        return;
    };
    let (kafka, topic) = (stage.kafka(), stage.named("t"));
    kafka.create_topic(&topic, 1, &[]);
    let transforms = json!({
        "transforms": "upper,route",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "transforms.route.type": "org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.route.field": "line",
        "value.converter": JSON,
        "value.converter.schemas.enable": "false"
    });
    let (worker, name) = source_of(&stage, "one\ntwo\ndrop\n", &topic, transforms);
    let seen = kafka.reader(&topic).read(2);
    assert_eq!(
        [seen[0].text(), seen[1].text()],
        ["{\"line\":\"ONE\"}", "{\"line\":\"TWO\"}"]
    );
    until_position(&worker, &name, 13);
    assert_eq!(kafka.count(&topic), 2);
}

#[test]
fn a_source_that_must_not_skip_fails_at_its_bad_record_and_sends_those_before() {
    let Some(stage) = Stage::set_up("source-none") else {
        return;
    };
    let (kafka, topic, name) = (stage.kafka(), stage.named("t"), stage.named("source"));
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "one\nrefuse\ntwo\n");
    let worker = stage.start(&[], &[]);
    worker.create(
        &name,
        json!({
            "connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input"),
            "transforms": "upper", "transforms.upper.type": "wharf.test.UppercaseValue"
        }),
    );
    let trace = trace_of_failed(&worker, &name);
    for part in [
        "the transform wharf.test.UppercaseValue cannot process the record at source partition {filename=",
        "source offset {position=11}",
        &topic,
    ] {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    assert_eq!(kafka.reader(&topic).read_to_end()[0].text(), "ONE");
    assert_eq!(kafka.count(&topic), 1);
}

#[test]
fn dead_letters_of_a_source_hold_the_record_as_it_was_and_what_kafka_refused() {
    let Some(stage) = Stage::set_up("source-letters") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "1000")]);
    let long = "x".repeat(2000);
    let more = json!({
        "transforms": "upper", "transforms.upper.type": "wharf.test.UppercaseValue",
        // Each record is a request of its own, so that one that is too large is refused alone.
        "producer.override.batch.size": "1",
        "producer.override.linger.ms": "0"
    });
    let input = format!("one\nrefuse\n{long}\ntwo\n");
    let (worker, name) = source_of(&stage, &input, &topic, with(more, tolerant_source(&dead)));
    let mut letters = kafka.reader(&dead).read(2);
    letters.sort_by_key(|letter| error_header(letter, "stage"));
    let [refused, failed] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(error_header(failed, "stage"), "TRANSFORMATION");
    let value: Value = serde_json::from_slice(failed.value.as_deref().unwrap()).unwrap();
    assert_eq!(value["payload"], "refuse", "as it was before any transform");
    assert_eq!(value["schema"]["type"], "string");
    let ours = |letter: &Seen, name: &str| header(letter, &format!("__wharf.errors.{name}")).unwrap();
    assert_eq!(ours(failed, "content"), "connect-json");
    let partition = json!({"filename": stage.file("input")});
    for letter in [failed, refused] {
        let found: Value = serde_json::from_str(&ours(letter, "source.partition")).unwrap();
        assert_eq!(found, partition);
        assert_eq!(error_header(letter, "topic"), topic);
        assert_eq!(error_header(letter, "connector.name"), name);
    }
    assert_eq!(ours(failed, "source.offset"), "{\"position\":11}");
    assert_eq!(error_header(refused, "stage"), "KAFKA_PRODUCE");
    assert_eq!(
        error_header(refused, "class.name"),
        "org.apache.kafka.connect.runtime.WorkerSourceTask"
    );
    assert_eq!(
        error_header(refused, "exception.class.name"),
        "org.apache.kafka.common.errors.RecordTooLargeException"
    );
    assert_eq!(ours(refused, "content"), "bytes");
    assert_eq!(refused.text(), long.to_uppercase());
    let end = 11 + 2001 + 4;
    until_position(&worker, &name, end);
    let sent: Vec<String> = kafka
        .reader(&topic)
        .read_to_end()
        .iter()
        .map(Seen::text)
        .collect();
    assert_eq!(sent, ["ONE", "TWO"]);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
}

#[test]
fn what_built_in_transforms_and_a_third_party_s_converter_fail_at_in_a_source_is_judged_in_its_order() {
    let Some(stage) = Stage::set_up("source-third-party") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    let routed = format!("{topic}-routed");
    kafka.create_topic(&routed, 1, &[]);
    let more = json!({
        "transforms": "number,text,mark,route",
        "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.number.spec": "int32",
        "transforms.text.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.text.spec": "string",
        "transforms.mark.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.mark.header": "mark",
        "transforms.mark.value.literal": "m",
        "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.route.regex": "(.*)",
        "transforms.route.replacement": "$1-routed",
        "value.converter": "wharf.test.Rot13Converter",
        "value.converter.mark.headers": "true",
        "value.converter.refuse.text": "7",
        "value.converter.busy.text": "5",
        "key.converter": "wharf.test.Rot13Converter",
        "errors.retry.timeout": "10000"
    });
    let more = with(more, tolerant_source(&dead));
    let (worker, name) = source_of(&stage, "1\nx\n7\n5\n3\n", &topic, more);
    let sent = kafka.reader(&routed).read(3);
    let texts: Vec<String> = sent.iter().map(Seen::text).collect();
    assert_eq!(
        texts,
        ["1", "5", "3"],
        "in their order, the one that was tried twice too"
    );
    for record in &sent {
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mark", "rotated"], "{record:?}");
    }
    let letters = kafka.reader(&dead).read(2);
    let told: Vec<(String, Value)> = letters
        .iter()
        .map(|letter| {
            let value: Value = serde_json::from_slice(letter.value.as_deref().unwrap()).unwrap();
            (error_header(letter, "stage"), value["payload"].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("TRANSFORMATION".to_owned(), json!("x")),
            ("VALUE_CONVERTER".to_owned(), json!("7")),
        ]
    );
    until_position(&worker, &name, 10);
}

#[test]
fn a_stop_in_the_middle_of_retries_loses_no_record() {
    let Some(stage) = Stage::set_up("cut-off") else {
        return;
    };
    let (kafka, worker) = (
        stage.kafka(),
        stage.start(&[("offset.flush.interval.ms", "500")], &[]),
    );
    let level = json!({"level": "DEBUG"});
    worker.call(
        "PUT",
        "/admin/loggers/org.apache.kafka.connect.runtime",
        Some(&level),
        200,
    );
    let (read, written) = (stage.named("read"), stage.named("written"));
    kafka.create_topic(&read, 1, &[]);
    kafka.create_topic(&written, 1, &[]);
    kafka.produce_lines(&read, &["one".to_owned(), "busy".to_owned(), "two".to_owned()]);
    stage.write("input", "one\nbusy\ntwo\n");
    let retries = |config: Value, times: &str| {
        let more = json!({
            "transforms": "upper", "transforms.upper.type": "wharf.test.UppercaseValue",
            "transforms.upper.busy.times": times, "errors.tolerance": "all", "errors.retry.timeout": "-1"
        });
        with(config, more)
    };
    let source =
        json!({"connector.class": "FileStreamSource", "topic": written, "file": stage.file("input")});
    let sink = recording(&stage, &read, json!({}));
    for (name, config) in [(stage.named("source"), &source), (stage.named("sink"), &sink)] {
        worker.create(&name, retries(config.clone(), "1000000000"));
        worker.wait_log(&format!(
            "[{name}|task-0] stage TRANSFORMATION with class wharf.test.UppercaseValue failed and is tried again in 600 ms: asked to \
             be busy"
        ));
        worker.call("PUT", &format!("/connectors/{name}/stop"), None, 204);
        worker.until_states(&name, &["STOPPED"]);
        worker.call(
            "PUT",
            &format!("/connectors/{name}/config"),
            Some(&retries(config.clone(), "0")),
            200,
        );
        worker.call("PUT", &format!("/connectors/{name}/resume"), None, 202);
    }
    let sent: Vec<String> = kafka.reader(&written).read(3).iter().map(Seen::text).collect();
    assert_eq!(sent, ["ONE", "BUSY", "TWO"]);
    assert_eq!(recorded(&stage, 3), ["ONE", "BUSY", "TWO"]);
    let log = worker.log();
    assert!(
        !log.contains("did not stop within"),
        "the wait for another try ends with the task"
    );
}
