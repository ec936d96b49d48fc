//! What a run of both engines found, as it is kept in `results.json`: the raw material of `docs/conformance.md`.
//!
//! No times and no dates, so that the same findings give the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::compare::{Difference, Verdict};
use crate::mode::Mode;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of Apache Kafka that Wharf was compared with.
    pub kafka: String,
    /// Version of Wharf.
    pub wharf: String,
    /// All scenarios, in the order of their names, once for each mode in which they ran.
    pub scenarios: Vec<ScenarioResult>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Its id.
    pub id: String,
    /// How the workers ran.
    pub mode: Mode,
    /// Its one line.
    pub about: String,
    /// The compared steps.
    pub steps: Vec<StepResult>,
}

/// One compared step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// Its id.
    pub id: String,
    /// What came of it.
    pub outcome: StepOutcome,
    /// Row of `differences.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Where the answers differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Difference>,
}

/// What came of a step, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// Both answered the same.
    Same,
    /// They differ on purpose.
    Deliberate,
    /// Anything else: they differ without a word, or not as declared, or there was no answer.
    Different,
}

impl StepOutcome {
    /// Of a verdict.
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Same => Self::Same,
            Verdict::Deliberate(_) => Self::Deliberate,
            _ => Self::Different,
        }
    }
}

impl Results {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a file of results", path.display()))
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What stands here and not in `newer` ones: steps that were dropped or have another name now.
    pub fn gone(&self, newer: &Self) -> Vec<String> {
        let steps = |results: &Self| {
            let scenarios = results.scenarios.iter();
            let steps = scenarios.flat_map(|scenario| {
                let steps = scenario.steps.iter();
                steps.map(move |step| format!("{} ({}): {}", scenario.id, scenario.mode, step.id))
            });
            steps.collect::<Vec<_>>()
        };
        let newer: BTreeSet<_> = steps(newer).into_iter().collect();
        let mut gone = steps(self);
        gone.retain(|step| !newer.contains(step));
        gone
    }

    /// How many steps came out like this.
    pub fn count(&self, outcome: StepOutcome) -> usize {
        self.scenarios
            .iter()
            .map(|scenario| scenario.count(outcome))
            .sum()
    }
}

impl ScenarioResult {
    /// How many of its steps came out like this.
    pub fn count(&self, outcome: StepOutcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[test]
    fn the_results_in_the_tree_are_those_of_its_scenarios_and_without_open_differences() {
        let results = Results::read(&suite::home().join("results.json")).unwrap();
        let found: Vec<_> = results
            .scenarios
            .iter()
            .flat_map(|scenario| {
                let of = (scenario.id.clone(), scenario.mode, scenario.about.clone());
                let steps = scenario.steps.iter();
                steps.map(move |step| (of.clone(), step.id.clone(), step.difference.clone()))
            })
            .collect();
        let mut scenarios: Vec<_> = Mode::ALL
            .into_iter()
            .flat_map(|mode| suite::load_own(mode).unwrap())
            .collect();
        scenarios.sort_by_key(|scenario| (scenario.id.clone(), scenario.setup.mode));
        let expected: Vec<_> = scenarios
            .iter()
            .flat_map(|scenario| {
                scenario.compared().map(|step| {
                    let difference = step.differs.as_ref().map(|differs| differs.id.clone());
                    let of = (scenario.id.clone(), scenario.setup.mode, scenario.about.clone());
                    (of, step.id.clone(), difference)
                })
            })
            .collect();
        assert_eq!(found, expected, "run `cargo xtask conformance --engine both`");
        assert_eq!(results.count(StepOutcome::Different), 0);
    }

    #[test]
    fn what_is_no_longer_asked_is_named() {
        let results = |scenarios: &[(&str, Mode, &[&str])]| Results {
            kafka: "4.3.0".to_owned(),
            wharf: "0.1.0".to_owned(),
            scenarios: scenarios
                .iter()
                .map(|(id, mode, steps)| ScenarioResult {
                    id: (*id).to_owned(),
                    mode: *mode,
                    about: String::new(),
                    steps: steps
                        .iter()
                        .map(|step| StepResult {
                            id: (*step).to_owned(),
                            outcome: StepOutcome::Same,
                            difference: None,
                            places: Vec::new(),
                        })
                        .collect(),
                })
                .collect(),
        };
        let before = results(&[
            ("a", Mode::Standalone, &["x", "y"]),
            ("a", Mode::Distributed, &["x"]),
            ("b", Mode::Standalone, &["x"]),
        ]);
        assert_eq!(before.gone(&before), Vec::<String>::new());
        let after = results(&[
            ("a", Mode::Standalone, &["x", "z"]),
            ("c", Mode::Standalone, &["x"]),
        ]);
        assert_eq!(
            before.gone(&after),
            ["a (standalone): y", "a (distributed): x", "b (standalone): x"]
        );
    }
}
