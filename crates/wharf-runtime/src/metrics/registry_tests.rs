//! What of a worker and its connectors is shown, and what is gone with them.

use super::*;
use crate::herder::ConnectorType;
use crate::metrics::text_check::check;
use crate::metrics::{ChainFacts, ClassFacts, TaskFacts, TextFormat};
use crate::worker::MetricName;
use ConnectorState::{Failed, Paused, Restarting, Running, Unassigned};

fn worker() -> WorkerMetrics {
    WorkerMetrics::with_clock(MetricsClock::turned().0, Sampling::default(), Vec::new())
}

fn class(class: &str, version: Option<&str>) -> ClassFacts {
    ClassFacts {
        class: class.to_owned(),
        version: version.map(str::to_owned),
    }
}

fn facts() -> ConnectorFacts {
    ConnectorFacts {
        connector_type: ConnectorType::Source,
        plugin: class("x.Source", Some("1.2")),
    }
}

fn task_facts() -> TaskFacts {
    let of_chain = |parts: &[(&str, &str, Option<&str>)]| {
        let parts = parts.iter();
        parts
            .map(|(alias, name, version)| ((*alias).to_owned(), class(name, *version)))
            .collect()
    };
    TaskFacts {
        connector: facts(),
        task: class("x.Task", Some("1.2")),
        key_converter: class("x.Key", Some("2")),
        value_converter: class("x.Value", None),
        header_converter: class("x.Header", Some("4")),
        chain: ChainFacts {
            transforms: of_chain(&[("second", "x.\"B\"", Some("5")), ("first", "x.A", None)]),
            predicates: of_chain(&[("asked", "x.P", Some("6"))]),
        },
    }
}

/// The series that are served, without values of 0.
fn work(
    metrics: &WorkerMetrics,
    connectors: &[(&str, ConnectorState)],
    tasks: &[(&str, u32, ConnectorState)],
) -> Vec<String> {
    let connectors: Vec<_> = connectors
        .iter()
        .map(|(name, state)| ((*name).to_owned(), *state))
        .collect();
    let tasks: Vec<_> = tasks
        .iter()
        .map(|(connector, task, state)| (TaskId::new(*connector, *task), *state))
        .collect();
    let mut out = Exposition::new(TextFormat::Prometheus);
    metrics.write_work(&mut out, &connectors, &tasks);
    let samples = check(&out.finish(), TextFormat::Prometheus);
    let told = samples.into_iter().filter(|(_, value)| *value != 0.0);
    told.map(|(series, value)| format!("{} {value}", series.trim_start_matches("kafka_connect_")))
        .collect()
}

#[test]
fn what_is_here_is_served_with_the_states_that_rest_tells() {
    let metrics = worker();
    let connector = metrics.connector("c", facts());
    let tasks: Vec<_> = (0..3)
        .map(|task| metrics.task(&TaskId::new("c", task), TaskKind::Source))
        .collect();
    let states = [("c", 0, Running), ("c", 1, Failed), ("c", 2, Unassigned)];
    let served = work(&metrics, &[("c", Running)], &states);
    for line in [
        r#"connector_info{connector="c",connector_type="source",connector_class="x.Source",connector_version="1.2"} 1"#,
        r#"connector_status{connector="c",status="running"} 1"#,
        r#"connector_task_status{connector="c",task="0",status="running"} 1"#,
        r#"connector_task_status{connector="c",task="1",status="failed"} 1"#,
        r#"connector_task_status{connector="c",task="2",status="unassigned"} 1"#,
        r#"worker_connector_total_task_count{connector="c"} 3"#,
        r#"worker_connector_running_task_count{connector="c"} 1"#,
        r#"worker_connector_failed_task_count{connector="c"} 1"#,
        r#"worker_connector_unassigned_task_count{connector="c"} 1"#,
    ] {
        assert!(served.contains(&line.to_owned()), "{line} is not in {served:#?}");
    }
    assert_eq!(served.len(), 9, "{served:#?}");
    drop((connector, tasks));
    assert_eq!(
        work(&metrics, &[("c", Unassigned)], &[("c", 0, Unassigned)]),
        [""; 0]
    );
}

#[test]
fn what_a_task_is_made_of_is_served_from_when_it_is_known_until_the_task_goes() {
    let metrics = worker();
    let task = metrics.task(&TaskId::new("c", 3), TaskKind::Source);
    let told = || {
        let mut served = work(&metrics, &[], &[]);
        served.retain(|line| line.contains("_info{"));
        served
    };
    assert_eq!(told(), [""; 0]);
    task.value().made_of(&task_facts());
    let expected = [
        r#"connector_predicate_info{connector="c",task="3",predicate="asked",predicate_class="x.P",predicate_version="6"} 1"#
            .to_owned(),
        [
            r#"connector_task_info{connector="c",task="3",connector_type="source",connector_class="x.Source","#,
            r#"connector_version="1.2",task_class="x.Task",task_version="1.2",key_converter_class="x.Key","#,
            r#"key_converter_version="2",value_converter_class="x.Value",value_converter_version="","#,
            r#"header_converter_class="x.Header",header_converter_version="4"} 1"#,
        ]
        .concat(),
        r#"connector_transform_info{connector="c",task="3",transform="first",transform_class="x.A",transform_version=""} 1"#
            .to_owned(),
        [
            r#"connector_transform_info{connector="c",task="3",transform="second",transform_class="x.\"B\"","#,
            r#"transform_version="5"} 1"#,
        ]
        .concat(),
    ];
    assert_eq!(told(), expected);
    task.value().made_of(&TaskFacts {
        task: class("x.Other", None),
        ..task_facts()
    });
    assert_eq!(told(), expected, "what is known does not change");
    drop(task);
    assert_eq!(told(), [""; 0]);
}

