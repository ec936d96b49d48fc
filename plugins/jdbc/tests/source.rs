//! The source against real databases: modes, offsets, tables, refusals.

mod common;

use common::source::{SOURCE, field, ids, next, settings, started};
use common::{Database, databases, postgres};
use wharf_api::{OffsetMap, Origin, Record, Value};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_test_services::process::wait_until;
use wharf_testkit::SourceHarness;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

fn offset(record: &Record) -> &OffsetMap {
    let Origin::Source {
        offset: Some(offset), ..
    } = &record.origin
    else {
        panic!("{record:?}")
    };
    offset
}

fn number(map: &OffsetMap, key: &str) -> i64 {
    match map.get(key) {
        Some(Value::Int64(number)) => *number,
        other => panic!("{key}: {other:?}"),
    }
}

/// The rows that come next, and that no others do at once.
fn exactly(harness: &mut SourceHarness, count: usize) -> Vec<Record> {
    let records = harness.poll_for(count).unwrap();
    assert_eq!(records.len(), count, "{:?}", ids(&records));
    let more = harness.poll().unwrap();
    assert!(more.is_empty(), "{:?}", ids(&more));
    records
}

#[test]
fn new_rows_are_read_after_the_last_one_and_after_a_restart() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)");
        database.query("INSERT INTO t VALUES (1, 'a'), (2, NULL), (5, 'c'); SELECT 1");
        let mode = [("mode", "incrementing"), ("incrementing.column.name", "id")];
        let mut harness = started(&database, &mode);
        let records = exactly(&mut harness, 3);
        assert_eq!(ids(&records), [1, 2, 5]);
        assert!(
            records
                .iter()
                .all(|record| record.topic == "db-t" && record.key == Value::Null)
        );
        let schema = records[0].value_schema.as_ref().unwrap();
        assert_eq!(schema.name(), Some("t"));
        assert_eq!(field(&records[1], "name"), &Value::Null);
        assert_eq!(number(offset(&records[2]), "incrementing"), 5);
        let Origin::Source {
            partition: Some(partition),
            ..
        } = &records[0].origin
        else {
            panic!("{records:?}")
        };
        let in_full = match &database {
            Database::Sqlite(_) => "t".to_owned(),
            Database::Postgres { schema, .. } => format!("{schema}.t"),
            Database::MySql { .. } => format!("{}.t", database.query("SELECT database()")[0][0]),
        };
        assert_eq!(partition.get("table"), Some(&Value::from(in_full.as_str())));
        assert_eq!(partition.get("protocol"), Some(&Value::from("1")));

        database.query("INSERT INTO t VALUES (3, 'too late'), (6, 'd'); SELECT 1");
        let records = exactly(&mut harness, 1);
        harness.acknowledge(&records);
        harness.stop().unwrap();

        database.query("INSERT INTO t VALUES (7, 'e'); SELECT 1");
        harness.start(&settings(&database, &mode)).unwrap();
        assert_eq!(ids(&exactly(&mut harness, 1)), [7]);
        harness.stop().unwrap();
    }
}

#[test]
fn offsets_of_older_versions_go_on() {
    for database in databases() {
        database
            .query("CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3); SELECT 1");
        let mut harness = SourceHarness::new(plugin_module(), SOURCE);
        let old = OffsetMap::new().with("table", "t");
        harness.worker().store_offset(
            &old,
            Some(&OffsetMap::new().with("incrementing", Value::Int64(2))),
        );
        let mode = [("mode", "incrementing"), ("incrementing.column.name", "id")];
        harness.start(&settings(&database, &mode)).unwrap();
        assert_eq!(ids(&exactly(&mut harness, 1)), [3]);
        harness.stop().unwrap();
    }
}

#[test]
fn the_column_that_counts_is_found() {
    for database in databases() {
        let counting = database.of(
            "INTEGER PRIMARY KEY",
            "SERIAL PRIMARY KEY",
            "BIGINT PRIMARY KEY AUTO_INCREMENT",
        );
        database.query(&format!(
            "CREATE TABLE t (name TEXT, id {counting}); INSERT INTO t (name) VALUES ('a'), ('b'); SELECT 1"
        ));
        let mut harness = started(&database, &[("mode", "incrementing")]);
        assert_eq!(ids(&exactly(&mut harness, 2)), [1, 2]);
        harness.stop().unwrap();
    }
}

