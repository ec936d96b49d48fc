//! The source, run through the border: what comes of what is written into a file.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;
use wharf_api::{ConfigMap, ErrorKind, OffsetMap, Origin, Record, Schema, Value};
use wharf_file::wharf_plugin::plugin_module;
use wharf_testkit::{SourceHarness, config};

const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";

struct Fixture {
    _folder: TempDir,
    path: PathBuf,
    harness: SourceHarness,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("input.txt"),
            _folder: folder,
            harness: SourceHarness::new(plugin_module(), CLASS),
        }
    }

    fn append(&self, text: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn config(&self) -> ConfigMap {
        config([("file", self.path.to_str().unwrap()), ("topic", "lines")])
    }

    fn partition(&self) -> OffsetMap {
        OffsetMap::from([("filename", self.path.to_str().unwrap())])
    }

    fn start(&mut self) {
        self.harness.start(&self.config()).unwrap();
    }

    /// Texts and positions of the next `poll`.
    fn poll(&mut self) -> Vec<(String, i64)> {
        self.harness.poll().unwrap().iter().map(line).collect()
    }
}

fn line(record: &Record) -> (String, i64) {
    let Origin::Source {
        offset: Some(offset), ..
    } = &record.origin
    else {
        panic!("no offset: {record:?}")
    };
    (
        record.value.as_str().unwrap().to_owned(),
        offset.get("position").and_then(Value::as_i64).unwrap(),
    )
}

fn lines(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected
        .iter()
        .map(|(text, position)| ((*text).to_owned(), *position))
        .collect()
}

#[test]
fn lines_come_with_the_position_after_them() {
    let mut fixture = Fixture::new();
    fixture.append("partial line");
    fixture.start();
    assert_eq!(fixture.poll(), []);
    fixture.append(" finished\n");
    assert_eq!(fixture.poll(), lines(&[("partial line finished", 22)]));
    fixture.append("line1\rline2\r\nline3\nline4\n\r");
    assert_eq!(
        fixture.poll(),
        lines(&[("line1", 28), ("line2", 35), ("line3", 41), ("line4", 47)])
    );
    fixture.append("subsequent text");
    assert_eq!(fixture.poll(), lines(&[("", 48)]));
    assert_eq!(fixture.poll(), []);
    fixture.harness.stop().unwrap();
}

#[test]
fn a_record_has_topic_schema_time_and_no_key() {
    let mut fixture = Fixture::new();
    fixture.append("a\n");
    fixture.start();
    let record = fixture.harness.poll().unwrap().remove(0);
    assert_eq!((record.topic.as_str(), record.kafka_partition), ("lines", None));
    assert_eq!(record.value_schema, Some(Schema::string()));
    assert_eq!((record.key_schema, record.key), (None, Value::Null));
    assert!(record.timestamp.is_some_and(|millis| millis > 1_500_000_000_000));
    assert!(
        matches!(&record.origin, Origin::Source { partition: Some(partition), .. } if *partition == fixture.partition())
    );
}

#[test]
fn positions_count_bytes_so_text_beyond_ascii_resumes_where_it_ended() {
    let mut fixture = Fixture::new();
    fixture.append("grüße\n日本語\n🦀 crab\nlast\n");
    fixture.start();
    let all = fixture.poll();
    assert_eq!(
        all,
        lines(&[("grüße", 8), ("日本語", 18), ("🦀 crab", 28), ("last", 33)])
    );
    for known in 0..all.len() {
        fixture.harness.stop().unwrap();
        fixture.harness.worker().store_offset(
            &fixture.partition(),
            Some(&OffsetMap::from([("position", all[known].1)])),
        );
        fixture.start();
        assert_eq!(fixture.poll(), all[known + 1..]);
    }
}

#[test]
fn bytes_that_are_no_utf8_are_replaced_and_counted() {
    let mut fixture = Fixture::new();
    fixture.append(b"ok \xFF\xFE end\nnext\n");
    fixture.start();
    assert_eq!(
        fixture.poll(),
        lines(&[("ok \u{FFFD}\u{FFFD} end", 10), ("next", 15)])
    );
}

#[test]
fn a_batch_ends_at_batch_size() {
    let mut fixture = Fixture::new();
    fixture.append("1\n2\n3\n4\n5\n");
    for (size, expected) in [
        ("2", vec![2, 2, 1, 0]),
        ("5", vec![5, 0]),
        ("0", vec![1, 1, 1, 1, 1, 0]),
    ] {
        let mut config = fixture.config();
        config.insert("batch.size".into(), size.into());
        fixture.harness.start(&config).unwrap();
        let sizes: Vec<usize> = expected.iter().map(|_| fixture.poll().len()).collect();
        assert_eq!(sizes, expected, "batch.size={size}");
        fixture.harness.stop().unwrap();
    }
}

