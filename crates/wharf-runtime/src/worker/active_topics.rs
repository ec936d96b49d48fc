//! Which topics each connector used since it was created or its record was reset (KIP-558).
//!
//! In standalone mode this is all that is known. A distributed worker has what is new here published through a
//! [`TopicSink`]; requests are answered from the status topic, and when somebody resets a record there, what is used
//! afterwards is published again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Hears of topics that are used. It must not wait.
pub trait TopicSink: Send + Sync {
    /// A task of a connector uses a topic that was not known to be used by the connector here.
    fn used(&self, connector: &str, task: u32, topic: &str);

    /// A number that changes when topics were forgotten elsewhere. Asked for often.
    fn resets(&self) -> u64;
}

#[derive(Debug, Default)]
struct Topics {
    by_connector: BTreeMap<String, BTreeSet<String>>,
    /// The sink's number when they were noted.
    resets: u64,
}

impl Topics {
    fn contains(&self, connector: &str, topic: &str) -> bool {
        self.by_connector
            .get(connector)
            .is_some_and(|known| known.contains(topic))
    }
}

/// The record of used topics.
#[derive(Default)]
pub struct ActiveTopicStore {
    topics: Mutex<Topics>,
    sink: Option<Arc<dyn TopicSink>>,
}

impl fmt::Debug for ActiveTopicStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveTopicStore").field(&*self.lock()).finish()
    }
}

impl ActiveTopicStore {
    /// An empty record; what is new goes to `sink`.
    #[must_use]
    pub fn with_sink(sink: Arc<dyn TopicSink>) -> Self {
        Self {
            topics: Mutex::default(),
            sink: Some(sink),
        }
    }

    /// The record, without what was forgotten elsewhere.
    fn lock(&self) -> MutexGuard<'_, Topics> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = &self.sink {
            let resets = sink.resets();
            if resets != topics.resets {
                // Which ones is not worth knowing: the sink keeps to itself what is known there.
                topics.by_connector.clear();
                topics.resets = resets;
            }
        }
        topics
    }

    /// A task of a connector used a topic.
    pub fn add(&self, connector: &str, task: u32, topic: &str) {
        let mut topics = self.lock();
        if topics.contains(connector, topic) {
            return;
        }
        topics
            .by_connector
            .entry(connector.to_owned())
            .or_default()
            .insert(topic.to_owned());
        if let Some(sink) = &self.sink {
            sink.used(connector, task, topic);
        }
    }

    /// Whether a connector is known to use a topic.
    #[must_use]
    pub fn contains(&self, connector: &str, topic: &str) -> bool {
        self.lock().contains(connector, topic)
    }

    /// The topics of a connector.
    #[must_use]
    pub fn get(&self, connector: &str) -> Vec<String> {
        self.lock()
            .by_connector
            .get(connector)
            .map(|topics| topics.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Forgets the topics of a connector.
    pub fn reset(&self, connector: &str) {
        self.lock().by_connector.remove(connector);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Heard {
        used: Mutex<Vec<String>>,
        resets: AtomicU64,
    }

    impl TopicSink for Heard {
        fn used(&self, connector: &str, task: u32, topic: &str) {
            self.used
                .lock()
                .unwrap()
                .push(format!("{connector}-{task} {topic}"));
        }

        fn resets(&self) -> u64 {
            self.resets.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_topic_is_told_of_once_and_again_after_a_reset_elsewhere() {
        let heard = Arc::new(Heard::default());
        let topics = ActiveTopicStore::with_sink(Arc::clone(&heard) as _);
        topics.add("a", 0, "t");
        topics.add("a", 1, "t");
        topics.add("b", 0, "t");
        assert!(topics.contains("a", "t") && !topics.contains("a", "u"));
        heard.resets.store(1, Ordering::Relaxed);
        assert!(!topics.contains("a", "t"));
        topics.add("a", 1, "t");
        topics.add("a", 0, "t");
        topics.reset("b");
        topics.add("b", 2, "t");
        assert_eq!(*heard.used.lock().unwrap(), ["a-0 t", "b-0 t", "a-1 t", "b-2 t"]);
        assert_eq!(topics.get("a"), ["t"]);
    }
}
