//! The machine, event by event.

use std::collections::BTreeMap;

use super::*;

/// A config topic in short: connectors with their number of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct View {
    offset: i64,
    connectors: BTreeMap<String, i32>,
}

impl ConfigView for View {
    fn offset(&self) -> i64 {
        self.offset
    }

    fn connectors(&self) -> Vec<String> {
        self.connectors.keys().cloned().collect()
    }

    fn has_connector(&self, name: &str) -> bool {
        self.connectors.contains_key(name)
    }

    fn task_count(&self, name: &str) -> i32 {
        self.connectors.get(name).copied().unwrap_or_default()
    }
}

fn view(offset: i64, connectors: &[(&str, i32)]) -> View {
    View {
        offset,
        connectors: connectors
            .iter()
            .map(|(name, tasks)| ((*name).to_owned(), *tasks))
            .collect(),
    }
}

fn config(offset: i64, connectors: &[(&str, i32)], notes: &[ConfigNote]) -> Event<View> {
    Event::Config {
        view: view(offset, connectors),
        notes: notes.to_vec(),
    }
}

fn c(name: &str) -> WorkId {
    WorkId::Connector(name.to_owned())
}

fn t(name: &str, task: i32) -> WorkId {
    WorkId::task(name, task)
}

fn set(ids: &[WorkId]) -> WorkSet {
    ids.iter().cloned().collect()
}

/// A successful rebalance led by somebody else.
fn joined(offset: i64, assigned: &[WorkId], revoked: &[WorkId]) -> Joined {
    Joined {
        generation: 1,
        cooperative: true,
        is_leader: false,
        leader: "leader".into(),
        leader_url: "http://leader:8083/".into(),
        config_offset: offset,
        failed: false,
        delay: 0,
        assigned: set(assigned),
        revoked: set(revoked),
    }
}

fn start(id: WorkId) -> Command {
    Command::Start(id)
}

fn stop(id: WorkId) -> Command {
    Command::Stop(id)
}

const SETTINGS: HerderSettings = HerderSettings {
    sync_timeout: 3_000,
    unsync_backoff: 60_000,
};

/// A machine, and its commands without those that only tell the group where it stands.
struct Driver {
    machine: HerderMachine<View>,
    now: Millis,
    metadata: Option<(i64, Option<WorkSet>)>,
}

impl Driver {
    fn new() -> Self {
        Self {
            machine: HerderMachine::new(SETTINGS),
            now: 1_000_000,
            metadata: None,
        }
    }

    /// One that read the topic up to offset 5, where there is connector `a` with two tasks, and owns all of it.
    fn running() -> Self {
        let mut driver = Self::new();
        assert_eq!(
            driver.on(config(5, &[("a", 2)], &[])),
            [rejoin("this worker starts")]
        );
        assert_eq!(
            driver.on(Event::Joined(joined(5, &[c("a"), t("a", 0), t("a", 1)], &[]))),
            [start(c("a")), start(t("a", 0)), start(t("a", 1))]
        );
        assert!(driver.machine.is_stable());
        driver
    }

    fn on(&mut self, event: Event<View>) -> Vec<Command> {
        let commands = self.machine.handle(self.now, event);
        let mut rest = Vec::new();
        for command in commands {
            match command {
                Command::SetMetadata {
                    config_offset,
                    allocation,
                } => {
                    self.metadata = Some((config_offset, allocation.map(|allocation| allocation.work)));
                }
                other => rest.push(other),
            }
        }
        rest
    }

    fn after(&mut self, time: Millis) -> Vec<Command> {
        self.now += time;
        self.on(Event::Tick)
    }
}

fn rejoin(reason: &str) -> Command {
    Command::Rejoin {
        reason: reason.to_owned(),
    }
}

