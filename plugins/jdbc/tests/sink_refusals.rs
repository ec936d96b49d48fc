//! Rows that a database refuses, and tables that fit no record: who is at fault, and what is said of it.

mod common;

use std::sync::Arc;

use common::{Database, Schemas, Sink, databases, postgres, postgres_query, record};
use wharf_api::{Record, Schema, SchemaBuilder, SchemaRef, Struct, Value, logical};

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";

fn reported(sink: &Sink) -> Vec<i64> {
    sink.reports().iter().map(|(offset, _)| *offset).collect()
}

/// A record with these fields as value, and the first of them as key.
fn of(offset: i64, fields: &[(&str, SchemaRef, Value)]) -> Record {
    let structure = |fields: &[(&str, SchemaRef, Value)]| {
        let mut builder = SchemaBuilder::structure();
        for (name, schema, _) in fields {
            builder = builder.field(*name, Arc::clone(schema));
        }
        let schema = builder.build().unwrap();
        let mut row = Struct::new(Arc::clone(&schema)).unwrap();
        for (name, _, value) in fields {
            row.put(name, value.clone()).unwrap();
        }
        (schema, row)
    };
    let (key_schema, key) = structure(&fields[..1]);
    let (schema, row) = structure(fields);
    Record::sink("t", 0, offset)
        .with_key(Some(key_schema), key)
        .with_value(Some(schema), row)
}

#[test]
fn of_rows_that_refer_to_each_other_those_alone_are_bad_whose_row_is_nowhere() {
    for database in databases() {
        if !database.is_sqlite() && !database.is_postgres() {
            continue;
        }
        database.query(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount BIGINT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)",
        );
        let url = format!("{}{}", database.url(), database.of("?foreign_keys=on", "", ""));
        let mut sink = database.sink(&[("connection.url", &url)]).tolerant();
        let schemas = Schemas::default();
        let mut offset = 0;
        let mut of = |id: i64, of: Option<i32>| {
            offset += 1;
            schemas.record(offset - 1, id, None, of)
        };
        let batch = vec![
            // The child comes before its row.
            of(1, Some(2)),
            of(2, None),
            of(3, Some(99)),
            of(4, Some(6)),
            of(5, Some(77)),
            // The child of a bad one is one, too.
            of(6, Some(3)),
            of(7, Some(1)),
        ];
        sink.put(&batch).unwrap();
        let mut bad = reported(&sink);
        bad.sort_unstable();
        assert_eq!(bad, [2, 3, 4, 5], "{:?}", sink.reports());
        assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "2", "7"]);
        assert_eq!(sink.safe(), 7);

        // Without a dead letter queue nothing is written.
        let mut sink = database.sink(&[("connection.url", &url)]);
        let error = sink.put(&[schemas.record(9, 9, None, Some(99))]).unwrap_err();
        assert!(error.message().contains("offset 9"), "{error}");
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["3"]);
    }
}

#[test]
fn of_keys_that_are_one_to_the_database_the_later_update_stays() {
    let Some(database) = postgres() else { return };
    database
        .query("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
    let cases: [(&str, &str, SchemaRef, Value, Value); 3] = [
        (
            "DOUBLE PRECISION",
            "0",
            Schema::float64(),
            0.0.into(),
            (-0.0).into(),
        ),
        (
            "NUMERIC",
            "'NaN'",
            Schema::float64(),
            f64::NAN.into(),
            f64::NAN.into(),
        ),
        (
            "TEXT COLLATE folded",
            "'a'",
            Schema::string(),
            "a".into(),
            "A".into(),
        ),
    ];
    for (kind, find, schema, first, second) in cases {
        for turn in 0..2 {
            database.query(&format!(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id {kind}, amount INT); INSERT INTO t VALUES ({find}, 0)"
            ));
            let (one, other) = if turn == 0 {
                (first.clone(), second.clone())
            } else {
                (second.clone(), first.clone())
            };
            let mut sink = database.sink(&[("insert.mode", "update"), ("pk.mode", "record_key")]);
            let row = |offset: i64, id: Value, amount: i32| {
                of(
                    offset,
                    &[
                        ("id", Arc::clone(&schema), id),
                        ("amount", Schema::int32(), amount.into()),
                    ],
                )
            };
            sink.put(&[row(0, one, 1), row(1, other, 2)]).unwrap();
            let expected = if kind == "REAL" { "0" } else { "2" };
            // 0.1 is no value of a REAL: nothing is found by it.
            assert_eq!(
                database.lines("SELECT amount FROM t"),
                [expected],
                "{kind} {turn}"
            );
        }
    }
}

