//! Tasks of a worker that sleeps until its lease has lapsed: records that its at-least-once sources had queued and not sent, how far
//! they had come with those that they had, and records that its sinks had read and not put are its successor's business when it
//! wakes.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;
use wharf_e2e::metrics::{MetricsReader, of_task};
use wharf_e2e::truth::{FileConnector, agreed_owners, runs_exactly_once};
use wharf_e2e::{TopicReader, Worker};

use crate::failures::GIVES_UP;
use crate::flows::QUICK;
use crate::group::{Group, eventually, eventually_ok, file_source};

/// Lines that are added to a file at once.
const LINES: usize = 10;
/// Longer than the test: what waits for this waits for ever.
const NEVER: &str = "600000";

/// A source, its file and its topic.
struct Source {
    connector: FileConnector,
    topic: String,
    reader: TopicReader,
    written: usize,
}

impl Source {
    /// Starts one on this worker, with some lines in its file.
    fn create(group: &Group, worker: &Worker, name: &str, linger: Option<&str>) -> Self {
        let stage = &group.stage;
        let topic = stage.named(name);
        stage.kafka().create_topic(&topic, 1, &[]);
        let mut source = Self {
            connector: FileConnector {
                name: name.to_owned(),
                file: stage.path(&format!("{name}.txt")),
            },
            reader: stage.kafka().reader(&topic),
            topic,
            written: 0,
        };
        source.add();
        let mut config = file_source(&source.connector.file.to_string_lossy(), &source.topic);
        if let Some(linger) = linger {
            config["producer.override.linger.ms"] = json!(linger);
        }
        worker.create(name, config);
        source
    }

    fn add(&mut self) {
        let file = &self.connector.file;
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        let lines: String = (self.written..self.written + LINES)
            .map(|number| format!("line {number}\n"))
            .collect();
        file.write_all(lines.as_bytes()).unwrap();
        self.written += LINES;
    }

    /// The group's position in the file, if it knows one, asked through this worker.
    fn position(&self, worker: &Worker) -> Option<u64> {
        let offsets = worker.get(&format!("/connectors/{}/offsets", self.connector.name));
        offsets["offsets"][0]["offset"]["position"].as_u64()
    }

    /// Waits until the end of the file is its stored position.
    fn is_stored(&self, worker: &Worker) {
        let length = std::fs::metadata(&self.connector.file).unwrap().len();
        let path = format!("/connectors/{}/offsets", self.connector.name);
        worker.until(&path, "the end of the file is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == length
        });
    }

    /// Its topic must have got these lines, and nothing else, since it was last looked at.
    fn has_sent(&mut self, numbers: impl IntoIterator<Item = usize>) {
        let sent: Vec<String> = self.reader.read_to_end().iter().map(|one| one.text()).collect();
        let expected: Vec<String> = numbers
            .into_iter()
            .map(|number| format!("line {number}"))
            .collect();
        assert_eq!(sent, expected, "in {}", self.topic);
    }
}

/// Waits until all of it runs once, and each of these workers runs some of it.
pub(crate) fn is_shared(workers: &[&Worker], connectors: &[FileConnector]) {
    eventually_ok("everything runs once and every worker has some of it", || {
        runs_exactly_once(workers, connectors)?;
        let mut owners = Vec::new();
        for connector in connectors {
            owners.extend(agreed_owners(workers, &connector.name)?);
        }
        let idle = workers
            .iter()
            .find(|worker| !owners.iter().any(|owner| owner == worker.address()));
        idle.map_or(Ok(()), |worker| Err(format!("{} has nothing", worker.address())))
    });
}

