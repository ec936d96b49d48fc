//! `ByLogicalTableRouter`: where events go and what their schemas are called. `tests/oracle` holds the same against Debezium's class.

use std::sync::Arc;

use wharf_api::{Record, Result, Schema, SchemaBuilder, SchemaRef, Struct, Transformation as _, Value};
use wharf_change_events::ByLogicalTableRouter;

const SHARDS: [(&str, &str); 2] = [
    ("topic.regex", r"(.*)_shard(\d+)\.(.*)"),
    ("topic.replacement", "$1.$3"),
];

fn configured(more: &[(&str, &str)]) -> Result<ByLogicalTableRouter> {
    let mut made = ByLogicalTableRouter::default();
    let pairs = SHARDS.iter().chain(more);
    let config = pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    made.configure(&config)?;
    Ok(made)
}

fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    Struct::from_values(SchemaRef::clone(schema), values).into()
}

fn row(topic: &str) -> SchemaRef {
    let row = SchemaBuilder::structure()
        .name(format!("{topic}.Value"))
        .optional();
    row.field("id", Schema::int32()).build().unwrap()
}

/// An update in this topic.
fn event(topic: &str) -> Record {
    let key = SchemaBuilder::structure()
        .name(format!("{topic}.Key"))
        .field("id", Schema::int32())
        .build()
        .unwrap();
    let row = row(topic);
    let envelope = SchemaBuilder::structure()
        .name(format!("{topic}.Envelope"))
        .field("before", SchemaRef::clone(&row))
        .field("after", SchemaRef::clone(&row))
        .field("op", Schema::string())
        .build()
        .unwrap();
    let values = vec![
        structure(&row, vec![1.into()]),
        structure(&row, vec![2.into()]),
        "u".into(),
    ];
    Record::sink(topic, 0, 0)
        .with_key(Some(SchemaRef::clone(&key)), structure(&key, vec![2.into()]))
        .with_value(Some(SchemaRef::clone(&envelope)), structure(&envelope, values))
}

fn key(record: &Record) -> String {
    record.key.as_struct().unwrap().to_string()
}

#[test]
fn tables_that_belong_together_share_a_topic_and_keep_their_keys_apart() {
    let mut made = configured(&[]).unwrap();
    for topic in ["db_shard1.t", "db_shard2.t", "db_shard1.t"] {
        let routed = made.applied(event(topic)).unwrap().unwrap();
        assert_eq!(routed.topic, "db.t");
        assert_eq!(
            key(&routed),
            format!("Struct{{id=2,__dbz__physicalTableIdentifier={topic}}}")
        );
        let key_schema = routed.key_schema.unwrap();
        assert_eq!(key_schema.name(), Some("db.t.Key"));
        assert_eq!(Some(&key_schema), routed.key.as_struct().map(Struct::schema));
        let envelope = routed.value.as_struct().unwrap();
        assert_eq!(Some(envelope.schema()), routed.value_schema.as_ref());
        assert_eq!(envelope.schema().name(), Some("db.t.Envelope"));
        envelope.validate().unwrap();
        for (name, id) in [("before", 1), ("after", 2)] {
            let row = envelope.get_struct(name).unwrap().unwrap();
            assert_eq!(
                (row.schema().name(), row.get_int32("id").unwrap()),
                (Some("db.t.Value"), Some(id))
            );
            assert!(row.schema().is_optional());
        }
    }
}

#[test]
fn the_field_of_the_key_is_what_the_settings_say() {
    for (config, expected) in [
        (&[("key.enforce.uniqueness", "false")][..], "Struct{id=2}"),
        (&[("key.field.name", "shard")], "Struct{id=2,shard=db_shard7.t}"),
        (
            &[
                ("key.field.regex", r".*_shard(\d+)\..*"),
                ("key.field.replacement", "n$1"),
                ("key.field.name", "shard"),
            ],
            "Struct{id=2,shard=n7}",
        ),
        (
            &[
                ("key.field.regex", "other"),
                ("key.field.replacement", "x"),
                ("key.field.name", "shard"),
            ],
            "Struct{id=2,shard=db_shard7.t}",
        ),
    ] {
        let routed = configured(config)
            .unwrap()
            .applied(event("db_shard7.t"))
            .unwrap()
            .unwrap();
        assert_eq!(key(&routed), expected);
    }
    let error = configured(&[("key.field.name", "id")])
        .unwrap()
        .applied(event("db_shard7.t"))
        .unwrap_err();
    assert!(error.message().contains("id"), "{error}");
}

