//! How far a replay is, and the note that stands beside it in Kafka.
//!
//! What must stay true: the offset of a partition is never beyond a letter that is sent and not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How far each partition of the dead letter topic is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Progress(BTreeMap<i32, PartitionProgress>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct PartitionProgress {
    /// Next offset to be looked at.
    next: i64,
    /// Letters that are on their way.
    outstanding: BTreeSet<i64>,
}

impl Progress {
    /// From these offsets on.
    pub(super) fn new(starts: impl IntoIterator<Item = (i32, i64)>) -> Self {
        let at = |next| PartitionProgress {
            next,
            outstanding: BTreeSet::new(),
        };
        Self(
            starts
                .into_iter()
                .map(|(partition, next)| (partition, at(next)))
                .collect(),
        )
    }

    /// Everything below this offset was looked at.
    pub(super) fn reached(&mut self, partition: i32, offset: i64) {
        let partition = self.0.entry(partition).or_default();
        partition.next = partition.next.max(offset);
    }

    /// A letter is on its way.
    pub(super) fn sent(&mut self, partition: i32, offset: i64) {
        self.0.entry(partition).or_default().outstanding.insert(offset);
        self.reached(partition, offset + 1);
    }

    /// It arrived.
    pub(super) fn acknowledged(&mut self, partition: i32, offset: i64) {
        if let Some(partition) = self.0.get_mut(&partition) {
            partition.outstanding.remove(&offset);
        }
    }

    /// The offset of each partition below which everything is done.
    pub(super) fn done(&self) -> BTreeMap<i32, i64> {
        self.0
            .iter()
            .map(|(number, partition)| {
                let done = partition.outstanding.first().copied().unwrap_or(partition.next);
                (*number, done)
            })
            .collect()
    }
}

/// What is committed with the offset of a partition: what the run is that got so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunNote {
    /// What is replayed, and where to, as it was asked for.
    pub(super) replay: String,
    /// Number of the run that wrote last.
    pub(super) run: String,
    /// Bounds of time as points in time.
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    /// The end of the partition when the run began.
    pub(super) end: i64,
}

/// What is known of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Earlier {
    /// There was none.
    None,
    /// It came to its end. The offsets are where it ended.
    Complete(BTreeMap<i32, i64>),
    /// It did not. Its bounds of time, and by partition where it was and where it would have ended.
    Interrupted {
        since: Option<i64>,
        until: Option<i64>,
        at: BTreeMap<i32, (i64, i64)>,
    },
    /// The offsets are those of something else, and what that was if it says so.
    Other(String),
}

/// Reads what a group holds for a topic: by partition the offset and the text beside it.
pub(super) fn earlier(replay: &str, committed: &BTreeMap<i32, (i64, String)>) -> Earlier {
    let mut at = BTreeMap::new();
    let mut bounds = (None, None);
    for (partition, (offset, text)) in committed {
        let note: RunNote = match serde_json::from_str(text) {
            Ok(note) => note,
            Err(_) => return Earlier::Other("no replay".to_owned()),
        };
        if note.replay != replay {
            return Earlier::Other(note.replay);
        }
        if *offset < note.end {
            bounds = (note.since, note.until);
        }
        at.insert(*partition, (*offset, note.end));
    }
    if at.is_empty() {
        Earlier::None
    } else if at.values().all(|(offset, end)| offset >= end) {
        Earlier::Complete(
            at.into_iter()
                .map(|(partition, (offset, _))| (partition, offset))
                .collect(),
        )
    } else {
        let (since, until) = bounds;
        Earlier::Interrupted { since, until, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_an_unacknowledged_letter_is_done() {
        let mut progress = Progress::new([(0, 5), (1, 0)]);
        progress.reached(0, 6);
        progress.sent(0, 6);
        progress.sent(0, 9);
        progress.reached(0, 20);
        let done = |progress: &Progress| progress.done().into_iter().collect::<Vec<_>>();
        assert_eq!(done(&progress), [(0, 6), (1, 0)]);
        progress.acknowledged(0, 9);
        assert_eq!(
            done(&progress),
            [(0, 6), (1, 0)],
            "an earlier one is still on its way"
        );
        progress.acknowledged(0, 6);
        assert_eq!(done(&progress), [(0, 20), (1, 0)]);
        progress.reached(0, 3);
        assert_eq!(done(&progress)[0], (0, 20), "progress does not go back");
    }

    fn note(replay: &str, since: Option<i64>, end: i64) -> String {
        let note = RunNote {
            replay: replay.to_owned(),
            run: "1".to_owned(),
            since,
            until: None,
            end,
        };
        serde_json::to_string(&note).unwrap()
    }

    #[test]
    fn an_earlier_run_is_known_by_its_notes() {
        let committed = |entries: &[(i32, i64, String)]| -> BTreeMap<i32, (i64, String)> {
            entries
                .iter()
                .cloned()
                .map(|(partition, at, text)| (partition, (at, text)))
                .collect()
        };
        assert_eq!(earlier("a", &committed(&[])), Earlier::None);
        assert_eq!(
            earlier(
                "a",
                &committed(&[(0, 5, note("a", Some(1), 5)), (1, 7, note("a", Some(1), 6))])
            ),
            Earlier::Complete([(0, 5), (1, 7)].into())
        );
        assert_eq!(
            earlier(
                "a",
                &committed(&[(0, 5, note("a", Some(1), 5)), (1, 2, note("a", Some(1), 6))])
            ),
            Earlier::Interrupted {
                since: Some(1),
                until: None,
                at: [(0, (5, 5)), (1, (2, 6))].into(),
            }
        );
        assert_eq!(
            earlier("a", &committed(&[(0, 5, note("b", None, 5))])),
            Earlier::Other("b".to_owned())
        );
        assert_eq!(
            earlier("a", &committed(&[(0, 5, String::new())])),
            Earlier::Other("no replay".to_owned())
        );
    }
}
