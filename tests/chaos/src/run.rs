//! One run, from the first worker to the last record.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::group::{Group, file_sink, file_source};
use wharf_e2e::truth::{FileConnector, runs_exactly_once};
use wharf_e2e::{Kafka, PATIENCE, Stage, Worker};
use wharf_test_services::{KafkaBroker, ports};

use crate::broker::Broker;
use crate::load::Load;
use crate::record::SinkFile;
use crate::schedule::{Action, schedule};
use crate::settings::{Settings, how_to_repeat};
use crate::topic::Topic;

/// For everything to come to rest after blows, on a machine that is busy with other things as well.
const REST: Duration = Duration::from_secs(90);
/// Between two looks: each is a request to every worker, which logs it.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Most workers of a run.
const WORKERS: usize = 8;
/// What a worker logs when it belongs to the group.
const JOINED: &str = "joined generation";

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Records that were written to files of sources.
    pub records: u64,
    /// Of these, records that are not in their topic or not in their sink's file. The run has waited for them.
    pub lost: u64,
    /// Records too many in topics, for readers with the isolation of the run.
    pub doubled_in_topics: u64,
    /// Records too many in files of sinks.
    pub doubled_in_files: u64,
    /// Records that came to their topic for the first time after a later one of the same file.
    pub out_of_order: u64,
    /// Bytes in files of sinks that belong to no whole record, left behind by workers killed while they wrote.
    pub torn_bytes: u64,
}

impl Outcome {
    /// Whether the run is passed.
    ///
    /// # Errors
    /// With the reason when it is not.
    pub fn verdict(&self, settings: &Settings) -> Result<(), String> {
        if self.records == 0 {
            return Err("no record was written, so nothing was tried".to_owned());
        }
        if self.lost > 0 {
            return Err(format!("{} records are lost", self.lost));
        }
        if settings.exactly_once && self.doubled_in_topics > 0 {
            return Err(format!(
                "{} records are doubled although sources write exactly once",
                self.doubled_in_topics
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records, {} lost, {} doubled in topics, {} doubled in files of sinks, {} out of order, {} torn bytes",
            self.records,
            self.lost,
            self.doubled_in_topics,
            self.doubled_in_files,
            self.out_of_order,
            self.torn_bytes
        )
    }
}

/// Runs it; `None` when this machine cannot, which was said.
///
/// A run in which the broker lost the end of a transaction says nothing of workers, and is made again with another schedule.
///
/// # Panics
/// When something is not as it should be; the logs of the workers are kept then.
#[must_use]
pub fn run(settings: &Settings) -> Option<Outcome> {
    let mut settings = settings.clone();
    for _ in 0..ATTEMPTS {
        match run_once(&settings)? {
            Ok(outcome) => return Some(outcome),
            Err(LostMarkers) => settings.seed = settings.seed.wrapping_add(1),
        }
    }
    panic!("the broker lost ends of transactions in each of {ATTEMPTS} runs");
}

/// The broker calls a transaction ended without having written so into its partitions.
///
/// A broker that is its cluster's only one finds no leader for them while it starts or stops, and takes them for deleted (seen
/// with 4.3). From then on nobody who reads what is committed gets past that place, JVM workers no more than ours, and whether the
/// transaction counts is no longer known.
struct LostMarkers;

/// What the broker logs then.
const MARKERS_SKIPPED: &str = "these partitions are likely deleted already and hence can be skipped";
/// How often a run is made that the broker spoils.
const ATTEMPTS: usize = 5;

fn run_once(settings: &Settings) -> Option<Result<Outcome, LostMarkers>> {
    let kafka = KafkaBroker::for_test()?;
    let stage = Stage::with_shipped_plugins("chaos", &kafka.bootstrap())?;
    let mut run = Run::set_up(settings, kafka, stage);
    run.say(&format!(
        "seed {}; the same schedule again: {}",
        settings.seed,
        how_to_repeat(settings)
    ));
    for step in schedule(settings) {
        std::thread::sleep(step.pause);
        if matches!(step.action, Action::Settle) && run.has_lost_markers() {
            return Some(Err(LostMarkers));
        }
        run.act(step.action);
    }
    if run.has_lost_markers() {
        return Some(Err(LostMarkers));
    }
    Some(Ok(run.end()))
}

/// A source, its topic, and the sink that reads it.
struct Flow {
    source: FileConnector,
    sink: FileConnector,
    topic: Topic,
    written_by_sink: SinkFile,
}

struct Run<'s> {
    settings: &'s Settings,
    started: Instant,
    // Workers end before the broker does, and both before their folder is removed.
    workers: Vec<Option<Worker>>,
    ports: [u16; WORKERS],
    load: Load,
    flows: Vec<Flow>,
    kafka: Kafka,
    broker: Broker,
    broker_is_away: bool,
    broker_log: PathBuf,
    group: Group,
}

impl<'s> Run<'s> {
    fn set_up(settings: &'s Settings, kafka: KafkaBroker, mut stage: Stage) -> Self {
        assert!(settings.workers <= WORKERS, "at most {WORKERS} workers");
        stage.keep_when_failed();
        let group = Group { stage };
        let clients = group.stage.kafka();
        let flows: Vec<Flow> = (0..settings.flows)
            .map(|flow| new_flow(settings, &group.stage, flow))
            .collect();
        let files: Vec<PathBuf> = flows.iter().map(|flow| flow.source.file.clone()).collect();
        let mut run = Self {
            settings,
            started: Instant::now(),
            workers: (0..settings.workers).map(|_| None).collect(),
            ports: ports::lasting().unwrap(),
            load: Load::start(&files),
            flows,
            kafka: clients,
            broker_log: kafka.folder().join("broker.log"),
            broker: Broker::new(kafka),
            broker_is_away: false,
            group,
        };
        for worker in 0..settings.workers {
            run.start(worker);
        }
        run.create_connectors();
        run.settle();
        run
    }

