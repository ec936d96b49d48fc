//! A converter's keys beside those of Confluent's own. How those are recorded stands beside the recordings of the Avro plugin.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use wharf_api::config::ConfigDef;

/// What is said of a key, by the names of the recording.
type Facts = BTreeMap<&'static str, Option<String>>;

/// Compares every key of the recording with the definition's: it is there, and of the same type, default and importance. What is another is
/// among `differences` (key, what of it, why).
///
/// # Panics
/// When a key is missing or another, and when a difference is none any more.
pub fn check_keys(recorded: &str, ours: &ConfigDef, differences: &[(&str, &str, &str)]) {
    let declared: BTreeSet<(&str, &str)> = differences.iter().map(|(key, what, _)| (*key, *what)).collect();
    let ours: BTreeMap<&str, Facts> = ours
        .infos()
        .map(|info| {
            let facts = [
                ("type", Some(info.value_type.to_string())),
                ("required", Some(info.default.is_required().to_string())),
                ("default", info.default_text()),
                ("importance", Some(info.importance.name().to_owned())),
            ];
            (info.name.as_str(), facts.into())
        })
        .collect();
    let mut found = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in recorded.lines() {
        let line: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let key = line["key"].as_str().unwrap_or_default();
        count += 1;
        let Some(own) = ours.get(key) else {
            wrong.push(format!("{key} is not there"));
            continue;
        };
        for (what, own) in own {
            let theirs = match &line[what] {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            if theirs != *own {
                found.insert((key.to_owned(), *what));
                if !declared.contains(&(key, *what)) {
                    wrong.push(format!("the {what} of {key} is {own:?}, upstream's {theirs:?}"));
                }
            }
        }
    }
    assert!(count > 60, "{count} keys were recorded");
    let is_gone = |(key, what): &&(&str, &str)| !found.contains(&((*key).to_owned(), *what));
    wrong.extend(
        declared
            .iter()
            .filter(is_gone)
            .map(|(key, what)| format!("the {what} of {key} is no longer different")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
