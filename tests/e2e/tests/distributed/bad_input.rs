//! What workers find that no worker of their group made: topics that are kept wrongly, mixed up or shared, records that cannot be
//! read, and strangers in the group.

use std::time::Duration;

use serde_json::json;
use wharf_e2e::{Worker, has_state};

use crate::group::{Group, eventually, file_source};

/// What a start that cannot succeed may take.
const ANSWER: Duration = Duration::from_secs(20);
const COMPACT: &[(&str, &str)] = &[("cleanup.policy", "compact")];

/// A worker that has to end by itself, because of all of these.
fn ends(mut worker: Worker, words: &[&str]) {
    let code = worker.end(ANSWER);
    let log = worker.log();
    assert_eq!(code, Some(2), "{log}");
    for word in words {
        assert!(log.contains(word), "{word} is not in {log}");
    }
}

#[test]
fn a_topic_that_forgets_old_records_is_refused_with_the_command_that_helps() {
    let Some(group) = Group::set_up("policy") else {
        return;
    };
    let kafka = group.stage.kafka();
    for (key, what) in [
        ("config.storage.topic", "configs"),
        ("offset.storage.topic", "offsets"),
        ("status.storage.topic", "statuses"),
    ] {
        for policy in ["delete", "compact,delete"] {
            let name = format!("{what}-{}", policy.replace(',', "-"));
            let topic = group.stage.named(&name);
            kafka.create_topic(&topic, 1, &[("cleanup.policy", policy)]);
            let worker = group.launch_with(&name, &[(key, &topic)]);
            let command = format!("--entity-name {topic} --add-config cleanup.policy=compact");
            let words = [
                &format!("topic {topic}, named by {key}, has cleanup.policy={policy}"),
                &command,
            ];
            ends(worker, &words.map(String::as_str));
        }
    }
}

#[test]
fn a_config_topic_with_several_partitions_is_refused() {
    let Some(group) = Group::set_up("partitions") else {
        return;
    };
    let topic = group.stage.named("configs");
    group.stage.kafka().create_topic(&topic, 3, COMPACT);
    let words = format!("topic {topic}, named by config.storage.topic, has 3 partitions");
    ends(group.launch_with("one", &[]), &[&words, "name another topic"]);
}

#[test]
fn topics_whose_names_are_mixed_up_are_refused_before_anything_is_written() {
    let Some(group) = Group::set_up("mixed-up") else {
        return;
    };
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    let worker = group.start("right");
    worker.create(
        "source",
        file_source(&stage.file("in.txt"), &stage.named("topic")),
    );
    worker.until("/connectors/source/offsets", "the offset is stored", |answer| {
        answer["offsets"][0]["offset"]["position"] == 4
    });
    assert_eq!(worker.terminate(), Some(143));
    let [configs, offsets, statuses] = ["configs", "offsets", "statuses"].map(|name| stage.named(name));
    let counts = || [&configs, &offsets, &statuses].map(|topic| stage.kafka().count(topic));
    let before = counts();

    let mixed_up = [
        ("offset.storage.topic", statuses.as_str()),
        ("status.storage.topic", offsets.as_str()),
    ];
    let first = format!(
        "topic {statuses}, named by offset.storage.topic, holds states of connectors and tasks and no source offsets; it looks like a \
         topic for status.storage.topic"
    );
    let second = format!(
        "topic {offsets}, named by status.storage.topic, holds source offsets and no states of connectors"
    );
    ends(
        group.launch_with("wrong", &mixed_up),
        &[&first, &second, "mixed up"],
    );
    let none = stage.named("none");
    let of_configs = [
        ("status.storage.topic", configs.as_str()),
        ("config.storage.topic", none.as_str()),
    ];
    let third = format!("topic {configs}, named by status.storage.topic, holds configurations of connectors");
    ends(group.launch_with("configs", &of_configs), &[&third]);
    assert_eq!(counts(), before);

    // Nothing in the topics says whose they are: what another group takes up is named.
    let worker = group.start_with("renamed", &[("group.id", &stage.named("other"))]);
    worker.wait_log(&format!("takes up the 1 connectors of topic {configs}: source;"));
    worker.until("/connectors/source/status", "it runs", |status| {
        has_state(status, "RUNNING")
    });
}

