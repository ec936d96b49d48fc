//! `wharf dlq replay`: nothing is lost however a run ends, what comes back is known, and a connector alone can have it.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{Seen, Worker};
use wharf_test_services::process::signal;

use crate::dead_letters::{dlq, letter};
use crate::group::{Group, Looked, eventually};
use crate::mixed::{Mixed, ask, create, path, terminate};

/// Starts a replay that is not waited for.
fn spawn(group: &Group, topic: &str, more: &[&str]) -> Child {
    let line = [&["dlq", "replay", "--topic", topic], more].concat();
    let mut command = group.command(&line, &[]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

fn ended(child: Child) -> Looked {
    child.wait_with_output().unwrap().into()
}

fn header<'r>(record: &'r Seen, name: &str) -> Option<&'r str> {
    let (_, value) = record.headers.iter().find(|(key, _)| key == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

/// How often each value is there.
fn tally(records: &[Seen]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record.text()).or_default() += 1;
    }
    counts
}

/// The topics of a test of replays.
struct Topics {
    /// Of dead letters.
    queue: String,
    /// Where they failed.
    original: String,
}

/// A topic with so many letters of a connector, and an empty one, where they failed.
fn letters_of(group: &Group, connector: &str, count: i64) -> Topics {
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let topics = Topics {
        queue: stage.named("dlq"),
        original: stage.named("original"),
    };
    kafka.create_topic(&topics.queue, 1, &[]);
    kafka.create_topic(&topics.original, 1, &[]);
    let letters = (0..count).map(|number| letter(connector, &topics.original, number, "TASK_PUT", "down"));
    kafka.write_records(&topics.queue, letters);
    topics
}

#[test]
fn a_replay_that_is_stopped_or_killed_goes_on_where_it_was_and_no_record_is_missing() {
    const LETTERS: i64 = 1_500;
    let Some(group) = Group::set_up("dlq-killed") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let (topic, original) = (stage.named("dlq"), stage.named("original"));
    kafka.create_topic(&topic, 2, &[]);
    kafka.create_topic(&original, 3, &[]);
    kafka.write_records(
        &topic,
        (0..LETTERS).map(|number| letter("a", &original, number, "TASK_PUT", "down")),
    );
    // A letter of another connector is none of this replay's.
    kafka.write_records(&topic, [letter("b", &original, LETTERS, "TASK_PUT", "down")]);
    let line = [
        "--to",
        "original",
        "--connector",
        "a",
        "--since",
        "30000d",
        "--yes",
    ];
    let slow = [&line[..], &["--rate", "200/s"]].concat();

    let stopped = spawn(&group, &topic, &slow);
    eventually("some letters are sent", || kafka.count(&original) > 100);
    signal(stopped.id(), "INT").unwrap();
    let stopped = ended(stopped);
    assert_eq!(stopped.code, 130, "{} {}", stopped.stdout, stopped.stderr);
    assert!(
        stopped.stdout.contains("goes on where this one was"),
        "{}",
        stopped.stdout
    );
    let after_stop = kafka.count(&original);
    assert!(after_stop < LETTERS / 2, "{after_stop}: the rate was not kept to");

    let mut killed = spawn(&group, &topic, &slow);
    eventually("more letters are sent", || {
        kafka.count(&original) > after_stop + 300
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let after_kill = kafka.count(&original);

    // It does not go beyond what there was when it began.
    kafka.write_records(&topic, [letter("a", &original, LETTERS + 1, "TASK_PUT", "later")]);
    let last = dlq(&group, &["replay", "--json"], &topic, &line);
    assert_eq!(last.code, 0, "{} {}", last.stdout, last.stderr);
    let last = last.json();
    assert_eq!(last["plan"]["resumes"], true);
    let sent = last["outcome"]["sent"].as_i64().unwrap();
    assert!(
        sent < LETTERS - after_stop,
        "{last}: what was sent before the kill is known"
    );
    let records = kafka.reader(&original).read_to_end();
    let counts = tally(&records);
    assert_eq!(
        counts.len() as i64,
        LETTERS,
        "a record is missing, or one too many is there"
    );
    let repeats = records.len() as i64 - LETTERS;
    assert_eq!(repeats, after_kill + sent - LETTERS);
    assert!(
        repeats <= 400,
        "{repeats} repeats, though progress is written every second and 200 are sent in one"
    );

    let record = records.iter().find(|record| record.text() == "v7").unwrap();
    assert_eq!(record.key.as_deref(), Some(&b"k7"[..]));
    assert_eq!(record.timestamp.millis(), Some(1_700_000_000_000 + 7 * 3_600_000));
    assert_eq!(header(record, "mine"), Some("x"));
    assert_eq!(header(record, "__wharf.replay.count"), Some("1"));
    assert_eq!(header(record, "__wharf.replay.topic"), Some(original.as_str()));
    assert_eq!(header(record, "__wharf.replay.offset"), Some("7"));
    assert!(
        !record
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("__connect.errors.")),
        "{:?}",
        record.headers
    );

    // The same command takes what came later, and then there is nothing left.
    for (sent, records) in [(1, records.len() + 1), (0, records.len() + 1)] {
        let more = dlq(&group, &["replay", "--json"], &topic, &line).json();
        assert_eq!(more["outcome"]["sent"], sent, "{more}");
        assert_eq!(kafka.count(&original) as usize, records);
    }
}

#[test]
fn of_two_runs_of_one_replay_the_older_one_ends() {
    let Some(group) = Group::set_up("dlq-two") else {
        return;
    };
    let kafka = group.stage.kafka();
    let Topics { queue, original } = letters_of(&group, "a", 60);
    let line = ["--to", "original", "--yes"];
    let older = spawn(&group, &queue, &[&line[..], &["--rate", "4"]].concat());
    eventually("the older one has begun", || kafka.count(&original) > 4);
    let newer = dlq(&group, &["replay"], &queue, &line);
    assert_eq!(newer.code, 0, "{} {}", newer.stdout, newer.stderr);
    let older = ended(older);
    assert_eq!(older.code, 1, "{} {}", older.stdout, older.stderr);
    assert!(older.stderr.contains("another run"), "{}", older.stderr);
    assert_eq!(tally(&kafka.reader(&original).read_to_end()).len(), 60);
    let after = dlq(&group, &["replay", "--json"], &queue, &line).json();
    assert_eq!(
        after["outcome"]["sent"], 0,
        "the older one has not moved the progress back: {after}"
    );
}

fn sink(file: &str, topic: &str, dlq: &str) -> Value {
    json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "tasks.max": "2",
        "file": file,
        "topics": topic,
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        "transforms": "where",
        "transforms.where.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.where.topic.field": "t",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": dlq,
        "errors.deadletterqueue.topic.replication.factor": "1",
        "errors.deadletterqueue.context.headers.enable": "true",
    })
}

