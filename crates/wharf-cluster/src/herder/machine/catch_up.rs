//! What a worker does that knows less of the config topic than its assignment, or whose leader does.
//!
//! What must stay true: however the group rebalances meanwhile, a worker that cannot read the topic gives up in bounded time,
//! and does not make the group rebalance because of it.

use super::{HerderMachine, Phase};
use crate::herder::{Command, ConfigView};
use crate::time::Millis;

/// How many times `sync_timeout` a worker may fail to catch up before it gives up its work and leaves.
const CATCH_UP_ATTEMPTS: u32 = 3;

/// How long this worker has known less of the config topic than its assignments. A rebalance in between changes nothing
/// about it, or a worker that cannot read would make the group rebalance for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Behind {
    /// Since when the present attempt lasts.
    pub(super) since: Millis,
    pub(super) attempts: u32,
}

impl<V: ConfigView> HerderMachine<V> {
    pub(super) fn read_to_end(&mut self) {
        // Who catches up looks at what was read, not at this answer, which may be of an earlier attempt.
        if matches!(self.phase, Phase::Unreadable { .. }) {
            self.rejoin("the config topic can be read again");
        }
    }

    pub(super) fn read_failed(&mut self, now: Millis) {
        // Who catches up tries again when the time for this attempt is over, and not in a circle.
        if matches!(self.phase, Phase::Unreadable { .. }) {
            self.phase = Phase::Unreadable {
                retry_at: Some(now + self.settings.unsync_backoff),
            };
        }
    }

    /// Compares the assignment with what was read. To have read further is no obstacle: the assignment says what is this
    /// worker's, the config topic how to run it, and what has to be assigned anew has asked for a rebalance.
    pub(super) fn compare(&mut self, now: Millis) {
        let Some(allocation) = &self.allocation else {
            return;
        };
        if self.offset() < allocation.config_offset {
            if self.phase != Phase::CatchingUp {
                self.phase = Phase::CatchingUp;
                self.behind.get_or_insert(Behind {
                    since: now,
                    attempts: 1,
                });
                self.commands.push(Command::ReadToEnd);
            }
            return;
        }
        self.behind = None;
        if !allocation.failed {
            self.resolve(now);
        } else if self.is_leader {
            self.rejoin("this leader has read what others knew already");
        } else {
            let until = now + self.settings.sync_timeout;
            self.phase = Phase::LeaderBehind { until };
        }
    }

    pub(super) fn attempt_failed(&mut self, now: Millis) {
        match &mut self.behind {
            Some(behind) if behind.attempts < CATCH_UP_ATTEMPTS => {
                behind.attempts += 1;
                behind.since = now;
                self.commands.push(Command::ReadToEnd);
            }
            _ => {
                // What is told with a join stays as it is until everything has stopped: the group would give it to others.
                self.behind = None;
                self.is_leader = false;
                self.phase = Phase::GivingUp;
                self.converge();
            }
        }
    }
}
