//! The byte budget that all tasks of a worker share.
//!
//! A task says how many bytes of records it holds ([`Share::hold`]) and asks before it takes more
//! ([`Share::may_take_more`]). A task that holds nothing may always take one batch, so none starves for ever; the total may
//! exceed the budget by one batch per task at the most, and each batch is bounded by the task's own budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::MemoryLimits;

/// The budget of a worker.
#[derive(Debug)]
pub struct WorkerMemory {
    limits: MemoryLimits,
    held: AtomicU64,
}

impl WorkerMemory {
    /// An unused budget.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            held: AtomicU64::new(0),
        })
    }

    /// Bytes that one task may hold.
    #[must_use]
    pub fn task_limit(&self) -> u64 {
        self.limits.task_max_bytes
    }

    /// Bytes held by all tasks.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// A task's share, holding nothing.
    #[must_use]
    pub fn share(self: &Arc<Self>) -> Share {
        Share {
            memory: Arc::clone(self),
            held: 0,
        }
    }
}

/// What one task holds; given back when dropped.
#[derive(Debug)]
pub struct Share {
    memory: Arc<WorkerMemory>,
    held: u64,
}

impl Share {
    /// Says how many bytes the task holds now.
    pub fn hold(&mut self, bytes: u64) {
        let total = &self.memory.held;
        if bytes >= self.held {
            total.fetch_add(bytes - self.held, Ordering::Relaxed);
        } else {
            total.fetch_sub(self.held - bytes, Ordering::Relaxed);
        }
        self.held = bytes;
    }

    /// Whether the task may take more records now.
    #[must_use]
    pub fn may_take_more(&self) -> bool {
        self.held == 0
            || (self.held < self.memory.limits.task_max_bytes
                && self.memory.held() < self.memory.limits.worker_max_bytes)
    }

    /// Reserves up to `wanted` bytes for the life of the task, less when the budget is short, and never less than `floor`.
    #[must_use]
    pub fn reserve(&mut self, wanted: u64, floor: u64) -> u64 {
        let free = self
            .memory
            .limits
            .worker_max_bytes
            .saturating_sub(self.memory.held());
        let granted = wanted.min(free / 2).max(floor);
        self.hold(self.held + granted);
        granted
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(task: u64, worker: u64) -> Arc<WorkerMemory> {
        WorkerMemory::new(MemoryLimits {
            task_max_bytes: task,
            worker_max_bytes: worker,
        })
    }

    #[test]
    fn a_task_that_holds_its_budget_may_not_take_more() {
        let memory = memory(100, 1000);
        let mut share = memory.share();
        assert!(share.may_take_more());
        share.hold(99);
        assert!(share.may_take_more());
        share.hold(100);
        assert!(!share.may_take_more());
        share.hold(10);
        assert!(share.may_take_more());
    }

    #[test]
    fn a_full_worker_lets_only_empty_handed_tasks_take_one_batch() {
        let memory = memory(100, 150);
        let (mut a, mut b, c) = (memory.share(), memory.share(), memory.share());
        a.hold(90);
        b.hold(80);
        assert!(!a.may_take_more() && !b.may_take_more());
        assert!(c.may_take_more(), "it holds nothing");
        drop(a);
        assert_eq!(memory.held(), 80);
        assert!(b.may_take_more());
    }

    #[test]
    fn reservations_shrink_as_the_budget_runs_short() {
        let memory = memory(100, 200);
        let mut shares: Vec<Share> = (0..4).map(|_| memory.share()).collect();
        let granted: Vec<u64> = shares.iter_mut().map(|share| share.reserve(80, 10)).collect();
        assert_eq!(granted, [80, 60, 30, 15]);
    }
}