#[test]
fn a_batch_of_long_lines_ends_at_a_mebibyte() {
    let mut fixture = Fixture::new();
    for _ in 0..64 {
        fixture.append(vec![b'x'; 100_000]);
        fixture.append("\n");
    }
    fixture.start();
    let first = fixture.poll().len();
    assert!((10..=12).contains(&first), "{first} lines of 100 kB");
    let rest = fixture.harness.poll_for(64).unwrap().len();
    assert_eq!(first + rest, 64);
}

#[test]
fn a_very_long_line_comes_whole() {
    let mut fixture = Fixture::new();
    fixture.append(vec![b'y'; 20 << 20]);
    fixture.append("\nshort\n");
    fixture.start();
    let records = fixture.harness.poll_for(2).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].value.as_str().map(str::len), Some(20 << 20));
    assert_eq!(records[1].value.as_str(), Some("short"));
}

#[test]
fn a_missing_file_is_waited_for() {
    let mut fixture = Fixture::new();
    fixture.start();
    for _ in 0..3 {
        assert_eq!(fixture.poll(), []);
    }
    assert!(fixture.harness.worker().waited().as_secs() >= 3);
    fixture.append("here\n");
    assert_eq!(fixture.poll(), lines(&[("here", 5)]));
}

#[test]
fn a_quiet_file_is_looked_at_once_a_second_at_most() {
    let mut fixture = Fixture::new();
    fixture.append("");
    fixture.start();
    for _ in 0..50 {
        fixture.poll();
    }
    let before = fixture.harness.worker().waited();
    fixture.poll();
    assert_eq!((fixture.harness.worker().waited() - before).as_millis(), 1000);
}

#[test]
fn a_stored_offset_without_position_means_the_beginning_and_one_beyond_the_end_waits() {
    let mut fixture = Fixture::new();
    fixture.append("ab\n");
    for (offset, expected) in [
        (OffsetMap::from([("position", Value::Null)]), lines(&[("ab", 3)])),
        (OffsetMap::from([("other", 1_i64)]), lines(&[("ab", 3)])),
        (OffsetMap::from([("position", 5_i64)]), vec![]),
    ] {
        fixture
            .harness
            .worker()
            .store_offset(&fixture.partition(), Some(&offset));
        fixture.start();
        assert_eq!(fixture.poll(), expected, "{offset:?}");
        fixture.harness.stop().unwrap();
    }
    fixture.start();
    fixture.append("xxcd\n");
    assert_eq!(fixture.poll(), lines(&[("cd", 8)]));
}

#[test]
fn a_stored_position_of_another_type_fails_the_task() {
    let mut fixture = Fixture::new();
    fixture.append("ab\n");
    fixture
        .harness
        .worker()
        .store_offset(&fixture.partition(), Some(&OffsetMap::from([("position", "5")])));
    fixture.start();
    let error = fixture.harness.poll().unwrap_err();
    assert_eq!(error.message(), "Offset position is the incorrect type");
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[test]
fn a_folder_given_as_file_fails_the_task_and_names_it() {
    let mut fixture = Fixture::new();
    fixture.path = fixture.path.parent().unwrap().to_owned();
    fixture.start();
    let error = fixture.harness.poll().unwrap_err();
    assert!(
        error.message().starts_with(fixture.path.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn there_is_one_task_however_many_are_allowed() {
    let fixture = Fixture::new();
    let mut connector = fixture.harness.plugin().connector().unwrap();
    connector.start(&fixture.config()).unwrap();
    assert_eq!(connector.task_configs(10).unwrap(), [fixture.config()]);
}

/// Runs this test once more as a child process, whose standard input is `input`; what it printed.
fn with_standard_input(test: &str, input: &str) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("WHARF_FILE_TEST_CHILD", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_a_file_lines_of_standard_input_come_without_position_and_none_is_lost_by_a_restart() {
    if std::env::var_os("WHARF_FILE_TEST_CHILD").is_none() {
        let test =
            "without_a_file_lines_of_standard_input_come_without_position_and_none_is_lost_by_a_restart";
        let printed = with_standard_input(test, "one\ntwo\nthree\nhalf");
        assert!(printed.contains("1 passed"), "{printed}");
        return;
    }
    let mut harness = SourceHarness::new(plugin_module(), CLASS);
    let mut texts = Vec::new();
    for _ in 0..3 {
        harness
            .start(&config([("topic", "t"), ("batch.size", "1")]))
            .unwrap();
        for record in harness.poll_for(1).unwrap() {
            let Origin::Source {
                partition: Some(partition),
                offset: Some(offset),
            } = &record.origin
            else {
                panic!("no offset: {record:?}")
            };
            assert_eq!(partition.get("filename"), Some(&Value::Null));
            assert_eq!(offset.get("position"), Some(&Value::Null));
            texts.push(record.value.as_str().unwrap().to_owned());
        }
        harness.stop().unwrap();
    }
    assert_eq!(texts, ["one", "two", "three"]);
}
