//! Servers of MySQL's kind behind a balancer, with other engines, with other rules for names, and with tables that change.

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::source::{field, ids, next, started};
use common::{Database, Schemas, mysql, mysql_options, mysql_query, record};
use mysql_async::prelude::Queryable as _;
use wharf_api::{Record, Schema, SchemaBuilder, Struct, Value};
use wharf_test_services::process::wait_until;
use wharf_test_services::{MariaDb, Proxy, available};

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";
const ROWS: &str = "SELECT id, name, amount FROM t ORDER BY id";
const UPSERT: [(&str, &str); 2] = [("insert.mode", "upsert"), ("pk.mode", "record_key")];
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that stays.
struct Client {
    connection: mysql_async::Conn,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    fn new(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime
            .block_on(mysql_async::Conn::new(mysql_options(url)))
            .unwrap();
        Self { connection, runtime }
    }

    fn run(&mut self, sql: &str) {
        self.runtime.block_on(self.connection.query_drop(sql)).unwrap();
    }

    /// The number that a statement answers with.
    fn number(&mut self, sql: &str) -> i64 {
        let answer = self.runtime.block_on(self.connection.query_first(sql));
        answer.unwrap().unwrap()
    }
}

/// The port of a URL of ours in place of another.
fn at_port(url: &str, port: u16) -> String {
    let (before, rest) = url.rsplit_once(':').unwrap();
    let (_, after) = rest.split_once('/').unwrap();
    format!("{before}:{port}/{after}")
}

#[test]
fn a_task_that_stops_ends_nothing_on_another_server() {
    let Some(database) = mysql() else { return };
    let Some(other) = available(MariaDb::start(&[])) else {
        return;
    };
    let name = &database.query("SELECT database()")[0][0];
    mysql_query(&other.url(), &format!("CREATE DATABASE {name}"));
    database.query(KEYED);
    // Numbers that connections of the other server are yet to have.
    while database.query("SELECT connection_id() < 100")[0][0] == "1" {}
    let mut holder = Client::new(&database.url());
    holder.run("LOCK TABLE t WRITE");

    let proxy = Proxy::start().unwrap();
    let port: u16 = database.query("SELECT @@port")[0][0].parse().unwrap();
    proxy.forward_to(port);
    let through = Database::MySql {
        url: at_port(&database.url(), proxy.port()),
    };
    let mut sink = through.sink(&[("wharf.statement.timeout.ms", "0")]);
    let worker = Arc::clone(sink.harness.plugin().worker());
    let (direct, other_url) = (database.url(), other.url());
    let balancer = thread::spawn(move || {
        const WAITS: &str = "SELECT id FROM information_schema.processlist WHERE db = database() AND state LIKE 'Waiting for%lock'";
        let mut id: u32 = 0;
        let waits = || {
            let found = mysql_query(&direct, WAITS);
            id = found.first().map_or(0, |row| row[0].parse().unwrap());
            id > 0
        };
        assert!(wait_until(PATIENCE, waits), "the statement waits for the lock");

        // On the other server somebody else has this number.
        let mut gate = Client::new(&other_url);
        gate.number("SELECT GET_LOCK('gate', 0)");
        assert!(gate.connection.id() < id);
        let mut stranger = Client::new(&other_url);
        while stranger.connection.id() < id {
            stranger = Client::new(&other_url);
        }
        assert_eq!(stranger.connection.id(), id);
        let stranger = thread::spawn(move || stranger.number("SELECT GET_LOCK('gate', 60)"));
        let busy = format!(
            "SELECT count(*) FROM information_schema.processlist WHERE id = {id} AND state = 'User lock'"
        );
        assert!(wait_until(PATIENCE, || gate.number(&busy) == 1));

        proxy.forward_to(other.port());
        worker.set_stopping(true);
        (gate, stranger, proxy, other)
    });
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.message().contains("the task is stopping"), "{error}");
    let (mut gate, stranger, _proxy, _other) = balancer.join().unwrap();
    gate.number("SELECT RELEASE_LOCK('gate')");
    assert_eq!(stranger.join().unwrap(), 1, "its statement was not ended");
}

#[test]
fn inserts_need_an_engine_with_transactions() {
    for engine in ["MyISAM", "Aria", "MEMORY"] {
        let Some(database) = mysql() else { return };
        database.query(&format!("{KEYED} ENGINE={engine}"));
        let mut sink = database.sink(&[]).tolerant();
        let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
        assert!(!error.is_retriable());
        for said in [
            &format!("the engine of table t, {engine}, has no transactions"),
            "ALTER TABLE `t` ENGINE=InnoDB",
            "insert.mode=upsert",
        ] {
            assert!(error.message().contains(said), "{error}");
        }
        assert!(database.lines(ROWS).is_empty());

        // What is written twice is the same.
        let mut sink = database.sink(&UPSERT).tolerant();
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 1, Some("a"), Some(1)),
            schemas.record(1, 2, Some("longer than 20 characters"), Some(2)),
            schemas.record(2, 3, Some("c"), Some(3)),
        ])
        .unwrap();
        let offsets: Vec<i64> = sink.reports().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [1], "{engine}");
        assert_eq!(database.lines(ROWS), ["1|a|1", "3|c|3"], "{engine}");
    }
}

