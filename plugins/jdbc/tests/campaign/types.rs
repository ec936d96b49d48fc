//! Each type of each database: a table goes through a topic, by real converters, into another table, and that is the same.
//!
//! What is left out of the lists is left out for a reason that stands there.

use serde_json::{Value, json};
use wharf_e2e::Stage;
use wharf_schema_registry::testing::TestRegistry;

use super::common::source::{next, started};
use super::common::{Database, mysql, postgres};
use super::{JSON_CONVERTER, sink, source, until_number, with};

/// A column: its name, its type, and literals of values that its rows have by turns. `{d}` stands for the digits of a fraction of a second.
type Column = (&'static str, &'static str, &'static [&'static str]);

/// How values travel.
struct Way {
    name: &'static str,
    converter: Value,
    /// Times as numbers of microseconds, in UTC; or as what Connect has for them, and in a zone with summer time.
    micros: bool,
}

impl Way {
    fn source(&self) -> Value {
        let times = match self.micros {
            true => json!({"timestamp.granularity": "micros_long"}),
            false => json!({"db.timezone": "Europe/Berlin"}),
        };
        with(times, &[&self.converter])
    }

    fn sink(&self, times: &[&str]) -> Value {
        let times = match self.micros {
            true => {
                json!({"timestamp.fields.list": times.join(","), "timestamp.precision.mode": "microseconds"})
            }
            false => json!({"db.timezone": "Europe/Berlin"}),
        };
        with(times, &[&self.converter])
    }

    /// Whether it can carry the values of a column.
    fn carries(&self, (name, declared, _): &Column) -> bool {
        // JSON has no word for infinity and for what is no number.
        let has_word = !self.micros || !name.starts_with("special");
        // Numbers in an array are no instants to a sink.
        let has_times = !(self.micros && declared.starts_with("timestamp") && declared.ends_with("[]"));
        has_word && has_times
    }
}

fn ways(registry: &TestRegistry) -> [Way; 2] {
    [
        Way {
            name: "json",
            converter: json!({"value.converter": JSON_CONVERTER, "value.converter.schemas.enable": "true"}),
            micros: true,
        },
        Way {
            name: "avro",
            converter: json!({
                "value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": registry.url()
            }),
            micros: false,
        },
    ]
}

