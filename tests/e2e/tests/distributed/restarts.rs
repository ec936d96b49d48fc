//! What a restart of a connector with its tasks leaves in the status topic: each part that restarts is RESTARTING there before it
//! runs again, in the bytes that upstream writes, and nothing is said of any other part.
//!
//! Upstream writes UNASSIGNED before RESTARTING, for a part that ran: it says RESTARTING when the part has stopped. Here it is
//! said as soon as the part is told to stop, and UNASSIGNED not at all, because nobody has to take the part over.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_e2e::{Seen, TopicReader, Worker, states};

use crate::group::{Group, eventually_ok, workers_of};

/// A connector and its two tasks.
const PARTS: usize = 3;

/// What the status topic says of the parts of a connector, the connector first.
struct Statuses {
    reader: TopicReader,
    keys: [String; PARTS],
    /// In the order of the topic, in which each key has one partition.
    values: BTreeMap<String, Vec<String>>,
}

impl Statuses {
    /// Those that come from now on.
    fn from_now(group: &Group, connector: &str) -> Self {
        let mut reader = group.stage.kafka().reader(&group.stage.named("statuses"));
        reader.read_to_end();
        Self {
            reader,
            keys: [
                format!("status-connector-{connector}"),
                format!("status-task-{connector}-0"),
                format!("status-task-{connector}-1"),
            ],
            values: BTreeMap::new(),
        }
    }

    fn read(&mut self) {
        for record in self.reader.read_to_end() {
            let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
            self.values.entry(key).or_default().push(Seen::text(&record));
        }
    }

    fn of(&self, part: usize) -> &[String] {
        self.values.get(&self.keys[part]).map_or(&[], Vec::as_slice)
    }

    /// What is said twice in a row is listed once.
    fn states(&self) -> [Vec<String>; PARTS] {
        std::array::from_fn(|part| {
            let mut states: Vec<String> = self.of(part).iter().map(|value| state_in(value)).collect();
            states.dedup();
            states
        })
    }

    /// Waits until these, and no others, were said of the parts.
    fn are(&mut self, expected: &[Vec<&str>; PARTS]) {
        eventually_ok("these statuses are in the topic", || {
            self.read();
            let states = self.states();
            let agree = states == *expected;
            agree.then_some(()).ok_or_else(|| format!("{states:?}"))
        });
    }
}

fn state_in(value: &str) -> String {
    let value: Value = serde_json::from_str(value).unwrap();
    value["state"].as_str().unwrap().to_owned()
}

/// Two workers of one generation.
fn two_workers(group: &Group) -> [Worker; 2] {
    let workers = ["one", "two"].map(|name| group.start(name));
    eventually_ok("both are in the same generation", || {
        let views = workers.each_ref().map(|worker| worker.get("/admin/cluster"));
        let settled = views.iter().all(|view| view["is_rebalancing"] == false)
            && views[0]["generation"] == views[1]["generation"];
        settled.then_some(()).ok_or_else(|| format!("{views:?}"))
    });
    workers
}

