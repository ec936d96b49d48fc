//! What the source makes of each type of MariaDB, and that a sink makes the same of it again.

mod common;

use common::source::{field, kinds, next, started};
use common::{Database, mysql};
use wharf_api::{Record, Value};

/// Each type, as a column of a table and as a value of it.
const TYPES: &str = "CREATE TABLE m (b tinyint(1), i1 tinyint, u1 tinyint unsigned, i2 smallint, u2 smallint unsigned, i3 mediumint, \
    u3 mediumint unsigned, i4 int, u4 int unsigned, i8 bigint, u8 bigint unsigned, f4 float, f8 double, n decimal(10, 2), \
    whole decimal(5, 0) unsigned, long_n decimal(60, 20), v varchar(10), c char(3), t text, mt mediumtext, lt longtext, j json, \
    e enum('sad', 'ok'), s set('a', 'b', 'c'), vb varbinary(10), bi binary(3), bl blob, bit1 bit(1), bit8 bit(8), bit12 bit(12), d date, \
    tm time, tm6 time(6), dt datetime, dt6 datetime(6), ts timestamp NULL, ts6 timestamp(6) NULL, y year, u uuid, ip inet6, g geometry)";
const FULL: &str = "INSERT INTO m VALUES (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, \
    -9223372036854775808, 9223372036854775807, 1.1, -2.25e100, -12345678.90, 99999, 1234567890123456789012345678901234567890.00000000000000000001, \
    'grüße 🐘', 'c', 't', 'mt', 'lt', '{\"a\": [1, null]}', 'ok', 'a,c', x'00ff', x'0102', x'fffe', b'1', b'10000001', b'101010101010', \
    '1000-01-01', '23:59:59', '23:59:59.987654', '2026-01-02 03:04:05', '9999-12-31 23:59:59.999999', '2026-01-02 03:04:05', \
    '2038-01-19 03:14:07.123456', 2026, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2001:db8::1', ST_GeomFromText('POINT(1 2)', 4326)); \
    INSERT INTO m () VALUES (); SELECT 1";

/// The rows of the table, read once.
fn read(database: &Database, more: &[(&str, &str)], count: usize) -> Vec<Record> {
    let always = [
        ("mode", "bulk"),
        ("table.whitelist", "m"),
        ("poll.interval.ms", "60000"),
    ];
    let mut harness = started(database, &[&always[..], more].concat());
    let records = next(&mut harness, count);
    harness.stop().unwrap();
    records
}