    /// To standard error as it happens: the harness of tests keeps to itself what goes through its macros.
    fn say(&self, what: &str) {
        let line = format!("chaos {:7.2} s: {what}\n", self.started.elapsed().as_secs_f64());
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn worker(&self, number: usize) -> &Worker {
        self.workers[number]
            .as_ref()
            .expect("the schedule hits those that are there")
    }

    fn start(&mut self, number: usize) {
        let properties = self.settings.worker_properties(self.ports[number]);
        let properties: Vec<_> = properties
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let worker = self.group.launch_with(&format!("worker-{number}"), &properties);
        self.workers[number] = Some(worker);
    }

    fn create_connectors(&self) {
        let worker = self.worker(0);
        worker.wait_ready();
        for (number, flow) in self.flows.iter().enumerate() {
            let topic = self.group.stage.named(&format!("topic-{number}"));
            let source = file_source(&flow.source.file.to_string_lossy(), &topic);
            let mut sink = file_sink(&flow.sink.file.to_string_lossy(), &topic);
            sink["consumer.override.isolation.level"] = json!(self.settings.isolation());
            sink["consumer.override.auto.offset.reset"] = json!("earliest");
            for (name, config) in [(&flow.source.name, source), (&flow.sink.name, sink)] {
                let _: Value = worker.create(name, config);
            }
        }
    }

    fn act(&mut self, action: Action) {
        self.nobody_ended_by_itself();
        match action {
            Action::Kill(it) => {
                self.say(&format!("worker {it} is killed"));
                if let Some(worker) = self.workers[it].take() {
                    worker.kill();
                }
            }
            Action::Terminate(it) => {
                self.say(&format!("worker {it} is stopped"));
                self.terminate(it);
            }
            Action::Start(it) => {
                self.say(&format!("worker {it} starts"));
                self.start(it);
            }
            Action::Freeze(it) => {
                // One that does not belong to the group yet has no session to outsleep. Without a broker none can.
                if !self.broker_is_away {
                    self.worker(it).wait_log(JOINED);
                }
                self.say(&format!("worker {it} freezes"));
                self.worker(it).signal("STOP");
            }
            Action::Wake(it) => {
                self.say(&format!("worker {it} wakes"));
                self.worker(it).signal("CONT");
            }
            Action::StopBroker => {
                self.say("the broker is stopped");
                self.broker_is_away = true;
                self.broker.stop();
            }
            Action::KillBroker => {
                self.say("the broker is killed");
                self.broker_is_away = true;
                self.broker.kill();
            }
            Action::StartBroker => {
                self.say("the broker starts");
                self.broker_is_away = false;
                self.broker.start();
            }
            Action::Settle => self.settle(),
        }
    }

    fn terminate(&mut self, number: usize) {
        let Some(worker) = self.workers[number].take() else {
            return;
        };
        assert_eq!(
            worker.terminate(),
            Some(143),
            "the end of worker {number} was not orderly"
        );
    }

    fn nobody_ended_by_itself(&self) {
        for (number, worker) in self.workers.iter().enumerate() {
            assert!(
                worker.as_ref().is_none_or(|worker| !worker.has_ended()),
                "worker {number} ended by itself"
            );
        }
    }

    /// Waits until everything runs once and every record that is written by now has arrived.
    fn settle(&mut self) {
        self.broker.wait();
        let began = Instant::now();
        let written = self.load.written();
        self.everything_runs_once();
        let running = began.elapsed();
        self.everything_arrives(written);
        self.no_worker_panicked();
        self.say(&format!(
            "at rest: all runs once after {:.1} s, {} records of each file have arrived after {:.1} s",
            running.as_secs_f64(),
            written,
            began.elapsed().as_secs_f64()
        ));
    }

    fn has_lost_markers(&self) -> bool {
        self.broker.wait();
        let log = std::fs::read(&self.broker_log).expect("a broker has a log");
        // Mostly the markers are sent again by what the coordinator has written down.
        if !String::from_utf8_lossy(&log).contains(MARKERS_SKIPPED) {
            return false;
        }
        let hanging = self.broker.hanging();
        if hanging.is_empty() {
            return false;
        }
        self.say(&format!(
            "the broker has lost the end of transactions ({}): this run says nothing and is given up",
            hanging.join(", ")
        ));
        true
    }

    fn connectors(&self) -> Vec<FileConnector> {
        let both = |flow: &Flow| [flow.source.clone(), flow.sink.clone()];
        self.flows.iter().flat_map(both).collect()
    }

    fn everything_runs_once(&self) {
        let workers: Vec<&Worker> = self.workers.iter().flatten().collect();
        let connectors = self.connectors();
        let deadline = Instant::now() + REST;
        let last = loop {
            self.nobody_ended_by_itself();
            let now = runs_exactly_once(&workers, &connectors);
            if now.is_ok() || Instant::now() >= deadline {
                break now;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        last.unwrap_or_else(|what| panic!("not at rest {} s after the last blow: {what}", REST.as_secs()));
    }

    fn everything_arrives(&mut self, written: u64) {
        let deadline = Instant::now() + REST;
        let stage = &self.group.stage;
        for flow in &mut self.flows {
            let in_time = |what: &str, missing: Vec<u64>| {
                let some = &missing[..missing.len().min(20)];
                assert!(
                    Instant::now() < deadline,
                    "{} of {written} records are lost, not in {what}, among them {some:?}",
                    missing.len()
                );
            };
            while !flow.topic.tally.has_all(written) {
                flow.topic.read_on();
                in_time(&flow.source.name, flow.topic.tally.missing(written));
            }
            assert_eq!(
                flow.topic.foreign,
                Vec::<String>::new(),
                "in the topic of {}",
                flow.source.name
            );
            loop {
                flow.written_by_sink.read_on(&flow.sink.file).unwrap();
                if flow.written_by_sink.tally.has_all(written) {
                    break;
                }
                let what = stage.file(&flow.sink.name);
                in_time(&what, flow.written_by_sink.tally.missing(written));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn no_worker_panicked(&self) {
        for number in 0..self.settings.workers {
            let log = self.group.stage.read(&format!("worker-{number}/worker.log"));
            let log = String::from_utf8_lossy(&log);
            let panic = log.lines().find(|line| line.contains("panicked"));
            assert_eq!(panic, None, "in the log of worker {number}");
        }
    }

    /// The last rest, and what the books say.
    fn end(mut self) -> Outcome {
        self.load.end();
        self.settle();
        // What is written once everything has ended was written for good.
        for number in 0..self.workers.len() {
            self.terminate(number);
        }
        let records = self.load.written();
        let mut outcome = Outcome::default();
        for flow in &mut self.flows {
            let deadline = Instant::now() + PATIENCE;
            while !flow.topic.is_read(&self.kafka) {
                assert!(
                    Instant::now() < deadline,
                    "the topic of {} has no end",
                    flow.source.name
                );
                flow.topic.read_on();
            }
            flow.written_by_sink.read_on(&flow.sink.file).unwrap();
            let (topic, file) = (&flow.topic.tally, &flow.written_by_sink.tally);
            assert_eq!(
                flow.topic.foreign,
                Vec::<String>::new(),
                "in the topic of {}",
                flow.source.name
            );
            outcome.records += records;
            outcome.lost += (topic.missing(records).len() + file.missing(records).len()) as u64;
            outcome.doubled_in_topics += topic.doubled;
            outcome.out_of_order += topic.late;
            outcome.doubled_in_files += file.doubled;
            outcome.torn_bytes += flow.written_by_sink.torn();
        }
        self.say(&outcome.to_string());
        outcome
    }
}

fn new_flow(settings: &Settings, stage: &Stage, number: usize) -> Flow {
    let topic = stage.named(&format!("topic-{number}"));
    // One partition, so that the order can be looked at.
    stage.kafka().create_topic(&topic, 1, &[]);
    let part = |kind: &str| FileConnector {
        name: format!("{kind}-{number}"),
        file: stage.path(&format!("{kind}-{number}.txt")),
    };
    Flow {
        source: part("source"),
        sink: part("sink"),
        topic: Topic::new(number, &topic, stage.bootstrap(), settings.isolation()),
        written_by_sink: SinkFile::new(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_passed_when_nothing_is_lost_and_with_exactly_once_nothing_doubled() {
        let at_least_once = Settings::short(1);
        let exactly_once = Settings::short(1).exactly_once();
        let good = Outcome {
            records: 10,
            doubled_in_files: 1,
            ..Outcome::default()
        };
        let lost = Outcome {
            lost: 1,
            ..good.clone()
        };
        let doubled = Outcome {
            doubled_in_topics: 1,
            ..good.clone()
        };
        for (outcome, settings, passes) in [
            (&good, &at_least_once, true),
            (&good, &exactly_once, true),
            (&lost, &at_least_once, false),
            (&lost, &exactly_once, false),
            (&doubled, &at_least_once, true),
            (&doubled, &exactly_once, false),
            (&Outcome::default(), &at_least_once, false),
        ] {
            assert_eq!(outcome.verdict(settings).is_ok(), passes, "{outcome}");
        }
    }
}
