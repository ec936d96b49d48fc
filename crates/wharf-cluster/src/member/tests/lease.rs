//! How long work is held, and what ends it.

use super::*;

fn lapses(table: &Table) -> usize {
    table
        .events
        .iter()
        .filter(|event| matches!(event, Event::LeaseLapsed { .. }))
        .count()
}

#[test]
fn a_lease_lasts_a_session_from_the_last_heartbeat_that_was_confirmed() {
    let mut table = Table::stable();
    table.pass(HEARTBEAT);
    let sent = table.now;
    table.pass(300);
    table.heartbeat(KafkaError::None);
    // It counts from when the heartbeat was sent, not from when the answer came.
    assert_eq!(table.lease(), Some(sent + SESSION));
    table.pass(SESSION - 301);
    assert_eq!(lapses(&table), 0);
    table.pass(1);
    assert_eq!(lapses(&table), 1);
    assert_eq!(table.lease(), None);
    table.pass(SESSION);
    assert_eq!(lapses(&table), 1, "once is enough");
}

#[test]
fn a_lease_goes_on_as_long_as_heartbeats_are_confirmed() {
    let mut table = Table::stable();
    for _ in 0..10 {
        table.pass_alive(SESSION);
        table.act(|member, now| member.herder_is_alive(now));
    }
    assert_eq!(table.events, []);
    assert!(table.member.lease().unwrap().until > table.now);
}

#[test]
fn who_lost_its_lease_joins_only_when_the_herder_asks_and_then_owns_nothing() {
    let mut table = Table::stable();
    table.requests.clear();
    table.now += SESSION + 5_000;
    table.act(|member, now| member.poll(now));
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
    assert_eq!(table.disconnects, 1);
    table.find();
    // The broker is reached again, but the herder may not have stopped anything yet.
    table.heartbeat(KafkaError::RebalanceInProgress);
    table.no_request();
    table.act(|member, now| member.request_rejoin(now, "gave up"));
    let request = table.join_request();
    assert_eq!(request.member_id, ID);
    let published = crate::protocol::WorkerState::decode(&request.protocols[0].1).unwrap();
    assert_eq!(published.allocation, None);
    // Work that was started under the old lease stays without one, whatever follows.
    assert_eq!(table.member.liveness.lease_number, 1);
}

#[test]
fn a_join_that_takes_long_is_accompanied_by_heartbeats_over_another_connection() {
    let mut table = Table::stable();
    table.rejoin();
    let join = table.requests.pop().unwrap();
    // Most rebalances are over before anything has to be asked.
    table.pass(SESSION / 3 - 1);
    table.no_request();
    for _ in 0..10 {
        table.pass(SESSION / 3 + 1);
        assert!(matches!(table.requests[0].to, Destination::CoordinatorAside(_)));
        table.heartbeat(KafkaError::RebalanceInProgress);
    }
    assert_eq!(lapses(&table), 0);
    // The next generation has begun, and its answer is on the way.
    table.pass(SESSION / 3 + 1);
    table.heartbeat(KafkaError::IllegalGeneration);
    table.requests.push(join);
    table.join("other", Vec::new());
    let sync = table.request(RequestKind::SyncGroup);
    table.pass(SESSION / 5);
    table.heartbeat(KafkaError::None);
    for _ in 0..4 {
        table.pass(SESSION / 3 + 1);
        assert!(matches!(table.requests[0].to, Destination::CoordinatorAside(_)));
        table.heartbeat(KafkaError::None);
    }
    assert_eq!(lapses(&table), 0);
    table.requests.push(sync);
    table.sync(&something());
    assert!(table.lease().unwrap() > table.now + SESSION / 2);
}

#[test]
fn a_lease_lapses_in_a_join_when_the_broker_is_silent() {
    let mut table = Table::stable();
    table.rejoin();
    table.events.clear();
    table.pass(SESSION - 1);
    assert_eq!(lapses(&table), 0);
    table.pass(1);
    assert_eq!((lapses(&table), table.disconnects), (1, 1));
}

#[test]
fn who_does_not_join_a_rebalance_in_time_is_not_saved_by_heartbeats() {
    let mut table = Table::new(ConnectProtocol::Eager);
    table.find();
    table.rejoin();
    table.join("other", Vec::new());
    table.sync(&something());
    table.act(|member, now| member.set_metadata(now, 5, Some(something())));
    table.events.clear();
    let began = table.now;
    while table.now < began + REBALANCE - 1 {
        table.pass(HEARTBEAT.min(began + REBALANCE - 1 - table.now));
        table.act(|member, now| member.herder_is_alive(now));
        if !table.requests.is_empty() {
            table.heartbeat(KafkaError::RebalanceInProgress);
        }
    }
    let prepare = Event::Prepare { revoke_all: true };
    assert_eq!(
        table.events,
        [prepare],
        "everything is being stopped, and that takes long"
    );
    table.pass(1);
    assert_eq!(lapses(&table), 1);
}

