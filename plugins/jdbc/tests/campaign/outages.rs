//! Servers that are killed under load, connections that are ended in the middle of a statement, networks that let nothing pass.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use wharf_api::Record;
use wharf_test_services::{MariaDb, Postgres, Proxy, available};
use wharf_testkit::SourceHarness;

use super::client::{Client, Writer};
use super::common::source::{ids, started};
use super::common::{Database, Schemas, Sink, mysql, postgres};
use super::{Ends, PATIENCE, in_time, number};

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";
/// A sink that never gives up, whose bad records become dead letters.
const UPSERT: [(&str, &str); 5] = [
    ("insert.mode", "upsert"),
    ("pk.mode", "record_key"),
    ("max.retries", "1000000"),
    ("retry.backoff.ms", "10"),
    ("connection.backoff.ms", "0"),
];

/// A server of the test's own.
enum Server {
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Server {
    fn postgres() -> Option<Self> {
        available(Postgres::start(&[])).map(Self::Postgres)
    }

    fn mariadb() -> Option<Self> {
        available(MariaDb::start(&[])).map(Self::MariaDb)
    }

    fn database(&self) -> Database {
        match self {
            Self::Postgres(server) => Database::Postgres {
                url: server.url(),
                schema: "public".to_owned(),
            },
            Self::MariaDb(server) => Database::MySql { url: server.url() },
        }
    }

    /// Kills it with all connections, and starts it again.
    fn crash(&mut self) {
        match self {
            Self::Postgres(server) => {
                server.kill().unwrap();
                server.restart().unwrap();
            }
            Self::MariaDb(server) => {
                server.kill().unwrap();
                server.restart().unwrap();
            }
        }
    }
}

/// Puts the records as the worker does: again as long as the error is one that is tried again. How many times it failed.
fn put(sink: &mut Sink, records: &[Record]) -> usize {
    let mut failures = 0;
    in_time("the records are written", || match sink.put(records) {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_retriable(), "{error}");
            failures += 1;
            false
        }
    });
    failures
}

fn batch(schemas: &Schemas, first: i64, count: i64) -> Vec<Record> {
    (first..first + count)
        .map(|id| schemas.record(id, id, Some("x"), Some(1)))
        .collect()
}

/// Puts batches until it is told to end, and tells how many records are written; none may be reported.
fn write_on(database: &Database, more: &[(&str, &str)], done: &AtomicI64, over: &AtomicBool) -> usize {
    const BATCH: i64 = 500;
    let mut sink = database.sink(&[&UPSERT[..], more].concat()).tolerant();
    let schemas = Schemas::default();
    let mut failures = 0;
    while !over.load(Ordering::Relaxed) {
        let first = done.load(Ordering::Relaxed);
        failures += put(&mut sink, &batch(&schemas, first, BATCH));
        assert_eq!(sink.safe(), first + BATCH);
        done.store(first + BATCH, Ordering::Relaxed);
    }
    assert!(sink.reports().is_empty(), "{:?}", sink.reports());
    failures
}

/// Waits until those who read have nearly all that was written, or it is over.
fn wait_for_readers(done: &AtomicI64, read: &AtomicI64, over: &AtomicBool) {
    const AHEAD: i64 = 500;
    in_time("rows are read", || {
        over.load(Ordering::Relaxed) || done.load(Ordering::Relaxed) < read.load(Ordering::Relaxed) + AHEAD
    });
}

/// Waits until there are more than there were.
fn until_more(done: &AtomicI64) {
    let before = done.load(Ordering::Relaxed);
    in_time("it goes on", || done.load(Ordering::Relaxed) > before + 1);
}

fn every_record_is_there(mut server: Server) {
    let database = server.database();
    database.query(KEYED);
    let (done, over) = (AtomicI64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let ends = Ends(&over);
        let writer = scope.spawn(|| write_on(&database, &[], &done, &over));
        for _ in 0..2 {
            until_more(&done);
            server.crash();
        }
        until_more(&done);
        drop(ends);
        assert!(writer.join().unwrap() > 0, "no statement met a crash");
    });
    let count = done.load(Ordering::Relaxed);
    assert_eq!(
        database.lines("SELECT count(*), min(id), max(id), count(name), sum(amount) FROM t"),
        [format!("{count}|0|{}|{count}|{count}", count - 1)]
    );
}

