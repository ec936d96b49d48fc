//! The `wharf` binary: command line and wiring. What it does lies in the other crates.
//!
//! Under the names of upstream's scripts it takes their arguments (`scripts`); standard output belongs to answers and,
//! while a worker runs, to the log.

#[cfg(target_os = "linux")]
mod broker_wait;
mod cli;
mod cluster;
mod cluster_text;
mod distributed;
mod dlq;
mod exit;
mod look;
mod migrate;
mod migrate_text;
mod output;
mod plugin;
mod plugin_table;
mod scripts;
mod signals;
mod standalone;
mod table;
mod worker_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use wharf_runtime::config::WorkerMode;

use crate::cli::{Cli, Command, ConfigCommand, MigrateCommand, PluginCommand};
use crate::exit::Exit;
use crate::output::print;
use crate::scripts::Request;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(exit) = plugin::answer_parent(&args) {
        return exit.into();
    }
    let exit = match scripts::read(&args) {
        Request::Wharf => run(Cli::parse_from(args).command),
        Request::Standalone(args) => standalone::run(&args),
        Request::Distributed { args, ignored } => {
            scripts::complain_of_ignored(&ignored);
            distributed::run(&args)
        }
        Request::ListPlugins(sources) => plugin::list(&sources),
        Request::SyncManifests { sources, dry_run } => plugin::sync_manifests(&sources, dry_run),
        Request::Usage(text) => {
            print(text);
            Exit::Refused
        }
    };
    exit.into()
}

fn run(command: Command) -> Exit {
    match command {
        Command::Standalone(args) => standalone::run(&args),
        Command::Distributed(args) => distributed::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Migrate(MigrateCommand::Check(args)) => migrate::check(&args),
        Command::Dlq(command) => dlq::run(&command),
        Command::Plugin(PluginCommand::List(sources)) => plugin::list(&sources),
        Command::Plugin(PluginCommand::Verify { file }) => plugin::verify(&file),
        Command::Plugin(PluginCommand::Info { class, sources }) => plugin::info(&class, &sources),
        Command::Config(command) => {
            let mode = match command {
                ConfigCommand::Standalone => WorkerMode::Standalone,
                ConfigCommand::Distributed => WorkerMode::Distributed,
            };
            print(mode.reference().trim_end());
            Exit::Success
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wharf", &mut script);
            print(String::from_utf8_lossy(&script).trim_end());
            Exit::Success
        }
    }
}
