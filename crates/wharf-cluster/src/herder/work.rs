//! What a worker runs, as opposed to what it should run.
//!
//! Every connector instance and task has at most one entry, and an entry leaves the table only when its stop was
//! confirmed. So nothing can be started while an earlier run of it has not ended, whatever happens in between:
//! a restart, a revocation, a lost lease, all of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ids::ConnectorTaskId;
use crate::protocol::ConnectorsAndTasks;

/// A connector instance or a task: what is assigned, started and stopped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkId {
    /// The instance of the connector of this name.
    Connector(String),
    /// A task.
    Task(ConnectorTaskId),
}

impl WorkId {
    /// The task of this number.
    pub fn task(connector: impl Into<String>, task: i32) -> Self {
        Self::Task(ConnectorTaskId::new(connector, task))
    }

    /// The connector it is or belongs to.
    pub fn connector(&self) -> &str {
        match self {
            Self::Connector(name) => name,
            Self::Task(id) => &id.connector,
        }
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector(name) => write!(f, "{name}"),
            Self::Task(id) => write!(f, "{id}"),
        }
    }
}

/// Connectors and tasks side by side.
pub type WorkSet = BTreeSet<WorkId>;

impl ConnectorsAndTasks {
    /// The same as one set.
    #[must_use]
    pub fn to_work(&self) -> WorkSet {
        let connectors = self.connectors.iter().cloned().map(WorkId::Connector);
        connectors
            .chain(self.tasks.iter().cloned().map(WorkId::Task))
            .collect()
    }

    /// A set of both, apart, each in the order of its names.
    #[must_use]
    pub fn from_work(work: &WorkSet) -> Self {
        let mut apart = Self::default();
        for id in work {
            match id {
                WorkId::Connector(name) => apart.connectors.push(name.clone()),
                WorkId::Task(task) => apart.tasks.push(task.clone()),
            }
        }
        apart
    }
}

/// How many times something was to be started anew since the worker started.
type Epoch = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actual {
    Running(Epoch),
    Stopping,
}

/// What has to be done for reality to become what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Moves {
    pub(super) stop: Vec<WorkId>,
    pub(super) start: Vec<WorkId>,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub(super) struct WorkTable {
    actual: BTreeMap<WorkId, Actual>,
    /// Only of what was restarted at least once and is still in the table.
    wanted: BTreeMap<WorkId, Epoch>,
}

impl WorkTable {
    /// Whatever of it runs is stopped, and started again if it is still wanted then.
    pub(super) fn restart(&mut self, id: &WorkId) {
        if self.actual.contains_key(id) {
            *self.wanted.entry(id.clone()).or_default() += 1;
        }
    }

    /// Its stop is complete, or it was given up.
    pub(super) fn stopped(&mut self, id: &WorkId) {
        self.actual.remove(id);
        self.wanted.remove(id);
    }

    /// Whether it runs or has not ended yet.
    pub(super) fn is_active(&self, id: &WorkId) -> bool {
        self.actual.contains_key(id)
    }

    /// Whether it runs and is not being stopped.
    pub(super) fn is_running(&self, id: &WorkId) -> bool {
        matches!(self.actual.get(id), Some(Actual::Running(_)))
    }

    /// Everything that runs or has not ended yet.
    pub(super) fn active(&self) -> impl Iterator<Item = &WorkId> {
        self.actual.keys()
    }

    /// What has to be stopped and started, taken as done with this call.
    ///
    /// Runs that are not `wanted`, or are older than their last restart, stop. What is in `candidates`, `wanted` and not in
    /// the table starts, if `may_start`.
    pub(super) fn converge(
        &mut self,
        candidates: &WorkSet,
        wanted: impl Fn(&WorkId) -> bool,
        may_start: bool,
    ) -> Moves {
        let mut moves = Moves::default();
        for (id, actual) in &mut self.actual {
            let Actual::Running(epoch) = *actual else { continue };
            let current = self.wanted.get(id).copied().unwrap_or_default();
            if epoch != current || !candidates.contains(id) || !wanted(id) {
                *actual = Actual::Stopping;
                moves.stop.push(id.clone());
            }
        }
        if may_start {
            for id in candidates {
                if !self.actual.contains_key(id) && wanted(id) {
                    self.actual.insert(id.clone(), Actual::Running(0));
                    moves.start.push(id.clone());
                }
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[WorkId]) -> WorkSet {
        ids.iter().cloned().collect()
    }

    #[test]
    fn nothing_starts_before_its_last_run_has_ended() {
        let a = WorkId::task("c", 0);
        let owned = set(std::slice::from_ref(&a));
        let mut table = WorkTable::default();
        assert_eq!(
            table.converge(&owned, |_| true, true).start,
            std::slice::from_ref(&a)
        );
        table.restart(&a);
        assert_eq!(
            table.converge(&owned, |_| true, true),
            Moves {
                stop: vec![a.clone()],
                start: vec![]
            }
        );
        // Wanted or not, restarted again or not: it is still stopping.
        table.restart(&a);
        assert_eq!(table.converge(&owned, |_| true, true), Moves::default());
        assert_eq!(table.converge(&set(&[]), |_| true, true), Moves::default());
        assert!(table.is_active(&a) && !table.is_running(&a));
        table.stopped(&a);
        assert_eq!(table.converge(&owned, |_| true, false), Moves::default());
        assert_eq!(
            table.converge(&owned, |_| true, true).start,
            std::slice::from_ref(&a)
        );
        assert!(table.is_running(&a));
    }

    #[test]
    fn what_is_not_owned_or_not_wanted_stops_once() {
        let (a, b) = (WorkId::Connector("a".into()), WorkId::task("a", 1));
        let mut table = WorkTable::default();
        table.converge(&set(&[a.clone(), b.clone()]), |_| true, true);
        let moves = table.converge(&set(std::slice::from_ref(&b)), |id| *id != b, true);
        assert_eq!(
            moves,
            Moves {
                stop: vec![a.clone(), b.clone()],
                start: vec![]
            }
        );
        assert_eq!(table.converge(&set(&[]), |_| true, true), Moves::default());
        assert_eq!(table.active().cloned().collect::<Vec<_>>(), [a, b]);
    }

    #[test]
    fn a_restart_of_what_does_not_run_is_nothing() {
        let a = WorkId::task("c", 0);
        let mut table = WorkTable::default();
        table.restart(&a);
        assert_eq!(
            table
                .converge(&set(std::slice::from_ref(&a)), |_| true, true)
                .start,
            std::slice::from_ref(&a)
        );
        assert_eq!(table.converge(&set(&[a]), |_| true, true), Moves::default());
    }
}
