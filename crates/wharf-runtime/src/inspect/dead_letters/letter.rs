//! A dead letter, and what its headers say of the failure.
//!
//! The headers are Connect's (`__connect.errors.*`), those that Wharf adds for sources (`__wharf.errors.*`), and those that a
//! replay adds (`__wharf.replay.*`). They were appended to the record's own, so the last one of a name counts.

use serde::Serialize;
use wharf_kafka::{MessageRef, Timestamp};

use super::names::replay_connector;

/// Upstream's headers.
pub(super) const ERRORS: &str = "__connect.errors.";
/// What Wharf adds to them.
pub(super) const WHARF_ERRORS: &str = "__wharf.errors.";
/// What a replay leaves in a record.
pub(super) const REPLAY: &str = "__wharf.replay.";

/// A header as it is in Kafka.
pub type HeaderBytes = (String, Option<Vec<u8>>);

/// What key and value of a dead letter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// The bytes of the record that failed, as they were consumed, or were to be written.
    #[default]
    Bytes,
    /// A record of a source in the form of JsonConverter with schemas.
    ConnectJson,
    /// A record of a source as text for people.
    Text,
}

/// Where a record failed first, if it was sent again since; each part as far as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FirstFailure {
    /// The connector.
    pub connector: Option<String>,
    /// The topic that the record was in.
    pub topic: Option<String>,
    /// Its partition.
    pub partition: Option<i32>,
    /// Its offset.
    pub offset: Option<i64>,
}

/// What the headers of a dead letter say. All of it is absent where the connector does not write context headers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FailureContext {
    /// The connector that could not process the record. Where a replay through a connector failed, that connector and not the
    /// one that stood in for it; topic, partition and offset likewise.
    pub connector: Option<String>,
    /// Number of its task.
    pub task: Option<u32>,
    /// Topic that the record was consumed from, or was meant for.
    pub topic: Option<String>,
    /// Partition that it was consumed from.
    pub partition: Option<i32>,
    /// Its offset there.
    pub offset: Option<i64>,
    /// Where in its way it failed, by upstream's names.
    pub stage: Option<String>,
    /// Java class name of the converter, transform or kind of task.
    pub class: Option<String>,
    /// Java class name of the exception.
    pub exception_class: Option<String>,
    /// Its message.
    pub exception_message: Option<String>,
    /// Its stack trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// Source connectors: part of the source that the record is from, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_partition: Option<String>,
    /// Source connectors: the record's place there, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_offset: Option<String>,
    /// What key and value are.
    pub content: Content,
    /// How often the record was sent again before.
    pub replays: u32,
    /// Where it failed at first; only of records that were sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<FirstFailure>,
    /// Whether it failed in a replay through the connector.
    #[serde(skip)]
    pub through_replay: bool,
}

/// A dead letter, copied out.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Partition of the dead letter topic.
    pub partition: i32,
    /// Offset there.
    pub offset: i64,
    /// Milliseconds since 1970; of the record that failed, unless the topic has the time of arrival.
    pub timestamp: Option<i64>,
    /// Whether [`timestamp`](Self::timestamp) is when the letter arrived.
    pub is_arrival: bool,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Value of the record.
    pub value: Option<Vec<u8>>,
    /// All headers, the record's own first.
    pub headers: Vec<HeaderBytes>,
    /// What the headers say.
    pub failure: FailureContext,
}

