//! What single keys of the sink do, each seen in the tables.

mod common;

use std::sync::Arc;

use common::databases;
use wharf_api::{Decimal, Record, Schema, SchemaBuilder, SchemaRef, Struct, TopicPartition, Value, logical};

/// A record of a topic, whose value has these fields.
fn record(topic: &str, schema: &SchemaRef, fields: Vec<(&str, Value)>) -> Record {
    let mut value = Struct::new(Arc::clone(schema)).unwrap();
    for (name, field) in fields {
        value.put(name, field).unwrap();
    }
    Record::sink(topic, 0, 0).with_value(Some(Arc::clone(schema)), value)
}

fn ids() -> SchemaRef {
    SchemaBuilder::structure()
        .field("id", Schema::int64())
        .build()
        .unwrap()
}

#[test]
fn a_table_is_made_with_a_type_for_each_kind() {
    let schema = SchemaBuilder::structure()
        .field("i8", Schema::int8())
        .field("i16", Schema::int16())
        .field("i32", Schema::int32())
        .field("i64", Schema::int64())
        .field("f32", Schema::float32())
        .field("f64", Schema::float64())
        .field("b", Schema::boolean())
        .field("s", Schema::string())
        .field("x", Schema::bytes())
        .field("d", logical::decimal(2))
        .field("day", logical::date())
        .field("clock", logical::time())
        .field("at", logical::timestamp())
        .field("o", Schema::optional_string())
        .build()
        .unwrap();
    for database in databases() {
        let mut sink = database.sink(&[("auto.create", "true")]);
        let row = record(
            "t",
            &schema,
            vec![
                ("i8", Value::Int8(-8)),
                ("i16", Value::Int16(-16)),
                ("i32", Value::Int32(-32)),
                ("i64", Value::Int64(-64)),
                ("f32", Value::Float32(1.5)),
                ("f64", Value::Float64(2.25)),
                ("b", Value::Boolean(true)),
                ("s", Value::from("text")),
                ("x", Value::Bytes(vec![0, 255])),
                ("d", Value::Decimal(Decimal::new(12_345, 2))),
                ("day", Value::Date(1_767_225_600_000)),
                ("clock", Value::Date(3_723_004)),
                ("at", Value::Date(1_767_225_600_123)),
            ],
        );
        sink.put(&[row]).unwrap();
        let types = database.of(
            "SELECT name, type, \"notnull\" FROM pragma_table_info('t') ORDER BY cid",
            "SELECT column_name, data_type, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = 't' ORDER BY ordinal_position",
            "SELECT column_name, column_type, CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END FROM information_schema.columns \
             WHERE table_schema = database() AND table_name = 't' ORDER BY ordinal_position",
        );
        let expected = database.of(
            [
                "i8|INTEGER|1",
                "i16|INTEGER|1",
                "i32|INTEGER|1",
                "i64|INTEGER|1",
                "f32|REAL|1",
                "f64|REAL|1",
                "b|INTEGER|1",
                "s|TEXT|1",
                "x|BLOB|1",
                "d|NUMERIC|1",
                "day|NUMERIC|1",
                "clock|NUMERIC|1",
                "at|NUMERIC|1",
                "o|TEXT|0",
            ],
            [
                "i8|smallint|1",
                "i16|smallint|1",
                "i32|integer|1",
                "i64|bigint|1",
                "f32|real|1",
                "f64|double precision|1",
                "b|boolean|1",
                "s|text|1",
                "x|bytea|1",
                "d|numeric|1",
                "day|date|1",
                "clock|time without time zone|1",
                "at|timestamp without time zone|1",
                "o|text|0",
            ],
            [
                "i8|tinyint(4)|1",
                "i16|smallint(6)|1",
                "i32|int(11)|1",
                "i64|bigint(20)|1",
                "f32|float|1",
                "f64|double|1",
                "b|tinyint(4)|1",
                "s|text|1",
                "x|varbinary(1024)|1",
                "d|decimal(65,2)|1",
                "day|date|1",
                "clock|time(3)|1",
                "at|datetime(3)|1",
                "o|text|0",
            ],
        );
        assert_eq!(database.lines(types), expected);
        let rows = database.lines("SELECT i8, i16, i32, i64, f32, f64, b, s, x, d, day, clock, at, o FROM t");
        let expected = database.of(
            "-8|-16|-32|-64|1.5|2.25|1|text|00ff|123.45|1767225600000|3723004|1767225600123|NULL",
            "-8|-16|-32|-64|1.5|2.25|t|text|\\x00ff|123.45|2026-01-01|01:02:03.004|2026-01-01 00:00:00.123|NULL",
            "-8|-16|-32|-64|1.5|2.25|1|text|00ff|123.45|2026-01-01|01:02:03.004|2026-01-01 00:00:00.123|NULL",
        );
        assert_eq!(rows, [expected]);
    }
}

