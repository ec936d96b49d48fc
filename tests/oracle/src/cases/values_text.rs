//! `Values.convertToString` and `Values.inferSchema`.

use wharf_api::{Decimal, Schema, SchemaBuilder, Value};

use super::{Table, built, fields, generated, samples, structure};
use crate::case::Call;

pub(super) fn texts(table: &mut Table) {
    let mut values = samples::values();
    let defaulted = built(fields(&[
        ("a", built(SchemaBuilder::int32().default_value(5))),
        ("b \"c\"", Schema::optional_string()),
        ("d", Schema::optional_bytes()),
    ]));
    values.push(structure(&defaulted, vec![]));
    values.push(structure(
        &defaulted,
        vec![Value::Null, "x\\\"y".into(), (&b"\x01"[..]).into()],
    ));
    for value in values {
        table.same("value", Call::Text { value: value.clone() });
        let value = Value::Array(vec![value.clone(), Value::Map(vec![(value, Value::Null)])]);
        table.same("embedded", Call::Text { value });
    }
    generated::texts(table);
}

pub(super) fn inferences(table: &mut Table) {
    let list = |items: Vec<Value>| Value::Array(items);
    let entries = |entries: Vec<(Value, Value)>| Value::Map(entries);
    let mut values = samples::values();
    values.extend([
        list(vec![Value::Null]),
        list(vec![Value::Null, 1.into()]),
        list(vec![1.into(), Value::Null, 2.into()]),
        list(vec![1.into(), 2_i64.into()]),
        list(vec![list(vec![1.into()])]),
        list(vec![list(vec![1.into()]), list(vec!["x".into()])]),
        list(vec![list(vec![])]),
        list(vec![list(vec![1.into()]), Value::Null]),
        list(vec![Value::Date(0)]),
        list(vec![Decimal::new(1, 0).into()]),
        list(vec![structure(&samples::point(), vec![1.into()])]),
        list(vec![entries(vec![("k".into(), 1.into())])]),
        entries(vec![(Value::Null, 1.into())]),
        entries(vec![("k".into(), Value::Null)]),
        entries(vec![("k".into(), Value::Null), ("l".into(), 1.into())]),
        entries(vec![("k".into(), 1.into()), (1.into(), 1.into())]),
        entries(vec![("k".into(), 1.into()), ("l".into(), "x".into())]),
        entries(vec![("k".into(), list(vec![1.into()]))]),
        entries(vec![("k".into(), Value::Date(0))]),
        entries(vec![(Value::Date(0), 1.into())]),
        entries(vec![(Value::Date(0), list(vec![Value::Null]))]),
        entries(vec![("k".into(), list(vec![Value::Null]))]),
        entries(vec![(list(vec![Value::Null]), Value::Date(0))]),
        entries(vec![("k".into(), 1.into()), (1.into(), list(vec![Value::Null]))]),
    ]);
    for value in values {
        table.same("value", Call::Infer { value });
    }
    generated::inferences(table);
}
