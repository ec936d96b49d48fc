//! Workers freeze, brokers restart, networks are cut: afterwards everything runs exactly once, statuses are true and no line is
//! missing.

use wharf_e2e::group::Group;
use wharf_e2e::truth::Runs;
use wharf_e2e::{Stage, Worker};
use wharf_test_services::{KafkaBroker, KafkaOptions, Proxy};

use crate::flows::{Flows, QUICK};
use crate::group::eventually;

/// What a worker logs when its lease is over.
pub(crate) const GIVES_UP: &str = "this worker gives up all its work";

/// A group on a broker of the test's own.
pub(crate) fn group_on(kafka: &KafkaBroker, name: &str) -> Option<Group> {
    let mut stage = Stage::with_shipped_plugins(name, &kafka.bootstrap())?;
    stage.keep_when_failed();
    Some(Group { stage })
}

/// A broker that is reached through a proxy as well.
pub(crate) fn broker_behind_proxy() -> Option<(KafkaBroker, Proxy)> {
    let proxy = Proxy::start().unwrap();
    let options = KafkaOptions {
        proxy: Some(proxy.port()),
        ..KafkaOptions::default()
    };
    let kafka = KafkaBroker::for_test_with(&options)?;
    proxy.forward_to(kafka.proxied_port().unwrap());
    Some((kafka, proxy))
}

fn gave_up(worker: &Worker) -> usize {
    worker.log().matches(GIVES_UP).count()
}

#[test]
fn a_worker_that_wakes_after_its_session_does_nothing_old_and_comes_back() {
    let Some(group) = Group::set_up("frozen") else {
        return;
    };
    let (one, two) = (group.start_with("one", &QUICK), group.start_with("two", &QUICK));
    let mut flows = Flows::create(group, &one, 4);
    flows.add(100);
    flows.settle(&[&one, &two]);
    // The first one leads.
    for (sleeper, other) in [(&two, &one), (&one, &two)] {
        // Nothing is under way, so nothing may be sent twice.
        flows.are_stored(other);
        sleeper.signal("STOP");
        flows.settle(&[other]);
        // Were the sleeper to read its files or topics when it wakes, it would find these.
        flows.add(100);
        flows.arrive();
        flows.are_stored(other);
        let before = gave_up(sleeper);
        sleeper.signal("CONT");
        eventually("the sleeper gives up", || gave_up(sleeper) > before);
        flows.settle(&[&one, &two]);
        flows.are_stored(other);
        flows.add(100);
        flows.settle(&[&one, &two]);
        assert_eq!(flows.doubled(), (0, 0), "in topics and in files");
    }
}

#[test]
fn a_broker_that_restarts_is_waited_for() {
    let Some(mut kafka) = KafkaBroker::for_test() else {
        return;
    };
    let Some(group) = group_on(&kafka, "broker") else {
        return;
    };
    let (one, two) = (group.start_with("one", &QUICK), group.start_with("two", &QUICK));
    let mut flows = Flows::create(group, &one, 4);
    flows.add(100);
    flows.settle(&[&one, &two]);

    kafka.stop().unwrap();
    flows.add(100);
    kafka.restart().unwrap();
    flows.settle(&[&one, &two]);

    // Longer than any lease, and without a goodbye.
    kafka.kill().unwrap();
    let before = [gave_up(&one), gave_up(&two)];
    flows.add(100);
    eventually("both give up", || {
        gave_up(&one) > before[0] && gave_up(&two) > before[1]
    });
    for worker in [&one, &two] {
        eventually("nothing runs", || {
            let runs = Runs::of(worker.pid(), &flows.connectors());
            (runs.connectors, runs.tasks) == (0, 0)
        });
    }
    kafka.restart().unwrap();
    flows.settle(&[&one, &two]);
}

#[test]
fn a_worker_that_is_cut_off_gives_up_and_comes_back_with_the_network() {
    let Some((kafka, proxy)) = broker_behind_proxy() else {
        return;
    };
    let Some(group) = group_on(&kafka, "cut-off") else {
        return;
    };
    let behind = format!("127.0.0.1:{}", proxy.port());
    let mut settings = QUICK.to_vec();
    settings.push(("bootstrap.servers", &behind));
    let near = group.start_with("near", &QUICK);
    let far = group.start_with("far", &settings);
    let mut flows = Flows::create(group, &near, 4);
    flows.add(100);
    flows.settle(&[&near, &far]);
    flows.are_stored(&near);

    // First with nothing under way, then under load: what the far one still reads is on the way and may arrive twice.
    for loaded in [false, true] {
        proxy.cut();
        if loaded {
            flows.add(100);
        }
        eventually("the far one does nothing", || {
            let runs = Runs::of(far.pid(), &flows.connectors());
            (runs.connectors, runs.tasks, runs.files.len()) == (0, 0, 0)
        });
        flows.settle(&[&near]);
        flows.add(100);
        flows.arrive();
        flows.are_stored(&near);
        proxy.mend();
        flows.settle(&[&near, &far]);
        if !loaded {
            assert_eq!(flows.doubled(), (0, 0), "in topics and in files");
        }
        flows.are_stored(&near);
    }
}
