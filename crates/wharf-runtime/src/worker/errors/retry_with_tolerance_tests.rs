//! The rules of retries and tolerance, each with a clock that tests turn.

use std::sync::Mutex;

use super::*;

/// A clock that waits by counting, and rolls the dice by a fixed share.
struct Turned {
    start: Instant,
    waits: Arc<Mutex<Vec<u64>>>,
    stop_at_wait: Option<usize>,
}

impl RetryClock for Turned {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.waits.lock().unwrap().iter().sum())
    }

    fn wait(&self, time: Duration) -> bool {
        let mut waits = self.waits.lock().unwrap();
        waits.push(u64::try_from(time.as_millis()).unwrap());
        self.stop_at_wait == Some(waits.len())
    }

    fn random_below(&self, bound: u64) -> u64 {
        bound / 2
    }
}

struct Rules {
    rules: RetryWithTolerance,
    waits: Arc<Mutex<Vec<u64>>>,
    counters: Arc<ErrorCounters>,
}

fn rules(
    timeout: Option<u64>,
    max_delay: u64,
    tolerance: ToleranceType,
    stop_at_wait: Option<usize>,
) -> Rules {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let counters = Arc::new(ErrorCounters::default());
    let config = ErrorConfig {
        retry_timeout: timeout.map(Duration::from_millis),
        retry_delay_max: Duration::from_millis(max_delay),
        tolerance,
        ..ErrorConfig::default()
    };
    let clock = Turned {
        start: Instant::now(),
        waits: Arc::clone(&waits),
        stop_at_wait,
    };
    Rules {
        rules: RetryWithTolerance::new(&config, Box::new(clock), Arc::clone(&counters)),
        waits,
        counters,
    }
}

impl Rules {
    /// Runs an operation that fails so often with this error; says how it ended, and how often it ran.
    fn run(&self, error: &ConnectError, failures: usize) -> (Attempt<usize>, usize) {
        let mut runs = 0;
        let attempt = self.rules.execute(Stage::ValueConverter, "a.B", || {
            runs += 1;
            if runs <= failures {
                Err(error.clone())
            } else {
                Ok(runs)
            }
        });
        (attempt, runs)
    }
}

#[test]
fn only_retriable_errors_are_tried_again() {
    for (error, expected) in [
        (ConnectError::retriable("busy"), 3),
        (ConnectError::data("bad"), 1),
        (ConnectError::connect("broken"), 1),
        (ConnectError::panic("oops"), 1),
    ] {
        let rules = rules(Some(10_000), 60_000, ToleranceType::None, None);
        let (attempt, runs) = rules.run(&error, 2);
        assert_eq!(runs, expected, "{error}");
        assert_eq!(matches!(attempt, Attempt::Done(3)), expected == 3, "{error}");
    }
}

#[test]
fn pauses_double_until_the_cap_then_chance_decides_and_none_passes_the_deadline() {
    let busy = ConnectError::retriable("busy");
    for (timeout, max_delay, expected) in [
        (Some(0), 60_000, vec![]),
        (Some(1000), 60_000, vec![300, 600, 100]),
        (Some(300), 60_000, vec![300]),
        (
            Some(4000),
            1000,
            vec![300, 600, 500, 500, 500, 500, 500, 500, 100],
        ),
        (Some(200), 0, vec![0; 40]),
        (None, 700, vec![300, 600, 350, 350, 350, 350]),
    ] {
        // Without an end by itself the fortieth wait, or the last that is expected, is cut off.
        let ends_by_itself = timeout.is_some() && max_delay > 0;
        let cut = (!ends_by_itself).then_some(expected.len());
        let rules = rules(timeout, max_delay, ToleranceType::All, cut);
        let (attempt, runs) = rules.run(&busy, usize::MAX);
        assert_eq!(*rules.waits.lock().unwrap(), expected, "{timeout:?} {max_delay}");
        if ends_by_itself {
            assert!(matches!(attempt, Attempt::Failed(_)));
            assert_eq!(runs, expected.len() + 1);
        } else {
            assert!(matches!(attempt, Attempt::Interrupted));
        }
    }
}