/// The lines of a file, each a map as Java writes it, whose entries are in no order.
fn maps(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8(file.to_vec()).unwrap();
    let sorted = |line: &str| {
        let mut entries: Vec<&str> = line.trim_matches(['{', '}']).split(", ").collect();
        entries.sort_unstable();
        entries.join(", ")
    };
    text.lines().map(sorted).collect()
}

/// A record that a connector's transform refuses goes to the connector alone, again and again until the cause is mended; the
/// connector sees it under its own topic.
fn goes_through_the_connector(group: &Group, worker: &Worker) {
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let (name, topic, queue) = (stage.named("sink"), stage.named("orders"), stage.named("dlq"));
    let stand_in = format!("wharf-replay.{name}");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce(&topic, [(None, &br#"{"a":1}"#[..]), (None, &br#""text""#[..])]);
    create(worker, &name, sink(&stage.file("out.txt"), &topic, &queue));
    let good = format!("a=1, t={topic}");
    eventually("a record is there", || !stage.read("out.txt").is_empty());
    assert_eq!(maps(&stage.read("out.txt")).join(";"), good);
    eventually("the other one is a dead letter", || {
        kafka.partitions(&queue).is_some() && kafka.count(&queue) == 1
    });
    let overview = dlq(group, &["list", "--json"], &queue, &[]).json();
    let found = &overview["groups"][0];
    assert_eq!(
        (&found["connector"], &found["stage"]),
        (&json!(name), &json!("TRANSFORMATION"))
    );

    let url = format!("http://{}", worker.address());
    let line = ["--through-connector", &name, "--url", &url, "--yes"];
    let replay = || dlq(group, &["replay", "--json"], &queue, &line);
    let gone = || {
        assert_eq!(worker.request("GET", &path(&stand_in, ""), None).status, 404);
        eventually("its topic is deleted", || {
            kafka.partitions(&format!("{stand_in}.{topic}")).is_none()
        });
    };
    let first = replay();
    assert_eq!(first.code, 1, "{} {}", first.stdout, first.stderr);
    let first = first.json();
    assert_eq!(first["outcome"]["sent"], 1, "{first}");
    assert_eq!(
        first["through_connector"],
        json!({"is_complete": true, "came_back": 1})
    );
    gone();

    let back = dlq(group, &["list", "--json", "--again"], &queue, &["--records"]).json();
    let record = &back["records"][0];
    assert_eq!(record["connector"], json!(name));
    assert_eq!(
        record["from"],
        json!(format!("{topic} 0:1")),
        "the place where it is in truth"
    );
    assert_eq!(record["replays"], 1);

    let mut mended = sink(&stage.file("out.txt"), &topic, &queue);
    mended["transforms"] = json!("wrap,where");
    mended["transforms.wrap.type"] = json!("org.apache.kafka.connect.transforms.HoistField$Value");
    mended["transforms.wrap.field"] = json!("v");
    ask(worker, "PUT", &path(&name, "/config"), Some(&mended), 200);
    // A run that is killed while the connector works leaves everything to the next one.
    let mut killed = spawn(group, &queue, &line);
    let replayed = format!("{stand_in}.{topic}");
    eventually("the letter is sent to the connector", || {
        kafka.count(&replayed) > 0
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let second = replay();
    assert_eq!(second.code, 0, "{} {}", second.stdout, second.stderr);
    let second = second.json();
    assert_eq!(
        second["through_connector"],
        json!({"is_complete": true, "came_back": 0})
    );
    let lines = maps(&stage.read("out.txt"));
    let wrapped = format!("t={topic}, v=text");
    assert_eq!(lines[..2], [good, wrapped.clone()]);
    assert!(
        lines.len() < 4 && lines[2..].iter().all(|line| *line == wrapped),
        "{lines:?}"
    );
    gone();
    assert_eq!(kafka.count(&topic), 2, "nobody else sees it");
}

#[test]
fn letters_of_a_jvm_workers_connector_go_through_it_alone() {
    let Some(mixed) = Mixed::set_up("dlq-through-jvm") else {
        return;
    };
    let worker = mixed.start_jvm("jvm");
    goes_through_the_connector(&mixed.group, &worker);
    terminate([worker]);
}

#[test]
fn letters_of_a_native_workers_connector_go_through_it_alone() {
    let Some(group) = Group::set_up("dlq-through") else {
        return;
    };
    let worker = group.start("one");
    goes_through_the_connector(&group, &worker);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_connector_that_names_what_it_writes_by_offsets_is_refused() {
    let Some(group) = Group::set_up("dlq-through-harm") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let (topic, queue) = (stage.named("orders"), stage.named("dlq"));
    kafka.create_topic(&queue, 1, &[]);
    kafka.create_topic(&topic, 1, &[]);
    let name = stage.named("sink");
    kafka.write_records(&queue, [letter(&name, &topic, 0, "TASK_PUT", "down")]);
    let worker = group.start("one");
    let mut config = crate::group::file_sink(&stage.file("out.txt"), &topic);
    config["pk.mode"] = json!("kafka");
    worker.create(&name, config);
    let url = format!("http://{}", worker.address());
    for (connector, part) in [(name.as_str(), "pk.mode=kafka"), ("nobody", "404")] {
        let line = ["--through-connector", connector, "--url", &url, "--yes"];
        let said = dlq(&group, &["replay"], &queue, &line);
        assert_eq!(said.code, 2, "{} {}", said.stdout, said.stderr);
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    assert_eq!(worker.get("/connectors"), json!([name]));
}

#[test]
fn a_replay_is_not_faster_than_it_is_told() {
    let Some(group) = Group::set_up("dlq-rate") else {
        return;
    };
    let kafka = group.stage.kafka();
    let Topics { queue, original } = letters_of(&group, "a", 101);
    let line = ["--to", "original", "--yes", "--connector", "a", "--rate", "20/s"];
    let begun = Instant::now();
    let said = dlq(&group, &["replay", "--json"], &queue, &line);
    let took = begun.elapsed();
    assert_eq!(said.code, 0, "{} {}", said.stdout, said.stderr);
    assert_eq!(said.json()["outcome"]["sent"], 101);
    assert_eq!(kafka.count(&original), 101);
    assert!(
        took >= Duration::from_secs(5),
        "100 pauses of 50 ms took {took:?}"
    );
}

#[test]
fn a_replay_through_a_connector_keeps_to_its_rate_and_goes_on_after_a_stop() {
    const LETTERS: i64 = 101;
    let Some(group) = Group::set_up("dlq-through-rate") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let name = stage.named("sink");
    let Topics { queue, original } = letters_of(&group, &name, LETTERS);
    let worker = group.start("one");
    worker.create(&name, crate::group::file_sink(&stage.file("out.txt"), &original));
    let url = format!("http://{}", worker.address());
    let line = ["--through-connector", &name, "--url", &url, "--yes"];
    let slow = [&line[..], &["--rate", "20/s"]].concat();
    let lines = || String::from_utf8(stage.read("out.txt")).unwrap();

    let begun = Instant::now();
    let stopped = spawn(&group, &queue, &slow);
    eventually("the connector has some", || lines().lines().count() > 20);
    signal(stopped.id(), "INT").unwrap();
    let stopped = ended(stopped);
    assert_eq!(stopped.code, 130, "{} {}", stopped.stdout, stopped.stderr);
    let replayed = format!("wharf-replay.{name}.{original}");
    let sent = kafka.count(&replayed);
    let least = Duration::from_millis(50) * u32::try_from(sent - 1).unwrap();
    assert!(
        begun.elapsed() >= least,
        "{sent} letters in {:?}",
        begun.elapsed()
    );
    // What was sent is the connector's, though nobody waits for it.
    eventually("it has all that was sent", || {
        i64::try_from(lines().lines().count()) == Ok(sent)
    });

    let begun = Instant::now();
    let last = dlq(&group, &["replay", "--json"], &queue, &slow);
    let took = begun.elapsed();
    assert_eq!(last.code, 0, "{} {}", last.stdout, last.stderr);
    let last = last.json();
    assert_eq!(last["plan"]["resumes"], true, "{last}");
    assert_eq!(last["outcome"]["sent"], LETTERS - sent, "{last}");
    assert_eq!(
        last["through_connector"],
        json!({"is_complete": true, "came_back": 0})
    );
    let least = Duration::from_millis(50) * u32::try_from(LETTERS - sent - 1).unwrap();
    assert!(took >= least, "{} letters in {took:?}", LETTERS - sent);
    let expected: String = (0..LETTERS).map(|number| format!("v{number}\n")).collect();
    assert_eq!(lines(), expected, "in their order, each once");
    assert_eq!(kafka.count(&original), 0, "nobody else sees it");
    assert_eq!(worker.get("/connectors"), json!([name]));
    eventually("its topic is deleted", || kafka.partitions(&replayed).is_none());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_bytes_that_kafka_refused_of_a_source_are_sent_as_they_were() {
    let Some(group) = Group::set_up("dlq-bytes") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let (topic, queue, repair) = (stage.named("t"), stage.named("dlq"), stage.named("repair"));
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "1000")]);
    kafka.create_topic(&queue, 1, &[]);
    kafka.create_topic(&repair, 1, &[]);
    let long = "é".repeat(1_000);
    stage.write("in.txt", format!("one\nrefuse\n{long}\ntwo\n"));
    let mut config = crate::group::file_source(&stage.file("in.txt"), &topic);
    let more = json!({
        "transforms": "upper,mark",
        "transforms.upper.type": "wharf.test.UppercaseValue",
        "transforms.mark.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.mark.header": "mark",
        "transforms.mark.value.literal": "m",
        "errors.tolerance": "all",
        "wharf.errors.deadletterqueue.topic.name": queue,
        // Each record is a request of its own, so that one that is too large is refused alone.
        "producer.override.batch.size": "1",
        "producer.override.linger.ms": "0",
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let worker = group.start("one");
    let name = stage.named("source");
    worker.create(&name, config);
    eventually("both are dead letters", || kafka.count(&queue) == 2);
    assert_eq!(worker.terminate(), Some(143));

    let list = dlq(&group, &["list", "--json"], &queue, &[]).json();
    let stages: Vec<_> = list["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["stage"])
        .collect();
    assert!(
        stages.contains(&&json!("KAFKA_PRODUCE")) && stages.contains(&&json!("TRANSFORMATION")),
        "{list}"
    );
    // Its own topic refuses it still; nothing is noted as done that was not.
    let refused = ["--to", "original", "--yes", "--stage", "KAFKA_PRODUCE"];
    for _ in 0..2 {
        let said = dlq(&group, &["replay"], &queue, &refused);
        assert_eq!(said.code, 1, "{} {}", said.stdout, said.stderr);
        assert!(said.stderr.contains("too large"), "{}", said.stderr);
    }
    let line = ["--to", repair.as_str(), "--yes", "--stage", "kafka_produce"];
    let said = dlq(&group, &["replay", "--json"], &queue, &line);
    assert_eq!(said.code, 0, "{} {}", said.stdout, said.stderr);
    assert_eq!(said.json()["outcome"]["sent"], 1);
    let records = kafka.reader(&repair).read_to_end();
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!((&record.key, record.text()), (&None, long.to_uppercase()));
    assert_eq!(header(record, "mark"), Some("m"));
    assert_eq!(header(record, "__wharf.replay.topic"), Some(topic.as_str()));
    let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("__connect.errors.")),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.starts_with("__wharf.errors.")),
        "{names:?}"
    );
    assert_eq!(kafka.count(&topic), 2, "what was refused was not written");
}
