//! `cargo xtask`: everything that is done with this tree besides writing it.
//!
//! Thin on purpose: one file for each verb, what was typed becomes a [`flags::Command`] first, and few
//! dependencies, because `cargo xtask tidy` has to start at once.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person at a terminal is its work"
)]

mod build;
mod demo;
mod flags;
mod new_plugin;
mod program;
mod project;
mod services;
mod test;
mod tidy;
mod toolchain;

use std::process::ExitCode;

use flags::Command;

fn main() -> ExitCode {
    let command = match flags::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error:#}\n\n{}", flags::HELP);
            return ExitCode::from(2);
        }
    };
    let outcome = match command {
        Command::Help => {
            print!("{}", flags::HELP);
            Ok(())
        }
        Command::Build(options) => build::run(options),
        Command::Demo(options) => demo::run(&options),
        Command::Program(options) => program::run(&options),
        Command::NewPlugin(options) => new_plugin::run(&options),
        Command::Services(action) => services::run(&action),
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
