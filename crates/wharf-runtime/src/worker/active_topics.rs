//! Which topics each connector used since it was created or its record was reset.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The record of used topics.
#[derive(Debug, Default)]
pub struct ActiveTopicStore(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl ActiveTopicStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connector used a topic.
    pub fn add(&self, connector: &str, topic: &str) {
        let mut topics = self.lock();
        if !topics.get(connector).is_some_and(|known| known.contains(topic)) {
            topics
                .entry(connector.to_owned())
                .or_default()
                .insert(topic.to_owned());
        }
    }

    /// Whether a connector is known to use a topic.
    #[must_use]
    pub fn contains(&self, connector: &str, topic: &str) -> bool {
        self.lock()
            .get(connector)
            .is_some_and(|known| known.contains(topic))
    }

    /// The topics of a connector.
    #[must_use]
    pub fn get(&self, connector: &str) -> Vec<String> {
        self.lock()
            .get(connector)
            .map(|topics| topics.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Forgets the topics of a connector.
    pub fn reset(&self, connector: &str) {
        self.lock().remove(connector);
    }
}
