//! The source where something is not as it should be: limits that part rows, times before 1970, tables that go, databases that come late,
//! reads that are broken off.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::source::{SOURCE, field, ids, next, settings, started};
use common::{Database, databases, own_server, postgres, postgres_query};
use wharf_api::{ConfigMap, Record, Value};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_test_services::process::wait_until;
use wharf_testkit::SourceHarness;

const PATIENCE: Duration = Duration::from_secs(30);

/// The keys that validation finds errors under, with what it says.
fn errors(config: &ConfigMap) -> Vec<(String, String)> {
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let values = harness.plugin().connector().unwrap().validate(config).unwrap();
    let faulty = values.into_iter().flat_map(|value| {
        let name = value.name;
        value.errors.into_iter().map(move |error| (name.clone(), error))
    });
    faulty.collect()
}

#[test]
fn a_query_that_limits_its_rows_is_refused_where_new_ones_are_looked_for() {
    let database = &databases()[0];
    database.query("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let by_number = [("mode", "incrementing"), ("incrementing.column.name", "id")];
    let limited = "SELECT * FROM t ORDER BY id LIMIT 1000";
    for key in ["query", "query.masked"] {
        let found = errors(&settings(database, &[&by_number[..], &[(key, limited)]].concat()));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, key);
        assert!(found[0].1.contains("query.suffix"), "{found:?}");
    }
    let inner = "SELECT * FROM (SELECT * FROM t ORDER BY id LIMIT 1000) AS s -- LIMIT";
    for more in [
        [&by_number[..], &[("query", inner)]].concat(),
        vec![("mode", "bulk"), ("query", limited)],
    ] {
        assert_eq!(errors(&settings(database, &more)), []);
    }
}

#[test]
fn a_suffix_that_passes_rows_over_is_refused_where_new_ones_are_looked_for() {
    let database = &databases()[0];
    database.query("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let by_number = [("mode", "incrementing"), ("incrementing.column.name", "id")];
    let with = |suffix| [&by_number[..], &[("query.suffix", suffix)]].concat();
    let found = errors(&settings(database, &with("OFFSET 5")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "query.suffix" && found[0].1.contains("OFFSET"),
        "{found:?}"
    );
    for more in [
        with("LIMIT 5 OFFSET 0"),
        with("-- OFFSET 5"),
        vec![("mode", "bulk"), ("query.suffix", "OFFSET 5")],
    ] {
        assert_eq!(errors(&settings(database, &more)), []);
    }
}

#[test]
fn what_is_wrong_stands_under_its_key() {
    let database = &databases()[0];
    for (more, key) in [
        (
            vec![("dialect.name", "PostgreSqlDatabaseDialect")],
            "dialect.name",
        ),
        (
            vec![("query", "SELECT 1"), ("query.masked", "SELECT 1")],
            "query.masked",
        ),
        (vec![("db.timezone", "Mars/Base")], "db.timezone"),
    ] {
        let found = errors(&settings(database, &[&[("mode", "bulk")], &more[..]].concat()));
        let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [key], "{found:?}");
    }
}

/// Both numbers of a row of a join.
fn pair(record: &Record) -> (i64, i64) {
    let number = |name| match field(record, name) {
        Value::Int64(number) => *number,
        other => panic!("{other:?}"),
    };
    (number("id"), number("other"))
}

#[test]
fn rows_with_one_number_are_all_read_whatever_the_limit() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!("CREATE TABLE a (id BIGINT, at {timestamp} NOT NULL)"));
        database.query(
            "INSERT INTO a VALUES (1, '2026-01-01 10:00:00'), (2, '2026-01-01 10:00:00'), (3, '2026-01-01 11:00:00'); SELECT 1",
        );
        let all: BTreeSet<(i64, i64)> = (1..4)
            .flat_map(|id| (1..4).map(move |other| (id, other)))
            .collect();
        for limit in [1, 2, 4, 9] {
            for mode in ["incrementing", "timestamp+incrementing"] {
                let suffix = format!("LIMIT {limit}");
                let mut more = vec![
                    ("mode", mode),
                    ("incrementing.column.name", "id"),
                    (
                        "query",
                        "SELECT x.id, x.at, y.id AS other FROM a AS x JOIN a AS y ON 1 = 1",
                    ),
                    ("query.suffix", &suffix),
                ];
                if mode != "incrementing" {
                    more.push(("timestamp.column.name", "at"));
                }
                let mut harness = started(&database, &more);
                let mut seen = BTreeSet::new();
                let until = Instant::now() + PATIENCE;
                while seen.len() < all.len() && Instant::now() < until {
                    seen.extend(harness.poll().unwrap().iter().map(pair));
                }
                assert_eq!(seen, all, "{mode} {suffix}");
                // What is left of the last group comes, and then nothing any more.
                let mut ends = || wait_until(PATIENCE, || harness.poll().unwrap().is_empty());
                assert!(limit != 4 || ends(), "{mode} {suffix}");
                harness.stop().unwrap();
            }
        }
    }
}

