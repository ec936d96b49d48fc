//! Where dead letters are to be sent, what cannot be sent there, and what is sent of a letter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::letter::{Content, DeadLetter, HeaderBytes, REPLAY};
use super::names::replay_topic;
use super::selection::Selection;

/// Where letters go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The topic that each record is from.
    Original,
    /// This topic.
    Topic(String),
    /// The sink connector of this name alone.
    Connector(String),
}

/// What is to be replayed, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// Which letters.
    pub selection: Selection,
    /// The lower and upper bound of time as they were written, which is part of what the run is.
    pub times_as_written: [Option<String>; 2],
    /// Where to.
    pub destination: Destination,
    /// Whether a record goes to the partition that it failed in, and not to that of its key.
    pub same_partition: bool,
    /// Records that were sent this often before are left out.
    pub max_replays: Option<u32>,
    /// Letters that are left out, by partition and offset of the dead letter topic.
    pub except: Vec<(i32, i64)>,
    /// Whether letters that cannot be sent may stay behind.
    pub leave: bool,
    /// Records per second.
    pub rate: Option<f64>,
    /// The group that keeps the progress, if not the one that goes with the request.
    pub group: Option<String>,
}

impl ReplayRequest {
    /// What is replayed, and where to, in one line: by this a run that goes on knows itself.
    pub(super) fn identity(&self) -> String {
        let selection = &self.selection;
        let mut text = match &self.destination {
            Destination::Original => "to original".to_owned(),
            Destination::Topic(topic) => format!("to topic {topic}"),
            Destination::Connector(connector) => format!("through connector {connector}"),
        };
        let [since, until] = &self.times_as_written;
        for (name, value) in [
            ("connector", &selection.connector),
            ("stage", &selection.stage),
            ("reason", &selection.reason),
            ("since", since),
            ("until", until),
            ("max-replays", &self.max_replays.map(|most| most.to_string())),
        ] {
            if let Some(value) = value {
                text.push_str(&format!(", {name} {value}"));
            }
        }
        if selection.again {
            text.push_str(", again");
        }
        text
    }

    /// What becomes of a letter.
    pub(super) fn decide(&self, letter: &DeadLetter) -> Decision {
        if !self.selection.matches(letter) {
            return Decision::NotMeant;
        }
        let replays = letter.failure.replays;
        let was_sent_often = self.max_replays.is_some_and(|most| replays >= most);
        if was_sent_often || self.except.contains(&(letter.partition, letter.offset)) {
            return Decision::LeftOut;
        }
        match self.target(letter) {
            Ok(target) => Decision::Send(target),
            Err(reason) => Decision::Cannot(reason),
        }
    }

    fn target(&self, letter: &DeadLetter) -> Result<Target, Obstacle> {
        let failure = &letter.failure;
        if let Destination::Topic(topic) = &self.destination {
            return self.at(topic.clone(), letter);
        }
        let topic = failure.topic.as_ref().ok_or(Obstacle::NoContext)?;
        if failure.content != Content::Bytes {
            return Err(Obstacle::Rendering);
        }
        match &self.destination {
            Destination::Connector(_) if failure.is_of_source() => Err(Obstacle::OfSource),
            Destination::Connector(connector) => Ok(Target {
                topic: replay_topic(connector, topic),
                partition: None,
            }),
            _ => self.at(topic.clone(), letter),
        }
    }

    fn at(&self, topic: String, letter: &DeadLetter) -> Result<Target, Obstacle> {
        let partition = if self.same_partition {
            Some(letter.failure.partition.ok_or(Obstacle::NoPartition)?)
        } else {
            None
        };
        Ok(Target { topic, partition })
    }
}

/// What becomes of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    NotMeant,
    /// It was sent as often as it may be, or is named as one to be left out.
    LeftOut,
    Send(Target),
    Cannot(Obstacle),
}

/// Where a letter goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) topic: String,
    pub(super) partition: Option<i32>,
}

/// Why a letter cannot be sent where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// Nothing says which topic it is from.
    NoContext,
    /// It is of a source connector, and holds no bytes for a topic.
    Rendering,
    /// It is of a source connector, through which nothing can be sent.
    OfSource,
    /// Nothing says which partition it is from.
    NoPartition,
}

impl Obstacle {
    /// What is in the way, and what helps.
    #[must_use]
    pub fn explain(self) -> &'static str {
        match self {
            Self::NoContext => {
                "have no context headers, so that their topic is not known: send them with --to TOPIC; \
                 errors.deadletterqueue.context.headers.enable=true helps next time"
            }
            Self::Rendering => {
                "are of a source connector and hold the record as JSON or text, not the bytes that its topic takes: --to TOPIC \
                 sends them as they are to a topic for such records"
            }
            Self::OfSource => "are of a source connector: send them with --to original",
            Self::NoPartition => "have no header with a partition: do without --same-partition",
        }
    }
}

