//! The sink, run through the border against real databases: what stands in the tables after what was put.

mod common;

use common::{Schemas, databases, postgres, record};
use wharf_api::{Record, Schema, SchemaBuilder, Struct, Value};

const ROWS: &str = "SELECT id, name, amount FROM t ORDER BY id";
const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";

#[test]
fn a_table_is_made_and_filled() {
    for database in databases() {
        let mut sink = database.sink(&[("auto.create", "true")]);
        sink.put(&[record(0, 1, Some("grüße"), Some(5)), record(1, 2, None, None)])
            .unwrap();
        assert_eq!(database.lines(ROWS), ["1|grüße|5", "2|NULL|NULL"]);
        assert_eq!(sink.safe(), 2);
        // The same in a new life, into the table that is there.
        sink.harness.stop().unwrap();
        let mut sink = database.sink(&[]);
        sink.put(&[record(2, 3, Some("x"), None)]).unwrap();
        assert_eq!(database.lines(ROWS).len(), 3);
    }
}

#[test]
fn a_missing_table_is_named_and_nothing_is_reported() {
    for database in databases() {
        let mut sink = database.sink(&[]).tolerant();
        let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
        assert!(!error.is_retriable());
        assert!(error.message().contains("table t does not exist"), "{error}");
        assert!(error.message().contains("auto.create"), "{error}");
        assert!(sink.reports().is_empty());
    }
}

#[test]
fn upserts_keep_the_last_value_and_columns_that_the_record_does_not_have() {
    for database in databases() {
        database.query(&format!("{KEYED}; ALTER TABLE t ADD COLUMN note TEXT"));
        database.query("INSERT INTO t(id, name, amount, note) VALUES(1, 'old', 1, 'kept')");
        let mut sink = database.sink(&[("insert.mode", "upsert"), ("pk.mode", "record_key")]);
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 1, Some("a"), Some(1)),
            schemas.record(1, 2, Some("b"), Some(2)),
            schemas.record(2, 1, Some("c"), None),
        ])
        .unwrap();
        let rows = database.lines("SELECT id, name, amount, note FROM t ORDER BY id");
        assert_eq!(rows, ["1|c|NULL|kept", "2|b|2|NULL"]);
        // The same records come again after a crash.
        sink.put(&[schemas.record(3, 2, Some("b"), Some(2))]).unwrap();
        assert_eq!(database.lines(ROWS).len(), 2);
    }
}

#[test]
fn deletes_and_writes_of_a_key_keep_their_order() {
    for database in databases() {
        database.query(KEYED);
        let mut sink = database.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("delete.enabled", "true"),
        ]);
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 1, Some("a"), None),
            schemas.tombstone(1, 1),
            schemas.record(2, 2, Some("b"), None),
            schemas.tombstone(3, 2),
            schemas.record(4, 2, Some("again"), None),
            schemas.tombstone(5, 9),
        ])
        .unwrap();
        assert_eq!(database.lines(ROWS), ["2|again|NULL"]);
        assert_eq!(sink.safe(), 6);
    }
}

#[test]
fn updates_change_only_rows_that_are_there() {
    for database in databases() {
        database.query(&format!("{KEYED}; INSERT INTO t VALUES(1, 'old', 7)"));
        let more = [
            ("insert.mode", "update"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ];
        let mut sink = database.sink(&more);
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 1, Some("new"), None),
            schemas.record(1, 2, Some("none"), None),
        ])
        .unwrap();
        assert_eq!(database.lines(ROWS), ["1|new|NULL"]);
    }
}

#[test]
fn coordinates_make_a_key() {
    for database in databases() {
        let mut sink = database.sink(&[
            ("auto.create", "true"),
            ("insert.mode", "upsert"),
            ("pk.mode", "kafka"),
            ("fields.whitelist", "name"),
        ]);
        let records = [record(7, 1, Some("a"), None), record(8, 1, Some("b"), None)];
        sink.put(&records).unwrap();
        let rows = database
            .lines("SELECT __connect_topic, __connect_partition, __connect_offset, name FROM t ORDER BY 3");
        assert_eq!(rows, ["t|0|7|a", "t|0|8|b"]);
    }
}

