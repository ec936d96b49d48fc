//! Sources under test, and their records.

#![allow(dead_code, reason = "not every test file asks for everything")]

use wharf_api::{ConfigMap, Record, Value};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::{SourceHarness, config};

use super::Database;

pub(crate) const SOURCE: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";
pub(crate) fn settings(database: &Database, more: &[(&str, &str)]) -> ConfigMap {
    let mut all = config([
        ("connection.url", database.url().as_str()),
        ("topic.prefix", "db-"),
        ("poll.interval.ms", "10"),
    ]);
    if let Database::Postgres { schema, .. } = database {
        all.insert("schema.pattern".to_owned(), schema.clone());
    }
    all.extend(
        more.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    all
}

pub(crate) fn started(database: &Database, more: &[(&str, &str)]) -> SourceHarness {
    let mut harness = SourceHarness::new(plugin_module(), SOURCE);
    harness.start(&settings(database, more)).unwrap();
    harness
}

/// A field of the record's value.
pub(crate) fn field<'r>(record: &'r Record, name: &str) -> &'r Value {
    let Value::Struct(value) = &record.value else {
        panic!("{record:?}")
    };
    value.get(name).unwrap()
}

pub(crate) fn ids(records: &[Record]) -> Vec<i64> {
    records
        .iter()
        .map(|record| match field(record, "id") {
            Value::Int64(id) => *id,
            Value::Int32(id) => (*id).into(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The rows that come next.
pub(crate) fn next(harness: &mut SourceHarness, count: usize) -> Vec<Record> {
    let records = harness.poll_for(count).unwrap();
    assert_eq!(records.len(), count);
    records
}

/// What the numbers of a row have become: `I8` to `I64`, `F` and `D`.
///
/// # Panics
/// When one is no number.
pub(crate) fn kinds(record: &Record) -> Vec<&'static str> {
    let Value::Struct(row) = &record.value else {
        panic!("{record:?}")
    };
    let kind = |value: &Value| match value {
        Value::Decimal(_) => "D",
        Value::Int8(_) => "I8",
        Value::Int16(_) => "I16",
        Value::Int32(_) => "I32",
        Value::Int64(_) => "I64",
        Value::Float64(_) => "F",
        other => panic!("{other:?}"),
    };
    row.values().iter().map(kind).collect()
}
