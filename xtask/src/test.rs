//! `cargo xtask test`: every test of the workspace, and one plain line at the end that counts them.
//!
//! The hermetic part always runs. One real Kafka broker is started for the whole run and named to the test binaries
//! by environment; where it cannot be had, the tests that need it say so and are listed, and the run still succeeds,
//! except under CI or `--require-services`, where they fail and the run with them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use wharf_test_services::{
    KafkaBroker, REQUIRE_SERVICES, SKIP_LOG, SKIP_REASON, ServiceError, TEST_KAFKA, built, required,
};

use crate::build::{self, Scope};
use crate::flags::{Profile, Test};
use crate::project;

/// What the test binaries said of themselves, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// The verb.
pub(crate) fn run(options: &Test) -> Result<()> {
    build::build(Profile::Dev, Scope::Workspace)?;
    let mut require = options.require_services || required();
    let kafka = KafkaBroker::start().map_err(|error| {
        // One that is there and fails is a defect wherever it happens.
        require |= matches!(error, ServiceError::Failed(_));
        match error {
            ServiceError::Unavailable(reason) => reason,
            other => other.to_string(),
        }
    });
    match &kafka {
        Ok(kafka) => println!("kafka for the tests: {}", kafka.bootstrap()),
        Err(reason) if require => println!("no kafka for the tests, those that need it will fail: {reason}"),
        Err(reason) => println!("no kafka for the tests, those that need it are skipped: {reason}"),
    }
    let skip_log = wharf_test_services::target_dir().join(format!("skipped-{}.txt", std::process::id()));
    let outcome = cargo_test(
        options,
        require,
        kafka.as_ref().map_err(String::as_str),
        &skip_log,
    );
    let skipped = fs::read_to_string(&skip_log).unwrap_or_default();
    let _ = fs::remove_file(&skip_log);
    let lacking = require && kafka.is_err();
    drop(kafka);
    let (totals, success) = outcome?;

    println!();
    let skipped: BTreeSet<_> = skipped.lines().collect();
    if !skipped.is_empty() {
        println!(
            "skipped for want of a service, though counted as passed by the harness: {}",
            skipped.len()
        );
        for line in &skipped {
            println!("  {line}");
        }
    }
    let verdict = verdict(totals, success && !lacking);
    if lacking {
        println!("a service that is required is not there, which counts as a failure by itself");
    } else if !success && totals.failed == 0 {
        println!("a test binary was not built or ended without a result; it counts as one failure");
    }
    if totals.ignored > 0 {
        println!(
            "{} tests are marked as ignored, which the house does not allow; they count as failures",
            totals.ignored
        );
    }
    println!("{} passed, {} failed", verdict.passed, verdict.failed);
    if verdict.failed > 0 {
        // Said already, on the line that must be the last one.
        std::process::exit(1);
    }
    Ok(())
}

fn cargo_test(
    options: &Test,
    require: bool,
    kafka: Result<&KafkaBroker, &str>,
    skip_log: &Path,
) -> Result<(Totals, bool)> {
    let mut command = project::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(whole_workspace(&options.args))
        .args(&options.args)
        .env(built::WORKER, project::binary(Profile::Dev, "wharf"))
        .env(built::PLUGINS, project::plugin_dir(Profile::Dev))
        .env(
            built::EMBEDDED_BROKER,
            project::binary(Profile::Dev, "wharf-embedded-broker"),
        )
        .env(SKIP_LOG, skip_log)
        .stdout(Stdio::piped());
    match kafka {
        Ok(kafka) => command.env(TEST_KAFKA, kafka.bootstrap()).env_remove(SKIP_REASON),
        Err(reason) => command.env(SKIP_REASON, reason).env_remove(TEST_KAFKA),
    };
    if require {
        command.env(REQUIRE_SERVICES, "1");
    }
    let mut child = command.spawn().context("cannot run cargo test")?;
    let mut totals = Totals::default();
    if let Some(stdout) = child.stdout.take() {
        // Lossy: a test may print any bytes, and its result line must still be found.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read what cargo test prints")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(more) = result_line(&line) {
                totals.passed += more.passed;
                totals.failed += more.failed;
                totals.ignored += more.ignored;
            }
        }
    }
    let status = child.wait().context("cannot wait for cargo test")?;
    Ok((totals, status.success()))
}

/// Cargo would take `--workspace -p X` as the whole workspace, so it is said only when no package was named.
fn whole_workspace(args: &[OsString]) -> Option<&'static str> {
    let names_a_package = |arg: &OsString| {
        arg.to_str().is_some_and(|arg| {
            arg == "--package"
                || arg.starts_with("--package=")
                || (arg.starts_with("-p") && !arg.starts_with("--"))
        })
    };
    // What follows a second `--` is for the test binaries.
    let own = args.iter().take_while(|arg| *arg != "--");
    (!own.clone().any(names_a_package)).then_some("--workspace")
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`; any other line is `None`.
fn result_line(line: &str) -> Option<Totals> {
    let (_, counts) = line
        .trim_start()
        .strip_prefix("test result: ")?
        .split_once(". ")?;
    let count = |what: &str| {
        counts
            .split(';')
            .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some(Totals {
        passed: count(" passed")?,
        failed: count(" failed")?,
        ignored: count(" ignored")?,
    })
}

/// What is said at the end: an ignored test is a failure here, and so is a failing run that counts none, as when a
/// binary dies of a signal or does not compile.
fn verdict(totals: Totals, success: bool) -> Totals {
    let mut failed = totals.failed + totals.ignored;
    if !success {
        failed = failed.max(1);
    }
    Totals { failed, ..totals }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_nothing_else_is() {
        let totals = |passed, failed, ignored| {
            Some(Totals {
                passed,
                failed,
                ignored,
            })
        };
        let cases = [
            (
                "test result: ok. 17 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.18s",
                totals(17, 0, 0),
            ),
            (
                "test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 9 filtered out; finished in 8s",
                totals(2, 1, 3),
            ),
            ("test a::result ... ok", None),
            ("test result: ok", None),
            ("17 passed, 0 failed", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(result_line(line), expected, "{line}");
        }
    }

    #[test]
    fn the_whole_workspace_is_tested_unless_a_package_is_named() {
        let cases = [
            (&[][..], true),
            (&["offset"][..], true),
            (&["-p", "wharf"][..], false),
            (&["-pwharf"][..], false),
            (&["--package=wharf"][..], false),
            (&["--", "-p"][..], true),
        ];
        for (args, expected) in cases {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            assert_eq!(whole_workspace(&args).is_some(), expected, "{args:?}");
        }
    }

    #[test]
    fn a_run_that_fails_is_never_reported_without_a_failure() {
        let totals = |failed, ignored| Totals {
            passed: 5,
            failed,
            ignored,
        };
        let cases = [
            (totals(0, 0), true, 0),
            (totals(0, 0), false, 1),
            (totals(3, 0), false, 3),
            (totals(0, 2), true, 2),
        ];
        for (sum, success, failed) in cases {
            assert_eq!(verdict(sum, success).failed, failed, "{sum:?} {success}");
        }
    }
}
