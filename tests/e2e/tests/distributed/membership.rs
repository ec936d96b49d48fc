//! Workers come, go, die and freeze; the work goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use wharf_e2e::truth::Runs;
use wharf_e2e::{Worker, has_state, states};

use crate::group::{Group, SESSION, eventually, file_sink, file_source, workers_of};

fn lines(from: usize, count: usize) -> String {
    (from..from + count).map(|n| format!("line {n}\n")).collect()
}

#[test]
fn a_worker_alone_runs_what_is_created_and_continues_it_when_it_is_started_again() {
    let Some(group) = Group::set_up("alone") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    stage.write("in.txt", lines(0, 100));
    let worker = group.start("one");
    worker.create("source", file_source(&stage.file("in.txt"), &topic));
    // Its consumer group is named after it, and other tests share the broker.
    let sink = stage.named("sink");
    worker.create(&sink, file_sink(&stage.file("out.txt"), &topic));
    for name in ["source", &sink] {
        worker.until(&format!("/connectors/{name}/status"), name, |status| {
            has_state(status, "RUNNING")
        });
    }
    eventually("all lines are there", || {
        stage.read("out.txt") == lines(0, 100).as_bytes()
    });
    assert_eq!(worker.terminate(), Some(143));

    stage.write("in.txt", lines(0, 150));
    let worker = group.start("one");
    worker.until("/connectors/source/status", "source", |status| {
        has_state(status, "RUNNING")
    });
    eventually("the rest is there, once", || {
        stage.read("out.txt") == lines(0, 150).as_bytes()
    });
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn work_is_shared_and_moves_when_a_worker_is_killed_and_no_line_is_missing() {
    let Some(group) = Group::set_up("killed") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    let two = group.start("two");
    for n in 0..4 {
        stage.write(&format!("in{n}.txt"), lines(0, 100));
        let config = file_source(
            &stage.file(&format!("in{n}.txt")),
            &stage.named(&format!("topic{n}")),
        );
        one.create(&format!("source{n}"), config);
    }
    let status = |worker: &Worker, n: usize| {
        worker.until(&format!("/connectors/source{n}/status"), "it runs", |status| {
            has_state(status, "RUNNING")
        })
    };
    let owners = |worker: &Worker| -> BTreeSet<String> {
        (0..4).flat_map(|n| workers_of(&status(worker, n))).collect()
    };
    eventually("both workers have work", || owners(&one).len() == 2);

    two.kill();
    let killed = Instant::now();
    let alive = one.address().to_owned();
    eventually("one has all the work", || {
        (0..4).all(|n| {
            let status = one.get(&format!("/connectors/source{n}/status"));
            has_state(&status, "RUNNING") && workers_of(&status).iter().all(|worker| *worker == alive)
        })
    });
    let took = killed.elapsed();
    assert!(took < SESSION + Duration::from_secs(15), "{took:?}");
    for n in 0..4 {
        stage.write(&format!("in{n}.txt"), lines(0, 200));
        let mut reader = stage.kafka().reader(&stage.named(&format!("topic{n}")));
        let mut seen = BTreeSet::new();
        eventually("all lines are in the topic", || {
            seen.extend(reader.read_to_end().iter().map(|record| record.text()));
            seen.len() == 200
        });
    }
}

#[test]
fn a_worker_that_leaves_in_order_hands_over_at_once() {
    let Some(group) = Group::set_up("leaves") else {
        return;
    };
    let stage = &group.stage;
    let one = group.start("one");
    let two = group.start("two");
    stage.write("in.txt", lines(0, 10));
    two.create(
        "source",
        file_source(&stage.file("in.txt"), &stage.named("topic")),
    );
    let status = two.until("/connectors/source/status", "it runs", |status| {
        has_state(status, "RUNNING")
    });
    let owner = workers_of(&status).pop().unwrap();
    let (stays, goes) = if one.address() == owner {
        (two, one)
    } else {
        (one, two)
    };
    let started = Instant::now();
    assert_eq!(goes.terminate(), Some(143));
    let stays_at = stays.address().to_owned();
    stays.until("/connectors/source/status", "it runs elsewhere", |status| {
        has_state(status, "RUNNING") && workers_of(status).iter().all(|worker| *worker == stays_at)
    });
    assert!(started.elapsed() < SESSION, "{:?}", started.elapsed());
}

#[test]
fn what_a_stopped_worker_ran_is_unassigned_for_the_delay_and_then_runs_elsewhere() {
    const DELAY: Duration = Duration::from_secs(15);
    let Some(mut group) = Group::set_up("delay") else {
        return;
    };
    group.stage.keep_when_failed();
    let stage = &group.stage;
    let settings = [("scheduled.rebalance.max.delay.ms", "15000")];
    // Who leads remembers where everything ran, so it is the other one that goes.
    let one = group.start_with("one", &settings);
    one.until("/admin/cluster", "it leads", |view| view["is_leader"] == true);
    let two = group.start_with("two", &settings);
    let names = ["source0", "source1", "source2", "source3"];
    for name in names {
        stage.write(&format!("{name}.txt"), "line 0\n");
        let file = stage.file(&format!("{name}.txt"));
        two.create(name, file_source(&file, &stage.named(name)));
    }
    let path = |name: &str| format!("/connectors/{name}/status");
    let runs = |name: &str| one.until(&path(name), "it runs", |status| has_state(status, "RUNNING"));
    let here = one.address();
    let mut owners = Vec::new();
    eventually("both have as many connectors and tasks", || {
        owners = names.iter().map(|name| workers_of(&runs(name))).collect();
        let count = |part: usize| owners.iter().filter(|of: &&Vec<String>| of[part] == here).count();
        (count(0), count(1)) == (2, 2)
    });
    for name in names {
        one.until(
            &format!("/connectors/{name}/offsets"),
            "its offset is stored",
            |offsets| offsets["offsets"][0]["offset"]["position"] == 7,
        );
    }
    let began = Instant::now();
    assert_eq!(two.terminate(), Some(143));
    for (name, owners) in names.iter().zip(&owners) {
        let expected: Vec<_> = owners
            .iter()
            .map(|owner| if owner == here { "RUNNING" } else { "UNASSIGNED" })
            .collect();
        one.until(&path(name), "what the other one ran is unassigned", |status| {
            states(status) == expected && workers_of(status) == *owners
        });
        stage.write(&format!("{name}.txt"), "line 0\nline 1\n");
    }
    assert_eq!(Runs::of(one.pid(), &[]).tasks, 2, "nobody runs the others");

    for name in names {
        one.until(&path(name), "it runs on the one that is left", |status| {
            has_state(status, "RUNNING") && workers_of(status).iter().all(|id| id == here)
        });
    }
    assert!(began.elapsed() >= DELAY, "{:?}", began.elapsed());
    for name in names {
        let seen = stage.kafka().reader(&stage.named(name)).read(2);
        let seen: Vec<_> = seen.iter().map(wharf_e2e::Seen::text).collect();
        assert_eq!(seen, ["line 0", "line 1"]);
    }
}
