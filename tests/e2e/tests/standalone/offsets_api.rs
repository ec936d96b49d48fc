//! Reading, altering and resetting offsets over REST (KIP-875), for sources and sinks.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Seen, Stage, Worker};
use wharf_test_services::process::wait_until;

const ALTERED: &str = "The offsets for this connector have been altered successfully";
const RESET: &str = "The offsets for this connector have been reset successfully";
const FRAMEWORK_ALTERED: &str = "The Connect framework-managed offsets for this connector have been altered successfully. \
    However, if this connector manages offsets externally, they will need to be manually altered in the system that the \
    connector uses.";

fn offsets(name: &str) -> String {
    format!("/connectors/{name}/offsets")
}

fn patch(partition: Value, offset: Value) -> Value {
    json!({"offsets": [{"partition": partition, "offset": offset}]})
}

fn stop(worker: &Worker, name: &str) {
    worker.call("PUT", &format!("/connectors/{name}/stop"), None, 204);
    worker.until_states(name, &["STOPPED"]);
}

fn resume(worker: &Worker, name: &str) {
    worker.call("PUT", &format!("/connectors/{name}/resume"), None, 202);
    worker.until_states(name, &["RUNNING", "RUNNING"]);
}

/// A change that must succeed; a group whose members have not all left yet may be asked again, as the answer says.
fn change(worker: &Worker, method: &str, name: &str, body: Option<&Value>) -> String {
    let mut last = None;
    wait_until(PATIENCE, || {
        let response = worker.request(method, &offsets(name), body);
        let again = response.status == 500 && response.body.contains("can be safely retried");
        last = Some(response);
        !again
    });
    let response = last.unwrap();
    assert_eq!(response.status, 200, "{}", response.body);
    let answer: Value = serde_json::from_str(&response.body).unwrap();
    answer["message"].as_str().unwrap().to_owned()
}

