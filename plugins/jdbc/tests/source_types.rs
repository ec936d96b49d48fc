//! What the source makes of each type, and that a sink makes the same of it again.

mod common;

use common::source::{field, kinds, next, started};
use common::{databases, postgres};
use wharf_api::{Record, Value};

/// Each type of PostgreSQL, as a column of a table and as a value of it; what a field of it is called, and holds.
const TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN short AS varchar(5) CHECK (value <> ''); \
    CREATE TABLE m (b boolean, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric(10, 2), whole numeric(5, 0), \
    free numeric, t text, v varchar(10), c char(3), d date, tm time(3), tmz timetz, ts timestamp(6), tz timestamptz, \
    by bytea, u uuid, j json, jb jsonb, e mood, dom short, bit1 bit(1), bit5 bit(5), bit12 bit(12), iv interval, ip inet, r int4range, \
    ai int[], at text[], an numeric[], au uuid[], money money, x xml, o oid)";
const FULL: &str = "INSERT INTO m VALUES (true, -32768, 2147483647, -9223372036854775808, 1.5, -2.25, 12345678.90, 99999, \
    -0.000000000000000000000000000001, 'grüße', 'v', 'c', '0044-03-15', '23:59:59.999', '12:00:00+02', '2026-01-02 03:04:05.678901', \
    '2026-01-02 03:04:05.678901+02', '\\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', '{\"a\": [1, null]}', 'ok', 'dom', \
    B'1', B'10101', B'101010101010', '1 day 02:00', '10.0.0.1/8', '[1,5)', '{1,NULL,3}', '{a,\"b,c\"}', '{1.5,-2}', \
    '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', 12.34, '<a/>', 4294967295); SELECT 1";

