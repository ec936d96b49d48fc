//! Zombies: tasks that believe to be the right ones and are not. What they had begun is never seen, and they can begin nothing
//! more (KIP-618).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_cluster::fencing::transactional_id;
use wharf_e2e::{PATIENCE, Stage, TopicReader, Worker, has_state};
use wharf_kafka::{ClientKind, Producer, translate};

use crate::exactly_once::ENABLED;
use crate::failures::GIVES_UP;
use crate::flows::QUICK;
use crate::group::{Group, eventually, workers_of};

/// Records of one transaction.
const TOGETHER: usize = 5;
/// Tasks at first, and at last.
const TASKS: usize = 3;

/// Numbered records of so many tasks; what is left over after the last full transaction stays in an open one.
fn source(topic: &str, tasks: usize, records: usize) -> Value {
    json!({
        "connector.class": "wharf.test.TransactionSource",
        "tasks.max": tasks.to_string(),
        "topic": topic,
        "records": records.to_string(),
        "records.per.transaction": TOGETHER.to_string(),
        "exactly.once.support": "required",
        "transaction.boundary": "connector",
        // No transaction ends because the broker is tired of it: readers wait behind one that nobody ends for longer than this
        // test waits for them.
        "producer.override.transaction.timeout.ms": "600000",
    })
}

/// Numbers by the task that gave them, in the order of the topic.
#[derive(Default)]
struct Numbers(BTreeMap<String, Vec<usize>>);

impl Numbers {
    /// Reads until so many came in all.
    fn read(&mut self, reader: &mut TopicReader, count: usize) {
        let have: usize = self.0.values().map(Vec::len).sum();
        for record in reader.read(count - have) {
            let task = String::from_utf8(record.key.clone().unwrap()).unwrap();
            self.0
                .entry(task)
                .or_default()
                .push(record.text().parse().unwrap());
        }
    }

    /// Whether each task gave the numbers up to its own count, once and in order.
    fn are(&self, counts: [usize; TASKS]) {
        let expected = (0..)
            .zip(counts)
            .map(|(task, count): (usize, _)| (task.to_string(), (0..count).collect()));
        assert_eq!(self.0, expected.collect::<BTreeMap<_, Vec<usize>>>());
    }
}

/// Waits until the group has written down so many fencings of a connector: for how many tasks each was.
fn fencings(stage: &Stage, name: &str, count: usize) -> Vec<u64> {
    let key = format!("tasks-fencing-{name}").into_bytes();
    let mut reader = stage.kafka().committed_reader(&stage.named("configs"));
    let mut found = Vec::new();
    while found.len() < count {
        let fresh = reader.read(1);
        let of_connector = fresh.iter().filter(|record| record.key.as_ref() == Some(&key));
        let tasks = |text: String| serde_json::from_str::<Value>(&text).unwrap()["task-count"].as_u64();
        found.extend(of_connector.filter_map(|record| tasks(record.text())));
    }
    found
}

/// Starts workers, the first of which leads.
fn start(group: &Group, settings: &[(&str, &str)]) -> [Worker; TASKS] {
    ["one", "two", "three"].map(|name| {
        let worker = group.start_with(name, settings);
        worker.until("/health", "it is a member", |health| {
            health["status"] == "healthy"
        });
        worker
    })
}

/// Waits until so many tasks run, and says on which workers.
fn tasks_run(worker: &Worker, count: usize) -> Vec<String> {
    let status = worker.until("/connectors/source/status", "its tasks run", |status| {
        has_state(status, "RUNNING") && workers_of(status).len() == 1 + count
    });
    workers_of(&status).split_off(1)
}

/// Waits until each worker has one of the tasks, and says which, asked through one of them.
fn spread(asked: &Worker, workers: &[Worker; TASKS]) -> Vec<String> {
    let mut owners = Vec::new();
    eventually("each worker has a task", || {
        owners = tasks_run(asked, TASKS);
        let has_one = |worker: &Worker| owners.iter().any(|owner| owner == worker.address());
        workers.iter().all(has_one)
    });
    owners
}

