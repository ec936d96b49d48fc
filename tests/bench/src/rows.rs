//! Raw rows: what was measured, one JSON object a line, and nothing that can be computed from others.
//!
//! The figures of the documents are made from these rows alone, so whoever doubts one can work it out again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Engine {
    /// The bare loops of this crate.
    Bare,
    /// kcat, somebody else's bare loop.
    Kcat,
    /// JVM Kafka Connect.
    Jvm,
    /// Wharf.
    Wharf,
}

impl Engine {
    pub(crate) const ALL: [Self; 4] = [Self::Bare, Self::Kcat, Self::Jvm, Self::Wharf];

    /// As the command line and the rows name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Kcat => "kcat",
            Self::Jvm => "jvm",
            Self::Wharf => "wharf",
        }
    }
}

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    FileToTopic,
    TopicToFile,
}

impl Direction {
    pub(crate) const ALL: [Self; 2] = [Self::FileToTopic, Self::TopicToFile];

    /// As documents call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::FileToTopic => "file → topic",
            Self::TopicToFile => "topic → file",
        }
    }
}

/// What a worker makes of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Handling {
    /// Nothing: String converter, no transformation.
    #[default]
    Text,
    /// JSON with schemas; three transformations on the way to the topic, one on the way back.
    Json,
    /// The same with Avro and a schema registry.
    Avro,
}

impl Handling {
    pub(crate) const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Avro];

    /// As the command line and files name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Avro => "avro",
        }
    }
}

/// Whether the process had done the same work before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pass {
    /// The first run of a process that gets a second one; never part of a ratio.
    First,
    /// The run that counts.
    Measured,
}

/// What is done with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Rows are written into an empty table.
    Insert,
    /// Rows are written into a table that has every second of them.
    Upsert,
    /// All rows are read.
    Read,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Insert, Self::Upsert, Self::Read];

    /// As documents call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Insert => "topic → table, insert",
            Self::Upsert => "topic → table, upsert",
            Self::Read => "table → topic, bulk",
        }
    }
}

/// What an idle worker had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdleState {
    NoConnector,
    FileConnectors,
}

/// How a worker went out of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// By SIGTERM.
    Leave,
    /// By SIGKILL.
    Crash,
}

