//! What a library's file says of itself, read as bytes: nothing of the library runs here.
//!
//! `dlopen` maps a file without looking whether it is complete, and runs the library's constructors before anybody can
//! object. So this comes first: the file must be a complete library for this machine and carry a manifest that fits.
//! Only headers, tables and the manifest are read, however large the file is.

use std::fs::{self, File};
use std::path::Path;

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use object::{Endianness, ReadCache, ReadRef};
use wharf_abi::manifest::{MAGIC, Manifest, ManifestError, SECTION};

use super::refused::{Refusal, RefusedPlugin};

type Reason = (Refusal, String);

/// Reads and checks the manifest of the library at this path.
///
/// # Errors
/// Why the library cannot be used.
pub fn inspect(path: &Path) -> Result<Manifest, RefusedPlugin> {
    read_manifest(path).map_err(|(code, reason)| RefusedPlugin::new(path, code, reason))
}

fn read_manifest(path: &Path) -> Result<Manifest, Reason> {
    let unreadable = |error: std::io::Error| {
        (
            Refusal::Unreadable,
            format!("it cannot be read ({error}); check that it exists and its permissions"),
        )
    };
    // before it is opened: to open a named pipe waits for somebody to write into it
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err((
            Refusal::NotALibrary,
            "it is not a regular file; remove it from plugin.path".into(),
        ));
    }
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let cache = ReadCache::new(file);
    let bytes = manifest_bytes(&cache, length)?;
    let manifest = Manifest::parse(&bytes).map_err(refusal)?;
    manifest.check().map_err(refusal)?;
    Ok(manifest)
}

/// The refusal that a manifest error stands for.
pub(super) fn refusal(error: ManifestError) -> Reason {
    let code = match &error {
        ManifestError::Malformed(_) => Refusal::BadManifest,
        ManifestError::Interface(..) => Refusal::WrongInterface,
        ManifestError::PanicAbort => Refusal::PanicAbort,
        ManifestError::Target(_) => Refusal::WrongMachine,
    };
    (code, error.to_string())
}

fn manifest_bytes<'data, R: ReadRef<'data>>(data: R, length: u64) -> Result<Vec<u8>, Reason> {
    check_ident(data, length)?;
    let header =
        FileHeader64::<Endianness>::parse(data).map_err(|_| truncated("its header is incomplete"))?;
    let endian = Endianness::Little;
    check_machine(header.e_machine(endian))?;
    if header.e_type(endian) != elf::ET_DYN {
        let reason =
            "it is not a shared library but another kind of object file; build it with crate-type cdylib";
        return Err((Refusal::NotALibrary, reason.into()));
    }
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| truncated("its program headers are missing"))?;
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        check_range("a segment", offset, size, length)?;
    }
    let sections = header
        .sections(endian, data)
        .map_err(|_| truncated("its section headers are missing"))?;
    for section in sections.iter() {
        if let Some((offset, size)) = section.file_range(endian) {
            check_range("a section", offset, size, length)?;
        }
    }
    if let Some((_, section)) = sections.section_by_name(endian, SECTION.as_bytes()) {
        let bytes = section
            .data(endian, data)
            .map_err(|_| truncated("its manifest lies outside"))?;
        return Ok(bytes.to_vec());
    }
    if sections.is_empty() {
        // Some tools that shrink libraries remove the table of sections but not what is loaded.
        let bytes = data
            .read_bytes_at(0, length)
            .map_err(|()| truncated("its end is missing"))?;
        if let Some(found) = find_manifest(bytes) {
            return Ok(found.to_vec());
        }
    }
    let reason = "it is not a Wharf plugin: it has no manifest; remove it from plugin.path, or export its classes with \
                  wharf_abi::export_plugins!";
    Err((Refusal::NotAPlugin, reason.into()))
}

/// The first bytes: an ELF file of 64 bits with the low byte first.
fn check_ident<'data, R: ReadRef<'data>>(data: R, length: u64) -> Result<(), Reason> {
    let not_a_library = |what: &str| {
        (
            Refusal::NotALibrary,
            format!("{what}; build the plugin again or remove the file"),
        )
    };
    if length == 0 {
        return Err(not_a_library("it is empty"));
    }
    let start = data
        .read_bytes_at(0, length.min(4))
        .map_err(|()| not_a_library("it cannot be read"))?;
    if !elf::ELFMAG.starts_with(start) {
        return Err(not_a_library("it is not a shared library"));
    }
    let ident = data
        .read_bytes_at(0, 16)
        .map_err(|()| truncated("its header is incomplete"))?;
    if ident[4] != elf::ELFCLASS64.0 {
        return Err(wrong_machine("a 32-bit machine"));
    }
    if ident[5] != elf::ELFDATA2LSB.0 {
        return Err(wrong_machine("a big-endian machine"));
    }
    Ok(())
}

