//! Goodbyes.

use super::*;

fn left(error: KafkaError, member: KafkaError) -> Response {
    Response::LeaveGroup(LeaveGroupResponse {
        error,
        members: vec![member],
    })
}

#[test]
fn who_closes_says_goodbye_and_is_done_when_it_is_heard() {
    let mut table = Table::stable();
    table.act(|member, now| member.close(now, "the worker stops"));
    assert_eq!(
        table.requests[0].body,
        RequestBody::LeaveGroup {
            member_id: ID.to_owned(),
            reason: "the worker stops".to_owned()
        }
    );
    assert_eq!(table.events, []);
    table.answer(RequestKind::LeaveGroup, left(KafkaError::None, KafkaError::None));
    assert_eq!(table.event(), Event::Closed);
    assert_eq!((table.disconnects, table.member.next_deadline()), (1, None));
    table.rejoin();
    table.pass(REBALANCE);
    table.no_request();
}

#[test]
fn who_closes_does_not_wait_for_ever() {
    let mut unheard = Table::stable();
    unheard.act(|member, now| member.close(now, "stop"));
    unheard.pass(2_000);
    assert_eq!(unheard.event(), Event::Closed);

    let mut broken = Table::stable();
    broken.act(|member, now| member.close(now, "stop"));
    broken.act(|member, now| member.connection_lost(now));
    assert_eq!(broken.event(), Event::Closed);

    let mut alone = Table::new(ConnectProtocol::Sessioned);
    alone.requests.clear();
    alone.act(|member, now| member.close(now, "stop"));
    assert_eq!(alone.event(), Event::Closed);
    alone.no_request();
}

#[test]
fn a_goodbye_does_not_queue_behind_a_join() {
    let mut table = Table::stable();
    table.rejoin();
    table.requests.clear();
    table.act(|member, now| member.close(now, "stop"));
    assert_eq!(table.disconnects, 1);
    table.request(RequestKind::LeaveGroup);
}

#[test]
fn a_refused_goodbye_is_told_and_changes_nothing() {
    for (error, member) in [
        (KafkaError::None, KafkaError::UnknownMemberId),
        (KafkaError::UnknownMemberId, KafkaError::None),
    ] {
        let mut table = Table::stable();
        table.act(|member, now| member.close(now, "stop"));
        table.answer(RequestKind::LeaveGroup, left(error, member));
        assert_eq!(
            table.events,
            [Event::LeaveRefused(KafkaError::UnknownMemberId), Event::Closed]
        );
    }
}

#[test]
fn who_leaves_comes_back_as_somebody_else_when_asked_to() {
    let mut table = Table::stable();
    table.act(|member, now| member.set_metadata(now, 5, None));
    table.act(|member, now| member.leave(now, "the config topic cannot be read"));
    table.answer(RequestKind::LeaveGroup, left(KafkaError::None, KafkaError::None));
    assert_eq!((table.member.generation(), table.lease()), (-1, None));
    table.pass(REBALANCE);
    table.no_request();
    assert_eq!(table.events, []);
    table.rejoin();
    assert_eq!(table.join_request().member_id, "");
}

#[test]
fn who_leaves_with_work_in_hand_loses_it() {
    let mut table = Table::stable();
    table.act(|member, now| member.leave(now, "x"));
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
}

#[test]
fn a_herder_that_is_silent_for_the_rebalance_timeout_loses_its_membership() {
    let mut table = Table::stable();
    table.pass_alive(REBALANCE - 1);
    assert_eq!(table.events, []);
    table.act(|member, now| member.herder_is_alive(now));
    table.pass_alive(REBALANCE - 1);
    assert_eq!(table.events, []);
    table.requests.clear();
    table.now += 1;
    table.act(|member, now| member.poll(now));
    assert!(matches!(table.event(), Event::LeaseLapsed { .. }));
    table
        .requests
        .retain(|request| request.body.kind() != RequestKind::Heartbeat);
    table.answer(RequestKind::LeaveGroup, left(KafkaError::None, KafkaError::None));
    // Nobody is at home who could do anything with a membership.
    table.pass(REBALANCE);
    table.no_request();
    table.rejoin();
    assert_eq!(table.join_request().member_id, "");
}
