//! What must hold whatever happens, said without looking at how the machine keeps it.
//!
//! [`Watch`] follows one worker by its events and commands only; debug builds of the machine carry one. The functions are
//! about the whole group and need somebody who sees all of it: the simulation.

use std::collections::{BTreeMap, BTreeSet};

use super::{Command, ConfigView, Event, WorkId, WorkSet};
use crate::ids::ConnectorTaskId;

/// What must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Two runs of it on one worker.
    #[error("{0} was started while its last run had not ended")]
    StartedTwice(WorkId),
    /// Nobody gave it to this worker.
    #[error("{0} was started, and no assignment in force names it")]
    StartedUnassigned(WorkId),
    /// It does not run, or was told already.
    #[error("{0} was told to stop, and does not run")]
    StoppedTwice(WorkId),
    /// The group would give it to somebody else.
    #[error("a join was asked for while {0} had not ended, which was revoked")]
    JoinedBeforeRevoked(WorkId),
    /// The group would give it to somebody else.
    #[error("a join would not tell that {0} runs here")]
    Disowned(WorkId),
    /// The group would give it to somebody else.
    #[error("all work was said to be given up, and {0} had not ended")]
    GivenUpBeforeEnded(WorkId),
    /// Two workers run it, both with effect.
    #[error("{id} runs on {first} and on {second}")]
    RunsTwice {
        /// What runs.
        id: WorkId,
        /// A worker.
        first: String,
        /// Another one.
        second: String,
    },
    /// It is configured.
    #[error("{0} is configured and runs nowhere")]
    RunsNowhere(WorkId),
    /// It should have ended.
    #[error("{0} runs and is not configured")]
    RunsUnconfigured(WorkId),
}

/// Follows one worker.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// What was started and has not ended, and whether it was told to.
    active: BTreeMap<WorkId, bool>,
    assigned: WorkSet,
    revoked: WorkSet,
    /// What runs on without a claim: the lease under which it was started is over, so it has no effect.
    void: WorkSet,
    told: WorkSet,
    /// The member joins only when it hears that everything has ended.
    join_waits: bool,
    /// The worker is to end: no assignment means anything to it any more.
    ends: bool,
}

impl Watch {
    /// To be called with every event before the machine gets it.
    pub fn event<V>(&mut self, event: &Event<V>) {
        match event {
            Event::Stopped(id) => {
                self.active.remove(id);
                self.void.remove(id);
            }
            Event::LeaseLapsed => {
                self.void = self.active.keys().cloned().collect();
                self.assigned.clear();
                self.revoked.clear();
            }
            Event::GiveUpAll => {
                self.join_waits = true;
                self.assigned.clear();
                self.revoked.clear();
            }
            Event::ShutDown => self.ends = true,
            Event::Joined(_) if self.ends => {}
            Event::Joined(joined) => {
                if joined.cooperative {
                    self.assigned.extend(joined.assigned.iter().cloned());
                    self.assigned.retain(|id| !joined.revoked.contains(id));
                } else {
                    // A group that falls back to the eager protocol does not wait for what runs.
                    self.void = self.active.keys().cloned().collect();
                    self.assigned = joined.assigned.clone();
                }
                // What an earlier round took away and has not ended is not to be forgotten by this one.
                self.revoked
                    .retain(|id| self.active.contains_key(id) && !self.assigned.contains(id));
                self.revoked.extend(joined.revoked.iter().cloned());
            }
            _ => {}
        }
    }

    /// To be called with the machine's answer.
    ///
    /// # Errors
    /// When the machine breaks a promise.
    pub fn commands(&mut self, commands: &[Command]) -> Result<(), Violation> {
        commands.iter().try_for_each(|command| self.command(command))
    }

