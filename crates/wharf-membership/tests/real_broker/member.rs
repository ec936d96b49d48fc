//! A member of a group, and what it tells.

use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use wharf_cluster::member::{Elected, Event, Joined, MemberSettings, RequestKind};
use wharf_cluster::protocol::{Assignment, ConnectorsAndTasks};
use wharf_membership::{Clock, ConnectionError, Exchange, GroupClient, GroupEvent};

use super::*;

/// A member, and what it tells.
pub(crate) struct Member {
    pub(crate) client: GroupClient,
    events: Receiver<GroupEvent>,
}

impl Member {
    pub(crate) fn start(
        connection: &ConnectionSettings,
        group: &str,
        url: &str,
        mode: ConnectProtocol,
    ) -> Self {
        let (tell, events) = channel();
        let settings = MemberSettings {
            mode,
            heartbeat_interval: 100,
            session_timeout: 6_000,
            rebalance_timeout: 60_000,
            ..MemberSettings::new(group, url)
        };
        let client = GroupClient::start(settings, connection.clone(), Clock::start(), move |event| {
            let _ = tell.send(event);
        });
        let client = client.unwrap();
        client.set_metadata(5, None);
        Self { client, events }
    }

    pub(crate) fn next(&self) -> Event {
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

    pub(crate) fn elected(&self) -> Elected {
        loop {
            match self.next() {
                Event::Elected(elected) => return elected,
                Event::Prepare { .. } | Event::Joined(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn joined(&self) -> Joined {
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
    pub(crate) fn assign(&self, elected: &Elected) {
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

    /// Joins a group of nobody else, and leads it.
    pub(crate) fn leads_alone(&self) -> Joined {
        self.client.rejoin("test");
        let elected = self.elected();
        assert_eq!(elected.members.len(), 1);
        self.assign(&elected);
        self.joined()
    }

    /// Until then every request is answered with success, and there is no rebalance; says how many heartbeats there were.
    pub(crate) fn beats_until(&self, end: Instant) -> usize {
        let mut heartbeats = 0;
        while Instant::now() < end {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Exchange(Exchange::Answered { kind, success, .. }) => {
                    assert!(success, "{kind:?} after {heartbeats} heartbeats");
                    heartbeats += usize::from(kind == RequestKind::Heartbeat);
                }
                GroupEvent::Exchange(_) => {}
                other => panic!("{other:?} after {heartbeats} heartbeats"),
            }
        }
        heartbeats
    }

    /// Waits for a request that is not answered.
    pub(crate) fn fails_to_ask(&self) {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Exchange(Exchange::Answered { success: false, .. }) => return,
                GroupEvent::Exchange(_) | GroupEvent::Member(Event::Prepare { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Until then it does nothing about what it is told.
    pub(crate) fn ignores_until(&self, end: Instant) {
        while Instant::now() < end {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Exchange(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The moment when its next join goes out.
    pub(crate) fn sends_join(&self) -> Instant {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Exchange(Exchange::Sent(RequestKind::JoinGroup)) => return Instant::now(),
                GroupEvent::Exchange(_) | GroupEvent::Member(Event::Prepare { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Why it cannot join, which the first request has to tell.
    pub(crate) fn is_refused(&self) -> ConnectionError {
        self.client.rejoin("test");
        let mut outcome = None;
        loop {
            match self.events.recv_timeout(PATIENCE).expect("nothing was told") {
                GroupEvent::Unusable(error) => return error,
                GroupEvent::Exchange(Exchange::Sent(kind)) => {
                    assert!(outcome.is_none(), "{kind:?} after {outcome:?}");
                }
                GroupEvent::Exchange(answered) => outcome = Some(answered),
                other => panic!("{other:?}"),
            }
        }
    }
}
