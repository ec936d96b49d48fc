//! When a failed request is tried again: exponential back-off with full jitter.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The waits between tries.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    pub(crate) max_retries: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The most to wait before this retry, counted from 0: the first wait doubled each time, up to the longest.
    fn ceiling(&self, retry: u32) -> Duration {
        self.first
            .saturating_mul(1_u32.checked_shl(retry.min(30)).unwrap_or(u32::MAX))
            .min(self.longest)
    }

    /// How long to wait before this retry: anything up to its ceiling.
    pub(crate) fn wait(&self, retry: u32) -> Duration {
        let ceiling = u64::try_from(self.ceiling(retry).as_millis()).unwrap_or(u64::MAX);
        match ceiling {
            0 => Duration::ZERO,
            _ => Duration::from_millis(random() % ceiling + 1),
        }
    }
}

/// A number by chance, good enough to keep clients apart: each of the library's hashers has keys of its own.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_longest_wait() {
        let backoff = Backoff {
            max_retries: 3,
            first: Duration::from_millis(1000),
            longest: Duration::from_millis(20_000),
        };
        let ceilings: Vec<_> = [0, 1, 4, 5, 60]
            .map(|retry| backoff.ceiling(retry).as_millis())
            .into();
        assert_eq!(ceilings, [1000, 2000, 16_000, 20_000, 20_000]);
        for retry in 0..50 {
            let wait = backoff.wait(retry);
            assert!(wait > Duration::ZERO && wait <= backoff.ceiling(retry));
        }
    }

    #[test]
    fn no_wait_is_no_wait() {
        let none = Backoff {
            max_retries: 1,
            first: Duration::ZERO,
            longest: Duration::from_secs(1),
        };
        assert_eq!(none.wait(5), Duration::ZERO);
    }
}