fn shown(record: &Record, name: &str) -> String {
    match field(record, name) {
        Value::String(text) => text.clone(),
        Value::Decimal(number) => format!("{}e-{}", number.unscaled(), number.scale()),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_type_of_mariadb_is_read_and_a_null_of_each() {
    let Some(database) = mysql() else { return };
    database.query(TYPES);
    database.query(FULL);
    let records = read(&database, &[], 2);
    for (name, expected) in [
        ("b", "Boolean(true)"),
        ("i1", "Int8(-128)"),
        ("u1", "Int16(255)"),
        ("i2", "Int16(-32768)"),
        ("u2", "Int32(65535)"),
        ("i3", "Int32(-8388608)"),
        ("u3", "Int32(16777215)"),
        ("i4", "Int32(-2147483648)"),
        ("u4", "Int64(4294967295)"),
        ("i8", "Int64(-9223372036854775808)"),
        ("u8", "Int64(9223372036854775807)"),
        ("f4", "Float32(1.1)"),
        ("f8", "Float64(-2.25e100)"),
        ("n", "-1234567890e-2"),
        ("whole", "99999e-0"),
        (
            "long_n",
            "123456789012345678901234567890123456789000000000000000000001e-20",
        ),
        ("v", "grüße 🐘"),
        ("c", "c"),
        ("lt", "lt"),
        ("j", "{\"a\": [1, null]}"),
        ("e", "ok"),
        ("s", "a,c"),
        ("vb", "Bytes([0, 255])"),
        ("bi", "Bytes([1, 2, 0])"),
        ("bl", "Bytes([255, 254])"),
        ("bit1", "Boolean(true)"),
        ("bit8", "Int8(-127)"),
        ("bit12", "Bytes([10, 170])"),
        // By the calendar that MariaDB has for all times.
        ("d", "Date(-30610224000000)"),
        ("tm", "Date(86399000)"),
        ("tm6", "Date(86399987)"),
        ("dt", "Date(1767323045000)"),
        ("dt6", "Date(253402300799999)"),
        ("ts", "Date(1767323045000)"),
        ("ts6", "Date(2147483647123)"),
        ("y", "Date(1767225600000)"),
        ("u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("ip", "2001:db8::1"),
    ] {
        assert_eq!(shown(&records[0], name), expected, "{name}");
    }
    let Value::Bytes(geometry) = field(&records[0], "g") else {
        panic!()
    };
    assert_eq!(geometry.len(), 25, "the system of coordinates and WKB");
    let Value::Struct(empty) = &records[1].value else {
        panic!()
    };
    assert!(empty.values().iter().all(|value| *value == Value::Null));
}

#[test]
fn a_table_that_goes_through_a_topic_into_another_table_is_the_same() {
    let Some(database) = mysql() else { return };
    database.query(TYPES);
    database.query(FULL);
    database.query("CREATE TABLE copy LIKE m");
    let records: Vec<Record> = read(&database, &[("timestamp.granularity", "micros_long")], 2)
        .into_iter()
        .zip(0..)
        .map(|(record, offset)| Record::sink("t", 0, offset).with_value(record.value_schema, record.value))
        .collect();
    let mut sink = database.sink(&[
        ("table.name.format", "copy"),
        ("timestamp.fields.list", "dt,dt6,ts,ts6"),
        ("timestamp.precision.mode", "microseconds"),
    ]);
    sink.put(&records).unwrap();
    // A Time has milliseconds.
    let all = |table: &str| {
        database.query(&format!(
            "UPDATE {table} SET tm6 = NULL; SELECT * FROM {table} ORDER BY i1 IS NULL"
        ))
    };
    assert_eq!(database.lines("SELECT tm6 FROM copy")[0], "23:59:59.987000");
    assert_eq!(all("copy"), all("m"));
}

#[test]
fn values_that_connect_has_no_place_for_are_named_with_the_remedy() {
    let Some(database) = mysql() else { return };
    for (declared, value, said) in [
        (
            "bigint unsigned",
            "9223372036854775808",
            "9223372036854775808 has no place in an INT64",
        ),
        ("time", "'-00:00:01'", "CAST(… AS CHAR)"),
        ("time", "'838:59:59'", "after 23:59:59"),
        ("date", "'0000-00-00'", "zeroDateTimeBehavior"),
        ("datetime", "'2026-00-01 00:00:00'", "zeroDateTimeBehavior"),
        ("year", "0", "zeroDateTimeBehavior"),
    ] {
        database.query(&format!(
            "CREATE OR REPLACE TABLE m (x {declared}); INSERT INTO m VALUES ({value})"
        ));
        let mut harness = started(&database, &[("mode", "bulk"), ("table.whitelist", "m")]);
        let error = harness.poll_for(1).unwrap_err();
        assert!(!error.is_retriable());
        assert!(
            error.message().contains("column 'x'") && error.message().contains(said),
            "{error}"
        );
        harness.stop().unwrap();
    }
}

#[test]
fn zero_dates_become_what_the_url_says() {
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE m (d date NOT NULL, dt datetime NOT NULL, ts timestamp NOT NULL DEFAULT 0); INSERT INTO m VALUES (0, 0, 0); SELECT 1",
    );
    let read_with = |behaviour: &str| {
        let url = format!("{}&zeroDateTimeBehavior={behaviour}", database.url());
        read(&database, &[("connection.url", &url)], 1).remove(0)
    };
    let nulls = read_with("CONVERT_TO_NULL");
    let first = read_with("ROUND");
    for name in ["d", "dt", "ts"] {
        assert_eq!(shown(&nulls, name), "Null", "{name}");
        assert_eq!(shown(&first, name), "Date(-62135596800000)", "{name}");
    }
}

#[test]
fn small_types_are_read_as_the_url_says() {
    let Some(database) = mysql() else { return };
    database.query("CREATE TABLE m (b tinyint(1), y year); INSERT INTO m VALUES (5, 1999); SELECT 1");
    let plain = read(&database, &[], 1).remove(0);
    assert_eq!(
        (shown(&plain, "b"), shown(&plain, "y")),
        ("Boolean(true)".to_owned(), "Date(915148800000)".to_owned())
    );
    let url = format!("{}&tinyInt1isBit=false&yearIsDateType=false", database.url());
    let numbers = read(&database, &[("connection.url", &url)], 1).remove(0);
    assert_eq!(
        (shown(&numbers, "b"), shown(&numbers, "y")),
        ("Int8(5)".to_owned(), "Int16(1999)".to_owned())
    );
}

#[test]
fn decimals_become_what_the_mapping_says() {
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE m (i1 decimal(2), i8 decimal(18), big decimal(30), d decimal(8, 3) unsigned, long_n decimal(30, 3)); \
         INSERT INTO m VALUES (12, 123456789012345678, 1, 12345.678, 1.5); SELECT 1",
    );
    for (mapping, expected) in [
        ("none", ["D", "D", "D", "D", "D"]),
        ("precision_only", ["I8", "I64", "D", "D", "D"]),
        ("best_fit", ["I8", "I64", "D", "F", "D"]),
        ("best_fit_eager_double", ["I8", "I64", "D", "F", "F"]),
    ] {
        let record = read(&database, &[("numeric.mapping", mapping)], 1).remove(0);
        assert_eq!(kinds(&record), expected, "{mapping}");
    }
}

#[test]
fn databases_are_catalogs() {
    let Some(database) = mysql() else { return };
    let other = format!("{}_other", database.query("SELECT database()")[0][0]);
    database.query(&format!(
        "CREATE DATABASE {other}; CREATE TABLE {other}.m (x INT); INSERT INTO {other}.m VALUES (7); CREATE TABLE m (x INT); \
         INSERT INTO m VALUES (1); SELECT 1"
    ));
    assert_eq!(shown(&read(&database, &[], 1)[0], "x"), "Int32(1)");
    assert_eq!(
        shown(&read(&database, &[("catalog.pattern", &other)], 1)[0], "x"),
        "Int32(7)"
    );
}
