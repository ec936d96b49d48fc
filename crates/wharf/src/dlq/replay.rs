//! `wharf dlq replay`: the plan, the question, the run, and what came of it.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use wharf_runtime::inspect::dead_letters::{
    DeadLetterError, Destination, Drained, Outcome, Replay, ReplayPlan, ReplayRequest, ThroughConnector,
};

use super::args::ReplayArgs;
use super::{connect, said, selection, text};
use crate::exit::Exit;
use crate::output::{complain, print, print_json};
use crate::signals::Signals;
use crate::table::Marks;

/// What `--to` says for the topic of each record.
const ORIGINAL: &str = "original";
/// How often a run tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What a replay came to, as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    plan: &'a ReplayPlan,
    /// Null for a dry run, or when nothing was begun.
    outcome: Option<Outcome>,
    /// With `--through-connector`.
    through_connector: Option<Drained>,
    /// Why it did not come to its end.
    error: Option<String>,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<Exit, String> {
    let request = request(args)?;
    let (file, topic) = connect(&args.topic)?;
    let through = match &args.through_connector {
        None => None,
        Some(connector) => {
            let url = args.url.clone().or_else(|| file.rest_url()).ok_or(
                "the worker file does not say where the REST API is: name a worker with --url http://HOST:PORT",
            )?;
            Some(ThroughConnector::find(&url, connector).map_err(said)?)
        }
    };
    let replay = Replay::plan(&topic, request).map_err(said)?;
    let plan = replay.what();
    if !args.topic.json {
        print(text::plan(plan, Marks::of_stdout()));
    }
    let nothing_done = |exit| {
        if args.topic.json {
            print_json(&Answer {
                plan,
                outcome: None,
                through_connector: None,
                error: None,
            });
        }
        Ok(exit)
    };
    if !plan.refusals.is_empty() {
        complain("nothing was sent");
        return nothing_done(Exit::Setup);
    }
    if args.dry_run {
        return nothing_done(Exit::Success);
    }
    // A stand-in that an earlier run left behind is still waited for when there is nothing to send.
    if !args.yes && (plan.to_send > 0 || through.is_some()) && !agreed()? {
        complain("nothing was sent");
        return nothing_done(Exit::Setup);
    }
    let stop = Stop::catch()?;
    let mut drained = None;
    let mut outcome = None;
    let result = carry_out(&replay, through.as_ref(), &stop, &mut outcome, &mut drained);
    let error = result.err().map(|error| error.to_string());
    if let Some(error) = &error {
        complain(error);
    }
    let exit = exit(&stop, outcome.as_ref(), drained.as_ref(), error.is_some());
    if args.topic.json {
        print_json(&Answer {
            plan,
            outcome,
            through_connector: drained,
            error,
        });
    } else {
        summary(outcome.as_ref(), drained.as_ref());
    }
    Ok(exit)
}

fn request(args: &ReplayArgs) -> Result<ReplayRequest, String> {
    let mut selection = selection(&args.selection)?;
    let destination = match (&args.through_connector, args.to.as_deref()) {
        (Some(connector), _) => {
            selection.connector = Some(connector.clone());
            Destination::Connector(connector.clone())
        }
        (None, Some(topic)) if topic != ORIGINAL => Destination::Topic(topic.to_owned()),
        _ => Destination::Original,
    };
    Ok(ReplayRequest {
        selection,
        times_as_written: [args.selection.since.clone(), args.selection.until.clone()],
        destination,
        same_partition: args.same_partition,
        max_replays: args.max_replays,
        except: args.except.clone(),
        leave: args.leave,
        rate: args.rate,
        group: args.group.clone(),
    })
}

fn carry_out(
    replay: &Replay<'_>,
    through: Option<&ThroughConnector>,
    stop: &Stop,
    outcome: &mut Option<Outcome>,
    drained: &mut Option<Drained>,
) -> Result<(), DeadLetterError> {
    let planned = replay.what().to_send;
    let mut pace = Pace::default();
    if let Some(through) = through {
        through.prepare(replay)?;
    }
    let sent = replay.run(&stop.flag, &mut |sent| {
        pace.tell(|| format!("{sent} of {planned} sent"));
    })?;
    let is_complete = sent.is_complete;
    *outcome = Some(sent);
    if let Some(through) = through
        && is_complete
    {
        *drained = Some(through.drain(replay, &stop.flag, &mut |left| {
            pace.tell(|| format!("{left} record(s) left for the connector"));
        })?);
    }
    Ok(())
}

/// What the run comes to as exit code.
fn exit(stop: &Stop, outcome: Option<&Outcome>, drained: Option<&Drained>, has_failed: bool) -> Exit {
    let is_complete = outcome.is_some_and(|outcome| outcome.is_complete)
        && drained.is_none_or(|drained| drained.is_complete);
    match stop.exit() {
        Some(exit) if !is_complete && !has_failed => exit,
        _ if has_failed || !is_complete => Exit::Trouble,
        _ if drained.is_some_and(|drained| drained.came_back > 0) => Exit::Trouble,
        _ => Exit::Success,
    }
}

fn summary(outcome: Option<&Outcome>, drained: Option<&Drained>) {
    if let Some(outcome) = outcome {
        print(format_args!(
            "Sent      {} of {} letter(s)",
            outcome.sent, outcome.planned
        ));
        if !outcome.is_complete {
            print("Stopped   the same command goes on where this one was");
        }
    }
    if let Some(drained) = drained {
        if drained.is_complete {
            print("Done      the connector has consumed all of them; what was made for it is removed");
        } else {
            print(
                "Stopped   the connector that was made for it goes on; the same command waits for it and removes it",
            );
        }
        if drained.came_back > 0 {
            print(format_args!(
                "Came back {} record(s) failed again and are dead letters again",
                drained.came_back
            ));
        }
    }
}

/// Asks whether to go on.
fn agreed() -> Result<bool, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            "nobody can be asked whether to send these: add --yes to agree, or --dry-run to look".to_owned(),
        );
    }
    complain("Send these letters? [y/N]");
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(|error| format!("the answer cannot be read: {error}"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A signal that asks for an orderly end.
struct Stop {
    flag: Arc<AtomicBool>,
    code: Arc<AtomicU8>,
}

impl Stop {
    /// From now on the first signal asks for an orderly end, and the second one ends the process.
    fn catch() -> Result<Self, String> {
        let stop = Self {
            flag: Arc::default(),
            code: Arc::default(),
        };
        let failed = |error: std::io::Error| format!("signals cannot be caught: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let signals = {
            let _entered = runtime.enter();
            Signals::catch().map_err(failed)?
        };
        let (flag, code) = (Arc::clone(&stop.flag), Arc::clone(&stop.code));
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let first = signals.stop().await;
                code.store(first.code(), Ordering::Relaxed);
                flag.store(true, Ordering::Release);
                // The second signal is waited for in here.
                std::future::pending::<()>().await;
            });
        });
        Ok(stop)
    }

    fn exit(&self) -> Option<Exit> {
        if !self.flag.load(Ordering::Acquire) {
            return None;
        }
        let code = self.code.load(Ordering::Relaxed);
        [Exit::Interrupted, Exit::Terminated]
            .into_iter()
            .find(|exit| exit.code() == code)
    }
}

/// Tells on standard error how far it is, not too often.
#[derive(Default)]
struct Pace(Option<Instant>);

impl Pace {
    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.0.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.0 = Some(Instant::now());
            complain(what());
        }
    }
}
