//! Membership in a group of a real broker.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use wharf_cluster::member::{Elected, Event, Joined, MemberSettings};
use wharf_cluster::protocol::{Assignment, ConnectProtocol, ConnectorsAndTasks};
use wharf_membership::{Clock, ConnectionSettings, GroupClient, GroupEvent};
use wharf_test_services::KafkaBroker;

const PATIENCE: Duration = Duration::from_secs(30);

/// A member, and what it tells.
struct Member {
    client: GroupClient,
    events: Receiver<GroupEvent>,
}

fn connection(bootstrap: &str) -> ConnectionSettings {
    let properties = BTreeMap::from([
        ("bootstrap.servers".to_owned(), bootstrap.to_owned()),
        ("client.id".to_owned(), "connect-test".to_owned()),
    ]);
    ConnectionSettings::from_properties(&properties).unwrap()
}

impl Member {
    fn start(bootstrap: &str, group: &str, url: &str, mode: ConnectProtocol) -> Self {
        let (tell, events) = channel();
        let settings = MemberSettings {
            mode,
            heartbeat_interval: 100,
            session_timeout: 6_000,
            rebalance_timeout: 60_000,
            ..MemberSettings::new(group, url)
        };
        let client = GroupClient::start(settings, connection(bootstrap), Clock::start(), move |event| {
            let _ = tell.send(event);
        });
        let client = client.unwrap();
        client.set_metadata(5, None);
        Self { client, events }
    }

    fn next(&self) -> Event {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Member(event) => {
                    if event.decides_ownership() {
                        self.client.event_taken();
                    }
                    return event;
                }
                // For metrics only.
                GroupEvent::Exchange(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn elected(&self) -> Elected {
        loop {
            match self.next() {
                Event::Elected(elected) => return elected,
                Event::Prepare { .. } | Event::Joined(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn joined(&self) -> Joined {
        loop {
            match self.next() {
                Event::Joined(joined) => {
                    self.client.set_metadata(5, Some(joined.assignment.clone()));
                    return joined;
                }
                Event::Prepare { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Gives every member a connector named after it.
    fn assign(&self, elected: &Elected) {
        let entries = elected
            .members
            .iter()
            .map(|(member, _)| {
                let assignment = Assignment {
                    leader: elected.member_id.clone(),
                    leader_url: "http://leader:8083/".into(),
                    config_offset: 5,
                    assigned: ConnectorsAndTasks {
                        connectors: vec![format!("of-{member}")],
                        tasks: Vec::new(),
                    },
                    ..Assignment::default()
                };
                (member.clone(), assignment.encode(elected.protocol).unwrap())
            })
            .collect();
        self.client.assignments(elected.generation, entries);
    }
}

fn fresh_group(what: &str) -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("connect-{what}-{now}")
}

#[test]
fn two_workers_join_agree_and_one_leaves() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let group = fresh_group("pair");
    let first = Member::start(
        kafka.bootstrap(),
        &group,
        "http://one:8083/",
        ConnectProtocol::Sessioned,
    );
    assert!(!first.client.lease().hold().is_valid());
    first.client.rejoin("test");
    let elected = first.elected();
    assert_eq!(elected.members.len(), 1);
    assert_eq!(elected.protocol, ConnectProtocol::Sessioned);
    first.assign(&elected);
    let joined = first.joined();
    assert!(joined.is_leader && first.client.lease().hold().is_valid());
    assert_eq!(
        joined.assignment.assigned.connectors,
        [format!("of-{}", joined.member_id)]
    );

    // The second one offers less, so the group falls to that.
    let second = Member::start(
        kafka.bootstrap(),
        &group,
        "http://two:8083/",
        ConnectProtocol::Compatible,
    );
    second.client.rejoin("test");
    let elected = first.elected();
    assert_eq!(elected.protocol, ConnectProtocol::Compatible);
    assert_eq!(elected.members.len(), 2);
    assert_eq!(elected.last_completed_generation, joined.generation);
    first.assign(&elected);
    let (of_first, of_second) = (first.joined(), second.joined());
    assert!(of_first.is_leader && !of_second.is_leader);
    assert_eq!(of_first.generation, of_second.generation);
    assert_eq!(
        of_second.assignment.assigned.connectors,
        [format!("of-{}", of_second.member_id)]
    );
    assert_eq!(of_second.assignment.leader_url, "http://leader:8083/");

    // A goodbye is noticed with the next heartbeat, long before the session time-out.
    let before = std::time::Instant::now();
    second.client.close("test is over");
    let elected = first.elected();
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(elected.members.len(), 1);
    first.assign(&elected);
    assert!(first.joined().generation > of_first.generation);
    first.client.close("test is over");
}

#[test]
fn the_oldest_protocol_is_spoken_when_it_is_all_that_is_offered() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let group = fresh_group("eager");
    let eager = Member::start(
        kafka.bootstrap(),
        &group,
        "http://one:8083/",
        ConnectProtocol::Eager,
    );
    eager.client.rejoin("test");
    let elected = eager.elected();
    assert_eq!(elected.protocol, ConnectProtocol::Eager);
    eager.assign(&elected);
    assert_eq!(eager.joined().assignment.delay, 0);
    eager.client.close("test is over");
}

#[test]
fn a_broker_that_is_not_there_is_looked_for_until_it_is() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    // Nothing listens on the first address; the second one answers.
    let bootstrap = format!("127.0.0.1:1,{}", kafka.bootstrap());
    let member = Member::start(
        &bootstrap,
        &fresh_group("lost"),
        "http://one:8083/",
        ConnectProtocol::Sessioned,
    );
    member.client.rejoin("test");
    assert_eq!(member.elected().members.len(), 1);
}
