//! Connectors of several tasks: their tasks are spread over the group, each runs on one worker, and they move when workers come
//! and go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use wharf_e2e::truth::{Runs, agreed_owners};
use wharf_e2e::{Stage, Worker};

use crate::flows::QUICK;
use crate::group::{Group, eventually, eventually_ok};

/// Names so short that the kernel keeps the whole name of a task's thread.
const SOURCE: &str = "a";
const SINK: &str = "b";
/// What stands in the metrics of a worker before the number of tasks that it has started.
const STARTED: &str = "kafka_connect_worker_task_startup_attempts_total ";
/// Records of each task of the source.
const RECORDS: u64 = 2_000;

/// The tasks that run in a process, by the names of their threads, and the ids of these.
fn threads_of(worker: &Worker) -> Vec<(String, String)> {
    let threads = fs::read_dir(format!("/proc/{}/task", worker.pid())).unwrap();
    let task = |thread: fs::DirEntry| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let task = name.trim().strip_prefix("task-thread-")?;
        Some((task.to_owned(), thread.file_name().into_string().unwrap()))
    };
    let mut tasks: Vec<_> = threads.flatten().filter_map(task).collect();
    tasks.sort();
    tasks
}

/// Whether all workers say the same of both connectors, which have so many tasks, that is what their processes run, and none of
/// them has more than one task more than another.
fn is_spread(workers: &[&Worker], tasks: [usize; 2]) -> Result<(), String> {
    let mut said: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for worker in workers {
        said.insert(worker.address().to_owned(), Default::default());
    }
    for (name, count) in [SOURCE, SINK].into_iter().zip(tasks) {
        let owners = agreed_owners(workers, name)?;
        if owners.len() != 1 + count {
            return Err(format!("{name} has not {count} tasks: {owners:?}"));
        }
        for (part, owner) in owners.iter().enumerate() {
            let of_worker = said
                .get_mut(owner)
                .ok_or_else(|| format!("{name} runs on {owner}, which is gone"))?;
            match part.checked_sub(1) {
                None => of_worker.0 += 1,
                Some(task) => of_worker.1.push(format!("{name}-{task}")),
            }
        }
    }
    for worker in workers {
        let (connectors, tasks) = &said[worker.address()];
        let threads: Vec<String> = threads_of(worker).into_iter().map(|(task, _)| task).collect();
        let runs = (Runs::of(worker.pid(), &[]).connectors, threads);
        if (connectors, tasks) != (&runs.0, &runs.1) {
            return Err(format!(
                "{} is said to run {said:?}, but runs {runs:?}",
                worker.address()
            ));
        }
    }
    let counts: BTreeSet<usize> = said.values().map(|(_, tasks)| tasks.len()).collect();
    let (least, most) = (counts.first().unwrap(), counts.last().unwrap());
    if most - least > 1 {
        return Err(format!("some have more to do than others: {said:?}"));
    }
    Ok(())
}

fn settle(workers: &[&Worker], tasks: [usize; 2]) {
    eventually_ok("the tasks are spread", || is_spread(workers, tasks));
}

/// `<task> <number>` of every record that the source gives.
fn all_records() -> BTreeSet<String> {
    let of = |task: u64| (0..RECORDS).map(move |number| format!("{task} {number}"));
    (0..6).flat_map(of).collect()
}

/// `<task> <number>` of a value that the source made.
fn head(value: &str) -> String {
    value.trim_end_matches('.').trim_end().to_owned()
}

/// What the tasks of the sink have written down so far.
fn put(stage: &Stage) -> BTreeSet<String> {
    let lines = String::from_utf8(stage.read("calls")).unwrap();
    let value = |line: &str| Some(head(line.strip_prefix("record ")?.split_once(' ')?.1));
    lines.lines().filter_map(value).collect()
}

fn source(topic: &str) -> Value {
    json!({
        "connector.class": "wharf.test.BlobSource",
        "tasks.max": "6",
        "topic": topic,
        "records": RECORDS.to_string(),
        "bytes": "30",
        "keyed": "true",
        "batch.size": "10",
        "poll.millis": "50",
    })
}

fn sink(topic: &str, calls: &str, consumers: &str) -> Value {
    json!({
        "connector.class": "wharf.test.RecordingSink",
        "tasks.max": "3",
        "topics": topic,
        "record.file": calls,
        "consumer.override.group.id": consumers,
    })
}

