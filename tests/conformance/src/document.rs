//! `docs/conformance.md`, made from results and differences.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::differences::{Differences, Row, Section};
use crate::mode::Mode;
use crate::results::{Results, StepOutcome};

/// From `docs/` to the scenarios.
const SCENARIOS: &str = "../tests/conformance/scenarios";
/// How many steps of one scenario are named in a row; the rest is counted.
const NAMED_STEPS: usize = 3;

/// Steps that show a row: by scenario, in order.
type Shown<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<Step<'a>>>>;

/// A step, and how the workers ran that showed it.
struct Step<'a> {
    id: &'a str,
    modes: Vec<Mode>,
}

/// The whole document.
pub fn document(results: &Results, differences: &Differences) -> String {
    let mut out = String::from(
        "<!-- Made by `cargo xtask conformance --engine both`. Edit tests/conformance/differences.yaml instead. -->\n\n\
         # Conformance with Kafka Connect\n\n",
    );
    summary(&mut out, results);
    let shown = shown(results);
    let _ = write!(
        out,
        "\n# Deliberate differences\n\n{}\n",
        differences.opening.trim()
    );
    out.push_str(
        "\nThe last column names scenarios and steps that show a difference on both workers; a dash means that none does,\n\
         and that tests elsewhere hold our side of it.\n",
    );
    for section in &differences.sections {
        table(&mut out, section, &shown);
    }
    let _ = write!(out, "\n{}\n", differences.closing.trim());
    out
}

fn summary(out: &mut String, results: &Results) {
    let _ = write!(
        out,
        "Apache Kafka Connect {} on the JVM and Wharf {} were asked the same things on the same real Kafka {} broker, as standalone\n\
         and as distributed workers, and their answers compared.\n\n\
         | mode | scenarios | steps compared | same | different on purpose | different otherwise |\n|---|---|---|---|---|---|\n",
        results.kafka, results.wharf, results.kafka,
    );
    for mode in Mode::ALL {
        let scenarios = || results.scenarios.iter().filter(|scenario| scenario.mode == mode);
        let steps: usize = scenarios().map(|scenario| scenario.steps.len()).sum();
        let [same, deliberate, different] =
            [StepOutcome::Same, StepOutcome::Deliberate, StepOutcome::Different]
                .map(|outcome| scenarios().map(|scenario| scenario.count(outcome)).sum::<usize>());
        let count = scenarios().count();
        let _ = writeln!(
            out,
            "| {mode} | {count} | {steps} | {same} | {deliberate} | {different} |"
        );
    }
    out.push('\n');
    out.push_str(
        "`cargo xtask conformance --engine both` repeats this; it needs Java 17, and Maven once. How scenarios are written is\n\
         in [tests/conformance](../tests/conformance/README.md), the raw results are in\n\
         [results.json](../tests/conformance/results.json), the JVM worker's answers in\n\
         [recorded](../tests/conformance/recorded). Every change of Wharf is tested against those answers.\n\n\
         Of each mode: the steps, how many are the same, and how many differ on purpose.\n\n\
         | scenario | what it is about | standalone | same | on purpose | distributed | same | on purpose |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for scenarios in results.scenarios.chunk_by(|one, other| one.id == other.id) {
        let first = &scenarios[0];
        let _ = write!(
            out,
            "| [{}]({SCENARIOS}/{}.yaml) | {} |",
            first.id,
            first.id,
            cell(&first.about)
        );
        for mode in Mode::ALL {
            let _ = match scenarios.iter().find(|scenario| scenario.mode == mode) {
                Some(scenario) => write!(
                    out,
                    " {} | {} | {} |",
                    scenario.steps.len(),
                    scenario.count(StepOutcome::Same),
                    scenario.count(StepOutcome::Deliberate)
                ),
                None => write!(out, " – | – | – |"),
            };
        }
        out.push('\n');
    }
    let open = results.scenarios.iter().flat_map(|scenario| {
        let steps = scenario.steps.iter();
        steps
            .filter(|step| step.outcome == StepOutcome::Different)
            .map(|step| format!("- {}, {}: {}\n", scenario.id, scenario.mode, step.id))
    });
    let open: String = open.collect();
    if !open.is_empty() {
        let _ = write!(
            out,
            "\nSteps that differ without being meant to, which are defects:\n\n{open}"
        );
    }
}

fn shown(results: &Results) -> Shown<'_> {
    let mut shown = Shown::new();
    for scenario in &results.scenarios {
        for step in &scenario.steps {
            let Some(id) = &step.difference else { continue };
            let steps = shown
                .entry(id.as_str())
                .or_default()
                .entry(scenario.id.as_str())
                .or_default();
            match steps.iter_mut().find(|other| other.id == step.id) {
                Some(other) => other.modes.push(scenario.mode),
                None => steps.push(Step {
                    id: &step.id,
                    modes: vec![scenario.mode],
                }),
            }
        }
    }
    shown
}

