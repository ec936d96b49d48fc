//! A client that no one here wrote: `kafka-connect-py` from PyPI drives a connector through its whole life on our worker.
//!
//! The client reads the worker's answers in its own way, with the library that Python programs use for HTTP; what it
//! reports is what is asserted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_conformance::engine::Wharf;
use wharf_conformance::mode::Mode;
use wharf_conformance::runner::Lab;
use wharf_conformance::scenario::Setup;
use wharf_test_services::process::wait_until;
use wharf_test_services::python::Package;
use wharf_test_services::{KafkaBroker, available, target_dir};

const CLIENT: Package<'_> = Package {
    name: "kafka-connect-py",
    version: "1.0.0",
    with: &["click==8.5.1", "requests==2.34.2"],
    check: &[
        "-c",
        "import kafka_connect, importlib.metadata as m; print(m.version('kafka-connect-py'))",
    ],
};

/// Calls methods of the client by name, one JSON line each, so that what is expected stands here and not in Python.
const SCRIPT: &str = r#"
import json, sys
from requests.exceptions import HTTPError
from kafka_connect import KafkaConnect

client = KafkaConnect(sys.argv[1])
for line in sys.stdin:
    method, arguments = json.loads(line)
    try:
        answer = {"result": getattr(client, method)(*arguments)}
    except HTTPError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"#;
