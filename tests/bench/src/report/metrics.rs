//! The section "What metrics cost" of `docs/performance.md`, from the rows of `cargo xtask bench --metrics`.

use std::fmt::Write as _;

use super::document::{machine, plain, target_table};
use super::figures::{Limit, Run, Spread, Target};
use crate::metrics_cost::LINES;
use crate::rows::{Direction, Row};

use anyhow::Result;

/// Of each hundred instructions.
const MOST: f64 = 2.0;

/// Instructions of a record: all, and those of metrics.
fn each(run: Run<'_>, wanted: Direction) -> Option<[f64; 2]> {
    let of = |count: u64| {
        run.0.iter().find_map(|row| match row {
            Row::Instructions {
                direction,
                lines,
                total,
                metrics,
            } if *direction == wanted && *lines == count => Some([*total as f64, *metrics as f64]),
            _ => None,
        })
    };
    let (few, many) = (of(LINES[0])?, of(LINES[1])?);
    let lines = (LINES[1] - LINES[0]) as f64;
    Some([(many[0] - few[0]) / lines, (many[1] - few[1]) / lines])
}

/// Targets and counts.
pub(super) fn table(run: Run<'_>) -> String {
    let found = Direction::ALL.map(|direction| (direction, each(run, direction)));
    let targets: Vec<Target> = found
        .iter()
        .filter_map(|(direction, each)| {
            let [total, metrics] = (*each)?;
            Some(Target {
                what: format!("{}: instructions of metrics, of all", direction.title()),
                limit: Limit::AtMost(MOST),
                unit: " %",
                found: Spread::of([100.0 * metrics / total])?,
            })
        })
        .collect();
    let mut text = target_table(&targets);
    text.push_str("\n| instructions per record | all | metrics and clocks |\n|---|---|---|\n");
    for (direction, each) in found {
        if let Some([total, metrics]) = each {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                direction.title(),
                plain(total),
                plain(metrics)
            );
        }
    }
    text
}

/// The section; nothing without rows.
pub(super) fn section(run: Run<'_>) -> Result<String> {
    if run.0.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "## What metrics cost\n\n\
         `cargo xtask bench --metrics` lets a worker move lines of 100 bytes under callgrind, which counts every instruction. Of \
         two runs, with {} and {} lines, the difference counts. Metrics are their functions and every reading of a clock, \
         whoever reads it.\n\n{}\n{}\n",
        plain(LINES[0] as f64),
        plain(LINES[1] as f64),
        table(run),
        machine(run)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_takes_falls_out() {
        let row = |lines, total, metrics| Row::Instructions {
            direction: Direction::FileToTopic,
            lines,
            total,
            metrics,
        };
        let rows = [
            row(LINES[0], 1_000_000, 5_000),
            row(LINES[1], 501_000_000, 4_005_000),
        ];
        assert_eq!(each(Run(&rows), Direction::FileToTopic), Some([5_000.0, 40.0]));
        assert_eq!(each(Run(&rows[..1]), Direction::FileToTopic), None);
        let text = table(Run(&rows));
        assert!(
            text.contains("| ≤ 2 % | 0.80 % | reached |") && text.contains("| 5 000 | 40.0 |"),
            "{text}"
        );
    }
}