#[test]
fn every_type_of_postgresql_is_read_and_a_null_of_each() {
    let Some(database) = postgres() else { return };
    database.query(TYPES);
    database.query(FULL);
    database.query("INSERT INTO m DEFAULT VALUES; SELECT 1");
    let mut harness = started(
        &database,
        &[
            ("mode", "bulk"),
            ("table.whitelist", "m"),
            ("poll.interval.ms", "60000"),
        ],
    );
    let records = next(&mut harness, 2);
    let text = |name: &str| {
        let value = field(&records[0], name);
        match value {
            Value::String(text) => text.clone(),
            Value::Decimal(number) => format!("{}e-{}", number.unscaled(), number.scale()),
            other => format!("{other:?}"),
        }
    };
    for (name, expected) in [
        ("b", "Boolean(true)"),
        ("i2", "Int16(-32768)"),
        ("i4", "Int32(2147483647)"),
        ("i8", "Int64(-9223372036854775808)"),
        ("f4", "Float32(1.5)"),
        ("f8", "Float64(-2.25)"),
        ("n", "1234567890e-2"),
        ("whole", "99999e-0"),
        ("t", "grüße"),
        ("v", "v"),
        ("c", "c  "),
        // 44 years after Christ, by the calendar that PostgreSQL has for all times.
        ("d", "Date(-60772291200000)"),
        ("tm", "Date(86399999)"),
        ("tmz", "Date(43200000)"),
        ("ts", "Date(1767323045678)"),
        ("tz", "Date(1767315845678)"),
        ("by", "Bytes([0, 255])"),
        ("u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("j", "{\"a\": 1}"),
        ("jb", "{\"a\": [1, null]}"),
        ("e", "ok"),
        ("dom", "dom"),
        ("bit1", "Boolean(true)"),
        ("bit5", "Int8(21)"),
        ("bit12", "Bytes([170, 160])"),
        ("iv", "1 day 02:00:00"),
        ("ip", "10.0.0.1/8"),
        ("r", "[1,5)"),
        ("ai", "Array([Int32(1), Null, Int32(3)])"),
        ("at", "Array([String(\"a\"), String(\"b,c\")])"),
        ("au", "Array([String(\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\")])"),
        ("money", "Float64(12.34)"),
        ("x", "<a/>"),
        ("o", "Int64(4294967295)"),
    ] {
        assert_eq!(text(name), expected, "{name}");
    }
    let Value::Decimal(free) = field(&records[0], "free") else {
        panic!()
    };
    assert_eq!((free.scale(), free.to_f64()), (127, -1e-30));
    let Value::Struct(empty) = &records[1].value else {
        panic!()
    };
    assert!(empty.values().iter().all(|value| *value == Value::Null));
    harness.stop().unwrap();
}

#[test]
fn a_table_that_goes_through_a_topic_into_another_table_is_the_same() {
    let Some(database) = postgres() else { return };
    database.query(TYPES);
    database.query(FULL);
    database.query("INSERT INTO m DEFAULT VALUES; SELECT 1");
    // Bits are no bits in a record: a sink needs a cast that there is none of.
    database.query("ALTER TABLE m DROP COLUMN bit1, DROP COLUMN bit5, DROP COLUMN bit12");
    database.query("CREATE TABLE copy (LIKE m)");
    let more = [
        ("mode", "bulk"),
        ("table.whitelist", "m"),
        ("poll.interval.ms", "60000"),
        ("timestamp.granularity", "micros_long"),
        ("wharf.numeric.unlimited", "string"),
    ];
    let mut harness = started(&database, &more);
    let read = next(&mut harness, 2);
    harness.stop().unwrap();
    let mut sink = database.sink(&[
        ("table.name.format", "copy"),
        ("timestamp.fields.list", "ts,tz"),
        ("timestamp.precision.mode", "microseconds"),
    ]);
    let records: Vec<Record> = read
        .into_iter()
        .zip(0..)
        .map(|(record, offset)| Record::sink("t", 0, offset).with_value(record.value_schema, record.value))
        .collect();
    sink.put(&records).unwrap();
    // Of a time with a zone Connect keeps the time.
    let columns = database.lines(
        "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'copy' \
        AND table_schema = current_schema() AND column_name <> 'tmz'",
    );
    let all = |table: &str| {
        database.lines(&format!(
            "SELECT (SELECT row(x.*)::text FROM (SELECT {}) AS x) FROM {table} ORDER BY 1",
            columns[0]
        ))
    };
    assert_eq!(all("copy"), all("m"));
}

#[test]
fn numbers_become_what_the_mapping_says() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE m (i1 numeric(2), i2 numeric(4), i4 numeric(9), i8 numeric(18), big numeric(30), dec numeric(8, 3), long numeric(30, 3), free numeric)");
    database.query(
        "INSERT INTO m VALUES (12, 1234, 123456789, 123456789012345678, 1, 12345.678, 1.5, 2.5); SELECT 1",
    );
    for (mapping, expected) in [
        ("none", ["D", "D", "D", "D", "D", "D", "D", "D"]),
        ("precision_only", ["I8", "I16", "I32", "I64", "D", "D", "D", "D"]),
        ("best_fit", ["I8", "I16", "I32", "I64", "D", "F", "D", "F"]),
        (
            "best_fit_eager_double",
            ["I8", "I16", "I32", "I64", "D", "F", "F", "F"],
        ),
    ] {
        let mut harness = started(&database, &[("mode", "bulk"), ("numeric.mapping", mapping)]);
        let records = next(&mut harness, 1).remove(0);
        assert_eq!(kinds(&records), expected, "{mapping}");
        harness.stop().unwrap();
    }
}

#[test]
fn times_have_the_form_that_is_asked_for() {
    for database in databases() {
        database.query(&format!(
            "CREATE TABLE t (at {}); INSERT INTO t VALUES ('2026-07-01 12:00:00.123456'); SELECT 1",
            database.timestamp()
        ));
        // Ten in the morning, by the zone's clocks; SQLite's texts are in UTC.
        let (utc, local) = if database.is_sqlite() {
            (1_782_907_200, 14)
        } else {
            (1_782_900_000, 12)
        };
        for (granularity, expected) in [
            ("connect_logical", Value::Date(utc * 1_000 + 123)),
            ("micros_long", Value::Int64(utc * 1_000_000 + 123_456)),
            (
                "micros_string",
                Value::from((utc * 1_000_000 + 123_456).to_string().as_str()),
            ),
            ("nanos_long", Value::Int64(utc * 1_000_000_000 + 123_456_000)),
            (
                "micros_iso_datetime_string",
                Value::from(format!("2026-07-01T{local}:00:00.123456").as_str()),
            ),
            (
                "nanos_iso_datetime_string",
                Value::from(format!("2026-07-01T{local}:00:00.123456000").as_str()),
            ),
        ] {
            let more = [
                ("mode", "bulk"),
                ("db.timezone", "Europe/Berlin"),
                ("timestamp.granularity", granularity),
            ];
            let mut harness = started(&database, &more);
            let record = next(&mut harness, 1).remove(0);
            assert_eq!(field(&record, "at"), &expected, "{granularity}");
            harness.stop().unwrap();
        }
    }
}
