//! Worker keys of the distributed mode whose effect no other test sees: each has a value here with which something happens that would
//! not happen, or not so soon, with its default.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_cluster::signature::{MacAlgorithm, headers};
use wharf_e2e::{PATIENCE, Worker, has_state};
use wharf_test_services::http;

use crate::flows::{Flows, QUICK};
use crate::group::{Group, eventually, file_source, workers_of};
use crate::requests::SessionKeys;

/// What a worker logs when it has learnt what it has to do.
const JOINED: &str = "joined generation";

#[test]
fn a_member_that_does_not_join_again_in_time_is_put_out_long_before_its_session_ends() {
    const REBALANCE: Duration = Duration::from_secs(5);
    let Some(group) = Group::set_up("rebalance-timeout") else {
        return;
    };
    let mut settings = QUICK.to_vec();
    settings.extend([("rebalance.timeout.ms", "5000"), ("session.timeout.ms", "300000")]);
    let (one, two) = (
        group.start_with("one", &settings),
        group.start_with("two", &settings),
    );
    let mut flows = Flows::create(group, &one, 2);
    flows.add(50);
    flows.settle(&[&one, &two]);
    flows.are_stored(&one);

    two.signal("STOP");
    let began = Instant::now();
    let three = flows.group.launch_with("three", &settings);
    three.wait_log(JOINED);
    // As long as the others waited for it, and no longer.
    let waited = began.elapsed();
    assert!(waited >= REBALANCE, "{waited:?}");
    assert!(waited < Duration::from_secs(40), "{waited:?}");
    flows.settle(&[&one, &three]);
    flows.add(50);
    flows.settle(&[&one, &three]);
    two.signal("CONT");
    flows.settle(&[&one, &two, &three]);
}

#[test]
fn requests_between_workers_are_signed_and_checked_as_the_worker_file_says() {
    let Some(group) = Group::set_up("signatures") else {
        return;
    };
    let stage = &group.stage;
    // A default that only one side went by would be refused by the other.
    let settings = [
        ("inter.worker.key.generation.algorithm", "HmacSHA512"),
        ("inter.worker.key.size", "1024"),
        ("inter.worker.signature.algorithm", "HmacSHA384"),
        ("inter.worker.verification.algorithms", "HmacSHA384,HmacSHA1"),
    ];
    let one = group.start_with("one", &settings);
    one.until("/admin/cluster", "it leads", |view| view["is_leader"] == true);
    let two = group.start_with("two", &settings);
    stage.write("in.txt", "a\n");
    let names = ["source0", "source1"];
    for name in names {
        one.create(name, file_source(&stage.file("in.txt"), &stage.named("topic")));
    }
    let mut far = None;
    eventually("a connector is on the other worker", || {
        far = names.into_iter().find(|name| {
            let path = format!("/connectors/{name}/status");
            let status = one.until(&path, "it runs", |status| has_state(status, "RUNNING"));
            workers_of(&status)[0] == two.address()
        });
        far.is_some()
    });
    let path = format!("/connectors/{}", far.unwrap());
    // The other worker sends its new task configurations to the leader.
    let patch = json!({"batch.size": "7"});
    two.call("PATCH", &format!("{path}/config"), Some(&patch), 200);
    let tasks = one.until(&format!("{path}/tasks"), "the leader has taken them", |tasks| {
        tasks[0]["config"]["batch.size"] == "7"
    });

    let mut keys = SessionKeys::of(&group);
    while keys.seen.is_empty() {
        keys.read_some();
    }
    let key = keys.seen.last().unwrap();
    assert_eq!((key.algorithm(), key.bytes().len()), ("HmacSHA512", 128));
    let body = Value::from(vec![tasks[0]["config"].clone()]).to_string();
    for (algorithm, status) in [("HmacSHA384", 204), ("HmacSHA1", 204), ("HmacSHA256", 400)] {
        let signed = headers(key, &MacAlgorithm::new(algorithm).unwrap(), body.as_bytes());
        let mut all = vec![("content-type", "application/json")];
        all.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = http::send(one.address(), "POST", &format!("{path}/tasks"), &all, Some(&body)).unwrap();
        assert_eq!(answer.status, status, "{algorithm}: {}", answer.body);
        let told = "configured to use: [HmacSHA384, HmacSHA1]";
        assert_eq!(answer.body.contains(told), status == 400, "{}", answer.body);
    }
}

#[test]
fn a_task_that_does_not_stop_is_given_up_when_its_time_is_over_and_moves() {
    let Some(group) = Group::set_up("graceful") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    stage.kafka().create_topic(&topic, 1, &[]);
    let settings = [("task.shutdown.graceful.timeout.ms", "700")];
    let workers = ["one", "two"].map(|name| group.start_with(name, &settings));
    let config = json!({
        "connector.class": "wharf.test.MisbehavingSource",
        "tasks.max": "1",
        "topic": topic,
        "mode": "hang_in_poll",
        "mode.after": "1",
    });
    workers[0].create("source", config);
    eventually("its first record is there", || stage.kafka().count(&topic) == 1);
    let status = workers[0].until("/connectors/source/status", "it runs", |status| {
        has_state(status, "RUNNING")
    });
    let owner = workers_of(&status).pop().unwrap();
    let [one, two] = workers;
    let (mut goes, stays) = if one.address() == owner {
        (one, two)
    } else {
        (two, one)
    };
    goes.signal("TERM");
    assert_eq!(goes.end(PATIENCE), Some(143));
    goes.wait_log("task source-0 did not stop within 700 ms and is given up");
    stays.until("/connectors/source/status", "it runs elsewhere", |status| {
        has_state(status, "RUNNING") && workers_of(status).iter().all(|worker| worker == stays.address())
    });
}

/// How many heartbeats a worker has had answered.
fn heartbeats(worker: &Worker) -> f64 {
    let metrics = worker.request("GET", "/metrics", None).body;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("kafka_connect_coordinator_heartbeat_total{"));
    line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn heartbeats_come_as_often_as_they_are_asked_for_from_a_client_of_the_name_that_is_asked_for() {
    const OFTEN: &str = "100";
    const SELDOM: Duration = Duration::from_millis(3_000);
    let Some(group) = Group::set_up("heartbeats") else {
        return;
    };
    let settings = |interval| {
        [
            ("heartbeat.interval.ms", interval),
            ("session.timeout.ms", "30000"),
        ]
    };
    let often = group.start_with("often", &settings(OFTEN));
    let own = [&settings("3000")[..], &[("client.id", "blue")]].concat();
    let seldom = group.start_with("seldom", &own);
    let kafka = group.stage.kafka();
    let mut names = Vec::new();
    eventually("both are members", || {
        let found = kafka.group(&group.stage.named("workers")).unwrap();
        names = found.members.into_iter().map(|member| member.client_id).collect();
        found.state == "Stable" && names.len() == 2
    });
    names.sort();
    assert_eq!(names, ["blue".to_owned(), format!("connect-{}", often.address())]);

    // By default these would take fifteen seconds, and one and a half.
    for (worker, count, least, most) in [
        (&often, 30.0, Duration::from_secs(2), Duration::from_secs(12)),
        (&seldom, 3.0, 2 * SELDOM, Duration::MAX),
    ] {
        let (before, began) = (heartbeats(worker), Instant::now());
        eventually("it has sent some", || heartbeats(worker) >= before + count);
        let took = began.elapsed();
        assert!(least <= took && took < most, "{count} heartbeats in {took:?}");
    }
}
