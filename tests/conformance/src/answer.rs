//! What is kept of an answer: the parts that its step compares, without what differs from run to run.
//!
//! An answer is one JSON value, so that it can be recorded, compared and shown by the same means.

use serde_json::{Map, Value, json};
use wharf_test_services::http::Response;

use crate::names::Names;
use crate::pointer;
use crate::scenario::{Rule, TextRule};

/// What stands for a value that is not compared.
const IGNORED: &str = "<ignored>";
/// What stands for a date in a header.
const DATE: &str = "<date>";

/// What a step saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What is compared and recorded.
    pub compared: Value,
    /// Everything, for what a declared difference says of our answer.
    pub whole: Value,
}

impl Answer {
    /// Of a request.
    pub fn of_response(response: &Response, rule: &Rule, names: &Names) -> Self {
        let mut whole = Map::new();
        whole.insert("status".to_owned(), json!(response.status));
        whole.insert("content-type".to_owned(), content_type(response));
        let mut headers = Map::new();
        for name in &rule.headers {
            headers.insert(name.to_ascii_lowercase(), header(response, name, names));
        }
        whole.insert("headers".to_owned(), Value::Object(headers));
        match serde_json::from_str::<Value>(&response.body) {
            Ok(body) => whole.insert("body".to_owned(), names.normalise_value(&body)),
            Err(_) => whole.insert("text".to_owned(), json!(names.normalise(&response.body))),
        };
        let mut compared = whole.clone();
        compared.retain(|key, _| match key.as_str() {
            "status" => rule.status,
            "content-type" => rule.content_type,
            "headers" => !rule.headers.is_empty(),
            _ => rule.body,
        });
        if let Some(body) = compared.get_mut("body") {
            reduce(body, rule);
        }
        if rule.text == TextRule::FirstLine {
            for key in ["text", "body"] {
                if let Some(value) = compared.get_mut(key) {
                    cut_texts(value, key == "text");
                }
            }
        }
        Self {
            compared: sorted(&Value::Object(compared)),
            whole: Value::Object(whole),
        }
    }

    /// Of consumed records, an array.
    pub fn of_records(records: &Value, rule: &Rule, names: &Names) -> Self {
        let records = names.normalise_value(records);
        let mut compared = records.clone();
        reduce(&mut compared, rule);
        Self {
            compared: sorted(&json!({ "records": compared })),
            whole: json!({ "records": records }),
        }
    }

    /// Of anything else.
    pub fn of_value(value: &Value, names: &Names) -> Self {
        let value = names.normalise_value(value);
        Self {
            compared: sorted(&value),
            whole: value,
        }
    }

    /// The body's text as a reader sees it: of JSON, all of it, and each of its texts without escapes.
    pub fn body_text(&self) -> String {
        fn texts(value: &Value, out: &mut String) {
            match value {
                Value::String(text) => {
                    out.push('\n');
                    out.push_str(text);
                }
                Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
                Value::Object(fields) => fields.values().for_each(|field| texts(field, out)),
                _ => {}
            }
        }
        let Some(body) = self.whole.get("body") else {
            return self.whole["text"].as_str().unwrap_or_default().to_owned();
        };
        let mut text = body.to_string();
        texts(body, &mut text);
        text
    }
}

/// Without blanks and in lower case, because both are without meaning there.
fn content_type(response: &Response) -> Value {
    let value = response.header("content-type");
    value.map_or(Value::Null, |value| {
        json!(value.replace(' ', "").to_ascii_lowercase())
    })
}

/// All values of a header, as HTTP joins them.
fn header(response: &Response, name: &str, names: &Names) -> Value {
    let values: Vec<_> = response
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| if is_date(value) { DATE } else { value })
        .collect();
    if values.is_empty() {
        return Value::Null;
    }
    let value = values.join(", ");
    // lists of methods come out of Java's sets, which have another order in each run
    if ["allow", "access-control-allow-methods"].contains(&name.to_ascii_lowercase().as_str()) {
        let mut methods: Vec<_> = value.split(',').map(str::trim).collect();
        methods.sort_unstable();
        return json!(methods.join(","));
    }
    if name.eq_ignore_ascii_case("content-type") {
        return content_type(response);
    }
    json!(names.normalise(&value))
}

/// Whether a header's value is a date, as in `Sat, 21 Nov 2026 12:00:00 GMT`.
fn is_date(value: &str) -> bool {
    value.len() == 29 && value.ends_with(" GMT") && value.get(3..5) == Some(", ")
}

/// Takes out of a body what its step does not compare.
fn reduce(body: &mut Value, rule: &Rule) {
    for drop in &rule.drop {
        pointer::for_each_mut(body, &drop.at, &mut |value| {
            if let Value::Array(items) = value {
                items.retain(|item| {
                    !drop
                        .condition
                        .iter()
                        .all(|(at, expected)| pointer::holds(item, at, expected))
                });
            }
        });
    }
    for at in &rule.ignore {
        pointer::for_each_mut(body, at, &mut |value| *value = json!(IGNORED));
    }
    for at in &rule.unordered {
        pointer::for_each_mut(body, at, &mut |value| {
            if let Value::Array(items) = value {
                items.sort_by_cached_key(|item| sorted(item).to_string());
            }
        });
    }
}

