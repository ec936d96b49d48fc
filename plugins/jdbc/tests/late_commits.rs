//! Rows that are committed after rows with greater numbers.

mod common;

use std::time::{Duration, Instant};

use common::source::{ids, settings, started};
use common::{Database, databases, postgres};
use tokio_postgres::{Client, NoTls};
use wharf_test_services::process::wait_until;
use wharf_testkit::SourceHarness;

const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody else's connection, which may leave a transaction open.
struct Other {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Other {
    fn of(database: &Database) -> Self {
        let Database::Postgres { url, schema } = database else {
            panic!("not of this kind")
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let connecting = tokio_postgres::connect(url.trim_start_matches("jdbc:"), NoTls);
        let (client, connection) = runtime.block_on(connecting).unwrap();
        runtime.spawn(connection);
        let this = Self { runtime, client };
        this.execute(&format!("SET search_path TO {schema}"));
        this
    }

    fn execute(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }
}

/// All that comes until there are so many rows.
fn next(harness: &mut SourceHarness, count: usize) -> Vec<i64> {
    let mut found = Vec::new();
    wait_until(PATIENCE, || {
        found.extend(ids(&harness.poll().unwrap()));
        found.len() >= count
    });
    found
}

/// Nothing comes for longer than the source takes to look.
fn reads_nothing(harness: &mut SourceHarness) {
    for _ in 0..2 {
        assert_eq!(ids(&harness.poll().unwrap()), Vec::<i64>::new());
    }
}

const BY_ID: [(&str, &str); 3] = [
    ("mode", "incrementing"),
    ("incrementing.column.name", "id"),
    ("validate.non.null", "false"),
];

#[test]
fn a_late_commit_is_waited_for() {
    const PLAIN: &str = "CREATE TABLE t (id BIGSERIAL PRIMARY KEY, name TEXT)";
    for (tables, into, more) in [
        (PLAIN, "t", vec![]),
        (PLAIN, "t", vec![("wharf.split.size", "2")]),
        (
            PLAIN,
            "t",
            vec![("transaction.isolation.mode", "REPEATABLE_READ")],
        ),
        (
            PLAIN,
            "t",
            vec![("query", "SELECT id, name FROM t WHERE name <> ''")],
        ),
        // The table that is written to is another one than the one that is read.
        (
            "CREATE TABLE t (id BIGSERIAL, name TEXT) PARTITION BY LIST (name); \
             CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('late'); CREATE TABLE t_b PARTITION OF t DEFAULT",
            "t_a",
            vec![("table.types", "PARTITIONED TABLE")],
        ),
        (
            "CREATE TABLE t (id BIGSERIAL, name TEXT); CREATE VIEW v AS SELECT * FROM t",
            "t",
            vec![("table.types", "VIEW")],
        ),
    ] {
        let Some(database) = postgres() else { return };
        database.query(tables);
        let other = Other::of(&database);
        let mut harness = started(&database, &[&BY_ID[..], &more].concat());
        database.query("INSERT INTO t (name) VALUES ('first')");
        assert_eq!(next(&mut harness, 1), [1], "{tables} {more:?}");
        other.execute(&format!("BEGIN; INSERT INTO {into} (name) VALUES ('late')"));
        database.query("INSERT INTO t (name) VALUES ('early')");
        reads_nothing(&mut harness);
        other.execute("COMMIT");
        let mut found = next(&mut harness, 2);
        found.sort_unstable();
        assert_eq!(found, [2, 3], "{tables} {more:?}");
        harness.stop().unwrap();
    }
}

#[test]
fn without_a_wait_a_late_commit_is_missed() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGSERIAL PRIMARY KEY)");
    let other = Other::of(&database);
    let more = [&BY_ID[..], &[("wharf.incrementing.wait.ms", "0")]].concat();
    let mut harness = started(&database, &more);
    other.execute("BEGIN; INSERT INTO t DEFAULT VALUES");
    database.query("INSERT INTO t DEFAULT VALUES");
    assert_eq!(next(&mut harness, 1), [2]);
    other.execute("COMMIT");
    reads_nothing(&mut harness);
    harness.stop().unwrap();
}

