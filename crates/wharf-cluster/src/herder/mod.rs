//! The decisions of a distributed worker: (state, event) → commands.
//!
//! A driver feeds [`HerderMachine::handle`] one [`Event`] at a time and carries out the [`Command`]s it gets back, in their
//! order. Nothing here waits: what upstream's herder thread blocks on is a phase of this machine.
//!
//! What must stay true:
//! - Nothing is started while an earlier run of it on this worker has not ended.
//! - Nothing is started unless the last assignment named it and this worker had read the config topic at least as far as the
//!   assignment says.
//! - What was revoked has ended before this worker asks to join without it, and no join says that something is not here that
//!   may still have effects.
//! - Without a lease nothing runs.

mod admission;
pub mod invariants;
mod machine;
mod rejoin;
mod told;
mod work;

pub use self::admission::{Admission, RequestKind};
pub use self::machine::{HerderMachine, HerderSettings};
pub use self::told::ToldViews;
pub use self::work::{WorkId, WorkSet};
use crate::config_state::ConfigSnapshot;
use crate::member;
use crate::protocol::{Assignment, ConnectorsAndTasks};

/// What the config topic says, as far as it was read.
pub trait ConfigView {
    /// Offset of the last record that was understood, plus one; −1 when there is none.
    fn offset(&self) -> i64;

    /// Names of all connectors.
    fn connectors(&self) -> Vec<String>;

    /// Whether there is a connector of this name.
    fn has_connector(&self, name: &str) -> bool;

    /// How many tasks a connector has, 0 while its task configurations are not complete.
    fn task_count(&self, name: &str) -> i32;
}

impl ConfigView for ConfigSnapshot {
    fn offset(&self) -> i64 {
        Self::offset(self)
    }

    fn connectors(&self) -> Vec<String> {
        Self::connectors(self).map(str::to_owned).collect()
    }

    fn has_connector(&self, name: &str) -> bool {
        self.contains(name)
    }

    fn task_count(&self, name: &str) -> i32 {
        match self.connector(name) {
            Some(state) if state.config.is_some() && !state.inconsistent => {
                state.task_count.unwrap_or_default()
            }
            _ => 0,
        }
    }
}

/// What a worker was given, as it tells the group when it joins again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The generation it was given in.
    pub generation: i32,
    /// Member id of the leader.
    pub leader: String,
    /// URL of the leader's REST API.
    pub leader_url: String,
    /// How far the leader had read the config topic.
    pub config_offset: i64,
    /// Whether the leader could not assign, because it was behind another member.
    pub failed: bool,
    /// Milliseconds that were left until the next rebalance, as received.
    pub delay: i32,
    /// Everything that this worker owns, not only what was new.
    pub work: WorkSet,
}

/// The complete assignment that a worker publishes.
impl From<Allocation> for Assignment {
    fn from(allocation: Allocation) -> Self {
        Self {
            error: if allocation.failed {
                Self::CONFIG_MISMATCH
            } else {
                Self::NO_ERROR
            },
            assigned: ConnectorsAndTasks::from_work(&allocation.work),
            revoked: ConnectorsAndTasks::default(),
            leader: allocation.leader,
            leader_url: allocation.leader_url,
            config_offset: allocation.config_offset,
            delay: allocation.delay,
        }
    }
}

/// The outcome of a rebalance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The new generation.
    pub generation: i32,
    /// Whether work stays where it is unless it is revoked; else an assignment is the whole.
    pub cooperative: bool,
    /// Whether this worker leads.
    pub is_leader: bool,
    /// Member id of the leader.
    pub leader: String,
    /// URL of the leader's REST API.
    pub leader_url: String,
    /// How far the leader had read the config topic.
    pub config_offset: i64,
    /// Whether the leader could not assign.
    pub failed: bool,
    /// Milliseconds until this worker has to rejoin; 0 for none.
    pub delay: i32,
    /// What is new here, or everything.
    pub assigned: WorkSet,
    /// What has to end here.
    pub revoked: WorkSet,
}

impl From<member::Joined> for Joined {
    fn from(joined: member::Joined) -> Self {
        let assignment = joined.assignment;
        Self {
            generation: joined.generation,
            cooperative: joined.protocol.is_cooperative(),
            is_leader: joined.is_leader,
            failed: assignment.failed(),
            assigned: assignment.assigned.to_work(),
            revoked: assignment.revoked.to_work(),
            leader: assignment.leader,
            leader_url: assignment.leader_url,
            config_offset: assignment.config_offset,
            delay: assignment.delay,
        }
    }
}

