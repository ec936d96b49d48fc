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
/// Records of each task of the source.
const RECORDS: u64 = 2_000;

/// The tasks that run in a process, by the names of their threads.
fn threads_of(worker: &Worker) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", worker.pid())).unwrap();
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
    let mut tasks: Vec<String> = threads
        .flatten()
        .filter_map(name)
        .filter_map(|name| Some(name.trim().strip_prefix("task-thread-")?.to_owned()))
        .collect();
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
        let runs = (Runs::of(worker.pid(), &[]).connectors, threads_of(worker));
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
    let mut source = json!({
        "connector.class": "wharf.test.BlobSource",
        "tasks.max": "6",
        "topic": topic,
        "records": RECORDS.to_string(),
        "bytes": "30",
        "keyed": "true",
        "batch.size": "10",
        "poll.millis": "50",
    });
    one.create(SOURCE, source.clone());
    let sink = json!({
        "connector.class": "wharf.test.RecordingSink",
        "tasks.max": "3",
        "topics": topic,
        "record.file": stage.file("calls"),
        "consumer.override.group.id": consumers,
    });
    two.create(SINK, sink);
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
