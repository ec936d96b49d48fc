//! Standard output and error. A reader that went away (`wharf plugin list | head`) is no reason to fail.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a text and a line end to standard output.
pub(crate) fn print(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a text and a line end to standard error.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints one JSON object, readable.
pub(crate) fn print_json(answer: &impl serde::Serialize) {
    match serde_json::to_string_pretty(answer) {
        Ok(text) => print(text),
        Err(error) => complain(format_args!("the answer cannot be written as JSON: {error}")),
    }
}
