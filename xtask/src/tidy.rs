//! `cargo xtask tidy`: the rules of the house that no compiler checks, each a function with its own tests.
//!
//! A rule takes text and gives [`Finding`]s, so that its tests need no tree; only this file reads from disk. Every
//! finding names a place, what is wrong and what to do.

mod code;
mod dependencies;
mod licences;
mod purity;
mod source;
mod text;
mod tree;

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::project;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path from the root of the tree.
    file: String,
    /// Line, counted from 1; 0 when the whole file is meant.
    line: usize,
    /// What is wrong.
    what: String,
    /// What to do about it.
    remedy: &'static str,
}

impl Finding {
    fn new(file: &str, line: usize, what: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
            remedy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// The verb.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let mut findings = tree::check(&files, |path| fs::read_to_string(project::root().join(path)).ok());
    for file in &files {
        let raw = fs::read(project::root().join(file)).with_context(|| format!("cannot read {file}"))?;
        let Ok(text) = String::from_utf8(raw) else {
            continue;
        };
        findings.extend(text::check(file, &text));
        if file.ends_with(".rs") {
            findings.extend(source::check(file, &text));
            findings.extend(purity::check(file, &text));
        }
    }
    let metadata = project::metadata(true)?;
    findings.extend(dependencies::check(&metadata));
    findings.extend(licences::check(&metadata));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing to complain about", files.len());
            Ok(())
        }
        1 => bail!("tidy: 1 finding"),
        n => bail!("tidy: {n} findings"),
    }
}

/// Every file that is tracked or would be after `git add`, as paths from the root, still on disk.
fn files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(project::root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = project::read(&mut git).context("tidy asks git which files belong to the tree")?;
    let mut files: Vec<_> = listing
        .split('\0')
        .filter(|path| !path.is_empty() && project::root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_place_fault_and_remedy() {
        let at = Finding::new("a/b.rs", 7, "a tab", "indent with blanks");
        assert_eq!(at.to_string(), "a/b.rs:7: a tab; indent with blanks");
        let whole = Finding::new("README.md", 0, "missing", "write it");
        assert_eq!(whole.to_string(), "README.md: missing; write it");
    }
}
