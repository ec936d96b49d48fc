//! What validation asks the database: tables, columns, a query, whether it lets us in; and that it holds nobody.

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::source::{SOURCE, settings};
use common::{Database, SINK, databases, mysql, own_server};
use serde_json::{Value, json};
use wharf_api::ConfigMap;
use wharf_e2e::Stage;
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
fn tables_and_columns_that_are_not_there_are_named_under_their_keys() {
    const COUNTS: (&str, &str) = ("mode", "incrementing");
    const CHANGES: (&str, &str) = ("mode", "timestamp");
    const A: (&str, &str) = ("table.whitelist", "a");
    for database in databases() {
        with_tables(&database);
        for (more, key, part) in [
            (
                vec![("mode", "bulk"), ("table.whitelist", "a,nosuch,b,other")],
                "table.whitelist",
                "there is no table nosuch, other that this user may read",
            ),
            (
                vec![("mode", "bulk"), ("table.include.list", ".*[ab],.*nosuch")],
                "table.include.list",
                "that matches .*nosuch",
            ),
            (
                vec![COUNTS, A, ("incrementing.column.name", "nr")],
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
            // What is left out need not be there.
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
fn a_database_that_cannot_be_reached_is_an_error_of_its_url() {
    // Nobody listens there: the port is taken, and given back.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (url, place) in [
        (
            format!("jdbc:postgresql://127.0.0.1:{port}/d"),
            format!("database d at 127.0.0.1:{port}"),
        ),
        (
            format!("jdbc:mysql://127.0.0.1:{port}/d"),
            format!("database d at 127.0.0.1:{port}"),
        ),
        (
            format!("jdbc:sqlserver://127.0.0.1:{port};databaseName=d"),
            format!("127.0.0.1:{port}"),
        ),
        (
            "jdbc:sqlite:/no/such/folder/a.db".to_owned(),
            "/no/such/folder".to_owned(),
        ),
    ] {
        // Tries are for tasks.
        let more = [
            ("connection.url", url.as_str()),
            ("connection.user", "me"),
            ("connection.password", "s3cret"),
            ("connection.attempts", "100"),
        ];
        let began = Instant::now();
        for found in of_both(&more) {
            assert_one(&found, "connection.url", "Could not connect to database. ", &url);
            assert!(
                found[0].1.contains(&place) && !found[0].1.contains("s3cret"),
                "{found:?}"
            );
        }
        assert!(began.elapsed() < BEARABLE, "{:?}", began.elapsed());
    }
}

#[test]
fn a_server_that_says_nothing_holds_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["postgresql", "mysql"] {
        let url = format!("jdbc:{scheme}://127.0.0.1:{port}/d");
        let began = Instant::now();
        let source = config([
            ("mode", "bulk"),
            ("topic.prefix", "db-"),
            ("connection.url", &url),
        ]);
        let found = of_source(&source);
        assert_one(&found, "connection.url", "no answer within 5 seconds", &url);
        assert!(began.elapsed() < BEARABLE, "{:?}", began.elapsed());
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
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let began = Instant::now();
    let more = [("mode", "incrementing"), ("table.whitelist", "nosuch")];
    assert_eq!(of_source(&settings(database, &more)), []);
    assert!(began.elapsed() < BEARABLE, "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(of_source(&settings(database, &more)).len(), 1);
}

#[test]
fn who_is_not_let_in_is_an_error_of_the_login() {
    if let Some((_server, database)) = own_server() {
        let url = database.url();
        for found in of_both(&[("connection.url", &url), ("connection.user", "nobody")]) {
            assert_one(&found, "connection.user", "role \"nobody\" does not exist", &url);
        }
        let gone = url.replace("/postgres?", "/nosuch?");
        assert_ne!(gone, url);
        for found in of_both(&[("connection.url", &gone)]) {
            assert_one(
                &found,
                "connection.url",
                "database \"nosuch\" does not exist",
                &url,
            );
        }
    }
    if let Some(database) = mysql() {
        let url = database.url();
        database.query("CREATE OR REPLACE USER guarded IDENTIFIED BY 'right'");
        let login = |password| {
            [
                ("connection.url", url.as_str()),
                ("connection.user", "guarded"),
                ("connection.password", password),
            ]
        };
        for found in of_both(&login("wr0ng")) {
            assert_one(
                &found,
                "connection.password",
                "Access denied for user 'guarded'",
                &url,
            );
            assert!(!found[0].1.contains("wr0ng"), "{found:?}");
        }
        // The user may not see the database, which is another matter.
        for found in of_both(&login("right")) {
            assert_one(
                &found,
                "connection.user",
                "Access denied for user 'guarded'",
                &url,
            );
        }
    }
}

#[test]
fn the_database_is_not_asked_about_what_is_wrong_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("jdbc:postgresql://{}/d", listener.local_addr().unwrap());
    let refused = format!("{url}?sslfactory=a.b.C");
    for (more, key) in [
        (
            vec![("connection.url", url.as_str()), ("insert.mode", "upsert")],
            "pk.mode",
        ),
        (
            vec![("connection.url", &url), ("delete.enabled", "true")],
            "delete.enabled",
        ),
        (vec![("connection.url", &refused)], "connection.url"),
    ] {
        let found = of_sink(&config(more.clone()));
        assert_one(&found, key, "", &more);
    }
    for (more, key) in [
        (
            vec![("connection.url", url.as_str()), ("mode", "timestamp")],
            "timestamp.column.name",
        ),
        (
            vec![
                ("connection.url", &url),
                ("mode", "bulk"),
                ("transaction.isolation.mode", "SQL_SERVER_SNAPSHOT"),
            ],
            "transaction.isolation.mode",
        ),
        (
            vec![("connection.url", &refused), ("mode", "bulk")],
            "connection.url",
        ),
    ] {
        let found = of_source(&config(more.clone()));
        assert_one(&found, key, "", &more);
    }
    // Nobody has come.
    let came = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(came, Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn the_one_table_of_a_sink_has_to_be_there_unless_it_is_made() {
    for database in databases() {
        let url = database.url();
        let of = |more: &[(&str, &str)]| {
            let all = [&[("connection.url", url.as_str())], more].concat();
            of_sink(&config(all))
        };
        let fixed = ("table.name.format", "there");
        // A file that is not there yet, too.
        assert_one(
            &of(&[fixed]),
            "table.name.format",
            "Table there is missing and auto-creation is disabled",
            &url,
        );
        for more in [
            vec![],
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
        assert_eq!(of(&[("table.name.format", "gone")]).len(), 1);
    }
}

#[test]
fn a_connector_is_not_made_whose_database_is_away() {
    let Some(stage) = Stage::set_up("jdbc-away") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (class, more) in [("JdbcSource", ("mode", "bulk")), ("JdbcSink", ("topics", "t"))] {
        let name = stage.named(class);
        let mut config = json!({
            "connector.class": class, "connection.url": format!("jdbc:postgresql://127.0.0.1:{port}/d"),
        });
        config[more.0] = more.1.into();
        let body = json!({"name": name, "config": config});
        let answer = worker.call("POST", "/connectors", Some(&body), 400);
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.contains("contains the following 1 error(s)")
                && message.contains(&format!(
                    "Could not connect to database. connecting to PostgreSQL database d at 127.0.0.1:{port}"
                )),
            "{message}"
        );
        config["name"] = name.as_str().into();
        let answer = worker.call(
            "PUT",
            &format!("/connector-plugins/{class}/config/validate"),
            Some(&config),
            200,
        );
        assert_eq!(answer["error_count"], 1, "{answer}");
        let url = answer["configs"].as_array().unwrap().iter();
        let url = url
            .map(|config| &config["value"])
            .find(|value| value["name"] == "connection.url");
        let said: Vec<&Value> = url
            .and_then(|value| value["errors"].as_array())
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(said.len(), 1, "{answer}");
    }
    assert_eq!(worker.get("/connectors"), json!([]));
}
