//! Runs scenarios on one engine's worker and keeps what each step saw.
//!
//! What must stay true: a scenario begins on a worker without connectors, in a folder and with a `${run}` of its own;
//! nothing is slept for, conditions are looked at until they hold; a step without its condition ends its scenario.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use wharf_test_services::http::{self, Response};
use wharf_test_services::ports;
use wharf_test_services::process::wait_until;

use crate::answer::Answer;
use crate::engine::{Engine, Place, Workers};
use crate::kafka::Kafka;
use crate::mode::Mode;
use crate::names::Names;
use crate::pointer;
use crate::scenario::{Action, FileText, Request, Rule, Scenario, Setup, Step, Until, WaitFile};

/// Longest time that a condition may take to hold.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a refusal during a rebalance is not yet the answer: no rebalance of one or two workers takes longer.
const REBALANCE_PATIENCE: Duration = Duration::from_secs(8);

/// What a step saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It had nothing to see, and was done.
    Nothing,
    /// This.
    Answer(Box<Answer>),
    /// It could not be done: why.
    Failed(String),
    /// A step before it failed.
    NotRun,
}

/// What came of a scenario: its steps by id, in order.
pub type Outcome = Vec<(String, Seen)>;

/// Running workers of one engine, ready for scenarios.
pub struct Lab {
    workers: Box<dyn Workers>,
    /// Whether requests have to be sent again that a rebalance refuses.
    asks_again: bool,
    kafka: Kafka,
    folder: PathBuf,
    names: Names,
}

impl Lab {
    /// Starts the workers that are needed; everything they write goes to `folder`, which is made.
    pub fn start(engine: &dyn Engine, setup: &Setup, bootstrap: &str, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let [port] = ports::free()?;
        let port = port.to_string();
        let mut names = Names::new();
        names.set("broker", bootstrap);
        names.set_given("port", &port);
        names.hide(&format!("127.0.0.1:{port}"), "127.0.0.1:${port}");
        names.set("folder", &folder.to_string_lossy());
        let group = format!("group-of-{}", fresh_name());
        names.set("group", &group);
        let worker = setup
            .keys
            .iter()
            .map(|(key, value)| (key.clone(), value.as_deref().map(|value| names.expand(value))))
            .collect();
        let workers = engine
            .start(&Place {
                mode: setup.mode,
                workers: setup.workers,
                name: group,
                folder: folder.to_owned(),
                bootstrap: bootstrap.to_owned(),
                worker,
            })
            .with_context(|| format!("cannot start {} of engine {}", setup.mode, engine.name()))?;
        let mut lab = Self {
            workers,
            asks_again: setup.mode == Mode::Distributed && engine.refuses_in_rebalances(),
            kafka: Kafka::new(bootstrap)?,
            folder: folder.to_owned(),
            names,
        };
        lab.name_workers()?;
        Ok(lab)
    }

    /// Host and port of the first worker.
    pub fn address(&self) -> String {
        self.workers.addresses().swap_remove(0)
    }

    /// Log of the first worker.
    pub fn log(&self) -> &Path {
        self.workers.log(0)
    }

    /// Learns addresses, version and cluster, which change with a restart or between engines.
    fn name_workers(&mut self) -> Result<()> {
        name_addresses(&self.workers.addresses(), &mut self.names);
        let address = self.address();
        let response = http::send(&address, "GET", "/", &[], None)
            .with_context(|| format!("the worker at {address} does not answer"))?;
        let info: Value = serde_json::from_str(&response.body)
            .with_context(|| format!("GET / answered {}", response.body))?;
        for (key, placeholder) in [("version", "${version}"), ("kafka_cluster_id", "${cluster}")] {
            let value = info[key]
                .as_str()
                .with_context(|| format!("GET / has no {key}: {info}"))?;
            self.names.hide(value, placeholder);
        }
        Ok(())
    }

