//! Dead letters and plans as people read them. Much of the text was written by others: control characters reach no terminal.

use wharf_runtime::inspect::dead_letters::{Overview, ReplayPlan};

use super::body::{Body, Shown};
use crate::table::{Cell, Marks, plain, render};

/// What is in a topic.
pub(crate) fn overview(overview: &Overview, marks: Marks) -> String {
    let mut lines = vec![counted(overview)];
    if overview.selected == 0 {
        return lines.remove(0);
    }
    let whose = if overview.times_are_of_arrival {
        "arrival"
    } else {
        "the records that failed"
    };
    lines.push(format!("Times are those of {whose}."));
    lines.push(String::new());
    let cell = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
    let rows: Vec<Vec<Cell>> = overview
        .groups
        .iter()
        .map(|group| {
            vec![
                group.letters.to_string().into(),
                cell(&group.connector),
                cell(&group.stage),
                cell(&group.exception_class.as_deref().map(simple)),
                cell(&group.first),
                cell(&group.last),
                Cell::bad_if(some(group.replayed_before), group.replayed_before > 0),
                group.sample_at.clone().into(),
            ]
        })
        .collect();
    let header = [
        "LETTERS",
        "CONNECTOR",
        "STAGE",
        "EXCEPTION",
        "FIRST",
        "LAST",
        "SENT BEFORE",
        "SAMPLE AT",
    ];
    let table = render(&header, &rows, marks);
    for (at, line) in table.into_iter().enumerate() {
        lines.push(line);
        let group = at.checked_sub(1).and_then(|at| overview.groups.get(at));
        if let Some(message) = group.and_then(|group| group.sample_message.as_deref()) {
            lines.push(format!("         {}", plain(message)));
        }
    }
    if let Some(records) = &overview.records {
        lines.push(String::new());
        let rows: Vec<Vec<Cell>> = records
            .iter()
            .map(|record| {
                vec![
                    record.at.clone().into(),
                    cell(&record.time),
                    cell(&record.connector),
                    cell(&record.from),
                    cell(&record.stage),
                    cell(&record.exception_class.as_deref().map(simple)),
                    Cell::bad_if(some(u64::from(record.replays)), record.replays > 0),
                    cell(&record.message),
                ]
            })
            .collect();
        let header = [
            "AT",
            "TIME",
            "CONNECTOR",
            "FROM",
            "STAGE",
            "EXCEPTION",
            "SENT BEFORE",
            "MESSAGE",
        ];
        lines.extend(render(&header, &rows, marks));
        let shown = u64::try_from(records.len()).unwrap_or(u64::MAX);
        if shown < overview.selected {
            lines.push(format!("… and {} more (--limit)", overview.selected - shown));
        }
    }
    lines.join("\n")
}

fn counted(overview: &Overview) -> String {
    let mut text = if overview.selected == overview.letters {
        format!("{} dead letter(s) in topic {}", overview.letters, overview.topic)
    } else {
        format!(
            "{} of {} dead letter(s) in topic {} are meant",
            overview.selected, overview.letters, overview.topic
        )
    };
    if overview.without_context > 0 {
        text.push_str(&format!("; {} without context headers", overview.without_context));
    }
    if overview.replayed_before > 0 {
        text.push_str(&format!(
            "; {} were sent before and failed again",
            overview.replayed_before
        ));
    }
    text.push('.');
    text
}

/// Empty for none.
fn some(count: u64) -> String {
    if count == 0 {
        String::new()
    } else {
        count.to_string()
    }
}

/// A class name without its package.
fn simple(class: &str) -> String {
    class.rsplit('.').next().unwrap_or(class).to_owned()
}

/// One letter whole.
pub(crate) fn letter(letter: &Shown) -> String {
    let failure = &letter.failure;
    let mut lines = Vec::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("{name:<17}{}", plain(&value)));
        }
    };
    field("At", Some(letter.at.clone()));
    let whose = if letter.time_is_of_arrival {
        "arrival"
    } else {
        "the record"
    };
    field(
        "Time",
        letter.time.as_ref().map(|time| format!("{time} (of {whose})")),
    );
    let place = |topic: &Option<String>, partition: Option<i32>, offset: Option<i64>| {
        topic.as_ref().map(|topic| match (partition, offset) {
            (Some(partition), Some(offset)) => {
                format!("topic {topic}, partition {partition}, offset {offset}")
            }
            _ => format!("topic {topic}"),
        })
    };
    field("From", place(&failure.topic, failure.partition, failure.offset));
    field("Source partition", failure.source_partition.clone());
    field("Source offset", failure.source_offset.clone());
    let task = |name: &String| match failure.task {
        Some(task) => format!("{name}, task {task}"),
        None => name.clone(),
    };
    field("Connector", failure.connector.as_ref().map(task));
    field("Stage", failure.stage.clone());
    field("Class", failure.class.clone());
    field("Exception", failure.exception_class.clone());
    field("Message", failure.exception_message.clone());
    if failure.replays > 0 {
        field("Sent before", Some(format!("{} time(s)", failure.replays)));
        if let Some(first) = &failure.first {
            field(
                "Failed first in",
                place(&first.topic, first.partition, first.offset),
            );
        }
    }
    if failure.connector.is_none() {
        lines.push("It has no context headers, so it is not known why it is here.".to_owned());
    }
    if let Some(trace) = &failure.stack_trace {
        lines.push("Stack trace".to_owned());
        lines.extend(
            trace
                .lines()
                .map(|line| format!("  {}", plain(&line.replace('\t', "    ")))),
        );
    }
    if !letter.headers.is_empty() {
        lines.push("Headers".to_owned());
        for header in &letter.headers {
            lines.push(format!(
                "  {}: {}",
                plain(&header.name),
                first_line(header.value.as_ref())
            ));
        }
    }
    body("Key", letter.key.as_ref(), &mut lines);
    body("Value", letter.value.as_ref(), &mut lines);
    lines.join("\n")
}