#[test]
fn rows_whose_number_is_their_own_come_once_whatever_the_limit() {
    for database in databases() {
        database.query(
            "CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5); SELECT 1",
        );
        for suffix in ["LIMIT 1", "LIMIT 2", "LIMIT 5", "limit 2 offset 0", "LIMIT 100"] {
            let more = [
                ("mode", "incrementing"),
                ("incrementing.column.name", "id"),
                ("query.suffix", suffix),
            ];
            let mut harness = started(&database, &more);
            assert_eq!(ids(&next(&mut harness, 5)), [1, 2, 3, 4, 5], "{suffix}");
            assert!(harness.poll().unwrap().is_empty(), "{suffix}");
            harness.stop().unwrap();
        }
    }
}

#[test]
fn rows_from_before_1970_are_read() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, at {timestamp} NOT NULL)"
        ));
        database.query(
            "INSERT INTO t VALUES (1, '1960-02-29 10:00:00'), (2, '1960-02-29 10:00:00'), (3, '1970-01-01 00:00:00'), \
             (4, '2026-01-01 00:00:00'); SELECT 1",
        );
        for mode in ["timestamp", "timestamp+incrementing"] {
            let mut more = vec![
                ("mode", mode),
                ("timestamp.column.name", "at"),
                ("batch.max.rows", "1"),
            ];
            if mode != "timestamp" {
                more.push(("incrementing.column.name", "id"));
            }
            let mut harness = started(&database, &more);
            let records = next(&mut harness, 4);
            assert_eq!(ids(&records), [1, 2, 3, 4], "{mode}");
            harness.stop().unwrap();
            // Who has seen the first alone reads the second with its time.
            harness.acknowledge(&records[..1]);
            harness.start(&settings(&database, &more)).unwrap();
            let expected: &[i64] = if mode == "timestamp" {
                &[1, 2, 3, 4]
            } else {
                &[2, 3, 4]
            };
            assert_eq!(ids(&next(&mut harness, expected.len())), expected, "{mode}");
            harness.stop().unwrap();
        }
    }
}

#[test]
fn reading_from_now_on_means_the_start_of_the_connector() {
    for database in databases() {
        let timestamp = database.timestamp();
        database.query(&format!(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, at {timestamp} NOT NULL)"
        ));
        let stamped = |id: i64, before: &str| {
            let now = database.of("CURRENT_TIMESTAMP", "localtimestamp", "utc_timestamp(6)");
            let at = match before {
                "" => now.to_owned(),
                _ => "'2026-01-01 00:00:00'".to_owned(),
            };
            database.query(&format!("INSERT INTO t VALUES ({id}, {at}); SELECT 1"));
        };
        stamped(1, "long before");
        for query in [None, Some(("query", "SELECT * FROM t"))] {
            database.query("DELETE FROM t WHERE id > 1");
            let mut more = vec![
                ("mode", "timestamp"),
                ("timestamp.column.name", "at"),
                ("timestamp.initial", "-1"),
            ];
            more.extend(query);
            let harness = SourceHarness::new(plugin_module(), SOURCE);
            let mut connector = harness.plugin().connector().unwrap();
            connector.start(&settings(&database, &more)).unwrap();
            let configs = connector.task_configs(1).unwrap();
            assert_eq!(configs, connector.task_configs(1).unwrap());
            // No task runs while a row comes. SQLite's clock shows whole seconds.
            std::thread::sleep(Duration::from_millis(1_100));
            stamped(2, "");
            harness.worker().set_config(&configs[0]);
            let mut task = harness.new_task().unwrap();
            task.start(&configs[0]).unwrap();
            let comes = wait_until(PATIENCE, || !task.poll().unwrap().bytes().is_empty());
            assert!(comes, "{query:?}");
            task.stop().unwrap();
            connector.stop().unwrap();
        }
    }
}

