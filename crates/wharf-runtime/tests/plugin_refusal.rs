//! Libraries that are not what they should be are refused with one line, before any of their code runs where that can be
//! known, and leave the process whole.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wharf_abi::manifest::INTERFACE;
use wharf_abi::{INTERFACE_MAJOR, INTERFACE_MINOR};
use wharf_runtime::plugins::{Refusal, inspect, load};

/// Cargo builds the fixtures' libraries beside this test, as they are dev-dependencies.
fn library(package: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let path = folder.join(format!("lib{}.so", package.replace('-', "_")));
    assert!(
        path.exists(),
        "{} was not built; it is a dev-dependency of this crate",
        path.display()
    );
    path
}

fn good() -> Vec<u8> {
    fs::read(library("wharf-fixture-plugins")).unwrap()
}

/// A folder with one library made of these bytes.
struct Candidate(TempDir);

impl Candidate {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("libcandidate.so"), bytes).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("libcandidate.so")
    }
}

/// `load` refuses it with this code, in one line that names the file and holds these parts.
#[track_caller]
fn refused(path: &Path, code: Refusal, parts: &[&str]) {
    let refusal = match load(path) {
        Ok(module) => panic!("{} was loaded: {:?}", path.display(), module.manifest()),
        Err(refusal) => refusal,
    };
    let line = refusal.to_string();
    assert_eq!(refusal.code, code, "{line}");
    assert!(line.contains(path.to_str().unwrap()), "{line}");
    assert!(!line.contains('\n'), "{line:?}");
    for part in parts {
        assert!(line.contains(part), "expected {part:?} in {line}");
    }
}

/// The bytes with one text replaced by another of the same length, wherever it stands.
fn patched(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter_map(|(at, window)| (window == from.as_bytes()).then_some(at))
        .collect();
    assert!(!places.is_empty(), "{from:?} is not in the library");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn interface_line(version: &str) -> String {
    format!("\ninterface={version}\n")
}

/// The manifest's text from `panic=` on, up to the first class.
fn manifest_part(bytes: &[u8]) -> String {
    let start = bytes
        .windows(13)
        .position(|window| window == b"\npanic=unwind")
        .unwrap();
    let length = bytes[start..]
        .windows(7)
        .position(|window| window == b"\nclass=")
        .unwrap();
    String::from_utf8(bytes[start..start + length].to_vec()).unwrap()
}

#[test]
fn a_good_library_loads_from_any_path_and_more_than_once() {
    let bytes = good();
    for _ in 0..2 {
        let candidate = Candidate::new(&bytes);
        let module = load(&candidate.path()).unwrap();
        assert_eq!(module.manifest(), &inspect(&candidate.path()).unwrap());
        assert!(
            module
                .manifest()
                .classes
                .iter()
                .flatten()
                .any(|class| class.class == "wharf.test.BlobSource")
        );
    }
}

#[test]
fn a_truncated_library_is_refused_at_every_length() {
    let bytes = good();
    let length = bytes.len();
    let mut lengths = vec![1, 4, 16, 20, 63, 64, 65, 100, 1000, 4095, 4096, 10_000, 100_000];
    lengths.extend((1..20).map(|part| length * part / 20));
    lengths.extend([length - 4096, length - 100, length - 1]);
    for length in lengths {
        let candidate = Candidate::new(&bytes[..length]);
        let refusal = load(&candidate.path())
            .err()
            .unwrap_or_else(|| panic!("{length} bytes were loaded"));
        assert!(
            matches!(refusal.code, Refusal::Truncated | Refusal::NotALibrary),
            "{length} of {} bytes: {refusal}",
            bytes.len()
        );
    }
}

#[test]
fn what_is_no_library_is_refused() {
    refused(&Candidate::new(b"").path(), Refusal::NotALibrary, &[]);
    refused(
        &Candidate::new(b"#!/bin/sh\necho hello\n").path(),
        Refusal::NotALibrary,
        &[],
    );
    refused(&Candidate::new(&[0; 100_000]).path(), Refusal::NotALibrary, &[]);
    refused(Path::new("/nowhere/libmissing.so"), Refusal::Unreadable, &[]);
}

#[test]
fn a_library_of_somebody_else_is_refused_without_being_loaded() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("libc.so"))
        .unwrap();
    refused(Path::new(libc), Refusal::NotAPlugin, &[]);
}

#[test]
fn another_interface_is_refused_and_both_versions_are_named() {
    let newer = format!("{INTERFACE_MAJOR}.{}", INTERFACE_MINOR + 1);
    for (version, part) in [("2.0", "2.x"), ("0.9", "0.x"), (&newer, &newer)] {
        let bytes = patched(good(), &interface_line(INTERFACE), &interface_line(version));
        refused(
            &Candidate::new(&bytes).path(),
            Refusal::WrongInterface,
            &[part, INTERFACE],
        );
    }
}

#[test]
fn an_older_minor_version_of_the_interface_loads() {
    let bytes = patched(good(), &interface_line(INTERFACE), &interface_line("1.0"));
    let module = load(&Candidate::new(&bytes).path()).unwrap();
    assert_eq!(module.manifest().interface, (1, 0));
}

#[test]
fn a_damaged_manifest_is_refused() {
    let magic = "WHARF-PLUGIN-MANIFEST\ninterface";
    let bytes = patched(good(), magic, &magic.replace("MANIFEST", "MENAFIST"));
    refused(&Candidate::new(&bytes).path(), Refusal::BadManifest, &["damaged"]);
    let bytes = patched(good(), &interface_line(INTERFACE), &interface_line("one"));
    refused(&Candidate::new(&bytes).path(), Refusal::BadManifest, &["damaged"]);
}

#[test]
fn a_library_for_another_machine_is_refused() {
    let mut bytes = good();
    // The ELF header's e_machine: AArch64 here, x86-64 elsewhere.
    let other: u16 = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    bytes[18..20].copy_from_slice(&other.to_le_bytes());
    refused(&Candidate::new(&bytes).path(), Refusal::WrongMachine, &[]);
    let target = wharf_abi::manifest::TARGET;
    let elsewhere = target.replacen(|letter: char| letter.is_ascii_alphabetic(), "q", 1);
    let bytes = patched(
        good(),
        &format!("\ntarget={target}\n"),
        &format!("\ntarget={elsewhere}\n"),
    );
    refused(
        &Candidate::new(&bytes).path(),
        Refusal::WrongMachine,
        &[&elsewhere],
    );
}

#[test]
fn a_library_whose_panics_abort_is_refused() {
    let bytes = good();
    let part = manifest_part(&bytes);
    // One letter less in one line is one more in another.
    let aborting = part
        .replace("panic=unwind", "panic=abort")
        .replace("\npackage=", "\npackage=_");
    let bytes = patched(bytes, &part, &aborting);
    refused(
        &Candidate::new(&bytes).path(),
        Refusal::PanicAbort,
        &["panic=abort"],
    );
}

#[test]
fn a_missing_dependency_is_named() {
    let bytes = patched(good(), "\0libgcc_s.so.1\0", "\0libgone_.so.1\0");
    refused(
        &Candidate::new(&bytes).path(),
        Refusal::NotLoadable,
        &["libgone_.so.1"],
    );
}

#[test]
fn an_initialiser_that_fails_or_panics_refuses_its_library_only() {
    refused(
        &library("wharf-fixture-init-error"),
        Refusal::InitFailed,
        &["the licence file is missing", "no such file"],
    );
    refused(
        &library("wharf-fixture-init-panic"),
        Refusal::InitFailed,
        &["the initialiser fell over"],
    );
    a_good_library_loads_from_any_path_and_more_than_once();
}
