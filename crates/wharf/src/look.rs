//! What the commands that look at a group have in common: a report for people or as JSON, and what it comes to as exit code.

use serde::Serialize;
use wharf_runtime::inspect::{InspectError, finish};

use crate::cli::LookArgs;
use crate::exit::Exit;
use crate::output::{complain, print, print_json};
use crate::table::Marks;

/// Looks, and prints what was seen.
pub(crate) fn answer<R: Serialize>(
    args: &LookArgs,
    look: impl FnOnce() -> Result<R, InspectError>,
    render: impl FnOnce(&R, Marks) -> String,
    is_well: impl FnOnce(&R) -> bool,
) -> Exit {
    let looked = look();
    finish();
    match looked {
        Ok(report) => {
            if args.json {
                print_json(&report);
            } else {
                print(render(&report, Marks::of_stdout()));
            }
            if is_well(&report) {
                Exit::Success
            } else {
                Exit::Trouble
            }
        }
        Err(error) => {
            complain(error);
            Exit::Setup
        }
    }
}