#[test]
fn a_table_that_goes_does_not_take_the_others_with_it() {
    for database in databases() {
        for table in ["a", "b"] {
            database.query(&format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY)"));
        }
        database.query("INSERT INTO a VALUES (1); SELECT 1");
        let mut harness = started(
            &database,
            &[("mode", "incrementing"), ("incrementing.column.name", "id")],
        );
        assert_eq!(ids(&next(&mut harness, 1)), [1]);
        database.query("DROP TABLE a");
        for id in 2..5 {
            database.query(&format!("INSERT INTO b VALUES ({id}); SELECT 1"));
            assert_eq!(ids(&next(&mut harness, 1)), [id]);
        }
        // It comes back, and is read on.
        database.query("CREATE TABLE a (id BIGINT PRIMARY KEY); INSERT INTO a VALUES (7); SELECT 1");
        assert_eq!(ids(&next(&mut harness, 1)), [7]);
        harness.stop().unwrap();
    }
}

#[test]
fn a_database_that_comes_late_is_found_soon() {
    let Some((mut server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT)");
    server.kill().unwrap();
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    connector
        .start(&settings(&database, &[("mode", "bulk")]))
        .unwrap();
    let waiting = std::thread::spawn(move || {
        let configs = connector.task_configs(1);
        connector.stop().unwrap();
        configs
    });
    // Several looks have failed by then.
    std::thread::sleep(Duration::from_secs(2));
    server.restart().unwrap();
    let restarted = Instant::now();
    assert_eq!(waiting.join().unwrap().unwrap().len(), 1);
    assert!(
        restarted.elapsed() < Duration::from_secs(20),
        "{:?}",
        restarted.elapsed()
    );
    assert!(harness.worker().raised_errors().is_empty());
}

#[test]
fn what_cannot_heal_fails_the_connector() {
    let Some((_server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT); CREATE SCHEMA other; CREATE TABLE other.t (id BIGINT)");
    let nobody = database.url().replace("user=wharf", "user=nobody");
    for (more, said) in [
        (
            ("connection.url", nobody.as_str()),
            "role \"nobody\" does not exist",
        ),
        (
            ("schema.pattern", "%"),
            "tables other.t and public.t have one name",
        ),
    ] {
        let harness = SourceHarness::new(plugin_module(), SOURCE);
        let mut connector = harness.plugin().connector().unwrap();
        connector
            .start(&settings(&database, &[("mode", "bulk"), more]))
            .unwrap();
        let error = connector.task_configs(1).unwrap_err();
        assert!(!error.is_retriable() && error.message().contains(said), "{error}");
        assert!(wait_until(PATIENCE, || !harness
            .worker()
            .raised_errors()
            .is_empty()));
        let raised = harness.worker().raised_errors();
        assert!(
            raised.len() == 1 && raised[0].message().contains(said),
            "{raised:?}"
        );
        connector.stop().unwrap();
    }
}

#[test]
fn a_second_table_of_one_name_that_comes_later_is_told_in_the_status() {
    let Some((_server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT); CREATE SCHEMA other");
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    let more = [
        ("mode", "bulk"),
        ("schema.pattern", "%"),
        ("table.poll.interval.ms", "100"),
    ];
    connector.start(&settings(&database, &more)).unwrap();
    let before = connector.task_configs(1).unwrap();
    assert!(harness.worker().raised_errors().is_empty());
    database.query("CREATE TABLE other.t (id BIGINT)");
    assert!(wait_until(PATIENCE, || !harness
        .worker()
        .raised_errors()
        .is_empty()));
    let raised = harness.worker().raised_errors();
    assert!(raised[0].message().contains("have one name"), "{raised:?}");
    // What is being read goes on.
    assert_eq!(connector.task_configs(1).unwrap(), before);
    connector.stop().unwrap();
}

#[test]
fn tables_are_looked_for_with_the_password_of_the_moment() {
    let Some((_server, database)) = own_server() else {
        return;
    };
    database.query("CREATE TABLE t (id BIGINT)");
    let right = settings(&database, &[("mode", "bulk"), ("table.poll.interval.ms", "100")]);
    let mut of_start = right.clone();
    let nobody = database.url().replace("user=wharf", "user=nobody");
    of_start.insert("connection.url".to_owned(), nobody);
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    harness.worker().set_config(&right);
    connector.start(&of_start).unwrap();
    assert_eq!(connector.task_configs(2).unwrap().len(), 1);
    connector.stop().unwrap();
}

/// A view of so many rows of which one cannot be had: it says that it was cancelled, as a hot standby does.
fn breaks_off(database: &Database, rows: i64) {
    database.query(
        "CREATE FUNCTION cancelled() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001', \
         MESSAGE = 'canceling statement due to conflict with recovery'; END $$",
    );
    database.query(&format!(
        "CREATE VIEW v AS SELECT CASE WHEN n < {rows} THEN n ELSE cancelled() END AS id FROM generate_series(0, {rows}::bigint) n"
    ));
}

#[test]
fn a_read_in_bulk_that_never_gets_to_its_end_is_given_up() {
    for (retries, breaks) in [("1", 2), ("-1", 6)] {
        let Some(database) = postgres() else { return };
        breaks_off(&database, 3_000);
        let more = [
            ("mode", "bulk"),
            ("table.types", "VIEW"),
            ("query.retry.attempts", retries),
        ];
        let mut harness = started(&database, &more);
        let mut rows = 0;
        let error = loop {
            match harness.poll() {
                Ok(records) => rows += records.len(),
                Err(error) => break error,
            }
        };
        let whole = format!("{error:#}");
        assert!(
            whole.contains(&format!("broken off {breaks} times")) && whole.contains("conflict with recovery"),
            "{whole}"
        );
        assert!(!error.is_retriable());
        assert_eq!(rows, 3_000 * breaks);
        harness.stop().unwrap();
    }
}

#[test]
fn a_bulk_read_whose_connection_is_cut_after_its_last_row_is_not_begun_anew() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT); INSERT INTO t SELECT generate_series(1, 10)");
    let url = format!("{}&ApplicationName=cut_at_the_end", database.url());
    let more = [
        ("connection.url", url.as_str()),
        ("mode", "bulk"),
        ("batch.max.rows", "1"),
        ("poll.interval.ms", "3600000"),
    ];
    let mut harness = started(&database, &more);
    let mut found = ids(&harness.poll().unwrap());
    assert_eq!(found, [1]);
    // The server has sent all rows, and nobody takes them.
    let of_task =
        "FROM pg_stat_activity WHERE application_name = 'cut_at_the_end' AND state = 'idle in transaction'";
    let waits = || database.lines(&format!("SELECT count(*) {of_task}")) == ["1"];
    assert!(wait_until(PATIENCE, waits));
    let cut = format!("SELECT count(pg_terminate_backend(pid)) {of_task}");
    assert_eq!(database.lines(&cut), ["1"]);
    wait_until(PATIENCE, || {
        found.extend(ids(&harness.poll().unwrap()));
        found.len() >= 10
    });
    // Another try would come after half a second.
    for _ in 0..2 {
        found.extend(ids(&harness.poll().unwrap()));
    }
    assert_eq!(found, (1..=10).collect::<Vec<i64>>());
    harness.stop().unwrap();
}

#[test]
fn a_read_that_gives_no_row_in_time_names_the_index_that_is_missing() {
    let Some(database) = postgres() else { return };
    database.query("CREATE VIEW v AS SELECT 1::bigint AS id, pg_sleep(600)::text AS slept");
    let more = [
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("validate.non.null", "false"),
        ("table.types", "VIEW"),
        ("wharf.statement.timeout.ms", "500"),
        ("query.retry.attempts", "0"),
    ];
    let mut harness = started(&database, &more);
    let error = harness.poll_for(1).unwrap_err();
    let whole = format!("{error:#}");
    assert!(
        whole.contains("make an index on (\"id\")") && whole.contains("wharf.statement.timeout.ms"),
        "{whole}"
    );
    harness.stop().unwrap();
}

#[test]
fn instants_and_what_clocks_show_are_compared_as_instants() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT, changed TIMESTAMPTZ, made TIMESTAMP NOT NULL)");
    // In Berlin it is 10:00 an hour before it is 10:00 in UTC.
    database.query(
        "INSERT INTO t VALUES (1, '2026-01-01 08:30:00+00', '2026-01-01 00:00:00'), (2, NULL, '2026-01-01 10:00:00'), \
         (3, '2026-01-01 09:30:00+00', '2026-01-01 00:00:00')",
    );
    let more = [
        ("mode", "timestamp"),
        ("timestamp.column.name", "changed,made"),
        ("db.timezone", "Europe/Berlin"),
    ];
    let mut harness = started(&database, &more);
    let records = next(&mut harness, 3);
    assert_eq!(ids(&records), [1, 2, 3]);
    harness.acknowledge(&records[..2]);
    harness.stop().unwrap();
    harness.start(&settings(&database, &more)).unwrap();
    assert_eq!(ids(&next(&mut harness, 1)), [3]);
    harness.stop().unwrap();
}

