//! The command line, read into one checked struct.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lexopt::prelude::*;

use crate::rows::{Direction, Engine, Handling};

pub(crate) const HELP: &str = "\
Measures Wharf beside bare librdkafka, kcat and JVM Kafka Connect on a real broker.

cargo xtask bench [OPTIONS]

  --quick           one round of 300,000 records, without the JVM unless --engines names it
  --rounds N        rounds, in which the engines take turns (5)
  --records N       records of 100 bytes per transfer (2000000)
  --only ROW        only file-to-topic, topic-to-file, start or border; may be repeated
  --work json       move JSON with schemas through three transformations to the topic and through one back; only the two
                    transfers, without kcat, 3 rounds
  --work avro       the same with Avro and a schema registry, by the JVM worker and Wharf
  --engines LIST    of bare, kcat, jvm and wharf, with commas between them
  --groups          measure groups of distributed workers instead: crash, planned leave, pause of unmoved tasks, start and
                    memory with many idle connectors; Wharf and the JVM take turns. With --rounds (2), --engines and:
    --only PART         only changes (crash, leave, pause of unmoved sources), sink-pause (of unmoved sinks) or many-idle;
                        may be repeated
    --connectors N      idle connectors of Wharf (1000)
    --jvm-connectors N  idle connectors of the JVM (100)
    --idle SECONDS      idleness before memory is read (40; less than 30 measures clients that Wharf would close)
    --default-delay     recover the JVM's work once more with its own scheduled.rebalance.max.delay.ms, five minutes
  --tables          write 1,000,000 records into PostgreSQL and read as many rows from it, by Wharf, by the Debezium JDBC sink on
                    the JVM and by COPY (bare). With --rounds (3), --records and --engines
  --metrics         count instructions of Wharf's worker instead, and those of its metrics (needs valgrind)
  --render          measure nothing; write the documents again from the rows in the tree
  --help            this text

A complete run with the usual numbers replaces tests/bench/results/full.jsonl, docs/performance.md and the table in
README.md; one with --groups, --work, --tables or --metrics, results/groups.jsonl, json.jsonl,
avro.jsonl, tables.jsonl or metrics.jsonl and its section. Every other run writes its rows to quick.jsonl or trial.jsonl beside it and prints its table.
";

/// Rounds and records of a complete run.
const FULL: (u32, u64) = (5, 2_000_000);
/// The same of one that does more with each record than to pass it on.
const WORK: (u32, u64) = (3, 2_000_000);
/// Rounds and records of a quick one.
const QUICK: (u32, u64) = (1, 300_000);

/// Rounds, and idle connectors of Wharf and of the JVM, of a complete run of groups.
const GROUPS: (u32, u32, u32) = (2, 1000, 100);

/// Rounds and records of a complete run with tables.
const TABLES: (u32, u64) = (3, 1_000_000);

/// Before memory is read: Wharf closes clients that were idle for 30 s, the JVM keeps them.
const IDLE: Duration = Duration::from_secs(40);

/// One part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Transfer(Direction),
    Start,
    Border,
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [
        Self::Transfer(Direction::FileToTopic),
        Self::Transfer(Direction::TopicToFile),
        Self::Start,
        Self::Border,
    ];

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "file-to-topic" => Self::Transfer(Direction::FileToTopic),
            "topic-to-file" => Self::Transfer(Direction::TopicToFile),
            "start" => Self::Start,
            "border" => Self::Border,
            _ => return None,
        })
    }
}

/// One part of the measurement of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupPart {
    /// Crash, planned leave, and the pause of unmoved sources.
    Changes,
    /// The pause of unmoved sinks.
    SinkPause,
    /// Start and memory with many idle connectors.
    ManyIdle,
}

impl GroupPart {
    const ALL: [Self; 3] = [Self::Changes, Self::SinkPause, Self::ManyIdle];

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "changes" => Self::Changes,
            "sink-pause" => Self::SinkPause,
            "many-idle" => Self::ManyIdle,
            _ => return None,
        })
    }
}

/// Which file the rows go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything, with the usual numbers: what documents are made of.
    Full,
    /// For daily use.
    Quick,
    /// Any other choice.
    Trial,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
            Self::Trial => "trial",
        }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Render,
    Measure(Options),
    Groups(GroupOptions),
    Tables(TableOptions),
    Metrics,
}

