//! All scenario files, and which of them share a worker.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::mode::Mode;
use crate::scenario::{Scenario, Setup};

/// Folder of this crate, which also holds scenarios and recordings.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Scenarios that run one after another on the same worker.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The workers that they need.
    pub setup: Setup,
    /// In the order of their names.
    pub scenarios: Vec<Scenario>,
}

/// Every scenario that a folder has for a mode, in the order of their names.
pub fn load(folder: &Path, mode: Mode) -> Result<Vec<Scenario>> {
    let cannot = || format!("cannot read the scenarios of {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    paths.sort_by_key(|path| path.file_stem().map(ToOwned::to_owned));
    if paths.is_empty() {
        bail!("there are no scenarios in {}", folder.display());
    }
    paths
        .iter()
        .filter_map(|path| {
            let scenario = read(path, mode);
            scenario.transpose()
        })
        .collect()
}

fn read(path: &Path, mode: Mode) -> Result<Option<Scenario>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    Scenario::parse(&id, &text, mode)
}

/// The scenarios of this crate.
pub fn load_own(mode: Mode) -> Result<Vec<Scenario>> {
    load(&home().join("scenarios"), mode)
}

/// Where the peer's answers in a mode are kept.
pub fn recordings(mode: Mode) -> PathBuf {
    home().join("recorded").join(mode.name())
}

/// Puts scenarios together that can share a worker: the same keys, and no connector of the same name, because offsets
/// and groups outlive connectors.
pub fn batches(scenarios: Vec<Scenario>) -> Vec<Batch> {
    let mut batches: Vec<(Batch, BTreeSet<String>)> = Vec::new();
    for scenario in scenarios {
        // A name with `${run}` is the scenario's own anyway.
        let creates: BTreeSet<_> = scenario
            .creates()
            .into_iter()
            .filter(|name| !name.contains("${run}"))
            .map(str::to_owned)
            .collect();
        let open = batches.iter_mut().find(|(batch, taken)| {
            let first = &batch.scenarios[0];
            batch.setup == scenario.setup && !first.alone && !scenario.alone && taken.is_disjoint(&creates)
        });
        match open {
            Some((batch, taken)) => {
                taken.extend(creates);
                batch.scenarios.push(scenario);
            }
            None => batches.push((
                Batch {
                    setup: scenario.setup.clone(),
                    scenarios: vec![scenario],
                },
                creates,
            )),
        }
    }
    batches.into_iter().map(|(batch, _)| batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(id: &str, head: &str, name: &str) -> Scenario {
        let text = format!(
            "about: a\n{head}\nsteps:\n  - {{ id: a, request: {{ method: PUT, path: \"/connectors/{name}/config\", json: {{}} }} }}\n"
        );
        Scenario::parse(id, &text, Mode::Standalone).unwrap().unwrap()
    }

    #[test]
    fn scenarios_share_a_worker_when_nothing_speaks_against_it() {
        let batches = batches(vec![
            scenario("a", "", "x"),
            scenario("b", "worker: { k: 1 }", "x"),
            scenario("c", "", "y"),
            scenario("d", "", "x"),
            scenario("e", "alone: true", "z"),
            scenario("f", "worker: { k: \"1\" }", "${run}"),
            scenario("g", "worker: { k: 1 }", "${run}"),
        ]);
        let ids: Vec<Vec<_>> = batches
            .iter()
            .map(|batch| batch.scenarios.iter().map(|s| s.id.as_str()).collect())
            .collect();
        assert_eq!(ids, [vec!["a", "c"], vec!["b", "f", "g"], vec!["d"], vec!["e"]]);
    }

    #[test]
    fn every_scenario_of_the_tree_can_be_read() {
        for mode in Mode::ALL {
            assert!(!load_own(mode).unwrap().is_empty(), "{mode}");
        }
    }
}
