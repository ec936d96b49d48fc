//! Starts, and what a worker takes that has nothing to do.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Bench, LOOK_EVERY, PATIENCE};
use crate::process::memory;
use crate::rows::{Direction, Engine, IdleState, Row};
use crate::worker::Worker;

/// Starts measured in all, of Wharf and of the JVM worker.
const WHARF_STARTS: u32 = 20;
const JVM_STARTS: u32 = 3;

/// Before the memory of an idle worker is read.
const IDLE: Duration = Duration::from_secs(3);

impl Bench {
    pub(super) fn starts(&mut self, round: u32, engine: Engine) -> Result<()> {
        let rounds = self.options.rounds;
        let number = match engine {
            Engine::Wharf => WHARF_STARTS.div_ceil(rounds.min(WHARF_STARTS)),
            Engine::Jvm if round <= JVM_STARTS => JVM_STARTS.div_ceil(rounds),
            _ => return Ok(()),
        };
        for start in 0..number {
            let worker = self.start(engine)?;
            self.note(Row::Start {
                round,
                engine,
                first_answer_ms: worker.first_answer.as_secs_f64() * 1e3,
                cpu_s: worker.start_cpu_s,
            });
            if start == 0 {
                self.idle(round, engine, &worker)?;
            }
            worker.stop()?;
        }
        Ok(())
    }

    /// Resident memory with nothing to do: without connectors, then with a source and a sink that wait.
    fn idle(&mut self, round: u32, engine: Engine, worker: &Worker) -> Result<()> {
        std::thread::sleep(IDLE);
        self.note_idle(round, engine, worker, IdleState::NoConnector)?;
        let topic = self.fresh_topic()?;
        let (file, output) = (self.folder.join("few.txt"), self.folder.join("few-copy.txt"));
        fs::write(&file, "one\n")?;
        let _ = fs::remove_file(&output);
        worker.create("idle-source", Direction::FileToTopic, &file, &topic)?;
        worker.create("idle-sink", Direction::TopicToFile, &output, &topic)?;
        let started = Instant::now();
        while fs::read(&output).ok().as_deref() != Some(b"one\n") {
            if started.elapsed() >= PATIENCE {
                bail!("the line does not arrive; {}", worker.excuse("idle-sink"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        std::thread::sleep(IDLE);
        self.note_idle(round, engine, worker, IdleState::FileConnectors)
    }

    fn note_idle(&mut self, round: u32, engine: Engine, worker: &Worker, state: IdleState) -> Result<()> {
        let rss_bytes = memory(worker.pid(), "VmRSS").context("the worker is gone")?;
        self.note(Row::Idle {
            round,
            engine,
            state,
            rss_bytes,
        });
        Ok(())
    }
}
