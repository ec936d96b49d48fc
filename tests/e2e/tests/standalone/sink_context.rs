//! What a sink task may ask of its worker: other offsets, a rest for partitions, a commit, the same batch again; and that
//! nothing is lost while tasks of one connector come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, has_state, properties};
use wharf_test_services::process::wait_until;

/// Time in which something that must not happen would have happened.
const A_WHILE: Duration = Duration::from_secs(1);
const NEVER: (&str, &str) = ("offset.flush.interval.ms", "3600000");
const OFTEN: (&str, &str) = ("offset.flush.interval.ms", "100");

/// A line of the recording sink's file: the call, and its partitions with offsets (−1 without).
type Call = (String, Vec<(i32, i64)>);

fn calls(stage: &Stage) -> Vec<Call> {
    let text = String::from_utf8(stage.read("calls")).unwrap();
    text.lines().map(call).collect()
}

fn call(line: &str) -> Call {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    // A record's value comes behind its place.
    let places = words.take(if name == "record" { 1 } else { usize::MAX });
    let places = places.filter_map(|word| {
        let (_, place) = word.rsplit_once('-')?;
        let (partition, offset) = place.split_once('@').unwrap_or((place, "-1"));
        Some((partition.parse().ok()?, offset.parse().ok()?))
    });
    let places = places.collect();
    (name, places)
}

fn named<'c>(calls: &'c [Call], name: &'c str) -> impl Iterator<Item = &'c [(i32, i64)]> {
    calls
        .iter()
        .filter(move |(of, _)| of == name)
        .map(|(_, places)| places.as_slice())
}

/// Offsets of one partition's records in the order in which they were put.
fn put(stage: &Stage, partition: i32) -> Vec<i64> {
    let all = calls(stage);
    let places = named(&all, "record").map(|places| places[0]);
    places
        .filter(|(of, _)| *of == partition)
        .map(|(_, offset)| offset)
        .collect()
}

fn committed(stage: &Stage, sink: &str, topic: &str) -> BTreeMap<i32, i64> {
    let all = stage.kafka().committed(&format!("connect-{sink}"));
    all.into_iter()
        .filter(|((of, _), _)| of == topic)
        .map(|((_, partition), offset)| (partition, offset))
        .collect()
}

