//! Inserts of records whose rows may be in the table already: the worker was killed before the offsets were committed, or nobody
//! answered to a COMMIT.

mod common;

use std::sync::Arc;

use common::losing::Losing;
use common::{Database, Schemas, Sink, databases, mysql, postgres, record};
use wharf_api::{Record, Schema, SchemaBuilder, Struct, Value, logical};

const KEYED: &str =
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT CHECK (amount < 99))";
const ROWS: &str = "SELECT id, name, amount FROM t ORDER BY id";

fn reported(sink: &Sink) -> Vec<i64> {
    sink.reports().iter().map(|(offset, _)| *offset).collect()
}

#[test]
fn rows_that_are_there_since_before_a_kill_are_no_dead_letters() {
    for database in databases() {
        for more in [&[][..], &[("pk.mode", "record_key")]] {
            database.query(&format!("DROP TABLE IF EXISTS t; {KEYED}"));
            let schemas = Schemas::default();
            let batch: Vec<Record> = (0..300)
                .map(|n| schemas.record(n, n, (n % 2 == 0).then_some("x"), (n % 3 == 0).then_some(7)))
                .collect();
            database.sink(more).put(&batch).unwrap();
            // Killed here, before any offset was committed.
            for tolerant in [true, false] {
                let mut sink = database.sink(more);
                if tolerant {
                    sink = sink.tolerant();
                }
                sink.put(&batch).unwrap();
                assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
                assert_eq!(sink.safe(), 300);
            }
            let mut sink = database.sink(more).tolerant();
            let mut longer = batch;
            longer.extend((300..310).map(|n| schemas.record(n, n, Some("new"), None)));
            // Somebody else's row with this key is none of ours.
            longer.push(schemas.record(310, 6, Some("another"), Some(7)));
            longer.push(schemas.record(311, 6, Some("X"), Some(7)));
            longer.push(schemas.record(312, 312, None, Some(99)));
            longer.push(schemas.record(313, 313, Some("last"), None));
            sink.put(&longer).unwrap();
            assert_eq!(reported(&sink), [310, 311, 312]);
            assert_eq!(database.lines("SELECT count(*), max(id) FROM t"), ["311|313"]);
            assert_eq!(database.lines("SELECT name FROM t WHERE id = 6"), ["x"]);
        }
    }
}

#[test]
fn coordinates_say_which_record_it_is_whatever_became_of_its_row() {
    for database in databases() {
        let more = [("auto.create", "true"), ("pk.mode", "kafka")];
        let batch = [record(0, 1, Some("a"), Some(1)), record(1, 2, Some("b"), Some(2))];
        database.sink(&more).put(&batch).unwrap();
        database.query("UPDATE t SET name = 'changed' WHERE id = 1");
        let mut sink = database.sink(&more).tolerant();
        let [first, second] = batch;
        sink.put(&[first, second, record(2, 3, None, None)]).unwrap();
        assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
        let rows = database.lines("SELECT __connect_offset, id, name FROM t ORDER BY 1");
        assert_eq!(rows, ["0|1|changed", "1|2|b", "2|3|NULL"]);
    }
}

#[test]
fn equal_rows_are_written_where_the_table_takes_them() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT, name TEXT, amount INT CHECK (amount > 0)); CREATE UNIQUE INDEX u ON t(amount)");
        let mut sink = database.sink(&[]).tolerant();
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 1, Some("a"), None),
            schemas.record(1, 1, Some("a"), None),
            schemas.record(2, 2, Some("bad"), Some(-1)),
            schemas.record(3, 1, Some("a"), None),
        ])
        .unwrap();
        assert_eq!(reported(&sink), [2]);
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["3"]);
    }
}

