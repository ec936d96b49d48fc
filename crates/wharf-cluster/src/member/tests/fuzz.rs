//! Anything that brokers, connections, herders and clocks can do, in any order.

use wharf_test_services::Random;

use super::*;

/// What must hold at all times, seen from outside.
#[derive(Default)]
struct Watch {
    open: Vec<(RequestId, RequestKind)>,
    /// Requests that do not use the coordinator's main connection.
    asides: Vec<RequestId>,
    /// When the machine gives up requests that leave the connection as it is.
    expiries: Vec<(Millis, RequestId)>,
    /// What the herder would be doing.
    must_stop_first: bool,
    must_not_join: bool,
    must_take_in: bool,
    holds_work: bool,
    joined: usize,
    lapsed: usize,
    over: bool,
}

impl Watch {
    fn see(&mut self, now: Millis, outputs: Vec<Output>, seed: u64) {
        let (open, expiries) = (&mut self.open, &mut self.expiries);
        expiries.retain(|(at, expired)| {
            open.retain(|(id, _)| *at > now || id != expired);
            *at > now
        });
        for output in outputs {
            assert!(!self.over, "seed {seed}: {output:?} after the end");
            match output {
                Output::Disconnect => self
                    .open
                    .retain(|(_, kind)| *kind == RequestKind::FindCoordinator),
                Output::Send(request) => self.sent(now, &request, seed),
                Output::Event(event) => self.told(&event, seed),
            }
        }
    }

    fn sent(&mut self, now: Millis, request: &Request, seed: u64) {
        let kind = request.body.kind();
        if kind == RequestKind::LeaveGroup {
            // What a former member asked does not matter any more.
            self.open
                .retain(|(_, kind)| *kind == RequestKind::FindCoordinator);
        }
        if matches!(kind, RequestKind::LeaveGroup | RequestKind::FindCoordinator) {
            self.expiries.push((now + request.timeout, request.id));
        }
        assert!(
            !self.open.iter().any(|(_, open)| *open == kind),
            "seed {seed}: two {kind} at once"
        );
        let joining = |kind: &RequestKind| matches!(kind, RequestKind::JoinGroup | RequestKind::SyncGroup);
        if joining(&kind) {
            assert!(
                !self.open.iter().any(|(_, open)| joining(open)),
                "seed {seed}: {kind} during a join"
            );
        }
        if kind == RequestKind::JoinGroup {
            assert!(
                !self.must_stop_first,
                "seed {seed}: joined before everything stopped"
            );
            assert!(
                !self.must_take_in,
                "seed {seed}: joined with what is no longer true"
            );
            assert!(
                !self.must_not_join,
                "seed {seed}: joined without the herder's leave"
            );
        }
        let to_any = request.to == Destination::AnyBroker;
        if kind == RequestKind::Heartbeat {
            let aside = matches!(request.to, Destination::CoordinatorAside(_));
            let blocked = self.open.iter().any(|(_, open)| joining(open));
            assert_eq!(aside, blocked, "seed {seed}: a heartbeat waits behind a join");
            self.asides.extend(aside.then_some(request.id));
        }
        assert_eq!(
            to_any,
            kind == RequestKind::FindCoordinator,
            "seed {seed}: {request:?}"
        );
        self.open.push((request.id, kind));
    }

    fn told(&mut self, event: &Event, seed: u64) {
        match event {
            Event::Prepare { revoke_all } => self.must_stop_first = *revoke_all,
            Event::LeaseLapsed { .. } => {
                self.must_not_join = true;
                self.must_take_in = false;
                self.must_stop_first = false;
                self.holds_work = false;
                self.lapsed += 1;
            }
            Event::Joined(joined) => {
                assert!(
                    !self.must_not_join,
                    "seed {seed}: got work without the herder's leave"
                );
                self.holds_work = true;
                self.must_take_in = true;
                self.must_stop_first = !joined.assignment.revoked.is_empty();
                self.joined += 1;
            }
            Event::Fatal(_) | Event::Closed => self.over = true,
            _ => {}
        }
    }
}

/// All outputs, with a herder that sees each event at once.
fn taken(member: &mut GroupMember, now: Millis) -> Vec<Output> {
    let mut outputs = Vec::new();
    while let Some(output) = member.next_output() {
        if matches!(&output, Output::Event(event) if event.decides_ownership()) {
            member.event_taken(now);
        }
        outputs.push(output);
    }
    outputs
}

fn error(random: &mut Random) -> KafkaError {
    let codes = [0, 0, 0, 0, 14, 15, 16, 22, 25, 27, 79];
    let rare = [7, 23, 30, 81, -1];
    if random.below_u64(200) == 0 {
        return KafkaError::from_code(rare[random.below_u64(rare.len() as u64) as usize]);
    }
    KafkaError::from_code(codes[random.below_u64(codes.len() as u64) as usize])
}