/// What the config topic brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigNote {
    /// A connector's configuration was written.
    Connector(String),
    /// A connector was deleted.
    Removed(String),
    /// Task configurations of a connector were committed.
    Tasks(String),
    /// A connector is to be started, paused or stopped.
    Target(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<V> {
    /// The config topic was read further; also the first time, when it was read to its end.
    Config {
        /// What it says now.
        view: V,
        /// What is new, in order; empty the first time.
        notes: Vec<ConfigNote>,
    },
    /// The read to the end that was asked for is complete; everything it brought came as [`Event::Config`] before.
    ReadToEnd,
    /// The read to the end that was asked for failed.
    ReadFailed,
    /// A join is about to begin under a protocol that gives up all work first; the join waits for [`Command::JoinPrepared`].
    GiveUpAll,
    /// A rebalance is over.
    Joined(Joined),
    /// The group has not confirmed this worker for the session timeout.
    LeaseLapsed,
    /// A connector or task has ended, or was given up.
    Stopped(WorkId),
    /// Connectors and tasks are to be started anew.
    Restart(WorkSet),
    /// Time has passed; see [`HerderMachine::next_deadline`].
    Tick,
    /// The worker is to end.
    ShutDown,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start a connector instance or a task with what the last view says.
    Start(WorkId),
    /// Stop it; answered by [`Event::Stopped`] in bounded time.
    Stop(WorkId),
    /// Let what runs here of this connector take over its target state.
    ApplyTarget(String),
    /// Read the config topic to its end as it is now; answered by [`Event::ReadToEnd`] or [`Event::ReadFailed`].
    ReadToEnd,
    /// What to tell the group with the next join.
    SetMetadata {
        /// How far the config topic was read.
        config_offset: i64,
        /// What this worker owns; `None` when it has given up everything.
        allocation: Option<Allocation>,
    },
    /// Ask for a rebalance.
    Rejoin {
        /// For the logs of broker and worker.
        reason: String,
    },
    /// All work is given up; the join may go on.
    JoinPrepared,
    /// Leave the group, to join it again when [`Command::Rejoin`] says so.
    Leave {
        /// For the logs.
        reason: String,
    },
    /// Everything that was revoked has ended: make its statuses durable.
    RevocationDone,
    /// This worker leads since this rebalance: claim the config topic, clean up statuses, see to the session key.
    Lead,
    /// Everything has ended: leave the group and end.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_state::ConfigState;

    #[test]
    fn a_snapshot_shows_the_herder_connectors_that_are_there_and_tasks_that_may_run() {
        let mut state = ConfigState::new();
        let view = state.snapshot();
        assert_eq!(
            (ConfigView::offset(&view), ConfigView::connectors(&view)),
            (-1, vec![])
        );
        let mut records = Vec::new();
        for name in ["whole", "part", "gone"] {
            records.extend([
                (format!("connector-{name}"), Some(r#"{"properties":{}}"#)),
                (format!("task-{name}-0"), Some(r#"{"properties":{}}"#)),
            ]);
        }
        records.extend([
            ("commit-whole".to_owned(), Some(r#"{"tasks":1}"#)),
            // One of its two tasks is missing.
            ("commit-part".to_owned(), Some(r#"{"tasks":2}"#)),
            ("commit-gone".to_owned(), Some(r#"{"tasks":1}"#)),
            ("connector-gone".to_owned(), None),
            ("connector-new".to_owned(), Some(r#"{"properties":{}}"#)),
        ]);
        let last = records.len() as i64 - 1;
        for (offset, (key, value)) in (0..).zip(&records) {
            state.apply(offset, Some(key.as_bytes()), value.map(str::as_bytes));
        }
        let view = state.snapshot();
        assert_eq!(ConfigView::offset(&view), last + 1);
        assert_eq!(ConfigView::connectors(&view), ["new", "part", "whole"]);
        for (name, is_there, tasks) in [
            ("whole", true, 1),
            ("part", true, 0),
            ("gone", false, 0),
            ("new", true, 0),
            ("never", false, 0),
        ] {
            assert_eq!(
                (view.has_connector(name), ConfigView::task_count(&view, name)),
                (is_there, tasks),
                "{name}"
            );
        }
    }
}