fn sink(stage: &Stage, topic: &str, more: Value) -> Value {
    let mut config = json!({
        "connector.class": "wharf.test.RecordingSink", "tasks.max": "1", "topics": topic, "obey": "true",
        "record.file": stage.file("calls")
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

#[test]
fn a_task_reads_on_at_the_offset_that_it_asks_for() {
    let Some(stage) = Stage::set_up("rewind") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    // Back to what was put, and beyond what was not; all of it is on its way to the task already.
    let lines = [
        "a",
        "b",
        "!rewind 0 1",
        "c",
        "!rewind 0 7",
        "skipped",
        "skipped",
        "d",
    ];
    stage.kafka().produce_to(&topic, 0, &lines);
    let worker = stage.start(&[OFTEN], &[]);
    let one_by_one = json!({"consumer.override.max.poll.records": "1"});
    worker.create(&name, sink(&stage, &topic, one_by_one));
    wait_until(PATIENCE, || put(&stage, 0).len() >= 8);
    assert_eq!(put(&stage, 0), [0, 1, 2, 1, 2, 3, 4, 7]);
    assert!(wait_until(PATIENCE, || committed(&stage, &name, &topic) == [(0, 8)].into()));

    // Whole batches, the records behind the command included.
    stage.kafka().produce_to(&topic, 0, &["!rewind 0 5", "e"]);
    let wide = json!({"consumer.override.max.poll.records": "500"});
    worker.call(
        "PUT",
        &format!("/connectors/{name}/config"),
        Some(&sink(&stage, &topic, wide)),
        200,
    );
    assert!(
        wait_until(PATIENCE, || put(&stage, 0).ends_with(&[5, 6, 7, 8, 9])),
        "{:?}",
        put(&stage, 0)
    );
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    assert_eq!(worker.terminate(), Some(143));
    assert_eq!(committed(&stage, &name, &topic), [(0, 10)].into());
}

#[test]
fn a_task_that_keeps_offsets_itself_chooses_them_when_partitions_open() {
    let Some(stage) = Stage::set_up("open-offset") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    stage.kafka().create_topic(&topic, 2, &[]);
    for partition in 0..2 {
        stage
            .kafka()
            .produce_to(&topic, partition, &["a", "b", "c", "d", "e"]);
    }
    let worker = stage.start(&[OFTEN], &[]);
    worker.create(&name, sink(&stage, &topic, json!({"open.offset": "3"})));
    assert!(
        wait_until(PATIENCE, || committed(&stage, &name, &topic)
            == [(0, 5), (1, 5)].into()),
        "{:?}",
        committed(&stage, &name, &topic)
    );
    assert_eq!((put(&stage, 0), put(&stage, 1)), (vec![3, 4], vec![3, 4]));
}

#[test]
fn a_partition_that_its_task_paused_gives_nothing_until_the_task_resumes_it() {
    let Some(stage) = Stage::set_up("pause") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 2, &[]);
    let worker = stage.start(&[OFTEN], &[]);
    worker.create(&name, sink(&stage, &topic, json!({})));
    let arrived = |partition: i32, count: i64| {
        let all = (0..count).collect::<Vec<_>>();
        assert!(
            wait_until(PATIENCE, || put(&stage, partition) == all),
            "partition {partition}: {:?} of {count} records",
            put(&stage, partition)
        );
    };
    kafka.produce_to(&topic, 1, &["before"]);
    arrived(1, 1);
    kafka.produce_to(&topic, 0, &["!pause 1"]);
    arrived(0, 1);
    // Only the next turn of the loop tells the consumer.
    kafka.produce_to(&topic, 0, &["turn"]);
    arrived(0, 2);
    kafka.produce_to(&topic, 1, &["a", "b", "c"]);
    kafka.produce_to(&topic, 0, &["while paused"]);
    arrived(0, 3);
    assert!(!wait_until(A_WHILE, || put(&stage, 1).len() > 1));
    // The user's pause is another one and its end does not end the task's.
    for (action, state) in [("pause", "PAUSED"), ("resume", "RUNNING")] {
        worker.call("PUT", &format!("/connectors/{name}/{action}"), None, 202);
        worker.until_states(&name, &[state, state]);
    }
    kafka.produce_to(&topic, 0, &["resumed by the user"]);
    arrived(0, 4);
    assert!(!wait_until(A_WHILE, || put(&stage, 1).len() > 1));
    assert_eq!(committed(&stage, &name, &topic).get(&1), Some(&1));

    kafka.produce_to(&topic, 0, &["!resume 1"]);
    arrived(1, 4);
    arrived(0, 5);
    assert!(wait_until(PATIENCE, || committed(&stage, &name, &topic)
        == [(0, 5), (1, 4)].into()));

    kafka.produce_to(&topic, 0, &["!pause 7"]);
    let status = worker.until_states(&name, &["RUNNING", "FAILED"]);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(
        trace.contains("may not pause partitions") && trace.contains(&format!("{topic}-7")),
        "{trace}"
    );
}

#[test]
fn offsets_are_committed_before_their_time_when_the_task_asks_for_it() {
    let Some(stage) = Stage::set_up("request-commit") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_to(&topic, 0, &["a", "b"]);
    let worker = stage.start(&[NEVER], &[]);
    worker.create(&name, sink(&stage, &topic, json!({})));
    assert!(wait_until(PATIENCE, || put(&stage, 0).len() == 2));
    assert!(!wait_until(A_WHILE, || !committed(&stage, &name, &topic).is_empty()));
    kafka.produce_to(&topic, 0, &["!commit"]);
    assert!(wait_until(PATIENCE, || committed(&stage, &name, &topic) == [(0, 3)].into()));
    worker.terminate();
}

#[test]
fn a_batch_that_is_refused_for_now_is_put_again_as_it_was_and_no_offset_passes_it() {
    let Some(stage) = Stage::set_up("retriable") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let pairs = sink(&stage, &topic, json!({"name": name}));
    let pairs: Vec<_> = pairs
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap()))
        .collect();
    let files = [stage.write("sink.properties", properties(&pairs))];
    let worker = stage.start(&[OFTEN], &files);
    kafka.produce_to(&topic, 0, &["a"; 10]);
    let at = |offset| committed(&stage, &name, &topic) == [(0, offset)].into();
    assert!(wait_until(PATIENCE, || at(10)));

    let retry = format!("!retry-until {}", stage.file("go"));
    kafka.produce_to(&topic, 0, &["b", &retry, "b", "b"]);
    let refused = || {
        let all = calls(&stage);
        named(&all, "refused").map(<[_]>::to_vec).collect::<Vec<_>>()
    };
    // Many flushes are due, and more records come.
    assert!(wait_until(PATIENCE, || refused().len() > 10));
    kafka.produce_to(&topic, 0, &["c"; 30]);
    assert!(wait_until(PATIENCE, || refused().len() > 30));
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let batch = refused()[0].clone();
    assert!(batch.contains(&(0, 11)), "{batch:?}");
    assert!(refused().iter().all(|again| *again == batch), "{:?}", refused());
    let first = batch[0].1;
    assert!(
        wait_until(PATIENCE, || at(first)),
        "{:?}",
        committed(&stage, &name, &topic)
    );

    // A stop does not let the batch slip through.
    assert_eq!(worker.terminate(), Some(143));
    assert!(at(first));
    let before = refused().len();
    let worker = stage.start(&[OFTEN], &files);
    assert!(wait_until(PATIENCE, || refused().len() > before + 10));
    assert_eq!(refused()[before][0], (0, first));
    let beyond: Vec<_> = calls(&stage)
        .into_iter()
        .filter(|(name, places)| name == "commit" && places.iter().any(|(_, offset)| *offset > first))
        .collect();
    assert_eq!(
        beyond,
        [],
        "offered although the batch from {first} on was not put"
    );
    assert!(at(first));

    stage.write("go", "");
    assert!(
        wait_until(PATIENCE, || at(44)),
        "{:?}",
        committed(&stage, &name, &topic)
    );
    assert_eq!(put(&stage, 0), (0..44).collect::<Vec<_>>());
    assert_eq!(worker.terminate(), Some(143));
}