#[test]
fn a_sink_that_is_writing_when_postgresql_crashes_has_every_record_in_the_table_and_reports_none() {
    let Some(server) = Server::postgres() else { return };
    every_record_is_there(server);
}

#[test]
fn a_sink_that_is_writing_when_mariadb_crashes_has_every_record_in_the_table_and_reports_none() {
    let Some(server) = Server::mariadb() else { return };
    every_record_is_there(server);
}

/// One poll; what may be tried again is no failure.
fn poll(harness: &mut SourceHarness) -> Vec<Record> {
    match harness.poll() {
        Ok(records) => records,
        Err(error) => {
            assert!(error.is_retriable(), "{error}");
            Vec::new()
        }
    }
}

/// The mode in which stamps and numbers say which rows are new.
const BY_TIME: [(&str, &str); 3] = [
    ("mode", "timestamp+incrementing"),
    ("incrementing.column.name", "id"),
    ("timestamp.column.name", "at"),
];
const BY_NUMBER: [(&str, &str); 2] = [("mode", "incrementing"), ("incrementing.column.name", "id")];

fn every_row_is_read(mut server: Server) {
    const STATEMENT: i64 = 20;
    let database = server.database();
    database.query(&format!(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, at {} NOT NULL)",
        database.timestamp()
    ));
    let more = [("connection.attempts", "1"), ("batch.max.rows", "50")];
    let mut harnesses = [&BY_TIME[..], &BY_NUMBER].map(|mode| started(&database, &[mode, &more].concat()));
    let (done, read, over) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
    let mut seen = [Vec::new(), Vec::new()];
    thread::scope(|scope| {
        let _ends = Ends(&over);
        scope.spawn(|| {
            let mut writer = Writer::new(&database);
            while !over.load(Ordering::Relaxed) {
                wait_for_readers(&done, &read, &over);
                let first = done.load(Ordering::Relaxed);
                let rows: Vec<String> = (first..first + STATEMENT)
                    // Three have one stamp.
                    .map(|id| {
                        format!(
                            "({id}, TIMESTAMP '2020-01-01 00:00:00' + INTERVAL '{}' SECOND)",
                            id / 3
                        )
                    })
                    .collect();
                let (before, after) = database.of(
                    ("", ""),
                    ("INSERT", "ON CONFLICT DO NOTHING"),
                    ("INSERT IGNORE", ""),
                );
                writer.run(&format!("{before} INTO t VALUES {} {after}", rows.join(", ")));
                done.store(first + STATEMENT, Ordering::Relaxed);
            }
        });
        let crashes = scope.spawn(|| {
            until_more(&done);
            server.crash();
            until_more(&done);
            over.store(true, Ordering::Relaxed);
        });
        in_time("every row is read", || {
            for (harness, seen) in harnesses.iter_mut().zip(&mut seen) {
                seen.extend(ids(&poll(harness)));
            }
            let least = seen.iter().map(Vec::len).min().unwrap();
            read.store(i64::try_from(least).unwrap(), Ordering::Relaxed);
            let written = done.load(Ordering::Relaxed);
            crashes.is_finished()
                && seen
                    .iter()
                    .all(|seen| i64::try_from(seen.len()).unwrap() >= written)
        });
        crashes.join().unwrap();
    });
    let wanted: Vec<i64> = (0..done.load(Ordering::Relaxed)).collect();
    for (seen, mode) in seen.iter().zip(["by time", "by number"]) {
        // The task itself was not started anew, so that it knows what it has given.
        assert!(*seen == wanted, "{mode}: {} of {}", seen.len(), wanted.len());
    }
    for mut harness in harnesses {
        harness.stop().unwrap();
    }
}

#[test]
fn a_source_that_reads_while_postgresql_crashes_gives_every_row() {
    let Some(server) = Server::postgres() else { return };
    every_row_is_read(server);
}

#[test]
fn a_source_that_reads_while_mariadb_crashes_gives_every_row() {
    let Some(server) = Server::mariadb() else { return };
    every_row_is_read(server);
}

