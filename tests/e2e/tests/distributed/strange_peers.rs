//! Members of the group that are no workers, or workers gone mad: they speak the right protocol by its name, and say nothing in
//! it that can be read. Who is one is told, and workers go on.

use wharf_cluster::protocol::{Assignment, WorkerState};
use wharf_e2e::{Stage, Worker};

use crate::failures::GIVES_UP;
use crate::group::{Group, eventually, file_source};
use crate::stranger::{PROTOCOL, Stranger, has_members};

/// Creates a source of one line.
fn create(stage: &Stage, worker: &Worker, name: &str) {
    let file = format!("{name}.txt");
    stage.write(&file, "line\n");
    stage.kafka().create_topic(&stage.named(name), 1, &[]);
    worker.create(name, file_source(&stage.file(&file), &stage.named(name)));
    has_sent(stage, name, 1);
    worker.until_states(name, &["RUNNING", "RUNNING"]);
}

/// Waits until so many lines of a source are in its topic.
fn has_sent(stage: &Stage, name: &str, lines: i64) {
    let topic = stage.named(name);
    eventually(&format!("{lines} lines are in {topic}"), || {
        stage.kafka().count(&topic) == lines
    });
}

/// Metadata of which everything can be read but what the member owns.
fn owner_of_garbage() -> Vec<u8> {
    let state = WorkerState {
        url: "http://stranger:8083/".to_owned(),
        ..WorkerState::default()
    };
    let mut bytes = state.encode(PROTOCOL).unwrap();
    // What it owns comes last, as bytes with their length before them; here there are none.
    let length = bytes.len() - 4;
    bytes.truncate(length);
    bytes.extend(b"\0\0\0\x0a\0\x01garbage!");
    bytes
}

#[test]
fn a_member_whose_metadata_cannot_be_read_is_named_and_gets_nothing_and_work_goes_on() {
    let Some(group) = Group::set_up("strange-member") else {
        return;
    };
    let stage = &group.stage;
    let worker = group.start("worker");
    create(stage, &worker, "before");
    let mut lines = String::from("line\n");
    let owner = owner_of_garbage();
    let cases: [(&[u8], &str); 4] = [
        (b"", "the subscription ends in its field 'version'"),
        (
            b"garbage",
            "the subscription ends in its field 'url', which needs 29282 bytes where 3 are left",
        ),
        (
            b"\0\x02\xff\xf0garbage",
            "the subscription gives its field 'url' the length -16",
        ),
        (&owner, "the assignment ends in its field "),
    ];
    for (round, (metadata, reason)) in (1..).zip(cases) {
        let mut stranger = Stranger::connect(stage);
        let joined = stranger.join(metadata);
        assert_ne!(joined.leader, stranger.member, "the worker was there first");
        let share = Assignment::decode(&stranger.sync(&[])).unwrap();
        assert!(share.assigned.is_empty() && share.revoked.is_empty(), "{share:?}");
        has_members(stage, 2);
        let told = format!(
            "the metadata of member {} cannot be read, so it gets no work: {reason}",
            &*stranger.member
        );
        worker.wait_log(&told);
        lines += "line\n";
        stage.write("before.txt", &lines);
        has_sent(stage, "before", 1 + round);
        worker.until_states("before", &["RUNNING", "RUNNING"]);

        stranger.leave();
        has_members(stage, 1);
        create(stage, &worker, &format!("after{round}"));
    }
    let log = worker.log();
    assert!(!log.contains("panicked") && !log.contains(GIVES_UP));
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_leader_whose_assignments_cannot_be_read_is_asked_again_and_outlived() {
    let Some(group) = Group::set_up("strange-leader") else {
        return;
    };
    let stage = &group.stage;
    let mut stranger = Stranger::connect(stage);
    let joined = stranger.join(b"garbage");
    assert_eq!(joined.leader, stranger.member);
    let worker = group.launch_with("worker", &[]);
    for (assignment, reason) in [
        (&b""[..], "the assignment ends in its field 'version'"),
        (b"\xff\xffgarbage", "the assignment has version -1"),
        (b"\0\x02\0\0\xff\xf0garbage", "the assignment gives its field "),
    ] {
        // A leader that joins has all join again; at first it may be alone.
        let mut members = Vec::new();
        eventually("the worker joins", || {
            members = stranger.join(b"garbage").members;
            members.len() == 2
        });
        let garbage: Vec<_> = members
            .iter()
            .map(|member| (member.member_id.clone(), assignment))
            .collect();
        stranger.sync(&garbage);
        worker.wait_log(&format!("the assignment of this worker cannot be read: {reason}"));
    }
    stranger.leave();
    has_members(stage, 1);
    worker.wait_ready();
    create(stage, &worker, "after");
    assert!(!worker.log().contains("panicked"));
    assert_eq!(worker.terminate(), Some(143));
}