#[test]
fn every_part_that_restarts_is_restarting_in_the_status_topic_before_it_runs_again() {
    let Some(group) = Group::set_up("restarting") else {
        return;
    };
    let stage = &group.stage;
    let (topic, name) = (stage.named("topic"), stage.named("sink"));
    stage.kafka().create_topic(&topic, 2, &[]);
    let workers = two_workers(&group);
    let [one, two] = &workers;
    // Its tasks can start where this folder is.
    std::fs::create_dir(stage.path("one/place")).unwrap();
    let config = json!({
        "connector.class": "wharf.test.RecordingSink",
        "tasks.max": "2",
        "topics": topic,
        "record.file": "place/calls",
    });
    two.create(&name, config);
    let path = format!("/connectors/{name}");
    let mut runs = 0;
    let status = two.until(&format!("{path}/status"), "one of its tasks runs", |status| {
        let found = [0, 1].map(|task| {
            let task = &status["tasks"][task];
            (task["worker_id"] == one.address(), task["state"] == "RUNNING")
        });
        runs = 1 + usize::from(found[1] == (true, true));
        let failed = &status["tasks"][2 - runs];
        found.contains(&(true, true)) && failed["state"] == "FAILED" && failed["worker_id"] == two.address()
    });
    let fails = PARTS - runs;
    let owners = workers_of(&status);
    // What is expected of the connector, of the task that has failed, and of the other one.
    let parts = |connector: &[&'static str], failed: &[&'static str], other: &[&'static str]| {
        let mut all = [connector.to_vec(), other.to_vec(), other.to_vec()];
        all[fails] = failed.to_vec();
        all
    };
    // A plan is made of what the leader knows, and carried out by what each worker knows.
    let restart = |worker: &Worker, flags: &str, known: &[Vec<&str>; PARTS]| {
        for worker in &workers {
            worker.until_states(&name, &known.concat());
        }
        let plan = worker.call("POST", &format!("{path}/restart?{flags}"), None, 202);
        assert_eq!(workers_of(&plan), owners, "{flags}");
        states(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let one_failed = parts(&["RUNNING"], &["FAILED"], &["RUNNING"]);
    let all_run = parts(&["RUNNING"], &["RUNNING"], &["RUNNING"]);
    one.until_states(&name, &one_failed.concat());
    let mut statuses = Statuses::from_now(&group, &name);

    // What has failed, and nothing else; it fails again.
    let again = ["RESTARTING", "FAILED"];
    let plan = restart(two, "includeTasks=true&onlyFailed=true", &one_failed);
    assert_eq!(plan, parts(&["RUNNING"], &["RESTARTING"], &["RUNNING"]).concat());
    statuses.are(&parts(&[], &again, &[]));
    // The connector has not.
    let plan = restart(one, "includeTasks=false&onlyFailed=true", &one_failed);
    assert_eq!(plan, one_failed.concat());
    std::fs::create_dir(stage.path("two/place")).unwrap();
    restart(one, "includeTasks=true&onlyFailed=true", &one_failed);
    let mut of_failed = [&again[..], &["RESTARTING", "RUNNING"]].concat();
    statuses.are(&parts(&[], &of_failed, &[]));
    // Nothing has failed any more.
    let plan = restart(two, "includeTasks=true&onlyFailed=true", &all_run);
    assert_eq!(plan, all_run.concat());

    // Everything.
    let plan = restart(two, "includeTasks=true", &all_run);
    assert_eq!(plan, ["RESTARTING"; PARTS]);
    let mut of_others = vec!["RESTARTING", "RUNNING"];
    of_failed.extend(["RESTARTING", "RUNNING"]);
    statuses.are(&parts(&of_others, &of_failed, &of_others));
    // What was paused is paused afterwards.
    one.call("PUT", &format!("{path}/pause"), None, 202);
    for list in [&mut of_others, &mut of_failed] {
        list.push("PAUSED");
    }
    statuses.are(&parts(&of_others, &of_failed, &of_others));
    let plan = restart(
        one,
        "includeTasks=true",
        &parts(&["PAUSED"], &["PAUSED"], &["PAUSED"]),
    );
    assert_eq!(plan, ["RESTARTING"; PARTS]);
    for list in [&mut of_others, &mut of_failed] {
        list.extend(["RESTARTING", "PAUSED"]);
    }
    statuses.are(&parts(&of_others, &of_failed, &of_others));

    // Byte for byte, each from the worker that has the part; no rebalance came in between.
    let generation = &one.get("/admin/cluster")["generation"];
    let version = &status["connector"]["version"];
    assert!(version.is_string(), "{status}");
    for (part, owner) in owners.iter().enumerate() {
        let text = |state: &str, version: &Value| {
            format!(
                r#"{{"state":"{state}","trace":null,"worker_id":"{owner}","generation":{generation},"version":{version}}}"#
            )
        };
        for value in statuses.of(part) {
            match state_in(value).as_str() {
                "FAILED" => {}
                "RESTARTING" => assert_eq!(*value, text("RESTARTING", &Value::Null)),
                state => assert_eq!(*value, text(state, version)),
            }
        }
    }
}