    fn command(&mut self, command: &Command) -> Result<(), Violation> {
        match command {
            Command::Start(id) if self.active.contains_key(id) => Err(Violation::StartedTwice(id.clone())),
            Command::Start(id) if !self.assigned.contains(id) => {
                Err(Violation::StartedUnassigned(id.clone()))
            }
            Command::Start(id) => {
                self.active.insert(id.clone(), false);
                Ok(())
            }
            Command::Stop(id) => match self.active.get_mut(id) {
                Some(stopping) if !*stopping => {
                    *stopping = true;
                    Ok(())
                }
                _ => Err(Violation::StoppedTwice(id.clone())),
            },
            Command::SetMetadata { allocation, .. } => {
                let work = allocation.as_ref().map(|allocation| allocation.work.clone());
                self.told = work.unwrap_or_default();
                // The group may rebalance at any time without this worker asking for it.
                self.first_counting(|id| !self.told.contains(id) && !self.revoked.contains(id))
                    .filter(|_| !self.join_waits)
                    .map_or(Ok(()), |id| Err(Violation::Disowned(id)))
            }
            Command::Rejoin { .. } => self
                .first_counting(|id| self.revoked.contains(id))
                .map_or(Ok(()), |id| Err(Violation::JoinedBeforeRevoked(id))),
            Command::RevocationDone => match self.revoked.iter().find(|id| self.active.contains_key(*id)) {
                Some(id) => Err(Violation::JoinedBeforeRevoked(id.clone())),
                None => Ok(()),
            },
            Command::JoinPrepared | Command::Leave { .. } | Command::End => {
                self.join_waits = false;
                match self.active.keys().next() {
                    Some(id) => Err(Violation::GivenUpBeforeEnded(id.clone())),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The first that has not ended and may have effects.
    fn first_counting(&self, which: impl Fn(&WorkId) -> bool) -> Option<WorkId> {
        let mut counting = self.active.keys().filter(|id| !self.void.contains(*id));
        counting.find(|id| which(id)).cloned()
    }
}

/// Nothing has effect on two workers. Takes for each worker its name and what has effect there.
///
/// # Errors
/// With the first thing that does.
pub fn nothing_runs_twice<'a, W>(
    workers: impl IntoIterator<Item = (&'a str, W)>,
) -> Result<BTreeSet<&'a WorkId>, Violation>
where
    W: IntoIterator<Item = &'a WorkId>,
{
    let mut owners: BTreeMap<&WorkId, &str> = BTreeMap::new();
    for (worker, running) in workers {
        for id in running {
            if let Some(first) = owners.insert(id, worker) {
                return Err(Violation::RunsTwice {
                    id: id.clone(),
                    first: first.to_owned(),
                    second: worker.to_owned(),
                });
            }
        }
    }
    Ok(owners.into_keys().collect())
}

/// What runs is what is configured, in a group that had time for it.
///
/// # Errors
/// With the first thing that should run and does not, or the other way round.
pub fn runs_as_configured(view: &impl ConfigView, running: &BTreeSet<&WorkId>) -> Result<(), Violation> {
    let mut wanted = WorkSet::new();
    for name in view.connectors() {
        let tasks = 0..view.task_count(&name);
        wanted.extend(tasks.map(|task| WorkId::Task(ConnectorTaskId::new(name.as_str(), task))));
        wanted.insert(WorkId::Connector(name));
    }
    if let Some(id) = wanted.iter().find(|id| !running.contains(id)) {
        return Err(Violation::RunsNowhere(id.clone()));
    }
    match running.iter().find(|id| !wanted.contains(**id)) {
        Some(id) => Err(Violation::RunsUnconfigured((*id).clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Allocation, Joined};
    use super::*;

    fn c(name: &str) -> WorkId {
        WorkId::Connector(name.to_owned())
    }

    fn joined(assigned: &[WorkId], revoked: &[WorkId]) -> Event<()> {
        Event::Joined(Joined {
            generation: 1,
            cooperative: true,
            is_leader: false,
            leader: String::new(),
            leader_url: String::new(),
            config_offset: 1,
            failed: false,
            delay: 0,
            assigned: assigned.iter().cloned().collect(),
            revoked: revoked.iter().cloned().collect(),
        })
    }

    fn tell(work: &[WorkId]) -> Command {
        Command::SetMetadata {
            config_offset: 1,
            allocation: Some(Allocation {
                generation: 1,
                leader: String::new(),
                leader_url: String::new(),
                config_offset: 1,
                failed: false,
                delay: 0,
                work: work.iter().cloned().collect(),
            }),
        }
    }

    fn rejoin() -> Command {
        Command::Rejoin {
            reason: String::new(),
        }
    }

    #[test]
    fn every_promise_of_a_machine_is_watched() {
        let (a, b) = (c("a"), c("b"));
        let start = Command::Start(a.clone());
        let stop = Command::Stop(a.clone());
        for (events, commands, expected) in [
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), stop.clone()],
                None,
            ),
            (
                vec![],
                vec![start.clone()],
                Some(Violation::StartedUnassigned(a.clone())),
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), start.clone()],
                Some(Violation::StartedTwice(a.clone())),
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), stop.clone(), stop],
                Some(Violation::StoppedTwice(a.clone())),
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), tell(std::slice::from_ref(&a)), rejoin()],
                None,
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), tell(std::slice::from_ref(&b))],
                Some(Violation::Disowned(a.clone())),
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[]), Event::GiveUpAll],
                vec![tell(&[])],
                None,
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[])],
                vec![start.clone(), Command::JoinPrepared],
                Some(Violation::GivenUpBeforeEnded(a.clone())),
            ),
            (
                vec![joined(std::slice::from_ref(&a), &[]), Event::LeaseLapsed],
                vec![start.clone()],
                Some(Violation::StartedUnassigned(a.clone())),
            ),
        ] {
            let mut watch = Watch::default();
            events.iter().for_each(|event| watch.event(event));
            assert_eq!(watch.commands(&commands).err(), expected, "{commands:?}");
        }
        let mut watch = Watch::default();
        watch.event(&joined(std::slice::from_ref(&a), &[]));
        watch.commands(&[start, tell(std::slice::from_ref(&a))]).unwrap();
        watch.event(&joined(&[], std::slice::from_ref(&a)));
        let early = Err(Violation::JoinedBeforeRevoked(a.clone()));
        assert_eq!(watch.commands(&[rejoin()]), early);
        assert_eq!(watch.commands(&[Command::RevocationDone]), early);
        // Another round does not make it end, or be forgotten.
        watch.event(&joined(&[], &[]));
        assert_eq!(watch.commands(&[rejoin()]), early);
        watch.event(&Event::<()>::Stopped(a));
        assert_eq!(watch.commands(&[Command::RevocationDone, rejoin()]), Ok(()));
    }

    struct One;

    impl ConfigView for One {
        fn offset(&self) -> i64 {
            1
        }

        fn connectors(&self) -> Vec<String> {
            vec!["a".to_owned()]
        }

        fn has_connector(&self, name: &str) -> bool {
            name == "a"
        }

        fn task_count(&self, _: &str) -> i32 {
            1
        }
    }

    #[test]
    fn a_group_runs_each_thing_once_and_nothing_else() {
        let (a, task, b) = (c("a"), WorkId::task("a", 0), c("b"));
        for (left, right, expected) in [
            (vec![&a], vec![&task], Ok(())),
            (vec![&a], vec![], Err(Violation::RunsNowhere(task.clone()))),
            (
                vec![&a, &task, &b],
                vec![],
                Err(Violation::RunsUnconfigured(b.clone())),
            ),
            (
                vec![&a, &task],
                vec![&a],
                Err(Violation::RunsTwice {
                    id: a.clone(),
                    first: "left".to_owned(),
                    second: "right".to_owned(),
                }),
            ),
        ] {
            let running = nothing_runs_twice([("left", left), ("right", right)]);
            assert_eq!(
                running.and_then(|running| runs_as_configured(&One, &running)),
                expected
            );
        }
    }
}
