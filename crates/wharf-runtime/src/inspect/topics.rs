//! An internal topic as it is found.

use serde::Serialize;

use super::findings::{Finding, FindingKind};
use crate::config::InternalTopic;

/// An internal topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// `config`, `offset` or `status`.
    pub role: &'static str,
    /// Its name.
    pub topic: String,
    /// Whether it is there; if not, the rest is empty.
    pub exists: bool,
    /// How many partitions it has.
    pub partitions: i32,
    /// How it is kept; null when that may not be seen.
    pub cleanup_policy: Option<String>,
    /// The offset that the next record of each partition gets.
    pub end_offsets: Vec<i64>,
    /// Up to where workers can read; less than the end while a transaction is open.
    #[serde(skip)]
    pub readable: Vec<i64>,
    /// What it is for.
    #[serde(skip)]
    pub internal: InternalTopic,
}

impl TopicReport {
    /// One that is not there.
    #[must_use]
    pub fn missing(internal: InternalTopic, topic: &str) -> Self {
        Self {
            role: internal.role(),
            topic: topic.to_owned(),
            exists: false,
            partitions: 0,
            cleanup_policy: None,
            end_offsets: Vec::new(),
            readable: Vec::new(),
            internal,
        }
    }

    /// How many offsets there were, over all partitions.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.end_offsets.iter().sum()
    }

    /// How much of it who has read so far has not read.
    #[must_use]
    pub fn lag(&self, positions: &[i64]) -> i64 {
        let read = |partition: usize| positions.get(partition).copied().unwrap_or_default();
        self.end_offsets
            .iter()
            .enumerate()
            .map(|(partition, end)| (end - read(partition)).max(0))
            .sum()
    }

    /// What is wrong with it.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let finding = |kind, message| Finding::problem(kind, &self.topic, message);
        let key = self.internal.key();
        if !self.exists {
            return vec![finding(
                FindingKind::TopicMissing,
                format!("topic {}, named by {key}, does not exist", self.topic),
            )];
        }
        let mut found = Vec::new();
        if self.internal == InternalTopic::Config && self.partitions > 1 {
            found.push(finding(
                FindingKind::TopicSettings,
                format!(
                    "topic {}, named by {key}, has {} partitions: its records are only in order with a single one, and no \
                     worker starts on it",
                    self.topic, self.partitions
                ),
            ));
        }
        if let Some(policy) = self
            .cleanup_policy
            .as_deref()
            .filter(|policy| *policy != "compact")
        {
            found.push(finding(
                FindingKind::TopicSettings,
                format!(
                    "topic {}, named by {key}, has cleanup.policy={policy}: {} are lost in time, and no worker starts on it; \
                     set it to compact",
                    self.topic,
                    self.internal.what()
                ),
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(internal: InternalTopic, ends: &[i64], policy: Option<&str>) -> TopicReport {
        TopicReport {
            exists: true,
            partitions: i32::try_from(ends.len()).unwrap(),
            cleanup_policy: policy.map(str::to_owned),
            end_offsets: ends.to_vec(),
            readable: ends.to_vec(),
            ..TopicReport::missing(internal, "t")
        }
    }

    #[test]
    fn lag_is_what_was_not_read_of_every_partition() {
        let topic = report(InternalTopic::Offset, &[10, 5, 7], None);
        for (positions, lag) in [(&[10, 5, 7][..], 0), (&[4, 5, 9], 6), (&[10], 12), (&[], 22)] {
            assert_eq!(topic.lag(positions), lag, "{positions:?}");
        }
    }

    #[test]
    fn a_topic_on_which_no_worker_starts_is_told() {
        let kinds = |report: TopicReport| -> Vec<FindingKind> {
            report
                .findings()
                .into_iter()
                .map(|finding| finding.kind)
                .collect()
        };
        let settings = FindingKind::TopicSettings;
        assert_eq!(
            kinds(TopicReport::missing(InternalTopic::Status, "t")),
            [FindingKind::TopicMissing]
        );
        assert_eq!(kinds(report(InternalTopic::Config, &[1], Some("compact"))), []);
        assert_eq!(
            kinds(report(InternalTopic::Config, &[1, 2], Some("delete"))),
            [settings, settings]
        );
        assert_eq!(
            kinds(report(InternalTopic::Status, &[1, 2], Some("compact,delete"))),
            [settings]
        );
        assert_eq!(kinds(report(InternalTopic::Status, &[1, 2], None)), []);
    }
}
