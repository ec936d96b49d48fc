//! Tests of previews with what is built in and the connectors of a test module.

use serde_json::{Value as Json, json};

use super::*;
use crate::config::StandaloneConfig;
use crate::offsets::FileOffsetBackingStore;
use crate::plugins::{PluginRegistry, test_module};

fn preview(class: &str, request: Json) -> Result<Json, HerderError> {
    let folder = tempfile::tempdir().unwrap();
    let offsets = folder.path().join("offsets");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let properties = [
        ("bootstrap.servers", "broker:9092"),
        ("key.converter", string),
        ("value.converter", string),
        ("offset.storage.file.filename", offsets.to_str().unwrap()),
        ("config.providers", "env"),
        ("config.providers.env.class", "EnvVarConfigProvider"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let plugins = PluginRegistry::of_modules([
        ("/p/libold.so".into(), test_module::old()),
        ("/p/libnew.so".into(), test_module::new()),
    ]);
    let config = StandaloneConfig::parse(&properties).unwrap().worker;
    config.config_providers.load(&plugins).unwrap();
    let store = FileOffsetBackingStore::open(&offsets).unwrap();
    let worker = Worker::new(config, plugins.into(), std::sync::Arc::new(store), "w:1").unwrap();
    let request = serde_json::from_value(request).unwrap();
    let answer = worker.preview(class, request)?;
    assert!(!offsets.exists(), "no offsets are stored");
    Ok(serde_json::to_value(answer).unwrap())
}

const HOIST: &str = "org.apache.kafka.connect.transforms.HoistField$Value";
const TOMBSTONE: &str = "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone";

#[test]
fn a_sinks_records_show_after_each_step() {
    let answer = preview(
        "AlphaSink",
        json!({
            "config": {
                "topics": "t",
                "transforms": "hoist,drop",
                "transforms.hoist.type": HOIST,
                "transforms.hoist.field": "line",
                "transforms.hoist.predicate": "gone",
                "transforms.hoist.negate": "true",
                "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
                "transforms.drop.predicate": "gone",
                "predicates": "gone",
                "predicates.gone.type": TOMBSTONE,
            },
            "records": [
                {"topic": "t", "partition": 1, "offset": 7, "key": "k", "value": "v", "headers": [{"key": "h", "value": "1"}]},
                {"topic": "t"},
            ],
        }),
    )
    .unwrap();
    assert_eq!(answer["type"], "sink");
    let first = &answer["records"][0];
    assert_eq!((&first["outcome"], &first["offset"]), (&json!("put"), &json!(7)));
    let stages: Vec<&str> = first["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, [KEY, VALUE, HEADER, TRANSFORMATION, TRANSFORMATION]);
    assert_eq!(first["steps"][0]["record"]["key"]["payload"], "k");
    assert_eq!(first["steps"][2]["record"]["headers"][0][1]["payload"], 1);
    let hoisted = &first["steps"][3];
    assert_eq!(hoisted["record"]["value"]["payload"], json!({"line": "v"}));
    assert_eq!(
        (&hoisted["alias"], &hoisted["applies"]),
        (&json!("hoist"), &json!(true))
    );
    assert_eq!(first["steps"][4]["applies"], false);
    let second = &answer["records"][1];
    assert_eq!(second["outcome"], "dropped");
    assert_eq!(second["steps"][3]["applies"], false);
    let last = second["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["applies"], &last["record"]), (&json!(true), &Json::Null));
}

#[test]
fn a_sources_records_end_as_the_bytes_that_would_be_written() {
    let answer = preview(
        "AlphaSource",
        json!({
            "config": {
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": "false",
                "transforms": "hoist",
                "transforms.hoist.type": HOIST,
                "transforms.hoist.field": "${env:PATH}",
            },
            "records": [{"topic": "t", "key": "k", "value": {"json": {"a": [1]}}, "headers": [{"key": "h", "value": {"base64": "/w=="}}]}],
        }),
    )
    .unwrap();
    let record = &answer["records"][0];
    assert_eq!(record["outcome"], "written");
    // A reference stays one: its value is in no answer.
    assert_eq!(
        record["steps"][2]["bytes"]["text"],
        r#"{"${env:PATH}":{"a":[1]}}"#
    );
    assert_eq!(record["steps"][1]["bytes"]["text"], "k");
    assert_eq!(record["steps"][3]["headers"][0]["key"], "h");
}

#[test]
fn a_record_that_fails_says_where_and_why() {
    let answer = preview(
        "AlphaSink",
        json!({
            "config": {"topics": "t", "value.converter": "org.apache.kafka.connect.json.JsonConverter"},
            "records": [{"topic": "t", "value": "no json"}, {"topic": "t", "value": {"json": {"schema": {"type": "int8"}, "payload": 5}}}],
        }),
    )
    .unwrap();
    let failed = &answer["records"][0];
    assert_eq!(failed["outcome"], "failed");
    let step = failed["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(step["stage"], VALUE);
    assert_eq!(
        step["error"]["class"],
        "org.apache.kafka.connect.errors.DataException"
    );
    assert_eq!(answer["records"][1]["outcome"], "put");
    assert_eq!(answer["records"][1]["steps"][1]["record"]["value"]["payload"], 5);
}

#[test]
fn what_cannot_be_previewed_is_a_mistake_of_the_request() {
    let many: Vec<Json> = (0..=MOST_RECORDS).map(|_| json!({"topic": "t"})).collect();
    for (class, request, part) in [
        ("Nobody", json!({"config": {}}), "Nobody"),
        (
            "AlphaSink",
            json!({"config": {"connector.class": "AlphaSource"}}),
            "does not match request type",
        ),
        (
            "AlphaSource",
            json!({"config": {}, "topic": "t"}),
            "only sink connectors read topics",
        ),
        ("AlphaSink", json!({"config": {}, "records": many}), "too many"),
        (
            "AlphaSink",
            json!({"config": {"transforms": "t", "transforms.t.type": "no.Such"}}),
            "transforms.t.",
        ),
        (
            "AlphaSink",
            json!({"config": {}, "records": [{"topic": "t", "value": {"base64": "?"}}]}),
            "record 0 cannot be read",
        ),
    ] {
        match preview(class, request) {
            Err(HerderError::BadRequest(message)) => assert!(message.contains(part), "{message}"),
            other => panic!("{part}: {other:?}"),
        }
    }
}
