//! When a token is replaced: upstream's `ExpiringCredentialRefreshingLogin`.

use crate::Refresh;

/// A token that is close to its end already is not asked for more often than this.
const SHORTEST: u64 = 500;

/// How long from `now` a token that holds from `starts` to `ends` is kept; `chance` is between 0 and 1. Milliseconds.
///
/// Shortest period and buffer hold where the token lives long enough for both. Otherwise, as for a token that lives for
/// seconds, only the window does, counted from now.
pub(crate) fn keep_for(now: u64, starts: Option<u64>, ends: u64, refresh: &Refresh, chance: f64) -> u64 {
    let part = (f64::from(refresh.factor) + f64::from(refresh.jitter) * chance) / 1_000_000.0;
    let of = |life: u64| (life as f64 * part) as u64;
    let period = refresh.min_period.as_millis() as u64;
    let buffer = refresh.buffer.as_millis() as u64;
    if now + period + buffer > ends {
        return of(ends.saturating_sub(now)).max(SHORTEST);
    }
    let starts = starts.unwrap_or(now).min(ends);
    let at = starts + of(ends - starts);
    // The buffer weighs more than the period, and both fit.
    if at > ends - buffer {
        return ends - buffer - now;
    }
    at.saturating_sub(now).max(period)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn refresh(min_period: u64, buffer: u64) -> Refresh {
        Refresh {
            factor: 800_000,
            jitter: 50_000,
            min_period: Duration::from_secs(min_period),
            buffer: Duration::from_secs(buffer),
        }
    }

    #[test]
    fn a_token_is_replaced_in_its_window_unless_period_or_buffer_say_otherwise() {
        let usual = refresh(60, 300);
        for (what, now, starts, ends, refresh, chance, expected) in [
            ("window", HOUR, Some(HOUR), 2 * HOUR, &usual, 0.0, HOUR * 4 / 5),
            (
                "with jitter",
                HOUR,
                Some(HOUR),
                2 * HOUR,
                &usual,
                1.0,
                HOUR * 17 / 20,
            ),
            ("from now", HOUR, None, 2 * HOUR, &usual, 0.0, HOUR * 4 / 5),
            // 80 % of ten minutes would be inside the last five.
            ("buffer", 0, Some(0), 600_000, &usual, 0.0, 300_000),
            // Issued long ago: its window has begun.
            (
                "period",
                3_000_000,
                Some(0),
                HOUR,
                &refresh(120, 60),
                0.0,
                120_000,
            ),
            // Too short for both.
            ("short", 1_000, Some(0), 11_000, &usual, 0.0, 8_000),
            ("at its end", 10_900, Some(0), 11_000, &usual, 0.0, SHORTEST),
            ("over", 12_000, Some(0), 11_000, &usual, 0.0, SHORTEST),
        ] {
            assert_eq!(keep_for(now, starts, ends, refresh, chance), expected, "{what}");
        }
    }

    #[test]
    fn a_token_is_never_kept_beyond_its_buffer() {
        let refresh = refresh(900, 3_600);
        for hours in 2..50 {
            for age in 0..hours {
                let (now, ends) = (age * HOUR, hours * HOUR);
                let kept = keep_for(now, Some(0), ends, &refresh, 0.5);
                if now + 4_500_000 <= ends {
                    assert!(now + kept <= ends - HOUR, "{hours} {age} {kept}");
                } else {
                    assert!(now + kept < ends, "{hours} {age} {kept}");
                }
            }
        }
    }
}