#[test]
fn offsets_of_a_file_source_are_read_altered_and_reset() {
    let Some(stage) = Stage::set_up("source-offsets") else {
        return;
    };
    let (name, topic, file) = (stage.named("source"), stage.named("lines"), stage.file("input"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "one\ntwo\nthree\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.refused("GET", &offsets("nobody"), None, 404);
    worker.create(
        &name,
        json!({"connector.class": "FileStreamSource", "topic": topic, "file": file}),
    );
    let stored = |position: u64| json!({"offsets": [{"partition": {"filename": file}, "offset": {"position": position}}]});
    worker.until(&offsets(&name), "the position is stored", |answer| {
        *answer == stored(14)
    });

    let message = worker.refused("PATCH", &offsets(&name), Some(&stored(0)), 400);
    assert!(
        message.starts_with("Connectors must be in the STOPPED state before their offsets can be modified."),
        "{message}"
    );
    worker.refused("DELETE", &offsets(&name), None, 400);

    stop(&worker, &name);
    assert_eq!(change(&worker, "PATCH", &name, Some(&stored(4))), ALTERED);
    assert_eq!(worker.get(&offsets(&name)), stored(4));
    resume(&worker, &name);
    worker.until(&offsets(&name), "two lines are read again", |answer| {
        *answer == stored(14)
    });

    stop(&worker, &name);
    assert_eq!(change(&worker, "DELETE", &name, None), RESET);
    assert_eq!(worker.get(&offsets(&name)), json!({"offsets": []}));
    assert_eq!(change(&worker, "DELETE", &name, None), RESET);
    resume(&worker, &name);
    worker.until(&offsets(&name), "everything is read again", |answer| {
        *answer == stored(14)
    });

    let lines: Vec<_> = kafka.reader(&topic).read(8).iter().map(Seen::text).collect();
    assert_eq!(
        lines,
        ["one", "two", "three", "two", "three", "one", "two", "three"]
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn mistakes_in_offsets_of_a_source_are_answered_with_400_and_change_nothing() {
    let Some(stage) = Stage::set_up("source-mistakes") else {
        return;
    };
    let (name, topic, file) = (stage.named("source"), stage.named("lines"), stage.file("input"));
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("input", "one\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(
        &name,
        json!({"connector.class": "FileStreamSource", "topic": topic, "file": file}),
    );
    let before = worker.until(&offsets(&name), "the position is stored", |answer| {
        answer["offsets"][0]["offset"]["position"] == 4
    });
    stop(&worker, &name);
    let mine = json!({"filename": file});
    let needed = "Partitions / offsets need to be provided for an alter offsets request";
    for (body, part) in [
        (json!({}), needed),
        (json!({"offsets": null}), needed),
        (json!({"offsets": []}), needed),
        (json!({"offset": []}), "offset"),
        (
            json!({"offsets": [{"partition": mine, "offsets": {"position": 1}}]}),
            "offsets",
        ),
        (json!({"offsets": {"partition": mine}}), "offsets"),
        (json!([]), ""),
        (patch(json!(null), json!({"position": 1})), "partition"),
        (patch(json!("input"), json!({"position": 1})), ""),
        (
            patch(mine.clone(), json!({"position": -1})),
            "should be a non-negative value",
        ),
        (
            patch(mine.clone(), json!({"position": "1"})),
            "expected to be a Long value",
        ),
        (
            patch(mine.clone(), json!({"position": 1.5})),
            "expected to be a Long value",
        ),
        (
            patch(mine.clone(), json!({"positon": 1})),
            "contain the key 'position'",
        ),
        (patch(mine.clone(), json!({"position": {"bytes": 1}})), ""),
        (
            patch(json!({"file": file}), json!({"position": 1})),
            "should contain the key 'filename'",
        ),
    ] {
        let message = worker.refused("PATCH", &offsets(&name), Some(&body), 400);
        assert!(message.contains(part), "{body}: {message}");
    }
    let broken =
        wharf_test_services::http::request(worker.address(), "PATCH", &offsets(&name), Some("{\"offsets\":"))
            .unwrap();
    assert_eq!(broken.status, 400, "{}", broken.body);
    assert_eq!(worker.get(&offsets(&name)), before);
}

#[test]
fn offsets_of_a_sink_are_those_of_its_group() {
    let Some(stage) = Stage::set_up("sink-offsets") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let lines: Vec<_> = (0..10).map(|number| format!("line {number}")).collect();
    kafka.produce_lines(&topic, &lines);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(
        &name,
        json!({"connector.class": "FileStreamSink", "topics": topic, "file": stage.file("output")}),
    );
    let mine = json!({"kafka_topic": topic, "kafka_partition": 0});
    let committed = |offset: i64| patch(mine.clone(), json!({"kafka_offset": offset}));
    worker.until(&offsets(&name), "all is committed", |answer| {
        *answer == committed(10)
    });
    worker.refused("PATCH", &offsets(&name), Some(&committed(0)), 400);

    stop(&worker, &name);
    for (partition, offset, part) in [
        (
            json!(null),
            json!({"kafka_offset": 1}),
            "cannot be null or missing",
        ),
        (
            json!({"kafka_topic": topic}),
            json!({"kafka_offset": 1}),
            "must contain the keys",
        ),
        (
            json!({"topic": topic, "partition": 0}),
            json!({"kafka_offset": 1}),
            "must contain the keys",
        ),
        (
            json!({"kafka_topic": null, "kafka_partition": 0}),
            json!({"kafka_offset": 1}),
            "may not be null",
        ),
        (
            json!({"kafka_topic": topic, "kafka_partition": null}),
            json!({"kafka_offset": 1}),
            "may not be null",
        ),
        (
            json!({"kafka_topic": topic, "kafka_partition": "first"}),
            json!({"kafka_offset": 1}),
            "Failed to parse the following Kafka partition value in the provided offsets: 'first'.",
        ),
        (
            mine.clone(),
            json!({"offset": 1}),
            "contain the key 'kafka_offset'",
        ),
        (mine.clone(), json!({"kafka_offset": null}), "'null'"),
        (
            mine.clone(),
            json!({"kafka_offset": "last"}),
            "Failed to parse the following Kafka offset value in the provided offsets: 'last'.",
        ),
        (mine.clone(), json!({"kafka_offset": -1}), "'-1'"),
        (mine.clone(), json!({"kafka_offset": 1.5}), "'1.5'"),
    ] {
        let body = patch(partition, offset);
        let message = worker.refused("PATCH", &offsets(&name), Some(&body), 400);
        assert!(message.contains(part), "{body}: {message}");
    }
    assert_eq!(worker.get(&offsets(&name)), committed(10));
    let nowhere = patch(
        json!({"kafka_topic": stage.named("nowhere"), "kafka_partition": 0}),
        json!({"kafka_offset": 1}),
    );
    assert!(worker.request("PATCH", &offsets(&name), Some(&nowhere)).status >= 400);

    // Numbers may come as text; of a repeated partition the last one counts.
    let body = json!({"offsets": [
        {"partition": mine, "offset": {"kafka_offset": 1}},
        {"partition": {"kafka_topic": topic, "kafka_partition": "0"}, "offset": {"kafka_offset": "7"}}
    ]});
    assert_eq!(change(&worker, "PATCH", &name, Some(&body)), ALTERED);
    assert_eq!(worker.get(&offsets(&name)), committed(7));
    let count = |wanted: usize| {
        let lines = || stage.read("output").iter().filter(|byte| **byte == b'\n').count();
        assert!(
            wait_until(PATIENCE, || lines() >= wanted),
            "{} lines of {wanted}",
            lines()
        );
        worker.until(&offsets(&name), "all is committed", |answer| {
            *answer == committed(10)
        });
        assert_eq!(lines(), wanted);
    };
    resume(&worker, &name);
    count(13);

    stop(&worker, &name);
    assert_eq!(
        change(&worker, "PATCH", &name, Some(&patch(mine.clone(), json!(null)))),
        ALTERED
    );
    assert_eq!(worker.get(&offsets(&name)), json!({"offsets": []}));
    resume(&worker, &name);
    count(23);

    stop(&worker, &name);
    assert_eq!(change(&worker, "DELETE", &name, None), RESET);
    assert_eq!(worker.get(&offsets(&name)), json!({"offsets": []}));
    assert_eq!(kafka.committed(&format!("connect-{name}")), BTreeMap::new());
    assert_eq!(change(&worker, "DELETE", &name, None), RESET);
    resume(&worker, &name);
    count(33);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_connector_has_its_say_before_offsets_change() {
    let Some(stage) = Stage::set_up("hook") else {
        return;
    };
    let topic = stage.named("records");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    let body = patch(json!({"source": "misbehaving"}), json!({"number": 5}));
    let create = |what: &str, mode: &str| {
        let name = stage.named(what);
        let config = json!({"connector.class": "wharf.test.MisbehavingSource", "topic": topic, "mode": mode});
        let request = json!({"name": name, "config": config, "initial_state": "STOPPED"});
        worker.call("POST", "/connectors", Some(&request), 201);
        name
    };
    // Says false: offsets may be kept elsewhere too.
    let name = create("false", "fail_in_nothing");
    assert_eq!(change(&worker, "PATCH", &name, Some(&body)), FRAMEWORK_ALTERED);
    assert_eq!(worker.get(&offsets(&name)), body);
    for (what, mode, part) in [
        ("fails", "fail_in_alter_offsets", "asked to fail in alter_offsets"),
        (
            "panics",
            "panic_in_alter_offsets",
            "Failed to modify offsets for connector",
        ),
    ] {
        let name = create(what, mode);
        let answer = worker.request("PATCH", &offsets(&name), Some(&body));
        assert!(answer.status >= 400 && answer.body.contains(part), "{answer:?}");
        assert_eq!(worker.get(&offsets(&name)), json!({"offsets": []}));
    }
    // Standard input has no offsets.
    let name = stage.named("console");
    let config = json!({"connector.class": "FileStreamSource", "topic": topic});
    let request = json!({"name": name, "config": config, "initial_state": "STOPPED"});
    worker.call("POST", "/connectors", Some(&request), 201);
    let body = patch(json!({"filename": "x"}), json!({"position": 0}));
    let answer = worker.request("PATCH", &offsets(&name), Some(&body));
    assert!(
        answer.status >= 400 && answer.body.contains("stdin is used for input"),
        "{answer:?}"
    );
}
