//! The preview of what converters and transformations do, on the records that lie in a topic.

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, ToWrite};
use wharf_schema_registry::testing::TestRegistry;
use wharf_schema_registry::{Format, RegistrySchema};
use wharf_test_services::process::wait_until;

use crate::record_errors::{JSON, error_header, recorded_in, recording, tolerant, until_committed, with};

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
fn what_a_preview_shows_is_what_the_connector_then_does() {
    let Some(stage) = Stage::set_up("preview-true") else {
        return;
    };
    let (kafka, topic, name) = (stage.kafka(), stage.named("orders"), stage.named("sink"));
    let dead = stage.named("dead");
    kafka.create_topic(&topic, 1, &[]);
    let order = |id: i32, note: &str| {
        let field = |name: &str, of: &str| json!({"field": name, "type": of});
        let fields = [
            field("id", "int32"),
            field("internal", "string"),
            field("note", "string"),
        ];
        let value = json!({
            "schema": {"type": "struct", "fields": fields},
            "payload": {"id": id, "internal": "x", "note": note}
        });
        Some(value.to_string().into_bytes())
    };
    let values = [order(1, "7"), None, order(2, "many"), order(3, "8")];
    kafka.write_records(
        &topic,
        values.map(|value| ToWrite {
            value,
            ..ToWrite::default()
        }),
    );
    let worker = stage.start(
        &[
            ("wharf.preview.enable", "true"),
            ("offset.flush.interval.ms", "300"),
        ],
        &[],
    );
    let chain = json!({
        "value.converter": JSON,
        "transforms": "fields,number,drop",
        "transforms.fields.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.fields.exclude": "internal",
        "transforms.fields.renames": "id:order_id",
        "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value",
        "transforms.number.spec": "note:int32",
        "transforms.number.predicate": "gone",
        "transforms.number.negate": "true",
        "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
        "transforms.drop.predicate": "gone",
        "predicates": "gone",
        "predicates.gone.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"
    });
    let config = recording(&stage, &topic, with(chain, tolerant(&dead)));
    let path = "/connector-plugins/wharf.test.RecordingSink/preview";
    let body = json!({"config": config, "topic": topic, "last": 4});
    let answer = worker.call("POST", path, Some(&body), 200);
    let read = ["KEY_CONVERTER", "VALUE_CONVERTER", "HEADER_CONVERTER"];
    let and = |more: &[&'static str]| [&read[..], more].concat();
    let all = and(&["fields", "number", "drop"]);
    assert_eq!(
        ways(&answer),
        [
            (0, "put", all.clone()),
            (1, "dropped", all.clone()),
            (2, "failed", and(&["fields", "number"])),
            (3, "put", all),
        ],
        "{answer}"
    );
    let step = |record: usize, step: usize| &answer["records"][record]["steps"][step];
    assert_eq!(
        step(0, 3)["record"]["value"]["payload"],
        json!({"order_id": 1, "note": "7"})
    );
    let cast = &step(0, 4)["record"]["value"];
    assert_eq!(cast["payload"], json!({"order_id": 1, "note": 7}));
    assert_eq!(cast["schema"]["fields"][1]["type"], "int32");
    let decisions: Vec<_> = (0..2)
        .flat_map(|record| [step(record, 4), step(record, 5)].map(|step| step["applies"].clone()))
        .collect();
    assert_eq!(decisions, [true, false, false, true]);
    assert_eq!(step(1, 3)["record"]["value"], Value::Null, "a tombstone passes");
    let error = step(2, 4)["error"].clone();
    assert_eq!((kafka.partitions(&dead), stage.read("calls")), (None, Vec::new()));

    worker.create(&name, config);
    let put = [1, 3].map(|id| format!("Struct{{order_id={id},note={}}}", id / 2 + 7));
    assert_eq!(recorded_in(&stage, "calls", 2), put);
    until_committed(&stage, &name, &topic, 4);
    let letters = kafka.reader(&dead).read_to_end();
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    assert_eq!(error_header(letter, "offset"), "2");
    assert_eq!(error["class"], error_header(letter, "exception.class.name"));
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with(&error_header(letter, "exception.message")),
        "{error} {letter:?}"
    );
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
