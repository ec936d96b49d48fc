//! What validation asks the database: tables, columns, a query, whether it lets us in; and that it holds nobody.

mod common;
#[path = "validation/login.rs"]
mod login;

use std::time::{Duration, Instant};

use common::source::{SOURCE, next, settings, started};
use common::{Database, SINK, databases};
use wharf_api::ConfigMap;
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::{SinkHarness, SourceHarness, config};

/// How long a request may take, on a machine that does other things as well.
const BEARABLE: Duration = Duration::from_secs(60);

type Errors = Vec<(String, String)>;

fn of_source(config: &ConfigMap) -> Errors {
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let values = harness.plugin().connector().unwrap().validate(config).unwrap();
    errors(values)
}

fn of_sink(config: &ConfigMap) -> Errors {
    let harness = SinkHarness::new(plugin_module(), SINK);
    let values = harness.plugin().connector().unwrap().validate(config).unwrap();
    errors(values)
}

fn errors(values: Vec<wharf_api::config::ConfigValue>) -> Errors {
    let faulty = values.into_iter().flat_map(|value| {
        let name = value.name;
        value.errors.into_iter().map(move |error| (name.clone(), error))
    });
    faulty.collect()
}

/// One error, under this key, that says this.
fn assert_one(found: &Errors, key: &str, part: &str, what: &dyn std::fmt::Debug) {
    let [(at, message)] = found.as_slice() else {
        panic!("{what:?}: {found:?}")
    };
    assert_eq!(at, key, "{what:?}: {message}");
    assert!(message.contains(part), "{what:?}: {message}");
}

/// `a` with a key and two columns that may be null, `b` with a number that is none of the database's own counting.
fn with_tables(database: &Database) {
    let timestamp = database.timestamp();
    let counted = database.of(
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGSERIAL PRIMARY KEY",
        "BIGINT PRIMARY KEY AUTO_INCREMENT",
    );
    database.query(&format!(
        "CREATE TABLE a (id {counted}, number BIGINT, name TEXT NOT NULL, changed {timestamp}, made {timestamp} NOT NULL)"
    ));
    database.query("CREATE TABLE b (id BIGINT NOT NULL)");
}

#[test]
fn columns_that_cannot_say_what_is_new_are_named_under_their_keys() {
    const COUNTS: (&str, &str) = ("mode", "incrementing");
    const CHANGES: (&str, &str) = ("mode", "timestamp");
    const A: (&str, &str) = ("table.whitelist", "a");
    for database in databases() {
        with_tables(&database);
        for (more, key, part) in [
            (
                // A table that is missing hides nothing of the others.
                vec![
                    COUNTS,
                    ("table.whitelist", "nosuch,a"),
                    ("incrementing.column.name", "nr"),
                ],
                "incrementing.column.name",
                "a has no column 'nr'; it has id, number",
            ),
            (
                vec![COUNTS, A, ("incrementing.column.name", "name")],
                "incrementing.column.name",
                "it does not hold whole numbers",
            ),
            (
                vec![COUNTS, A, ("incrementing.column.name", "number")],
                "incrementing.column.name",
                "may be NULL",
            ),
            (
                vec![COUNTS, ("table.whitelist", "a,b")],
                "incrementing.column.name",
                "b has no column that the database counts up by itself",
            ),
            (
                vec![
                    COUNTS,
                    ("table.include.list", ".*[ab]"),
                    ("incrementing.column.mapping", ".*a:id"),
                ],
                "incrementing.column.mapping",
                "no entry of incrementing.column.mapping matches table",
            ),
            (
                vec![CHANGES, A, ("timestamp.column.name", "nr")],
                "timestamp.column.name",
                "has no column 'nr'",
            ),
            (
                vec![CHANGES, A, ("timestamp.column.name", "number")],
                "timestamp.column.name",
                "it holds no timestamps",
            ),
            (
                vec![CHANGES, A, ("timestamp.column.name", "changed")],
                "timestamp.column.name",
                "may all be NULL",
            ),
            (
                vec![("mode", "bulk"), ("query", "SELECT * FROM nosuch")],
                "query",
                "the configured query is not valid",
            ),
            (
                vec![
                    COUNTS,
                    ("query", "SELECT * FROM a"),
                    ("incrementing.column.name", "nr"),
                ],
                "incrementing.column.name",
                "the query has no column 'nr'",
            ),
        ] {
            assert_one(&of_source(&settings(&database, &more)), key, part, &more);
        }
        for more in [
            vec![COUNTS, A],
            vec![
                COUNTS,
                A,
                ("incrementing.column.name", "number"),
                ("validate.non.null", "false"),
            ],
            vec![CHANGES, A, ("timestamp.column.name", "changed,made")],
            // Tables may be made after the connector, and what is left out need not be there.
            vec![("mode", "bulk"), ("table.whitelist", "a,nosuch,b,other")],
            vec![("mode", "bulk"), ("table.include.list", ".*[ab],.*nosuch")],
            vec![COUNTS, ("table.whitelist", "nosuch")],
            vec![("mode", "bulk"), ("table.blacklist", "a,nosuch")],
            vec![("mode", "bulk"), ("query", "SELECT id FROM a -- all")],
        ] {
            assert_eq!(of_source(&settings(&database, &more)), [], "{more:?}");
        }
    }
}