#[test]
fn records_that_nobody_can_read_are_named_and_the_rest_works() {
    let Some(group) = Group::set_up("garbage") else {
        return;
    };
    let stage = &group.stage;
    let kafka = stage.kafka();
    stage.write("in.txt", "one\n");
    let worker = group.start("one");
    worker.create(
        "before",
        file_source(&stage.file("in.txt"), &stage.named("before")),
    );
    let runs = |worker: &Worker, name: &str| {
        let path = format!("/connectors/{name}/status");
        worker.until(&path, "it runs", |status| has_state(status, "RUNNING"));
    };
    runs(&worker, "before");
    let garbage: [(&str, &str, &[u8], &str); 7] = [
        (
            "configs",
            "connector-broken",
            b"{\"properties\":",
            "its value is ",
        ),
        (
            "configs",
            "of another application",
            b"{}",
            "no worker writes this key",
        ),
        (
            "configs",
            "connector-before",
            b"[]",
            "where an object is expected",
        ),
        (
            "configs",
            "task-before-x",
            b"{}",
            "does not end with the number of a task",
        ),
        ("statuses", "status-connector-broken", b"\xff\xfe", "is ignored: "),
        ("statuses", "strange", b"x", "is ignored: "),
        ("offsets", "strange", b"x", "is ignored: "),
    ];
    for (topic, key, value, _) in garbage {
        kafka.produce(&stage.named(topic), [(Some(key), value)]);
    }
    let named = |worker: &Worker| {
        for (_, key, _, reason) in garbage {
            eventually(&format!("{key} is named"), || {
                let log = worker.log();
                log.lines()
                    .any(|line| line.contains(&format!("record `{key}` at offset ")) && line.contains(reason))
            });
        }
    };
    worker.create("after", file_source(&stage.file("in.txt"), &stage.named("after")));
    runs(&worker, "after");
    runs(&worker, "before");
    // Lookups of offsets read the topic to its end.
    worker.get("/connectors/before/offsets");
    named(&worker);
    assert_eq!(worker.terminate(), Some(143));

    // And a worker that finds them at its start says the same.
    let worker = group.start("two");
    runs(&worker, "after");
    runs(&worker, "before");
    named(&worker);
    let mut names = worker.get("/connectors").as_array().unwrap().clone();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [json!("after"), json!("before")]);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_group_of_consumers_is_not_joined_and_said_to_be_one() {
    let Some(group) = Group::set_up("strangers") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    // A sink's tasks are members of a group of consumers.
    let other = Group::set_up("consumers").unwrap();
    let worker = other.start("consumers");
    let workers = stage.named("workers");
    worker.create(
        "sink",
        json!({
            "connector.class": "FileStreamSink", "topics": topic, "file": stage.file("out.txt"),
            "consumer.override.group.id": workers,
        }),
    );
    stage.kafka().produce_lines(&topic, &["one".to_owned()]);
    eventually("the consumer is a member", || stage.read("out.txt") == b"one\n");

    let mut refused = group.launch_with("one", &[]);
    let code = refused.end(ANSWER);
    let log = refused.log();
    assert!(code.is_some_and(|code| code != 0), "{code:?} {log}");
    for word in [
        &format!("JoinGroup for group '{workers}' was refused"),
        "INCONSISTENT_GROUP_PROTOCOL",
        "another kind of client uses the same group.id",
    ] {
        assert!(log.contains(word), "{word} is not in {log}");
    }
    assert_eq!(log.matches("was refused").count(), 1, "it is tried again: {log}");
}

#[test]
fn a_leader_notices_another_group_that_writes_to_its_config_topic() {
    let Some(group) = Group::set_up("two-groups") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    assert!(!one.log().contains("somebody else wrote a session key"));
    let other = stage.named("other");
    // By default the other leader would write its next key within the hour.
    let two = group.start_with(
        "two",
        &[("group.id", &other), ("inter.worker.key.ttl.ms", "1000")],
    );
    one.wait_log("somebody else wrote a session key");
    let log = one.log();
    for word in [
        stage.named("configs"),
        format!("leads group {}", stage.named("workers")),
        "another group.id".to_owned(),
        "give each group its own config.storage.topic".to_owned(),
    ] {
        assert!(log.contains(&word), "{word} is not in {log}");
    }
    assert_eq!(two.terminate(), Some(143));
    assert_eq!(one.terminate(), Some(143));
}
