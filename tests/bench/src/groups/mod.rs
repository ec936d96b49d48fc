//! `cargo xtask bench --groups`: distributed workers as real processes on a real broker, Wharf and the JVM in turns.
//!
//! `changes` lets a worker join, leave and crash while lines flow; `sinks` lets one join and leave beside sinks, alone in their
//! consumer groups and together in one; `many` starts a worker with many idle connectors. What was seen is judged by `work` and
//! `arrivals`. Invariant: both engines get the same worker properties but for `scheduled.rebalance.max.delay.ms`, which is 0 for
//! the JVM (Wharf's default) where its row does not say otherwise.

mod arrivals;
mod changes;
mod many;
mod sinks;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use wharf_test_services::http;

use crate::bench::in_own_folder;
use crate::flags::{GroupOptions, GroupPart};
use crate::kafka::Kafka;
use crate::rows::{Direction, Engine, Handling, Row};
use crate::worker::{self, Programs, Worker};
use crate::{machine, settings};

use work::Work;

/// What takes longer than this, beside waiting that was asked for, has failed.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks at the REST API.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Session timeout of both engines, their common default.
const SESSION_TIMEOUT_MS: u64 = 10_000;

/// Everything that stays the same during a run.
struct Groups {
    options: GroupOptions,
    programs: Programs,
    kafka: Kafka,
    folder: PathBuf,
    /// librdkafka's settings of the consumer that watches lines arrive.
    consumer: BTreeMap<String, String>,
    /// The same of the producer that sends lines to sinks.
    producer: BTreeMap<String, String>,
    number: u32,
    rows: Vec<Row>,
}

/// A group that no worker has been in.
struct Group {
    engine: Engine,
    properties: BTreeMap<String, String>,
    folder: PathBuf,
    topic: String,
}

/// Another worker's coming, as the one that stays saw it.
struct Visit {
    /// Watched connectors whose tasks ran where they were whenever somebody looked.
    unmoved: BTreeSet<String>,
    join_s: f64,
}

/// Measures; all rows.
pub(crate) fn run(options: GroupOptions, root: &Path) -> Result<Vec<Row>> {
    let programs = Programs::of(&options.engines)?;
    in_own_folder(|folder| measure(options, programs, folder, root))
}

fn measure(options: GroupOptions, programs: Programs, folder: &Path, root: &Path) -> Result<Vec<Row>> {
    let amount = machine::Amount {
        mode: options.mode.name(),
        work: Handling::Text,
        rounds: options.rounds,
        records: 0,
    };
    let about = machine::about(amount, root, &programs.wharf, Vec::new());
    let kafka = Kafka::start()?;
    let plugins = std::slice::from_ref(&programs.wharf_plugins);
    let properties = worker::properties(&kafka.bootstrap(), plugins, folder, 8083);
    let mut consumer = settings::consumer(&properties)?;
    consumer.remove("group.id");
    let mut groups = Groups {
        options,
        programs,
        kafka,
        folder: folder.to_owned(),
        consumer,
        producer: settings::producer(&properties)?,
        number: 0,
        rows: vec![Row::About(about)],
    };
    for round in 1..=groups.options.rounds {
        groups.round(round)?;
    }
    Ok(groups.rows)
}

