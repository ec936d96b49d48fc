//! One run: a broker, the input, rounds in which the engines take turns, and a row for every measurement.
//!
//! Engines run one after another, never side by side, and each round starts with another one, so that whatever the machine
//! does meanwhile falls on all of them. A row is written only after its result was verified.

mod idle;
mod transfers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wharf_test_services::process::{is_alive, on_path};
use wharf_test_services::schema_registry::SchemaRegistry;
use wharf_test_services::target_dir;

use crate::border::Costs;
use crate::flags::{Options, Part};
use crate::kafka::Kafka;
use crate::lines::{self, Expected};
use crate::process;
use crate::rows::{Direction, Engine, Handling, Pass, Row};
use crate::worker::{self, Programs, Worker};
use crate::{machine, settings};

/// A transfer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks whether a transfer is complete.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Between two measurements: the broker comes to rest.
const REST: Duration = Duration::from_millis(500);

/// What the folder of a run is called, before the number of its process.
const FOLDER: &str = "bench-";

/// The topic that all sinks read.
const INPUT: &str = "bench-input";

/// Everything that stays the same during a run.
struct Bench {
    options: Options,
    programs: Programs,
    kafka: Kafka,
    /// Where the schemas are, if the work has any.
    registry: Option<SchemaRegistry>,
    folder: PathBuf,
    /// What connectors read, and what they must write.
    lines: PathBuf,
    expected: Expected,
    /// What is in a topic when all are moved, a line for each record.
    records: PathBuf,
    expected_records: Expected,
    producer: BTreeMap<String, String>,
    consumer: BTreeMap<String, String>,
    counts: bool,
    number: u32,
    rows: Vec<Row>,
}

/// Measures what is asked for; all rows, and what was left out with its reason.
pub(crate) fn run(options: Options, root: &Path) -> Result<Vec<Row>> {
    let mut options = options;
    let mut remarks = Vec::new();
    if options.engines.contains(&Engine::Kcat) && !on_path("kcat") {
        if options.engines_named {
            bail!("kcat is not installed; install it or leave it out of --engines");
        }
        options.engines.retain(|engine| *engine != Engine::Kcat);
        remarks.push("kcat is not installed on this machine and was left out".to_owned());
    }
    let counts = process::why_not_counted();
    if let Some(why) = &counts {
        remarks.push(format!("instructions are not counted on this machine: {why}"));
    }
    let programs = Programs::of(&options.engines)?;
    in_own_folder(|folder| measure(options, programs, remarks, counts.is_none(), folder, root))
}

