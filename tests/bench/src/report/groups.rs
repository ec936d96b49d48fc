//! The section "Groups of workers" of `docs/performance.md`, from the rows of `cargo xtask bench --groups`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::document::{caution, machine, or_dash, plain, target_table};
use super::figures::{Limit, Run, Spread, Target};
use crate::rows::{Direction, Engine, Exit, Row};

/// How it is measured; the same for every run.
const METHOD: &str = include_str!("groups-method.md");

const ENGINES: [Engine; 2] = [Engine::Wharf, Engine::Jvm];

/// When work is done elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The statuses say so.
    Running,
    /// Lines come from all sources.
    Lines,
    /// Lines are in the files of all sinks.
    Written,
}

const GOALS: [(Goal, &str); 3] = [
    (Goal::Running, "all RUNNING"),
    (Goal::Lines, "new lines of all sources"),
    (Goal::Written, "new lines in the files of all sinks"),
];

/// Who went, and how; whether it led the group.
const ENDS: [(Exit, bool, &str); 4] = [
    (Exit::Crash, false, "crash (SIGKILL)"),
    (Exit::Crash, true, "crash of the leader"),
    (Exit::Leave, false, "planned leave (SIGTERM)"),
    (Exit::Leave, true, "planned leave of the leader"),
];

/// Seconds from when the group knows that a worker is gone until others do its work.
const SOON_S: f64 = 2.0;

/// A figure of each round.
type ByRound = BTreeMap<u32, f64>;

/// Whose tasks stayed where they were while a worker came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmoved {
    Sources,
    /// Each sink is the only member of its consumer group.
    LoneSinks,
    /// Tasks that moved were members of the same consumer group.
    GroupedSinks,
}

const UNMOVED: [(Unmoved, &str); 3] = [
    (Unmoved::Sources, "sources"),
    (Unmoved::LoneSinks, "sinks, each alone in its consumer group"),
    (
        Unmoved::GroupedSinks,
        "sinks in one consumer group with those that move",
    ),
];

impl Unmoved {
    fn of(direction: Direction, consumer_group_members: Option<u32>) -> Self {
        match (direction, consumer_group_members) {
            (Direction::FileToTopic, _) => Self::Sources,
            (Direction::TopicToFile, None | Some(1)) => Self::LoneSinks,
            (Direction::TopicToFile, Some(_)) => Self::GroupedSinks,
        }
    }
}

/// What is read off a worker with many idle connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Many {
    /// Seconds until all were RUNNING.
    Start,
    /// Milliseconds of them for each connector.
    StartEach,
    /// KB of memory for each task.
    Memory,
    /// Threads for each task.
    Threads,
}

fn recovery(run: Run<'_>, by: Engine, wanted: (Exit, bool), delay_ms: u64, goal: Goal) -> ByRound {
    let value = |row: &Row| match row {
        Row::Recovery {
            round,
            engine,
            exit,
            leads,
            rebalance_delay_ms,
            running_s,
            lines_s,
            sink_lines_s,
            ..
        } if *engine == by && (*exit, *leads) == wanted && *rebalance_delay_ms == delay_ms => {
            let value = match goal {
                Goal::Running => *running_s,
                Goal::Lines => *lines_s,
                Goal::Written => (*sink_lines_s)?,
            };
            Some((*round, value))
        }
        _ => None,
    };
    run.0.iter().filter_map(value).collect()
}

/// Longest silence of unmoved tasks during the changes, in a quiet time, and the former without the latter.
fn pause(run: Run<'_>, by: Engine, wanted: Unmoved) -> [ByRound; 3] {
    let mut figures = [const { ByRound::new() }; 3];
    for row in run.0 {
        if let Row::Pause {
            round,
            engine,
            direction,
            consumer_group_members,
            gap_ms,
            quiet_gap_ms,
            ..
        } = row
            && *engine == by
            && Unmoved::of(*direction, *consumer_group_members) == wanted
        {
            let all = [*gap_ms, *quiet_gap_ms, gap_ms.saturating_sub(*quiet_gap_ms)];
            for (figure, value) in figures.iter_mut().zip(all) {
                figure.insert(*round, value as f64);
            }
        }
    }
    figures
}

