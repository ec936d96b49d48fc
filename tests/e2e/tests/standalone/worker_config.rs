//! What a worker says to files that are wrong, and how it ends then.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use wharf_e2e::{Launch, PATIENCE, Stage, Worker, properties};

/// Starts a worker that is not to become ready; its exit code and its log.
fn fails(stage: &Stage, worker_properties: &str, connector_files: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut arguments = vec![
        "standalone".into(),
        stage
            .write("worker.properties", worker_properties)
            .into_os_string(),
    ];
    arguments.extend(
        connector_files
            .iter()
            .map(|(name, text)| stage.write(name, text).into_os_string()),
    );
    let mut worker = Worker::spawn(stage.binary(), &arguments, &stage.path(""), Launch::default());
    let code = worker.end(PATIENCE);
    (code, worker.log())
}

#[test]
fn all_mistakes_of_a_worker_file_are_listed_at_once_and_end_it_with_2() {
    let Some(stage) = Stage::set_up("mistakes") else {
        return;
    };
    let text = properties(&[
        ("bootstrap.servers", stage.bootstrap()),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        ("listeners", "8083"),
        ("offset.flush.interval.ms", "soon"),
        ("task.shutdown.graceful.timeout.ms", "1.5"),
        ("rest.extension.classes", "com.example.Basic"),
        ("config.providers", "file"),
        ("config.providers.file.class", "com.example.Vault"),
        ("header.converter", "com.example.NoSuchHeaders"),
        ("producer.batch.size", "abc"),
    ]);
    let (code, log) = fails(&stage, &text, &[]);
    assert_eq!(code, Some(2), "{log}");
    for part in [
        "Missing required configuration \"key.converter\"",
        "Missing required configuration \"offset.storage.file.filename\"",
        "offset.flush.interval.ms",
        "task.shutdown.graceful.timeout.ms",
        "Listener doesn't have the right format",
        "rest.extension.classes",
        "com.example.Vault for configuration config.providers.file.class",
        "com.example.NoSuchHeaders",
        "producer.batch.size: Invalid value abc",
        "9 mistake(s)",
    ] {
        assert!(log.contains(part), "{part} is missing in:\n{log}");
    }
}

#[test]
fn what_is_known_but_not_honoured_stops_the_start_with_its_name() {
    let Some(stage) = Stage::set_up("refused") else {
        return;
    };
    for (key, value) in [
        ("listeners", "https://127.0.0.1:0"),
        ("rest.extension.classes", "com.example.Extension"),
        ("metric.reporters", "com.example.Reporter"),
        ("producer.interceptor.classes", "com.example.Interceptor"),
        ("consumer.partition.assignment.strategy", "com.example.Assignor"),
    ] {
        let (code, log) = fails(&stage, &stage.worker_properties(&[(key, value)]), &[]);
        assert_eq!(code, Some(2), "{key}: {log}");
        assert!(log.contains(key), "{key}: {log}");
    }
}

#[test]
fn an_unknown_key_is_reported_once() {
    let Some(stage) = Stage::set_up("unknown") else {
        return;
    };
    let worker = stage.start(
        &[("ofset.flush.interval.ms", "1000"), ("producer.linger.mss", "1")],
        &[],
    );
    let name = stage.named("source");
    let config = serde_json::json!({"connector.class": "FileStreamSource", "topic": "never", "file": stage.file("never")});
    worker.create(&name, config);
    worker.until_states(&name, &["RUNNING", "RUNNING"]);
    let log = worker.log();
    for key in ["ofset.flush.interval.ms", "linger.mss"] {
        let warned = log
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(key))
            .count();
        assert_eq!(warned, 1, "{key}: {log}");
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn a_plugins_policy_decides_which_client_settings_are_overridden() {
    let Some(stage) = Stage::set_up("policy") else {
        return;
    };
    let key = "connector.client.config.override.policy";
    let worker = stage.start(&[(key, "wharf.test.CompressionOnlyPolicy")], &[]);
    let name = stage.named("source");
    let config = |setting: &str, value: &str| {
        let mut config =
            serde_json::json!({"connector.class": "FileStreamSource", "topic": "never", "file": "never"});
        config[format!("producer.override.{setting}")] = value.into();
        serde_json::json!({"name": name, "config": config})
    };
    let body = config("linger.ms", "1");
    let refusal = worker.refused("POST", "/connectors", Some(&body), 400);
    assert!(
        refusal.contains(&format!("{name} may not set linger.ms")),
        "{refusal}"
    );
    worker.call(
        "POST",
        "/connectors",
        Some(&config("compression.type", "lz4")),
        201,
    );
    assert_eq!(worker.terminate(), Some(143));

    let (code, log) = fails(
        &stage,
        &stage.worker_properties(&[(key, "com.example.Mine")]),
        &[],
    );
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains(key) && log.contains("com.example.Mine"), "{log}");
}