#[test]
fn new_fields_become_columns_where_that_is_wanted() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)");
        let mut sink = database.sink(&[("auto.evolve", "true")]);
        sink.put(&[record(0, 1, None, Some(3))]).unwrap();
        assert_eq!(database.lines(ROWS), ["1|NULL|3"]);
    }
}

#[test]
fn a_bad_row_alone_is_reported_and_the_others_are_written() {
    for database in databases() {
        database.query(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount INT CHECK (amount > 0))",
        );
        let mut sink = database.sink(&[]).tolerant();
        let schemas = Schemas::default();
        let records: Vec<Record> = (0..20)
            .map(|n| match n {
                3 => schemas.record(n, n, None, Some(1)),
                9 => schemas.record(n, n, Some("x"), Some(-1)),
                17 => schemas.record(n, 16, Some("twice"), Some(1)),
                _ => schemas.record(n, n, Some("x"), Some(1)),
            })
            .collect();
        sink.put(&records).unwrap();
        let reports = sink.reports();
        let offsets: Vec<i64> = reports.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [3, 9, 17]);
        for (offset, error) in &reports {
            let place =
                format!("table t does not take the record at topic t, partition 0, offset {offset}: ");
            assert!(error.message().starts_with(&place), "{error}");
        }
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["17"]);
        assert_eq!(sink.safe(), 20);
    }
}

#[test]
fn without_a_dead_letter_queue_a_bad_row_stops_the_task_and_nothing_of_its_batch_is_written() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount INT)");
        let mut sink = database.sink(&[]);
        let schemas = Schemas::default();
        let records = [
            schemas.record(0, 1, Some("a"), None),
            schemas.record(1, 2, None, None),
            schemas.record(2, 3, Some("c"), None),
        ];
        let error = sink.put(&records).unwrap_err();
        assert!(!error.is_retriable());
        assert!(
            error.message().contains("topic t, partition 0, offset 1"),
            "{error}"
        );
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["0"]);
        assert_eq!(sink.safe(), 0);
    }
}

#[test]
fn records_that_make_no_row_are_reported_with_the_remedy() {
    for database in databases() {
        database.query(KEYED);
        let mut sink = database.sink(&[("pk.mode", "record_key")]).tolerant();
        let schemas = Schemas::default();
        let no_key = schemas.record(0, 1, None, None).with_key(None, Value::Null);
        let no_schema = schemas
            .record(1, 1, None, None)
            .with_value(None, Value::Map(vec![]));
        let text = schemas
            .record(2, 1, None, None)
            .with_value(Some(Schema::int32()), 3_i32);
        let tombstone = schemas.tombstone(3, 1);
        let good = schemas.record(4, 1, Some("a"), None);
        sink.put(&[no_key, no_schema, text, tombstone, good]).unwrap();
        let reports = sink.reports();
        let said: Vec<String> = reports
            .iter()
            .map(|(_, error)| error.message().to_owned())
            .collect();
        for (index, part) in ["has none", "keeps schemas", "HoistField", "delete.enabled"]
            .iter()
            .enumerate()
        {
            assert!(said[index].contains(part), "{said:?}");
        }
        assert_eq!(said.len(), 4);
        assert_eq!(database.lines(ROWS), ["1|a|NULL"]);
    }
}

#[test]
fn rows_wait_for_others_only_as_long_as_they_are_told_to() {
    for database in databases() {
        database.query(KEYED);
        let mut sink = database.sink(&[("linger.ms", "60000"), ("batch.size", "3")]);
        let schemas = Schemas::default();
        sink.put(&[schemas.record(0, 1, None, None), schemas.record(1, 2, None, None)])
            .unwrap();
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["0"]);
        let asked = sink.harness.worker().timeout_asked().unwrap();
        assert!(asked.as_secs() >= 50, "{asked:?}");
        sink.put(&[schemas.record(2, 3, None, None), schemas.record(3, 4, None, None)])
            .unwrap();
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["3"]);
        // A commit of offsets waits for nobody.
        assert_eq!(sink.safe(), 4);
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["4"]);
    }
}