impl Groups {
    fn round(&mut self, round: u32) -> Result<()> {
        self.note(Row::Round {
            round,
            load: machine::load(),
        });
        let mut engines = self.options.engines.clone();
        let turn = round as usize % engines.len();
        engines.rotate_left(turn);
        for part in self.options.parts.clone() {
            match part {
                GroupPart::Changes => {
                    for engine in &engines {
                        self.changes(round, *engine, 0)?;
                    }
                    if round == 1 && self.options.default_delay && engines.contains(&Engine::Jvm) {
                        self.changes(round, Engine::Jvm, changes::JVM_DELAY_MS)?;
                    }
                }
                GroupPart::SinkPause => {
                    for engine in &engines {
                        self.sink_pauses(round, *engine)?;
                    }
                }
                GroupPart::ManyIdle if round == 1 => {
                    for engine in &engines {
                        self.many(round, *engine)?;
                    }
                }
                GroupPart::ManyIdle => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }

    fn group(&mut self, engine: Engine, delay_ms: u64) -> Result<Group> {
        self.group_with(1, engine, delay_ms)
    }

    /// The same with a topic of so many partitions.
    fn group_with(&mut self, partitions: i32, engine: Engine, delay_ms: u64) -> Result<Group> {
        self.number += 1;
        let name = format!("group-{}", self.number);
        let topic = format!("{name}-lines");
        self.kafka.create_topic_of(partitions, &topic, true)?;
        let mut properties: BTreeMap<String, String> = ["config", "offset", "status"]
            .into_iter()
            .flat_map(|store| {
                [
                    (format!("{store}.storage.topic"), format!("{name}-{store}")),
                    (format!("{store}.storage.replication.factor"), "1".to_owned()),
                ]
            })
            .collect();
        let more = [
            ("group.id", name.clone()),
            ("session.timeout.ms", SESSION_TIMEOUT_MS.to_string()),
            ("scheduled.rebalance.max.delay.ms", delay_ms.to_string()),
        ];
        properties.extend(more.map(|(key, value)| (key.to_owned(), value)));
        let folder = self.folder.join(&name);
        fs::create_dir_all(&folder)?;
        Ok(Group {
            engine,
            properties,
            folder,
            topic,
        })
    }

    /// Starts a member in a folder of its own.
    fn start(&mut self, group: &Group) -> Result<Worker> {
        self.number += 1;
        let folder = group.folder.join(format!("worker-{}", self.number));
        Worker::start_member(
            group.engine,
            &self.programs,
            &self.kafka.bootstrap(),
            &folder,
            &group.properties,
        )
    }

    /// Starts another member and waits until it has a part of the work, which is so many connectors, and all of it runs.
    fn join(
        &mut self,
        group: &Group,
        stays: &Worker,
        watched: &BTreeSet<String>,
        connectors: usize,
    ) -> Result<(Worker, Visit)> {
        let other = self.start(group)?;
        let both = [stays.address(), other.address()];
        let mut unmoved = watched.clone();
        let join_s = until(stays, "the work is spread", other.started, PATIENCE, |work| {
            let [of_this, of_other] = both.map(|worker| work.tasks_of(worker));
            unmoved = &unmoved & &of_this;
            let is_spread = !of_this.is_disjoint(watched) && !of_other.is_empty();
            is_spread && work.runs_on(connectors, &both)
        })?;
        Ok((other, Visit { unmoved, join_s }))
    }
}

/// Creates a file connector, again and again while the JVM refuses because of a rebalance.
fn create(worker: &Worker, name: &str, direction: Direction, file: &Path, topic: &str) -> Result<()> {
    create_with(worker, name, direction, file, topic, &[])
}

/// The same with more keys.
fn create_with(
    worker: &Worker,
    name: &str,
    direction: Direction,
    file: &Path,
    topic: &str,
    more: &[(&str, String)],
) -> Result<()> {
    let (class, topics) = match direction {
        Direction::FileToTopic => ("Source", "topic"),
        Direction::TopicToFile => ("Sink", "topics"),
    };
    let mut config = json!({
        "connector.class": format!("org.apache.kafka.connect.file.FileStream{class}Connector"),
        "tasks.max": "1", "file": file, topics: topic,
    });
    for (key, value) in more {
        config[*key] = json!(value);
    }
    let body = json!({"name": name, "config": config}).to_string();
    let started = Instant::now();
    let mut is_repeated = false;
    loop {
        let answer = http::request(worker.address(), "POST", "/connectors", Some(&body))?;
        match answer.status {
            201 => return Ok(()),
            // It was created although the first answer was another one.
            409 if is_repeated && answer.body.contains("already exists") => return Ok(()),
            // Unable to answer while a rebalance goes on, or while the worker is still joining.
            409 | 500 | 503 if started.elapsed() < PATIENCE => {
                is_repeated = true;
                std::thread::sleep(LOOK_EVERY);
            }
            status => bail!("connector {name} was not created: {status} {}", answer.body),
        }
    }
}

/// Where the work is, by this worker; `None` while it gives no answer.
fn work(worker: &Worker) -> Option<Work> {
    let answer = http::request(worker.address(), "GET", "/connectors?expand=status", None).ok()?;
    let value: Value = serde_json::from_str(&answer.body).ok()?;
    (answer.status == 200).then(|| Work::of(&value))
}

/// Waits for a condition of the work, looking by one worker; for how long it has been waiting since `since` then.
fn until(
    worker: &Worker,
    what: &str,
    since: Instant,
    patience: Duration,
    holds: impl FnMut(&Work) -> bool,
) -> Result<f64> {
    until_seen(worker, what, since, (patience, LOOK_EVERY), holds)
}

/// As [`until`], with so much time between two looks.
fn until_seen(
    worker: &Worker,
    what: &str,
    since: Instant,
    (patience, every): (Duration, Duration),
    mut holds: impl FnMut(&Work) -> bool,
) -> Result<f64> {
    let mut last = None;
    while since.elapsed() < patience {
        last = work(worker).or(last);
        if last.as_ref().is_some_and(&mut holds) {
            return Ok(since.elapsed().as_secs_f64());
        }
        std::thread::sleep(every);
    }
    bail!(
        "after {patience:?} it is still not so that {what}: {}; end of the log of {}:\n{}",
        last.map_or_else(|| "no answer".to_owned(), |work| work.excuse()),
        worker.address(),
        worker.log_tail()
    )
}
