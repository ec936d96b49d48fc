//! Dead letters counted by who failed, where and why.

use std::collections::BTreeMap;

use serde::Serialize;

use super::letter::DeadLetter;
use super::selection::{Selection, show_time};

/// More kinds of failures are not told apart: their letters are counted under [`OTHERS`].
const MOST_GROUPS: usize = 1_000;
/// The connector of what is not told apart any more.
const OTHERS: &str = "(others)";
/// Sample messages are cut here.
const LONGEST_MESSAGE: usize = 300;

/// What is in a dead letter topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The topic.
    pub topic: String,
    /// How many letters are in it.
    pub letters: u64,
    /// How many of them are meant.
    pub selected: u64,
    /// How many of those were sent again before.
    pub replayed_before: u64,
    /// How many of those have no context headers.
    pub without_context: u64,
    /// Whether times are those of arrival; otherwise those of the records that failed.
    pub times_are_of_arrival: bool,
    /// Those that are meant, by what failed; the largest group first.
    pub groups: Vec<LetterGroup>,
    /// Each of them in the order of the topic, if asked for, up to a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<LetterLine>>,
}

/// Letters that failed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetterGroup {
    /// The connector; null where there are no context headers.
    pub connector: Option<String>,
    /// Where it failed.
    pub stage: Option<String>,
    /// Class of the exception.
    pub exception_class: Option<String>,
    /// How many.
    pub letters: u64,
    /// How many of them were sent again before.
    pub replayed_before: u64,
    /// Topics that the records are from.
    pub topics: Vec<String>,
    /// Time of the oldest.
    pub first: Option<String>,
    /// Time of the newest.
    pub last: Option<String>,
    /// Message of one of them, the last that has one.
    pub sample_message: Option<String>,
    /// Where that one is, as `--at` takes it.
    pub sample_at: String,
    #[serde(skip)]
    span: Option<(i64, i64)>,
}

/// One letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetterLine {
    /// Where it is, as `--at` takes it.
    pub at: String,
    /// Its time.
    pub time: Option<String>,
    /// The connector.
    pub connector: Option<String>,
    /// Where it failed.
    pub stage: Option<String>,
    /// Class of the exception.
    pub exception_class: Option<String>,
    /// Its message, cut when it is long.
    pub message: Option<String>,
    /// Where the record is from: topic, partition and offset as far as they are known.
    pub from: Option<String>,
    /// How often it was sent again before.
    pub replays: u32,
}

type Kind = (Option<String>, Option<String>, Option<String>);

/// Counts letters one by one.
pub(super) struct Counting<'s> {
    selection: &'s Selection,
    /// How many lines are wanted; the newest ones of a partition come last.
    lines: Option<usize>,
    groups: BTreeMap<Kind, LetterGroup>,
    overview: Overview,
}

impl<'s> Counting<'s> {
    pub(super) fn new(topic: &str, selection: &'s Selection, lines: Option<usize>) -> Self {
        Self {
            selection,
            lines,
            groups: BTreeMap::new(),
            overview: Overview {
                topic: topic.to_owned(),
                letters: 0,
                selected: 0,
                replayed_before: 0,
                without_context: 0,
                times_are_of_arrival: false,
                groups: Vec::new(),
                records: lines.map(|_| Vec::new()),
            },
        }
    }

    pub(super) fn take(&mut self, letter: &DeadLetter) {
        let overview = &mut self.overview;
        overview.letters += 1;
        overview.times_are_of_arrival |= letter.is_arrival;
        if !self.selection.matches(letter) {
            return;
        }
        let failure = &letter.failure;
        let was_sent = u64::from(failure.replays > 0);
        overview.selected += 1;
        overview.replayed_before += was_sent;
        overview.without_context += u64::from(failure.connector.is_none());
        if let (Some(records), Some(most)) = (&mut overview.records, self.lines)
            && records.len() < most
        {
            records.push(LetterLine::of(letter));
        }
        let mut kind: Kind = (
            failure.connector.clone(),
            failure.stage.clone(),
            failure.exception_class.clone(),
        );
        if self.groups.len() >= MOST_GROUPS && !self.groups.contains_key(&kind) {
            kind = (Some(OTHERS.to_owned()), None, None);
        }
        let group = self.groups.entry(kind.clone()).or_insert_with(|| LetterGroup {
            connector: kind.0,
            stage: kind.1,
            exception_class: kind.2,
            letters: 0,
            replayed_before: 0,
            topics: Vec::new(),
            first: None,
            last: None,
            sample_message: None,
            sample_at: at(letter),
            span: None,
        });
        group.take(letter);
        group.replayed_before += was_sent;
    }

