//! What `errors.log.enable` writes into the log: the same words on a worker of each kind.

use serde_json::{Value, json};
use wharf_e2e::{ToWrite, Worker};

use crate::group::{Group, eventually, file_sink, file_source};
use crate::mixed::{Mixed, create, terminate};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const CAST: &str = "org.apache.kafka.connect.transforms.Cast$Value";
const LOGGER: &str = "(org.apache.kafka.connect.runtime.errors.LogReporter";
const WRITTEN_AT: i64 = 1_700_000_000_000;

/// A failure as the log has it: the level with the task, the worker's words, and the class of the error.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    start: String,
    words: String,
    error: String,
}

/// The entries about a connector, in their order.
fn entries(worker: &Worker, connector: &str) -> Vec<Entry> {
    const WORDS: &str = "Error encountered in task ";
    let about = format!("{WORDS}{connector}-");
    let log = worker.log();
    let mut entries = Vec::new();
    let mut lines = log.lines();
    while let Some(line) = lines.next() {
        let Some(at) = line.find(&about) else { continue };
        let (time, start) = line[..at].split_once("] ").unwrap();
        assert!(time.starts_with('['), "{line}");
        let words = line[at..].split(&format!(" {LOGGER}")).next().unwrap();
        let error = lines.next().unwrap_or_default().split(':').next().unwrap();
        entries.push(Entry {
            start: start.to_owned(),
            words: words.to_owned(),
            error: error.to_owned(),
        });
    }
    entries
}

/// The number behind `timestamp=` becomes a word: a source stamps its records when it reads them.
fn without_time(words: &str) -> String {
    let Some((before, after)) = words.split_once(" timestamp=") else {
        return words.to_owned();
    };
    let rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
    assert!(after.len() - rest.len() == 13, "{words}");
    format!("{before} timestamp=TIME{rest}")
}

/// `config` of a connector that skips what fails, with more entries.
fn tolerant(mut config: Value, more: &Value) -> Value {
    let settings = config.as_object_mut().unwrap();
    settings.insert("errors.tolerance".to_owned(), json!("all"));
    settings.extend(more.as_object().unwrap().clone());
    config
}

/// What the three ways to set the log say of a connector that fails at one record, whose place `record` describes.
fn expected(connector: &str, stage: &str, class: &str, record: &str, error: &str) -> Entry {
    Entry {
        start: format!("ERROR [{connector}|task-0] "),
        words: format!(
            "Error encountered in task {connector}-0. Executing stage '{stage}' with class '{class}'{record}."
        ),
        error: format!("org.apache.kafka.connect.errors.{error}"),
    }
}

/// Bad records of sinks and sources on this worker, logged with their places, without, and not at all.
fn says_of_bad_records(group: &Group, worker: &Worker, kind: &str) {
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let settings = [
        (
            "full",
            json!({"errors.log.enable": "true", "errors.log.include.messages": "true"}),
        ),
        ("short", json!({"errors.log.enable": "true"})),
        ("none", json!({"errors.log.include.messages": "true"})),
    ];
    let name = |what: &str| stage.named(&format!("{kind}-{what}"));

    // One topic has the time of the producer, the other one that of the broker.
    let (created, appended) = (name("created"), name("appended"));
    kafka.create_topic(&created, 2, &[]);
    kafka.create_topic(&appended, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let record = |partition: i32, value: &[u8]| ToWrite {
        partition: Some(partition),
        timestamp: Some(WRITTEN_AT),
        value: Some(value.to_vec()),
        ..ToWrite::default()
    };
    kafka.write_records(
        &created,
        [record(1, b"1"), record(1, b"{no json"), record(1, b"2")],
    );
    kafka.write_records(&appended, [record(0, b"[")]);
    let appended_at = kafka.reader(&appended).read(1)[0].timestamp.millis().unwrap();
    let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    for (what, log) in &settings {
        for (topic, partition, end) in [(&created, 1, 3), (&appended, 0, 1)] {
            let sink = format!("{topic}-{what}");
            let config = file_sink(&stage.file(&sink), topic);
            create(worker, &sink, tolerant(tolerant(config, &json), log));
            eventually("the sink has passed the bad record", || {
                let committed = kafka.committed(&format!("connect-{sink}"));
                committed.get(&(topic.clone(), partition)) == Some(&end)
            });
        }
    }
    let stage_name = "VALUE_CONVERTER";
    let of_sink = |topic: &str, what: &str, record: &str| {
        expected(
            &format!("{topic}-{what}"),
            stage_name,
            JSON,
            record,
            "DataException",
        )
    };
    let place = format!(
        ", where consumed record is {{topic='{created}', partition=1, offset=1, timestamp={WRITTEN_AT}, \
         timestampType=CreateTime}}"
    );
    let appended_place = format!(
        ", where consumed record is {{topic='{appended}', partition=0, offset=0, timestamp={appended_at}, \
         timestampType=LogAppendTime}}"
    );
    for (topic, place) in [(&created, &place), (&appended, &appended_place)] {
        for (what, record) in [("full", place.as_str()), ("short", "")] {
            let found = entries(worker, &format!("{topic}-{what}"));
            assert_eq!(found, [of_sink(topic, what, record)]);
        }
        assert_eq!(entries(worker, &format!("{topic}-none")), []);
    }

    let input = stage.file(&format!("{kind}.txt"));
    stage.write(&format!("{kind}.txt"), "1\nx\n2\n");
    let cast = json!({"transforms": "cast", "transforms.cast.type": CAST, "transforms.cast.spec": "int8"});
    for (what, log) in &settings {
        let (source, topic) = (name(&format!("source-{what}")), name(&format!("written-{what}")));
        kafka.create_topic(&topic, 1, &[]);
        let config = file_source(&input, &topic);
        create(worker, &source, tolerant(tolerant(config, &cast), log));
        eventually("the source has passed the bad record", || {
            kafka.count(&topic) == 2
        });
        let record = format!(
            ", where source record is = SourceRecord{{sourcePartition={{filename={input}}}, sourceOffset={{position=4}}}} \
             ConnectRecord{{topic='{topic}', kafkaPartition=null, key=null, keySchema=null, value=x, \
             valueSchema=Schema{{STRING}}, timestamp=TIME, headers=ConnectHeaders(headers=)}}"
        );
        let record = if *what == "full" { record.as_str() } else { "" };
        let mut found = entries(worker, &source);
        for entry in &mut found {
            entry.words = without_time(&entry.words);
        }
        let expected = expected(&source, "TRANSFORMATION", CAST, record, "DataException");
        let expected = (*what != "none").then_some(expected);
        assert_eq!(found, Vec::from_iter(expected));
    }
}

#[test]
fn a_native_worker_logs_failures_in_upstream_s_words() {
    let Some(group) = Group::set_up("error-log") else {
        return;
    };
    let worker = group.start("one");
    says_of_bad_records(&group, &worker, "native");
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_jvm_worker_logs_failures_in_the_words_that_are_ours() {
    let Some(mixed) = Mixed::set_up("error-log-jvm") else {
        return;
    };
    let worker = mixed.start_jvm("jvm");
    says_of_bad_records(&mixed.group, &worker, "jvm");
    terminate([worker]);
}