/// What a replay is about to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ReplayPlan {
    /// The dead letter topic.
    pub topic: String,
    /// What is replayed and where to, in words.
    pub replay: String,
    /// The group that keeps the progress.
    pub group: String,
    /// Whether a run that was interrupted goes on.
    pub resumes: bool,
    /// How many letters of the selection are to be sent.
    pub to_send: u64,
    /// The same by topic that they go to.
    pub by_topic: BTreeMap<String, u64>,
    /// How many of them were sent before, and came back.
    pub sent_before: u64,
    /// The largest number of times that one of them was sent before.
    pub most_replays: u32,
    /// How many are left out: sent as often as they may be, or named.
    pub left_out: u64,
    /// How many cannot be sent, by what is in the way.
    pub cannot: BTreeMap<Obstacle, u64>,
    /// What keeps the replay from being begun.
    pub refusals: Vec<String>,
    /// What is to be known before.
    pub warnings: Vec<String>,
    /// The highest partition that is named, by topic.
    #[serde(skip)]
    pub(super) highest_partition: BTreeMap<String, i32>,
}

impl ReplayPlan {
    pub(super) fn count(&mut self, request: &ReplayRequest, letter: &DeadLetter) {
        match request.decide(letter) {
            Decision::NotMeant => {}
            Decision::LeftOut => self.left_out += 1,
            Decision::Cannot(obstacle) => *self.cannot.entry(obstacle).or_default() += 1,
            Decision::Send(target) => {
                self.to_send += 1;
                let replays = letter.failure.replays;
                self.sent_before += u64::from(replays > 0);
                self.most_replays = self.most_replays.max(replays);
                if let Some(partition) = target.partition {
                    let highest = self.highest_partition.entry(target.topic.clone()).or_default();
                    *highest = partition.max(*highest);
                }
                *self.by_topic.entry(target.topic).or_default() += 1;
            }
        }
    }

    /// Adds what the counts alone say.
    pub(super) fn judge(&mut self, request: &ReplayRequest) {
        for (obstacle, letters) in &self.cannot {
            let text = format!("{letters} letter(s) {}", obstacle.explain());
            if request.leave {
                self.warnings.push(format!("stay behind: {text}"));
            } else {
                self.refusals
                    .push(format!("{text}; or add --leave to let them stay behind"));
            }
        }
        if self.sent_before > 0 {
            self.warnings.push(format!(
                "{} of these letters were sent before (up to {} times) and failed again: has the cause been mended? \
                 --max-replays 1 leaves them out",
                self.sent_before, self.most_replays
            ));
        }
    }
}

/// The headers that a record is sent with: its own, and where it comes from.
pub(super) fn headers_to_send(letter: &DeadLetter) -> Vec<HeaderBytes> {
    let failure = &letter.failure;
    let first = failure
        .first
        .clone()
        .unwrap_or_else(|| super::letter::FirstFailure {
            connector: failure.connector.clone(),
            topic: failure.topic.clone(),
            partition: failure.partition,
            offset: failure.offset,
        });
    let marks = [
        ("count", Some(failure.replays.saturating_add(1).to_string())),
        ("connector", first.connector),
        ("topic", first.topic),
        ("partition", first.partition.map(|number| number.to_string())),
        ("offset", first.offset.map(|number| number.to_string())),
    ];
    let marks = marks
        .into_iter()
        .filter_map(|(name, value)| Some((format!("{REPLAY}{name}"), Some(value?.into_bytes()))));
    letter.own_headers().cloned().chain(marks).collect()
}

#[cfg(test)]
mod tests {
    use super::super::letter::FailureContext;
    use super::super::letter::tests::letter;
    use super::*;

    fn request(destination: Destination) -> ReplayRequest {
        ReplayRequest {
            selection: Selection::default(),
            times_as_written: [None, None],
            destination,
            same_partition: false,
            max_replays: None,
            except: Vec::new(),
            leave: false,
            rate: None,
            group: None,
        }
    }

    fn of_sink() -> DeadLetter {
        letter(
            0,
            0,
            &[
                ("mine", "x"),
                ("e.topic", "orders"),
                ("e.partition", "3"),
                ("e.offset", "9"),
                ("e.connector.name", "sink"),
            ],
        )
    }

    fn of_source(content: &str) -> DeadLetter {
        letter(
            0,
            0,
            &[
                ("e.topic", "orders"),
                ("w.source.partition", "{}"),
                ("w.content", content),
            ],
        )
    }

