//! Tests of the text: connectors that move, that do not, and what is said of a worker file.

use std::collections::BTreeMap;

use wharf_runtime::herder::ConnectorType;
use wharf_runtime::inspect::{Difference, PluginFound, Problem, UnreadableRecord};

use super::*;

fn connector(name: &str, problems: &[(Option<&str>, &str)]) -> ConnectorCheck {
    ConnectorCheck {
        name: name.to_owned(),
        can_move: problems.is_empty(),
        class: Some("Alpha".to_owned()),
        plugin: problems.is_empty().then(|| PluginFound {
            class: "org.x.AlphaSource".to_owned(),
            version: Some("1.0".to_owned()),
            kind: ConnectorType::Source,
            task_class: "org.x.AlphaTask".to_owned(),
            path: "/opt/libalpha.so".to_owned(),
        }),
        target_state: "PAUSED",
        tasks: 2,
        converters: BTreeMap::new(),
        offsets: OffsetsFound {
            place: "topic o".to_owned(),
            count: problems.is_empty().then_some(3),
            unknown_because: (!problems.is_empty()).then(|| "it is in another cluster".to_owned()),
        },
        problems: problems
            .iter()
            .map(|(key, message)| Problem {
                key: key.map(str::to_owned),
                message: (*message).to_owned(),
            })
            .collect(),
        changes: Vec::new(),
    }
}

fn report(connectors: Vec<ConnectorCheck>) -> MigrationReport {
    MigrationReport {
        can_move: connectors.iter().all(|connector| connector.can_move),
        group_id: "workers".to_owned(),
        kafka_cluster_id: "id".to_owned(),
        worker: WorkerCheck {
            can_start: true,
            plugin_path: vec!["/opt".to_owned()],
            connect_protocol: "sessioned".to_owned(),
            exactly_once_source_support: "disabled".to_owned(),
            ..WorkerCheck::default()
        },
        topics: Vec::new(),
        connectors,
        unreadable_records: Vec::new(),
    }
}

#[test]
fn each_connector_has_a_row_and_those_with_more_to_say_a_paragraph() {
    let mut changing = connector("moves", &[]);
    changing
        .changes
        .push("version in its status changes from 4.3.0 to 1.0".to_owned());
    let stuck = connector("stuck", &[(Some("transforms"), "not\nyet"), (None, "no plugin")]);
    let text = render(
        &report(vec![changing, connector("quiet", &[]), stuck]),
        Marks::Off,
    );
    assert_eq!(
        text,
        "\
Group  workers
Kafka  id

WORKER FILE
  plugin.path                  /opt
  connect.protocol             sessioned
  exactly.once.source.support  disabled

CONNECTORS
  NAME   MOVES  TARGET  TASKS  OFFSETS  CLASS  NATIVE PLUGIN
  moves  yes    PAUSED  2      3        Alpha  org.x.AlphaSource, version 1.0, /opt/libalpha.so
  quiet  yes    PAUSED  2      3        Alpha  org.x.AlphaSource, version 1.0, /opt/libalpha.so
  stuck  no     PAUSED  2      unknown  Alpha  none

  moves
    changes version in its status changes from 4.3.0 to 1.0

  stuck
    problem transforms: not yet
    problem no plugin
    offsets in topic o were not counted: it is in another cluster

2 of 3 connectors can move."
    );
}

#[test]
fn what_is_said_of_the_worker_file_and_of_strange_records_is_one_line_each() {
    let mut report = report(Vec::new());
    report.can_move = false;
    report.worker.can_start = false;
    report.worker.problems.push("listeners: no https".to_owned());
    report.worker.differences.push(Difference {
        key: "heartbeat.interval.ms".to_owned(),
        message: "not set: 500 here, 3000 on JVM workers".to_owned(),
    });
    report.worker.warnings.push("unknown: x".to_owned());
    report
        .worker
        .refused_plugins
        .push("WHARF-PLUGIN-002 /opt/a.so: no library".to_owned());
    report.unreadable_records.push(UnreadableRecord {
        offset: 7,
        key: "connector-\u{7}".to_owned(),
        reason: "it is not JSON".to_owned(),
    });
    let text = render(&report, Marks::Off);
    for line in [
        "  problem: listeners: no https",
        "  plugin refused: WHARF-PLUGIN-002 /opt/a.so: no library",
        "  differs: heartbeat.interval.ms not set: 500 here, 3000 on JVM workers",
        "  warning: unknown: x",
        "  none",
        "  offset 7, key `connector-\u{fffd}`: it is not JSON",
        "0 of 0 connectors can move; no worker starts with this worker file.",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line:?} is not in\n{text}"
        );
    }
    assert!(render(&report, Marks::Colour).contains("\u{1b}[31mproblem\u{1b}[0m: listeners"));
}
