//! The file connectors at the edges of what a file can be.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;
use wharf_e2e::{Launch, PATIENCE, Seen, Stage, TopicReader};
use wharf_test_services::process::wait_until;

fn append(stage: &Stage, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(stage.path("input"))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn next(reader: &mut TopicReader, count: usize) -> Vec<String> {
    reader.read(count).iter().map(Seen::text).collect()
}

#[test]
fn a_file_is_followed_as_it_appears_and_grows_line_by_line() {
    let Some(stage) = Stage::set_up("growing") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let mut reader = kafka.reader(&topic);
    let config = json!({
        "connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input"), "batch.size": "2"
    });
    let flush = [("offset.flush.interval.ms", "100")];
    let worker = stage.start(&flush, &[]);
    worker.create(&name, config.clone());
    worker.wait_log("Couldn't find file");
    let status = worker.until_states(&name, &["RUNNING", "RUNNING"]);
    assert_eq!(status["type"], "source");

    append(&stage, "one\nthr");
    assert_eq!(next(&mut reader, 1), ["one"]);
    append(
        &stage,
        "ee\r\n\ngrüße aus 東京 \u{1f980}\n  spaces \t\nlast without end",
    );
    assert_eq!(
        next(&mut reader, 4),
        ["three", "", "grüße aus 東京 \u{1f980}", "  spaces \t"]
    );
    let position = "one\nthree\r\n\ngrüße aus 東京 \u{1f980}\n  spaces \t\n".len();
    worker.until(
        &format!("/connectors/{name}/offsets"),
        "whole lines are stored",
        |answer| answer["offsets"][0]["offset"]["position"] == position,
    );
    worker.kill();

    // The half line was not counted, so it is read whole by the next worker.
    let worker = stage.start(&flush, &[]);
    worker.create(&name, config);
    append(&stage, " until now\n");
    assert_eq!(next(&mut reader, 1), ["last without end until now"]);
    assert_eq!(kafka.count(&topic), 6);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_sink_appends_each_value_as_a_line() {
    let Some(stage) = Stage::set_up("appending") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    stage.write("output", "old\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(
        &name,
        json!({"connector.class": "FileStreamSink", "topics": topic, "file": stage.file("output")}),
    );
    kafka.produce_lines(&topic, &["grüße".to_owned(), String::new(), "東京".to_owned()]);
    let expected = "old\ngrüße\n\n東京\n";
    assert!(wait_until(PATIENCE, || stage.read("output") == expected.as_bytes()));
    worker.call(
        "POST",
        &format!("/connectors/{name}/restart?includeTasks=true"),
        None,
        202,
    );
    kafka.produce_lines(&topic, &["after".to_owned()]);
    let expected = format!("{expected}after\n");
    assert!(
        wait_until(PATIENCE, || stage.read("output") == expected.as_bytes()),
        "{}",
        String::from_utf8_lossy(&stage.read("output"))
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn without_a_file_the_connectors_use_standard_input_and_output() {
    let Some(stage) = Stage::set_up("console") else {
        return;
    };
    let topic = stage.named("lines");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let launch = Launch {
        stdin: true,
        ..Launch::default()
    };
    let mut worker = stage.launch(&[("offset.flush.interval.ms", "100")], &[], launch);
    worker.wait_ready();
    let mut stdin = worker.stdin();
    let (source, sink) = (stage.named("source"), stage.named("sink"));
    worker.create(
        &source,
        json!({"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": topic}),
    );
    worker.create(
        &sink,
        json!({"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": topic}),
    );
    stdin.write_all("typed: grüße\nhalf".as_bytes()).unwrap();
    assert!(wait_until(PATIENCE, || worker
        .log()
        .lines()
        .any(|line| line == "typed: grüße")));
    assert_eq!(kafka.count(&topic), 1);

    // What was typed while nobody reads is there for the next task.
    worker.call("PUT", &format!("/connectors/{source}/stop"), None, 204);
    stdin.write_all(b" and half\nmore\n").unwrap();
    worker.call("PUT", &format!("/connectors/{source}/resume"), None, 202);
    let lines = next(&mut kafka.reader(&topic), 3);
    assert_eq!(lines, ["typed: grüße", "half and half", "more"]);
    assert!(wait_until(PATIENCE, || worker
        .log()
        .lines()
        .any(|line| line == "more")));
    // The end of the input is no failure.
    drop(stdin);
    worker.until_states(&source, &["RUNNING", "RUNNING"]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_path_that_cannot_be_read_or_written_fails_the_task_and_names_it() {
    let Some(stage) = Stage::set_up("unusable") else {
        return;
    };
    let topic = stage.named("lines");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["one".to_owned()]);
    let worker = stage.start(&[], &[]);
    // A folder cannot be read as a file, and nothing can be written below a folder that is not there.
    let (folder, nowhere) = (stage.file("plugins"), stage.file("no/such/folder"));
    for (what, class, key, file) in [
        ("source", "FileStreamSource", "topic", &folder),
        ("sink", "FileStreamSink", "topics", &nowhere),
    ] {
        let name = stage.named(what);
        worker.create(&name, json!({"connector.class": class, key: topic, "file": file}));
        let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
        let trace = status["tasks"][0]["trace"].as_str().unwrap();
        assert!(trace.contains(file.as_str()), "{trace}");
    }
}
