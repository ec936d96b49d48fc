//! The words and tables of the documents.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::figures::{Limit, Quantity, Run, Spread, Target};
use crate::rows::{Direction, Engine, Handling, IdleState, Pass, Row};

/// How it is measured; the same for every run.
const METHOD: &str = include_str!("method.md");
/// What was found about the figures of the run in the tree, by people.
const NOTES: &str = include_str!("../../notes.md");

const REPEAT: &str = "cargo xtask bench";

/// A number with blanks between thousands, as tables have it.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number with as many decimals as its size deserves.
pub(super) fn plain(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => thousands(number),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn with_spread(spread: Spread, write: impl Fn(f64) -> String) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return write(median);
    }
    format!("{} ({} – {})", write(median), write(min), write(max))
}

pub(super) fn or_dash(spread: Option<Spread>, write: impl Fn(f64) -> String) -> String {
    spread.map_or_else(|| "–".to_owned(), |spread| with_spread(spread, write))
}

fn megabytes(bytes: f64) -> String {
    plain(bytes / 1e6)
}

fn engine_title(engine: Engine, pass: Pass) -> &'static str {
    match (engine, pass) {
        (Engine::Bare, _) => "bare librdkafka",
        (Engine::Kcat, _) => "kcat",
        (Engine::Jvm, Pass::First) => "JVM Connect, first run",
        (Engine::Jvm, Pass::Measured) => "JVM Connect, warm",
        (Engine::Wharf, _) => "Wharf",
    }
}

/// Figures with targets.
pub(super) fn targets(run: Run<'_>) -> String {
    target_table(&run.targets())
}

/// A line for each target, with its verdict.
pub(super) fn target_table(targets: &[Target]) -> String {
    let mut text = "| figure | target | measured | |\n|---|---|---|---|\n".to_owned();
    for target in targets {
        let Target {
            what,
            limit,
            unit,
            found,
        } = target;
        let limit = match limit {
            Limit::AtLeast(least) => format!("≥ {least}{unit}"),
            Limit::AtMost(most) => format!("≤ {most}{unit}"),
        };
        let verdict = if target.is_reached() {
            "reached"
        } else {
            "**missed**"
        };
        let measured = with_spread(*found, plain);
        let _ = writeln!(text, "| {what} | {limit} | {measured}{unit} | {verdict} |");
    }
    text
}

/// Rates, processor time and memory of all engines.
pub(super) fn transfers(run: Run<'_>) -> String {
    let mut text = String::new();
    let lines = [
        (Engine::Bare, Pass::Measured),
        (Engine::Kcat, Pass::Measured),
        (Engine::Wharf, Pass::Measured),
        (Engine::Jvm, Pass::First),
        (Engine::Jvm, Pass::Measured),
    ];
    for direction in Direction::ALL {
        let counted = lines.iter().any(|(engine, pass)| {
            run.transfer(direction, *engine, *pass, Quantity::Instructions)
                .is_some()
        });
        let mut rows = String::new();
        for (engine, pass) in lines {
            let of = |quantity| run.transfer(direction, engine, pass, quantity);
            let Some(rate) = of(Quantity::Rate) else { continue };
            let _ = write!(
                rows,
                "| {} | {} | {} | {} |",
                engine_title(engine, pass),
                with_spread(rate, thousands),
                or_dash(of(Quantity::Cpu), plain),
                or_dash(of(Quantity::Peak), megabytes),
            );
            if counted {
                let _ = write!(rows, " {} |", or_dash(of(Quantity::Instructions), plain));
            }
            rows.push('\n');
        }
        if rows.is_empty() {
            continue;
        }
        let (head, line) = if counted {
            (" instructions per record |", "---|")
        } else {
            ("", "")
        };
        let _ = write!(
            text,
            "{}\n\n| | records/s | CPU seconds per million records | most memory, MB |{head}\n|---|---|---|---|{line}\n{rows}\n",
            direction.title()
        );
    }
    text
}

/// Start, idle memory and border.
pub(super) fn others(run: Run<'_>) -> String {
    let mut text = String::new();
    let workers = [Engine::Wharf, Engine::Jvm];
    let line = |what: &str, cells: [String; 2]| format!("| {what} | {} | {} |\n", cells[0], cells[1]);
    if workers.iter().any(|engine| run.first_answer(*engine).is_some()) {
        text.push_str("| | Wharf | JVM Connect |\n|---|---|---|\n");
        text += &line(
            "start to first REST answer, ms",
            workers.map(|engine| or_dash(run.first_answer(engine), plain)),
        );
        text += &line(
            "CPU seconds until then",
            workers.map(|engine| or_dash(run.start_cpu(engine), plain)),
        );
        text += &line(
            "memory when idle, no connector, MB",
            workers.map(|engine| or_dash(run.idle(engine, IdleState::NoConnector), megabytes)),
        );
        text += &line(
            "memory when idle, a file source and a file sink, MB",
            workers.map(|engine| or_dash(run.idle(engine, IdleState::FileConnectors), megabytes)),
        );
        text.push('\n');
    }
    let mut border = String::new();
    for direction in Direction::ALL {
        if let Some([plugin, plain_code, difference]) = run.border(direction) {
            let _ = writeln!(
                border,
                "| {} | {} | {} | {} | {} |",
                direction.title(),
                with_spread(plugin, plain),
                with_spread(plain_code, plain),
                with_spread(difference, plain),
                or_dash(run.border_percent(direction), |percent| format!(
                    "{} %",
                    plain(percent)
                )),
            );
        }
    }
    if !border.is_empty() {
        text.push_str(
            "| border, ns per record | as .so, through the border | linked, without a batch | difference | of all CPU |\n\
             |---|---|---|---|---|\n",
        );
        text.push_str(&border);
    }
    text
}

