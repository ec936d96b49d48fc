//! Wharf measured beside bare librdkafka, kcat and JVM Kafka Connect, all in one run on a real broker.
//!
//! `cargo xtask bench` builds it with the worker and runs it. [`bench`] makes the rows, [`report`] makes documents of them.
//! What is measured in a process of its own is started as this same program with `bare-source`, `bare-sink` or `border`.
//!
//! Invariant: documents say nothing that does not follow from the rows in the tree; a test compares them.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person at a terminal is its work"
)]

mod bare;
mod bench;
mod border;
mod flags;
mod groups;
mod kafka;
#[path = "../../../plugins/file/src/line_buffer.rs"]
#[allow(dead_code, reason = "the plugin's own file; not all of it is needed here")]
mod line_buffer;
mod lines;
mod machine;
mod metrics_cost;
mod process;
mod report;
mod rows;
mod settings;
mod tables;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use flags::{Command, GroupOptions, Mode, Options, TableOptions};
use rows::{Handling, Row};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match args.first().and_then(|name| name.to_str()) {
        Some("bare-source" | "bare-sink" | "border") => inner(&args),
        _ => match flags::parse(args) {
            Ok(Command::Help) => {
                print!("{}", flags::HELP);
                Ok(())
            }
            Ok(Command::Render) => render(),
            Ok(Command::Measure(options)) => measure(options),
            Ok(Command::Groups(options)) => measure_groups(options),
            Ok(Command::Tables(options)) => measure_tables(options),
            Ok(Command::Metrics) => measure_metrics(),
            Err(error) => {
                eprintln!("error: {error:#}\n\n{}", flags::HELP);
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

fn measure(options: Options) -> Result<()> {
    let (mode, work) = (options.mode, options.work);
    let rows = bench::run(options, &root())?;
    let full = match work {
        Handling::Json | Handling::Avro => report::work_path(&root(), work),
        Handling::Text => results(Mode::Full),
    };
    keep(mode, full, &rows, &report::table(&rows))
}

fn measure_groups(options: GroupOptions) -> Result<()> {
    let mode = options.mode;
    let rows = groups::run(options, &root())?;
    keep(
        mode,
        report::groups_path(&root()),
        &rows,
        &report::groups_table(&rows),
    )
}

fn measure_tables(options: TableOptions) -> Result<()> {
    let mode = options.mode;
    let rows = tables::run(options, &root())?;
    keep(
        mode,
        report::tables_path(&root()),
        &rows,
        &report::tables_table(&rows),
    )
}

fn measure_metrics() -> Result<()> {
    let rows = metrics_cost::run(&root())?;
    keep(
        Mode::Full,
        report::metrics_path(&root()),
        &rows,
        &report::metrics_table(&rows),
    )
}

/// Writes the rows, those of a complete run to `full`, and shows their table; a complete run makes the documents anew.
fn keep(mode: Mode, full: PathBuf, rows: &[Row], table: &str) -> Result<()> {
    let path = match mode {
        Mode::Full => full,
        Mode::Quick | Mode::Trial => results(mode),
    };
    rows::write(&path, rows)?;
    println!("\n{table}");
    println!("rows: {}", path.display());
    match mode {
        Mode::Full => render(),
        Mode::Quick | Mode::Trial => Ok(()),
    }
}

fn results(mode: Mode) -> PathBuf {
    root()
        .join("tests/bench/results")
        .join(format!("{}.jsonl", mode.name()))
}

/// Writes the documents from the rows in the tree.
fn render() -> Result<()> {
    let path = results(Mode::Full);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = rows::parse(&text)?;
    for (document, text) in report::documents(&rows, &root())? {
        fs::write(&document, text).with_context(|| format!("cannot write {}", document.display()))?;
        println!("written: {}", document.display());
    }
    Ok(())
}

/// The parts that run in a process of their own.
fn inner(args: &[OsString]) -> Result<()> {
    let text = |index: usize| -> Result<&str> {
        let missing = || format!("argument {index} is missing");
        args.get(index)
            .and_then(|text| text.to_str())
            .with_context(missing)
    };
    let settings = || -> Result<BTreeMap<String, String>> {
        let file = text(1)?;
        let json = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        Ok(serde_json::from_str(&json)?)
    };
    match text(0)? {
        "bare-source" => {
            bare::source(&settings()?, text(2)?, Path::new(text(3)?))?;
        }
        "bare-sink" => {
            bare::sink(&settings()?, text(2)?, Path::new(text(3)?), text(4)?.parse()?)?;
        }
        "border" => {
            let costs = border::measure(Path::new(text(1)?), Path::new(text(2)?), text(3)?.parse()?)?;
            println!("{}", serde_json::to_string(&costs)?);
        }
        other => bail!("there is no `{other}`"),
    }
    Ok(())
}
