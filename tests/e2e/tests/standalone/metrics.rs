//! What a worker tells of itself at `GET /metrics`, while records move, fail, and stop moving.

use serde_json::json;
use wharf_e2e::metrics::{MetricsReader, of_task};
use wharf_e2e::{PATIENCE, Stage};
use wharf_test_services::process::wait_until;

const RECORDS: usize = 500;
const FILE: &str = "org.apache.kafka.connect.file.FileStream";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const INSERT: &str = "org.apache.kafka.connect.transforms.InsertHeader";
const DROP: &str = "org.apache.kafka.connect.transforms.DropHeaders";
const FILTER: &str = "org.apache.kafka.connect.transforms.Filter";
const TOMBSTONE: &str = "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone";
/// Of the worker, its file plugins and what is built in.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn status(connector: &str, task: u32, status: &str) -> String {
    format!(
        "kafka_connect_connector_task_status{{connector=\"{connector}\",status=\"{status}\",task=\"{task}\"}}"
    )
}

fn of_connector(metric: &str, connector: &str) -> String {
    format!("kafka_connect_worker_connector_{metric}_task_count{{connector=\"{connector}\"}}")
}

/// What is told of the task of a file connector: of its classes, and of those of its transforms and predicates by alias. What
/// is named is in the version of this build.
fn made_of(connector: &str, kind: &str, value: &str, parts: &[(&str, &str, &str)]) -> Vec<String> {
    let file = match kind {
        "source" => format!("{FILE}Source"),
        _ => format!("{FILE}Sink"),
    };
    let classes = [
        ("connector", format!("{file}Connector")),
        ("task", format!("{file}Task")),
        ("key_converter", STRING.to_owned()),
        ("value_converter", value.to_owned()),
        ("header_converter", SIMPLE.to_owned()),
    ];
    let mut labels: Vec<_> = classes
        .into_iter()
        .flat_map(|(part, class)| of_class(part, &class))
        .collect();
    labels.push(("connector_type".to_owned(), kind.to_owned()));
    let task = info("task", connector, labels);
    let of_chain = parts.iter().map(|(part, alias, class)| {
        let mut labels = of_class(part, class);
        labels.push(((*part).to_owned(), (*alias).to_owned()));
        info(part, connector, labels)
    });
    std::iter::once(task).chain(of_chain).collect()
}

fn of_class(part: &str, class: &str) -> Vec<(String, String)> {
    vec![
        (format!("{part}_class"), class.to_owned()),
        (format!("{part}_version"), VERSION.to_owned()),
    ]
}

fn info(of: &str, connector: &str, mut labels: Vec<(String, String)>) -> String {
    labels.extend([("connector", connector), ("task", "0")].map(|(name, value)| (name.into(), value.into())));
    labels.sort();
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    format!("kafka_connect_connector_{of}_info{{{}}}", labels.join(","))
}