#[test]
fn numbers_find_rows_by_keys_that_are_texts_and_fill_bits() {
    let Some(database) = postgres() else { return };
    for (kind, find) in [
        ("TEXT", "'7'"),
        ("VARCHAR(5)", "'7'"),
        ("CHAR(5)", "'7'"),
        ("CITEXT", "'7'"),
        ("BIT(4)", "B'0111'"),
    ] {
        if kind == "CITEXT" && !has_citext(&database) {
            continue;
        }
        database.query(&format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (id {kind} PRIMARY KEY, flags BIT(3), amount INT); INSERT INTO t(id) VALUES ({find})"
        ));
        let row = |offset: i64, flags: i8| {
            of(
                offset,
                &[
                    ("id", Schema::int64(), 7_i64.into()),
                    ("flags", Schema::int8(), Value::Int8(flags)),
                    ("amount", Schema::int32(), 5.into()),
                ],
            )
        };
        let more = [("pk.mode", "record_key"), ("delete.enabled", "true")];
        for mode in ["update", "upsert"] {
            let mut sink = database
                .sink(&[&more[..], &[("insert.mode", mode)]].concat())
                .tolerant();
            sink.put(&[row(0, 5), row(1, 8)]).unwrap();
            sink.put(&[row(2, 6)]).unwrap();
            let reports = sink.reports();
            // Of the writes of one key the last one counts.
            assert_eq!(reported(&sink), [1], "{kind} {mode}: {reports:?}");
            let said = reports[0].1.message();
            assert!(said.contains("8 is out of range for bit(3)"), "{said}");
            assert_eq!(
                database.lines("SELECT flags, amount FROM t"),
                ["110|5"],
                "{kind} {mode}"
            );
        }
        let mut sink = database.sink(&[&more[..], &[("insert.mode", "upsert")]].concat());
        let tombstone = row(3, 0).with_value(None, Value::Null);
        sink.put(&[tombstone]).unwrap();
        assert!(database.lines("SELECT * FROM t").is_empty(), "{kind}");
    }
}

/// The extension is not part of every server.
fn has_citext(database: &Database) -> bool {
    let available = database.lines("SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'");
    let has = available == ["1"];
    if has {
        database.query("CREATE EXTENSION IF NOT EXISTS citext");
    }
    has
}

#[test]
fn decimals_lose_no_digit_in_sqlite() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    let mut sink = database.sink(&[("auto.create", "true")]).tolerant();
    let digits = |offset: i64, digits: i128| {
        let amount = wharf_api::Decimal::new(digits, 2);
        of(
            offset,
            &[
                ("id", Schema::int64(), offset.into()),
                ("amount", logical::decimal(2), Value::Decimal(amount)),
            ],
        )
    };
    sink.put(&[
        digits(0, 123_456_789_012_345),
        digits(1, 1_234_567_890_123_456),
        // Whole ones are kept as integers.
        digits(2, 123_456_789_012_345_600),
        digits(3, -5),
    ])
    .unwrap();
    assert_eq!(reported(&sink), [1]);
    let said = sink.reports()[0].1.message().to_owned();
    assert!(
        said.contains("keeps 15 digits") && said.contains("declare the column as TEXT"),
        "{said}"
    );
    let rows = database.lines("SELECT amount, typeof(amount) FROM t ORDER BY id");
    assert_eq!(
        rows,
        ["1234567890123.45|real", "1234567890123456|integer", "-0.05|real"]
    );
    database.query("DROP TABLE t; CREATE TABLE t (id INTEGER, amount TEXT)");
    let mut sink = database.sink(&[]).tolerant();
    sink.put(&[digits(1, 123_456_789_012_345_678_901_234)]).unwrap();
    assert_eq!(
        database.lines("SELECT amount FROM t"),
        ["1234567890123456789012.34"]
    );
}

