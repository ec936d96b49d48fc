//! The same work on a JVM worker and on ours: what JMX tells of one, `GET /metrics` tells of the other.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::json;
use wharf_e2e::Worker;
use wharf_e2e::metrics::MetricsReader;
use wharf_test_services::available;
use wharf_test_services::bundle::Bundle;
use wharf_test_services::ports;

use crate::group::{eventually, file_sink, file_source};
use crate::mixed::{Mixed, all_say, create, healthy};

/// Types of upstream's MBeans whose numbers are compared.
const TYPES: [&str; 6] = [
    "connect-worker-metrics",
    "connector-task-metrics",
    "source-task-metrics",
    "sink-task-metrics",
    "task-error-metrics",
    "connect-coordinator-metrics",
];
/// Words of attributes that depend on when one looks, or on how fast a machine is.
const OF_THE_MOMENT: [&str; 14] = [
    "rate",
    "time",
    "avg",
    "max",
    "min",
    "ratio",
    "seq-no",
    "commit",
    "active",
    "heartbeat",
    "join",
    "sync",
    "latency",
    "rebalance",
];
const RECORDS: usize = 20;

/// A number by the type of its MBean, its attribute, the connector (without what makes its name unique) and the task.
type Numbers = BTreeMap<(String, String, String, String), f64>;

