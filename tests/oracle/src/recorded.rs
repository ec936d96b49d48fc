//! The recorded answers: one file per kind below `recorded/`, one line per case with the answer in it. Beside them, in files of
//! their own, the worker keys and the metrics of Kafka Connect; tests of `wharf-runtime` hold ours against those.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::java::Definitions;
use crate::{Case, Kind};

/// Where the files are.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recorded")
}

fn file(kind: Kind) -> PathBuf {
    folder().join(format!("{}.jsonl", kind.name()))
}

/// Writes one file.
///
/// # Errors
/// When it cannot be written.
pub fn write(kind: Kind, cases: &[Case], answers: &[Json]) -> Result<()> {
    ensure!(
        cases.len() == answers.len(),
        "{} cases, but {} answers",
        cases.len(),
        answers.len()
    );
    let mut text = String::new();
    for (case, answer) in cases.iter().zip(answers) {
        let mut line = case.to_json();
        line["answer"] = answer.clone();
        text.push_str(&line.to_string());
        text.push('\n');
    }
    fs::create_dir_all(folder())?;
    let path = file(kind);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes definitions of Kafka Connect.
///
/// # Errors
/// When they cannot be written.
pub fn write_definitions(of: Definitions, lines: &str) -> Result<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(match of {
        Definitions::WorkerKeys => "worker-keys/kafka-4.3.jsonl",
        Definitions::MetricNames => "metric-names/kafka-4.3.jsonl",
    });
    fs::write(&path, lines).with_context(|| format!("cannot write {}", path.display()))
}

/// A recorded line.
#[derive(Debug, Clone)]
pub struct Line {
    /// The case as it was when it was recorded.
    pub case: Json,
    /// The JVM's answer.
    pub answer: Json,
}

/// Reads one file.
///
/// # Errors
/// When it is missing or holds something else.
pub fn read(kind: Kind) -> Result<Vec<Line>> {
    let path = file(kind);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; `cargo xtask oracle` records it", path.display()))?;
    text.lines()
        .map(|line| {
            let mut line: Json = serde_json::from_str(line)
                .with_context(|| format!("{} holds a line that is not JSON", path.display()))?;
            let answer = line.as_object_mut().and_then(|line| line.shift_remove("answer"));
            Ok(Line {
                case: line,
                answer: answer.context("a line without an answer")?,
            })
        })
        .collect()
}