#[test]
fn a_domain_has_the_scale_that_it_was_made_with() {
    let Some(database) = postgres() else { return };
    let Database::Postgres { url, schema } = &database else {
        unreachable!()
    };
    postgres_query(
        url,
        &format!(
            "SET search_path TO {schema}; CREATE DOMAIN price AS numeric(10, 2); CREATE DOMAIN net AS price; \
             CREATE DOMAIN free AS numeric; CREATE TABLE t (a price, b net, c free); INSERT INTO t VALUES (1.5, 2.25, 3)"
        ),
    );
    let mut harness = started(&database, &[("mode", "bulk")]);
    let record = next(&mut harness, 1).remove(0);
    let scales = ["a", "b", "c"].map(|name| match field(&record, name) {
        Value::Decimal(number) => number.scale(),
        other => panic!("{other:?}"),
    });
    assert_eq!(scales, [2, 2, 127]);
    harness.stop().unwrap();
}

#[test]
fn infinity_and_the_end_of_a_day_come_through_as_they_were() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT, at TIMESTAMP, until TIMESTAMPTZ, closes TIME)");
    database.query("INSERT INTO t VALUES (1, '-infinity', 'infinity', '24:00'), (2, '2026-01-01', '2026-01-01 00:00+00', '00:00')");
    database.query("CREATE TABLE copy (LIKE t)");
    let mut harness = started(
        &database,
        &[
            ("mode", "bulk"),
            ("table.whitelist", "t"),
            ("poll.interval.ms", "60000"),
        ],
    );
    let mut sink = database.sink(&[("table.name.format", "copy"), ("batch.size", "1")]);
    let records: Vec<Record> = next(&mut harness, 2)
        .into_iter()
        .zip(0..)
        .map(|(record, offset)| Record::sink("t", 0, offset).with_value(record.value_schema, record.value))
        .collect();
    sink.put(&records).unwrap();
    let rows = |table: &str| database.lines(&format!("SELECT * FROM {table} ORDER BY id"));
    assert_eq!(rows("copy"), rows("t"));
    assert!(rows("copy")[0].starts_with("1|-infinity|infinity|24:00"));
    harness.stop().unwrap();
}

#[test]
fn rows_at_minus_infinity_are_the_first_and_come_once() {
    let Some(database) = postgres() else { return };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, at TIMESTAMP NOT NULL)");
    database
        .query("INSERT INTO t VALUES (1, '-infinity'), (2, '-infinity'), (3, '2026-01-01'), (4, 'infinity')");
    let more = [
        ("mode", "timestamp+incrementing"),
        ("timestamp.column.name", "at"),
        ("incrementing.column.name", "id"),
        ("batch.max.rows", "1"),
    ];
    let mut harness = started(&database, &more);
    let records = next(&mut harness, 3);
    assert_eq!(ids(&records), [1, 2, 3]);
    assert!(harness.poll().unwrap().is_empty());
    harness.acknowledge(&records[..1]);
    harness.stop().unwrap();
    harness.start(&settings(&database, &more)).unwrap();
    assert_eq!(ids(&next(&mut harness, 2)), [2, 3]);
    harness.stop().unwrap();
}
