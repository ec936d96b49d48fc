//! What single keys of the source do, each seen in what is read.

mod common;

use common::source::{SOURCE, field, ids, next, settings, started};
use common::{Database, databases, mysql, postgres};
use wharf_api::Value;
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::SourceHarness;

/// Milliseconds since the epoch at this second of the first of January 2026.
fn at(second: i64) -> String {
    (1_767_225_600_000 + second * 1_000).to_string()
}

/// The bare names of the tables that a connector gives to its one task.
fn chosen(database: &Database, more: &[(&str, &str)]) -> Vec<String> {
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    let mut all = vec![("mode", "bulk")];
    all.extend(more);
    connector.start(&settings(database, &all)).unwrap();
    let configs = connector.task_configs(1).unwrap();
    connector.stop().unwrap();
    let bare = |table: &str| {
        let last = table.rsplit('.').next().unwrap();
        last.trim_matches(['"', '`']).to_owned()
    };
    configs
        .first()
        .map_or_else(Vec::new, |config| config["tables"].split(',').map(bare).collect())
}

/// What a source reads at first, and that it reads no more then.
fn all_ids(database: &Database, more: &[(&str, &str)], count: usize) -> Vec<i64> {
    let mut harness = started(database, more);
    let records = next(&mut harness, count);
    let further = harness.poll().unwrap();
    assert!(further.is_empty(), "{more:?}: {:?}", ids(&further));
    harness.stop().unwrap();
    ids(&records)
}

#[test]
fn tables_are_those_that_lists_patterns_and_kinds_take() {
    for database in databases() {
        for table in ["orders", "order_lines", "customers"] {
            database.query(&format!("CREATE TABLE {table} (id BIGINT)"));
        }
        database.query("CREATE VIEW order_view AS SELECT id FROM orders");
        for (more, expected) in [
            (vec![], vec!["customers", "order_lines", "orders"]),
            (
                vec![("table.whitelist", "orders,customers")],
                vec!["customers", "orders"],
            ),
            (
                vec![("table.blacklist", "orders")],
                vec!["customers", "order_lines"],
            ),
            // A pattern has to match the whole name.
            (vec![("table.include.list", "(.*\\.)?order")], vec![]),
            (
                vec![("table.include.list", "(.*\\.)?order.*,(.*\\.)?cust.*")],
                vec!["customers", "order_lines", "orders"],
            ),
            (
                vec![
                    ("table.include.list", "(.*\\.)?order.*"),
                    ("table.exclude.list", ".*lines"),
                ],
                vec!["orders"],
            ),
            (vec![("table.types", "VIEW")], vec!["order_view"]),
            (
                vec![("table.types", "view,TABLE"), ("table.blacklist", "customers")],
                vec!["order_lines", "order_view", "orders"],
            ),
        ] {
            let mut names = chosen(&database, &more);
            names.sort();
            assert_eq!(names, expected, "{more:?}");
        }
    }
}

#[test]
fn schemas_and_catalogs_are_those_that_are_asked_for() {
    let Some(database) = postgres() else { return };
    let Database::Postgres { schema, .. } = &database else {
        unreachable!()
    };
    let other = format!("{schema}_other");
    database.query(&format!(
        "CREATE TABLE mine (id BIGINT); DROP SCHEMA IF EXISTS {other} CASCADE; CREATE SCHEMA {other}; \
         CREATE TABLE {other}.theirs (id BIGINT); SELECT 1"
    ));
    let catalog = database.query("SELECT current_database()")[0][0].clone();
    assert_eq!(chosen(&database, &[]), ["mine"]);
    assert_eq!(chosen(&database, &[("schema.pattern", &other)]), ["theirs"]);
    assert_eq!(
        chosen(&database, &[("schema.pattern", &format!("{schema}%"))]),
        ["mine", "theirs"]
    );
    assert_eq!(chosen(&database, &[("catalog.pattern", &catalog)]), ["mine"]);
    assert!(chosen(&database, &[("catalog.pattern", "elsewhere")]).is_empty());
    database.query(&format!("DROP SCHEMA {other} CASCADE"));
}

