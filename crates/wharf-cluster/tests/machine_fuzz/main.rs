//! The herder's machine, fed with anything in any order: what members, topics and threads say, and what none of them ever
//! says, such as answers that nobody asked for, assignments of what nobody configured, clocks and offsets that run back.
//!
//! No promise may break on the way, and an orderly group afterwards has to bring the worker back to work. The promises are
//! plain functions of what can be seen from outside: events, commands, and what the machine says of itself. A sequence that
//! breaks one is made as short as it can be, and its seed is kept beside this file. `PROPTEST_CASES=N` plays more of them.

mod seen;
mod steps;

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use wharf_cluster::herder::invariants::runs_as_configured;
use wharf_cluster::herder::{
    ConfigNote, ConfigView, Event, HerderMachine, HerderSettings, Joined, WorkId, WorkSet,
};
use wharf_cluster::time::Millis;

use seen::{
    Seen, active_is_what_was_started, nobody_waits_for_nothing, nothing_assigned_is_forgotten,
    nothing_goes_on_without_a_lease, only_own_work_goes_on, requests_go_where_they_belong,
};
use steps::{NAMES, Step, View, Wait, chosen, everything, step, wait};

const CASES: u32 = 10_000;
const LONGEST: usize = 80;
const SETTINGS: HerderSettings = HerderSettings {
    sync_timeout: 3_000,
    unsync_backoff: 60_000,
};
const LEADER_URL: &str = "http://leader:8083/";

struct Bench {
    machine: HerderMachine<View>,
    now: Millis,
    seen: Seen,
}

impl Bench {
    fn new() -> Self {
        Self {
            machine: HerderMachine::new(SETTINGS),
            now: 1_000_000,
            seen: Seen::default(),
        }
    }

    /// One event, and every promise held against what follows from it.
    fn happens(&mut self, event: Event<View>) {
        let is_tick = matches!(event, Event::Tick);
        self.seen.event(&event);
        let text = format!("{event:?}");
        let commands = self.machine.handle(self.now, event);
        assert_eq!(self.seen.watch.commands(&commands), Ok(()), "after {text}");
        for command in &commands {
            assert_eq!(self.seen.command(command), Ok(()), "after {text}");
        }
        let (seen, machine) = (&self.seen, &self.machine);
        for (holds, rule) in [
            (
                active_is_what_was_started(seen, machine),
                "active is what was started",
            ),
            (only_own_work_goes_on(seen, machine), "only own work goes on"),
            (
                nothing_goes_on_without_a_lease(seen),
                "nothing goes on without a lease",
            ),
            (
                nothing_assigned_is_forgotten(seen, machine),
                "nothing assigned is forgotten",
            ),
            (nobody_waits_for_nothing(seen), "nobody waits for nothing"),
            (
                requests_go_where_they_belong(seen, machine),
                "requests go where they belong",
            ),
        ] {
            assert!(holds, "{rule}: not so after {text}, {commands:?}, {machine:?}");
        }
        // Who drives the machine would turn round and round on one that is due for ever.
        let due = self.machine.next_deadline();
        assert!(
            !is_tick || due.is_none_or(|at| at > self.now),
            "due at {due:?} and it is {}: {:?}",
            self.now,
            self.machine
        );
    }

    fn waits(&mut self, wait: &Wait) {
        match wait {
            Wait::Not => {}
            Wait::For(time) => self.now += time,
            Wait::UntilDue => self.now = self.machine.next_deadline().unwrap_or(self.now).max(self.now),
            Wait::Back(time) => self.now = self.now.saturating_sub(*time),
        }
    }

    fn offset(&self) -> i64 {
        self.seen.view.as_ref().map_or(-1, ConfigView::offset)
    }

    fn plays(&mut self, step: &Step) {
        let event = match step {
            Step::Tick => Event::Tick,
            Step::Ends(which) => {
                let mut stopping = self.seen.runs.iter().filter(|(_, told)| **told);
                let count = stopping.clone().count();
                match stopping.nth(which % count.max(1)) {
                    Some((id, _)) => Event::Stopped(id.clone()),
                    None => return,
                }
            }
            Step::EndsUnasked(which) => Event::Stopped(everything()[*which].clone()),
            Step::Config {
                further,
                connectors,
                notes,
            } => Event::Config {
                view: View {
                    offset: self.offset() + further,
                    connectors: NAMES
                        .iter()
                        .zip(connectors)
                        .filter_map(|(name, tasks)| Some(((*name).to_owned(), (*tasks)?)))
                        .collect(),
                },
                notes: notes
                    .iter()
                    .map(|(kind, name)| {
                        let kinds = [
                            ConfigNote::Connector,
                            ConfigNote::Removed,
                            ConfigNote::Tasks,
                            ConfigNote::Target,
                        ];
                        kinds[usize::from(*kind)](NAMES[*name].to_owned())
                    })
                    .collect(),
            },
            Step::ReadToEnd => Event::ReadToEnd,
            Step::ReadFailed => Event::ReadFailed,
            Step::GiveUpAll => Event::GiveUpAll,
            Step::Joined {
                generation,
                cooperative,
                is_leader,
                failed,
                further,
                delay,
                assigned,
                revoked,
            } => Event::Joined(Joined {
                generation: *generation,
                cooperative: *cooperative,
                is_leader: *is_leader,
                leader: "leader".to_owned(),
                leader_url: LEADER_URL.to_owned(),
                config_offset: self.offset() + further,
                failed: *failed,
                delay: *delay,
                assigned: chosen(*assigned),
                revoked: chosen(*revoked),
            }),
            Step::LeaseLapsed => Event::LeaseLapsed,
            Step::Restart(ids) => Event::Restart(chosen(*ids)),
            Step::ShutDown => Event::ShutDown,
        };
        self.happens(event);
    }

