//! When to ask for a rebalance: soon after the first change, ever later after the following ones.
//!
//! Every rebalance costs each member a round trip, and a script that creates a hundred connectors should not cause a
//! hundred of them. A change after a quiet time is acted on almost at once; while changes keep coming the wait
//! triples. A hundred that come within a quarter of a minute are ten rebalances at the most, on a slow machine too.

use crate::time::Millis;

/// Wait before the first rebalance after a quiet time.
const FIRST: Millis = 20;
/// Each following wait is this many times the one before.
const GROWTH: Millis = 3;
/// When no change comes for this part of a wait, the series is over and the wait as well.
const SETTLED: Millis = 4;
/// Longest wait.
const LONGEST: Millis = 4_000;
/// When nothing was asked for and the group did not talk for this long, the next wait is a first one again.
const QUIET: Millis = 3_000;
/// At most this long, though: somebody who waits for each connector to run before creating the next one is not to be kept
/// waiting. Longer than a request that creates a connector takes on a busy machine.
const LONGEST_PAUSE: Millis = 300;
/// What a follower waits longer than the leader, whose rejoin pulls everybody in.
const FOLLOWER: Millis = 300;

/// A rebalance that is wanted.
#[derive(Debug, Clone)]
struct Due {
    /// When it is asked for, unless more changes come.
    at: Millis,
    /// When it is asked for at the latest.
    latest: Millis,
    reason: String,
}

/// The pacing of one worker's requests to rejoin.
#[derive(Debug, Clone, Default)]
pub(super) struct RejoinPacer {
    due: Option<Due>,
    wait: Millis,
    /// The last time this worker asked, or the last rebalance that it wanted, whoever asked for it: followers, which seldom ask,
    /// must not be more impatient than the leader.
    last: Option<Millis>,
    was_asked_for: bool,
}

impl RejoinPacer {
    /// How long no change has to come for the series to be over.
    fn pause(&self) -> Millis {
        (self.wait / SETTLED).clamp(FIRST, LONGEST_PAUSE)
    }

    /// Something changed that the group has to talk about.
    pub(super) fn want(&mut self, now: Millis, is_leader: bool, reason: &str) {
        let extra = if is_leader { 0 } else { FOLLOWER };
        let quiet = self.pause() + extra;
        if let Some(due) = &mut self.due {
            due.at = due.at.max(now + quiet).min(due.latest);
            return;
        }
        if self.last.is_none_or(|last| now.saturating_sub(last) >= QUIET) {
            self.wait = FIRST;
        }
        let quiet = self.pause() + extra;
        let latest = now + self.wait + extra;
        self.due = Some(Due {
            at: latest.min(now + quiet),
            latest,
            reason: reason.to_owned(),
        });
    }

    /// The group has just talked; `knew_all` when it knew all that this worker knows.
    pub(super) fn rebalanced(&mut self, now: Millis, knew_all: bool) {
        if std::mem::take(&mut self.was_asked_for) || self.due.is_some() {
            self.last = Some(now);
            self.wait = (self.wait.max(FIRST) * GROWTH).min(LONGEST);
        }
        if knew_all {
            self.due = None;
            return;
        }
        let pause = self.pause();
        if let Some(due) = &mut self.due {
            due.latest = due.latest.max(now + self.wait);
            due.at = due.at.max(now + pause).min(due.latest);
        }
    }

    /// When [`RejoinPacer::take`] gives something.
    pub(super) fn deadline(&self) -> Option<Millis> {
        self.due.as_ref().map(|due| due.at)
    }

    /// The reason to rejoin now.
    pub(super) fn take(&mut self, now: Millis) -> Option<String> {
        if self.due.as_ref().is_none_or(|due| due.at > now) {
            return None;
        }
        self.was_asked_for = true;
        // What is wanted until the group has talked is part of the same series, however long the wait was and the talk takes.
        self.last = Some(now);
        self.due.take().map(|due| due.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_changes_in_a_row_are_a_handful_of_rebalances() {
        // Changes this many milliseconds apart.
        for pause in [5, 30, 120, 150] {
            let mut pacer = RejoinPacer::default();
            let (mut rejoins, mut talks_until) = (Vec::new(), None);
            for now in 0..100 * pause + 2 * LONGEST {
                if now < 100 * pause && now % pause == 0 {
                    pacer.want(now, true, "created");
                }
                // The group talks for a while, and then does not know all that came meanwhile.
                match talks_until {
                    Some(end) if now < end => {}
                    Some(_) => {
                        talks_until = None;
                        pacer.rebalanced(now, false);
                    }
                    None if pacer.take(now).is_some() => {
                        rejoins.push(now);
                        talks_until = Some(now + 100);
                    }
                    None => {}
                }
            }
            assert!((4..=9).contains(&rejoins.len()), "{rejoins:?}");
            assert_eq!(rejoins.first(), Some(&FIRST));
            assert_eq!(pacer.deadline(), None);
        }
    }

    #[test]
    fn a_series_that_ends_is_not_waited_for() {
        let mut pacer = RejoinPacer::default();
        // Long enough for the longest wait.
        for now in (0..30_000).step_by(10) {
            pacer.want(now, true, "created");
            if pacer.take(now).is_some() {
                pacer.rebalanced(now, true);
            }
        }
        pacer.want(30_000, true, "the last one");
        assert!(
            pacer
                .deadline()
                .is_some_and(|at| at <= 30_000 + LONGEST / SETTLED)
        );
    }

    #[test]
    fn who_waits_for_each_change_to_take_effect_is_not_kept_waiting_for_the_next_one() {
        let mut pacer = RejoinPacer::default();
        let mut now = 0;
        for _ in 0..100 {
            pacer.want(now, true, "created");
            let due = pacer.deadline().unwrap();
            assert!(due <= now + LONGEST_PAUSE, "{due} after {now}");
            assert!(pacer.take(due).is_some());
            pacer.rebalanced(due + 10, true);
            now = due + 20;
        }
    }

    #[test]
    fn a_change_after_a_quiet_time_is_acted_on_at_once_again() {
        let mut pacer = RejoinPacer::default();
        for now in [0, 100, 200] {
            pacer.want(now, true, "x");
            pacer.take(now + LONGEST);
            pacer.rebalanced(now + LONGEST, true);
        }
        let later = 10 * QUIET;
        pacer.want(later, true, "x");
        assert_eq!(pacer.deadline(), Some(later + FIRST));
    }

    #[test]
    fn a_follower_leaves_the_leader_time_and_does_nothing_when_the_group_talked_already() {
        let mut pacer = RejoinPacer::default();
        pacer.want(0, false, "x");
        assert_eq!(pacer.deadline(), Some(FIRST + FOLLOWER));
        pacer.rebalanced(100, true);
        assert_eq!(pacer.take(10_000), None);
        // And becomes as patient as the leader.
        pacer.want(200, false, "x");
        assert_eq!(pacer.deadline(), Some(200 + FIRST + FOLLOWER));
        pacer.rebalanced(900, false);
        assert_eq!(pacer.deadline(), Some(900 + GROWTH * GROWTH * FIRST / SETTLED));
    }
}
