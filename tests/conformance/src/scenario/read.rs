//! From the text of a scenario file to a checked [`Scenario`]: first the shape of the YAML, then steps that do exactly
//! one thing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Action, Consume, CreateTopic, Differs, Drop, FilePath, FileText, Produce, Request, Rule, Scenario, Setup,
    Step, TextRule, Until, WaitFile, all_modes,
};
use crate::mode::Mode;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    about: String,
    #[serde(default = "all_modes")]
    modes: Vec<Mode>,
    workers: Option<usize>,
    #[serde(default)]
    worker: BTreeMap<String, Value>,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    files: BTreeMap<String, String>,
    steps: Vec<RawStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    id: String,
    #[serde(default, rename = "about")]
    _about: Option<String>,
    #[serde(default = "all_modes")]
    modes: Vec<Mode>,
    #[serde(default)]
    worker: usize,
    request: Option<Request>,
    repeat_until: Option<RawUntil>,
    repeat_until_text: Option<String>,
    wait_file: Option<WaitFile>,
    append: Option<FileText>,
    write: Option<FileText>,
    remove: Option<FilePath>,
    create_topic: Option<CreateTopic>,
    produce: Option<Produce>,
    consume: Option<Consume>,
    #[serde(default)]
    restart_worker: bool,
    compare: Option<RawCompare>,
    #[serde(default)]
    ignore: Vec<String>,
    #[serde(default)]
    unordered: Vec<String>,
    #[serde(default)]
    drop: Vec<Drop>,
    #[serde(default)]
    text: TextRule,
    differs: Option<RawDiffers>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUntil {
    status: Option<u16>,
    #[serde(default)]
    at: BTreeMap<String, Value>,
}

