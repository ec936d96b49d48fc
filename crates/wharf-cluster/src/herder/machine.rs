//! The machine itself.

mod catch_up;

use std::collections::BTreeSet;

#[cfg(debug_assertions)]
use super::invariants::Watch;
use super::rejoin::RejoinPacer;
use super::work::{WorkId, WorkSet, WorkTable};
use super::{Admission, Allocation, Command, ConfigNote, ConfigView, Event, Joined, RequestKind};
use crate::time::Millis;
use catch_up::Behind;

/// The worker keys that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HerderSettings {
    /// `worker.sync.timeout.ms`: for one attempt to catch up.
    pub sync_timeout: Millis,
    /// Wait before another attempt after having left the group.
    pub unsync_backoff: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The config topic was not read yet.
    Starting,
    /// No assignment is in force.
    Joining,
    /// What was revoked has not ended yet.
    Revoking { revoked: WorkSet },
    /// The assignment knows more of the config topic than this worker.
    CatchingUp,
    /// The leader could not assign: it has to read the config topic further, and then joins again.
    LeaderBehind { until: Millis },
    /// The assignment is in force.
    Stable,
    /// All work is being given up, to leave because the config topic cannot be read.
    GivingUp,
    /// Outside the group until the config topic can be read.
    Unreadable { retry_at: Option<Millis> },
    /// The worker ends.
    Ending,
    /// It has ended.
    Ended,
}

/// The decisions of one worker.
#[derive(Debug)]
pub struct HerderMachine<V> {
    settings: HerderSettings,
    phase: Phase,
    view: Option<V>,
    /// Connectors of the view that the last assignment could know.
    known: BTreeSet<String>,
    allocation: Option<Allocation>,
    is_leader: bool,
    cooperative: bool,
    /// Whether the view is known to reach as far as the last assignment: only then anything starts.
    resolved: bool,
    /// Whether this join took something away, so that another one has to follow.
    revoked_now: bool,
    behind: Option<Behind>,
    /// A join waits until nothing runs any more.
    preparing: bool,
    delayed_rejoin: Option<Millis>,
    pacer: RejoinPacer,
    work: WorkTable,
    commands: Vec<Command>,
    #[cfg(debug_assertions)]
    watch: Watch,
}

impl<V: ConfigView> HerderMachine<V> {
    /// A worker that has read nothing yet.
    #[must_use]
    pub fn new(settings: HerderSettings) -> Self {
        Self {
            settings,
            phase: Phase::Starting,
            view: None,
            known: BTreeSet::new(),
            allocation: None,
            is_leader: false,
            cooperative: true,
            resolved: false,
            revoked_now: false,
            behind: None,
            preparing: false,
            delayed_rejoin: None,
            pacer: RejoinPacer::default(),
            work: WorkTable::default(),
            commands: Vec::new(),
            #[cfg(debug_assertions)]
            watch: Watch::default(),
        }
    }

    /// Takes note of an event and says what is to be done.
    pub fn handle(&mut self, now: Millis, event: Event<V>) -> Vec<Command> {
        #[cfg(debug_assertions)]
        self.watch.event(&event);
        match event {
            Event::Config { view, notes } => self.config(now, view, &notes),
            Event::ReadToEnd => self.read_to_end(),
            Event::ReadFailed => self.read_failed(now),
            Event::GiveUpAll => self.give_up_all(),
            Event::Joined(joined) => self.joined(now, joined),
            Event::LeaseLapsed => self.lease_lapsed(),
            Event::Stopped(id) => self.work.stopped(&id),
            Event::Restart(ids) => ids.iter().for_each(|id| self.work.restart(id)),
            Event::Tick => {}
            Event::ShutDown => {
                if self.phase != Phase::Ended {
                    self.phase = Phase::Ending;
                }
            }
        }
        self.settle(now);
        let commands = std::mem::take(&mut self.commands);
        #[cfg(debug_assertions)]
        assert_eq!(self.watch.commands(&commands), Ok(()), "{:?}", self.phase);
        commands
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        match self.phase {
            Phase::CatchingUp => self
                .behind
                .map(|behind| behind.since + self.settings.sync_timeout),
            Phase::LeaderBehind { until } => Some(until),
            Phase::Unreadable { retry_at } => retry_at,
            // In every other phase a rejoin that is due waits, and who drives this machine would turn round and round on it.
            Phase::Stable => [self.delayed_rejoin, self.pacer.deadline()]
                .into_iter()
                .flatten()
                .min(),
            _ => None,
        }
    }