/// Somebody else has inserted one of the rows and not committed it: the sink's statement waits in the middle of its rows, and its
/// connection is ended there.
#[test]
fn a_connection_that_is_ended_in_the_middle_of_a_batch_leaves_nothing_behind() {
    for database in [postgres(), mysql()] {
        let Some(database) = database else { return };
        database.query(KEYED);
        let mut holder = Client::connect(&database).unwrap();
        holder.run("BEGIN").unwrap();
        holder.run("INSERT INTO t VALUES (500, 'held', 0)").unwrap();
        let insert = [("insert.mode", "insert"), ("pk.mode", "record_key")];
        let mut sink = database.sink(&[&UPSERT[..], &insert].concat()).tolerant();
        let records = batch(&Schemas::default(), 0, 1_000);
        thread::scope(|scope| {
            let ended = scope.spawn(|| {
                let (find, end) = match &database {
                    // Whoever waits for somebody who has written to this table.
                    Database::Postgres { .. } => (
                        "SELECT w.pid FROM pg_locks AS w WHERE NOT w.granted AND EXISTS (SELECT FROM pg_locks AS h \
                         WHERE h.granted AND h.relation = 't'::regclass AND h.pid = ANY(pg_blocking_pids(w.pid)))",
                        "SELECT pg_terminate_backend",
                    ),
                    _ => (
                        "SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE 'INSERT INTO%'",
                        "SELECT 1; KILL ",
                    ),
                };
                let mut id = None;
                in_time("the statement waits", || {
                    id = number(&database, find);
                    id.is_some()
                });
                database.query(&format!("{end} ({})", id.unwrap()));
            });
            let error = sink.put(&records).unwrap_err();
            assert!(error.is_retriable(), "{error}");
            ended.join().unwrap();
        });
        assert_eq!(sink.safe(), 0, "nothing may be committed");
        holder.run("ROLLBACK").unwrap();
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["0"]);
        put(&mut sink, &records);
        assert_eq!(
            database.lines("SELECT count(*), min(id), max(id), min(name) FROM t"),
            ["1000|0|999|x"]
        );
        assert!(sink.reports().is_empty());
    }
}

/// The same database, by another way.
fn through(database: &Database, proxy: &Proxy) -> Database {
    let at = |url: &str| {
        let (before, rest) = url.rsplit_once("127.0.0.1:").unwrap();
        let (port, after) = rest.split_once('/').unwrap();
        proxy.forward_to(port.parse().unwrap());
        format!("{before}127.0.0.1:{}/{after}", proxy.port())
    };
    match database {
        Database::Postgres { url, schema } => Database::Postgres {
            url: at(url),
            schema: schema.clone(),
        },
        Database::MySql { url } => Database::MySql { url: at(url) },
        Database::Sqlite(_) => panic!("a file has no server"),
    }
}

/// Nobody tells the clients that nothing passes any more; they find out by the time that they wait.
#[test]
fn a_network_that_lets_nothing_pass_is_noticed_and_nothing_is_missing() {
    let Some(all) = [postgres(), mysql()]
        .into_iter()
        .collect::<Option<Vec<Database>>>()
    else {
        return;
    };
    thread::scope(|scope| {
        for database in &all {
            scope.spawn(move || a_cut_is_noticed(database));
        }
    });
}

