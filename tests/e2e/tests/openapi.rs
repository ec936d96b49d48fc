//! The OpenAPI document that the worker serves, held against the worker itself by schemathesis: thousands of requests
//! that follow the document, or break it on purpose, and every answer compared with what the document promises.
//!
//! What must stay true: the run is bounded, and the same each time (pinned versions, fixed seed); no operation is left
//! out; an exception from the rules of schemathesis has its reason here ([`JUDGED_BY_CONTENT`]).

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_e2e::{Stage, Worker};
use wharf_test_services::available;
use wharf_test_services::process::wait_until;
use wharf_test_services::python::Package;

/// The generator below it is pinned too, because the requests that a seed gives depend on it.
const SCHEMATHESIS: Package<'_> = Package {
    name: "schemathesis",
    version: "4.32.5",
    with: &["hypothesis==6.170.15"],
    check: &["-m", "schemathesis.cli", "--version"],
};
/// Any number would do; a failure comes back with the same one.
const SEED: &str = "1";
/// Requests to each operation in the random phase; the phases before it make a few hundred by rule.
const EXAMPLES: &str = "12";
/// A run takes ten to twenty seconds; this is for machines that are busy with other things.
const LONGEST: Duration = Duration::from_secs(240);

/// Operations that may answer 400 to a request of the described form: whether the content of a configuration, an offset
/// or a version range is good is found out by plugins, and whether offsets may change depends on the state.
const JUDGED_BY_CONTENT: [&str; 7] = [
    "POST /connectors",
    "PUT /connectors/{connector}/config",
    "PATCH /connectors/{connector}/config",
    "PATCH /connectors/{connector}/offsets",
    "DELETE /connectors/{connector}/offsets",
    "GET /connector-plugins/{plugin}/config",
    "PUT /connector-plugins/{plugin}/config/validate",
];

#[test]
fn the_served_document_holds_against_schemathesis() {
    let Some(stage) = Stage::set_up("openapi") else {
        return;
    };
    let Some(python) = available(SCHEMATHESIS.python()) else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let connectors = create_connectors(&stage, &worker);
    let served = worker.request("GET", "/openapi.json", None).body;
    let operations = count_operations(&serde_json::from_str(&served).unwrap());
    // From a file: the path that a document is loaded from would be left out of the run.
    let document = stage.write("openapi.json", served);
    let config = stage.write("schemathesis.toml", config(&connectors));

    let (success, report) = run(&stage, &python, [&config, &document], worker.address());

    assert!(success, "the document does not hold:\n{report}");
    // A run that looked at nothing succeeds as well.
    let tested = format!("Tested: {operations}");
    assert!(report.contains(&tested), "not '{tested}':\n{report}");
    assert_eq!(worker.get("/health")["status"], "healthy");
    assert!(!worker.log().contains("panicked"), "{}", worker.log());
}

/// A source and a sink that work, so that requests find something.
fn create_connectors(stage: &Stage, worker: &Worker) -> [String; 2] {
    let (source, sink) = (stage.named("source"), stage.named("sink"));
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("input", "one\ntwo\n");
    let source_config =
        json!({"connector.class": "FileStreamSource", "file": stage.file("input"), "topic": topic});
    let sink_config =
        json!({"connector.class": "FileStreamSink", "file": stage.file("output"), "topics": topic});
    worker.create(&source, source_config);
    worker.create(&sink, sink_config);
    for name in [&source, &sink] {
        worker.until_states(name, &["RUNNING", "RUNNING"]);
    }
    [source, sink]
}

fn count_operations(document: &Value) -> usize {
    let paths = document["paths"].as_object().unwrap().values();
    paths
        .map(|path| {
            let keys = path.as_object().unwrap().keys();
            keys.filter(|key| *key != "parameters").count()
        })
        .sum()
}

fn config(connectors: &[String]) -> String {
    let operations: String = JUDGED_BY_CONTENT
        .iter()
        .map(|name| {
            format!(
                "[[operations]]\ninclude-name = \"{name}\"\n\
                 checks.positive_data_acceptance.expected-statuses = [\"2xx\", 400, 404, 409]\n"
            )
        })
        .collect();
    format!(
        "{operations}[dictionaries]\nconnectors = {{ values = {} }}\n\
         [parameters]\n\"path.connector\" = {{ dictionary = \"connectors\", probability = 0.5 }}\n",
        json!(connectors)
    )
}

/// Whether schemathesis found nothing, and what it printed.
fn run(stage: &Stage, python: &Path, [config, document]: [&Path; 2], address: &str) -> (bool, String) {
    let report = stage.path("schemathesis.log");
    let out = File::create(&report).unwrap();
    let mut child = Command::new(python)
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(config)
        .arg("run")
        .arg(document)
        .args(["--url", &format!("http://{address}")])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED])
        .args(["--continue-on-failure", "--request-timeout", "60"])
        .args(["--generation-database", "none", "--warnings", "off", "--no-color"])
        .current_dir(report.parent().unwrap())
        // A proxy would not find this machine's loopback address.
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .spawn()
        .unwrap();
    let mut status = None;
    wait_until(LONGEST, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let text = String::from_utf8_lossy(&stage.read("schemathesis.log")).into_owned();
    let status = status.unwrap_or_else(|| panic!("schemathesis still ran after {LONGEST:?}:\n{text}"));
    (status.success(), text)
}