#[test]
fn a_masked_query_is_not_repeated() {
    for database in databases() {
        let more = [("mode", "bulk"), ("query.masked", "SELECT * FROM s3cret_table")];
        database.query("CREATE TABLE a (id INTEGER)");
        let found = of_source(&settings(&database, &more));
        assert_one(
            &found,
            "query.masked",
            "the configured query.masked is not valid",
            &more,
        );
        assert!(!found[0].1.contains("s3cret"), "{found:?}");
        database.query("CREATE TABLE b (s3cret INTEGER)");
        let more = [
            ("mode", "incrementing"),
            ("query.masked", "SELECT * FROM b"),
            ("incrementing.column.name", "nr"),
        ];
        let found = of_source(&settings(&database, &more));
        assert_one(
            &found,
            "incrementing.column.name",
            "the query has no column 'nr'",
            &more,
        );
        assert!(!found[0].1.contains("s3cret"), "{found:?}");
    }
}

#[test]
fn a_task_does_not_repeat_a_masked_query() {
    for database in databases() {
        database.query("CREATE TABLE b (s3cret INTEGER)");
        for (more, part) in [
            (
                vec![("mode", "bulk"), ("query.masked", "SELECT * FROM s3cret_table")],
                "what it says is left out (query.masked)",
            ),
            (
                vec![
                    ("mode", "incrementing"),
                    ("query.masked", "SELECT * FROM b"),
                    ("incrementing.column.name", "nr"),
                ],
                "the query has no column 'nr'",
            ),
        ] {
            let mut harness = started(&database, &more);
            let error = harness.poll_for(1).unwrap_err();
            assert!(
                error.message().contains(part) && !error.message().contains("s3cret"),
                "{error}"
            );
        }
    }
}

#[test]
fn two_columns_that_are_wrong_are_two_errors() {
    let database = &databases()[0];
    with_tables(database);
    let more = [
        ("mode", "timestamp+incrementing"),
        ("table.whitelist", "a"),
        ("incrementing.column.name", "one"),
        ("timestamp.column.name", "two"),
    ];
    let mut found = of_source(&settings(database, &more));
    found.sort();
    let keys: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        ["incrementing.column.name", "timestamp.column.name"],
        "{found:?}"
    );
}

#[test]
fn many_tables_are_not_all_told_of() {
    let database = &databases()[0];
    for number in 0..30 {
        database.query(&format!("CREATE TABLE t{number} (id INTEGER)"));
    }
    let more = [("mode", "timestamp"), ("timestamp.column.name", "changed")];
    let found = of_source(&settings(database, &more));
    assert_eq!(found.len(), 10, "{found:?}");
}

/// Both connectors with this URL, which lets neither of them in.
fn of_both(more: &[(&str, &str)]) -> [Errors; 2] {
    let mut source = config([("mode", "bulk"), ("topic.prefix", "db-")]);
    let mut sink = config([("topics", "t")]);
    for (key, value) in more {
        source.insert((*key).to_owned(), (*value).to_owned());
        sink.insert((*key).to_owned(), (*value).to_owned());
    }
    [of_source(&source), of_sink(&sink)]
}

