//! Tests of what is found wrong: one group, one config topic, and a status topic that says this or that.

use wharf_cluster::config_state::ConfigState;
use wharf_cluster::protocol::{Assignment, ConnectorsAndTasks, WorkerState};

use super::*;
use crate::inspect::group::{Member, STABLE};

/// A member that is called by one letter and has this work: `c` is a connector, `c-0` a task.
fn member(name: &str, work: &[&str]) -> Member {
    let work = work
        .iter()
        .map(|id| match id.rsplit_once('-') {
            Some((connector, task)) => WorkId::task(connector, task.parse().unwrap()),
            None => WorkId::Connector((*id).to_owned()),
        })
        .collect();
    Member {
        member_id: name.to_owned(),
        client_id: String::new(),
        host: String::new(),
        said: Some(WorkerState {
            url: format!("http://{name}:1/"),
            ..WorkerState::default()
        }),
        assignment: Some(Assignment {
            leader: "a".to_owned(),
            assigned: ConnectorsAndTasks::from_work(&work),
            ..Assignment::default()
        }),
        unreadable: None,
    }
}

fn group(members: Vec<Member>) -> Group {
    Group {
        state: if members.is_empty() { "Empty" } else { STABLE }.to_owned(),
        protocol: Some("sessioned".to_owned()),
        members,
    }
}