#[test]
fn a_table_that_the_sink_makes_has_the_servers_engine_and_is_looked_at_too() {
    let Some(database) = mysql() else { return };
    let url = format!("{}&sessionVariables=default_storage_engine=Aria", database.url());
    let mut sink = database.sink(&[("connection.url", &url), ("auto.create", "true")]);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.message().contains("of table t, Aria, has"), "{error}");
    // Parts of a table have the engine of the whole.
    let Some(database) = mysql() else { return };
    database.query(&format!("{KEYED} PARTITION BY HASH (id) PARTITIONS 2"));
    let mut sink = database.sink(&[]);
    sink.put(&[record(0, 1, None, None)]).unwrap();
    assert_eq!(database.lines(ROWS), ["1|NULL|NULL"]);
}

/// A record of a table with one column of this name, which is its key.
fn of_column(offset: i64, name: &str, value: &str) -> Record {
    let schema = SchemaBuilder::structure()
        .field(name, Schema::string())
        .build()
        .unwrap();
    let mut row = Struct::new(Arc::clone(&schema)).unwrap();
    row.put(name, value).unwrap();
    Record::sink("t", 0, offset)
        .with_key(Some(Arc::clone(&schema)), row.clone())
        .with_value(Some(schema), row)
}

#[test]
fn names_are_those_of_one_table_in_one_database() {
    let Some(database) = mysql() else { return };
    let name = database.query("SELECT database()")[0][0].clone();
    let like = name.replace("test", "Test");
    database.query(&format!(
        "CREATE DATABASE {like}; CREATE TABLE {like}.t (a VARCHAR(9) PRIMARY KEY, wrong INT); CREATE TABLE t (a VARCHAR(9)); \
         CREATE TABLE T (a VARCHAR(9) UNIQUE, wrong INT); CREATE TABLE `tó` (wrong INT); CREATE TABLE `to` (a VARCHAR(9)); \
         INSERT INTO {like}.t VALUES ('x', 1)"
    ));
    // The unique index is that of another table.
    let mut sink = database.sink(&UPSERT);
    let error = sink.put(&[of_column(0, "a", "x")]).unwrap_err();
    assert!(error.message().contains("no unique index"), "{error}");
    // A column of another table is not this one's.
    for table in ["t", "to"] {
        let more = [("table.name.format", table)];
        let error = database
            .sink(&more)
            .put(&[of_column(0, "wrong", "x")])
            .unwrap_err();
        assert!(error.message().contains("has no column for wrong"), "{error}");
        database.sink(&more).put(&[of_column(0, "a", "x")]).unwrap();
    }
    for database_of in [&name, &like] {
        for key in ["catalog.pattern", "schema.pattern"] {
            let more = [("mode", "bulk"), ("table.whitelist", "t"), (key, database_of)];
            let mut harness = started(&database, &more);
            let found = next(&mut harness, 1).remove(0);
            let Value::Struct(row) = &found.value else {
                panic!()
            };
            let fields = row.schema().fields().unwrap().len();
            assert_eq!(
                fields,
                if *database_of == like { 2 } else { 1 },
                "{key}={database_of}"
            );
            harness.stop().unwrap();
        }
    }
    // That of the URL alone.
    let mut harness = started(&database, &[("mode", "bulk"), ("table.whitelist", "t")]);
    assert_eq!(field(&next(&mut harness, 1)[0], "a"), &Value::from("x"));
    harness.stop().unwrap();
}

#[test]
fn where_names_have_no_capital_letters_a_table_is_found_by_any() {
    let Some(server) = available(MariaDb::start(&[("lower-case-table-names", "1")])) else {
        return;
    };
    mysql_query(
        &server.url(),
        "CREATE DATABASE Shop; CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT); \
         CREATE TABLE shop.`órders` (id BIGINT, wrong INT)",
    );
    let database = Database::MySql {
        url: server.url_of("SHOP"),
    };
    for table in ["Orders", "Shop.ORDERS"] {
        let more = [("table.name.format", table)];
        let mut sink = database.sink(&[&UPSERT[..], &more].concat());
        sink.put(&[record(0, 1, Some(table), Some(1))]).unwrap();
        let mut sink = database.sink(&more);
        let error = sink.put(&[of_column(0, "wrong", "x")]).unwrap_err();
        assert!(error.message().contains("has no column for wrong"), "{error}");
    }
    assert_eq!(database.lines("SELECT name FROM orders"), ["Shop.ORDERS"]);
    for more in [
        &[][..],
        &[("catalog.pattern", "SHOP")],
        &[("schema.pattern", "Sh%")],
    ] {
        let always = [("mode", "bulk"), ("table.whitelist", "orders")];
        let mut harness = started(&database, &[&always[..], more].concat());
        assert_eq!(field(&next(&mut harness, 1)[0], "amount"), &Value::Int32(1));
        harness.stop().unwrap();
    }
}

