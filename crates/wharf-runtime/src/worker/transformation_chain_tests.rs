//! Order, predicates, drops and failures, record by record and a batch at a time, with transforms that tests command.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wharf_api::config::ConfigDef;
use wharf_api::{Applied, ConfigMap, Value};

use super::*;
use crate::config::{ErrorConfig, ToleranceType};
use crate::worker::errors::{ErrorCounters, RetryClock};

/// Appends its name to text values; `drop`, `refuse` and `busy` in a value are obeyed.
#[derive(Clone)]
struct Mark {
    name: &'static str,
    /// How often `busy` is so still.
    busy: Arc<Mutex<u32>>,
    /// Batches that it was given.
    batches: Arc<Mutex<Vec<usize>>>,
}

impl Mark {
    fn new(name: &'static str, busy: u32) -> Self {
        Self {
            name,
            busy: Arc::new(Mutex::new(busy)),
            batches: Arc::default(),
        }
    }
}

impl Transformation for Mark {
    fn configure(&mut self, _: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let Some(text) = record.value.as_str().map(str::to_owned) else {
            return Ok(Applied::Kept);
        };
        if text.contains(&format!("drop-{}", self.name)) {
            return Ok(Applied::Dropped);
        }
        if text.contains(&format!("refuse-{}", self.name)) {
            return Err(ConnectError::data(format!("{} refuses", self.name)));
        }
        let mut busy = self.busy.lock().unwrap();
        if text.contains(&format!("busy-{}", self.name)) && *busy > 0 {
            *busy -= 1;
            return Err(ConnectError::retriable(format!("{} is busy", self.name)));
        }
        record.value = Value::from(format!("{text}+{}", self.name));
        Ok(Applied::Kept)
    }
}

impl RemoteTransform for Mark {
    fn apply_batch(&mut self, bytes: &[u8]) -> Result<BatchResult> {
        let mut schemas = SchemaCache::default();
        let input = RecordBatchRef::parse(bytes, &mut schemas)?;
        self.batches.lock().unwrap().push(input.len());
        let mut output = RecordBatch::new();
        let mut result = BatchResult::default();
        for (position, record) in input.iter().enumerate() {
            match self.applied(record?.to_record(&input)?) {
                Ok(Some(changed)) => {
                    output.push_record(&changed)?;
                    result.positions.push(position);
                }
                Ok(None) => {}
                Err(error) => result.errors.push((position, error)),
            }
        }
        result.batch = output.finish()?.to_vec();
        Ok(result)
    }
}

