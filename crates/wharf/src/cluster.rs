//! `wharf cluster`: from a worker file to what its group does.

use wharf_runtime::inspect::{Observer, WorkerFile};

use crate::cli::LookArgs;
use crate::cluster_text;
use crate::exit::Exit;
use crate::look::answer;

/// Shows the group.
pub(crate) fn run(args: &LookArgs) -> Exit {
    let look = || Observer::connect(&WorkerFile::read(&args.worker_file)?)?.cluster();
    answer(args, look, cluster_text::render, |report| {
        !report.findings.iter().any(|finding| finding.is_problem)
    })
}
