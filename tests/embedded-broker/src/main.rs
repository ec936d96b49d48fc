//! The embedded broker as a process: prints its bootstrap address as one line and runs until standard input closes.
//!
//! Closing of standard input is the stop signal because it happens however the parent ends. With `--detached` it
//! runs until it is killed, for whoever wants to keep it.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use wharf_embedded_broker::EmbeddedBroker;

fn main() -> ExitCode {
    let detached = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--detached") => true,
        Some(other) => {
            return fail(&format!(
                "unknown argument `{other}`; the only one known is --detached"
            ));
        }
    };
    let broker = match EmbeddedBroker::start() {
        Ok(broker) => broker,
        Err(error) => return fail(&error.to_string()),
    };
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "{}", broker.bootstrap()).and_then(|()| out.flush()) {
        return fail(&format!("cannot print the address: {error}"));
    }
    if detached {
        loop {
            std::thread::park();
        }
    }
    let mut buffer = [0; 256];
    // An error means that nobody can close it properly any more, which is as good as closed.
    while matches!(io::stdin().read(&mut buffer), Ok(n) if n > 0) {}
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    // When even standard error is gone, the exit code still tells.
    let _ = writeln!(io::stderr(), "wharf-embedded-broker: {message}");
    ExitCode::FAILURE
}