#[test]
fn rows_of_one_instant_stay_together_when_the_worker_goes_on_after_them() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!("CREATE TABLE t (id BIGINT, at {timestamp} NOT NULL)"));
        database.query(
            "INSERT INTO t VALUES (1, '2026-01-01 10:00:00.001'), (2, '2026-01-01 10:00:00.002'), \
             (3, '2026-01-01 10:00:00.002'), (4, '2026-01-01 10:00:00.003'); SELECT 1",
        );
        let mode = [
            ("mode", "timestamp"),
            ("timestamp.column.name", "at"),
            ("batch.max.rows", "1"),
        ];
        let mut harness = started(&database, &mode);
        let records = exactly(&mut harness, 4);
        assert_eq!(ids(&records), [1, 2, 3, 4]);
        let millis: Vec<i64> = records
            .iter()
            .map(|record| number(offset(record), "timestamp").rem_euclid(1_000))
            .collect();
        // The second one's offset is that of the first: whoever goes on there reads the third, too.
        assert_eq!(millis, [1, 1, 2, 3]);
        harness.acknowledge(&records[..2]);
        harness.stop().unwrap();
        harness.start(&settings(&database, &mode)).unwrap();
        assert_eq!(ids(&exactly(&mut harness, 3)), [2, 3, 4]);

        database.query("UPDATE t SET at = '2026-01-01 11:00:00' WHERE id = 1; SELECT 1");
        let changed = exactly(&mut harness, 1);
        assert_eq!(ids(&changed), [1]);
        assert_eq!(number(offset(&changed[0]), "timestamp_nanos"), 0);
        harness.stop().unwrap();
    }
}

#[test]
fn time_and_number_together_find_every_change_once() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, made {timestamp} NOT NULL, changed {timestamp})"
        ));
        database.query(
            "INSERT INTO t VALUES (2, '2026-01-01 10:00:00', NULL), (1, '2026-01-01 10:00:00', NULL), \
             (3, '2026-01-01 09:00:00', '2026-01-01 12:00:00'); SELECT 1",
        );
        let mode = [
            ("mode", "timestamp+incrementing"),
            ("timestamp.column.name", "changed,made"),
            ("incrementing.column.name", "id"),
        ];
        let mut harness = started(&database, &mode);
        let records = exactly(&mut harness, 3);
        assert_eq!(ids(&records), [1, 2, 3]);
        harness.acknowledge(&records[..1]);
        harness.stop().unwrap();
        harness.start(&settings(&database, &mode)).unwrap();
        assert_eq!(ids(&exactly(&mut harness, 2)), [2, 3]);
        database.query("UPDATE t SET changed = '2026-01-01 13:00:00' WHERE id = 2; SELECT 1");
        assert_eq!(ids(&exactly(&mut harness, 1)), [2]);
        harness.stop().unwrap();
    }
}

#[test]
fn rows_younger_than_the_delay_wait_and_a_late_commit_among_them_is_not_missed() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL)");
    let mode = [
        ("mode", "timestamp"),
        ("timestamp.column.name", "at"),
        ("timestamp.delay.interval.ms", "2000"),
        ("timestamp.initial", "0"),
    ];
    let mut harness = started(&database, &mode);
    let began = std::time::Instant::now();
    // The second was stamped before the first, and is committed after it.
    database.query("INSERT INTO t VALUES (1, clock_timestamp()); SELECT 1");
    database.query("INSERT INTO t VALUES (2, clock_timestamp() - interval '500 ms'); SELECT 1");
    assert_eq!(ids(&exactly(&mut harness, 2)), [2, 1]);
    assert!(began.elapsed() >= std::time::Duration::from_millis(1_900));
    harness.stop().unwrap();
}

#[test]
fn a_whole_table_is_read_again_and_again_without_offsets() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT); INSERT INTO t VALUES (1), (2); SELECT 1");
        let mut harness = started(&database, &[("mode", "bulk")]);
        let records = harness.poll_for(5).unwrap();
        assert!(records.len() >= 5);
        assert_eq!(ids(&records)[..4], [1, 2, 1, 2]);
        let Origin::Source { partition, offset } = &records[0].origin else {
            panic!("{records:?}")
        };
        assert_eq!(offset, &None);
        assert_eq!(partition.as_ref().unwrap().get("table"), Some(&Value::from("t")));
        harness.stop().unwrap();
    }
}

