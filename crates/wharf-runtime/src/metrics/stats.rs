//! Pairs and small sets of statistics that upstream's groups share.

use std::sync::atomic::{AtomicU64, Ordering};

use super::catalogue::MetricId;
use super::clock::{Moment, as_millis};
use super::exposition::{Exposition, Labels};
use super::sampled::{Sampled, Sampling};

/// A count and its rate: upstream's `…-total` and `…-rate`.
#[derive(Debug)]
pub(crate) struct Throughput {
    total: AtomicU64,
    sampled: Sampled,
}

impl Throughput {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self {
            total: AtomicU64::new(0),
            sampled: Sampled::new(sampling),
        }
    }

    pub(crate) fn add(&self, count: u64, now: Moment) {
        self.total.fetch_add(count, Ordering::Relaxed);
        self.sampled.record(count as f64, now);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn rate(&self, now: Moment) -> f64 {
        self.sampled.rate(now)
    }

    pub(crate) fn write(
        &self,
        out: &mut Exposition,
        labels: &Labels,
        [rate, total]: [MetricId; 2],
        now: Moment,
    ) {
        out.value(rate, labels, self.rate(now));
        out.count(total, labels, self.total());
    }
}

/// Times of something, in milliseconds: upstream's `…-max-time-ms` and `…-avg-time-ms`.
#[derive(Debug)]
pub(crate) struct Times(Sampled);

impl Times {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self(Sampled::new(sampling))
    }

    pub(crate) fn took(&self, nanos: u64, now: Moment) {
        self.0.record(as_millis(nanos), now);
    }

    pub(crate) fn write(
        &self,
        out: &mut Exposition,
        labels: &Labels,
        [max, average]: [MetricId; 2],
        now: Moment,
    ) {
        out.optional(max, labels, self.0.max(now));
        out.optional(average, labels, self.0.average(now));
    }
}

/// What succeeded and what failed.
#[derive(Debug)]
pub(crate) struct Outcomes {
    succeeded: AtomicU64,
    failed: AtomicU64,
    sampled: Sampled,
}

impl Outcomes {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self {
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            sampled: Sampled::new(sampling),
        }
    }

    pub(crate) fn record(&self, success: bool, now: Moment) {
        let counter = if success { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        self.sampled.record(f64::from(u8::from(success)), now);
    }

    pub(crate) fn write_shares(
        &self,
        out: &mut Exposition,
        labels: &Labels,
        [failure, success]: [MetricId; 2],
        now: Moment,
    ) {
        let (failed, succeeded) = self.sampled.shares(now);
        out.value(failure, labels, failed);
        out.value(success, labels, succeeded);
    }

    pub(crate) fn write_totals(
        &self,
        out: &mut Exposition,
        labels: &Labels,
        [attempts, success, failure]: [MetricId; 3],
    ) {
        let failed = self.failed.load(Ordering::Relaxed);
        let succeeded = self.succeeded.load(Ordering::Relaxed);
        out.count(attempts, labels, failed + succeeded);
        out.count(success, labels, succeeded);
        out.count(failure, labels, failed);
    }
}

/// A number of records that are on their way: upstream's `…-active-count` with `-max` and `-avg`.
#[derive(Debug)]
pub(crate) struct Active {
    now: AtomicU64,
    sampled: Sampled,
}

impl Active {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self {
            now: AtomicU64::new(0),
            sampled: Sampled::new(sampling),
        }
    }

    pub(crate) fn set(&self, count: u64, now: Moment) {
        self.now.store(count, Ordering::Relaxed);
        self.sampled.record(count as f64, now);
    }

    pub(crate) fn add(&self, count: u64, now: Moment) {
        self.set(self.now.load(Ordering::Relaxed) + count, now);
    }

    /// As upstream, never below 0: a transaction that was aborted takes records out of sight.
    pub(crate) fn remove(&self, count: u64, now: Moment) {
        self.set(self.now.load(Ordering::Relaxed).saturating_sub(count), now);
    }

    pub(crate) fn write(
        &self,
        out: &mut Exposition,
        labels: &Labels,
        [count, max, average]: [MetricId; 3],
        now: Moment,
    ) {
        out.count(count, labels, self.now.load(Ordering::Relaxed));
        out.optional(max, labels, self.sampled.max(now));
        out.optional(average, labels, self.sampled.average(now));
    }
}
