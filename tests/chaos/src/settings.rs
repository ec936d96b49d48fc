//! What a run is made of.

use std::time::Duration;

/// How soon the group forgets a silent member; a frozen worker sleeps longer than this.
pub const SESSION: Duration = Duration::from_millis(3_000);

/// One run. The same settings give the same schedule; how it meets with what the workers do is never quite the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where chance begins.
    pub seed: u64,
    /// How many workers there are.
    pub workers: usize,
    /// How many file sources, each with a topic, a file, and a sink that writes the topic to another file.
    pub flows: usize,
    /// Workers ended by SIGKILL and started again.
    pub kills: usize,
    /// Workers stopped by SIGSTOP for longer than [`SESSION`] and woken by SIGCONT.
    pub freezes: usize,
    /// Restarts of the broker, orderly or not.
    pub broker_restarts: usize,
    /// Workers ended in order and started again.
    pub planned_stops: usize,
    /// Whether sources write exactly once: then no record may be doubled either, for readers of committed records.
    pub exactly_once: bool,
}

impl Settings {
    /// What runs with all other tests: some minutes.
    #[must_use]
    pub fn short(seed: u64) -> Self {
        Self {
            seed,
            workers: 3,
            flows: 4,
            kills: 20,
            freezes: 5,
            broker_restarts: 3,
            planned_stops: 4,
            exactly_once: false,
        }
    }

    /// About this many minutes of the same mixture.
    #[must_use]
    pub fn of_minutes(seed: u64, minutes: u64) -> Self {
        let short = Self::short(seed);
        let times = |count: usize| {
            let scaled = count as u64 * minutes / SHORT_MINUTES;
            usize::try_from(scaled).unwrap_or(usize::MAX).max(1)
        };
        Self {
            kills: times(short.kills),
            freezes: times(short.freezes),
            broker_restarts: times(short.broker_restarts),
            planned_stops: times(short.planned_stops),
            ..short
        }
    }

    /// The same with exactly-once sources.
    #[must_use]
    pub fn exactly_once(self) -> Self {
        Self {
            exactly_once: true,
            ..self
        }
    }

    /// Worker properties on top of those that all groups of tests have.
    pub(crate) fn worker_properties(&self, port: u16) -> Vec<(&'static str, String)> {
        let session = SESSION.as_millis().to_string();
        let mut all = vec![
            // The same port after each start: the worker comes back under its name.
            ("listeners", format!("http://127.0.0.1:{port}")),
            ("session.timeout.ms", session.clone()),
            ("consumer.session.timeout.ms", session),
            ("consumer.heartbeat.interval.ms", "300".to_owned()),
        ];
        if self.exactly_once {
            all.push(("exactly.once.source.support", "enabled".to_owned()));
        }
        all
    }

    /// Isolation of those who read the topics.
    pub(crate) fn isolation(&self) -> &'static str {
        if self.exactly_once {
            "read_committed"
        } else {
            "read_uncommitted"
        }
    }
}

/// About how long [`Settings::short`] takes.
const SHORT_MINUTES: u64 = 2;

/// How to have the same schedule again.
pub(crate) fn how_to_repeat(settings: &Settings) -> String {
    let mut command = format!("cargo xtask chaos --seed {}", settings.seed);
    let of_minutes = |minutes| Settings {
        exactly_once: settings.exactly_once,
        ..Settings::of_minutes(settings.seed, minutes)
    };
    if *settings != of_minutes(SHORT_MINUTES)
        && let Some(minutes) = (1..10_000).find(|minutes| of_minutes(*minutes) == *settings)
    {
        command.push_str(&format!(" --minutes {minutes}"));
    }
    if settings.exactly_once {
        command.push_str(" --exactly-once");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_how_it_can_be_repeated() {
        let cases = [
            (Settings::short(7), "cargo xtask chaos --seed 7"),
            (Settings::of_minutes(7, 2), "cargo xtask chaos --seed 7"),
            (
                Settings::of_minutes(8, 30),
                "cargo xtask chaos --seed 8 --minutes 30",
            ),
            (
                Settings::short(9).exactly_once(),
                "cargo xtask chaos --seed 9 --exactly-once",
            ),
        ];
        for (settings, command) in cases {
            assert_eq!(how_to_repeat(&settings), command);
        }
    }

    #[test]
    fn exactly_once_is_asked_of_workers_only_when_the_run_is_for_it() {
        let asks = |settings: &Settings| {
            let all = settings.worker_properties(8083);
            all.iter().any(|(key, _)| *key == "exactly.once.source.support")
        };
        assert!(!asks(&Settings::short(1)));
        assert!(asks(&Settings::short(1).exactly_once()));
    }
}