/// Columns and their values, in a table through a topic into another table, both ways of travelling.
fn round_trip(database: &Database, name: &str, columns: &[Column], shown: impl Fn(&Column) -> String) {
    let Some(stage) = Stage::set_up(&format!("jdbc-types-{name}")) else {
        return;
    };
    let registry = TestRegistry::start();
    let worker = stage.start(&[], &[]);
    for way in ways(&registry) {
        let columns: Vec<Column> = columns
            .iter()
            .filter(|column| way.carries(column))
            .copied()
            .collect();
        let (table, copy) = (format!("m_{}", way.name), format!("copy_{}", way.name));
        let count = columns.iter().map(|(_, _, values)| values.len()).max().unwrap();
        let digits = |text: &str| text.replace("{d}", if way.micros { "6" } else { "3" });
        for table in [&table, &copy] {
            let declared: Vec<String> = columns
                .iter()
                .map(|(name, declared, _)| format!("{name} {}", digits(declared)))
                .collect();
            database.query(&format!(
                "CREATE TABLE {table} (id BIGINT NOT NULL PRIMARY KEY, {})",
                declared.join(", ")
            ));
        }
        for row in 0..=count {
            let values: Vec<&str> = columns
                .iter()
                // The last row has a null in each.
                .map(|(_, _, values)| {
                    if row == count {
                        "NULL"
                    } else {
                        values[row % values.len()]
                    }
                })
                .collect();
            database.query(&format!(
                "INSERT INTO {table} VALUES ({row}, {}); SELECT 1",
                values.join(", ")
            ));
        }
        let prefix = stage.named("");
        let topic = format!("{prefix}{table}");
        stage.kafka().create_topic(&topic, 1, &[]);
        let (from, to) = (
            stage.named(&format!("from-{}", way.name)),
            stage.named(&format!("to-{}", way.name)),
        );
        let once = json!({
            "mode": "bulk", "table.whitelist": table, "poll.interval.ms": "3600000", "wharf.numeric.unlimited": "string"
        });
        worker.create(&from, source(database, &prefix, &with(once, &[&way.source()])));
        let times: Vec<&str> = columns
            .iter()
            .filter(|(_, declared, _)| {
                declared.to_ascii_lowercase().starts_with("timestamp")
                    || declared.to_ascii_lowercase().starts_with("datetime")
            })
            .map(|(name, ..)| *name)
            .collect();
        let upsert = json!({"insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "id"});
        worker.create(
            &to,
            sink(database, &topic, &copy, &with(upsert, &[&way.sink(&times)])),
        );
        let wanted = i64::try_from(count).unwrap() + 1;
        until_number(
            &worker,
            &[&from, &to],
            database,
            &format!("SELECT count(*) FROM {copy}"),
            wanted,
        );
        for column in &columns {
            let all =
                |table: &str| database.lines(&format!("SELECT {} FROM {table} ORDER BY id", shown(column)));
            assert_eq!(
                all(&copy),
                all(&table),
                "{} {} by {}",
                column.0,
                column.1,
                way.name
            );
        }
        worker.call("DELETE", &format!("/connectors/{from}"), None, 204);
        worker.call("DELETE", &format!("/connectors/{to}"), None, 204);
    }
    assert_eq!(worker.terminate(), Some(143));
}

/// Left out: bits of several, whose values in Connect (INT8 and BYTES, as with the JVM's connector) PostgreSQL casts to no bits; `timetz`,
/// of whose values Connect keeps the time alone; arrays of several dimensions, for which Connect has no schema; `24:00:00`, which is
/// midnight in Connect; infinite dates, for which it has no number; times so far away that 64 bits do not count their
/// microseconds; values of `money` that a double does not hold. The way for most of them is a query that reads them as texts: see
/// [`what_connect_has_no_type_for_goes_as_a_text`].
const OF_POSTGRES: &[Column] = &[
    ("b", "boolean", &["true", "false"]),
    ("i2", "smallint", &["-32768", "32767", "0"]),
    ("i4", "int", &["-2147483648", "2147483647", "0"]),
    (
        "i8",
        "bigint",
        &["-9223372036854775808", "9223372036854775807", "0"],
    ),
    ("f4", "real", &["'-3.4028235e38'", "'1e-45'", "0.1", "'-0'"]),
    (
        "f8",
        "double precision",
        &["'-1.7976931348623157e308'", "'5e-324'", "0.1", "'-0'"],
    ),
    ("special4", "real", &["'NaN'", "'Infinity'", "'-Infinity'"]),
    (
        "special8",
        "double precision",
        &["'NaN'", "'Infinity'", "'-Infinity'"],
    ),
    (
        "n",
        "numeric(10, 2)",
        &["-99999999.99", "99999999.99", "0", "0.01"],
    ),
    (
        "long_n",
        "numeric(60, 30)",
        &[
            "-999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
            "1",
        ],
    ),
    ("whole", "numeric(5, 0)", &["-99999", "99999", "0"]),
    ("rounded", "numeric(3, -2)", &["-99900", "99900", "0"]),
    (
        "free",
        "numeric",
        &[
            "-0.000000000000000000000000000000000000000001",
            "'NaN'",
            "'-Infinity'",
            "1e300",
            "1.50",
            "0",
        ],
    ),
    (
        "t",
        "text",
        &[
            "'grüße 🐘 \u{202e}עברית'",
            "''",
            "E'\\t\\n\\r\\\\ '' \" \u{1}'",
            "'e\u{301}'",
            "repeat('ü', 100000)",
        ],
    ),
    ("v", "varchar(10)", &["'🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘'", "''", "' a '"]),
    ("c", "char(3)", &["'a'", "'äöü'", "''"]),
    ("nm", "name", &["'a name'"]),
    (
        "d",
        "date",
        &[
            "'0001-01-01'",
            "'9999-12-31'",
            "'1969-12-31'",
            "'4713-01-01 BC'",
            "'5874897-12-31'",
            "'1582-10-10'",
        ],
    ),
    ("tm", "time(3)", &["'00:00:00'", "'23:59:59.999'"]),
    (
        "ts",
        "timestamp({d})",
        &[
            "'0001-01-01'",
            "'9999-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.999999'",
            "'2026-10-25 02:30:00'",
            "'2026-07-01 12:00:00.123456'",
            "'4713-01-01 BC'",
            "'290000-12-31 23:59:59'",
            "'1582-10-10 01:02:03'",
        ],
    ),
    (
        "tz",
        "timestamptz({d})",
        &[
            "'0001-01-01 00:00:00+00'",
            "'9999-12-31 23:59:59.999999+00'",
            "'1969-12-31 23:59:59.999999+14'",
            "'2026-10-25 02:30:00+01'",
            "'2026-03-29 01:30:00.123456-11:30'",
            "'4713-01-02 00:00:00+00 BC'",
        ],
    ),
    (
        "by",
        "bytea",
        &["''", "'\\x00ff'", "decode(repeat('00ff', 50000), 'hex')"],
    ),
    (
        "u",
        "uuid",
        &[
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            "'00000000-0000-0000-0000-000000000000'",
        ],
    ),
    (
        "j",
        "json",
        &[
            "'{\"a\":  1, \"a\": [null, \"ü\"]}'",
            "'null'",
            "'12345678901234567890.5'",
        ],
    ),
    (
        "jb",
        "jsonb",
        &["'{\"b\": [1, null], \"a\": {}}'", "'null'", "'\"text\"'"],
    ),
    ("e", "mood", &["'sad'", "'ok'"]),
    ("dom", "short", &["'dom'"]),
    ("bit1", "bit(1)", &["B'1'", "B'0'"]),
    (
        "iv",
        "interval",
        &[
            "'1 day 02:00'",
            "'-178000000 years'",
            "'1 mon -1 day +00:00:00.000001'",
        ],
    ),
    ("ip", "inet", &["'10.0.0.1/8'", "'2001:db8::1'"]),
    ("net", "cidr", &["'10.0.0.0/8'"]),
    ("mac", "macaddr", &["'08:00:2b:01:02:03'"]),
    ("r", "int4range", &["'[1,5)'", "'empty'", "'(,)'"]),
    ("tr", "tstzrange", &["'[2026-01-01 00:00:00+00,infinity)'"]),
    ("p", "point", &["'(1.5,-2)'"]),
    ("vec", "tsvector", &["'fat:2 cat:3'"]),
    ("ab", "boolean[]", &["'{t,f,NULL}'", "'{}'"]),
    ("ai", "int[]", &["'{1,NULL,-2147483648}'", "'{}'"]),
    ("al", "bigint[]", &["'{9223372036854775807}'"]),
    ("af", "double precision[]", &["'{0.1,5e-324}'"]),
    (
        "at",
        "text[]",
        &["'{a,\"b,c\",NULL,\"NULL\",\"\",\"\\\"🐘\"}'", "'{}'"],
    ),
    ("an", "numeric[]", &["'{1.50,-2,NULL}'"]),
    ("ad", "date[]", &["'{2026-01-02,0001-01-01}'"]),
    ("ats", "timestamp({d})[]", &["'{2026-07-01 12:00:00.123,NULL}'"]),
    ("atz", "timestamptz({d})[]", &["'{2026-07-01 12:00:00.123+00}'"]),
    ("au", "uuid[]", &["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"]),
    ("aby", "bytea[]", &["'{\"\\\\x00ff\",NULL}'"]),
    ("money", "money", &["12.34", "-0.01"]),
    ("x", "xml", &["'<a b=\"ü\"/>'"]),
    ("o", "oid", &["4294967295", "0"]),
];

#[test]
fn each_type_of_postgresql_comes_back_as_it_was() {
    let Some(database) = postgres() else { return };
    database.query(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN short AS varchar(5) CHECK (value <> '')",
    );
    round_trip(&database, "postgres", OF_POSTGRES, |(name, ..)| {
        format!("{name}::text")
    });
}

/// Left out: `time` of more than milliseconds, below zero or beyond a day, unsigned numbers beyond 63 bits, and dates that are none, for
/// which Connect has no place; the way is a query that reads them as texts. Of local times that clocks in the zone do not show, none
/// comes back.
const OF_MARIADB: &[Column] = &[
    ("b", "tinyint(1)", &["1", "0"]),
    ("i1", "tinyint", &["-128", "127", "0"]),
    ("u1", "tinyint unsigned", &["255", "0"]),
    ("i2", "smallint", &["-32768", "32767"]),
    ("u2", "smallint unsigned", &["65535", "0"]),
    ("i3", "mediumint", &["-8388608", "8388607"]),
    ("u3", "mediumint unsigned", &["16777215", "0"]),
    ("i4", "int", &["-2147483648", "2147483647"]),
    ("u4", "int unsigned", &["4294967295", "0"]),
    ("i8", "bigint", &["-9223372036854775808", "9223372036854775807"]),
    ("u8", "bigint unsigned", &["9223372036854775807", "0"]),
    ("f4", "float", &["-3.402823466e38", "1.175494351e-38", "0.1"]),
    (
        "f8",
        "double",
        &["-1.7976931348623157e308", "2.2250738585072014e-308", "0.1"],
    ),
    (
        "n",
        "decimal(10, 2)",
        &["-99999999.99", "99999999.99", "0", "0.01"],
    ),
    ("whole", "decimal(5, 0) unsigned", &["99999", "0"]),
    (
        "long_n",
        "decimal(65, 30)",
        &[
            "-99999999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
        ],
    ),
    ("v", "varchar(10)", &["'🐘🐘🐘🐘🐘🐘🐘🐘🐘🐘'", "''", "' a '"]),
    ("c", "char(3)", &["'a'", "'äöü'", "''"]),
    (
        "t",
        "text",
        &[
            "'grüße 🐘 \u{202e}עברית'",
            "''",
            "'\t\n\r\\\\ '' \" \u{1}'",
            "'e\u{301}'",
        ],
    ),
    ("tt", "tinytext", &["'tt'"]),
    ("mt", "mediumtext", &["repeat('ü', 100000)", "'mt'"]),
    ("lt", "longtext", &["'lt'"]),
    ("latin", "varchar(10) character set latin1", &["'grüße'"]),
    ("j", "json", &["'{\"a\":  1, \"a\": [null, \"ü\"]}'", "'null'"]),
    ("e", "enum('sad', 'ok', 'ü')", &["'sad'", "'ü'"]),
    ("s", "set('a', 'b', 'c')", &["'a,c'", "''"]),
    ("vb", "varbinary(10)", &["x'00ff'", "''"]),
    ("bi", "binary(3)", &["x'0102'", "x'ffffff'"]),
    ("bl", "blob", &["x'fffe'", "''"]),
    ("lb", "longblob", &["repeat(x'00ff', 50000)"]),
    ("bit1", "bit(1)", &["b'1'", "b'0'"]),
    ("bit5", "bit(5)", &["b'10101'", "b'0'"]),
    ("bit8", "bit(8)", &["b'11111111'", "b'1'"]),
    ("bit12", "bit(12)", &["b'101010101010'", "b'0'"]),
    ("bit64", "bit(64)", &["x'ffffffffffffffff'", "b'0'"]),
    (
        "d",
        "date",
        &["'0001-01-01'", "'9999-12-31'", "'1969-12-31'", "'1582-10-10'"],
    ),
    ("tm", "time(3)", &["'00:00:00'", "'23:59:59.999'"]),
    (
        "dt",
        "datetime",
        &[
            "'0001-01-01 00:00:00'",
            "'9999-12-31 23:59:59'",
            "'2026-10-25 02:30:00'",
        ],
    ),
    (
        "dtf",
        "datetime({d})",
        &[
            "'9999-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.999999'",
            "'2026-07-01 12:00:00.123456'",
        ],
    ),
    (
        "ts",
        "timestamp NULL",
        &[
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07'",
            "'2026-10-25 01:30:00'",
        ],
    ),
    (
        "tsf",
        "timestamp({d}) NULL",
        &["'2038-01-19 03:14:07.123456'", "'2026-07-01 12:00:00.999999'"],
    ),
    ("y", "year", &["1901", "2155", "2026"]),
    ("u", "uuid", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("ip", "inet6", &["'2001:db8::1'", "'::'"]),
    ("ip4", "inet4", &["'10.0.0.1'"]),
    (
        "g",
        "geometry",
        &[
            "ST_GeomFromText('POINT(1 2)', 4326)",
            "ST_GeomFromText('LINESTRING(0 0, 1.5 -2)')",
        ],
    ),
];

#[test]
fn each_type_of_mariadb_comes_back_as_it_was() {
    let Some(database) = mysql() else { return };
    round_trip(&database, "mariadb", OF_MARIADB, |(name, declared, _)| {
        match *declared {
            // As a text it has six digits.
            "float" => format!("{name} * 1e0"),
            _ => name.to_string(),
        }
    });
}

/// Left out: times as texts or Julian days, which come back as the milliseconds since the epoch that the JVM's driver writes; decimals
/// that SQLite itself keeps as doubles in the first table already.
const OF_SQLITE: &[Column] = &[
    ("b", "BOOLEAN", &["1", "0"]),
    ("i1", "TINYINT", &["-128", "127"]),
    ("i2", "SMALLINT", &["-32768", "32767"]),
    (
        "i4",
        "INTEGER",
        &["-9223372036854775808", "9223372036854775807", "0"],
    ),
    ("i8", "BIGINT", &["-9223372036854775808", "9223372036854775807"]),
    ("f4", "REAL", &["0.1", "-1.7976931348623157e308", "5e-324"]),
    ("f8", "DOUBLE", &["0.1", "1.0", "-2.25"]),
    ("special8", "DOUBLE", &["9e999", "-9e999"]),
    ("n", "DECIMAL(10, 2)", &["-99999999.99", "99999999.99", "0", "12"]),
    ("whole", "NUMERIC(18, 0)", &["999999999999999999", "-1"]),
    (
        "t",
        "TEXT",
        &[
            "'grüße 🐘 \u{202e}עברית'",
            "''",
            "'\t\n\r\\ '' \" \u{1}'",
            "'e\u{301}'",
        ],
    ),
    ("v", "VARCHAR(10)", &["'longer than it says'"]),
    ("j", "JSON", &["'{\"a\": [1, null]}'"]),
    ("u", "UUID", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("bl", "BLOB", &["x''", "x'00ff'", "zeroblob(100000)"]),
    ("d", "DATE", &["-62135596800000", "253402214400000", "-86400000"]),
    ("tm", "TIME", &["0", "86399999"]),
    (
        "ts",
        "TIMESTAMP",
        &["-62135596800000", "253402300799999", "-1", "1767323045678"],
    ),
    ("dt", "DATETIME", &["1767323045678"]),
];

#[test]
fn each_type_of_sqlite_comes_back_as_it_was() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    round_trip(&database, "sqlite", OF_SQLITE, |(name, ..)| {
        format!("typeof({name}), {name}")
    });
}

/// A query reads as texts what Connect has no type for, and the sink's table takes the texts.
#[test]
fn what_connect_has_no_type_for_goes_as_a_text() {
    let of_postgres: &[(&str, &str, &str, &str)] = &[
        ("b5", "bit(5)", "B'10101'", "b5::text"),
        ("b12", "bit(12)", "B'101010101010'", "b12::text"),
        ("vb", "varbit", "B'101'", "vb::text"),
        ("tmz", "timetz", "'12:00:00.123456+02'", "tmz::text"),
        ("tm", "time", "'24:00:00'", "tm::text"),
        ("d", "date", "'infinity'", "d::text"),
        ("ts", "timestamp", "'-infinity'", "ts::text"),
        ("aa", "int[]", "'{{1,2},{3,4}}'", "aa::text"),
        ("m", "money", "'92233720368547758.07'", "m::text"),
    ];
    let of_mariadb: &[(&str, &str, &str, &str)] = &[
        (
            "u8",
            "bigint unsigned",
            "18446744073709551615",
            "CAST(u8 AS CHAR)",
        ),
        ("tm", "time(6)", "'-838:59:58.999999'", "CAST(tm AS CHAR)"),
    ];
    for (database, columns) in [(postgres(), of_postgres), (mysql(), of_mariadb)] {
        let Some(database) = database else { return };
        let declared: Vec<String> = columns
            .iter()
            .map(|(name, declared, ..)| format!("{name} {declared}"))
            .collect();
        let values: Vec<&str> = columns.iter().map(|(_, _, value, _)| *value).collect();
        let (declared, values) = (declared.join(", "), values.join(", "));
        database.query(&format!(
            "CREATE TABLE m ({declared}); CREATE TABLE copy ({declared}); INSERT INTO m VALUES ({values})"
        ));
        let texts: Vec<String> = columns
            .iter()
            .map(|(name, _, _, text)| format!("{text} AS {name}"))
            .collect();
        let query = format!("SELECT {} FROM m", texts.join(", "));
        let mut harness = started(&database, &[("mode", "bulk"), ("query", &query)]);
        let record = next(&mut harness, 1).remove(0);
        harness.stop().unwrap();
        let mut sink = database.sink(&[("table.name.format", "copy")]);
        let record = wharf_api::Record::sink("t", 0, 0).with_value(record.value_schema, record.value);
        sink.put(&[record]).unwrap();
        let all = |table: &str| database.lines(&format!("SELECT * FROM {table}"));
        assert_eq!(all("copy"), all("m"));
        assert_eq!(all("m").len(), 1);
    }
}