#[test]
fn an_unlimited_number_of_retries_overflows_nothing() {
    let rules = rules(None, u64::MAX / 4, ToleranceType::None, None);
    assert_eq!(rules.rules.delay(3), Duration::from_millis(2400));
    for retries in [40, 64, 1000, u32::MAX] {
        assert_eq!(rules.rules.delay(retries), Duration::from_millis(u64::MAX / 8));
    }
}

#[test]
fn a_task_that_is_to_stop_neither_fails_nor_skips_its_record() {
    let rules = rules(None, 60_000, ToleranceType::All, Some(2));
    let (attempt, runs) = rules.run(&ConnectError::retriable("busy"), usize::MAX);
    assert!(matches!(attempt, Attempt::Interrupted));
    assert_eq!(runs, 2, "the wait for the third was cut off");
    let counts = rules.counters.counts();
    assert_eq!((counts.record_failures, counts.retries), (2, 1));
    assert_eq!((counts.record_errors, counts.records_skipped), (0, 0));
}

#[test]
fn what_a_plugin_gave_up_for_a_stop_counts_as_not_begun_and_without_a_stop_as_a_failure() {
    let error = ConnectError::interrupted("the task is to stop");
    for tolerance in [ToleranceType::None, ToleranceType::All] {
        let stopping = rules(Some(0), 60_000, tolerance, Some(1));
        let (attempt, runs) = stopping.run(&error, usize::MAX);
        assert!(matches!(attempt, Attempt::Interrupted));
        assert_eq!((runs, stopping.counters.counts().record_failures), (1, 0));

        let running = rules(Some(0), 60_000, tolerance, None);
        let (attempt, runs) = running.run(&error, usize::MAX);
        assert!(matches!(attempt, Attempt::Failed(_)));
        assert_eq!((runs, running.counters.counts().record_failures), (1, 1));
    }
}

#[test]
fn tolerance_decides_over_what_fails_for_good_retriable_or_not() {
    for (error, timeout, failures, retries) in [
        (ConnectError::data("bad"), 1000, 1, 0),
        (ConnectError::retriable("busy"), 0, 1, 0),
        (ConnectError::retriable("busy"), 700, 3, 2),
    ] {
        for tolerance in [ToleranceType::None, ToleranceType::All] {
            let rules = rules(Some(timeout), 60_000, tolerance, None);
            let (Attempt::Failed(failure), _) = rules.run(&error, usize::MAX) else {
                panic!("{error}");
            };
            let tolerated = tolerance == ToleranceType::All;
            assert_eq!(failure.is_tolerated, tolerated);
            assert_eq!(
                (failure.stage, failure.class.as_str()),
                (Stage::ValueConverter, "a.B")
            );
            assert_eq!(failure.error, error);
            let counts = rules.counters.counts();
            assert_eq!(counts.record_failures, failures);
            assert_eq!(counts.retries, retries);
            assert_eq!(counts.record_errors, 1);
            assert_eq!(counts.records_skipped, u64::from(tolerated));
            assert!(counts.last_error_millis > 0);
        }
    }
}

#[test]
fn the_task_s_error_names_stage_class_and_record() {
    let rules = rules(Some(0), 0, ToleranceType::None, None);
    let (Attempt::Failed(failure), _) = rules.run(&ConnectError::data("no JSON"), 1) else {
        panic!();
    };
    let error = failure.fatal("topic t, partition 1, offset 7");
    assert_eq!(
        format!("{error:#}"),
        "Tolerance exceeded in error handler: the value converter a.B cannot convert the record at topic t, partition 1, \
         offset 7: no JSON"
    );
}

#[test]
fn a_task_s_clock_wakes_up_when_the_task_is_to_stop() {
    let control = Arc::new(TaskControl::new(false));
    let clock = TaskClock(Arc::clone(&control));
    assert!(!clock.wait(Duration::from_millis(1)));
    let waiting = std::thread::spawn(move || clock.wait(Duration::from_secs(600)));
    control.stop();
    assert!(waiting.join().unwrap());
}

#[test]
fn chance_stays_below_its_bound() {
    let clock = TaskClock(Arc::new(TaskControl::new(false)));
    for bound in [0, 1, 2, 1000] {
        for _ in 0..50 {
            assert!(clock.random_below(bound) < bound.max(1));
        }
    }
}
