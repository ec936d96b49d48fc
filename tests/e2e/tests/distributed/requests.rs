//! Requests reach whoever can answer them, whichever worker is asked.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wharf_cluster::config_state::{ConfigEvent, ConfigState};
use wharf_cluster::session_key::SessionKey;
use wharf_cluster::signature::{MacAlgorithm, headers};
use wharf_e2e::{TopicReader, has_state};
use wharf_test_services::http;

use crate::exactly_once::ENABLED;
use crate::group::{Group, eventually, file_source, workers_of};

#[test]
fn every_request_may_be_sent_to_any_worker() {
    let Some(group) = Group::set_up("any") else { return };
    let stage = &group.stage;
    let workers = [group.start("one"), group.start("two"), group.start("three")];
    stage.write("in.txt", "a\nb\n");
    let config = file_source(&stage.file("in.txt"), &stage.named("topic"));
    for (n, worker) in workers.iter().enumerate() {
        let name = format!("source{n}");
        worker.create(&name, config.clone());
        let path = format!("/connectors/{name}");
        for other in &workers {
            other.until(&format!("{path}/status"), "it runs", |status| {
                has_state(status, "RUNNING")
            });
            assert_eq!(other.get(&format!("{path}/config"))["file"], stage.file("in.txt"));
        }
        let other = &workers[(n + 1) % workers.len()];
        other.call("PUT", &format!("{path}/pause"), None, 202);
        worker.until(&format!("{path}/status"), "it is paused", |status| {
            has_state(status, "PAUSED")
        });
        worker.call("PUT", &format!("{path}/resume"), None, 202);
        other.until(&format!("{path}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        });
        other.call("POST", &format!("{path}/restart"), None, 204);
        other.call("POST", &format!("{path}/tasks/0/restart"), None, 204);
        let plan = other.call("POST", &format!("{path}/restart?includeTasks=true"), None, 202);
        assert_eq!(plan["connector"]["state"], "RESTARTING");
        other.until(&format!("{path}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        });
        worker.call(
            "PATCH",
            &format!("{path}/config"),
            Some(&json!({"batch.size": "10"})),
            200,
        );
        other.until(&format!("{path}/config"), "the change is there", |config| {
            config["batch.size"] == "10"
        });
        other.call("PUT", &format!("{path}/stop"), None, 204);
        worker.until_states(&name, &["STOPPED"]);
        worker.until(&format!("{path}/offsets"), "offsets are there", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == 4
        });
        other.call("DELETE", &format!("{path}/offsets"), None, 200);
        assert_eq!(worker.get(&format!("{path}/offsets")), json!({"offsets": []}));
    }
    for worker in &workers {
        let message = worker.refused(
            "POST",
            "/connectors",
            Some(&json!({"name": "source0", "config": config})),
            409,
        );
        assert_eq!(message, "Connector source0 already exists");
    }
    for (n, worker) in workers.iter().enumerate() {
        worker.call("DELETE", &format!("/connectors/source{n}"), None, 204);
    }
    for worker in &workers {
        eventually("all are gone", || worker.get("/connectors") == json!([]));
        worker.refused("GET", "/connectors/source0/status", None, 404);
    }
}

/// The session keys of a group, as its config topic has them.
pub(crate) struct SessionKeys {
    reader: TopicReader,
    state: ConfigState,
    pub(crate) seen: Vec<Arc<SessionKey>>,
}

impl SessionKeys {
    pub(crate) fn of(group: &Group) -> Self {
        let mut state = ConfigState::new();
        state.initial_read_complete();
        Self {
            reader: group.stage.kafka().reader(&group.stage.named("configs")),
            state,
            seen: Vec::new(),
        }
    }

    /// How many were written after this time.
    fn since(&self, began: SystemTime) -> usize {
        let began = began.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let is_later = |key: &&Arc<SessionKey>| u128::from(key.created_at_ms().unsigned_abs()) > began;
        self.seen.iter().filter(is_later).count()
    }

    /// Reads what came since, at least one record.
    pub(crate) fn read_some(&mut self) {
        for record in self.reader.read(1) {
            let events = self
                .state
                .apply(record.offset, record.key.as_deref(), record.value.as_deref());
            self.seen
                .extend(events.into_iter().filter_map(|event| match event {
                    ConfigEvent::SessionKeyUpdated(key) => Some(key),
                    _ => None,
                }));
        }
    }
}

#[test]
fn signed_requests_go_on_while_the_session_key_is_replaced_again_and_again() {
    const NAMES: [&str; 2] = ["source0", "source1"];
    let Some(mut group) = Group::set_up("rotation") else {
        return;
    };
    group.stage.keep_when_failed();
    let stage = &group.stage;
    // Each change of a source takes two signed requests to the leader: for new task configurations, and to fence the task.
    let settings = [("inter.worker.key.ttl.ms", "1000"), ENABLED];
    let one = group.start_with("one", &settings);
    one.until("/admin/cluster", "it leads", |view| view["is_leader"] == true);
    let two = group.start_with("two", &settings);
    stage.write("in.txt", "a\n");
    for name in NAMES {
        one.create(name, file_source(&stage.file("in.txt"), &stage.named("topic")));
    }
    let status = |name: &str| {
        two.until(&format!("/connectors/{name}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        })
    };
    // The first is the connector itself, the second its task.
    let of_two = |part: usize| -> Vec<&str> {
        let is_there = |name: &&str| workers_of(&status(name))[part] == two.address();
        NAMES.into_iter().filter(is_there).collect()
    };
    eventually("the other one has a connector and a task", || {
        !of_two(0).is_empty() && !of_two(1).is_empty()
    });
    let far = of_two(0)[0];

    let mut keys = SessionKeys::of(&group);
    let (began, mut changes) = (SystemTime::now(), 0);
    while keys.since(began) < 3 || changes < 3 {
        changes += 1;
        let batch = (100 + changes).to_string();
        let patch = json!({"batch.size": batch});
        for name in NAMES {
            two.call("PATCH", &format!("/connectors/{name}/config"), Some(&patch), 200);
        }
        for name in NAMES {
            for worker in [&one, &two] {
                worker.until(
                    &format!("/connectors/{name}/tasks"),
                    "the task has the change",
                    |tasks| tasks[0]["config"]["batch.size"] == *batch,
                );
            }
            status(name);
        }
        keys.read_some();
    }
    assert!(
        of_two(0).contains(&far),
        "what did not have to move is where it was"
    );
    stage.write("in.txt", "a\nb\n");
    let mut lines: Vec<String> = Vec::new();
    let mut reader = stage.kafka().committed_reader(&stage.named("topic"));
    while lines.iter().filter(|line| *line == "b").count() < NAMES.len() {
        lines.extend(reader.read(1).iter().map(wharf_e2e::Seen::text));
    }
    lines.sort();
    assert_eq!(lines, ["a", "a", "b", "b"]);

    // What was asked of the leader was signed indeed, with the key of the day.
    let path = format!("/connectors/{far}/tasks");
    let tasks = one.get(&path);
    let body = Value::from(vec![tasks[0]["config"].clone()]).to_string();
    let ask = |headers: &[(&str, &str)]| {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        http::send(one.address(), "POST", &path, &all, Some(&body)).unwrap()
    };
    let ask_with = |key: &SessionKey| {
        let algorithm = MacAlgorithm::new(key.algorithm()).unwrap();
        let [signature, algorithm] = headers(key, &algorithm, body.as_bytes());
        ask(&[(signature.0, &signature.1), (algorithm.0, &algorithm.1)])
    };
    let answer = ask(&[]);
    assert_eq!(answer.status, 400, "{}", answer.body);
    // The leader had read the next one before it wrote the one after that.
    let answer = ask_with(&keys.seen[keys.seen.len() - 3]);
    assert_eq!(answer.status, 403, "{}", answer.body);
    // It may be read here sooner than by the leader.
    let mut tries = 0;
    eventually("the key that was written last is the right one", || {
        tries += 1;
        if tries % 10 == 0 {
            keys.read_some();
        }
        ask_with(keys.seen.last().unwrap()).status == 204
    });
}
