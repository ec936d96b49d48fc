//! Records that Kafka does not take: what becomes of them in a source, and that nothing is missing once the cause is mended.

use serde_json::{Value, json};
use wharf_e2e::metrics::{MetricsReader, of_task};
use wharf_e2e::{Seen, Stage, Worker};
use wharf_test_services::{KafkaBroker, KafkaOptions};

use crate::record_errors::{trace_of_failed, until_position, with};

const SOURCE_TASK: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";

/// Three lines, of which the second is too long for Kafka as it is set.
fn lines() -> [String; 3] {
    ["one".to_owned(), "x".repeat(2_000), "two".to_owned()]
}

/// A broker that makes no topic by itself, with a stage on it.
fn strict(name: &str) -> Option<(KafkaBroker, Stage)> {
    let broker = KafkaBroker::for_test_with(&KafkaOptions {
        properties: vec![("auto.create.topics.enable".into(), "false".into())],
        ..KafkaOptions::default()
    })?;
    let stage = Stage::on(name, &broker.bootstrap())?;
    Some((broker, stage))
}

fn source(stage: &Stage, topic: &str, more: Value) -> Value {
    let config = json!({
        "connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input"),
        // Each record is a request of its own, so that one that is too large is refused alone.
        "producer.override.batch.size": "1", "producer.override.linger.ms": "0"
    });
    with(config, more)
}

fn position(worker: &Worker, name: &str) -> Value {
    worker.get(&format!("/connectors/{name}/offsets"))["offsets"][0]["offset"]["position"].clone()
}

fn restart_failed(worker: &Worker, name: &str) {
    let path = format!("/connectors/{name}/restart?includeTasks=true&onlyFailed=true");
    worker.call("POST", &path, None, 202);
}

/// How often each line is in a topic.
fn counts(stage: &Stage, topic: &str) -> [usize; 3] {
    let found = stage.kafka().reader(topic).read_to_end();
    let texts: Vec<String> = found.iter().map(Seen::text).collect();
    let all = lines().map(|line| texts.iter().filter(|text| **text == line).count());
    assert_eq!(all.iter().sum::<usize>(), texts.len(), "{texts:?}");
    all
}