const PARTITIONS: i32 = 4;

/// Ends the writer also when the test fails.
struct Stop<'f>(&'f AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn every_record_arrives_while_tasks_are_added_and_taken_away() {
    let Some(stage) = Stage::set_up("rebalance") else {
        return;
    };
    let (name, topic) = (stage.named("sink"), stage.named("records"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, PARTITIONS, &[]);
    // No member may be thrown out because the machine is busy: this is about orderly rebalances.
    let worker = stage.start(&[OFTEN, ("consumer.session.timeout.ms", "30000")], &[]);
    let config = |tasks: usize| sink(&stage, &topic, json!({"tasks.max": tasks.to_string()}));
    worker.create(&name, config(1));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for partition in 0..PARTITIONS {
                    stage.kafka().produce_to(&topic, partition, &["x"; 25]);
                }
            }
        });
        for tasks in [1, 2, 4, 2, 1, 2] {
            let path = format!("/connectors/{name}/config");
            worker.call("PUT", &path, Some(&config(tasks)), 200);
            let status = worker.until(&format!("/connectors/{name}/status"), "all tasks run", |status| {
                has_state(status, "RUNNING") && status["tasks"].as_array().unwrap().len() == tasks
            });
            let before: Vec<_> = (0..PARTITIONS)
                .map(|partition| put(&stage, partition).len())
                .collect();
            let flows = wait_until(PATIENCE, || {
                (0..PARTITIONS)
                    .zip(&before)
                    .all(|(partition, count)| put(&stage, partition).len() > count + 50)
            });
            assert!(flows, "{tasks} tasks, {before:?} records: {status}");
        }
    });
    let ends: BTreeMap<i32, i64> = kafka.end_offsets(&topic);
    assert!(
        wait_until(PATIENCE, || committed(&stage, &name, &topic) == ends),
        "{:?} of {ends:?}",
        committed(&stage, &name, &topic)
    );
    assert_eq!(worker.terminate(), Some(143));
    assert_eq!(committed(&stage, &name, &topic), ends);
    let mut again = 0;
    for (partition, end) in &ends {
        let offsets = put(&stage, *partition);
        let distinct: BTreeSet<_> = offsets.iter().copied().collect();
        assert_eq!(distinct, (0..*end).collect(), "partition {partition}");
        again += offsets.len() - distinct.len();
    }
    check_order(&calls(&stage));
    println!(
        "{} records, {again} of them put again",
        ends.values().sum::<i64>()
    );
}

/// A partition belongs to one task at a time, and no task is asked for offsets that nobody has put.
fn check_order(calls: &[Call]) {
    let mut open = BTreeSet::new();
    let mut next = BTreeMap::new();
    for (name, places) in calls {
        for (partition, offset) in places {
            match name.as_str() {
                "open" => assert!(open.insert(partition), "partition {partition} was opened twice"),
                "close" => assert!(open.remove(partition), "partition {partition} was not open"),
                "record" => {
                    assert!(open.contains(partition), "{partition}@{offset} without open");
                    let next = next.entry(partition).or_insert(0);
                    assert!(offset <= next, "{partition}@{offset} leaves a gap after {next}");
                    *next = (*next).max(offset + 1);
                }
                "commit" => {
                    let put = next.get(partition).copied().unwrap_or(0);
                    assert!(*offset <= put, "{partition}@{offset} is offered, {put} were put");
                }
                _ => {}
            }
        }
    }
    assert!(open.is_empty(), "{open:?} were not closed");
}
