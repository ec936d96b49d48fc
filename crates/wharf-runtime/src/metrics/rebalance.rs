//! This worker's rebalances: upstream's `connect-worker-rebalance-metrics`. Written by the herder's thread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalogue::MetricId::*;
use super::clock::{MetricsClock, Moment, as_millis};
use super::exposition::{Exposition, Labels};
use super::sampled::Sampling;
use super::stats::Times;
use crate::sync::lock;

#[derive(Debug, Default)]
struct Progress {
    /// When the assignment came that is being carried out.
    since: Option<Moment>,
    /// When the last one was.
    resolved: Option<Moment>,
}

/// How often and how long this worker rebalanced.
#[derive(Debug)]
pub(crate) struct RebalanceMetrics {
    clock: MetricsClock,
    progress: Mutex<Progress>,
    completed: AtomicU64,
    times: Times,
}

/// What else the group's metrics tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupFacts<'g> {
    /// `EAGER`, `COMPATIBLE` or `SESSIONED`; `None` before the first generation.
    pub(crate) protocol: Option<&'g str>,
    pub(crate) leader_url: Option<&'g str>,
    pub(crate) generation: i32,
}

impl RebalanceMetrics {
    pub(crate) fn new(clock: MetricsClock, sampling: Sampling) -> Self {
        Self {
            clock,
            progress: Mutex::default(),
            completed: AtomicU64::new(0),
            times: Times::new(sampling),
        }
    }

    /// An assignment has come.
    pub(crate) fn assigned(&self) {
        let mut progress = lock(&self.progress);
        progress.since = Some(self.clock.now());
    }

    /// What was assigned is being worked on; nothing is said of the second and later calls after an assignment.
    pub(crate) fn resolved(&self) {
        let mut progress = lock(&self.progress);
        let Some(since) = progress.since.take() else {
            return;
        };
        let now = self.clock.now();
        progress.resolved = Some(now);
        self.completed.fetch_add(1, Ordering::Relaxed);
        self.times.took(now.nanos_since(since), now);
    }

    pub(crate) fn write(&self, out: &mut Exposition, facts: GroupFacts<'_>) {
        let none = Labels::none();
        let texts = [
            ("connect_protocol", facts.protocol.unwrap_or_default()),
            ("leader_name", facts.leader_url.unwrap_or_default()),
        ];
        out.texts(RebalanceInfo, &none, &texts);
        out.value(Epoch, &none, f64::from(facts.generation));
        out.count(CompletedRebalances, &none, self.completed.load(Ordering::Relaxed));
        let now = self.clock.now();
        let (is_under_way, resolved) = {
            let progress = lock(&self.progress);
            (progress.since.is_some(), progress.resolved)
        };
        out.count(Rebalancing, &none, u64::from(is_under_way));
        self.times
            .write(out, &none, [RebalanceMaxTime, RebalanceAvgTime], now);
        let since = resolved.map_or(f64::INFINITY, |at| as_millis(now.nanos_since(at)));
        out.value(TimeSinceLastRebalance, &none, since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TextFormat;
    use crate::metrics::text_check::check;

    #[test]
    fn a_rebalance_counts_once_it_is_carried_out() {
        let (clock, turn) = MetricsClock::turned();
        let metrics = RebalanceMetrics::new(clock, Sampling::default());
        let served = |expected: &[(&str, f64)]| {
            let mut out = Exposition::new(TextFormat::Prometheus);
            let facts = GroupFacts {
                protocol: Some("SESSIONED"),
                leader_url: Some("http://a:1/"),
                generation: 4,
            };
            metrics.write(&mut out, facts);
            let served = check(&out.finish(), TextFormat::Prometheus);
            for (name, value) in expected {
                let found = served.get(&format!("kafka_connect_worker_rebalance_{name}"));
                assert_eq!(found.copied(), Some(*value).filter(|it| !it.is_nan()), "{name}");
            }
        };
        served(&[
            (
                "info{connect_protocol=\"SESSIONED\",leader_name=\"http://a:1/\"}",
                1.0,
            ),
            ("epoch", 4.0),
            ("completed_rebalances_total", 0.0),
            ("rebalancing", 0.0),
            ("rebalance_max_time_ms", f64::NAN),
            ("time_since_last_rebalance_ms", f64::INFINITY),
        ]);
        metrics.resolved();
        metrics.assigned();
        turn.by_millis(200);
        served(&[("rebalancing", 1.0), ("completed_rebalances_total", 0.0)]);
        metrics.resolved();
        metrics.resolved();
        turn.by_millis(50);
        metrics.assigned();
        turn.by_millis(100);
        metrics.resolved();
        turn.by_millis(7);
        served(&[
            ("completed_rebalances_total", 2.0),
            ("rebalancing", 0.0),
            ("rebalance_max_time_ms", 200.0),
            ("rebalance_avg_time_ms", 150.0),
            ("time_since_last_rebalance_ms", 7.0),
        ]);
    }
}
