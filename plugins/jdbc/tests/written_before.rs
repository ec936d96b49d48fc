//! Inserts of records whose rows may be in the table already: the worker was killed before the offsets were committed, or nobody
//! answered to a COMMIT.

mod common;

use std::sync::Arc;

use common::losing::Losing;
use common::{Database, Schemas, Sink, databases, mysql, postgres, record};
use wharf_api::{Record, Schema, SchemaBuilder, SchemaRef, Struct, TopicPartition, Value, logical};

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
fn coordinates_alone_do_not_say_that_a_row_is_there() {
    for database in databases() {
        let more = [("auto.create", "true"), ("pk.mode", "kafka")];
        let batch = [record(0, 1, Some("a"), Some(1)), record(1, 2, Some("b"), Some(2))];
        database.sink(&more).put(&batch).unwrap();
        let mut sink = database.sink(&more).tolerant();
        let [first, _] = batch;
        // The topic was made anew: another record has the offset of one that was written.
        sink.put(&[
            first,
            record(1, 7, Some("of the new topic"), Some(2)),
            record(2, 3, None, None),
        ])
        .unwrap();
        assert_eq!(reported(&sink), [1], "{:?}", sink.reports());
        let rows = database.lines("SELECT __connect_offset, id, name FROM t ORDER BY 1");
        assert_eq!(rows, ["0|1|a", "1|2|b", "2|3|NULL"]);
    }
}

/// A record with these fields.
fn of(offset: i64, fields: &[(&str, SchemaRef, Value)]) -> Record {
    let mut schema = SchemaBuilder::structure();
    for (name, of_field, _) in fields {
        schema = schema.field(*name, Arc::clone(of_field));
    }
    let schema = schema.build().unwrap();
    let mut value = Struct::new(Arc::clone(&schema)).unwrap();
    for (name, _, of_field) in fields {
        value.put(name, of_field.clone()).unwrap();
    }
    Record::sink("t", 0, offset).with_value(Some(schema), value)
}

#[test]
fn keys_that_are_the_same_for_the_index_alone_are_not_there() {
    for database in databases() {
        if database.is_postgres() {
            database.query(
                "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
        }
        let kind = database.of(
            "TEXT COLLATE NOCASE",
            "VARCHAR(20) COLLATE folded",
            "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        );
        database.query(&format!("CREATE TABLE t (name {kind} PRIMARY KEY)"));
        let row = |offset: i64, name: &str| of(offset, &[("name", Schema::string(), name.into())]);
        database.sink(&[]).put(&[row(0, "a")]).unwrap();
        let mut sink = database.sink(&[]).tolerant();
        sink.put(&[row(0, "a"), row(1, "A"), row(2, "b")]).unwrap();
        assert_eq!(reported(&sink), [1], "{:?}", sink.reports());
        assert_eq!(database.lines("SELECT name FROM t ORDER BY name"), ["a", "b"]);
    }
}

#[test]
fn floats_are_compared_with_all_their_digits() {
    for database in databases() {
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, f {}, d DOUBLE PRECISION)",
            database.of("REAL", "REAL", "FLOAT")
        ));
        let options = database.of("", "&options=-c%20extra_float_digits%3D0", "");
        let url = format!("{}{options}", database.url());
        let more = [("connection.url", url.as_str())];
        let row = |offset: i64, f: f32, d: f64| {
            of(
                offset,
                &[
                    ("id", Schema::int64(), 1_i64.into()),
                    ("f", Schema::float32(), f.into()),
                    ("d", Schema::float64(), d.into()),
                ],
            )
        };
        let (f, d) = (16_777_215.0, 0.1_f64);
        database.sink(&more).put(&[row(0, f, d)]).unwrap();
        let mut sink = database.sink(&more).tolerant();
        sink.put(&[row(0, f, d), row(1, 16_777_213.0, d), row(2, f, d.next_up())])
            .unwrap();
        assert_eq!(reported(&sink), [1, 2], "{:?}", sink.reports());
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["1"]);
    }
}

const APPEND_ONLY: &str = "CREATE FUNCTION refuse_updates() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'this table is appended to only'; END $$; \
    CREATE TRIGGER refuse_updates BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION refuse_updates()";

#[test]
fn of_a_table_that_is_only_appended_to_the_duplicate_alone_is_bad() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "{KEYED}; {APPEND_ONLY}; INSERT INTO t VALUES (5, 'there', 5)"
    ));
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..10)
        .map(|n| schemas.record(n, n, Some("x"), (n == 8).then_some(99)))
        .collect();
    sink.put(&batch).unwrap();
    assert_eq!(reported(&sink), [5, 8], "{:?}", sink.reports());
    for ((_, error), code) in sink.reports().iter().zip(["[23505]", "[23514]"]) {
        assert!(error.message().contains(code), "{error}");
    }
    assert_eq!(database.lines("SELECT count(*), max(id) FROM t"), ["9|9"]);
    assert_eq!(database.lines("SELECT name FROM t WHERE id = 5"), ["there"]);
}

