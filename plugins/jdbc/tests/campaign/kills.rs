//! A worker that is killed in the middle, and one that takes its place.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};
use wharf_test_services::process::wait_until;

use super::common::{Database, databases};
use super::{Ends, PATIENCE, id_of, in_time, number, sink, source};

/// How many rows a statement of the writer makes. Ten of them have one stamp.
const STATEMENT: i64 = 50;
/// What of each topic is read in one round, and how many rounds there are with each worker.
const SOME: usize = 100;
const ROUNDS: i64 = 4;
/// How many rows the writer is ahead of those who read: there is always more to come.
const AHEAD: i64 = 500;

/// The stamp of the row with the number x: in the past, and never smaller than that of a row that was committed before.
fn stamp(database: &Database) -> &'static str {
    database.of(
        "1577836800000 + (x / 10) * 1000",
        "TIMESTAMP '2020-01-01' + (x / 10) * INTERVAL '1 second'",
        "TIMESTAMP '2020-01-01 00:00:00' + INTERVAL (x DIV 10) SECOND",
    )
}

/// One source in one mode, with the topic that it writes to.
struct Reading {
    name: String,
    topic: String,
    config: Value,
}

fn readings(stage: &Stage, index: usize, database: &Database) -> Vec<Reading> {
    let stamped = |more: Value| {
        super::with(
            json!({"timestamp.column.name": "at", "table.whitelist": "items"}),
            &[&more],
        )
    };
    [
        ("timestamp", stamped(json!({"mode": "timestamp"}))),
        (
            "both",
            stamped(json!({"mode": "timestamp+incrementing", "incrementing.column.name": "id"})),
        ),
        // Once for each worker.
        (
            "bulk",
            json!({"mode": "bulk", "table.whitelist": "still", "poll.interval.ms": "3600000"}),
        ),
    ]
    .into_iter()
    .map(|(mode, more)| {
        let prefix = stage.named(&format!("{mode}-{index}-"));
        let table = if mode == "bulk" { "still" } else { "items" };
        let config = source(
            database,
            &prefix,
            &super::with(more, &[&json!({"batch.max.rows": "20"})]),
        );
        Reading {
            name: stage.named(&format!("{mode}-{index}")),
            topic: format!("{prefix}{table}"),
            config,
        }
    })
    .collect()
}

/// Writes rows, not many more than are read, until it is told to end; how many there are.
fn write(database: &Database, read: &AtomicI64, over: &AtomicBool) -> i64 {
    let mut next = 0;
    while wait_until(PATIENCE, || {
        over.load(Ordering::Relaxed) || next < read.load(Ordering::Relaxed) + AHEAD
    }) && !over.load(Ordering::Relaxed)
    {
        database.query(&format!(
            "INSERT INTO items (id, name, at) WITH RECURSIVE n(x) AS (SELECT {next} UNION ALL SELECT x + 1 FROM n WHERE x < {}) \
             SELECT x, 'name ' || x, {} FROM n; SELECT 1",
            next + STATEMENT - 1,
            stamp(database)
        ));
        next += STATEMENT;
    }
    next
}

#[test]
fn no_row_is_missing_in_any_mode_when_the_worker_is_killed_while_rows_are_written() {
    const STILL: i64 = 3_000;
    let Some(stage) = Stage::set_up("jdbc-kill-modes") else {
        return;
    };
    let databases = databases();
    let mut all = Vec::new();
    for (index, database) in databases.iter().enumerate() {
        let timestamp = database.timestamp();
        if database.is_sqlite() {
            // Or those who read all the time would keep others from writing.
            database.query("PRAGMA journal_mode = WAL");
        }
        database.query(&format!(
            "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT, at {timestamp} NOT NULL)"
        ));
        database.query("CREATE TABLE still (id BIGINT PRIMARY KEY, name TEXT)");
        super::fill(database, "still", 0, STILL);
        all.extend(
            readings(&stage, index, database)
                .into_iter()
                .map(|reading| (index, reading)),
        );
    }
    let kafka = stage.kafka();
    for (_, reading) in &all {
        kafka.create_topic(&reading.topic, 1, &[]);
    }
    let start = || -> Worker {
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        for (_, reading) in &all {
            worker.create(&reading.name, reading.config.clone());
        }
        worker
    };
    let mut readers: Vec<_> = all
        .iter()
        .map(|(_, reading)| kafka.reader(&reading.topic))
        .collect();
    let mut seen: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); all.len()];
    let (read, over) = (AtomicI64::new(0), AtomicBool::new(false));
    let (written, worker) = thread::scope(|scope| {
        let ends = Ends(&over);
        let writers: Vec<_> = databases
            .iter()
            .map(|database| scope.spawn(|| write(database, &read, &over)))
            .collect();
        let mut worker = start();
        for round in 1..=2 * ROUNDS {
            for (((_, reading), reader), seen) in all.iter().zip(&mut readers).zip(&mut seen) {
                // All of it may have come at once.
                let has_more = reading.topic.ends_with("items") || round == 1 || round == ROUNDS + 1;
                if has_more {
                    seen.extend(reader.read(SOME).iter().map(id_of));
                }
            }
            read.store(round * i64::try_from(SOME).unwrap(), Ordering::Relaxed);
            if round == ROUNDS {
                worker.kill();
                worker = start();
            }
        }
        drop(ends);
        let written: Vec<i64> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        (written, worker)
    });
    for (((index, reading), reader), seen) in all.iter().zip(&mut readers).zip(&mut seen) {
        let rows = if reading.topic.ends_with("still") {
            STILL
        } else {
            written[*index]
        };
        let wanted: BTreeSet<i64> = (0..rows).collect();
        wait_until(PATIENCE, || {
            seen.extend(reader.read_to_end().iter().map(id_of));
            seen.len() >= wanted.len()
        });
        let missing: Vec<_> = wanted.difference(seen).take(10).collect();
        assert!(
            missing.is_empty(),
            "{}: of {rows} rows: {missing:?}",
            reading.name
        );
        assert_eq!(*seen, wanted, "{}", reading.name);
    }
    assert_eq!(worker.terminate(), Some(143));
}

