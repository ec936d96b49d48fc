//! Offsets that users set over REST, and tables that come while a worker runs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_e2e::{Stage, TopicReader, Worker};

use super::common::{Database, databases};
use super::{Ends, fill, id_of, in_time, source, until_running, with};

/// What a mode counts by: the offset of the row with this id, of a table whose rows are stamped with seconds.
fn offset_of(mode: &str, id: i64) -> Value {
    let by_number = json!({"incrementing": id});
    let by_time = json!({"timestamp": (1_577_836_800 + id) * 1_000, "timestamp_nanos": 0});
    match mode {
        "incrementing" => by_number,
        "timestamp" => by_time,
        _ => with(by_number, &[&by_time]),
    }
}

fn insert(database: &Database, id: i64) {
    let at = database.of(
        format!("{}", (1_577_836_800 + id) * 1_000),
        format!("TIMESTAMP '2020-01-01 00:00:{id:02}'"),
        format!("TIMESTAMP '2020-01-01 00:00:{id:02}'"),
    );
    database.query(&format!("INSERT INTO t VALUES ({id}, {at}); SELECT 1"));
}

fn stop(worker: &Worker, name: &str) {
    worker.call("PUT", &format!("/connectors/{name}/stop"), None, 204);
    worker.until_states(name, &["STOPPED"]);
}

fn resume(worker: &Worker, name: &str) {
    worker.call("PUT", &format!("/connectors/{name}/resume"), None, 202);
    until_running(worker, name);
}

/// The ids that come next, and no more than these.
fn next(reader: &mut TopicReader, wanted: impl IntoIterator<Item = i64>, what: &str) {
    let wanted: Vec<i64> = wanted.into_iter().collect();
    let seen: Vec<i64> = reader.read(wanted.len()).iter().map(id_of).collect();
    assert_eq!(seen, wanted, "{what}");
}

/// With one worker for all databases, which take their turns at the same time.
fn on_each_database(stage: &Stage, check: impl Fn(&Worker, &Database, usize) + Sync) {
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    thread::scope(|scope| {
        for (index, database) in databases().into_iter().enumerate() {
            let (worker, check) = (&worker, &check);
            scope.spawn(move || check(worker, &database, index));
        }
    });
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn reading_goes_on_from_offsets_that_are_set_over_rest_and_from_the_beginning_when_they_are_reset() {
    let Some(stage) = Stage::set_up("jdbc-offsets") else {
        return;
    };
    on_each_database(&stage, |worker, database, index| {
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, at {} NOT NULL)",
            database.timestamp()
        ));
        for id in 1..=10 {
            insert(database, id);
        }
        for (mode, last) in MODES.into_iter().zip(10..) {
            let name = stage.named(&format!("{index}-{}", mode.replace('+', "-and-")));
            sets_and_resets(&stage, worker, database, &name, mode, last);
        }
    });
}

const MODES: [&str; 3] = ["incrementing", "timestamp", "timestamp+incrementing"];

/// A source in one mode, of a table with this last row; there is one more afterwards.
fn sets_and_resets(stage: &Stage, worker: &Worker, database: &Database, name: &str, mode: &str, last: i64) {
    let prefix = format!("{name}-");
    let topic = format!("{prefix}t");
    stage.kafka().create_topic(&topic, 1, &[]);
    let mut reader = stage.kafka().reader(&topic);
    let mut columns = json!({"mode": mode, "table.whitelist": "t"});
    if mode.contains("incrementing") {
        columns["incrementing.column.name"] = json!("id");
    }
    if mode.contains("timestamp") {
        columns["timestamp.column.name"] = json!("at");
    }
    worker.create(name, source(database, &prefix, &columns));
    next(&mut reader, 1..=last, name);
    let path = format!("/connectors/{name}/offsets");
    let stored = worker.until(&path, "the last offset is stored", |answer| {
        answer["offsets"][0]["offset"] == offset_of(mode, last)
    });
    let partition = stored["offsets"][0]["partition"].clone();

    stop(worker, name);
    let set = |offset: Value| json!({"offsets": [{"partition": partition, "offset": offset}]});
    // What is no offset of this connector is refused, and changes nothing.
    let refused = worker.refused("PATCH", &path, Some(&set(json!({"position": 4}))), 400);
    assert!(refused.contains("position"), "{refused}");
    assert_eq!(worker.get(&path), stored);
    worker.call("PATCH", &path, Some(&set(offset_of(mode, 4))), 200);
    resume(worker, name);
    next(&mut reader, 5..=last, name);
    worker.until(&path, "the last offset is stored again", |answer| {
        *answer == stored
    });

    stop(worker, name);
    worker.call("DELETE", &path, None, 200);
    assert_eq!(worker.get(&path), json!({"offsets": []}));
    // A row that comes meanwhile is the last one.
    insert(database, last + 1);
    resume(worker, name);
    next(&mut reader, 1..=last + 1, name);
    worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
    assert!(
        reader.read_to_end().is_empty(),
        "{name}: rows that nobody asked for"
    );
}

#[test]
fn a_new_table_reaches_its_topic_and_the_other_tables_lose_nothing() {
    let Some(stage) = Stage::set_up("jdbc-new-table") else {
        return;
    };
    on_each_database(&stage, |worker, database, index| {
        finds_a_new_table(&stage, worker, database, &stage.named(&format!("source-{index}")));
    });
}

fn finds_a_new_table(stage: &Stage, worker: &Worker, database: &Database, name: &str) {
    const STATEMENT: i64 = 10;
    /// As a program writes that has other things to do.
    const PACE: Duration = Duration::from_millis(50);
    let create = |table: &str| {
        database.query(&format!(
            "CREATE TABLE {table} (id BIGINT PRIMARY KEY, name TEXT)"
        ));
    };
    if database.is_sqlite() {
        database.query("PRAGMA journal_mode = WAL");
    }
    create("a");
    create("b");
    let kafka = stage.kafka();
    let prefix = format!("{name}-");
    let readers = ["a", "b", "new"].map(|table| {
        let topic = format!("{prefix}{table}");
        kafka.create_topic(&topic, 1, &[]);
        kafka.reader(&topic)
    });
    let [mut of_a, mut of_b, mut of_new] = readers;
    let more = json!({
        "mode": "incrementing", "incrementing.column.name": "id", "table.poll.interval.ms": "200", "tasks.max": "2",
        "batch.max.rows": "20"
    });
    worker.create(name, source(database, &prefix, &more));
    let over = AtomicBool::new(false);
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let count = thread::scope(|scope| {
        let ends = Ends(&over);
        let writer = scope.spawn(|| {
            let mut next = 0;
            while !over.load(Ordering::Relaxed) {
                fill(database, "a", next, next + STATEMENT);
                fill(database, "b", next, next + STATEMENT);
                next += STATEMENT;
                thread::sleep(PACE);
            }
            next
        });
        // All is under way.
        seen.extend(of_a.read(50).iter().map(id_of));
        create("new");
        fill(database, "new", 0, 100);
        let found: BTreeSet<i64> = of_new.read(100).iter().map(id_of).collect();
        assert!(found.into_iter().eq(0..100), "{name}");
        drop(ends);
        writer.join().unwrap()
    });
    for (mut seen, reader) in [(seen, &mut of_a), (BTreeSet::new(), &mut of_b)] {
        in_time("every row is in its topic", || {
            seen.extend(reader.read_to_end().iter().map(id_of));
            i64::try_from(seen.len()).unwrap() >= count
        });
        assert!(seen.into_iter().eq(0..count), "{name}");
    }
}