#[test]
fn what_is_missing_before_the_start_ends_the_worker_with_2() {
    let Some(stage) = Stage::set_up("setup") else {
        return;
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = format!("http://{}", taken.local_addr().unwrap());
    let (code, log) = fails(&stage, &stage.worker_properties(&[("listeners", &listener)]), &[]);
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains(&taken.local_addr().unwrap().to_string()), "{log}");

    let missing = "com.example.NoSuchConverter";
    let (code, log) = fails(
        &stage,
        &stage.worker_properties(&[("value.converter", missing)]),
        &[],
    );
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains(missing), "{log}");
}

#[test]
fn a_connector_file_that_cannot_be_used_ends_the_worker_with_3() {
    let Some(stage) = Stage::set_up("files") else {
        return;
    };
    let worker = stage.worker_properties(&[]);
    let good = properties(&[
        ("name", "good"),
        ("connector.class", "FileStreamSource"),
        ("topic", "never"),
        ("file", &stage.file("never")),
    ]);
    for (files, part) in [
        (
            &[("a.properties", "connector.class=FileStreamSource\n")][..],
            "missing the mandatory 'name' configuration",
        ),
        (
            &[("a.json", "{\"name\": \"a\", \"config\": {")],
            "it is not valid JSON",
        ),
        (
            &[(
                "a.json",
                r#"{"name": "a", "config": {"name": "b", "connector.class": "FileStreamSource"}}"#,
            )],
            "a.json",
        ),
        (
            &[("a.properties", "name=a\nconnector.class=NoSuchConnector\n")],
            "NoSuchConnector",
        ),
        (
            &[("a.properties", "name=a\nconnector.class=FileStreamSource\n")],
            "topic",
        ),
        (
            &[(
                "a.properties",
                "name=a\nconnector.class=FileStreamSource\ntopic=t\ntransforms=x\n",
            )],
            "transforms",
        ),
        (
            &[
                ("good.properties", good.as_str()),
                ("again.properties", good.as_str()),
            ],
            "already exists",
        ),
    ] {
        let (code, log) = fails(&stage, &worker, files);
        assert_eq!(code, Some(3), "{log}");
        assert!(log.contains(part), "{part} is missing in:\n{log}");
    }
}

#[test]
fn under_the_name_of_upstreams_script_it_takes_the_scripts_arguments() {
    let Some(stage) = Stage::set_up("script") else {
        return;
    };
    for name in ["connect-standalone", "connect-standalone.sh"] {
        let link = stage.path(name);
        symlink(stage.binary(), &link).unwrap();
        let mut usage = Worker::spawn(&link, &[], &stage.path(""), Launch::default());
        assert_eq!(usage.end(PATIENCE), Some(1));
        assert!(usage.log().contains("USAGE: "), "{}", usage.log());

        let file = stage
            .write("worker.properties", stage.worker_properties(&[]))
            .into_os_string();
        let worker = Worker::spawn(&link, &[file], &stage.path(""), Launch::default());
        worker.wait_ready();
        assert_eq!(worker.get("/connectors"), serde_json::json!([]));
        assert_eq!(worker.terminate(), Some(143));
    }
}
