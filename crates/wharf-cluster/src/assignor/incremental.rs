//! The incremental cooperative strategy (KIP-415): only what moves stops.
//!
//! A round compares what the leader believes to be assigned since its last round, what members report, and what is
//! configured. Work that has to move is revoked first; its holders stop it and join again, and the round after that hands
//! it out.

use std::collections::{HashMap, HashSet};

use super::backoff::backoff;
use super::balance;
use super::lost::LostWork;
use super::pieces::{Names, Piece, Pieces, sorted};
use super::placement::Placement;
use super::{CanRun, ClusterAssignment, ConfiguredWork, MemberShare};
use crate::java_hash::{self, Filled};
use crate::protocol::ConnectorsAndTasks;
use crate::time::Millis;

/// One round.
#[derive(Clone, Copy)]
pub struct IncrementalRound<'a> {
    /// The time.
    pub now: Millis,
    /// The generation that begins.
    pub generation: i32,
    /// The generation in which this leader last got an assignment itself.
    pub last_completed_generation: i32,
    /// What there is to run.
    pub configured: &'a ConfiguredWork,
    /// Ids of all members with what they own, in the order of the JoinGroup response.
    pub members: &'a [(String, ConnectorsAndTasks)],
    /// Which members can run which connectors; `None` when all can run all.
    pub can_run: Option<CanRun<'a>>,
}

/// The incremental cooperative assignor with what one leader remembers between rounds. A new leader begins with nothing.
#[derive(Debug)]
pub struct IncrementalCooperativeAssignor {
    /// Everything that was believed to be assigned after the last round, lost work included.
    previous_assignment: ConnectorsAndTasks,
    previous_revocation: ConnectorsAndTasks,
    previous_generation: i32,
    revoked_in_previous: bool,
    successive_revocations: u32,
    lost: LostWork,
}

impl IncrementalCooperativeAssignor {
    /// `max_delay` is `scheduled.rebalance.max.delay.ms`.
    #[must_use]
    pub fn new(max_delay: i32) -> Self {
        Self {
            previous_assignment: ConnectorsAndTasks::default(),
            previous_revocation: ConnectorsAndTasks::default(),
            previous_generation: -1,
            revoked_in_previous: false,
            successive_revocations: 0,
            lost: LostWork::new(max_delay.max(0)),
        }
    }

