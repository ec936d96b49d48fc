//! The group's coordinator moves from one broker to another, and the config topic cannot be read for a while.

use std::time::{Duration, Instant};

use wharf_e2e::group::Group;
use wharf_e2e::{PATIENCE, Stage, Worker};
use wharf_test_services::process::wait_until;
use wharf_test_services::{KafkaBroker, KafkaOptions, SecuredListener, Security};

use crate::flows::{Flows, QUICK};
use crate::group::eventually;

const REASSIGN: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";
/// Partitions of the topic in which groups are kept, as the test brokers make it.
const GROUP_PARTITIONS: i32 = 4;

fn stage_on(kafka: &KafkaBroker, name: &str) -> Option<Stage> {
    let mut stage = Stage::with_shipped_plugins(name, &kafka.bootstrap())?;
    stage.keep_when_failed();
    Some(stage)
}

/// Moves all groups to this broker, and waits until it is done.
fn move_groups(kafka: &KafkaBroker, stage: &Stage, to: u32) {
    let moves: Vec<String> = (0..GROUP_PARTITIONS)
        .map(|partition| {
            format!(r#"{{"topic":"__consumer_offsets","partition":{partition},"replicas":[{to}]}}"#)
        })
        .collect();
    let plan = format!(r#"{{"version":1,"partitions":[{}]}}"#, moves.join(","));
    stage.write("moves.json", plan);
    let file = stage.file("moves.json");
    let tool = |act: &str| {
        kafka
            .tool(REASSIGN, &["--reassignment-json-file", &file, act])
            .unwrap()
    };
    tool("--execute");
    let mut last = String::new();
    let done = wait_until(PATIENCE, || {
        last = tool("--verify");
        last.matches("is completed").count() == moves.len()
    });
    assert!(done, "{last}");
}

#[test]
fn a_coordinator_that_moves_to_another_broker_and_back_is_followed() {
    let Some(first) = KafkaBroker::for_test() else {
        return;
    };
    let options = KafkaOptions {
        joins: Some(first.seat()),
        ..KafkaOptions::default()
    };
    let Some(second) = KafkaBroker::for_test_with(&options) else {
        return;
    };
    let Some(stage) = stage_on(&first, "coordinator") else {
        return;
    };
    // What is moved has to be somewhere first.
    let group = Group { stage };
    let (one, two) = (group.start_with("one", &QUICK), group.start_with("two", &QUICK));
    let mut flows = Flows::create(group, &one, 3);
    flows.add(50);
    flows.settle(&[&one, &two]);
    for to in [second.node(), first.node(), second.node()] {
        move_groups(&first, &flows.group.stage, to);
        flows.add(50);
        // Both have to be members still: what is new is assigned by the group.
        flows.create_one(&two);
        flows.settle(&[&one, &two]);
    }
}

/// A worker that is known to the broker as a user who may be forbidden things.
fn start_as_user(group: &Group, security: &Security, name: &str) -> Worker {
    let login = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{}\" password=\"{}\";",
        Security::USER,
        Security::PASSWORD
    );
    let bootstrap = security.bootstrap(SecuredListener::SaslPlaintext);
    let mut settings: Vec<(String, String)> = QUICK
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    settings.push(("bootstrap.servers".to_owned(), bootstrap));
    settings.push(("worker.sync.timeout.ms".to_owned(), "500".to_owned()));
    for prefix in ["", "producer.", "consumer.", "admin."] {
        for (key, value) in [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", &login),
        ] {
            settings.push((format!("{prefix}{key}"), value.to_owned()));
        }
    }
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    group.start_with(name, &settings)
}

#[test]
fn a_worker_that_cannot_read_the_config_topic_leaves_and_comes_back() {
    let options = KafkaOptions {
        secured: true,
        properties: [
            (
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            ),
            ("super.users", "User:ANONYMOUS"),
            ("allow.everyone.if.no.acl.found", "true"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
        ..KafkaOptions::default()
    };
    let Some(kafka) = KafkaBroker::for_test_with(&options) else {
        return;
    };
    let security = kafka.security().unwrap();
    // The first that starts leads.
    for leads in [false, true] {
        let Some(stage) = stage_on(&kafka, "unreadable") else {
            return;
        };
        let group = Group { stage };
        let topic = group.stage.named("configs");
        let user = format!("User:{}", Security::USER);
        let acl = |act: &str, rule: &[&str]| {
            let mut arguments = vec![act, "--topic", topic.as_str()];
            arguments.extend_from_slice(rule);
            kafka.tool(ACLS, &arguments).unwrap();
        };
        let (one, two) = if leads {
            let two = start_as_user(&group, security, "two");
            (group.start_with("one", &QUICK), two)
        } else {
            let one = group.start_with("one", &QUICK);
            let two = start_as_user(&group, security, "two");
            (one, two)
        };
        let mut flows = Flows::create(group, &one, 3);
        flows.add(50);
        flows.settle(&[&one, &two]);

        acl("--add", &["--allow-principal", &user, "--operation", "All"]);
        acl("--add", &["--deny-principal", &user, "--operation", "Read"]);
        eventually("the worker notices", || two.log().contains("cannot be read"));
        // Something that only readers know, and a rebalance in which it matters.
        let name = flows.connectors()[0].name.clone();
        for act in ["pause", "resume"] {
            one.call("PUT", &format!("/connectors/{name}/{act}"), None, 202);
        }
        let count = |what: &str| two.log().matches(what).count();
        let [joined, left] = ["joined generation", "leaving the group"];
        let before = [count(joined), count(left)];
        let three = flows.group.launch_with("three", &QUICK);
        eventually("the worker is in a generation with the new one", || {
            count(joined) > before[0]
        });
        let began = Instant::now();
        eventually("the worker leaves", || count(left) > before[1]);
        // It tries for three times `worker.sync.timeout.ms`, by default nine seconds.
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        three.wait_ready();
        flows.add(50);
        flows.settle(&[&one, &three]);
        flows.create_one(&one);
        flows.settle(&[&one, &three]);

        acl("--remove", &["--force"]);
        flows.settle(&[&one, &two, &three]);
    }
}
