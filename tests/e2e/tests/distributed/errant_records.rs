//! Records that a sink task reports itself: the same dead letters by a worker of each kind.

use serde_json::{Value, json};
use wharf_e2e::{Seen, ToWrite, Worker};

use crate::group::{Group, eventually};
use crate::mixed::{Mixed, create, healthy, java_plugin, terminate};

const WRITTEN_AT: i64 = 1_700_000_000_000;
const DATA: &str = "org.apache.kafka.connect.errors.DataException";

/// The records of a topic, of which the second one is reported.
fn records() -> [ToWrite; 3] {
    [&b"\"good\""[..], b" \"bad one\" ", b"\"fine\""].map(|value| ToWrite {
        timestamp: Some(WRITTEN_AT),
        key: Some(b"k".to_vec()),
        value: Some(value.to_vec()),
        headers: vec![
            ("own".to_owned(), Some(b"text".to_vec())),
            ("number".to_owned(), Some(b"1".to_vec())),
        ],
        ..ToWrite::default()
    })
}

/// Headers of a letter; of the trace its first line, as the others are places in a program.
fn headers(letter: &Seen) -> Vec<(String, String)> {
    let header = |(name, value): &(String, Option<Vec<u8>>)| {
        let text = String::from_utf8(value.clone().unwrap()).unwrap();
        let shown = match name.ends_with("stacktrace") {
            true => text.lines().next().unwrap().to_owned(),
            false => text,
        };
        (name.clone(), shown)
    };
    letter.headers.iter().map(header).collect()
}

/// A sink that reports records at once, which the worker still has as they were consumed, and one that reports copies, which are
/// converted back.
fn are_dead_letters(group: &Group, worker: &Worker, kind: &str, sink: &Value) {
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    for (what, value, reason) in [
        ("now", &b" \"bad one\" "[..], "asked to report it"),
        ("late", b"\"bad one\"", "asked to report it late"),
    ] {
        let topic = stage.named(&format!("{kind}-{what}"));
        let (name, dead) = (format!("{topic}-sink"), format!("{topic}-dead"));
        kafka.create_topic(&topic, 1, &[]);
        kafka.write_records(&topic, records());
        let mut config = sink.clone();
        let more = json!({
            "tasks.max": "1",
            "topics": topic,
            "report.prefix": "bad",
            "report.late": (what == "late").to_string(),
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": dead,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        });
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        create(worker, &name, config);
        eventually("the sink has passed all records", || {
            kafka
                .committed(&format!("connect-{name}"))
                .get(&(topic.clone(), 0))
                == Some(&3)
        });
        let letters = kafka.reader(&dead).read_to_end();
        let [letter] = &letters[..] else {
            panic!("{kind} {what}: {letters:?}");
        };
        assert_eq!(letter.key.as_deref(), Some(&b"k"[..]), "{kind} {what}");
        assert_eq!(letter.value.as_deref(), Some(value), "{kind} {what}");
        assert_eq!(letter.timestamp.millis(), Some(WRITTEN_AT), "{kind} {what}");
        let expected = [
            ("own", "text"),
            ("number", "1"),
            ("__connect.errors.topic", &topic),
            ("__connect.errors.partition", "0"),
            ("__connect.errors.offset", "1"),
            ("__connect.errors.connector.name", &name),
            ("__connect.errors.task.id", "0"),
            ("__connect.errors.stage", "TASK_PUT"),
            (
                "__connect.errors.class.name",
                "org.apache.kafka.connect.sink.SinkTask",
            ),
            ("__connect.errors.exception.class.name", DATA),
            ("__connect.errors.exception.message", reason),
            (
                "__connect.errors.exception.stacktrace",
                &format!("{DATA}: {reason}"),
            ),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers(letter), expected, "{kind} {what}");
    }
}

#[test]
fn a_native_worker_s_letter_of_a_reported_record_has_upstream_s_headers() {
    let Some(group) = Group::set_up("errant-headers") else {
        return;
    };
    let worker = group.start("one");
    let sink =
        json!({"connector.class": "wharf.test.RecordingSink", "record.file": group.stage.file("calls")});
    are_dead_letters(&group, &worker, "native", &sink);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_jvm_worker_s_letter_of_a_reported_record_has_the_headers_that_are_ours() {
    let Some(mixed) = Mixed::set_up("errant-headers-jvm") else {
        return;
    };
    let Some(plugins) = java_plugin(&["ReportingSink"]) else {
        return;
    };
    let worker = mixed.launch_jvm_with("jvm", &[("plugin.path", plugins.to_str().unwrap())]);
    healthy(&worker);
    are_dead_letters(
        &mixed.group,
        &worker,
        "jvm",
        &json!({"connector.class": "wharf.test.ReportingSink"}),
    );
    terminate([worker]);
}