#[test]
fn what_is_revoked_ends_before_anything_starts_and_before_the_next_join() {
    let mut d = Driver::running();
    let event = Event::Joined(Joined {
        config_offset: 5,
        ..joined(5, &[], &[c("a"), t("a", 1)])
    });
    assert_eq!(d.on(event), [stop(c("a")), stop(t("a", 1))]);
    assert_eq!(d.on(Event::Stopped(c("a"))), []);
    assert_eq!(
        d.on(Event::Stopped(t("a", 1))),
        [Command::RevocationDone, rejoin("what was revoked has ended")]
    );
    assert_eq!(d.metadata, Some((5, Some(set(&[t("a", 0)])))));
    assert!(d.machine.is_running(&t("a", 0)));
}

#[test]
fn what_an_earlier_round_revoked_is_waited_for_by_the_next_one_unless_it_is_given_back() {
    let mut d = Driver::running();
    assert_eq!(
        d.on(Event::Joined(joined(5, &[], &[c("a"), t("a", 0)]))),
        [stop(c("a")), stop(t("a", 0))]
    );
    let next = joined(5, &[t("a", 0)], &[t("a", 1)]);
    assert_eq!(d.on(Event::Joined(next)), [stop(t("a", 1))]);
    assert_eq!(d.on(Event::Stopped(t("a", 1))), []);
    assert_eq!(
        d.on(Event::Stopped(c("a"))),
        [Command::RevocationDone, rejoin("what was revoked has ended")]
    );
    assert_eq!(d.on(Event::Stopped(t("a", 0))), [start(t("a", 0))]);
}

#[test]
fn a_rejoin_that_is_due_while_work_is_being_stopped_calls_for_no_tick() {
    let mut d = Driver::running();
    d.on(Event::Joined(joined(5, &[], &[c("a")])));
    let notes = [ConfigNote::Connector("b".into())];
    assert_eq!(d.on(config(6, &[("a", 2), ("b", 0)], &notes)), []);
    assert_eq!(d.machine.next_deadline(), None);
    assert_eq!(d.after(10_000), []);
    assert_eq!(
        d.on(Event::Stopped(c("a"))),
        [Command::RevocationDone, rejoin("what was revoked has ended")]
    );
    assert_eq!(d.machine.next_deadline(), None);
    // The group did not know of it, so it is asked again.
    assert_eq!(d.on(Event::Joined(joined(5, &[], &[]))), []);
    assert!(d.machine.next_deadline().is_some());
}

#[test]
fn a_task_of_a_number_that_no_connector_has_is_not_started() {
    let mut d = Driver::running();
    let strange = [t("a", -1), t("a", i32::MAX), t("unknown", -1), c("unknown")];
    assert_eq!(d.on(Event::Joined(joined(5, &strange, &[]))), []);
    assert!(d.machine.is_stable());
}

#[test]
fn nothing_starts_while_the_config_topic_was_read_less_far_than_the_assignment() {
    let mut d = Driver::running();
    assert_eq!(
        d.on(Event::Joined(joined(7, &[c("b")], &[]))),
        [Command::ReadToEnd]
    );
    assert_eq!(
        d.on(config(
            7,
            &[("a", 2), ("b", 0)],
            &[ConfigNote::Connector("b".into())]
        )),
        [start(c("b"))]
    );
    assert_eq!(d.on(Event::ReadToEnd), []);
    assert!(d.machine.is_stable());
}

#[test]
fn what_was_assigned_starts_also_when_the_config_topic_was_read_further() {
    let mut d = Driver::running();
    // A deleted connector and a task that is there no more are left out, and what is new waits for its assignment.
    let notes = [ConfigNote::Removed("a".into()), ConfigNote::Connector("c".into())];
    d.on(config(8, &[("b", 1), ("c", 1)], &notes));
    assert_eq!(
        d.on(Event::Joined(joined(6, &[c("b"), t("b", 0), t("b", 1)], &[]))),
        [start(c("b")), start(t("b", 0))]
    );
    assert_eq!(d.after(400), [rejoin("a connector was removed")]);
}

