//! What a leader does before it decides, and how it answers.

use super::*;

fn metadata(url: &str, config_offset: i64, allocation: Option<Assignment>) -> Vec<u8> {
    let state = WorkerState {
        url: url.to_owned(),
        config_offset,
        allocation,
        plugins: None,
    };
    state.encode(ConnectProtocol::Sessioned).unwrap()
}

fn configured(offset: i64, tasks: i32) -> ConfiguredWork {
    ConfiguredWork {
        offset,
        connectors: vec![("a".to_owned(), tasks)],
    }
}

fn assign(
    members: &[(String, Vec<u8>)],
    joined_with: &ConfiguredWork,
    fresh: &ConfiguredWork,
) -> GroupAssignment {
    let round = Round {
        now: 0,
        protocol: ConnectProtocol::Sessioned,
        leader: "w1",
        generation: 3,
        last_completed_generation: -1,
        members,
        joined_with,
        fresh,
        can_run: None,
    };
    Assignor::new(300_000).assign(&round).unwrap()
}

#[test]
fn the_offset_of_an_assignment_is_never_below_a_member_s() {
    let members = [
        ("w1".to_owned(), metadata("http://w1/", 7, None)),
        ("w2".to_owned(), metadata("http://w2/", 9, None)),
    ];
    for (joined_with, fresh, offset, tasks) in [
        // The leader knew enough, or more than anybody said.
        (configured(9, 1), configured(12, 5), 9, 1),
        (configured(10, 1), configured(12, 5), 9, 1),
        // It knows enough now: then all of it counts.
        (configured(7, 1), configured(9, 2), 9, 2),
        (configured(7, 1), configured(12, 2), 12, 2),
    ] {
        let answer = assign(&members, &joined_with, &fresh);
        assert!(!answer.config_mismatch);
        let given: Vec<_> = answer
            .entries
            .iter()
            .map(|(_, bytes)| Assignment::decode(bytes).unwrap())
            .collect();
        assert!(
            given
                .iter()
                .all(|it| it.config_offset == offset && it.leader_url == "http://w1/"),
            "{given:?}"
        );
        assert_eq!(
            given.iter().map(|it| it.assigned.tasks.len() as i32).sum::<i32>(),
            tasks
        );
    }
}

#[test]
fn a_leader_that_is_behind_gives_nothing_to_anybody_and_says_why() {
    let members = [
        ("w1".to_owned(), metadata("http://w1/", 7, None)),
        ("w2".to_owned(), metadata("http://w2/", 9, None)),
    ];
    let answer = assign(&members, &configured(7, 1), &configured(8, 1));
    assert!(answer.config_mismatch);
    assert_eq!(answer.entries.len(), 2);
    for (_, bytes) in &answer.entries {
        let expected = Assignment {
            error: Assignment::CONFIG_MISMATCH,
            leader: "w1".to_owned(),
            leader_url: "http://w1/".to_owned(),
            config_offset: 9,
            ..Assignment::default()
        };
        assert_eq!(Assignment::decode(bytes).unwrap(), expected);
    }
}

#[test]
fn a_member_that_cannot_be_read_gets_an_empty_entry_and_is_named_and_nobody_gives_anything_up_for_it() {
    let mut own = Assignment::default();
    own.assigned.connectors.push("a".to_owned());
    own.assigned.tasks = (0..3).map(|task| ConnectorTaskId::new("a", task)).collect();
    for (own, expected) in [(None, " a a-0 a-1 a-2"), (Some(own), "")] {
        let members = [
            ("w1".to_owned(), metadata("http://w1/", 7, own)),
            ("w2".to_owned(), vec![0xff, 0xff]),
        ];
        let answer = assign(&members, &configured(7, 3), &configured(7, 3));
        let given: Vec<_> = answer
            .entries
            .iter()
            .map(|(member, bytes)| {
                let given = Assignment::decode(bytes).unwrap();
                (member.as_str(), text(&given.assigned), text(&given.revoked))
            })
            .collect();
        let nothing = String::new();
        assert_eq!(
            given,
            [
                ("w1", expected.to_owned(), nothing.clone()),
                ("w2", nothing.clone(), nothing)
            ]
        );
        assert_eq!(
            answer
                .unreadable
                .iter()
                .map(|(member, error)| format!("{member}: {error}"))
                .collect::<Vec<_>>(),
            ["w2: the subscription has version -1, and there is none below 0"]
        );
    }
}

#[test]
fn what_members_own_already_is_not_given_again() {
    let mut own = Assignment {
        leader: "w1".to_owned(),
        ..Assignment::default()
    };
    own.assigned.connectors.push("a".to_owned());
    own.assigned.tasks.push(ConnectorTaskId::new("a", 0));
    let members = [("w1".to_owned(), metadata("http://w1/", 7, Some(own)))];
    let answer = assign(&members, &configured(7, 2), &configured(7, 2));
    let given = Assignment::decode(&answer.entries[0].1).unwrap();
    assert_eq!(text(&given.assigned), " a-1");
    assert_eq!(text(&answer.outcome.shares[0].owned), " a a-0 a-1");
    assert_eq!(answer.urls, [("w1".to_owned(), "http://w1/".to_owned())]);
}

#[test]
fn a_view_of_the_config_topic_tells_all_connectors_and_complete_tasks() {
    struct View;
    impl ConfigView for View {
        fn offset(&self) -> i64 {
            4
        }
        fn connectors(&self) -> Vec<String> {
            vec!["a".to_owned(), "b".to_owned()]
        }
        fn has_connector(&self, name: &str) -> bool {
            self.connectors().iter().any(|it| it == name)
        }
        fn task_count(&self, name: &str) -> i32 {
            i32::from(name == "b") * 3
        }
    }
    let expected = ConfiguredWork {
        offset: 4,
        connectors: vec![("a".to_owned(), 0), ("b".to_owned(), 3)],
    };
    assert_eq!(ConfiguredWork::of(&View), expected);
}
