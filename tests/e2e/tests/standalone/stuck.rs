//! A plugin that hangs blocks nothing but itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage, Worker};
use wharf_test_services::process::wait_until;

/// Where plugins hang here: class, key that names the topic, method.
const STUCK: [(&str, &str, &str); 6] = [
    ("MisbehavingSource", "topic", "connector_stop"),
    ("MisbehavingSource", "topic", "start"),
    ("MisbehavingSource", "topic", "poll"),
    ("MisbehavingSource", "topic", "stop"),
    ("MisbehavingSink", "topics", "put"),
    ("MisbehavingSink", "topics", "stop"),
];

/// An answer must come within this, whatever hangs: the connector's and the tasks' time to stop and some more.
const ANSWER: Duration = Duration::from_secs(20);

fn config(class: &str, key: &str, method: &str, topic: &str) -> Value {
    let mut config = json!({
        "connector.class": format!("wharf.test.{class}"), "tasks.max": "1", "mode": format!("hang_in_{method}")
    });
    config[key] = json!(topic);
    config
}

fn timed(worker: &Worker, method: &str, path: &str, status: u16) -> Duration {
    let begun = Instant::now();
    worker.call(method, path, None, status);
    begun.elapsed()
}

/// Asks many times for what a dashboard asks for; the time that 99 of 100 answers took at most.
fn p99_of_reads(worker: &Worker, names: &[String]) -> Duration {
    let mut times: Vec<_> = (0..200)
        .map(|number| {
            let name = &names[number % names.len()];
            let path = match number % 4 {
                0 => "/connectors?expand=status&expand=info".to_owned(),
                1 => format!("/connectors/{name}/status"),
                2 => format!("/connectors/{name}/tasks"),
                _ => format!("/connectors/{name}"),
            };
            timed(worker, "GET", &path, 200)
        })
        .collect();
    times.sort_unstable();
    times[197]
}

#[test]
fn plugins_that_hang_block_neither_reads_nor_other_connectors_nor_their_own_deletion() {
    let Some(stage) = Stage::set_up("stuck") else {
        return;
    };
    let (records, lines) = (stage.named("records"), stage.named("lines"));
    let kafka = stage.kafka();
    kafka.create_topic(&records, 1, &[]);
    kafka.create_topic(&lines, 1, &[]);
    kafka.produce_lines(&records, &["a record".to_owned()]);
    let worker = stage.start(&[("task.shutdown.graceful.timeout.ms", "500")], &[]);

    let mut names: Vec<_> = STUCK
        .iter()
        .map(|(class, key, method)| {
            let name = stage.named(&format!("{class}-{method}"));
            worker.create(&name, config(class, key, method, &records));
            name
        })
        .collect();
    let starting = stage.named("connector-start");
    std::thread::scope(|scope| {
        let body = json!({
            "name": starting, "config": config("MisbehavingSource", "topic", "connector_start", &records)
        });
        let (worker, names) = (&worker, &mut names);
        let creation = scope.spawn(move || worker.request("POST", "/connectors", Some(&body)));
        worker.until("/connectors", "the connector that hangs is listed", |list| {
            list.as_array().unwrap().contains(&json!(starting))
        });

        // Others are created and work while all of these hang.
        let healthy = stage.named("healthy");
        stage.write("input", "one\ntwo\n");
        worker.create(
            &healthy,
            json!({"connector.class": "FileStreamSource", "topic": lines, "file": stage.file("input")}),
        );
        assert!(wait_until(PATIENCE, || kafka.count(&lines) == 2));
        worker.until_states(&healthy, &["RUNNING", "RUNNING"]);
        for name in &*names {
            assert!(worker.get(&format!("/connectors/{name}/status"))["connector"]["state"] == "RUNNING");
        }
        let p99 = p99_of_reads(worker, names);
        println!("p99 of 200 reads while {} plugins hang: {p99:?}", STUCK.len() + 1);
        assert!(p99 < Duration::from_millis(100), "{p99:?}");

        // The status says what a task that looks alive waits for.
        worker.until(
            &format!("/connectors/{}/status", names[2]),
            "the status says that poll hangs",
            |status| {
                let trace = status["tasks"][0]["trace"].as_str().unwrap_or_default();
                trace.contains("the plugin's poll has not returned")
            },
        );

        // What cannot be stopped is given up, within the time that stopping may take.
        let poll = names[2].clone();
        assert!(timed(worker, "PUT", &format!("/connectors/{poll}/stop"), 204) < ANSWER);
        worker.until_states(&poll, &["STOPPED"]);
        names.push(starting.clone());
        for name in &*names {
            let took = timed(worker, "DELETE", &format!("/connectors/{name}"), 204);
            assert!(took < ANSWER, "DELETE {name} took {took:?}");
        }
        let created = creation.join().unwrap();
        assert!(created.status >= 400, "{created:?}");
        assert_eq!(worker.get("/connectors"), json!([healthy]));

        // A name is free again, even while the old plugin still hangs.
        worker.create(
            &poll,
            json!({"connector.class": "FileStreamSource", "topic": lines, "file": stage.file("more")}),
        );
        stage.write("more", "three\n");
        assert!(wait_until(PATIENCE, || kafka.count(&lines) == 3));
    });
    let begun = Instant::now();
    assert_eq!(worker.terminate(), Some(143));
    assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
}

