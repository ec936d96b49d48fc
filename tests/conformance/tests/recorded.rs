//! Every scenario on our worker, compared with what JVM Kafka Connect answered when it was recorded: one test for each
//! scenario file and each mode in which it makes sense.
//!
//! The harness is libtest-mimic, because tests of the usual one are fixed when they are compiled, and scenarios are
//! data. Scenarios share workers and the broker's groups, so they run one after another, whatever number of threads
//! the harness has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use wharf_conformance::compare::judge_scenario;
use wharf_conformance::engine::Wharf;
use wharf_conformance::mode::Mode;
use wharf_conformance::recording::Recording;
use wharf_conformance::report::describe;
use wharf_conformance::runner::Lab;
use wharf_conformance::scenario::Scenario;
use wharf_conformance::suite::{batches, load_own, recordings};
use wharf_test_services::{KafkaBroker, available, target_dir};

/// Workers by mode and the number of their batch, kept until the last test is over.
type Labs = Arc<Mutex<BTreeMap<(Mode, usize), Lab>>>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let labs = Labs::default();
    let mut trials = Vec::new();
    for mode in Mode::ALL {
        let scenarios = load_own(mode).unwrap_or_else(|error| panic!("{error:#}"));
        for (number, batch) in batches(scenarios).into_iter().enumerate() {
            for scenario in batch.scenarios {
                let labs = Arc::clone(&labs);
                let name = format!("{mode}::answers_are_those_of_the_jvm::{}", scenario.id);
                trials.push(Trial::test(name, move || test(&labs, number, &scenario)));
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    labs.lock().unwrap_or_else(PoisonError::into_inner).clear();
    if !conclusion.has_failed() {
        // Logs are for failures.
        let _ = std::fs::remove_dir_all(folder());
    }
    conclusion.exit_code()
}

fn folder() -> PathBuf {
    target_dir().join(format!("conformance/recorded-{}", std::process::id()))
}

fn test(labs: &Labs, number: usize, scenario: &Scenario) -> Result<(), Failed> {
    let Some(kafka) = KafkaBroker::shared() else {
        return Ok(());
    };
    let Some(engine) = available(Wharf::new()) else {
        return Ok(());
    };
    let mut labs = labs.lock().unwrap_or_else(PoisonError::into_inner);
    let mode = scenario.setup.mode;
    let lab = match labs.entry((mode, number)) {
        Entry::Occupied(running) => running.into_mut(),
        Entry::Vacant(none) => {
            let folder = folder().join(format!("{mode}-{number}"));
            let lab = Lab::start(&engine, &scenario.setup, kafka.bootstrap(), &folder);
            none.insert(lab.map_err(|error| format!("{error:#}"))?)
        }
    };
    let recording = Recording::read(&recordings(mode), &scenario.id)
        .map_err(|error| format!("{error:#}"))?
        .ok_or("not recorded; run `cargo xtask conformance --engine jvm --record`")?;
    let expected = |step: &str| {
        let answer = recording.answer(step).cloned();
        answer.ok_or_else(|| "not recorded".to_owned())
    };
    let outcome = lab.run(scenario);
    let mut complaints = String::new();
    for (step, verdict) in judge_scenario(scenario, &expected, &outcome) {
        if !verdict.is_good() {
            let (word, lines) = describe(&verdict);
            let _ = write!(complaints, "\n{step}: {word}\n  {}", lines.join("\n  "));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    let log = lab.log().display();
    let id = &scenario.id;
    Err(format!(
        "{complaints}\n\nscenario: tests/conformance/scenarios/{id}.yaml\nlog of the worker: {log}\n\
         beside the JVM: cargo xtask conformance --engine both --mode {mode} --only {id}"
    )
    .into())
}
