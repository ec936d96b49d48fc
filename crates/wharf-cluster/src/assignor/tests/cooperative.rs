//! Rounds of the incremental cooperative assignor, as they are known from upstream.

use super::*;

const FIVE_MINUTES: i32 = 300_000;

#[test]
fn a_second_worker_gets_its_half_in_two_rounds() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 4), ("b", 4)], &["w1"]);
    assert_eq!(
        changes(&group.round()),
        "w1 + a b a-0 a-1 a-2 a-3 b-0 b-1 b-2 b-3"
    );
    group.join(&["w2"]);
    assert_eq!(changes(&group.round()), "w1 - a a-0 a-1 a-2 a-3");
    assert_eq!(changes(&group.round()), "w2 + a a-0 a-1 a-2 a-3");
    assert_eq!(changes(&group.round()), "");
    group.assert_complete();
}

#[test]
fn workers_that_come_one_after_another_make_revocations_wait() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 4), ("b", 4), ("c", 4)], &["w1"]);
    let rounds: [(i32, &[usize], &[usize], Millis); 7] = [
        (0, &[3], &[12], 0),
        (0, &[2, 0], &[6, 0], 0),
        (40, &[2, 1, 0], &[6, 3, 3], 40),
        (0, &[1, 1, 0, 0], &[3, 3, 3, 0], 0),
        (1_600, &[1, 1, 1, 0, 0], &[3, 3, 3, 2, 1], 1_600),
        (0, &[1, 1, 1, 0, 0, 0], &[2, 2, 2, 2, 1, 0], 0),
        (0, &[1, 1, 1, 0, 0, 0], &[2, 2, 2, 2, 2, 2], 0),
    ];
    for (round, (delay, connectors, tasks, passes)) in rounds.into_iter().enumerate() {
        if round < 6 {
            let member = format!("w{}", round + 1);
            group.join(&[&member]);
        }
        let outcome = group.round();
        let counts = group.counts();
        assert_eq!(outcome.delay, delay, "round {round}");
        assert_eq!(
            counts.iter().map(|(count, _)| *count).collect::<Vec<_>>(),
            connectors,
            "round {round}"
        );
        assert_eq!(
            counts.iter().map(|(_, count)| *count).collect::<Vec<_>>(),
            tasks,
            "round {round}"
        );
        group.now += passes;
    }
    group.assert_complete();
}

#[test]
fn lost_work_waits_for_its_owner_and_then_goes_to_a_worker_that_came_meanwhile() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 4), ("b", 4)], &["w1", "w2"]);
    group.settle();
    let before = group.picture();
    assert_eq!(before, "w1: a a-0 a-2 b-0 b-2, w2: b a-1 a-3 b-1 b-3");

    group.members.remove("w2");
    let outcome = group.round();
    assert_eq!((changes(&outcome).as_str(), outcome.delay), ("", 300_000));

    group.now += 100_000;
    group.join(&["w3"]);
    let outcome = group.round();
    assert_eq!((changes(&outcome).as_str(), outcome.delay), ("", 200_000));

    group.now += 200_000;
    let outcome = group.round();
    assert_eq!(
        (changes(&outcome).as_str(), outcome.delay),
        ("w3 + b a-1 a-3 b-1 b-3", 0)
    );
    group.assert_complete();
}

#[test]
fn an_owner_that_comes_back_in_time_keeps_its_work() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 3)], &["w1", "w2"]);
    group.settle();
    let owner = group.members.remove("w2").unwrap();
    assert_eq!(group.round().delay, 300_000);
    group.now += 1_000;
    group.members.insert("w2".to_owned(), owner);
    let outcome = group.round();
    assert_eq!((changes(&outcome).as_str(), outcome.delay), ("", 0));
    group.assert_complete();
}

#[test]
fn without_a_delay_lost_work_moves_at_once() {
    let mut group = Group::new(0, &[("a", 4)], &["w1", "w2"]);
    group.settle();
    group.members.remove("w2");
    let outcome = group.round();
    assert_eq!(outcome.delay, 0);
    group.assert_complete();
}

#[test]
fn a_deleted_connector_is_revoked_from_all_and_others_stay() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 4), ("b", 4)], &["w1", "w2"]);
    group.settle();
    group.configured.connectors.pop();
    assert_eq!(changes(&group.round()), "w1 - b-0 b-2, w2 - b b-1 b-3");
    assert_eq!(changes(&group.round()), "");
    group.assert_complete();
}

#[test]
fn fewer_tasks_are_revoked_and_more_are_handed_out() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 4)], &["w1", "w2"]);
    group.settle();
    group.configured.connectors[0].1 = 2;
    assert_eq!(changes(&group.round()), "w1 - a-2, w2 - a-3");
    group.configured.connectors[0].1 = 4;
    assert_eq!(changes(&group.round()), "w1 + a-2, w2 + a-3");
}

#[test]
fn what_runs_twice_stops_everywhere_before_it_starts_once() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 3)], &["w1", "w2"]);
    group.settle();
    let twice = ConnectorTaskId::new("a", 0);
    for work in group.members.values_mut() {
        if !work.tasks.contains(&twice) {
            work.tasks.push(twice.clone());
        }
    }
    assert_eq!(changes(&group.round()), "w1 - a-0, w2 - a-0");
    assert_eq!(changes(&group.round()), "w1 + a-0");
    group.assert_complete();
}

#[test]
fn an_assignment_that_members_did_not_get_is_given_again() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 2)], &["w1", "w2"]);
    group.round();
    // They join again with nothing, all of them: nobody left.
    for work in group.members.values_mut() {
        *work = ConnectorsAndTasks::default();
    }
    let outcome = group.round();
    assert_eq!(outcome.delay, 0);
    group.assert_complete();
}

#[test]
fn a_leader_whose_round_was_not_completed_believes_only_what_members_report() {
    let mut group = Group::new(FIVE_MINUTES, &[("a", 2)], &["w1", "w2"]);
    group.settle();
    group.members.remove("w2");
    // Its own last generation is another one than the one that it last computed: lost work counts as new.
    group.assignor = IncrementalCooperativeAssignor::new(FIVE_MINUTES);
    let outcome = group.round();
    assert_eq!(outcome.delay, 0);
    group.assert_complete();
}

#[test]
fn a_thousand_connectors_on_twenty_workers_are_no_effort() {
    let names: Vec<String> = (0..1_000).map(|number| format!("connector-{number}")).collect();
    let connectors: Vec<_> = names.iter().map(|name| (name.as_str(), 10)).collect();
    let ids: Vec<String> = (0..20)
        .map(|number| format!("connect-w{number}:8083-x"))
        .collect();
    let members: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut group = Group::new(0, &connectors, &members[..19]);
    group.round();
    group.join(&members[19..]);
    let outcome = group.round();
    // Only what moves is revoked.
    let moved: usize = outcome.shares.iter().map(|share| share.revoked.len()).sum();
    assert!((500..=600).contains(&moved), "{moved}");
    group.settle();
    assert!(
        group.counts().iter().all(|count| *count == (50, 500)),
        "{:?}",
        group.counts()
    );
    group.assert_complete();
}
