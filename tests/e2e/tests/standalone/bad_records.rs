//! Records that a converter cannot read, between two that it can.

use serde_json::{Value, json};
use wharf_e2e::{Stage, ToWrite, Worker};

use crate::record_errors::{
    JSON, error_header, recorded, recorded_in, recording, tolerant, trace_of_failed, until_committed,
    until_committed_of, with,
};

/// A record that a converter of a sink cannot read, between two that it can.
pub(crate) struct BadRecord {
    /// What is wrong, fit for names.
    pub(crate) what: String,
    /// The sink's converters.
    pub(crate) config: Value,
    /// Headers of the one that cannot be read.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Key and value of each record.
    pub(crate) records: [(Option<Vec<u8>>, Vec<u8>); 3],
    /// The good records as the recording sink writes them down.
    pub(crate) good: [String; 2],
    /// Whether the converter is that of keys.
    pub(crate) is_key: bool,
    /// The class of the converter.
    pub(crate) class: &'static str,
    /// A part of why.
    pub(crate) reason: String,
}

impl BadRecord {
    const PARTITION: i32 = 1;
    /// Topics, producers of dead letters and consumers take records of this size.
    const LARGEST: &'static str = "20000000";

    /// A value of `config`'s JsonConverter between the numbers 1 and 2.
    fn json(what: &str, config: Value, good: [&str; 2], value: &[u8], reason: &str) -> Self {
        let record = |value: &[u8]| (Some(b"key".to_vec()), value.to_vec());
        Self {
            what: what.to_owned(),
            config: with(json!({"value.converter": JSON}), config),
            headers: Vec::new(),
            records: [
                record(good[0].as_bytes()),
                record(value),
                record(good[1].as_bytes()),
            ],
            good: ["1", "2"].map(str::to_owned),
            is_key: false,
            class: JSON,
            reason: reason.to_owned(),
        }
    }

    fn topic(&self, stage: &Stage) -> String {
        stage.named(&self.what)
    }

    fn dead(&self, stage: &Stage) -> String {
        stage.named(&format!("{}-dead", self.what))
    }

    fn sink(&self, stage: &Stage) -> String {
        stage.named(&format!("{}-sink", self.what))
    }

    fn config(&self, stage: &Stage) -> Value {
        let own = json!({
            "record.file": stage.file(&self.what), "producer.override.max.request.size": Self::LARGEST
        });
        recording(stage, &self.topic(stage), with(own, self.config.clone()))
    }

    /// The records, and a sink that tolerates nothing.
    fn start(&self, stage: &Stage, worker: &Worker) {
        let kafka = stage.kafka();
        for topic in [self.topic(stage), self.dead(stage)] {
            kafka.create_topic(&topic, 2, &[("max.message.bytes", Self::LARGEST)]);
        }
        // One after the other: large records are requests of their own, which a producer that has to try again may swap.
        for (position, (key, value)) in self.records.iter().enumerate() {
            let record = ToWrite {
                partition: Some(Self::PARTITION),
                key: key.clone(),
                value: Some(value.clone()),
                headers: if position == 1 {
                    self.headers.clone()
                } else {
                    Vec::new()
                },
                ..ToWrite::default()
            };
            kafka.write_records(&self.topic(stage), [record]);
        }
        worker.create(&self.sink(stage), self.config(stage));
    }

    /// The task says which record it failed at; what came before was put, and is not put again.
    fn fails(&self, stage: &Stage, worker: &Worker) {
        let (what, topic, sink) = (&self.what, self.topic(stage), self.sink(stage));
        let trace = trace_of_failed(worker, &sink);
        let converter = if self.is_key { "key" } else { "value" };
        for part in [
            "Tolerance exceeded in error handler",
            &format!(
                "the {converter} converter {} cannot convert the record at topic {topic}, partition {}, offset 1",
                self.class,
                Self::PARTITION
            ),
            &self.reason,
        ] {
            assert!(trace.contains(part), "{what}: no '{part}' in {trace}");
        }
        until_committed_of(stage, &sink, (&topic, Self::PARTITION), 1);
        assert_eq!(recorded_in(stage, what, 1), self.good[..1], "{what}");
    }

