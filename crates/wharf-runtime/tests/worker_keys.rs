//! Our worker keys beside those of Kafka Connect: what `cargo xtask oracle` recorded of its definitions. Every key is there, and is the
//! same but for what is listed here with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use wharf_runtime::config::WorkerMode;

const SOONER: &str = "members learn of a rebalance by it, and work moves sooner";
const NOT_HANDED_ON: &str =
    "it is Java's name for something; a client that is given none has a default of its own";
const STRICTER: &str =
    "a value that cannot work is refused at the start, where upstream finds out later or never";
const KNOWN_HERE: &str = "there is no JVM to ask for algorithms, so those that are known are named";
const SAID_BY_READER: &str = "the reader of the value says what is wrong with it, not the definition";

/// Key, what of it is another, and why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("heartbeat.interval.ms", "default", SOONER),
    (
        "scheduled.rebalance.max.delay.ms",
        "default",
        "the work of a dead worker starts elsewhere as soon as the group knows",
    ),
    ("ssl.cipher.suites", "default", NOT_HANDED_ON),
    ("ssl.enabled.protocols", "default", NOT_HANDED_ON),
    ("ssl.endpoint.identification.algorithm", "default", NOT_HANDED_ON),
    ("ssl.keymanager.algorithm", "default", NOT_HANDED_ON),
    ("ssl.keystore.type", "default", NOT_HANDED_ON),
    ("ssl.protocol", "default", NOT_HANDED_ON),
    ("ssl.trustmanager.algorithm", "default", NOT_HANDED_ON),
    ("ssl.truststore.type", "default", NOT_HANDED_ON),
    ("config.storage.topic", "validator", STRICTER),
    ("group.id", "validator", STRICTER),
    ("heartbeat.interval.ms", "validator", STRICTER),
    ("offset.flush.interval.ms", "validator", STRICTER),
    ("offset.flush.timeout.ms", "validator", STRICTER),
    ("offset.storage.file.filename", "validator", STRICTER),
    ("offset.storage.topic", "validator", STRICTER),
    ("rebalance.timeout.ms", "validator", STRICTER),
    ("rest.advertised.port", "validator", STRICTER),
    ("session.timeout.ms", "validator", STRICTER),
    ("status.storage.topic", "validator", STRICTER),
    ("task.shutdown.graceful.timeout.ms", "validator", STRICTER),
    ("worker.sync.timeout.ms", "validator", STRICTER),
    ("worker.unsync.backoff.ms", "validator", STRICTER),
    ("inter.worker.key.generation.algorithm", "validator", KNOWN_HERE),
    ("inter.worker.signature.algorithm", "validator", KNOWN_HERE),
    ("inter.worker.verification.algorithms", "validator", KNOWN_HERE),
    ("listeners", "validator", SAID_BY_READER),
];

/// Keys that upstream's policies for overrides define for themselves. Beside these, what upstream lacks starts with `wharf.`.
const OF_POLICIES: &[&str] = &["connector.client.config.override.allowlist"];

/// What is said of a key, by the names of the recorded file.
type Facts = BTreeMap<&'static str, Option<String>>;

const FACTS: [&str; 5] = ["type", "required", "default", "importance", "validator"];

/// The keys of a mode as Kafka Connect defines them.
fn upstream(mode: WorkerMode) -> BTreeMap<String, Facts> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/worker-keys/kafka-4.3.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let facts = |line: &Value| {
        let text = |what: &str| match &line[what] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        FACTS.map(|what| (what, text(what))).into()
    };
    lines
        .filter(|line| line["mode"] == mode.to_string())
        .map(|line| (line["key"].as_str().unwrap().to_owned(), facts(&line)))
        .collect()
}

fn ours(mode: WorkerMode) -> BTreeMap<String, Facts> {
    let facts = |entry: wharf_runtime::config::WorkerKey| {
        let info = entry.key.info();
        let facts = [
            ("type", Some(info.value_type.to_string())),
            ("required", Some(info.default.is_required().to_string())),
            ("default", info.default_text()),
            ("importance", Some(info.importance.name().to_owned())),
            ("validator", info.validator.clone()),
        ];
        (info.name.clone(), facts.into())
    };
    mode.keys().into_iter().map(facts).collect()
}

/// A rule without words is none, and the order of choices says nothing.
fn meaning(validator: Option<&String>) -> Option<(&str, BTreeSet<&str>)> {
    let text = validator.filter(|text| !text.is_empty())?;
    let (kind, choices) = text.split_once('[').unwrap_or((text, ""));
    Some((kind, choices.trim_end_matches(']').split(", ").collect()))
}

fn is_same(what: &str, upstream: &Facts, ours: &Facts) -> bool {
    match what {
        "validator" => meaning(upstream[what].as_ref()) == meaning(ours[what].as_ref()),
        _ => upstream[what] == ours[what],
    }
}

#[test]
fn every_key_of_upstream_is_there_and_the_same_but_for_what_is_listed() {
    let declared: BTreeSet<(&str, &str)> = DIFFERENCES.iter().map(|(key, what, _)| (*key, *what)).collect();
    assert_eq!(declared.len(), DIFFERENCES.len(), "each is listed once");
    let mut found = BTreeSet::new();
    for mode in WorkerMode::ALL {
        let (upstream, ours) = (upstream(mode), ours(mode));
        assert!(
            upstream.len() > 50,
            "{mode}: {} keys were recorded",
            upstream.len()
        );
        for (key, theirs) in upstream {
            let own = ours
                .get(&key)
                .unwrap_or_else(|| panic!("{mode}: {key} is not there"));
            for what in FACTS.into_iter().filter(|what| !is_same(what, &theirs, own)) {
                assert!(
                    declared.contains(&(key.as_str(), what)),
                    "{mode}: the {what} of {key} is {:?}, upstream's {:?}",
                    own[what],
                    theirs[what]
                );
                found.insert((key.clone(), what));
            }
        }
    }
    let is_gone = |(key, what): &&(&str, &str)| !found.contains(&((*key).to_owned(), *what));
    let gone: Vec<_> = declared.iter().filter(is_gone).collect();
    assert!(gone.is_empty(), "these are no longer different: {gone:?}");
}

#[test]
fn keys_that_upstream_lacks_say_by_their_names_whose_they_are() {
    for mode in WorkerMode::ALL {
        let upstream = upstream(mode);
        for key in ours(mode).into_keys().filter(|key| !upstream.contains_key(key)) {
            assert!(
                key.starts_with("wharf.") || OF_POLICIES.contains(&key.as_str()),
                "{mode}: {key}"
            );
        }
    }
}
