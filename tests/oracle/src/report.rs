//! All cases compared, counted, and what does not hold.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use crate::compare::{Verdict, compare, jvm_answer};
use crate::differences::{self, DIFFERENCES};
use crate::recorded::{self, Line};
use crate::{Case, Kind, Zone, cases, ours};

/// What became of the cases of one kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// How many cases.
    pub cases: usize,
    /// Of these, made from a seed.
    pub generated: usize,
    /// Same result.
    pub same: usize,
    /// Both refuse in the same words.
    pub refused_alike: usize,
    /// Both refuse in other words.
    pub refused_in_other_words: usize,
    /// Different as declared.
    pub declared: usize,
}

/// The comparison.
#[derive(Debug, Default)]
pub struct Report {
    /// Counts by kind.
    pub kinds: BTreeMap<Kind, Counts>,
    /// How many cases show each declared difference.
    pub shown: BTreeMap<&'static str, usize>,
    /// What does not hold, one text each.
    pub problems: Vec<String>,
}

impl Report {
    /// Compares every case of the given kinds with its recorded answer, if it belongs to this zone, which must be that of
    /// the process.
    ///
    /// # Errors
    /// When recorded files cannot be read.
    pub fn of(kinds: &[Kind], zone: Zone) -> Result<Self> {
        let mut report = Self::default();
        for &kind in kinds {
            let cases = cases::of(kind);
            let lines = recorded::read(kind)?;
            report.problems.extend(stale(kind, &cases, &lines));
            for (case, line) in cases.iter().zip(&lines).filter(|(case, _)| case.zone == zone) {
                report.add(case, line);
            }
        }
        if zone == Zone::UTC && kinds.len() == Kind::ALL.len() {
            for difference in DIFFERENCES {
                // Those of other zones show in the processes of other zones.
                let is_zoned = |case: &Case| case.differs == Some(difference.id);
                if cases::of(Kind::Zoned).iter().any(is_zoned) {
                    continue;
                }
                if !report.shown.contains_key(difference.id) {
                    report
                        .problems
                        .push(format!("no case shows the difference \"{}\"", difference.id));
                }
            }
        }
        Ok(report)
    }

    /// Compares one case.
    pub fn add(&mut self, case: &Case, line: &Line) {
        let jvm = match jvm_answer(&case.call, &line.answer) {
            Ok(jvm) => jvm,
            Err(error) => {
                self.problems.push(format!("{}: {error:#}", case.id));
                return;
            }
        };
        let ours = ours::answer(&case.call);
        let verdict = compare(&jvm, &ours);
        let counts = self.kinds.entry(case.kind).or_default();
        counts.cases += 1;
        counts.generated += usize::from(case.id.contains("/generated"));
        let show = || {
            format!(
                "{}\n  case {}\n  jvm  {jvm:?}\n  ours {ours:?}",
                case.id, line.case
            )
        };
        match (verdict, case.differs) {
            (Verdict::Same, None) => counts.same += 1,
            (Verdict::RefusedAlike, None) => counts.refused_alike += 1,
            (Verdict::RefusedInOtherWords, None) => counts.refused_in_other_words += 1,
            (Verdict::Different, None) => {
                let shape = DIFFERENCES
                    .iter()
                    .find(|difference| difference.shape.is_some_and(|holds| holds(&jvm, &ours)));
                match shape {
                    Some(difference) => {
                        counts.declared += 1;
                        *self.shown.entry(difference.id).or_default() += 1;
                    }
                    None => self.problems.push(format!("undeclared difference: {}", show())),
                }
            }
            (Verdict::Different, Some(id)) => {
                counts.declared += 1;
                match differences::named(id) {
                    Some(difference) => *self.shown.entry(difference.id).or_default() += 1,
                    None => self
                        .problems
                        .push(format!("no difference is named {id}: {}", case.id)),
                }
            }
            (_, Some(id)) => {
                self.problems.push(format!(
                    "the declared difference \"{id}\" has vanished: {}",
                    show()
                ));
            }
        }
    }
}

/// Where recorded cases are not those of the tables.
#[must_use]
pub fn stale(kind: Kind, cases: &[Case], lines: &[Line]) -> Vec<String> {
    let remedy = "`cargo xtask oracle` records anew";
    if cases.len() != lines.len() {
        return vec![format!(
            "{}: {} cases, but {} are recorded; {remedy}",
            kind.name(),
            cases.len(),
            lines.len()
        )];
    }
    cases
        .iter()
        .zip(lines)
        .find(|(case, line)| case.to_json() != line.case)
        .map(|(case, _)| format!("{} is not the case that was recorded; {remedy}", case.id))
        .into_iter()
        .collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>7}{:>11}{:>7}{:>15}{:>13}{:>10}",
            "kind", "cases", "generated", "same", "refused alike", "other words", "declared"
        )?;
        let mut row = |name: &str, counts: &Counts| {
            writeln!(
                f,
                "{name:<16}{:>7}{:>11}{:>7}{:>15}{:>13}{:>10}",
                counts.cases,
                counts.generated,
                counts.same,
                counts.refused_alike,
                counts.refused_in_other_words,
                counts.declared
            )
        };
        let mut sum = Counts::default();
        for (kind, counts) in &self.kinds {
            row(kind.name(), counts)?;
            sum.cases += counts.cases;
            sum.generated += counts.generated;
            sum.same += counts.same;
            sum.refused_alike += counts.refused_alike;
            sum.refused_in_other_words += counts.refused_in_other_words;
            sum.declared += counts.declared;
        }
        row("all", &sum)?;
        for (id, count) in &self.shown {
            writeln!(f, "declared difference {id}: {count} cases")?;
        }
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(f, "{} problems", self.problems.len())
    }
}
