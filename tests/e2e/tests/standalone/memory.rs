//! A worker's memory is bounded by its budgets, whatever the size of records and however slow a sink is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use wharf_e2e::{PATIENCE, Stage};
use wharf_test_services::process::{signal, wait_until};
use wharf_test_services::{KafkaBroker, KafkaOptions, available};

const RECORD: u64 = 10_000_000;
const RECORDS: i64 = 40;
const MIB: u64 = 1 << 20;
/// The default budget of a task.
const TASK: u64 = 32 * MIB;

#[test]
fn records_of_10_mb_and_a_sink_that_hangs_stay_within_the_budgets() {
    let options = KafkaOptions {
        properties: vec![("message.max.bytes".into(), "12582912".into())],
        ..KafkaOptions::default()
    };
    let Some(broker) = available(KafkaBroker::start_with(&options)) else {
        return;
    };
    let Some(stage) = Stage::on("memory", &broker.bootstrap()) else {
        return;
    };
    let topic = stage.named("blobs");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "200")], &[]);
    let base = worker.peak_memory();
    worker.create(
        &stage.named("source"),
        json!({
            "connector.class": "wharf.test.BlobSource", "topic": topic, "records": RECORDS.to_string(),
            "bytes": RECORD.to_string(), "batch.size": "1", "producer.override.max.request.size": "12000000"
        }),
    );
    let sink = |what: &str, mode: &str| {
        let name = stage.named(what);
        worker.create(
            &name,
            json!({
                "connector.class": "wharf.test.MisbehavingSink", "topics": topic, "mode": mode, "mode.millis": "100",
                "consumer.override.max.partition.fetch.bytes": "12000000"
            }),
        );
        name
    };
    let slow = sink("slow", "slow_in_put");
    sink("hanging", "hang_in_put");
    assert!(
        wait_until(PATIENCE, || kafka.count(&topic) == RECORDS),
        "{} records",
        kafka.count(&topic)
    );
    let source_done = worker.peak_memory();
    let group = format!("connect-{slow}");
    let begun = Instant::now();
    assert!(
        wait_until(PATIENCE, || kafka.committed(&group).get(&(topic.clone(), 0))
            == Some(&RECORDS)),
        "the slow sink is at {:?}",
        kafka.committed(&group)
    );
    // What the hanging sink's client fetches ahead has had this time to come.
    let _ = wait_until(Duration::from_secs(3).saturating_sub(begun.elapsed()), || false);
    let peak = worker.peak_memory();
    println!(
        "{RECORDS} records of {} MB, one source, one slow sink, one that hangs: {} MiB at start, {} MiB when all was \
         produced, {} MiB at most",
        RECORD / 1_000_000,
        base / MIB,
        source_done / MIB,
        peak / MIB
    );
    // Three tasks. Each may hold its budget and pass it by one record, and one record more is with the plugin and one with
    // the converter or the client meanwhile.
    let allowed = base + 3 * (TASK + 3 * RECORD);
    assert!(
        peak < allowed,
        "{} MiB, allowed are {} MiB",
        peak / MIB,
        allowed / MIB
    );
}

/// Size of a record of the sources that share a budget.
const LARGE: u64 = 900_000;
const TASKS: u64 = 6;

/// Task and number of a record of `BlobSource`.
fn numbered(value: &[u8]) -> (u64, u64) {
    let head = std::str::from_utf8(&value[..value.len().min(40)]).unwrap();
    let mut words = head.split(' ').map(|word| word.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn the_tasks_of_a_worker_share_its_budget_while_the_broker_takes_nothing() {
    let Some(broker) = KafkaBroker::for_test() else {
        return;
    };
    let Some(stage) = Stage::on("budget", &broker.bootstrap()) else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("blobs"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let budget = 64 * MIB;
    let worker = stage.start(
        &[
            ("wharf.worker.memory.max.bytes", budget.to_string().as_str()),
            ("wharf.task.memory.max.bytes", TASK.to_string().as_str()),
        ],
        &[],
    );
    let base = worker.peak_memory();
    let records = 60;
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.BlobSource", "topic": topic, "records": records.to_string(),
            "bytes": LARGE.to_string(), "batch.size": "1", "poll.millis": "20", "tasks.max": TASKS.to_string()
        }),
    );
    assert!(wait_until(PATIENCE, || kafka.count(&topic) >= 12));
    // Not dead: its connections stay, and nothing is acknowledged.
    signal(broker.pid(), "STOP").unwrap();
    // Until it has not grown for a while.
    let mut last = (Instant::now(), worker.peak_memory());
    let steady = wait_until(PATIENCE, || {
        let now = worker.peak_memory();
        if now > last.1 {
            last = (Instant::now(), now);
        }
        last.0.elapsed() > Duration::from_secs(3)
    });
    signal(broker.pid(), "CONT").unwrap();
    assert!(steady, "memory grows without end");
    let peak = last.1;
    println!(
        "{TASKS} tasks of {TASK} bytes each under a budget of {} MiB: {} MiB at start, {} MiB at most",
        budget / MIB,
        base / MIB,
        peak / MIB
    );
    // Each task may pass the budget by a record, the plugin keeps a template of its own, and its batch has room for two. A
    // megabyte is what a task costs that moves nothing: its threads, its client, the heaps of both.
    let allowed = base + budget + TASKS * (4 * LARGE + MIB);
    assert!(
        peak < allowed,
        "{} MiB, allowed are {} MiB",
        peak / MIB,
        allowed / MIB
    );
    // Without the common budget it would be the sum of the tasks' own.
    assert!(allowed < base + TASKS * TASK);
    // The records held could fill it, so this has shown something.
    assert!(peak > base + budget / 2, "{} MiB", peak / MIB);
    // Every record is there. One may be there twice: a broker that was frozen may have lost its partition meanwhile, and what it
    // had taken is sent again.
    let mut missing: BTreeSet<(u64, u64)> = (0..TASKS)
        .flat_map(|task| (0..records).map(move |number| (task, number)))
        .collect();
    let mut reader = kafka.reader(&topic);
    while !missing.is_empty() {
        for seen in reader.read(1) {
            missing.remove(&numbered(&seen.value.unwrap()));
        }
    }
    assert_eq!(worker.terminate(), Some(143));
}
