//! What records look like in Kafka: converters, the partition of a key, topics made on demand, clients' own settings.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Seen, Stage};
use wharf_kafka::partition_for_key;
use wharf_test_services::process::wait_until;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn blobs(topic: &str, records: u32) -> Value {
    json!({
        "connector.class": "wharf.test.BlobSource", "tasks.max": "1", "topic": topic, "bytes": "20",
        "records": records.to_string()
    })
}

fn recording(stage: &Stage, calls: &str) -> Value {
    json!({"connector.class": "wharf.test.RecordingSink", "tasks.max": "1", "record.file": stage.file(calls)})
}

/// `config` with more entries.
fn with(mut config: Value, more: Value) -> Value {
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

/// The values that the recording sink got, once there are `count`.
fn recorded(stage: &Stage, calls: &str, count: usize) -> Vec<String> {
    let values = || -> Vec<String> {
        let text = String::from_utf8(stage.read(calls)).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("record ")?.split_once(' '))
            .map(|(_, value)| value.to_owned())
            .collect()
    };
    assert!(wait_until(PATIENCE, || values().len() >= count), "{:?}", values());
    values()
}

#[test]
fn json_travels_with_and_without_schemas() {
    let Some(stage) = Stage::set_up("json") else {
        return;
    };
    let kafka = stage.kafka();
    stage.write("input", "grüße\n\"quoted\"\n");
    // The worker's converter, and a connector that chooses otherwise.
    let worker = stage.start(
        &[
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "true"),
        ],
        &[],
    );
    let plain = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    let wrapped = |text: &str| json!({"schema": {"type": "string", "optional": false}, "payload": text});
    for (what, more, expected) in [
        ("wrapped", json!({}), [wrapped("grüße"), wrapped("\"quoted\"")]),
        ("plain", plain.clone(), [json!("grüße"), json!("\"quoted\"")]),
    ] {
        let topic = stage.named(what);
        kafka.create_topic(&topic, 1, &[]);
        let source =
            json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")});
        worker.create(
            &stage.named(&format!("{what}-source")),
            with(source, more.clone()),
        );
        let found: Vec<Value> = kafka
            .reader(&topic)
            .read(2)
            .iter()
            .map(|record| serde_json::from_slice(record.value.as_ref().unwrap()).unwrap())
            .collect();
        assert_eq!(found, expected);
        let calls = format!("{what}-calls");
        let sink = with(recording(&stage, &calls), with(json!({"topics": topic}), more));
        worker.create(&stage.named(&format!("{what}-sink")), sink);
        assert_eq!(recorded(&stage, &calls, 2), ["grüße", "\"quoted\""]);
    }
    // Objects without schema are maps.
    let topic = stage.named("objects");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &[r#"{"a": 1, "b": [true, null]}"#.to_owned()]);
    let sink = with(
        recording(&stage, "objects-calls"),
        with(json!({"topics": topic}), plain),
    );
    worker.create(&stage.named("objects-sink"), sink);
    assert_eq!(recorded(&stage, "objects-calls", 1), ["{a=1, b=[true, null]}"]);
    // What is not JSON fails the task, with the place in its trace.
    let name = stage.named("broken-sink");
    let topic = stage.named("broken");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["{not json".to_owned()]);
    worker.create(
        &name,
        with(recording(&stage, "broken-calls"), json!({"topics": topic})),
    );
    let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains(&topic) || trace.contains("JSON"), "{trace}");
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_converter_of_a_third_party_is_chosen_by_its_class() {
    let Some(stage) = Stage::set_up("rot13") else {
        return;
    };
    let topic = stage.named("lines");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    stage.write("input", "Hello World\n");
    let worker = stage.start(&[], &[]);
    let rot13 =
        json!({"value.converter": "wharf.test.Rot13Converter", "value.converter.mark.headers": "true"});
    let source = json!({"connector.class": "FileStreamSource", "topic": topic, "file": stage.file("input")});
    worker.create(&stage.named("source"), with(source.clone(), rot13.clone()));
    let records = kafka.reader(&topic).read(1);
    assert_eq!(records[0].text(), "Uryyb Jbeyq");
    let rotated = records[0].headers.iter().any(|(name, _)| name == "rotated");
    assert!(
        rotated,
        "the converter's header is missing: {:?}",
        records[0].headers
    );
    let sink = with(recording(&stage, "calls"), with(json!({"topics": topic}), rot13));
    worker.create(&stage.named("sink"), sink);
    assert_eq!(recorded(&stage, "calls", 1), ["Hello World"]);

    let body = json!({
        "name": stage.named("none"),
        "config": with(source, json!({"value.converter": "com.example.NoSuchConverter"}))
    });
    let message = worker.refused("POST", "/connectors", Some(&body), 400);
    assert!(message.contains("com.example.NoSuchConverter"), "{message}");
}