    /// Everything is answered as it should be, and the group gives all work to this worker. Says what runs at rest.
    fn comes_to_rest(&mut self) -> WorkSet {
        if self.seen.view.is_none() {
            self.happens(Event::Config {
                view: View::default(),
                notes: Vec::new(),
            });
        }
        self.happens(Event::LeaseLapsed);
        for _ in 0..200 {
            let view = self.seen.view.clone().unwrap_or_default();
            let stopping = self.seen.runs.iter().find(|(_, told)| **told);
            if let Some((id, _)) = stopping {
                self.happens(Event::Stopped(id.clone()));
            } else if self.seen.has_ended {
                return WorkSet::new();
            } else if self.seen.reads {
                self.happens(Event::Config {
                    view,
                    notes: Vec::new(),
                });
                self.happens(Event::ReadToEnd);
            } else if self.seen.rejoins {
                let owned = self.machine.allocation().map(|it| it.work.clone());
                let (owned, wanted) = (owned.unwrap_or_default(), view.everything());
                self.happens(Event::Joined(Joined {
                    generation: 1,
                    cooperative: true,
                    is_leader: false,
                    leader: "leader".to_owned(),
                    leader_url: LEADER_URL.to_owned(),
                    config_offset: view.offset,
                    failed: false,
                    delay: 0,
                    assigned: wanted.difference(&owned).cloned().collect(),
                    revoked: owned.difference(&wanted).cloned().collect(),
                }));
            } else if let Some(due) = self.machine.next_deadline() {
                self.now = self.now.max(due);
                self.happens(Event::Tick);
            } else {
                assert!(self.machine.is_stable(), "waits for nobody: {:?}", self.machine);
                let running: BTreeSet<&WorkId> = self.machine.active().collect();
                assert_eq!(runs_as_configured(&view, &running), Ok(()));
                return self.seen.runs.keys().cloned().collect();
            }
        }
        panic!("does not come to rest: {:?}", self.machine);
    }
}

/// How often things happened in all cases together, so that a test of nothing is noticed.
#[derive(Default)]
struct Happened {
    starts: Cell<usize>,
    confirmed: Cell<usize>,
    left: Cell<usize>,
    ended: Cell<usize>,
    rested: Cell<usize>,
}

fn count(cell: &Cell<usize>, happened: bool) {
    cell.set(cell.get() + usize::from(happened));
}

fn play(steps: &[(Wait, Step)], happened: &Happened) {
    let mut bench = Bench::new();
    for (wait, step) in steps {
        let before = (
            bench.seen.has_left,
            bench.seen.revocation_waits,
            bench.seen.runs.len(),
        );
        bench.waits(wait);
        bench.plays(step);
        count(&happened.left, bench.seen.has_left && !before.0);
        count(
            &happened.confirmed,
            before.1 && !bench.seen.revocation_waits && bench.seen.joined.is_some(),
        );
        count(&happened.starts, bench.seen.runs.len() > before.2);
    }
    let running = bench.comes_to_rest();
    assert_eq!(bench.seen.has_ended, bench.seen.shuts_down);
    count(&happened.ended, bench.seen.has_ended);
    count(&happened.rested, !running.is_empty());
}

#[test]
fn whatever_is_said_in_whatever_order_no_promise_breaks_and_order_brings_work_back() {
    let config = Config {
        cases: Config::default().cases.max(CASES),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    };
    let cases = config.cases as usize;
    let mut runner = TestRunner::new(config);
    let happened = Happened::default();
    let outcome = runner.run(&vec((wait(), step()), 1..LONGEST), |steps| {
        play(&steps, &happened);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    for (what, times) in [
        ("starts", &happened.starts),
        ("confirmed revocations", &happened.confirmed),
        ("leaves", &happened.left),
        ("ends", &happened.ended),
        ("rests", &happened.rested),
    ] {
        assert!(times.get() > cases / 50, "only {} {what}", times.get());
    }
}