/// How to measure tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableOptions {
    pub(crate) mode: Mode,
    pub(crate) rounds: u32,
    pub(crate) records: u64,
    /// Of Wharf, the JVM and the server's own COPY.
    pub(crate) engines: Vec<Engine>,
}

impl TableOptions {
    fn new(rounds: Option<u32>, records: Option<u64>, mut engines: Vec<Engine>) -> Result<Self> {
        if engines.contains(&Engine::Kcat) {
            bail!("kcat knows no tables; use bare, jvm or wharf with --tables");
        }
        let is_complete = rounds.is_none() && records.is_none() && engines.is_empty();
        if engines.is_empty() {
            engines = vec![Engine::Bare, Engine::Jvm, Engine::Wharf];
        }
        Ok(Self {
            mode: if is_complete { Mode::Full } else { Mode::Trial },
            rounds: rounds.unwrap_or(TABLES.0),
            records: records.unwrap_or(TABLES.1),
            engines,
        })
    }
}

/// How to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) work: Handling,
    pub(crate) rounds: u32,
    pub(crate) records: u64,
    pub(crate) parts: Vec<Part>,
    pub(crate) engines: Vec<Engine>,
    /// Whether the engines were named: then one that cannot be had is an error, else kcat is left out.
    pub(crate) engines_named: bool,
}

/// How to measure groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupOptions {
    pub(crate) mode: Mode,
    pub(crate) rounds: u32,
    pub(crate) parts: Vec<GroupPart>,
    /// Of Wharf and the JVM.
    pub(crate) engines: Vec<Engine>,
    pub(crate) connectors: u32,
    pub(crate) jvm_connectors: u32,
    /// Before memory is read.
    pub(crate) idle: Duration,
    /// Whether the JVM's default delay is waited for, too.
    pub(crate) default_delay: bool,
}

