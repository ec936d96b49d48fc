//! `cargo xtask bench --tables`: records into a table of PostgreSQL and rows out of it, by Wharf, beside the server's own `COPY` and
//! beside the Debezium JDBC sink on JVM Connect.
//!
//! The records are JSON with their schema, of an integer, two texts and a number of about 100 bytes in all. What was written is
//! compared with what `COPY` has written.

mod database;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::in_own_folder;
use crate::flags::TableOptions;
use crate::kafka::Kafka;
use crate::process::{cpu_seconds, memory};
use crate::rows::{Engine, Handling, Pass, Row, Way};
use crate::worker::{self, Programs, Worker};
use crate::{bare, lines, machine, settings};

use database::Database;

const PATIENCE: Duration = Duration::from_secs(900);
/// Before each measurement, for what the one before has left to be done.
const REST: Duration = Duration::from_secs(1);
const INPUT: &str = "rows";
/// Records that a sink takes at once, and rows of a statement; the connector's own default, and the peer's.
const BATCH: &str = "3000";

/// Everything that stays the same during a run.
struct Tables {
    options: TableOptions,
    programs: Programs,
    kafka: Kafka,
    database: Database,
    folder: PathBuf,
    /// The rows as `COPY` takes them.
    file: PathBuf,
    number: u32,
    rows: Vec<Row>,
}

/// Measures; all rows.
pub(crate) fn run(options: TableOptions, root: &Path) -> Result<Vec<Row>> {
    let programs = Programs::of(&options.engines)?;
    in_own_folder(|folder| measure(options, programs, folder, root))
}

fn measure(options: TableOptions, mut programs: Programs, folder: &Path, root: &Path) -> Result<Vec<Row>> {
    let amount = machine::Amount {
        mode: options.mode.name(),
        work: Handling::Json,
        rounds: options.rounds,
        records: options.records,
    };
    let about = machine::about(amount, root, &programs.wharf, Vec::new());
    programs.with_debezium(folder)?;
    let (kafka, database) = (Kafka::start()?, Database::start()?);
    let (records, file) = (folder.join("records.json"), folder.join("rows.txt"));
    lines::write_rows_as_json(&records, options.records)?;
    lines::write_rows_for_copy(&file, options.records)?;
    kafka.create_topic(INPUT, true)?;
    let plugins = std::slice::from_ref(&programs.wharf_plugins);
    let properties = worker::properties(&kafka.bootstrap(), plugins, folder, 8083);
    bare::source(&settings::producer(&properties)?, INPUT, &records)?;
    kafka.verify(INPUT, options.records)?;
    let mut tables = Tables {
        options,
        programs,
        kafka,
        database,
        folder: folder.to_owned(),
        file,
        number: 0,
        rows: vec![Row::About(about)],
    };
    for round in 1..=tables.options.rounds {
        tables.round(round)?;
    }
    Ok(tables.rows)
}

/// What a measurement found.
struct Used {
    wall_s: f64,
    cpu_s: Option<f64>,
    peak_rss_bytes: Option<u64>,
    verified: String,
}

impl Tables {
    fn round(&mut self, round: u32) -> Result<()> {
        self.note(Row::Round {
            round,
            load: machine::load(),
        });
        let mut engines = self.options.engines.clone();
        let turn = round as usize % engines.len();
        engines.rotate_left(turn);
        for way in Way::ALL {
            for engine in engines.clone() {
                // There is no source of tables for the JVM that may be used here.
                if (engine, way) == (Engine::Jvm, Way::Read) {
                    continue;
                }
                self.measure_one(round, engine, way)
                    .with_context(|| format!("{} by {}", way.title(), engine.name()))?;
            }
        }
        Ok(())
    }

    fn measure_one(&mut self, round: u32, engine: Engine, way: Way) -> Result<()> {
        if engine == Engine::Bare {
            let used = self.copy(way)?;
            self.note_table(round, engine, way, Pass::Measured, used);
            return Ok(());
        }
        self.number += 1;
        let folder = self.folder.join(format!("worker-{}", self.number));
        let worker = Worker::start(engine, &self.programs, &self.kafka.bootstrap(), &folder)?;
        for pass in [Pass::First, Pass::Measured] {
            let used = match way {
                Way::Read => self.read(&worker)?,
                Way::Insert | Way::Upsert => self.write(&worker, engine, way)?,
            };
            self.note_table(round, engine, way, pass, used);
        }
        worker.stop()
    }

    fn note(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }

    fn note_table(&mut self, round: u32, engine: Engine, way: Way, pass: Pass, used: Used) {
        self.note(Row::Table {
            round,
            engine,
            way,
            pass,
            records: self.options.records,
            wall_s: used.wall_s,
            cpu_s: used.cpu_s,
            peak_rss_bytes: used.peak_rss_bytes,
            verified: used.verified,
        });
    }

