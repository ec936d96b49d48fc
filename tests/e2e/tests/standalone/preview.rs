//! The preview of what converters and transformations do, on the records that lie in a topic.

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::process::wait_until;

const HOIST: &str = "org.apache.kafka.connect.transforms.HoistField$Value";

/// What became of the records of an answer: offset, outcome, and the stages that each went through.
fn ways(answer: &Value) -> Vec<(i64, &str, Vec<&str>)> {
    let records = answer["records"].as_array().unwrap();
    let way = |record| {
        let record: &Value = record;
        let steps = record["steps"].as_array().unwrap();
        (
            record["offset"].as_i64().unwrap(),
            record["outcome"].as_str().unwrap(),
            steps
                .iter()
                .map(|step| step["alias"].as_str().or(step["stage"].as_str()).unwrap())
                .collect(),
        )
    };
    records.iter().map(way).collect()
}

#[test]
fn the_last_records_of_a_topic_show_after_each_step_and_stay_unread() {
    let Some(stage) = Stage::set_up("preview") else {
        return;
    };
    let kafka = stage.kafka();
    let (topic, name) = (stage.named("lines"), stage.named("sink"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(
        &topic,
        &["one", "two", "drop", "three", "refuse"].map(str::to_owned),
    );
    let worker = stage.start(
        &[
            ("wharf.preview.enable", "true"),
            ("offset.flush.interval.ms", "100"),
        ],
        &[],
    );
    let config = json!({
        "name": name,
        "connector.class": "FileStreamSink",
        "topics": topic,
        "file": stage.file("output"),
        "transforms": "upper,hoist",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "transforms.hoist.type": HOIST,
        "transforms.hoist.field": "line",
        "errors.tolerance": "all",
    });
    let path = "/connector-plugins/FileStreamSink/preview";
    let ask = |last: u32| {
        let body = json!({"config": config, "topic": topic, "last": last});
        worker.call("POST", path, Some(&body), 200)
    };

    let answer = ask(4);
    let read = ["KEY_CONVERTER", "VALUE_CONVERTER", "HEADER_CONVERTER"];
    let and = |more: &[&'static str]| [&read[..], more].concat();
    assert_eq!(
        ways(&answer),
        [
            (1, "put", and(&["upper", "hoist"])),
            (2, "dropped", and(&["upper"])),
            (3, "put", and(&["upper", "hoist"])),
            (4, "failed", and(&["upper"])),
        ],
        "{answer}"
    );
    let steps = &answer["records"][2]["steps"];
    assert_eq!(steps[1]["record"]["value"]["payload"], "three");
    assert_eq!(steps[3]["class"], "wharf.test.UppercaseValue");
    assert_eq!(steps[3]["record"]["value"]["payload"], "THREE");
    assert_eq!(steps[4]["record"]["value"]["payload"], json!({"line": "THREE"}));
    let error = &answer["records"][3]["steps"][3]["error"];
    assert_eq!(
        error["class"], "org.apache.kafka.connect.errors.DataException",
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("asked to refuse this record"),
        "{error}"
    );

    // Asked again, the same records are still the last ones, and nothing of the connector is there.
    assert_eq!(ask(4), answer);
    assert_eq!(ways(&ask(100)).len(), 5);
    assert_eq!(worker.get("/connectors"), json!([]));
    assert!(!stage.path("output").exists());
    let groups = [format!("connect-{name}"), "connect-preview".to_owned()];
    for group in &groups {
        assert!(!kafka.has_group(group), "{group}");
    }
    let missing = worker.refused(
        "POST",
        path,
        Some(&json!({"config": config, "topic": stage.named("none")})),
        400,
    );
    assert!(missing.contains("there is no topic"), "{missing}");
    assert_eq!(
        kafka.partitions(&stage.named("none")),
        None,
        "asking creates no topic"
    );

    // The connector itself begins at the first record, as if nobody had looked.
    worker.create(&name, config.clone());
    assert!(
        wait_until(PATIENCE, || stage.read("output")
            == b"Struct{line=ONE}\nStruct{line=TWO}\nStruct{line=THREE}\n"),
        "{}",
        worker.log()
    );
    assert!(
        wait_until(PATIENCE, || kafka.committed(&groups[0])
            == [((topic.clone(), 0), 5)].into()),
        "{:?}",
        kafka.committed(&groups[0])
    );
    assert!(kafka.has_group(&groups[0]), "a group that is there is seen");
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_worker_that_was_not_told_to_gives_no_preview() {
    let Some(stage) = Stage::set_up("no-preview") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let body = json!({"config": {"topics": "t"}, "records": [{"topic": "t", "value": "a"}]});
    let message = worker.refused(
        "POST",
        "/connector-plugins/FileStreamSink/preview",
        Some(&body),
        403,
    );
    assert!(message.contains("wharf.preview.enable"), "{message}");
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_preview_of_a_source_registers_no_schema() {
    let Some(stage) = Stage::set_up("preview-registry") else {
        return;
    };
    let registry = TestRegistry::start();
    let worker = stage.start(&[("wharf.preview.enable", "true")], &[]);
    let topic = stage.named("lines");
    let body = json!({
        "config": {
            "connector.class": "FileStreamSource",
            "file": stage.file("input"),
            "topic": topic,
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "value.converter.schema.registry.url": registry.url(),
        },
        "records": [{"topic": topic, "value": {"json": {"schema": {"type": "string"}, "payload": "one"}}}],
    });
    let path = "/connector-plugins/FileStreamSource/preview";
    let ask = || worker.call("POST", path, Some(&body), 200);

    let answer = ask();
    let record = &answer["records"][0];
    assert_eq!(record["outcome"], "failed", "{answer}");
    let error = record["steps"].as_array().unwrap().last().unwrap()["error"].to_string();
    assert!(
        error.contains("a task would register it, a preview registers nothing"),
        "{error}"
    );
    assert_eq!(registry.subjects(), [""; 0]);

    let schema = RegistrySchema::new(Format::Avro, "\"string\"".to_owned());
    registry.register(&format!("{topic}-value"), &schema);
    let answer = ask();
    assert_eq!(answer["records"][0]["outcome"], "written", "{answer}");
}

#[test]
fn a_preview_tells_no_value_of_a_config_provider() {
    let Some(stage) = Stage::set_up("preview-secret") else {
        return;
    };
    wharf_e2e::previews::tell_no_secret(&stage, |settings| stage.start(settings, &[]));
}
