//! Two answers side by side, and what that means for a step.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::pointer;
use crate::runner::{Outcome, Seen};
use crate::scenario::{Differs, Expected, Scenario, Step, TextRule, present};

/// One place at which two answers differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// JSON pointer into the answer.
    pub path: String,
    /// The JVM's value; `None` when there is none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub jvm: Option<Value>,
    /// Ours.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub ours: Option<Value>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Both answered the same.
    Same,
    /// They differ as the named row says.
    Deliberate(String),
    /// They differ, and nobody said so.
    Different(Vec<Difference>),
    /// They should differ and do not.
    Vanished(String),
    /// The difference is declared, but our answer is not what was said: the complaints.
    NotAsDeclared(String, Vec<String>),
    /// One side gave no answer: why.
    Failed(String),
}

impl Verdict {
    /// Whether it is as it should be.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Same | Self::Deliberate(_))
    }
}

/// Compares what our worker made of a scenario with the peer's answers; `jvm` gives the one to a step, or says why there
/// is none. Steps that have nothing to compare are in it only when they failed.
pub fn judge_scenario(
    scenario: &Scenario,
    jvm: &dyn Fn(&str) -> Result<Value, String>,
    ours: &Outcome,
) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for (id, seen) in ours {
        let step = scenario.steps.iter().find(|step| step.id == *id);
        let verdict = match (seen, step) {
            (Seen::Failed(why), _) => Verdict::Failed(why.clone()),
            (Seen::NotRun, Some(step)) if step.action.is_compared() => {
                Verdict::Failed("not run, because a step before it failed".to_owned())
            }
            (Seen::Answer(answer), Some(step)) => match jvm(id) {
                Ok(value) => judge(step, &value, answer),
                Err(why) => Verdict::Failed(why),
            },
            _ => continue,
        };
        verdicts.push((id.clone(), verdict));
    }
    verdicts
}

/// Compares the answers of one step.
pub fn judge(step: &Step, jvm: &Value, ours: &Answer) -> Verdict {
    let differences = differences(jvm, &ours.compared, step.rule.text);
    match &step.differs {
        None if differences.is_empty() => Verdict::Same,
        None => Verdict::Different(differences),
        Some(Differs { id, .. }) if differences.is_empty() => Verdict::Vanished(id.clone()),
        Some(Differs {
            id, ours: expected, ..
        }) => {
            let complaints = complaints(expected, ours);
            if complaints.is_empty() {
                Verdict::Deliberate(id.clone())
            } else {
                Verdict::NotAsDeclared(id.clone(), complaints)
            }
        }
    }
}

/// What of an answer is not as it was declared.
fn complaints(expected: &Expected, ours: &Answer) -> Vec<String> {
    let mut complaints = Vec::new();
    if let Some(status) = expected.status
        && ours.whole["status"] != status
    {
        complaints.push(format!("status is {}, not {status}", ours.whole["status"]));
    }
    let text = ours.body_text();
    for part in &expected.contains {
        if !text.contains(part) {
            complaints.push(format!("the body lacks `{part}`: {text}"));
        }
    }
    let none = Value::Null;
    let whole = &ours.whole;
    let body = whole
        .get("body")
        .or_else(|| whole.get("records"))
        .unwrap_or(&none);
    for (at, value) in &expected.at {
        if !pointer::holds(body, at, value) {
            complaints.push(format!("the body has no {value} at {at}: {body}"));
        }
    }
    complaints
}

/// Every place at which two answers differ.
pub fn differences(jvm: &Value, ours: &Value, text: TextRule) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", jvm, ours, text, &mut found);
    found
}

fn walk(path: &str, jvm: &Value, ours: &Value, text: TextRule, found: &mut Vec<Difference>) {
    let mut side = |key: &str, a: Option<&Value>, b: Option<&Value>| {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        match (a, b) {
            (Some(a), Some(b)) => walk(&path, a, b, text, found),
            (a, b) => found.push(Difference {
                path,
                jvm: a.cloned(),
                ours: b.cloned(),
            }),
        }
    };
    match (jvm, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                side(key, Some(value), b.get(key));
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                side(key, None, Some(value));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                side(&index.to_string(), a.get(index), b.get(index));
            }
        }
        (Value::String(a), Value::String(b))
            if text == TextRule::ContainsLines && matches!(path, "/text" | "/body/message") =>
        {
            if !has_lines(a, b) {
                found.push(difference(path, jvm, ours));
            }
        }
        (a, b) if a == b => {}
        _ => found.push(difference(path, jvm, ours)),
    }
}

