//! When to ask for a rebalance: soon after the first change, ever later after the following ones.
//!
//! Every rebalance costs each member a round trip, and a script that creates a hundred connectors should not cause a
//! hundred of them. A change after a quiet time is acted on almost at once; while changes keep coming the wait doubles, but a
//! pause between them ends it: somebody who waits for each connector to run before creating the next one is not kept waiting.

use crate::time::Millis;

/// Wait before the first rebalance after a quiet time.
const FIRST: Millis = 20;
/// Longest wait.
const LONGEST: Millis = 2_000;
/// Without a rebalance for this long, the next one is a first one again.
const QUIET: Millis = 3_000;
/// No further change for this long, and there is nothing more to wait for: longer than a request that creates a connector
/// takes, shorter than what a client notices.
const PAUSE: Millis = 150;
/// What a follower waits longer than the leader, whose rejoin pulls everybody in.
const FOLLOWER: Millis = 300;

/// The pacing of one worker's requests to rejoin.
#[derive(Debug, Clone, Default)]
pub(super) struct RejoinPacer {
    due: Option<(Millis, String)>,
    /// When the changes that are waiting will have paused for long enough.
    pause_ends: Millis,
    wait: Millis,
    /// The last rebalance that this worker wanted, whoever asked for it: followers, which seldom ask, must not be more
    /// impatient than the leader.
    last: Option<Millis>,
    was_asked_for: bool,
}

impl RejoinPacer {
    /// Something changed that the group has to talk about.
    pub(super) fn want(&mut self, now: Millis, is_leader: bool, reason: &str) {
        let extra = if is_leader { 0 } else { FOLLOWER };
        self.pause_ends = now + PAUSE + extra;
        if self.due.is_some() {
            return;
        }
        if self.last.is_none_or(|last| now.saturating_sub(last) >= QUIET) {
            self.wait = FIRST;
        }
        self.due = Some((now + self.wait + extra, reason.to_owned()));
    }

    /// The group has just talked; `knew_all` when it knew all that this worker knows.
    pub(super) fn rebalanced(&mut self, now: Millis, knew_all: bool) {
        if std::mem::take(&mut self.was_asked_for) || self.due.is_some() {
            self.last = Some(now);
            self.wait = (self.wait.max(FIRST) * 2).min(LONGEST);
        }
        if knew_all {
            self.due = None;
        } else if let Some((at, _)) = &mut self.due {
            *at = (*at).max(now + self.wait);
            self.pause_ends = self.pause_ends.max(now + PAUSE);
        }
    }

    /// When [`RejoinPacer::take`] gives something.
    pub(super) fn deadline(&self) -> Option<Millis> {
        self.due.as_ref().map(|(at, _)| (*at).min(self.pause_ends))
    }

    /// The reason to rejoin now.
    pub(super) fn take(&mut self, now: Millis) -> Option<String> {
        if self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        self.was_asked_for = true;
        self.due.take().map(|(_, reason)| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_changes_in_a_row_are_a_handful_of_rebalances() {
        let mut pacer = RejoinPacer::default();
        let mut rejoins = Vec::new();
        // A change every 30 ms, for three seconds.
        for now in 0..6_000 {
            if now < 3_000 && now % 30 == 0 {
                pacer.want(now, true, "created");
            }
            if pacer.take(now).is_some() {
                rejoins.push(now);
                pacer.rebalanced(now, true);
            }
        }
        assert!((5..=9).contains(&rejoins.len()), "{rejoins:?}");
        assert_eq!(rejoins.first(), Some(&FIRST));
        assert_eq!(pacer.deadline(), None);
    }

    #[test]
    fn who_waits_for_each_change_to_take_effect_is_not_kept_waiting_for_the_next_one() {
        let mut pacer = RejoinPacer::default();
        let mut now = 0;
        for _ in 0..100 {
            pacer.want(now, true, "created");
            let due = pacer.deadline().unwrap();
            assert!(due <= now + PAUSE, "{due} after {now}");
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
        assert_eq!(pacer.deadline(), Some(200 + 2 * FIRST + FOLLOWER));
        pacer.rebalanced(900, false);
        assert_eq!(pacer.deadline(), Some(900 + 4 * FIRST));
    }
}