#[test]
fn a_leader_that_was_behind_joins_again_when_it_has_caught_up_and_others_wait_for_it() {
    let failed = |is_leader| {
        let joined = Joined {
            failed: true,
            is_leader,
            ..joined(9, &[], &[])
        };
        Event::Joined(joined)
    };
    let mut leader = Driver::running();
    assert_eq!(leader.on(failed(true)), [Command::ReadToEnd]);
    assert_eq!(leader.machine.admit(RequestKind::Leader), Admission::Wait);
    assert_eq!(
        leader.on(config(9, &[("a", 2)], &[])),
        [rejoin("this leader has read what others knew already")]
    );
    assert!(leader.machine.is_running(&c("a")));

    let mut other = Driver::running();
    other.on(config(9, &[("a", 2)], &[]));
    assert_eq!(other.on(failed(false)), []);
    assert_eq!(other.machine.admit(RequestKind::Leader), Admission::Wait);
    // Not for ever.
    assert_eq!(other.after(SETTINGS.sync_timeout - 1), []);
    assert_eq!(other.after(1), [rejoin("the leader was behind other workers")]);
    assert!(other.machine.is_running(&c("a")));
}

#[test]
fn a_connector_that_was_deleted_and_created_in_one_go_runs_on_its_new_configuration() {
    let mut d = Driver::running();
    let notes = [ConfigNote::Removed("a".into()), ConfigNote::Connector("a".into())];
    let stops = [stop(c("a")), stop(t("a", 0)), stop(t("a", 1))];
    assert_eq!(d.on(config(7, &[("a", 0)], &notes)), stops);
    assert_eq!(d.on(Event::Stopped(c("a"))), [start(c("a"))]);
    // The same with its tasks, which come with a commit.
    let mut d = Driver::running();
    let notes = [&notes[..], &[ConfigNote::Tasks("a".into())]].concat();
    assert_eq!(d.on(config(9, &[("a", 2)], &notes)), stops);
}

#[test]
fn a_connector_restarts_with_its_new_configuration_and_tasks_with_theirs() {
    let mut d = Driver::running();
    let two = &[("a", 2)];
    assert_eq!(
        d.on(config(6, two, &[ConfigNote::Connector("a".into())])),
        [stop(c("a"))]
    );
    assert_eq!(d.on(Event::Stopped(c("a"))), [start(c("a"))]);
    let stops = [stop(t("a", 0)), stop(t("a", 1))];
    assert_eq!(d.on(config(9, two, &[ConfigNote::Tasks("a".into())])), stops);
    assert_eq!(d.on(Event::Stopped(t("a", 1))), [start(t("a", 1))]);
    // Every worker that reads new task configurations asks for a rebalance, followers a little later than the leader.
    assert_eq!(d.after(400), [rejoin("tasks of a connector were configured")]);
    assert_eq!(d.on(Event::Stopped(t("a", 0))), [start(t("a", 0))]);
}

#[test]
fn tasks_that_are_not_configured_any_more_end_and_new_ones_wait_for_the_assignment() {
    let mut d = Driver::running();
    let stops = [stop(t("a", 0)), stop(t("a", 1))];
    assert_eq!(
        d.on(config(8, &[("a", 1)], &[ConfigNote::Tasks("a".into())])),
        stops
    );
    assert_eq!(d.on(Event::Stopped(t("a", 1))), []);
    assert_eq!(d.on(Event::Stopped(t("a", 0))), [start(t("a", 0))]);
    // Task 1 was never revoked, task 2 never assigned.
    assert_eq!(
        d.on(config(9, &[("a", 3)], &[ConfigNote::Tasks("a".into())])),
        [stop(t("a", 0)), start(t("a", 1))]
    );
    assert_eq!(d.on(Event::Stopped(t("a", 0))), [start(t("a", 0))]);
}

#[test]
fn a_deleted_connector_ends_at_once() {
    let mut d = Driver::running();
    assert_eq!(
        d.on(config(7, &[], &[ConfigNote::Removed("a".into())])),
        [stop(c("a")), stop(t("a", 0)), stop(t("a", 1))]
    );
    assert_eq!(d.after(400), [rejoin("a connector was removed")]);
}