    /// Decides a round and remembers what the next one has to know of it.
    pub fn assign(&mut self, round: &IncrementalRound<'_>) -> ClusterAssignment {
        // The last result may never have reached the members.
        if self.previous_generation != round.last_completed_generation {
            self.previous_assignment = ConnectorsAndTasks::default();
        }
        let previous_assignment = std::mem::take(&mut self.previous_assignment);
        let previous_revocation = std::mem::take(&mut self.previous_revocation);

        // A JVM leader walks a hash map here, and gives the odd pieces to whom it meets first.
        let mut reports: Vec<_> = round.members.iter().collect();
        java_hash::sort(&mut reports, Filled::OneByOne, |(member, _)| member);
        let members: Vec<&str> = reports.iter().map(|(member, _)| member.as_str()).collect();
        let known = reports.iter().map(|(_, work)| work);
        let names = Names::new(
            known
                .chain([&previous_assignment, &previous_revocation])
                .flat_map(names_of)
                .chain(round.configured.connectors.iter().map(|(name, _)| name.as_str())),
        );
        let placement = Placement::new(&members, &names, round.can_run);
        let reported: Vec<Pieces> = reports.iter().map(|(_, work)| names.pieces(work)).collect();
        let configured: Pieces = round
            .configured
            .connectors
            .iter()
            .flat_map(|(name, tasks)| names.configured(name, *tasks))
            .collect();

        let mut holders: HashMap<Piece, usize> = HashMap::new();
        for piece in reported.iter().flat_map(Pieces::iter) {
            *holders.entry(piece).or_default() += 1;
        }
        let mut previous: HashSet<Piece> = names.pieces(&previous_assignment).iter().collect();
        if names
            .pieces(&previous_revocation)
            .iter()
            .any(|piece| holders.contains_key(&piece))
        {
            // The revocation did not take effect.
            previous = holders.keys().copied().collect();
        }
        let wanted: HashSet<Piece> = configured.iter().collect();
        let deleted: HashSet<Piece> = previous.difference(&wanted).copied().collect();
        let lost = sorted(
            previous
                .iter()
                .filter(|piece| !holders.contains_key(piece) && wanted.contains(piece))
                .copied(),
        );
        let created = sorted(
            wanted
                .iter()
                .filter(|piece| !previous.contains(piece) && !holders.contains_key(piece))
                .copied(),
        );

        // What was deleted, what runs twice, and what was given to somebody who cannot run it.
        let mut next = reported.clone();
        let mut revoked = vec![Pieces::default(); members.len()];
        for (member, pieces) in next.iter_mut().enumerate() {
            pieces.retain(|piece| {
                let stays = !deleted.contains(&piece)
                    && holders.get(&piece).is_none_or(|count| *count == 1)
                    && placement.can_run(member, piece);
                if !stays {
                    revoked[member].push(piece);
                }
                stays
            });
        }

        let found = self.lost.handle(
            round.now,
            self.revoked_in_previous,
            &lost,
            &members,
            &mut next,
            &placement,
        );
        if found.expired {
            self.revoked_in_previous = false;
        }
        self.balance(round.now, &configured, &mut next, &mut revoked, &placement);

        let mut rank: Vec<usize> = vec![0; members.len()];
        let mut by_id: Vec<usize> = (0..members.len()).collect();
        by_id.sort_by(|left, right| java_hash::compare(members[*left], members[*right]));
        for (place, member) in by_id.into_iter().enumerate() {
            rank[member] = place;
        }
        let free: Pieces = created.iter().chain(found.reassign).collect();
        let unplaceable = balance::allocate(&free, &mut next, &placement, &rank);

        // What cannot be placed is new again next time: as lost work it would have to wait for an owner.
        let unplaced: HashSet<Piece> = unplaceable.iter().copied().collect();
        let revoked_anywhere: HashSet<Piece> = revoked.iter().flat_map(Pieces::iter).collect();
        let believed: HashSet<Piece> = next
            .iter()
            .flat_map(Pieces::iter)
            .filter(|piece| !revoked_anywhere.contains(piece))
            .chain(lost.iter().filter(|piece| !unplaced.contains(piece)))
            .collect();
        self.previous_assignment = names.name(&believed.into_iter().collect());
        self.previous_revocation = names.name(&revoked_anywhere.into_iter().collect());
        self.previous_generation = round.generation;
        self.lost.previous_members = members.iter().map(|member| (*member).to_owned()).collect();

        let shares = (0..members.len()).map(|member| {
            let had: HashSet<Piece> = reported[member].iter().collect();
            let assigned = next[member].iter().filter(|piece| !had.contains(piece)).collect();
            MemberShare {
                member: members[member].to_owned(),
                assigned: names.name(&assigned),
                revoked: names.name(&revoked[member]),
                owned: names.name(&next[member]),
            }
        });
        ClusterAssignment {
            shares: shares.collect(),
            delay: self.lost.delay,
            unplaceable: names.name(&sorted(unplaceable)),
        }
    }

    /// Takes work from members that have more than their share, unless that happened in the round before as well: then it
    /// waits first, longer each time, because members that come and go would otherwise stop the same work again and again.
    fn balance(
        &mut self,
        now: Millis,
        configured: &Pieces,
        next: &mut [Pieces],
        revoked: &mut [Pieces],
        placement: &Placement,
    ) {
        if self.lost.delay > 0 {
            self.revoked_in_previous = false;
            return;
        }
        let surplus = balance::revocations(configured, next, placement);
        if surplus.iter().all(Pieces::is_empty) {
            if std::mem::take(&mut self.revoked_in_previous) {
                self.successive_revocations = 0;
            }
            return;
        }
        if self.revoked_in_previous {
            self.successive_revocations = self.successive_revocations.saturating_add(1);
            self.lost.delay = backoff(self.lost.max_delay, self.successive_revocations);
            if self.lost.delay > 0 {
                self.lost.scheduled = Some(now + Millis::from(self.lost.delay.unsigned_abs()));
                return;
            }
        }
        self.revoked_in_previous = true;
        for ((next, revoked), surplus) in next.iter_mut().zip(revoked).zip(surplus) {
            let taken: HashSet<Piece> = surplus.iter().collect();
            next.retain(|piece| !taken.contains(&piece));
            surplus.iter().for_each(|piece| revoked.push(piece));
        }
    }
}

fn names_of(work: &ConnectorsAndTasks) -> impl Iterator<Item = &str> {
    let connectors = work.connectors.iter().map(String::as_str);
    connectors.chain(work.tasks.iter().map(|id| id.connector.as_str()))
}