#[test]
fn many_keys_are_deleted_by_the_columns_own_equality() {
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE t (id VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY); \
         INSERT INTO t SELECT concat('a', seq) FROM seq_1_to_3000; INSERT INTO t SELECT concat('A', seq) FROM seq_1_to_3000",
    );
    let mut sink = database.sink(&[
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("delete.enabled", "true"),
        ("batch.size", "3000"),
    ]);
    let schema = SchemaBuilder::structure()
        .field("id", Schema::string())
        .build()
        .unwrap();
    let tombstones: Vec<Record> = (1..=3000)
        .map(|n| {
            let mut key = Struct::new(Arc::clone(&schema)).unwrap();
            key.put("id", format!("a{n}")).unwrap();
            Record::sink("t", 0, n).with_key(Some(Arc::clone(&schema)), key)
        })
        .collect();
    sink.put(&tombstones).unwrap();
    assert_eq!(
        database.lines("SELECT count(*), sum(id LIKE BINARY 'A%') FROM t"),
        ["3000|3000"]
    );
}

#[test]
fn a_table_is_not_changed_between_the_look_at_its_columns_and_the_reading_of_its_rows() {
    for isolation in ["READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"] {
        let Some(database) = mysql() else { return };
        database.query("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
        let mut harness = started(
            &database,
            &[
                ("mode", "bulk"),
                ("poll.interval.ms", "0"),
                ("query.retry.attempts", "0"),
                ("transaction.isolation.mode", isolation),
            ],
        );
        let mut changer = Client::new(&database.url());
        let changing = thread::spawn(move || {
            for _ in 0..30 {
                changer.run("ALTER TABLE t ADD COLUMN more INT NOT NULL DEFAULT 7");
                changer.run("ALTER TABLE t DROP COLUMN more");
            }
        });
        let mut seen = [0, 0];
        while !changing.is_finished() {
            for record in harness.poll().unwrap() {
                let Value::Struct(row) = &record.value else {
                    panic!()
                };
                match row.values() {
                    [Value::Int32(1)] => seen[0] += 1,
                    [Value::Int32(1), Value::Int32(7)] => seen[1] += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        changing.join().unwrap();
        harness.stop().unwrap();
        assert!(seen.iter().all(|count| *count > 0), "{isolation}: {seen:?}");
    }
}

#[test]
fn the_time_is_asked_for_before_anything_is_seen() {
    // Its columns are known once the gate is open; what it sees is older.
    const QUERY: &str = "SELECT id, at FROM t WHERE 1 = (SELECT max(id) FROM gate WHERE id >= (SELECT min(id) * 0 FROM t) LOCK IN SHARE MODE)";
    const WAITS: &str = "SELECT count(*) FROM information_schema.processlist \
        WHERE db = database() AND info LIKE '%FROM gate%' AND id <> connection_id() AND time_ms > 300";
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE gate (id INT PRIMARY KEY); INSERT INTO gate VALUES (1); CREATE TABLE t (id INT PRIMARY KEY, at DATETIME(6) NOT NULL); \
         INSERT INTO t VALUES (2, NOW(6) + INTERVAL 5 SECOND)",
    );
    let mut gate = Client::new(&database.url());
    gate.run("START TRANSACTION; SELECT id FROM gate FOR UPDATE");
    let mut harness = started(
        &database,
        &[
            ("mode", "timestamp"),
            ("timestamp.column.name", "at"),
            ("query", QUERY),
            ("transaction.isolation.mode", "REPEATABLE_READ"),
        ],
    );
    assert!(wait_until(PATIENCE, || database.lines(WAITS) == ["1"]));
    database.query("INSERT INTO t SELECT 1, at - INTERVAL 1 SECOND FROM t");
    assert!(wait_until(PATIENCE, || database
        .lines("SELECT NOW(6) > max(at) FROM t")
        == ["1"]));
    gate.run("ROLLBACK");
    assert_eq!(ids(&next(&mut harness, 2)), [1, 2]);
    harness.stop().unwrap();
}