fn response(random: &mut Random, kind: RequestKind, mode: ConnectProtocol, generation: i32) -> Response {
    let error = error(random);
    match kind {
        RequestKind::FindCoordinator => {
            let retriable = if error.is_retriable() {
                error
            } else {
                KafkaError::None
            };
            Response::FindCoordinator(FindCoordinatorResponse {
                error: retriable,
                coordinator: Coordinator::default(),
            })
        }
        RequestKind::JoinGroup => {
            // What a broker never says to a join.
            let error = if error == KafkaError::IllegalGeneration {
                KafkaError::None
            } else {
                error
            };
            let leads = random.below_u64(2) == 0;
            Response::JoinGroup(JoinGroupResponse {
                error,
                generation,
                protocol_name: Some(mode.name().to_owned()),
                leader: if leads { ID.to_owned() } else { "other".to_owned() },
                member_id: ID.to_owned(),
                members: if leads {
                    vec![(ID.to_owned(), Vec::new())]
                } else {
                    Vec::new()
                },
                ..JoinGroupResponse::default()
            })
        }
        RequestKind::SyncGroup => {
            let readable = random.below_u64(10) > 0;
            let error = if error == KafkaError::MemberIdRequired {
                KafkaError::None
            } else {
                error
            };
            let mut given = something();
            if random.below_u64(3) == 0 {
                given.revoked.connectors.push("b".to_owned());
            }
            let assignment = if readable {
                given.encode(mode).unwrap()
            } else {
                vec![0xff; 3]
            };
            Response::SyncGroup(SyncGroupResponse {
                error,
                assignment,
                ..SyncGroupResponse::default()
            })
        }
        RequestKind::Heartbeat => {
            let error = if error == KafkaError::MemberIdRequired {
                KafkaError::None
            } else {
                error
            };
            Response::Heartbeat(HeartbeatResponse { error })
        }
        RequestKind::LeaveGroup => Response::LeaveGroup(LeaveGroupResponse {
            error,
            members: Vec::new(),
        }),
    }
}

fn run(seed: u64) -> Watch {
    let mut random = Random::new(seed);
    let mode = ConnectProtocol::ALL[random.below_u64(3) as usize];
    let settings = MemberSettings {
        mode,
        heartbeat_interval: HEARTBEAT,
        jitter_seed: seed,
        ..MemberSettings::new("g", "u")
    };
    let mut now = 1;
    let mut member = GroupMember::new(settings, now).unwrap();
    let mut watch = Watch::default();
    let mut stale: Vec<(RequestId, RequestKind)> = Vec::new();
    let mut generation = 0;
    member.request_rejoin(now, "starts");
    watch.see(now, taken(&mut member, now), seed);
    for _ in 0..400 {
        match random.below_u64(20) {
            0..=8 => {
                if let Some(place) =
                    (!watch.open.is_empty()).then(|| random.below_u64(watch.open.len() as u64) as usize)
                {
                    let (id, kind) = watch.open.remove(place);
                    stale.push((id, kind));
                    generation += 1;
                    member.handle_response(now, id, response(&mut random, kind, mode, generation));
                }
            }
            9 => {
                // An answer twice, or after its time.
                if let Some((id, kind)) = stale.last() {
                    member.handle_response(now, *id, response(&mut random, *kind, mode, generation));
                }
            }
            10 => {
                watch
                    .open
                    .retain(|(_, kind)| *kind == RequestKind::FindCoordinator);
                member.connection_lost(now);
            }
            11 => {
                if let Some((id, kind)) = watch.open.pop() {
                    if kind != RequestKind::FindCoordinator && !watch.asides.contains(&id) {
                        watch
                            .open
                            .retain(|(_, kind)| *kind == RequestKind::FindCoordinator);
                    }
                    member.request_failed(now, id);
                }
            }
            12 => {
                // The herder's answer to a lapsed lease: nothing is owned, and a new join is wanted.
                if watch.must_not_join || random.below_u64(4) == 0 {
                    watch.must_not_join = false;
                    member.request_rejoin(now, "asked");
                }
            }
            13 => {
                watch.must_stop_first = false;
                member.prepared(now);
            }
            14 => {
                let own = (ID.to_owned(), something().encode(mode).unwrap());
                member.assignments(now, member.generation(), vec![own]).unwrap();
            }
            15 => {
                watch.must_take_in = false;
                member.set_metadata(now, 7, watch.holds_work.then(something));
            }
            16 => member.herder_is_alive(now),
            17 if random.below_u64(10) == 0 => {
                watch.must_not_join = true;
                watch.must_take_in = false;
                watch.must_stop_first = false;
                watch.holds_work = false;
                member.leave(now, "x");
            }
            18 if random.below_u64(10) == 0 => {
                now += random.below_u64(3 * SESSION);
                member.poll(now);
            }
            _ => {
                let next = member.next_deadline();
                if let Some(at) = next {
                    now = at;
                    member.poll(now);
                }
            }
        }
        watch.see(now, taken(&mut member, now), seed);
        if watch.over {
            assert_eq!(member.next_deadline(), None, "seed {seed}");
            return watch;
        }
        match member.next_deadline() {
            Some(next) => assert!(next > now, "seed {seed}: polls without end at {now}"),
            None => assert!(
                member.held_back || member.preparing || !member.taken_in,
                "seed {seed}: waits for nobody"
            ),
        }
        assert_eq!(member.lease().is_some(), watch.holds_work, "seed {seed}");
        assert!(
            member.lease().is_none_or(|lease| lease.until > now),
            "seed {seed}"
        );
    }
    watch
}

#[test]
fn no_sequence_of_answers_failures_and_pauses_breaks_a_rule() {
    let (mut joined, mut lapsed, mut over) = (0, 0, 0);
    for seed in 0..1_000 {
        let watch = run(seed);
        joined += watch.joined;
        lapsed += watch.lapsed;
        over += usize::from(watch.over);
    }
    assert!(
        joined > 1_000 && lapsed > 500 && over > 50,
        "{joined} {lapsed} {over}"
    );
}
