//! What a group lets connectors do with their clients and with topics: topics are created by the rules of a source, and the
//! override policy of the workers refuses or permits, whichever worker is asked and whichever runs the task.

use std::collections::BTreeSet;

use serde_json::json;
use wharf_e2e::has_state;

use crate::group::{Group, eventually, file_source, workers_of};

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
