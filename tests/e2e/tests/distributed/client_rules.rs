//! What a group lets connectors do with their clients and with topics: topics are created by the rules of a source, and the
//! override policy of the workers refuses or permits, whichever worker is asked and whichever runs the task.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_e2e::security::{assert_no_secret, login, to, trust};
use wharf_e2e::{Stage, has_state};
use wharf_test_services::{CertificateFile, KafkaBroker, SecuredListener, Security};

use crate::group::{Group, eventually, file_sink, file_source, workers_of};

#[test]
fn a_source_creates_its_topics_by_the_rules_of_its_group_of_topics() {
    let Some(group) = Group::set_up("rules") else {
        return;
    };
    let stage = &group.stage;
    let kafka = stage.kafka();
    let workers = [group.start("one"), group.start("two")];
    stage.write("in.txt", "one\n");
    for (n, (topic, partitions)) in [("many", 5), ("few", 2), ("of-default", 3)].iter().enumerate() {
        let topic = stage.named(topic);
        let mut config = file_source(&stage.file("in.txt"), &topic);
        let rules = json!({
            "topic.creation.groups": "many,few",
            "topic.creation.default.partitions": "3",
            "topic.creation.default.replication.factor": "1",
            "topic.creation.many.include": stage.named("many"),
            "topic.creation.many.partitions": "5",
            "topic.creation.many.retention.ms": "1234567890",
            "topic.creation.few.include": ".*-f[aeiou]w",
            "topic.creation.few.partitions": "2",
        });
        config
            .as_object_mut()
            .unwrap()
            .extend(rules.as_object().unwrap().clone());
        workers[n % 2].create(&format!("source{n}"), config);
        eventually("the record is in the topic", || {
            kafka.partitions(&topic).is_some() && kafka.count(&topic) == 1
        });
        assert_eq!(kafka.partitions(&topic), Some(*partitions), "{topic}");
        let is_many = *partitions == 5;
        let retention = kafka.config(&topic, "retention.ms");
        assert_eq!(
            retention.as_deref() == Some("1234567890"),
            is_many,
            "{topic}: {retention:?}"
        );
    }
    let owners: BTreeSet<_> = (0..3)
        .flat_map(|n| workers_of(&workers[0].get(&format!("/connectors/source{n}/status"))))
        .collect();
    assert_eq!(owners.len(), 2, "both workers had a part in it");
}

#[test]
fn rules_mean_nothing_where_the_workers_do_not_create_topics() {
    let Some(group) = Group::set_up("no-rules") else {
        return;
    };
    let stage = &group.stage;
    let worker = group.start_with("one", &[("topic.creation.enable", "false")]);
    stage.write("in.txt", "one\n");
    let topic = stage.named("topic");
    let mut config = file_source(&stage.file("in.txt"), &topic);
    config["topic.creation.default.partitions"] = json!("7");
    config["topic.creation.default.replication.factor"] = json!("1");
    worker.create("source", config);
    worker.until("/connectors/source/status", "it runs", |status| {
        has_state(status, "RUNNING")
    });
    eventually("the broker has made the topic in its own way", || {
        stage.kafka().partitions(&topic).is_some_and(|count| count != 7)
    });
}

#[test]
fn the_override_policy_of_the_workers_refuses_and_permits() {
    let Some(group) = Group::set_up("policies") else {
        return;
    };
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    let source = |key: &str, value: &str| {
        let mut config = file_source(&stage.file("in.txt"), &stage.named("topic"));
        config[format!("producer.override.{key}")] = json!(value);
        config
    };
    // The whole group follows one policy, as upstream asks for; workers of this test come one after the other.
    let client_id = ("client.id", "of-the-connector");
    let jaas = ("sasl.jaas.config", "org.x.Module required;");
    let listed = ("connector.client.config.override.allowlist", "client.id");
    let none: &[(&str, &str)] = &[("connector.client.config.override.policy", "None")];
    let principal: &[(&str, &str)] = &[("connector.client.config.override.policy", "Principal")];
    let allowlist: &[(&str, &str)] = &[("connector.client.config.override.policy", "Allowlist"), listed];
    for (n, (policy, refused, permitted)) in [
        (none, vec![client_id, jaas], vec![]),
        (principal, vec![client_id], vec![]),
        (allowlist, vec![jaas], vec![client_id]),
        (&[], vec![], vec![client_id]),
    ]
    .into_iter()
    .enumerate()
    {
        let worker = group.start_with(&format!("worker{n}"), policy);
        let name = format!("source{n}");
        for (key, value) in refused {
            let body = json!({"name": name, "config": source(key, value)});
            let message = worker.refused("POST", "/connectors", Some(&body), 400);
            assert!(
                message.contains(&format!("does not allow '{key}' to be overridden")),
                "{policy:?}: {message}"
            );
        }
        for (key, value) in permitted {
            worker.create(&name, source(key, value));
            worker.until(&format!("/connectors/{name}/status"), "it runs", |status| {
                has_state(status, "RUNNING")
            });
            worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
        }
        assert_eq!(worker.get("/connectors"), json!([]), "{policy:?}");
        assert_eq!(worker.terminate(), Some(143));
    }
}

