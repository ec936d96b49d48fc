//! What happens to work whose owner is gone: it waits for the owner to come back, for a while.

use std::collections::HashSet;

use super::pieces::{Kind, Piece, Pieces};
use super::placement::Placement;
use crate::java_hash::{self, Filled};
use crate::time::Millis;

/// The wait for owners of lost work, as one leader sees it.
#[derive(Debug, Default)]
pub(super) struct LostWork {
    /// The longest wait, `scheduled.rebalance.max.delay.ms`.
    pub(super) max_delay: i32,
    /// When the wait ends.
    pub(super) scheduled: Option<Millis>,
    /// How long members are told to wait.
    pub(super) delay: i32,
    /// Members of the last round.
    pub(super) previous_members: HashSet<String>,
    /// Members that were seen without work while the wait lasted, in that order: they look like owners that came back.
    candidates: Vec<String>,
}

/// What a round found.
pub(super) struct Outcome {
    /// Lost work that may be handed out like new work.
    pub(super) reassign: Vec<Piece>,
    /// The wait is over.
    pub(super) expired: bool,
}

impl LostWork {
    pub(super) fn new(max_delay: i32) -> Self {
        Self {
            max_delay,
            ..Self::default()
        }
    }

    fn reset(&mut self) {
        self.candidates.clear();
        self.scheduled = None;
        self.delay = 0;
    }

    /// Decides about `lost`. Work for returned members goes into `next` directly.
    pub(super) fn handle(
        &mut self,
        now: Millis,
        revoked_in_previous: bool,
        lost: &Pieces,
        members: &[&str],
        next: &mut [Pieces],
        placement: &Placement,
    ) -> Outcome {
        let mut outcome = Outcome {
            reassign: Vec::new(),
            expired: false,
        };
        if lost.is_empty() && !revoked_in_previous {
            self.reset();
            return outcome;
        }
        let nobody_left = || {
            let present: HashSet<&str> = members.iter().copied().collect();
            self.previous_members
                .iter()
                .all(|member| present.contains(member.as_str()))
        };
        // When nobody left, members did not get their last assignment.
        if self.max_delay == 0 || (self.scheduled.is_none() && nobody_left()) {
            outcome.reassign = lost.iter().collect();
            return outcome;
        }
        match self.scheduled {
            Some(at) if now >= at => {
                outcome.reassign = self.give_to_candidates(lost, members, next, placement);
                outcome.expired = true;
                self.reset();
            }
            scheduled => {
                self.add_candidates(members, next);
                let left = scheduled.map(|at| i32::try_from(at - now).unwrap_or(i32::MAX));
                self.delay = left.map_or(self.max_delay, |left| left.min(self.max_delay));
                self.scheduled = Some(now + Millis::from(self.delay.unsigned_abs()));
            }
        }
        outcome
    }

    fn add_candidates(&mut self, members: &[&str], next: &[Pieces]) {
        let mut empty: Vec<&str> = members
            .iter()
            .zip(next)
            .filter(|(_, pieces)| pieces.is_empty())
            .map(|(member, _)| *member)
            .collect();
        java_hash::sort(&mut empty, Filled::OneByOne, |member| member);
        for member in empty {
            if !self.candidates.iter().any(|known| known == member) {
                self.candidates.push(member.to_owned());
            }
        }
    }

    /// One piece to each candidate in turn; the tasks begin with the first candidate again. What no candidate can run is
    /// given back.
    fn give_to_candidates(
        &self,
        lost: &Pieces,
        members: &[&str],
        next: &mut [Pieces],
        placement: &Placement,
    ) -> Vec<Piece> {
        let candidates: Vec<usize> = self
            .candidates
            .iter()
            .filter_map(|candidate| members.iter().position(|member| member == candidate))
            .collect();
        let mut left = Vec::new();
        for kind in Kind::BOTH {
            let mut turn = 0;
            for piece in lost.of(kind) {
                let mut turns = (0..candidates.len()).map(|ahead| (turn + ahead) % candidates.len());
                match turns.find(|turn| placement.can_run(candidates[*turn], *piece)) {
                    None => left.push(*piece),
                    Some(found) => {
                        next[candidates[found]].push(*piece);
                        turn = (found + 1) % candidates.len();
                    }
                }
            }
        }
        left
    }
}