fn first_line(body: Option<&Body>) -> String {
    let Some(body) = body else {
        return "null".to_owned();
    };
    let text = body.text.as_deref().map(plain);
    text.or_else(|| body.hex.as_ref().map(|hex| format!("0x{hex}")))
        .unwrap_or_default()
}

fn body(name: &str, body: Option<&Body>, lines: &mut Vec<String>) {
    let Some(body) = body else {
        lines.push(format!("{name}: null"));
        return;
    };
    let kind = if body.hex.is_some() {
        ", not text, as hex"
    } else {
        ""
    };
    let cut = if body.is_cut {
        ", only the first shown (--max-bytes)"
    } else {
        ""
    };
    lines.push(format!("{name} ({} bytes{kind}{cut})", body.bytes));
    if let Some(text) = &body.text {
        lines.extend(
            text.lines()
                .map(|line| format!("  {}", plain(&line.replace('\t', "    ")))),
        );
    }
    if let Some(hex) = &body.hex {
        let digits: Vec<char> = hex.chars().collect();
        lines.extend(
            digits
                .chunks(64)
                .map(|part| format!("  {}", part.iter().collect::<String>())),
        );
    }
}

/// What a replay is about to do.
pub(crate) fn plan(plan: &ReplayPlan, marks: Marks) -> String {
    let mut lines = vec![
        format!("Replay    {} from topic {}", plain(&plan.replay), plan.topic),
        format!("Progress  group {}", plain(&plan.group)),
        format!("To send   {} letter(s)", plan.to_send),
    ];
    if plan.resumes {
        lines.push("          a run that was interrupted goes on, as it was planned".to_owned());
    }
    for (topic, letters) in &plan.by_topic {
        lines.push(format!("          {letters} to topic {}", plain(topic)));
    }
    if plan.left_out > 0 {
        lines.push(format!(
            "Left out  {} by --max-replays or --except",
            plan.left_out
        ));
    }
    for warning in &plan.warnings {
        lines.push(format!("Warning   {}", plain(warning)));
    }
    for refusal in &plan.refusals {
        lines.push(format!("Refused   {}", marks.bad(refusal)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<Body> {
        Some(Body {
            bytes: text.len(),
            is_cut: false,
            text: Some(text.to_owned()),
            hex: None,
        })
    }

    #[test]
    fn a_letter_shows_what_is_known_and_nothing_that_a_terminal_would_act_on() {
        let mut shown = Shown {
            at: "0:7".to_owned(),
            time: Some("2026-11-21T03:00:00.000Z".to_owned()),
            time_is_of_arrival: false,
            failure: Default::default(),
            headers: Vec::new(),
            key: None,
            value: text("{\n\t\"a\": 1\n}"),
        };
        assert_eq!(
            letter(&shown),
            "At               0:7\n\
             Time             2026-11-21T03:00:00.000Z (of the record)\n\
             It has no context headers, so it is not known why it is here.\n\
             Key: null\n\
             Value (11 bytes)\n  {\n      \"a\": 1\n  }"
        );
        shown.failure.connector = Some("sink".to_owned());
        shown.failure.task = Some(3);
        shown.failure.topic = Some("orders".to_owned());
        shown.failure.partition = Some(1);
        shown.failure.offset = Some(9);
        shown.failure.exception_message = Some("bad\u{1b}[2J".to_owned());
        shown.failure.stack_trace = Some("X: bad\n\tat y\u{7}\n".to_owned());
        shown.failure.replays = 2;
        let lines = letter(&shown);
        for line in [
            "From             topic orders, partition 1, offset 9",
            "Connector        sink, task 3",
            "Message          bad\u{fffd}[2J",
            "Sent before      2 time(s)",
            "      at y\u{fffd}",
        ] {
            assert!(lines.lines().any(|shown| shown == line), "{line}: {lines}");
        }
    }

    #[test]
    fn a_plan_says_what_is_sent_where_what_is_dangerous_and_what_is_refused() {
        let mut planned = ReplayPlan::default();
        planned.topic = "dlq".to_owned();
        planned.replay = "to original".to_owned();
        planned.group = "g".to_owned();
        planned.resumes = true;
        planned.to_send = 3;
        planned.by_topic = [("orders".to_owned(), 3)].into();
        planned.left_out = 1;
        planned.warnings = vec!["careful".to_owned()];
        planned.refusals = vec!["no such topic".to_owned()];
        let lines = plan(&planned, Marks::Off);
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "Replay    to original from topic dlq",
                "Progress  group g",
                "To send   3 letter(s)",
                "          a run that was interrupted goes on, as it was planned",
                "          3 to topic orders",
                "Left out  1 by --max-replays or --except",
                "Warning   careful",
                "Refused   no such topic",
            ]
        );
    }
}
