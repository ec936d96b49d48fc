//! What plugins log obeys `/admin/loggers` and says whose it is.

use serde_json::json;
use wharf_e2e::{PATIENCE, Stage, Worker};
use wharf_test_services::process::wait_until;

/// The target of the plugin's log lines, which the worker knows nothing of.
const LOGGER: &str = "wharf.test.ChattySource";

/// Numbers of the polls in which such a line was logged.
fn polls(worker: &Worker, line: &str) -> Vec<u32> {
    let number = |text: &str| {
        let (_, rest) = text.split_once("number=")?;
        rest.split(' ').next()?.parse().ok()
    };
    worker
        .log()
        .lines()
        .filter(|text| text.contains(line) && text.contains(LOGGER))
        .map(|text| number(text).unwrap_or_else(|| panic!("no number in '{text}'")))
        .collect()
}

fn set_level(worker: &Worker, level: &str) -> Option<u32> {
    let path = format!("/admin/loggers/{LOGGER}");
    let changed = worker.call("PUT", &path, Some(&json!({"level": level})), 200);
    assert!(changed.as_array().unwrap().contains(&json!(LOGGER)), "{changed}");
    assert_eq!(worker.get(&path)["level"], level);
    // A poll that was under way meanwhile may have logged by either rule.
    polls(worker, "an error line").last().map(|last| last + 1)
}

#[test]
fn a_plugins_log_lines_name_their_task_and_obey_the_loggers_endpoint() {
    let Some(stage) = Stage::set_up("loggers") else {
        return;
    };
    let (name, topic) = (stage.named("source"), stage.named("records"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let worker = stage.start(&[], &[]);
    worker.create(&name, json!({"connector.class": LOGGER, "topic": topic}));
    let arrives = |line: &str, after: Option<u32>| {
        assert!(
            wait_until(PATIENCE, || polls(&worker, line).last().copied() > after),
            "no '{line}' after poll {after:?}"
        );
    };

    // The worker's own level, INFO, is that of plugins too.
    arrives("an info line", None);
    arrives("an error line", Some(3));
    assert_eq!(polls(&worker, "a debug line"), Vec::<u32>::new());

    let changed = set_level(&worker, "DEBUG");
    arrives("a debug line", changed);
    assert_eq!(polls(&worker, "a trace line"), Vec::<u32>::new());

    let changed = set_level(&worker, "ERROR");
    arrives("an error line", changed.map(|poll| poll + 5));
    for line in ["a warn line", "an info line", "a debug line"] {
        assert!(
            polls(&worker, line).last().copied() <= changed,
            "'{line}' after {changed:?}"
        );
    }

    let context = format!("[{name}|task-0] ");
    let log = worker.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" line number="))
        .collect();
    assert!(lines.len() > 10, "{log}");
    for line in lines {
        assert!(line.contains(&context), "no '{context}' in '{line}'");
    }
    let of_connector = log
        .lines()
        .find(|line| line.contains("the connector has started"))
        .unwrap();
    assert!(
        of_connector.contains(&format!("[{name}|worker] ")),
        "{of_connector}"
    );
    assert_eq!(worker.terminate(), Some(143));
}
