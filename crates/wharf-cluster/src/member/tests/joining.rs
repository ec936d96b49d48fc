//! From nobody to a member with an assignment, and again.

use super::*;

#[test]
fn the_first_join_goes_from_discovery_over_the_member_id_to_an_assignment() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    assert_eq!(table.requests[0].to, Destination::AnyBroker);
    table.find();
    table.no_request();

    table.act(|member, now| member.set_metadata(now, 5, None));
    table.rejoin();
    assert_eq!(table.event(), Event::Prepare { revoke_all: false });
    let id = table.requests[0].id;
    let request = table.join_request();
    assert_eq!(
        (request.member_id.as_str(), request.reason.as_str()),
        ("", "asked")
    );
    assert_eq!(
        (request.session_timeout, request.rebalance_timeout),
        (SESSION, REBALANCE)
    );
    let names: Vec<_> = request
        .protocols
        .iter()
        .map(|(protocol, _)| protocol.name())
        .collect();
    assert_eq!(names, ["sessioned", "compatible", "default"]);

    let required = JoinGroupResponse {
        error: KafkaError::MemberIdRequired,
        member_id: ID.to_owned(),
        ..JoinGroupResponse::default()
    };
    table.act(|member, now| member.handle_response(now, id, Response::JoinGroup(required)));
    table.events.clear();
    assert_eq!(
        table.requests[0].to,
        Destination::Coordinator(table.member.coordinator().unwrap().clone())
    );
    assert!(matches!(&table.requests[0].body, RequestBody::JoinGroup(it) if it.member_id == ID));

    table.join("other", Vec::new());
    assert_eq!(
        table.member.member_id(),
        None,
        "an id counts when the assignment is there"
    );
    table.sync(&something());
    let Event::Joined(joined) = table.event() else {
        panic!()
    };
    assert_eq!(
        (joined.generation, joined.member_id.as_str(), joined.is_leader),
        (7, ID, false)
    );
    assert_eq!(joined.assignment, something());
    assert_eq!(table.member.member_id(), Some(ID));
    assert_eq!(table.lease(), Some(table.now + SESSION));
}

#[test]
fn the_leader_is_asked_for_assignments_and_hands_in_one_for_each_member() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.rejoin();
    table.events.clear();
    let members = vec![(ID.to_owned(), vec![1]), ("b".to_owned(), vec![2])];
    table.join(ID, members.clone());
    let Event::Elected(elected) = table.event() else {
        panic!()
    };
    assert_eq!(
        (
            elected.generation,
            elected.last_completed_generation,
            elected.members
        ),
        (7, -1, members)
    );
    table.no_request();

    // Heartbeats go on while the herder decides.
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::None);

    let own = something().encode(ConnectProtocol::Sessioned).unwrap();
    let error = table
        .act(|member, now| member.assignments(now, 7, vec![(ID.to_owned(), own.clone())]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the assignment of generation 7 has no entry for member 'b'"
    );
    let entries = vec![(ID.to_owned(), own), ("b".to_owned(), vec![])];
    table
        .act(|member, now| member.assignments(now, 6, entries.clone()))
        .unwrap();
    table.no_request();
    table
        .act(|member, now| member.assignments(now, 7, entries.clone()))
        .unwrap();
    let sync = table.request(RequestKind::SyncGroup);
    assert!(
        matches!(&sync.body, RequestBody::SyncGroup(it) if it.assignments == entries && it.generation == 7)
    );
    let assignment = Assignment {
        leader: ID.to_owned(),
        ..something()
    };
    table.requests.push(sync);
    table.sync(&assignment);
    assert!(matches!(
        table.event(),
        Event::Joined(Joined { is_leader: true, .. })
    ));
}

