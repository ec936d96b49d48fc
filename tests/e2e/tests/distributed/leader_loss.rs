//! Requests that are on their way to a leader when it is lost.

use std::time::Instant;

use serde_json::json;
use wharf_e2e::Worker;

use crate::group::{Group, SESSION, file_source};

/// Two workers; the first leads.
fn led_by_the_first(group: &Group) -> (Worker, Worker) {
    let leader = group.start("one");
    leader.until("/health", "it leads", |health| health["status"] == "healthy");
    let other = group.start("two");
    other.until("/health", "it is a member", |health| {
        health["status"] == "healthy"
    });
    assert!(leader.log().contains("as leader") && !other.log().contains("as leader"));
    (leader, other)
}

#[test]
fn a_request_waits_for_the_next_leader_when_the_last_one_was_killed() {
    let Some(group) = Group::set_up("leader-killed") else {
        return;
    };
    let stage = &group.stage;
    let (leader, other) = led_by_the_first(&group);
    leader.kill();
    stage.write("in.txt", "a\n");
    // The group has not noticed yet: whoever is asked knows the old leader only.
    other.create(
        "source",
        file_source(&stage.file("in.txt"), &stage.named("topic")),
    );
    other.until_states("source", &["RUNNING", "RUNNING"]);
    assert!(other.log().contains("as leader"));
}

#[test]
fn a_request_that_a_frozen_leader_has_is_answered_when_another_one_leads() {
    let Some(group) = Group::set_up("leader-frozen") else {
        return;
    };
    let stage = &group.stage;
    let (leader, other) = led_by_the_first(&group);
    leader.signal("STOP");
    let asked = Instant::now();
    stage.write("in.txt", "a\n");
    let config = file_source(&stage.file("in.txt"), &stage.named("topic"));
    let message = other.refused(
        "POST",
        "/connectors",
        Some(&json!({"name": "source", "config": config})),
        500,
    );
    assert!(message.contains(leader.address()), "{message}");
    assert!(message.contains("leads the group no longer"), "{message}");
    assert!(
        message.contains("not known whether the request was carried out"),
        "{message}"
    );
    // Long before the request's own time is over.
    assert!(asked.elapsed() < SESSION * 6, "{:?}", asked.elapsed());
    other.call("PUT", "/connectors/source/config", Some(&config), 201);
    other.until_states("source", &["RUNNING", "RUNNING"]);
    leader.signal("CONT");
    // What it had of the request it does not carry out any more.
    leader.until(
        "/connectors/source/status",
        "it is a member again and tells the same",
        |status| status["connector"]["state"] == "RUNNING",
    );
}