    /// From now on the sink skips what fails, and keeps it.
    fn tolerate(&self, stage: &Stage, worker: &Worker) {
        let path = format!("/connectors/{}/config", self.sink(stage));
        let config = with(self.config(stage), tolerant(&self.dead(stage)));
        worker.call("PUT", &path, Some(&config), 200);
    }

    /// The bytes that were consumed are a dead letter, and its offset is passed; what came after it was put.
    fn is_a_dead_letter(&self, stage: &Stage, worker: &Worker) {
        let (what, topic, sink) = (&self.what, self.topic(stage), self.sink(stage));
        assert_eq!(recorded_in(stage, what, 2), self.good, "{what}");
        until_committed_of(stage, &sink, (&topic, Self::PARTITION), 3);
        let letters = stage.kafka().reader(&self.dead(stage)).read_to_end();
        let [letter] = &letters[..] else {
            panic!("{what}: {} dead letters", letters.len());
        };
        let (key, value) = &self.records[1];
        assert!(
            &letter.key == key && letter.value.as_ref() == Some(value),
            "{what}: other bytes than those that were consumed"
        );
        let own = letter.headers.get(..self.headers.len());
        assert_eq!(own, Some(&self.headers[..]), "{what}");
        let stage_name = if self.is_key {
            "KEY_CONVERTER"
        } else {
            "VALUE_CONVERTER"
        };
        for (header, expected) in [
            ("topic", topic.as_str()),
            ("partition", &Self::PARTITION.to_string()),
            ("offset", "1"),
            ("connector.name", &sink),
            ("task.id", "0"),
            ("stage", stage_name),
            ("class.name", self.class),
            (
                "exception.class.name",
                "org.apache.kafka.connect.errors.DataException",
            ),
        ] {
            assert_eq!(error_header(letter, header), expected, "{what}: {header}");
        }
        let trace = error_header(letter, "exception.stacktrace");
        assert!(trace.contains(&self.reason), "{what}: {trace}");
        assert!(
            trace.len() < 4096,
            "{what}: the record is repeated in its error, which has {} bytes",
            trace.len()
        );
        worker.until_states(&sink, &["RUNNING", "RUNNING"]);
    }
}

/// Each of these records fails its task, whose offset stays; once that is tolerated it becomes a dead letter and its offset is
/// committed. The good records around it arrive, each once.
pub(crate) fn fail_and_become_dead_letters(stage: &Stage, worker: &Worker, cases: &[BadRecord]) {
    for case in cases {
        case.start(stage, worker);
    }
    for case in cases {
        case.fails(stage, worker);
        case.tolerate(stage, worker);
    }
    for case in cases {
        case.is_a_dead_letter(stage, worker);
    }
}

#[test]
fn a_bad_record_fails_its_task_and_is_a_dead_letter_once_that_is_tolerated() {
    let Some(stage) = Stage::set_up("bad-records") else {
        return;
    };
    // A quarter of a task's memory is for dead letters on their way.
    let memory = ("wharf.task.memory.max.bytes", "67108864");
    let worker = stage.start(&[("offset.flush.interval.ms", "500"), memory], &[]);
    let plain = json!({"value.converter.schemas.enable": "false"});
    let of_plain =
        |what, value: &[u8], reason| BadRecord::json(what, plain.clone(), ["1", "2"], value, reason);
    let huge = [b"{\"a\":\"".as_slice(), &[b'x'; 10 << 20]].concat();
    let numbers = [
        r#"{"schema":{"type":"int32"},"payload":1}"#,
        r#"{"schema":{"type":"int32"},"payload":2}"#,
    ];
    let decimal =
        r#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal"},"payload":"AQ=="}"#;
    fail_and_become_dead_letters(
        &stage,
        &worker,
        &[
            of_plain("broken", b"{no json", "SerializationException"),
            of_plain("encoding", b"\xff\xfe", "SerializationException"),
            of_plain("text", b"{\"a\":\"\xff\"}", "a string is not UTF-8"),
            of_plain("deep", &[b'['; 100_000], "arrays and objects nest deeper than"),
            of_plain("huge", &huge, "a string has no end"),
            BadRecord::json(
                "scale",
                json!({"value.converter.schemas.enable": "true"}),
                numbers,
                decimal.as_bytes(),
                "Invalid Decimal schema: scale parameter not found.",
            ),
        ],
    );
}

