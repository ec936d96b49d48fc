//! What the classes of a JVM worker wrote, read and decided, against what is written, read and decided here.
//!
//! The recordings are made by `java/group/RecordGroup.java`; nothing of Java is needed to run the tests.

use std::path::Path;

use serde_json::Value;
use wharf_cluster::assignor::{
    Assignor, ConfiguredWork, IncrementalCooperativeAssignor, IncrementalRound, Round,
};
use wharf_cluster::ids::ConnectorTaskId;
use wharf_cluster::protocol::{Assignment, ConnectProtocol, ConnectorsAndTasks, WorkerState};
use wharf_test_services::{hex, unhex};

fn recording(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn int<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    T::try_from(value.as_i64().unwrap()).unwrap()
}

fn work(value: &Value) -> ConnectorsAndTasks {
    let task = |name: String| {
        // A task number may be below zero, after damage.
        let at = name
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches("--")
            .len();
        let at = if name[at..].starts_with("--") {
            at
        } else {
            name.rfind('-').unwrap()
        };
        ConnectorTaskId::new(&name[..at], name[at + 1..].parse().unwrap())
    };
    let mut seen = std::collections::HashSet::new();
    ConnectorsAndTasks {
        connectors: texts(&value["c"]),
        tasks: texts(&value["t"])
            .into_iter()
            .map(task)
            .filter(|id| seen.insert(id.clone()))
            .collect(),
    }
}

fn assignment(value: &Value) -> Assignment {
    Assignment {
        error: int(&value["error"]),
        leader: value["leader"].as_str().unwrap().to_owned(),
        leader_url: value["url"].as_str().unwrap().to_owned(),
        config_offset: int(&value["offset"]),
        assigned: work(&value["assigned"]),
        revoked: work(&value["revoked"]),
        delay: int(&value["delay"]),
    }
}

fn state(value: &Value) -> WorkerState {
    let allocation = &value["allocation"];
    WorkerState {
        url: value["url"].as_str().unwrap().to_owned(),
        config_offset: int(&value["offset"]),
        allocation: (!allocation.is_null()).then(|| assignment(allocation)),
        plugins: None,
    }
}

fn configured(offset: i64, value: &Value) -> ConfiguredWork {
    let connectors = value.as_object().unwrap().iter();
    ConfiguredWork {
        offset,
        connectors: connectors
            .map(|(name, tasks)| (name.clone(), int(tasks)))
            .collect(),
    }
}

#[test]
fn messages_are_the_bytes_that_a_jvm_worker_writes() {
    let (mut offers, mut assignments) = (0, 0);
    for line in recording("messages.jsonl") {
        if line["what"] == "offers" {
            offers += 1;
            let mode: ConnectProtocol = line["mode"].as_str().unwrap().parse().unwrap();
            let written: Vec<_> = state(&line["state"])
                .offers(mode)
                .unwrap()
                .iter()
                .map(|(protocol, bytes)| format!("{}:{}", protocol.name(), hex(bytes)))
                .collect();
            assert_eq!(written, texts(&line["offers"]), "{line}");
        } else if line["what"] == "assignment" {
            assignments += 1;
            let assignment = assignment(&line["assignment"]);
            let written: Vec<_> = ConnectProtocol::ALL
                .iter()
                .map(|protocol| hex(&assignment.encode(*protocol).unwrap()))
                .collect();
            assert_eq!(written, texts(&line["encoded"]), "{line}");
        }
    }
    assert!(offers >= 75 && assignments >= 25, "{offers} {assignments}");
}

#[test]
fn what_a_jvm_worker_reads_is_read_and_what_it_refuses_is_refused() {
    let (mut read, mut refused) = (0, 0);
    for line in recording("messages.jsonl") {
        let Some(bytes) = line["bytes"].as_str().map(unhex) else {
            continue;
        };
        let result = &line["result"];
        let expected = (!result.is_null()).then_some(result);
        *if expected.is_some() {
            &mut read
        } else {
            &mut refused
        } += 1;
        if line["what"] == "read state" {
            assert_eq!(WorkerState::decode(&bytes).ok(), expected.map(state), "{line}");
        } else {
            assert_eq!(
                Assignment::decode(&bytes).ok(),
                expected.map(assignment),
                "{line}"
            );
        }
    }
    assert!(read >= 100 && refused >= 100, "{read} {refused}");
}

#[test]
fn the_eager_leader_answers_with_the_bytes_of_a_jvm_leader() {
    let mut mismatches = 0;
    let rounds = recording("eager.jsonl");
    for line in &rounds {
        let members: Vec<_> = texts(&line["members"])
            .iter()
            .map(|member| {
                let (id, metadata) = member.split_once(' ').unwrap();
                (id.to_owned(), unhex(metadata))
            })
            .collect();
        let configured = configured(int(&line["offset"]), &line["config"]);
        let answer = Assignor::new(300_000)
            .assign(&Round {
                now: 0,
                protocol: ConnectProtocol::Eager,
                leader: line["leader"].as_str().unwrap(),
                generation: 1,
                last_completed_generation: -1,
                members: &members,
                joined_with: &configured,
                fresh: &configured,
                can_run: None,
            })
            .unwrap();
        mismatches += usize::from(answer.config_mismatch);
        let written: Vec<_> = answer.entries.iter().map(|(_, bytes)| hex(bytes)).collect();
        assert_eq!(written, texts(&line["assignments"]), "{line}");
    }
    assert!(rounds.len() >= 40 && mismatches > 0, "{mismatches}");
}

#[test]
fn the_incremental_leader_decides_as_a_jvm_leader_in_every_round() {
    let rounds = recording("incremental.jsonl");
    let mut assignor = IncrementalCooperativeAssignor::new(0);
    let mut run = Value::Null;
    let mut delayed = 0;
    for line in &rounds {
        if line["run"] != run {
            run = line["run"].clone();
            assignor = IncrementalCooperativeAssignor::new(int(&line["max"]));
        }
        let members: Vec<_> = line["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| (member[0].as_str().unwrap().to_owned(), work(&member[1])))
            .collect();
        let mut outcome = assignor.assign(&IncrementalRound {
            now: int(&line["now"]),
            generation: int(&line["generation"]),
            last_completed_generation: int(&line["last"]),
            configured: &configured(1, &line["config"]),
            members: &members,
            can_run: None,
        });
        delayed += usize::from(outcome.delay > 0);
        assert_eq!(outcome.delay, int::<i32>(&line["delay"]), "delay in {line}");
        for ((member, _), expected) in members.iter().zip(line["shares"].as_array().unwrap()) {
            let share = outcome
                .shares
                .iter_mut()
                .find(|share| share.member == *member)
                .unwrap();
            share.assigned.sort();
            share.revoked.sort();
            assert_eq!(
                share.assigned,
                work(&expected[0]),
                "assigned to {member} in {line}"
            );
            assert_eq!(
                share.revoked,
                work(&expected[1]),
                "revoked from {member} in {line}"
            );
        }
    }
    assert!(rounds.len() >= 400 && delayed >= 50, "{} {delayed}", rounds.len());
}
