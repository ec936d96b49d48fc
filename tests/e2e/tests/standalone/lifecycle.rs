//! What REST does to connectors and tasks, and whether their status tells the truth.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, Worker, properties, states};
use wharf_test_services::process::wait_until;

/// Configuration of a sink that writes down every call.
fn recording(stage: &Stage, topic: &str) -> Value {
    json!({
        "connector.class": "wharf.test.RecordingSink", "tasks.max": "1", "topics": topic,
        "record.file": stage.file("calls")
    })
}

fn file_source(stage: &Stage, topic: &str) -> Value {
    json!({
        "connector.class": "FileStreamSource", "tasks.max": "1", "topic": topic, "file": stage.file("input")
    })
}

/// How often the recording sink's task was started.
fn starts(stage: &Stage) -> usize {
    let calls = String::from_utf8(stage.read("calls")).unwrap();
    calls.lines().filter(|line| *line == "start").count()
}

fn path(name: &str, rest: &str) -> String {
    format!("/connectors/{name}{rest}")
}

/// Waits until all lines of `input` so far are in the topic.
fn flows(stage: &Stage, topic: &str, records: i64) {
    let kafka = stage.kafka();
    let arrived = wait_until(PATIENCE, || kafka.count(topic) >= records);
    assert!(
        arrived,
        "{} of {records} records are in {topic}",
        kafka.count(topic)
    );
}

