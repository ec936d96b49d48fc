//! A worker joins, leaves in order, joins again and crashes, while lines flow through sources of the group into a topic and from there
//! through sinks into files; then the leader leaves, and its successor crashes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::arrivals::{Traffic, all_arrived, largest_gap};
use super::{Group, Groups, LOOK_EVERY, PATIENCE, SESSION_TIMEOUT_MS, create, until};
use crate::rows::{Direction, Engine, Exit, Row};
use crate::worker::Worker;

/// The JVM's own default of `scheduled.rebalance.max.delay.ms`.
pub(super) const JVM_DELAY_MS: u64 = 300_000;

/// File sources of a group.
const SOURCES: usize = 6;
/// File sinks of it, each with all lines of the sources.
const SINKS: usize = 2;
const ALL: usize = SOURCES + SINKS;
/// Lines flow so long before and after each change.
const MARGIN: Duration = Duration::from_secs(3);

/// What one engine's group consists of while it is measured.
struct Scene {
    round: u32,
    group: Group,
    delay_ms: u64,
    stays: Worker,
    sources: BTreeSet<String>,
    sinks: BTreeSet<String>,
    traffic: Traffic,
}

/// Another worker's coming and going, as the one that stays saw it.
struct Visit {
    /// Sources whose tasks stayed where they were.
    unmoved: BTreeSet<String>,
    join_s: f64,
}

impl Groups {
    /// Pause, planned leave and crash; with a long delay only what the delay is about.
    pub(super) fn changes(&mut self, round: u32, engine: Engine, delay_ms: u64) -> Result<()> {
        let mut scene = self.scene(round, engine, delay_ms)?;
        let from = scene.traffic.now_ms();
        let (other, visit) = self.join(&scene)?;
        std::thread::sleep(MARGIN);
        let row = scene.end(other, Exit::Leave, false)?;
        self.note(row);
        std::thread::sleep(MARGIN);
        if delay_ms == 0 {
            let row = scene.pause(from, &visit)?;
            self.note(row);
        }
        let (other, _) = self.join(&scene)?;
        std::thread::sleep(MARGIN);
        let row = scene.end(other, Exit::Crash, false)?;
        self.note(row);
        if delay_ms == 0 {
            // Who was first leads, and then who stays.
            for exit in [Exit::Leave, Exit::Crash] {
                let (other, _) = self.join(&scene)?;
                std::thread::sleep(MARGIN);
                let leader = std::mem::replace(&mut scene.stays, other);
                let row = scene.end(leader, exit, true)?;
                self.note(row);
            }
        }
        let Scene { traffic, stays, .. } = scene;
        drop(traffic);
        stays.stop()
    }

