//! The membership of a group, as its client sees it: upstream's `connect-coordinator-metrics`. Written by the membership's
//! thread.

use std::sync::atomic::{AtomicU64, Ordering};

use wharf_cluster::member::RequestKind;
use wharf_membership::Exchange;

use super::catalogue::MetricId::{self, *};
use super::clock::{MetricsClock, Moment, as_millis};
use super::exposition::{Exposition, Labels};
use super::sampled::{Sampled, Sampling};

/// Never.
const NEVER: u64 = u64::MAX;

/// Requests that were answered, and how long that took.
#[derive(Debug)]
struct Answered {
    total: AtomicU64,
    times: Sampled,
}

impl Answered {
    fn new(sampling: Sampling) -> Self {
        Self {
            total: AtomicU64::new(0),
            times: Sampled::new(sampling),
        }
    }

    fn record(&self, nanos: u64, now: Moment) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.times.record(as_millis(nanos), now);
    }

    fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// What is measured of the membership.
#[derive(Debug)]
pub(crate) struct CoordinatorMetrics {
    clock: MetricsClock,
    heartbeats: Answered,
    joins: Answered,
    syncs: Answered,
    rebalances: Answered,
    rebalance_nanos: AtomicU64,
    failed: Answered,
    /// Nanoseconds of the clock, or [`NEVER`].
    last_heartbeat: AtomicU64,
    last_rebalance: AtomicU64,
    /// When the first JoinGroup request of the rebalance under way was sent.
    joining_since: AtomicU64,
}

impl CoordinatorMetrics {
    pub(crate) fn new(clock: MetricsClock, sampling: Sampling) -> Self {
        let never = || AtomicU64::new(NEVER);
        Self {
            clock,
            heartbeats: Answered::new(sampling),
            joins: Answered::new(sampling),
            syncs: Answered::new(sampling),
            rebalances: Answered::new(sampling),
            rebalance_nanos: AtomicU64::new(0),
            failed: Answered::new(sampling),
            last_heartbeat: never(),
            last_rebalance: never(),
            joining_since: never(),
        }
    }

