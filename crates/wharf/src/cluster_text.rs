//! What `wharf cluster` prints on a terminal.

use wharf_runtime::inspect::{
    ClusterReport, ConnectorReport, GenerationSource, MemberReport, TopicReport, WorkReport, WorkerKind,
};

use crate::table::{self, Cell, Marks};

/// The whole answer, without a line end at its end.
pub(crate) fn render(report: &ClusterReport, marks: Marks) -> String {
    let mut lines = head(report, marks);
    section(
        &mut lines,
        "MEMBERS",
        members(report, marks),
        report.members.is_empty(),
    );
    section(
        &mut lines,
        "CONNECTORS AND TASKS",
        work(report, marks),
        report.connectors.is_empty(),
    );
    section(&mut lines, "INTERNAL TOPICS", topics(report, marks), false);
    if !report.members.is_empty() {
        section(&mut lines, "MEMBER IDS", member_ids(report, marks), false);
    }
    lines.push(String::new());
    let (problems, notes): (Vec<_>, Vec<_>) = report.findings.iter().partition(|finding| finding.is_problem);
    if problems.is_empty() {
        lines.push("No problems found.".to_owned());
    } else {
        lines.push(marks.bad(&format!("PROBLEMS ({})", problems.len())));
        lines.extend(
            problems
                .iter()
                .map(|finding| format!("  {}", table::plain(&finding.message))),
        );
    }
    if !notes.is_empty() {
        lines.push(String::new());
        lines.push("NOTES".to_owned());
        lines.extend(
            notes
                .iter()
                .map(|finding| format!("  {}", table::plain(&finding.message))),
        );
    }
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, title: &str, content: Vec<String>, is_empty: bool) {
    lines.push(String::new());
    lines.push(title.to_owned());
    if is_empty {
        lines.push("  none".to_owned());
    } else {
        lines.extend(content.into_iter().map(|line| format!("  {line}")));
    }
}

fn head(report: &ClusterReport, marks: Marks) -> Vec<String> {
    let generation = match &report.generation {
        None => "unknown".to_owned(),
        Some(known) if known.source == GenerationSource::Member => known.number.to_string(),
        Some(known) => format!(
            "{} or later (the newest that the status topic names; no member tells)",
            known.number
        ),
    };
    let leader = report
        .leader
        .as_ref()
        .map_or("unknown", |leader| leader.url.as_str());
    let state = if report.state == "Stable" {
        report.state.clone()
    } else {
        marks.bad(&report.state)
    };
    let mut lines = vec![
        format!("Group       {}", table::plain(&report.group_id)),
        format!("State       {state}"),
        format!("Protocol    {}", report.protocol.as_deref().unwrap_or("none")),
        format!("Generation  {generation}"),
        format!("Leader      {}", table::plain(leader)),
        format!("Kafka       {}", table::plain(&report.kafka_cluster_id)),
    ];
    if let Some(delay) = report.waiting_for_lost_workers_ms {
        lines.push(format!("Waiting     up to {delay} ms for a worker that left"));
    }
    lines
}

fn members(report: &ClusterReport, marks: Marks) -> Vec<String> {
    let header = [
        "URL",
        "WORKER",
        "CONNECTORS",
        "TASKS",
        "CONFIG OFFSET",
        "LAG config/offset/status",
    ];
    let rows: Vec<Vec<Cell>> = report
        .members
        .iter()
        .map(|member| {
            let leads = if member.is_leader { " (leader)" } else { "" };
            vec![
                format!("{}{leads}", url(member)).into(),
                worker(member),
                member.connectors.len().to_string().into(),
                member.tasks.len().to_string().into(),
                config_offset(report, member).into(),
                lag(member),
            ]
        })
        .collect();
    table::render(&header, &rows, marks)
}

/// What the coordinator knows them by; apart, because it is long.
fn member_ids(report: &ClusterReport, marks: Marks) -> Vec<String> {
    let header = ["URL", "HOST", "CLIENT ID", "MEMBER ID"];
    let rows: Vec<Vec<Cell>> = report
        .members
        .iter()
        .map(|member| {
            vec![
                url(member).into(),
                member.host.as_str().into(),
                member.client_id.as_str().into(),
                member.member_id.as_str().into(),
            ]
        })
        .collect();
    table::render(&header, &rows, marks)
}