/// What a refused login may take; much less than what is waited for a broker that does not answer.
const REFUSAL: Duration = Duration::from_secs(30);
const WRONG: &str = "wr0ng-s3cret";

/// A configuration with more keys.
fn with(mut config: Value, more: &Value) -> Value {
    let entries = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(entries);
    config
}

/// A source and a sink that each have a topic made for them by an admin client.
fn topic_makers(stage: &Stage) -> [(&'static str, Value, String); 2] {
    let created = stage.named("created");
    let source = with(
        file_source(&stage.file("in.txt"), &created),
        &json!({"topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1"}),
    );
    let letters = stage.named("letters");
    let sink = with(
        file_sink(&stage.file("out.txt"), &stage.named("topic")),
        &json!({
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
        }),
    );
    [("source", source, created), ("sink", sink, letters)]
}

#[test]
fn overrides_for_admin_clients_count_where_topics_are_created() {
    let Some((broker, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let Some(stage) = Stage::on("admin-overrides", &broker.bootstrap()) else {
        return;
    };
    let group = Group { stage };
    let stage = &group.stage;
    let kafka = stage.kafka();
    // The worker itself needs no login: whoever logs in does so because of the override.
    let worker = group.start("one");
    stage.write("in.txt", "one\n");
    kafka.create_topic(&stage.named("topic"), 1, &[]);
    let logged_in_with = |password: &str| -> Value {
        let settings = [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            login("SCRAM-SHA-512", password),
        ]
        .concat();
        settings
            .into_iter()
            .map(|(key, value)| (format!("admin.override.{key}"), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (name, config, topic) in topic_makers(stage) {
        let begun = Instant::now();
        worker.create(name, with(config.clone(), &logged_in_with(WRONG)));
        let status = worker.until_states(name, &["RUNNING", "FAILED"]);
        assert!(begun.elapsed() < REFUSAL, "{name}: {:?}", begun.elapsed());
        let trace = status["tasks"][0]["trace"].as_str().unwrap();
        for word in [topic.as_str(), "Authentication failed", "sasl.jaas.config"] {
            assert!(trace.contains(word), "{name}: {word} is not in {trace}");
        }
        assert!(!trace.contains(WRONG) && !worker.log().contains(WRONG));
        assert_eq!(kafka.partitions(&topic), None, "{name}");

        let path = format!("/connectors/{name}/config");
        let right = with(config, &logged_in_with(Security::PASSWORD));
        worker.call("PUT", &path, Some(&right), 200);
        worker.until_states(name, &["RUNNING", "RUNNING"]);
        eventually("the topic is there", || kafka.partitions(&topic).is_some());
        let partitions = if name == "source" { 3 } else { 1 };
        assert_eq!(kafka.partitions(&topic), Some(partitions), "{name}");
    }
    assert_no_secret(&worker.log());
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_override_policy_counts_for_admin_clients_of_connectors_that_have_some() {
    let Some(group) = Group::set_up("admin-policies") else {
        return;
    };
    let stage = &group.stage;
    stage.write("in.txt", "one\n");
    stage.kafka().create_topic(&stage.named("topic"), 1, &[]);
    let id = ("client.id", "of-the-connector");
    let protocol = ("security.protocol", "PLAINTEXT");
    for (policy, refused, permitted) in [
        ("None", vec![id, protocol], vec![]),
        ("Principal", vec![id], vec![protocol]),
        ("All", vec![], vec![id, protocol]),
    ] {
        let worker = group.start_with(policy, &[("connector.client.config.override.policy", policy)]);
        for (name, config, _) in topic_makers(stage) {
            let overriding = |(key, value): (&str, &str)| {
                with(config.clone(), &json!({format!("admin.override.{key}"): value}))
            };
            for (key, value) in &refused {
                let body = json!({"name": name, "config": overriding((key, value))});
                let message = worker.refused("POST", "/connectors", Some(&body), 400);
                assert!(
                    message.contains(&format!("does not allow '{key}' to be overridden")),
                    "{policy} {name}: {message}"
                );
            }
            for setting in &permitted {
                worker.create(name, overriding(*setting));
                worker.until_states(name, &["RUNNING", "RUNNING"]);
                worker.call("DELETE", &format!("/connectors/{name}"), None, 204);
            }
        }
        assert_eq!(worker.terminate(), Some(143));
    }
}