#[test]
fn a_query_is_read_in_place_of_tables() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, kind TEXT)");
        database.query("INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', 'y'); SELECT 1");
        let query = [
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            (
                "query",
                "SELECT * FROM (SELECT id, upper(name) AS name FROM t WHERE kind = 'x') AS s",
            ),
            ("query.suffix", "LIMIT 1"),
        ];
        let mut harness = started(&database, &query);
        let records = exactly(&mut harness, 2);
        assert_eq!(ids(&records), [1, 2]);
        assert_eq!(field(&records[1], "name"), &Value::from("B"));
        assert_eq!(records[0].topic, "db-");
        assert_eq!(records[0].value_schema.as_ref().unwrap().name(), None);
        let Origin::Source {
            partition: Some(partition),
            ..
        } = &records[0].origin
        else {
            panic!("{records:?}")
        };
        assert_eq!(partition, &OffsetMap::new().with("query", "query"));
        harness.stop().unwrap();
    }
}

#[test]
fn tables_are_chosen_shared_out_and_found_while_it_runs() {
    for database in databases() {
        for table in ["a", "b", "c", "skipped"] {
            database.query(&format!("CREATE TABLE {table} (id BIGINT)"));
        }
        let harness = SourceHarness::new(plugin_module(), SOURCE);
        let mut connector = harness.plugin().connector().unwrap();
        let more = [
            ("mode", "bulk"),
            ("table.blacklist", "skipped"),
            ("table.poll.interval.ms", "100"),
        ];
        connector.start(&settings(&database, &more)).unwrap();
        let names = |connector: &mut wharf_abi::host::ConnectorHandle| -> Vec<Vec<String>> {
            let configs = connector.task_configs(2).unwrap();
            configs
                .iter()
                .map(|config| {
                    let tables = config["tables"].split(',');
                    tables
                        .map(|table| {
                            table
                                .rsplit('.')
                                .next()
                                .unwrap()
                                .trim_matches(['"', '`'])
                                .to_owned()
                        })
                        .collect()
                })
                .collect()
        };
        assert_eq!(names(&mut connector), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(harness.worker().reconfigurations(), 0);
        database.query("CREATE TABLE d (id BIGINT)");
        assert!(wait_until(PATIENCE, || harness.worker().reconfigurations() == 1));
        assert_eq!(names(&mut connector), [vec!["a", "b"], vec!["c", "d"]]);
        connector.stop().unwrap();
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT, name TEXT NOT NULL, at {timestamp})"
        ));
        for (more, said) in [
            (
                vec![("mode", "incrementing"), ("incrementing.column.name", "id")],
                "column 'id' of",
            ),
            (
                vec![("mode", "incrementing"), ("incrementing.column.name", "name")],
                "does not hold whole numbers",
            ),
            (
                vec![("mode", "incrementing"), ("incrementing.column.name", "number")],
                "has no column 'number'; it has id, name, at",
            ),
            (vec![("mode", "incrementing")], "counts up by itself"),
            (
                vec![("mode", "timestamp"), ("timestamp.column.name", "at")],
                "may all be NULL (at)",
            ),
            (
                vec![("mode", "timestamp"), ("timestamp.column.name", "name")],
                "holds no timestamps",
            ),
            (
                vec![
                    ("mode", "incrementing"),
                    ("incrementing.column.mapping", ".*u:id"),
                ],
                "no entry of incrementing.column.mapping matches table",
            ),
            (
                vec![("mode", "bulk"), ("query", "SELECT x FROM nowhere")],
                "nowhere",
            ),
        ] {
            let mut harness = started(&database, &more);
            let Err(error) = harness.poll_for(1) else {
                panic!("{said} was not said")
            };
            assert!(error.message().contains(said), "{said}: {error}");
            assert!(!error.is_retriable());
            harness.stop().unwrap();
        }
        // Where nobody is to look, nothing is refused.
        let lenient = [
            ("mode", "incrementing"),
            ("incrementing.column.name", "ID"),
            ("validate.non.null", "false"),
        ];
        database.query("INSERT INTO t VALUES (1, 'a', NULL); SELECT 1");
        let mut harness = started(&database, &lenient);
        assert_eq!(ids(&exactly(&mut harness, 1)), [1]);
        harness.stop().unwrap();
    }
}

