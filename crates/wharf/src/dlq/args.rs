//! What may be said to `wharf dlq`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const LIST_HELP: &str = "\
Examples:
  wharf dlq list config/connect-distributed.properties --topic dlq-orders
  wharf dlq list config/connect-distributed.properties --topic dlq-orders --since 2h --records --limit 20
  wharf dlq list config/connect-distributed.properties --topic dlq-orders --reason timeout --json | jq '.groups[].letters'

Times are those of the records that failed, unless the topic has message.timestamp.type=LogAppendTime. The command writes
nothing.

Exits with 0 when the topic was read, with 2 when it is not there or Kafka cannot be asked.";

const SHOW_HELP: &str = "\
Example:
  wharf dlq show config/connect-distributed.properties --topic dlq-orders --at 0:1234

Exits with 0, with 1 when there is no record at that place (any more), with 2 when Kafka cannot be asked.";

const REPLAY_HELP: &str = "\
Examples:
  wharf dlq replay config/connect-distributed.properties --topic dlq-orders --to original --dry-run
  wharf dlq replay config/connect-distributed.properties --topic dlq-orders --to original --connector orders-sink --rate 200 --yes
  wharf dlq replay config/connect-distributed.properties --topic dlq-orders --through-connector orders-sink

A plan is shown first, and nothing is done before it is agreed to. Key, value, timestamp and headers are sent as they were, without
the headers of the failure, and with headers __wharf.replay.* that say how often the record was sent and where it failed
first. Progress is kept in Kafka as offsets of a group: the same command goes on where it was, however it ended. Killed, it repeats
what it sent in its last second.

--through-connector lets that sink connector alone have the records: they go to topics of their own, which a connector with the same
configuration reads, made and removed over the REST API. What fails again becomes a dead letter again.

Exits with 0 when all was sent, with 1 when something was not, or came back, with 2 when nothing was begun, with 130 or 143 when a
signal stopped it.";

/// `wharf dlq`.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count dead letters by connector, stage and exception.
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Show one dead letter whole.
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),
    /// Send dead letters to where they belong.
    #[command(after_help = REPLAY_HELP)]
    Replay(ReplayArgs),
}

/// Which topic, on which brokers.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct TopicArgs {
    /// Worker file of the connectors, standalone or distributed; its `consumer.`, `producer.` and admin settings count.
    #[arg(value_name = "WORKER.properties")]
    pub(crate) worker_file: PathBuf,
    /// The dead letter topic.
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct SelectionArgs {
    /// Only letters of this connector.
    #[arg(long, value_name = "NAME")]
    pub(crate) connector: Option<String>,
    /// Only letters that failed at this stage, as VALUE_CONVERTER or TASK_PUT.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// Only letters with this text in exception class or message.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only letters of records of this time or later: 90s, 30m, 2h, 3d (ago), a date, or 2026-11-21T03:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only letters of records before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only letters of records that were sent again before.
    #[arg(long)]
    pub(crate) again: bool,
}

/// `wharf dlq list`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ListArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) topic: TopicArgs,
    /// Which.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// List letters one by one, the first ones.
    #[arg(long)]
    pub(crate) records: bool,
    /// How many of them.
    #[arg(long, value_name = "N", default_value_t = 50, requires = "records")]
    pub(crate) limit: usize,
}

/// `wharf dlq show`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ShowArgs {
    /// Where.
    #[command(flatten)]
    pub(crate) topic: TopicArgs,
    /// Partition and offset in the dead letter topic.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = place)]
    pub(crate) at: (i32, i64),
    /// How much of key, value and each header is shown.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub(crate) max_bytes: usize,
}

