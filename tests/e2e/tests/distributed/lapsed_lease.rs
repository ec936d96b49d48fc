//! At-least-once sources of a worker that sleeps until its lease has lapsed: records that it had queued and not sent, and how far
//! it had come with those that it had, are its successor's business when it wakes.

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::json;
use wharf_e2e::metrics::{MetricsReader, of_task};
use wharf_e2e::truth::{FileConnector, agreed_owners, runs_exactly_once};
use wharf_e2e::{TopicReader, Worker};

use crate::failures::GIVES_UP;
use crate::flows::QUICK;
use crate::group::{Group, eventually_ok, file_source};

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
fn is_shared(workers: &[&Worker], connectors: &[FileConnector]) {
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
