//! A topic that fails when told so.

use std::sync::mpsc::channel;

use wharf_cluster::status_state::{PutMode, State, Status};
use wharf_kafka::ErrorCode;

use super::*;

#[derive(Clone, Default)]
struct Topic {
    /// What the next attempts answer, for all of their records; then everything succeeds.
    failures: Arc<Mutex<VecDeque<ErrorCode>>>,
    written: Arc<Mutex<Vec<String>>>,
}

impl StatusLog for Topic {
    fn name(&self) -> &str {
        "statuses"
    }

    fn write_each(&self, records: &[LogRecord], _timeout: Duration) -> Vec<Result<(), KafkaError>> {
        let failure = lock(&self.failures).pop_front();
        let outcome = |record: &LogRecord| match failure {
            Some(code) => Err(KafkaError::Operation {
                operation: "sending".to_owned(),
                code,
                detail: String::new(),
            }),
            None => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let state = record.value.as_deref().map_or("tombstone".to_owned(), |value| {
                    Status::from_record_value(value).unwrap().state.to_string()
                });
                lock(&self.written).push(format!("{} {state}", text(&record.key)));
                Ok(())
            }
        };
        records.iter().map(outcome).collect()
    }
}

struct Fixture {
    topic: Topic,
    state: Arc<Mutex<StatusState>>,
    writer: StatusWriter<Topic>,
}

fn fixture(failures: &[ErrorCode]) -> Fixture {
    let topic = Topic::default();
    lock(&topic.failures).extend(failures);
    let state: Arc<Mutex<StatusState>> = Arc::default();
    Fixture {
        writer: StatusWriter::new(topic.clone(), Arc::clone(&state)),
        topic,
        state,
    }
}

impl Fixture {
    fn put(&mut self, connector: &str, state: State, generation: i32, mode: PutMode) {
        let status = Status {
            state,
            trace: None,
            worker_id: "w:1".to_owned(),
            generation,
            version: None,
        };
        let write = lock(&self.state).put_connector(connector, status, mode).unwrap();
        self.writer.take(Order::Write(write));
    }

    fn written(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.topic.written))
    }
}

const PASSING: ErrorCode = ErrorCode::TIMED_OUT;

#[test]
fn a_status_that_fails_for_a_reason_that_passes_is_sent_again() {
    let mut fixture = fixture(&[PASSING, PASSING]);
    fixture.put("a", State::Running, 1, PutMode::Put);
    fixture.put("b", State::Paused, 1, PutMode::Put);
    assert_eq!(fixture.writer.attempt(), 2);
    assert_eq!(fixture.writer.attempt(), 2);
    assert_eq!(fixture.writer.attempt(), 0);
    assert_eq!(
        fixture.written(),
        ["status-connector-a RUNNING", "status-connector-b PAUSED"]
    );
}

#[test]
fn a_status_that_cannot_be_written_at_all_does_not_hold_up_others() {
    let mut fixture = fixture(&[ErrorCode::TOPIC_AUTHORIZATION_FAILED]);
    fixture.put("a", State::Running, 1, PutMode::Put);
    assert_eq!(fixture.writer.attempt(), 0);
    fixture.put("b", State::Running, 1, PutMode::Put);
    assert_eq!(fixture.writer.attempt(), 0);
    assert_eq!(fixture.written(), ["status-connector-b RUNNING"]);
}

