//! A group goes from at-least-once sources to exactly-once ones as the docs say: every worker is restarted twice, one after the
//! other, while sources run.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use wharf_e2e::truth::{FileConnector, runs_exactly_once};
use wharf_e2e::{Kafka, TopicReader, Worker, has_state};

use crate::flows::QUICK;
use crate::group::{Group, eventually_ok, file_source, workers_of};

/// A source, and what was read of its topic.
pub(crate) struct Source {
    pub(crate) connector: FileConnector,
    topic: String,
    reader: TopicReader,
    /// How often each line came.
    seen: BTreeMap<String, usize>,
    written: usize,
}

impl Source {
    /// Creates one with an empty file and a topic of one partition.
    pub(crate) fn create(group: &Group, worker: &Worker, number: usize) -> Self {
        let stage = &group.stage;
        let name = format!("source{number}");
        let file: PathBuf = stage.write(&format!("{name}.txt"), "");
        let topic = stage.named(&name);
        stage.kafka().create_topic(&topic, 1, &[]);
        let mut config = file_source(&file.to_string_lossy(), &topic);
        // Many transactions, so that restarts and kills come in the middle of one.
        config["batch.size"] = json!("20");
        worker.create(&name, config);
        Self {
            connector: FileConnector { name, file },
            reader: stage.kafka().committed_reader(&topic),
            topic,
            seen: BTreeMap::new(),
            written: 0,
        }
    }

    /// Appends lines to its file.
    pub(crate) fn add(&mut self, count: usize) {
        let lines: String = (self.written..self.written + count)
            .map(|number| format!("line {number}\n"))
            .collect();
        let mut file = OpenOptions::new()
            .append(true)
            .open(&self.connector.file)
            .unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        self.written += count;
    }

    /// Reads until a record comes that was not read before.
    pub(crate) fn read_some(&mut self) {
        for record in self.reader.read(1) {
            *self.seen.entry(record.text()).or_default() += 1;
        }
    }

    /// Reads until every line that was written came.
    pub(crate) fn arrive(&mut self) {
        let all = |seen: &BTreeMap<String, usize>, count: usize| {
            seen.len() == count && (0..count).all(|number| seen.contains_key(&format!("line {number}")))
        };
        while !all(&self.seen, self.written) {
            self.read_some();
        }
    }

    /// How many of the lines from this one on came more than once.
    pub(crate) fn doubled(&self, from: usize) -> usize {
        let lines = (from..self.written).map(|number| self.seen[&format!("line {number}")]);
        lines.filter(|times| *times > 1).count()
    }

    /// What the topic has beside the records that were read: the marks of ended transactions.
    fn markers(&self, kafka: &Kafka) -> i64 {
        let records: usize = self.seen.values().sum();
        kafka.count(&self.topic) - i64::try_from(records).unwrap()
    }
}

/// Waits until everything runs once among these workers.
fn settle(workers: &[&Worker], sources: &[Source]) {
    let connectors: Vec<FileConnector> = sources.iter().map(|source| source.connector.clone()).collect();
    eventually_ok("everything runs once", || runs_exactly_once(workers, &connectors));
}

fn start(group: &Group, name: &str, support: &str) -> Worker {
    let mut settings = QUICK.to_vec();
    settings.push(("exactly.once.source.support", support));
    group.start_with(name, &settings)
}

#[test]
fn a_group_is_brought_to_exactly_once_worker_by_worker_without_losing_a_line() {
    const LINES: usize = 400;
    let Some(group) = Group::set_up("eos-upgrade") else {
        return;
    };
    let kafka = group.stage.kafka();
    let mut workers: Vec<Worker> = (0..3)
        .map(|number| start(&group, &format!("disabled{number}"), "disabled"))
        .collect();
    let mut sources: Vec<Source> = (0..3)
        .map(|number| Source::create(&group, &workers[number], number))
        .collect();
    settle(&workers.iter().collect::<Vec<_>>(), &sources);
    for source in &mut sources {
        source.add(LINES);
        source.arrive();
        assert_eq!(source.markers(&kafka), 0, "no transactions yet");
    }
    // The first leads, so that leading goes from one level to the next in the middle of each round.
    for support in ["preparing", "enabled"] {
        for number in 0..workers.len() {
            sources.iter_mut().for_each(|source| source.add(LINES));
            let old = workers.remove(0);
            assert_eq!(old.terminate(), Some(143));
            sources.iter_mut().for_each(|source| source.add(LINES));
            workers.push(start(&group, &format!("{support}{number}"), support));
            settle(&workers.iter().collect::<Vec<_>>(), &sources);
            sources.iter_mut().for_each(Source::arrive);
        }
    }

    // All of them write in transactions now, whoever dies.
    let upgraded = sources[0].written;
    let before: Vec<i64> = sources.iter().map(|source| source.markers(&kafka)).collect();
    let body = json!({"exactly.once.support": "required"});
    for source in &sources {
        let path = format!("/connectors/{}/config", source.connector.name);
        workers[0].call("PATCH", &path, Some(&body), 200);
    }
    settle(&workers.iter().collect::<Vec<_>>(), &sources);
    for round in 0..2 {
        sources.iter_mut().for_each(|source| source.add(10 * LINES));
        // One that is in the middle of it.
        let busy = &mut sources[round];
        busy.read_some();
        let path = format!("/connectors/{}/status", busy.connector.name);
        let status = workers[0].until(&path, "it runs", |status| has_state(status, "RUNNING"));
        let owner = workers_of(&status).pop().unwrap();
        let at = workers.iter().position(|worker| worker.address() == owner);
        workers.remove(at.unwrap()).kill();
        sources.iter_mut().for_each(Source::arrive);
        workers.push(start(&group, &format!("again{round}"), "enabled"));
        settle(&workers.iter().collect::<Vec<_>>(), &sources);
    }
    sources.iter_mut().for_each(|source| source.add(LINES));
    for (source, before) in sources.iter_mut().zip(before) {
        source.arrive();
        assert_eq!(source.doubled(upgraded), 0, "{}", source.connector.name);
        assert!(source.markers(&kafka) > before, "{}", source.connector.name);
    }
}
