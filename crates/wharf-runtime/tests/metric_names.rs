//! The dashboard and the alert rules below `docs/` speak of metrics and labels that there are, and of no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use wharf_runtime::metrics::{CATALOGUE, Kind};

/// Labels that Prometheus adds.
const OF_SCRAPES: [&str; 2] = ["instance", "job"];
/// Labels of histograms' buckets.
const OF_BUCKETS: &str = "le";
/// Metrics that Prometheus makes of every scrape.
const MADE_BY_PROMETHEUS: [&str; 1] = ["up"];
/// Words of PromQL that take a list of labels after them.
const LABEL_LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words of PromQL that stand between operands.
const OPERATORS: [&str; 6] = ["and", "or", "unless", "offset", "bool", "atan2"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a query speaks of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spoken {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// Metrics and labels of a PromQL expression.
fn spoken(expression: &str) -> Spoken {
    let mut spoken = Spoken::default();
    let mut rest = expression;
    let mut in_braces = false;
    let mut in_labels = false;
    let mut last_word = "";
    while let Some(first) = rest.chars().next() {
        let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == ':';
        let length = match first {
            '"' => 2 + rest[1..].find('"').expect("a text that ends"),
            '[' => 1 + rest.find(']').expect("a range that ends"),
            '0'..='9' | '$' => rest[1..]
                .find(|c: char| !is_name(c) && c != '.')
                .map_or(rest.len(), |at| at + 1),
            char if is_name(char) => rest.find(|char: char| !is_name(char)).unwrap_or(rest.len()),
            char => char.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let next = after.trim_start();
        let calls = ["(", "by (", "by(", "without (", "without("]
            .iter()
            .any(|start| next.starts_with(start));
        match first {
            '{' => in_braces = true,
            '}' => in_braces = false,
            '(' if LABEL_LISTS.contains(&last_word) => in_labels = true,
            ')' => in_labels = false,
            char if char.is_ascii_alphabetic() || char == '_' => {
                if in_braces || in_labels {
                    spoken.labels.insert(token.to_owned());
                } else if !calls && !OPERATORS.contains(&token) {
                    spoken.metrics.insert(token.to_owned());
                }
            }
            _ => {}
        }
        if !first.is_whitespace() {
            last_word = token;
        }
        rest = after;
    }
    spoken
}

/// Labels of a metric by the name that a query uses, or `None` when nothing serves it.
fn labels_of(metric: &str) -> Option<BTreeSet<&'static str>> {
    if MADE_BY_PROMETHEUS.contains(&metric) {
        return Some(OF_SCRAPES.into());
    }
    let ends = ["_bucket", "_sum", "_count"];
    CATALOGUE.iter().find_map(|def| {
        let end = metric.strip_prefix(def.name)?;
        let is_served = match def.kind {
            Kind::Histogram => ends.contains(&end),
            _ => end.is_empty(),
        };
        let bucket = (end == "_bucket").then_some(OF_BUCKETS);
        is_served.then(|| def.all_labels().chain(OF_SCRAPES).chain(bucket).collect())
    })
}

/// Panics at a metric that nothing serves, and at a label that none of the metrics has.
fn check(place: &str, expression: &str) -> BTreeSet<String> {
    let spoken = spoken(expression);
    assert!(
        !spoken.metrics.is_empty(),
        "{place} asks for nothing: {expression}"
    );
    let mut known = BTreeSet::new();
    for metric in &spoken.metrics {
        match labels_of(metric) {
            Some(labels) => known.extend(labels),
            None => panic!("{place} asks for {metric}, which is not served"),
        }
    }
    for label in &spoken.labels {
        assert!(
            known.contains(label.as_str()),
            "{place} asks for label {label}: {expression}"
        );
    }
    spoken.metrics
}

#[test]
fn queries_are_taken_apart() {
    let cases = [
        ("up{job=\"a\"} == 0", "up", "job"),
        (
            "histogram_quantile(0.95, sum by (c, le) (rate(x_bucket{i=~\"$i\", s!=\"y z\"}[$__rate_interval])))",
            "x_bucket",
            "c i le s",
        ),
        (
            "a / on (x) group_left (y) b offset 15m or vector(0)",
            "a b",
            "x y",
        ),
        ("sum(a) by (z) > 1.2e3 and increase(b[5m]) unless c", "a b c", "z"),
    ];
    for (query, metrics, labels) in cases {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let expected = Spoken {
            metrics: words(metrics),
            labels: words(labels),
        };
        assert_eq!(spoken(query), expected, "{query}");
    }
    for wrong in [
        "kafka_connect_nothing",
        "wharf_task_record_lag_seconds",
        "up{connector=\"c\"}",
    ] {
        assert!(
            std::panic::catch_unwind(|| check("here", wrong)).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn every_panel_of_the_dashboard_shows_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read("grafana/wharf-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut shown = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "the id of {title} comes twice"
        );
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            shown.extend(check(title, target["expr"].as_str().unwrap()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let arguments = query
                .strip_prefix("label_values(")
                .unwrap()
                .strip_suffix(')')
                .unwrap();
            let (metric, label) = arguments.split_once(", ").unwrap();
            assert!(labels_of(metric).unwrap().contains(label), "{query}");
        }
    }
    // One of each group at least, so that a dashboard that shows less and less is noticed.
    for prefix in [
        "kafka_connect_connector_",
        "kafka_connect_source_task_",
        "kafka_connect_sink_task_",
        "kafka_connect_task_error_",
        "kafka_connect_worker_rebalance_",
        "kafka_connect_coordinator_",
        "wharf_task_",
        "wharf_worker_",
    ] {
        assert!(
            shown.iter().any(|metric| metric.starts_with(prefix)),
            "nothing of {prefix}"
        );
    }
}

#[test]
fn every_alert_asks_for_metrics_that_there_are() {
    let rules: Value = serde_saphyr::from_str(&read("alerts/wharf-alerts.yml")).unwrap();
    let mut names = BTreeSet::new();
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} comes twice");
            check(name, rule["expr"].as_str().unwrap());
            let severity = rule["labels"]["severity"].as_str().unwrap();
            assert!(["warning", "critical"].contains(&severity), "{name}");
            assert!(rule["annotations"]["summary"].is_string(), "{name}");
        }
    }
    for wanted in [
        "WharfTaskFailed",
        "WharfLagGrows",
        "WharfNothingCommitted",
        "WharfDeadLettersFill",
        "WharfRebalanceStorm",
        "WharfMemoryBudgetUsedUp",
    ] {
        assert!(names.contains(wanted), "{wanted}");
    }
}
