//! What becomes of records while a database is away, locked, or does not let anybody in.

mod common;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::contention::{a_lock_is_given_up, a_row_gets_through, both_get_through};
use common::source::{ids, next, started};
use common::{Database, Schemas, own_server, postgres, postgres_query, record};
use wharf_test_services::Proxy;
use wharf_test_services::process::wait_until;

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";
const COUNT: &str = "SELECT count(*) FROM t";

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

/// A file with the keyed table, and a connection that writes to it.
fn written_to_by_another() -> (Database, rusqlite::Connection) {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    database.query(&format!("{KEYED}; SELECT 1"));
    let Database::Sqlite(folder) = &database else {
        unreachable!()
    };
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (database, other)
}

#[test]
fn a_file_that_another_writes_to_is_waited_for() {
    let (database, other) = written_to_by_another();
    let url = format!("{}?busy_timeout=50", database.url());
    let mut sink = database.sink(&[("connection.url", &url), ("retry.backoff.ms", "0")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.is_retriable());
    assert!(error.message().contains("database is locked"), "{error}");
    other.execute_batch("COMMIT").unwrap();
    sink.put(&[record(0, 1, None, None)]).unwrap();
    assert_eq!(database.lines(COUNT), ["1"]);
}

/// A server behind a way that can be cut, and the server itself.
fn behind(database: &Database) -> (Proxy, Database) {
    let Database::Postgres { url, schema } = database else {
        unreachable!()
    };
    let port: u16 = database.query("SHOW port")[0][0].parse().unwrap();
    let proxy = Proxy::start().unwrap();
    proxy.forward_to(port);
    let through = Database::Postgres {
        url: url.replace(&format!(":{port}"), &format!(":{}", proxy.port())),
        schema: schema.clone(),
    };
    (proxy, through)
}

#[test]
fn a_write_ends_before_another_task_gets_the_partitions_whatever_holds_it() {
    let Some(database) = postgres() else { return };
    database.query(KEYED);
    let (proxy, through) = behind(&database);
    let more = [("wharf.write.timeout.ms", "300"), ("retry.backoff.ms", "0")];
    let mut sink = through.sink(&more).tolerant();
    let schemas = Schemas::default();
    sink.put(&[schemas.record(0, 0, None, None)]).unwrap();
    // A network without a word, as of a cable that is pulled.
    proxy.cut();
    let began = Instant::now();
    let batch = [schemas.record(1, 1, None, None)];
    let error = sink.put(&batch).unwrap_err();
    assert!(error.is_retriable());
    assert!(
        error.message().contains("within 300 ms (wharf.write.timeout.ms)"),
        "{error}"
    );
    // Of the ten seconds that the server's silence is waited for nothing is left; a cancellation has two.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(sink.safe(), 1);
    proxy.mend();
    // Connections of before may still be on their way.
    assert!(wait_until(Duration::from_secs(30), || sink.put(&batch).is_ok()));
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["0", "1"]);
    assert!(sink.reports().is_empty());
}

#[test]
fn what_comes_too_late_is_not_committed() {
    let Some(database) = postgres() else { return };
    // Each row takes its time, and none of them too long a one.
    database.query(&format!(
        "{KEYED}; CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_sleep(0.02); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()"
    ));
    let mut sink = database.sink(&[
        ("wharf.write.timeout.ms", "1000"),
        ("retry.backoff.ms", "0"),
        ("batch.size", "5"),
    ]);
    let schemas = Schemas::default();
    let batch: Vec<_> = (0..100).map(|n| schemas.record(n, n, None, None)).collect();
    let error = sink.put(&batch).unwrap_err();
    assert!(error.is_retriable());
    assert!(error.message().contains("wharf.write.timeout.ms"), "{error}");
    // What is written is whole batches, and the next call goes on with the others.
    let written: i64 = database.lines(COUNT)[0].parse().unwrap();
    assert!(written > 0 && written < 100 && written % 5 == 0, "{written}");
    assert!(wait_until(Duration::from_secs(30), || sink.put(&batch).is_ok()));
    assert_eq!(database.lines(COUNT), ["100"]);
}

#[test]
fn a_lock_is_waited_for_as_long_as_the_url_says_and_a_minute_else() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "{KEYED}; CREATE FUNCTION show_timeout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         NEW.name = current_setting('lock_timeout'); RETURN NEW; END $$; \
         CREATE TRIGGER show_timeout BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION show_timeout()"
    ));
    let url = format!("{}&options=-c%20lock_timeout%3D7s", database.url());
    let schemas = Schemas::default();
    database
        .sink(&[])
        .put(&[schemas.record(0, 0, None, None)])
        .unwrap();
    let mut sink = database.sink(&[("connection.url", &url)]);
    sink.put(&[schemas.record(1, 1, None, None)]).unwrap();
    assert_eq!(database.lines("SELECT name FROM t ORDER BY id"), ["1min", "7s"]);
}

#[test]
fn who_was_let_in_before_is_tried_again_while_a_password_is_changed() {
    let Some((server, database)) = own_server() else {
        return;
    };
    database.query(&format!(
        "{KEYED}; CREATE ROLE other LOGIN; GRANT ALL ON t TO other; GRANT ALL ON SCHEMA public TO other"
    ));
    let other = Database::Postgres {
        url: server.url().replace("user=wharf", "user=other"),
        schema: "public".to_owned(),
    };
    let more = [("max.retries", "2"), ("retry.backoff.ms", "0")];
    let mut sink = other.sink(&more).tolerant();
    let schemas = Schemas::default();
    sink.put(&[schemas.record(0, 0, None, None)]).unwrap();
    let lock = |can: &str| {
        database.query(&format!(
            "ALTER ROLE other {can}; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'other'"
        ));
    };
    let batch = [schemas.record(1, 1, None, None)];
    lock("NOLOGIN");
    for _ in 0..2 {
        let error = sink.put(&batch).unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert!(
            error.message().contains("connection.password is the present one"),
            "{error}"
        );
    }
    lock("LOGIN");
    sink.put(&batch).unwrap();
    lock("NOLOGIN");
    let batch = [schemas.record(2, 2, None, None)];
    while sink.put(&batch).unwrap_err().is_retriable() {}
    assert_eq!(database.lines(COUNT), ["2"]);
    assert!(sink.reports().is_empty());
}

#[test]
fn a_file_that_another_writes_to_does_not_hold_a_task_that_is_to_stop() {
    let (database, other) = written_to_by_another();
    let url = format!("{}?busy_timeout=600000", database.url());
    let mut sink = database.sink(&[("connection.url", &url)]);
    let worker = Arc::clone(sink.harness.plugin().worker());
    let stopper = thread::spawn(move || worker.set_stopping(true));
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    stopper.join().unwrap();
    assert!(error.is_retriable(), "{error}");
    // As well when its time to write is over.
    let more = [
        ("connection.url", url.as_str()),
        ("wharf.write.timeout.ms", "100"),
    ];
    let error = database.sink(&more).put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.message().contains("wharf.write.timeout.ms"), "{error}");
    assert_eq!(other.query_row(COUNT, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}
