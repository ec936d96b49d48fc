//! Documents made of raw rows: `docs/performance.md`, the table in README.md, and what is printed after a run.

mod document;
mod figures;
mod groups;
mod metrics;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::rows::{self, Handling, Row};

use figures::Run;

const BEGIN: &str = "<!-- performance:begin -->";
const END: &str = "<!-- performance:end -->";

/// The result of a run for a terminal.
pub(crate) fn table(rows: &[Row]) -> String {
    let run = Run(rows);
    [
        document::targets(run),
        document::transfers(run),
        document::others(run),
    ]
    .join("\n")
}

/// The result of a run of groups for a terminal.
pub(crate) fn groups_table(rows: &[Row]) -> String {
    groups::tables(Run(rows))
}

/// The result of a run with tables for a terminal.
pub(crate) fn tables_table(rows: &[Row]) -> String {
    tables::tables(Run(rows))
}

/// Where the rows of a complete run with tables are.
pub(crate) fn tables_path(root: &Path) -> PathBuf {
    root.join("tests/bench/results/tables.jsonl")
}

/// What metrics cost, for a terminal.
pub(crate) fn metrics_table(rows: &[Row]) -> String {
    metrics::table(Run(rows))
}

/// Where the rows of counted instructions are.
pub(crate) fn metrics_path(root: &Path) -> PathBuf {
    root.join("tests/bench/results/metrics.jsonl")
}

/// Where the rows of a complete run of groups are.
pub(crate) fn groups_path(root: &Path) -> PathBuf {
    root.join("tests/bench/results/groups.jsonl")
}

/// Where the rows of a complete run with converters and transformations are.
pub(crate) fn work_path(root: &Path, work: Handling) -> PathBuf {
    root.join("tests/bench/results")
        .join(format!("{}.jsonl", work.name()))
}

/// The rows of a run beside the main one; none before the first.
fn other_rows(path: PathBuf) -> Result<Vec<Row>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    rows::parse(&text).with_context(|| format!("in {}", path.display()))
}

/// Each document with the text that it must have.
pub(crate) fn documents(rows: &[Row], root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let run = Run(rows);
    let groups = other_rows(groups_path(root))?;
    let json = other_rows(work_path(root, Handling::Json))?;
    let avro = other_rows(work_path(root, Handling::Avro))?;
    let tables = other_rows(tables_path(root))?;
    let metrics = other_rows(metrics_path(root))?;
    let sections =
        groups::section(Run(&groups))? + &tables::section(Run(&tables))? + &metrics::section(Run(&metrics))?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    Ok(vec![
        (
            root.join("docs/performance.md"),
            document::performance(run, &[Run(&json), Run(&avro)], &sections)?,
        ),
        (readme, with_block(&text, &document::short(run)?)?),
    ])
}

/// The text with its marked block replaced.
fn with_block(text: &str, block: &str) -> Result<String> {
    let missing = || format!("README.md has no block between `{BEGIN}` and `{END}`; add both lines");
    let (before, rest) = text.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!("{before}{BEGIN}\n{block}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_what_is_made_of_the_rows_in_the_tree() {
        let root = crate::root();
        let rows = fs::read_to_string(root.join("tests/bench/results/full.jsonl")).unwrap();
        let rows = rows::parse(&rows).unwrap();
        for (path, text) in documents(&rows, &root).unwrap() {
            let found = fs::read_to_string(&path).unwrap();
            assert!(
                found == text,
                "{} is not made of these rows; run `cargo xtask bench --render`",
                path.display()
            );
        }
    }

    #[test]
    fn only_the_block_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = with_block(&text, "new\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(with_block(&new, "new\n").unwrap(), new);
        assert!(with_block("a\n", "new\n").is_err());
    }
}
