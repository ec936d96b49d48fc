//! Who runs what: the decisions of the group's leader, between the JoinGroup response and its SyncGroup request.
//!
//! [`Assignor::assign`] is the whole: it reads the members' metadata, sees that the leader knows as much of the config topic
//! as any member, and lets one of two strategies decide, [`EagerAssignor`] or [`IncrementalCooperativeAssignor`]
//! (KIP-415), as the group's protocol says.
//!
//! What must stay true:
//! - Every member of the round gets an entry, even an empty one: a JVM worker ends when it gets none.
//! - Nothing is given to a member while another one may still run it: it is revoked in one round and given in a later one.
//! - The assignment's config offset is never below any member's.
//! - Where all members can run everything, decisions are those of a JVM leader, ties included.

mod backoff;
mod balance;
mod eager;
mod incremental;
mod lost;
mod pieces;
mod placement;

use crate::herder::ConfigView;
use crate::protocol::{Assignment, ConnectProtocol, ConnectorsAndTasks, ProtocolError, WorkerState};
use crate::time::Millis;

pub use self::eager::EagerAssignor;
pub use self::incremental::{IncrementalCooperativeAssignor, IncrementalRound};

/// Whether a member (by id) can run a connector (by name).
pub type CanRun<'a> = &'a dyn Fn(&str, &str) -> bool;

/// What there is to run, as the config topic says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfiguredWork {
    /// How far the topic was read.
    pub offset: i64,
    /// Every connector with the number of its tasks; 0 while its task configurations are incomplete.
    pub connectors: Vec<(String, i32)>,
}

impl ConfiguredWork {
    /// All that a view of the config topic knows, whatever the target states: paused connectors are assigned too.
    pub fn of(view: &impl ConfigView) -> Self {
        let names = view.connectors().into_iter();
        Self {
            offset: view.offset(),
            connectors: names
                .map(|name| {
                    let tasks = view.task_count(&name);
                    (name, tasks)
                })
                .collect(),
        }
    }
}

/// A round as the leader's JoinGroup response tells it.
#[derive(Clone, Copy)]
pub struct Round<'a> {
    /// The time.
    pub now: Millis,
    /// What the group agreed on.
    pub protocol: ConnectProtocol,
    /// Member id of the leader.
    pub leader: &'a str,
    /// The generation that begins.
    pub generation: i32,
    /// The generation in which the leader last got an assignment; −1 when it never did.
    pub last_completed_generation: i32,
    /// Ids and metadata of all members, in the order of the response.
    pub members: &'a [(String, Vec<u8>)],
    /// What the leader knew of the config topic when it joined.
    pub joined_with: &'a ConfiguredWork,
    /// What it knows now; it counts only when it knew too little when it joined.
    pub fresh: &'a ConfiguredWork,
    /// Which members can run which connectors; `None` when all can run all.
    pub can_run: Option<CanRun<'a>>,
}

/// What becomes of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberShare {
    /// Its id.
    pub member: String,
    /// What it has to run in addition; everything under the eager protocol.
    pub assigned: ConnectorsAndTasks,
    /// What it has to stop.
    pub revoked: ConnectorsAndTasks,
    /// What it owns after both.
    pub owned: ConnectorsAndTasks,
}

/// What becomes of the group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterAssignment {
    /// Every member of the round.
    pub shares: Vec<MemberShare>,
    /// Milliseconds after which all have to join again; 0 when they have not.
    pub delay: i32,
    /// What no member of the group can run. It is tried again with every round.
    pub unplaceable: ConnectorsAndTasks,
}

/// What the leader answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupAssignment {
    /// For each member its id and the bytes for the SyncGroup request.
    pub entries: Vec<(String, Vec<u8>)>,
    /// Who owns what after this round; no shares when the leader could not assign.
    pub outcome: ClusterAssignment,
    /// Ids and URLs of the members, to route requests to owners.
    pub urls: Vec<(String, String)>,
    /// The leader knew less of the config topic than another member: nobody got anything.
    pub config_mismatch: bool,
    /// Members whose metadata could not be read. They get nothing, and nothing is made free for them.
    pub unreadable: Vec<(String, ProtocolError)>,
}