#[test]
fn tables_have_columns_of_their_own_by_mappings() {
    for database in databases() {
        let timestamp = database.timestamp();
        for (table, column) in [("a", "first"), ("b", "second")] {
            database.query(&format!(
                "CREATE TABLE {table} (id BIGINT NOT NULL, {column} BIGINT NOT NULL, {column}_at {timestamp} NOT NULL)"
            ));
            database.query(&format!(
                "INSERT INTO {table} VALUES (2, 1, '2026-01-01 00:00:02'), (1, 2, '2026-01-01 00:00:01'); SELECT 1"
            ));
        }
        let of_table = |more: &[(&str, &str)], table: &str| {
            let mut harness = started(&database, more);
            let records = next(&mut harness, 4);
            harness.stop().unwrap();
            let topic = format!("db-{table}");
            let own: Vec<_> = records
                .into_iter()
                .filter(|record| record.topic == topic)
                .collect();
            ids(&own)
        };
        for table in ["a", "b"] {
            let counting = [
                ("mode", "incrementing"),
                ("incrementing.column.mapping", "(.*\\.)?a:first,(.*\\.)?b:second"),
            ];
            assert_eq!(of_table(&counting, table), [2, 1]);
            let timed = [
                ("mode", "timestamp"),
                (
                    "timestamp.columns.mapping",
                    "(.*\\.)?a:first_at,(.*\\.)?b:[second_at]",
                ),
            ];
            assert_eq!(of_table(&timed, table), [1, 2]);
        }
        let twice = [
            ("mode", "incrementing"),
            ("incrementing.column.mapping", ".*:first,(.*\\.)?b:second"),
        ];
        let mut harness = started(&database, &twice);
        let mut message = String::new();
        for _ in 0..50 {
            if let Err(error) = harness.poll() {
                message = error.message().to_owned();
                break;
            }
        }
        harness.stop().unwrap();
        assert!(
            message.contains("several entries of incrementing.column.mapping match table"),
            "{message}"
        );
    }
}

#[test]
fn reading_begins_after_the_initial_value() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT NOT NULL, at {timestamp} NOT NULL)"
        ));
        database.query(
            "INSERT INTO t VALUES (-5, '2025-01-01 00:00:00'), (0, '2026-01-01 00:00:00'), (1, '2026-01-01 00:00:01'), \
             (2, '2026-01-01 00:00:02'); SELECT 1",
        );
        let counting = ("mode", "incrementing");
        let column = ("incrementing.column.name", "id");
        assert_eq!(all_ids(&database, &[counting, column], 3), [0, 1, 2]);
        for (initial, expected) in [("-6", vec![-5, 0, 1, 2]), ("0", vec![1, 2]), ("1", vec![2])] {
            let more = [counting, column, ("incrementing.initial", initial)];
            assert_eq!(all_ids(&database, &more, expected.len()), expected, "{initial}");
        }
        let timed = ("mode", "timestamp");
        let column = ("timestamp.column.name", "at");
        for key in ["timestamp.initial", "timestamp.initial.ms"] {
            let more = [timed, column, (key, &at(0))];
            assert_eq!(all_ids(&database, &more, 2), [1, 2], "{key}");
            let both = [
                ("mode", "timestamp+incrementing"),
                column,
                ("incrementing.column.name", "id"),
                (key, &at(1)),
            ];
            // Rows of that very instant are told by their number.
            assert_eq!(all_ids(&database, &both, 2), [1, 2], "{key}");
        }
    }
}

