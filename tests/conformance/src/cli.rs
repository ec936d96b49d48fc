//! What may be typed after `cargo xtask conformance`.

use std::ffi::OsString;

use anyhow::{Result, bail};
use lexopt::prelude::{Long, Short};
use lexopt::{Parser, ValueExt as _};
use wharf_conformance::mode::Mode;

/// Shown for `--help`.
pub(crate) const HELP: &str = "\
cargo xtask conformance [--engine ours|jvm|both] [--mode standalone|distributed] [--only PATTERN] [--record]

Runs the scenarios of tests/conformance/scenarios on a real Kafka broker and says where answers differ. The exit code is 1
when a difference is not declared, or a declared one has vanished.

  --engine ours     this worker, compared with the recorded answers of JVM Kafka Connect (default)
  --engine jvm      JVM Kafka Connect, compared with its own recorded answers
  --engine both     both of them alive; writes tests/conformance/results.json and docs/conformance.md
  --mode MODE       only standalone or only distributed; both unless said otherwise
  --only PATTERN    only scenarios whose name contains PATTERN; what results.json has of the others is kept
  --record          write the JVM's answers to tests/conformance/recorded (with jvm or both)
  --document        run nothing, make docs/conformance.md anew from results.json and differences.yaml
  --help            this text

The broker is started for the run, unless WHARF_TEST_KAFKA names one.
";

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Make the document from what is there.
    Document,
    /// Run scenarios.
    Run(Options),
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// On which workers.
    pub(crate) engines: Engines,
    /// How they run; `None` is both ways.
    pub(crate) mode: Option<Mode>,
    /// A part of the names of scenarios.
    pub(crate) only: Option<String>,
    /// Whether to write the JVM's answers down.
    pub(crate) record: bool,
}

/// Which workers are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engines {
    /// Ours, against the recording.
    Ours,
    /// The peer, against the recording.
    Jvm,
    /// Both, against each other.
    Both,
}

impl Engines {
    /// Whether the peer is started.
    pub(crate) fn has_jvm(self) -> bool {
        self != Self::Ours
    }

    /// Whether our worker is started.
    pub(crate) fn has_ours(self) -> bool {
        self != Self::Jvm
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut options = Options {
        engines: Engines::Ours,
        mode: None,
        only: None,
        record: false,
    };
    let mut document = false;
    let mut parser = Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("document") => document = true,
            Long("record") => options.record = true,
            Long("only") => options.only = Some(parser.value()?.string()?),
            Long("mode") => {
                let name = parser.value()?.string()?;
                options.mode = match Mode::of_name(&name) {
                    Some(mode) => Some(mode),
                    None => bail!("unknown mode `{name}`; there are standalone and distributed"),
                }
            }
            Long("engine") => {
                options.engines = match parser.value()?.string()?.as_str() {
                    "ours" => Engines::Ours,
                    "jvm" => Engines::Jvm,
                    "both" => Engines::Both,
                    other => bail!("unknown engine `{other}`; there are ours, jvm and both"),
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if document {
        return Ok(Command::Document);
    }
    if options.record && !options.engines.has_jvm() {
        bail!("--record writes the answers of the JVM; say --engine jvm or --engine both");
    }
    Ok(Command::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn arguments_become_what_they_mean() {
        let run = |engines, only: Option<&str>, record| {
            Command::Run(Options {
                engines,
                mode: None,
                only: only.map(str::to_owned),
                record,
            })
        };
        let cases = [
            ("", run(Engines::Ours, None, false)),
            ("--engine both --record", run(Engines::Both, None, true)),
            (
                "--engine=jvm --only create",
                run(Engines::Jvm, Some("create"), false),
            ),
            (
                "--mode distributed",
                Command::Run(Options {
                    engines: Engines::Ours,
                    mode: Some(Mode::Distributed),
                    only: None,
                    record: false,
                }),
            ),
            ("--document", Command::Document),
            ("--only x --help", Command::Help),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn mistakes_are_refused_with_what_to_do() {
        let cases = [
            ("--engine fast", "ours, jvm and both"),
            ("--mode cluster", "standalone and distributed"),
            ("--record", "--engine jvm"),
            ("--engine ours --record", "--engine jvm"),
            ("scenario", "scenario"),
        ];
        for (line, part) in cases {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