#[test]
fn a_worker_that_slept_through_its_lease_neither_sends_what_it_had_queued_nor_stores_how_far_it_was() {
    let (Some(group), Some(metrics)) = (Group::set_up("lapsed"), MetricsReader::set_up()) else {
        return;
    };
    let kafka = group.stage.kafka();
    let mut settings = QUICK.to_vec();
    settings.extend([("producer.linger.ms", NEVER), ("offset.flush.interval.ms", NEVER)]);
    let sleeper = group.start_with("sleeper", &settings);
    let mut queued = Source::create(&group, &sleeper, "queued", None);
    let mut sent = Source::create(&group, &sleeper, "sent", Some("0"));
    // One has all its lines in the queue of its producer; the other has them acknowledged, and has stored no offset of them.
    let expected = [(&queued, LINES as f64), (&sent, 0.0)].map(|(source, active)| {
        let of = |metric: &str| of_task(metric, &source.connector.name, 0);
        [
            (
                of("kafka_connect_source_task_source_record_poll_total"),
                LINES as f64,
            ),
            (of("kafka_connect_source_task_source_record_active_count"), active),
        ]
    });
    metrics.until(&sleeper, &expected.concat());
    assert_eq!(
        (kafka.count(&queued.topic), kafka.count(&sent.topic)),
        (0, LINES as i64)
    );
    for source in [&queued, &sent] {
        assert_eq!(source.position(&sleeper), None, "{}", source.topic);
    }

    sleeper.signal("STOP");
    // The successor comes further than the sleeper was; were this one to go on when it wakes, it would find these lines too.
    queued.add();
    sent.add();
    let successor = group.start_with("successor", &QUICK);
    for source in [&queued, &sent] {
        source.is_stored(&successor);
    }
    queued.has_sent(0..2 * LINES);
    // Nobody knew that the first ones were there.
    sent.has_sent((0..LINES).chain(0..2 * LINES));

    sleeper.signal("CONT");
    sleeper.wait_log(GIVES_UP);
    // Threads of the old tasks are gone by then.
    let connectors = [&queued, &sent].map(|source| source.connector.clone());
    is_shared(&[&sleeper, &successor], &connectors);
    // Nothing is sent by a process that is gone.
    assert_eq!(sleeper.terminate(), Some(143));
    for source in [&mut queued, &mut sent] {
        source.is_stored(&successor);
        source.has_sent([]);
        // Whoever has the task goes on where the successor was.
        source.add();
        source.is_stored(&successor);
        source.has_sent(2 * LINES..3 * LINES);
    }
}

#[test]
fn a_worker_that_slept_through_its_lease_puts_nothing_more_though_its_consumer_is_not_missed_yet() {
    const RECORDS: usize = 40;
    let Some(group) = Group::set_up("lapsed-sink") else {
        return;
    };
    let stage = &group.stage;
    let (kafka, topic) = (stage.kafka(), stage.named("topic"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(
        &topic,
        &(0..RECORDS).map(|number| number.to_string()).collect::<Vec<_>>(),
    );
    // Each worker has a file of its own, in its folder.
    let put = |worker: &str| -> Vec<usize> {
        let calls = String::from_utf8(stage.read(&format!("{worker}/calls"))).unwrap();
        let records = calls.lines().filter(|line| line.starts_with("record "));
        records
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect()
    };
    let sleeper = group.start_with("sleeper", &QUICK);
    sleeper.create(
        "sink",
        json!({
            "connector.class": "wharf.test.RecordingSink", "tasks.max": "1", "topics": topic, "record.file": "calls",
            "put.millis": "200", "consumer.override.max.poll.records": "1",
            // Its partition is kept for it while it sleeps: nothing but the lease keeps it from going on.
            "consumer.override.session.timeout.ms": "60000",
        }),
    );
    eventually("some records are put", || put("sleeper").len() >= 3);
    sleeper.signal("STOP");
    let before = put("sleeper").len();
    let successor = group.start_with("successor", &QUICK);
    successor.until("/connectors/sink/status", "the task has moved", |status| {
        status["tasks"][0]["worker_id"] == successor.address() && status["tasks"][0]["state"] == "RUNNING"
    });
    sleeper.signal("CONT");
    sleeper.wait_log(GIVES_UP);
    eventually("the successor puts the last one", || {
        put("successor").last() == Some(&(RECORDS - 1))
    });
    // One that was under way may have ended.
    let after = put("sleeper").len();
    assert!(
        after <= before + 1,
        "{before} records before its sleep, {after} after it"
    );
    let all: std::collections::BTreeSet<usize> = put("sleeper").into_iter().chain(put("successor")).collect();
    assert_eq!(all, (0..RECORDS).collect());
    eventually("all offsets are committed", || {
        kafka.committed("connect-sink").get(&(topic.clone(), 0)) == Some(&(RECORDS as i64))
    });
}
