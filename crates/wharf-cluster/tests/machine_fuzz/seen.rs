//! What an onlooker knows of a worker, and the promises as plain functions of it.

use std::collections::BTreeMap;

use wharf_cluster::herder::invariants::Watch;
use wharf_cluster::herder::{Admission, Command, Event, HerderMachine, Joined, RequestKind, WorkId, WorkSet};

use super::steps::View;

/// What an onlooker knows of a worker.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) watch: Watch,
    /// What was started and has not ended, and whether it was told to.
    pub(crate) runs: BTreeMap<WorkId, bool>,
    /// What the assignments since the last loss of everything name.
    assigned: WorkSet,
    /// The last assignment, unless all was given up since.
    pub(crate) joined: Option<Joined>,
    pub(crate) view: Option<View>,
    /// The config topic was read as far as the last assignment says.
    has_read: bool,
    /// The group waits to hear that all work has ended.
    join_waits: bool,
    /// What was revoked has to be confirmed.
    pub(crate) revocation_waits: bool,
    /// The config topic is being read to its end.
    pub(crate) reads: bool,
    /// A rebalance was asked for.
    pub(crate) rejoins: bool,
    pub(crate) has_left: bool,
    pub(crate) shuts_down: bool,
    pub(crate) has_ended: bool,
}

impl Seen {
    pub(crate) fn event(&mut self, event: &Event<View>) {
        self.watch.event(event);
        match event {
            Event::Config { view, .. } => self.view = Some(view.clone()),
            Event::ReadToEnd | Event::ReadFailed => self.reads = false,
            Event::GiveUpAll => {
                // Who has left, or has ended, has nothing to give up.
                self.join_waits = !self.has_left && !self.has_ended;
                self.owns_nothing();
            }
            Event::Joined(joined) => {
                if !joined.cooperative {
                    self.assigned.clear();
                }
                self.assigned.extend(joined.assigned.iter().cloned());
                self.assigned.retain(|id| !joined.revoked.contains(id));
                self.revocation_waits |= !joined.revoked.is_empty();
                self.joined = Some(joined.clone());
                self.rejoins = false;
                self.has_read = false;
            }
            Event::LeaseLapsed => self.owns_nothing(),
            Event::Stopped(id) => drop(self.runs.remove(id)),
            Event::ShutDown => self.shuts_down = true,
            Event::Restart(_) | Event::Tick => {}
        }
        let offset = self.view.as_ref().map_or(-1, |view| view.offset);
        self.has_read |= self
            .joined
            .as_ref()
            .is_some_and(|joined| joined.config_offset <= offset);
    }

    fn owns_nothing(&mut self) {
        self.joined = None;
        self.assigned.clear();
        self.revocation_waits = false;
    }

    /// Judges what is to be done, and takes it as done.
    pub(crate) fn command(&mut self, command: &Command) -> Result<(), String> {
        let broken = |rule: &str| Err(format!("{command:?}: {rule}"));
        if self.has_ended && !matches!(command, Command::SetMetadata { .. }) {
            return broken("the worker has ended");
        }
        match command {
            Command::Start(id) => {
                if self.runs.contains_key(id) {
                    return broken("its last run has not ended");
                }
                if !self.assigned.contains(id) {
                    return broken("it was not assigned");
                }
                if self.view.as_ref().is_none_or(|view| !view.has(id)) {
                    return broken("it is not configured");
                }
                if !self.has_read {
                    return broken("the config topic was not read as far as the assignment says");
                }
                if self.shuts_down {
                    return broken("the worker ends");
                }
                self.runs.insert(id.clone(), false);
            }
            Command::Stop(id) => {
                let was_told = self.runs.insert(id.clone(), true);
                if was_told != Some(false) {
                    return broken("it does not run");
                }
            }
            Command::JoinPrepared if !std::mem::take(&mut self.join_waits) => {
                return broken("nobody waits for it");
            }
            Command::RevocationDone if !std::mem::take(&mut self.revocation_waits) => {
                return broken("nothing was revoked");
            }
            Command::JoinPrepared | Command::Leave { .. } | Command::End if !self.runs.is_empty() => {
                return broken("something has not ended");
            }
            Command::End if !self.shuts_down => return broken("it was not to end"),
            Command::ReadToEnd => self.reads = true,
            Command::Rejoin { .. } => {
                self.rejoins = true;
                self.has_left = false;
            }
            Command::Leave { .. } => {
                self.has_left = true;
                self.join_waits = false;
                self.owns_nothing();
            }
            Command::End => {
                self.has_ended = true;
                self.join_waits = false;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The machine speaks of what was started and has not ended, and of nothing else.
pub(crate) fn active_is_what_was_started(seen: &Seen, machine: &HerderMachine<View>) -> bool {
    let running = |(id, told): (&WorkId, &bool)| machine.is_running(id) != *told;
    machine.active().eq(seen.runs.keys()) && seen.runs.iter().all(running)
}

/// What is not being stopped is owned and configured.
pub(crate) fn only_own_work_goes_on(seen: &Seen, machine: &HerderMachine<View>) -> bool {
    let may_run = |id: &WorkId| {
        let view = seen.view.as_ref();
        let owned = machine.allocation().is_some_and(|it| it.work.contains(id));
        owned && seen.assigned.contains(id) && view.is_some_and(|view| view.has(id))
    };
    machine.active().filter(|id| machine.is_running(id)).all(may_run)
}

/// Whoever has no assignment, or ends, runs nothing that is not being stopped.
pub(crate) fn nothing_goes_on_without_a_lease(seen: &Seen) -> bool {
    (seen.joined.is_some() && !seen.shuts_down) || seen.runs.values().all(|told| *told)
}

/// When the assignment is in force, all of it that is configured runs, or will when its last run has ended.
pub(crate) fn nothing_assigned_is_forgotten(seen: &Seen, machine: &HerderMachine<View>) -> bool {
    let forgotten = |id: &WorkId| {
        let is_configured = seen.view.as_ref().is_some_and(|view| view.has(id));
        is_configured && !seen.runs.contains_key(id)
    };
    !machine.is_stable()
        || machine
            .allocation()
            .is_some_and(|it| !it.work.iter().any(forgotten))
}

/// Who waits for work to end is told at once when it has.
pub(crate) fn nobody_waits_for_nothing(seen: &Seen) -> bool {
    !seen.runs.is_empty() || !(seen.join_waits || seen.shuts_down && !seen.has_ended)
}

/// A request reaches the leader of the last assignment, and nobody while there is none.
pub(crate) fn requests_go_where_they_belong(seen: &Seen, machine: &HerderMachine<View>) -> bool {
    let members = machine.admit(RequestKind::Member);
    if seen.shuts_down {
        return members == Admission::Refuse && machine.admit(RequestKind::Leader) == Admission::Refuse;
    }
    let is_at_home = match machine.admit(RequestKind::Leader) {
        Admission::Refuse => false,
        Admission::Wait => true,
        Admission::Here => {
            let leads = |joined: &Joined| joined.is_leader && !joined.failed;
            machine.is_stable() && machine.is_leader() && seen.joined.as_ref().is_some_and(leads)
        }
        Admission::Forward(url) => {
            let follows = |joined: &Joined| !joined.is_leader && !joined.failed && joined.leader_url == url;
            seen.joined.as_ref().is_some_and(follows)
        }
    };
    is_at_home && matches!(members, Admission::Here | Admission::Wait)
}