#[test]
fn a_connector_is_created_paused_resumed_stopped_and_deleted() {
    let Some(stage) = Stage::set_up("life") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "one\ntwo\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);

    let body = json!({"name": name, "config": file_source(&stage, &topic)});
    let response = worker.request("POST", "/connectors", Some(&body));
    assert_eq!(response.status, 201, "{}", response.body);
    assert!(
        response
            .header("location")
            .is_some_and(|at| at.ends_with(&path(&name, ""))),
        "{response:?}"
    );
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let again = worker.refused("POST", "/connectors", Some(&body), 409);
    assert_eq!(again, format!("Connector {name} already exists"));
    let info = worker.get(&path(&name, ""));
    assert_eq!(info["type"], "source");
    assert_eq!(info["tasks"], json!([{"connector": name, "task": 0}]));
    assert_eq!(info["config"]["name"], json!(name));
    flows(&stage, &topic, 2);

    worker.call("PUT", &path(&name, "/pause"), None, 202);
    worker.until_states(&name, &["PAUSED", "PAUSED"]);
    stage.write("input", "one\ntwo\nthree\n");
    worker.call("PUT", &path(&name, "/resume"), None, 202);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    flows(&stage, &topic, 3);

    worker.call("PUT", &path(&name, "/stop"), None, 204);
    let status = worker.get(&path(&name, "/status"));
    assert_eq!(states(&status), ["STOPPED"]);
    assert_eq!(worker.get(&path(&name, "/tasks")), json!([]));
    worker.call("PUT", &path(&name, "/resume"), None, 202);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);

    worker.call("DELETE", &path(&name, ""), None, 204);
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/status"),
        ("DELETE", ""),
        ("PUT", "/pause"),
        ("PUT", "/stop"),
        ("POST", "/restart"),
    ] {
        worker.refused(method, &path(&name, rest), None, 404);
    }
    assert_eq!(worker.get("/connectors"), json!([]));

    // Offsets outlive their connector: only the new line is read.
    stage.write("input", "one\ntwo\nthree\nfour\n");
    worker.create(&name, file_source(&stage, &topic));
    flows(&stage, &topic, 4);
    worker.call("DELETE", &path(&name, ""), None, 204);
    let lines: Vec<_> = kafka
        .reader(&topic)
        .read_to_end()
        .iter()
        .map(wharf_e2e::Seen::text)
        .collect();
    assert_eq!(lines, ["one", "two", "three", "four"]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_connector_starts_in_the_state_it_was_created_with() {
    let Some(stage) = Stage::set_up("initial") else {
        return;
    };
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    for (state, expected) in [
        ("RUNNING", &["RUNNING", "RUNNING"][..]),
        ("PAUSED", &["PAUSED"]),
        ("STOPPED", &["STOPPED"]),
    ] {
        let name = stage.named(&state.to_lowercase());
        let body = json!({"name": name, "config": file_source(&stage, &topic), "initial_state": state});
        worker.call("POST", "/connectors", Some(&body), 201);
        worker.until_states(&name, expected);
        worker.call("PUT", &path(&name, "/resume"), None, 202);
        worker.until_states(&name, &["RUNNING", "RUNNING"]);
    }
    let body = json!({"name": "x", "config": file_source(&stage, &topic), "initial_state": "ASLEEP"});
    worker.refused("POST", "/connectors", Some(&body), 400);
}

#[test]
fn a_restart_touches_what_it_names_and_nothing_else() {
    let Some(stage) = Stage::set_up("restarts") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    worker.create(&name, recording(&stage, &topic));
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let mut changed = recording(&stage, &topic);
    changed["put.millis"] = json!("1");
    // Each step, the status expected for it, and how often the task was started after it.
    let steps = [
        ("POST", "/restart", None, 204, 1),
        (
            "POST",
            "/restart?includeTasks=false&onlyFailed=true",
            None,
            202,
            1,
        ),
        ("POST", "/restart?includeTasks=true&onlyFailed=true", None, 202, 1),
        ("POST", "/restart?includeTasks=true", None, 202, 2),
        ("POST", "/tasks/0/restart", None, 204, 3),
        ("PUT", "/config", Some(recording(&stage, &topic)), 200, 3),
        ("PUT", "/config", Some(changed), 200, 4),
        ("PATCH", "/config", Some(json!({"put.millis": null})), 200, 5),
        ("PUT", "/pause", None, 202, 5),
        ("PUT", "/resume", None, 202, 5),
    ];
    for (method, rest, body, status, expected) in steps {
        worker.call(method, &path(&name, rest), body.as_ref(), status);
        wait_until(PATIENCE, || starts(&stage) >= expected);
        let after = if rest == "/pause" { "PAUSED" } else { "RUNNING" };
        worker.until_states(&name, &[after, after]);
        assert_eq!(starts(&stage), expected, "after {method} {rest}");
    }
    assert_eq!(worker.get(&path(&name, "/config"))["put.millis"], Value::Null);
    worker.refused("POST", &path(&name, "/tasks/1/restart"), None, 404);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_failed_task_stays_failed_until_it_is_restarted() {
    let Some(stage) = Stage::set_up("failed") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.MisbehavingSource", "tasks.max": "1", "topic": topic,
            "mode": "fail_in_poll", "mode.after": "3"
        }),
    );
    let failed = ["RUNNING", "FAILED"];
    let status = worker.until_states(&name, &failed);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(
        trace.contains("asked to fail in poll")
            && trace.contains("Caused by: ")
            && trace.contains("the cause of it"),
        "{trace}"
    );
    // Each start gives three records before it fails: what was polled before a failure is delivered.
    flows(&stage, &topic, 3);

    worker.call("POST", &path(&name, "/restart"), None, 204);
    worker.until_states(&name, &failed);
    worker.call("PUT", &path(&name, "/pause"), None, 202);
    worker.call("PUT", &path(&name, "/resume"), None, 202);
    worker.until_states(&name, &failed);
    assert_eq!(stage.kafka().count(&topic), 3);

    let plan = worker.call(
        "POST",
        &path(&name, "/restart?includeTasks=true&onlyFailed=true"),
        None,
        202,
    );
    assert_eq!(states(&plan), ["RUNNING", "RESTARTING"]);
    flows(&stage, &topic, 6);
    worker.until_states(&name, &failed);
    worker.call("POST", &path(&name, "/tasks/0/restart"), None, 204);
    flows(&stage, &topic, 9);
    worker.until_states(&name, &failed);
    worker.call("DELETE", &path(&name, ""), None, 204);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_panic_fails_its_task_alone_and_the_trace_names_the_place() {
    let Some(stage) = Stage::set_up("panics") else {
        return;
    };
    let (topic, lines) = (stage.named("records"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&lines, 1, &[]);
    kafka.produce_lines(&topic, &["a record".to_owned()]);
    stage.write("input", "one\n");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    let healthy = stage.named("healthy");
    worker.create(&healthy, file_source(&stage, &lines));

    for (class, key, method) in [
        ("MisbehavingSource", "topic", "start"),
        ("MisbehavingSource", "topic", "poll"),
        ("MisbehavingSink", "topics", "start"),
        ("MisbehavingSink", "topics", "open"),
        ("MisbehavingSink", "topics", "put"),
    ] {
        let name = stage.named(&format!("{class}-{method}"));
        let mut config = json!({
            "connector.class": format!("wharf.test.{class}"), "tasks.max": "1", "mode": format!("panic_in_{method}")
        });
        config[key] = json!(topic);
        worker.create(&name, config);
        let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
        let trace = status["tasks"][0]["trace"].as_str().unwrap();
        let asked = format!("asked to panic in {method}");
        assert!(
            trace.contains(&asked) && trace.contains("fault.rs:"),
            "{name}: {trace}"
        );
    }
    for method in ["connector_start", "task_configs"] {
        let name = stage.named(method);
        let body = json!({"name": name, "config": {
            "connector.class": "wharf.test.MisbehavingSource", "mode": format!("panic_in_{method}")
        }});
        let message = worker.refused("POST", "/connectors", Some(&body), 500);
        assert!(message.contains("asked to panic in"), "{message}");
        let status = worker.until_states(&name, &["FAILED"]);
        let trace = status["connector"]["trace"].as_str().unwrap();
        assert!(trace.contains("fault.rs:"), "{trace}");
    }
    let body =
        json!({"name": "unmade", "config": {"connector.class": "wharf.test.PanicInConstructorSource"}});
    assert!(worker.request("POST", "/connectors", Some(&body)).status >= 400);

    // All of that happened in one process, and it goes on.
    stage.write("input", "one\ntwo\n");
    flows(&stage, &lines, 2);
    worker.until_states(&healthy, &["RUNNING", "RUNNING"]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_connector_that_cannot_make_task_configurations_yet_is_asked_again() {
    let Some(stage) = Stage::set_up("tasks-later") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    let config = json!({
        "connector.class": "wharf.test.MisbehavingSource", "tasks.max": "1", "topic": topic,
        "mode": "retriable_in_task_configs", "mode.times": "3"
    });
    worker.create(&name, config);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let log = worker.log();
    assert_eq!(
        log.matches("cannot make task configurations yet").count(),
        3,
        "{log}"
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn tasks_max_is_enforced_unless_the_user_says_otherwise() {
    let Some(stage) = Stage::set_up("tasks-max") else {
        return;
    };
    let topic = stage.named("records");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    let config = |enforce: &str| {
        json!({
            "connector.class": "wharf.test.MisbehavingSource", "tasks.max": "1", "tasks": "2", "topic": topic,
            "tasks.max.enforce": enforce
        })
    };
    let strict = stage.named("strict");
    let body = json!({"name": strict, "config": config("true")});
    let answer = worker.request("POST", "/connectors", Some(&body));
    assert_eq!(answer.status, 500, "{}", answer.body);
    let status = worker.until_states(&strict, &["FAILED"]);
    assert!(
        status["connector"]["trace"]
            .as_str()
            .unwrap()
            .contains("tasks.max"),
        "{status}"
    );
    let lenient = stage.named("lenient");
    worker.create(&lenient, config("false"));
    worker.until_states(&lenient, &["RUNNING", "RUNNING", "RUNNING"]);
}

#[test]
fn a_connector_gets_new_tasks_when_it_asks_for_them_and_fails_when_it_says_so() {
    let Some(stage) = Stage::set_up("reconfigured") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("tasks", "1");
    let worker = stage.start(&[], &[]);
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.ReconfiguringSource", "tasks.max": "3", "topic": topic,
            "tasks.file": stage.file("tasks"), "records": "10"
        }),
    );
    worker.until_states(&name, &["RUNNING"; 2]);
    stage.write("tasks", "3");
    worker.until_states(&name, &["RUNNING"; 4]);
    flows(&stage, &topic, 30);
    assert_eq!(worker.get(&path(&name, "/tasks")).as_array().unwrap().len(), 3);
    stage.write("tasks", "2");
    worker.until_states(&name, &["RUNNING"; 3]);
    stage.write("tasks", "fail");
    let status = worker.until_states(&name, &["FAILED", "RUNNING", "RUNNING"]);
    assert!(
        status["connector"]["trace"]
            .as_str()
            .unwrap()
            .contains("the file said fail"),
        "{status}"
    );
}

#[test]
fn offsets_are_stored_when_a_signal_stops_the_worker() {
    let Some(stage) = Stage::set_up("signals") else {
        return;
    };
    let (source, sink, topic) = (stage.named("source"), stage.named("sink"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let mut text = String::new();
    for (round, (signal, code)) in (1..).zip([("TERM", 143), ("INT", 130)]) {
        text.push_str("line\n");
        stage.write("input", &text);
        // No flush comes before the signal.
        let mut worker = stage.start(&[("offset.flush.interval.ms", "3600000")], &[]);
        worker.create(&source, file_source(&stage, &topic));
        worker.create(&sink, recording(&stage, &topic));
        let put = || {
            let calls = String::from_utf8(stage.read("calls")).unwrap();
            calls.lines().filter(|line| line.starts_with("record ")).count()
        };
        assert!(
            wait_until(PATIENCE, || put() == round),
            "{} of {round} records",
            put()
        );
        worker.signal(signal);
        assert_eq!(worker.end(PATIENCE), Some(code));
        let offsets = String::from_utf8_lossy(&stage.read("offsets")).into_owned();
        assert!(
            offsets.contains(&format!("\"position\":{}", text.len())),
            "{offsets}"
        );
        assert_eq!(
            kafka.committed(&format!("connect-{sink}"))[&(topic.clone(), 0)],
            i64::try_from(round).unwrap()
        );
        assert_eq!(kafka.count(&topic), i64::try_from(round).unwrap());
        let calls = String::from_utf8(stage.read("calls")).unwrap();
        assert!(calls.ends_with("stop\n"), "{calls}");
    }
}

/// A worker whose only task will not stop.
fn with_deaf_task(stage: &Stage, graceful: &str) -> Worker {
    let worker = stage.start(&[("task.shutdown.graceful.timeout.ms", graceful)], &[]);
    let name = stage.named("deaf");
    worker.create(
        &name,
        json!({"connector.class": "wharf.test.MisbehavingSource", "topic": stage.named("none"), "mode": "hang_in_poll"}),
    );
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    worker
}

#[test]
fn a_task_that_does_not_stop_is_left_behind_when_its_time_is_over() {
    let Some(stage) = Stage::set_up("deaf") else {
        return;
    };
    let worker = with_deaf_task(&stage, "500");
    let begun = Instant::now();
    assert_eq!(worker.terminate(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_second_signal_ends_the_worker_at_once() {
    let Some(stage) = Stage::set_up("twice") else {
        return;
    };
    let mut worker = with_deaf_task(&stage, "600000");
    worker.signal("TERM");
    worker.wait_log("Kafka Connect worker stopping");
    let begun = Instant::now();
    worker.signal("INT");
    assert_eq!(worker.end(PATIENCE), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn connectors_of_files_are_there_when_the_worker_is_healthy() {
    let Some(stage) = Stage::set_up("files") else {
        return;
    };
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("input", "");
    let (first, second) = (stage.named("properties"), stage.named("json"));
    let file = properties(&[
        ("name", &first),
        ("connector.class", "FileStreamSource"),
        ("file", &stage.file("input")),
        ("topic", &topic),
    ]);
    let json = json!({"name": second, "config": recording(&stage, &topic), "initial_state": "PAUSED"});
    let files = [
        stage.write("a.properties", file),
        stage.write("b.json", json.to_string()),
    ];
    let worker = stage.start(&[], &files);
    assert_eq!(worker.get("/health")["status"], "healthy");
    assert_eq!(worker.get("/connectors"), json!([second, first]));
    worker.until_states(&first, &["RUNNING", "RUNNING"]);
    worker.until_states(&second, &["PAUSED"]);
    let root = worker.get("/");
    assert!(
        root["kafka_cluster_id"].as_str().is_some_and(|id| id.len() == 22),
        "{root}"
    );
}