#[test]
fn rows_of_a_partition_that_goes_away_are_left_to_who_gets_it() {
    for database in databases() {
        database.query(KEYED);
        let mut sink = database.sink(&[("linger.ms", "60000")]);
        sink.put(&[record(0, 1, None, None)]).unwrap();
        let partition = wharf_api::TopicPartition::new("t", 0);
        sink.harness.close(std::slice::from_ref(&partition)).unwrap();
        sink.harness.open(&[partition]).unwrap();
        sink.put(&[record(0, 2, None, None)]).unwrap();
        assert_eq!(sink.safe(), 1);
        assert_eq!(database.lines("SELECT id FROM t"), ["2"]);
    }
}

#[test]
fn an_upsert_asks_for_a_unique_index_on_its_key() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT, name TEXT, amount INT)");
        let mut sink = database
            .sink(&[("insert.mode", "upsert"), ("pk.mode", "record_key")])
            .tolerant();
        let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
        assert!(
            error
                .message()
                .contains("no unique index is on exactly these columns"),
            "{error}"
        );
        assert!(sink.reports().is_empty());
        database.query("CREATE UNIQUE INDEX by_id ON t(id)");
        sink.put(&[record(0, 1, None, None)]).unwrap();
        assert_eq!(database.lines(ROWS), ["1|NULL|NULL"]);
    }
}

#[test]
fn a_column_that_somebody_adds_meanwhile_is_found() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)");
        let mut sink = database.sink(&[("fields.whitelist", "id,name")]).tolerant();
        sink.put(&[record(0, 1, Some("a"), None)]).unwrap();
        sink.harness.stop().unwrap();
        let mut sink = database.sink(&[]).tolerant();
        let narrow = SchemaBuilder::structure()
            .field("id", Schema::int64())
            .field("name", Schema::optional_string())
            .build()
            .unwrap();
        let mut value = Struct::new(narrow.clone()).unwrap();
        value.put("id", 2_i64).unwrap();
        sink.put(&[Record::sink("t", 0, 1).with_value(Some(narrow), value)])
            .unwrap();
        database.query("ALTER TABLE t ADD COLUMN amount INT");
        sink.put(&[record(2, 3, Some("c"), Some(7))]).unwrap();
        assert!(sink.reports().is_empty());
        assert_eq!(database.lines(ROWS), ["1|a|NULL", "2|NULL|NULL", "3|c|7"]);
    }
}

#[test]
fn shapes_whose_statements_read_alike_keep_their_types() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, amount NUMERIC, tags TEXT[])");
    let with = |offset: i64, amount: Value, schema: wharf_api::SchemaRef| {
        let tags = SchemaBuilder::array(Schema::string()).build().unwrap();
        let schema = SchemaBuilder::structure()
            .field("id", Schema::int64())
            .field("amount", schema)
            .field("tags", tags)
            .build()
            .unwrap();
        let mut value = Struct::new(schema.clone()).unwrap();
        value.put("id", offset).unwrap();
        value.put("amount", amount).unwrap();
        value.put("tags", Value::Array(vec!["x".into()])).unwrap();
        Record::sink("t", 0, offset).with_value(Some(schema), value)
    };
    let mut sink = database.sink(&[]).tolerant();
    sink.put(&[
        with(
            0,
            Value::Decimal(wharf_api::Decimal::new(15, 1)),
            wharf_api::logical::decimal(1),
        ),
        with(1, 5_i64.into(), Schema::int64()),
        with(2, 0.25.into(), Schema::float64()),
        with(3, 7_i32.into(), Schema::int32()),
    ])
    .unwrap();
    assert!(sink.reports().is_empty(), "{:?}", sink.reports());
    assert_eq!(
        database.lines("SELECT amount FROM t ORDER BY id"),
        ["1.5", "5", "0.25", "7"]
    );
}