#[test]
fn a_query_is_read_by_time_and_may_be_masked() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT NOT NULL, at {timestamp} NOT NULL, kind TEXT)"
        ));
        database.query(
            "INSERT INTO t VALUES (3, '2026-01-01 00:00:01', 'x'), (1, '2026-01-01 00:00:02', 'x'), \
             (2, '2026-01-01 00:00:02', 'y'), (0, '2026-01-01 00:00:02', 'x'); SELECT 1",
        );
        let query = "SELECT id, at FROM t WHERE kind = 'x'";
        for key in ["query", "query.masked"] {
            for (mode, expected) in [
                ("timestamp", vec![3, 0, 1]),
                ("timestamp+incrementing", vec![3, 0, 1]),
            ] {
                database.query("DELETE FROM t WHERE id > 9");
                let more = [
                    ("mode", mode),
                    ("timestamp.column.name", "at"),
                    ("incrementing.column.name", "id"),
                    (key, query),
                ];
                let mut harness = started(&database, &more);
                let records = next(&mut harness, 3);
                let mut found = ids(&records);
                // Rows of one instant have no order by time alone.
                if mode == "timestamp" {
                    found[1..].sort_unstable();
                }
                assert_eq!(found, expected, "{key} {mode}");
                database.query(
                    "INSERT INTO t VALUES (10, '2026-01-01 00:00:03', 'x'), (11, '2026-01-01 00:00:03', 'y'); SELECT 1",
                );
                assert_eq!(ids(&next(&mut harness, 1)), [10], "{key} {mode}");
                assert!(harness.poll().unwrap().is_empty());
                harness.stop().unwrap();
            }
        }
        let both = [
            ("mode", "bulk"),
            ("query", query),
            ("query.masked", "SELECT id FROM t"),
        ];
        let harness = SourceHarness::new(plugin_module(), SOURCE);
        let mut connector = harness.plugin().connector().unwrap();
        let refused = connector.start(&settings(&database, &both)).unwrap_err();
        assert!(
            refused
                .message()
                .contains("query.masked is used in place of query"),
            "{refused}"
        );
    }
}

#[test]
fn a_masked_query_is_in_no_error() {
    for database in databases() {
        database.query("CREATE TABLE other (id BIGINT)");
        let masked = "SELECT id FROM t WHERE word = 'correct horse'";
        let more = [("mode", "bulk"), ("query.masked", masked)];
        let mut harness = started(&database, &more);
        let error = harness.poll_for(1).unwrap_err();
        assert!(!error.to_string().contains("correct horse"), "{error}");
        harness.stop().unwrap();
    }
}

#[test]
fn complex_types_are_left_out_where_that_is_asked_for() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT, tags TEXT[], span INTERVAL, ip INET, name TEXT)");
    database.query("INSERT INTO t VALUES (1, '{a,b}', '1 day', '10.0.0.1', 'n'); SELECT 1");
    for (enabled, expected) in [
        ("true", vec!["id", "tags", "span", "ip", "name"]),
        ("false", vec!["id", "name"]),
    ] {
        let mut harness = started(
            &database,
            &[("mode", "bulk"), ("sql.complex.types.enable", enabled)],
        );
        let record = next(&mut harness, 1).remove(0);
        let schema = record.value_schema.as_ref().unwrap();
        let names: Vec<&str> = schema
            .fields()
            .unwrap()
            .iter()
            .map(|field| field.name())
            .collect();
        assert_eq!(names, expected, "{enabled}");
        harness.stop().unwrap();
    }
}