/// A sink that is killed: its settings, its table, and what is counted in it.
struct Writing {
    what: &'static str,
    more: Value,
    table: &'static str,
    /// Records that are there, and rows.
    counts: [&'static str; 2],
    doubles: bool,
}

fn writings() -> [Writing; 3] {
    const COORDINATES: &str = "SELECT count(*) FROM (SELECT DISTINCT tp, pt, ofs, id, name FROM t) AS d";
    let fields = "tp,pt,ofs";
    [
        Writing {
            what: "insert",
            more: json!({"insert.mode": "insert", "pk.mode": "none"}),
            table: "CREATE TABLE t (id BIGINT, name TEXT)",
            counts: [
                "SELECT count(*) FROM (SELECT DISTINCT id, name FROM t) AS d",
                "SELECT count(*) FROM t",
            ],
            doubles: true,
        },
        Writing {
            what: "insert-kafka",
            more: json!({"insert.mode": "insert", "pk.mode": "kafka", "pk.fields": fields}),
            table: "CREATE TABLE t (tp VARCHAR(200), pt INT, ofs BIGINT, id BIGINT, name TEXT)",
            counts: [COORDINATES, "SELECT count(*) FROM t"],
            doubles: true,
        },
        Writing {
            what: "upsert-kafka",
            more: json!({"insert.mode": "upsert", "pk.mode": "kafka", "pk.fields": fields}),
            table: "CREATE TABLE t (tp VARCHAR(200), pt INT, ofs BIGINT, id BIGINT, name TEXT, PRIMARY KEY (tp, pt, ofs))",
            counts: [COORDINATES, "SELECT count(*) FROM t"],
            doubles: false,
        },
    ]
}

#[test]
fn no_record_is_missing_in_any_table_after_a_kill_and_an_upsert_has_none_twice() {
    const RECORDS: i64 = 5_000;
    let Some(stage) = Stage::set_up("jdbc-kill-inserts") else {
        return;
    };
    let topic = stage.named("rows");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let messages: Vec<String> = (0..RECORDS)
        .map(|id| {
            json!({
                "schema": {"type": "struct", "name": "row", "fields": [
                    {"field": "id", "type": "int64"}, {"field": "name", "type": "string"}
                ]},
                "payload": {"id": id, "name": format!("name {id}")}
            })
            .to_string()
        })
        .collect();
    kafka.produce_lines(&topic, &messages);
    let mut all = Vec::new();
    for writing in writings() {
        for (index, database) in databases().into_iter().enumerate() {
            database.query(writing.table);
            let small = json!({"batch.size": "100", "max.retries": "1000", "retry.backoff.ms": "10"});
            let config = sink(&database, &topic, "t", &super::with(small, &[&writing.more]));
            let name = stage.named(&format!("{}-{index}", writing.what));
            all.push((name, database, config, writing.counts, writing.doubles));
        }
    }
    let start = || {
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        for (name, _, config, ..) in &all {
            worker.create(name, config.clone());
        }
        worker
    };
    let worker = start();
    for (name, database, ..) in &all {
        in_time(name, || number(database, "SELECT count(*) FROM t") > Some(0));
    }
    worker.kill();
    let worker = start();
    for (name, database, _, [records, rows], doubles) in &all {
        super::until_number(&worker, &[name], database, records, RECORDS);
        let rows = number(database, rows).unwrap();
        assert!(
            rows == RECORDS || (*doubles && rows > RECORDS),
            "{name}: {rows} rows"
        );
    }
    assert_eq!(worker.terminate(), Some(143));
}