#[test]
fn a_stop_breaks_a_query_off() {
    for database in databases() {
        let endless = database.of(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) AS x FROM n",
            "SELECT pg_sleep(600)::text AS x",
            "SELECT sleep(600) AS x",
        );
        let mut harness = started(&database, &[("mode", "bulk"), ("query", endless)]);
        assert!(harness.poll().unwrap().is_empty());
        let began = std::time::Instant::now();
        harness.stop().unwrap();
        assert!(
            began.elapsed() < std::time::Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    }
}

#[test]
fn offsets_that_users_want_are_looked_at() {
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    let database = &databases()[0];
    let config = settings(database, &[("mode", "incrementing")]);
    let table = OffsetMap::new().with("protocol", "1").with("table", "t");
    let good = OffsetMap::new().with("incrementing", Value::Int64(4));
    assert!(
        connector
            .alter_source_offsets(&config, vec![(table.clone(), Some(good))])
            .unwrap()
    );
    let wrong = OffsetMap::new().with("position", Value::Int64(4));
    let error = connector
        .alter_source_offsets(&config, vec![(table, Some(wrong))])
        .unwrap_err();
    assert!(error.message().contains("'position'"), "{error}");
}

#[test]
fn fractions_that_the_database_compares_otherwise_than_it_shows_are_read_once() {
    let database = &databases()[0];
    database.query("CREATE TABLE t (id BIGINT, at TIMESTAMP NOT NULL)");
    // SQLite compares milliseconds, and rounds.
    database.query(
        "INSERT INTO t VALUES (1, '2026-01-01 10:00:00.123100'), (2, '2026-01-01 10:00:00.123400'), \
         (3, '2026-01-01 10:00:00.123600'); SELECT 1",
    );
    let mode = [
        ("mode", "timestamp"),
        ("timestamp.column.name", "at"),
        ("batch.max.rows", "1"),
    ];
    let mut harness = started(database, &mode);
    let records = exactly(&mut harness, 3);
    harness.acknowledge(&records[..1]);
    harness.stop().unwrap();
    harness.start(&settings(database, &mode)).unwrap();
    assert_eq!(ids(&exactly(&mut harness, 3)), [1, 2, 3]);
    harness.stop().unwrap();
}

