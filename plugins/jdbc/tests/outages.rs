//! What becomes of records while a database is away, locked, or does not let anybody in.

mod common;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::contention::{a_lock_is_given_up, a_row_gets_through, both_get_through};
use common::source::{ids, next, started};
use common::{Database, Schemas, postgres, postgres_query, record};
use wharf_test_services::{Postgres, available};

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";
const COUNT: &str = "SELECT count(*) FROM t";

/// A server of the test's own, to be killed.
fn own_server() -> Option<(Postgres, Database)> {
    let server = available(Postgres::start(&[]))?;
    let database = Database::Postgres {
        url: server.url(),
        schema: "public".to_owned(),
    };
    Some((server, database))
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_every_record_and_none_is_reported() {
    let Some((mut server, database)) = own_server() else {
        return;
    };
    database.query(KEYED);
    let more = [("retry.backoff.ms", "10"), ("connection.backoff.ms", "0")];
    let mut sink = database.sink(&more).tolerant();
    let schemas = Schemas::default();
    sink.put(&[schemas.record(0, 0, None, None)]).unwrap();
    server.kill().unwrap();
    let batch = [schemas.record(1, 1, None, None), schemas.record(2, 2, None, None)];
    for _ in 0..3 {
        let error = sink.put(&batch).unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert!(error.message().contains("see that the database runs"), "{error}");
        assert_eq!(
            sink.harness.worker().timeout_asked(),
            Some(Duration::from_millis(10))
        );
        assert_eq!(sink.safe(), 1, "nothing more may be committed");
    }
    server.restart().unwrap();
    // As the worker puts them again.
    sink.put(&batch).unwrap();
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["0", "1", "2"]);
    assert_eq!(sink.safe(), 3);
    assert!(sink.reports().is_empty());
}

#[test]
fn a_source_goes_on_where_it_was_when_its_server_comes_back() {
    let Some((mut server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let mode = [("mode", "incrementing"), ("connection.attempts", "1")];
    let mut harness = started(
        &database,
        &[&mode[..], &[("incrementing.column.name", "id")]].concat(),
    );
    assert_eq!(ids(&next(&mut harness, 2)), [1, 2]);
    server.kill().unwrap();
    assert!(harness.poll().unwrap().is_empty());
    server.restart().unwrap();
    database.query("INSERT INTO t VALUES (3)");
    assert_eq!(ids(&next(&mut harness, 1)), [3]);
    // Its connection alone is cut.
    database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wharf'");
    database.query("INSERT INTO t VALUES (4)");
    assert_eq!(ids(&next(&mut harness, 1)), [4]);
    harness.stop().unwrap();
}

#[test]
fn a_source_whose_tries_are_counted_stops_after_them() {
    let Some((mut server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY)");
    let more = [
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("query.retry.attempts", "1"),
        ("connection.attempts", "1"),
    ];
    let mut harness = started(&database, &more);
    assert!(harness.poll().unwrap().is_empty());
    server.kill().unwrap();
    let error = harness.poll_for(1).unwrap_err();
    assert!(!error.is_retriable());
    let whole = format!("{error:#}");
    assert!(
        whole.contains("given up after 2 tries") && whole.contains("see that the database runs"),
        "{whole}"
    );
    harness.stop().unwrap();
}

#[test]
fn a_database_that_stays_away_stops_the_task_and_no_record_becomes_a_dead_letter() {
    let Some((mut server, database)) = own_server() else {
        return;
    };
    database.query(KEYED);
    let mut sink = database
        .sink(&[("max.retries", "2"), ("retry.backoff.ms", "0")])
        .tolerant();
    server.kill().unwrap();
    let batch = [record(0, 1, None, None)];
    assert!(sink.put(&batch).unwrap_err().is_retriable());
    assert!(sink.put(&batch).unwrap_err().is_retriable());
    let error = sink.put(&batch).unwrap_err();
    assert!(!error.is_retriable());
    assert!(
        error.message().contains("given up after 3 tries (max.retries)"),
        "{error}"
    );
    assert!(sink.reports().is_empty());
}

#[test]
fn a_locked_table_is_waited_for_and_a_task_that_stops_waits_no_longer() {
    let Some(database) = postgres() else { return };
    database.query(KEYED);
    let Database::Postgres { url, schema } = &database else {
        unreachable!()
    };
    let (locked, is_locked) = mpsc::channel();
    let (release, may_release) = mpsc::channel::<()>();
    let (url, schema) = (url.clone(), schema.clone());
    let holder = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let url = url.trim_start_matches("jdbc:");
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client
                .batch_execute(&format!("BEGIN; LOCK TABLE {schema}.t IN ACCESS EXCLUSIVE MODE"))
                .await
                .unwrap();
            locked.send(()).unwrap();
            may_release.recv().unwrap();
            client.batch_execute("COMMIT").await.unwrap();
        });
    });
    is_locked.recv().unwrap();

    let Database::Postgres { url, .. } = &database else {
        unreachable!()
    };
    let url = url.clone();
    a_lock_is_given_up(&database, "statement timeout [57014]", move || {
        const WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wharf' AND wait_event_type = 'Lock'";
        postgres_query(&url, WAITS)[0][0].clone()
    });

    release.send(()).unwrap();
    holder.join().unwrap();
    a_row_gets_through(&database);
}

#[test]
fn two_tasks_that_write_the_same_rows_both_get_through() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "{KEYED}; INSERT INTO t SELECT n, 'x', 0 FROM generate_series(0, 99) n"
    ));
    let url = format!("{}&options=-c%20deadlock_timeout%3D20ms", database.url());
    both_get_through(&database, &[("connection.url", &url)], "deadlock detected");
}

#[test]
fn who_is_not_let_in_is_told_at_once() {
    let Some((server, _)) = own_server() else { return };
    let url = server.url().replace("user=wharf", "user=nobody");
    let database = Database::Postgres {
        url,
        schema: "public".to_owned(),
    };
    let mut sink = database.sink(&[("connection.attempts", "3")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(!error.is_retriable());
    assert!(
        error.message().contains("role \"nobody\" does not exist [28000]"),
        "{error}"
    );
    assert!(error.message().contains("connection.user"), "{error}");
}

#[test]
fn a_file_that_another_writes_to_is_waited_for() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    database.query(&format!("{KEYED}; SELECT 1"));
    let Database::Sqlite(folder) = &database else {
        unreachable!()
    };
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let url = format!("{}?busy_timeout=50", database.url());
    let mut sink = database.sink(&[("connection.url", &url), ("retry.backoff.ms", "0")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.is_retriable());
    assert!(error.message().contains("database is locked"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    sink.put(&[record(0, 1, None, None)]).unwrap();
    assert_eq!(database.lines(COUNT), ["1"]);
}