#[test]
fn labels_of_what_is_served_are_those_of_the_catalogue() {
    let metrics = worker();
    let _connector = metrics.connector("c", facts());
    let task = metrics.task(&TaskId::new("c", 0), TaskKind::Sink);
    task.value().made_of(&task_facts());
    let served = work(&metrics, &[], &[]);
    for id in [ConnectorInfo, TaskInfo, TransformInfo, PredicateInfo] {
        let start = format!("{}{{", id.def().name.trim_start_matches("kafka_connect_"));
        let found: Vec<_> = served.iter().filter(|line| line.starts_with(&start)).collect();
        assert!(!found.is_empty(), "{start}");
        for line in found {
            let names = line.trim_start_matches(&start).split("=\"").filter_map(|part| {
                let name = part.rsplit(['"', ',']).next()?;
                (!name.is_empty() && !name.contains(' ')).then_some(name)
            });
            let names: Vec<_> = names.collect();
            assert_eq!(names, id.def().all_labels().collect::<Vec<_>>(), "{line}");
        }
    }
}

#[test]
fn what_failed_before_it_was_here_is_told_by_its_state_alone() {
    let served = work(
        &worker(),
        &[("c", Failed)],
        &[("d", 0, Failed), ("d", 1, Paused), ("e", 0, Restarting)],
    );
    let states: Vec<_> = served.iter().filter(|line| line.contains("status=")).collect();
    assert_eq!(states.len(), 4, "{served:#?}");
    assert!(served.contains(&r#"worker_connector_total_task_count{connector="d"} 2"#.to_owned()));
    assert!(served.contains(&r#"worker_connector_restarting_task_count{connector="e"} 1"#.to_owned()));
}

#[test]
fn a_successor_stays_when_its_predecessor_goes() {
    let metrics = worker();
    let id = TaskId::new("c", 0);
    let first = metrics.task(&id, TaskKind::Source);
    let now = metrics.clock().now();
    first.value().polled(now, now, 5);
    let second = metrics.task(&id, TaskKind::Source);
    second.value().polled(now, now, 7);
    drop(first);
    let polled = |metrics: &WorkerMetrics| {
        let served = work(metrics, &[], &[]);
        served.into_iter().find(|line| line.contains("poll_total"))
    };
    let line = r#"source_task_source_record_poll_total{connector="c",task="0"} 7"#;
    assert_eq!(polled(&metrics).as_deref(), Some(line));
    drop(second);
    assert_eq!(polled(&metrics), None);
}

#[test]
fn the_worker_tells_what_it_is_and_how_much_it_has() {
    let properties = [
        ("metrics.context.zone-id", "a\"b"),
        ("metrics.context.version", "x"),
        ("metrics.context.connect_group_id", "no"),
        ("group.id", "g"),
    ];
    let properties: BTreeMap<String, String> = properties
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let metrics = WorkerMetrics::with_clock(
        MetricsClock::turned().0,
        Sampling::default(),
        context_labels(&properties),
    );
    let _connector = metrics.connector("c", facts());
    let _tasks = [0, 1].map(|task| metrics.task(&TaskId::new("c", task), TaskKind::Sink));
    let mut out = Exposition::new(TextFormat::Prometheus);
    metrics.write_worker(&mut out, "w:1", "K", Some("g"));
    let text = out.finish();
    let served = check(&text, TextFormat::Prometheus);
    assert_eq!(served["kafka_connect_worker_connector_count"], 1.0);
    assert_eq!(served["kafka_connect_worker_task_count"], 2.0);
    let labels = r#"connect_kafka_cluster_id="K",connect_group_id="g",tag_version="x",zone_id="a\"b"} 1"#;
    assert!(
        text.contains("kafka_connect_app_info{worker_id=\"w:1\",version=\""),
        "{text}"
    );
    assert!(text.contains(labels), "{text}");
}

#[test]
fn metrics_of_plugins_have_their_tags_as_labels() {
    let metric = |task, tags: &[(&str, &str)], kind, value| Metric {
        name: MetricName {
            connector: "c".into(),
            task,
            name: "rows-read".into(),
            tags: tags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        },
        description: "Rows".into(),
        kind,
        value,
    };
    let mut out = Exposition::new(TextFormat::OpenMetrics);
    let metrics = [
        metric(
            Some(1),
            &[("table", "a\nb"), ("x.y", "1"), ("x-y", "2")],
            MetricKind::Counter,
            3.0,
        ),
        metric(None, &[("task", "all")], MetricKind::Gauge, -2.5),
    ];
    WorkerMetrics::write_plugins(&mut out, &metrics);
    let served = check(&out.finish(), TextFormat::OpenMetrics);
    let expected = [
        (
            r#"wharf_plugin_rows_read_total{connector="c",task="1",table="a\nb",x_y="1",x_y_="2"}"#,
            3.0,
        ),
        (
            r#"wharf_plugin_rows_read_value{connector="c",tag_task="all"}"#,
            -2.5,
        ),
    ];
    for (series, value) in expected {
        assert_eq!(served.get(series), Some(&value), "{series} in {served:#?}");
    }
}
