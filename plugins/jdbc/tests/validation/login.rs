//! Whether the database lets us in: who is told what when it does not, and when it is not asked.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::{Value, json};
use wharf_e2e::Stage;
use wharf_testkit::config;

use super::common::source::settings;
use super::common::{mysql, own_server};
use super::{BEARABLE, assert_one, of_both, of_sink, of_source};

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
    let url = format!("jdbc:mysql://127.0.0.1:{port}/d?connectTimeout=1000");
    let began = Instant::now();
    for found in of_both(&[("connection.url", &url)]) {
        assert_one(
            &found,
            "connection.url",
            "the server has not answered in time",
            &url,
        );
    }
    assert!(began.elapsed() < BEARABLE, "{:?}", began.elapsed());
}

#[test]
fn a_server_that_says_nothing_leaves_time_for_the_next_one() {
    let Some(database) = mysql() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("//{},", listener.local_addr().unwrap());
    database.query("CREATE TABLE a (id BIGINT)");
    let url = format!("{}&connectTimeout=7000", database.url().replace("//", &silent));
    let more = [
        ("connection.url", url.as_str()),
        ("mode", "incrementing"),
        ("incrementing.column.name", "nr"),
    ];
    let found = of_source(&settings(&database, &more));
    // The next one has been asked.
    assert_one(&found, "incrementing.column.name", "a has no column 'nr'", &url);
}

#[test]
fn a_database_that_has_no_room_is_not_the_configurations_fault() {
    if let Some((_server, database)) = own_server() {
        database.query("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0");
        let url = database.url();
        for found in of_both(&[("connection.url", &url), ("connection.user", "crowded")]) {
            assert_eq!(found, []);
        }
    }
    if let Some(database) = mysql() {
        let url = database.url();
        database.query(
            "CREATE OR REPLACE USER crowded WITH MAX_CONNECTIONS_PER_HOUR 1; GRANT ALL ON *.* TO crowded",
        );
        // The first one of them is let in.
        for found in of_both(&[("connection.url", &url), ("connection.user", "crowded")]) {
            assert_eq!(found, []);
        }
    }
}

#[test]
fn without_outside_effects_the_text_alone_is_looked_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("jdbc:postgresql://{}/d", listener.local_addr().unwrap());
    let secured = format!("{url}?sslmode=verify-full&sslrootcert=/no/such.pem");
    let refused = format!("{url}?sslfactory=a.b.C");
    for (url, part) in [
        (url.as_str(), None),
        (secured.as_str(), None),
        ("jdbc:sqlite:/no/such/folder/a.db", None),
        (refused.as_str(), Some("sslfactory")),
    ] {
        for found in of_both(&[("connection.url", url), ("wharf.validate.offline", "true")]) {
            match part {
                None => assert_eq!(found, [], "{url}"),
                Some(part) => assert_one(&found, "connection.url", part, &url),
            }
        }
    }
    // Nobody has come.
    let came = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(came, Err(std::io::ErrorKind::WouldBlock));
    for found in of_both(&[("connection.url", &secured)]) {
        assert_one(&found, "connection.url", "sslrootcert=/no/such.pem", &secured);
    }
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