fn settings(run: Run<'_>) -> String {
    let mut text = String::new();
    for direction in Direction::ALL {
        let mut by_engine: BTreeMap<Engine, &BTreeMap<String, String>> = BTreeMap::new();
        for row in run.0 {
            if let Row::Settings {
                engine,
                direction: found,
                settings,
            } = row
                && *found == direction
            {
                by_engine.insert(*engine, settings);
            }
        }
        for (engine, settings) in by_engine {
            let list: Vec<String> = settings
                .iter()
                .map(|(key, value)| format!("`{key}={value}`"))
                .collect();
            let extra = match engine {
                Engine::Wharf => "defaults; librdkafka is given ",
                Engine::Jvm => "defaults, and ",
                Engine::Bare | Engine::Kcat => "",
            };
            let _ = writeln!(
                text,
                "- {}, {}: {extra}{}",
                direction.title(),
                engine_title(engine, Pass::Measured).trim_end_matches(", warm"),
                list.join(" ")
            );
        }
    }
    text
}

pub(super) fn machine(run: Run<'_>) -> Result<String> {
    let about = run.about().context("the rows do not say where they come from")?;
    let mut text = String::new();
    let versions: Vec<String> = about
        .versions
        .iter()
        .map(|(name, version)| format!("{name}: {version}"))
        .collect();
    let loads: Vec<String> = run
        .0
        .iter()
        .filter_map(|row| match row {
            Row::Round { load, .. } => Some(format!("{load:.2}")),
            _ => None,
        })
        .collect();
    let _ = writeln!(
        text,
        "- {}, {} cores shared with the broker, {:.0} GB memory, {}",
        about.processor,
        about.cores,
        about.memory_bytes as f64 / 1e9,
        about.system
    );
    let _ = writeln!(text, "- {}", versions.join("; "));
    let changed = if about.changed_since_commit {
        ", with changes not committed then"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "- {}, commit {}{changed}; {} {}{}{}",
        about.date,
        about.commit,
        about.rounds,
        if about.rounds == 1 { "round" } else { "rounds" },
        // Groups move nothing that could be counted.
        match about.records {
            0 => String::new(),
            records => format!(" of {} records", thousands(records as f64)),
        },
        // Counted instructions have no rounds that a load could disturb.
        match loads.as_slice() {
            [] => String::new(),
            loads => format!("; load average before each round: {}", loads.join(", ")),
        }
    );
    for remark in &about.remarks {
        let _ = writeln!(text, "- {remark}");
    }
    Ok(text)
}

/// What a reader must know first of rows that do not come from a complete run.
pub(super) fn caution(mode: &str) -> &'static str {
    match mode {
        "full" => "",
        _ => {
            "**These rows come from a short trial of the tool, not from a complete run on a quiet machine; they say nothing \
             about speed.**\n\n"
        }
    }
}

/// What was measured with work on each record; nothing without rows.
fn with_work(run: Run<'_>) -> Result<String> {
    let Some(about) = run.about() else {
        return Ok(String::new());
    };
    let (title, record, peers) = match about.work {
        Handling::Avro => (
            "Avro",
            "an Avro record, its schema in a registry,",
            "The JVM worker has the Avro converter of Apicurio, whose registry both use. Every topic is checked to have the \
             same bytes.",
        ),
        _ => (
            "JSON",
            "a JSON record with its schema",
            "The bare loop moves the same bytes, which every topic is checked for.",
        ),
    };
    Ok(format!(
        "## Transfers with {title} and transformations\n\n{}Raw rows: `tests/bench/results/{}.jsonl`. Each line becomes {record} by \
         HoistField, InsertField and ReplaceField; on the way back ExtractField takes the text out. {peers}\n\n{}\n{}{}\n{}\n",
        caution(&about.mode),
        about.work.name(),
        targets(run),
        transfers(run),
        machine(run)?,
        settings(run),
    ))
}

