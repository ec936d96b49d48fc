//! Topics as workers create them, the three of a group and those for connectors, described by Kafka's own tool.

use std::collections::BTreeMap;

use serde_json::json;
use wharf_e2e::group::{Group, eventually, file_sink, file_source};
use wharf_e2e::{Launch, PATIENCE, Stage, Worker};
use wharf_test_services::{KafkaBroker, KafkaOptions};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// What the tool says of a topic.
#[derive(Debug, PartialEq)]
struct Topic {
    partitions: usize,
    replication_factor: usize,
    /// Those that are set for this topic.
    configs: BTreeMap<String, String>,
}

fn describe(kafka: &KafkaBroker, topic: &str) -> Topic {
    let said = kafka.tool(TOPICS, &["--describe", "--topic", topic]).unwrap();
    let head = said
        .lines()
        .find(|line| line.contains("PartitionCount:"))
        .unwrap();
    let value = |field: &str| {
        let found = head.split('\t').find_map(|part| part.trim().strip_prefix(field));
        found.unwrap_or_else(|| panic!("{field} is not in {head}")).trim()
    };
    Topic {
        partitions: value("PartitionCount:").parse().unwrap(),
        replication_factor: value("ReplicationFactor:").parse().unwrap(),
        configs: value("Configs:")
            .split(',')
            .filter_map(|setting| setting.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Starts a worker with the topics named after `prefix` and without the settings that tests have for them otherwise.
fn launch(group: &Group, prefix: &str, more: &[(&str, &str)]) -> Worker {
    let stage = &group.stage;
    let names = ["config", "offset", "status"].map(|kind| {
        let key = format!("{kind}.storage.topic");
        (key, stage.named(&format!("{prefix}-{kind}")))
    });
    let is_left = |line: &&str| {
        !["config.", "offset.", "status."]
            .iter()
            .any(|kind| line.starts_with(kind))
    };
    let text: String = group
        .properties(&[])
        .lines()
        .filter(is_left)
        .map(|line| format!("{line}\n"))
        .collect();
    let mut settings: Vec<_> = names
        .iter()
        .map(|(key, name)| (key.as_str(), name.as_str()))
        .collect();
    settings.extend(more);
    let folder = stage.path(prefix);
    std::fs::create_dir(&folder).unwrap();
    let file = stage.write(
        &format!("{prefix}/worker.properties"),
        text + &wharf_e2e::properties(&settings),
    );
    let arguments = ["distributed".into(), file.into_os_string()];
    Worker::spawn(stage.binary(), &arguments, &folder, Launch::default())
}

/// Two brokers of one cluster.
fn two_brokers() -> Option<[KafkaBroker; 2]> {
    let mut options = KafkaOptions {
        properties: [("num.partitions", "7"), ("default.replication.factor", "2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..KafkaOptions::default()
    };
    let first = KafkaBroker::for_test_with(&options)?;
    options.joins = Some(first.seat());
    Some([first, KafkaBroker::for_test_with(&options)?])
}

#[test]
fn topics_of_connectors_have_the_copies_that_these_ask_for() {
    let Some([first, _second]) = two_brokers() else {
        return;
    };
    let Some(stage) = Stage::with_shipped_plugins("connector-topics", &first.bootstrap()) else {
        return;
    };
    let group = Group { stage };
    let stage = &group.stage;
    stage.write("input", "a\nb\n");
    let [lines, letters, source_letters] =
        ["lines", "letters", "source-letters"].map(|topic| stage.named(topic));
    let worker = group.start("worker");
    let mut source = file_source(&stage.file("input"), &lines);
    for (key, value) in [
        ("topic.creation.default.replication.factor", "2"),
        ("topic.creation.default.partitions", "3"),
        ("errors.tolerance", "all"),
        ("wharf.errors.deadletterqueue.topic.name", &*source_letters),
        ("wharf.errors.deadletterqueue.topic.replication.factor", "2"),
    ] {
        source[key] = json!(value);
    }
    let name = stage.named("source");
    worker.create(&name, source);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let mut sink = file_sink(&stage.file("out"), &lines);
    for (key, value) in [
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", &*letters),
        ("errors.deadletterqueue.topic.replication.factor", "2"),
    ] {
        sink[key] = json!(value);
    }
    let name = stage.named("sink");
    worker.create(&name, sink);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    for (topic, partitions) in [(&lines, 3), (&letters, 1), (&source_letters, 1)] {
        eventually(&format!("{topic} is there"), || {
            stage.kafka().partitions(topic).is_some()
        });
        let found = describe(&first, topic);
        assert_eq!(
            (found.partitions, found.replication_factor),
            (partitions, 2),
            "{topic}"
        );
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn topics_are_created_as_the_worker_file_says_and_compacted_whatever_it_says() {
    let Some([first, _second]) = two_brokers() else {
        return;
    };
    let Some(stage) = Stage::with_shipped_plugins("internal-topics", &first.bootstrap()) else {
        return;
    };
    let group = Group { stage };
    let described = |prefix: &str| {
        ["config", "offset", "status"]
            .map(|kind| describe(&first, &group.stage.named(&format!("{prefix}-{kind}"))))
    };

    // What brokers set for all topics is shown with each.
    let plain = group.stage.named("plain");
    group.stage.kafka().create_topic(&plain, 1, &[]);
    let always = describe(&first, &plain).configs;
    let topic = |partitions: usize, replication_factor: usize, own: &[(&str, &str)]| {
        let mut configs = always.clone();
        for (key, value) in [("cleanup.policy", "compact")].iter().chain(own) {
            configs.insert((*key).to_owned(), (*value).to_owned());
        }
        Topic {
            partitions,
            replication_factor,
            configs,
        }
    };

    // With the default of three copies each on two brokers nothing can be created; for a while it waits for a third to come up.
    let mut hopeless = launch(&group, "default", &[]);

    let worker = launch(
        &group,
        "two",
        &[
            ("config.storage.replication.factor", "2"),
            ("offset.storage.replication.factor", "2"),
            ("status.storage.replication.factor", "1"),
        ],
    );
    worker.wait_ready();
    assert_eq!(
        described("two"),
        [topic(1, 2, &[]), topic(25, 2, &[]), topic(5, 1, &[])]
    );
    assert_eq!(worker.terminate(), Some(143));

    let worker = launch(
        &group,
        "own",
        &[
            ("config.storage.replication.factor", "1"),
            ("config.storage.partitions", "4"),
            ("config.storage.cleanup.policy", "delete"),
            ("config.storage.max.message.bytes", "2000000"),
            // The broker's own numbers.
            ("offset.storage.replication.factor", "-1"),
            ("offset.storage.partitions", "-1"),
            ("offset.storage.segment.bytes", "20000000"),
            ("offset.storage.min.insync.replicas", "2"),
            ("status.storage.replication.factor", "2"),
            ("status.storage.partitions", "3"),
            ("status.storage.cleanup.policy", "delete"),
            ("status.storage.min.cleanable.dirty.ratio", "0.2"),
            ("status.storage.delete.retention.ms", "3600000"),
        ],
    );
    worker.wait_ready();
    assert_eq!(
        described("own"),
        [
            topic(1, 1, &[("max.message.bytes", "2000000")]),
            topic(
                7,
                2,
                &[("segment.bytes", "20000000"), ("min.insync.replicas", "2")]
            ),
            topic(
                3,
                2,
                &[
                    ("min.cleanable.dirty.ratio", "0.2"),
                    ("delete.retention.ms", "3600000")
                ]
            ),
        ]
    );
    for key in [
        "config.storage.partitions=4 has no effect",
        "config.storage.cleanup.policy=delete has no effect",
        "status.storage.cleanup.policy=delete has no effect",
    ] {
        assert!(worker.log().contains(key), "{key}: {}", worker.log());
    }
    assert_eq!(worker.terminate(), Some(143));

    assert_eq!(hopeless.end(2 * PATIENCE), Some(2), "{}", hopeless.log());
    let log = hopeless.log();
    let refusals = log
        .lines()
        .filter(|line| line.contains("INVALID_REPLICATION_FACTOR"));
    let (warnings, errors): (Vec<_>, Vec<_>) = refusals.partition(|line| line.contains("WARN"));
    assert!(!warnings.is_empty() && errors.len() == 1, "{log}");
    assert!(errors[0].contains(&group.stage.named("default-")), "{log}");
}
