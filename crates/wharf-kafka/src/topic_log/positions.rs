//! How far a log was read, for who looks from outside of its thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The next offset to be read of each partition. A clone follows the same log.
#[derive(Debug, Clone)]
pub struct ReadPositions(Arc<[AtomicI64]>);

impl ReadPositions {
    pub(super) fn new(partitions: i32) -> Self {
        Self((0..partitions).map(|_| AtomicI64::new(0)).collect())
    }

    pub(super) fn note(&self, position: impl Fn(i32) -> i64) {
        for (partition, known) in (0..).zip(self.0.iter()) {
            known.store(position(partition), Ordering::Release);
        }
    }

    /// By number of the partition; 0 for one of which nothing was read yet.
    #[must_use]
    pub fn all(&self) -> Vec<i64> {
        self.0
            .iter()
            .map(|position| position.load(Ordering::Acquire))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shows_what_is_noted_later() {
        let positions = ReadPositions::new(3);
        let shown = positions.clone();
        assert_eq!(shown.all(), [0, 0, 0]);
        positions.note(|partition| i64::from(partition) * 10);
        assert_eq!(shown.all(), [0, 10, 20]);
    }
}
