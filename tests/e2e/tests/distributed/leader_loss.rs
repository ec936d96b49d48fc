//! Requests that are on their way to a leader when it is lost, and those that it has answered a moment ago.

use std::time::Instant;

use serde_json::{Value, json};
use wharf_e2e::truth::{FileConnector, runs_exactly_once};
use wharf_e2e::{Stage, Worker, states};

use crate::exactly_once::ENABLED;
use crate::flows::QUICK;
use crate::group::{Group, SESSION, eventually, eventually_ok, file_source};

/// Two workers; the first leads.
fn led_by_the_first(group: &Group) -> (Worker, Worker) {
    led_by_the_first_with(group, &[])
}

fn led_by_the_first_with(group: &Group, settings: &[(&str, &str)]) -> (Worker, Worker) {
    let leader = group.start_with("one", settings);
    leader.until("/health", "it leads", |health| health["status"] == "healthy");
    let other = group.start_with("two", settings);
    other.until("/health", "it is a member", |health| {
        health["status"] == "healthy"
    });
    assert!(leader.log().contains("as leader") && !other.log().contains("as leader"));
    (leader, other)
}

#[test]
fn a_request_waits_for_the_next_leader_when_the_last_one_was_killed() {
    let Some(group) = Group::set_up("leader-killed") else {
        return;
    };
    let stage = &group.stage;
    let (leader, other) = led_by_the_first(&group);
    leader.kill();
    stage.write("in.txt", "a\n");
    // The group has not noticed yet: whoever is asked knows the old leader only.
    other.create(
        "source",
        file_source(&stage.file("in.txt"), &stage.named("topic")),
    );
    other.until_states("source", &["RUNNING", "RUNNING"]);
    assert!(other.log().contains("as leader"));
}

#[test]
fn a_request_that_a_frozen_leader_has_is_answered_when_another_one_leads() {
    let Some(group) = Group::set_up("leader-frozen") else {
        return;
    };
    let stage = &group.stage;
    let (leader, other) = led_by_the_first(&group);
    leader.signal("STOP");
    let asked = Instant::now();
    stage.write("in.txt", "a\n");
    let config = file_source(&stage.file("in.txt"), &stage.named("topic"));
    let message = other.refused(
        "POST",
        "/connectors",
        Some(&json!({"name": "source", "config": config})),
        500,
    );
    assert!(message.contains(leader.address()), "{message}");
    assert!(message.contains("leads the group no longer"), "{message}");
    assert!(
        message.contains("not known whether the request was carried out"),
        "{message}"
    );
    // Long before the request's own time is over.
    assert!(asked.elapsed() < SESSION * 6, "{:?}", asked.elapsed());
    other.call("PUT", "/connectors/source/config", Some(&config), 201);
    other.until_states("source", &["RUNNING", "RUNNING"]);
    leader.signal("CONT");
    // What it had of the request it does not carry out any more.
    leader.until(
        "/connectors/source/status",
        "it is a member again and tells the same",
        |status| status["connector"]["state"] == "RUNNING",
    );
}

/// The source of this name, with a file of one line and a topic of its own.
fn source(stage: &Stage, name: &str) -> (FileConnector, Value) {
    let file = stage.write(&format!("{name}.txt"), "line\n");
    let config = file_source(&file.to_string_lossy(), &stage.named(name));
    stage.kafka().create_topic(&stage.named(name), 1, &[]);
    let name = name.to_owned();
    (FileConnector { name, file }, config)
}

/// Waits until these connectors, and no others, are there and run once, all of them on this worker, and have sent their lines.
fn are_all(stage: &Stage, worker: &Worker, connectors: &[FileConnector]) {
    let mut names: Vec<&str> = connectors.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    eventually_ok("there are these connectors", || {
        let listed = worker.get("/connectors");
        let mut found: Vec<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        found.sort_unstable();
        (found == names).then_some(()).ok_or_else(|| listed.to_string())
    });
    eventually_ok("each runs once", || runs_exactly_once(&[worker], connectors));
    for name in names {
        eventually("its line is in the topic", || {
            stage.kafka().count(&stage.named(name)) > 0
        });
    }
}

