//! How long each side believes in the other: heartbeats, the broker's session, the herder's silence, and the lease on work.

use super::MemberSettings;
use crate::time::Millis;

/// The right to do work that others can see.
///
/// Work belongs to the lease under which it was started. Before each step with an effect it asks whether that is still the
/// member's lease and not over. A later lease, under another number, does not bring it back: it may run elsewhere by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which lease of this member.
    pub number: u64,
    /// Until when the broker surely counts this member in.
    pub until: Millis,
}

/// The timers of a member.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// When to send a heartbeat.
    pub(super) next_heartbeat: Millis,
    /// Failed heartbeats since the last good one.
    pub(super) failures: u32,
    /// When the coordinator is thought to be gone, for want of an answer.
    pub(super) session_ends: Millis,
    /// When the herder is thought to hang.
    pub(super) herder_ends: Millis,
    /// Whether there is an assignment that a lapsed lease would end.
    pub(super) holds_work: bool,
    /// Until when the broker surely counts this member in.
    pub(super) counted_until: Millis,
    /// How many leases there were before this one.
    pub(super) lease_number: u64,
    /// The last time at which no rebalance had begun.
    quiet_at: Millis,
}

impl Liveness {
    /// A JoinGroup response came: heartbeats are due from now on.
    pub(super) fn start(&mut self, now: Millis, sent: Millis, settings: &MemberSettings) {
        self.next_heartbeat = now.saturating_add(settings.heartbeat_interval);
        self.herder_ends = now.saturating_add(settings.rebalance_timeout);
        self.confirmed(now, sent, settings);
    }

    /// The broker confirmed a request that was sent at `sent`, and began a new session since then. When exactly is not known
    /// here: an answer may have been on its way for long.
    pub(super) fn confirmed(&mut self, now: Millis, sent: Millis, settings: &MemberSettings) {
        self.quiet_at = self.quiet_at.max(sent);
        self.extend(now, sent.saturating_add(settings.session_timeout), settings);
    }

    /// The same, and a rebalance is going on. When it has lasted for the rebalance timeout, the broker counts out who has not
    /// joined, heartbeats or not.
    pub(super) fn confirmed_in_rebalance(&mut self, now: Millis, sent: Millis, settings: &MemberSettings) {
        let rebalance_ends = self.quiet_at.saturating_add(settings.rebalance_timeout);
        self.extend(
            now,
            sent.saturating_add(settings.session_timeout).min(rebalance_ends),
            settings,
        );
    }

    fn extend(&mut self, now: Millis, until: Millis, settings: &MemberSettings) {
        self.failures = 0;
        self.session_ends = now.saturating_add(settings.session_timeout);
        self.counted_until = self.counted_until.max(until);
    }

    /// Whether work is held although the broker may count this member out.
    pub(super) fn has_lapsed(&self, now: Millis) -> bool {
        self.holds_work && now >= self.counted_until
    }

    /// When to ask the broker over another connection whether it still counts this member in, while it holds back an answer
    /// on the first one. Most rebalances end sooner.
    pub(super) fn next_aside(&self, settings: &MemberSettings) -> Millis {
        self.next_heartbeat.max(
            self.counted_until
                .saturating_sub(settings.session_timeout / 3 * 2),
        )
    }
}