fn check_machine(machine: elf::Machine) -> Result<(), Reason> {
    let name = match machine {
        elf::EM_X86_64 => "x86_64",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_RISCV => "riscv64",
        elf::EM_PPC64 => "powerpc64",
        elf::EM_S390 => "s390x",
        elf::EM_LOONGARCH => "loongarch64",
        other => return Err(wrong_machine(&format!("machine type {}", other.0))),
    };
    if name == std::env::consts::ARCH {
        Ok(())
    } else {
        Err(wrong_machine(name))
    }
}

fn wrong_machine(theirs: &str) -> Reason {
    let ours = std::env::consts::ARCH;
    let reason = format!("it was built for {theirs} and this worker runs on {ours}; build it for {ours}");
    (Refusal::WrongMachine, reason)
}

fn check_range(what: &str, offset: u64, size: u64, length: u64) -> Result<(), Reason> {
    match offset.checked_add(size) {
        Some(end) if end <= length => Ok(()),
        _ => Err(truncated(&format!(
            "{what} ends after the file does ({length} bytes)"
        ))),
    }
}

fn truncated(what: &str) -> Reason {
    (
        Refusal::Truncated,
        format!("it is truncated or damaged: {what}; copy it again"),
    )
}

/// A manifest somewhere in these bytes. A program that only knows the word does not have the line after it.
fn find_manifest(bytes: &[u8]) -> Option<&[u8]> {
    let start = [MAGIC, "\ninterface="].concat();
    let start = start.as_bytes();
    let at = bytes.windows(start.len()).position(|window| window == start)?;
    Some(&bytes[at..])
}

#[cfg(test)]
pub(super) mod tests {
    use wharf_abi::manifest::{INTERFACE, TARGET};

    use super::*;

    fn manifest(interface: &str, panic: &str, target: &str, classes: &str) -> Vec<u8> {
        format!("{MAGIC}\ninterface={interface}\npanic={panic}\ntarget={target}\npackage=p 1\n{classes}end\n")
            .into_bytes()
    }

    /// A manifest that fits, with these `class=` lines.
    pub(in super::super) fn good_manifest(classes: &str) -> Vec<u8> {
        manifest(INTERFACE, "unwind", TARGET, classes)
    }

    fn machine() -> u16 {
        if cfg!(target_arch = "aarch64") {
            elf::EM_AARCH64.0
        } else {
            elf::EM_X86_64.0
        }
    }

    /// A shared library with nothing in it but a section of this name and content.
    pub(in super::super) fn library(section: &str, content: &[u8]) -> Vec<u8> {
        const HEADER: usize = 64;
        let names = [b"\0.shstrtab\0", section.as_bytes(), b"\0"].concat();
        let (names_at, table_at) = (HEADER + content.len(), HEADER + content.len() + names.len());
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        out.extend(elf::ET_DYN.0.to_le_bytes());
        out.extend(machine().to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend([0; 16]);
        out.extend((table_at as u64).to_le_bytes());
        out.extend([0; 4]);
        for number in [64_u16, 56, 0, 64, 3, 1] {
            out.extend(number.to_le_bytes());
        }
        out.extend(content);
        out.extend(&names);
        out.extend([0; 64]);
        for (name, kind, offset, size) in [(1, 3, names_at, names.len()), (11, 1, HEADER, content.len())] {
            out.extend(u32::to_le_bytes(name));
            out.extend(u32::to_le_bytes(kind));
            out.extend([0; 16]);
            out.extend((offset as u64).to_le_bytes());
            out.extend((size as u64).to_le_bytes());
            out.extend([0; 24]);
        }
        out
    }

    /// The C library that this process uses: a large, real shared library.
    pub(in super::super) fn system_library() -> Vec<u8> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let path = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .find(|path| path.contains("libc."));
        fs::read(path.unwrap()).unwrap()
    }