/// One for the modes that it names, or one for each.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawDiffers {
    One(Differs),
    Several(Vec<Differs>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawCompare {
    Names(Vec<String>),
    Parts(Parts),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Parts {
    #[serde(default)]
    status: bool,
    #[serde(default)]
    content_type: bool,
    #[serde(default)]
    body: bool,
    #[serde(default)]
    headers: Vec<String>,
}

/// What `compare: [headers]` means.
const USUAL_HEADERS: [&str; 3] = ["Content-Type", "Location", "Allow"];

impl Scenario {
    /// Reads what one file says for a mode, `None` when that is nothing; `id` is the stem of its name.
    pub fn parse(id: &str, text: &str, mode: Mode) -> Result<Option<Self>> {
        let raw: RawScenario = crate::yaml(text).with_context(|| format!("scenario {id} cannot be read"))?;
        let workers = raw.workers.unwrap_or(1);
        if workers == 0 || (workers > 1 && raw.modes != [Mode::Distributed]) {
            bail!("scenario {id}: {workers} workers need `modes: [distributed]`, and at least one has to be");
        }
        if !raw.modes.contains(&mode) {
            return Ok(None);
        }
        let mut steps = Vec::with_capacity(raw.steps.len());
        for step in raw.steps {
            let name = step.id.clone();
            let step = step
                .check(mode)
                .with_context(|| format!("scenario {id}, step {name}"))?;
            let Some(step) = step else { continue };
            if steps.iter().any(|other: &Step| other.id == step.id) {
                bail!("scenario {id} has two steps {}", step.id);
            }
            if step.worker >= workers {
                bail!("scenario {id}, step {name}: there is no worker {}", step.worker);
            }
            steps.push(step);
        }
        Ok(Some(Self {
            id: id.to_owned(),
            about: raw.about,
            setup: Setup {
                mode,
                workers,
                keys: raw
                    .worker
                    .into_iter()
                    .map(|(key, value)| (key, scalar(value)))
                    .collect(),
            },
            alone: raw.alone,
            files: raw.files,
            steps,
        }))
    }
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

impl RawStep {
    /// `None` when it is not for this mode.
    fn check(self, mode: Mode) -> Result<Option<Step>> {
        let until = match (self.repeat_until, self.repeat_until_text) {
            (None, None) => None,
            (raw, text) => {
                let raw = raw.unwrap_or(RawUntil {
                    status: None,
                    at: BTreeMap::new(),
                });
                Some(Until {
                    status: raw.status,
                    at: raw.at,
                    text,
                })
            }
        };
        if until.is_some() && self.request.is_none() {
            bail!("only a request can be repeated");
        }
        if let Some(request) = &self.request
            && request.json.is_some()
            && request.text.is_some()
        {
            bail!("a request has one body, `json` or `text`");
        }
        if let Some(wait) = &self.wait_file
            && wait.equals.is_some() == wait.contains.is_some()
        {
            bail!("`wait_file` needs either `equals` or `contains`");
        }
        let actions = [
            self.request.map(|request| Action::Request(request, until)),
            self.wait_file.map(Action::WaitFile),
            self.append.map(Action::Append),
            self.write.map(Action::Write),
            self.remove.map(Action::Remove),
            self.create_topic.map(Action::CreateTopic),
            self.produce.map(Action::Produce),
            self.consume.map(Action::Consume),
            self.restart_worker.then_some(Action::RestartWorker),
        ];
        let mut actions = actions.into_iter().flatten();
        let (Some(action), None) = (actions.next(), actions.next()) else {
            bail!("a step does exactly one thing");
        };
        if self.differs.is_some() && !action.is_compared() {
            bail!("`differs` needs something to compare");
        }
        let mut declared = match self.differs {
            None => Vec::new(),
            Some(RawDiffers::One(differs)) => vec![differs],
            Some(RawDiffers::Several(several)) => several,
        };
        declared.retain(|differs| differs.modes.contains(&mode));
        if declared.len() > 1 {
            bail!("`differs` is given twice for {mode} mode");
        }
        let parts = parts(self.compare)?;
        if !self.modes.contains(&mode) {
            return Ok(None);
        }
        Ok(Some(Step {
            id: self.id,
            worker: self.worker,
            action,
            rule: Rule {
                status: parts.status,
                content_type: parts.content_type,
                body: parts.body,
                headers: parts.headers,
                ignore: self.ignore,
                unordered: self.unordered,
                drop: self.drop,
                text: self.text,
            },
            differs: declared.pop(),
        }))
    }
}

fn parts(raw: Option<RawCompare>) -> Result<Parts> {
    let names = match raw {
        Some(RawCompare::Parts(parts)) => return Ok(parts),
        Some(RawCompare::Names(names)) => names,
        None => ["status", "content-type", "body"].map(str::to_owned).to_vec(),
    };
    let mut parts = Parts {
        status: false,
        content_type: false,
        body: false,
        headers: Vec::new(),
    };
    for name in names {
        match name.as_str() {
            "status" => parts.status = true,
            "content-type" => parts.content_type = true,
            "body" => parts.body = true,
            "headers" => parts.headers = USUAL_HEADERS.map(str::to_owned).to_vec(),
            other => bail!("`compare` knows status, content-type, body and headers, not {other}"),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn steps(yaml: &str) -> Result<Scenario> {
        let text = format!("about: a\nsteps:\n{yaml}");
        Scenario::parse("x", &text, Mode::Standalone).map(Option::unwrap)
    }

    #[test]
    fn a_file_becomes_a_checked_scenario() {
        let text = r#"
about: all of it
worker: { tasks.max: 3, off: null, listeners: "http://:1" }
files: { in.txt: "one\ntwo\n" }
steps:
  - id: create
    request: { method: POST, path: /connectors, json: { name: "${run}-a", config: { tasks.max: "1" } } }
    repeat_until: { status: 200, at: { /a/b: RUNNING } }
    compare: { status: true, headers: [Location] }
    ignore: [/version]
    unordered: [""]
    drop: [{ at: "", where: { /type: transformation } }]
    text: first-line
    differs: { id: some-row, ours: { status: 400, contains: [x] } }
  - id: put
    request: { method: PUT, path: "/connectors/b/config?x=y", json: null }
  - { id: wait, wait_file: { path: "${dir}/out", equals: "" } }
  - { id: again, restart_worker: true }
"#;
        let scenario = Scenario::parse("x", text, Mode::Standalone).unwrap().unwrap();
        assert_eq!(scenario.setup.keys["tasks.max"].as_deref(), Some("3"));
        assert_eq!(scenario.setup.keys["off"], None);
        assert_eq!(scenario.files["in.txt"], "one\ntwo\n");
        assert_eq!(scenario.creates(), ["${run}-a", "b"]);
        assert_eq!(scenario.compared().count(), 3);
        let step = &scenario.steps[0];
        let Action::Request(request, Some(until)) = &step.action else {
            panic!("{step:?}");
        };
        assert_eq!(
            request.json,
            Some(json!({"name": "${run}-a", "config": {"tasks.max": "1"}}))
        );
        assert_eq!((until.status, &until.at["/a/b"]), (Some(200), &json!("RUNNING")));
        assert!(step.rule.status && !step.rule.body && !step.rule.content_type);
        assert_eq!(step.rule.headers, ["Location"]);
        assert_eq!(step.rule.text, TextRule::FirstLine);
        assert_eq!(step.differs.as_ref().unwrap().ours.status, Some(400));
        let Action::Request(request, None) = &scenario.steps[1].action else {
            panic!("{:?}", scenario.steps[1]);
        };
        assert_eq!(request.json, Some(Value::Null));
        let rule = &scenario.steps[1].rule;
        assert!(rule.status && rule.body && rule.content_type && rule.headers.is_empty());
    }

    #[test]
    fn each_mode_has_what_is_said_for_it() {
        let text = r#"
about: both
modes: [standalone, distributed]
steps:
  - { id: a, request: { method: GET, path: / }, differs: { id: row, modes: [distributed] } }
  - { id: b, modes: [standalone], request: { method: GET, path: /b } }
  - { id: b, modes: [distributed], request: { method: PUT, path: /b } }
  - id: c
    request: { method: GET, path: / }
    differs: [{ id: one, modes: [standalone] }, { id: two, modes: [distributed] }]
"#;
        let rows = |mode| -> Vec<_> {
            let scenario = Scenario::parse("x", text, mode).unwrap().unwrap();
            assert_eq!(scenario.setup.mode, mode);
            let row = |step: &Step| step.differs.as_ref().map(|differs| differs.id.clone());
            scenario.steps.iter().map(row).collect()
        };
        assert_eq!(rows(Mode::Standalone), [None, None, Some("one".to_owned())]);
        assert_eq!(
            rows(Mode::Distributed),
            [Some("row".to_owned()), None, Some("two".to_owned())]
        );
        let one = "about: a\nmodes: [distributed]\nworkers: 2\nsteps: []\n";
        assert!(Scenario::parse("x", one, Mode::Standalone).unwrap().is_none());
        let two = Scenario::parse("x", one, Mode::Distributed).unwrap().unwrap();
        assert_eq!(two.setup.workers, 2);
    }

    #[test]
    fn words_that_look_like_booleans_stay_words() {
        let scenario =
            steps("  - { id: a, request: { method: POST, path: /, json: [on, no, y, true, 1, 1.5] } }")
                .unwrap();
        let Action::Request(request, _) = &scenario.steps[0].action else {
            panic!("{scenario:?}");
        };
        assert_eq!(request.json, Some(json!(["on", "no", "y", true, 1, 1.5])));
    }

    #[test]
    fn mistakes_are_named_with_scenario_and_step() {
        let get = "request: { method: GET, path: / }";
        let cases = [
            (
                format!("  - {{ id: a, {get} }}\n  - {{ id: a, {get} }}"),
                "two steps a",
            ),
            ("  - { id: a }".to_owned(), "exactly one thing"),
            (
                format!("  - {{ id: a, {get}, restart_worker: true }}"),
                "exactly one thing",
            ),
            (format!("  - {{ id: a, {get}, ignroe: [] }}"), "ignroe"),
            (
                format!("  - {{ id: a, {get}, compare: [body, stauts] }}"),
                "stauts",
            ),
            (
                "  - { id: a, restart_worker: true, differs: { id: x } }".to_owned(),
                "something to compare",
            ),
            (
                "  - { id: a, restart_worker: true, repeat_until: { status: 1 } }".to_owned(),
                "repeated",
            ),
            ("  - { id: a, wait_file: { path: x } }".to_owned(), "equals"),
            (
                format!("  - {{ id: a, {get}, differs: [{{ id: x }}, {{ id: y, modes: [standalone] }}] }}"),
                "twice for standalone",
            ),
            (format!("  - {{ id: a, {get}, worker: 1 }}"), "no worker 1"),
            (
                "  - { id: a, request: { method: GET, path: /, json: 1, text: x } }".to_owned(),
                "one body",
            ),
        ];
        for (yaml, part) in cases {
            let error = format!("{:#}", steps(&yaml).unwrap_err());
            assert!(
                error.contains(part) && error.contains("scenario x"),
                "{yaml}: {error}"
            );
        }
    }
}
