//! Chance that can be repeated.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The generator, with what a schedule draws from it.
#[derive(Debug)]
pub(crate) struct Random(wharf_test_services::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(wharf_test_services::Random::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.below_u64(end)
    }

    /// A time of at least `from` and less than `to` milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let index = self.below(all.len().max(1) as u64);
        all.get(usize::try_from(index).unwrap_or_default()).copied()
    }

    /// Puts these into another order.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or_default();
            all.swap(last, other);
        }
    }
}

/// A seed that nobody chose; short, so that it can be typed.
pub fn any_seed() -> u64 {
    // Randomly keyed hashers are the only randomness that the standard library hands out.
    RandomState::new().hash_one(std::process::id()) % 1_000_000
}
