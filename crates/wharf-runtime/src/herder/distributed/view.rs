//! What requests may know of the group, published by the herder's thread after every event.

use std::collections::HashMap;
use std::sync::Arc;

use wharf_cluster::assignor::GroupAssignment;
use wharf_cluster::herder::{Admission, WorkId, WorkSet};
use wharf_cluster::protocol::ConnectProtocol;

/// Where connectors and tasks run, as the leader has decided; empty elsewhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners(Arc<HashMap<WorkId, String>>);

impl Owners {
    pub(super) fn of(assignment: &GroupAssignment) -> Self {
        let urls: HashMap<&str, &str> = assignment
            .urls
            .iter()
            .map(|(member, url)| (member.as_str(), url.as_str()))
            .collect();
        let mut owners = HashMap::new();
        for share in &assignment.outcome.shares {
            let Some(url) = urls.get(share.member.as_str()) else {
                continue;
            };
            owners.extend(
                share
                    .owned
                    .to_work()
                    .into_iter()
                    .map(|id| (id, (*url).to_owned())),
            );
        }
        Self(Arc::new(owners))
    }

    #[cfg(test)]
    pub(super) fn one(id: &WorkId, url: &str) -> Self {
        Self(Arc::new(HashMap::from([(id.clone(), url.to_owned())])))
    }

    /// URL of the worker that runs it.
    pub(super) fn url(&self, id: &WorkId) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

/// All of it.
#[derive(Debug, Clone)]
pub(super) struct ClusterView {
    /// Where requests go that only the leader may carry out.
    pub(super) leader: Admission,
    /// Where requests go that any member may carry out.
    pub(super) member: Admission,
    pub(super) is_stable: bool,
    pub(super) is_leader: bool,
    pub(super) generation: i32,
    pub(super) protocol: Option<ConnectProtocol>,
    /// Of the leader of that generation.
    pub(super) leader_url: Option<String>,
    pub(super) owners: Owners,
    pub(super) owned: WorkSet,
}

impl Default for ClusterView {
    fn default() -> Self {
        Self {
            leader: Admission::Wait,
            member: Admission::Wait,
            is_stable: false,
            is_leader: false,
            generation: -1,
            protocol: None,
            leader_url: None,
            owners: Owners::default(),
            owned: WorkSet::new(),
        }
    }
}