impl DeadLetter {
    pub(super) fn of(message: &MessageRef<'_>) -> Self {
        let headers: Vec<HeaderBytes> = message
            .headers()
            .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
            .collect();
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().millis().filter(|at| *at >= 0),
            is_arrival: matches!(message.timestamp(), Timestamp::LogAppendTime(_)),
            key: message.key().map(<[u8]>::to_vec),
            value: message.value().map(<[u8]>::to_vec),
            failure: FailureContext::of(&headers),
            headers,
        }
    }

    /// The headers that the record had before it failed, those of a replay not among them.
    pub fn own_headers(&self) -> impl Iterator<Item = &HeaderBytes> {
        self.headers.iter().filter(|(name, _)| {
            ![ERRORS, WHARF_ERRORS, REPLAY]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
    }
}

impl FailureContext {
    /// Reads the headers; what is not text or no number counts as absent.
    pub(super) fn of(headers: &[HeaderBytes]) -> Self {
        let text = |prefix: &str, name: &str| -> Option<String> {
            let found = headers
                .iter()
                .rev()
                .find(|(key, _)| key.strip_prefix(prefix) == Some(name))?;
            Some(String::from_utf8_lossy(found.1.as_deref()?).into_owned())
        };
        let error = |name: &str| text(ERRORS, name);
        let wharf = |name: &str| text(WHARF_ERRORS, name);
        let replay = |name: &str| text(REPLAY, name);
        let mut context = Self {
            connector: error("connector.name"),
            task: number(error("task.id")),
            topic: error("topic"),
            partition: number(error("partition")),
            offset: number(error("offset")),
            stage: error("stage"),
            class: error("class.name"),
            exception_class: error("exception.class.name"),
            exception_message: error("exception.message"),
            stack_trace: error("exception.stacktrace"),
            source_partition: wharf("source.partition"),
            source_offset: wharf("source.offset"),
            content: match wharf("content").as_deref() {
                Some("connect-json") => Content::ConnectJson,
                Some("text") => Content::Text,
                _ => Content::Bytes,
            },
            replays: number(replay("count")).unwrap_or(0),
            first: None,
            through_replay: false,
        };
        if context.replays > 0 {
            let first = FirstFailure {
                connector: replay("connector"),
                topic: replay("topic"),
                partition: number(replay("partition")),
                offset: number(replay("offset")),
            };
            context.through_replay = match (&first.connector, &context.connector) {
                (Some(first), Some(failed)) => replay_connector(first) == *failed,
                _ => false,
            };
            if context.through_replay {
                context.connector.clone_from(&first.connector);
                context.topic.clone_from(&first.topic);
                (context.partition, context.offset) = (first.partition, first.offset);
            }
            context.first = Some(first);
        }
        context
    }

    /// Whether the letter is one of a source connector.
    pub(super) fn is_of_source(&self) -> bool {
        self.source_partition.is_some() || self.source_offset.is_some() || self.content != Content::Bytes
    }
}

fn number<N: std::str::FromStr>(text: Option<String>) -> Option<N> {
    text?.trim().parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Headers of these names, the first part by its prefix's initial: `e.`, `w.`, `r.`; others as they are.
    pub(in super::super) fn headers(pairs: &[(&str, &str)]) -> Vec<HeaderBytes> {
        let full = |name: &str| match name.split_at_checked(2) {
            Some(("e.", rest)) => format!("{ERRORS}{rest}"),
            Some(("w.", rest)) => format!("{WHARF_ERRORS}{rest}"),
            Some(("r.", rest)) => format!("{REPLAY}{rest}"),
            _ => name.to_owned(),
        };
        pairs
            .iter()
            .map(|(name, value)| (full(name), Some(value.as_bytes().to_vec())))
            .collect()
    }

    pub(in super::super) fn letter(offset: i64, timestamp: i64, pairs: &[(&str, &str)]) -> DeadLetter {
        let headers = headers(pairs);
        DeadLetter {
            partition: 0,
            offset,
            timestamp: Some(timestamp),
            is_arrival: false,
            key: Some(b"k".to_vec()),
            value: Some(b"v".to_vec()),
            failure: FailureContext::of(&headers),
            headers,
        }
    }

    #[test]
    fn the_last_header_of_a_name_counts_and_what_is_no_number_is_absent() {
        let context = FailureContext::of(&headers(&[
            ("e.topic", "dlq-of-others"),
            ("mine", "x"),
            ("e.topic", "orders"),
            ("e.partition", "three"),
            ("e.offset", "7"),
            ("e.connector.name", "sink"),
            ("e.task.id", "2"),
            ("e.stage", "VALUE_CONVERTER"),
            ("e.exception.message", "bad"),
        ]));
        assert_eq!(context.topic.as_deref(), Some("orders"));
        assert_eq!((context.partition, context.offset), (None, Some(7)));
        assert_eq!(
            (context.connector.as_deref(), context.task),
            (Some("sink"), Some(2))
        );
        assert_eq!(context.exception_message.as_deref(), Some("bad"));
        assert_eq!(
            (context.replays, context.first, context.content),
            (0, None, Content::Bytes)
        );
    }

    #[test]
    fn a_letter_without_context_headers_says_nothing() {
        assert_eq!(
            FailureContext::of(&headers(&[("mine", "x")])),
            FailureContext::default()
        );
    }

    #[test]
    fn a_record_that_was_sent_to_its_topic_and_failed_again_is_where_it_failed_now() {
        let context = FailureContext::of(&headers(&[
            ("r.count", "1"),
            ("r.connector", "sink"),
            ("r.topic", "orders"),
            ("r.offset", "7"),
            ("e.topic", "orders"),
            ("e.offset", "70"),
            ("e.connector.name", "sink"),
        ]));
        assert_eq!((context.replays, context.offset), (1, Some(70)));
        assert_eq!(context.first.unwrap().offset, Some(7));
        assert!(!context.through_replay);
    }

    #[test]
    fn a_record_that_failed_in_a_replay_through_its_connector_is_told_by_its_true_place() {
        let stand_in = replay_connector("my sink");
        let context = FailureContext::of(&headers(&[
            ("r.count", "2"),
            ("r.connector", "my sink"),
            ("r.topic", "orders"),
            ("r.partition", "1"),
            ("r.offset", "7"),
            ("e.topic", "wharf-replay.x.orders"),
            ("e.partition", "0"),
            ("e.offset", "0"),
            ("e.connector.name", &stand_in),
        ]));
        assert!(context.through_replay);
        assert_eq!(context.connector.as_deref(), Some("my sink"));
        assert_eq!(context.topic.as_deref(), Some("orders"));
        assert_eq!((context.partition, context.offset), (Some(1), Some(7)));
    }

    #[test]
    fn own_headers_are_those_that_nobody_added() {
        let letter = letter(
            0,
            0,
            &[
                ("a", "1"),
                ("r.count", "1"),
                ("e.topic", "t"),
                ("w.content", "bytes"),
            ],
        );
        let own: Vec<_> = letter.own_headers().map(|(name, _)| name.as_str()).collect();
        assert_eq!(own, ["a"]);
    }
}