    /// A request was sent or has come to its end.
    pub(crate) fn exchange(&self, exchange: Exchange) {
        let now = self.clock.now();
        match exchange {
            Exchange::Sent(RequestKind::Heartbeat) => {
                self.last_heartbeat.store(now.nanos(), Ordering::Relaxed);
            }
            Exchange::Sent(RequestKind::JoinGroup) => {
                // The first attempt is when the rebalance began.
                let _ = self.joining_since.compare_exchange(
                    NEVER,
                    now.nanos(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
            }
            Exchange::Answered { kind, took, success } => {
                let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                self.answered(kind, nanos, success, now);
            }
            _ => {}
        }
    }

    fn answered(&self, kind: RequestKind, nanos: u64, success: bool, now: Moment) {
        match (kind, success) {
            (RequestKind::Heartbeat, true) => self.heartbeats.record(nanos, now),
            (RequestKind::JoinGroup, true) => self.joins.record(nanos, now),
            (RequestKind::SyncGroup, true) => {
                self.syncs.record(nanos, now);
                self.rebalanced(now);
            }
            (RequestKind::JoinGroup | RequestKind::SyncGroup, false) => self.failed.record(0, now),
            _ => {}
        }
    }

    fn rebalanced(&self, now: Moment) {
        let began = self.joining_since.swap(NEVER, Ordering::Relaxed);
        let nanos = if began == NEVER {
            0
        } else {
            now.nanos().saturating_sub(began)
        };
        self.rebalances.record(nanos, now);
        self.rebalance_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.last_rebalance.store(now.nanos(), Ordering::Relaxed);
    }

    pub(crate) fn write(&self, out: &mut Exposition, client_id: &str, connectors: usize, tasks: usize) {
        let labels = &Labels::none().with("client_id", client_id);
        let now = self.clock.now();
        out.count(AssignedConnectors, labels, connectors as u64);
        out.count(AssignedTasks, labels, tasks as u64);
        let ago = |at: &AtomicU64| match at.load(Ordering::Relaxed) {
            NEVER => -1.0,
            at => (now.nanos().saturating_sub(at) / 1_000_000_000) as f64,
        };
        let mut rate = |id: MetricId, of: &Answered, per_hour: bool| {
            let factor = if per_hour { 3600.0 } else { 1.0 };
            out.value(id, labels, of.times.event_rate(now) * factor);
        };
        rate(HeartbeatRate, &self.heartbeats, false);
        rate(JoinRate, &self.joins, false);
        rate(SyncRate, &self.syncs, false);
        rate(RebalanceRatePerHour, &self.rebalances, true);
        rate(FailedRebalanceRatePerHour, &self.failed, true);
        for (id, of) in [
            (HeartbeatTotal, &self.heartbeats),
            (JoinTotal, &self.joins),
            (SyncTotal, &self.syncs),
            (RebalanceTotal, &self.rebalances),
            (FailedRebalanceTotal, &self.failed),
        ] {
            out.count(id, labels, of.total());
        }
        for (average, max, of) in [
            (JoinTimeAvg, JoinTimeMax, &self.joins),
            (SyncTimeAvg, SyncTimeMax, &self.syncs),
            (RebalanceLatencyAvg, RebalanceLatencyMax, &self.rebalances),
        ] {
            out.optional(average, labels, of.times.average(now));
            out.optional(max, labels, of.times.max(now));
        }
        out.optional(HeartbeatResponseTimeMax, labels, self.heartbeats.times.max(now));
        let in_all = self.rebalance_nanos.load(Ordering::Relaxed);
        out.value(RebalanceLatencyTotal, labels, as_millis(in_all));
        out.value(LastHeartbeatSecondsAgo, labels, ago(&self.last_heartbeat));
        out.value(LastRebalanceSecondsAgo, labels, ago(&self.last_rebalance));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::TextFormat;
    use crate::metrics::text_check::check;

    #[test]
    fn requests_of_the_membership_are_counted_by_kind_and_outcome() {
        let (clock, turn) = MetricsClock::turned();
        let metrics = CoordinatorMetrics::new(clock, Sampling::default());
        let served = |expected: &[(&str, f64)]| {
            let mut out = Exposition::new(TextFormat::Prometheus);
            metrics.write(&mut out, "w", 2, 5);
            let served = check(&out.finish(), TextFormat::Prometheus);
            for (name, value) in expected {
                let found = served.get(&format!("kafka_connect_coordinator_{name}{{client_id=\"w\"}}"));
                assert_eq!(found.copied(), Some(*value).filter(|it| !it.is_nan()), "{name}");
            }
        };
        served(&[
            ("assigned_connectors", 2.0),
            ("assigned_tasks", 5.0),
            ("last_heartbeat_seconds_ago", -1.0),
            ("last_rebalance_seconds_ago", -1.0),
            ("join_time_max_ms", f64::NAN),
            ("rebalance_total", 0.0),
        ]);
        let answered = |kind, millis, success| {
            metrics.exchange(Exchange::Sent(kind));
            turn.by_millis(millis);
            let took = Duration::from_millis(millis);
            metrics.exchange(Exchange::Answered { kind, took, success });
        };
        answered(RequestKind::FindCoordinator, 9, true);
        answered(RequestKind::JoinGroup, 5, false);
        answered(RequestKind::JoinGroup, 20, true);
        answered(RequestKind::SyncGroup, 15, true);
        for millis in [1, 3, 2] {
            answered(RequestKind::Heartbeat, millis, true);
        }
        answered(RequestKind::Heartbeat, 500, false);
        turn.by_millis(2_000);
        served(&[
            ("heartbeat_total", 3.0),
            ("heartbeat_response_time_max_ms", 3.0),
            ("last_heartbeat_seconds_ago", 2.0),
            ("join_total", 1.0),
            ("join_time_avg_ms", 20.0),
            ("sync_total", 1.0),
            ("sync_time_max_ms", 15.0),
            ("rebalance_total", 1.0),
            ("rebalance_latency_avg_ms", 40.0),
            ("rebalance_latency_ms_total", 40.0),
            ("failed_rebalance_total", 1.0),
            ("last_rebalance_seconds_ago", 2.0),
        ]);
        answered(RequestKind::JoinGroup, 10, true);
        answered(RequestKind::SyncGroup, 10, true);
        served(&[
            ("rebalance_latency_max_ms", 40.0),
            ("rebalance_latency_ms_total", 60.0),
        ]);
    }
}