#[test]
fn the_table_is_the_one_that_format_mapping_and_normalization_name() {
    for database in databases() {
        for table in ["eu_orders_1", "in_eu.orders-1", "special"] {
            let quote = database.of('`', '"', '`');
            database.query(&format!("CREATE TABLE {quote}{table}{quote} (id BIGINT)"));
        }
        // A name with a point would be one of a schema; the quotes say that it is not.
        let quoted = database.of("`in_${topic}`", "\"in_${topic}\"", "`in_${topic}`");
        for (more, topic, id) in [
            (vec![("table.name.normalize", "true")], "eu.orders-1", 1),
            (vec![("table.name.format", quoted)], "eu.orders-1", 2),
            (
                vec![
                    ("table.name.normalize", "true"),
                    ("topics.to.tables.mapping", "a:elsewhere,b.c:special"),
                ],
                "b.c",
                3,
            ),
            (vec![("table.name.format", "special")], "whatever", 4),
        ] {
            let mut sink = database.unstarted(&more).started().unwrap();
            sink.harness.open(&[TopicPartition::new(topic, 0)]).unwrap();
            sink.put(&[record(topic, &ids(), vec![("id", Value::Int64(id))])])
                .unwrap();
            sink.harness.stop().unwrap();
        }
        let all = database.of(
            "SELECT id, 'n' FROM eu_orders_1 UNION ALL SELECT id, 'q' FROM \"in_eu.orders-1\" UNION ALL SELECT id, 's' FROM special \
             ORDER BY 1",
            "SELECT id, 'n' FROM eu_orders_1 UNION ALL SELECT id, 'q' FROM \"in_eu.orders-1\" UNION ALL SELECT id, 's' FROM special \
             ORDER BY 1",
            "SELECT id, 'n' FROM eu_orders_1 UNION ALL SELECT id, 'q' FROM `in_eu.orders-1` UNION ALL SELECT id, 's' FROM special \
             ORDER BY 1",
        );
        assert_eq!(database.lines(all), ["1|n", "2|q", "3|s", "4|s"]);
    }
}

#[test]
fn columns_are_the_key_and_the_fields_that_are_asked_for() {
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("name", Schema::string())
        .field("secret", Schema::string())
        .build()
        .unwrap();
    for database in databases() {
        database
            .query("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), secret VARCHAR(20)); SELECT 1");
        let mut sink = database.sink(&[
            ("fields.whitelist", "name"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ]);
        let fields = vec![
            ("id", Value::Int64(1)),
            ("name", Value::from("a")),
            ("secret", Value::from("s")),
        ];
        sink.put(&[record("t", &schema, fields)]).unwrap();
        assert_eq!(database.lines("SELECT id, name, secret FROM t"), ["1|a|NULL"]);
    }
}

#[test]
fn a_null_becomes_the_default_of_its_field_unless_it_is_to_stay() {
    let with_default = SchemaBuilder::string()
        .optional()
        .default_value(Value::from("none"))
        .build()
        .unwrap();
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("name", with_default)
        .build()
        .unwrap();
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT, name VARCHAR(20)); SELECT 1");
        for (id, replace) in [(1, "true"), (2, "false")] {
            let mut sink = database.sink(&[("replace.null.with.default", replace)]);
            let fields = vec![("id", Value::Int64(id)), ("name", Value::Null)];
            sink.put(&[record("t", &schema, fields)]).unwrap();
            sink.harness.stop().unwrap();
        }
        let rows = database.lines("SELECT id, name FROM t ORDER BY id");
        assert_eq!(rows, ["1|none", "2|NULL"]);
    }
}

#[test]
fn numbers_and_texts_of_the_fields_that_are_named_are_instants() {
    let schema = SchemaBuilder::structure()
        .field("number", Schema::int64())
        .field("word", Schema::string())
        .field("other", Schema::int64())
        .build()
        .unwrap();
    let micros = 1_767_225_600_123_456;
    for database in databases() {
        if database.is_sqlite() {
            continue;
        }
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (number {timestamp}, word {timestamp}, other BIGINT)"
        ));
        for (unit, factor) in [("microseconds", 1), ("nanoseconds", 1_000)] {
            database.query("DELETE FROM t");
            let mut sink = database.sink(&[
                ("timestamp.fields.list", "number,word"),
                ("timestamp.precision.mode", unit),
            ]);
            let fields = vec![
                ("number", Value::Int64(micros * factor)),
                ("word", Value::from("2026-01-01T00:00:00.5Z")),
                ("other", Value::Int64(7)),
            ];
            sink.put(&[record("t", &schema, fields)]).unwrap();
            sink.harness.stop().unwrap();
            let rows = database.lines("SELECT number, word, other FROM t");
            let expected = database.of(
                "",
                "2026-01-01 00:00:00.123456|2026-01-01 00:00:00.5|7",
                "2026-01-01 00:00:00.123456|2026-01-01 00:00:00.500000|7",
            );
            assert_eq!(rows, [expected], "{unit}");
        }
    }
}
