//! The JVM's answers, kept in the tree: `recorded/<mode>/<scenario>.json`, one entry for each compared step.
//!
//! Written by `--record` only; tests never write. The same answers give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answers to one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Version of Apache Kafka that answered.
    pub kafka: String,
    /// Answers in the order of the steps.
    pub steps: Vec<RecordedStep>,
}

/// The answer to one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedStep {
    /// The step.
    pub id: String,
    /// What was compared of the answer.
    pub answer: Value,
}

impl Recording {
    /// The answer to a step.
    pub fn answer(&self, step: &str) -> Option<&Value> {
        self.steps
            .iter()
            .find(|recorded| recorded.id == step)
            .map(|recorded| &recorded.answer)
    }

    /// Reads the recording of a scenario; `None` when there is none.
    pub fn read(folder: &Path, scenario: &str) -> Result<Option<Self>> {
        let path = path_of(folder, scenario);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .with_context(|| format!("{} is not a recording", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the recording of a scenario.
    pub fn write(&self, folder: &Path, scenario: &str) -> Result<()> {
        let path = path_of(folder, scenario);
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

fn path_of(folder: &Path, scenario: &str) -> PathBuf {
    folder.join(format!("{scenario}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::suite;
    use serde_json::json;

    #[test]
    fn a_recording_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording {
            kafka: "4.3.0".to_owned(),
            steps: vec![RecordedStep {
                id: "a".to_owned(),
                answer: json!({"status": 200}),
            }],
        };
        recording.write(folder.path(), "x").unwrap();
        let read = Recording::read(folder.path(), "x").unwrap().unwrap();
        assert_eq!(read, recording);
        assert_eq!(read.answer("a"), Some(&json!({"status": 200})));
        assert_eq!(read.answer("b"), None);
        assert_eq!(Recording::read(folder.path(), "y").unwrap(), None);
    }

    #[test]
    fn every_recording_of_the_tree_belongs_to_a_scenario_and_its_steps() {
        for mode in Mode::ALL {
            let scenarios = suite::load_own(mode).unwrap();
            let folder = suite::recordings(mode);
            for scenario in &scenarios {
                let recording = Recording::read(&folder, &scenario.id)
                    .unwrap()
                    .unwrap_or_else(|| panic!("{} is not recorded in {mode} mode", scenario.id));
                let recorded: Vec<_> = recording.steps.iter().map(|step| step.id.as_str()).collect();
                let steps: Vec<_> = scenario.compared().map(|step| step.id.as_str()).collect();
                assert_eq!(recorded, steps, "{} in {mode} mode", scenario.id);
            }
            let files = fs::read_dir(&folder).unwrap().count();
            assert_eq!(
                files,
                scenarios.len(),
                "a recording without a scenario in {mode} mode"
            );
        }
    }
}
