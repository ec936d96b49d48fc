//! Change events of a Debezium topic, through `ExtractNewRecordState` into tables, in a real worker with a real broker.

mod common;

use common::databases;
use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, ToWrite};
use wharf_test_services::process::wait_until;

fn row(field: Option<&str>) -> Value {
    let mut schema = json!({"type": "struct", "name": "shop.items.Value", "optional": true, "fields": [
        {"field": "id", "type": "int64"},
        {"field": "name", "type": "string", "optional": true}
    ]});
    if let Some(field) = field {
        schema["field"] = field.into();
    }
    schema
}

/// What JsonConverter writes for a change of the row with this id, from one name to another.
fn event(op: &str, id: i64, before: Option<&str>, after: Option<&str>) -> ToWrite {
    let of = |name: Option<&str>| name.map(|name| json!({"id": id, "name": name}));
    let value = json!({
        "schema": {"type": "struct", "name": "shop.items.Envelope", "fields": [
            row(Some("before")), row(Some("after")),
            {"field": "source", "type": "struct", "name": "source", "fields": [
                {"field": "ts_ms", "type": "int64"}, {"field": "db", "type": "string"}
            ]},
            {"field": "op", "type": "string"},
            {"field": "ts_ms", "type": "int64", "optional": true}
        ]},
        "payload": {
            "before": of(before), "after": of(after), "source": {"ts_ms": 1000 + id, "db": "shop"}, "op": op, "ts_ms": 2000
        }
    });
    ToWrite {
        value: Some(value.to_string().into_bytes()),
        ..tombstone(id)
    }
}

fn tombstone(id: i64) -> ToWrite {
    let key = json!({
        "schema": {"type": "struct", "name": "shop.items.Key", "fields": [{"field": "id", "type": "int64"}]},
        "payload": {"id": id}
    });
    ToWrite {
        key: Some(key.to_string().into_bytes()),
        ..ToWrite::default()
    }
}

/// All kinds of them: a snapshot, changes, a delete with its tombstone, a truncation.
fn events() -> Vec<ToWrite> {
    vec![
        event("r", 1, None, Some("one")),
        event("c", 2, None, Some("two")),
        event("c", 3, None, Some("three")),
        event("u", 1, Some("one"), Some("uno")),
        event("d", 2, Some("two"), None),
        tombstone(2),
        event("t", 0, None, None),
        event("c", 4, None, Some("four")),
        event("d", 4, Some("four"), None),
        tombstone(4),
        event("c", 4, None, Some("again")),
    ]
}

fn sink(url: &str, topic: &str, table: &str, more: &Value) -> Value {
    let mut config = json!({
        "connector.class": "JdbcSink", "topics": topic, "connection.url": url, "table.name.format": table,
        "insert.mode": "upsert", "pk.mode": "record_key", "auto.create": "true",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "transforms": "unwrap", "transforms.unwrap.add.fields": "op,source.ts_ms"
    });
    let more = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    config
}

#[test]
fn a_table_follows_the_events_of_another_with_its_deletes_or_with_marks_for_them() {
    for (index, database) in databases().into_iter().enumerate() {
        let Some(stage) = Stage::set_up(&format!("change-events-{index}")) else {
            return;
        };
        let (follower, marker, topic) = (
            stage.named("follower"),
            stage.named("marker"),
            stage.named("items"),
        );
        stage.kafka().create_topic(&topic, 1, &[]);
        stage.kafka().write_records(&topic, events());
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        let deletes = json!({
            "delete.enabled": "true",
            "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState"
        });
        worker.create(&follower, sink(&database.url(), &topic, "follower", &deletes));
        let marks = json!({
            // Its short name, as of any class.
            "transforms.unwrap.type": "ExtractNewRecordState",
            "transforms.unwrap.delete.tombstone.handling.mode": "rewrite"
        });
        worker.create(&marker, sink(&database.url(), &topic, "marker", &marks));
        let end = i64::try_from(events().len()).unwrap();
        for name in [&follower, &marker] {
            let group = format!("connect-{name}");
            let is_done = || stage.kafka().committed(&group).get(&(topic.clone(), 0)) == Some(&end);
            assert!(wait_until(PATIENCE, is_done), "{}", worker.log());
        }
        assert_eq!(
            database.lines("SELECT id, name, __op, __source_ts_ms FROM follower ORDER BY id"),
            ["1|uno|u|1001", "3|three|c|1003", "4|again|c|1004"]
        );
        assert_eq!(
            database.lines("SELECT id, name, __op, __deleted FROM marker ORDER BY id"),
            [
                "1|uno|u|false",
                "2|two|d|true",
                "3|three|c|false",
                "4|again|c|false"
            ]
        );
        assert_eq!(worker.terminate(), Some(143));
    }
}