#[test]
fn only_what_is_still_true_is_sent_again() {
    // What was put before and after the failed attempt, and what is written in the end.
    type Put = (&'static str, State, i32, PutMode);
    let cases: &[(&[Put], &[Put], &[&str])] = &[
        // A later state of the same connector replaces it, and is never overtaken.
        (
            &[("a", State::Running, 1, PutMode::Put)],
            &[("a", State::Failed, 1, PutMode::Safe)],
            &["status-connector-a FAILED"],
        ),
        (
            &[("a", State::Running, 1, PutMode::Put)],
            &[("a", State::Paused, 1, PutMode::Put)],
            &["status-connector-a PAUSED"],
        ),
        // So does its deletion.
        (
            &[("a", State::Running, 1, PutMode::Put)],
            &[("a", State::Destroyed, 1, PutMode::Put)],
            &["status-connector-a tombstone"],
        ),
        // A rebalance came in between.
        (
            &[("a", State::Running, 1, PutMode::Put)],
            &[("b", State::Running, 2, PutMode::Put)],
            &["status-connector-b RUNNING"],
        ),
        // Others are sent again, in their order.
        (
            &[
                ("a", State::Running, 1, PutMode::Put),
                ("b", State::Failed, 1, PutMode::Safe),
            ],
            &[("c", State::Running, 1, PutMode::Put)],
            &[
                "status-connector-a RUNNING",
                "status-connector-b FAILED",
                "status-connector-c RUNNING",
            ],
        ),
    ];
    for (before, after, expected) in cases {
        let mut fixture = fixture(&[PASSING]);
        for (connector, state, generation, mode) in *before {
            fixture.put(connector, *state, *generation, *mode);
        }
        assert_eq!(fixture.writer.attempt(), before.len());
        for (connector, state, generation, mode) in *after {
            fixture.put(connector, *state, *generation, *mode);
        }
        assert_eq!(fixture.writer.attempt(), 0);
        assert_eq!(fixture.written(), *expected);
    }
}

#[test]
fn a_safe_put_is_given_up_when_another_worker_knows_better_meanwhile() {
    let mut fixture = fixture(&[PASSING]);
    fixture.put("a", State::Unassigned, 1, PutMode::Safe);
    assert_eq!(fixture.writer.attempt(), 1);
    let newer = br#"{"state":"RUNNING","trace":null,"worker_id":"w:2","generation":2}"#;
    lock(&fixture.state)
        .apply(Some(b"status-connector-a"), Some(newer))
        .unwrap();
    assert_eq!(fixture.writer.attempt(), 0);
    assert!(fixture.written().is_empty());
    assert!(fixture.writer.queue.is_empty());
}

#[test]
fn a_flush_is_answered_when_all_before_it_is_written() {
    let mut fixture = fixture(&[PASSING]);
    fixture.put("a", State::Running, 1, PutMode::Put);
    let (answer, answered) = channel();
    fixture.writer.take(Order::Flush(answer));
    fixture.writer.answer_flushes();
    assert!(answered.try_recv().is_err());
    fixture.writer.attempt();
    fixture.writer.answer_flushes();
    assert!(answered.try_recv().is_err());
    fixture.put("b", State::Running, 1, PutMode::Put);
    fixture.writer.attempt();
    fixture.writer.answer_flushes();
    assert!(answered.try_recv().is_ok());
    // With nothing to do it is answered at once.
    let (answer, answered) = channel();
    fixture.writer.take(Order::Flush(answer));
    fixture.writer.answer_flushes();
    assert!(answered.try_recv().is_ok());
}

#[test]
fn the_thread_writes_what_it_is_told_until_it_is_told_to_stop() {
    let Fixture { topic, state, writer } = fixture(&[PASSING]);
    let (orders, inbox) = channel();
    let thread = std::thread::spawn(move || writer.run(&inbox));
    let status = Status {
        state: State::Running,
        trace: None,
        worker_id: "w:1".to_owned(),
        generation: 1,
        version: None,
    };
    let write = lock(&state).put_connector("a", status, PutMode::Put).unwrap();
    orders.send(Order::Write(write)).unwrap();
    let (answer, answered) = channel();
    orders.send(Order::Flush(answer)).unwrap();
    answered.recv().unwrap();
    assert_eq!(*lock(&topic.written), ["status-connector-a RUNNING"]);
    orders.send(Order::Stop).unwrap();
    thread.join().unwrap();
}