#[test]
fn what_a_leader_has_accepted_is_there_though_it_is_killed_the_moment_after() {
    // Once the leader is asked itself, and once it has only answered the worker that was asked.
    for (name, support, asks_leader) in [("accepted", None, true), ("accepted-eos", Some(ENABLED), false)] {
        let Some(mut group) = Group::set_up(name) else {
            return;
        };
        group.stage.keep_when_failed();
        let stage = &group.stage;
        let mut settings = QUICK.to_vec();
        settings.extend(support);
        let (leader, other) = led_by_the_first_with(&group, &settings);
        let (stays, config) = source(stage, "stays");
        let (changes, of_changed) = source(stage, "changes");
        let (goes, of_gone) = source(stage, "goes");
        for (connector, config) in [(&stays, config), (&changes, of_changed), (&goes, of_gone)] {
            leader.create(&connector.name, config);
        }
        let before = [stays.clone(), changes.clone(), goes];
        eventually_ok("everything runs", || {
            runs_exactly_once(&[&leader, &other], &before)
        });

        let asked = if asks_leader { &leader } else { &other };
        let (new, config) = source(stage, "new");
        asked.call("DELETE", "/connectors/goes", None, 204);
        let patch = json!({"batch.size": "7"});
        asked.call("PATCH", "/connectors/changes/config", Some(&patch), 200);
        asked.call("PUT", "/connectors/stays/pause", None, 202);
        asked.create("new", config.clone());
        leader.kill();

        eventually("what was deleted has no status", || {
            other.request("GET", "/connectors/goes/status", None).status == 404
        });
        other.until_states("stays", &["PAUSED", "PAUSED"]);
        other.until("/connectors/changes/tasks", "its task has the change", |tasks| {
            tasks[0]["config"]["batch.size"] == "7"
        });
        let created = other.get("/connectors/new");
        for (key, value) in config.as_object().unwrap() {
            assert_eq!(created["config"][key], *value, "{created}");
        }
        other.call("PUT", "/connectors/stays/resume", None, 202);
        are_all(stage, &other, &[stays, changes, new]);
    }
}

#[test]
fn connectors_that_are_created_in_a_row_while_the_leader_is_killed_are_there_whole_or_not_at_all() {
    const COUNT: usize = 30;
    let Some(mut group) = Group::set_up("accepted-in-a-row") else {
        return;
    };
    group.stage.keep_when_failed();
    let stage = &group.stage;
    let (leader, other) = led_by_the_first_with(&group, &QUICK);
    let sources: Vec<(FileConnector, Value)> = (0..COUNT)
        .map(|number| source(stage, &format!("source{number}")))
        .collect();
    let answers = std::thread::scope(|scope| {
        let all = scope.spawn(|| {
            let create = |(connector, config): &(FileConnector, Value)| {
                let body = json!({"name": connector.name, "config": config});
                other.request("POST", "/connectors", Some(&body))
            };
            sources.iter().map(create).collect::<Vec<_>>()
        });
        leader.until("/connectors", "a third of them are there", |list| {
            list.as_array().unwrap().len() >= COUNT / 3
        });
        leader.kill();
        all.join().unwrap()
    });
    eventually("the other one leads", || other.log().contains("as leader"));
    for ((connector, config), answer) in sources.iter().zip(answers) {
        let path = format!("/connectors/{}", connector.name);
        if answer.status == 201 {
            continue;
        }
        let told = "not known whether the request was carried out";
        assert!(
            answer.status == 500 && answer.body.contains(told),
            "{path}: {answer:?}"
        );
        // What the answer leaves open can be looked up, and asked for again.
        let expected = match other.request("GET", &path, None).status {
            404 => 201,
            _ => {
                other.until(&format!("{path}/status"), "it runs", |status| {
                    states(status) == ["RUNNING", "RUNNING"]
                });
                200
            }
        };
        other.call("PUT", &format!("{path}/config"), Some(config), expected);
    }
    let connectors: Vec<FileConnector> = sources.into_iter().map(|(connector, _)| connector).collect();
    are_all(stage, &other, &connectors);
}