/// Holds for values that contain a text; `panic` fails.
struct Contains(&'static str);

impl Predicate for Contains {
    fn configure(&mut self, _: &ConfigMap) -> Result<()> {
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn test(&mut self, record: &Record) -> Result<bool> {
        let text = record.value.as_str().unwrap_or_default();
        if text.contains("undecided") {
            return Err(ConnectError::data("cannot decide"));
        }
        Ok(text.contains(self.0))
    }
}

impl RemoteTest for Contains {
    fn test_batch(&mut self, bytes: &[u8]) -> Result<Vec<Result<bool>>> {
        let mut schemas = SchemaCache::default();
        let input = RecordBatchRef::parse(bytes, &mut schemas)?;
        let records: Vec<Record> = input
            .iter()
            .map(|record| record?.to_record(&input))
            .collect::<Result<_>>()?;
        Ok(records.iter().map(|record| self.test(record)).collect())
    }
}

struct NoWait(Instant);

impl RetryClock for NoWait {
    fn now(&self) -> Instant {
        self.0
    }

    fn wait(&self, _: Duration) -> bool {
        false
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

fn rules(retries: bool) -> RetryWithTolerance {
    let config = ErrorConfig {
        retry_timeout: Some(Duration::from_secs(u64::from(retries))),
        tolerance: ToleranceType::All,
        ..ErrorConfig::default()
    };
    RetryWithTolerance::new(
        &config,
        Box::new(NoWait(Instant::now())),
        Arc::new(ErrorCounters::default()),
    )
}

fn builtin(mark: &Mark, condition: Option<Condition>) -> TransformationStage {
    TransformationStage::new(
        mark.name,
        mark.name,
        TransformPlace::Builtin(Box::new(mark.clone())),
        condition,
    )
}

fn remote(mark: &Mark, condition: Option<Condition>) -> TransformationStage {
    TransformationStage::new(
        mark.name,
        mark.name,
        TransformPlace::Remote(Box::new(mark.clone())),
        condition,
    )
}

fn record(text: &str) -> Record {
    Record::sink("t", 0, 1).with_value(None, text)
}

/// What became of a record, as text.
fn told(attempt: Attempt<Option<&mut Record>>) -> String {
    match attempt {
        Attempt::Done(Some(record)) => record.value.as_str().unwrap_or("null").to_owned(),
        Attempt::Done(None) => "left out".to_owned(),
        Attempt::Interrupted => "interrupted".to_owned(),
        Attempt::Failed(failure) => format!("{} at {}", failure.error.message(), failure.class),
    }
}

const VALUES: [&str; 8] = [
    "x",
    "drop-a",
    "refuse-b",
    "busy-a",
    "drop-c",
    "busy-c",
    "undecided",
    "refuse-a",
];

#[test]
fn a_batch_has_the_same_fate_as_its_records_one_by_one_wherever_the_transforms_are() {
    let makers = [builtin, remote];
    for retries in [false, true] {
        let mut fates = Vec::new();
        for [a, b, c] in [[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1], [1, 1, 0]] {
            for remote_predicate in [false, true] {
                let condition = || {
                    let predicate = match remote_predicate {
                        true => PredicatePlace::Remote(Box::new(Contains("busy"))),
                        false => PredicatePlace::Builtin(Box::new(Contains("busy"))),
                    };
                    Some(Condition {
                        predicate,
                        negate: true,
                    })
                };
                let marks = [Mark::new("a", 1), Mark::new("b", 0), Mark::new("c", 1)];
                let mut chain = TransformationChain::new(vec![
                    makers[a](&marks[0], None),
                    makers[b](&marks[1], condition()),
                    makers[c](&marks[2], None),
                ]);
                assert_eq!(chain.is_remote(), a + b + c > 0 || remote_predicate);
                let mut pending: Vec<Pending> =
                    VALUES.iter().map(|text| Pending::new(record(text))).collect();
                let rules = rules(retries);
                if chain.is_remote() {
                    chain.pass(&mut pending, rules.may_retry()).unwrap();
                }
                let fate: Vec<String> = pending
                    .into_iter()
                    .map(|pending| told(chain.finish(pending, &rules)))
                    .collect();
                fates.push(fate);
            }
        }
        let busy = |name: &str, marks: &str| match retries {
            true => format!("busy-{name}{marks}"),
            false => format!("{name} is busy at {name}"),
        };
        let expected = [
            "x+a+b+c".to_owned(),
            "left out".to_owned(),
            "b refuses at b".to_owned(),
            busy("a", "+a+c"),
            "left out".to_owned(),
            busy("c", "+a+c"),
            "cannot decide at b".to_owned(),
            "a refuses at a".to_owned(),
        ];
        for fate in fates {
            assert_eq!(fate, expected, "with retries: {retries}");
        }
    }
}

#[test]
fn a_library_is_called_once_for_a_batch_and_not_for_what_has_left_the_chain() {
    let (first, second) = (Mark::new("a", 0), Mark::new("b", 0));
    let mut chain = TransformationChain::new(vec![remote(&first, None), remote(&second, None)]);
    let mut pending: Vec<Pending> = ["x", "drop-a", "refuse-a", "y"]
        .iter()
        .map(|text| Pending::new(record(text)))
        .collect();
    chain.pass(&mut pending, false).unwrap();
    assert_eq!(*first.batches.lock().unwrap(), [4]);
    assert_eq!(*second.batches.lock().unwrap(), [2]);
    assert!(chain.is_through(&pending[0]) && chain.is_through(&pending[3]));
    assert_eq!(pending[1], Pending::Dropped);
    assert!(matches!(&pending[2], Pending::Halted { stage: 0, .. }));
    let mut none: Vec<Pending> = Vec::new();
    chain.pass(&mut none, false).unwrap();
    assert_eq!(
        first.batches.lock().unwrap().len(),
        1,
        "an empty batch crosses nothing"
    );
}

#[test]
fn a_tombstone_passes_and_a_record_that_is_tried_again_starts_as_it_was() {
    let mark = Mark::new("a", 2);
    let mut chain = TransformationChain::new(vec![builtin(&Mark::new("b", 0), None), builtin(&mark, None)]);
    assert_eq!(
        told(chain.finish(Pending::new(Record::sink("t", 0, 1)), &rules(false))),
        "null"
    );
    assert_eq!(
        told(chain.finish(Pending::new(record("busy-a")), &rules(true))),
        "busy-a+b+a"
    );
    assert_eq!(*mark.busy.lock().unwrap(), 0);
}

#[test]
fn a_record_that_fails_on_the_short_way_is_made_anew_and_goes_by_the_rules() {
    let marks = [Mark::new("a", 0), Mark::new("b", 1)];
    let mut chain = TransformationChain::new(marks.iter().map(|mark| builtin(mark, None)).collect());
    for (text, retries, fate, made_anew) in [
        ("x", false, "x+a+b", 0),
        ("drop-b", false, "left out", 0),
        ("refuse-b", true, "b refuses at b", 1),
        ("busy-b", false, "busy-b+a+b", 1),
        ("y", true, "y+a+b", 0),
    ] {
        let mut made = 0;
        let fill = |new: &mut Record| {
            new.value = Value::from(text);
            Ok(())
        };
        let again = || {
            made += 1;
            Ok(record(text))
        };
        let attempt = chain.run(&rules(retries), fill, again).unwrap();
        assert_eq!(told(attempt), fate);
        assert_eq!(made, made_anew, "{text}");
    }
}

#[test]
fn a_library_that_answers_for_other_records_fails_the_task() {
    struct Wrong(BatchResult);
    impl Transformation for Wrong {
        fn configure(&mut self, _: &ConfigMap) -> Result<()> {
            Ok(())
        }
        fn config(&self) -> ConfigDef {
            ConfigDef::new()
        }
        fn apply(&mut self, _: &mut Record) -> Result<Applied> {
            Ok(Applied::Kept)
        }
    }
    impl RemoteTransform for Wrong {
        fn apply_batch(&mut self, _: &[u8]) -> Result<BatchResult> {
            Ok(self.0.clone())
        }
    }
    let mut two = RecordBatch::new();
    two.push_record(&record("x")).unwrap();
    two.push_record(&record("y")).unwrap();
    let batch = two.finish().unwrap().to_vec();
    let errors = vec![(9, ConnectError::data("x"))];
    for (positions, errors) in [
        (vec![0, 0], vec![]),
        (vec![0], vec![]),
        (vec![0, 7], vec![]),
        (vec![0, 1], errors),
    ] {
        let result = BatchResult {
            batch: batch.clone(),
            positions,
            errors,
        };
        let transform = TransformPlace::Remote(Box::new(Wrong(result)));
        let mut chain = TransformationChain::new(vec![TransformationStage::new("w", "W", transform, None)]);
        let mut pending = [Pending::new(record("x")), Pending::new(record("y"))];
        assert!(chain.pass(&mut pending, false).is_err());
    }
}