#[test]
fn a_bad_row_behind_a_full_batch_of_the_same_poll_is_reported() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount INT)");
        let mut sink = database.sink(&[("batch.size", "5")]).tolerant();
        let schemas = Schemas::default();
        let records: Vec<Record> = (0..12)
            .map(|n| schemas.record(n, n, (n != 7).then_some("x"), None))
            .collect();
        sink.put(&records).unwrap();
        let offsets: Vec<i64> = sink.reports().iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [7]);
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["11"]);
        assert_eq!(sink.safe(), 12);
    }
}

#[test]
fn a_null_in_a_key_is_a_bad_record_also_after_good_ones() {
    for database in databases() {
        database.query(KEYED);
        let key = SchemaBuilder::structure()
            .field("id", Schema::optional_int64())
            .build()
            .unwrap();
        let schemas = Schemas {
            key,
            ..Schemas::default()
        };
        let with_key = |offset: i64, id: Option<i64>| {
            let mut key = Struct::new(schemas.key.clone()).unwrap();
            key.put("id", id.map_or(Value::Null, Value::from)).unwrap();
            record(offset, 1, Some("x"), None).with_key(Some(schemas.key.clone()), key)
        };
        let mut sink = database
            .sink(&[("insert.mode", "upsert"), ("pk.mode", "record_key")])
            .tolerant();
        sink.put(&[with_key(0, Some(1)), with_key(1, None)]).unwrap();
        let reports = sink.reports();
        assert_eq!(reports.len(), 1);
        assert!(
            reports[0].1.message().contains("'id' is part of the key"),
            "{}",
            reports[0].1
        );
    }
}

#[test]
fn rows_that_need_each_other_at_the_end_of_the_transaction_are_not_blamed_for_a_bad_one() {
    let Some(database) = postgres() else { return };
    database.query(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL, \
         amount INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED); ALTER TABLE t ALTER amount TYPE BIGINT",
    );
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    sink.put(&[
        // Its parent comes later.
        schemas.record(0, 1, Some("child"), Some(3)),
        schemas.record(1, 2, None, None),
        schemas.record(2, 3, Some("parent"), None),
    ])
    .unwrap();
    let offsets: Vec<i64> = sink.reports().iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [1]);
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "3"]);
    // One that is never right is found all the same.
    sink.put(&[
        schemas.record(3, 4, Some("orphan"), Some(99)),
        schemas.record(4, 5, Some("good"), None),
    ])
    .unwrap();
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["1", "3", "5"]);
    assert_eq!(sink.reports().len(), 2);
}

#[test]
fn a_tombstone_before_its_table_is_made_deletes_nothing() {
    for database in databases() {
        let mut sink = database.sink(&[
            ("auto.create", "true"),
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("delete.enabled", "true"),
        ]);
        let schemas = Schemas::default();
        sink.put(&[schemas.tombstone(0, 1)]).unwrap();
        assert_eq!(sink.safe(), 1);
        sink.put(&[schemas.record(1, 2, Some("a"), None)]).unwrap();
        assert_eq!(database.lines(ROWS), ["2|a|NULL"]);
    }
}

#[test]
fn rows_of_a_poll_that_failed_are_not_written_behind_the_worker_s_back() {
    for database in databases() {
        database.query(KEYED);
        let mut sink = database.sink(&[]);
        let schemas = Schemas::default();
        let no_value = schemas.tombstone(1, 2);
        assert!(sink.put(&[schemas.record(0, 1, None, None), no_value]).is_err());
        assert_eq!(sink.safe(), 0);
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["0"]);
    }
}