    pub(super) fn finish(mut self) -> Overview {
        let mut groups: Vec<LetterGroup> = self.groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.letters));
        for group in &mut groups {
            if let Some((first, last)) = group.span {
                (group.first, group.last) = (Some(show_time(first)), Some(show_time(last)));
            }
        }
        self.overview.groups = groups;
        self.overview
    }
}

impl LetterGroup {
    fn take(&mut self, letter: &DeadLetter) {
        self.letters += 1;
        if let Some(topic) = &letter.failure.topic
            && self.topics.len() < MOST_GROUPS
            && let Err(place) = self.topics.binary_search(topic)
        {
            self.topics.insert(place, topic.clone());
        }
        if let Some(message) = &letter.failure.exception_message {
            self.sample_message = Some(cut(message));
            self.sample_at = at(letter);
        }
        if let Some(time) = letter.timestamp {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
    }
}

impl LetterLine {
    fn of(letter: &DeadLetter) -> Self {
        let failure = &letter.failure;
        let place = |topic: &String| match (failure.partition, failure.offset) {
            (Some(partition), Some(offset)) => format!("{topic} {partition}:{offset}"),
            _ => topic.clone(),
        };
        Self {
            at: at(letter),
            time: letter.timestamp.map(show_time),
            connector: failure.connector.clone(),
            stage: failure.stage.clone(),
            exception_class: failure.exception_class.clone(),
            message: failure.exception_message.as_deref().map(cut),
            from: failure.topic.as_ref().map(place),
            replays: failure.replays,
        }
    }
}

fn at(letter: &DeadLetter) -> String {
    format!("{}:{}", letter.partition, letter.offset)
}

/// The first line, not too long.
fn cut(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    fn failed(offset: i64, at: i64, connector: &str, class: &str, message: &str, topic: &str) -> DeadLetter {
        letter(
            offset,
            at,
            &[
                ("e.connector.name", connector),
                ("e.stage", "TRANSFORMATION"),
                ("e.exception.class.name", class),
                ("e.exception.message", message),
                ("e.topic", topic),
            ],
        )
    }

    #[test]
    fn letters_are_counted_by_connector_stage_and_exception_the_largest_group_first() {
        let selection = Selection::default();
        let mut counting = Counting::new("dlq", &selection, Some(2));
        for letter in [
            failed(0, 500, "a", "X", "one", "t"),
            failed(1, 900, "b", "X", "two\nand more", "u"),
            failed(2, 100, "b", "X", "three", "t"),
            letter(3, 5, &[]),
        ] {
            counting.take(&letter);
        }
        let overview = counting.finish();
        assert_eq!(
            (overview.letters, overview.selected, overview.without_context),
            (4, 4, 1)
        );
        let counts: Vec<_> = overview
            .groups
            .iter()
            .map(|group| (group.connector.as_deref(), group.letters))
            .collect();
        assert_eq!(counts, [(Some("b"), 2), (None, 1), (Some("a"), 1)]);
        let largest = &overview.groups[0];
        assert_eq!(largest.topics, ["t", "u"]);
        assert_eq!(largest.first.as_deref(), Some("1970-01-01T00:00:00.100Z"));
        assert_eq!(largest.last.as_deref(), Some("1970-01-01T00:00:00.900Z"));
        assert_eq!(largest.sample_message.as_deref(), Some("three"));
        assert_eq!(largest.sample_at, "0:2");
        let lines = overview.records.unwrap();
        assert_eq!(lines.len(), 2, "no more than wanted");
        assert_eq!(lines[1].message.as_deref(), Some("two"));
    }

    #[test]
    fn letters_that_are_not_meant_count_for_the_topic_only() {
        let selection = Selection {
            connector: Some("a".to_owned()),
            ..Selection::default()
        };
        let mut counting = Counting::new("dlq", &selection, None);
        counting.take(&failed(0, 1, "b", "X", "m", "t"));
        let overview = counting.finish();
        assert_eq!(
            (overview.letters, overview.selected, overview.groups.len()),
            (1, 0, 0)
        );
        assert_eq!(overview.records, None);
    }

    #[test]
    fn endless_kinds_of_failures_do_not_need_endless_memory() {
        let selection = Selection::default();
        let mut counting = Counting::new("dlq", &selection, None);
        for number in 0..2_000 {
            counting.take(&failed(number, 1, "a", &format!("Class{number}"), "m", "t"));
        }
        let overview = counting.finish();
        assert_eq!(overview.groups.len(), MOST_GROUPS + 1);
        assert_eq!(overview.groups[0].connector.as_deref(), Some(OTHERS));
        assert_eq!(
            overview.groups.iter().map(|group| group.letters).sum::<u64>(),
            2_000
        );
    }
}
