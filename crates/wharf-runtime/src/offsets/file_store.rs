//! Standalone mode's offset store: everything in memory, and in one file that Java workers read and write too.
//!
//! The file is replaced as a whole: a new one is written beside it, made durable, and renamed over it. So a reader, and the
//! worker after a crash, finds the old content or the new, never half of it. A file that cannot be replaced, because it is
//! mounted by itself into a container, is overwritten in place as the JVM worker does; a crash then may leave it cut off.

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
        File::create(&probe)
            .and_then(|_| fs::remove_file(&probe))
            .map_err(|error| cannot("write", &path, &error))?;
        Ok(Self {
            path,
            entries: RwLock::new(entries),
            writing: Mutex::new(()),
        })
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
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)?;
        if let Ok(metadata) = fs::metadata(path) {
            file.set_permissions(metadata.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // The first error is the one to tell of.
        let _ = fs::remove_file(&temporary);
        return if is_mount_point(&error) {
            overwrite(path, content)
        } else {
            Err(error)
        };
    }
    // The rename itself is durable only with the folder.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Whether a rename failed because its target is mounted by itself: the system lets nobody replace that.
fn is_mount_point(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices
    )
}

/// Writes new content into the file that is there. A reader, or the worker after a crash, may find half of it.
fn overwrite(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

impl OffsetBackingStore for FileOffsetBackingStore {
    fn get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        Ok(keys
            .iter()
            .map(|key| entries.get(key).cloned().flatten())
            .collect())
    }

    fn set(&self, changes: Vec<OffsetEntry>) -> Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self
            .entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        entries.extend(changes);
        let file = java_serialization::write(
            entries
                .iter()
                .map(|(key, value)| (key.as_slice(), value.as_deref())),
        );
        replace(&self.path, &file).map_err(|error| cannot("write", &self.path, &error))?;
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        Ok(())
    }

    fn connector_entries(&self, connector: &str) -> Result<Vec<StoredEntry>> {
        Ok(entries_of(
            &self.entries.read().unwrap_or_else(PoisonError::into_inner),
            connector,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn entry(key: &str, value: Option<&str>) -> OffsetEntry {
        (key.into(), value.map(Into::into))
    }

    fn get(store: &FileOffsetBackingStore, key: &str) -> Option<String> {
        let mut values = store.get(&[key.into()]).unwrap();
        values
            .pop()
            .unwrap()
            .map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn offsets_are_there_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connect.offsets");
        let store = FileOffsetBackingStore::open(&path).unwrap();
        assert!(!path.exists());
        store
            .set(vec![entry("a", Some("1")), entry("b", Some("2"))])
            .unwrap();
        store.set(vec![entry("a", Some("3")), entry("b", None)]).unwrap();
        for store in [store, FileOffsetBackingStore::open(&path).unwrap()] {
            assert_eq!(get(&store, "a").as_deref(), Some("3"));
            assert_eq!(get(&store, "b"), None);
            assert_eq!(get(&store, "c"), None);
        }
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(left, ["connect.offsets"]);
        // The forgotten offset's key stays, with null, as upstream keeps it.
        let entries = java_serialization::read(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(entries, [entry("a", Some("3")), entry("b", None)]);
    }

    #[test]
    fn a_file_without_content_or_cut_off_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        let whole = java_serialization::write([(&b"a"[..], Some(&b"1"[..]))].into_iter());
        for content in [&[][..], &whole[..whole.len() - 3], &whole[..2]] {
            fs::write(&path, content).unwrap();
            assert_eq!(get(&FileOffsetBackingStore::open(&path).unwrap(), "a"), None);
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(
            get(&FileOffsetBackingStore::open(&path).unwrap(), "a").as_deref(),
            Some("1")
        );
    }

    #[test]
    fn a_file_of_another_kind_stops_the_start_and_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        fs::write(&path, "not ours").unwrap();
        let error = FileOffsetBackingStore::open(&path).unwrap_err();
        for part in [
            path.to_str().unwrap(),
            "not a Java serialization stream",
            "offset.storage.file.filename",
        ] {
            assert!(error.message().contains(part), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"not ours");
    }

    #[test]
    fn a_folder_that_is_missing_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let error = FileOffsetBackingStore::open(folder.path().join("missing/offsets")).unwrap_err();
        assert!(
            error.message().starts_with("cannot write offset file "),
            "{error}"
        );
    }

    #[test]
    fn the_file_keeps_its_mode_and_a_link_to_it_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("offsets"), folder.path().join("link"));
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        FileOffsetBackingStore::open(&link)
            .unwrap()
            .set(vec![entry("a", Some("1"))])
            .unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            get(&FileOffsetBackingStore::open(&path).unwrap(), "a").as_deref(),
            Some("1")
        );
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_overwritten_in_place() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        fs::write(&path, "an older and longer content").unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        overwrite(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert!(overwrite(&folder.path().join("missing"), b"new").is_err());
    }

    #[test]
    fn only_a_mounted_file_is_overwritten_in_place() {
        use io::ErrorKind::{CrossesDevices, NotFound, PermissionDenied, ResourceBusy, StorageFull};
        for (kind, expected) in [
            (ResourceBusy, true),
            (CrossesDevices, true),
            (NotFound, false),
            (PermissionDenied, false),
            (StorageFull, false),
        ] {
            assert_eq!(is_mount_point(&kind.into()), expected, "{kind}");
        }
    }

    #[test]
    fn what_was_stored_stays_when_the_file_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/offsets");
        fs::create_dir(folder.path().join("sub")).unwrap();
        let store = FileOffsetBackingStore::open(&path).unwrap();
        store.set(vec![entry("a", Some("1"))]).unwrap();
        fs::rename(folder.path().join("sub"), folder.path().join("moved")).unwrap();
        let error = store.set(vec![entry("a", Some("2"))]).unwrap_err();
        assert!(error.message().contains("cannot write offset file"), "{error}");
        assert_eq!(get(&store, "a").as_deref(), Some("1"));
    }

    #[test]
    fn entries_of_a_connector_are_those_whose_key_names_it_and_a_partition() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileOffsetBackingStore::open(folder.path().join("offsets")).unwrap();
        let keys = [
            r#"["c",{"f":"x"}]"#,
            r#"["d",{"f":"x"}]"#,
            r#"["c",null]"#,
            "c",
            r#"["c",{"f":"y"},1]"#,
        ];
        store
            .set(keys.iter().map(|key| entry(key, None)).collect())
            .unwrap();
        let found = store.connector_entries("c").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, keys[0].as_bytes());
        assert_eq!(found[0].partition, [("f", "x")].into());
    }
}
