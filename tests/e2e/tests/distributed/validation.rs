//! Validations by plugins, which may ask other systems and take their time: who makes them, and how often.

use wharf_e2e::patches::{self, lines, noting};

use crate::group::{Group, eventually};

#[test]
fn only_the_leader_validates_and_only_once_however_long_it_takes_to_reach_it() {
    let Some(group) = Group::set_up("validates") else {
        return;
    };
    let stage = &group.stage;
    let leader = group.start("one");
    leader.until("/health", "it leads", |health| health["status"] == "healthy");
    let other = group.start("two");
    other.until("/health", "it is a member", |health| {
        health["status"] == "healthy"
    });
    other.create("noting", noting(stage));
    assert_eq!(lines(stage), ["full"]);
    other.call("PUT", "/connectors/noting/config", Some(&noting(stage)), 200);
    assert_eq!(lines(stage), ["full"; 2]);
    // Until the group has noticed, the request is tried at the old leader again and again.
    leader.kill();
    other.call("PUT", "/connectors/noting/config", Some(&noting(stage)), 200);
    assert!(other.log().contains("as leader"));
    assert_eq!(lines(stage), ["full"; 3]);
    eventually("it runs", || {
        other.get("/connectors/noting/status")["connector"]["state"] == "RUNNING"
    });
}

#[test]
fn a_patch_loses_no_change_that_is_made_while_it_is_validated() {
    let Some(group) = Group::set_up("patched") else {
        return;
    };
    let worker = group.start("one");
    worker.until("/health", "it leads", |health| health["status"] == "healthy");
    patches::lose_nothing(&group.stage, &worker);
}
