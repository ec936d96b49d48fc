//! Files that become topics that become files, in a group of workers: what tests of failures look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;

use wharf_e2e::truth::{FileConnector, agreed_owners, runs_exactly_once};
use wharf_e2e::{Kafka, TopicReader, Worker};

use crate::group::{Group, eventually, eventually_ok, file_sink, file_source};

/// Worker properties with which a member is missed after three seconds.
pub(crate) const QUICK: [(&str, &str); 4] = [
    ("session.timeout.ms", "3000"),
    ("consumer.session.timeout.ms", "3000"),
    ("consumer.heartbeat.interval.ms", "300"),
    ("worker.unsync.backoff.ms", "1000"),
];

struct Flow {
    source: FileConnector,
    sink: FileConnector,
    topic: String,
    reader: TopicReader,
    in_topic: Lines,
}

/// How often each line was seen.
#[derive(Default)]
struct Lines(BTreeMap<String, usize>);

impl Lines {
    fn add<S: Into<String>>(&mut self, lines: impl IntoIterator<Item = S>) {
        for line in lines {
            *self.0.entry(line.into()).or_default() += 1;
        }
    }

    fn doubled(&self) -> usize {
        self.0.values().map(|times| times - 1).sum()
    }
}

/// Pairs of a source and a sink, with a topic between them.
pub(crate) struct Flows {
    pub(crate) group: Group,
    kafka: Kafka,
    flows: Vec<Flow>,
    written: usize,
}

impl Flows {
    /// Creates this many pairs through this worker.
    pub(crate) fn create(group: Group, worker: &Worker, count: usize) -> Self {
        let mut flows = Self {
            kafka: group.stage.kafka(),
            group,
            flows: Vec::new(),
            written: 0,
        };
        for _ in 0..count {
            flows.create_one(worker);
        }
        flows
    }

    /// Creates one pair more, whose file has as many lines as the others.
    pub(crate) fn create_one(&mut self, worker: &Worker) {
        let stage = &self.group.stage;
        let number = self.flows.len();
        let topic = stage.named(&format!("topic{number}"));
        self.kafka.create_topic(&topic, 1, &[]);
        // Names of the test's own: a sink's consumer group is called after it.
        let part = |kind: &str| FileConnector {
            name: stage.named(&format!("{kind}{number}")),
            file: stage.path(&format!("{kind}{number}.txt")),
        };
        let flow = Flow {
            source: part("source"),
            sink: part("sink"),
            reader: self.kafka.reader(&topic),
            topic,
            in_topic: Lines::default(),
        };
        std::fs::write(&flow.source.file, lines(0, self.written)).unwrap();
        let mut sink = file_sink(&flow.sink.file.to_string_lossy(), &flow.topic);
        sink["consumer.override.auto.offset.reset"] = "earliest".into();
        worker.create(
            &flow.source.name,
            file_source(&flow.source.file.to_string_lossy(), &flow.topic),
        );
        worker.create(&flow.sink.name, sink);
        self.flows.push(flow);
    }

    /// Appends lines to the file of every source.
    pub(crate) fn add(&mut self, count: usize) {
        let text = lines(self.written, count);
        self.written += count;
        for flow in &self.flows {
            let mut file = OpenOptions::new().append(true).open(&flow.source.file).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    /// All connectors.
    pub(crate) fn connectors(&self) -> Vec<FileConnector> {
        let both = |flow: &Flow| [flow.source.clone(), flow.sink.clone()];
        self.flows.iter().flat_map(both).collect()
    }

    /// Waits until everything runs exactly once among these workers, all of them say so, each has some of it, and no line is
    /// missing.
    pub(crate) fn settle(&mut self, workers: &[&Worker]) {
        let connectors = self.connectors();
        eventually_ok("everything runs once and every worker has some of it", || {
            runs_exactly_once(workers, &connectors)?;
            let owners = owners(workers, &connectors);
            if owners.len() < workers.len() {
                return Err(format!("only {owners:?} have something"));
            }
            Ok(())
        });
        self.arrive();
    }

    /// Waits until every line is in its topic and in the file of its sink.
    pub(crate) fn arrive(&mut self) {
        for flow in &mut self.flows {
            let expected: BTreeSet<String> = (0..self.written).map(line).collect();
            eventually(&format!("{} lines are in {}", self.written, flow.topic), || {
                let seen = flow.reader.read_to_end();
                flow.in_topic.add(seen.iter().map(|record| record.text()));
                expected.iter().all(|line| flow.in_topic.0.contains_key(line))
            });
            eventually(
                &format!("{} lines are in {}", self.written, flow.sink.name),
                || {
                    let in_file = flow.in_file();
                    expected.iter().all(|line| in_file.0.contains_key(line))
                },
            );
        }
    }

    /// Waits until the group knows how far sources and sinks have come, asked through this worker.
    pub(crate) fn are_stored(&self, worker: &Worker) {
        for flow in &self.flows {
            let length = std::fs::metadata(&flow.source.file).unwrap().len();
            let path = format!("/connectors/{}/offsets", flow.source.name);
            worker.until(&path, "the source's position is stored", |offsets| {
                offsets["offsets"][0]["offset"]["position"] == length
            });
            let end = self.kafka.count(&flow.topic);
            let group = format!("connect-{}", flow.sink.name);
            eventually("the sink's offset is stored", || {
                self.kafka.committed(&group).get(&(flow.topic.clone(), 0)) == Some(&end)
            });
        }
    }

    /// Lines too many in topics, and in files of sinks. Looks at what [`Flows::arrive`] has read.
    pub(crate) fn doubled(&self) -> (usize, usize) {
        let topics = self.flows.iter().map(|flow| flow.in_topic.doubled());
        let files = self.flows.iter().map(|flow| flow.in_file().doubled());
        (topics.sum(), files.sum())
    }
}

impl Flow {
    fn in_file(&self) -> Lines {
        let text = std::fs::read_to_string(&self.sink.file).unwrap_or_default();
        let mut lines = Lines::default();
        lines.add(text.lines());
        lines
    }
}

/// On which workers something runs.
fn owners(workers: &[&Worker], connectors: &[FileConnector]) -> BTreeSet<String> {
    let of = |connector: &FileConnector| agreed_owners(workers, &connector.name).unwrap_or_default();
    connectors.iter().flat_map(of).collect()
}

fn line(number: usize) -> String {
    format!("line {number}")
}

fn lines(from: usize, count: usize) -> String {
    (from..from + count).map(|number| line(number) + "\n").collect()
}
