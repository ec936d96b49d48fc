//! What a reader sees while scenarios run: one line for each step, and each difference where it is.

use std::io::{self, Write};

use serde_json::Value;

use crate::compare::{Difference, Verdict};

/// Longest value that is shown whole.
const SHOWN: usize = 400;
/// Places that are shown of one step; a wrong list would otherwise fill the screen.
const PLACES: usize = 12;

/// Sums of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Scenarios run.
    pub scenarios: usize,
    /// Steps that were the same.
    pub same: usize,
    /// Steps that differ on purpose.
    pub deliberate: usize,
    /// Steps that are not as they should be.
    pub bad: usize,
}

impl Tally {
    /// Counts one step.
    pub fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Deliberate(_) => self.deliberate += 1,
            _ => self.bad += 1,
        }
    }

    /// The last line of a run.
    pub fn line(&self) -> String {
        format!(
            "{} scenarios, {} steps: {} same, {} different on purpose, {} not as they should be",
            self.scenarios,
            self.same + self.deliberate + self.bad,
            self.same,
            self.deliberate,
            self.bad
        )
    }
}

/// One step with its verdict.
pub fn step(out: &mut dyn Write, id: &str, verdict: &Verdict) -> io::Result<()> {
    let (word, more) = describe(verdict);
    writeln!(out, "  {id:<60} {word}")?;
    for line in more {
        writeln!(out, "      {line}")?;
    }
    Ok(())
}

/// The verdict in a word, and lines that explain it.
pub fn describe(verdict: &Verdict) -> (String, Vec<String>) {
    match verdict {
        Verdict::Same => ("same".to_owned(), Vec::new()),
        Verdict::Deliberate(id) => (format!("deliberate: {id}"), Vec::new()),
        Verdict::Different(differences) => ("DIFFERENT".to_owned(), lines(differences)),
        Verdict::Vanished(id) => (
            format!("VANISHED: {id}"),
            vec!["the answers are the same, so the difference is declared in vain".to_owned()],
        ),
        Verdict::NotAsDeclared(id, complaints) => (format!("NOT AS DECLARED: {id}"), complaints.clone()),
        Verdict::Failed(why) => ("FAILED".to_owned(), why.lines().map(str::to_owned).collect()),
    }
}

fn lines(differences: &[Difference]) -> Vec<String> {
    let mut lines = Vec::new();
    for difference in differences.iter().take(PLACES) {
        let path = if difference.path.is_empty() {
            "(whole answer)"
        } else {
            &difference.path
        };
        lines.push(path.to_owned());
        lines.push(format!("  jvm   {}", shown(difference.jvm.as_ref())));
        lines.push(format!("  ours  {}", shown(difference.ours.as_ref())));
    }
    if differences.len() > PLACES {
        lines.push(format!("and {} more places", differences.len() - PLACES));
    }
    lines
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(nothing)".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::differences;
    use crate::scenario::TextRule;
    use serde_json::json;

    fn text(verdict: &Verdict) -> String {
        let mut out = Vec::new();
        step(&mut out, "create", verdict).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_difference_shows_its_place_and_both_values() {
        let found = differences(&json!({"a": 1}), &json!({"a": "x", "b": []}), TextRule::Exact);
        let text = text(&Verdict::Different(found));
        for part in [
            "create",
            "DIFFERENT",
            "/a\n",
            "jvm   1\n",
            "ours  \"x\"\n",
            "/b\n",
            "jvm   (nothing)\n",
            "ours  []\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn much_is_cut() {
        let long = json!(vec!["é".repeat(SHOWN); PLACES + 3]);
        let found = differences(&long, &json!(vec![0; PLACES + 3]), TextRule::Exact);
        let text = text(&Verdict::Different(found));
        assert!(text.contains("and 3 more places") && text.contains('…'), "{text}");
    }

    #[test]
    fn a_tally_counts_what_is_bad_whatever_kind_it_is() {
        let mut tally = Tally::default();
        let row = || "row".to_owned();
        for verdict in [
            Verdict::Same,
            Verdict::Deliberate(row()),
            Verdict::Vanished(row()),
            Verdict::NotAsDeclared(row(), Vec::new()),
            Verdict::Failed(row()),
            Verdict::Different(Vec::new()),
        ] {
            tally.count(&verdict);
        }
        assert_eq!((tally.same, tally.deliberate, tally.bad), (1, 1, 4));
        assert!(
            tally
                .line()
                .contains("6 steps: 1 same, 1 different on purpose, 4 not")
        );
    }
}
