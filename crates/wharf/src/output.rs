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
