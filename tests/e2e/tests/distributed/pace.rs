//! How soon work is elsewhere when its worker is gone, and how often a group talks while it gets much to do.
//!
//! What is aimed at, work elsewhere within the session timeout and two seconds after a crash and within two seconds after a planned
//! stop, is measured and judged by `cargo xtask bench --groups`, on a machine that does nothing else; docs/performance.md has the
//! figures. Here the machine is shared with other tests, so what is measured is printed, and limits are far wider: they tell a
//! group that waits for something it need not wait for, such as the longest delay of a rebalance, from one that does not.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use wharf_e2e::group::Group;
use wharf_e2e::truth::runs_exactly_once;
use wharf_e2e::{Worker, has_state};

use crate::flows::{Flows, QUICK};
use crate::group::{eventually, file_source, workers_of};

/// `session.timeout.ms` of [`QUICK`].
const SESSION: Duration = Duration::from_secs(3);
/// The default, which groups of tests otherwise make shorter.
const HEARTBEAT: (&str, &str) = ("heartbeat.interval.ms", "500");
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(10);

/// To standard error as it is: the harness keeps to itself what goes through its macros.
fn say(what: &str) {
    let _ = std::io::stderr().write_all(format!("pace: {what}\n").as_bytes());
}

/// How long it takes until everything runs on the one that stays.
fn time_to_move(flows: &Flows, stays: &Worker) -> Duration {
    let began = Instant::now();
    let connectors = flows.connectors();
    eventually("everything runs on the one that is left", || {
        runs_exactly_once(&[stays], &connectors).is_ok()
    });
    began.elapsed()
}

#[test]
fn work_is_elsewhere_soon_after_a_crash_and_after_a_planned_stop() {
    let Some(group) = Group::set_up("pace") else {
        return;
    };
    // Defaults but for the session, and for the sinks' own groups.
    let mut settings = QUICK.to_vec();
    settings.push(HEARTBEAT);
    let start = |group: &Group, name: &str| group.start_with(name, &settings);
    let (one, two) = (start(&group, "one"), start(&group, "two"));
    let mut flows = Flows::create(group, &one, 4);
    flows.add(50);
    flows.settle(&[&one, &two]);
    two.kill();
    let crash = time_to_move(&flows, &one);
    say(&format!(
        "after a crash all work runs elsewhere within {:.2} s, the session is {} s",
        crash.as_secs_f64(),
        SESSION.as_secs()
    ));
    assert!(crash < SESSION + SLACK, "{crash:?}");

    // A member leads that was not the first.
    let two = start(&flows.group, "two");
    flows.settle(&[&one, &two]);
    one.signal("TERM");
    let stop = time_to_move(&flows, &two);
    say(&format!(
        "after a planned stop all work runs elsewhere within {:.2} s",
        stop.as_secs_f64()
    ));
    assert!(stop < SLACK, "{stop:?}");
    flows.add(50);
    flows.settle(&[&two]);
}

/// The last generation that a worker joined.
fn generation(worker: &Worker) -> u32 {
    let log = worker.log();
    let last = log.rsplit("joined generation ").next().unwrap_or_default();
    let digits: String = last.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_hundred_new_connectors_in_a_row_are_at_most_ten_rebalances() {
    const COUNT: usize = 100;
    let Some(group) = Group::set_up("hundred") else {
        return;
    };
    let stage = &group.stage;
    let (one, two) = (group.start("one"), group.start("two"));
    eventually("both are members", || {
        let joined = |worker: &Worker| worker.log().contains("joined generation");
        joined(&one) && joined(&two) && generation(&one) == generation(&two)
    });
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("in.txt", "line\n");
    let config = file_source(&stage.file("in.txt"), &topic);
    let before = generation(&one);
    let began = Instant::now();
    for number in 0..COUNT {
        // Whoever is asked: one of them passes every request on.
        let worker = if number % 2 == 0 { &one } else { &two };
        worker.create(&format!("source{number}"), config.clone());
    }
    let created = began.elapsed();
    let mut owners = BTreeSet::new();
    for number in 0..COUNT {
        let path = format!("/connectors/source{number}/status");
        let status = one.until(&path, "it runs", |status| has_state(status, "RUNNING"));
        owners.extend(workers_of(&status));
    }
    let rebalances = generation(&one) - before;
    say(&format!(
        "{COUNT} connectors were created in {:.1} s, all ran after {:.1} s, with {rebalances} rebalances",
        created.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    assert_eq!(owners.len(), 2, "{owners:?}");
    // "In a row" is some seconds. A machine so busy that it takes longer leaves pauses in which a rebalance is due by itself.
    let beyond = created.saturating_sub(Duration::from_secs(8));
    let most = 10 + beyond.as_secs() * 2 / 3;
    assert!(
        u64::from(rebalances) <= most,
        "{rebalances} rebalances of at most {most}"
    );
}