#[test]
fn metrics_say_how_many_records_moved_and_what_became_of_the_others() {
    let (Some(stage), Some(reader)) = (Stage::set_up("metrics"), MetricsReader::set_up()) else {
        return;
    };
    let [source, sink, tolerant, broken] =
        ["source", "sink", "tolerant", "broken"].map(|name| stage.named(name));
    let (topic, letters) = (stage.named("lines"), stage.named("letters"));
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.kafka().create_topic(&letters, 1, &[]);
    // Lines that are no JSON.
    let lines: String = (0..RECORDS).map(|line| format!("line {line}\n")).collect();
    stage.write("input", &lines);
    let worker = stage.start(
        &[
            ("offset.flush.interval.ms", "200"),
            ("metrics.context.zone", "north"),
        ],
        &[],
    );
    worker.create(
        &source,
        json!({
            "connector.class": "FileStreamSource", "file": stage.file("input"), "topic": topic,
            "transforms": "mark,never", "transforms.mark.type": INSERT, "transforms.mark.header": "from",
            "transforms.mark.value.literal": "file", "transforms.never.type": "Filter",
            "transforms.never.predicate": "empty", "predicates": "empty", "predicates.empty.type": TOMBSTONE
        }),
    );
    worker.create(
        &sink,
        json!({
            "connector.class": "FileStreamSink", "file": stage.file("output"), "topics": topic,
            "transforms": "unmark", "transforms.unmark.type": DROP, "transforms.unmark.headers": "from"
        }),
    );
    let json_sink = |more: serde_json::Value| {
        let mut config = json!({
            "connector.class": "FileStreamSink", "file": stage.file("other"), "topics": topic,
            "value.converter": JSON
        });
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config
    };
    worker.create(
        &tolerant,
        json_sink(json!({
            "errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1"
        })),
    );
    worker.create(&broken, json_sink(json!({})));
    worker.until_states(&broken, &["RUNNING", "FAILED"]);
    assert!(wait_until(PATIENCE, || stage.read("output") == lines.as_bytes()));

    let all = RECORDS as f64;
    let task = |metric: &str, connector: &str, value: f64| {
        (of_task(&format!("kafka_connect_{metric}"), connector, 0), value)
    };
    let own = |metric: &str, connector: &str, value: f64| {
        (of_task(&format!("wharf_task_{metric}"), connector, 0), value)
    };
    let told = reader.until(
        &worker,
        &[
            ("kafka_connect_worker_connector_count".to_owned(), 4.0),
            ("kafka_connect_worker_task_count".to_owned(), 4.0),
            (
                "kafka_connect_worker_connector_startup_success_total".to_owned(),
                4.0,
            ),
            ("kafka_connect_worker_task_startup_attempts_total".to_owned(), 4.0),
            (
                "kafka_connect_worker_task_startup_success_percentage".to_owned(),
                1.0,
            ),
            ("wharf_worker_lease_valid".to_owned(), 1.0),
            (status(&source, 0, "running"), 1.0),
            task("source_task_source_record_poll_total", &source, all),
            task("source_task_source_record_write_total", &source, all),
            task("source_task_source_record_active_count", &source, 0.0),
            task("connector_task_offset_commit_success_percentage", &source, 1.0),
            task("task_error_record_errors_total", &source, 0.0),
            own("record_lag_seconds_count", &source, all),
            (status(&sink, 0, "running"), 1.0),
            task("sink_task_sink_record_read_total", &sink, all),
            task("sink_task_sink_record_send_total", &sink, all),
            task("sink_task_sink_record_active_count", &sink, 0.0),
            task("sink_task_partition_count", &sink, 1.0),
            own("record_lag_seconds_count", &sink, all),
            (status(&tolerant, 0, "running"), 1.0),
            task("sink_task_sink_record_read_total", &tolerant, all),
            task("sink_task_sink_record_send_total", &tolerant, 0.0),
            task("task_error_record_failures_total", &tolerant, all),
            task("task_error_record_errors_total", &tolerant, all),
            task("task_error_records_skipped_total", &tolerant, all),
            task(
                "task_error_deadletterqueue_produce_requests_total",
                &tolerant,
                all,
            ),
            task(
                "task_error_deadletterqueue_produce_failures_total",
                &tolerant,
                0.0,
            ),
            (status(&broken, 0, "failed"), 1.0),
            task("sink_task_sink_record_send_total", &broken, 0.0),
            task("task_error_record_errors_total", &broken, 1.0),
            (of_connector("failed", &broken), 1.0),
            (of_connector("running", &broken), 0.0),
            (of_connector("total", &broken), 1.0),
        ],
    );
    // A produce request is counted when the letter is handed over, not when the broker has it.
    assert!(wait_until(PATIENCE, || stage.kafka().count(&letters) == RECORDS as i64));
    for (stages, connector) in [
        (
            &["border", "commit", "poll", "convert", "send", "transform"][..],
            &source,
        ),
        (&["border", "commit", "put", "convert", "transform"], &sink),
    ] {
        let found = told.names(&format!(
            "_stage_seconds_count{{connector=\"{connector}\",stage=\""
        ));
        let met: Vec<_> = found.iter().filter_map(|name| name.split('"').nth(3)).collect();
        assert_eq!(met, stages, "{connector}");
        assert!(
            found.iter().all(|name| told.get(name).unwrap() > 0.0),
            "{found:?}"
        );
    }
    for (connector, made_of) in [
        (
            &source,
            made_of(
                &source,
                "source",
                STRING,
                &[
                    ("transform", "mark", INSERT),
                    ("transform", "never", FILTER),
                    ("predicate", "empty", TOMBSTONE),
                ],
            ),
        ),
        (
            &sink,
            made_of(&sink, "sink", STRING, &[("transform", "unmark", DROP)]),
        ),
        // It has failed, and is told of all the same.
        (&broken, made_of(&broken, "sink", JSON, &[])),
    ] {
        let mut found = told.names("_info{connector=\"");
        found.retain(|name| name.contains(&format!("\"{connector}\"")) && name.contains(",task=\"0\""));
        let mut made_of = made_of;
        made_of.sort();
        assert_eq!(found, made_of);
        assert!(found.iter().all(|name| told.get(name) == Some(1.0)), "{found:?}");
    }
    let info = told.names("kafka_connect_app_info{");
    assert!(info[0].contains("zone=\"north\""), "{info:?}");
    let class =
        "connector_class=\"org.apache.kafka.connect.file.FileStreamSinkConnector\",connector_type=\"sink\"";
    let connectors = told.names(class);
    let of_tasks = connectors.iter().filter(|name| name.contains("_task_info{"));
    assert_eq!((connectors.len(), of_tasks.count()), (6, 3));
    let running = told
        .get(&of_task("kafka_connect_connector_task_running_ratio", &sink, 0))
        .unwrap();
    assert!(running > 0.0 && running <= 1.0, "{running}");

    worker.call("PUT", &format!("/connectors/{sink}/pause"), None, 202);
    reader.until(
        &worker,
        &[
            (status(&sink, 0, "paused"), 1.0),
            (of_connector("paused", &sink), 1.0),
        ],
    );
    worker.call("DELETE", &format!("/connectors/{broken}"), None, 204);
    worker.call("PUT", &format!("/connectors/{tolerant}/stop"), None, 204);
    reader.until(&worker, &[("kafka_connect_worker_task_count".to_owned(), 2.0)]);
    let told = reader.read(&worker);
    assert_eq!(told.names(&format!("\"{broken}\"")), [""; 0]);
    let stopped = format!("kafka_connect_connector_status{{connector=\"{tolerant}\",status=\"stopped\"}}");
    assert_eq!(told.get(&stopped), Some(1.0));
    assert!(
        told.names(&format!("\"{tolerant}\""))
            .iter()
            .all(|name| !name.contains("task="))
    );
}
