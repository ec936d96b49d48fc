//! `wharf dlq`: dead letters listed, shown and sent again.

mod args;
mod body;
mod replay;
mod text;

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_runtime::inspect::dead_letters::{DeadLetterError, DeadLetterTopic, Selection, parse_time};
use wharf_runtime::inspect::{ClientFile, finish};

pub(crate) use self::args::DlqCommand;
use self::args::{ListArgs, SelectionArgs, ShowArgs, TopicArgs};
use crate::exit::Exit;
use crate::output::{complain, print, print_json};
use crate::table::Marks;

/// Does what was asked.
pub(crate) fn run(command: &DlqCommand) -> Exit {
    let exit = match command {
        DlqCommand::List(args) => list(args),
        DlqCommand::Show(args) => show(args),
        DlqCommand::Replay(args) => replay::replay(args),
    };
    finish();
    exit.unwrap_or_else(|said| {
        complain(said);
        Exit::Setup
    })
}

fn list(args: &ListArgs) -> Result<Exit, String> {
    let selection = selection(&args.selection)?;
    let (_, topic) = connect(&args.topic)?;
    let lines = args.records.then_some(args.limit);
    let overview = topic.overview(&selection, lines).map_err(said)?;
    if args.topic.json {
        print_json(&overview);
    } else {
        print(text::overview(&overview, Marks::of_stdout()));
    }
    Ok(Exit::Success)
}

fn show(args: &ShowArgs) -> Result<Exit, String> {
    let (_, topic) = connect(&args.topic)?;
    let (partition, offset) = args.at;
    let Some(letter) = topic.letter(partition, offset).map_err(said)? else {
        complain(format_args!(
            "there is no record at {partition}:{offset} of topic {}, or none any more",
            args.topic.topic
        ));
        return Ok(Exit::Trouble);
    };
    let shown = body::Shown::new(&letter, args.max_bytes);
    if args.topic.json {
        print_json(&shown);
    } else {
        print(text::letter(&shown));
    }
    Ok(Exit::Success)
}

fn connect(args: &TopicArgs) -> Result<(ClientFile, DeadLetterTopic), String> {
    let file = ClientFile::read(&args.worker_file).map_err(|error| error.to_string())?;
    let topic = DeadLetterTopic::connect(&file, &args.topic).map_err(said)?;
    Ok((file, topic))
}

fn selection(args: &SelectionArgs) -> Result<Selection, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let time = |key: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| parse_time(text, now).map_err(|error| format!("{key}: {error}")))
            .transpose()
    };
    Ok(Selection {
        connector: args.connector.clone(),
        stage: args.stage.clone(),
        reason: args.reason.clone(),
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        again: args.again,
    })
}

fn said(error: DeadLetterError) -> String {
    error.to_string()
}
