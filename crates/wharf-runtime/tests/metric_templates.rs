//! Our catalogue of metrics beside what Kafka Connect names: `ConnectMetricsRegistry`'s templates, its membership of a group and
//! `AppInfoParser`, as `cargo xtask oracle` recorded them with their tags and descriptions. Every one is there under its group, with its
//! tags as labels, but for what is listed here with its reason. Our descriptions are in our own words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use wharf_runtime::metrics::{CATALOGUE, Kind};

/// What is not served: group, name, why.
const LEFT_OUT: &[(&str, &str, &str)] = &[(
    "sink-task-metrics",
    "sink-record-lag-max",
    "upstream names it and registers it never",
)];

/// Tags that are no labels: group, tag, why.
const OTHER_TAGS: &[(&str, &str, &str)] = &[(
    "app-info",
    "client-id",
    "it tells the clients of a program apart; here the program itself is meant, and its label is worker_id",
)];

/// Labels that upstream's JMX reporter has no tags for: group, label, why.
const OTHER_LABELS: &[(&str, &str, &str)] = &[(
    "connect-coordinator-metrics",
    "client_id",
    "upstream's worker configures it as a tag of all its client's metrics",
)];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Template {
    tags: BTreeSet<String>,
    description: String,
}

/// Upstream's templates by group and name. Names may come twice with other tags.
fn upstream() -> BTreeMap<(String, String), Vec<Template>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/metric-names/kafka-4.3.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut templates: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let template = Template {
            tags: line["tags"].as_array().unwrap().iter().map(text).collect(),
            description: text(&line["description"]),
        };
        templates
            .entry((text(&line["group"]), text(&line["name"])))
            .or_default()
            .push(template);
    }
    templates
}

/// Names in upstream's groups, with the labels of their groups.
fn ours() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut ours = BTreeMap::new();
    for def in CATALOGUE {
        let Some(group) = def.group.upstream else { continue };
        let labels: BTreeSet<String> = def.group.labels.iter().map(|&label| label.to_owned()).collect();
        for attribute in def.attribute.split(", ") {
            let key = (group.to_owned(), attribute.to_owned());
            assert!(
                ours.insert(key, labels.clone()).is_none(),
                "{group}: {attribute} comes twice"
            );
        }
    }
    ours
}

fn is_listed(list: &[(&str, &str, &str)], group: &str, name: &str) -> bool {
    list.iter().any(|(of, what, _)| (*of, *what) == (group, name))
}

#[test]
fn every_metric_of_upstream_is_there_under_its_group_and_tags() {
    let (upstream, ours) = (upstream(), ours());
    assert!(upstream.len() > 100, "{} metrics were recorded", upstream.len());
    for ((group, name), templates) in &upstream {
        let own = ours.get(&(group.clone(), name.clone()));
        assert_eq!(
            own.is_none(),
            is_listed(LEFT_OUT, group, name),
            "{group}: {name} is not served, or is listed and served"
        );
        let Some(own) = own else { continue };
        let tags: BTreeSet<String> = templates
            .iter()
            .flat_map(|template| &template.tags)
            .filter(|tag| !is_listed(OTHER_TAGS, group, tag))
            .map(|tag| tag.replace('-', "_"))
            .collect();
        let labels: BTreeSet<String> = own
            .iter()
            .filter(|label| !is_listed(OTHER_LABELS, group, label))
            .cloned()
            .collect();
        assert_eq!(labels, tags, "labels of {group}: {name}");
    }
}

#[test]
fn nothing_is_told_in_upstreams_groups_that_upstream_does_not_name() {
    let upstream = upstream();
    let made_up: Vec<_> = ours()
        .into_keys()
        .filter(|key| !upstream.contains_key(key))
        .collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

#[test]
fn what_only_grows_upstream_is_a_counter_here() {
    let upstream = upstream();
    for def in CATALOGUE.iter().filter(|def| def.kind != Kind::Info) {
        let Some(group) = def.group.upstream else { continue };
        let name = def.attribute;
        let grows =
            name.ends_with("-total") || name.starts_with("total-") || name.starts_with("deadletterqueue-");
        assert_eq!(def.kind == Kind::Counter, grows, "{group}: {name}");
        let said = &upstream[&(group.to_owned(), name.to_owned())];
        assert!(
            said.iter()
                .all(|template| !template.description.is_empty() || group == "app-info"),
            "{group}: {name} is not described"
        );
    }
}