#[test]
fn an_eager_member_joins_when_everything_has_stopped_and_stays_a_member_meanwhile() {
    let mut table = Table::new(ConnectProtocol::Eager);
    table.find();
    table.rejoin();
    table.join("other", Vec::new());
    table.sync(&something());
    table.act(|member, now| member.set_metadata(now, 5, Some(something())));
    table.events.clear();

    table.rejoin();
    assert_eq!(table.event(), Event::Prepare { revoke_all: true });
    table.no_request();
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::IllegalGeneration);
    // Even a lost generation does not let it join before it is ready.
    table.pass(2 * HEARTBEAT);
    table.no_request();
    table.act(|member, now| member.set_metadata(now, 5, None));
    table.rejoin();
    table.no_request();
    table.act(|member, now| member.prepared(now));
    assert_eq!(table.join_request().protocols.len(), 1);
}

#[test]
fn what_was_revoked_has_stopped_before_the_next_join() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.rejoin();
    table.join("other", Vec::new());
    let mut revoking = something();
    revoking.revoked.connectors.push("b".to_owned());
    table.sync(&revoking);
    table.act(|member, now| member.set_metadata(now, 5, Some(something())));
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::RebalanceInProgress);
    table.no_request();
    table.act(|member, now| member.prepared(now));
    table.join_request();
}

#[test]
fn a_failed_assignment_is_nothing_to_stop_under_the_eager_protocol() {
    let mut table = Table::new(ConnectProtocol::Eager);
    table.find();
    let failed = Assignment {
        error: Assignment::CONFIG_MISMATCH,
        ..something()
    };
    table.act(|member, now| member.set_metadata(now, 5, Some(failed)));
    table.rejoin();
    assert_eq!(table.event(), Event::Prepare { revoke_all: false });
    table.join_request();
}

#[test]
fn a_cooperative_member_publishes_what_it_owns_and_keeps_running() {
    let mut table = Table::stable();
    table.rejoin();
    assert_eq!(table.event(), Event::Prepare { revoke_all: false });
    let request = table.join_request();
    let published = crate::protocol::WorkerState::decode(&request.protocols[0].1).unwrap();
    assert_eq!(
        (published.allocation, published.config_offset),
        (Some(something()), 5)
    );
    assert_eq!(request.member_id, ID);
}

#[test]
fn an_assignment_that_cannot_be_read_is_asked_for_again_after_a_pause() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.rejoin();
    table.join("other", Vec::new());
    table.events.clear();
    table.answer(
        RequestKind::SyncGroup,
        Response::SyncGroup(SyncGroupResponse::default()),
    );
    assert!(
        matches!(table.events[0], Event::AssignmentUnreadable(_)),
        "{:?}",
        table.events
    );
    assert_eq!(table.lease(), None);
    table.no_request();
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::None);
    table.pass(HEARTBEAT);
    let kinds: Vec<_> = table.requests.iter().map(|request| request.body.kind()).collect();
    assert!(kinds.contains(&RequestKind::JoinGroup), "{kinds:?}");
}

#[test]
fn a_rejoin_that_is_asked_for_while_joining_follows_the_join() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.rejoin();
    table.act(|member, now| member.request_rejoin(now, "changed"));
    assert_eq!(table.requests.len(), 1);
    table.join("other", Vec::new());
    table.sync(&something());
    table.no_request();
    // What the herder made of the assignment has to be in it.
    table.act(|member, now| member.set_metadata(now, 5, Some(something())));
    assert_eq!(table.join_request().reason, "changed");
}

#[test]
fn a_long_reason_is_cut() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.act(|member, now| member.request_rejoin(now, &"ä".repeat(300)));
    assert_eq!(table.join_request().reason, "ä".repeat(255));
}

#[test]
fn a_heartbeat_must_come_sooner_than_the_session_ends() {
    let settings = MemberSettings {
        heartbeat_interval: SESSION,
        ..MemberSettings::new("g", "u")
    };
    assert_eq!(
        GroupMember::new(settings, 0).unwrap_err().to_string(),
        "heartbeat.interval.ms (10000) must be lower than session.timeout.ms (10000)"
    );
}