    /// Runs one scenario and clears away what it left.
    pub fn run(&mut self, scenario: &Scenario) -> Outcome {
        let mut names = self.names.clone();
        let run = fresh_name();
        let folder = self.folder.join(&run);
        names.set("run", &run);
        names.set("dir", &folder.to_string_lossy());
        let mut outcome = Outcome::new();
        let mut alive = match set_up(&folder, scenario, &names) {
            Ok(()) => true,
            Err(error) => {
                outcome.push(("set-up".to_owned(), Seen::Failed(format!("{error:#}"))));
                false
            }
        };
        for step in &scenario.steps {
            let seen = if alive {
                match self.step(step, &mut names) {
                    Ok(seen) => seen,
                    Err(error) => {
                        alive = false;
                        Seen::Failed(format!("{error:#}"))
                    }
                }
            } else {
                Seen::NotRun
            };
            outcome.push((step.id.clone(), seen));
        }
        if let Err(error) = self.clear(scenario, &names) {
            outcome.push(("clearing-away".to_owned(), Seen::Failed(format!("{error:#}"))));
        }
        outcome
    }

    fn step(&mut self, step: &Step, names: &mut Names) -> Result<Seen> {
        let answer = match &step.action {
            Action::Request(request, until) => {
                self.request(step.worker, request, until.as_ref(), &step.rule, names)?
            }
            Action::WaitFile(wait) => wait_for_file(wait, names)?,
            Action::Consume(consume) => {
                let topic = names.expand(&consume.topic);
                let records = self.kafka.consume(&topic, consume.count, &consume.compare)?;
                Answer::of_records(&records, &step.rule, names)
            }
            other => {
                self.act(step.worker, other, names)?;
                return Ok(Seen::Nothing);
            }
        };
        Ok(Seen::Answer(Box::new(answer)))
    }

    /// What has nothing to compare.
    fn act(&mut self, worker: usize, action: &Action, names: &mut Names) -> Result<()> {
        match action {
            Action::Append(file) => write(file, names, true),
            Action::Write(file) => write(file, names, false),
            Action::Remove(file) => {
                let path = names.expand(&file.path);
                fs::remove_file(&path).with_context(|| format!("cannot remove {path}"))
            }
            Action::CreateTopic(topic) => self
                .kafka
                .create_topic(&names.expand(&topic.topic), topic.partitions),
            Action::Produce(produce) => {
                let mut records = produce.records.clone();
                for record in &mut records {
                    record.key = names.expand_value(&record.key);
                    record.value = names.expand_value(&record.value);
                }
                self.kafka.produce(&names.expand(&produce.topic), &records)
            }
            Action::RestartWorker => {
                self.workers.restart(worker)?;
                self.name_workers()?;
                name_addresses(&self.workers.addresses(), names);
                Ok(())
            }
            Action::Request(..) | Action::WaitFile(_) | Action::Consume(_) => Ok(()),
        }
    }

    fn request(
        &self,
        worker: usize,
        request: &Request,
        until: Option<&Until>,
        rule: &Rule,
        names: &Names,
    ) -> Result<Answer> {
        let address = match &request.address {
            Some(address) => names.expand(address),
            None => {
                let mut all = self.workers.addresses();
                if worker >= all.len() {
                    bail!("there is no worker {worker}");
                }
                all.swap_remove(worker)
            }
        };
        let (path, headers, body) = filled_in(request, names);
        let headers: Vec<_> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let mut last = None;
        let begun = Instant::now();
        let done = wait_until(PATIENCE, || {
            let answer = http::send(&address, &request.method, &path, &headers, body.as_deref());
            let refused = self.asks_again
                && begun.elapsed() < REBALANCE_PATIENCE
                && answer.as_ref().is_ok_and(is_refused);
            let done = !refused
                && until.is_none_or(|until| {
                    answer
                        .as_ref()
                        .is_ok_and(|response| is_met(until, response, names))
                });
            last = Some(answer);
            done
        });
        let response = last
            .context("no request was sent")?
            .with_context(|| format!("{} {path}", request.method))?;
        if !done {
            bail!(
                "{} {path} was repeated for {PATIENCE:?} in vain; last answer: {} {}",
                request.method,
                response.status,
                response.body
            );
        }
        Ok(Answer::of_response(&response, rule, names))
    }