#[test]
fn a_lapsed_lease_ends_everything_and_the_group_is_told_that_nothing_is_owned() {
    let mut d = Driver::running();
    let commands = d.on(Event::LeaseLapsed);
    assert_eq!(
        commands,
        [
            rejoin("this worker was not confirmed in time and gave up its work"),
            stop(c("a")),
            stop(t("a", 0)),
            stop(t("a", 1))
        ]
    );
    assert_eq!(d.metadata, Some((5, None)));
    // What is given back starts when its old run has ended, not earlier.
    assert_eq!(d.on(Event::Joined(joined(5, &[c("a"), t("a", 0)], &[]))), []);
    assert_eq!(d.on(Event::Stopped(c("a"))), [start(c("a"))]);
}

#[test]
fn an_eager_join_waits_until_everything_has_ended() {
    let mut d = Driver::running();
    assert_eq!(
        d.on(Event::GiveUpAll),
        [stop(c("a")), stop(t("a", 0)), stop(t("a", 1))]
    );
    d.on(Event::Stopped(c("a")));
    d.on(Event::Stopped(t("a", 0)));
    assert_eq!(d.on(Event::Stopped(t("a", 1))), [Command::JoinPrepared]);
    let eager = Joined {
        cooperative: false,
        ..joined(5, &[t("a", 0)], &[])
    };
    assert_eq!(d.on(Event::Joined(eager)), [start(t("a", 0))]);
    assert_eq!(
        d.machine.allocation().map(|it| it.work.clone()),
        Some(set(&[t("a", 0)]))
    );
}

#[test]
fn a_worker_that_cannot_catch_up_keeps_its_work_for_a_while_then_stops_it_then_leaves() {
    let mut d = Driver::running();
    assert_eq!(d.on(Event::Joined(joined(7, &[], &[]))), [Command::ReadToEnd]);
    assert_eq!(d.after(SETTINGS.sync_timeout), [Command::ReadToEnd]);
    // A read that fails at once does not use up the time for it, and a rebalance gives no more time.
    assert_eq!(d.on(Event::ReadFailed), []);
    assert_eq!(d.after(SETTINGS.sync_timeout - 1), []);
    assert_eq!(d.on(Event::Joined(joined(8, &[], &[]))), [Command::ReadToEnd]);
    assert_eq!(d.after(1), [Command::ReadToEnd]);
    assert_eq!(d.metadata, Some((5, Some(set(&[c("a"), t("a", 0), t("a", 1)])))));
    let stops = [stop(c("a")), stop(t("a", 0)), stop(t("a", 1))];
    assert_eq!(d.after(SETTINGS.sync_timeout), stops);
    // Until all has ended the group is not told.
    assert_eq!(d.metadata, Some((5, Some(set(&[c("a"), t("a", 0), t("a", 1)])))));
    d.on(Event::Stopped(c("a")));
    d.on(Event::Stopped(t("a", 0)));
    let leave = Command::Leave {
        reason: "the config topic cannot be read".into(),
    };
    assert_eq!(d.on(Event::Stopped(t("a", 1))), [leave]);
    assert_eq!(d.metadata, Some((5, None)));
    assert_eq!(d.machine.next_deadline(), Some(d.now + SETTINGS.unsync_backoff));
    assert_eq!(d.after(SETTINGS.unsync_backoff), [Command::ReadToEnd]);
    assert_eq!(
        d.on(Event::ReadToEnd),
        [rejoin("the config topic can be read again")]
    );
}

#[test]
fn the_scheduled_rebalance_comes_when_its_delay_is_over() {
    let mut d = Driver::running();
    let delayed = Joined {
        delay: 5_000,
        ..joined(5, &[], &[])
    };
    assert_eq!(d.on(Event::Joined(delayed)), []);
    assert_eq!(d.machine.next_deadline(), Some(d.now + 5_000));
    assert_eq!(d.after(4_999), []);
    assert_eq!(d.after(1), [rejoin("the scheduled rebalance is due")]);
}