#[test]
fn a_row_that_gets_the_stamp_of_one_that_was_read_is_not_missed() {
    for database in databases() {
        let plain = "CREATE TABLE t (id BIGINT, at TIMESTAMP NOT NULL)";
        let (table, now) = database.of(
            (plain, "CURRENT_TIMESTAMP"),
            (
                "CREATE TABLE t (id BIGINT, at TIMESTAMP(0) NOT NULL)",
                "date_trunc('second', localtimestamp)",
            ),
            (plain, "CURRENT_TIMESTAMP"),
        );
        database.query(table);
        let mut harness = started(
            &database,
            &[("mode", "timestamp"), ("timestamp.column.name", "at")],
        );
        // Several of each second, while it reads all the time.
        for id in 0..30 {
            database.query(&format!("INSERT INTO t VALUES ({id}, {now}); SELECT 1"));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let mut seen = ids(&exactly(&mut harness, 30));
        seen.sort_unstable();
        assert_eq!(seen, (0..30).collect::<Vec<i64>>());
        harness.stop().unwrap();
    }
}

#[test]
fn a_table_that_changes_is_read_as_it_is_then() {
    for database in databases() {
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t VALUES (1); SELECT 1");
        let mode = [("mode", "incrementing"), ("incrementing.column.name", "id")];
        let mut harness = started(&database, &[&mode[..], &[("poll.interval.ms", "1")]].concat());
        assert_eq!(ids(&exactly(&mut harness, 1)), [1]);
        // Again and again: now and then a change comes between the look at the columns and the statement made of them.
        for id in (2..200).step_by(2) {
            database.query("ALTER TABLE t ADD COLUMN name TEXT");
            database.query(&format!("INSERT INTO t VALUES ({id}, 'new'); SELECT 1"));
            assert_eq!(
                field(&next(&mut harness, 1)[0], "name"),
                &Value::from("new"),
                "{id}"
            );
            database.query("ALTER TABLE t DROP COLUMN name");
            database.query(&format!("INSERT INTO t VALUES ({}); SELECT 1", id + 1));
            let records = next(&mut harness, 1);
            assert_eq!(ids(&records), [id + 1]);
            let schema = records[0].value_schema.as_ref().unwrap();
            assert_eq!(schema.fields().unwrap().len(), 1);
        }
        harness.stop().unwrap();
    }
}

#[test]
fn queries_may_be_of_any_form() {
    for database in databases() {
        database.query(
            "CREATE TABLE a (id BIGINT, b_id BIGINT); INSERT INTO a VALUES (1, 7), (3, NULL); SELECT 1",
        );
        database.query("CREATE TABLE b (id BIGINT NOT NULL, name TEXT NOT NULL); INSERT INTO b VALUES (7, 'seven'); SELECT 1");
        for (query, expected) in [
            (
                "SELECT id FROM a UNION ALL SELECT id + 1 FROM a WHERE id > 0 -- both",
                vec![1, 2, 3, 4],
            ),
            ("SELECT count(*) AS n, id FROM a GROUP BY id", vec![1, 3]),
            (
                "SELECT a.id, b.name FROM a LEFT JOIN b ON a.b_id = b.id",
                vec![1, 3],
            ),
            // The number is not unique: a batch must not end between rows that have it without going on there.
            ("SELECT x.id FROM a AS x JOIN a AS y ON true", vec![1, 1, 3, 3]),
        ] {
            let more = [
                ("mode", "incrementing"),
                ("incrementing.column.name", "id"),
                ("query", query),
                ("batch.max.rows", "1"),
            ];
            let mut harness = started(&database, &more);
            let records = exactly(&mut harness, expected.len());
            assert_eq!(ids(&records), expected, "{query}");
            let stored: Vec<i64> = records
                .iter()
                .map(|record| number(offset(record), "incrementing"))
                .collect();
            assert!(
                stored.iter().zip(&expected).all(|(stored, id)| stored <= id),
                "{stored:?}"
            );
            assert_eq!(stored.last(), expected.last(), "{query}");
            if expected == [1, 1, 3, 3] {
                assert_eq!(stored, [-1, 1, 1, 3]);
            }
            harness.stop().unwrap();
        }
    }
}

#[test]
fn columns_are_what_they_are_called_without_quotes_too() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT, \"user\" TEXT, \"createdAt\" TEXT, \"order\" TEXT)");
    database.query("INSERT INTO t VALUES (1, 'me', 'now', 'first'); SELECT 1");
    let mut harness = started(&database, &[("mode", "bulk"), ("quote.sql.identifiers", "NEVER")]);
    let record = harness.poll_for(1).unwrap().remove(0);
    for (name, value) in [("user", "me"), ("createdAt", "now"), ("order", "first")] {
        assert_eq!(field(&record, name), &Value::from(value));
    }
    harness.stop().unwrap();
}

#[test]
fn a_table_that_cannot_be_read_now_does_not_keep_others_waiting() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE broken (id BIGINT PRIMARY KEY); CREATE TABLE t (id BIGINT PRIMARY KEY)");
    database.query("INSERT INTO broken VALUES (1); SELECT 1");
    database.query("CREATE FUNCTION busy() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '55P03', MESSAGE = 'busy'; END $$");
    database.query("CREATE VIEW v AS SELECT busy() AS id FROM broken");
    let more = [
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("validate.non.null", "false"),
        ("table.types", "TABLE,VIEW"),
        ("table.whitelist", "t,v"),
    ];
    let mut harness = started(&database, &more);
    for id in 1..4 {
        database.query(&format!("INSERT INTO t VALUES ({id}); SELECT 1"));
        assert_eq!(ids(&harness.poll_for(1).unwrap()), [id]);
    }
    harness.stop().unwrap();
}
