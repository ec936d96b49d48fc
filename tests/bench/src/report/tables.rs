//! The section "Tables" of `docs/performance.md`, from the rows of `cargo xtask bench --tables`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::document::{caution, machine, or_dash, plain, target_table};
use super::figures::{Limit, Run, Spread, Target};
use crate::rows::{Engine, Pass, Row, Way};

/// How it is measured; the same for every run.
const METHOD: &str = include_str!("tables-method.md");

/// What is read off a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// Rows per second.
    Rate,
    /// Processor seconds of the worker per million rows.
    Cpu,
    /// Most resident memory of the worker, in MB.
    Memory,
}

/// One number per round.
fn by_round(
    run: Run<'_>,
    wanted: Way,
    by: Engine,
    wanted_pass: Pass,
    quantity: Quantity,
) -> BTreeMap<u32, f64> {
    let value = |row: &Row| match row {
        Row::Table {
            round,
            engine,
            way,
            pass,
            records,
            wall_s,
            cpu_s,
            peak_rss_bytes,
            ..
        } if (*way, *engine, *pass) == (wanted, by, wanted_pass) => {
            let value = match quantity {
                Quantity::Rate => *records as f64 / wall_s,
                Quantity::Cpu => (*cpu_s)? * 1e6 / *records as f64,
                Quantity::Memory => (*peak_rss_bytes)? as f64 / 1e6,
            };
            Some((*round, value))
        }
        _ => None,
    };
    run.0.iter().filter_map(value).collect()
}

/// `above` divided by `below`, round by round.
fn ratio(run: Run<'_>, way: Way, quantity: Quantity, above: Engine, below: Engine) -> Option<Spread> {
    let above = by_round(run, way, above, Pass::Measured, quantity);
    let below = by_round(run, way, below, Pass::Measured, quantity);
    let ratios = above
        .into_iter()
        .filter_map(|(round, above)| Some(above / below.get(&round)?));
    Spread::of(ratios)
}

fn targets(run: Run<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, limit: Limit, unit: &'static str, found: Option<Spread>| {
        targets.extend(found.map(|found| Target {
            what,
            limit,
            unit,
            found,
        }));
    };
    for (way, of_copy, of_peer) in [(Way::Insert, 0.4, 4.0), (Way::Upsert, 0.7, 2.0)] {
        let title = way.title();
        let rate = |below| ratio(run, way, Quantity::Rate, Engine::Wharf, below);
        let peer = |quantity| ratio(run, way, quantity, Engine::Jvm, Engine::Wharf);
        let copy = match way {
            Way::Upsert => "COPY and merge",
            _ => "COPY",
        };
        add(
            format!("{title}: rate, of the server's own {copy}"),
            Limit::AtLeast(of_copy),
            "×",
            rate(Engine::Bare),
        );
        add(
            format!("{title}: rate, of the Debezium sink's"),
            Limit::AtLeast(of_peer),
            "×",
            rate(Engine::Jvm),
        );
        add(
            format!("{title}: CPU of the JVM worker, of Wharf's"),
            Limit::AtLeast(5.0),
            "×",
            peer(Quantity::Cpu),
        );
        add(
            format!("{title}: memory of the JVM worker, of Wharf's"),
            Limit::AtLeast(7.0),
            "×",
            peer(Quantity::Memory),
        );
    }
    let title = Way::Read.title();
    add(
        format!("{title}: rate, of COPY TO STDOUT"),
        Limit::AtLeast(0.25),
        "×",
        ratio(run, Way::Read, Quantity::Rate, Engine::Wharf, Engine::Bare),
    );
    add(
        format!("{title}: most memory"),
        Limit::AtMost(150.0),
        " MB",
        Spread::of(by_round(run, Way::Read, Engine::Wharf, Pass::Measured, Quantity::Memory).into_values()),
    );
    targets
}

/// Targets, then every way with who did it.
pub(super) fn tables(run: Run<'_>) -> String {
    let mut text = target_table(&targets(run));
    for way in Way::ALL {
        let _ = write!(
            text,
            "\n{}\n\n| | rows/s | CPU seconds per million rows | most memory, MB |\n|---|---|---|---|\n",
            way.title()
        );
        for (engine, pass, title) in [
            (Engine::Bare, Pass::Measured, "COPY by the server alone"),
            (Engine::Wharf, Pass::Measured, "Wharf"),
            (Engine::Jvm, Pass::First, "Debezium on JVM Connect, first run"),
            (Engine::Jvm, Pass::Measured, "Debezium on JVM Connect, warm"),
        ] {
            let of = |quantity| Spread::of(by_round(run, way, engine, pass, quantity).into_values());
            if of(Quantity::Rate).is_some() {
                let cells = [Quantity::Rate, Quantity::Cpu, Quantity::Memory]
                    .map(|quantity| or_dash(of(quantity), plain));
                let _ = writeln!(text, "| {title} | {} |", cells.join(" | "));
            }
        }
    }
    text
}

/// The section; nothing without rows.
pub(super) fn section(run: Run<'_>) -> Result<String> {
    let Some(about) = run.about() else {
        return Ok(String::new());
    };
    Ok(format!(
        "## Tables\n\nRaw rows: `tests/bench/results/tables.jsonl`.\n\n{}{}\n{METHOD}\n{}\n",
        caution(&about.mode),
        tables(run),
        machine(run)?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_compared_with_themselves_and_first_runs_with_nothing() {
        let row = |round, engine, pass, wall_s, cpu_s| Row::Table {
            round,
            engine,
            way: Way::Insert,
            pass,
            records: 1_000_000,
            wall_s,
            cpu_s,
            peak_rss_bytes: Some(10_000_000),
            verified: String::new(),
        };
        let rows = [
            row(1, Engine::Bare, Pass::Measured, 2.0, None),
            row(1, Engine::Wharf, Pass::First, 100.0, Some(50.0)),
            row(1, Engine::Wharf, Pass::Measured, 4.0, Some(1.0)),
            row(1, Engine::Jvm, Pass::Measured, 20.0, Some(10.0)),
            row(2, Engine::Bare, Pass::Measured, 1.0, None),
        ];
        let run = Run(&rows);
        let of = |quantity, above, below| ratio(run, Way::Insert, quantity, above, below).unwrap();
        let rate = of(Quantity::Rate, Engine::Wharf, Engine::Bare);
        assert_eq!((rate.min, rate.max), (0.5, 0.5));
        assert_eq!(of(Quantity::Cpu, Engine::Jvm, Engine::Wharf).median, 10.0);
        let text = tables(run);
        assert!(
            text.contains("rate, of the server's own COPY | ≥ 0.4× | 0.50× | reached |"),
            "{text}"
        );
        assert!(
            text.contains("rate, of the Debezium sink's | ≥ 4× | 5.00× | reached |"),
            "{text}"
        );
        assert!(!text.contains("COPY and merge |"), "{text}");
    }
}