#[test]
fn a_leader_writes_when_its_assignment_is_in_force_and_others_forward_to_it() {
    let mut d = Driver::running();
    assert_eq!(
        d.machine.admit(RequestKind::Leader),
        Admission::Forward("http://leader:8083/".into())
    );
    assert_eq!(d.machine.admit(RequestKind::Member), Admission::Here);
    let leading = Joined {
        is_leader: true,
        ..joined(6, &[], &[])
    };
    assert_eq!(d.on(Event::Joined(leading)), [Command::Lead, Command::ReadToEnd]);
    assert_eq!(d.machine.admit(RequestKind::Leader), Admission::Wait);
    d.on(config(6, &[("a", 2)], &[]));
    d.on(Event::ReadToEnd);
    assert_eq!(d.machine.admit(RequestKind::Leader), Admission::Here);
    d.on(Event::ShutDown);
    assert_eq!(d.machine.admit(RequestKind::Member), Admission::Refuse);
}

#[test]
fn a_worker_ends_when_all_its_work_has() {
    let mut d = Driver::running();
    assert_eq!(d.on(Event::ShutDown).len(), 3);
    // Nothing that happens meanwhile starts anything.
    assert_eq!(d.on(Event::Joined(joined(5, &[c("a")], &[]))), []);
    assert_eq!(d.on(Event::Stopped(c("a"))), []);
    d.on(Event::Stopped(t("a", 0)));
    assert_eq!(d.on(Event::Stopped(t("a", 1))), [Command::End]);
    assert_eq!(d.on(Event::Tick), []);
}

#[test]
fn a_rebalance_that_knew_all_makes_a_pending_rejoin_needless() {
    let mut d = Driver::running();
    d.on(config(
        6,
        &[("a", 2), ("b", 0)],
        &[ConfigNote::Connector("b".into())],
    ));
    assert!(d.machine.next_deadline().is_some());
    assert_eq!(d.on(Event::Joined(joined(6, &[], &[]))), []);
    assert_eq!(d.machine.next_deadline(), None);
}

#[test]
fn a_target_state_reaches_only_what_runs_here() {
    let mut d = Driver::running();
    let notes = [ConfigNote::Target("a".into()), ConfigNote::Target("b".into())];
    assert_eq!(
        d.on(config(6, &[("a", 2), ("b", 1)], &notes)),
        [Command::ApplyTarget("a".into())]
    );
    assert_eq!(d.on(Event::Restart(set(&[c("a"), c("b")]))), [stop(c("a"))]);
}

#[test]
fn a_worker_that_has_left_is_not_kept_out_by_a_join_that_was_to_begin_before() {
    let mut d = Driver::running();
    assert_eq!(d.on(Event::Joined(joined(7, &[], &[]))), [Command::ReadToEnd]);
    for _ in 0..3 {
        d.after(SETTINGS.sync_timeout);
    }
    for id in [c("a"), t("a", 0), t("a", 1)] {
        d.on(Event::Stopped(id));
    }
    assert_eq!(d.on(Event::GiveUpAll), []);
    assert_eq!(d.after(SETTINGS.unsync_backoff), [Command::ReadToEnd]);
    assert_eq!(
        d.on(Event::ReadToEnd),
        [rejoin("the config topic can be read again")]
    );
}

#[test]
fn a_worker_that_gives_up_claims_its_work_until_it_has_ended_whatever_is_read_meanwhile() {
    let mut d = Driver::running();
    d.on(Event::Joined(joined(9, &[], &[])));
    for _ in 0..3 {
        d.after(SETTINGS.sync_timeout);
    }
    assert!(!d.machine.is_running(&c("a")) && !d.machine.is_leader());
    assert_eq!(d.on(config(6, &[("a", 2)], &[])), []);
    assert_eq!(d.metadata, Some((6, Some(set(&[c("a"), t("a", 0), t("a", 1)])))));
}
