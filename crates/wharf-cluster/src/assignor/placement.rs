//! Who can run what, where not every member can run everything.
//!
//! Connectors fall into groups with the same able members. The connectors that all members can run are in no group: they
//! are what upstream's rules are made for.

use std::collections::HashMap;

use super::CanRun;
use super::pieces::{Names, Piece};

/// The groups of a round.
#[derive(Default)]
pub(super) struct Placement {
    /// For each connector its group, or `None` when all members can run it. Empty when nothing is restricted.
    group_of: Vec<Option<usize>>,
    /// For each group, member by member, who is able.
    groups: Vec<Vec<bool>>,
}

impl Placement {
    pub(super) fn new(members: &[&str], names: &Names<'_>, can_run: Option<CanRun<'_>>) -> Self {
        let mut placement = Self::default();
        let Some(can_run) = can_run else { return placement };
        let mut known: HashMap<Vec<bool>, usize> = HashMap::new();
        for name in names.all() {
            let able: Vec<bool> = members.iter().map(|member| can_run(member, name)).collect();
            let group = (!able.iter().all(|able| *able)).then(|| {
                *known.entry(able).or_insert_with_key(|able| {
                    placement.groups.push(able.clone());
                    placement.groups.len() - 1
                })
            });
            placement.group_of.push(group);
        }
        placement
    }

    pub(super) fn group(&self, piece: Piece) -> Option<usize> {
        self.group_of.get(piece.connector as usize).copied().flatten()
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The able members of a group.
    pub(super) fn able(&self, group: usize) -> impl Iterator<Item = usize> {
        let able = self.groups[group].iter().enumerate();
        able.filter(|(_, able)| **able).map(|(member, _)| member)
    }

    pub(super) fn can_run(&self, member: usize, piece: Piece) -> bool {
        self.group(piece).is_none_or(|group| self.groups[group][member])
    }
}
