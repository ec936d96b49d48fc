//! Values that are files of their own: `${directory:/run/secrets:name}`.

use wharf_api::provider::ConfigData;
use wharf_api::{ConfigMap, ConfigProvider, ConnectError, Result};

use super::allowed_paths::AllowedPaths;
use super::file_config_provider::not_configured;

/// Upstream's `DirectoryConfigProvider`: a key is the name of a regular file right in the folder, its value the whole
/// content, read anew each time.
#[derive(Debug, Default)]
pub(super) struct DirectoryConfigProvider {
    /// None before it was set up.
    allowed: Option<AllowedPaths>,
}

impl ConfigProvider for DirectoryConfigProvider {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.allowed = Some(AllowedPaths::new(config)?);
        Ok(())
    }

    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData> {
        let allowed = self.allowed.as_ref().ok_or_else(not_configured)?;
        let mut found = ConfigData::default();
        if path.is_empty() {
            return Ok(found);
        }
        let Some(folder) = allowed.admit(path) else {
            return Ok(found);
        };
        if !folder.is_dir() {
            tracing::warn!("the path {path} is not a directory and has no values");
            return Ok(found);
        }
        let entries = std::fs::read_dir(&folder)
            .map_err(|error| ConnectError::config(format!("Could not list directory {path}: {error}")))?;
        for entry in entries {
            let entry = entry
                .map_err(|error| ConnectError::config(format!("Could not list directory {path}: {error}")))?;
            // a name that is not UTF-8 cannot be written in a reference
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // follows links: mounted secrets are links
            if !(keys.is_empty() || keys.contains(&name.as_str())) || !entry.path().is_file() {
                continue;
            }
            let bytes = std::fs::read(entry.path()).map_err(|error| {
                ConnectError::config(format!(
                    "Could not read file {} for property {name}: {error}",
                    entry.path().display()
                ))
            })?;
            found
                .data
                .insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_right_in_the_folder_are_values_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for (name, text) in [
            ("password", "p\n"),
            ("user", "u"),
            ("inner/deep", "d"),
            ("inner.txt", ""),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(inner.join("deep"), folder.path().join("linked")).unwrap();
        let path = folder.path().display().to_string();
        let mut provider = DirectoryConfigProvider::default();
        assert!(provider.get(&path, &["user"]).is_err());
        provider.configure(&ConfigMap::new()).unwrap();
        for (key, expected) in [
            ("password", Some("p\n")),
            ("linked", Some("d")),
            ("inner.txt", Some("")),
            ("inner", None),
            ("inner/deep", None),
            ("../x", None),
            ("gone", None),
        ] {
            let found = provider.get(&path, &[key]).unwrap();
            assert_eq!(found.data.get(key).map(String::as_str), expected, "{key}");
        }
        assert_eq!(provider.get(&path, &[]).unwrap().data.len(), 4);
        for no_folder in ["", "/no/such/folder", &format!("{path}/user")] {
            assert_eq!(provider.get(no_folder, &["user"]), Ok(ConfigData::default()));
        }
        let only = [("allowed.paths".to_owned(), inner.display().to_string())].into();
        provider.configure(&only).unwrap();
        assert_eq!(provider.get(&path, &["user"]), Ok(ConfigData::default()));
        let deep = provider.get(&inner.display().to_string(), &["deep"]).unwrap();
        assert_eq!(deep.data["deep"], "d");
    }
}
