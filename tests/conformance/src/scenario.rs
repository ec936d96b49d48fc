//! What a scenario file says: requests and other deeds in order, and what of the answers is compared.
//!
//! These are the checked types; how they come out of YAML is in `scenario/read.rs`, and the format itself is described in
//! `tests/conformance/README.md`.

mod read;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::mode::Mode;

/// One file of `scenarios/`, as it is in one mode: what it says for the other one only is not there.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Stem of the file's name.
    pub id: String,
    /// One line for the report.
    pub about: String,
    /// The workers that it needs.
    pub setup: Setup,
    /// Whether it needs a worker that nobody used before.
    pub alone: bool,
    /// Written to the scenario's folder before the first step.
    pub files: BTreeMap<String, String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// The workers that a scenario needs; scenarios with the same needs can share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How they run.
    pub mode: Mode,
    /// How many; more than one makes sense in distributed mode only.
    pub workers: usize,
    /// Worker keys on top of the engine's; `None` takes a default away.
    pub keys: BTreeMap<String, Option<String>>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique within the file.
    pub id: String,
    /// Number of the worker that it is about, from 0.
    pub worker: usize,
    /// What is done.
    pub action: Action,
    /// What of the answer is compared.
    pub rule: Rule,
    /// Declared when the answers differ on purpose.
    pub differs: Option<Differs>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Sends a request, again and again until a condition holds when there is one.
    Request(Request, Option<Until>),
    /// Waits until a file has a content.
    WaitFile(WaitFile),
    /// Writes text at the end of a file, which is made when it is not there.
    Append(FileText),
    /// Replaces a file.
    Write(FileText),
    /// Removes a file.
    Remove(FilePath),
    /// Creates a topic.
    CreateTopic(CreateTopic),
    /// Writes records.
    Produce(Produce),
    /// Reads the first records of a topic.
    Consume(Consume),
    /// Stops the worker in an orderly way and starts it again.
    RestartWorker,
}

impl Action {
    /// Whether the step has something to compare, and so counts.
    pub fn is_compared(&self) -> bool {
        matches!(self, Self::Request(..) | Self::WaitFile(_) | Self::Consume(_))
    }
}

/// An HTTP request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its method, any word.
    pub method: String,
    /// Path and query, sent as they are.
    pub path: String,
    /// A body of JSON.
    #[serde(default, deserialize_with = "present")]
    pub json: Option<Value>,
    /// A body as it is.
    pub text: Option<String>,
    /// Headers; null takes a default away.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// Host and port, where that is not the worker's main listener.
    pub address: Option<String>,
}

/// Keeps null, which is a value, apart from no value.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// When a repeated request is over.
#[derive(Debug, Clone, Default)]
pub struct Until {
    /// The status that must come.
    pub status: Option<u16>,
    /// Values that must be in the body, by JSON pointer with `*`; null means absent or null.
    pub at: BTreeMap<String, Value>,
    /// Text that must be in the body.
    pub text: Option<String>,
}

/// A file to wait for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitFile {
    /// Where.
    pub path: String,
    /// Its whole content.
    pub equals: Option<String>,
    /// Or a part of it.
    pub contains: Option<String>,
}

/// A file and text for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
}

/// A file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePath {
    /// Where.
    pub path: String,
}

/// A topic to create.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// Its name.
    pub topic: String,
    /// How many partitions it gets.
    #[serde(default = "one")]
    pub partitions: i32,
}

fn one() -> i32 {
    1
}

/// Records to write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Produce {
    /// Where to.
    pub topic: String,
    /// What, in order.
    pub records: Vec<Record>,
}

/// A record: text as it is, null as none, bytes as `hex`, anything else as JSON.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// When it was made, in milliseconds since 1970; now unless said otherwise.
    pub timestamp: Option<i64>,
    /// Its key.
    #[serde(default)]
    pub key: Value,
    /// Its value.
    #[serde(default)]
    pub value: Value,
    /// Its headers.
    #[serde(default)]
    pub headers: Vec<(String, Option<String>)>,
}

/// Records to read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consume {
    /// Where from.
    pub topic: String,
    /// How many, from the beginning.
    pub count: usize,
    /// Which parts are compared.
    #[serde(default = "key_and_value")]
    pub compare: Vec<RecordPart>,
}

fn key_and_value() -> Vec<RecordPart> {
    vec![RecordPart::Key, RecordPart::Value]
}

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordPart {
    /// The key.
    Key,
    /// The value.
    Value,
    /// All headers.
    Headers,
    /// The number of the partition.
    Partition,
    /// When it was made.
    Timestamp,
}

/// What of an answer is compared, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The status code.
    pub status: bool,
    /// The `Content-Type`.
    pub content_type: bool,
    /// The body.
    pub body: bool,
    /// Headers by name.
    pub headers: Vec<String>,
    /// Pointers to values of which only the presence counts.
    pub ignore: Vec<String>,
    /// Pointers to arrays whose order does not count.
    pub unordered: Vec<String>,
    /// Elements that are left out on both sides.
    pub drop: Vec<Drop>,
    /// How texts are compared.
    pub text: TextRule,
}

/// Elements of an array that are left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// Pointer to the array.
    pub at: String,
    /// Pointers into an element, and the values that they must find there.
    #[serde(rename = "where")]
    pub condition: BTreeMap<String, Value>,
}

/// How a body that is not JSON, and the `message` of an error, are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextRule {
    /// Character by character.
    #[default]
    Exact,
    /// Each line of the JVM's text must be in ours.
    ContainsLines,
    /// Only the first line, also of every `trace`.
    FirstLine,
}

/// A difference that is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differs {
    /// Row of `differences.yaml`.
    pub id: String,
    /// In which modes; all unless said otherwise.
    #[serde(default = "all_modes")]
    pub modes: Vec<Mode>,
    /// What our answer must be then.
    #[serde(default)]
    pub ours: Expected,
}

fn all_modes() -> Vec<Mode> {
    Mode::ALL.to_vec()
}

/// What our answer must be where it differs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The status.
    pub status: Option<u16>,
    /// Texts that the body must contain.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Values that must be in the body.
    #[serde(default)]
    pub at: BTreeMap<String, Value>,
}

impl Scenario {
    /// The steps that have something to compare.
    pub fn compared(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action.is_compared())
    }

    /// Names of connectors that its requests may create, as they stand in the file.
    pub fn creates(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for step in &self.steps {
            let Action::Request(request, _) = &step.action else {
                continue;
            };
            let path = request.path.split('?').next().unwrap_or_default();
            let parts: Vec<_> = path.trim_matches('/').split('/').collect();
            match (request.method.as_str(), parts.as_slice()) {
                ("POST", ["connectors"]) => {
                    names.extend(request.json.as_ref().and_then(|json| json["name"].as_str()));
                }
                ("PUT", ["connectors", name, "config"]) => names.push(name),
                _ => {}
            }
        }
        names
    }
}
