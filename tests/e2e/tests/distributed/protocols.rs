//! Groups that agree on one of the older protocols, because a worker offers no newer one: work is shared and moves in them as in
//! any other, and workers do not sign what they send each other.

use serde_json::{Value, json};
use wharf_e2e::Worker;
use wharf_e2e::truth::agreed_owners;

use crate::flows::{Flows, QUICK};
use crate::group::{Group, eventually, eventually_ok};

/// A protocol: what the setting `connect.protocol` calls it, what brokers call it, and the number in its messages.
struct Protocol {
    setting: &'static str,
    name: &'static str,
    version: i16,
}

const EAGER: Protocol = Protocol {
    setting: "eager",
    name: "default",
    version: 0,
};
const COMPATIBLE: Protocol = Protocol {
    setting: "compatible",
    name: "compatible",
    version: 1,
};
const SESSIONED: Protocol = Protocol {
    setting: "sessioned",
    name: "sessioned",
    version: 2,
};

fn start(group: &Group, name: &str, protocol: &Protocol) -> Worker {
    let mut settings = QUICK.to_vec();
    settings.push(("connect.protocol", protocol.setting));
    group.start_with(name, &settings)
}

/// Waits until the broker and all of these workers, which are the members, speak of this protocol.
fn agree_on(protocol: &Protocol, group: &Group, workers: &[&Worker]) {
    let kafka = group.stage.kafka();
    let version = protocol.version.to_be_bytes();
    let speak = |bytes: &[u8]| bytes.starts_with(&version);
    eventually(&format!("the group is one of protocol {}", protocol.name), || {
        let found = kafka.group(&group.stage.named("workers"));
        let agreed = found.is_some_and(|found| {
            (found.state.as_str(), found.protocol_type.as_str()) == ("Stable", "connect")
                && found.protocol == protocol.name
                && found.members.len() == workers.len()
                && found
                    .members
                    .iter()
                    .all(|member| speak(&member.metadata) && speak(&member.assignment))
        });
        agreed
            && workers
                .iter()
                .all(|worker| worker.get("/admin/cluster")["protocol"] == protocol.name)
    });
}

/// The worker of these that leads, once one does.
fn leader<'a>(workers: &[&'a Worker]) -> &'a Worker {
    let leads = |worker: &&&Worker| worker.get("/admin/cluster")["is_leader"] == true;
    let mut leader = None;
    eventually("one of them leads", || {
        leader = workers.iter().find(leads).copied();
        leader.is_some()
    });
    leader.unwrap()
}

/// Takes the leader out of these.
fn take_leader(workers: &mut Vec<Worker>) -> Worker {
    let all: Vec<&Worker> = workers.iter().collect();
    let leader = leader(&all).pid();
    let at = workers.iter().position(|worker| worker.pid() == leader);
    workers.remove(at.unwrap())
}

/// Changes every connector. Those that another worker than the leader has send it their new task configurations.
fn change_all(flows: &Flows, workers: &[&Worker], batch: usize) {
    let leader = leader(workers).address();
    let batch = batch.to_string();
    let connectors = flows.connectors();
    // Before anything changes, because what changes is stopped for a moment.
    eventually_ok("another worker has a connector", || {
        for connector in &connectors {
            if agreed_owners(workers, &connector.name)?[0] != leader {
                return Ok(());
            }
        }
        Err(format!("{leader} has them all"))
    });
    for (number, connector) in connectors.iter().enumerate() {
        let path = format!("/connectors/{}", connector.name);
        let asked = workers[number % workers.len()];
        let patch = json!({"batch.size": batch});
        asked.call("PATCH", &format!("{path}/config"), Some(&patch), 200);
        for worker in workers {
            worker.until(&format!("{path}/tasks"), "the task has the change", |tasks| {
                tasks[0]["config"]["batch.size"] == *batch
            });
        }
    }
}

/// What the leader answers to task configurations that somebody sends it without a signature: those that are there already.
fn answer_to_unsigned(flows: &Flows, workers: &[&Worker]) -> (u16, String) {
    let path = format!("/connectors/{}/tasks", flows.connectors()[0].name);
    let leader = leader(workers);
    let tasks = leader.get(&path);
    let configs: Vec<Value> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["config"].clone())
        .collect();
    let answer = leader.request("POST", &path, Some(&Value::from(configs)));
    (answer.status, answer.body)
}

