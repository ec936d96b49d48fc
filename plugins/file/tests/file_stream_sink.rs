//! The sink, run through the border: what stands in the file after what was put.

use std::fs;

use wharf_api::{Record, SchemaBuilder, Struct, TopicPartition, Value};
use wharf_file::wharf_plugin::plugin_module;
use wharf_testkit::{SinkHarness, config};

const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

fn record(offset: i64, value: impl Into<Value>) -> Record {
    Record::sink("t", 0, offset).with_value(None, value)
}

#[test]
fn each_record_is_a_line_in_its_text_form_appended_to_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    fs::write(&path, "before\n").unwrap();
    let mut harness = SinkHarness::new(plugin_module(), CLASS);
    harness
        .start(
            &config([("file", path.to_str().unwrap())]),
            &[TopicPartition::new("t", 0)],
        )
        .unwrap();
    harness.put(&[]).unwrap();
    harness
        .put(&[
            record(0, "grüße"),
            record(1, 42_i32),
            record(2, Value::Null),
            record(3, true),
            record(4, Value::Array(vec![1_i32.into(), "x".into()])),
            record(5, Value::Map(vec![("a".into(), 1_i32.into())])),
            record(6, ""),
        ])
        .unwrap();
    let safe = harness.pre_commit().unwrap();
    assert_eq!(safe.get(&TopicPartition::new("t", 0)), Some(&7));
    let expected = "before\ngrüße\n42\nnull\ntrue\n[1, x]\n{a=1}\n\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    harness.put(&[record(7, "last")]).unwrap();
    harness.stop().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{expected}last\n"));
}

#[test]
fn a_struct_is_written_as_java_prints_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    let schema = SchemaBuilder::structure()
        .field("name", wharf_api::Schema::string())
        .build()
        .unwrap();
    let mut value = Struct::new(schema.clone()).unwrap();
    value.put("name", "Ada").unwrap();
    let mut harness = SinkHarness::new(plugin_module(), CLASS);
    harness
        .start(
            &config([("file", path.to_str().unwrap())]),
            &[TopicPartition::new("t", 0)],
        )
        .unwrap();
    harness
        .put(&[Record::sink("t", 0, 0).with_value(Some(schema), value)])
        .unwrap();
    harness.stop().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "Struct{name=Ada}\n");
}

#[test]
fn more_than_the_buffer_holds_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    let mut harness = SinkHarness::new(plugin_module(), CLASS);
    harness
        .start(
            &config([("file", path.to_str().unwrap())]),
            &[TopicPartition::new("t", 0)],
        )
        .unwrap();
    let long = "z".repeat(100_000);
    let records: Vec<Record> = (0..20).map(|offset| record(offset, long.as_str())).collect();
    harness.put(&records).unwrap();
    harness.pre_commit().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{long}\n").repeat(20));
}

#[test]
fn a_file_that_cannot_be_made_fails_the_start_and_is_named() {
    let mut harness = SinkHarness::new(plugin_module(), CLASS);
    let error = harness
        .start(&config([("file", "/nowhere/at/all.txt")]), &[])
        .unwrap_err();
    assert!(
        error
            .message()
            .starts_with("Couldn't find or create file '/nowhere/at/all.txt' for FileStreamSinkTask"),
        "{error}"
    );
}

#[test]
fn every_task_gets_the_connectors_configuration() {
    let config = config([("file", "x")]);
    let harness = SinkHarness::new(plugin_module(), CLASS);
    let mut connector = harness.plugin().connector().unwrap();
    connector.start(&config).unwrap();
    assert_eq!(connector.task_configs(3).unwrap(), vec![config; 3]);
}

#[test]
fn without_a_file_records_go_to_standard_output() {
    let test = "without_a_file_records_go_to_standard_output";
    if std::env::var_os("WHARF_FILE_TEST_CHILD").is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("WHARF_FILE_TEST_CHILD", "1")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && printed.contains("to the console\nand more\n"),
            "{printed}"
        );
        return;
    }
    let mut harness = SinkHarness::new(plugin_module(), CLASS);
    harness
        .start(&config([("name", "console")]), &[TopicPartition::new("t", 0)])
        .unwrap();
    harness
        .put(&[record(0, "to the console"), record(1, "and more")])
        .unwrap();
    harness.stop().unwrap();
}
