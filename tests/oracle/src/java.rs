//! The JVM's side: compiles `java/*.java` against the jars of Kafka Connect and asks it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value as Json;
use wharf_test_services::bundle::Bundle;
use wharf_test_services::jvm_connect;

use crate::{Case, Kind};

/// Puts every case to the JVM, in order, in one process.
///
/// # Errors
/// When there is no Java 17 with compiler, the jars cannot be had, or a case cannot be read there.
pub fn ask(cases: &[Case]) -> Result<Vec<Json>> {
    let class_path = compile()?;
    let mut java = Command::new("java")
        .args(["-Dlog4j2.level=OFF", "-Xss4m"])
        .args(change_event_jars(cases)?)
        .arg("-cp")
        .arg(class_path)
        .arg("Oracle")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run java; install Java 17 or later")?;
    let mut stdin = java.stdin.take().context("java without standard input")?;
    let questions: String = cases.iter().map(|case| format!("{}\n", case.to_json())).collect();
    // In a thread of its own, because java writes answers while it still reads. Should it end early, its exit code says
    // more than the broken pipe.
    let writer = thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = java.wait_with_output()?;
    let _ = writer.join();
    if !output.status.success() {
        bail!("java ended with {}; its reason is above", output.status);
    }
    let answers: Vec<Json> = String::from_utf8(output.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("java wrote something that is not JSON")?;
    ensure!(
        answers.len() == cases.len(),
        "java answered {} of {} cases",
        answers.len(),
        cases.len()
    );
    Ok(answers)
}

/// What Kafka Connect's classes define.
#[derive(Debug, Clone, Copy)]
pub enum Definitions {
    /// The keys of worker files, one line of JSON for each mode and key.
    WorkerKeys,
    /// The metrics, one line of JSON for each group and name.
    MetricNames,
}

/// Definitions of Kafka Connect, as lines of JSON.
///
/// # Errors
/// As of [`ask`].
pub fn definitions(of: Definitions) -> Result<String> {
    let output = Command::new("java")
        .args(["-Dlog4j2.level=OFF", "-cp"])
        .arg(compile()?)
        .arg(match of {
            Definitions::WorkerKeys => "WorkerKeys",
            Definitions::MetricNames => "MetricNames",
        })
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run java; install Java 17 or later")?;
    ensure!(
        output.status.success(),
        "java ended with {}; its reason is above",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Where `java/Records.java` finds the two versions of Debezium's transformations, when they are asked for.
fn change_event_jars(cases: &[Case]) -> Result<Vec<String>> {
    if cases.iter().all(|case| case.kind != Kind::ChangeEvent) {
        return Ok(Vec::new());
    }
    let (now, before) = (Bundle::debezium_transforms(), Bundle::debezium_transforms_3_1());
    Ok(vec![
        format!("-Doracle.debezium={}", now.fetch()?.display()),
        format!("-Doracle.debezium.3.1={}", before.fetch()?.display()),
    ])
}

/// The class path with the programs and the jars.
fn compile() -> Result<String> {
    let jars = Bundle::connect().fetch()?;
    let classes = wharf_test_services::target_dir().join("oracle/classes");
    let mut sources: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("java"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    sources.sort();
    jvm_connect::compile(&jars, &sources, &classes)?;
    Ok(format!("{}:{}/*", classes.display(), jars.display()))
}
