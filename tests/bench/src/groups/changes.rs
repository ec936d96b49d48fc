//! A worker joins, leaves in order, joins again and crashes, while lines flow through sources of the group into a topic and from there
//! through sinks into files; then the leader leaves, and its successor crashes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::arrivals::{Traffic, all_arrived};
use super::{Group, Groups, PATIENCE, SESSION_TIMEOUT_MS, Visit, create, until};
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
pub(super) const MARGIN: Duration = Duration::from_secs(3);

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

impl Groups {
    /// Pause, planned leave and crash; with a long delay only what the delay is about.
    pub(super) fn changes(&mut self, round: u32, engine: Engine, delay_ms: u64) -> Result<()> {
        let mut scene = self.scene(round, engine, delay_ms)?;
        let from = scene.traffic.now_ms();
        let (other, visit) = self.visit(&scene)?;
        std::thread::sleep(MARGIN);
        let row = scene.end(other, Exit::Leave, false)?;
        self.note(row);
        std::thread::sleep(MARGIN);
        if delay_ms == 0 {
            let row = scene.pause(from, &visit)?;
            self.note(row);
        }
        let (other, _) = self.visit(&scene)?;
        std::thread::sleep(MARGIN);
        let row = scene.end(other, Exit::Crash, false)?;
        self.note(row);
        if delay_ms == 0 {
            // Who was first leads, and then who stays.
            for exit in [Exit::Leave, Exit::Crash] {
                let (other, _) = self.visit(&scene)?;
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
        until(
            &stays,
            "all sources and sinks run",
            Instant::now(),
            PATIENCE,
            |work| work.runs_on(ALL, &[stays.address()]),
        )?;
        let mut traffic = Traffic::through_sources(files, self.consumer.clone(), &group.topic, written)?;
        let all: BTreeSet<String> = sources.union(&sinks).cloned().collect();
        traffic
            .wait(PATIENCE, |arrivals| all_arrived(arrivals, &all, 0))
            .with_context(|| stays.log_tail())?;
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
    fn visit(&mut self, scene: &Scene) -> Result<(Worker, Visit)> {
        self.join(&scene.group, &scene.stays, &scene.sources, ALL)
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
        let [arrived_ms, written_ms] = self
            .traffic
            .wait(patience.saturating_sub(signalled.elapsed()), |arrivals| {
                let came = |names| all_arrived(arrivals, names, signalled_ms);
                Some([came(&self.sources)?, came(&self.sinks)?])
            })
            .with_context(|| stays.log_tail())?;
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

    /// Of the sources that stayed, in the time since `from`.
    fn pause(&mut self, from: u64, visit: &Visit) -> Result<Row> {
        let silence = self.traffic.silence(&visit.unmoved, from)?;
        Ok(Row::Pause {
            round: self.round,
            engine: self.group.engine,
            direction: Direction::FileToTopic,
            consumer_group_members: None,
            unmoved: u32::try_from(visit.unmoved.len())?,
            window_s: silence.window_ms as f64 / 1e3,
            gap_ms: silence.gap_ms,
            quiet_gap_ms: silence.quiet_gap_ms,
            join_s: visit.join_s,
        })
    }
}
