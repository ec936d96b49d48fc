//! Transfers: each engine moves all records once, and the result is checked.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Bench, INPUT, LOOK_EVERY, PATIENCE, REST};
use crate::lines::{self, Expected};
use crate::process::{self, Counter, cpu_seconds, memory};
use crate::rows::{Direction, Engine, Handling, Pass, Row};
use crate::worker::Worker;

/// After a transfer, before processor time is read: the worker takes its last acknowledgements.
const SETTLE: Duration = Duration::from_millis(250);

impl Bench {
    pub(super) fn transfers(&mut self, round: u32, direction: Direction, engine: Engine) -> Result<Vec<Row>> {
        if matches!(engine, Engine::Bare | Engine::Kcat) {
            return Ok(vec![self.transfer_of_program(round, direction, engine)?]);
        }
        let worker = self.start(engine)?;
        // What a worker still does after its first answer shall not be counted as work on records.
        std::thread::sleep(Duration::from_secs(1));
        let passes: &[Pass] = match engine {
            Engine::Jvm => &[Pass::First, Pass::Measured],
            _ => &[Pass::Measured],
        };
        let mut rows = Vec::new();
        for pass in passes {
            rows.push(self.transfer_of_worker(&worker, engine, direction, round, *pass)?);
            std::thread::sleep(REST);
        }
        worker.stop()?;
        Ok(rows)
    }

    fn count_in(&self) -> Option<&Path> {
        self.counts.then_some(self.folder.as_path())
    }

    /// Runs this program's own loop: lines to the topic, or the topic to `output`.
    pub(super) fn bare(&self, direction: Direction, topic: &str, output: &Path) -> Result<process::Usage> {
        let settings = self.folder.join("settings.json");
        let mut command = Command::new(std::env::current_exe()?);
        match direction {
            Direction::FileToTopic => {
                fs::write(&settings, serde_json::to_string(&self.producer)?)?;
                command
                    .arg("bare-source")
                    .arg(&settings)
                    .arg(topic)
                    .arg(&self.records);
            }
            Direction::TopicToFile => {
                fs::write(&settings, serde_json::to_string(&self.consumer)?)?;
                command.arg("bare-sink").arg(&settings).arg(topic).arg(output);
                command.arg(self.options.records.to_string());
            }
        }
        process::run(command.stdout(Stdio::null()), self.count_in())
    }

    fn kcat(&self, direction: Direction, topic: &str, output: &Path) -> Result<process::Usage> {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.kafka.bootstrap(), "-t", topic]);
        for (key, value) in self.settings_of(Engine::Kcat, direction) {
            command.args(["-X", &format!("{key}={value}")]);
        }
        match direction {
            Direction::FileToTopic => {
                command.arg("-P").arg("-l").arg(&self.lines).stdout(Stdio::null());
            }
            Direction::TopicToFile => {
                let records = self.options.records.to_string();
                command
                    .args(["-C", "-p", "0", "-o", "beginning", "-q", "-c", &records])
                    .stdout(File::create(output)?);
            }
        }
        process::run(&mut command, self.count_in())
    }

    fn transfer_of_program(&mut self, round: u32, direction: Direction, engine: Engine) -> Result<Row> {
        let output = self.folder.join("copy.txt");
        let topic = match direction {
            Direction::FileToTopic => self.fresh_topic()?,
            Direction::TopicToFile => INPUT.to_owned(),
        };
        let used = match engine {
            Engine::Kcat => self.kcat(direction, &topic, &output)?,
            _ => self.bare(direction, &topic, &output)?,
        };
        Ok(Row::Transfer {
            round,
            direction,
            engine,
            pass: Pass::Measured,
            records: self.options.records,
            wall_s: used.wall_s,
            cpu_s: used.cpu_s,
            peak_rss_bytes: used.peak_rss_bytes,
            instructions: used.instructions,
            verified: self.verify(direction, &topic, &output, &self.expected_records)?,
        })
    }

    pub(super) fn transfer_of_worker(
        &mut self,
        worker: &Worker,
        engine: Engine,
        direction: Direction,
        round: u32,
        pass: Pass,
    ) -> Result<Row> {
        self.number += 1;
        let name = format!("bench-{}", self.number);
        let output = self.folder.join("copy.txt");
        let _ = fs::remove_file(&output);
        let (topic, file) = match direction {
            Direction::FileToTopic => (self.fresh_topic()?, self.lines.clone()),
            Direction::TopicToFile => (INPUT.to_owned(), output.clone()),
        };
        let counter = self
            .count_in()
            .map(|folder| Counter::attach(worker.pid(), folder))
            .transpose()?;
        let before = cpu_seconds(worker.pid())?;
        let wall_s = self.run_connector(worker, engine, &name, (direction, &topic, &file))?;
        std::thread::sleep(SETTLE);
        let cpu_s = cpu_seconds(worker.pid())? - before;
        let instructions = counter.map(Counter::finish).transpose()?;
        let peak = memory(worker.pid(), "VmHWM").context("the worker is gone")?;
        worker.delete(&name)?;
        let mut verified = self.verify(direction, &topic, &output, &self.expected)?;
        if direction == Direction::FileToTopic && self.options.work != Handling::Text {
            // Every record must be the very bytes that the bare loop moves.
            let copy = self.folder.join("records-copy.txt");
            self.bare(Direction::TopicToFile, &topic, &copy)?;
            let bytes = self.verify(Direction::TopicToFile, &topic, &copy, &self.expected_records)?;
            verified = format!("{verified}; {bytes}");
        }
        Ok(Row::Transfer {
            round,
            direction,
            engine,
            pass,
            records: self.options.records,
            wall_s,
            cpu_s,
            peak_rss_bytes: peak,
            instructions,
            verified,
        })
    }

    /// Lets a connector move everything; what it took, in seconds.
    pub(super) fn run_connector(
        &self,
        worker: &Worker,
        engine: Engine,
        name: &str,
        (direction, topic, file): (Direction, &str, &Path),
    ) -> Result<f64> {
        let keys = self.work_keys(engine, direction);
        let started = Instant::now();
        worker.create_with(&keys, name, direction, file, topic)?;
        while !self.is_complete(direction, topic, file)? {
            if started.elapsed() >= PATIENCE {
                bail!(
                    "the transfer by {} takes too long; {}",
                    engine.name(),
                    worker.excuse(name)
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(started.elapsed().as_secs_f64())
    }

    fn is_complete(&self, direction: Direction, topic: &str, output: &Path) -> Result<bool> {
        Ok(match direction {
            Direction::FileToTopic => self.kafka.end(topic)? >= self.options.records,
            Direction::TopicToFile => {
                fs::metadata(output).is_ok_and(|metadata| metadata.len() >= self.expected.bytes)
            }
        })
    }

    fn verify(
        &self,
        direction: Direction,
        topic: &str,
        output: &Path,
        expected: &Expected,
    ) -> Result<String> {
        match direction {
            Direction::FileToTopic => self.kafka.verify(topic, self.options.records),
            Direction::TopicToFile => {
                lines::verify(output, expected)?;
                fs::remove_file(output)?;
                Ok(format!(
                    "{} bytes, SHA-256 {}…",
                    expected.bytes,
                    &expected.sha256[..16]
                ))
            }
        }
    }
}