#[test]
fn a_record_that_is_too_large_fails_its_task_which_goes_on_with_it_once_it_may() {
    let Some((broker, stage)) = strict("refused-large") else {
        return;
    };
    let kafka = stage.kafka();
    stage.write("input", lines().map(|line| line + "\n").concat());
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    // The broker's limit, and the producer's own.
    let [of_topic, of_producer] = ["of-topic", "of-producer"].map(|what| stage.named(what));
    kafka.create_topic(&of_topic, 1, &[("max.message.bytes", "1000")]);
    kafka.create_topic(&of_producer, 1, &[]);
    let limited = json!({"producer.override.max.request.size": "1000"});
    for (name, more, words) in [
        (
            &of_topic,
            json!({}),
            "Unrecoverable exception from producer send callback",
        ),
        (&of_producer, limited, "max.request.size"),
    ] {
        worker.create(name, source(&stage, name, more));
        let trace = trace_of_failed(&worker, name);
        for part in [words, "RecordTooLargeException"] {
            assert!(trace.contains(part), "no '{part}' in {trace}");
        }
        until_position(&worker, name, 4);
        // What was on its way behind it may be there already.
        let [first, long, _] = counts(&stage, name);
        assert_eq!((first, long), (1, 0));
    }
    let mended = ["--alter", "--entity-type", "topics", "--entity-name", &of_topic];
    let mended = [&mended[..], &["--add-config", "max.message.bytes=10000"]].concat();
    broker.tool("kafka.admin.ConfigCommand", &mended).unwrap();
    restart_failed(&worker, &of_topic);
    let path = format!("/connectors/{of_producer}/config");
    let mended = source(&stage, &of_producer, json!({}));
    worker.call("PUT", &path, Some(&mended), 200);
    for name in [&of_topic, &of_producer] {
        until_position(&worker, name, 4 + 2_001 + 4);
        worker.until_states(name, &["RUNNING", "RUNNING"]);
        let [first, long, last] = counts(&stage, name);
        assert_eq!((first, long), (1, 1), "{name}");
        assert!((1..=2).contains(&last), "{name}: {last}");
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn refused_records_that_are_tolerated_are_logged_counted_and_passed() {
    let (Some((_broker, stage)), Some(reader)) = (strict("refused-skipped"), MetricsReader::set_up()) else {
        return;
    };
    let kafka = stage.kafka();
    stage.write("input", lines().map(|line| line + "\n").concat());
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    let tolerant = json!({"errors.tolerance": "all", "errors.log.enable": "true"});
    let [of_topic, of_producer, of_name] =
        ["of-topic", "of-producer", "of-name"].map(|what| stage.named(what));
    kafka.create_topic(&of_topic, 1, &[("max.message.bytes", "1000")]);
    kafka.create_topic(&of_producer, 1, &[]);
    let limited = json!({"producer.override.max.request.size": "1000"});
    for (name, topic, more, class, count) in [
        (
            &of_topic,
            of_topic.clone(),
            json!({}),
            "RecordTooLargeException",
            1,
        ),
        (
            &of_producer,
            of_producer.clone(),
            limited,
            "RecordTooLargeException",
            1,
        ),
        (
            &of_name,
            format!("{of_name} is not allowed"),
            json!({}),
            "InvalidTopicException",
            3,
        ),
    ] {
        worker.create(name, source(&stage, &topic, with(more, tolerant.clone())));
        until_position(&worker, name, 4 + 2_001 + 4);
        let status = worker.until_states(name, &["RUNNING", "RUNNING"]);
        assert_eq!(status["tasks"][0].get("trace"), None, "{status}");
        let log = worker.log();
        let words = format!(
            "Error encountered in task {name}-0. Executing stage 'KAFKA_PRODUCE' with class '{SOURCE_TASK}'"
        );
        let entries: Vec<&str> = log.split(&words).skip(1).collect();
        assert_eq!(entries.len(), count, "{name}: {log}");
        for entry in entries {
            let error = entry.lines().nth(1).unwrap_or_default();
            assert!(error.contains(class), "{name}: {error}");
        }
        let metric =
            |metric: &str| of_task(&format!("kafka_connect_task_error_record{metric}_total"), name, 0);
        let count = count as f64;
        reader.until(
            &worker,
            &[
                (metric("_failures"), count),
                (metric("s_skipped"), count),
                (
                    of_task("kafka_connect_source_task_source_record_active_count", name, 0),
                    0.0,
                ),
            ],
        );
    }
    for topic in [&of_topic, &of_producer] {
        assert_eq!(counts(&stage, topic), [1, 0, 1]);
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_topic_whose_name_kafka_does_not_allow_fails_the_task_and_another_one_gets_all() {
    let Some((_broker, stage)) = strict("refused-name") else {
        return;
    };
    stage.write("input", lines().map(|line| line + "\n").concat());
    let worker = stage.start(&[("offset.flush.interval.ms", "300")], &[]);
    let name = stage.named("source");
    let wrong = format!("{name}/of me");
    worker.create(&name, source(&stage, &wrong, json!({})));
    let trace = trace_of_failed(&worker, &name);
    assert!(trace.contains("InvalidTopicException"), "{trace}");
    assert_eq!(position(&worker, &name), Value::Null);

    // Where Connect is to make topics, the name is refused before anything is sent.
    let creates =
        json!({"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"});
    let creating = stage.named("creating");
    worker.create(&creating, source(&stage, &wrong, creates));
    let trace = trace_of_failed(&worker, &creating);
    assert!(
        trace.contains(&wrong) && trace.contains("InvalidTopicException"),
        "{trace}"
    );
    assert_eq!(position(&worker, &creating), Value::Null);

    let right = stage.named("right");
    stage.kafka().create_topic(&right, 1, &[]);
    let path = format!("/connectors/{name}/config");
    worker.call("PUT", &path, Some(&source(&stage, &right, json!({}))), 200);
    until_position(&worker, &name, 4 + 2_001 + 4);
    assert_eq!(counts(&stage, &right), [1, 1, 1]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_topic_that_nobody_makes_is_waited_for_as_upstream_does_and_a_stop_does_not_wait() {
    let (Some((_broker, stage)), Some(reader)) = (strict("refused-absent"), MetricsReader::set_up()) else {
        return;
    };
    let kafka = stage.kafka();
    stage.write("input", lines().map(|line| line + "\n").concat());
    let settings = [
        ("offset.flush.interval.ms", "300"),
        ("offset.flush.timeout.ms", "500"),
    ];
    let worker = stage.start(&settings, &[]);
    let (name, topic) = (stage.named("source"), stage.named("absent"));
    for round in ["first", "second"] {
        match round {
            // Skipping is for what is refused, not for what has to wait.
            "first" => {
                worker.create(&name, source(&stage, &topic, json!({"errors.tolerance": "all"})));
            }
            _ => {
                worker.call("PUT", &format!("/connectors/{name}/resume"), None, 202);
            }
        }
        worker.until_states(&name, &["RUNNING", "RUNNING"]);
        let waiting = of_task("kafka_connect_source_task_source_record_active_count", &name, 0);
        reader.until(&worker, &[(waiting, 3.0)]);
        assert_eq!(kafka.partitions(&topic), None);
        worker.call("PUT", &format!("/connectors/{name}/stop"), None, 204);
        worker.until_states(&name, &["STOPPED"]);
        assert_eq!(position(&worker, &name), Value::Null, "{round}");
    }
    worker.call("PUT", &format!("/connectors/{name}/resume"), None, 202);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    kafka.create_topic(&topic, 1, &[]);
    until_position(&worker, &name, 4 + 2_001 + 4);
    assert_eq!(counts(&stage, &topic), [1, 1, 1]);
    let log = worker.log();
    assert!(!log.contains("is given up"), "{log}");

    // Rules by which the topic cannot be made are a mistake, whatever is tolerated.
    let (name, topic) = (stage.named("creating"), stage.named("three-copies"));
    let rules = json!({
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "3",
        "errors.tolerance": "all"
    });
    worker.create(&name, source(&stage, &topic, rules));
    let trace = trace_of_failed(&worker, &name);
    for part in [
        format!("topic {topic} cannot be created; create it by hand or change topic.creation.default.*"),
        "InvalidReplicationFactorException".to_owned(),
    ] {
        assert!(trace.contains(&part), "no '{part}' in {trace}");
    }
    assert_eq!(position(&worker, &name), Value::Null);
    kafka.create_topic(&topic, 1, &[]);
    restart_failed(&worker, &name);
    until_position(&worker, &name, 4 + 2_001 + 4);
    assert_eq!(counts(&stage, &topic), [1, 1, 1]);
    assert_eq!(worker.terminate(), Some(143));
}
