//! The source connector in a real worker, alone and in a group: what it says when nobody lets it in any more, and which password it looks for tables
//! with.

mod common;

use common::Database;
use serde_json::{Value, json};
use wharf_e2e::group::Group;
use wharf_e2e::{PATIENCE, Stage, Worker};
use wharf_test_services::process::wait_until;
use wharf_test_services::{Postgres, available};

/// A server of the test's own, with two users beside its owner.
fn server() -> Option<(Postgres, Database)> {
    let server = available(Postgres::start(&[]))?;
    let database = Database::Postgres {
        url: server.url(),
        schema: "public".to_owned(),
    };
    database.query(
        "CREATE ROLE first LOGIN; CREATE ROLE second LOGIN; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO first, second; CREATE TABLE a (id BIGINT PRIMARY KEY)",
    );
    Some((server, database))
}

fn source(database: &Database, prefix: &str, user: &str) -> Value {
    json!({
        "connector.class": "JdbcSource", "connection.url": database.url(), "connection.user": user, "mode": "incrementing",
        "incrementing.column.name": "id", "topic.prefix": prefix, "table.poll.interval.ms": "200", "poll.interval.ms": "100",
        "tasks.max": "4",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter"
    })
}

fn is_failed(worker: &Worker, name: &str) {
    let mut status = Value::Null;
    let fails = wait_until(PATIENCE, || {
        let answer = worker.request("GET", &format!("/connectors/{name}/status"), None);
        status = serde_json::from_str(&answer.body).unwrap_or_default();
        status["connector"]["state"] == "FAILED"
    });
    let trace = status["connector"]["trace"].as_str().unwrap_or_default();
    assert!(
        fails && trace.contains("role \"nobody\" does not exist"),
        "{status}\n{}",
        worker.log()
    );
}

#[test]
fn who_is_not_let_in_any_more_is_failed_in_a_group() {
    let Some((_server, database)) = server() else {
        return;
    };
    let Some(group) = Group::set_up("jdbc-nobody") else {
        return;
    };
    let worker = group.start("one");
    let name = group.stage.named("source");
    database.query("CREATE ROLE nobody LOGIN");
    worker.create(&name, source(&database, &group.stage.named(""), "nobody"));
    worker.until_states(&name, &["RUNNING"]);
    database.query("DROP ROLE nobody");
    worker.call("POST", &format!("/connectors/{name}/restart"), None, 204);
    is_failed(&worker, &name);
}

#[test]
fn tables_are_found_with_the_user_that_the_provider_names_by_now() {
    let Some((_server, database)) = server() else {
        return;
    };
    let Some(stage) = Stage::set_up("jdbc-rotated") else {
        return;
    };
    let secrets = stage.write("secrets.properties", "user=first\n");
    let worker = stage.start(
        &[
            ("config.providers", "file"),
            ("config.providers.file.class", "FileConfigProvider"),
        ],
        &[],
    );
    let name = stage.named("source");
    let user = format!("${{file:{}:user}}", secrets.display());
    worker.create(&name, source(&database, &stage.named(""), &user));
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    stage.write("secrets.properties", "user=second\n");
    database.query("ALTER ROLE first NOLOGIN; CREATE TABLE b (id BIGINT PRIMARY KEY)");
    worker.until_states(&name, &["RUNNING", "RUNNING", "RUNNING"]);
}