fn a_cut_is_noticed(database: &Database) {
    // Ten seconds are added to it.
    let short = [
        ("wharf.statement.timeout.ms", "500"),
        ("connection.attempts", "1"),
    ];
    database.query(KEYED);
    let proxy = Proxy::start().unwrap();
    let far = through(database, &proxy);
    let (done, read, over) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
    let failed = AtomicBool::new(false);
    let mut seen = BTreeSet::new();
    thread::scope(|scope| {
        let _ends = Ends(&over);
        let writer = scope.spawn(|| {
            let mut sink = far.sink(&[&UPSERT[..], &short].concat()).tolerant();
            let schemas = Schemas::default();
            let mut failures = 0;
            while !over.load(Ordering::Relaxed) {
                let first = done.load(Ordering::Relaxed);
                let records = batch(&schemas, first, 100);
                let written = super::wait_until(PATIENCE, || match sink.put(&records) {
                    Ok(()) => true,
                    Err(error) => {
                        assert!(error.is_retriable(), "{error}");
                        failures += 1;
                        failed.store(true, Ordering::Relaxed);
                        false
                    }
                });
                assert!(written, "the records are not written");
                done.store(first + 100, Ordering::Relaxed);
            }
            assert!(sink.reports().is_empty(), "{:?}", sink.reports());
            failures
        });
        // A source by the same way, which polls all the time.
        let mut harness = started(&far, &[&BY_NUMBER[..], &short].concat());
        let cutter = scope.spawn(|| {
            in_time("rows are read", || read.load(Ordering::Relaxed) > 0);
            until_more(&done);
            proxy.cut();
            let noticed = super::wait_until(PATIENCE, || failed.load(Ordering::Relaxed));
            proxy.mend();
            assert!(noticed, "the sink waits for ever");
            until_more(&done);
            over.store(true, Ordering::Relaxed);
        });
        let all = super::wait_until(PATIENCE, || {
            seen.extend(ids(&poll(&mut harness)));
            read.store(i64::try_from(seen.len()).unwrap(), Ordering::Relaxed);
            writer.is_finished() && i64::try_from(seen.len()).unwrap() >= done.load(Ordering::Relaxed)
        });
        assert!(all, "{} rows are read", seen.len());
        cutter.join().unwrap();
        assert!(writer.join().unwrap() > 0);
        harness.stop().unwrap();
    });
    let count = done.load(Ordering::Relaxed);
    assert_eq!(
        database.lines("SELECT count(*), min(id), max(id), sum(amount) FROM t"),
        [format!("{count}|0|{}|{count}", count - 1)]
    );
    assert!(seen.into_iter().eq(0..count));
}

/// A server that answers again while the source still waits for the old connection: rows that are there meanwhile are read.
#[test]
fn a_source_whose_connection_is_ended_in_the_middle_of_a_statement_goes_on_with_the_next_row() {
    for database in [postgres(), mysql()] {
        let Some(database) = database else { return };
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(1000))");
        let fill = "INSERT INTO t WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < 19999) \
                    SELECT x, repeat('x', 1000) FROM n";
        database.query(fill);
        let more = [("connection.attempts", "1"), ("batch.max.rows", "100")];
        let mut harness = started(&database, &[&BY_NUMBER[..], &more].concat());
        let mut seen = ids(&harness.poll_for(100).unwrap());
        // Nobody takes more than two batches: the statement is in its middle.
        let find = match &database {
            Database::Postgres { .. } => {
                "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity AS a WHERE a.query LIKE 'COPY%' AND a.state = 'active' \
                 AND a.pid <> pg_backend_pid() AND EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid AND l.relation = 't'::regclass)"
            }
            _ => {
                "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id() AND command <> 'Sleep'"
            }
        };
        let found = number(&database, find).expect("the source's statement runs");
        if database.is_postgres() {
            assert_eq!(found, 1, "the source's statement runs");
        } else {
            database.query(&format!("SELECT 1; KILL {found}"));
        }
        in_time("every row is read", || {
            seen.extend(ids(&poll(&mut harness)));
            seen.len() >= 20_000
        });
        assert!(seen.iter().copied().eq(0..20_000));
        harness.stop().unwrap();
    }
}

#[test]
fn a_statement_that_takes_longer_than_it_may_is_tried_again_and_nothing_is_reported() {
    for database in [postgres(), mysql()] {
        let Some(database) = database else { return };
        database.query(KEYED);
        let mut holder = Client::connect(&database).unwrap();
        holder.run("BEGIN").unwrap();
        holder.run("INSERT INTO t VALUES (5, 'held', 0)").unwrap();
        let more = [("wharf.statement.timeout.ms", "300")];
        let mut sink = database.sink(&[&UPSERT[..], &more].concat()).tolerant();
        let records = batch(&Schemas::default(), 0, 10);
        for _ in 0..2 {
            let error = sink.put(&records).unwrap_err();
            assert!(error.is_retriable(), "{error}");
        }
        holder.run("COMMIT").unwrap();
        put(&mut sink, &records);
        assert_eq!(
            database.lines("SELECT count(*), min(name), max(name) FROM t"),
            ["10|x|x"]
        );
        assert!(sink.reports().is_empty());
    }
}
