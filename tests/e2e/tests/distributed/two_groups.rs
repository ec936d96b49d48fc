//! Two groups that share the status topic or the offset topic and nothing else, by mistake: what can be seen is said, and each
//! group goes on with its own connectors.

use serde_json::Value;
use wharf_e2e::{Stage, Worker, has_state};

use crate::failures::GIVES_UP;
use crate::group::{Group, eventually, file_source, workers_of};

/// What a leader says of a worker that writes to its status topic and is none of its group.
pub(crate) const STRANGER: &str = "was no member of group";

/// Settings of a second group, which shares one topic with the first.
fn of_another_group(stage: &Stage, shared: &str) -> Vec<(&'static str, String)> {
    let others = [
        ("config.storage.topic", "other-configs"),
        ("offset.storage.topic", "other-offsets"),
        ("status.storage.topic", "other-statuses"),
    ];
    let topics = others.into_iter().filter(|(key, _)| *key != shared);
    [("group.id", "other")]
        .into_iter()
        .chain(topics)
        .map(|(key, name)| (key, stage.named(name)))
        .collect()
}

fn start(group: &Group, name: &str, settings: &[(&str, String)]) -> Worker {
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    group.start_with(name, &settings)
}

/// A source of one line, with a file and a topic of this name.
fn source(stage: &Stage, name: &str) -> Value {
    let file = stage.write(&format!("{name}.txt"), "line\n");
    file_source(&file.to_string_lossy(), &stage.named(name))
}

fn runs(worker: &Worker, name: &str, config: Value) {
    worker.create(name, config);
    worker.until_states(name, &["RUNNING", "RUNNING"]);
}

fn is_told_of(worker: &Worker, other: &Worker, topic: &str) {
    eventually("the other group is noticed", || worker.log().contains(STRANGER));
    let log = worker.log();
    let line = log.lines().find(|line| line.contains(STRANGER)).unwrap();
    for word in [
        other.address(),
        topic,
        "another group.id",
        "give each group its own config.storage.topic",
    ] {
        assert!(line.contains(word), "{word} is not in {line}");
    }
}

#[test]
fn leaders_notice_another_group_that_writes_to_their_status_topic() {
    let Some(group) = Group::set_up("one-status-topic") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    runs(&one, "mine", source(stage, "mine"));
    let settings = of_another_group(stage, "status.storage.topic");
    let two = start(&group, "two", &settings);
    runs(&two, "other", source(stage, "other"));
    runs(&one, "again", source(stage, "again"));
    // Both groups have a leader, whichever of them has seen more generations.
    let statuses = stage.named("statuses");
    is_told_of(&one, &two, &statuses);
    is_told_of(&two, &one, &statuses);

    // It is said once, and both go on.
    for (worker, name) in [(&one, "third"), (&two, "fourth")] {
        runs(worker, name, source(stage, name));
        eventually("its line has arrived", || {
            stage.kafka().count(&stage.named(name)) == 1
        });
    }
    for worker in [one, two] {
        let log = worker.log();
        assert_eq!(log.matches(STRANGER).count(), 1, "{log}");
        assert_eq!(worker.terminate(), Some(143));
    }
}

#[test]
fn workers_of_the_group_that_come_and_go_are_not_taken_for_strangers() {
    let Some(group) = Group::set_up("no-strangers") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    let two = group.start("two");
    for name in ["a", "b", "c"] {
        runs(&one, name, source(stage, name));
    }
    let run_without = |asked: &Worker, names: &[&str], gone: &str| {
        for name in names {
            let path = format!("/connectors/{name}/status");
            asked.until(&path, "it runs on another worker", |status| {
                has_state(status, "RUNNING") && workers_of(status).iter().all(|owner| owner != gone)
            });
        }
    };
    // One that freezes has something to say when it wakes, of a generation that is over.
    two.signal("STOP");
    run_without(&one, &["a", "b", "c"], two.address());
    two.signal("CONT");
    two.wait_log(GIVES_UP);
    let three = group.start("three");
    runs(&three, "d", source(stage, "d"));
    // A leader is killed, and workers come back with other addresses.
    let first = (one.log(), one.address().to_owned());
    one.kill();
    run_without(&three, &["a", "b", "c", "d"], &first.1);
    let four = group.start("four");
    runs(&four, "e", source(stage, "e"));
    let second = (two.log(), two.address().to_owned());
    two.kill();
    run_without(&four, &["a", "b", "c", "d", "e"], &second.1);
    for log in [first.0, second.0, three.log(), four.log()] {
        assert!(!log.contains(STRANGER), "{log}");
    }
}

#[test]
fn a_new_connector_that_finds_offsets_under_its_name_says_that_it_goes_on_from_them() {
    let Some(group) = Group::set_up("one-offset-topic") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    let file = stage.write("in.txt", "one\ntwo\n");
    let config = |topic: &str| file_source(&file.to_string_lossy(), &stage.named(topic));
    runs(&one, "source", config("first"));
    one.until("/connectors/source/offsets", "the offset is stored", |answer| {
        answer["offsets"][0]["offset"]["position"] == 8
    });
    let goes_on = |worker: &Worker| {
        let log = worker.log();
        let lines = log
            .lines()
            .filter(|line| line.contains("source offsets of a connector of this name"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(goes_on(&one), [""; 0]);

    // Which group stores them stands nowhere: to the second group they are what it left there itself.
    let settings = of_another_group(stage, "offset.storage.topic");
    let two = start(&group, "two", &settings);
    runs(&two, "source", config("second"));
    runs(&two, "another", config("third"));
    stage.write("in.txt", "one\ntwo\nthree\n");
    for (topic, lines) in [("first", 3), ("second", 1), ("third", 3)] {
        let topic = stage.named(topic);
        eventually("the lines have arrived", || stage.kafka().count(&topic) == lines);
    }
    let lines = goes_on(&two);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for word in [
        "connector source is new",
        &stage.named("offsets"),
        "holds 1 source offsets",
        "give each group its own offset.storage.topic",
        "DELETE /connectors/source/offsets",
    ] {
        assert!(lines[0].contains(word), "{word} is not in {}", lines[0]);
    }
    for worker in [one, two] {
        assert!(!worker.log().contains(STRANGER));
        assert_eq!(worker.terminate(), Some(143));
    }
}
