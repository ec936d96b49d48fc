//! `cargo xtask oracle`: asks the JVM, keeps its answers, compares ours with them.
#![allow(
    clippy::print_stdout,
    reason = "talking to a person at a terminal is its work"
)]

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use lexopt::ValueExt as _;
use wharf_oracle::compare::{Verdict, compare, jvm_answer};
use wharf_oracle::java::Definitions;
use wharf_oracle::recorded::Line;
use wharf_oracle::report::Report;
use wharf_oracle::{Case, Kind, Zone, cases, java, ours, recorded};

const HELP: &str = "\
Asks the classes of Kafka Connect for the answers that ours are compared with, and compares. Records their worker keys and
metrics, too, unless only some kinds are wanted; tests of the worker compare those.

Usage: cargo xtask oracle [OPTIONS]

  --only KIND   one kind; may be given several times
  --compare     compare with what is recorded, without Java
  --seed N      ask about other generated cases, and record nothing; N is any number but 0
  --words       also list where both refuse in other words
  --help        this text
";

struct Options {
    kinds: Vec<Kind>,
    only_compare: bool,
    words: bool,
    seed: u64,
    /// Set for the process that compares in this zone.
    zone: Option<Zone>,
}

fn main() -> Result<ExitCode> {
    let Some(options) = options()? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(zone) = options.zone {
        let report = if options.seed != 0 {
            explore(&options.kinds, options.seed, zone)?
        } else {
            Report::of(&options.kinds, zone)?
        };
        println!("{}\n{report}", zone.name);
        return Ok(if report.problems.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if !options.only_compare && options.seed == 0 {
        record(&options.kinds)?;
        if options.kinds.len() == Kind::ALL.len() {
            for of in [Definitions::WorkerKeys, Definitions::MetricNames] {
                recorded::write_definitions(of, &java::definitions(of)?)?;
            }
        }
    }
    if options.words {
        list_words(&options.kinds)?;
    }
    in_each_zone(&options)
}

/// Compares in a process of its own for each zone, because the zone is a property of the process.
fn in_each_zone(options: &Options) -> Result<ExitCode> {
    let mut outcome = ExitCode::SUCCESS;
    for zone in Zone::ALL {
        // Only cases of this kind have other zones than UTC, and none of them is generated.
        if zone != Zone::UTC && (options.seed != 0 || !options.kinds.contains(&Kind::Zoned)) {
            continue;
        }
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["--zone", zone.name, "--seed", &options.seed.to_string()]);
        for kind in &options.kinds {
            // Where all are wanted, the child is to know it.
            if options.kinds.len() < Kind::ALL.len() {
                child.args(["--only", kind.name()]);
            }
        }
        if !child.env("TZ", zone.rules).status()?.success() {
            outcome = ExitCode::FAILURE;
        }
    }
    Ok(outcome)
}

fn options() -> Result<Option<Options>> {
    let mut options = Options {
        kinds: Vec::new(),
        only_compare: false,
        words: false,
        seed: 0,
        zone: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("only") => {
                let name = parser.value()?.to_string_lossy().into_owned();
                let Some(kind) = Kind::named(&name) else {
                    let known: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
                    bail!("no kind is named \"{name}\"; there are {}", known.join(", "));
                };
                options.kinds.push(kind);
            }
            lexopt::Arg::Long("compare") => options.only_compare = true,
            lexopt::Arg::Long("seed") => options.seed = parser.value()?.parse()?,
            lexopt::Arg::Long("zone") => {
                let name = parser.value()?;
                options.zone = Zone::ALL.into_iter().find(|zone| *zone.name == *name);
            }
            lexopt::Arg::Long("words") => options.words = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.kinds.is_empty() {
        options.kinds = Kind::ALL.to_vec();
    }
    Ok(Some(options))
}

fn record(kinds: &[Kind]) -> Result<()> {
    let tables: Vec<_> = kinds.iter().map(|&kind| (kind, cases::of(kind))).collect();
    let all: Vec<_> = tables.iter().flat_map(|(_, cases)| cases).cloned().collect();
    let mut answers = java::ask(&all)?.into_iter();
    for (kind, cases) in &tables {
        let own: Vec<_> = answers.by_ref().take(cases.len()).collect();
        recorded::write(*kind, cases, &own)?;
    }
    Ok(())
}

/// Generated cases of another seed, compared at once. For looking around; what is found belongs into a table.
fn explore(kinds: &[Kind], seed: u64, zone: Zone) -> Result<Report> {
    let generated: Vec<Case> = kinds
        .iter()
        .flat_map(|&kind| cases::with_seed(kind, seed))
        .filter(|case| case.id.contains("/generated") && case.zone == zone)
        .collect();
    let mut report = Report::default();
    for (case, answer) in generated.iter().zip(java::ask(&generated)?) {
        let case_json = case.to_json();
        report.add(
            case,
            &Line {
                case: case_json,
                answer,
            },
        );
    }
    Ok(report)
}

fn list_words(kinds: &[Kind]) -> Result<()> {
    for &kind in kinds {
        for (case, line) in cases::of(kind).iter().zip(recorded::read(kind)?) {
            let jvm = jvm_answer(&case.call, &line.answer)?;
            let ours = ours::answer(&case.call);
            if compare(&jvm, &ours) == Verdict::RefusedInOtherWords
                && let (Err(jvm), Err(ours)) = (jvm, ours)
            {
                println!(
                    "{}\n  jvm  {}: {}\n  ours {}: {ours:#}",
                    case.id,
                    jvm.class,
                    jvm.message.unwrap_or_default(),
                    ours.kind().name()
                );
            }
        }
    }
    Ok(())
}
