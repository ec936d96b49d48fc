//! The table of what each error means, row by row.

use super::*;

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The same request after the back-off, as the same member.
    Waits,
    /// The coordinator is looked for, and then the join is repeated as the same member.
    LooksForCoordinator,
    /// Joins at once, as the same member.
    JoinsAgain,
    /// Joins at once, as nobody.
    JoinsAnew,
    /// Ends.
    Fails,
}

const FATAL: [KafkaError; 6] = [
    KafkaError::InconsistentGroupProtocol,
    KafkaError::InvalidSessionTimeout,
    KafkaError::InvalidGroupId,
    KafkaError::GroupAuthorizationFailed,
    KafkaError::GroupMaxSizeReached,
    KafkaError::Other(-1),
];

fn rows(own: &[(KafkaError, Then)]) -> Vec<(KafkaError, Then)> {
    let fatal = FATAL.iter().map(|error| (*error, Then::Fails));
    own.iter().copied().chain(fatal).collect()
}

fn check_then(table: &mut Table, then: Then, case: &str) {
    match then {
        Then::Fails => {
            assert!(
                matches!(table.events.last(), Some(Event::Fatal(_))),
                "{case}: {:?}",
                table.events
            );
            table.pass(2 * REBALANCE);
            table.no_request();
            return;
        }
        Then::Waits => {
            table.pass(BACKOFF - 1);
            table.no_request();
            table.pass(1);
        }
        Then::LooksForCoordinator => {
            assert_eq!(table.disconnects, 1, "{case}");
            assert_eq!(table.member.coordinator(), None, "{case}");
            table.find();
            table.pass(BACKOFF);
        }
        Then::JoinsAgain | Then::JoinsAnew => {}
    }
    let expected = if then == Then::JoinsAnew { "" } else { ID };
    assert_eq!(table.join_request().member_id, expected, "{case}");
    assert!(
        !table.events.iter().any(|event| matches!(event, Event::Fatal(_))),
        "{case}"
    );
}

/// A member that is known to the broker and has sent JoinGroup.
fn joining() -> Table {
    let mut table = Table::stable();
    table.act(|member, now| member.set_metadata(now, 5, None));
    table.member.liveness.holds_work = false;
    table.rejoin();
    table
}

#[test]
fn every_error_of_join_group_has_its_consequence() {
    for (error, then) in rows(&[
        (KafkaError::CoordinatorLoadInProgress, Then::Waits),
        (KafkaError::CoordinatorNotAvailable, Then::LooksForCoordinator),
        (KafkaError::NotCoordinator, Then::LooksForCoordinator),
        (KafkaError::UnknownMemberId, Then::JoinsAnew),
        (KafkaError::RebalanceInProgress, Then::JoinsAgain),
        (KafkaError::IllegalGeneration, Then::Fails),
    ]) {
        let mut table = joining();
        let response = JoinGroupResponse {
            error,
            ..JoinGroupResponse::default()
        };
        table.answer(RequestKind::JoinGroup, Response::JoinGroup(response));
        check_then(&mut table, then, &format!("JoinGroup {error}"));
    }
}

#[test]
fn every_error_of_sync_group_has_its_consequence() {
    for (error, then) in rows(&[
        (KafkaError::CoordinatorLoadInProgress, Then::Waits),
        (KafkaError::CoordinatorNotAvailable, Then::LooksForCoordinator),
        (KafkaError::NotCoordinator, Then::LooksForCoordinator),
        (KafkaError::UnknownMemberId, Then::JoinsAnew),
        (KafkaError::IllegalGeneration, Then::JoinsAgain),
        (KafkaError::RebalanceInProgress, Then::JoinsAgain),
    ]) {
        let mut table = joining();
        table.join("other", Vec::new());
        let response = SyncGroupResponse {
            error,
            ..SyncGroupResponse::default()
        };
        table.answer(RequestKind::SyncGroup, Response::SyncGroup(response));
        check_then(&mut table, then, &format!("SyncGroup {error}"));
    }
}

#[test]
fn every_error_of_a_heartbeat_has_its_consequence() {
    for (error, then) in rows(&[
        (KafkaError::UnknownMemberId, Then::JoinsAnew),
        (KafkaError::IllegalGeneration, Then::JoinsAgain),
        (KafkaError::RebalanceInProgress, Then::JoinsAgain),
    ]) {
        let mut table = Table::stable();
        table.act(|member, now| member.set_metadata(now, 5, None));
        table.member.liveness.holds_work = false;
        table.pass(HEARTBEAT);
        table.heartbeat(error);
        check_then(&mut table, then, &format!("Heartbeat {error}"));
    }
}

#[test]
fn a_heartbeat_that_misses_the_coordinator_looks_for_it_and_costs_no_rebalance() {
    for error in [KafkaError::CoordinatorNotAvailable, KafkaError::NotCoordinator] {
        let mut table = Table::stable();
        table.pass(HEARTBEAT);
        table.heartbeat(error);
        table.find();
        // The next heartbeat goes out at once, in the same generation.
        let request = table.request(RequestKind::Heartbeat);
        assert_eq!(
            request.body,
            RequestBody::Heartbeat {
                generation: 7,
                member_id: ID.to_owned()
            },
            "{error}"
        );
        assert_eq!(table.events, [], "{error}");
    }
}