#[test]
fn a_dead_letter_topic_that_cannot_be_created_fails_the_task_before_it_reads_anything() {
    let Some(stage) = Stage::set_up("no-letters") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["1", "{no json", "2"].map(str::to_owned));
    let worker = stage.start(&[("offset.flush.interval.ms", "500")], &[]);
    let name = stage.named("sink");
    let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    let enough = recording(&stage, &topic, with(json, tolerant(&dead)));
    // Three copies, the default, are more than one broker can hold.
    let mut default = enough.clone();
    default
        .as_object_mut()
        .unwrap()
        .remove("errors.deadletterqueue.topic.replication.factor");
    worker.create(&name, default);
    let trace = trace_of_failed(&worker, &name);
    for part in [
        format!("Could not initialize dead letter queue with topic={dead}"),
        "InvalidReplicationFactorException".to_owned(),
    ] {
        assert!(trace.contains(&part), "no '{part}' in {trace}");
    }
    assert_eq!(kafka.partitions(&dead), None);
    assert_eq!(
        kafka
            .committed(&format!("connect-{name}"))
            .get(&(topic.clone(), 0)),
        None
    );
    assert_eq!(recorded(&stage, 0), Vec::<String>::new());

    worker.call("PUT", &format!("/connectors/{name}/config"), Some(&enough), 200);
    assert_eq!(recorded(&stage, 2), ["1", "2"]);
    until_committed(&stage, &name, &topic, 3);
    assert_eq!(kafka.reader(&dead).read(1)[0].text(), "{no json");
    assert_eq!(kafka.partitions(&dead), Some(1));
}

#[test]
fn a_dead_letter_that_is_larger_than_all_the_memory_for_letters_fails_the_task_and_its_offset_stays() {
    let Some(stage) = Stage::set_up("large-letter") else {
        return;
    };
    let (kafka, topic, dead) = (stage.kafka(), stage.named("t"), stage.named("dead"));
    for name in [&topic, &dead] {
        kafka.create_topic(name, 1, &[("max.message.bytes", BadRecord::LARGEST)]);
    }
    let huge = [b"{\"a\":\"".as_slice(), &[b'x'; 10 << 20]].concat();
    kafka.produce(&topic, [b"1".as_slice(), &huge, b"2"].map(|value| (None, value)));
    // A quarter of it is less than the record, which Kafka would take.
    let memory = ("wharf.task.memory.max.bytes", "33554432");
    let worker = stage.start(&[("offset.flush.interval.ms", "500"), memory], &[]);
    let name = stage.named("sink");
    let json = json!({"value.converter": JSON, "value.converter.schemas.enable": "false",
                      "producer.override.max.request.size": BadRecord::LARGEST});
    worker.create(&name, recording(&stage, &topic, with(json, tolerant(&dead))));
    let trace = trace_of_failed(&worker, &name);
    for part in [
        format!("a dead letter cannot be written to topic {dead}"),
        "RecordTooLargeException".to_owned(),
    ] {
        assert!(trace.contains(&part), "no '{part}' in {trace}");
    }
    let committed = kafka.committed(&format!("connect-{name}"));
    let offset = committed.get(&(topic, 0)).copied();
    assert!(offset.is_none_or(|offset| offset <= 1), "{offset:?}");
}
