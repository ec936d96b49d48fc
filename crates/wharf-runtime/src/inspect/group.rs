//! What the members of a group told each other, read.

use std::collections::BTreeSet;

use wharf_cluster::herder::WorkSet;
use wharf_cluster::protocol::{Assignment, WorkerState};
use wharf_kafka::{GroupMember, GroupMembers};

/// The state in which every member has its assignment.
pub(super) const STABLE: &str = "Stable";
/// The state of a group that is not there.
pub(super) const DEAD: &str = "Dead";

/// A group of workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Kafka's name of its state.
    pub(super) state: String,
    /// The protocol on the wire; nothing while it has none.
    pub(super) protocol: Option<String>,
    /// In the order of their URLs.
    pub(super) members: Vec<Member>,
}

/// A worker in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) member_id: String,
    pub(super) client_id: String,
    pub(super) host: String,
    /// What it said when it joined; while the group rebalances the coordinator does not tell.
    pub(super) said: Option<WorkerState>,
    /// What the leader gave it then.
    pub(super) assignment: Option<Assignment>,
    /// Why one of both cannot be read.
    pub(super) unreadable: Option<String>,
}

impl Group {
    /// Of what the coordinator says; `None` is a group that is not there.
    pub(super) fn of(found: Option<GroupMembers>) -> Self {
        let Some(found) = found else {
            return Self {
                state: DEAD.to_owned(),
                protocol: None,
                members: Vec::new(),
            };
        };
        let mut members: Vec<Member> = found.members.into_iter().map(Member::of).collect();
        members.sort_by(|a, b| (a.url(), &a.member_id).cmp(&(b.url(), &b.member_id)));
        Self {
            state: found.state,
            protocol: Some(found.protocol).filter(|protocol| !protocol.is_empty()),
            members,
        }
    }

    /// Whether every member has its assignment.
    pub(super) fn is_stable(&self) -> bool {
        self.state == STABLE
    }

    /// Whether it will stay as it is until something happens.
    pub(super) fn is_settled(&self) -> bool {
        self.is_stable() || self.members.is_empty()
    }

    /// The member that assigned the work.
    pub(super) fn leader(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.is_leader())
    }

    /// How long the leader keeps the work of a lost worker for it; nothing when it waits for none.
    pub(super) fn delay_ms(&self) -> Option<i32> {
        self.members
            .iter()
            .filter_map(|member| Some(member.assignment.as_ref()?.delay))
            .max()
            .filter(|delay| *delay > 0)
    }

    /// Ids of its workers, as statuses name them.
    pub(super) fn worker_ids(&self) -> BTreeSet<String> {
        self.members.iter().filter_map(Member::worker_id).collect()
    }
}

impl Member {
    fn of(found: GroupMember) -> Self {
        let mut unreadable = None;
        let mut note = |what: &str, error: wharf_cluster::protocol::ProtocolError| {
            unreadable.get_or_insert(format!("its {what} cannot be read: {error}"));
        };
        let said = (!found.metadata.is_empty()).then(|| WorkerState::decode(&found.metadata));
        let said = said.and_then(|said| said.map_err(|error| note("metadata", error)).ok());
        let assignment = (!found.assignment.is_empty()).then(|| Assignment::decode(&found.assignment));
        let assignment = assignment.and_then(|it| it.map_err(|error| note("assignment", error)).ok());
        Self {
            member_id: found.member_id,
            client_id: found.client_id,
            host: found.host.trim_start_matches('/').to_owned(),
            said,
            assignment,
            unreadable,
        }
    }

    /// URL of its REST API.
    pub(super) fn url(&self) -> Option<&str> {
        self.said.as_ref().map(|said| said.url.as_str())
    }

    /// `host:port` of it.
    pub(super) fn worker_id(&self) -> Option<String> {
        self.url()
            .map(|url| wharf_cluster::protocol::worker_id(url).to_owned())
    }