/// A figure of a worker with many connectors of this kind; differences are to the same engine's worker without any.
fn many(run: Run<'_>, by: Engine, wanted: Direction, what: Many) -> ByRound {
    let find = |round: u32, kind: Option<Direction>| {
        run.0.iter().find_map(|row| match row {
            Row::ManyIdle {
                round: found,
                engine,
                direction,
                connectors,
                running_s,
                rss_bytes,
                threads,
            } if *found == round && *engine == by && *direction == kind => {
                Some((*connectors, *running_s, *rss_bytes as f64, *threads as f64))
            }
            _ => None,
        })
    };
    let rounds = run.0.iter().filter_map(|row| match row {
        Row::ManyIdle { round, .. } => Some(*round),
        _ => None,
    });
    let value = |round: u32| {
        let (connectors, running_s, bytes, threads) = find(round, Some(wanted))?;
        let each = f64::from(connectors);
        Some(match what {
            Many::Start => running_s?,
            Many::StartEach => running_s? * 1e3 / each,
            Many::Memory => (bytes - find(round, None)?.2) / 1e3 / each,
            Many::Threads => (threads - find(round, None)?.3) / each,
        })
    };
    rounds.filter_map(|round| Some((round, value(round)?))).collect()
}

/// How many connectors that were; what they started with comes from rows, not from this program.
fn connectors(run: Run<'_>, by: Engine, wanted: Direction) -> Option<u32> {
    run.0.iter().find_map(|row| match row {
        Row::ManyIdle {
            engine,
            direction: Some(direction),
            connectors,
            ..
        } if *engine == by && *direction == wanted => Some(*connectors),
        _ => None,
    })
}

fn spread(values: ByRound) -> Option<Spread> {
    Spread::of(values.into_values())
}

/// The JVM's figure divided by Wharf's, round by round.
fn ratio(wharf: &ByRound, jvm: &ByRound) -> Option<Spread> {
    Spread::of(
        jvm.iter()
            .filter_map(|(round, jvm)| Some(jvm / wharf.get(round)?))
            .filter(|ratio| ratio.is_finite()),
    )
}

fn kind(direction: Direction) -> &'static str {
    match direction {
        Direction::FileToTopic => "source",
        Direction::TopicToFile => "sink",
    }
}

/// How long the group takes to miss a worker that is gone without a word, in seconds: what the rows say, not this program.
fn session(run: Run<'_>) -> Option<f64> {
    run.0.iter().find_map(|row| match row {
        Row::Recovery {
            engine: Engine::Wharf,
            session_timeout_ms,
            ..
        } => Some(*session_timeout_ms as f64 / 1e3),
        _ => None,
    })
}

/// How soon the work of a worker that is gone is done elsewhere: within two seconds after the group knows.
fn recovery_targets(run: Run<'_>) -> Vec<Target> {
    let session = session(run).unwrap_or_default();
    let mut all = Vec::new();
    for (exit, leads, _) in ENDS {
        let who = if leads { "the leader" } else { "a worker" };
        let (name, limit) = match exit {
            Exit::Crash => (
                format!("crash of {who}, the session timeout of {session} s included"),
                session + SOON_S,
            ),
            Exit::Leave => (format!("planned leave of {who}"), SOON_S),
        };
        for (goal, title) in GOALS {
            let found = spread(recovery(run, Engine::Wharf, (exit, leads), 0, goal));
            all.extend(found.map(|found| Target {
                what: format!("{name}, until {title}"),
                limit: Limit::AtMost(limit),
                unit: " s",
                found,
            }));
        }
    }
    all
}