/// How many session keys the group has written.
fn session_keys(group: &Group) -> usize {
    let stage = &group.stage;
    let records = stage.kafka().reader(&stage.named("configs")).read_to_end();
    let is_key = |record: &&wharf_e2e::Seen| record.key.as_deref() == Some(b"session-key");
    records.iter().filter(is_key).count()
}

/// Workers come and go in a group of this protocol, in order and without a goodbye.
fn work_is_shared_in(protocol: &Protocol) {
    let Some(group) = Group::set_up(protocol.setting) else {
        return;
    };
    let one = start(&group, "one", protocol);
    let two = start(&group, "two", protocol);
    let mut flows = Flows::create(group, &one, 3);
    flows.add(50);
    flows.settle(&[&one, &two]);
    agree_on(protocol, &flows.group, &[&one, &two]);
    change_all(&flows, &[&one, &two], 7);
    flows.settle(&[&one, &two]);
    assert_eq!(
        answer_to_unsigned(&flows, &[&one, &two]),
        (204, String::new()),
        "peers are believed"
    );

    let three = start(&flows.group, "three", protocol);
    flows.add(50);
    flows.settle(&[&one, &two, &three]);
    agree_on(protocol, &flows.group, &[&one, &two, &three]);
    // The leader goes, and says so; the next one is killed.
    let mut workers = vec![one, two, three];
    assert_eq!(take_leader(&mut workers).terminate(), Some(143));
    let [two, three] = [&workers[0], &workers[1]];
    flows.add(50);
    flows.settle(&[two, three]);
    agree_on(protocol, &flows.group, &[two, three]);
    assert_eq!(flows.doubled(), (0, 0), "in topics and in files");
    change_all(&flows, &[two, three], 8);
    take_leader(&mut workers).kill();
    let other = workers.remove(0);
    flows.add(50);
    flows.settle(&[&other]);
    let four = start(&flows.group, "four", protocol);
    flows.add(50);
    flows.settle(&[&other, &four]);
    agree_on(protocol, &flows.group, &[&other, &four]);
    assert_eq!(session_keys(&flows.group), 0, "there is nothing to sign with");
}

#[test]
fn eager_workers_share_work_and_hand_it_over() {
    work_is_shared_in(&EAGER);
}

#[test]
fn compatible_workers_share_work_and_hand_it_over() {
    work_is_shared_in(&COMPATIBLE);
}

#[test]
fn a_group_speaks_the_newest_protocol_that_all_of_its_workers_know() {
    let Some(group) = Group::set_up("weakest") else {
        return;
    };
    let one = start(&group, "one", &SESSIONED);
    let two = start(&group, "two", &SESSIONED);
    let mut flows = Flows::create(group, &one, 3);
    flows.add(50);
    flows.settle(&[&one, &two]);
    agree_on(&SESSIONED, &flows.group, &[&one, &two]);
    let (status, body) = answer_to_unsigned(&flows, &[&one, &two]);
    assert_eq!(status, 400, "{body}");
    for older in [EAGER, COMPATIBLE] {
        let three = start(&flows.group, older.setting, &older);
        flows.add(50);
        flows.settle(&[&one, &two, &three]);
        agree_on(&older, &flows.group, &[&one, &two, &three]);
        change_all(
            &flows,
            &[&one, &two, &three],
            usize::try_from(older.version).unwrap() + 7,
        );
        assert_eq!(answer_to_unsigned(&flows, &[&one, &two, &three]).0, 204);
        flows.settle(&[&one, &two, &three]);

        assert_eq!(three.terminate(), Some(143));
        flows.add(50);
        flows.settle(&[&one, &two]);
        agree_on(&SESSIONED, &flows.group, &[&one, &two]);
        assert_eq!(answer_to_unsigned(&flows, &[&one, &two]).0, 400);
    }
    assert_eq!(flows.doubled(), (0, 0), "in topics and in files");
    assert!(session_keys(&flows.group) > 0);
}
