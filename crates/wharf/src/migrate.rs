//! `wharf migrate check`: from a worker file to what would become of its group's connectors.

use wharf_runtime::inspect::{InspectError, MigrationReport, Observer, WorkerFile, finish};

use crate::cli::LookArgs;
use crate::exit::Exit;
use crate::migrate_text;
use crate::output::{complain, print, print_json};
use crate::table::Marks;

/// Checks the group.
pub(crate) fn check(args: &LookArgs) -> Exit {
    let looked = look(args);
    finish();
    match looked {
        Ok(report) => {
            if args.json {
                print_json(&report);
            } else {
                print(migrate_text::render(&report, Marks::of_stdout()));
            }
            if report.can_move {
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

fn look(args: &LookArgs) -> Result<MigrationReport, InspectError> {
    let file = WorkerFile::read(&args.worker_file)?;
    Observer::connect(&file)?.migration(&file)
}
