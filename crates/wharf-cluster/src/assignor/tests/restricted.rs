//! Groups in which not every member can run everything.

use wharf_test_services::Random;

use super::*;

#[test]
fn what_only_some_can_run_goes_to_those_and_the_rest_makes_up_for_it() {
    let mut group = Group::new(0, &[("java", 4), ("both", 6)], &["j1", "j2", "w1"]);
    group.only("java", &["j1", "j2"]);
    group.settle();
    group.assert_complete();
    let tasks: Vec<_> = group.counts().iter().map(|(_, tasks)| *tasks).collect();
    assert_eq!(
        (tasks.iter().sum::<usize>(), tasks.iter().max()),
        (10, Some(&4)),
        "{}",
        group.picture()
    );
    assert!(!group.members["w1"].connectors.contains(&"java".to_owned()));
    assert!(
        group.members["w1"].tasks.iter().all(|id| id.connector == "both"),
        "{}",
        group.picture()
    );
}

#[test]
fn what_nobody_can_run_is_told_and_given_to_the_first_who_can() {
    let mut group = Group::new(300_000, &[("java", 2), ("both", 1)], &["w1", "w2"]);
    group.only("java", &["j1"]);
    for _ in 0..3 {
        let outcome = group.round();
        assert_eq!(text(&outcome.unplaceable), " java java-0 java-1");
        assert_eq!(outcome.delay, 0);
    }
    group.join(&["j1"]);
    let outcome = group.round();
    assert_eq!(text(&outcome.unplaceable), "");
    assert_eq!(text(&group.members["j1"]), " java java-0 java-1");
    group.settle();
    group.assert_complete();
}

#[test]
fn work_of_the_last_able_member_waits_for_it_and_is_told_then() {
    let mut group = Group::new(60_000, &[("java", 2), ("both", 2)], &["j1", "w1"]);
    group.only("java", &["j1"]);
    group.settle();
    group.members.remove("j1");
    assert_eq!(group.round().delay, 60_000);
    group.now += 60_000;
    for _ in 0..3 {
        let outcome = group.round();
        assert_eq!(
            (outcome.delay, text(&outcome.unplaceable).as_str()),
            (0, " java java-0 java-1")
        );
    }
    group.join(&["j1"]);
    group.settle();
    group.assert_complete();
}

#[test]
fn what_a_former_leader_gave_to_the_wrong_member_moves() {
    let mut group = Group::new(0, &[("java", 3)], &["j1", "w1"]);
    group.settle();
    assert!(!group.members["w1"].is_empty());
    group.only("java", &["j1"]);
    let outcome = group.round();
    assert!(
        outcome.shares.iter().all(|share| share.assigned.is_empty()),
        "first it stops"
    );
    group.settle();
    assert_eq!(text(&group.members["j1"]), " java java-0 java-1 java-2");
    group.assert_complete();
}

#[test]
fn an_eager_leader_passes_over_who_cannot() {
    let configured = ConfiguredWork {
        offset: 1,
        connectors: vec![
            ("both".to_owned(), 3),
            ("java".to_owned(), 2),
            ("nobody".to_owned(), 1),
        ],
    };
    let members = ["w1".to_owned(), "j1".to_owned()];
    let can_run =
        |member: &str, connector: &str| connector == "both" || (connector == "java" && member == "j1");
    let outcome = EagerAssignor.assign(&members, &configured, Some(&can_run));
    assert_eq!(
        changes(&outcome),
        "j1 + both java both-1 java-0 java-1, w1 + both-0 both-2"
    );
    assert_eq!(text(&outcome.unplaceable), " nobody nobody-0");
}

#[test]
fn every_group_settles_with_everything_placed_once_and_only_where_it_can_run() {
    let names: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let ids: Vec<String> = (0..8).map(|number| format!("w{number}")).collect();
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let connectors: Vec<_> = names
            .iter()
            .take(1 + random.below_u64(12) as usize)
            .map(|name| (name.as_str(), random.below_u64(8) as i32))
            .collect();
        let members: Vec<_> = ids
            .iter()
            .map(String::as_str)
            .take(2 + random.below_u64(6) as usize)
            .collect();
        let mut group = Group::new(0, &connectors, &members[..1]);
        for (connector, _) in &connectors {
            if random.below_u64(2) == 0 {
                let able: Vec<_> = members
                    .iter()
                    .copied()
                    .filter(|_| random.below_u64(2) == 0)
                    .collect();
                if !able.is_empty() {
                    group.only(connector, &able);
                }
            }
        }
        group.round();
        for member in &members[1..] {
            group.join(&[member]);
            group.round();
        }
        group.settle();
        group.assert_complete();
        for (member, work) in &group.members {
            let connectors = work
                .connectors
                .iter()
                .chain(work.tasks.iter().map(|id| &id.connector));
            for connector in connectors {
                let able = group.able.get(connector).is_none_or(|able| able.contains(member));
                assert!(able, "seed {seed}: {connector} on {member}");
            }
        }
        if group.able.is_empty() {
            let tasks: Vec<_> = group.counts().iter().map(|(_, tasks)| *tasks).collect();
            assert!(
                tasks.iter().max().unwrap() - tasks.iter().min().unwrap() <= 1,
                "seed {seed}: {tasks:?}"
            );
        }
    }
}
