//! Variables of config providers, in the worker's file and in connectors: used, and seen nowhere.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use wharf_e2e::group::eventually;
use wharf_e2e::leases::Leases;
use wharf_e2e::secrets::{self, Secrets, are_not_in};
use wharf_e2e::{Launch, PATIENCE, Stage, Worker};

/// A value that must be found nowhere but in the file that a provider reads.
const SECRET: &str = "correct-horse-battery";

/// A provider of a plugin whose values expire.
const LEASES: &str = "wharf.test.FixedProvider";

fn path(name: &str, part: &str) -> String {
    format!("/connectors/{name}{part}")
}

/// Every answer in which a connector's configuration, or what came of it, can be seen.
fn answers(worker: &Worker, name: &str) -> Vec<Value> {
    let mut answers = vec![
        worker.get("/connectors?expand=info&expand=status"),
        worker.get("/connector-plugins?connectorsOnly=false"),
    ];
    for part in [
        "",
        "/config",
        "/tasks",
        "/status",
        "/tasks/0/status",
        "/offsets",
        "/topics",
    ] {
        answers.push(worker.get(&path(name, part)));
    }
    answers
}

#[test]
fn values_of_config_providers_are_used_and_found_in_no_answer_log_or_file() {
    let Some(stage) = Stage::set_up("variables") else {
        return;
    };
    let (kafka, topic) = (stage.kafka(), stage.named("topic"));
    let secrets = stage.write(
        "secrets.properties",
        format!(
            "word={SECRET}\ntopic={topic}\ninterval=500\ninput={}\n",
            stage.file("in.txt")
        ),
    );
    let secret = |key: &str| format!("${{file:{}:{key}}}", secrets.display());
    stage.write("in.txt", "one\ntwo\n");
    let worker = stage.start(
        &[
            ("config.providers", "file"),
            ("config.providers.file.class", "FileConfigProvider"),
            (
                "config.providers.file.param.allowed.paths",
                &stage.file("secrets.properties"),
            ),
            ("offset.flush.interval.ms", &secret("interval")),
            ("producer.ssl.key.password", &secret("word")),
        ],
        &[],
    );
    let name = stage.named("source");
    let config = json!({
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        "file": secret("input"),
        "topic": secret("topic"),
        "note": format!("<{}>", secret("word")),
        "producer.override.ssl.key.password": secret("word"),
        "unknown": "${vault:a:b}",
    });
    let created = worker.create(&name, config.clone());
    assert_eq!(created["config"]["note"], config["note"]);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let lines: Vec<String> = kafka
        .reader(&topic)
        .read(2)
        .iter()
        .map(|seen| seen.text())
        .collect();
    assert_eq!(lines, ["one", "two"]);
    worker.until(&path(&name, "/offsets"), "the offset is stored", |offsets| {
        offsets["offsets"][0]["offset"]["position"] == 8
    });
    // The task got the values, and its configuration has the references.
    let tasks = worker.get(&path(&name, "/tasks"));
    for key in ["file", "topic", "note", "unknown"] {
        assert_eq!(tasks[0]["config"][key], config[key], "{tasks}");
    }

    // What is said of a wrong value names the reference.
    let mut wrong = config.clone();
    wrong["batch.size"] = json!(secret("word"));
    wrong["name"] = json!(name);
    let checked = worker.call(
        "PUT",
        "/connector-plugins/FileStreamSource/config/validate",
        Some(&wrong),
        200,
    );
    assert_eq!(checked["error_count"], 1, "{checked}");
    let refused = worker.refused("PUT", &path(&name, "/config"), Some(&wrong), 400);
    let expected = format!("Invalid value {} for configuration batch.size", secret("word"));
    assert!(refused.contains(&expected), "{refused}");
    let mut missing = config.clone();
    missing["note"] = json!(format!("${{file:{}:word}}", stage.file("none.properties")));
    worker.call("PUT", &path(&name, "/config"), Some(&missing), 200);
    assert_eq!(
        worker.get(&path(&name, "/config"))["note"],
        missing["note"],
        "a path that is not allowed has no values, and the reference stays"
    );

    let mut seen: Vec<String> = answers(&worker, &name).iter().map(Value::to_string).collect();
    seen.push(checked.to_string());
    seen.push(refused);
    let log = worker.log();
    assert_eq!(worker.terminate(), Some(143));
    seen.push(log);
    seen.push(String::from_utf8_lossy(&stage.read("offsets")).into_owned());
    for text in seen {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn what_is_said_of_a_failed_record_names_the_reference_and_not_its_value() {
    let Some(stage) = Stage::set_up("variables-of-letters") else {
        return;
    };
    let (kafka, topic, letters) = (stage.kafka(), stage.named("topic"), stage.named("letters"));
    kafka.create_topic(&topic, 1, &[]);
    let secrets = stage.write("secrets.properties", format!("field={SECRET}\n"));
    let secret = format!("${{file:{}:field}}", secrets.display());
    let worker = stage.start(
        &[
            ("config.providers", "file"),
            ("config.providers.file.class", "FileConfigProvider"),
        ],
        &[],
    );
    let name = stage.named("sink");
    worker.create(
        &name,
        json!({
            "connector.class": "FileStreamSink", "topics": topic, "file": stage.file("out.txt"),
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "transforms": "key", "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey",
            "transforms.key.fields": secret,
            "errors.tolerance": "all", "errors.log.enable": "true",
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true"
        }),
    );
    let value = json!({
        "schema": {"type": "struct", "fields": [{"field": "other", "type": "int32"}]}, "payload": {"other": 1}
    });
    kafka.produce(&topic, [(None, value.to_string().as_bytes())]);
    let seen = kafka.reader(&letters).read(1);
    let header = |wanted: &str| {
        let (_, value) = seen[0].headers.iter().find(|(name, _)| name == wanted).unwrap();
        String::from_utf8(value.clone().unwrap()).unwrap()
    };
    for part in ["message", "stacktrace"] {
        let text = header(&format!("__connect.errors.exception.{part}"));
        let expected = format!("Field does not exist: {secret}");
        assert!(text.contains(&expected) && !text.contains(SECRET), "{text}");
    }
    worker.wait_log("Error encountered in task");
    assert!(!worker.log().contains(SECRET), "{}", worker.log());
}

#[test]
fn a_provider_that_fails_is_named_with_path_and_key() {
    let Some(stage) = Stage::set_up("no-variables") else {
        return;
    };
    let worker = stage.start(
        &[
            ("config.providers", "file"),
            (
                "config.providers.file.class",
                "org.apache.kafka.common.config.provider.FileConfigProvider",
            ),
        ],
        &[],
    );
    let none = stage.file("none.properties");
    let config = json!({
        "name": "c",
        "connector.class": "FileStreamSource",
        "topic": "t",
        "file": format!("${{file:{none}:input}}"),
    });
    let refused = worker.refused("PUT", "/connectors/c/config", Some(&config), 500);
    let expected = format!(
        "config provider `file` cannot give input at path {none}: Could not read properties from file {none}"
    );
    assert!(refused.contains(&expected), "{refused}");
    assert_eq!(worker.get("/connectors"), json!([]));
}

#[test]
fn a_worker_that_cannot_start_quotes_no_value() {
    let Some(stage) = Stage::set_up("wrong-variables") else {
        return;
    };
    let secrets = stage.write("secrets.properties", format!("word={SECRET}\n"));
    let reference = format!("${{file:{}:word}}", secrets.display());
    let rot13 = [("value.converter", "wharf.test.Rot13Converter")];
    for (key, more) in [
        ("offset.flush.interval.ms", &[][..]),
        ("value.converter.mark.headers", &rot13),
    ] {
        let providers = [
            ("config.providers", "file"),
            ("config.providers.file.class", "FileConfigProvider"),
            (key, &reference),
        ];
        let mut worker = stage.launch(&[more, &providers].concat(), &[], Launch::default());
        assert_eq!(worker.end(PATIENCE), Some(2), "{key}");
        let key = key.trim_start_matches("value.converter.");
        let log = worker.log();
        let expected = format!("Invalid value {reference} for configuration {key}");
        assert!(log.contains(&expected) && !log.contains(SECRET), "{log}");
    }
}

#[test]
fn a_connector_restarts_when_its_values_expire_unless_it_does_not_want_to() {
    let Some(stage) = Stage::set_up("leases") else {
        return;
    };
    // Which file is read is decided by a link, and by what the provider was told of it.
    stage.write("a.txt", "one\n");
    symlink(stage.path("a.txt"), stage.path("in.txt")).unwrap();
    let worker = stage.start(
        &[
            ("config.providers", "lease"),
            ("config.providers.lease.class", LEASES),
            ("config.providers.lease.param.ttl.millis", "300"),
            ("config.providers.lease.param.place.input", &stage.file("in.txt")),
        ],
        &[],
    );
    let (restarts, stays) = (stage.named("restarts"), stage.named("stays"));
    for (name, action) in [(&restarts, "restart"), (&stays, "none")] {
        worker.create(
            name,
            json!({
                "connector.class": "FileStreamSource",
                "tasks.max": "1",
                "topic": stage.named("topic"),
                "file": "${lease:place:input}",
                "config.action.reload": action,
            }),
        );
    }
    let starts = |name: &str| worker.log().matches(&format!("connector {name} started")).count();
    eventually("it was restarted again and again", || starts(&restarts) >= 4);
    assert_eq!(starts(&stays), 1, "{}", worker.log());
    worker.call("PUT", &path(&restarts, "/stop"), None, 204);
    worker.until_states(&restarts, &["STOPPED"]);
    worker.until_states(&stays, &["RUNNING", "RUNNING"]);
}

#[test]
fn the_values_of_a_new_lease_are_those_that_a_connector_works_with() {
    let Some(stage) = Stage::set_up("new-lease") else {
        return;
    };
    let leases = Leases::new(&stage);
    let worker = stage.start(&leases.settings(), &[]);
    leases.are_followed(&stage, &worker, &worker);
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn values_of_a_folder_and_of_the_environment_are_used_and_seen_nowhere() {
    let Some(stage) = Stage::set_up("folder") else {
        return;
    };
    let secrets = Secrets::new(&stage);
    let worker = stage.launch(&secrets.settings(), &[], Secrets::launch());
    worker.wait_ready();
    secrets.are_used_and_not_seen(&stage, &worker, &worker);
    let log = worker.log();
    assert_eq!(worker.terminate(), Some(143));
    are_not_in(&log);
    are_not_in(&String::from_utf8_lossy(&stage.read("offsets")));
}

#[test]
fn a_connector_whose_values_are_gone_fails_when_it_is_restarted_and_its_status_says_why() {
    let Some(stage) = Stage::set_up("gone") else {
        return;
    };
    let worker = stage.start(&secrets::FILES, &[]);
    secrets::are_missed(&stage, &worker, &worker);
}
