//! Groups that live for a few rounds.

mod cooperative;
mod leader;
mod restricted;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ids::ConnectorTaskId;

/// A group whose members do what they are told, led by the same worker all the time.
pub(super) struct Group {
    pub(super) assignor: IncrementalCooperativeAssignor,
    pub(super) now: Millis,
    pub(super) generation: i32,
    pub(super) configured: ConfiguredWork,
    pub(super) members: BTreeMap<String, ConnectorsAndTasks>,
    /// Members that can run a connector, where not all can.
    pub(super) able: BTreeMap<String, BTreeSet<String>>,
}

impl Group {
    pub(super) fn new(max_delay: i32, connectors: &[(&str, i32)], members: &[&str]) -> Self {
        let mut group = Self {
            assignor: IncrementalCooperativeAssignor::new(max_delay),
            now: 1_000,
            generation: 0,
            configured: ConfiguredWork {
                offset: 1,
                connectors: connectors
                    .iter()
                    .map(|(name, tasks)| ((*name).to_owned(), *tasks))
                    .collect(),
            },
            members: BTreeMap::new(),
            able: BTreeMap::new(),
        };
        group.join(members);
        group
    }

    pub(super) fn join(&mut self, members: &[&str]) {
        for member in members {
            self.members.entry((*member).to_owned()).or_default();
        }
    }

    pub(super) fn only(&mut self, connector: &str, members: &[&str]) {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.able.insert(connector.to_owned(), members);
    }

    /// One round; its changes are carried out.
    pub(super) fn round(&mut self) -> ClusterAssignment {
        let members: Vec<_> = self.members.clone().into_iter().collect();
        let able = &self.able;
        let can_run =
            |member: &str, connector: &str| able.get(connector).is_none_or(|able| able.contains(member));
        let outcome = self.assignor.assign(&IncrementalRound {
            now: self.now,
            generation: self.generation + 1,
            last_completed_generation: if self.generation == 0 { -1 } else { self.generation },
            configured: &self.configured,
            members: &members,
            can_run: (!able.is_empty()).then_some(&can_run),
        });
        self.generation += 1;
        assert_eq!(
            outcome.shares.len(),
            self.members.len(),
            "everybody gets an entry"
        );
        for share in &outcome.shares {
            let has = self.members.get_mut(&share.member).unwrap();
            let before = has.len();
            has.connectors
                .retain(|name| !share.revoked.connectors.contains(name));
            has.tasks.retain(|id| !share.revoked.tasks.contains(id));
            assert_eq!(
                before - has.len(),
                share.revoked.len(),
                "only what runs is revoked"
            );
            has.connectors.extend(share.assigned.connectors.clone());
            has.tasks.extend(share.assigned.tasks.clone());
            let (mut has, mut owned) = (has.clone(), share.owned.clone());
            has.sort();
            owned.sort();
            assert_eq!(has, owned, "who owns what is known");
        }
        outcome
    }

    /// Rounds until nothing is revoked or delayed any more; says how many.
    pub(super) fn settle(&mut self) -> usize {
        for rounds in 1..30 {
            let outcome = self.round();
            self.now += Millis::from(outcome.delay.unsigned_abs());
            let still = outcome.delay == 0
                && outcome
                    .shares
                    .iter()
                    .all(|share| share.assigned.is_empty() && share.revoked.is_empty());
            if still {
                return rounds;
            }
        }
        panic!("the group does not settle: {:?}", self.members);
    }

    /// What runs where, as `w1: a a-0, w2: a-1`.
    pub(super) fn picture(&self) -> String {
        let members = self
            .members
            .iter()
            .map(|(member, work)| format!("{member}:{}", text(work)));
        members.collect::<Vec<_>>().join(", ")
    }

    /// Connectors and tasks of each member.
    pub(super) fn counts(&self) -> Vec<(usize, usize)> {
        let members = self.members.values();
        members
            .map(|work| (work.connectors.len(), work.tasks.len()))
            .collect()
    }

    /// Everything that is configured, running exactly once.
    pub(super) fn assert_complete(&self) {
        let mut runs: Vec<String> = self.members.values().flat_map(pieces).collect();
        runs.sort();
        let configured = self.configured.connectors.iter();
        let mut wanted: Vec<String> = configured
            .flat_map(|(name, tasks)| {
                std::iter::once(name.clone()).chain((0..*tasks).map(move |it| format!("{name}-{it}")))
            })
            .collect();
        wanted.sort();
        assert_eq!(runs, wanted);
    }
}

pub(super) fn pieces(work: &ConnectorsAndTasks) -> Vec<String> {
    let mut work = work.clone();
    work.sort();
    let tasks = work.tasks.iter().map(ConnectorTaskId::to_string);
    work.connectors.iter().cloned().chain(tasks).collect()
}

pub(super) fn text(work: &ConnectorsAndTasks) -> String {
    pieces(work).iter().map(|piece| format!(" {piece}")).collect()
}

/// What changed, as `w1 + a a-0, w2 - b`.
pub(super) fn changes(outcome: &ClusterAssignment) -> String {
    let mut shares = outcome.shares.clone();
    shares.sort_by(|left, right| left.member.cmp(&right.member));
    let mut changes = Vec::new();
    for share in shares {
        for (sign, work) in [('+', &share.assigned), ('-', &share.revoked)] {
            if !work.is_empty() {
                changes.push(format!("{} {sign}{}", share.member, text(work)));
            }
        }
    }
    changes.join(", ")
}