#[test]
fn tasks_are_spread_over_the_group_and_each_runs_once_as_workers_come_and_go() {
    let Some(group) = Group::set_up("tasks") else {
        return;
    };
    let stage = &group.stage;
    let (topic, consumers) = (stage.named("topic"), stage.named("consumers"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 3, &[]);
    let start = |name: &str| group.start_with(name, &QUICK);
    let (one, two, three) = (start("one"), start("two"), start("three"));
    let mut source = source(&topic);
    one.create(SOURCE, source.clone());
    two.create(SINK, sink(&topic, &stage.file("calls"), &consumers));
    settle(&[&one, &two, &three], [6, 3]);
    // Each task of the sink has a partition, as far as the broker knows.
    eventually("the sink's tasks are a group of three", || {
        kafka
            .group(&consumers)
            .is_some_and(|found| found.state == "Stable" && found.members.len() == 3)
    });

    assert_eq!(two.terminate(), Some(143));
    settle(&[&one, &three], [6, 3]);
    let four = start("four");
    settle(&[&one, &three, &four], [6, 3]);
    three.kill();
    settle(&[&one, &four], [6, 3]);
    // The leader.
    assert_eq!(one.terminate(), Some(143));
    settle(&[&four], [6, 3]);
    let five = start("five");
    settle(&[&four, &five], [6, 3]);

    let (expected, mut in_topic) = (all_records(), BTreeSet::new());
    let mut reader = kafka.reader(&topic);
    eventually("every record of every task is in the topic", || {
        in_topic.extend(reader.read_to_end().iter().map(|record| head(&record.text())));
        in_topic == expected
    });
    eventually("the sink has every record", || put(stage) == expected);
    four.until(
        "/connectors/a/offsets",
        "each task has stored its offset",
        |offsets| {
            let stored = offsets["offsets"].as_array().unwrap();
            let is_last = |one: &Value| one["offset"]["number"] == RECORDS - 1;
            stored.len() == 6 && stored.iter().all(is_last)
        },
    );

    // Fewer and more.
    for count in [2, 7] {
        source["tasks.max"] = json!(count.to_string());
        five.call("PUT", "/connectors/a/config", Some(&source), 200);
        settle(&[&four, &five], [count, 3]);
    }
}

/// A worker, and its folder, in which its tasks of the sink write down what they are called for.
struct Place {
    worker: Worker,
    folder: &'static str,
}

/// What a worker runs, and what became of tasks on it so far.
#[derive(Debug)]
struct Look {
    /// Ids of threads by the names of tasks.
    threads: BTreeMap<String, String>,
    /// How many tasks have started.
    started: usize,
    /// How many tasks of the sink have started, and how many were stopped.
    sinks: [usize; 2],
}

impl Look {
    fn at(stage: &Stage, place: &Place) -> Self {
        let calls = String::from_utf8(stage.read(&format!("{}/calls", place.folder))).unwrap();
        let metrics = place.worker.request("GET", "/metrics", None).body;
        let started = metrics.lines().find_map(|line| line.strip_prefix(STARTED));
        Self {
            threads: threads_of(&place.worker).into_iter().collect(),
            started: started.unwrap().parse::<f64>().unwrap() as usize,
            sinks: ["start", "stop"].map(|call| calls.lines().filter(|line| *line == call).count()),
        }
    }

    /// The tasks that are here and not there.
    fn beyond<'a>(&'a self, other: &Self) -> BTreeSet<&'a str> {
        let tasks = self.threads.keys().map(String::as_str);
        tasks.filter(|task| !other.threads.contains_key(*task)).collect()
    }
}

/// How many of these are tasks of the sink.
fn sinks(tasks: &BTreeSet<&str>) -> usize {
    tasks.iter().filter(|task| task.starts_with(SINK)).count()
}

/// What these workers run before and after a rebalance: on each, tasks that stay where they are have the same threads and were
/// neither stopped nor started, and only as many tasks came and went as have come and gone. How many did, on all of them.
fn only_what_moves_is_touched(
    stage: &Stage,
    places: &[&Place],
    before: &[Look],
    happened: &str,
) -> [usize; 2] {
    let mut moved = [0, 0];
    for (place, before) in places.iter().zip(before) {
        let after = Look::at(stage, place);
        let (came, gone) = (after.beyond(before), before.beyond(&after));
        let text = format!("{happened}: {before:?}, then {after:?}");
        for (task, thread) in &after.threads {
            if let Some(earlier) = before.threads.get(task) {
                assert_eq!(earlier, thread, "{task} has another thread when {text}");
            }
        }
        assert_eq!(after.started - before.started, came.len(), "{text}");
        assert_eq!(after.sinks[0] - before.sinks[0], sinks(&came), "{text}");
        assert_eq!(after.sinks[1] - before.sinks[1], sinks(&gone), "{text}");
        moved = [moved[0] + came.len(), moved[1] + gone.len()];
    }
    moved
}

#[test]
fn tasks_that_do_not_move_keep_their_threads_as_workers_come_and_go() {
    let Some(group) = Group::set_up("unmoved") else {
        return;
    };
    let stage = &group.stage;
    let (topic, consumers) = (stage.named("topic"), stage.named("consumers"));
    stage.kafka().create_topic(&topic, 3, &[]);
    let start = |folder: &'static str| Place {
        worker: group.start_with(folder, &QUICK),
        folder,
    };
    let spread = |places: &[&Place]| {
        let workers: Vec<&Worker> = places.iter().map(|place| &place.worker).collect();
        settle(&workers, [6, 3]);
    };
    let look =
        |places: &[&Place]| -> Vec<Look> { places.iter().map(|place| Look::at(stage, place)).collect() };
    // The first leads.
    let (one, two) = (start("one"), start("two"));
    one.worker.create(SOURCE, source(&topic));
    two.worker.create(SINK, sink(&topic, "calls", &consumers));
    spread(&[&one, &two]);

    let before = look(&[&one, &two]);
    let three = start("three");
    spread(&[&one, &two, &three]);
    let moved = only_what_moves_is_touched(stage, &[&one, &two], &before, "a worker joins");
    assert_eq!(moved, [0, 3]);

    let before = look(&[&two, &three]);
    assert_eq!(one.worker.terminate(), Some(143));
    spread(&[&two, &three]);
    let moved = only_what_moves_is_touched(stage, &[&two, &three], &before, "the leader leaves");
    assert_eq!(moved, [3, 0]);

    let before = look(&[&two, &three]);
    let four = start("four");
    spread(&[&two, &three, &four]);
    let moved = only_what_moves_is_touched(stage, &[&two, &three], &before, "another one joins");
    assert_eq!(moved, [0, 3]);

    let before = look(&[&two, &three]);
    four.worker.kill();
    spread(&[&two, &three]);
    let moved = only_what_moves_is_touched(stage, &[&two, &three], &before, "it dies");
    assert_eq!(moved, [3, 0]);
}
