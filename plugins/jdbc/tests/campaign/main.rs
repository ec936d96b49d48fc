//! What the plugin promises, held against real databases, workers and a broker: values that come back as they were, rows that are
//! there after whatever was killed or cut, TLS, offsets that users set, examples that run.
//!
//! One binary for all of it: each would link clients of all databases and of Kafka again.

#[path = "../common/mod.rs"]
mod common;

mod client;
mod examples;
mod kills;
mod late_commits;
mod offsets;
mod outages;
mod postgres_tls;
mod types;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::Database;
use serde_json::{Value, json};
use wharf_e2e::{Worker, has_state, states};
use wharf_test_services::process::wait_until;

const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";
/// Longest time that anything may take before a test gives up: several steps, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first of these JSON objects with the entries of the others.
fn with(base: Value, more: &[&Value]) -> Value {
    let Value::Object(mut base) = base else {
        panic!("{base} is no object")
    };
    for entries in more {
        base.extend(entries.as_object().unwrap().clone());
    }
    Value::Object(base)
}

/// A source of this database, with values as JSON with schemas.
fn source(database: &Database, prefix: &str, more: &Value) -> Value {
    let base = json!({
        "connector.class": "JdbcSource", "connection.url": database.url(), "topic.prefix": prefix, "poll.interval.ms": "20",
        "connection.attempts": "1",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": JSON_CONVERTER
    });
    let schema = match database {
        Database::Postgres { schema, .. } => json!({"schema.pattern": schema}),
        _ => json!({}),
    };
    with(base, &[&schema, more])
}

/// A sink of a topic into this database, of values as JSON with schemas.
fn sink(database: &Database, topic: &str, table: &str, more: &Value) -> Value {
    let base = json!({
        "connector.class": "JdbcSink", "topics": topic, "connection.url": database.url(), "table.name.format": table,
        "connection.attempts": "1",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": JSON_CONVERTER
    });
    with(base, &[more])
}

/// The number that a query gives; none where it cannot be asked, since table or server are not there yet.
fn number(database: &Database, sql: &str) -> Option<i64> {
    let lines = catch_unwind(AssertUnwindSafe(|| database.lines(sql))).ok()?;
    lines.first()?.parse().ok()
}

/// Waits until a query gives this number; the connectors have to be well meanwhile.
fn until_number(worker: &Worker, connectors: &[&str], database: &Database, sql: &str, wanted: i64) {
    let mut seen = None;
    let mut failed = None;
    wait_until(PATIENCE, || {
        seen = number(database, sql);
        for name in connectors {
            let response = worker.request("GET", &format!("/connectors/{name}/status"), None);
            let status: Value = serde_json::from_str(&response.body).unwrap_or(Value::Null);
            if states(&status).contains(&"FAILED") {
                failed = Some(status);
            }
        }
        seen == Some(wanted) || failed.is_some()
    });
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(seen, Some(wanted), "{sql}");
}

/// Waits until the connector and its tasks run.
fn until_running(worker: &Worker, name: &str) {
    worker.until(
        &format!("/connectors/{name}/status"),
        &format!("{name} runs"),
        |status| has_state(status, "RUNNING"),
    );
}

/// Inserts rows `(id, 'name id')` into a table, ids from the first to before the second.
fn fill(database: &Database, table: &str, from: i64, to: i64) {
    database.query(&format!(
        "INSERT INTO {table} (id, name) WITH RECURSIVE n(x) AS (SELECT {from} UNION ALL SELECT x + 1 FROM n WHERE x < {}) \
         SELECT x, 'name ' || x FROM n; SELECT 1",
        to - 1
    ));
}

/// The id in a value as JsonConverter writes it.
fn id_of(seen: &wharf_e2e::Seen) -> i64 {
    let message: Value = serde_json::from_str(&seen.text()).unwrap();
    message["payload"]["id"].as_i64().unwrap()
}

/// What fails when it takes longer than anything may.
fn in_time(what: &str, condition: impl FnMut() -> bool) {
    assert!(wait_until(PATIENCE, condition), "{what}");
}

/// Ends the threads that look at this flag, also where a test fails that waits for them.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
