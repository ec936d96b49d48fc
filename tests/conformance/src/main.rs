//! `cargo xtask conformance`: runs the scenarios, says what differs, and writes recordings, results and the document.

mod cli;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use wharf_conformance::compare::{Verdict, differences, judge_scenario};
use wharf_conformance::differences::Differences;
use wharf_conformance::document::document;
use wharf_conformance::engine::{Engine, Jvm, Wharf};
use wharf_conformance::mode::Mode;
use wharf_conformance::recording::{RecordedStep, Recording};
use wharf_conformance::report::{self, Tally};
use wharf_conformance::results::{Results, ScenarioResult, StepOutcome, StepResult};
use wharf_conformance::runner::{Lab, Outcome, Seen};
use wharf_conformance::scenario::Scenario;
use wharf_conformance::suite::{self, Batch};
use wharf_test_services::bundle::KAFKA_VERSION;
use wharf_test_services::{KafkaBroker, TEST_KAFKA, target_dir};

use cli::{Command, Engines, Options};

fn main() -> ExitCode {
    let mut out = io::stdout();
    match cli::parse(std::env::args_os().skip(1)).and_then(|command| run(&command, &mut out)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "conformance: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything was as it should be.
fn run(command: &Command, out: &mut dyn Write) -> Result<bool> {
    match command {
        Command::Help => {
            out.write_all(cli::HELP.as_bytes())?;
            Ok(true)
        }
        Command::Document => {
            let results = Results::read(&suite::home().join("results.json"))?;
            write_document(&results, &read_differences()?)?;
            Ok(true)
        }
        Command::Run(options) => run_scenarios(options, out),
    }
}

fn read_differences() -> Result<Differences> {
    Differences::read(&suite::home().join("differences.yaml"))
}

fn write_document(results: &Results, differences: &Differences) -> Result<()> {
    let path = suite::home().join("../../docs/conformance.md");
    std::fs::write(&path, document(results, differences))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The engines of a run, and where they run.
struct Run<'a> {
    options: &'a Options,
    jvm: Option<Jvm>,
    ours: Option<Wharf>,
    bootstrap: String,
    folder: PathBuf,
    tally: Tally,
    results: Found,
}

/// Results by scenario and mode.
type Found = BTreeMap<(String, Mode), ScenarioResult>;

fn run_scenarios(options: &Options, out: &mut dyn Write) -> Result<bool> {
    let rows = read_differences()?;
    let mut scenarios = Vec::new();
    for mode in Mode::ALL {
        scenarios.extend(suite::load_own(mode)?);
    }
    let all: Vec<_> = scenarios.iter().map(key).collect();
    scenarios.retain(|scenario| {
        let only = options.only.as_deref();
        only.is_none_or(|only| scenario.id.contains(only))
            && options.mode.is_none_or(|mode| scenario.setup.mode == mode)
    });
    if scenarios.is_empty() {
        bail!(
            "no scenario{} has a name that contains `{}`",
            options
                .mode
                .map(|mode| format!(" of {mode} mode"))
                .unwrap_or_default(),
            options.only.as_deref().unwrap_or_default()
        );
    }
    rows.check(&scenarios)?;
    let mut broker = None;
    let bootstrap = match std::env::var(TEST_KAFKA) {
        Ok(bootstrap) if !bootstrap.is_empty() => bootstrap,
        _ => broker.insert(KafkaBroker::start()?).bootstrap(),
    };
    let mut run = Run {
        options,
        jvm: options.engines.has_jvm().then(Jvm::new).transpose()?,
        ours: options.engines.has_ours().then(Wharf::new).transpose()?,
        bootstrap,
        folder: target_dir().join(format!("conformance/{}", std::process::id())),
        tally: Tally::default(),
        results: BTreeMap::new(),
    };
    for (number, batch) in suite::batches(scenarios).iter().enumerate() {
        run.batch(number, batch, out)?;
    }
    let good = run.tally.bad == 0;
    writeln!(out, "\n{}", run.tally.line())?;
    if options.engines == Engines::Both {
        let path = suite::home().join("results.json");
        // A file that cannot be read is about to be replaced by one that can.
        let before = Results::read(&path).ok();
        let results = merged(options, run.results, &all)?;
        for gone in before.iter().flat_map(|before| before.gone(&results)) {
            writeln!(out, "no longer asked: {gone}")?;
        }
        results.write(&path)?;
        write_document(&results, &rows)?;
        writeln!(
            out,
            "written: tests/conformance/results.json, docs/conformance.md"
        )?;
    }
    if good {
        // A courtesy: whoever looks for logs looks after a failure.
        let _ = std::fs::remove_dir_all(&run.folder);
    } else {
        writeln!(out, "logs are in {}", run.folder.display())?;
    }
    Ok(good)
}

/// The results of this run and, when it left scenarios out, what an earlier one found for those.
fn merged(options: &Options, mut found: Found, all: &[(String, Mode)]) -> Result<Results> {
    let path = suite::home().join("results.json");
    if (options.only.is_some() || options.mode.is_some()) && path.exists() {
        for old in Results::read(&path)?.scenarios {
            let key = (old.id.clone(), old.mode);
            if all.contains(&key) {
                found.entry(key).or_insert(old);
            }
        }
    }
    Ok(Results {
        kafka: KAFKA_VERSION.to_owned(),
        wharf: env!("CARGO_PKG_VERSION").to_owned(),
        scenarios: found.into_values().collect(),
    })
}

impl Run<'_> {
    fn batch(&mut self, number: usize, batch: &Batch, out: &mut dyn Write) -> Result<()> {
        let jvm = match &self.jvm {
            Some(engine) => Some(self.outcomes(engine, number, batch, out)?),
            None => None,
        };
        let ours = match &self.ours {
            Some(engine) => Some(self.outcomes(engine, number, batch, out)?),
            None => None,
        };
        for (index, scenario) in batch.scenarios.iter().enumerate() {
            let jvm = jvm.as_ref().map(|all| &all[index]);
            let ours = ours.as_ref().map(|all| &all[index]);
            self.scenario(scenario, jvm, ours, out)?;
        }
        Ok(())
    }

    /// Runs all scenarios of a batch on one engine.
    fn outcomes(
        &self,
        engine: &dyn Engine,
        number: usize,
        batch: &Batch,
        out: &mut dyn Write,
    ) -> Result<Vec<Outcome>> {
        let folder = self.folder.join(format!("{}-{number}", engine.name()));
        let mut lab = Lab::start(engine, &batch.setup, &self.bootstrap, &folder)?;
        let mut outcomes = Vec::with_capacity(batch.scenarios.len());
        for scenario in &batch.scenarios {
            writeln!(
                out,
                "{:<6} {:<11} {}",
                engine.name(),
                batch.setup.mode,
                scenario.id
            )?;
            out.flush()?;
            let outcome = lab.run(scenario);
            for (id, seen) in &outcome {
                if let Seen::Failed(why) = seen {
                    writeln!(out, "       {id} failed: {why}")?;
                }
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn scenario(
        &mut self,
        scenario: &Scenario,
        jvm: Option<&Outcome>,
        ours: Option<&Outcome>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let mode = scenario.setup.mode;
        let folder = suite::recordings(mode);
        writeln!(out, "\n{} ({mode}): {}", scenario.id, scenario.about)?;
        let mut verdicts = Vec::new();
        if let Some(jvm) = jvm {
            verdicts.extend(failures_of_jvm(jvm));
            if self.options.record && verdicts.is_empty() {
                record(scenario, jvm).write(&folder, &scenario.id)?;
            }
        }
        let recorded = Recording::read(&folder, &scenario.id)?;
        let expected = |step: &str| match jvm {
            Some(jvm) if ours.is_some() => answer(jvm, step),
            _ => recorded
                .as_ref()
                .and_then(|recording| recording.answer(step).cloned())
                .ok_or_else(|| {
                    "not recorded; run `cargo xtask conformance --engine jvm --record`".to_owned()
                }),
        };
        match (ours, jvm) {
            (Some(ours), _) => verdicts.extend(judge_scenario(scenario, &expected, ours)),
            // The peer against its own recording: nothing may differ, declared or not.
            (None, Some(jvm)) => {
                let mut plain = scenario.clone();
                plain.steps.iter_mut().for_each(|step| step.differs = None);
                verdicts.retain(|(id, _)| !jvm.iter().any(|(other, _)| other == id));
                verdicts.extend(judge_scenario(&plain, &expected, jvm));
            }
            (None, None) => {}
        }
        self.tally.scenarios += 1;
        for (id, verdict) in &verdicts {
            self.tally.count(verdict);
            report::step(out, id, verdict)?;
        }
        self.results
            .insert(key(scenario), result(scenario, &verdicts, jvm, ours));
        Ok(())
    }
}

fn key(scenario: &Scenario) -> (String, Mode) {
    (scenario.id.clone(), scenario.setup.mode)
}

/// Steps that the peer could not do.
fn failures_of_jvm(jvm: &Outcome) -> Vec<(String, Verdict)> {
    jvm.iter()
        .filter_map(|(id, seen)| match seen {
            Seen::Failed(why) => Some((id.clone(), Verdict::Failed(format!("jvm: {why}")))),
            _ => None,
        })
        .collect()
}

fn record(scenario: &Scenario, jvm: &Outcome) -> Recording {
    let steps = scenario.compared().filter_map(|step| {
        Some(RecordedStep {
            id: step.id.clone(),
            answer: answer(jvm, &step.id).ok()?,
        })
    });
    Recording {
        kafka: KAFKA_VERSION.to_owned(),
        steps: steps.collect(),
    }
}

/// What the peer answered to a step just now.
fn answer(outcome: &Outcome, step: &str) -> Result<Value, String> {
    match outcome.iter().find(|(id, _)| id == step) {
        Some((_, Seen::Answer(answer))) => Ok(answer.compared.clone()),
        Some((_, Seen::Failed(why))) => Err(format!("jvm: {why}")),
        _ => Err("jvm: not run".to_owned()),
    }
}

fn result(
    scenario: &Scenario,
    verdicts: &[(String, Verdict)],
    jvm: Option<&Outcome>,
    ours: Option<&Outcome>,
) -> ScenarioResult {
    let steps = scenario.compared().map(|step| {
        let verdict = verdicts.iter().rfind(|(id, _)| *id == step.id);
        let places = match (
            jvm.map(|all| answer(all, &step.id)),
            ours.map(|all| answer(all, &step.id)),
        ) {
            (Some(Ok(jvm)), Some(Ok(ours))) => differences(&jvm, &ours, step.rule.text),
            _ => Vec::new(),
        };
        StepResult {
            id: step.id.clone(),
            outcome: verdict.map_or(StepOutcome::Different, |(_, verdict)| StepOutcome::of(verdict)),
            difference: step.differs.as_ref().map(|differs| differs.id.clone()),
            places,
        }
    });
    ScenarioResult {
        id: scenario.id.clone(),
        mode: scenario.setup.mode,
        about: scenario.about.clone(),
        steps: steps.collect(),
    }
}
