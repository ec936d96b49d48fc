//! Ours against the recorded answers of the JVM. No Java is needed.
#![allow(clippy::print_stdout, reason = "the counts belong in the output of the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use wharf_oracle::{Kind, cases, differences, recorded, report};

/// By the program, because it starts a process for each time zone.
#[test]
fn every_case_is_answered_as_the_jvm_answered_it_or_differs_as_declared() {
    let output = Command::new(env!("CARGO_BIN_EXE_wharf-oracle"))
        .arg("--compare")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn recorded_cases_are_the_cases_of_the_tables() {
    for kind in Kind::ALL {
        let stale = report::stale(kind, &cases::of(kind), &recorded::read(kind).unwrap());
        assert!(stale.is_empty(), "{stale:?}");
    }
}

#[test]
fn declared_differences_are_exactly_the_rows_of_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let unmatched = differences::unmatched(&fs::read_to_string(path).unwrap());
    assert!(unmatched.is_empty(), "{unmatched:#?}");
}

#[test]
fn cases_are_many_and_each_has_its_own_id() {
    let all: Vec<_> = Kind::ALL.into_iter().flat_map(cases::of).collect();
    let ids: BTreeSet<&str> = all.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), all.len());
    let generated = ids.iter().filter(|id| id.contains("/generated")).count();
    assert!(all.len() >= 1000 && generated >= 200, "{} {generated}", all.len());
}

#[test]
fn recorded_files_stay_small_and_are_those_of_the_kinds() {
    let mut bytes = 0;
    for entry in fs::read_dir(recorded::folder()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let kind = name.strip_suffix(".jsonl").and_then(Kind::named);
        assert!(kind.is_some(), "{name} belongs to no kind");
        bytes += entry.metadata().unwrap().len();
    }
    // Records with their schemas, for transformations, are the most of it.
    assert!(bytes < 4_100_000, "{bytes} bytes");
}