#[test]
fn other_topics_and_values_that_are_no_envelopes_stay_as_they_are() {
    let mut made = configured(&[]).unwrap();
    assert_eq!(made.applied(event("db.t")).unwrap(), Some(event("db.t")));
    let tombstone = Record {
        value: Value::Null,
        value_schema: None,
        ..event("db_shard1.t")
    };
    let routed = made.applied(tombstone).unwrap().unwrap();
    assert_eq!((routed.topic.as_str(), &routed.value), ("db.t", &Value::Null));
    assert!(key(&routed).contains("__dbz__"));
    let plain = Record::sink("db_shard1.t", 0, 0).with_value(None, "text");
    let expected = Record {
        topic: "db.t".to_owned(),
        ..plain.clone()
    };
    assert_eq!(made.applied(plain).unwrap(), Some(expected));
    let unkeyed = Record::sink("db_shard1.t", 0, 0).with_key(None, Value::Map(Vec::new()));
    let error = made.applied(unkeyed).unwrap_err();
    assert_eq!(
        error.message(),
        "Only Struct objects supported for [Updating schema], found: java.util.HashMap"
    );
    // What the replacement makes nothing of.
    let mut nothing = ByLogicalTableRouter::default();
    let config = [("topic.regex", "(x)?.*"), ("topic.replacement", "$1")];
    nothing
        .configure(
            &config
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        )
        .unwrap();
    assert_eq!(nothing.applied(event("db.t")).unwrap(), Some(event("db.t")));
}

#[test]
fn schema_names_suit_the_converter() {
    let to = [("topic.replacement", "all-$3")];
    for (mode, expected) in [
        ("none", "all-t.Key"),
        ("avro", "all_t.Key"),
        ("Avro_Unicode", "all_u002dt.Key"),
    ] {
        let config = [to[0], ("schema.name.adjustment.mode", mode)];
        let routed = configured(&config)
            .unwrap()
            .applied(event("db_shard1.t"))
            .unwrap()
            .unwrap();
        assert_eq!(routed.topic, "all-t");
        assert_eq!(routed.key_schema.unwrap().name(), Some(expected));
    }
}

#[test]
fn schemas_are_made_once_for_each_topic_and_equal_ones_get_the_name_of_their_own_topic() {
    let mut made = configured(&[("topic.replacement", "$1$2"), ("logical.table.cache.size", "1")]).unwrap();
    let first = event("db_shard1.t");
    let mut schema_of = |record: Record| made.applied(record).unwrap().unwrap().value_schema.unwrap();
    let one = schema_of(first.clone());
    assert!(Arc::ptr_eq(&one, &schema_of(first.clone())));
    // The same schema in another topic.
    let other = Record {
        topic: "db_shard2.t".to_owned(),
        ..first.clone()
    };
    assert_eq!(schema_of(other).name(), Some("db2.Envelope"));
    assert_eq!(schema_of(first), one);
}

#[test]
fn wrong_settings_are_told_before_a_record_comes() {
    for (config, named) in [
        (&[("topic.regex", "(")][..], "topic.regex"),
        (&[("topic.regex", "")], "topic.regex"),
        (&[("topic.replacement", "")], "topic.replacement"),
        (&[("key.field.regex", "a")], "key.field.replacement"),
        (
            &[("key.field.regex", "["), ("key.field.replacement", "x")],
            "key.field.regex",
        ),
        (
            &[("schema.name.adjustment.mode", "other")],
            "schema.name.adjustment.mode",
        ),
        (&[("logical.table.cache.size", "x")], "logical.table.cache.size"),
    ] {
        let error = configured(config).err().unwrap();
        assert!(error.message().contains(named), "{error}");
    }
    assert!(ByLogicalTableRouter::default().configure(&[].into()).is_err());
}
