//! Values from Java properties files: `${file:/path/to/file.properties:key}`.

use std::collections::BTreeMap;

use wharf_api::provider::ConfigData;
use wharf_api::{ConfigMap, ConfigProvider, ConnectError, Result};

use super::allowed_paths::AllowedPaths;
use crate::config::parse_properties_text;

/// Upstream's `FileConfigProvider`. Files are UTF-8 and read anew each time.
#[derive(Debug, Default)]
pub(super) struct FileConfigProvider {
    /// None before it was set up.
    allowed: Option<AllowedPaths>,
}

/// A provider was asked before it was set up.
pub(super) fn not_configured() -> ConnectError {
    ConnectError::illegal_state("The provider has not been configured yet.")
}

/// The wanted ones of all values; all when none are named.
pub(super) fn wanted(all: ConfigMap, keys: &[&str]) -> ConfigData {
    let mut data: BTreeMap<String, String> = all;
    if !keys.is_empty() {
        data.retain(|key, _| keys.contains(&key.as_str()));
    }
    ConfigData { data, ttl: None }
}

impl ConfigProvider for FileConfigProvider {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        self.allowed = Some(AllowedPaths::new(config)?);
        Ok(())
    }

    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData> {
        let allowed = self.allowed.as_ref().ok_or_else(not_configured)?;
        if path.is_empty() {
            return Ok(ConfigData::default());
        }
        let Some(file) = allowed.admit(path) else {
            return Ok(ConfigData::default());
        };
        let unreadable = |error: ConnectError| {
            ConnectError::config(format!("Could not read properties from file {path}")).caused_by(error)
        };
        // a file that is not UTF-8 is an error of the same kind
        let text = std::fs::read_to_string(file)
            .map_err(|error| unreadable(ConnectError::config(error.to_string())))?;
        Ok(wanted(parse_properties_text(&text).map_err(unreadable)?, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_properties_file_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.properties");
        std::fs::write(&file, "# secrets\nuser=ädam\npass\\:word = a=b\\\n  c\nempty=\n").unwrap();
        let path = file.display().to_string();
        let mut provider = FileConfigProvider::default();
        assert_eq!(
            provider.get(&path, &["user"]).unwrap_err().message(),
            "The provider has not been configured yet."
        );
        provider.configure(&ConfigMap::new()).unwrap();
        let found = provider
            .get(&path, &["user", "pass:word", "empty", "gone"])
            .unwrap();
        let expected = [("user", "ädam"), ("pass:word", "a=bc"), ("empty", "")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(found.data, expected.into());
        assert_eq!(found.ttl, None);
        assert_eq!(provider.get(&path, &[]).unwrap().data.len(), 3);
        assert_eq!(provider.get("", &["user"]), Ok(ConfigData::default()));

        std::fs::write(&file, "user=eve").unwrap();
        assert_eq!(provider.get(&path, &["user"]).unwrap().data["user"], "eve");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_what_is_not_allowed_has_no_values() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let mut provider = FileConfigProvider::default();
        provider.configure(&ConfigMap::new()).unwrap();
        std::fs::write(folder.path().join("latin"), b"a=\xe9").unwrap();
        std::fs::write(folder.path().join("escape"), "a=\\u12").unwrap();
        for name in ["none", "latin", "escape"] {
            let path = format!("{root}/{name}");
            let error = provider.get(&path, &["a"]).unwrap_err();
            let expected = format!("Could not read properties from file {path}");
            assert!(error.message().starts_with(&expected), "{error}");
        }
        std::fs::create_dir(folder.path().join("only")).unwrap();
        std::fs::write(folder.path().join("other"), "a=1").unwrap();
        let only = [("allowed.paths".to_owned(), format!("{root}/only"))].into();
        provider.configure(&only).unwrap();
        assert_eq!(
            provider.get(&format!("{root}/other"), &["a"]),
            Ok(ConfigData::default())
        );
    }
}