fn targets(run: Run<'_>) -> Vec<Target> {
    let mut all = recovery_targets(run);
    let mut add = |what: String, limit: f64, unit: &'static str, found: Option<Spread>| {
        all.extend(found.map(|found| Target {
            what,
            limit: Limit::AtMost(limit),
            unit,
            found,
        }));
    };
    for direction in Direction::ALL {
        let count = connectors(run, Engine::Wharf, direction).unwrap_or(0);
        add(
            format!("start of a worker with {count} idle {}s", kind(direction)),
            10.0,
            " s",
            spread(many(run, Engine::Wharf, direction, Many::Start)),
        );
    }
    add(
        "memory of an idle source task".to_owned(),
        300.0,
        " KB",
        spread(many(run, Engine::Wharf, Direction::FileToTopic, Many::Memory)),
    );
    let [_, _, added] = pause(run, Engine::Wharf, Unmoved::Sources);
    add(
        "pause of unmoved source tasks: none, that is at most what a shared machine adds".to_owned(),
        100.0,
        " ms",
        spread(added),
    );
    all
}

fn line(text: &mut String, what: &str, [wharf, jvm]: [ByRound; 2]) {
    if wharf.is_empty() && jvm.is_empty() {
        return;
    }
    let ratio = or_dash(ratio(&wharf, &jvm), |ratio| format!("{}×", plain(ratio)));
    let cells = [wharf, jvm].map(|values| or_dash(spread(values), plain));
    let _ = writeln!(text, "| {what} | {} | {} | {ratio} |", cells[0], cells[1]);
}

/// Targets and figures.
pub(super) fn tables(run: Run<'_>) -> String {
    let mut text = target_table(&targets(run));
    text.push_str("\n| | Wharf | JVM Connect | JVM's, of Wharf's |\n|---|---|---|---|\n");
    for (exit, leads, name) in ENDS {
        for (goal, title) in GOALS {
            let figures = |delay| ENGINES.map(|engine| recovery(run, engine, (exit, leads), delay, goal));
            line(&mut text, &format!("{name} until {title}, s"), figures(0));
            let mut delays: Vec<u64> = run.0.iter().filter_map(delay).collect();
            delays.sort_unstable();
            delays.dedup();
            for delay in delays {
                let [_, jvm] = figures(delay);
                if !jvm.is_empty() {
                    let [wharf, _] = figures(0);
                    let what = format!("{name} until {title}, JVM with its default delay of {delay} ms, s");
                    line(&mut text, &what, [wharf, jvm]);
                }
            }
        }
    }
    for (unmoved, who) in UNMOVED {
        let [wharf, jvm] = ENGINES.map(|engine| pause(run, engine, unmoved));
        let names = [
            &format!("longest silence of unmoved {who}, another worker joining and leaving, ms"),
            "the same in a quiet time, ms",
            "difference, ms",
        ];
        for ((name, wharf), jvm) in names.iter().zip(wharf).zip(jvm) {
            line(&mut text, name, [wharf, jvm]);
        }
    }
    for direction in Direction::ALL {
        let counts: Vec<String> = ENGINES
            .iter()
            .filter_map(|engine| connectors(run, *engine, direction))
            .map(|count| count.to_string())
            .collect();
        let counts = format!("{} idle {}s", counts.join(" or "), kind(direction));
        for (what, title) in [
            (Many::Start, format!("start with {counts} until all RUNNING, s")),
            (Many::StartEach, "for each of them, ms".to_owned()),
            (
                Many::Memory,
                format!("memory for each idle {} task, KB", kind(direction)),
            ),
            (Many::Threads, "threads for each of them".to_owned()),
        ] {
            let figures = ENGINES.map(|engine| many(run, engine, direction, what));
            // Starts with different numbers of connectors are not compared; those for each connector are.
            if what == Many::Start && !counts_agree(run, direction) {
                let [wharf, jvm] = figures.map(|values| or_dash(spread(values), plain));
                let _ = writeln!(text, "| {title} | {wharf} | {jvm} | – |");
                continue;
            }
            line(&mut text, &title, figures);
        }
    }
    text
}

fn delay(row: &Row) -> Option<u64> {
    match row {
        Row::Recovery {
            rebalance_delay_ms, ..
        } if *rebalance_delay_ms > 0 => Some(*rebalance_delay_ms),
        _ => None,
    }
}

fn counts_agree(run: Run<'_>, direction: Direction) -> bool {
    let [wharf, jvm] = ENGINES.map(|engine| connectors(run, engine, direction));
    wharf == jvm
}