/// Generous, for machines that are busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// The client, in a Python process of its own.
struct Client {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Client {
    fn start(python: &std::path::Path, address: &str) -> Self {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT, &format!("http://{address}")])
            // A proxy would not find this machine's loopback address.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let to = child.stdin.take();
        Self { child, to, from }
    }

    fn ask(&mut self, method: &str, arguments: Value) -> Value {
        writeln!(self.to.as_mut().unwrap(), "{}", json!([method, arguments])).unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{method}: {error}: {line}"))
    }

    /// A call that must succeed.
    fn call(&mut self, method: &str, arguments: Value) -> Value {
        let mut answer = self.ask(method, arguments);
        assert_eq!(answer.get("error"), None, "{method}");
        answer["result"].take()
    }

    /// A call that the client must report as an error with this text.
    fn refused(&mut self, method: &str, arguments: Value, part: &str) {
        let answer = self.ask(method, arguments);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{method}: {answer}");
    }

    /// Repeats a call until its result is as wanted.
    fn until(&mut self, method: &str, arguments: Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let met = wait_until(PATIENCE, || {
            last = self.ask(method, arguments.clone())["result"].take();
            wanted(&last)
        });
        assert!(met, "{method} {arguments}: {last}");
        last
    }

    fn until_state(&mut self, name: &str, state: &str, tasks: usize) {
        self.until("get_connector_status", json!([name]), |status| {
            let all = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
            status["connector"]["state"] == state
                && all.len() == tasks
                && all.iter().all(|task| task["state"] == state)
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Python ends with its input.
        drop(self.to.take());
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_from_pypi_drives_a_connector_through_its_whole_life() {
    let Some(kafka) = KafkaBroker::shared() else {
        return;
    };
    let Some(engine) = available(Wharf::new()) else {
        return;
    };
    let Some(python) = available(CLIENT.python()) else {
        return;
    };
    let parent = target_dir().join("conformance");
    fs::create_dir_all(&parent).unwrap();
    let folder = tempfile::TempDir::with_prefix_in("python-client-", parent).unwrap();
    let alone = Setup {
        mode: Mode::Standalone,
        workers: 1,
        keys: BTreeMap::new(),
    };
    let lab = Lab::start(&engine, &alone, kafka.bootstrap(), folder.path()).unwrap();
    let mut client = Client::start(&python, &lab.address());
    let name = format!("python-client-{}", std::process::id());
    let input = folder.path().join("input");
    fs::write(&input, "one\ntwo\n").unwrap();
    let config = json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "file": input, "topic": format!("{name}-lines"), "tasks.max": "1",
    });
    let me = json!([name]);

    look_around(&mut client, &config);
    create(&mut client, &name, &config);
    pause_and_resume(&mut client, &name);
    restart(&mut client, &name);
    change_the_configuration(&mut client, &name, &config);
    topics(&mut client, &name);

    client.call("stop_connector", me.clone());
    client.until_state(&name, "STOPPED", 0);
    client.call("delete_connector", me.clone());
    assert_eq!(client.call("list_connectors", json!([])), json!([]));
    client.refused("get_connector", me.clone(), "404 Client Error: Not Found");
    client.refused("delete_connector", me, "404 Client Error: Not Found");
}

/// What is there before there is a connector.
fn look_around(client: &mut Client, config: &Value) {
    let info = client.call("get_cluster_info", json!([]));
    assert_eq!(
        info["kafka_cluster_id"].as_str().unwrap_or_default().len(),
        22,
        "{info}"
    );
    let plugins = client.call("list_connector_plugins", json!([]));
    let source = plugins
        .as_array()
        .unwrap()
        .iter()
        .find(|plugin| plugin["class"] == config["connector.class"])
        .unwrap_or_else(|| panic!("{plugins}"));
    assert_eq!(source["type"], "source");
    assert_eq!(client.call("list_connectors", json!([])), json!([]));
    let mut named = config.clone();
    named["name"] = json!("some-name");
    let valid = client.call("validate_connector_config", json!(["FileStreamSource", named]));
    assert_eq!(valid["error_count"], 0, "{valid}");
    named.as_object_mut().unwrap().remove("topic");
    let wrong = client.call("validate_connector_config", json!(["FileStreamSource", named]));
    assert_eq!(wrong["error_count"], 1, "{wrong}");
}

fn create(client: &mut Client, name: &str, config: &Value) {
    let request = json!([{"name": name, "config": config}]);
    let created = client.call("create_connector", request.clone());
    assert_eq!(
        (&created["name"], &created["type"]),
        (&json!(name), &json!("source"))
    );
    client.refused("create_connector", request, "409 Client Error: Conflict");
    client.refused(
        "create_connector",
        json!([{"name": "without-a-class", "config": {}}]),
        "400 Client Error: Bad Request",
    );
    client.until_state(name, "RUNNING", 1);
    assert_eq!(client.call("list_connectors", json!([])), json!([name]));
    let known = client.call(
        "list_connectors",
        json!(["status", "python-client-.*", "running"]),
    );
    assert_eq!(known[name]["status"]["connector"]["state"], "RUNNING");
    let known = client.call("list_connectors", json!(["info"]));
    assert_eq!(
        known[name]["info"]["tasks"],
        json!([{"connector": name, "task": 0}])
    );
    assert_eq!(client.call("get_connector", json!([name]))["name"], name);
    let tasks = client.call("list_connector_tasks", json!([name]));
    assert_eq!(tasks[0]["id"], json!({"connector": name, "task": 0}));
    assert_eq!(tasks[0]["config"]["topic"], config["topic"]);
    let task = client.call("get_connector_task_status", json!([name, 0]));
    assert_eq!((&task["id"], &task["state"]), (&json!(0), &json!("RUNNING")));
    client.refused(
        "get_connector_task_status",
        json!([name, 7]),
        "404 Client Error: Not Found",
    );
}

fn pause_and_resume(client: &mut Client, name: &str) {
    client.call("pause_connector", json!([name]));
    client.until_state(name, "PAUSED", 1);
    client.call("resume_connector", json!([name]));
    client.until_state(name, "RUNNING", 1);
    client.call("stop_all_connectors", json!([name]));
    client.until_state(name, "STOPPED", 0);
    client.call("resume_all_connectors", json!([name]));
    client.until_state(name, "RUNNING", 1);
}

fn restart(client: &mut Client, name: &str) {
    assert_eq!(client.call("restart_connector", json!([name])), Value::Null);
    client.until_state(name, "RUNNING", 1);
    let accepted = client.call("restart_connector", json!([name, true, false]));
    assert_eq!(accepted["name"], name, "{accepted}");
    client.until_state(name, "RUNNING", 1);
    client.call("restart_connector_task", json!([name, 0]));
    client.until_state(name, "RUNNING", 1);
    client.refused(
        "restart_connector",
        json!(["unknown", true, false]),
        "Unknown connector",
    );
}

fn change_the_configuration(client: &mut Client, name: &str, config: &Value) {
    let mut changed = config.clone();
    changed["batch.size"] = json!("7");
    let updated = client.call("update_connector", json!([name, changed]));
    assert_eq!(updated["config"]["batch.size"], "7");
    let known = client.call("get_connector_config", json!([name]));
    assert_eq!(
        (&known["batch.size"], &known["name"]),
        (&json!("7"), &json!(name))
    );
    client.until_state(name, "RUNNING", 1);
}

fn topics(client: &mut Client, name: &str) {
    let topic = format!("{name}-lines");
    client.until("list_connector_topics", json!([name]), |known| {
        known[name]["topics"] == json!([topic])
    });
    client.call("reset_connector_topics", json!([name]));
    client.until("list_connector_topics", json!([name]), |known| {
        known[name]["topics"] == json!([])
    });
}