#[test]
fn validation_changes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let states = || {
        let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
            .collect();
        all.sort();
        all
    };
    for (name, journal) in [("plain.db", "DELETE"), ("logged 100%.db", "WAL")] {
        let other = rusqlite::Connection::open(folder.path().join(name)).unwrap();
        other
            .execute_batch(&format!(
                "PRAGMA journal_mode={journal}; CREATE TABLE a (id BIGINT)"
            ))
            .unwrap();
        drop(other);
        let before = states();
        for wanted in ["WAL", "DELETE"] {
            let url = format!(
                "jdbc:sqlite:{}/{}?journal_mode={wanted}&synchronous=OFF",
                folder.path().display(),
                name
            );
            let mut source = config([
                ("mode", "incrementing"),
                ("incrementing.column.name", "nr"),
                ("topic.prefix", "db-"),
            ]);
            source.insert("connection.url".to_owned(), url.clone());
            assert_one(
                &of_source(&source),
                "incrementing.column.name",
                "a has no column 'nr'",
                &url,
            );
            let fixed = [("connection.url", url.as_str()), ("table.name.format", "a")];
            assert_eq!(of_sink(&config(fixed)), [], "{url}");
            let after = states();
            let names: Vec<&String> = after.iter().map(|(name, _)| name).collect();
            assert!(after == before, "{url}: {names:?}");
        }
    }
}

#[test]
fn what_validation_refuses_for_the_jvms_sake_runs_where_it_is_there_already() {
    let database = &databases()[0];
    database.query("CREATE TABLE t (id BIGINT, name TEXT, amount INTEGER)");
    database.query("INSERT INTO t (id) VALUES (1)");
    for more in [
        ("table.names.qualify", "false"),
        ("jdbc.credentials.provider.class", "com.example.Vault"),
    ] {
        let source = [("mode", "bulk"), more];
        assert_one(&of_source(&settings(database, &source)), more.0, more.1, &more);
        let url = database.url();
        assert_one(
            &of_sink(&config([("connection.url", url.as_str()), more])),
            more.0,
            more.1,
            &more,
        );
        let mut harness = started(database, &source);
        assert_eq!(next(&mut harness, 1).len(), 1);
        drop(harness);
        let mut sink = database.sink(&[more]);
        sink.put(&[]).unwrap();
    }
}

#[test]
fn a_file_that_others_have_locked_is_not_the_configurations_fault() {
    let database = &databases()[0];
    with_tables(database);
    let Database::Sqlite(folder) = database else {
        panic!("not the first one")
    };
    let other = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    other
        .execute_batch("BEGIN EXCLUSIVE; INSERT INTO b VALUES (1)")
        .unwrap();
    let began = Instant::now();
    let more = [("mode", "incrementing"), ("incrementing.column.name", "nr")];
    assert_eq!(of_source(&settings(database, &more)), []);
    assert!(began.elapsed() < BEARABLE, "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(of_source(&settings(database, &more)).len(), 2);
}

#[test]
fn the_one_table_of_a_sink_may_be_made_after_the_connector() {
    for database in databases() {
        let url = database.url();
        let of = |more: &[(&str, &str)]| {
            let all = [&[("connection.url", url.as_str())], more].concat();
            of_sink(&config(all))
        };
        let fixed = ("table.name.format", "there");
        // A file that is not there yet, too.
        for more in [
            vec![],
            vec![fixed],
            vec![fixed, ("auto.create", "true")],
            vec![("table.name.format", "there_${topic}")],
            vec![fixed, ("topics.to.tables.mapping", "t:other")],
        ] {
            assert_eq!(of(&more), [], "{more:?}");
        }
        if let Database::Sqlite(folder) = &database {
            let files = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files, 0, "validation has made the file");
        }
        database.query("CREATE TABLE there (id BIGINT)");
        assert_eq!(of(&[fixed]), []);
        assert_eq!(of(&[("table.name.format", "gone")]), []);
    }
}

#[test]
fn a_file_that_sqlites_own_url_names_is_left_to_the_task() {
    let database = &databases()[0];
    database.query("CREATE TABLE orders (id BIGINT)");
    let plain = database.url();
    let path = plain.trim_start_matches("jdbc:sqlite:");
    for url in [
        format!("jdbc:sqlite:file:{path}"),
        format!("jdbc:sqlite:file:{path}?mode=rw"),
        "jdbc:sqlite::memory:".to_owned(),
    ] {
        let more = [
            ("connection.url", url.as_str()),
            ("table.name.format", "orders"),
            ("auto.create", "false"),
        ];
        assert_eq!(of_sink(&config(more)), [], "{url}");
    }
}