fn table(out: &mut String, section: &Section, shown: &Shown<'_>) {
    let _ = write!(out, "\n## {}\n\n", section.title);
    if !section.before.trim().is_empty() {
        let _ = write!(out, "{}\n\n", section.before.trim());
    }
    let reasons = section.rows.iter().any(|row| row.why.is_some());
    let (why, line) = if reasons { (" Why |", "---|") } else { ("", "") };
    let _ = write!(
        out,
        "| {} | Kafka Connect | Wharf |{why} Shown by |\n|---|---|---|{line}---|\n",
        section.area
    );
    for row in &section.rows {
        let why = row.why.as_deref().unwrap_or_default();
        let why = if reasons {
            format!(" {} |", cell(why))
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} |{why} {} |",
            cell(&row.place),
            cell(&row.upstream),
            cell(&row.wharf),
            steps_of(row, shown)
        );
    }
    if !section.after.trim().is_empty() {
        let _ = write!(out, "\n{}\n", section.after.trim());
    }
}

fn steps_of(row: &Row, shown: &Shown<'_>) -> String {
    let Some(scenarios) = shown.get(row.id.as_str()) else {
        return "–".to_owned();
    };
    let links: Vec<_> = scenarios
        .iter()
        .map(|(scenario, steps)| {
            let named = steps
                .iter()
                .take(NAMED_STEPS)
                .map(|step| match step.modes.as_slice() {
                    [mode] => format!("{} ({mode})", step.id),
                    _ => step.id.to_owned(),
                });
            let named = named.collect::<Vec<_>>().join(", ");
            let more = match steps.len().saturating_sub(NAMED_STEPS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("[{scenario}]({SCENARIOS}/{scenario}.yaml): {named}{more}")
        })
        .collect();
    links.join("; ")
}

/// Text that may stand in a table: on one line, and with bars escaped.
fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("\\|", "|").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;
    use crate::results::{ScenarioResult, StepResult};
    use crate::suite;

    #[test]
    fn the_document_in_the_tree_is_what_its_sources_give() {
        let home = suite::home();
        let results = Results::read(&home.join("results.json")).unwrap();
        let differences = Differences::read(&home.join("differences.yaml")).unwrap();
        let written = std::fs::read_to_string(home.join("../../docs/conformance.md")).unwrap();
        assert!(
            written == document(&results, &differences),
            "docs/conformance.md is stale; run `cargo xtask conformance --document`"
        );
    }

    #[test]
    fn rows_are_linked_to_the_steps_that_show_them() {
        let step = |id: &str, difference: Option<&str>| StepResult {
            id: id.to_owned(),
            outcome: difference.map_or(StepOutcome::Same, |_| StepOutcome::Deliberate),
            difference: difference.map(str::to_owned),
            places: Vec::new(),
        };
        let mut steps: Vec<_> = ["a", "b", "c", "d"].map(|id| step(id, Some("row"))).into();
        steps.push(step("e", None));
        let mut results = Results {
            kafka: "4.3.0".to_owned(),
            wharf: "0.1.0".to_owned(),
            scenarios: vec![ScenarioResult {
                id: "sc".to_owned(),
                mode: Mode::Standalone,
                about: "one | two".to_owned(),
                steps,
            }],
        };
        let mut distributed = results.scenarios[0].clone();
        distributed.mode = Mode::Distributed;
        distributed.steps = vec![step("a", None), step("f", Some("other"))];
        results.scenarios.push(distributed);
        let differences = Differences::parse(
            "opening: o\nclosing: c\nsections:\n  - { title: T, area: A, before: b, after: z, rows: [\
             { id: row, where: w, upstream: u, wharf: x, why: y }, { id: other, where: w2, upstream: u, wharf: x }, \
             { id: third, where: w3, upstream: u, wharf: x }] }\n",
        )
        .unwrap();
        let text = document(&results, &differences);
        let scenario = "[sc](../tests/conformance/scenarios/sc.yaml)";
        for line in [
            "| standalone | 1 | 5 | 1 | 4 | 0 |".to_owned(),
            "| distributed | 1 | 2 | 1 | 1 | 0 |".to_owned(),
            format!("| {scenario} | one \\| two | 5 | 1 | 4 | 2 | 1 | 1 |"),
            "| A | Kafka Connect | Wharf | Why | Shown by |".to_owned(),
            format!(
                "| w | u | x | y | {scenario}: a (standalone), b (standalone), c (standalone) and 1 more |"
            ),
            format!("| w2 | u | x |  | {scenario}: f (distributed) |"),
            "| w3 | u | x |  | – |".to_owned(),
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert!(!text.contains("defects"), "{text}");
        results.scenarios[0].steps[4].outcome = StepOutcome::Different;
        assert!(document(&results, &differences).contains("defects:\n\n- sc, standalone: e\n"));
    }
}
