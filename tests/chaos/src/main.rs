//! `cargo xtask chaos`: one run of chaos, as long as one wants, with a seed that one may choose.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person at a terminal is its work"
)]

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use wharf_chaos::{Settings, any_seed, run};

const HELP: &str = "\
Kills, freezes and stops workers of a group and restarts their broker at random, and counts lost and doubled records.

cargo xtask chaos [OPTIONS]

  --minutes N       about how long (2)
  --seed N          where chance begins; any, and printed, unless given
  --exactly-once    sources write exactly once: a doubled record is a failure, too
  --help            this text
";

/// What to do; `None` is to print the help.
fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Settings>> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut minutes, mut seed, mut exactly_once) = (None, None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("minutes") => minutes = Some(parser.value()?.parse::<u64>()?),
            Long("seed") => seed = Some(parser.value()?.parse::<u64>()?),
            Long("exactly-once") => exactly_once = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if minutes == Some(0) {
        bail!("--minutes 0 is no run; use 1 or more");
    }
    let seed = seed.unwrap_or_else(any_seed);
    let settings = minutes.map_or_else(
        || Settings::short(seed),
        |minutes| Settings::of_minutes(seed, minutes),
    );
    Ok(Some(if exactly_once {
        settings.exactly_once()
    } else {
        settings
    }))
}

fn main() -> ExitCode {
    let settings = match parse(std::env::args_os().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error:#}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let Some(outcome) = run(&settings) else {
        return ExitCode::FAILURE;
    };
    println!("{outcome}");
    match outcome.verdict(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Settings>> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_is_typed_becomes_settings() {
        let seed = 5;
        let cases = [
            ("--help", None),
            ("--seed 5", Some(Settings::short(seed))),
            ("--minutes 20 --seed 5", Some(Settings::of_minutes(seed, 20))),
            (
                "--seed 5 --exactly-once",
                Some(Settings::short(seed).exactly_once()),
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
        for line in ["--minutes 0", "--minutes x", "--sed 5", "more"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
