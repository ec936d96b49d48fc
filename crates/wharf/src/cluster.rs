//! `wharf cluster`: from a worker file to what its group does.

use wharf_runtime::inspect::{ClusterReport, InspectError, Observer, WorkerFile, finish};

use crate::cli::LookArgs;
use crate::cluster_text;
use crate::exit::Exit;
use crate::output::{complain, print, print_json};
use crate::table::Marks;

/// Shows the group.
pub(crate) fn run(args: &LookArgs) -> Exit {
    let looked = look(args);
    finish();
    match looked {
        Ok(report) => {
            if args.json {
                print_json(&report);
            } else {
                print(cluster_text::render(&report, Marks::of_stdout()));
            }
            if report.findings.iter().any(|finding| finding.is_problem) {
                Exit::Trouble
            } else {
                Exit::Success
            }
        }
        Err(error) => {
            complain(error);
            Exit::Setup
        }
    }
}

fn look(args: &LookArgs) -> Result<ClusterReport, InspectError> {
    let file = WorkerFile::read(&args.worker_file)?;
    Observer::connect(&file)?.cluster()
}