#[test]
fn reading_has_the_isolation_that_is_asked_for() {
    if let Some(database) = postgres() {
        for (mode, level) in [
            ("DEFAULT", "read committed"),
            ("READ_UNCOMMITTED", "read uncommitted"),
            ("read_committed", "read committed"),
            ("REPEATABLE_READ", "repeatable read"),
            ("SERIALIZABLE", "serializable"),
        ] {
            let more = [
                ("mode", "bulk"),
                (
                    "query",
                    "SELECT 1 AS id, current_setting('transaction_isolation') AS level",
                ),
                ("transaction.isolation.mode", mode),
            ];
            let mut harness = started(&database, &more);
            let record = next(&mut harness, 1).remove(0);
            assert_eq!(field(&record, "level"), &Value::from(level), "{mode}");
            harness.stop().unwrap();
        }
    }
    if let Some(database) = mysql() {
        for (mode, level) in [
            ("DEFAULT", "READ-COMMITTED"),
            ("READ_UNCOMMITTED", "READ-UNCOMMITTED"),
            ("REPEATABLE_READ", "REPEATABLE-READ"),
            ("SERIALIZABLE", "SERIALIZABLE"),
        ] {
            let more = [
                ("mode", "bulk"),
                ("query", "SELECT 1 AS id, @@session.tx_isolation AS level"),
                ("transaction.isolation.mode", mode),
            ];
            let mut harness = started(&database, &more);
            let record = next(&mut harness, 1).remove(0);
            assert_eq!(field(&record, "level"), &Value::from(level), "{mode}");
            harness.stop().unwrap();
        }
    }
}

#[test]
fn rows_of_the_hour_that_comes_twice_are_all_read_where_times_have_a_zone() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)");
    let mut harness = started(
        &database,
        &[
            ("mode", "timestamp"),
            ("timestamp.column.name", "at"),
            ("db.timezone", "America/New_York"),
        ],
    );
    // Clocks show 01:30, 01:50, then 01:10 and 01:30 again.
    for (id, utc) in [
        (1, "05:30"),
        (2, "05:50"),
        (3, "06:10"),
        (4, "06:30"),
        (5, "07:30"),
    ] {
        database.query(&format!(
            "INSERT INTO t VALUES ({id}, '2025-11-02 {utc}:00+00'); SELECT 1"
        ));
        assert_eq!(ids(&next(&mut harness, 1)), [id]);
    }
    assert!(harness.poll().unwrap().is_empty());
    harness.stop().unwrap();
}

#[test]
fn clocks_that_are_put_forward_and_back_tell_the_instants_that_they_show() {
    for database in databases() {
        if database.is_sqlite() {
            continue;
        }
        database.query(&format!(
            "CREATE TABLE t (id BIGINT NOT NULL, at {} NOT NULL)",
            database.timestamp()
        ));
        // Before, in and after the hour that New York leaves out, and the one that it has twice.
        database.query(
            "INSERT INTO t VALUES (1, '2025-03-09 01:59:00'), (2, '2025-03-09 02:30:00'), (3, '2025-03-09 03:31:00'), \
             (4, '2025-11-02 00:59:00'), (5, '2025-11-02 01:30:00'), (6, '2025-11-02 02:00:00'); SELECT 1",
        );
        let mut harness = started(
            &database,
            &[
                ("mode", "timestamp"),
                ("timestamp.column.name", "at"),
                ("db.timezone", "America/New_York"),
            ],
        );
        let records = next(&mut harness, 6);
        assert_eq!(ids(&records), [1, 2, 3, 4, 5, 6]);
        let instants: Vec<_> = records
            .iter()
            .map(|record| match field(record, "at") {
                Value::Date(millis) => millis / 60_000 - 28_928_160,
                other => panic!("{other:?}"),
            })
            .collect();
        // As java.util.Calendar has it: what was left out is an hour later, of two the second.
        let minutes = |day: i64, hour: i64, minute: i64| (day * 24 + hour) * 60 + minute;
        let march = |hour, minute| minutes(67, hour, minute);
        let november = |hour, minute| minutes(305, hour, minute);
        assert_eq!(
            instants,
            [
                march(6, 59),
                march(7, 30),
                march(7, 31),
                november(4, 59),
                november(6, 30),
                november(7, 0)
            ]
        );
        assert!(harness.poll().unwrap().is_empty());
        harness.stop().unwrap();
    }
}