    /// One worker with everything RUNNING, and lines coming from every source.
    fn scene(&mut self, round: u32, engine: Engine, delay_ms: u64) -> Result<Scene> {
        let group = self.group(engine, delay_ms)?;
        let stays = self.start(&group)?;
        let mut files = Vec::new();
        for number in 0..SOURCES {
            let name = format!("source-{number}");
            let file = group.folder.join(format!("{name}.txt"));
            fs::write(&file, "")?;
            create(&stays, &name, Direction::FileToTopic, &file, &group.topic)?;
            files.push((name, file));
        }
        let mut written = Vec::new();
        for number in 0..SINKS {
            let name = format!("sink-{number}");
            let file = group.folder.join(format!("{name}.txt"));
            create(&stays, &name, Direction::TopicToFile, &file, &group.topic)?;
            written.push((name, file));
        }
        let names = |files: &[(String, PathBuf)]| files.iter().map(|(name, _)| name.clone()).collect();
        let sources: BTreeSet<String> = names(&files);
        let sinks: BTreeSet<String> = names(&written);
        let now = Instant::now();
        until(&stays, "all sources and sinks run", now, PATIENCE, |work| {
            work.runs_on(ALL, &[stays.address()])
        })?;
        let mut traffic = Traffic::start(files, self.consumer.clone(), &group.topic, written)?;
        let all: BTreeSet<String> = sources.union(&sinks).cloned().collect();
        while traffic.judge(|arrivals| all_arrived(arrivals, &all, 0)).is_none() {
            traffic.check()?;
            if now.elapsed() >= PATIENCE {
                bail!("no lines come from {}:\n{}", stays.address(), stays.log_tail());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        std::thread::sleep(MARGIN);
        Ok(Scene {
            round,
            group,
            delay_ms,
            stays,
            sources,
            sinks,
            traffic,
        })
    }

    /// Starts another worker and waits until it has a part of the work and all of it runs.
    fn join(&mut self, scene: &Scene) -> Result<(Worker, Visit)> {
        let other = self.start(&scene.group)?;
        let both = [scene.stays.address(), other.address()];
        let mut unmoved = BTreeSet::new();
        let join_s = until(
            &scene.stays,
            "the work is spread",
            other.started,
            PATIENCE,
            |work| {
                unmoved = &work.tasks_of(both[0]) & &scene.sources;
                let is_spread = !unmoved.is_empty() && !work.tasks_of(both[1]).is_empty();
                is_spread && work.runs_on(ALL, &both)
            },
        )?;
        Ok((other, Visit { unmoved, join_s }))
    }
}

impl Scene {
    /// Ends a worker and waits until its work is done by the one that stays.
    fn end(&mut self, mut other: Worker, exit: Exit, leads: bool) -> Result<Row> {
        let (signalled, signalled_ms) = (Instant::now(), self.traffic.now_ms());
        match exit {
            Exit::Leave => other.leave()?,
            Exit::Crash => other.kill()?,
        }
        let patience = PATIENCE + Duration::from_millis(self.delay_ms);
        let stays = &self.stays;
        let running_s = until(stays, "one worker has all work", signalled, patience, |work| {
            work.runs_on(ALL, &[stays.address()])
        })?;
        let [arrived_ms, written_ms] = loop {
            let arrived = self.traffic.judge(|arrivals| {
                [&self.sources, &self.sinks].map(|names| all_arrived(arrivals, names, signalled_ms))
            });
            if let [Some(arrived), Some(written)] = arrived {
                break [arrived, written];
            }
            self.traffic.check()?;
            if signalled.elapsed() >= patience {
                bail!(
                    "lines do not come from all sources, or not into all files:\n{}",
                    stays.log_tail()
                );
            }
            std::thread::sleep(LOOK_EVERY);
        };
        if exit == Exit::Leave {
            other.stop()?;
        }
        Ok(Row::Recovery {
            round: self.round,
            engine: self.group.engine,
            exit,
            leads,
            sources: u32::try_from(SOURCES)?,
            sinks: u32::try_from(SINKS)?,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_delay_ms: self.delay_ms,
            running_s,
            lines_s: arrived_ms.saturating_sub(signalled_ms) as f64 / 1e3,
            sink_lines_s: Some(written_ms.saturating_sub(signalled_ms) as f64 / 1e3),
        })
    }

    /// Compares the time since `from` with an equally long one in which nothing happens.
    fn pause(&mut self, from: u64, visit: &Visit) -> Result<Row> {
        let to = self.traffic.now_ms();
        let length = to - from;
        std::thread::sleep(Duration::from_millis(length));
        self.traffic.check()?;
        let gap = |from, to| {
            self.traffic
                .judge(|arrivals| largest_gap(arrivals, &visit.unmoved, from, to))
                .context("an unmoved task sent nothing")
        };
        Ok(Row::Pause {
            round: self.round,
            engine: self.group.engine,
            unmoved: u32::try_from(visit.unmoved.len())?,
            window_s: length as f64 / 1e3,
            gap_ms: gap(from, to)?,
            quiet_gap_ms: gap(to, to + length)?,
            join_s: visit.join_s,
        })
    }
}
