//! What a worker of a group knows of its group, for who looks at the group from outside (`GET /admin/cluster`).

use serde::{Deserialize, Serialize};

/// A worker's own view of its group. Another member's may differ for a moment: each learns of a rebalance by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// `group.id`.
    pub group_id: String,
    /// `host:port`, with which the worker signs statuses.
    pub worker_id: String,
    /// URL of its REST API for others, with a slash at its end.
    pub url: String,
    /// The generation that it joined last; -1 before the first.
    pub generation: i32,
    /// Name of the protocol of that generation on the wire; null before the first.
    pub protocol: Option<String>,
    /// URL of the leader of that generation; null before the first.
    pub leader_url: Option<String>,
    /// Whether it is that leader.
    pub is_leader: bool,
    /// Whether it is on its way into another generation, or to carry out what it was assigned.
    pub is_rebalancing: bool,
    /// One more than the offset of the last record of the config topic that it understood; -1 for none. What members compare.
    pub config_offset: i64,
    /// How far it has read the internal topics.
    pub topics: Vec<TopicPositions>,
}

/// How far one internal topic was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicPositions {
    /// `config`, `offset` or `status`.
    pub role: String,
    /// Its name.
    pub topic: String,
    /// The next offset to be read of each partition, by number.
    pub positions: Vec<i64>,
}