/// The machine and the versions of everything, once per file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) work: Handling,
    pub(crate) date: String,
    pub(crate) commit: String,
    /// Whether the tree had changes that no commit has.
    pub(crate) changed_since_commit: bool,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) system: String,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) rounds: u32,
    pub(crate) records: u64,
    /// Why an engine or a counter is missing, and other things to know.
    pub(crate) remarks: Vec<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Row {
    About(About),
    Settings {
        engine: Engine,
        direction: Direction,
        settings: BTreeMap<String, String>,
    },
    Round {
        round: u32,
        /// Load average of the last minute before it; tells a quiet machine from a busy one.
        load: f64,
    },
    Transfer {
        round: u32,
        direction: Direction,
        engine: Engine,
        pass: Pass,
        records: u64,
        wall_s: f64,
        /// User and system time of the process and of those it started.
        cpu_s: f64,
        /// Largest resident memory of the process so far.
        peak_rss_bytes: u64,
        /// Instructions in user mode, where the machine counts them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instructions: Option<u64>,
        /// What was looked at before the row was written.
        verified: String,
    },
    Start {
        round: u32,
        engine: Engine,
        first_answer_ms: f64,
        /// Processor time until then.
        cpu_s: f64,
    },
    Idle {
        round: u32,
        engine: Engine,
        state: IdleState,
        rss_bytes: u64,
    },
    Border {
        round: u32,
        direction: Direction,
        records: u64,
        /// Processor nanoseconds per record through the library and the border.
        plugin_ns: f64,
        /// The same work linked statically and without a batch.
        static_ns: f64,
    },
    /// One of two workers of a group went; counted from the signal.
    Recovery {
        round: u32,
        engine: Engine,
        exit: Exit,
        /// Whether it led the group.
        #[serde(default)]
        leads: bool,
        /// File sources, spread over both workers.
        sources: u32,
        /// File sinks, the same.
        #[serde(default)]
        sinks: u32,
        session_timeout_ms: u64,
        /// `scheduled.rebalance.max.delay.ms` of both workers.
        rebalance_delay_ms: u64,
        /// Until the other worker had everything RUNNING by its REST API.
        running_s: f64,
        /// Until a line written after the signal had come from every source.
        lines_s: f64,
        /// Until such a line was in the file of every sink.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sink_lines_s: Option<f64>,
    },
    /// Tasks that stayed on their worker while another joined and left.
    Pause {
        round: u32,
        engine: Engine,
        /// Sources, as in rows that do not say so, or sinks.
        #[serde(default = "sources")]
        direction: Direction,
        /// Members of the consumer group that a sink of them is in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consumer_group_members: Option<u32>,
        unmoved: u32,
        /// Length of either window.
        window_s: f64,
        /// Longest time without a line of one of them while the other worker joined and left.
        gap_ms: u64,
        /// The same in a quiet time.
        quiet_gap_ms: u64,
        /// From the start of the other process until it had its part of the work.
        join_s: f64,
    },
    /// A distributed worker with so many connectors that have nothing to do.
    ManyIdle {
        round: u32,
        engine: Engine,
        /// Sources or sinks; neither without connectors.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
        connectors: u32,
        /// From the start of the process until all were RUNNING.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        running_s: Option<f64>,
        rss_bytes: u64,
        threads: u64,
    },
    /// Records written into a table, or rows read; `bare` is the server's own COPY.
    Table {
        round: u32,
        engine: Engine,
        way: Way,
        pass: Pass,
        records: u64,
        /// From the request that creates the connector until the last row was there.
        wall_s: f64,
        /// Of the worker alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpu_s: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peak_rss_bytes: Option<u64>,
        /// What was looked at before the row was written.
        verified: String,
    },
    /// Instructions of a whole worker that moved so many lines.
    Instructions {
        direction: Direction,
        lines: u64,
        total: u64,
        /// Those of metrics and clocks.
        metrics: u64,
    },
}

