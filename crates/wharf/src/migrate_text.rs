//! What `wharf migrate check` prints on a terminal.

use wharf_runtime::inspect::{ConnectorCheck, MigrationReport, OffsetsFound, WorkerCheck};

use crate::table::{self, Cell, Marks};

/// The whole answer, without a line end at its end.
pub(crate) fn render(report: &MigrationReport, marks: Marks) -> String {
    let mut lines = vec![
        format!("Group  {}", table::plain(&report.group_id)),
        format!("Kafka  {}", table::plain(&report.kafka_cluster_id)),
        String::new(),
        "WORKER FILE".to_owned(),
    ];
    lines.extend(worker(&report.worker, marks));
    lines.extend([String::new(), "CONNECTORS".to_owned()]);
    if report.connectors.is_empty() {
        lines.push("  none".to_owned());
    } else {
        lines.extend(
            overview(report, marks)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
        for connector in &report.connectors {
            lines.extend(details(connector, marks));
        }
    }
    if !report.unreadable_records.is_empty() {
        lines.extend([
            String::new(),
            "RECORDS OF THE CONFIG TOPIC THAT NO WORKER USES".to_owned(),
        ]);
        lines.extend(report.unreadable_records.iter().map(|record| {
            let key = table::plain(&record.key);
            let reason = table::plain(&record.reason);
            format!("  offset {}, key `{key}`: {reason}", record.offset)
        }));
    }
    lines.extend([String::new(), verdict(report, marks)]);
    lines.join("\n")
}

fn verdict(report: &MigrationReport, marks: Marks) -> String {
    let all = report.connectors.len();
    let moving = report
        .connectors
        .iter()
        .filter(|connector| connector.can_move)
        .count();
    let connectors = format!("{moving} of {all} connectors can move");
    if report.can_move {
        format!("{connectors}.")
    } else if report.worker.can_start {
        marks.bad(&format!("{connectors}."))
    } else {
        marks.bad(&format!("{connectors}; no worker starts with this worker file."))
    }
}

fn worker(check: &WorkerCheck, marks: Marks) -> Vec<String> {
    let mut lines = vec![
        format!("  plugin.path                  {}", list(&check.plugin_path)),
        format!("  connect.protocol             {}", check.connect_protocol),
        format!(
            "  exactly.once.source.support  {}",
            check.exactly_once_source_support
        ),
    ];
    let mut add = |what: &str, is_bad: bool, texts: Vec<String>| {
        for text in texts {
            let what = if is_bad { marks.bad(what) } else { what.to_owned() };
            lines.push(format!("  {what}: {}", one_line(&text)));
        }
    };
    add("problem", true, check.problems.clone());
    add("plugin refused", true, check.refused_plugins.clone());
    let differences = check.differences.iter();
    add(
        "differs",
        false,
        differences
            .map(|difference| format!("{} {}", difference.key, difference.message))
            .collect(),
    );
    add("warning", false, check.warnings.clone());
    lines
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        "-".to_owned()
    } else {
        table::plain(&items.join(","))
    }
}

fn overview(report: &MigrationReport, marks: Marks) -> Vec<String> {
    let header = [
        "NAME",
        "MOVES",
        "TARGET",
        "TASKS",
        "OFFSETS",
        "CLASS",
        "NATIVE PLUGIN",
    ];
    let rows: Vec<Vec<Cell>> = report
        .connectors
        .iter()
        .map(|connector| {
            vec![
                connector.name.as_str().into(),
                Cell::bad_if(if connector.can_move { "yes" } else { "no" }, !connector.can_move),
                connector.target_state.into(),
                connector.tasks.to_string().into(),
                offsets(&connector.offsets).into(),
                connector.class.as_deref().unwrap_or_default().into(),
                native(connector),
            ]
        })
        .collect();
    table::render(&header, &rows, marks)
}

fn offsets(found: &OffsetsFound) -> String {
    found
        .count
        .map_or_else(|| "unknown".to_owned(), |count| count.to_string())
}

fn native(connector: &ConnectorCheck) -> Cell {
    let Some(plugin) = &connector.plugin else {
        return Cell::bad_if("none", true);
    };
    let version = plugin.version.as_deref().unwrap_or("undefined");
    if connector.class.as_deref().map(str::trim) == Some(plugin.class.as_str()) {
        format!("version {version}, {}", plugin.path).into()
    } else {
        format!("{}, version {version}, {}", plugin.class, plugin.path).into()
    }
}

fn details(connector: &ConnectorCheck, marks: Marks) -> Vec<String> {
    let mut lines = Vec::new();
    for problem in &connector.problems {
        let key = problem
            .key
            .as_ref()
            .map_or_else(String::new, |key| format!("{}: ", table::plain(key)));
        lines.push(format!(
            "    {} {key}{}",
            marks.bad("problem"),
            one_line(&problem.message)
        ));
    }
    for change in &connector.changes {
        lines.push(format!("    changes {}", one_line(change)));
    }
    if let Some(why) = &connector.offsets.unknown_because {
        lines.push(format!(
            "    offsets in {} were not counted: {}",
            table::plain(&connector.offsets.place),
            one_line(why)
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, format!("  {}", table::plain(&connector.name)));
        lines.insert(0, String::new());
    }
    lines
}

fn one_line(text: &str) -> String {
    table::plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
#[path = "migrate_text_tests.rs"]
mod tests;