/// The whole section; empty when nothing was measured.
pub(super) fn section(run: Run<'_>) -> Result<String> {
    let Some(about) = run.about() else {
        return Ok(String::new());
    };
    let missed = targets(run).iter().filter(|target| !target.is_reached()).count();
    let verdict = match missed {
        0 => "All targets are reached.".to_owned(),
        _ => format!("{} targets, {missed} of them missed.", targets(run).len()),
    };
    Ok(format!(
        "## Groups of workers\n\n{}{verdict} Raw rows: `tests/bench/results/groups.jsonl`.\n\n{}\n{}\n{METHOD}\n",
        caution(&about.mode),
        tables(run),
        machine(run)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(engine: Engine, rebalance_delay_ms: u64, running_s: f64) -> Row {
        gone(engine, Exit::Crash, rebalance_delay_ms, running_s)
    }

    fn gone(engine: Engine, exit: Exit, rebalance_delay_ms: u64, running_s: f64) -> Row {
        Row::Recovery {
            round: 1,
            engine,
            exit,
            leads: false,
            sources: 6,
            sinks: 2,
            session_timeout_ms: 10_000,
            rebalance_delay_ms,
            running_s,
            lines_s: running_s + 1.0,
            sink_lines_s: Some(running_s + 0.25),
        }
    }

    fn idle(engine: Engine, direction: Option<Direction>, connectors: u32, megabytes: u64) -> Row {
        Row::ManyIdle {
            round: 1,
            engine,
            direction,
            connectors,
            running_s: direction.map(|_| 12.0),
            rss_bytes: megabytes * 1_000_000,
            threads: 10 + u64::from(connectors) * 2,
        }
    }

    #[test]
    fn what_a_task_takes_is_the_difference_to_a_worker_without_any() {
        let rows = [
            idle(Engine::Wharf, None, 0, 20),
            idle(Engine::Jvm, None, 0, 500),
            idle(Engine::Wharf, Some(Direction::FileToTopic), 1000, 270),
            idle(Engine::Wharf, Some(Direction::TopicToFile), 1000, 620),
        ];
        let figure = |direction, what| many(Run(&rows), Engine::Wharf, direction, what)[&1];
        assert!((figure(Direction::FileToTopic, Many::Memory) - 250.0).abs() < 1e-9);
        assert!((figure(Direction::TopicToFile, Many::Memory) - 600.0).abs() < 1e-9);
        assert!((figure(Direction::TopicToFile, Many::Threads) - 2.0).abs() < 1e-9);
        assert!((figure(Direction::FileToTopic, Many::StartEach) - 12.0).abs() < 1e-9);
        assert!(many(Run(&rows), Engine::Jvm, Direction::FileToTopic, Many::Memory).is_empty());
    }

    #[test]
    fn a_target_that_is_missed_is_called_so_and_one_that_is_reached_too() {
        let rows = [
            idle(Engine::Wharf, None, 0, 20),
            idle(Engine::Wharf, Some(Direction::FileToTopic), 1000, 270),
        ];
        let text = tables(Run(&rows));
        assert!(
            text.contains("start of a worker with 1000 idle sources | ≤ 10 s | 12.0 s | **missed** |"),
            "{text}"
        );
        assert!(
            text.contains("memory of an idle source task | ≤ 300 KB | 250 KB | reached |"),
            "{text}"
        );
    }

    #[test]
    fn work_has_to_be_elsewhere_two_seconds_after_the_group_knows() {
        let rows = [
            gone(Engine::Wharf, Exit::Crash, 0, 11.5),
            gone(Engine::Wharf, Exit::Leave, 0, 0.5),
            gone(Engine::Jvm, Exit::Crash, 0, 20.0),
        ];
        let text = tables(Run(&rows));
        let of_crash = "crash of a worker, the session timeout of 10 s included, until";
        for line in [
            format!("| {of_crash} all RUNNING | ≤ 12 s | 11.5 s | reached |"),
            format!("| {of_crash} new lines of all sources | ≤ 12 s | 12.5 s | **missed** |"),
            format!("| {of_crash} new lines in the files of all sinks | ≤ 12 s | 11.8 s | reached |"),
            "| planned leave of a worker, until all RUNNING | ≤ 2 s | 0.50 s | reached |".to_owned(),
            "| planned leave of a worker, until new lines of all sources | ≤ 2 s | 1.50 s | reached |"
                .to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn only_this_worker_has_targets_and_only_for_what_was_measured() {
        assert_eq!(recovery_targets(Run(&[crash(Engine::Jvm, 0, 20.0)])).len(), 0);
        assert_eq!(recovery_targets(Run(&[crash(Engine::Wharf, 0, 20.0)])).len(), 3);
    }

    #[test]
    fn the_jvm_with_its_own_delay_has_rows_of_its_own() {
        let rows = [
            crash(Engine::Wharf, 0, 10.0),
            crash(Engine::Jvm, 0, 20.0),
            crash(Engine::Jvm, 300_000, 310.0),
        ];
        let text = tables(Run(&rows));
        assert!(
            text.contains("until all RUNNING, s | 10.0 | 20.0 | 2.00× |"),
            "{text}"
        );
        assert!(
            text.contains("delay of 300000 ms, s | 10.0 | 310 | 31.0× |"),
            "{text}"
        );
    }

    fn pause_of(engine: Engine, consumer_group_members: Option<u32>, gap_ms: u64, quiet_gap_ms: u64) -> Row {
        Row::Pause {
            round: 1,
            engine,
            direction: match consumer_group_members {
                None => Direction::FileToTopic,
                Some(_) => Direction::TopicToFile,
            },
            consumer_group_members,
            unmoved: 3,
            window_s: 9.0,
            gap_ms,
            quiet_gap_ms,
            join_s: 0.5,
        }
    }

    #[test]
    fn pauses_of_sinks_are_apart_from_those_of_sources_and_have_no_target() {
        let rows = [
            pause_of(Engine::Wharf, None, 40, 30),
            pause_of(Engine::Wharf, Some(1), 25, 20),
            pause_of(Engine::Jvm, Some(1), 50, 20),
            pause_of(Engine::Wharf, Some(4), 1500, 20),
            pause_of(Engine::Jvm, Some(4), 3000, 20),
        ];
        let text = tables(Run(&rows));
        let (sources, sinks) = text.split_once("| longest silence of unmoved sinks").unwrap();
        assert!(sources.ends_with("| difference, ms | 10.0 | – | – |\n"), "{text}");
        for line in [
            "each alone in its consumer group, another worker joining and leaving, ms | 25.0 | 50.0 | 2.00× |",
            "with those that move, another worker joining and leaving, ms | 1 500 | 3 000 | 2.00× |",
        ] {
            assert!(sinks.contains(line), "{line} is not in\n{text}");
        }
        assert_eq!(targets(Run(&rows)).len(), 1);
    }

    #[test]
    fn a_pause_is_what_the_changes_add_to_the_quiet_time() {
        let row = |gap_ms, quiet_gap_ms| [pause_of(Engine::Wharf, None, gap_ms, quiet_gap_ms)];
        for (gap, quiet, added, verdict) in [
            (140, 50, "90.0 ms", "reached"),
            (260, 50, "210 ms", "**missed**"),
            (30, 50, "0.00 ms", "reached"),
        ] {
            let text = tables(Run(&row(gap, quiet)));
            assert!(
                text.contains(&format!("| ≤ 100 ms | {added} | {verdict} |")),
                "{text}"
            );
        }
    }

    #[test]
    fn starts_with_different_numbers_of_connectors_are_not_compared() {
        let rows = [
            idle(Engine::Wharf, Some(Direction::FileToTopic), 1000, 270),
            idle(Engine::Jvm, Some(Direction::FileToTopic), 100, 700),
        ];
        let text = tables(Run(&rows));
        assert!(
            text.contains("until all RUNNING, s | 12.0 | 12.0 | – |"),
            "{text}"
        );
        assert!(
            text.contains("for each of them, ms | 12.0 | 120 | 10.0× |"),
            "{text}"
        );
    }

    #[test]
    fn there_is_no_section_without_rows() {
        assert_eq!(section(Run(&[])).unwrap(), "");
    }
}