#[test]
fn a_table_that_fits_no_record_stops_the_task_and_no_record_becomes_a_dead_letter() {
    for database in databases() {
        for (table, parts) in [
            (
                "id BIGINT PRIMARY KEY, name VARCHAR(20)",
                ["has no column for amount", "fields.whitelist"],
            ),
            (
                "id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT, more INT NOT NULL",
                ["more", "default"],
            ),
        ] {
            database.query(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t ({table})"));
            for more in [&[][..], &[("insert.mode", "upsert"), ("pk.mode", "record_key")]] {
                let mut sink = database.sink(more).tolerant();
                let error = sink.put(&[record(0, 1, None, Some(3))]).unwrap_err();
                assert!(!error.is_retriable());
                for part in parts {
                    assert!(error.message().contains(part), "{error}");
                }
                assert!(sink.reports().is_empty());
            }
        }
    }
}

#[test]
fn a_row_that_a_policy_refuses_is_a_bad_one_and_a_right_that_is_missing_is_none() {
    let Some(database) = postgres() else { return };
    let Database::Postgres { url, schema } = &database else {
        unreachable!()
    };
    let role = format!("writer_of_{schema}");
    database.query(&format!(
        "{KEYED}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (true) WITH CHECK (amount < 10); \
         CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, INSERT, UPDATE ON t TO {role}"
    ));
    let other = Database::Postgres {
        url: url.replace("user=wharf", &format!("user={role}")),
        schema: schema.clone(),
    };
    let schemas = Schemas::default();
    for more in [&[][..], &[("insert.mode", "upsert"), ("pk.mode", "record_key")]] {
        let mut sink = other.sink(more).tolerant();
        sink.put(&[
            schemas.record(0, 1, None, Some(1)),
            schemas.record(1, 2, None, Some(10)),
            schemas.record(2, 3, None, Some(3)),
        ])
        .unwrap();
        assert_eq!(reported(&sink), [1]);
        assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "3"]);
    }
    database.query(&format!("REVOKE INSERT ON t FROM {role}"));
    let mut sink = other.sink(&[]).tolerant();
    let error = sink.put(&[schemas.record(3, 4, None, None)]).unwrap_err();
    assert!(error.message().contains("connection.user"), "{error}");
    assert!(sink.reports().is_empty());
    postgres_query(url, &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn no_value_of_a_row_is_told_where_that_is_not_wanted() {
    for database in databases() {
        for (trim, is_told) in [("true", false), ("false", true)] {
            database.query(
                "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20) UNIQUE, amount INT CHECK (amount < 10))",
            );
            let mut sink = database.sink(&[("trim.sensitive.log", trim)]).tolerant();
            let schemas = Schemas::default();
            sink.put(&[
                schemas.record(0, 4711, Some("s3cret"), Some(1)),
                schemas.record(1, 4712, Some("s3cret"), Some(1)),
                schemas.record(2, 4713, Some("another"), Some(815)),
            ])
            .unwrap();
            assert_eq!(reported(&sink), [1, 2]);
            let reports = sink.reports();
            let said: String = reports.iter().map(|(_, error)| error.message()).collect();
            let tells = ["s3cret", "4712", "815"].iter().any(|value| said.contains(value));
            // What SQLite says has no values.
            assert_eq!(tells, is_told && !database.is_sqlite(), "{said}");
            assert!(said.contains("topic t, partition 0, offset 2"), "{said}");
            let code = database.of("[SQLITE ", "[23505]", "[1062]");
            assert!(said.contains(code), "{said}");

            let mut sink = database.sink(&[("trim.sensitive.log", trim)]);
            let error = sink
                .put(&[schemas.record(3, 4714, Some("s3cret"), None)])
                .unwrap_err();
            let tells = error.message().contains("s3cret");
            assert_eq!(tells, is_told && !database.is_sqlite(), "{error}");
        }
    }
}

#[test]
fn a_text_that_is_no_time_is_told_only_where_values_may_be() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    database.query("CREATE TABLE t (id INTEGER, name TEXT); SELECT 1");
    for (trim, is_told) in [("true", false), ("false", true)] {
        let more = [("trim.sensitive.log", trim), ("timestamp.fields.list", "name")];
        let mut sink = database.sink(&more).tolerant();
        let row = of(
            0,
            &[
                ("id", Schema::int64(), 1_i64.into()),
                ("name", Schema::string(), "s3cret".into()),
            ],
        );
        sink.put(&[row]).unwrap();
        let reports = sink.reports();
        let said = reports[0].1.message();
        assert!(said.contains("neither a number nor a time"), "{said}");
        assert_eq!(said.contains("invalid digit"), is_told, "{said}");
    }
}