#[test]
fn the_wait_is_bounded_and_keeps_no_other_table_waiting() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGSERIAL PRIMARY KEY); CREATE TABLE u (id BIGSERIAL PRIMARY KEY)");
    let other = Other::of(&database);
    let more = [&BY_ID[..], &[("wharf.incrementing.wait.ms", "6000")]].concat();
    let mut harness = started(&database, &more);
    other.execute("BEGIN; INSERT INTO t DEFAULT VALUES");
    let began = Instant::now();
    database.query("INSERT INTO t DEFAULT VALUES");
    for id in [1, 2] {
        database.query("INSERT INTO u DEFAULT VALUES");
        let record = harness.poll_for(1).unwrap().remove(0);
        assert_eq!(
            (record.topic.as_str(), ids(std::slice::from_ref(&record))),
            ("db-u", vec![id])
        );
    }
    assert_eq!(next(&mut harness, 1), [2]);
    assert!(began.elapsed() >= Duration::from_secs(6), "{:?}", began.elapsed());
    other.execute("ROLLBACK");
    // Who takes it back is waited for no longer than that.
    other.execute("BEGIN; INSERT INTO t DEFAULT VALUES");
    database.query("INSERT INTO t DEFAULT VALUES");
    other.execute("ROLLBACK");
    assert_eq!(next(&mut harness, 1), [4]);
    harness.stop().unwrap();
}

#[test]
fn a_stop_ends_the_wait() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGSERIAL PRIMARY KEY)");
    let other = Other::of(&database);
    let more = [&BY_ID[..], &[("wharf.incrementing.wait.ms", "600000")]].concat();
    let mut harness = started(&database, &more);
    other.execute("BEGIN; INSERT INTO t DEFAULT VALUES");
    database.query("INSERT INTO t DEFAULT VALUES");
    reads_nothing(&mut harness);
    // Nobody who wants to change the table's definition waits for the source.
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessShareLock'";
    assert_eq!(database.lines(locks), ["0"]);
    let began = Instant::now();
    harness.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    harness.start(&settings(&database, &BY_ID)).unwrap();
    other.execute("COMMIT");
    assert_eq!(next(&mut harness, 2), [1, 2]);
    harness.stop().unwrap();
}

#[test]
fn rows_wait_for_the_delay_everywhere_and_smaller_ones_come_before_them() {
    for database in databases() {
        for more in [vec![], vec![("wharf.split.size", "100")]] {
            database.query("DROP TABLE IF EXISTS t");
            database.query("CREATE TABLE t (id BIGINT PRIMARY KEY)");
            let more = [&BY_ID[..], &[("wharf.incrementing.delay.ms", "4000")], &more].concat();
            let mut harness = started(&database, &more);
            database.query("INSERT INTO t VALUES (2); SELECT 1");
            reads_nothing(&mut harness);
            database.query("INSERT INTO t VALUES (1); SELECT 1");
            assert_eq!(next(&mut harness, 2), [1, 2]);
            harness.stop().unwrap();
        }
    }
}

#[test]
fn rows_that_a_limit_keeps_back_do_not_wait_once_more() {
    std::thread::scope(|scope| {
        for database in databases() {
            scope.spawn(move || come_after_one_wait(&database));
        }
    });
}

fn come_after_one_wait(database: &Database) {
    const DELAY: Duration = Duration::from_secs(4);
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY)");
    for suffix in ["LIMIT 1", "LIMIT 1 OFFSET 0"] {
        database.query("DELETE FROM t");
        database.query("INSERT INTO t VALUES (1), (2), (3), (4), (5); SELECT 1");
        let more = [("wharf.incrementing.delay.ms", "4000"), ("query.suffix", suffix)];
        let began = Instant::now();
        let mut harness = started(database, &[&BY_ID[..], &more].concat());
        assert_eq!(next(&mut harness, 5), [1, 2, 3, 4, 5], "{suffix}");
        let took = began.elapsed();
        assert!(took >= DELAY && took < 3 * DELAY, "{suffix}: {took:?}");
        // What comes then waits as before.
        let began = Instant::now();
        database.query("INSERT INTO t VALUES (6); SELECT 1");
        assert_eq!(next(&mut harness, 1), [6], "{suffix}");
        assert!(began.elapsed() >= DELAY, "{suffix}");
        harness.stop().unwrap();
    }
}