/// `wharf dlq replay`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(group = clap::ArgGroup::new("destination").required(true).args(["to", "through_connector"]))]
pub(crate) struct ReplayArgs {
    /// Where from.
    #[command(flatten)]
    pub(crate) topic: TopicArgs,
    /// Which.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Send to the topic that each record is from (`original`), or to this topic.
    #[arg(long, value_name = "original|TOPIC")]
    pub(crate) to: Option<String>,
    /// Send to this sink connector alone; its letters are meant.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["connector", "same_partition"])]
    pub(crate) through_connector: Option<String>,
    /// REST API of a worker, for --through-connector; by default where the worker file has it.
    #[arg(long, value_name = "URL", conflicts_with = "to")]
    pub(crate) url: Option<String>,
    /// At most this many records per second.
    #[arg(long, value_name = "N[/s]", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Send to the partition that a record failed in, instead of that of its key.
    #[arg(long)]
    pub(crate) same_partition: bool,
    /// Leave out records that were sent this often before.
    #[arg(long, value_name = "N")]
    pub(crate) max_replays: Option<u32>,
    /// Leave out this letter; may be repeated. It makes no other replay of it.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = place)]
    pub(crate) except: Vec<(i32, i64)>,
    /// Let letters stay behind that cannot be sent.
    #[arg(long)]
    pub(crate) leave: bool,
    /// Group that keeps the progress; by default one that goes with topic, selection and destination.
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Show the plan and end.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

fn place(text: &str) -> Result<(i32, i64), String> {
    let read = |text: &str| {
        let (partition, offset) = text.split_once(':')?;
        let place = (partition.parse().ok()?, offset.parse().ok()?);
        (place.0 >= 0 && place.1 >= 0).then_some(place)
    };
    read(text).ok_or_else(|| "write partition and offset, as 0:1234".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix("/s").unwrap_or(text.trim());
    match number.trim().parse::<f64>() {
        // Slower than one in a day is no rate.
        Ok(rate) if rate.is_finite() && rate >= 1.0 / 86_400.0 => Ok(rate),
        _ => Err("write records per second, as 200 or 0.5/s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn read(line: &[&str]) -> Option<DlqCommand> {
        let line = ["wharf", "dlq"].iter().chain(line);
        match Cli::try_parse_from(line).ok()?.command {
            Command::Dlq(command) => Some(*command),
            _ => None,
        }
    }

    #[test]
    fn a_replay_goes_to_one_place() {
        let Some(DlqCommand::Replay(args)) = read(&[
            "replay", "w", "--topic", "t", "--to", "original", "--rate", "20/s", "--stage", "X",
        ]) else {
            panic!("not read")
        };
        assert_eq!((args.to.as_deref(), args.rate), (Some("original"), Some(20.0)));
        assert_eq!(args.selection.stage.as_deref(), Some("X"));
        for line in [
            &["replay", "w", "--topic", "t"][..],
            &[
                "replay",
                "w",
                "--topic",
                "t",
                "--to",
                "x",
                "--through-connector",
                "c",
            ],
            &[
                "replay",
                "w",
                "--topic",
                "t",
                "--through-connector",
                "c",
                "--connector",
                "d",
            ],
            &["replay", "w", "--topic", "t", "--to", "x", "--url", "http://h"],
            &["replay", "w", "--topic", "t", "--to", "x", "--rate", "0"],
            &["replay", "w", "--topic", "t", "--to", "x", "--rate", "fast"],
            &["replay", "w", "--to", "x"],
            &["list", "w", "--topic", "t", "--limit", "5"],
            &["show", "w", "--topic", "t"],
            &["show", "w", "--topic", "t", "--at", "0"],
            &["show", "w", "--topic", "t", "--at=-1:0"],
        ] {
            assert!(read(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn places_and_rates_are_read() {
        assert_eq!(place("2:1234"), Ok((2, 1234)));
        assert!(place("2").is_err() && place("a:b").is_err());
        assert_eq!(rate("0.5/s"), Ok(0.5));
        assert_eq!(rate(" 200 "), Ok(200.0));
        assert!(rate("inf").is_err() && rate("-1").is_err());
    }
}