/// What a JVM tells at this port.
fn told_by_jmx(jmx: u16, prefix: &str) -> Numbers {
    let jars = Bundle::kafka().fetch().unwrap();
    let output = Command::new("java")
        .args(["-cp", &format!("{}/*", jars.display())])
        .args([
            "org.apache.kafka.tools.JmxTool",
            "--one-time",
            "--report-format",
            "csv",
        ])
        .args([
            "--jmx-url",
            &format!("service:jmx:rmi:///jndi/rmi://127.0.0.1:{jmx}/jmxrmi"),
        ])
        .args(["--object-name", "kafka.connect:*"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut numbers = Numbers::new();
    for line in printed.lines() {
        let Some((name, value)) = line.rsplit_once(',') else {
            continue;
        };
        let Ok(value) = value.trim().trim_matches('"').parse::<f64>() else {
            continue;
        };
        let Some((object, attribute)) = name.rsplit_once(':') else {
            continue;
        };
        let property = |key: &str| {
            let properties = object.trim_start_matches("kafka.connect:").split(',');
            let found = properties.filter_map(|property| property.split_once('='));
            let value = found.filter(|(name, _)| *name == key).map(|(_, value)| value);
            value.map(|value| value.trim_matches('"').to_owned()).next()
        };
        let kind = property("type").unwrap_or_default();
        let connector = property("connector").unwrap_or_default();
        let is_ours = connector.is_empty() || connector.starts_with(prefix);
        if TYPES.contains(&kind.as_str())
            && is_ours
            && value.is_finite()
            // The JVM's worker says 0 of them, whatever it has started (4.3.0).
            && !attribute.starts_with("task-startup-")
            && !OF_THE_MOMENT.iter().any(|word| attribute.contains(word))
        {
            let connector = connector.trim_start_matches(prefix).to_owned();
            let task = property("task").unwrap_or_default();
            numbers.insert((kind, attribute.to_owned(), connector, task), value);
        }
    }
    numbers
}

/// The name of ours for a number of upstream's, by the rule that `docs/metrics.md` states; with `_total` for what only grows.
fn ours(kind: &str, attribute: &str) -> [String; 2] {
    let group = kind.trim_start_matches("connect-").trim_end_matches("-metrics");
    let attribute = attribute.trim_start_matches("total-");
    let name = format!("kafka_connect_{group}_{attribute}").replace('-', "_");
    [format!("{name}_total"), name]
}

/// Connectors of which one moves records, one skips them, one fails at its first and one as it starts, and one is paused.
fn work(mixed: &Mixed, worker: &Worker, prefix: &str) {
    let stage = mixed.stage();
    let name = |of: &str| format!("{prefix}{of}");
    let (topic, letters) = (name("lines"), name("letters"));
    stage.kafka().create_topic(&topic, 1, &[]);
    let lines: String = (0..RECORDS).map(|line| format!("line {line}\n")).collect();
    stage.write(&name("input"), &lines);
    create(
        worker,
        &name("source"),
        file_source(&stage.file(&name("input")), &topic),
    );
    let sink = |of: &str, more: serde_json::Value| {
        let mut config = file_sink(&stage.file(&name(of)), &topic);
        config["consumer.override.auto.offset.reset"] = json!("earliest");
        let all = config.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        config
    };
    let no_json = json!({"value.converter": "org.apache.kafka.connect.json.JsonConverter"});
    create(worker, &name("sink"), sink("sink", json!({})));
    let mut tolerant = sink("tolerant", no_json.clone());
    for (key, value) in [
        ("errors.tolerance", "all"),
        ("errors.log.enable", "true"),
        ("errors.deadletterqueue.topic.name", letters.as_str()),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
    ] {
        tolerant[key] = json!(value);
    }
    create(worker, &name("tolerant"), tolerant);
    create(worker, &name("broken"), sink("broken", no_json));
    let nowhere = json!({"file": stage.file("nowhere/at/all")});
    create(worker, &name("unwritable"), sink("unwritable", nowhere));
    create(worker, &name("paused"), sink("paused", json!({})));
    for of in ["source", "sink", "tolerant", "paused"] {
        all_say(&[worker], &name(of), "RUNNING");
    }
    for of in ["broken", "unwritable"] {
        worker.until_states(&name(of), &["RUNNING", "FAILED"]);
    }
    eventually("all has been read", || {
        ["sink", "paused"]
            .iter()
            .all(|of| stage.read(&name(of)) == lines.as_bytes())
            && stage.kafka().count(&letters) == i64::try_from(RECORDS).unwrap()
    });
    worker.call("PUT", &format!("/connectors/{}/pause", name("paused")), None, 202);
    all_say(&[worker], &name("paused"), "PAUSED");
}

#[test]
fn numbers_are_those_that_a_jvm_worker_tells_of_the_same_work() {
    let (Some(mixed), Some(reader)) = (Mixed::set_up("metrics-jvm"), MetricsReader::set_up()) else {
        return;
    };
    if available(Bundle::kafka().fetch()).is_none() {
        return;
    }
    let [jmx] = ports::free().unwrap();
    let options = [
        format!("-Dcom.sun.management.jmxremote.port={jmx}"),
        "-Dcom.sun.management.jmxremote.authenticate=false".to_owned(),
        "-Dcom.sun.management.jmxremote.ssl=false".to_owned(),
        "-Djava.rmi.server.hostname=127.0.0.1".to_owned(),
    ];
    let jvm = mixed.launch_jvm_as("jvm", &[], &options);
    healthy(&jvm);
    // Consumer groups are named after connectors, and other tests share the broker.
    let [of_jvm, own] = ["jvm-", "own-"].map(|prefix| mixed.stage().named(prefix));
    work(&mixed, &jvm, &of_jvm);
    let mut expected = Numbers::new();
    eventually("the JVM counts to the end", || {
        expected = told_by_jmx(jmx, &of_jvm);
        let of = |kind: &str, attribute: &str, connector: &str| {
            let key = [kind, attribute, connector, "0"].map(str::to_owned);
            let [kind, attribute, connector, task] = key;
            expected.get(&(kind, attribute, connector, task)).copied()
        };
        let all = Some(RECORDS as f64);
        of("source-task-metrics", "source-record-write-total", "source") == all
            && of("sink-task-metrics", "sink-record-send-total", "sink") == all
            && of("task-error-metrics", "total-errors-logged", "tolerant") == all
    });
    for of in ["source", "sink", "tolerant", "broken", "unwritable", "paused"] {
        jvm.call("DELETE", &format!("/connectors/{of_jvm}{of}"), None, 204);
    }
    crate::mixed::terminate([jvm]);

    let native = mixed.group.start("native");
    work(&mixed, &native, &own);
    let told = reader.read(&native);
    let mut wanted = Vec::new();
    for ((kind, attribute, connector, task), value) in &expected {
        let mut labels = String::new();
        if !connector.is_empty() {
            labels = format!("connector=\"{own}{connector}\"");
        }
        if !task.is_empty() {
            labels.push_str(&format!(",task=\"{task}\""));
        }
        let names = ours(kind, attribute).map(|name| match kind.as_str() {
            // Its label is the client's name, of which there is one.
            "connect-coordinator-metrics" => {
                let found = told.names(&format!("{name}{{"));
                found.first().map_or(name, |&found| found.to_owned())
            }
            _ => format!("{name}{{{labels}}}"),
        });
        let name = names.iter().find(|name| told.get(name).is_some());
        let name =
            name.unwrap_or_else(|| panic!("{kind} {attribute} of {connector:?} is none of ours: {names:?}"));
        wanted.push((name.clone(), *value));
    }
    assert!(wanted.len() > 80, "{wanted:?}");
    for (what, count) in [("attempts", 6.0), ("success", 5.0), ("failure", 1.0)] {
        wanted.push((format!("kafka_connect_worker_task_startup_{what}_total"), count));
    }
    reader.until(&native, &wanted);
}