/// Connector `c` with two tasks, and what comes after it.
fn configs(more: &[(&str, &str)]) -> ConfigSnapshot {
    let mut state = ConfigState::new();
    let records = [
        ("connector-c", r#"{"properties":{"name":"c"}}"#),
        ("task-c-0", r#"{"properties":{}}"#),
        ("task-c-1", r#"{"properties":{}}"#),
        ("commit-c", r#"{"tasks":2}"#),
    ];
    for (offset, (key, value)) in (0..).zip(records.iter().chain(more)) {
        state.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
    }
    state.snapshot()
}

/// Statuses, each `ID STATE WORKER`; of several for one id the last.
fn statuses(lines: &[&str]) -> StatusState {
    let mut state = StatusState::new();
    let id_of = |line: &str| line.split(' ').next().unwrap().to_owned();
    let is_last =
        |(at, line): &(usize, &&str)| lines[at + 1..].iter().all(|later| id_of(later) != id_of(line));
    for (_, line) in lines.iter().enumerate().filter(is_last) {
        let [id, what, worker] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let kind = if id.contains('-') { "task" } else { "connector" };
        let value = format!(
            r#"{{"state":"{what}","trace":"boom\n\tat there","worker_id":"{worker}:1","generation":3}}"#
        );
        state
            .apply(
                Some(format!("status-{kind}-{id}").as_bytes()),
                Some(value.as_bytes()),
            )
            .unwrap();
    }
    state
}

const HEALTHY: [&str; 3] = ["c RUNNING a", "c-0 RUNNING a", "c-1 RUNNING b"];

fn found(group: &Group, configs: &ConfigSnapshot, statuses: &StatusState) -> Vec<String> {
    let facts = Facts {
        group_id: "g",
        group,
        configs,
        statuses,
        silent: &BTreeMap::new(),
    };
    facts
        .findings()
        .into_iter()
        .map(|finding| finding.message)
        .collect()
}

fn two() -> Group {
    group(vec![member("a", &["c", "c-0"]), member("b", &["c-1"])])
}

#[test]
fn nothing_is_found_where_everything_runs_as_it_should() {
    assert_eq!(found(&two(), &configs(&[]), &statuses(&HEALTHY)), [] as [&str; 0]);
}

#[test]
fn a_status_that_says_something_else_than_the_assignment_is_found() {
    for (status, message) in [
        (
            "c-1 RUNNING a",
            "task c-1 is assigned to b:1, but its status says RUNNING on a:1",
        ),
        (
            "c-1 RUNNING z",
            "task c-1 is assigned to b:1, but its status says RUNNING on z:1, which is not in the group",
        ),
        (
            "c-1 UNASSIGNED b",
            "task c-1 is assigned to b:1, but its status says UNASSIGNED on b:1",
        ),
        ("c-1 FAILED b", "task c-1 has failed on b:1: boom"),
        (
            "c-1 PAUSED b",
            "task c-1 shall be STARTED, but its status says PAUSED on b:1",
        ),
        (
            "c-7 RUNNING b",
            "task c-7 is not configured, but its status says RUNNING on b:1",
        ),
        (
            "d RUNNING z",
            "connector d is not configured, but its status says RUNNING on z:1, which is not in the group",
        ),
    ] {
        let mut lines = HEALTHY.to_vec();
        lines.push(status);
        assert_eq!(
            found(&two(), &configs(&[]), &statuses(&lines)),
            [message],
            "{status}"
        );
    }
    for harmless in ["c-1 RESTARTING b", "c-7 UNASSIGNED b", "d FAILED z"] {
        let mut lines = HEALTHY.to_vec();
        lines.push(harmless);
        assert_eq!(
            found(&two(), &configs(&[]), &statuses(&lines)),
            [] as [&str; 0],
            "{harmless}"
        );
    }
    assert_eq!(
        found(&two(), &configs(&[]), &statuses(&HEALTHY[..2])),
        ["task c-1 is assigned to b:1, which has not reported its state"]
    );
}

#[test]
fn work_that_runs_twice_or_nowhere_or_is_not_configured_is_found() {
    let twice = group(vec![member("a", &["c", "c-0", "c-1"]), member("b", &["c-1"])]);
    assert_eq!(
        found(&twice, &configs(&[]), &statuses(&HEALTHY)),
        ["task c-1 is assigned to 2 workers at once: a:1, b:1"]
    );
    let mut nowhere = group(vec![member("a", &["c", "c-0"])]);
    assert_eq!(
        found(&nowhere, &configs(&[]), &statuses(&HEALTHY)),
        [
            "task c-1 is assigned to no worker, so it does not run; its status says RUNNING on b:1, which is not in the group"
        ]
    );
    nowhere.members[0].assignment.as_mut().unwrap().delay = 300;
    assert_eq!(
        found(
            &nowhere,
            &configs(&[]),
            &statuses(&["c RUNNING a", "c-0 RUNNING a", "c-1 UNASSIGNED b"])
        ),
        [
            "task c-1 is assigned to no worker, so it does not run: the leader waits up to 300 ms for a worker that left \
          (scheduled.rebalance.max.delay.ms)"
        ]
    );
    let stale = group(vec![member("a", &["c", "c-0", "c-1", "d"])]);
    let all_on_a = ["c RUNNING a", "c-0 RUNNING a", "c-1 RUNNING a"];
    assert_eq!(
        found(&stale, &configs(&[]), &statuses(&all_on_a)),
        ["connector d is assigned to a:1, but the config topic does not have it"]
    );
}

#[test]
fn a_stopped_connector_has_a_place_and_no_tasks() {
    let stopped = configs(&[
        ("target-state-c", r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
        ("commit-c", r#"{"tasks":0}"#),
    ]);
    let alone = group(vec![member("a", &["c"])]);
    assert_eq!(
        found(&alone, &stopped, &statuses(&["c STOPPED a"])),
        [] as [&str; 0]
    );
    assert_eq!(
        found(&alone, &stopped, &statuses(&["c RUNNING a", "c-0 RUNNING a"])),
        [
            "connector c shall be STOPPED, but its status says RUNNING on a:1",
            "task c-0 is not configured, but its status says RUNNING on a:1",
        ]
    );
}

#[test]
fn a_group_without_members_and_one_that_rebalances_are_told_so() {
    let nobody = found(&group(Vec::new()), &configs(&[]), &statuses(&HEALTHY));
    assert_eq!(
        nobody[0],
        "group g has no members: no worker is running, and nothing of what is configured runs"
    );
    assert_eq!(nobody.len(), 1 + HEALTHY.len());
    assert_eq!(
        nobody[1],
        "connector c runs nowhere, but its status says RUNNING on a:1, which is not in the group"
    );
    let mut moving = two();
    moving.state = "PreparingRebalance".to_owned();
    for member in &mut moving.members {
        (member.said, member.assignment) = (None, None);
    }
    let found = found(&moving, &configs(&[]), &statuses(&HEALTHY));
    assert!(
        found.len() == 1 && found[0].contains("is rebalancing (state PreparingRebalance)"),
        "{found:?}"
    );
}

#[test]
fn members_that_are_silent_or_not_understood_are_named() {
    let mut group = two();
    group.members[1].unreadable = Some("its assignment cannot be read: it ends too early".to_owned());
    group.members[1].assignment.as_mut().unwrap().error = Assignment::CONFIG_MISMATCH;
    let silent = [("http://a:1/".to_owned(), "connection refused".to_owned())].into();
    let configs = configs(&[
        ("task-c-1", r#"{"properties":{}}"#),
        ("commit-c", r#"{"tasks":3}"#),
    ]);
    let facts = Facts {
        group_id: "g",
        group: &group,
        configs: &configs,
        statuses: &StatusState::new(),
        silent: &silent,
    };
    let kinds: Vec<FindingKind> = facts.findings().into_iter().map(|finding| finding.kind).collect();
    for kind in [
        FindingKind::MemberSilent,
        FindingKind::MemberUnreadable,
        FindingKind::AssignmentFailed,
        FindingKind::IncompleteTasks,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not in {kinds:?}");
    }
}
