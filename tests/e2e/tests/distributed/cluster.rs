//! `wharf cluster` on groups of either kind of worker, and on what is no such group.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::Value;
use wharf_e2e::{Worker, has_state};

use crate::group::{Group, Looked, eventually, file_source, workers_of};
use crate::mixed::{Mixed, all_say, ask, create, path, terminate};

const CLUSTER: &[&str] = &["cluster", "--json"];

fn texts(list: &Value) -> Vec<&str> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `kind: message` of everything that was found.
fn findings(report: &Value) -> Vec<String> {
    entries(&report["findings"])
        .iter()
        .map(|finding| {
            format!(
                "{}: {}",
                finding["kind"].as_str().unwrap(),
                finding["message"].as_str().unwrap()
            )
        })
        .collect()
}

fn urls(workers: &[&Worker]) -> BTreeSet<String> {
    workers
        .iter()
        .map(|worker| format!("http://{}/", worker.address()))
        .collect()
}

fn member_urls(report: &Value) -> BTreeSet<String> {
    let members = entries(&report["members"]);
    members
        .iter()
        .map(|member| member["url"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn member<'a>(report: &'a Value, worker: &Worker) -> &'a Value {
    entries(&report["members"])
        .iter()
        .find(|member| member["worker_id"] == worker.address())
        .unwrap_or_else(|| panic!("{} is no member: {report}", worker.address()))
}

/// Every connector and task is assigned to exactly who the REST API says it runs on, in the same state.
fn agrees_with_rest(report: &Value, asked: &Worker, names: &[&str]) {
    let shown: Vec<&str> = entries(&report["connectors"])
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(shown, names);
    for connector in entries(&report["connectors"]) {
        let name = connector["name"].as_str().unwrap();
        let status = asked.get(&path(name, "/status"));
        let parts = std::iter::once(&connector["connector"]).chain(entries(&connector["tasks"]));
        let told: Vec<String> = parts
            .clone()
            .map(|part| {
                assert_eq!(
                    part["assigned_to"],
                    serde_json::json!([part["status"]["worker_id"]]),
                    "{part}"
                );
                part["status"]["worker_id"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(told, workers_of(&status), "{name}");
        let states: Vec<&str> = parts
            .map(|part| part["status"]["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, wharf_e2e::states(&status), "{name}");
        let mut owners: Vec<(String, String)> = Vec::new();
        for member in entries(&report["members"]) {
            let id = member["worker_id"].as_str().unwrap();
            for it in texts(&member["connectors"])
                .into_iter()
                .chain(texts(&member["tasks"]))
            {
                owners.push((it.to_owned(), id.to_owned()));
            }
        }
        assert!(owners.contains(&(name.to_owned(), told[0].clone())), "{owners:?}");
        assert!(
            owners.contains(&(format!("{name}-0"), told[1].clone())),
            "{owners:?}"
        );
    }
}

#[test]
fn a_group_is_shown_as_its_workers_know_it_and_work_of_a_dead_one_is_seen() {
    let Some(group) = Group::set_up("cluster") else {
        return;
    };
    let stage = &group.stage;
    // Long enough to look between the death of a worker and the group's notice, and to look before its work moves.
    let patient = [
        ("session.timeout.ms", "12000"),
        ("scheduled.rebalance.max.delay.ms", "600000"),
    ];
    let (one, two) = (
        group.start_with("one", &patient),
        group.start_with("two", &patient),
    );
    stage.write("in.txt", "a\n");
    let names = ["s0", "s1"];
    for name in names {
        one.create(name, file_source(&stage.file("in.txt"), &stage.named("topic")));
    }
    eventually("both workers have a part", || {
        let owners = names.iter().flat_map(|name| {
            let status = one.until(&path(name, "/status"), "it runs", |status| {
                has_state(status, "RUNNING")
            });
            workers_of(&status)
        });
        owners.collect::<BTreeSet<_>>().len() == 2
    });
    for name in names {
        one.until(&path(name, "/offsets"), "its offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == 2
        });
    }
    let mut looked = None;
    eventually("nothing is behind and nothing is wrong", || {
        let found = group.look(CLUSTER, &[]);
        let report = found.json();
        let lags = entries(&report["members"])
            .iter()
            .flat_map(|member| entries(&member["topics"]));
        let settled =
            found.code == 0 && lags.clone().count() == 6 && lags.clone().all(|topic| topic["lag"] == 0);
        looked = Some(report);
        settled
    });
    let report = looked.unwrap();
    assert_eq!(member_urls(&report), urls(&[&one, &two]));
    assert_eq!(findings(&report), [] as [&str; 0]);
    agrees_with_rest(&report, &two, &names);
    for worker in [&one, &two] {
        let own = worker.get("/admin/cluster");
        let shown = member(&report, worker);
        assert_eq!(
            report["generation"],
            serde_json::json!({"number": own["generation"], "source": "member"})
        );
        assert_eq!(shown["generation"], own["generation"]);
        assert_eq!(report["leader"]["url"], own["leader_url"]);
        assert_eq!(report["protocol"], own["protocol"]);
        assert_eq!(
            (&shown["is_leader"], &shown["kind"]),
            (&own["is_leader"], &Value::from("wharf"))
        );
        assert_eq!(report["config_offset"], own["config_offset"]);
        assert_eq!(shown["client_id"], format!("connect-{}", worker.address()));
        assert_eq!(own["group_id"], stage.named("workers"));
        assert_eq!(shown["version"], worker.get("/")["version"]);
    }
    assert_eq!(report["state"], "Stable");
    let kafka = stage.kafka();
    for topic in entries(&report["topics"]) {
        let ends: Vec<i64> = kafka
            .end_offsets(topic["topic"].as_str().unwrap())
            .into_values()
            .collect();
        assert_eq!(topic["end_offsets"], serde_json::json!(ends), "{topic}");
        assert_eq!(topic["cleanup_policy"], "compact");
    }

    let text = group.look(&["cluster"], &[]).stdout;
    for part in [
        "(leader)",
        "s0",
        "task 0",
        "RUNNING",
        one.address(),
        two.address(),
        "No problems found.",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour where nobody looks:\n{text}");

    // Everything here can move, too, as far as it has not moved already.
    let check = group.look(&["migrate", "check"], &[]);
    assert!(
        check.code == 0 && check.stdout.contains("2 of 2 connectors can move."),
        "{}{}",
        check.stdout,
        check.stderr
    );

    one.call("PUT", "/connectors/s0/pause", None, 202);
    one.until_states("s0", &["PAUSED", "PAUSED"]);
    let report = group.look(CLUSTER, &[]).json();
    assert_eq!(report["connectors"][0]["target_state"], "PAUSED");
    assert_eq!(findings(&report), [] as [&str; 0]);

    let dead = two.address().to_owned();
    two.kill();
    let report = group.look(CLUSTER, &[]);
    assert_eq!(report.code, 1);
    let found = findings(&report.json());
    let silent = format!("member_silent: worker {dead} is a member of the group and does not answer");
    assert!(
        found.iter().any(|finding| finding.starts_with(&silent)),
        "{found:?}"
    );

    let mut found = Vec::new();
    eventually("the group has noticed", || {
        found = findings(&group.look(CLUSTER, &[]).json());
        found.iter().any(|finding| finding.starts_with("not_assigned"))
    });
    let on_the_dead = format!("on {dead}, which is not in the group");
    for finding in &found {
        let says_why =
            finding.contains("is assigned to no worker") && finding.contains("the leader waits up to");
        assert!(says_why && finding.ends_with(&on_the_dead), "{finding}");
    }
    let text = group.look(&["cluster"], &[]).stdout;
    assert!(text.contains("nobody") && text.contains("PROBLEMS ("), "{text}");
    assert_eq!(one.terminate(), Some(143));
}

#[test]
fn a_mixed_group_is_shown_with_both_kinds_of_workers() {
    let Some(mixed) = Mixed::set_up("cluster-mixed") else {
        return;
    };
    let group = &mixed.group;
    let native = group.start("native");
    let jvm = mixed.start_jvm("jvm");
    let names = ["m0", "m1", "m2"];
    for name in names {
        create(&native, name, mixed.source(name));
    }
    let shared = |workers: &[&Worker]| {
        eventually("each worker has a part", || {
            let owners = names.iter().flat_map(|name| all_say(workers, name, "RUNNING"));
            owners.collect::<BTreeSet<_>>().len() == workers.len()
        });
    };
    shared(&[&native, &jvm]);
    let report = group.look(CLUSTER, &[]);
    let (code, report) = (report.code, report.json());
    assert_eq!((code, findings(&report)), (0, Vec::new()));
    assert_eq!(member_urls(&report), urls(&[&native, &jvm]));
    agrees_with_rest(&report, &jvm, &names);
    assert_eq!(
        report["generation"]["number"],
        native.get("/admin/cluster")["generation"]
    );
    let (of_native, of_jvm) = (member(&report, &native), member(&report, &jvm));
    assert_eq!(
        (&of_native["kind"], &of_jvm["kind"]),
        (&Value::from("wharf"), &Value::from("jvm"))
    );
    assert_eq!(of_jvm["version"], jvm.get("/")["version"]);
    // It does not tell how far it reads; what it said when it joined is known.
    assert_eq!(
        (&of_jvm["topics"], &of_jvm["generation"]),
        (&serde_json::json!([]), &Value::Null)
    );
    assert!(
        of_jvm["config_offset_when_joined"].as_i64().unwrap() > 0,
        "{of_jvm}"
    );
    assert_eq!(
        (&of_native["is_leader"], &of_jvm["is_leader"]),
        (&true.into(), &false.into())
    );

    ask(&jvm, "PUT", &path("m1", "/stop"), None, 204);
    jvm.until_states("m1", &["STOPPED"]);
    terminate([native]);
    for name in ["m0", "m2"] {
        all_say(&[&jvm], name, "RUNNING");
    }
    let mut report = Value::Null;
    eventually("the JVM worker has everything, and says so", || {
        let looked = group.look(CLUSTER, &[]);
        report = looked.json();
        looked.code == 0
    });
    assert_eq!(member_urls(&report), urls(&[&jvm]));
    assert_eq!(report["generation"]["source"], "status_topic");
    assert_eq!(report["connectors"][1]["target_state"], "STOPPED");
    let text = group.look(&["cluster"], &[]).stdout;
    assert!(
        text.contains("or later (the newest that the status topic names; no member tells)"),
        "{text}"
    );
    terminate([jvm]);

    let looked = group.look(CLUSTER, &[]);
    let found = findings(&looked.json());
    assert_eq!(looked.code, 1);
    assert!(
        found[0].starts_with("no_members: ") && found[0].contains(&mixed.stage().named("workers")),
        "{found:?}"
    );
    assert_eq!(looked.json()["connectors"].as_array().unwrap().len(), 3);
}

fn refused(looked: &Looked, parts: &[&str]) {
    assert_eq!(
        (looked.code, looked.stdout.as_str()),
        (2, ""),
        "{}",
        looked.stderr
    );
    for part in parts {
        assert!(looked.stderr.contains(part), "{part} is not in {}", looked.stderr);
    }
}

#[test]
fn what_is_no_group_of_workers_is_told_from_one() {
    let Some(group) = Group::set_up("no-group") else {
        return;
    };
    let stage = &group.stage;
    let kafka = stage.kafka();
    let workers = stage.named("workers");
    refused(
        &group.look(CLUSTER, &[]),
        &["there is no group", &workers, &stage.named("configs")],
    );
    let check = ["migrate", "check"];
    refused(
        &group.look(&check, &[]),
        &[&stage.named("configs"), "config.storage.topic", "does not exist"],
    );

    let topic = stage.named("read");
    kafka.create_topic(&topic, 1, &[]);
    kafka.produce_lines(&topic, &["a".to_owned()]);
    let mut reader = kafka.reader(&topic);
    assert_eq!(reader.read_to_end().len(), 1);
    let readers = format!("reader-of-{topic}");
    refused(
        &group.look(CLUSTER, &[("group.id", &readers)]),
        &["is not a group of Connect workers", &readers, "`consumer`"],
    );

    // A port that was free a moment ago, and that nobody listens on.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    refused(
        &group.look(CLUSTER, &[("bootstrap.servers", &nobody)]),
        &[&nobody, "cannot be asked", "bootstrap.servers"],
    );

    let worker = group.start("one");
    worker.until("/health", "it is healthy", |health| health["status"] == "healthy");
    let looked = group.look(
        CLUSTER,
        &[
            ("status.storage.topic", "no-such-topic"),
            ("offset.storage.topic", &topic),
        ],
    );
    let found = findings(&looked.json());
    assert_eq!(looked.code, 1, "{}", looked.stderr);
    let missing = "topic_missing: topic no-such-topic, named by status.storage.topic, does not exist";
    let kept =
        format!("topic_settings: topic {topic}, named by offset.storage.topic, has cleanup.policy=delete");
    assert!(found.iter().any(|finding| finding == missing), "{found:?}");
    assert!(
        found.iter().any(|finding| finding.starts_with(&kept)),
        "{found:?}"
    );
    assert!(
        kafka.partitions("no-such-topic").is_none(),
        "looking makes no topic"
    );
    assert_eq!(worker.terminate(), Some(143));
}