impl GroupOptions {
    fn new(
        rounds: Option<u32>,
        parts: Vec<GroupPart>,
        engines: Vec<Engine>,
        connectors: [Option<u32>; 2],
        idle: Option<u64>,
        default_delay: bool,
    ) -> Result<Self> {
        if let Some(other) = engines
            .iter()
            .find(|engine| !matches!(engine, Engine::Jvm | Engine::Wharf))
        {
            bail!("{} forms no groups; use jvm or wharf with --groups", other.name());
        }
        let is_complete = rounds.is_none()
            && parts.is_empty()
            && engines.is_empty()
            && connectors == [None, None]
            && idle.is_none();
        Ok(Self {
            mode: if is_complete { Mode::Full } else { Mode::Trial },
            rounds: rounds.unwrap_or(GROUPS.0),
            parts: if parts.is_empty() {
                GroupPart::ALL.to_vec()
            } else {
                parts
            },
            engines: if engines.is_empty() {
                vec![Engine::Wharf, Engine::Jvm]
            } else {
                engines
            },
            connectors: connectors[0].unwrap_or(GROUPS.1),
            jvm_connectors: connectors[1].unwrap_or(GROUPS.2),
            idle: idle.map_or(IDLE, Duration::from_secs),
            default_delay,
        })
    }
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut parser = lexopt::Parser::from_args(args);
    let (mut quick, mut rounds, mut records) = (false, None, None);
    let (mut only, mut engines) = (Vec::new(), Vec::new());
    let (mut groups, mut default_delay) = (false, false);
    let (mut metrics, mut tables) = (false, false);
    let (mut connectors, mut idle) = ([None, None], None);
    let mut work = Handling::Text;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("render") => return Ok(Command::Render),
            Long("quick") => quick = true,
            Long("groups") => groups = true,
            Long("metrics") => metrics = true,
            Long("tables") => tables = true,
            Long("connectors") => connectors[0] = Some(parser.value()?.parse::<u32>()?.max(1)),
            Long("jvm-connectors") => connectors[1] = Some(parser.value()?.parse::<u32>()?.max(1)),
            Long("idle") => idle = Some(parser.value()?.parse::<u64>()?),
            Long("default-delay") => default_delay = true,
            Long("rounds") => rounds = Some(parser.value()?.parse::<u32>()?.max(1)),
            Long("records") => records = Some(parser.value()?.parse::<u64>()?.max(1000)),
            Long("only") => only.push(parser.value()?.string()?),
            Long("work") => {
                let name = parser.value()?.string()?;
                match Handling::ALL.into_iter().find(|work| work.name() == name) {
                    Some(known) => work = known,
                    None => bail!("there is no work `{name}`; use text, json or avro"),
                }
            }
            Long("engines") => {
                for name in parser.value()?.string()?.split(',') {
                    match Engine::ALL.into_iter().find(|engine| engine.name() == name) {
                        Some(engine) => engines.push(engine),
                        None => bail!("there is no engine `{name}`; use bare, kcat, jvm or wharf"),
                    }
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if metrics || tables {
        let of_groups = groups || default_delay || connectors != [None, None] || idle.is_some();
        if of_groups || quick || !only.is_empty() || work != Handling::Text {
            bail!("--tables and --metrics go with no other measurement");
        }
        if tables && !metrics {
            return TableOptions::new(rounds, records, engines).map(Command::Tables);
        }
        if tables || rounds.is_some() || records.is_some() || !engines.is_empty() {
            bail!("--metrics takes no other option");
        }
        return Ok(Command::Metrics);
    }
    if groups {
        if quick || records.is_some() || work != Handling::Text {
            bail!("--quick, --records and --work do not belong to --groups");
        }
        let parts = parts_named(
            &only,
            GroupPart::named,
            "changes, sink-pause or many-idle with --groups",
        )?;
        return GroupOptions::new(rounds, parts, engines, connectors, idle, default_delay)
            .map(Command::Groups);
    }
    if connectors != [None, None] || idle.is_some() || default_delay {
        bail!("--connectors, --jvm-connectors, --idle and --default-delay belong to --groups");
    }
    let parts = parts_named(
        &only,
        Part::named,
        "file-to-topic, topic-to-file, start or border",
    )?;
    let usual = match (quick, work) {
        (true, _) => QUICK,
        (_, Handling::Text) => FULL,
        (_, Handling::Json | Handling::Avro) => WORK,
    };
    if work != Handling::Text
        && (engines.iter().any(|engine| !takes_part(*engine, work))
            || parts.iter().any(|part| !matches!(part, Part::Transfer(_))))
    {
        bail!(
            "--work has the transfers file-to-topic and topic-to-file only, of jvm, wharf and, with json, bare"
        );
    }
    let is_complete =
        !quick && parts.is_empty() && engines.is_empty() && rounds.is_none() && records.is_none();
    let engines_named = !engines.is_empty();
    if !engines_named {
        engines = Engine::ALL.to_vec();
        engines.retain(|engine| takes_part(*engine, work));
        engines.retain(|engine| !(quick && *engine == Engine::Jvm));
    }
    Ok(Command::Measure(Options {
        mode: match (is_complete, quick) {
            (true, _) => Mode::Full,
            (_, true) => Mode::Quick,
            _ => Mode::Trial,
        },
        work,
        rounds: rounds.unwrap_or(usual.0),
        records: records.unwrap_or(usual.1),
        parts: match (parts.is_empty(), work) {
            (false, _) => parts,
            (true, Handling::Text) => Part::ALL.to_vec(),
            (true, Handling::Json | Handling::Avro) => Direction::ALL.map(Part::Transfer).to_vec(),
        },
        engines,
        engines_named,
    }))
}

/// The parts of these names; `known` are all names, for a message.
fn parts_named<P>(names: &[String], named: fn(&str) -> Option<P>, known: &str) -> Result<Vec<P>> {
    names
        .iter()
        .map(|name| named(name).with_context(|| format!("there is no row `{name}`; use {known}")))
        .collect()
}

/// Whether an engine can do this work. A line of a file is no Avro record, so nobody fills a topic with those without a worker.
fn takes_part(engine: Engine, work: Handling) -> bool {
    match engine {
        Engine::Jvm | Engine::Wharf => true,
        Engine::Bare => work != Handling::Avro,
        Engine::Kcat => work == Handling::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(args: &[&str]) -> Options {
        match parse(args.iter().map(OsString::from)).unwrap() {
            Command::Measure(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_complete_run_is_a_full_one() {
        let cases: [(&[&str], Mode); 7] = [
            (&[], Mode::Full),
            (&["--quick"], Mode::Quick),
            (&["--quick", "--engines", "jvm,wharf"], Mode::Quick),
            (&["--rounds", "2"], Mode::Trial),
            (&["--records", "1000000"], Mode::Trial),
            (&["--only", "start"], Mode::Trial),
            (&["--engines", "wharf"], Mode::Trial),
        ];
        for (args, mode) in cases {
            assert_eq!(measure(args).mode, mode, "{args:?}");
        }
    }

    #[test]
    fn groups_have_options_of_their_own() {
        let groups = |args: &[&str]| match parse(args.iter().map(OsString::from)) {
            Ok(Command::Groups(options)) => Ok(options),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        };
        let usual = groups(&["--groups"]).unwrap();
        assert_eq!((usual.mode, usual.connectors), (Mode::Full, 1000));
        let whole = groups(&["--groups", "--default-delay"]).unwrap();
        assert_eq!((whole.mode, whole.default_delay), (Mode::Full, true));
        let few = groups(&["--groups", "--connectors", "5", "--rounds=1"]).unwrap();
        assert_eq!((few.mode, few.connectors, few.rounds), (Mode::Trial, 5, 1));
        let hasty = groups(&["--groups", "--idle", "5"]).unwrap();
        assert_eq!((hasty.mode, hasty.idle), (Mode::Trial, Duration::from_secs(5)));
        assert_eq!(whole.parts, GroupPart::ALL);
        let one = groups(&["--groups", "--only", "sink-pause"]).unwrap();
        assert_eq!((one.mode, one.parts), (Mode::Trial, vec![GroupPart::SinkPause]));
        for (args, word) in [
            (&["--groups", "--quick"][..], "--quick"),
            (&["--groups", "--only=start"], "many-idle"),
            (&["--groups", "--engines", "kcat"], "kcat"),
            (&["--connectors", "5"], "--groups"),
            (&["--default-delay"], "--groups"),
            (&["--idle=5"], "--groups"),
        ] {
            let error = groups(args).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn tables_and_metrics_stand_alone() {
        let parsed = |args: &[&str]| parse(args.iter().map(OsString::from));
        assert_eq!(parsed(&["--metrics"]).unwrap(), Command::Metrics);
        let options = |args: &[&str]| match parsed(args).unwrap() {
            Command::Tables(options) => (
                options.mode,
                options.rounds,
                options.records,
                options.engines.len(),
            ),
            other => panic!("{other:?}"),
        };
        assert_eq!(options(&["--tables"]), (Mode::Full, 3, 1_000_000, 3));
        let few = ["--tables", "--records", "5000", "--engines", "wharf"];
        assert_eq!(options(&few), (Mode::Trial, 3, 5_000, 1));
        for args in [
            &["--metrics", "--rounds", "2"][..],
            &["--metrics", "--tables"],
            &["--tables", "--groups"],
            &["--tables", "--quick"],
            &["--tables", "--engines", "kcat"],
        ] {
            assert!(parsed(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn work_has_the_engines_that_can_do_it() {
        let json = measure(&["--work", "json"]);
        assert_eq!((json.mode, json.parts.len()), (Mode::Full, 2));
        assert_eq!(json.engines, [Engine::Bare, Engine::Jvm, Engine::Wharf]);
        assert_eq!(measure(&["--work=avro"]).engines, [Engine::Jvm, Engine::Wharf]);
        for args in [
            ["--work=avro", "--engines=bare"],
            ["--work=json", "--engines=kcat"],
            ["--work=json", "--only=start"],
        ] {
            let error = parse(args.iter().map(OsString::from)).unwrap_err().to_string();
            assert!(error.contains("--work has"), "{error}");
        }
    }

    #[test]
    fn a_quick_run_leaves_the_jvm_out_unless_it_is_named() {
        assert!(!measure(&["--quick"]).engines.contains(&Engine::Jvm));
        assert_eq!(measure(&["--quick", "--engines=jvm"]).engines, [Engine::Jvm]);
        assert!(measure(&[]).engines.contains(&Engine::Jvm));
    }

    #[test]
    fn what_does_not_exist_is_named_with_what_does() {
        for (args, word) in [
            (["--only", "everything"], "border"),
            (["--engines", "python"], "kcat"),
        ] {
            let error = parse(args.iter().map(OsString::from)).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(args[1]), "{error}");
        }
        assert!(parse([OsString::from("--fast")]).is_err());
    }
}
