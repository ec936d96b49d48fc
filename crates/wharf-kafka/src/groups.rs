//! What a group's coordinator says of its members, whatever protocol they speak.

/// A group of the classic protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMembers {
    /// Kafka's name of the state: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty` or `Dead`.
    pub state: String,
    /// What its members are: `consumer`, `connect`; empty when it never had any.
    pub protocol_type: String,
    /// The protocol that they agreed on; empty while they have not.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// What the coordinator calls it.
    pub member_id: String,
    /// What its client calls itself.
    pub client_id: String,
    /// The address that the coordinator sees.
    pub host: String,
    /// What it said when it joined, in the group's protocol; empty while the group rebalances.
    pub metadata: Vec<u8>,
    /// What the leader gave it; empty while the group rebalances.
    pub assignment: Vec<u8>,
}
