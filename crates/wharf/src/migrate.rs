//! `wharf migrate check`: from a worker file to what would become of its group's connectors.

use wharf_runtime::inspect::{Observer, WorkerFile};

use crate::cli::LookArgs;
use crate::exit::Exit;
use crate::look::answer;
use crate::migrate_text;

/// Checks the group.
pub(crate) fn check(args: &LookArgs) -> Exit {
    let look = || {
        let file = WorkerFile::read(&args.worker_file)?;
        Observer::connect(&file)?.migration(&file)
    };
    answer(args, look, migrate_text::render, |report| report.can_move)
}