#[test]
fn of_a_table_that_is_only_appended_to_the_commit_refuses_bad_rows_alone() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "CREATE TABLE other (n INT PRIMARY KEY); INSERT INTO other VALUES (1); CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, \
         amount INT REFERENCES other(n) DEFERRABLE INITIALLY DEFERRED); {APPEND_ONLY}; INSERT INTO t VALUES (2, 'there', 1)"
    ));
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..6)
        .map(|n| schemas.record(n, n, Some("x"), Some(if n == 4 { 7 } else { 1 })))
        .collect();
    sink.put(&batch).unwrap();
    assert_eq!(reported(&sink), [2, 4], "{:?}", sink.reports());
    assert_eq!(
        database.lines("SELECT id, name FROM t ORDER BY id"),
        ["0|x", "1|x", "2|there", "3|x", "5|x"]
    );
}

#[test]
fn triggers_for_updates_have_no_word_in_the_letter_of_a_duplicate() {
    let Some(database) = mysql() else { return };
    database.query(&format!(
        "{KEYED}; INSERT INTO t VALUES (1, 'x', NULL); CREATE TRIGGER refuse BEFORE UPDATE ON t FOR EACH ROW \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this table is appended to only'"
    ));
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..4).map(|n| schemas.record(n, n, Some("x"), None)).collect();
    sink.put(&batch).unwrap();
    assert_eq!(reported(&sink), [1]);
    let said = sink.reports()[0].1.message().to_owned();
    assert!(said.contains("[1062]"), "{said}");
    assert_eq!(
        database.lines("SELECT id FROM t ORDER BY id"),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn what_fails_in_an_update_trigger_is_said_and_is_nobodys_dead_letter() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "{KEYED}; INSERT INTO t VALUES (1, 'x', NULL); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO absent VALUES (1); RETURN NULL; END $$; \
         CREATE TRIGGER note AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note()"
    ));
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..3).map(|n| schemas.record(n, n, Some("x"), None)).collect();
    let error = sink.put(&batch).unwrap_err();
    assert!(error.message().contains("[42P01]"), "{error}");
    assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
    assert_eq!(database.lines("SELECT id FROM t"), ["1"]);
}

#[test]
fn where_no_statement_passes_over_rows_those_that_are_there_are_dead_letters() {
    let Some(database) = postgres() else { return };
    database.query(&format!(
        "{KEYED}; INSERT INTO t VALUES (1, 'x', NULL); CREATE RULE kept AS ON UPDATE TO t DO INSTEAD NOTHING"
    ));
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..3).map(|n| schemas.record(n, n, Some("x"), None)).collect();
    sink.put(&batch).unwrap();
    assert_eq!(reported(&sink), [1]);
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["0", "1", "2"]);
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
    database.query(&format!("GRANT SELECT, UPDATE ON t TO {role}"));
    let mut sink = other.sink(&more).tolerant();
    sink.put(&[first, schemas.record(2, 3, Some("c"), None)]).unwrap();
    assert!(reported(&sink).is_empty(), "{:?}", sink.reports());
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "2", "3"]);
    database.query(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_policy_for_inserts_alone_makes_the_duplicate_alone_a_bad_row() {
    let Some(database) = postgres() else { return };
    let Database::Postgres { url, schema } = &database else {
        unreachable!()
    };
    let role = format!("appender_of_{schema}");
    database.query(&format!(
        "{KEYED}; INSERT INTO t VALUES (1, 'x', NULL); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE ROLE {role} LOGIN; \
         GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT INSERT, SELECT, UPDATE ON t TO {role}; \
         CREATE POLICY append ON t FOR INSERT TO {role} WITH CHECK (true)"
    ));
    let other = Database::Postgres {
        url: url.replace("user=wharf", &format!("user={role}")),
        schema: schema.clone(),
    };
    let mut sink = other.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let batch: Vec<Record> = (0..4).map(|n| schemas.record(n, n, Some("x"), None)).collect();
    sink.put(&batch).unwrap();
    assert_eq!(reported(&sink), [1], "{:?}", sink.reports());
    let said = sink.reports()[0].1.message().to_owned();
    assert!(said.contains("[23505]"), "{said}");
    assert_eq!(
        database.lines("SELECT id FROM t ORDER BY id"),
        ["0", "1", "2", "3"]
    );
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
fn nothing_is_in_doubt_once_the_rows_are_taken_away() {
    for (losing, through, database) in losing() {
        database.query(KEYED);
        let mut sink = through.sink(&[("retry.backoff.ms", "0")]).tolerant();
        let schemas = Schemas::default();
        losing.lose_next();
        let batch = [schemas.record(0, 1, Some("x"), None)];
        assert!(sink.put(&batch).unwrap_err().is_retriable());
        let partitions = [TopicPartition::new("t", 0)];
        sink.harness.close(&partitions).unwrap();
        sink.harness.open(&partitions).unwrap();
        sink.put(&[
            schemas.record(1, 1, Some("another"), None),
            schemas.record(2, 2, Some("y"), None),
        ])
        .unwrap();
        assert_eq!(reported(&sink), [1]);
        assert_eq!(database.lines(ROWS), ["1|x|NULL", "2|y|NULL"]);
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
