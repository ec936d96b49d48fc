//! Folders that databases under test keep their data in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{ServiceError, target_dir};

/// Where a server's data are. Removed when nobody uses it any more.
#[derive(Debug)]
pub(crate) struct DataFolder(PathBuf);

impl DataFolder {
    /// A new one, named by the server's kind and this process; those of processes that are gone are removed: a static is never
    /// dropped.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(kind: &str) -> Result<Self, ServiceError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let services = target_dir().join("services");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{kind}-");
        remove_leftovers(&services, &prefix);
        let folder = services.join(format!("{prefix}{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let folder = Self(folder);
        fs::create_dir_all(folder.path())
            .map_err(|e| ServiceError::failed(format!("cannot write the data of {kind}: {e}")))?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn remove_leftovers(services: &Path, prefix: &str) {
    for entry in fs::read_dir(services).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.split('-').next()?.parse().ok());
        if process.is_some_and(|process: u32| !Path::new(&format!("/proc/{process}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