#[test]
fn all_types_of_postgres_take_what_is_sent_to_them_row_by_row() {
    // Arrays and a bad row take the way of single rows.
    all_types_take_what_is_sent(true);
}

#[test]
fn all_types_of_postgres_take_what_is_sent_to_them_in_one_statement() {
    all_types_take_what_is_sent(false);
}

fn all_types_take_what_is_sent(with_array_and_bad_row: bool) {
    let Some(database) = postgres() else { return };
    database.query(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (id INT PRIMARY KEY, b BOOLEAN, f REAL, d NUMERIC(12,3), \
         u UUID, j JSONB, m mood, v VARCHAR(5), x BYTEA, at TIMESTAMPTZ, plain TIMESTAMP, day DATE, clock TIME, tags TEXT[], \
         n NUMERIC, ip INET)",
    );
    let mut schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("b", Schema::int8())
        .field("f", Schema::float64())
        .field("d", wharf_api::logical::decimal(2))
        .field("u", Schema::string())
        .field("j", Schema::string())
        .field("m", Schema::string())
        .field("v", Schema::string())
        .field("x", Schema::bytes())
        .field("at", wharf_api::logical::timestamp())
        .field("plain", wharf_api::logical::timestamp())
        .field("day", wharf_api::logical::date())
        .field("clock", wharf_api::logical::time())
        .field("n", Schema::float64())
        .field("ip", Schema::string());
    if with_array_and_bad_row {
        let tags = SchemaBuilder::array(Schema::optional_string()).build().unwrap();
        schema = schema.field("tags", tags);
    }
    let schema = schema.build().unwrap();
    let record = |offset: i64, long: bool| {
        let mut value = Struct::new(schema.clone()).unwrap();
        value.put("id", offset).unwrap();
        value.put("b", Value::Int8(1)).unwrap();
        value.put("f", 1.5).unwrap();
        value
            .put("d", Value::Decimal(wharf_api::Decimal::new(-12_345, 2)))
            .unwrap();
        value.put("u", "00000000-0000-0000-0000-00000000002a").unwrap();
        value.put("j", "{\"a\": [1]}").unwrap();
        value.put("m", "happy").unwrap();
        value.put("v", if long { "too long" } else { "short" }).unwrap();
        value.put("x", Value::Bytes(vec![0, 255])).unwrap();
        for name in ["at", "plain"] {
            value.put(name, Value::Date(1_700_000_000_123)).unwrap();
        }
        value.put("day", Value::Date(-86_400_000)).unwrap();
        value.put("clock", Value::Date(3_723_004)).unwrap();
        if with_array_and_bad_row {
            let tags = Value::Array(vec!["a".into(), Value::Null]);
            value.put("tags", tags).unwrap();
        }
        value.put("n", 0.1).unwrap();
        value.put("ip", "10.0.0.1").unwrap();
        Record::sink("t", 0, offset).with_value(Some(schema.clone()), value)
    };
    let mut sink = database.sink(&[("db.timezone", "Europe/Berlin")]).tolerant();
    let tags = if with_array_and_bad_row {
        sink.put(&[record(0, false), record(1, true)]).unwrap();
        let reports = sink.reports();
        assert_eq!(reports.len(), 1);
        let said = reports[0].1.message();
        assert!(
            said.contains("value too long for type character varying(5) [22001]"),
            "{said}"
        );
        "{a,NULL}"
    } else {
        sink.put(&[record(0, false)]).unwrap();
        "NULL"
    };
    let rows = database.lines("SET TIME ZONE 'UTC'; SELECT * FROM t");
    let expected = format!(
        "0|t|1.5|-123.450|00000000-0000-0000-0000-00000000002a|{{\"a\": [1]}}|happy|short|\\x00ff|2023-11-14 22:13:20.123+00|\
         2023-11-14 23:13:20.123|1969-12-31|01:02:03.004|{tags}|0.1|10.0.0.1"
    );
    assert_eq!(rows, [expected]);
}
