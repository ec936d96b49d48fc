//! Exactly-once sources (KIP-618): what was committed comes once, however workers end; what was not is never seen.
//!
//! Every topic here has one partition, so a line that was written last and has been read says that all before it were, too.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, TopicReader, Worker, has_state};
use wharf_kafka::{ClientKind, Producer, translate};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};

pub(crate) const ENABLED: (&str, &str) = ("exactly.once.source.support", "enabled");

/// The values of a topic that were committed, up to this one.
pub(crate) fn until_line(reader: &mut TopicReader, last: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while lines.last().map(String::as_str) != Some(last) {
        lines.extend(reader.read(1).iter().map(wharf_e2e::Seen::text));
    }
    lines
}

fn append(stage: &Stage, file: &str, lines: impl IntoIterator<Item = String>) {
    let mut out = OpenOptions::new()
        .append(true)
        .create(true)
        .open(stage.path(file))
        .unwrap();
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    out.write_all(text.as_bytes()).unwrap();
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn runs(worker: &Worker, name: &str) -> Value {
    worker.until(&format!("/connectors/{name}/status"), "it runs", |status| {
        has_state(status, "RUNNING")
    })
}

#[test]
fn each_line_comes_once_though_workers_are_killed_while_it_flows() {
    let Some(group) = Group::set_up("eos-kill") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    let mut workers: BTreeMap<String, Worker> = BTreeMap::new();
    for name in ["one", "two"] {
        workers.insert(name.to_owned(), group.start_with(name, &[ENABLED]));
    }
    append(stage, "in.txt", numbered(0..1));
    let mut config = file_source(&stage.file("in.txt"), &topic);
    config["exactly.once.support"] = json!("required");
    config["batch.size"] = json!("20");
    workers["one"].create("source", config);
    let mut reader = stage.kafka().committed_reader(&topic);
    let mut seen = until_line(&mut reader, "line 0");
    let mut written = 1;
    for round in 0..2 {
        let status = runs(workers.values().next().unwrap(), "source");
        let owner = workers_of(&status).pop().unwrap();
        // Enough for the kill to come in the middle of it.
        append(stage, "in.txt", numbered(written..written + 5_000));
        seen.extend(reader.read(1).iter().map(wharf_e2e::Seen::text));
        let name = workers
            .iter()
            .find(|(_, worker)| worker.address() == owner)
            .map(|(name, _)| name.clone())
            .unwrap();
        workers.remove(&name).unwrap().kill();
        written += 5_000;
        let last = format!("line {}", written - 1);
        if seen.last() != Some(&last) {
            seen.extend(until_line(&mut reader, &last));
        }
        workers.insert(
            name.clone(),
            group.start_with(&format!("{name}{round}"), &[ENABLED]),
        );
    }
    assert_eq!(seen, numbered(0..written));
    let worker = workers.values().next().unwrap();
    let position: usize = numbered(0..written).iter().map(|line| line.len() + 1).sum();
    worker.until("/connectors/source/offsets", "the offset is stored", |offsets| {
        offsets["offsets"][0]["offset"]["position"] == position
    });
}

#[test]
fn dead_letters_come_once_too_though_the_worker_is_killed_while_they_flow() {
    let Some(group) = Group::set_up("eos-letters") else {
        return;
    };
    let stage = &group.stage;
    let (topic, dead) = (stage.named("topic"), stage.named("dead"));
    let line = |number: usize| match number % 50 {
        7 => "refuse".to_owned(),
        _ => format!("line {number}"),
    };
    append(stage, "in.txt", (0..6_000).map(line));
    let mut config = file_source(&stage.file("in.txt"), &topic);
    let more = json!({
        "exactly.once.support": "required",
        "batch.size": "20",
        "transforms": "upper",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "errors.tolerance": "all",
        "wharf.errors.deadletterqueue.topic.name": dead,
        "wharf.errors.deadletterqueue.topic.replication.factor": "1"
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let first = group.start_with("one", &[ENABLED]);
    first.create("source", config);
    let mut reader = stage.kafka().committed_reader(&topic);
    let mut seen: Vec<String> = reader.read(40).iter().map(wharf_e2e::Seen::text).collect();
    first.kill();
    let _second = group.start_with("two", &[ENABLED]);
    if seen.last().map(String::as_str) != Some("LINE 5999") {
        seen.extend(until_line(&mut reader, "LINE 5999"));
    }
    let good = (0..6_000).map(line).filter(|line| line != "refuse");
    assert_eq!(seen, good.map(|line| line.to_uppercase()).collect::<Vec<_>>());
    let letters = stage.kafka().committed_reader(&dead).read(120);
    let mut places: Vec<_> = letters
        .iter()
        .map(|letter| {
            let place = letter
                .headers
                .iter()
                .find(|(name, _)| name == "__wharf.errors.source.offset");
            place.unwrap().1.clone().unwrap()
        })
        .collect();
    places.sort();
    places.dedup();
    assert_eq!((letters.len(), places.len()), (120, 120));
}

#[test]
fn a_connector_ends_its_own_transactions_and_an_aborted_one_is_never_seen() {
    let Some(group) = Group::set_up("eos-boundary") else {
        return;
    };
    let stage = &group.stage;
    let (topic, by_time) = (stage.named("topic"), stage.named("by-time"));
    let worker = group.start_with("one", &[ENABLED]);
    let config = json!({
        "connector.class": "wharf.test.TransactionSource",
        "tasks.max": "1",
        "topic": topic,
        "records": "40",
        "records.per.transaction": "5",
        "aborted.transaction": "3",
        "exactly.once.support": "required",
        "transaction.boundary": "connector",
    });
    worker.create("source", config.clone());
    let mut reader = stage.kafka().committed_reader(&topic);
    let seen = until_line(&mut reader, "39");
    let expected: Vec<String> = (0..40)
        .filter(|number| number / 5 != 3)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(seen, expected);
    // Its offsets moved on with the abort, too: started again, it begins behind all of them.
    worker.call("POST", "/connectors/source/tasks/0/restart", None, 204);
    let mut more = config.clone();
    more["records"] = json!("45");
    worker.call("PUT", "/connectors/source/config", Some(&more), 200);
    assert_eq!(until_line(&mut reader, "44"), ["40", "41", "42", "43", "44"]);

    // By time: what is there is committed without another batch.
    append(stage, "in.txt", numbered(0..10));
    let mut timed = file_source(&stage.file("in.txt"), &by_time);
    timed["transaction.boundary"] = json!("interval");
    timed["transaction.boundary.interval.ms"] = json!("300");
    worker.create("timed", timed);
    let mut reader = stage.kafka().committed_reader(&by_time);
    assert_eq!(until_line(&mut reader, "line 9"), numbered(0..10));

    // The file source cannot say where transactions end.
    let mut wrong = file_source(&stage.file("in.txt"), &by_time);
    wrong["transaction.boundary"] = json!("connector");
    let message = worker.refused(
        "POST",
        "/connectors",
        Some(&json!({"name": "wrong", "config": wrong})),
        400,
    );
    assert!(
        message.contains("connector-defined transaction boundaries"),
        "{message}"
    );
}

#[test]
fn a_sink_writes_what_was_aborted_only_where_its_isolation_level_lets_it() {
    let Some(group) = Group::set_up("eos-isolation") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    let settings = [
        ("bootstrap.servers", stage.bootstrap().to_owned()),
        ("transactional.id", stage.named("writer")),
        ("enable.idempotence", "true".to_owned()),
        ("acks", "all".to_owned()),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value)).into();
    let producer = Producer::new(&translate(ClientKind::Producer, &settings).unwrap()).unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let handle = producer.topic(&topic).unwrap();
    for (line, is_good) in [("one", true), ("aborted", false), ("two", true)] {
        producer.begin_transaction().unwrap();
        producer
            .send(&handle, None, None, None, Some(line.as_bytes()), &[], 0)
            .unwrap();
        // Otherwise an abort would take back what was never sent.
        assert!(producer.flush(PATIENCE, |_| {}));
        if is_good {
            producer.commit_transaction(PATIENCE, |_| {}).unwrap();
        } else {
            producer.abort_transaction(PATIENCE, |_| {}).unwrap();
        }
    }
    let worker = group.start("one");
    for (name, level, written) in [
        ("committed", "read_committed", "one\ntwo\n"),
        ("all", "read_uncommitted", "one\naborted\ntwo\n"),
    ] {
        let file = format!("{name}.txt");
        let mut config = file_sink(&stage.file(&file), &topic);
        config["consumer.override.isolation.level"] = json!(level);
        worker.create(&stage.named(name), config);
        eventually("the sink has its lines", || {
            stage.read(&file) == written.as_bytes()
        });
    }
}

#[test]
fn offsets_are_read_changed_and_forgotten_and_a_sink_sees_only_what_is_committed() {
    let Some(group) = Group::set_up("eos-offsets") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    let one = group.start_with("one", &[ENABLED]);
    let two = group.start_with("two", &[ENABLED]);
    append(stage, "in.txt", numbered(0..3));
    one.create("source", file_source(&stage.file("in.txt"), &topic));
    let sink = stage.named("sink");
    let mut config = file_sink(&stage.file("out.txt"), &topic);
    config["consumer.override.isolation.level"] = json!("read_committed");
    two.create(&sink, config);
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    eventually("the sink has all lines", || {
        stage.read("out.txt") == text(&numbered(0..3)).as_bytes()
    });
    two.call("PUT", "/connectors/source/stop", None, 204);
    two.until_states("source", &["STOPPED"]);
    let change =
        json!({"offsets": [{"partition": {"filename": stage.file("in.txt")}, "offset": {"position": 14}}]});
    two.call("PATCH", "/connectors/source/offsets", Some(&change), 200);
    for worker in [&one, &two] {
        worker.until("/connectors/source/offsets", "the change is there", |offsets| {
            *offsets == change
        });
    }
    one.call("PUT", "/connectors/source/resume", None, 202);
    eventually("the last line came again", || {
        stage.read("out.txt") == (text(&numbered(0..3)) + "line 2\n").as_bytes()
    });
    one.call("PUT", "/connectors/source/stop", None, 204);
    one.until_states("source", &["STOPPED"]);
    one.call("DELETE", "/connectors/source/offsets", None, 200);
    two.until("/connectors/source/offsets", "none is left", |offsets| {
        *offsets == json!({"offsets": []})
    });
}

#[test]
fn a_source_keeps_its_offsets_in_a_topic_of_its_own_with_exactly_once_and_without() {
    for (name, more) in [("own-topic", &[][..]), ("own-topic-eos", &[ENABLED][..])] {
        let Some(group) = Group::set_up(name) else { return };
        let stage = &group.stage;
        let (topic, own) = (stage.named("topic"), stage.named("own-offsets"));
        let one = group.start_with("one", more);
        append(stage, "in.txt", numbered(0..3));
        let mut config = file_source(&stage.file("in.txt"), &topic);
        config["offsets.storage.topic"] = json!(own);
        one.create("source", config);
        let mut reader = stage.kafka().committed_reader(&topic);
        assert_eq!(until_line(&mut reader, "line 2"), numbered(0..3));
        one.until("/connectors/source/offsets", "its offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == 21
        });
        assert_eq!(stage.kafka().partitions(&own), Some(3), "as the worker's");
        let mut offsets = stage.kafka().committed_reader(&own);
        let stored = offsets.read(1);
        let key = String::from_utf8(stored[0].key.clone().unwrap()).unwrap();
        assert!(key.starts_with(r#"["source",{"filename":"#), "{key}");
        // The worker's topic has a copy, so that going back to it loses nothing.
        stage.kafka().committed_reader(&stage.named("offsets")).read(1);

        assert_eq!(one.terminate(), Some(143));
        append(stage, "in.txt", numbered(3..5));
        let one = group.start_with("again", more);
        assert_eq!(until_line(&mut reader, "line 4"), numbered(3..5));
        one.call("PUT", "/connectors/source/stop", None, 204);
        one.until_states("source", &["STOPPED"]);
        one.call("DELETE", "/connectors/source/offsets", None, 200);
        assert_eq!(one.get("/connectors/source/offsets"), json!({"offsets": []}));
    }
}

#[test]
fn what_cannot_be_delivered_exactly_once_is_refused_where_it_is_required() {
    let Some(group) = Group::set_up("eos-required") else {
        return;
    };
    let stage = &group.stage;
    let refusal = |worker: &Worker, config: &Value| {
        worker.refused(
            "POST",
            "/connectors",
            Some(&json!({"name": "source", "config": config})),
            400,
        )
    };
    let mut config = file_source(&stage.file("in.txt"), &stage.named("topic"));
    config["exactly.once.support"] = json!("required");
    for support in ["disabled", "preparing"] {
        let worker = group.start_with(support, &[("exactly.once.source.support", support)]);
        let message = refusal(&worker, &config);
        assert!(
            message.contains("does not have exactly-once source support enabled"),
            "{message}"
        );
        assert_eq!(worker.terminate(), Some(143));
    }
    let worker = group.start_with("enabled", &[ENABLED]);
    config["connector.class"] = json!("wharf.test.ChattySource");
    let message = refusal(&worker, &config);
    assert!(message.contains("does not implement the API"), "{message}");

    // Records among the offsets would be taken for offsets.
    append(stage, "in.txt", numbered(0..1));
    worker.create(
        "source",
        file_source(&stage.file("in.txt"), &stage.named("offsets")),
    );
    let status = worker.until("/connectors/source/status", "its task failed", |status| {
        status["tasks"][0]["state"] == "FAILED"
    });
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains("the topic of its own offsets"), "{trace}");
}
