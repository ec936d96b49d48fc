//! What a worker tells at `GET /metrics`, read by the client library that Prometheus' makers wrote, and nothing of ours.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use wharf_test_services::available;
use wharf_test_services::python::Package;

use crate::Worker;
use crate::group::eventually;

const CLIENT: Package<'_> = Package {
    name: "prometheus-client",
    version: "0.26.0",
    with: &[],
    check: &["-m", "pip", "show", "prometheus-client"],
};

/// Asks for both formats, reads both, and prints the samples of the first as JSON.
const READER: &str = r#"
import json, sys, urllib.request
from prometheus_client import parser
from prometheus_client.openmetrics import parser as strict

def ask(accept):
    request = urllib.request.Request(sys.argv[1], headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Content-Type"], answer.read().decode()

def samples(families):
    found = {}
    for family in families:
        assert family.documentation, family.name
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            name = sample.name + "{" + labels + "}"
            assert name not in found, name
            found[name] = sample.value
    return found

kind, text = ask("text/plain")
assert kind == "text/plain; version=0.0.4; charset=utf-8", kind
plain = samples(parser.text_string_to_metric_families(text))
kind, text = ask("application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
open_metrics = samples(strict.text_string_to_metric_families(text))
info = [name for name in plain if name.startswith("kafka_connect_app_info{")]
assert len(info) == 1 and info[0] in open_metrics, info
print(json.dumps(plain))
"#;

/// Reads metrics of workers.
pub struct MetricsReader(PathBuf);

/// Values by name and labels, the labels in their order.
#[derive(Debug)]
pub struct Samples(BTreeMap<String, f64>);

impl MetricsReader {
    /// `None` when the test may return because this machine cannot run it.
    pub fn set_up() -> Option<Self> {
        available(CLIENT.python()).map(Self)
    }

    /// All metrics of a worker now, read in both formats.
    pub fn read(&self, worker: &Worker) -> Samples {
        let url = format!("http://{}/metrics", worker.address());
        let output = Command::new(&self.0).args(["-c", READER, &url]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the metrics cannot be read:\n{errors}");
        let values: BTreeMap<String, f64> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
        Samples(values)
    }

    /// Waits until metrics have these values.
    pub fn until(&self, worker: &Worker, expected: &[(String, f64)]) -> Samples {
        let mut last = Vec::new();
        let mut samples = None;
        let deadline = std::time::Instant::now() + crate::PATIENCE;
        while samples.is_none() {
            let read = self.read(worker);
            last.clear();
            last.extend(
                expected
                    .iter()
                    .filter(|(name, value)| read.get(name) != Some(*value))
                    .map(|(name, value)| format!("{name} is {:?}, not {value}", read.get(name))),
            );
            if last.is_empty() {
                samples = Some(read);
            } else {
                assert!(std::time::Instant::now() < deadline, "{}", last.join("\n"));
            }
        }
        samples.unwrap_or_else(|| Samples(BTreeMap::new()))
    }

    /// Waits until a worker tells nothing more, or something, of metrics with this text in them.
    pub fn until_told(&self, worker: &Worker, text: &str, is_told: bool) {
        let what = format!("metrics with {text} are there: {is_told}");
        eventually(&what, || self.read(worker).names(text).is_empty() != is_told);
    }
}

impl Samples {
    /// The value of a metric; its labels have to be in their order.
    pub fn get(&self, name: &str) -> Option<f64> {
        let with_braces = if name.contains('{') {
            name.to_owned()
        } else {
            format!("{name}{{}}")
        };
        self.0.get(&with_braces).copied()
    }

    /// Names, with labels, that have this text in them.
    pub fn names(&self, text: &str) -> Vec<&str> {
        let names = self.0.keys().filter(|name| name.contains(text));
        names.map(String::as_str).collect()
    }
}

/// The name of a task's metric, of upstream's if `kafka_connect_` is left out.
pub fn of_task(metric: &str, connector: &str, task: u32) -> String {
    format!("{metric}{{connector=\"{connector}\",task=\"{task}\"}}")
}