    #[test]
    fn letters_go_where_they_can_go() {
        let original = || request(Destination::Original);
        let topic = || request(Destination::Topic("repair".to_owned()));
        let through = || request(Destination::Connector("sink".to_owned()));
        let same = |mut request: ReplayRequest| {
            request.same_partition = true;
            request
        };
        let to = |topic: &str, partition| {
            Decision::Send(Target {
                topic: topic.to_owned(),
                partition,
            })
        };
        let bare = letter(0, 0, &[]);
        for (what, request, letter, wanted) in [
            ("original", original(), of_sink(), to("orders", None)),
            (
                "same partition",
                same(original()),
                of_sink(),
                to("orders", Some(3)),
            ),
            ("named", topic(), of_sink(), to("repair", None)),
            (
                "through",
                through(),
                of_sink(),
                to("wharf-replay.sink.orders", None),
            ),
            (
                "bare",
                original(),
                bare.clone(),
                Decision::Cannot(Obstacle::NoContext),
            ),
            ("bare named", topic(), bare.clone(), to("repair", None)),
            (
                "bare same",
                same(topic()),
                bare,
                Decision::Cannot(Obstacle::NoPartition),
            ),
            (
                "json",
                original(),
                of_source("connect-json"),
                Decision::Cannot(Obstacle::Rendering),
            ),
            (
                "text",
                original(),
                of_source("text"),
                Decision::Cannot(Obstacle::Rendering),
            ),
            (
                "json named",
                topic(),
                of_source("connect-json"),
                to("repair", None),
            ),
            (
                "refused by Kafka",
                original(),
                of_source("bytes"),
                to("orders", None),
            ),
            (
                "source",
                through(),
                of_source("bytes"),
                Decision::Cannot(Obstacle::OfSource),
            ),
        ] {
            assert_eq!(request.decide(&letter), wanted, "{what}");
        }
    }

    #[test]
    fn what_was_sent_often_enough_or_is_named_is_left_out() {
        let mut request = request(Destination::Original);
        request.max_replays = Some(2);
        request.except = vec![(0, 7)];
        let sent = |count: &str| letter(0, 0, &[("e.topic", "t"), ("r.count", count)]);
        assert!(matches!(request.decide(&sent("1")), Decision::Send(_)));
        assert_eq!(request.decide(&sent("2")), Decision::LeftOut);
        let named = |offset| letter(offset, 0, &[("e.topic", "t")]);
        assert_eq!(request.decide(&named(7)), Decision::LeftOut);
        assert!(matches!(request.decide(&named(8)), Decision::Send(_)));
    }

    #[test]
    fn a_record_is_sent_with_its_own_headers_and_marks_of_where_it_failed_first() {
        let text = |headers: &[HeaderBytes]| -> Vec<String> {
            let value = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
            headers
                .iter()
                .map(|(name, bytes)| format!("{name}={}", value(bytes)))
                .collect()
        };
        let once = headers_to_send(&of_sink());
        let place = [
            "__wharf.replay.connector=sink",
            "__wharf.replay.topic=orders",
            "__wharf.replay.partition=3",
            "__wharf.replay.offset=9",
        ];
        assert_eq!(
            text(&once),
            [&["mine=x", "__wharf.replay.count=1"][..], &place].concat()
        );
        let mut back = once;
        back.extend(letter(0, 0, &[("e.topic", "orders"), ("e.offset", "99")]).headers);
        let again = DeadLetter {
            failure: FailureContext::of(&back),
            headers: back,
            ..of_sink()
        };
        assert_eq!(
            text(&headers_to_send(&again)),
            [&["mine=x", "__wharf.replay.count=2"][..], &place].concat()
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_unless_it_may_stay_behind() {
        let mut request = request(Destination::Original);
        let judged = |request: &ReplayRequest| {
            let mut plan = ReplayPlan::default();
            for letter in [of_sink(), of_source("text"), letter(1, 0, &[])] {
                plan.count(request, &letter);
            }
            plan.judge(request);
            plan
        };
        let plan = judged(&request);
        assert_eq!((plan.to_send, plan.refusals.len()), (1, 2), "{plan:?}");
        request.leave = true;
        let plan = judged(&request);
        assert_eq!((plan.refusals.len(), plan.warnings.len()), (0, 2), "{plan:?}");
    }

    #[test]
    fn two_requests_that_mean_something_else_are_not_the_same() {
        let plain = request(Destination::Original);
        let mut narrowed = plain.clone();
        narrowed.selection.reason = Some("x".to_owned());
        let mut timed = plain.clone();
        timed.times_as_written[0] = Some("2h".to_owned());
        let mut slower = plain.clone();
        slower.rate = Some(1.0);
        assert_ne!(plain.identity(), narrowed.identity());
        assert_ne!(plain.identity(), timed.identity());
        assert_eq!(
            plain.identity(),
            slower.identity(),
            "how fast makes no difference"
        );
    }
}
