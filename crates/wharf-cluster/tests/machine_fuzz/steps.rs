//! What can happen to a worker, possible or not.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use wharf_cluster::herder::{ConfigView, WorkId, WorkSet};
use wharf_cluster::time::Millis;

/// All that is ever spoken of. Connector `x` is never configured, nor are the last two tasks.
pub(crate) fn everything() -> [WorkId; 13] {
    let connector = |name: &str| WorkId::Connector(name.to_owned());
    [
        connector("a"),
        connector("b"),
        connector("c"),
        WorkId::task("a", 0),
        WorkId::task("a", 1),
        WorkId::task("a", 2),
        WorkId::task("b", 0),
        WorkId::task("b", 1),
        WorkId::task("c", 0),
        connector("x"),
        WorkId::task("x", 0),
        WorkId::task("a", -1),
        WorkId::task("b", i32::MAX),
    ]
}

/// Those of [`everything`] whose bit is set.
pub(crate) fn chosen(mask: u16) -> WorkSet {
    let all = everything().into_iter().enumerate();
    all.filter(|(bit, _)| mask >> bit & 1 == 1)
        .map(|(_, id)| id)
        .collect()
}

/// A config topic in short: how many tasks each connector has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    pub(crate) offset: i64,
    pub(crate) connectors: BTreeMap<String, i32>,
}

impl ConfigView for View {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn connectors(&self) -> Vec<String> {
        self.connectors.keys().cloned().collect()
    }

    fn has_connector(&self, name: &str) -> bool {
        self.connectors.contains_key(name)
    }

    fn task_count(&self, name: &str) -> i32 {
        self.connectors.get(name).copied().unwrap_or_default()
    }
}

impl View {
    pub(crate) fn has(&self, id: &WorkId) -> bool {
        match id {
            WorkId::Connector(name) => self.connectors.contains_key(name),
            WorkId::Task(task) => (0..self.task_count(&task.connector)).contains(&task.task),
        }
    }

    pub(crate) fn everything(&self) -> WorkSet {
        let mut all = WorkSet::new();
        for (name, tasks) in &self.connectors {
            all.extend((0..*tasks).map(|task| WorkId::task(name.as_str(), task)));
            all.insert(WorkId::Connector(name.clone()));
        }
        all
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Tick,
    /// One of those that were told to stop has ended.
    Ends(usize),
    /// Something ends that may not even run.
    EndsUnasked(usize),
    Config {
        /// How far this goes beyond what was read before.
        further: i64,
        connectors: [Option<i32>; 3],
        notes: Vec<(u8, usize)>,
    },
    ReadToEnd,
    ReadFailed,
    GiveUpAll,
    Joined {
        generation: i32,
        cooperative: bool,
        is_leader: bool,
        failed: bool,
        /// How far the leader had read beyond this worker.
        further: i64,
        delay: i32,
        assigned: u16,
        revoked: u16,
    },
    LeaseLapsed,
    Restart(u16),
    ShutDown,
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Not,
    For(Millis),
    UntilDue,
    /// The clock is put back.
    Back(Millis),
}

pub(crate) const NAMES: [&str; 4] = ["a", "b", "c", "x"];

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let note = (0..4_u8, 0..NAMES.len());
    let tasks = || proptest::option::weighted(0.8, 0..4_i32);
    let config = (-2..6_i64, [tasks(), tasks(), tasks()], vec(note, 0..3));
    let config = config.prop_map(|(further, connectors, notes)| Step::Config {
        further,
        connectors,
        notes,
    });
    let flags = (
        any::<i32>(),
        prop::bool::weighted(0.8),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    let delay = prop_oneof![6 => Just(0), 2 => 0..10_000_i32, 1 => any::<i32>()];
    let revoked = prop_oneof![2 => Just(0), 1 => any::<u16>()];
    let joined = (flags, -3..3_i64, delay, any::<u16>(), revoked);
    let joined = joined.prop_map(|(flags, further, delay, assigned, revoked)| {
        let (generation, cooperative, is_leader, failed) = flags;
        Step::Joined {
            generation,
            cooperative,
            is_leader,
            failed,
            further,
            delay,
            assigned,
            revoked,
        }
    });
    prop_oneof![
        8 => Just(Step::Tick),
        12 => any::<usize>().prop_map(Step::Ends),
        1 => (0..everything().len()).prop_map(Step::EndsUnasked),
        8 => config,
        3 => Just(Step::ReadToEnd),
        2 => Just(Step::ReadFailed),
        2 => Just(Step::GiveUpAll),
        8 => joined,
        2 => Just(Step::LeaseLapsed),
        3 => any::<u16>().prop_map(Step::Restart),
        1 => Just(Step::ShutDown),
    ]
}

pub(crate) fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![
        6 => Just(Wait::Not),
        6 => (1..500_u64).prop_map(Wait::For),
        4 => Just(Wait::UntilDue),
        2 => (500..1_000_000_000_u64).prop_map(Wait::For),
        1 => (1..100_000_u64).prop_map(Wait::Back),
    ]
}
