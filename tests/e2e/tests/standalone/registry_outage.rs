//! Tasks that wait for a schema registry: they stop in time, lose no record by it, and fail as soon as one record has.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, Worker};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::process::wait_until;

use crate::record_errors::{recorded_in, recording, tolerant, trace_of_failed, until_committed, with};

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";

/// The longest that an answer may take, or the end of the worker, where nothing has to be waited for.
const PROMPT: Duration = Duration::from_secs(20);

/// So many messages, each of a schema of its own, whose ids are 1, 2 and so on.
fn messages(registries: &[&TestRegistry], topic: &str, count: u8) -> Vec<Vec<u8>> {
    let message = |id: u8| {
        for registry in registries {
            let text = format!(r#"{{"type":"string","doc":"{id}"}}"#);
            let schema = RegistrySchema::new(Format::Avro, text);
            assert_eq!(
                registry.register(&format!("{topic}-value"), &schema).0,
                i32::from(id)
            );
        }
        // A text of one letter.
        vec![0, 0, 0, 0, id, 2, b'a' + id]
    };
    (1..=count).map(message).collect()
}

/// What the recording sink writes down of them.
fn letters(count: u8) -> Vec<String> {
    (1..=count).map(|id| char::from(b'a' + id).to_string()).collect()
}

fn converter(url: &str, more: Value) -> Value {
    with(
        json!({"value.converter": AVRO, "value.converter.schema.registry.url": url}),
        more,
    )
}

/// Every try but the first is minutes away.
fn patient() -> Value {
    json!({"value.converter.retries.wait.ms": "3600000", "value.converter.retries.max.wait.ms": "3600000"})
}

fn file_source(stage: &Stage, topic: &str) -> Value {
    json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")})
}

fn until_asked(registry: &TestRegistry) {
    assert!(wait_until(PATIENCE, || !registry.requests().is_empty()));
}

fn prompt(worker: &Worker, method: &str, path: &str) {
    let begun = Instant::now();
    worker.call(method, path, None, 204);
    assert!(
        begun.elapsed() < PROMPT,
        "{method} {path} took {:?}",
        begun.elapsed()
    );
}

fn prompt_end(worker: Worker) {
    let begun = Instant::now();
    assert_eq!(worker.terminate(), Some(143));
    assert!(
        begun.elapsed() < PROMPT,
        "the worker took {:?} to end",
        begun.elapsed()
    );
}

#[test]
fn a_stop_does_not_wait_for_a_registry_that_is_away_and_costs_no_record() {
    let Some(stage) = Stage::set_up("registry-stop") else {
        return;
    };
    let kafka = stage.kafka();
    let [deleted, stopped, kept, written] = [(); 4].map(|()| TestRegistry::start());
    let (topic, lines, dead) = (stage.named("t"), stage.named("lines"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&lines, 1, &[]);
    let values = messages(&[&deleted, &stopped, &kept], &topic, 3);
    kafka.produce(&topic, values.iter().map(|value| (None, value.as_slice())));
    stage.write("input", "one\ntwo\n");
    let registries = [&deleted, &stopped, &kept, &written];
    for registry in registries {
        registry.clear_requests();
        registry.fail_next(&[503; 1000]);
    }
    let sink = |registry: &TestRegistry, file: &str, more: Value| {
        let more = with(more, json!({"record.file": stage.file(file)}));
        recording(&stage, &topic, with(converter(&registry.url(), patient()), more))
    };
    let create_lasting = |worker: &Worker| {
        // A record that is skipped because of the stop would be a dead letter.
        worker.create(&stage.named("kept"), sink(&kept, "kept", tolerant(&dead)));
        let source = with(file_source(&stage, &lines), tolerant_source());
        worker.create(
            &stage.named("source"),
            with(source, converter(&written.url(), patient())),
        );
    };
    // Whoever waits for the next try is waited for no longer than this, which is more than the test's patience.
    let settings = [
        ("task.shutdown.graceful.timeout.ms", "120000"),
        ("offset.flush.interval.ms", "300"),
    ];
    let worker = stage.start(&settings, &[]);
    for (name, registry) in [("deleted", &deleted), ("stopped", &stopped)] {
        worker.create(&stage.named(name), sink(registry, name, json!({})));
    }
    create_lasting(&worker);
    registries.into_iter().for_each(until_asked);
    prompt(
        &worker,
        "DELETE",
        &format!("/connectors/{}", stage.named("deleted")),
    );
    prompt(
        &worker,
        "PUT",
        &format!("/connectors/{}/stop", stage.named("stopped")),
    );
    worker.until_states(&stage.named("stopped"), &["STOPPED"]);
    prompt_end(worker);
    let log = String::from_utf8(stage.read("worker.log")).unwrap();
    assert!(
        !log.contains("is given up"),
        "a task was not stopped but left behind"
    );
    assert_eq!((kafka.count(&lines), kafka.count(&dead)), (0, 0));

    for registry in registries {
        registry.stop_failing();
    }
    let worker = stage.start(&settings, &[]);
    create_lasting(&worker);
    assert_eq!(recorded_in(&stage, "kept", 3), letters(3));
    until_committed(&stage, &stage.named("kept"), &topic, 3);
    let texts: Vec<_> = kafka
        .reader(&lines)
        .read(2)
        .iter()
        .map(|seen| seen.value.as_deref().unwrap()[6..].to_vec())
        .collect();
    assert_eq!(texts, [b"one", b"two"]);
    assert_eq!((kafka.count(&lines), kafka.count(&dead)), (2, 0));
}

/// A source that skips what fails.
fn tolerant_source() -> Value {
    json!({"errors.tolerance": "all"})
}

/// A server that takes connections and never answers: the next connection that it got.
fn next_of(silent: &TcpListener) -> TcpStream {
    let mut taken = None;
    silent.set_nonblocking(true).unwrap();
    assert!(wait_until(PATIENCE, || {
        taken = silent.accept().ok();
        taken.is_some()
    }));
    taken.unwrap().0
}

#[test]
fn a_task_whose_registry_never_answers_is_left_behind_in_time_and_sends_nothing_later() {
    let Some(stage) = Stage::set_up("registry-silent") else {
        return;
    };
    let (kafka, lines) = (stage.kafka(), stage.named("lines"));
    kafka.create_topic(&lines, 1, &[]);
    stage.write("input", "one\ntwo\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let worker = stage.start(&[("task.shutdown.graceful.timeout.ms", "500")], &[]);
    let (name, last) = (stage.named("source"), stage.named("last"));
    let source = || with(file_source(&stage, &lines), converter(&url, json!({})));
    worker.create(&name, source());
    let asked = next_of(&silent);
    prompt(&worker, "DELETE", &format!("/connectors/{name}"));
    worker.wait_log("is given up");
    assert_eq!(worker.get("/connectors"), json!([]));

    // The name is free, and what is left behind ends at its next wait without a further request.
    worker.create(&name, file_source(&stage, &lines));
    assert!(wait_until(PATIENCE, || kafka.count(&lines) == 2));
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    drop(asked);
    worker.create(&last, source());
    let asked = next_of(&silent);
    assert_eq!(kafka.count(&lines), 2);
    prompt_end(worker);
    drop(asked);
    assert_eq!(kafka.count(&lines), 2);
}

#[test]
fn the_first_record_that_a_registry_s_absence_fails_ends_its_task_before_the_others_are_tried() {
    let Some(stage) = Stage::set_up("registry-first") else {
        return;
    };
    let kafka = stage.kafka();
    let [read, written] = [(); 2].map(|()| TestRegistry::start());
    let (topic, lines) = (stage.named("t"), stage.named("lines"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&lines, 1, &[]);
    let values = messages(&[&read], &topic, 20);
    kafka.produce(&topic, values.iter().map(|value| (None, value.as_slice())));
    stage.write("input", "line\n".repeat(20));
    let quick = json!({"value.converter.max.retries": "1", "value.converter.retries.wait.ms": "10"});
    for registry in [&read, &written] {
        registry.clear_requests();
        registry.fail_next(&[503; 1000]);
    }
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    let (sink, source) = (stage.named("sink"), stage.named("source"));
    let of_sink = converter(&read.url(), quick.clone());
    worker.create(&sink, recording(&stage, &topic, of_sink));
    let of_source = converter(&written.url(), quick);
    worker.create(&source, with(file_source(&stage, &lines), of_source));
    for (name, registry, place) in [
        (&sink, &read, format!("topic {topic}, partition 0, offset 0")),
        (&source, &written, format!("topic {lines}")),
    ] {
        let trace = trace_of_failed(&worker, name);
        assert!(trace.contains(&place), "no '{place}' in {trace}");
        // One record, and one more try.
        assert_eq!(registry.requests().len(), 2, "{:?}", registry.requests());
        registry.stop_failing();
        let restart = format!("/connectors/{name}/restart?includeTasks=true&onlyFailed=true");
        worker.call("POST", &restart, None, 202);
    }
    assert_eq!(recorded_in(&stage, "calls", 20), letters(20));
    until_committed(&stage, &sink, &topic, 20);
    assert!(wait_until(PATIENCE, || kafka.count(&lines) == 20));
}
