//! Source and sink for SQL Server, run through the border against a program that speaks its protocol: no server was to be had. What is
//! shown is the way of statements, rows and errors, and not what a server makes of them.

mod common;
#[path = "common/sqlserver.rs"]
#[allow(dead_code, reason = "other tests ask for more")]
mod fake;

use std::sync::Mutex;

use common::source::{SOURCE, field};
use common::{SINK, Schemas};
use fake::{Server, Value as Sent, done, error, login_ack, number, rows, texts};
use wharf_api::{TopicPartition, Value};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::{SinkHarness, SourceHarness, config};

/// What the catalogue says of a column: its type, and whether it counts.
fn described(name: &'static str, type_id: i32, counts: i32) -> [Sent<'static>; 8] {
    let number = |number| Sent::Number(Some(number));
    [
        Sent::Text(name),
        number(0),
        number(type_id),
        number(0),
        number(0),
        number(counts),
        Sent::Number(None),
        Sent::Text(""),
    ]
}

#[test]
fn rows_of_a_table_become_records() {
    let server = Server::start(login_ack(), |sql| {
        let columns = [described("id", 56, 1), described("name", 231, 0)];
        let row = |id, name| [Sent::Number(Some(id)), Sent::Text(name)];
        let found = [row(1, "a"), row(2, "grüße")];
        Some(match sql {
            _ if sql.contains("DB_NAME()") => texts(&[&["shop"]]),
            _ if sql.contains("sys.objects") => {
                texts(&[&["d,o", "orders", "TABLE"], &["d,o", "seen", "VIEW"]])
            }
            _ if sql.contains("is_primary_key") => texts(&[&["id"]]),
            _ if sql.contains("dm_exec_describe_first_result_set") => {
                rows(&columns[0], &[&columns[0], &columns[1]])
            }
            _ if sql.contains("WHERE [id] > -1 ") => rows(&found[0], &[&found[0], &found[1]]),
            _ if sql.contains("WHERE [id] > ") => rows(&found[0], &[]),
            _ => done(0),
        })
    });
    let mut source = SourceHarness::new(plugin_module(), SOURCE);
    source
        .start(&config([
            ("connection.url", server.url().as_str()),
            ("connection.user", "sa"),
            ("topic.prefix", "db-"),
            ("mode", "incrementing"),
            ("poll.interval.ms", "10"),
        ]))
        .unwrap();
    let records = source.poll_for(2).unwrap();
    let read: Vec<_> = records
        .iter()
        .map(|record| (field(record, "id").clone(), field(record, "name").clone()))
        .collect();
    assert_eq!(
        read,
        [
            (Value::Int32(1), Value::from("a")),
            (Value::Int32(2), Value::from("grüße"))
        ]
    );
    assert_eq!(records[0].topic, "db-orders");
    source.stop().unwrap();
    let asked = server.asked();
    let select = "SELECT [id], [name] FROM [shop].[d,o].[orders] WHERE [id] > -1 ORDER BY [id] ASC";
    assert!(asked.iter().any(|sql| sql == select), "{asked:#?}");
    assert!(
        asked
            .iter()
            .any(|sql| sql == "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    );
}

#[test]
fn a_row_that_ends_the_transaction_is_left_out_and_the_others_are_written_again() {
    let written = Mutex::new(0);
    let server = Server::start(login_ack(), move |sql| {
        Some(match sql {
            _ if sql.contains("sys.columns AS c LEFT JOIN") => {
                texts(&[&["id", "bigint"], &["name", "int"], &["amount", "int"]])
            }
            _ if sql.contains("sys.indexes") => texts(&[&["pk", "id"]]),
            // The trigger of the row, or its text that is no number.
            _ if sql.contains("MERGE") && sql.contains("bad") => error(
                245,
                16,
                "Conversion failed when converting the nvarchar value 'bad' to data type int.",
            ),
            _ if sql.contains("MERGE") => {
                *written.lock().unwrap() += 1;
                done(0)
            }
            _ if sql.contains("XACT_STATE") => number(0),
            _ => done(0),
        })
    });
    let mut sink = SinkHarness::new(plugin_module(), SINK);
    sink.worker().set_tolerates_errors(true);
    let settings = config([
        ("connection.url", server.url().as_str()),
        ("connection.user", "sa"),
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("linger.ms", "0"),
    ]);
    sink.start(&settings, &[TopicPartition::new("t", 0)]).unwrap();
    let schemas = Schemas::default();
    sink.put(&[
        schemas.record(0, 1, Some("1"), None),
        schemas.record(1, 2, Some("bad"), Some(5)),
        schemas.record(2, 3, Some("3"), None),
    ])
    .unwrap();
    let reports = sink.worker().reports();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0.offset, 1);
    assert!(reports[0].1.message().contains("[245]"), "{}", reports[0].1);
    assert_eq!(sink.pre_commit().unwrap()[&TopicPartition::new("t", 0)], 3);
    let asked = server.asked();
    let of_interest = ["BEGIN", "COMMIT", "SAVE", "IF "];
    let steps: Vec<&str> = asked
        .iter()
        .map(String::as_str)
        .filter_map(
            |sql| match of_interest.iter().find(|word| sql.starts_with(**word)) {
                Some(word) => Some(word.trim()),
                None => sql.contains("MERGE").then_some("MERGE"),
            },
        )
        .collect();
    assert_eq!(
        steps,
        [
            // All at once, in lists of two and one; the first is refused and taken back.
            "BEGIN", "MERGE", "IF", //
            // One after the other, until the second is refused and the transaction is gone.
            "BEGIN", "SAVE", "MERGE", "MERGE", "IF", //
            // Again, without it.
            "BEGIN", "SAVE", "MERGE", "MERGE", "COMMIT",
        ],
        "{asked:#?}"
    );
    let merge = asked.iter().find(|sql| sql.contains("MERGE")).unwrap();
    assert!(
        merge.contains("MERGE INTO [dbo].[t] WITH (HOLDLOCK) AS target USING (VALUES"),
        "{merge}"
    );
}