#[test]
fn a_failing_second_connection_costs_only_the_heartbeat() {
    let mut table = Table::stable();
    table.rejoin();
    table.requests.clear();
    table.pass(SESSION / 3 + HEARTBEAT);
    let aside = table.request(RequestKind::Heartbeat);
    table.act(|member, now| member.request_failed(now, aside.id));
    assert_eq!(
        (table.disconnects, table.member.coordinator().is_some()),
        (0, true)
    );
    table.pass(HEARTBEAT);
    assert!(matches!(table.requests[0].to, Destination::CoordinatorAside(_)));
}

#[test]
fn a_process_that_stood_still_in_a_join_has_lost_its_lease() {
    let mut table = Table::stable();
    table.rejoin();
    let request = table.requests.pop().unwrap();
    table.pass(SESSION / 4);
    table.events.clear();
    table.now += SESSION;
    let response = JoinGroupResponse {
        generation: 8,
        protocol_name: Some("sessioned".to_owned()),
        leader: "other".to_owned(),
        member_id: ID.to_owned(),
        ..JoinGroupResponse::default()
    };
    // The answer that waited meanwhile comes too late.
    table.act(|member, now| member.handle_response(now, request.id, Response::JoinGroup(response)));
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
    assert_eq!(table.member.generation(), 7);
}

#[test]
fn an_assignment_that_comes_after_a_silent_session_is_not_begun_with() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    table.find();
    table.rejoin();
    table.join("other", Vec::new());
    table.events.clear();
    table.pass(SESSION);
    table
        .requests
        .retain(|request| request.body.kind() == RequestKind::SyncGroup);
    table.sync(&something());
    assert_eq!((table.lease(), table.events.len()), (None, 0));
    assert_eq!(table.join_request().member_id, ID);
}

#[test]
fn being_counted_out_ends_the_lease_at_once() {
    let mut table = Table::stable();
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::UnknownMemberId);
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
    table.no_request();
    table.rejoin();
    assert_eq!(table.join_request().member_id, "");
}

#[test]
fn a_lost_connection_costs_neither_id_nor_generation_nor_lease() {
    let mut table = Table::stable();
    let lease = table.lease();
    table.pass(HEARTBEAT);
    table.requests.clear();
    table.act(|member, now| member.connection_lost(now));
    assert_eq!(table.disconnects, 0, "it is closed already");
    table.find();
    assert_eq!(
        (table.member.member_id(), table.member.generation()),
        (Some(ID), 7)
    );
    assert_eq!(table.lease(), lease);
    table.heartbeat(KafkaError::None);
    assert_eq!(table.events, []);
}

#[test]
fn a_coordinator_that_stays_away_is_told_once_and_the_lease_decides() {
    let mut table = Table::stable();
    table.act(|member, now| member.connection_lost(now));
    table.pass(DISCOVERY - 1);
    assert_eq!(table.events, []);
    table.pass(1);
    assert_eq!(table.event(), Event::CoordinatorLost);
    table.pass(SESSION - DISCOVERY - 1);
    assert_eq!(table.events, []);
    table.pass(1);
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
}

#[test]
fn a_coordinator_that_does_not_answer_is_looked_for_after_a_session() {
    let mut table = Table::stable();
    table.member.liveness.holds_work = false;
    table.pass(HEARTBEAT);
    table.request(RequestKind::Heartbeat);
    table.pass(SESSION - HEARTBEAT - 1);
    assert!(table.member.coordinator().is_some());
    table.pass(1);
    assert_eq!((table.member.coordinator(), table.disconnects), (None, 1));
}

#[test]
fn a_herder_that_has_not_seen_the_last_event_neither_takes_in_an_assignment_nor_lifts_a_wait() {
    for (revoked, lapses) in [(false, false), (true, false), (false, true)] {
        let mut table = Table::new(ConnectProtocol::Sessioned);
        table.find();
        table.rejoin();
        table.join("other", Vec::new());
        let mut given = something();
        if revoked {
            given.revoked.connectors.push("b".to_owned());
        }
        let request = table.request(RequestKind::SyncGroup);
        let response = SyncGroupResponse {
            assignment: given.encode(ConnectProtocol::Sessioned).unwrap(),
            ..SyncGroupResponse::default()
        };
        // As between two threads: the event is on its way while orders from before arrive.
        let (member, now) = (&mut table.member, table.now);
        member.handle_response(now, request.id, Response::SyncGroup(response));
        if lapses {
            table.now += SESSION;
        }
        let (member, now) = (&mut table.member, table.now);
        member.poll(now);
        member.set_metadata(now, 6, None);
        member.prepared(now);
        member.request_rejoin(now, "something new");
        assert!(!member.may_join() || member.preparing, "{revoked} {lapses}");
        assert_eq!(member.metadata.config_offset, 6);
        // The same orders count when the herder has seen everything.
        let told = if lapses { 2 } else { 1 };
        (0..told).for_each(|_| member.event_taken(now));
        member.set_metadata(now, 6, Some(something()));
        member.prepared(now);
        member.request_rejoin(now, "something new");
        assert!(!member.held_back && !member.preparing && member.taken_in);
        assert_eq!(member.metadata.allocation, Some(something()));
    }
}
