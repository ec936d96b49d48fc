//! A worker joins and leaves in order while sinks write to files what a producer sends: the pause of sinks whose tasks stay.
//!
//! Connect itself stops moved tasks only. What an unmoved sink loses is up to its consumer group: that of a sink whose members all
//! stay has nothing to do, one with members that move rebalances. Each sink here has one task and a file, so that a file tells
//! which task wrote it; members of one consumer group are sinks that were given its name, as the tasks of one sink are by themselves.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::arrivals::{Traffic, all_arrived};
use super::changes::MARGIN;
use super::{Groups, PATIENCE, Work, create_with, until};
use crate::rows::{Direction, Engine, Row};

/// File sinks of a group.
const SINKS: u32 = 4;
/// Partitions of their topic: one for each when all are members of one consumer group.
const PARTITIONS: i32 = 4;

impl Groups {
    /// With consumer groups of one member, then with one of all sinks.
    pub(super) fn sink_pauses(&mut self, round: u32, engine: Engine) -> Result<()> {
        for members in [1, SINKS] {
            let row = self.sink_pause(round, engine, members)?;
            self.note(row);
        }
        Ok(())
    }

    fn sink_pause(&mut self, round: u32, engine: Engine, members: u32) -> Result<Row> {
        let group = self.group_with(PARTITIONS, engine, 0)?;
        let stays = self.start(&group)?;
        let mut files = Vec::new();
        for number in 0..SINKS {
            let name = format!("sink-{number}");
            let file = group.folder.join(format!("{name}.txt"));
            let consumers = format!("{}-readers-{}", group.topic, number / members);
            let more = [("consumer.override.group.id", consumers)];
            create_with(&stays, &name, Direction::TopicToFile, &file, &group.topic, &more)?;
            files.push((name, file));
        }
        let sinks: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
        let has_all = |work: &Work| work.runs_on(sinks.len(), &[stays.address()]);
        until(&stays, "all sinks run", Instant::now(), PATIENCE, has_all)?;
        let mut traffic = Traffic::through_topic(self.producer.clone(), &group.topic, PARTITIONS, files);
        // Lines written when all tasks are in their place are in all files only once each consumer group has all its members.
        let settle = |traffic: &mut Traffic, since_ms| {
            traffic
                .wait(PATIENCE, |arrivals| all_arrived(arrivals, &sinks, since_ms))
                .with_context(|| stays.log_tail())?;
            std::thread::sleep(MARGIN);
            anyhow::Ok(())
        };
        settle(&mut traffic, 0)?;
        let from = traffic.now_ms();
        let (other, mut visit) = self.join(&group, &stays, &sinks, sinks.len())?;
        let joined = traffic.now_ms();
        settle(&mut traffic, joined)?;
        other.leave()?;
        until(
            &stays,
            "one worker has all work",
            Instant::now(),
            PATIENCE,
            |work| {
                visit.unmoved = &visit.unmoved & &work.tasks_of(stays.address());
                has_all(work)
            },
        )?;
        let back = traffic.now_ms();
        other.stop()?;
        settle(&mut traffic, back)?;
        let silence = traffic
            .silence(&visit.unmoved, from)
            .with_context(|| stays.log_tail())?;
        drop(traffic);
        stays.stop()?;
        Ok(Row::Pause {
            round,
            engine,
            direction: Direction::TopicToFile,
            consumer_group_members: Some(members),
            unmoved: u32::try_from(visit.unmoved.len())?,
            window_s: silence.window_ms as f64 / 1e3,
            gap_ms: silence.gap_ms,
            quiet_gap_ms: silence.quiet_gap_ms,
            join_s: visit.join_s,
        })
    }
}