/// The assignors of one worker, for the time it leads. A worker that becomes leader again after another one led uses the
/// same one: what it remembers counts only if its last round was completed.
#[derive(Debug)]
pub struct Assignor {
    eager: EagerAssignor,
    incremental: IncrementalCooperativeAssignor,
}

impl Assignor {
    /// `max_delay` is `scheduled.rebalance.max.delay.ms`.
    #[must_use]
    pub fn new(max_delay: i32) -> Self {
        Self {
            eager: EagerAssignor,
            incremental: IncrementalCooperativeAssignor::new(max_delay),
        }
    }

    /// Decides a round.
    ///
    /// # Errors
    /// When a name is too long to be sent.
    pub fn assign(&mut self, round: &Round<'_>) -> Result<GroupAssignment, ProtocolError> {
        let mut answer = GroupAssignment::default();
        let mut states = Vec::with_capacity(round.members.len());
        for (member, metadata) in round.members {
            let state = WorkerState::decode(metadata).unwrap_or_else(|error| {
                answer.unreadable.push((member.clone(), error));
                WorkerState {
                    config_offset: -1,
                    ..WorkerState::default()
                }
            });
            answer.urls.push((member.clone(), state.url.clone()));
            states.push((member.clone(), state));
        }
        let max_offset = states
            .iter()
            .map(|(_, state)| state.config_offset)
            .max()
            .unwrap_or(-1);
        let leader_url = states
            .iter()
            .find(|(member, _)| member == round.leader)
            .map_or("", |(_, state)| &state.url);
        let mut common = Assignment {
            leader: round.leader.to_owned(),
            leader_url: leader_url.to_owned(),
            config_offset: max_offset,
            ..Assignment::default()
        };
        let configured = if round.joined_with.offset >= max_offset {
            Some(round.joined_with)
        } else if round.fresh.offset >= max_offset {
            common.config_offset = round.fresh.offset;
            Some(round.fresh)
        } else {
            None
        };
        let Some(configured) = configured else {
            answer.config_mismatch = true;
            common.error = Assignment::CONFIG_MISMATCH;
            let bytes = common.encode(round.protocol)?;
            answer.entries = states
                .into_iter()
                .map(|(member, _)| (member, bytes.clone()))
                .collect();
            return Ok(answer);
        };
        let is_read = |member: &String| answer.unreadable.iter().all(|(other, _)| other != member);
        states.retain(|(member, _)| is_read(member));
        answer.outcome = self.decide(round, configured, states);
        let idle = answer.unreadable.iter().map(|(member, _)| MemberShare {
            member: member.clone(),
            ..MemberShare::default()
        });
        answer.outcome.shares.extend(idle);
        for share in &answer.outcome.shares {
            let assignment = Assignment {
                assigned: share.assigned.clone(),
                revoked: share.revoked.clone(),
                delay: answer.outcome.delay,
                ..common.clone()
            };
            answer
                .entries
                .push((share.member.clone(), assignment.encode(round.protocol)?));
        }
        Ok(answer)
    }

    fn decide(
        &mut self,
        round: &Round<'_>,
        configured: &ConfiguredWork,
        states: Vec<(String, WorkerState)>,
    ) -> ClusterAssignment {
        if !round.protocol.is_cooperative() {
            let members: Vec<_> = states.into_iter().map(|(member, _)| member).collect();
            return self.eager.assign(&members, configured, round.can_run);
        }
        let members: Vec<_> = states
            .into_iter()
            .map(|(member, state)| (member, state.allocation.unwrap_or_default().assigned))
            .collect();
        self.incremental.assign(&IncrementalRound {
            now: round.now,
            generation: round.generation,
            last_completed_generation: round.last_completed_generation,
            configured,
            members: &members,
            can_run: round.can_run,
        })
    }
}

#[cfg(test)]
mod tests;
