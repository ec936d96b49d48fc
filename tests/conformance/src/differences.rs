//! The deliberate differences, as `differences.yaml` has them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::scenario::Scenario;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    /// Before all sections.
    pub opening: String,
    /// One table each.
    pub sections: Vec<Section>,
    /// After all sections.
    pub closing: String,
}

/// Rows about one part of the system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Heading of the first column.
    pub area: String,
    /// Text before the table.
    #[serde(default)]
    pub before: String,
    /// Text after it.
    #[serde(default)]
    pub after: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One difference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What steps call it; unique, never reused.
    pub id: String,
    /// Endpoint, key or thing that it is about.
    #[serde(rename = "where")]
    pub place: String,
    /// What Kafka Connect does.
    pub upstream: String,
    /// What Wharf does.
    pub wharf: String,
    /// The reason, where the section does not give it.
    pub why: Option<String>,
}

impl Differences {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self> {
        let all: Self = crate::yaml(text).context("differences.yaml cannot be read")?;
        let mut ids = BTreeSet::new();
        for row in all.rows() {
            if !ids.insert(&row.id) {
                bail!("differences.yaml has two rows {}", row.id);
            }
        }
        Ok(all)
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|section| &section.rows)
    }

    /// Refuses scenarios that name rows which are not there.
    pub fn check(&self, scenarios: &[Scenario]) -> Result<()> {
        for scenario in scenarios {
            for step in &scenario.steps {
                if let Some(differs) = &step.differs
                    && !self.rows().any(|row| row.id == differs.id)
                {
                    bail!(
                        "scenario {}, step {}: differences.yaml has no row {}; write one, with the reason",
                        scenario.id,
                        step.id,
                        differs.id
                    );
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::suite;

    const ROW: &str = "{ id: a, where: w, upstream: u, wharf: x, why: y }";

    fn file(rows: &str) -> String {
        format!("opening: o\nclosing: c\nsections:\n  - {{ title: T, area: A, rows: [{rows}] }}\n")
    }

    #[test]
    fn a_step_may_only_name_a_row_that_is_there() {
        let all = Differences::parse(&file(ROW)).unwrap();
        let scenario = |id: &str| {
            let text = format!(
                "about: a\nsteps:\n  - {{ id: s, request: {{ method: GET, path: / }}, differs: {{ id: {id} }} }}\n"
            );
            Scenario::parse("x", &text, Mode::Standalone).unwrap().unwrap()
        };
        all.check(&[scenario("a")]).unwrap();
        let error = all.check(&[scenario("b")]).unwrap_err().to_string();
        assert!(error.contains("step s") && error.contains("no row b"), "{error}");
    }

    #[test]
    fn an_id_is_used_once() {
        let error = Differences::parse(&file(&format!("{ROW}, {ROW}"))).unwrap_err();
        assert!(error.to_string().contains("two rows a"), "{error}");
    }

    #[test]
    fn the_rows_that_scenarios_of_the_tree_name_are_there() {
        let all = Differences::read(&suite::home().join("differences.yaml")).unwrap();
        for mode in Mode::ALL {
            all.check(&suite::load_own(mode).unwrap()).unwrap();
        }
    }
}