#[test]
fn a_frozen_worker_that_wakes_among_fewer_tasks_is_fenced_and_its_open_transactions_are_never_seen() {
    let Some(group) = Group::set_up("zombies") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    let mut settings = QUICK.to_vec();
    settings.push(ENABLED);
    let workers = start(&group, &settings);
    let leader = &workers[0];
    leader.create("source", source(&topic, TASKS, 23));
    let owners = spread(leader, &workers);
    // Twenty that are committed, and three in an open transaction, of each.
    let mut all = stage.kafka().reader(&topic);
    let mut numbers = Numbers::default();
    numbers.read(&mut all, 23 * TASKS);
    numbers.are([23; TASKS]);
    drop(all);

    // It has a task that will be none.
    let is_left_out = |worker: &&Worker| owners[1..].iter().any(|owner| owner == worker.address());
    let zombie = workers[1..].iter().find(is_left_out).unwrap();
    zombie.signal("STOP");
    leader.call(
        "PUT",
        "/connectors/source/config",
        Some(&source(&topic, 1, 43)),
        200,
    );
    let owner = tasks_run(leader, 1);
    assert_ne!(owner, [zombie.address()]);
    // Behind open transactions nothing is seen: those of the tasks that are no more were ended by the leader.
    let mut committed = stage.kafka().committed_reader(&topic);
    let mut numbers = Numbers::default();
    numbers.read(&mut committed, 40 + 20 + 20);
    numbers.are([40, 20, 20]);

    eventually("the group misses it", || {
        let found = stage.kafka().group(&stage.named("workers")).unwrap();
        found.state == "Stable" && found.members.len() == 2
    });
    zombie.signal("CONT");
    zombie.wait_log(GIVES_UP);
    let more = source(&topic, TASKS, 60);
    zombie.call("PUT", "/connectors/source/config", Some(&more), 200);
    spread(zombie, &workers);
    numbers.read(&mut committed, 60 * TASKS);
    numbers.are([60; TASKS]);
    zombie.until(
        "/connectors/source/offsets",
        "all offsets are stored",
        |offsets| {
            let stored = offsets["offsets"].as_array().unwrap();
            stored.len() == TASKS && stored.iter().all(|one| one["offset"]["number"] == 59)
        },
    );
    assert_eq!(fencings(stage, "source", 3), [3, 1, 3]);
}

/// Takes the transactional id of a task, as the leader does when it fences and as the task's successor does when it starts.
fn claim(stage: &Stage, task: usize) {
    let settings = [
        ("bootstrap.servers", stage.bootstrap().to_owned()),
        (
            "transactional.id",
            transactional_id(&stage.named("workers"), "source", task),
        ),
        ("enable.idempotence", "true".to_owned()),
        ("acks", "all".to_owned()),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value)).into();
    let producer = Producer::new(&translate(ClientKind::Producer, &settings).unwrap()).unwrap();
    producer.init_transactions(PATIENCE).unwrap();
}

#[test]
fn tasks_that_were_fenced_while_their_worker_still_had_its_lease_cannot_commit_and_say_so() {
    let Some(group) = Group::set_up("fenced") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    // Nothing but the fencing keeps its tasks from committing.
    let zombie = group.start_with("one", &[ENABLED, ("session.timeout.ms", "60000")]);
    // Everything is in open transactions, which tasks commit when they are told to stop.
    let config = |records| {
        let mut config = source(&topic, TASKS, records);
        config["transaction.boundary"] = json!("interval");
        config["transaction.boundary.interval.ms"] = json!("600000");
        config
    };
    zombie.create("source", config(23));
    tasks_run(&zombie, TASKS);
    let mut numbers = Numbers::default();
    let mut all = stage.kafka().reader(&topic);
    numbers.read(&mut all, 23 * TASKS);
    numbers.are([23; TASKS]);

    zombie.signal("STOP");
    for task in 0..TASKS {
        claim(stage, task);
    }
    zombie.signal("CONT");
    // Tasks with other settings take the place of these.
    zombie.call("PUT", "/connectors/source/config", Some(&config(30)), 200);
    let why = "the task cannot commit its transaction; another instance of this task has taken over";
    for task in 0..TASKS {
        let of_task = format!(
            "task source-{task} threw an uncaught error and will not recover until it is restarted: {why}"
        );
        zombie.wait_log(&of_task);
    }
    assert!(!zombie.log().contains(GIVES_UP));

    // Their successors have sent all of it again, and more.
    all.read(30 * TASKS);
    zombie.call("PUT", "/connectors/source/stop", None, 204);
    let mut numbers = Numbers::default();
    numbers.read(&mut stage.kafka().committed_reader(&topic), 30 * TASKS);
    numbers.are([30; TASKS]);
}

#[test]
fn a_task_that_was_fenced_while_it_is_its_workers_to_run_comes_back_by_itself() {
    let Some(group) = Group::set_up("fenced-by-a-sleeper") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    let worker = group.start_with("one", &[ENABLED, ("wharf.restart.backoff.ms", "100")]);
    let mut config = source(&topic, 1, 23);
    config["transaction.boundary"] = json!("interval");
    config["transaction.boundary.interval.ms"] = json!("600000");
    worker.create("source", config);
    tasks_run(&worker, 1);
    stage.kafka().reader(&topic).read(23);
    // As a worker does that slept while it claimed the id, and woke when the task ran elsewhere.
    claim(stage, 0);
    worker.call("PUT", "/connectors/source/pause", None, 202);
    worker.wait_log(
        "task source-0 has failed and is restarted in 100 ms (restart 1 in a row), since it was fenced",
    );
    worker.call("PUT", "/connectors/source/resume", None, 202);
    tasks_run(&worker, 1);
    worker.call("PUT", "/connectors/source/stop", None, 204);
    let mut numbers = Numbers::default();
    numbers.read(&mut stage.kafka().committed_reader(&topic), 23);
    assert_eq!(numbers.0, BTreeMap::from([("0".to_owned(), (0..23).collect())]));
}
