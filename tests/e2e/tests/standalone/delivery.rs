//! Nothing is lost, whatever dies: workers are killed with SIGKILL and brokers taken away while data flows. Duplicates
//! are allowed and counted.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use wharf_e2e::{PATIENCE, Stage, TopicReader, has_state, properties};
use wharf_test_services::KafkaBroker;
use wharf_test_services::process::wait_until;

/// Length of a line with its end.
const WIDTH: u64 = 64;
const KILLS: usize = 10;

/// Numbered, all of the same length, so that a position in the file tells how many lines are before it.
fn line(number: u64) -> String {
    format!("#{number:09};{:.<52}\n", "")
}

/// The numbers within any text that holds such lines, torn ones left out.
fn numbers(text: &[u8]) -> Vec<u64> {
    text.split(|byte| *byte == b'#')
        .skip(1)
        .filter_map(|part| {
            let (number, rest) = part.split_at_checked(9)?;
            if rest.first() != Some(&b';') {
                return None;
            }
            std::str::from_utf8(number).ok()?.parse().ok()
        })
        .collect()
}

/// Appends lines to a file from a thread of its own, some cut in the middle for a while.
struct Writer {
    stop: Arc<AtomicBool>,
    lines: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    fn start(path: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let lines = Arc::new(AtomicU64::new(0));
        let (stopping, written) = (Arc::clone(&stop), Arc::clone(&lines));
        let thread = std::thread::spawn(move || {
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            let mut next = 0;
            while !stopping.load(Ordering::Relaxed) {
                let chunk: String = (next..next + 20).map(line).collect();
                next += 20;
                let (head, tail) = chunk.split_at(chunk.len() - 30);
                file.write_all(head.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(2));
                file.write_all(tail.as_bytes()).unwrap();
                written.store(next, Ordering::Release);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        Self {
            stop,
            lines,
            thread: Some(thread),
        }
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Acquire)
    }

    /// How many lines there are in the end.
    fn finish(mut self) -> u64 {
        self.end();
        self.lines()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A moment of the next `limit` that nobody can foresee.
fn some_time(limit: Duration) -> Duration {
    let millis = u64::try_from(limit.as_millis()).unwrap();
    Duration::from_millis(RandomState::new().hash_one(Instant::now()) % millis)
}

/// What a reader of the topic has found so far.
#[derive(Default)]
struct InTopic {
    by_offset: Vec<u64>,
    all: BTreeSet<u64>,
}

impl InTopic {
    fn update(&mut self, reader: &mut TopicReader) {
        for record in reader.read_to_end() {
            let found = numbers(record.value.as_deref().unwrap());
            assert_eq!(found.len(), 1, "a record is one whole line: {}", record.text());
            self.by_offset.push(found[0]);
            self.all.insert(found[0]);
        }
    }

    /// How many lines from the first on are there without a gap.
    fn unbroken(&self) -> u64 {
        (0..).find(|number| !self.all.contains(number)).unwrap()
    }
}

/// The source position in an offset file; the only thing of its content that is needed here.
fn stored_position(offsets: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(offsets);
    text.split("\"position\":").nth(1).map_or(0, |rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap()
    })
}

struct Flow {
    stage: Stage,
    topic: String,
    sink: String,
    files: Vec<PathBuf>,
}

impl Flow {
    /// A file source and a file sink that meet in a topic of one partition.
    fn new(stage: Stage) -> Self {
        let (topic, source, sink) = (stage.named("lines"), stage.named("source"), stage.named("sink"));
        stage.kafka().create_topic(&topic, 1, &[]);
        let source = properties(&[
            ("name", &source),
            ("connector.class", "FileStreamSource"),
            ("file", &stage.file("input")),
            ("topic", &topic),
            ("batch.size", "500"),
        ]);
        let sink_file = properties(&[
            ("name", &sink),
            ("connector.class", "FileStreamSink"),
            ("file", &stage.file("output")),
            ("topics", &topic),
        ]);
        let files = vec![
            stage.write("source.properties", source),
            stage.write("sink.properties", sink_file),
        ];
        Self {
            stage,
            topic,
            sink,
            files,
        }
    }

    /// Commits often, so that the moments between put, acknowledgement and commit are hit.
    fn start(&self) -> wharf_e2e::Worker {
        self.stage
            .start(&[("offset.flush.interval.ms", "50")], &self.files)
    }

    fn committed(&self) -> i64 {
        let group = format!("connect-{}", self.sink);
        let committed = self.stage.kafka().committed(&group);
        committed.get(&(self.topic.clone(), 0)).copied().unwrap_or(0)
    }

    fn output(&self) -> BTreeSet<u64> {
        numbers(&self.stage.read("output")).into_iter().collect()
    }

    fn output_size(&self) -> u64 {
        std::fs::metadata(self.stage.path("output")).map_or(0, |file| file.len())
    }
}

#[test]
fn no_line_is_lost_when_the_worker_is_killed_again_and_again() {
    let Some(stage) = Stage::set_up("kills") else {
        return;
    };
    let flow = Flow::new(stage);
    let kafka = flow.stage.kafka();
    let mut reader = kafka.reader(&flow.topic);
    let mut in_topic = InTopic::default();
    let writer = Writer::start(flow.stage.path("input"));
    let mut duplicates_possible = 0;
    for kill in 0..KILLS {
        let (records, size) = (kafka.count(&flow.topic), flow.output_size());
        let worker = flow.start();
        let flows = wait_until(PATIENCE, || {
            kafka.count(&flow.topic) > records && flow.output_size() > size
        });
        assert!(flows, "no data flows after kill {kill}");
        std::thread::sleep(some_time(Duration::from_millis(500)));
        worker.kill();

        in_topic.update(&mut reader);
        let position = stored_position(&flow.stage.read("offsets"));
        let safe = in_topic.unbroken() * WIDTH;
        assert!(
            position <= safe,
            "after kill {kill} position {position} is stored, but only the first {safe} bytes are in the topic"
        );
        duplicates_possible += usize::from(position < safe);
        let committed = usize::try_from(flow.committed()).unwrap();
        let output = flow.output();
        let missing: Vec<_> = in_topic.by_offset[..committed]
            .iter()
            .filter(|number| !output.contains(number))
            .collect();
        assert!(
            missing.is_empty(),
            "after kill {kill} offset {committed} is committed, but lines {missing:?} are not in the file"
        );
    }
    let worker = flow.start();
    let lines = writer.finish();
    let all: BTreeSet<u64> = (0..lines).collect();
    let arrived = wait_until(PATIENCE, || {
        stored_position(&flow.stage.read("offsets")) == lines * WIDTH
            && flow.output_size() >= lines * WIDTH
            && flow.output() == all
    });
    in_topic.update(&mut reader);
    let output = numbers(&flow.stage.read("output"));
    println!(
        "{lines} lines, {KILLS} kills ({duplicates_possible} before the last acknowledged line was stored): \
         {} records in the topic, {} lines in the file",
        in_topic.by_offset.len(),
        output.len()
    );
    let lost = |found: &BTreeSet<u64>| all.difference(found).copied().take(20).collect::<Vec<_>>();
    assert_eq!(lost(&in_topic.all), [0_u64; 0], "missing in the topic");
    assert_eq!(lost(&flow.output()), [0_u64; 0], "missing in the file");
    assert!(
        arrived,
        "everything arrived but position {} is stored",
        stored_position(&flow.stage.read("offsets"))
    );
    assert_eq!(worker.terminate(), Some(143));
    // An orderly stop leaves nothing to be done again.
    assert_eq!(flow.committed(), kafka.count(&flow.topic));
}

#[test]
fn records_that_were_put_but_not_committed_are_put_again() {
    let Some(stage) = Stage::set_up("uncommitted") else {
        return;
    };
    let (topic, sink) = (stage.named("records"), stage.named("sink"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let lines: Vec<String> = (0..100).map(|number| format!("value-{number}")).collect();
    kafka.produce_lines(&topic, &lines);
    let config = properties(&[
        ("name", &sink),
        ("connector.class", "wharf.test.RecordingSink"),
        ("topics", &topic),
        ("record.file", &stage.file("calls")),
    ]);
    let files = [stage.write("sink.properties", config)];
    let never = [("offset.flush.interval.ms", "3600000")];
    let puts = |line: &str| {
        let calls = String::from_utf8(stage.read("calls")).unwrap();
        calls
            .lines()
            .filter(|call| call.starts_with("record ") && call.ends_with(line))
            .count()
    };
    let group = format!("connect-{sink}");

    let worker = stage.start(&never, &files);
    assert!(wait_until(PATIENCE, || puts("") == 100));
    worker.kill();
    assert!(kafka.committed(&group).is_empty());

    let worker = stage.start(&never, &files);
    assert!(wait_until(PATIENCE, || puts("") == 200));
    for line in &lines {
        assert_eq!(puts(&format!(" {line}")), 2, "{line}");
    }
    assert_eq!(worker.terminate(), Some(143));
    assert_eq!(kafka.committed(&group)[&(topic, 0)], 100);
    assert_eq!(puts(""), 200);
}

#[test]
fn nothing_is_lost_when_the_broker_dies_and_comes_back() {
    let Some(mut broker) = KafkaBroker::for_test() else {
        return;
    };
    let Some(stage) = Stage::on("broker", &broker.bootstrap()) else {
        return;
    };
    let flow = Flow::new(stage);
    let writer = Writer::start(flow.stage.path("input"));
    let worker = flow.start();
    assert!(wait_until(PATIENCE, || flow.output_size() > 200 * WIDTH));

    broker.kill().unwrap();
    let written = (writer.lines() + 20) * WIDTH;
    let names = [flow.sink.clone(), flow.stage.named("source")];
    let all_run = || {
        names
            .iter()
            .all(|name| has_state(&worker.get(&format!("/connectors/{name}/status")), "RUNNING"))
    };
    // Many flushes are due in this time; none may store what no broker can have acknowledged.
    let wrong = wait_until(Duration::from_secs(2), || {
        stored_position(&flow.stage.read("offsets")) > written || !all_run()
    });
    assert!(
        !wrong,
        "without a broker a position after {written} was stored, or a task gave up"
    );
    broker.restart().unwrap();

    let lines = writer.finish();
    let all: BTreeSet<u64> = (0..lines).collect();
    assert!(
        wait_until(PATIENCE, || flow.output_size() >= lines * WIDTH
            && flow.output() == all),
        "missing in the file: {:?}",
        all.difference(&flow.output()).take(20).collect::<Vec<_>>()
    );
    let mut in_topic = InTopic::default();
    in_topic.update(&mut flow.stage.kafka().reader(&flow.topic));
    assert_eq!(in_topic.unbroken(), lines);
    println!("{lines} lines: {} records in the topic", in_topic.by_offset.len());
    assert!(all_run());
    assert_eq!(worker.terminate(), Some(143));
    assert_eq!(stored_position(&flow.stage.read("offsets")), lines * WIDTH);
}

#[test]
fn each_acknowledged_record_is_told_to_its_task() {
    let Some(stage) = Stage::set_up("acked") else {
        return;
    };
    let topic = stage.named("blobs");
    stage.kafka().create_topic(&topic, 3, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    let name = stage.named("source");
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.CommittingSource", "topic": topic, "records": "500",
            "ack.file": stage.file("acks"), "tasks.max": "1"
        }),
    );
    worker.until(
        &format!("/connectors/{name}/offsets"),
        "the last offset is stored",
        |answer| answer["offsets"][0]["offset"]["number"] == 499,
    );
    let acks = String::from_utf8(stage.read("acks")).unwrap();
    assert_eq!(
        acks.lines().filter(|line| line.starts_with("acked ")).count(),
        500
    );
    assert!(wait_until(PATIENCE, || {
        String::from_utf8(stage.read("acks"))
            .unwrap()
            .lines()
            .any(|line| line == "commit")
    }));
    let mut in_topic: Vec<_> = stage
        .kafka()
        .reader(&topic)
        .read(500)
        .iter()
        .map(|record| record.text().split(' ').nth(1).unwrap().parse::<u32>().unwrap())
        .collect();
    in_topic.sort_unstable();
    assert_eq!(in_topic, (0..500).collect::<Vec<_>>());
}

#[test]
fn without_acknowledgements_records_count_as_delivered_when_they_are_sent() {
    let Some(stage) = Stage::set_up("unacked") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("blobs"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(
        &name,
        json!({
            "connector.class": "wharf.test.CommittingSource", "topic": topic, "records": "500",
            "ack.file": stage.file("acks"), "tasks.max": "1", "producer.override.acks": "0"
        }),
    );
    worker.until(
        &format!("/connectors/{name}/offsets"),
        "the last offset is stored",
        |answer| answer["offsets"][0]["offset"]["number"] == 499,
    );
    // No broker has said at which offset they are.
    let acks = String::from_utf8(stage.read("acks")).unwrap();
    let at = format!(" at {topic}-0@-1");
    assert_eq!(
        acks.lines().filter(|line| line.ends_with(&at)).count(),
        500,
        "{acks}"
    );
    assert_eq!(stage.kafka().reader(&topic).read(500).len(), 500);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    assert_eq!(worker.terminate(), Some(143));
    assert_eq!(stage.kafka().count(&topic), 500);
}

#[test]
fn a_consumer_that_commits_by_itself_does_not_wait_for_its_task() {
    let Some(stage) = Stage::set_up("auto-commit") else {
        return;
    };
    let topic = stage.named("records");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    let committed = |name: &str| {
        let offsets = kafka.committed(&format!("connect-{name}"));
        offsets.get(&(topic.clone(), 0)).copied()
    };
    // Both tasks say that nothing is safe.
    let names = ["true", "false"].map(|auto| {
        let name = stage.named(auto);
        worker.create(
            &name,
            json!({
                "connector.class": "wharf.test.RecordingSink", "topics": topic, "hold.offsets": "true",
                "record.file": stage.file(auto), "consumer.override.enable.auto.commit": auto,
                "consumer.override.auto.commit.interval.ms": "200"
            }),
        );
        name
    });
    let lines: Vec<String> = (0..100).map(|number| format!("value-{number}")).collect();
    kafka.produce_lines(&topic, &lines);
    assert!(
        wait_until(PATIENCE, || committed(&names[0]) == Some(100)),
        "{:?}",
        committed(&names[0])
    );
    let held = String::from_utf8_lossy(&stage.read("false")).into_owned();
    assert!(
        wait_until(PATIENCE, || stage.read("false").ends_with(b"@100\n")),
        "{held}"
    );
    assert_eq!(committed(&names[1]), None);
    // What was committed so is not put again.
    worker.call(
        "POST",
        &format!("/connectors/{}/restart?includeTasks=true", names[0]),
        None,
        202,
    );
    worker.until_states(&names[0], &["RUNNING", "RUNNING"]);
    kafka.produce_lines(&topic, &["the last".to_owned()]);
    let text = || String::from_utf8(stage.read("true")).unwrap();
    assert!(wait_until(PATIENCE, || text().contains("the last")));
    assert_eq!(
        text().lines().filter(|line| line.starts_with("record ")).count(),
        101
    );
    assert_eq!(worker.terminate(), Some(143));
}