    /// Deletes all connectors, and the groups of sinks, so that the next scenario finds nothing of this one.
    fn clear(&self, scenario: &Scenario, names: &Names) -> Result<()> {
        let address = self.address();
        let mut connectors: Vec<String> = scenario.creates().iter().map(|name| names.expand(name)).collect();
        let list = || -> Result<Vec<String>> {
            let response = http::send(&address, "GET", "/connectors", &[], None)?;
            serde_json::from_str(&response.body)
                .with_context(|| format!("GET /connectors answered {}", response.body))
        };
        for name in list()? {
            let path = format!("/connectors/{}", percent_encode(&name));
            wait_until(PATIENCE, || {
                let answer = http::send(&address, "DELETE", &path, &[], None);
                !(self.asks_again && answer.is_ok_and(|response| is_refused(&response)))
            });
            connectors.push(name);
        }
        let left = list()?;
        if !left.is_empty() {
            bail!("connectors {left:?} cannot be deleted");
        }
        for name in connectors {
            self.kafka.delete_group(&format!("connect-{name}"))?;
        }
        Ok(())
    }
}

/// `${worker}` and `${url}` are the first worker's, `${worker1}` and `${url1}` the second one's, and so on.
fn name_addresses(addresses: &[String], names: &mut Names) {
    for (number, address) in addresses.iter().enumerate() {
        let suffix = if number == 0 {
            String::new()
        } else {
            number.to_string()
        };
        names.set(&format!("worker{suffix}"), address);
        names.set_given(&format!("url{suffix}"), &format!("http://{address}"));
    }
}

fn set_up(folder: &Path, scenario: &Scenario, names: &Names) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in &scenario.files {
        let path = folder.join(name);
        fs::write(&path, names.expand(text)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Path, headers and body of a request with real names.
fn filled_in(request: &Request, names: &Names) -> (String, Vec<(String, String)>, Option<String>) {
    let body = match (&request.json, &request.text) {
        (Some(json), _) => Some(names.expand_value(json).to_string()),
        (None, Some(text)) => Some(names.expand(text)),
        (None, None) => None,
    };
    let named = |name: &str| request.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), names.expand(value.as_deref()?))))
        .collect();
    if body.is_some() && !named("Content-Type") {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    (names.expand(&request.path), headers, body)
}

/// Whether upstream blames a group that is changing, or a configuration that just did; to be asked again for a while.
fn is_refused(response: &Response) -> bool {
    response.status == 409
        && ["rebalance", "stale configuration"]
            .iter()
            .any(|reason| response.body.contains(reason))
}

fn is_met(until: &Until, response: &Response, names: &Names) -> bool {
    if until.status.is_some_and(|status| status != response.status) {
        return false;
    }
    if let Some(text) = &until.text
        && !response.body.contains(&names.expand(text))
    {
        return false;
    }
    if until.at.is_empty() {
        return true;
    }
    serde_json::from_str::<Value>(&response.body).is_ok_and(|body| {
        until
            .at
            .iter()
            .all(|(at, value)| pointer::holds(&body, &names.expand(at), &names.expand_value(value)))
    })
}

fn wait_for_file(wait: &WaitFile, names: &Names) -> Result<Answer> {
    let path = names.expand(&wait.path);
    let read = || fs::read(&path).map(|raw| String::from_utf8_lossy(&raw).into_owned());
    let met = |text: &str| match (&wait.equals, &wait.contains) {
        (Some(whole), _) => text == names.expand(whole),
        (None, Some(part)) => text.contains(&names.expand(part)),
        (None, None) => true,
    };
    if !wait_until(PATIENCE, || read().is_ok_and(|text| met(&text))) {
        match read() {
            Ok(text) => bail!("{path} did not become what was waited for; it holds {text:?}"),
            Err(error) => bail!("{path} did not become what was waited for: {error}"),
        }
    }
    Ok(Answer::of_value(&json!({"file": read()?}), names))
}