#[test]
fn a_version_that_is_installed_is_used_and_another_refused() {
    let Some(stage) = Stage::set_up("versions") else {
        return;
    };
    let topic = stage.named("records");
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    let listed = worker.get("/connector-plugins");
    let version = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|plugin| plugin["class"] == "wharf.test.BlobSource")
        .and_then(|plugin| plugin["version"].as_str())
        .unwrap()
        .to_owned();
    for (number, wanted) in [version.as_str(), "latest", "[0.0,99)"].iter().enumerate() {
        let name = stage.named(&format!("good-{number}"));
        worker.create(
            &name,
            with(blobs(&topic, 1), json!({"connector.plugin.version": wanted})),
        );
        let status = worker.until_states(&name, &["RUNNING", "RUNNING"]);
        assert_eq!(status["connector"]["version"], json!(version), "{status}");
    }
    for (key, wanted) in [
        ("connector.plugin.version", "[99.0,)"),
        ("connector.plugin.version", "[1.0"),
        ("value.converter.plugin.version", "[99.0,)"),
    ] {
        let config = json!({key: wanted, "value.converter": "wharf.test.Rot13Converter"});
        let body = json!({"name": stage.named("bad"), "config": with(blobs(&topic, 1), config)});
        let message = worker.refused("POST", "/connectors", Some(&body), 400);
        assert!(message.contains(wanted), "{key}: {message}");
    }
}

#[test]
fn topics_are_found_by_a_pattern_that_matches_their_whole_name() {
    let Some(stage) = Stage::set_up("regex") else {
        return;
    };
    let kafka = stage.kafka();
    let name = |what: &str| stage.named(what);
    for topic in ["a-1", "a-1-more", "b-a-1"] {
        kafka.create_topic(&name(topic), 1, &[]);
        kafka.produce_lines(&name(topic), &[topic.to_owned()]);
    }
    let worker = stage.start(&[], &[]);
    // A look-ahead, which only Java's expressions have and not POSIX's.
    let pattern = format!("{}(?=a)a-\\d", name(""));
    let sink = with(
        recording(&stage, "calls"),
        json!({"topics.regex": pattern, "consumer.override.metadata.max.age.ms": "500"}),
    );
    worker.create(&name("sink"), sink);
    assert_eq!(recorded(&stage, "calls", 1), ["a-1"]);
    // Topics that come later are found.
    kafka.create_topic(&name("a-2"), 1, &[]);
    kafka.produce_lines(&name("a-2"), &["a-2".to_owned()]);
    assert_eq!(recorded(&stage, "calls", 2), ["a-1", "a-2"]);
    let active = worker.get(&format!("/connectors/{}/topics", name("sink")));
    let mut topics: Vec<_> = active[name("sink")]["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap().to_owned())
        .collect();
    topics.sort_unstable();
    assert_eq!(topics, [name("a-1"), name("a-2")]);
}

#[test]
fn topics_are_created_as_the_rules_say() {
    let Some(stage) = Stage::set_up("creation") else {
        return;
    };
    let kafka = stage.kafka();
    let worker = stage.start(&[], &[]);
    let rules = json!({
        "topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "3",
        "topic.creation.groups": "wide", "topic.creation.wide.include": ".*-wide",
        "topic.creation.wide.partitions": "5", "topic.creation.wide.cleanup.policy": "compact"
    });
    for (what, partitions) in [("usual", 3), ("wide", 5)] {
        let topic = stage.named(what);
        let keyed = json!({"keyed": "true"});
        worker.create(&topic, with(with(blobs(&topic, 5), rules.clone()), keyed));
        assert!(wait_until(PATIENCE, || kafka.partitions(&topic).is_some()
            && kafka.count(&topic) == 5));
        assert_eq!(kafka.partitions(&topic), Some(partitions), "{what}");
    }
    // A compacted topic takes no records without key, which shows that the setting arrived.
    let unkeyed = stage.named("unkeyed-wide");
    worker.create(&unkeyed, with(blobs(&unkeyed, 5), rules));
    worker.until_states(&unkeyed, &["RUNNING", "FAILED"]);
    assert_eq!(kafka.count(&unkeyed), 0);

    let body = json!({
        "name": stage.named("bad"),
        "config": with(blobs("t", 1), json!({"topic.creation.default.partitions": "3"}))
    });
    let message = worker.refused("POST", "/connectors", Some(&body), 400);
    assert!(
        message.contains("topic.creation.default.replication.factor"),
        "{message}"
    );
}

#[test]
fn a_key_goes_to_the_partition_that_javas_clients_choose() {
    let Some(stage) = Stage::set_up("partitions") else {
        return;
    };
    let topic = stage.named("keyed");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 7, &[]);
    let worker = stage.start(&[], &[]);
    worker.create(
        &stage.named("source"),
        with(blobs(&topic, 500), json!({"keyed": "true"})),
    );
    let records = kafka.reader(&topic).read(500);
    let mut by_partition = BTreeMap::new();
    for record in &records {
        let key = record.key.as_deref().unwrap();
        let expected = i32::try_from(partition_for_key(key, 7)).unwrap();
        assert_eq!(record.partition, expected, "{}", String::from_utf8_lossy(key));
        *by_partition.entry(record.partition).or_insert(0) += 1;
    }
    assert_eq!(by_partition.len(), 7, "{by_partition:?}");
}