#[test]
fn validation_that_hangs_blocks_no_read() {
    let Some(stage) = Stage::set_up("validate") else {
        return;
    };
    let mut worker = stage.start(&[], &[]);
    let class = "wharf.test.MisbehavingSource";
    std::thread::scope(|scope| {
        let worker = &worker;
        let asked = scope.spawn(move || {
            let body = config("MisbehavingSource", "topic", "validate", "t").to_string();
            let path = format!("/connector-plugins/{class}/config/validate");
            wharf_test_services::http::request(worker.address(), "PUT", &path, Some(&body))
        });
        let mut times: Vec<_> = (0..200)
            .map(|_| timed(worker, "GET", "/connector-plugins", 200))
            .collect();
        times.sort_unstable();
        assert!(times[197] < Duration::from_millis(100), "{:?}", times[197]);
        assert_eq!(worker.get("/health")["status"], "healthy");
        worker.signal("TERM");
        // The answer that will never come must not hold the worker up.
        let _ = asked.join().unwrap();
    });
    assert_eq!(worker.end(PATIENCE), Some(143));
}

#[test]
fn a_connector_whose_start_hangs_has_a_status_that_says_so() {
    let Some(stage) = Stage::set_up("starting") else {
        return;
    };
    let worker = stage.start(&[("task.shutdown.graceful.timeout.ms", "500")], &[]);
    let name = stage.named("source");
    let path = format!("/connectors/{name}");
    std::thread::scope(|scope| {
        let body = json!({
            "name": name, "config": config("MisbehavingSource", "topic", "connector_start", "none")
        });
        let worker = &worker;
        let creation = scope.spawn(move || worker.request("POST", "/connectors", Some(&body)));
        let status = worker.until(&format!("{path}/status"), "it has a status", |_| true);
        assert_eq!(status["name"], json!(name));
        assert_eq!(status["connector"]["state"], "UNASSIGNED", "{status}");
        assert_eq!(status["tasks"], json!([]), "{status}");
        assert_eq!(worker.get(&path)["tasks"], json!([]));
        worker.until(&format!("{path}/status"), "the status says why", |status| {
            let text = status["connector"]["trace"].as_str().unwrap_or_default();
            status["connector"]["state"] == "UNASSIGNED" && text.contains("has not answered")
        });
        // Its listing with all others works as well.
        let listed = worker.get("/connectors?expand=status");
        assert_eq!(
            listed[&name]["status"]["connector"]["state"], "UNASSIGNED",
            "{listed}"
        );
        let begun = Instant::now();
        worker.call("DELETE", &path, None, 204);
        assert!(begun.elapsed() < ANSWER, "{:?}", begun.elapsed());
        assert!(creation.join().unwrap().status >= 400);
        worker.refused("GET", &format!("{path}/status"), None, 404);
    });
    assert_eq!(worker.terminate(), Some(143));
}