fn url(member: &MemberReport) -> &str {
    member.url.as_deref().unwrap_or("unknown")
}

fn worker(member: &MemberReport) -> Cell {
    if member.silent.is_some() {
        return Cell::bad_if("does not answer", true);
    }
    let kind = match member.kind {
        Some(WorkerKind::Wharf) => "wharf",
        Some(WorkerKind::Jvm) => "jvm",
        None => "unknown",
    };
    match &member.version {
        Some(version) => format!("{kind} {version}").into(),
        None => kind.into(),
    }
}

/// Where it stood when it joined, of where everybody gets to.
fn config_offset(report: &ClusterReport, member: &MemberReport) -> String {
    match member.config_offset_when_joined {
        Some(offset) => format!("{offset} of {} when joined", report.config_offset),
        None => String::new(),
    }
}

fn lag(member: &MemberReport) -> Cell {
    if member.topics.is_empty() {
        return "not told".into();
    }
    let lag = |role: &str| {
        let topic = member.topics.iter().find(|topic| topic.role == role);
        topic.map_or_else(|| "?".to_owned(), |topic| topic.lag.to_string())
    };
    format!("{}/{}/{}", lag("config"), lag("offset"), lag("status")).into()
}

fn work(report: &ClusterReport, marks: Marks) -> Vec<String> {
    let header = [
        "NAME",
        "TARGET",
        "STATE",
        "ASSIGNED TO",
        "REPORTED BY",
        "GENERATION",
        "CLASS",
    ];
    let rows: Vec<Vec<Cell>> = report
        .connectors
        .iter()
        .flat_map(|connector| {
            std::iter::once(&connector.connector)
                .chain(&connector.tasks)
                .map(|work| row(connector, work))
        })
        .collect();
    table::render(&header, &rows, marks)
}

fn row(connector: &ConnectorReport, work: &WorkReport) -> Vec<Cell> {
    let name = match work.task {
        None => connector.name.clone(),
        Some(task) => format!("  task {task}"),
    };
    let status = work.status.as_ref();
    let state = status.map_or("unknown", |status| status.state);
    let reported_by = status.map_or("", |status| status.worker_id.as_str());
    let owner = match &work.assigned_to[..] {
        [] => Cell::bad_if("nobody", true),
        [one] => one.as_str().into(),
        several => Cell::bad_if(several.join(" and "), true),
    };
    let is_elsewhere = !reported_by.is_empty() && work.assigned_to.iter().all(|owner| owner != reported_by);
    vec![
        name.into(),
        if work.task.is_none() {
            connector.target_state
        } else {
            " "
        }
        .into(),
        Cell::bad_if(state, matches!(state, "FAILED" | "UNASSIGNED" | "unknown")),
        owner,
        Cell::bad_if(reported_by, is_elsewhere),
        status
            .map(|status| status.generation.to_string())
            .unwrap_or_default()
            .into(),
        if work.task.is_none() {
            connector.class.as_deref().unwrap_or_default()
        } else {
            " "
        }
        .into(),
    ]
}

fn topics(report: &ClusterReport, marks: Marks) -> Vec<String> {
    let header = ["ROLE", "TOPIC", "PARTITIONS", "END OFFSETS", "CLEANUP POLICY"];
    let rows: Vec<Vec<Cell>> = report.topics.iter().map(topic).collect();
    table::render(&header, &rows, marks)
}

pub(crate) fn topic(topic: &TopicReport) -> Vec<Cell> {
    if !topic.exists {
        return vec![
            topic.role.into(),
            topic.topic.as_str().into(),
            Cell::bad_if("does not exist", true),
            "".into(),
            "".into(),
        ];
    }
    vec![
        topic.role.into(),
        topic.topic.as_str().into(),
        topic.partitions.to_string().into(),
        topic.end().to_string().into(),
        topic.cleanup_policy.as_deref().unwrap_or("unknown").into(),
    ]
}

#[cfg(test)]
#[path = "cluster_text_tests.rs"]
mod tests;
