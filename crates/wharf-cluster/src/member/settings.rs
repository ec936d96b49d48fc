//! The worker keys that matter to a group member.

use super::MemberError;
use crate::protocol::{ConnectProtocol, PluginClasses};
use crate::time::Millis;

/// What a member has to know before it can join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSettings {
    /// `group.id`.
    pub group_id: String,
    /// URL of this worker's REST API as others reach it, with a slash at its end.
    pub url: String,
    /// `connect.protocol`.
    pub mode: ConnectProtocol,
    /// `session.timeout.ms`: how long the broker waits for a heartbeat, and how long a lease is.
    pub session_timeout: Millis,
    /// `rebalance.timeout.ms`: how long the broker waits for members to join, and how long the herder may be silent.
    pub rebalance_timeout: Millis,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Millis,
    /// `retry.backoff.ms`.
    pub retry_backoff: Millis,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Millis,
    /// `request.timeout.ms`.
    pub request_timeout: Millis,
    /// How long the coordinator may be unknown before that is told.
    pub discovery_timeout: Millis,
    /// All plugins of this worker, for a native leader; `None` says nothing of it.
    pub plugins: Option<Vec<PluginClasses>>,
    /// Where the jitter of waits begins. Different for each worker, so that they do not come back all at once.
    pub jitter_seed: u64,
}

impl MemberSettings {
    /// Upstream's defaults.
    pub fn new(group_id: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            url: url.into(),
            mode: ConnectProtocol::Sessioned,
            session_timeout: 10_000,
            rebalance_timeout: 60_000,
            heartbeat_interval: 3_000,
            retry_backoff: 100,
            retry_backoff_max: 1_000,
            request_timeout: 40_000,
            discovery_timeout: 3_000,
            plugins: None,
            jitter_seed: 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), MemberError> {
        if self.heartbeat_interval >= self.session_timeout {
            return Err(MemberError::HeartbeatInterval {
                heartbeat_interval: self.heartbeat_interval,
                session_timeout: self.session_timeout,
            });
        }
        Ok(())
    }

    /// How long a JoinGroup request may take: the broker answers it when the last member has joined.
    pub(super) fn join_timeout(&self) -> Millis {
        /// For small delays on the way.
        const LAPSE: Millis = 5_000;
        self.request_timeout
            .max(self.rebalance_timeout.saturating_add(LAPSE))
    }
}