#[test]
fn connectors_set_their_own_clients_where_the_worker_lets_them() {
    let Some(stage) = Stage::set_up("overrides") else {
        return;
    };
    let topic = stage.named("records");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["old".to_owned()]);
    let worker = stage.start(
        &[
            ("offset.flush.interval.ms", "100"),
            ("producer.max.request.size", "900000"),
        ],
        &[],
    );

    // The producer's limit lets nothing through: the task fails and says which setting to change.
    let small = stage.named("small");
    let config = json!({"producer.override.max.request.size": "1000", "bytes": "2000"});
    worker.create(&small, with(blobs(&topic, 1), config));
    let status = worker.until_states(&small, &["RUNNING", "FAILED"]);
    assert!(
        status["tasks"][0]["trace"]
            .as_str()
            .unwrap()
            .contains("max.request.size"),
        "{status}"
    );
    assert_eq!(kafka.count(&topic), 1);

    // The group's name and where it starts are the connector's choice.
    let (sink, group) = (stage.named("sink"), stage.named("group"));
    let config = json!({
        "topics": topic, "consumer.override.group.id": group, "consumer.override.auto.offset.reset": "latest"
    });
    worker.create(&sink, with(recording(&stage, "calls"), config));
    let opened = || String::from_utf8(stage.read("calls")).unwrap().contains("open ");
    assert!(wait_until(PATIENCE, opened));
    kafka.produce_lines(&topic, &["new".to_owned()]);
    assert_eq!(recorded(&stage, "calls", 1), ["new"]);
    assert!(wait_until(PATIENCE, || kafka
        .committed(&group)
        .get(&(topic.clone(), 0))
        == Some(&2)));
    assert!(kafka.committed(&format!("connect-{sink}")).is_empty());
    assert_eq!(worker.terminate(), Some(143));

    let worker = stage.start(&[("connector.client.config.override.policy", "None")], &[]);
    let config = with(blobs(&topic, 1), json!({"producer.override.linger.ms": "5"}));
    let body = json!({"name": stage.named("refused"), "config": config});
    let message = worker.refused("POST", "/connectors", Some(&body), 400);
    assert!(message.contains("None"), "{message}");
    let texts: Vec<_> = kafka
        .reader(&topic)
        .read_to_end()
        .iter()
        .map(Seen::text)
        .collect();
    assert_eq!(texts, ["old", "new"]);
}
