//! The names that differ from run to run, both ways: `${dir}` and its like become real names in requests and files, and
//! real names in answers become `${dir}` again, so that answers of two engines and of last year can be compared.

use serde_json::{Map, Value};

/// Placeholders and what they stand for just now.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Written by scenarios.
    given: Vec<(String, String)>,
    /// Found in answers, longest first, so that a name that contains another is found before it.
    seen: Vec<(String, String)>,
}

/// Keys of objects whose value is replaced when it is the engine's commit: the text itself may be any word.
const COMMIT: &str = "commit";

impl Names {
    /// Without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// `${name}` stands for `value`, in both directions.
    pub fn set(&mut self, name: &str, value: &str) {
        let placeholder = format!("${{{name}}}");
        self.given.retain(|(other, _)| *other != placeholder);
        self.given.push((placeholder.clone(), value.to_owned()));
        self.seen.retain(|(_, other)| *other != placeholder);
        self.hide(value, &placeholder);
    }

    /// `${name}` stands for `value` in what scenarios write only.
    pub fn set_given(&mut self, name: &str, value: &str) {
        let placeholder = format!("${{{name}}}");
        self.given.retain(|(other, _)| *other != placeholder);
        self.given.push((placeholder, value.to_owned()));
    }

    /// The text `value` of answers becomes `placeholder`.
    pub fn hide(&mut self, value: &str, placeholder: &str) {
        if value.is_empty() {
            return;
        }
        self.seen.retain(|(_, other)| other != placeholder);
        self.seen.push((value.to_owned(), placeholder.to_owned()));
        self.seen.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    }

    /// Text of a scenario with real names.
    pub fn expand(&self, text: &str) -> String {
        replace(text, &self.given)
    }

    /// The same for every text within a value, keys included.
    pub fn expand_value(&self, value: &Value) -> Value {
        map_texts(value, &|text| self.expand(text))
    }

    /// Text of an answer with placeholders.
    pub fn normalise(&self, text: &str) -> String {
        hide_locations(&replace(text, &self.seen))
    }

    /// The same for every text within a value; the commit of `GET /` is hidden by its key.
    pub fn normalise_value(&self, value: &Value) -> Value {
        let mut value = map_texts(value, &|text| self.normalise(text));
        if let Value::Object(fields) = &mut value
            && fields.contains_key("version")
            && let Some(Value::String(commit)) = fields.get_mut(COMMIT)
        {
            *commit = "${commit}".to_owned();
        }
        value
    }
}

/// Java's descriptions of plugins say where a plugin lies, which is another place on every machine.
fn hide_locations(text: &str) -> String {
    const BEFORE: &str = "location='";
    let mut parts = text.split(BEFORE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once('\'').map_or("", |(_, rest)| rest);
        out.push_str(&format!("{BEFORE}${{location}}'{rest}"));
    }
    out
}

fn replace(text: &str, pairs: &[(String, String)]) -> String {
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn map_texts(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => Value::Array(items.iter().map(|item| map_texts(item, change)).collect()),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (change(key), map_texts(value, change)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        let mut names = Names::new();
        names.set("dir", "/x/run1/d");
        names.set("run", "run1");
        names.set("worker", "127.0.0.1:81");
        names.set_given("url", "http://127.0.0.1:81");
        names.hide("4.3.0", "${version}");
        names
    }

    #[test]
    fn names_go_in_and_come_out_again() {
        let written = json!({"${run}-a": ["${dir}/in", 1, null], "u": "${url}/x"});
        let sent = json!({"run1-a": ["/x/run1/d/in", 1, null], "u": "http://127.0.0.1:81/x"});
        assert_eq!(names().expand_value(&written), sent);
        let back = json!({"${run}-a": ["${dir}/in", 1, null], "u": "http://${worker}/x"});
        assert_eq!(names().normalise_value(&sent), back);
    }

    #[test]
    fn versions_and_the_commit_are_hidden() {
        let answer = json!({"version": "4.3.0", "commit": "unknown", "other": "unknown"});
        let hidden = json!({"version": "${version}", "commit": "${commit}", "other": "unknown"});
        assert_eq!(names().normalise_value(&answer), hidden);
        assert_eq!(names().normalise("version='4.3.0'"), "version='${version}'");
        assert_eq!(
            names().normalise("a location='file:/x/y/' b location='classpath'}"),
            "a location='${location}' b location='${location}'}"
        );
    }

    #[test]
    fn a_name_that_changes_is_known_by_its_new_value_only() {
        let mut names = names();
        names.set("worker", "127.0.0.1:82");
        assert_eq!(
            names.normalise("127.0.0.1:81 127.0.0.1:82"),
            "127.0.0.1:81 ${worker}"
        );
        assert_eq!(names.expand("${worker}"), "127.0.0.1:82");
    }
}
