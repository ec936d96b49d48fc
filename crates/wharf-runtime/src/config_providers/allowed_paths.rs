//! Which files a provider may read: `allowed.paths`, with upstream's rules.
//!
//! The check is one of names: a path is taken apart as it is written, and links below an allowed folder are followed, as
//! mounted secrets need it.

use std::path::{Component, Path, PathBuf};

use wharf_api::{ConfigMap, ConnectError, Result};

/// The key with the folders and files, separated by commas.
const ALLOWED_PATHS: &str = "allowed.paths";

/// The paths under which a provider may read; all when none are named.
#[derive(Debug, Default)]
pub(super) struct AllowedPaths(Option<Vec<PathBuf>>);

impl AllowedPaths {
    /// Reads the setting.
    ///
    /// # Errors
    /// A path is not absolute or does not exist.
    pub(super) fn new(config: &ConfigMap) -> Result<Self> {
        let Some(text) = config.get(ALLOWED_PATHS).filter(|text| !text.is_empty()) else {
            return Ok(Self(None));
        };
        let check = |item: &str| {
            let path = normalized(Path::new(item));
            let shown = path.display();
            if !path.is_absolute() {
                Err(ConnectError::config(format!("Path {shown} is not absolute")))
            } else if !path.exists() {
                Err(ConnectError::config(format!("Path {shown} does not exist")))
            } else {
                Ok(path)
            }
        };
        // a trailing comma means nothing, as Java splits
        let items = text.trim_end_matches(',').split(',');
        Ok(Self(Some(items.map(check).collect::<Result<_>>()?)))
    }

    /// The path to read; nothing when that is not allowed, which the log tells.
    pub(super) fn admit(&self, path: &str) -> Option<PathBuf> {
        let asked = Path::new(path);
        let Some(allowed) = &self.0 else {
            return Some(asked.to_owned());
        };
        let plain = normalized(asked);
        if allowed.iter().any(|allowed| plain.starts_with(allowed)) {
            return Some(plain);
        }
        tracing::warn!("the path {path} is not below {ALLOWED_PATHS} and is not read");
        None
    }
}

/// Without `.` and, where that is possible, `..`.
fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match plain.components().next_back() {
                Some(Component::Normal(_)) => {
                    plain.pop();
                }
                Some(Component::RootDir) => {}
                _ => plain.push(part),
            },
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(paths: &str) -> Result<AllowedPaths> {
        AllowedPaths::new(&[(ALLOWED_PATHS.to_owned(), paths.to_owned())].into())
    }

    #[test]
    fn paths_are_compared_part_by_part_after_dots_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        for name in ["a", "ab"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let paths = allowed(&format!("{root}/./a,{root}/ab/../a/")).unwrap();
        for (path, expected) in [
            (format!("{root}/a"), true),
            (format!("{root}/a/x/y"), true),
            (format!("{root}/ab/../a/x"), true),
            (format!("{root}/ab"), false),
            (format!("{root}/a/../ab"), false),
            (root.clone(), false),
            ("a".to_owned(), false),
            ("/../..".to_owned(), false),
        ] {
            assert_eq!(paths.admit(&path).is_some(), expected, "{path}");
        }
        let path = paths.admit(&format!("{root}/a/./x")).unwrap();
        assert_eq!(path, folder.path().join("a/x"));
    }

    #[test]
    fn without_the_setting_every_path_is_taken_as_it_is() {
        assert!(
            AllowedPaths::new(&ConfigMap::new())
                .unwrap()
                .admit("../x")
                .is_some()
        );
        assert!(allowed("").unwrap().admit("/etc/hosts").is_some());
    }

    #[test]
    fn allowed_paths_must_be_absolute_and_exist() {
        for (paths, message) in [
            ("a/b", "Path a/b is not absolute"),
            ("/no/such/folder", "Path /no/such/folder does not exist"),
            ("/, /x", "Path  /x is not absolute"),
        ] {
            assert_eq!(allowed(paths).unwrap_err().message(), message);
        }
    }
}