/// All of `docs/performance.md`; `works` are the rows of other runs, perhaps none, `sections` what else was measured.
pub(super) fn performance(run: Run<'_>, works: &[Run<'_>], sections: &str) -> Result<String> {
    let targets = run.targets();
    let missed = targets.iter().filter(|target| !target.is_reached()).count();
    let verdict = match missed {
        0 => format!("All {} targets are reached.", targets.len()),
        _ => format!(
            "{} of {} targets are reached, {missed} missed.",
            targets.len() - missed,
            targets.len()
        ),
    };
    let about = run.about().context("the rows do not say where they come from")?;
    let works: String = works.iter().map(|work| with_work(*work)).collect::<Result<_>>()?;
    let verdict = caution(&about.mode).to_owned() + &verdict;
    Ok(format!(
        "# Performance\n\n\
         Written by `{REPEAT}` from the raw rows in `tests/bench/results/full.jsonl`; change those or the program, not \
         this text.\nFigures are medians, with the smallest and largest measurement in parentheses.\n\n\
         ## Targets\n\n{verdict}\n\n{}\n\
         ## Transfers\n\n{}\
         ## Start, memory, border\n\n{}\n\
         {}{}\
         ## Notes\n\n{}\n\
         ## Where it was measured\n\n{}\n\
         ## Settings\n\n{}\n\
         {METHOD}",
        self::targets(run),
        transfers(run),
        others(run),
        works,
        sections,
        NOTES.trim_end().to_owned() + "\n",
        machine(run)?,
        settings(run),
    ))
}

/// The block in README.md.
pub(super) fn short(run: Run<'_>) -> Result<String> {
    let about = run.about().context("the rows do not say where they come from")?;
    let engines = [Engine::Wharf, Engine::Jvm, Engine::Bare];
    let median = |spread: Option<Spread>, write: &dyn Fn(f64) -> String| {
        spread.map_or_else(|| "–".to_owned(), |spread| write(spread.median))
    };
    let mut text = "| | Wharf | JVM Connect, warm | bare librdkafka |\n|---|---|---|---|\n".to_owned();
    let mut line = |what: &str, cells: [String; 3]| {
        let _ = writeln!(text, "| {what} | {} | {} | {} |", cells[0], cells[1], cells[2]);
    };
    for direction in Direction::ALL {
        let of = |quantity: Quantity, write: &dyn Fn(f64) -> String| {
            engines.map(|engine| median(run.transfer(direction, engine, Pass::Measured, quantity), write))
        };
        let title = direction.title();
        line(&format!("{title}, records/s"), of(Quantity::Rate, &thousands));
        line(
            &format!("{title}, CPU seconds per million records"),
            of(Quantity::Cpu, &plain),
        );
        line(
            &format!("{title}, most memory, MB"),
            of(Quantity::Peak, &megabytes),
        );
    }
    let worker =
        |figure: &dyn Fn(Engine) -> String| [figure(Engine::Wharf), figure(Engine::Jvm), "–".to_owned()];
    line(
        "start to first REST answer, ms",
        worker(&|engine| median(run.first_answer(engine), &plain)),
    );
    line(
        "memory when idle, MB",
        worker(&|engine| median(run.idle(engine, IdleState::NoConnector), &megabytes)),
    );
    let caution = caution(&about.mode);
    Ok(format!(
        "{caution}{text}\nMedians of {} rounds, {} records of 100 bytes, Kafka {} on the same {} cores. Repeat it with `{REPEAT}` \
         (needs\nJava 17, fetches Kafka by Maven; `--quick` takes minutes). Targets, spread and method: \
         [docs/performance.md](docs/performance.md).\n",
        about.rounds,
        thousands(about.records as f64),
        about.versions.get("kafka").map_or("", String::as_str),
        about.cores,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        for (number, text) in [
            (0.123, "0.12"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1 234"),
            (1_234_567.0, "1 234 567"),
        ] {
            assert_eq!(plain(number), text);
        }
        assert_eq!(thousands(999.0), "999");
    }

    #[test]
    fn a_single_measurement_has_no_spread() {
        let spread = Spread::of([2.0]).unwrap();
        assert_eq!(with_spread(spread, plain), "2.00");
        let spread = Spread::of([2.0, 4.0, 3.0]).unwrap();
        assert_eq!(with_spread(spread, plain), "3.00 (2.00 – 4.00)");
        assert_eq!(or_dash(None, plain), "–");
    }

    #[test]
    fn only_rows_of_a_complete_run_come_without_a_caution() {
        assert_eq!(caution("full"), "");
        for mode in ["quick", "trial"] {
            assert!(caution(mode).contains("not from a complete run"));
        }
    }

    #[test]
    fn a_missed_target_is_marked() {
        let start = |first_answer_ms| {
            [Row::Start {
                round: 1,
                engine: Engine::Wharf,
                first_answer_ms,
                cpu_s: 0.1,
            }]
        };
        assert!(targets(Run(&start(149.0))).contains("| ≤ 150 ms | 149 ms | reached |"));
        assert!(targets(Run(&start(151.0))).contains("| ≤ 150 ms | 151 ms | **missed** |"));
    }
}
