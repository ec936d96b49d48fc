//! Whatever stands in the internal topics, reading it neither panics nor breaks what must hold of the states.
//!
//! Inputs are made from a seed: random bytes, and recorded records with a few bytes changed, which come much further. A
//! failure names its seed.

use std::fs;
use std::path::Path;

use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot, ConfigState};
use wharf_cluster::fencing::Fencing;
use wharf_cluster::java_json::Json;
use wharf_cluster::restart::{RestartPlan, RestartRequest};
use wharf_cluster::status_state::{StatusState, stale_statuses};
use wharf_test_services::Random;

const ROUNDS: u64 = 300;
const RECORDS: i64 = 60;

fn any_bytes(random: &mut Random) -> Vec<u8> {
    let length = random.below(40);
    (0..length).map(|_| random.bits() as u8).collect()
}

/// Changes, removes, doubles or inserts a few bytes; often none.
fn damaged(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    const INTERESTING: &[u8] = b"{}[]\",:\\-0919ntfu.eE \xff\x00";
    let mut bytes = bytes.to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, INTERESTING[random.below(INTERESTING.len())]),
            2 if !bytes.is_empty() => bytes[at] = INTERESTING[random.below(INTERESTING.len())],
            _ if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}

type KeyAndValue = (Vec<u8>, Option<Vec<u8>>);

fn recorded() -> Vec<KeyAndValue> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/topics");
    ["config-topic.jsonl", "status-topic.jsonl"]
        .iter()
        .flat_map(|name| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect::<Vec<serde_json::Value>>()
        })
        .map(|line| {
            let bytes = |field: &str| line[field].as_str().map(|text| text.as_bytes().to_vec());
            (bytes("key").unwrap(), bytes("value"))
        })
        .collect()
}

fn some_record(random: &mut Random, recorded: &[KeyAndValue]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (key, value) = &recorded[random.below(recorded.len())];
    match random.below(8) {
        0 => (Some(any_bytes(random)), Some(any_bytes(random))),
        1 => (Some(key.clone()), Some(any_bytes(random))),
        2 => (None, value.clone()),
        3 => (Some(damaged(random, key)), value.clone()),
        4 => (Some(key.clone()), None),
        _ => (
            Some(key.clone()),
            value.as_ref().map(|value| damaged(random, value)),
        ),
    }
}

fn check(snapshot: &ConfigSnapshot, seed: u64) {
    for name in snapshot.connectors() {
        let state = snapshot.connector(name).unwrap();
        assert!(
            state.target_state.is_some(),
            "seed {seed}: {name} has no target state"
        );
        let tasks = snapshot.tasks(name);
        assert!(tasks.is_empty() || !state.inconsistent, "seed {seed}: {name}");
        for id in tasks {
            assert!(
                snapshot.task_config(&id).is_some(),
                "seed {seed}: {id} has no configuration"
            );
        }
    }
}

#[test]
fn no_records_break_the_config_state() {
    let recorded = recorded();
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let (mut early, mut late) = (ConfigState::new(), ConfigState::new());
        late.initial_read_complete();
        for offset in 0..RECORDS {
            let (key, value) = some_record(&mut random, &recorded);
            let before = late.offset();
            let quiet = early.apply(offset, key.as_deref(), value.as_deref());
            let events = late.apply(offset, key.as_deref(), value.as_deref());
            assert!(
                quiet.iter().all(|event| matches!(event, ConfigEvent::Ignored(_))),
                "seed {seed}: {quiet:?}"
            );
            // The config offset moves exactly when the value can be decoded.
            let is_decoded = value.as_deref().is_none_or(|value| Json::parse(value).is_ok());
            let expected = if is_decoded { offset + 1 } else { before };
            assert_eq!(late.offset(), expected, "seed {seed} offset {offset}");
            for event in events {
                if let ConfigEvent::Ignored(ignored) = event {
                    assert!(!ignored.to_string().is_empty());
                }
            }
        }
        // When a reader began to report does not change what it knows.
        assert_eq!(early.snapshot(), late.snapshot(), "seed {seed}");
        let snapshot = late.snapshot();
        check(&snapshot, seed);
        for name in snapshot.connectors() {
            let is_pending = snapshot.connector(name).unwrap().pending_fencing;
            let decision = Fencing::decide(&snapshot, name);
            assert_eq!(decision != Fencing::NotNeeded, is_pending, "seed {seed}: {name}");
        }
    }
}

#[test]
fn no_records_break_the_status_state() {
    let recorded = recorded();
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let mut statuses = StatusState::new();
        for _ in 0..RECORDS {
            let (key, value) = some_record(&mut random, &recorded);
            if let Err(reason) = statuses.apply(key.as_deref(), value.as_deref()) {
                assert!(!reason.to_string().is_empty());
            }
        }
        for name in statuses.connectors() {
            let request = RestartRequest {
                connector: name.to_owned(),
                only_failed: random.below(2) == 0,
                include_tasks: random.below(2) == 0,
            };
            let plan = RestartPlan::build(request, &statuses);
            assert_eq!(plan.is_some(), statuses.connector(name).is_some(), "seed {seed}");
        }
        let without_configs = stale_statuses(&statuses, &ConfigState::new().snapshot());
        let tombstones = without_configs
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        for key in tombstones {
            statuses.apply(Some(key.as_bytes()), None).unwrap();
        }
        assert_eq!(
            statuses.connectors().count(),
            0,
            "seed {seed}: tombstones leave nothing"
        );
    }
}

#[test]
fn no_bytes_break_the_json_reader_and_it_accepts_what_serde_json_accepts() {
    let recorded = recorded();
    let mut accepted = 0;
    for seed in 0..20 * ROUNDS {
        let mut random = Random::new(seed);
        let (_, value) = &recorded[random.below(recorded.len())];
        let bytes = match value {
            Some(value) if random.below(3) > 0 => damaged(&mut random, value),
            _ => any_bytes(&mut random),
        };
        let ours = Json::parse(&bytes);
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
            accepted += 1;
            assert!(ours.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
    assert!(accepted > 100, "only {accepted} texts were JSON");
}
