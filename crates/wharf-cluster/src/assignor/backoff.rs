//! How long a leader waits before it takes work away again, when it did so in the round before.

/// How much longer each wait is than the last.
const FACTOR: i32 = 40;

/// Milliseconds before the `attempt`-th revocation in a row: 40, 1600, 64000, and never more than `max_delay`.
///
/// In floating point, as upstream, because a leader that computes another number here is seen by every member.
pub(super) fn backoff(max_delay: i32, attempt: u32) -> i32 {
    if max_delay <= 1 {
        return max_delay.max(0);
    }
    let max = f64::from(max_delay);
    let factor = f64::from(FACTOR);
    let exponent = f64::from(attempt).min(max.ln() / factor.ln());
    // A cast of a float stops at the ends of the integer.
    (factor.powf(exponent) as i32).min(max_delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_forty_times_the_last_up_to_the_longest() {
        for (max_delay, expected) in [
            (0, [0, 0, 0, 0]),
            (1, [1, 1, 1, 1]),
            (30, [30, 30, 30, 30]),
            (1_000, [40, 1_000, 1_000, 1_000]),
            (i32::MAX, [40, 1_600, 64_000, 2_560_000]),
        ] {
            let waits: Vec<_> = (1..=4).map(|attempt| backoff(max_delay, attempt)).collect();
            // The longest wait is a power that may be rounded down.
            let near = |(wait, expected): (&i32, &i32)| (expected - 1..=*expected).contains(wait);
            assert!(waits.iter().zip(&expected).all(near), "{max_delay}: {waits:?}");
        }
        assert_eq!(backoff(300_000, 3), 64_000);
    }
}
