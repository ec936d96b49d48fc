//! Joining, leaving, and finding a broker.

use super::*;

#[test]
fn two_workers_join_agree_and_one_leaves() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let group = fresh_group("pair");
    let first = Member::start(
        &plain(kafka.bootstrap()),
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
        &plain(kafka.bootstrap()),
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
        &plain(kafka.bootstrap()),
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
        &plain(&bootstrap),
        &fresh_group("lost"),
        "http://one:8083/",
        ConnectProtocol::Sessioned,
    );
    member.client.rejoin("test");
    assert_eq!(member.elected().members.len(), 1);
}
