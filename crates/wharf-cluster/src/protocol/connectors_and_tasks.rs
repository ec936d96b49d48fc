//! Connectors and tasks side by side.

use std::collections::HashSet;
use std::hash::Hash;

use crate::ids::ConnectorTaskId;

/// A set of connector instances and a set of tasks, both in an order that means something to a leader: it takes work away
/// from the front.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectorsAndTasks {
    /// Connectors whose instance is meant. None twice.
    pub connectors: Vec<String>,
    /// Tasks. None twice.
    pub tasks: Vec<ConnectorTaskId>,
}

impl ConnectorsAndTasks {
    /// Whether there is neither a connector nor a task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// How many connectors and tasks there are together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connectors.len() + self.tasks.len()
    }

    /// Brings both into the order of their names and numbers, to compare them as sets.
    pub fn sort(&mut self) {
        self.connectors.sort_unstable();
        self.tasks.sort_unstable();
    }

    /// Keeps the first of what is there more than once: workers may repeat themselves.
    pub(super) fn remove_duplicates(&mut self) {
        keep_first(&mut self.connectors);
        keep_first(&mut self.tasks);
    }
}

fn keep_first<T: Clone + Eq + Hash>(list: &mut Vec<T>) {
    let mut seen = HashSet::with_capacity(list.len());
    list.retain(|item| seen.insert(item.clone()));
}
