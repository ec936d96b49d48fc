//! Whatever the order of writes and deletes, of shapes and of batches: the table is as if each record had been written by itself.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Database, Schemas, databases};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wharf_api::{Record, Schema, SchemaBuilder, Struct};

/// What happens to a row.
#[derive(Debug, Clone)]
enum Change {
    /// Name and amount.
    Both(Option<i32>),
    /// The amount alone, by a schema without a name.
    Amount(i32),
    Delete,
}

fn changes() -> impl Strategy<Value = Vec<Vec<(i64, Change)>>> {
    let change = prop_oneof![
        proptest::option::of(0..9_i32).prop_map(Change::Both),
        (10..19_i32).prop_map(Change::Amount),
        Just(Change::Delete),
    ];
    let batch = proptest::collection::vec((0..4_i64, change), 0..12);
    proptest::collection::vec(batch, 1..4)
}

fn check(database: &Database, batches: &[Vec<(i64, Change)>]) {
    database.query("DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, amount INT)");
    let mut sink = database.sink(&[
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("delete.enabled", "true"),
        ("batch.size", "5"),
    ]);
    let schemas = Schemas::default();
    let narrow = SchemaBuilder::structure()
        .field("amount", Schema::int32())
        .build()
        .unwrap();
    let mut rows: BTreeMap<i64, (String, String)> = BTreeMap::new();
    let mut offset = 0;
    for batch in batches {
        let mut records: Vec<Record> = Vec::new();
        for (id, change) in batch {
            let text = |number: Option<i32>| number.map_or("NULL".to_owned(), |number| number.to_string());
            records.push(match change {
                Change::Both(amount) => {
                    let name = format!("n{offset}");
                    let record = schemas.record(offset, *id, Some(&name), *amount);
                    rows.insert(*id, (name, text(*amount)));
                    record
                }
                Change::Amount(amount) => {
                    let mut value = Struct::new(Arc::clone(&narrow)).unwrap();
                    value.put("amount", *amount).unwrap();
                    rows.entry(*id)
                        .or_insert_with(|| ("NULL".to_owned(), String::new()))
                        .1 = text(Some(*amount));
                    schemas
                        .tombstone(offset, *id)
                        .with_value(Some(Arc::clone(&narrow)), value)
                }
                Change::Delete => {
                    rows.remove(id);
                    schemas.tombstone(offset, *id)
                }
            });
            offset += 1;
        }
        sink.put(&records).unwrap();
    }
    let expected: Vec<String> = rows
        .iter()
        .map(|(id, (name, amount))| format!("{id}|{name}|{amount}"))
        .collect();
    assert_eq!(
        database.lines("SELECT id, name, amount FROM t ORDER BY id"),
        expected
    );
}

#[test]
fn a_table_is_as_if_each_record_had_been_written_by_itself() {
    for database in databases() {
        let cases = database.of(200, 60, 20);
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        runner
            .run(&changes(), |batches| {
                check(&database, &batches);
                Ok(())
            })
            .unwrap();
    }
}