    /// Where a request of this kind is carried out.
    #[must_use]
    pub fn admit(&self, kind: RequestKind) -> Admission {
        match self.phase {
            Phase::Ending | Phase::Ended => Admission::Refuse,
            Phase::Starting => Admission::Wait,
            _ if kind == RequestKind::Member => Admission::Here,
            Phase::Stable | Phase::Revoking { .. } | Phase::CatchingUp => match &self.allocation {
                Some(allocation) if !allocation.failed => {
                    if !self.is_leader {
                        Admission::Forward(allocation.leader_url.clone())
                    } else if self.phase == Phase::Stable {
                        Admission::Here
                    } else {
                        Admission::Wait
                    }
                }
                _ => Admission::Wait,
            },
            _ => Admission::Wait,
        }
    }

    /// Whether the assignment is in force and nothing is waited for.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.phase == Phase::Stable && self.resolved
    }

    /// Whether this worker leads the group, as far as it knows.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.is_leader && self.allocation.is_some()
    }

    /// What this worker was given.
    #[must_use]
    pub fn allocation(&self) -> Option<&Allocation> {
        self.allocation.as_ref()
    }

    /// What was read of the config topic.
    #[must_use]
    pub fn view(&self) -> Option<&V> {
        self.view.as_ref()
    }

    /// Whether it runs here and is not being stopped.
    #[must_use]
    pub fn is_running(&self, id: &WorkId) -> bool {
        self.work.is_running(id)
    }

    /// Everything that runs here or has not ended yet.
    pub fn active(&self) -> impl Iterator<Item = &WorkId> {
        self.work.active()
    }

    fn offset(&self) -> i64 {
        self.view.as_ref().map_or(-1, V::offset)
    }

    fn config(&mut self, now: Millis, view: V, notes: &[ConfigNote]) {
        let offset_moved = self.view.as_ref().is_none_or(|old| old.offset() != view.offset());
        let first = self.view.is_none();
        if first {
            self.known = view.connectors().into_iter().collect();
        }
        self.view = Some(view);
        for note in notes {
            self.note(now, note);
        }
        if offset_moved {
            self.tell_group();
        }
        if first && self.phase == Phase::Starting {
            self.phase = Phase::Joining;
            self.rejoin("this worker starts");
        }
    }

    fn note(&mut self, now: Millis, note: &ConfigNote) {
        match note {
            ConfigNote::Connector(name) => {
                // Also one that is new: it may have been deleted and created again since this worker last looked.
                self.work.restart(&WorkId::Connector(name.clone()));
                if self.known.insert(name.clone()) {
                    self.want_rejoin(now, "a connector was added");
                }
            }
            ConfigNote::Removed(name) => {
                if self.known.remove(name) {
                    self.want_rejoin(now, "a connector was removed");
                }
            }
            ConfigNote::Tasks(name) => {
                let tasks: Vec<WorkId> = self
                    .work
                    .active()
                    .filter(|id| matches!(id, WorkId::Task(_)) && id.connector() == name)
                    .cloned()
                    .collect();
                for task in &tasks {
                    self.work.restart(task);
                }
                self.want_rejoin(now, "tasks of a connector were configured");
            }
            ConfigNote::Target(name) => {
                if self.work.active().any(|id| id.connector() == name) {
                    self.commands.push(Command::ApplyTarget(name.clone()));
                }
            }
        }
    }

    fn want_rejoin(&mut self, now: Millis, reason: &str) {
        self.pacer.want(now, self.is_leader, reason);
    }

    fn give_up_all(&mut self) {
        match self.phase {
            // It leaves anyway, or has left.
            Phase::GivingUp | Phase::Unreadable { .. } | Phase::Ending | Phase::Ended => {}
            _ => {
                self.preparing = true;
                self.phase = Phase::Joining;
            }
        }
        self.forget_allocation();
        self.tell_group();
    }

    fn lease_lapsed(&mut self) {
        self.forget_allocation();
        // What has not ended yet does nothing any more, see the lease.
        self.tell_group();
        if !matches!(
            self.phase,
            Phase::Starting | Phase::GivingUp | Phase::Unreadable { .. } | Phase::Ending | Phase::Ended
        ) {
            self.rejoin("this worker was not confirmed in time and gave up its work");
        }
    }

    /// From here on nothing is owned.
    fn forget_allocation(&mut self) {
        self.allocation = None;
        self.resolved = false;
        self.is_leader = false;
        self.delayed_rejoin = None;
    }

    fn joined(&mut self, now: Millis, joined: Joined) {
        if matches!(
            self.phase,
            Phase::GivingUp | Phase::Unreadable { .. } | Phase::Ending | Phase::Ended
        ) {
            // It will leave; what it was given it never starts, and it has nothing left that could be revoked.
            return;
        }
        let mut work = joined.assigned;
        self.cooperative = joined.cooperative;
        if joined.cooperative
            && let Some(old) = self.allocation.take()
        {
            work.extend(old.work);
        }
        // Revocation wins over an assignment of the same round.
        work.retain(|id| !joined.revoked.contains(id));
        let mut revoked = joined.revoked;
        if let Phase::Revoking { revoked: earlier } = &mut self.phase {
            // What an earlier round took away is waited for as well, unless it was given back.
            earlier.retain(|id| !work.contains(id));
            revoked.append(earlier);
        }
        self.allocation = Some(Allocation {
            generation: joined.generation,
            leader: joined.leader,
            leader_url: joined.leader_url,
            config_offset: joined.config_offset,
            failed: joined.failed,
            delay: joined.delay,
            work,
        });
        self.is_leader = joined.is_leader;
        self.resolved = false;
        self.revoked_now = !revoked.is_empty();
        self.delayed_rejoin = u64::try_from(joined.delay)
            .ok()
            .filter(|delay| *delay > 0)
            .map(|delay| now + delay);
        let knew_all = !joined.failed && joined.config_offset >= self.offset();
        self.pacer.rebalanced(now, knew_all);
        self.tell_group();
        if joined.is_leader && !joined.failed {
            self.commands.push(Command::Lead);
        }
        self.phase = Phase::Revoking { revoked };
    }

    /// What was revoked has ended.
    fn revoked(&mut self, now: Millis) {
        if self.revoked_now {
            self.commands.push(Command::RevocationDone);
        }
        self.compare(now);
    }

    /// The assignment is in force.
    fn resolve(&mut self, now: Millis) {
        self.resolved = true;
        self.phase = Phase::Stable;
        // Starts come before the next join, so that what stays is not kept waiting by it.
        self.converge();
        if self.revoked_now {
            self.revoked_now = false;
            self.rejoin("what was revoked has ended");
        } else if self.delayed_rejoin.is_some_and(|at| at <= now) {
            self.delayed_rejoin = None;
            self.rejoin("the scheduled rebalance is due");
        }
    }

    fn rejoin(&mut self, reason: &str) {
        self.phase = Phase::Joining;
        self.commands.push(Command::Rejoin {
            reason: reason.to_owned(),
        });
    }

    fn tell_group(&mut self) {
        let metadata = Command::SetMetadata {
            config_offset: self.offset(),
            allocation: self.allocation.clone(),
        };
        self.commands.push(metadata);
    }

    /// Everything that follows from the state alone.
    fn settle(&mut self, now: Millis) {
        self.converge();
        match &self.phase {
            Phase::Revoking { revoked } if !revoked.iter().any(|id| self.work.is_active(id)) => {
                self.revoked(now)
            }
            Phase::CatchingUp => {
                self.compare(now);
                let over = |behind: Behind| now >= behind.since + self.settings.sync_timeout;
                if self.phase == Phase::CatchingUp && self.behind.is_none_or(over) {
                    self.attempt_failed(now);
                }
            }
            Phase::LeaderBehind { until } if *until <= now => {
                self.rejoin("the leader was behind other workers");
            }
            Phase::Unreadable { retry_at: Some(at) } if *at <= now => {
                self.phase = Phase::Unreadable { retry_at: None };
                self.commands.push(Command::ReadToEnd);
            }
            Phase::Stable => {
                if self.delayed_rejoin.is_some_and(|at| at <= now) {
                    self.delayed_rejoin = None;
                    self.rejoin("the scheduled rebalance is due");
                } else if let Some(reason) = self.pacer.take(now) {
                    self.rejoin(&reason);
                }
            }
            _ => {}
        }
        if self.work.active().next().is_some() {
            return;
        }
        if std::mem::take(&mut self.preparing) {
            self.commands.push(Command::JoinPrepared);
        }
        if self.phase == Phase::GivingUp {
            self.forget_allocation();
            self.tell_group();
            self.phase = Phase::Unreadable {
                retry_at: Some(now + self.settings.unsync_backoff),
            };
            self.commands.push(Command::Leave {
                reason: "the config topic cannot be read".to_owned(),
            });
        } else if self.phase == Phase::Ending {
            self.phase = Phase::Ended;
            self.commands.push(Command::End);
        }
    }

    /// Starts and stops until what runs is what was assigned and is configured.
    fn converge(&mut self) {
        let nothing = WorkSet::new();
        let owned = match (&self.allocation, &self.phase) {
            (_, Phase::Ending | Phase::Ended | Phase::GivingUp) | (None, _) => &nothing,
            (Some(allocation), _) => &allocation.work,
        };
        let view = self.view.as_ref();
        let configured = |id: &WorkId| match (view, id) {
            (None, _) => false,
            (Some(view), WorkId::Connector(name)) => view.has_connector(name),
            (Some(view), WorkId::Task(task)) => (0..view.task_count(&task.connector)).contains(&task.task),
        };
        let moves = self.work.converge(owned, configured, self.resolved);
        self.commands.extend(moves.stop.into_iter().map(Command::Stop));
        self.commands.extend(moves.start.into_iter().map(Command::Start));
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