/// Runs in a folder that is gone afterwards.
pub(crate) fn in_own_folder<T>(run: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    remove_orphans(&target_dir());
    let folder = target_dir().join(format!("{FOLDER}{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let outcome = run(&folder);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

/// Removes the folders of runs that were killed: each holds hundreds of megabytes.
pub(crate) fn remove_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDER)?.parse().ok());
        if owner.is_some_and(|pid: u32| !is_alive(pid)) {
            // Another run may be removing the same one.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn measure(
    options: Options,
    mut programs: Programs,
    remarks: Vec<String>,
    counts: bool,
    folder: &Path,
    root: &Path,
) -> Result<Vec<Row>> {
    let amount = machine::Amount {
        mode: options.mode.name(),
        work: options.work,
        rounds: options.rounds,
        records: options.records,
    };
    let about = machine::about(amount, root, &programs.wharf, remarks);
    let kafka = Kafka::start()?;
    let lines = folder.join("lines.txt");
    let expected = lines::write(&lines, options.records)?;
    let (records, expected_records) = match options.work {
        Handling::Text => (lines.clone(), expected.clone()),
        work => {
            let records = folder.join("records.txt");
            let expected = lines::write_records(&records, options.records, work)?;
            (records, expected)
        }
    };
    let registry = match options.work {
        Handling::Avro => {
            programs.with_avro(folder)?;
            Some(SchemaRegistry::start()?)
        }
        Handling::Text | Handling::Json => None,
    };
    let plugins = std::slice::from_ref(&programs.wharf_plugins);
    let properties = worker::properties(&kafka.bootstrap(), plugins, folder, 8083);
    let mut bench = Bench {
        producer: settings::producer(&properties)?,
        consumer: settings::consumer(&properties)?,
        options,
        programs,
        kafka,
        registry,
        folder: folder.to_owned(),
        lines,
        expected,
        records,
        expected_records,
        counts,
        number: 0,
        rows: vec![Row::About(about)],
    };
    bench.note_settings();
    bench.warm_up()?;
    for round in 1..=bench.options.rounds {
        bench.round(round)?;
    }
    Ok(bench.rows)
}

impl Bench {
    fn note(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }

    fn measures(&self, direction: Direction) -> bool {
        self.options.parts.contains(&Part::Transfer(direction))
    }

    fn note_settings(&mut self) {
        for engine in self.options.engines.clone() {
            for direction in Direction::ALL {
                if !self.measures(direction) {
                    continue;
                }
                let row = Row::Settings {
                    engine,
                    direction,
                    settings: self.settings_of(engine, direction),
                };
                self.rows.push(row);
            }
        }
    }

    fn settings_of(&self, engine: Engine, direction: Direction) -> BTreeMap<String, String> {
        let clients = match direction {
            Direction::FileToTopic => &self.producer,
            Direction::TopicToFile => &self.consumer,
        };
        let mut settings: BTreeMap<String, String> = match engine {
            Engine::Kcat => settings::for_kcat(clients),
            Engine::Bare | Engine::Wharf => settings::telling(clients),
            Engine::Jvm => {
                let connector = match direction {
                    Direction::FileToTopic => "batch.size (connector)",
                    Direction::TopicToFile => "consumer.override.max.poll.records",
                };
                let flags: Vec<_> = worker::HEAP.into_iter().chain(worker::SCRIPT_FLAGS).collect();
                [
                    (connector.to_owned(), worker::JVM_BATCH.to_owned()),
                    ("java".to_owned(), flags.join(" ")),
                ]
                .into()
            }
        };
        if matches!(engine, Engine::Wharf | Engine::Jvm) {
            let keys = self.work_keys(engine, direction).into_iter();
            // The registry's port is another one in each run.
            settings.extend(
                keys.filter(|(key, _)| !key.ends_with(".url"))
                    .map(|(key, value)| (key.to_owned(), value)),
            );
        }
        settings
    }

    fn work_keys(&self, engine: Engine, direction: Direction) -> Vec<(&'static str, String)> {
        worker::work_keys(self.options.work, engine, direction, self.registry.as_ref())
    }

    /// Fills the topic that sinks read, and lets broker, page cache and group coordinator do everything once unmeasured.
    fn warm_up(&mut self) -> Result<()> {
        println!("warming up");
        self.kafka.create_topic(INPUT, true)?;
        if self.options.work == Handling::Avro {
            // The bare loop has lines only.
            let worker = self.start(Engine::Wharf)?;
            let transfer = (Direction::FileToTopic, INPUT, self.lines.as_path());
            self.run_connector(&worker, Engine::Wharf, "bench-input", transfer)?;
            worker.delete("bench-input")?;
            worker.stop()?;
        } else {
            let used = self.bare(Direction::FileToTopic, INPUT, Path::new("/dev/null"))?;
            println!("the bare loop needed {:.2} s at first", used.wall_s);
            if self.measures(Direction::FileToTopic) {
                let topic = self.fresh_topic()?;
                self.bare(Direction::FileToTopic, &topic, Path::new("/dev/null"))?;
            }
        }
        self.kafka.verify(INPUT, self.options.records)?;
        if self.measures(Direction::TopicToFile) {
            let worker = self.start(Engine::Wharf)?;
            self.transfer_of_worker(&worker, Engine::Wharf, Direction::TopicToFile, 0, Pass::First)?;
            worker.stop()?;
        }
        Ok(())
    }

    fn round(&mut self, round: u32) -> Result<()> {
        self.note(Row::Round {
            round,
            load: machine::load(),
        });
        let mut engines = self.options.engines.clone();
        let turn = round as usize % engines.len();
        engines.rotate_left(turn);
        for direction in Direction::ALL {
            if !self.measures(direction) {
                continue;
            }
            for engine in &engines {
                std::thread::sleep(REST);
                for row in self.transfers(round, direction, *engine)? {
                    self.note(row);
                }
            }
        }
        if self.options.parts.contains(&Part::Start) {
            for engine in engines {
                self.starts(round, engine)?;
            }
        }
        if self.options.parts.contains(&Part::Border) {
            self.border(round)?;
        }
        Ok(())
    }

    fn start(&mut self, engine: Engine) -> Result<Worker> {
        self.number += 1;
        let folder = self.folder.join(format!("worker-{}", self.number));
        Worker::start(engine, &self.programs, &self.kafka.bootstrap(), &folder)
    }

    /// A topic that nobody has written to.
    fn fresh_topic(&mut self) -> Result<String> {
        self.number += 1;
        let topic = format!("bench-{}", self.number);
        self.kafka.create_topic(&topic, false)?;
        Ok(topic)
    }

    fn border(&mut self, round: u32) -> Result<()> {
        let library = self.programs.wharf_plugins.join("libwharf_file.so");
        let output = Command::new(std::env::current_exe()?)
            .arg("border")
            .arg(library)
            .arg(&self.lines)
            .arg(self.options.records.to_string())
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "the border cannot be measured: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let costs: Costs = serde_json::from_slice(&output.stdout)?;
        for (direction, cost) in [
            (Direction::FileToTopic, costs.source),
            (Direction::TopicToFile, costs.sink),
        ] {
            self.note(Row::Border {
                round,
                direction,
                records: self.options.records,
                plugin_ns: cost.plugin_ns,
                static_ns: cost.static_ns,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_runs_that_are_gone_are_removed() {
        let parent = std::env::temp_dir().join(format!("wharf-bench-orphans-{}", std::process::id()));
        // No process can have the highest number there is.
        let names = [
            format!("{FOLDER}{}", u32::MAX),
            format!("{FOLDER}{}", std::process::id()),
            "bench-notes".to_owned(),
        ];
        for name in &names {
            fs::create_dir_all(parent.join(name)).unwrap();
        }
        remove_orphans(&parent);
        let left: Vec<_> = names.iter().map(|name| parent.join(name).exists()).collect();
        assert_eq!(left, [false, true, true]);
        fs::remove_dir_all(parent).unwrap();
    }
}