fn difference(path: &str, jvm: &Value, ours: &Value) -> Difference {
    Difference {
        path: path.to_owned(),
        jvm: Some(jvm.clone()),
        ours: Some(ours.clone()),
    }
}

/// Whether each line of the one text, blanks at its ends aside, is a line of the other.
fn has_lines(wanted: &str, text: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    wanted
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .all(|line| lines.contains(&line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::names::Names;
    use crate::scenario::Scenario;
    use serde_json::json;

    fn step(yaml: &str) -> Step {
        let text =
            format!("about: a\nsteps:\n  - {{ id: a, request: {{ method: GET, path: / }}, {yaml} }}\n");
        Scenario::parse("x", &text, Mode::Standalone)
            .unwrap()
            .unwrap()
            .steps
            .remove(0)
    }

    fn paths(jvm: Value, ours: Value, text: TextRule) -> Vec<String> {
        differences(&jvm, &ours, text)
            .into_iter()
            .map(|difference| difference.path)
            .collect()
    }

    #[test]
    fn differences_are_found_where_they_are() {
        let cases = [
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), vec![]),
            (json!({"a": [1, 2]}), json!({"a": [1, 3]}), vec!["/a/1"]),
            (json!({"a": [1, 2]}), json!({"a": [1]}), vec!["/a/1"]),
            (json!({"x/y": 1}), json!({"z": 1}), vec!["/x~1y", "/z"]),
            (json!({"a": null}), json!({}), vec!["/a"]),
            (json!({"a": 1}), json!({"a": "1"}), vec!["/a"]),
        ];
        for (jvm, ours, expected) in cases {
            assert_eq!(paths(jvm.clone(), ours, TextRule::Exact), expected, "{jvm}");
        }
    }

    #[test]
    fn lines_may_be_contained_only_where_the_step_says_so() {
        let (jvm, ours) = (json!({"text": "a\nb\n"}), json!({"text": "x\n b\na"}));
        assert_eq!(paths(jvm.clone(), ours.clone(), TextRule::ContainsLines).len(), 0);
        assert_eq!(paths(jvm.clone(), ours.clone(), TextRule::Exact), ["/text"]);
        assert_eq!(paths(ours, jvm, TextRule::ContainsLines), ["/text"]);
    }

    #[test]
    fn a_step_is_judged_by_what_was_declared() {
        let declared =
            "differs: { id: row, ours: { status: 400, contains: [why], at: { /error_code: 400 } } }";
        let bad = json!({"status": 500, "body": {"error_code": 500, "message": "null"}});
        let good = json!({"status": 400, "body": {"error_code": 400, "message": "says why"}});
        let different = Verdict::Different(vec![
            difference("/status", &json!(500), &json!(400)),
            difference("/body/error_code", &json!(500), &json!(400)),
            difference("/body/message", &json!("null"), &json!("says why")),
        ]);
        let cases = [
            ("text: exact", &good, &good, Verdict::Same),
            ("text: exact", &bad, &good, different),
            (declared, &bad, &good, Verdict::Deliberate("row".to_owned())),
            (declared, &good, &good, Verdict::Vanished("row".to_owned())),
        ];
        for (yaml, jvm, ours, expected) in cases {
            let verdict = judge(&step(yaml), jvm, &Answer::of_value(ours, &Names::new()));
            assert_eq!(verdict, expected, "{yaml}");
            assert_eq!(
                verdict.is_good(),
                jvm == ours && yaml != declared || verdict == Verdict::Deliberate("row".to_owned())
            );
        }
        let verdict = judge(&step(declared), &good, &Answer::of_value(&bad, &Names::new()));
        let Verdict::NotAsDeclared(id, complaints) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!((id.as_str(), complaints.len()), ("row", 3), "{complaints:?}");

        let letter = |class: &str| json!({"records": [{"headers": [["class", class]]}]});
        let declared = step("differs: { id: row, ours: { at: { /0/headers/0/1: B } } }");
        for (class, is_good) in [("B", true), ("C", false)] {
            let ours = Answer::of_value(&letter(class), &Names::new());
            assert_eq!(
                judge(&declared, &letter("A"), &ours).is_good(),
                is_good,
                "{class}"
            );
        }
    }
}
