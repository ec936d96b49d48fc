//! What the records of an internal topic are, told by their keys: a topic that was named by the wrong worker key is found out
//! before anything is written to it.

use std::sync::atomic::{AtomicU64, Ordering};

use wharf_cluster::config_state::ConfigKey;
use wharf_cluster::status_state::StatusKey;

use crate::config::InternalTopic;

/// Counts of a topic's records by what they are. Keys that no worker writes do not count.
#[derive(Debug, Default)]
pub struct Census([AtomicU64; InternalTopic::ALL.len()]);

/// In which topic a record of this key belongs.
fn home_of(key: &[u8]) -> Option<InternalTopic> {
    let text = std::str::from_utf8(key).ok()?;
    if StatusKey::parse(text).is_ok() {
        Some(InternalTopic::Status)
    } else if ConfigKey::parse(text).is_ok() {
        Some(InternalTopic::Config)
    } else {
        // `["connector",{"partition":…}]`
        (text.starts_with("[\"") && text.ends_with(']')).then_some(InternalTopic::Offset)
    }
}

impl Census {
    /// One record more.
    pub(crate) fn count(&self, key: Option<&[u8]>) {
        if let Some(topic) = key.and_then(home_of) {
            self.0[topic as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the topic holds if it holds nothing of its own kind: most of it belongs in the topic that is given back.
    #[must_use]
    pub fn holds_instead_of(&self, own: InternalTopic) -> Option<InternalTopic> {
        let count = |topic: InternalTopic| self.0[topic as usize].load(Ordering::Relaxed);
        let most = InternalTopic::ALL.into_iter().max_by_key(|topic| count(*topic))?;
        (count(own) == 0 && count(most) > 0).then_some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_without_records_of_its_own_kind_belongs_elsewhere() {
        use InternalTopic::{Config, Offset, Status};
        let cases: [(&[&str], InternalTopic, Option<InternalTopic>); 7] = [
            (&[], Config, None),
            (&["connector-a", "session-key"], Config, None),
            (&["connector-a", "status-connector-a"], Config, None),
            (&["status-connector-a", "status-task-a-0"], Config, Some(Status)),
            (&["connector-a"], Status, Some(Config)),
            (&[r#"["a",{"filename":"f"}]"#], Status, Some(Offset)),
            (&["of another application", "[1]"], Offset, None),
        ];
        for (keys, own, expected) in cases {
            let census = Census::default();
            census.count(None);
            census.count(Some(b"\xff"));
            for key in keys {
                census.count(Some(key.as_bytes()));
            }
            assert_eq!(census.holds_instead_of(own), expected, "{keys:?} as {own:?}");
        }
    }
}
