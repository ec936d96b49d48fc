//! A worker that starts with many idle connectors, and what they take.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Group, Groups, create, until_seen};
use crate::process::{memory, threads};
use crate::rows::{Direction, Engine, Row};
use crate::worker::Worker;

/// For work that grows with the number of connectors.
const LONG: Duration = Duration::from_secs(300);

/// Between two looks at many connectors: an answer about a thousand takes both sides milliseconds, which the start would be slower by.
const LOOK_SELDOM: Duration = Duration::from_millis(250);

impl Groups {
    /// Without connectors, then with sources, then in another group with sinks.
    pub(super) fn many(&mut self, round: u32, engine: Engine) -> Result<()> {
        let connectors = match engine {
            Engine::Jvm => self.options.jvm_connectors,
            _ => self.options.connectors,
        };
        for direction in Direction::ALL {
            let group = self.group(engine, 0)?;
            let worker = self.start(&group)?;
            if direction == Direction::FileToTopic {
                std::thread::sleep(self.options.idle);
                self.note_many(round, &group, &worker, 0, None)?;
            }
            fill(&worker, &group, direction, connectors)?;
            worker.stop()?;
            let worker = self.start(&group)?;
            let running_s = wait(&worker, connectors, worker.started)?;
            std::thread::sleep(self.options.idle);
            self.note_many(round, &group, &worker, connectors, Some((direction, running_s)))?;
            worker.stop()?;
        }
        Ok(())
    }

    fn note_many(
        &mut self,
        round: u32,
        group: &Group,
        worker: &Worker,
        connectors: u32,
        started: Option<(Direction, f64)>,
    ) -> Result<()> {
        self.note(Row::ManyIdle {
            round,
            engine: group.engine,
            direction: started.map(|(direction, _)| direction),
            connectors,
            running_s: started.map(|(_, running_s)| running_s),
            rss_bytes: memory(worker.pid(), "VmRSS").context("the worker is gone")?,
            threads: threads(worker.pid()).context("the worker is gone")?,
        });
        Ok(())
    }
}

/// Creates the connectors and waits until all run.
fn fill(worker: &Worker, group: &Group, direction: Direction, connectors: u32) -> Result<()> {
    let input = group.folder.join("empty.txt");
    fs::write(&input, "")?;
    for number in 0..connectors {
        let file = match direction {
            Direction::FileToTopic => input.clone(),
            Direction::TopicToFile => group.folder.join(format!("sink-{number}.txt")),
        };
        create(worker, &format!("idle-{number}"), direction, &file, &group.topic)?;
    }
    wait(worker, connectors, Instant::now()).map(drop)
}

/// Seconds from `since` until all run on this worker.
fn wait(worker: &Worker, connectors: u32, since: Instant) -> Result<f64> {
    let count = usize::try_from(connectors)?;
    let pace = (LONG, LOOK_SELDOM);
    until_seen(worker, "all connectors run", since, pace, |work| {
        work.runs_on(count, &[worker.address()])
    })
}