/// Cuts the texts that hold Java's stack to their first line.
fn cut_texts(value: &mut Value, whole: bool) {
    match value {
        Value::String(text) if whole => *text = text.lines().next().unwrap_or_default().to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, false)),
        Value::Object(fields) => {
            for (key, field) in fields {
                cut_texts(field, matches!(key.as_str(), "message" | "trace"));
            }
        }
        _ => {}
    }
}

/// The same value with the keys of objects in order: the JVM's maps have none, and recordings should not change by it.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::scenario::{Action, Scenario};

    fn rule(yaml: &str) -> Rule {
        let text =
            format!("about: a\nsteps:\n  - {{ id: a, request: {{ method: GET, path: / }}, {yaml} }}\n");
        let scenario = Scenario::parse("x", &text, Mode::Standalone).unwrap().unwrap();
        assert!(matches!(scenario.steps[0].action, Action::Request(..)));
        scenario.steps[0].rule.clone()
    }

    fn response(body: &str) -> Response {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Response {
            status: 200,
            headers: vec![
                header("content-type", "Application/JSON; charset=utf-8"),
                header("allow", "HEAD,GET, OPTIONS"),
                header("location", "http://h:1/x"),
                header("x-set", "a"),
                header("X-Set", "Sat, 21 Nov 2026 12:00:00 GMT"),
                header("access-control-allow-methods", "PUT, GET"),
            ],
            body: body.to_owned(),
        }
    }

    fn compared(yaml: &str, body: &str) -> Value {
        let mut names = Names::new();
        names.set("worker", "h:1");
        Answer::of_response(&response(body), &rule(yaml), &names).compared
    }

    #[test]
    fn only_what_is_compared_is_kept() {
        let cases = [
            (
                "text: exact",
                json!({"status": 200, "content-type": "application/json;charset=utf-8", "body": {"a": "${worker}"}}),
            ),
            ("compare: [status]", json!({"status": 200})),
            (
                "compare: { headers: [X-Set, Access-Control-Allow-Methods] }",
                json!({"headers": {"x-set": "a, <date>", "access-control-allow-methods": "GET,PUT"}}),
            ),
            (
                "compare: { headers: [Allow, Location, Retry-After] }",
                json!({"headers": {"allow": "GET,HEAD,OPTIONS", "location": "http://${worker}/x", "retry-after": null}}),
            ),
        ];
        for (yaml, expected) in cases {
            assert_eq!(compared(yaml, r#"{"a": "h:1"}"#), expected, "{yaml}");
        }
    }

    #[test]
    fn values_are_ignored_sorted_dropped_and_cut() {
        let cases = [
            (
                "ignore: [/v, /w]",
                r#"{"v": null, "x": 1}"#,
                json!({"v": "<ignored>", "x": 1}),
            ),
            (
                r#"unordered: [""]"#,
                r#"[{"b": 1, "a": 2}, "x", 3]"#,
                json!(["x", 3, {"a": 2, "b": 1}]),
            ),
            (
                r#"drop: [{ at: "", where: { /t: x } }]"#,
                r#"[{"t": "x"}, {"t": "y"}, {}]"#,
                json!([{"t": "y"}, {}]),
            ),
            (
                "text: first-line",
                r#"{"message": "a\nb", "tasks": [{"trace": "c\nd", "id": "e\nf"}]}"#,
                json!({"message": "a", "tasks": [{"trace": "c", "id": "e\nf"}]}),
            ),
        ];
        for (yaml, body, expected) in cases {
            assert_eq!(
                compared(&format!("compare: [body], {yaml}"), body),
                json!({"body": expected})
            );
        }
        assert_eq!(
            compared("compare: [body], text: first-line", "a\nb"),
            json!({"text": "a"})
        );
    }

    #[test]
    fn of_records_what_is_ignored_is_not_compared() {
        let records = json!([{"headers": [["class", "A"], ["message", "chance"]], "key": "k"}]);
        let answer = Answer::of_records(&records, &rule("ignore: [/0/headers/1/1]"), &Names::new());
        let compared = json!([{"headers": [["class", "A"], ["message", "<ignored>"]], "key": "k"}]);
        assert_eq!(answer.compared, json!({ "records": compared }));
        assert_eq!(answer.whole, json!({ "records": records }));
    }

    #[test]
    fn the_text_of_a_body_is_found_escaped_or_not() {
        let answer = Answer::of_response(
            &response(r#"{"message": "say \"x\""}"#),
            &rule("text: exact"),
            &Names::new(),
        );
        for part in ["say \"x\"", "\"message\":\"say \\\"x\\\"\""] {
            assert!(answer.body_text().contains(part), "{}", answer.body_text());
        }
    }
}