fn write(file: &FileText, names: &Names, append: bool) -> Result<()> {
    let path = names.expand(&file.path);
    OpenOptions::new()
        .create(true)
        .append(append)
        .write(true)
        .truncate(!append)
        .open(&path)
        .and_then(|mut open| open.write_all(names.expand(&file.text).as_bytes()))
        .with_context(|| format!("cannot write {path}"))
}

/// A name that nothing else has, and that no text holds by chance.
fn fresh_name() -> String {
    // The keys of a new state are random, which is all that is wanted here.
    format!("run-{:08x}", RandomState::new().hash_one(0) as u32)
}

/// Everything but letters and digits, so that no name can be mistaken for a path.
fn percent_encode(name: &str) -> String {
    name.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn request(yaml: &str) -> Request {
        let text = format!("about: a\nsteps:\n  - {{ id: a, request: {{ method: PUT, {yaml} }} }}\n");
        let scenario = Scenario::parse("x", &text, Mode::Standalone).unwrap().unwrap();
        let Action::Request(request, _) = scenario.steps[0].action.clone() else {
            panic!("{scenario:?}");
        };
        request
    }

    #[test]
    fn a_request_is_sent_with_real_names_and_the_usual_header() {
        let mut names = Names::new();
        names.set("run", "run-1");
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        let cases = [
            ("path: \"/${run}\"", ("/run-1", vec![], None)),
            (
                "path: /, json: {a: \"${run}\"}",
                ("/", vec![json.clone()], Some("{\"a\":\"run-1\"}")),
            ),
            ("path: /, json: null", ("/", vec![json], Some("null"))),
            (
                "path: /, text: \"${run}\", headers: {content-type: null}",
                ("/", vec![], Some("run-1")),
            ),
            (
                "path: /, headers: {Accept: \"${run}\"}",
                ("/", vec![("Accept".to_owned(), "run-1".to_owned())], None),
            ),
        ];
        for (yaml, (path, headers, body)) in cases {
            let expected = (path.to_owned(), headers, body.map(str::to_owned));
            assert_eq!(filled_in(&request(yaml), &names), expected, "{yaml}");
        }
    }

    #[test]
    fn a_condition_needs_all_of_its_parts() {
        let response = |status, body: &str| Response {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        };
        let mut names = Names::new();
        names.set("run", "run-1");
        let until = Until {
            status: Some(200),
            at: BTreeMap::from([
                ("/a".to_owned(), json!("${run}")),
                ("/none".to_owned(), json!(null)),
            ]),
            text: Some("b".to_owned()),
        };
        let cases = [
            (200, r#"{"a": "run-1", "b": 1}"#, true),
            (404, r#"{"a": "run-1", "b": 1}"#, false),
            (200, r#"{"a": "run-1"}"#, false),
            (200, r#"{"a": "run-2", "b": 1}"#, false),
            (200, r#"{"a": "run-1", "b": 1, "none": 1}"#, false),
            (200, "b", false),
        ];
        for (status, body, expected) in cases {
            assert_eq!(
                is_met(&until, &response(status, body), &names),
                expected,
                "{body}"
            );
        }
        assert!(is_met(&Until::default(), &response(500, ""), &names));
        let rebalance = "Request cannot be completed because a rebalance is expected";
        assert!(is_refused(&response(409, rebalance)));
        assert!(!is_refused(&response(409, "Connector a already exists")));
        assert!(!is_refused(&response(500, rebalance)));
    }

    #[test]
    fn names_are_fresh_and_fit_for_paths() {
        assert_ne!(fresh_name(), fresh_name());
        assert_eq!(fresh_name().len(), "run-01234567".len());
        assert_eq!(percent_encode("a-1 /é"), "a-1%20%2F%C3%A9");
    }
}
