//! Waits that grow, with jitter.

use crate::time::Millis;

/// Twice as long each time, ±20 %.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Millis,
    most: Millis,
    seed: u64,
}

impl Backoff {
    pub(super) fn new(first: Millis, most: Millis, seed: u64) -> Self {
        Self {
            first: first.min(most),
            most,
            seed,
        }
    }

    /// The wait after `failures` failures before this one.
    pub(super) fn wait(&mut self, failures: u32) -> Millis {
        let wait = self.first.saturating_mul(1 << failures.min(20)).min(self.most);
        let fifth = wait / 5;
        (wait - fifth + self.random() % (2 * fifth + 1)).min(self.most)
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_with_a_fifth_of_jitter() {
        let mut backoff = Backoff::new(100, 1_000, 7);
        let mut seen = std::collections::BTreeSet::new();
        for (failures, low, high) in [
            (0, 80, 120),
            (1, 160, 240),
            (2, 320, 480),
            (3, 640, 960),
            (9, 800, 1_000),
        ] {
            for _ in 0..50 {
                let wait = backoff.wait(failures);
                assert!((low..=high).contains(&wait), "{failures}: {wait}");
                seen.insert(wait);
            }
        }
        assert!(seen.len() > 50, "{seen:?}");
        assert_eq!(Backoff::new(0, 0, 1).wait(3), 0);
    }
}
