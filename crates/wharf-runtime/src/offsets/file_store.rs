//! Standalone mode's offset store: everything in memory, and in one file that Java workers read and write too.
//!
//! The file is replaced as a whole: a new one is written beside it, made durable, and renamed over it. So a reader, and the
//! worker after a crash, finds the old content or the new, never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use wharf_api::{ConnectError, Result};

use super::java_serialization::{self, ReadError};
use super::store::{Entries, OffsetBackingStore, OffsetEntry, StoredEntry, entries_of};

/// The store behind `offset.storage.file.filename`.
#[derive(Debug)]
pub struct FileOffsetBackingStore {
    path: PathBuf,
    /// What the file holds. Never locked while the disk is waited for.
    entries: RwLock<Entries>,
    /// Held by the one who writes the file.
    writing: Mutex<()>,
}

impl FileOffsetBackingStore {
    /// Reads the file. One that is missing, empty or cut off counts as empty, as upstream has it.
    ///
    /// # Errors
    /// When the file is something else, cannot be read, or no file can be written beside it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        // The file behind a link is replaced, not the link.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let entries = match fs::read(&path) {
            Ok(bytes) if bytes.is_empty() => Entries::new(),
            Ok(bytes) => decode(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Entries::new(),
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        // Better now than with the first commit, a minute later.
        let probe = temporary(&path);
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(|error| cannot("write", &path, &error))?;
        Ok(Self { path, entries: RwLock::new(entries), writing: Mutex::new(()) })
    }
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Entries> {
    match java_serialization::read(bytes) {
        Ok(entries) => Ok(entries.into_iter().collect()),
        Err(ReadError::Truncated) => {
            tracing::warn!(path = %path.display(), "offset file is cut off; sources start without stored offsets");
            Ok(Entries::new())
        }
        Err(error) => Err(ConnectError::connect(format!(
            "offset file {} cannot be used: {error}; move it away, or name another one in offset.storage.file.filename",
            path.display()
        ))),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> ConnectError {
    ConnectError::connect(format!(
        "cannot {what} offset file {}: {error}; check offset.storage.file.filename, and that the worker may {what} files \
         in that folder",
        path.display()
    ))
}

/// Where the new content is written first. The process id keeps two workers from writing the same one.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

/// Puts new content in the place of a file. When it returns, the content survives a loss of power.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
        if let Ok(metadata) = fs::metadata(path) {
            file.set_permissions(metadata.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The first error is the one to tell of.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    // The rename itself is durable only with the folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

impl OffsetBackingStore for FileOffsetBackingStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().map(|key| entries.get(key).cloned().flatten()).collect())
    }

    fn set(&self, changes: Vec<OffsetEntry>) -> Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.entries.read().unwrap_or_else(PoisonError::into_inner).clone();
        entries.extend(changes);
        let file = java_serialization::write(entries.iter().map(|(key, value)| (key.as_slice(), value.as_deref())));
        replace(&self.path, &file).map_err(|error| cannot("write", &self.path, &error))?;
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        Ok(())
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        Ok(entries_of(&self.entries.read().unwrap_or_else(PoisonError::into_inner), connector))
    }
}
