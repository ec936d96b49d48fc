//! What a library's file says of itself, read as bytes: nothing of the library runs here.
//!
//! `dlopen` maps a file without looking whether it is complete, and runs the library's constructors before anybody can
//! object. So this comes first: the file must be a complete library for this machine and carry a manifest that fits.
//! Only headers, tables and the manifest are read, however large the file is.

use std::fs::File;
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
        (Refusal::Unreadable, format!("it cannot be read ({error}); check that it exists and its permissions"))
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err((Refusal::NotALibrary, "it is not a regular file; remove it from plugin.path".into()));
    }
    let cache = ReadCache::new(file);
    let bytes = manifest_bytes(&cache, metadata.len())?;
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
    let header = FileHeader64::<Endianness>::parse(data).map_err(|_| truncated("its header is incomplete"))?;
    let endian = Endianness::Little;
    check_machine(header.e_machine(endian))?;
    if header.e_type(endian) != elf::ET_DYN {
        let reason = "it is not a shared library but another kind of object file; build it with crate-type cdylib";
        return Err((Refusal::NotALibrary, reason.into()));
    }
    let segments = header.program_headers(endian, data).map_err(|_| truncated("its program headers are missing"))?;
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        check_range("a segment", offset, size, length)?;
    }
    let sections = header.sections(endian, data).map_err(|_| truncated("its section headers are missing"))?;
    for section in sections.iter() {
        if let Some((offset, size)) = section.file_range(endian) {
            check_range("a section", offset, size, length)?;
        }
    }
    if let Some((_, section)) = sections.section_by_name(endian, SECTION.as_bytes()) {
        let bytes = section.data(endian, data).map_err(|_| truncated("its manifest lies outside"))?;
        return Ok(bytes.to_vec());
    }
    if sections.is_empty() {
        // Some tools that shrink libraries remove the table of sections but not what is loaded.
        let bytes = data.read_bytes_at(0, length).map_err(|()| truncated("its end is missing"))?;
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
    let not_a_library = |what: &str| (Refusal::NotALibrary, format!("{what}; build the plugin again or remove the file"));
    if length == 0 {
        return Err(not_a_library("it is empty"));
    }
    let start = data.read_bytes_at(0, length.min(4)).map_err(|()| not_a_library("it cannot be read"))?;
    if !elf::ELFMAG.starts_with(start) {
        return Err(not_a_library("it is not a shared library"));
    }
    let ident = data.read_bytes_at(0, 16).map_err(|()| truncated("its header is incomplete"))?;
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
    if name == std::env::consts::ARCH { Ok(()) } else { Err(wrong_machine(name)) }
}

fn wrong_machine(theirs: &str) -> Reason {
    let ours = std::env::consts::ARCH;
    let reason = format!("it was built for {theirs} and this worker runs on {ours}; build it for {ours}");
    (Refusal::WrongMachine, reason)
}

fn check_range(what: &str, offset: u64, size: u64, length: u64) -> Result<(), Reason> {
    match offset.checked_add(size) {
        Some(end) if end <= length => Ok(()),
        _ => Err(truncated(&format!("{what} ends after the file does ({length} bytes)"))),
    }
}

fn truncated(what: &str) -> Reason {
    (Refusal::Truncated, format!("it is truncated or damaged: {what}; copy it again"))
}

/// A manifest somewhere in these bytes. A program that only knows the word does not have the line after it.
fn find_manifest(bytes: &[u8]) -> Option<&[u8]> {
    let start = [MAGIC, "\ninterface="].concat();
    let start = start.as_bytes();
    let at = bytes.windows(start.len()).position(|window| window == start)?;
    Some(&bytes[at..])
}