#[test]
fn a_heartbeat_is_repeated_while_the_coordinator_loads() {
    let mut table = Table::stable();
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::CoordinatorLoadInProgress);
    table.no_request();
    table.pass(BACKOFF + BACKOFF / 5);
    table.heartbeat(KafkaError::None);
}

#[test]
fn a_rebalance_that_is_told_during_a_join_is_no_news() {
    let mut table = joining();
    table.join(ID, vec![(ID.to_owned(), Vec::new())]);
    table.pass(HEARTBEAT);
    table.heartbeat(KafkaError::RebalanceInProgress);
    let own = vec![(ID.to_owned(), Vec::new())];
    table.act(|member, now| member.assignments(now, 7, own)).unwrap();
    table.sync(&something());
    table.no_request();
}

#[test]
fn an_answer_about_an_earlier_generation_changes_nothing() {
    for error in [KafkaError::UnknownMemberId, KafkaError::IllegalGeneration] {
        let mut table = Table::stable();
        table.pass(HEARTBEAT);
        let old = table.request(RequestKind::Heartbeat);
        table.rejoin();
        let id = table.requests[0].id;
        table.requests.clear();
        let response = JoinGroupResponse {
            generation: 8,
            protocol_name: Some("sessioned".to_owned()),
            leader: "other".to_owned(),
            member_id: ID.to_owned(),
            ..JoinGroupResponse::default()
        };
        table.act(|member, now| member.handle_response(now, id, Response::JoinGroup(response)));
        table.sync(&something());
        table.events.clear();
        table.act(|member, now| {
            member.handle_response(now, old.id, Response::Heartbeat(HeartbeatResponse { error }))
        });
        assert_eq!(
            (table.member.generation(), table.member.member_id()),
            (8, Some(ID)),
            "{error}"
        );
        assert_eq!(table.events, []);
        table.no_request();
    }
}

#[test]
fn a_search_for_the_coordinator_goes_on_with_growing_pauses_until_it_is_refused() {
    let mut table = Table::new(ConnectProtocol::Sessioned);
    let find = |error| {
        let coordinator = Coordinator::default();
        Response::FindCoordinator(FindCoordinatorResponse { error, coordinator })
    };
    let passing = [
        KafkaError::CoordinatorNotAvailable,
        KafkaError::CoordinatorLoadInProgress,
        KafkaError::Other(7),
    ];
    for (turn, error) in passing.into_iter().cycle().take(6).enumerate() {
        table.answer(RequestKind::FindCoordinator, find(error));
        let wait = (BACKOFF << turn).min(1_000);
        table.pass(wait * 4 / 5 - 1);
        table.no_request();
        table.pass(wait * 2 / 5 + 1);
    }
    let request = table.request(RequestKind::FindCoordinator);
    table.act(|member, now| member.request_failed(now, request.id));
    table.pass(1_000);
    table.answer(
        RequestKind::FindCoordinator,
        find(KafkaError::GroupAuthorizationFailed),
    );
    let Event::Fatal(error) = table.event() else {
        panic!()
    };
    assert_eq!(
        error.to_string(),
        "FindCoordinator for group 'workers' was refused: GROUP_AUTHORIZATION_FAILED; allow this worker's principal \
         to READ the group"
    );
}

#[test]
fn a_group_of_another_kind_is_fatal() {
    let good = || JoinGroupResponse {
        generation: 7,
        protocol_name: Some("sessioned".to_owned()),
        leader: "other".to_owned(),
        member_id: ID.to_owned(),
        ..JoinGroupResponse::default()
    };
    for bad in [
        JoinGroupResponse {
            protocol_type: Some("consumer".to_owned()),
            ..good()
        },
        JoinGroupResponse {
            protocol_name: Some("range".to_owned()),
            ..good()
        },
        JoinGroupResponse {
            protocol_name: None,
            ..good()
        },
        JoinGroupResponse {
            skip_assignment: true,
            ..good()
        },
    ] {
        let mut table = joining();
        table.answer(RequestKind::JoinGroup, Response::JoinGroup(bad));
        check_then(&mut table, Then::Fails, "another protocol");
    }
    for bad in [
        SyncGroupResponse {
            protocol_type: Some("consumer".to_owned()),
            ..SyncGroupResponse::default()
        },
        SyncGroupResponse {
            protocol_name: Some("compatible".to_owned()),
            ..SyncGroupResponse::default()
        },
    ] {
        let mut table = joining();
        table.join("other", Vec::new());
        table.answer(RequestKind::SyncGroup, Response::SyncGroup(bad));
        check_then(&mut table, Then::Fails, "another protocol");
    }
}

#[test]
fn a_protocol_that_this_worker_did_not_offer_is_fatal() {
    let mut table = Table::new(ConnectProtocol::Eager);
    table.find();
    table.rejoin();
    let response = JoinGroupResponse {
        protocol_name: Some("sessioned".to_owned()),
        member_id: ID.to_owned(),
        ..JoinGroupResponse::default()
    };
    table.answer(RequestKind::JoinGroup, Response::JoinGroup(response));
    check_then(&mut table, Then::Fails, "not offered");
}

#[test]
fn error_codes_and_names_belong_together() {
    for code in -1..=120 {
        assert_eq!(KafkaError::from_code(code).code(), code);
    }
    for (code, name) in [
        (25, "UNKNOWN_MEMBER_ID"),
        (79, "MEMBER_ID_REQUIRED"),
        (1, "error code 1"),
    ] {
        assert_eq!(KafkaError::from_code(code).to_string(), name);
    }
}