    /// A table as it is before this way of writing.
    fn table(&mut self, way: Way) -> Result<String> {
        self.number += 1;
        let table = format!("table_{}", self.number);
        match way {
            Way::Upsert => self.database.create_half_full(&table, self.options.records)?,
            Way::Insert | Way::Read => self.database.create(&table)?,
        }
        std::thread::sleep(REST);
        Ok(table)
    }

    /// By the server alone.
    fn copy(&mut self, way: Way) -> Result<Used> {
        let table = self.table(way)?;
        if way == Way::Read {
            self.database.copy_in(&table, &self.file)?;
        }
        let began = Instant::now();
        match way {
            Way::Insert => self.database.copy_in(&table, &self.file)?,
            Way::Upsert => self.database.merge_in(&table, &self.file)?,
            Way::Read => {
                self.database.copy_out(&table)?;
            }
        }
        let wall_s = began.elapsed().as_secs_f64();
        let verified = self.database.content(&table)?;
        self.database.drop(&table)?;
        Ok(Used {
            wall_s,
            cpu_s: None,
            peak_rss_bytes: None,
            verified,
        })
    }

    /// What a table has when all records are in it.
    fn expected(&mut self) -> Result<String> {
        let table = self.table(Way::Insert)?;
        self.database.copy_in(&table, &self.file)?;
        let content = self.database.content(&table)?;
        self.database.drop(&table)?;
        Ok(content)
    }

    fn write(&mut self, worker: &Worker, engine: Engine, way: Way) -> Result<Used> {
        let expected = self.expected()?;
        let table = self.table(way)?;
        let config = self.sink(engine, way, &table);
        let last = self.options.records - 1;
        let used = used_by(worker, &table, &config, || self.database.has(&table, last))?;
        let verified = self.database.content(&table)?;
        if verified != expected {
            bail!("the table has {verified} instead of {expected}");
        }
        self.database.drop(&table)?;
        Ok(Used { verified, ..used })
    }

    fn read(&mut self, worker: &Worker) -> Result<Used> {
        let table = self.table(Way::Read)?;
        self.database.copy_in(&table, &self.file)?;
        let topic = format!("read-{table}");
        self.kafka.create_topic(&topic, false)?;
        let mut config = json!({
            "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector",
            "connection.url": self.database.url(),
            "mode": "bulk",
            "table.whitelist": table,
            "topic.prefix": "read-",
            // Once is enough.
            "poll.interval.ms": "3600000",
        });
        add(&mut config, COMMON);
        let used = used_by(worker, &table, &config, || {
            Ok(self.kafka.end(&topic)? >= self.options.records)
        })?;
        let verified = self.kafka.verify(&topic, self.options.records)?;
        self.database.drop(&table)?;
        Ok(Used { verified, ..used })
    }

    fn sink(&self, engine: Engine, way: Way, table: &str) -> Value {
        let url = self.database.url();
        let mut config = json!({"table.name.format": table});
        let [mode, fields] = if engine == Engine::Jvm {
            let (address, user) = url.split_once("?user=").unwrap_or((&url, ""));
            let own = [
                ("connector.class", "io.debezium.connector.jdbc.JdbcSinkConnector"),
                ("connection.url", address),
                ("connection.username", user),
                // The server asks for none.
                ("connection.password", "none"),
                ("schema.evolution", "none"),
            ];
            add(&mut config, own);
            ["primary.key.mode", "primary.key.fields"]
        } else {
            let own = [
                ("connector.class", "io.confluent.connect.jdbc.JdbcSinkConnector"),
                ("connection.url", &url),
            ];
            add(&mut config, own);
            ["pk.mode", "pk.fields"]
        };
        match way {
            Way::Upsert => add(
                &mut config,
                [("insert.mode", "upsert"), (mode, "record_value"), (fields, "id")],
            ),
            Way::Insert | Way::Read => add(&mut config, [("insert.mode", "insert"), (mode, "none")]),
        }
        add(
            &mut config,
            [
                ("topics", INPUT),
                ("batch.size", BATCH),
                ("consumer.override.max.poll.records", BATCH),
            ],
        );
        add(&mut config, COMMON);
        config
    }
}

/// Lets a connector do its work; what it used.
fn used_by(
    worker: &Worker,
    name: &str,
    config: &Value,
    is_done: impl FnMut() -> Result<bool>,
) -> Result<Used> {
    let (began, cpu_before) = (Instant::now(), cpu_seconds(worker.pid())?);
    worker.create_of(name, config)?;
    worker.wait_for(name, PATIENCE, is_done)?;
    let used = Used {
        wall_s: began.elapsed().as_secs_f64(),
        cpu_s: Some(cpu_seconds(worker.pid())? - cpu_before),
        peak_rss_bytes: memory(worker.pid(), "VmHWM"),
        verified: String::new(),
    };
    worker.delete(name)?;
    Ok(used)
}

/// What all connectors are given.
const COMMON: [(&str, &str); 3] = [
    ("tasks.max", "1"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "true"),
];

fn add<const N: usize>(config: &mut Value, entries: [(&str, &str); N]) {
    for (key, value) in entries {
        config[key] = json!(value);
    }
}
