//! Variables of config providers in a group: what workers store and tell each other has references only.

use serde_json::{Value, json};
use wharf_e2e::Worker;
use wharf_e2e::leases::Leases;
use wharf_e2e::secrets::{self, Secrets, are_not_in};

use crate::group::{Group, eventually, file_source};

/// A value that must be found nowhere but in the file that a provider reads.
const SECRET: &str = "correct-horse-battery";

#[test]
fn values_of_config_providers_are_in_no_topic_answer_or_log_of_a_group() {
    let Some(group) = Group::set_up("variables") else {
        return;
    };
    let stage = &group.stage;
    let topic = stage.named("topic");
    let secrets = stage.write(
        "secrets.properties",
        format!("word={SECRET}\ntopic={topic}\ntasks=1\n"),
    );
    let secret = |key: &str| format!("${{file:{}:{key}}}", secrets.display());
    let providers = [
        ("config.providers", "file"),
        ("config.providers.file.class", "FileConfigProvider"),
    ];
    let workers = [
        group.start_with("one", &providers),
        group.start_with("two", &providers),
    ];
    stage.write("in.txt", "one\ntwo\n");
    let name = stage.named("source");
    let mut config = file_source(&stage.file("in.txt"), &secret("topic"));
    config["tasks.max"] = json!(secret("tasks"));
    config["note"] = json!(format!("<{}>", secret("word")));
    config["producer.override.ssl.key.password"] = json!(secret("word"));
    workers[0].create(&name, config.clone());
    workers[1].until_states(&name, &["RUNNING", "RUNNING"]);
    let lines: Vec<String> = stage
        .kafka()
        .reader(&topic)
        .read(2)
        .iter()
        .map(|seen| seen.text())
        .collect();
    assert_eq!(lines, ["one", "two"]);

    // A worker that fails to start its part quotes nothing, either.
    let mut failing = config.clone();
    failing["header.converter"] = json!("org.apache.kafka.connect.converters.ByteArrayConverter");
    failing["file"] = json!(format!("/no/such/{}/in.txt", secret("word")));
    failing["connector.class"] = json!("FileStreamSink");
    failing["topics"] = json!(topic);
    let failed = stage.named("failing");
    workers[0].create(&failed, failing);
    let status = workers[1].until(
        &format!("/connectors/{failed}/status"),
        "its task failed",
        |status| status["tasks"][0]["state"] == "FAILED",
    );
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains(&secret("word")), "{trace}");

    let mut seen: Vec<String> = Vec::new();
    for worker in &workers {
        for name in [&name, &failed] {
            for part in ["", "/config", "/tasks", "/status", "/offsets"] {
                seen.push(worker.get(&format!("/connectors/{name}{part}")).to_string());
            }
        }
    }
    let tasks: Value = workers[0].get(&format!("/connectors/{name}/tasks"));
    for key in ["topic", "note"] {
        assert_eq!(tasks[0]["config"][key], config[key], "{tasks}");
    }
    let mut found_reference = false;
    for role in ["configs", "offsets", "statuses"] {
        for record in stage.kafka().reader(&stage.named(role)).read_to_end() {
            let text = format!(
                "{} {}",
                String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()),
                record.text()
            );
            found_reference |= text.contains(&secret("word"));
            seen.push(text);
        }
    }
    assert!(found_reference, "the references were read back");

    // Other values under the same references reach the tasks when the connector is restarted.
    let other = stage.named("other");
    stage.write(
        "secrets.properties",
        format!("word={SECRET}\ntopic={other}\ntasks=1\n"),
    );
    let restarted = workers[0].request("POST", &format!("/connectors/{name}/restart"), None);
    assert!(restarted.status < 300, "{restarted:?}");
    eventually("its task writes to the other topic", || {
        std::fs::OpenOptions::new()
            .append(true)
            .open(stage.path("in.txt"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"more\n"))
            .unwrap();
        stage.kafka().partitions(&other).is_some() && stage.kafka().count(&other) > 0
    });

    // The file plugin writes the path of its file.
    assert!(
        workers.iter().any(|worker| worker
            .log()
            .contains(&format!("writing to /no/such/{}/in.txt", secret("word")))),
        "the plugin's line has the reference"
    );
    seen.extend(workers.iter().map(Worker::log));
    for text in seen {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn the_values_of_a_new_lease_are_those_that_the_tasks_of_a_group_work_with() {
    let Some(group) = Group::set_up("new-lease") else {
        return;
    };
    let stage = &group.stage;
    let leases = Leases::new(stage);
    let settings = leases.settings();
    let workers = [
        group.start_with("one", &settings),
        group.start_with("two", &settings),
    ];
    leases.are_followed(stage, &workers[0], &workers[1]);
}

#[test]
fn values_of_a_folder_and_of_the_environment_are_used_and_in_no_topic_of_a_group() {
    let Some(group) = Group::set_up("folder") else {
        return;
    };
    let stage = &group.stage;
    let secrets = Secrets::new(stage);
    let workers = ["one", "two"].map(|name| {
        let worker = group.launch(name, &secrets.settings(), Secrets::launch());
        worker.wait_ready();
        worker
    });
    secrets.are_used_and_not_seen(stage, &workers[0], &workers[1]);
    let mut count = 0;
    for role in ["configs", "offsets", "statuses"] {
        for record in stage.kafka().reader(&stage.named(role)).read_to_end() {
            count += 1;
            are_not_in(&String::from_utf8_lossy(
                record.key.as_deref().unwrap_or_default(),
            ));
            are_not_in(&record.text());
        }
    }
    assert!(count > 3, "{count} records were looked at");
    for worker in &workers {
        are_not_in(&worker.log());
    }
}

#[test]
fn a_connector_of_a_group_whose_values_are_gone_fails_when_it_is_restarted_and_its_status_says_why() {
    let Some(group) = Group::set_up("gone") else {
        return;
    };
    let workers = ["one", "two"].map(|name| group.start_with(name, &secrets::FILES));
    secrets::are_missed(&group.stage, &workers[0], &workers[1]);
}
