//! The program behind `cargo xtask demo jdbc`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to a person at a terminal is its work"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match wharf_demo_jdbc::run() {
        Ok(()) => {
            println!("\nThe demo passed; nothing is left of it.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