    /// What messages call it.
    pub(super) fn name(&self) -> String {
        self.worker_id()
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("member {}", self.member_id))
    }

    pub(super) fn is_leader(&self) -> bool {
        self.assignment
            .as_ref()
            .is_some_and(|it| it.leader == self.member_id)
    }

    /// What it has to run. An assignment of a cooperative protocol names only what is new and what is to be given up; what
    /// stays is what the member said it had when it joined.
    pub(super) fn work(&self) -> WorkSet {
        let Some(assignment) = &self.assignment else {
            return WorkSet::new();
        };
        let had = self.said.as_ref().and_then(|said| said.allocation.as_ref());
        let mut work = had.map(|had| had.assigned.to_work()).unwrap_or_default();
        for id in assignment.revoked.to_work() {
            work.remove(&id);
        }
        work.extend(assignment.assigned.to_work());
        work
    }
}

#[cfg(test)]
mod tests {
    use wharf_cluster::herder::WorkId;
    use wharf_cluster::protocol::{ConnectProtocol, ConnectorsAndTasks};

    use super::*;

    fn work(connectors: &[&str], tasks: &[(&str, i32)]) -> ConnectorsAndTasks {
        let mut set: WorkSet = connectors
            .iter()
            .map(|name| WorkId::Connector((*name).to_owned()))
            .collect();
        set.extend(tasks.iter().map(|(name, task)| WorkId::task(*name, *task)));
        ConnectorsAndTasks::from_work(&set)
    }

    fn member(id: &str, had: Option<ConnectorsAndTasks>, assignment: Assignment) -> GroupMember {
        let protocol = ConnectProtocol::Sessioned;
        let mut state = WorkerState {
            url: format!("http://{id}:8083/"),
            ..WorkerState::default()
        };
        state.allocation = had.map(|assigned| Assignment {
            assigned,
            ..Assignment::default()
        });
        GroupMember {
            member_id: id.to_owned(),
            client_id: format!("connect-{id}"),
            host: "/10.0.0.1".to_owned(),
            metadata: state.encode(protocol).unwrap(),
            assignment: assignment.encode(protocol).unwrap(),
        }
    }

    fn found(members: Vec<GroupMember>) -> GroupMembers {
        GroupMembers {
            state: STABLE.to_owned(),
            protocol_type: "connect".to_owned(),
            protocol: "sessioned".to_owned(),
            members,
        }
    }

    #[test]
    fn a_member_runs_what_it_had_without_what_was_revoked_and_with_what_is_new() {
        let given = |assigned, revoked| Assignment {
            leader: "a".to_owned(),
            leader_url: "http://a:8083/".to_owned(),
            assigned,
            revoked,
            delay: 250,
            ..Assignment::default()
        };
        let group = Group::of(Some(found(vec![
            member("b", None, given(work(&["y"], &[]), ConnectorsAndTasks::default())),
            member(
                "a",
                Some(work(&["x"], &[("x", 0), ("x", 1)])),
                given(work(&[], &[("z", 0)]), work(&[], &[("x", 1)])),
            ),
        ])));
        assert!(group.is_stable() && group.is_settled());
        assert_eq!(group.leader().unwrap().name(), "a:8083");
        assert_eq!(group.delay_ms(), Some(250));
        assert_eq!(group.members[0].host, "10.0.0.1");
        assert_eq!(
            group.members[0].work(),
            work(&["x"], &[("x", 0), ("z", 0)]).to_work()
        );
        assert_eq!(group.members[1].work(), work(&["y"], &[]).to_work());
        assert_eq!(group.worker_ids(), ["a:8083", "b:8083"].map(str::to_owned).into());
    }

    #[test]
    fn what_the_coordinator_does_not_tell_or_nobody_can_read_is_no_work() {
        let mut silent = member("a", None, Assignment::default());
        silent.metadata.clear();
        silent.assignment.clear();
        let mut strange = member("b", None, Assignment::default());
        strange.assignment = vec![0, 1, 2];
        let mut group = found(vec![silent, strange]);
        group.state = "PreparingRebalance".to_owned();
        let group = Group::of(Some(group));
        assert!(!group.is_settled());
        let [silent, strange] = &group.members[..] else {
            panic!("two members")
        };
        assert_eq!(
            (silent.name(), silent.work().len(), &silent.unreadable),
            ("member a".to_owned(), 0, &None)
        );
        assert!(
            strange
                .unreadable
                .as_ref()
                .unwrap()
                .contains("its assignment cannot be read")
        );
        assert!(Group::of(None).is_settled());
    }
}
