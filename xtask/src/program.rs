//! Verbs that are programs of their own below `tests/`: built here together with what they measure or compare, then
//! run with the arguments as typed.
//!
//! Apart from this crate because they have dependencies that `cargo xtask tidy` should not wait for.

use anyhow::Result;
use wharf_test_services::built;

use crate::build::{self, Scope};
use crate::flags::Program;
use crate::project;

/// Builds worker, plugins and the program, and runs it.
pub(crate) fn run(program: &Program) -> Result<()> {
    build::build(program.profile, Scope::ProductAnd(program.package))?;
    project::run(
        std::process::Command::new(project::binary(program.profile, program.package))
            .args(&program.args)
            .current_dir(project::root())
            .env(built::WORKER, project::binary(program.profile, "wharf"))
            .env(built::PLUGINS, project::plugin_dir(program.profile)),
    )
}