    fn inspect_bytes(content: &[u8]) -> Result<Manifest, RefusedPlugin> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libx.so");
        fs::write(&path, content).unwrap();
        inspect(&path)
    }

    fn with(mut bytes: Vec<u8>, at: usize, changed: &[u8]) -> Vec<u8> {
        bytes[at..at + changed.len()].copy_from_slice(changed);
        bytes
    }

    #[test]
    fn the_manifest_is_read_from_its_section() {
        let library = library(SECTION, &good_manifest("class=source|a.B|1.0|a.T|\n"));
        let manifest = inspect_bytes(&library).unwrap();
        assert_eq!(manifest.classes[0].as_ref().unwrap().class, "a.B");
    }

    #[test]
    fn the_manifest_is_found_without_a_table_of_sections() {
        let bytes = library(SECTION, &good_manifest("class=source|a.B|1.0|a.T|\n"));
        let stripped = with(with(bytes, 40, &[0; 8]), 60, &[0; 4]);
        assert_eq!(inspect_bytes(&stripped).unwrap().classes.len(), 1);
        let word_only = with(with(library(SECTION, MAGIC.as_bytes()), 40, &[0; 8]), 60, &[0; 4]);
        assert_eq!(inspect_bytes(&word_only).unwrap_err().code, Refusal::NotAPlugin);
    }

    #[test]
    fn what_is_no_plugin_for_this_worker_is_refused_with_its_reason() {
        let good = || library(SECTION, &good_manifest(""));
        let with_manifest = |content: &[u8]| library(SECTION, content);
        let system = system_library();
        let other = if cfg!(target_arch = "aarch64") {
            elf::EM_X86_64
        } else {
            elf::EM_AARCH64
        };
        for (bytes, code, part) in [
            (vec![], Refusal::NotALibrary, "it is empty"),
            (
                b"#!/bin/sh\necho\n".to_vec(),
                Refusal::NotALibrary,
                "it is not a shared library",
            ),
            (b"\x7fE".to_vec(), Refusal::Truncated, "header is incomplete"),
            (system[..40].to_vec(), Refusal::Truncated, "header is incomplete"),
            (system[..200].to_vec(), Refusal::Truncated, "copy it again"),
            (
                system[..system.len() / 2].to_vec(),
                Refusal::Truncated,
                "ends after the file does",
            ),
            (
                system[..system.len() - 1].to_vec(),
                Refusal::Truncated,
                "copy it again",
            ),
            (system, Refusal::NotAPlugin, "has no manifest"),
            (library(".other", b"x"), Refusal::NotAPlugin, "has no manifest"),
            (with(good(), 4, &[1]), Refusal::WrongMachine, "32-bit"),
            (with(good(), 5, &[2]), Refusal::WrongMachine, "big-endian"),
            (
                with(good(), 18, &other.0.to_le_bytes()),
                Refusal::WrongMachine,
                "and this worker runs on",
            ),
            (
                with(good(), 18, &[0xfe, 0xff]),
                Refusal::WrongMachine,
                "machine type 65534",
            ),
            (
                with(good(), 16, &elf::ET_EXEC.0.to_le_bytes()),
                Refusal::NotALibrary,
                "crate-type cdylib",
            ),
            (with_manifest(b"rubbish"), Refusal::BadManifest, "damaged"),
            (
                with_manifest(&manifest("9.0", "unwind", TARGET, "")),
                Refusal::WrongInterface,
                "interface 9.x",
            ),
            (
                with_manifest(&manifest("1.0", "abort", TARGET, "")),
                Refusal::PanicAbort,
                "panic=unwind",
            ),
            (
                with_manifest(&manifest("1.0", "unwind", "vax-vms", "")),
                Refusal::WrongMachine,
                "vax-vms",
            ),
        ] {
            let refused = inspect_bytes(&bytes).unwrap_err();
            assert_eq!(refused.code, code, "{refused}");
            assert!(refused.reason.contains(part), "{refused} / {part}");
            assert!(!refused.to_string().contains('\n'));
        }
        assert!(inspect_bytes(&good()).is_ok());
    }

    #[test]
    fn no_cut_of_a_library_is_taken_for_a_whole_one() {
        let whole = library(SECTION, &good_manifest("class=source|a.B|1.0|a.T|\n"));
        for length in 0..whole.len() {
            assert!(inspect_bytes(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_path_without_a_readable_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            inspect(&folder.path().join("no.so")).unwrap_err().code,
            Refusal::Unreadable
        );
        assert_eq!(inspect(folder.path()).unwrap_err().code, Refusal::NotALibrary);
    }

    #[test]
    fn a_named_pipe_is_refused_without_waiting_for_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.so");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let (answer, answered) = std::sync::mpsc::channel();
        std::thread::spawn(move || answer.send(inspect(&pipe).unwrap_err()));
        let refused = answered
            .recv_timeout(std::time::Duration::from_secs(30))
            .expect("an answer");
        assert_eq!(refused.code, Refusal::NotALibrary);
        assert!(refused.reason.contains("not a regular file"), "{refused}");
    }
}