#[test]
fn values_that_a_column_rounds_or_pads_are_the_same_again() {
    for database in databases() {
        let json = database.of("TEXT", "JSON", "JSON");
        let at = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, f REAL, d DECIMAL(6,2), c CHAR(5), j {json}, at {at}, x {})",
            database.of("BLOB", "BYTEA", "BLOB")
        ));
        let schema = SchemaBuilder::structure()
            .field("id", Schema::int64())
            .field("f", Schema::float64())
            .field("d", logical::decimal(4))
            .field("c", Schema::string())
            .field("j", Schema::string())
            .field("at", logical::timestamp())
            .field("x", Schema::bytes())
            .build()
            .unwrap();
        let of = |offset: i64, d: i64| {
            let mut value = Struct::new(Arc::clone(&schema)).unwrap();
            value.put("id", offset % 2).unwrap();
            value.put("f", 0.1).unwrap();
            value
                .put("d", Value::Decimal(wharf_api::Decimal::new(d, 4)))
                .unwrap();
            value.put("c", "ab").unwrap();
            value.put("j", "{\"a\":  1}").unwrap();
            value.put("at", Value::Date(1_700_000_000_123)).unwrap();
            value.put("x", Value::Bytes(vec![0, 255])).unwrap();
            Record::sink("t", 0, offset).with_value(Some(Arc::clone(&schema)), value)
        };
        let batch = [of(0, 12_346), of(1, 12_346)];
        database.sink(&[]).put(&batch).unwrap();
        let mut sink = database.sink(&[]).tolerant();
        let [first, second] = batch;
        sink.put(&[first, second, of(2, 99_999)]).unwrap();
        assert_eq!(reported(&sink), [2], "{:?}", sink.reports());
        let said = sink.reports()[0].1.message().to_owned();
        let part = database.of("UNIQUE constraint failed", "[23505]", "[1062]");
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn who_may_only_insert_gets_dead_letters_of_rows_that_are_there() {
    let Some(database) = postgres() else { return };
    let Database::Postgres { url, schema } = &database else {
        unreachable!()
    };
    let role = format!("inserter_of_{schema}");
    database.query(&format!(
        "CREATE TABLE t (__connect_topic TEXT, __connect_partition INT, __connect_offset BIGINT, id BIGINT UNIQUE, \
         name TEXT, amount INT, PRIMARY KEY (__connect_topic, __connect_partition, __connect_offset)); \
         CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT INSERT ON t TO {role}"
    ));
    let other = Database::Postgres {
        url: url.replace("user=wharf", &format!("user={role}")),
        schema: schema.clone(),
    };
    let schemas = Schemas::default();
    let more = [("pk.mode", "kafka")];
    let first = schemas.record(0, 1, Some("a"), None);
    other.sink(&more).put(std::slice::from_ref(&first)).unwrap();
    let mut sink = other.sink(&more).tolerant();
    sink.put(&[first.clone(), schemas.record(1, 2, Some("b"), None)])
        .unwrap();
    assert_eq!(reported(&sink), [0]);
    // With the right to look it is known.
    database.query(&format!("GRANT SELECT ON t TO {role}"));
    let mut sink = other.sink(&more).tolerant();
    sink.put(&[first, schemas.record(2, 3, Some("c"), None)]).unwrap();
    assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "2", "3"]);
    database.query(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// A database behind a way that loses answers, and the database itself.
fn losing() -> Vec<(Losing, Database, Database)> {
    let mut all = Vec::new();
    if let Some(database @ Database::Postgres { .. }) = postgres() {
        let Database::Postgres { url, schema } = &database else {
            unreachable!()
        };
        let port = database.query("SHOW port")[0][0].parse().unwrap();
        let losing = Losing::new(port);
        let through = Database::Postgres {
            url: url.replace(&format!(":{port}"), &format!(":{}", losing.port)),
            schema: schema.clone(),
        };
        all.push((losing, through, database));
    }
    if let Some(database @ Database::MySql { .. }) = mysql() {
        let port = database.query("SELECT @@port")[0][0].parse().unwrap();
        let losing = Losing::new(port);
        let url = database
            .url()
            .replace(&format!(":{port}"), &format!(":{}", losing.port));
        let through = Database::MySql {
            // What is encrypted is not seen to be a COMMIT.
            url: format!("{url}&sslMode=disable"),
        };
        all.push((losing, through, database));
    }
    all
}

#[test]
fn rows_whose_commit_nobody_answered_to_are_there_once_and_no_dead_letters() {
    for (losing, through, database) in losing() {
        database.query(KEYED);
        let mut sink = through.sink(&[("retry.backoff.ms", "0")]).tolerant();
        let schemas = Schemas::default();
        let batch: Vec<Record> = (0..5).map(|n| schemas.record(n, n, Some("x"), None)).collect();
        losing.lose_next();
        let error = sink.put(&batch).unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert!(losing.has_lost(), "{}", through.url());
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["5"]);
        assert_eq!(sink.safe(), 0);
        sink.put(&batch).unwrap();
        assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
        assert_eq!(sink.safe(), 5);
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["5"]);
        // Nothing is in doubt any more.
        sink.put(&[schemas.record(5, 0, Some("another"), None)]).unwrap();
        assert_eq!(reported(&sink), [5]);
    }
}