fn sources() -> Direction {
    Direction::FileToTopic
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::About(about) => write!(f, "{} of {}", about.mode, about.date),
            Self::Settings {
                engine, direction, ..
            } => {
                write!(f, "settings of {} for {}", engine.name(), direction.title())
            }
            Self::Round { round, load } => write!(f, "round {round}, load average {load:.2}"),
            Self::Transfer {
                direction,
                engine,
                pass,
                records,
                wall_s,
                cpu_s,
                peak_rss_bytes,
                ..
            } => write!(
                f,
                "  {} {:5} {:8} {wall_s:7.2} s  {:9.0} records/s  {:6.2} CPU-s per million  {:5.0} MB",
                direction.title(),
                engine.name(),
                if *pass == Pass::First { "first" } else { "" },
                *records as f64 / wall_s,
                cpu_s * 1e6 / *records as f64,
                *peak_rss_bytes as f64 / 1e6
            ),
            Self::Start {
                engine,
                first_answer_ms,
                cpu_s,
                ..
            } => write!(
                f,
                "  start        {:5} {first_answer_ms:9.1} ms to the first answer, {cpu_s:.2} CPU-s",
                engine.name()
            ),
            Self::Idle {
                engine,
                state,
                rss_bytes,
                ..
            } => write!(
                f,
                "  idle         {:5} {:6.1} MB {}",
                engine.name(),
                *rss_bytes as f64 / 1e6,
                match state {
                    IdleState::NoConnector => "without connectors",
                    IdleState::FileConnectors => "with idle file connectors",
                }
            ),
            Self::Border {
                direction,
                plugin_ns,
                static_ns,
                ..
            } => write!(
                f,
                "  border {} {plugin_ns:6.1} ns through it, {static_ns:6.1} ns without",
                direction.title()
            ),
            Self::Recovery {
                engine,
                exit,
                leads,
                rebalance_delay_ms,
                running_s,
                lines_s,
                sink_lines_s,
                ..
            } => write!(
                f,
                "  {:12} {:5} {running_s:6.2} s until all is RUNNING, {lines_s:6.2} s until all lines come, {:6.2} s until all are \
                 written (delay {rebalance_delay_ms} ms){}",
                match exit {
                    Exit::Leave => "leave",
                    Exit::Crash => "crash",
                },
                engine.name(),
                sink_lines_s.unwrap_or_default(),
                if *leads { " of the leader" } else { "" }
            ),
            Self::Pause {
                engine,
                direction,
                consumer_group_members,
                unmoved,
                gap_ms,
                quiet_gap_ms,
                ..
            } => write!(
                f,
                "  pause        {:5} {gap_ms} ms without a line of {unmoved} unmoved tasks, {quiet_gap_ms} ms in a quiet time ({}{})",
                engine.name(),
                direction.title(),
                consumer_group_members
                    .map_or_else(String::new, |members| format!(", consumer groups of {members}")),
            ),
            Self::ManyIdle {
                engine,
                direction,
                connectors,
                running_s,
                rss_bytes,
                threads,
                ..
            } => write!(
                f,
                "  many         {:5} {connectors} connectors {} {:6.2} s {:7.1} MB {threads} threads",
                engine.name(),
                direction.map_or("", Direction::title),
                running_s.unwrap_or_default(),
                *rss_bytes as f64 / 1e6
            ),
            Self::Table {
                engine,
                way,
                pass,
                records,
                wall_s,
                cpu_s,
                peak_rss_bytes,
                ..
            } => write!(
                f,
                "  {} {:5} {:8} {wall_s:7.2} s  {:9.0} rows/s  {:6.2} CPU-s per million  {:5.0} MB",
                way.title(),
                engine.name(),
                if *pass == Pass::First { "first" } else { "" },
                *records as f64 / wall_s,
                cpu_s.unwrap_or_default() * 1e6 / *records as f64,
                peak_rss_bytes.unwrap_or_default() as f64 / 1e6
            ),
            Self::Instructions {
                direction,
                lines,
                total,
                metrics,
            } => write!(
                f,
                "  {} {lines} lines: {total} instructions, {metrics} of metrics and clocks",
                direction.title()
            ),
        }
    }
}

/// Writes all rows; the file appears whole or not at all.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    let partial = path.with_extension("partial");
    fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the text of a file of rows.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} is no row", number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let rows = vec![
            Row::Round { round: 1, load: 0.25 },
            Row::Start {
                round: 1,
                engine: Engine::Wharf,
                first_answer_ms: 50.5,
                cpu_s: 0.04,
            },
            Row::Settings {
                engine: Engine::Bare,
                direction: Direction::FileToTopic,
                settings: [("acks".to_owned(), "all".to_owned())].into(),
            },
        ];
        let path = std::env::temp_dir().join(format!("wharf-bench-rows-{}.jsonl", std::process::id()));
        write(&path, &rows).unwrap();
        assert_eq!(parse(&fs::read_to_string(&path).unwrap()).unwrap(), rows);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_pause_without_a_direction_is_one_of_sources() {
        let old = r#"{"kind":"pause","round":1,"engine":"jvm","unmoved":2,"window_s":20.5,"gap_ms":16,"quiet_gap_ms":9,"join_s":11.5}"#;
        let rows = parse(old).unwrap();
        assert!(
            matches!(
                rows[0],
                Row::Pause {
                    direction: Direction::FileToTopic,
                    consumer_group_members: None,
                    ..
                }
            ),
            "{rows:?}"
        );
        let written = serde_json::to_string(&rows[0]).unwrap();
        assert!(
            written.contains(r#""direction":"file-to-topic","unmoved":2"#),
            "{written}"
        );
    }

    #[test]
    fn a_line_that_is_no_row_is_named() {
        let error = parse("{\"kind\":\"round\",\"round\":1,\"load\":0}\n{}\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error:#}");
    }
}
