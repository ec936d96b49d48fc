//! What exactly-once makes of records that Kafka does not take: their transaction is aborted, nothing of it is seen, and it comes
//! whole once the cause is mended.

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};
use wharf_test_services::{KafkaBroker, KafkaOptions};

use crate::exactly_once::{ENABLED, until_line};
use crate::group::{Group, file_source};

/// A file source whose lines are one transaction.
fn source(stage: &Stage, topic: &str, more: &[(&str, &str)]) -> Value {
    let mut config = file_source(&stage.file("in.txt"), topic);
    config["exactly.once.support"] = json!("required");
    for (key, value) in more {
        config[*key] = json!(value);
    }
    config
}

fn fails(worker: &Worker, name: &str, words: &[&str]) {
    let status = worker.until_states(name, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    for word in words {
        assert!(trace.contains(word), "{name}: no '{word}' in {trace}");
    }
    let offsets = worker.get(&format!("/connectors/{name}/offsets"));
    assert_eq!(offsets, json!({"offsets": []}), "{name}");
}

#[test]
fn a_transaction_with_a_record_that_is_refused_is_not_seen_and_comes_whole_later() {
    let options = KafkaOptions {
        properties: vec![("auto.create.topics.enable".into(), "false".into())],
        ..KafkaOptions::default()
    };
    let Some(broker) = KafkaBroker::for_test_with(&options) else {
        return;
    };
    let Some(stage) = Stage::on("eos-refused", &broker.bootstrap()) else {
        return;
    };
    let group = Group { stage };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let lines = ["one".to_owned(), "x".repeat(2_000), "two".to_owned()];
    stage.write(
        "in.txt",
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    );
    let worker = group.start_with("one", &[ENABLED]);
    // A transaction lacks the record all the same when failures are tolerated.
    let limits = [
        "of-topic",
        "of-topic-tolerant",
        "of-producer",
        "of-producer-tolerant",
    ]
    .map(|what| stage.named(what));
    for topic in &limits {
        let of_topic: &[(&str, &str)] = match topic.contains("of-topic") {
            true => &[("max.message.bytes", "1000")],
            false => &[],
        };
        kafka.create_topic(topic, 1, of_topic);
        let mut more = Vec::new();
        if topic.contains("of-producer") {
            more.push(("producer.override.max.request.size", "1000"));
        }
        if topic.ends_with("tolerant") {
            more.push(("errors.tolerance", "all"));
        }
        worker.create(topic, source(stage, topic, &more));
    }
    for topic in &limits {
        fails(&worker, topic, &["RecordTooLargeException"]);
    }
    let name = stage.named("of-name");
    worker.create(&name, source(stage, &format!("{name} is not allowed"), &[]));
    fails(&worker, &name, &["InvalidTopicException"]);

    for topic in &limits {
        if topic.contains("of-topic") {
            let mended = ["--alter", "--entity-type", "topics", "--entity-name", topic];
            let mended = [&mended[..], &["--add-config", "max.message.bytes=10000"]].concat();
            broker.tool("kafka.admin.ConfigCommand", &mended).unwrap();
            let restart = format!("/connectors/{topic}/restart?includeTasks=true&onlyFailed=true");
            worker.call("POST", &restart, None, 202);
        } else {
            let path = format!("/connectors/{topic}/config");
            worker.call("PUT", &path, Some(&source(stage, topic, &[])), 200);
        }
        // From the beginning of the topic: what was written in vain is not among it.
        let seen = until_line(&mut kafka.committed_reader(topic), "two");
        assert_eq!(seen, lines, "{topic}");
        worker.until(
            &format!("/connectors/{topic}/offsets"),
            "its offset is stored",
            |offsets| offsets["offsets"][0]["offset"]["position"] == 4 + 2_001 + 4,
        );
    }
    assert_eq!(worker.terminate(), Some(143));
}