#[test]
fn a_row_that_is_in_doubt_and_refused_stops_the_task_and_is_no_dead_letter() {
    for (losing, through, database) in losing() {
        database.query(KEYED);
        let mut sink = through.sink(&[("retry.backoff.ms", "0")]).tolerant();
        let batch = [record(0, 1, Some("x"), None)];
        losing.lose_next();
        assert!(sink.put(&batch).unwrap_err().is_retriable());
        database.query("UPDATE t SET name = 'changed'");
        let error = sink.put(&batch).unwrap_err();
        assert!(!error.is_retriable());
        assert!(error.message().contains("may be in the table already"), "{error}");
        assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
    }
}

#[test]
fn upserts_whose_commit_nobody_answered_to_are_made_again_at_once() {
    for (losing, through, database) in losing() {
        database.query(&format!("{KEYED}; INSERT INTO t VALUES (0, 'old', 1)"));
        let mut sink = through.sink(&[("insert.mode", "upsert"), ("pk.mode", "record_key")]);
        let schemas = Schemas::default();
        sink.put(&[schemas.record(0, 0, Some("x"), None)]).unwrap();
        losing.lose_next();
        sink.put(&[
            schemas.record(1, 0, Some("y"), None),
            schemas.record(2, 1, None, Some(5)),
        ])
        .unwrap();
        assert!(losing.has_lost(), "{}", through.url());
        assert_eq!(database.lines(ROWS), ["0|y|NULL", "1|NULL|5"]);
    }
}

#[test]
fn a_commit_that_was_refused_leaves_nothing_in_doubt() {
    // What refuses the commit, for a while.
    let postgres = postgres().inspect(|database| {
        database.query(&format!(
            "{KEYED}; CREATE TABLE away (x INT); INSERT INTO away VALUES (1); \
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT 1 FROM away) THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
        ));
    });
    let sqlite = Database::Sqlite(tempfile::tempdir().unwrap());
    sqlite.query(&format!("{KEYED}; SELECT 1"));
    for database in [Some(sqlite), postgres].into_iter().flatten() {
        let reader = match &database {
            Database::Sqlite(folder) => {
                let reader = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
                // Who reads keeps others from committing.
                reader.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
                Some(reader)
            }
            _ => None,
        };
        let url = format!("{}{}", database.url(), database.of("?busy_timeout=50", "", ""));
        let mut sink = database
            .sink(&[("connection.url", &url), ("retry.backoff.ms", "0")])
            .tolerant();
        let schemas = Schemas::default();
        let mut batch = vec![schemas.record(0, 1, Some("a"), None)];
        let error = sink.put(&batch).unwrap_err();
        assert!(error.is_retriable(), "{error}");
        match reader {
            Some(reader) => reader.execute_batch("COMMIT").unwrap(),
            None => drop(database.query("DELETE FROM away")),
        }
        // A bad one comes with it now.
        database.query("INSERT INTO t VALUES (1, 'another', NULL)");
        batch.push(schemas.record(1, 2, Some("b"), None));
        sink.put(&batch).unwrap();
        assert_eq!(reported(&sink), [0]);
        assert_eq!(database.lines(ROWS), ["1|another|NULL", "2|b|NULL"]);
    }
}
