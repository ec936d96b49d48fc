//! A worker file that is only looked with: what a worker would refuse to start with does not keep anybody from looking, as
//! long as the group, its topics and its brokers are named.

use std::fmt;
use std::path::Path;

use wharf_api::ConfigMap;

use super::InspectError;
use super::resolved_file::ResolvedFile;
use crate::config::{DistributedConfig, WorkerMode, read_properties};

/// A worker file of distributed mode.
pub struct WorkerFile {
    /// What it says, without what is refused.
    pub config: DistributedConfig,
    /// Why a worker would not start with it; none when it would.
    pub mistakes: Vec<String>,
    /// The properties, references resolved as far as they can be here; secrets among them.
    pub(super) properties: ConfigMap,
}

impl fmt::Debug for WorkerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerFile")
            .field("config", &self.config)
            .field("mistakes", &self.mistakes)
            .finish_non_exhaustive()
    }
}

impl WorkerFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or does not say how to reach the group.
    pub fn read(path: &Path) -> Result<Self, InspectError> {
        let properties =
            read_properties(path).map_err(|error| InspectError::WorkerFile(vec![format!("{error:#}")]))?;
        Self::parse(properties)
    }

    /// Checks properties.
    ///
    /// # Errors
    /// As [`WorkerFile::read`].
    pub fn parse(properties: ConfigMap) -> Result<Self, InspectError> {
        let file = ResolvedFile::of(properties);
        let (config, mut mistakes) = match DistributedConfig::parse(&file.properties) {
            Ok(config) => (config, Vec::new()),
            Err(errors) => {
                let config = DistributedConfig::parse(&file.without_refused(WorkerMode::Distributed))
                    .map_err(|errors| InspectError::WorkerFile(file.shown(&errors)))?;
                (config, file.shown(&errors))
            }
        };
        // the worker's own connections are all that is needed
        file.refuse_unresolved(&["producer.", "consumer.", "admin."])?;
        mistakes.extend(file.failures);
        Ok(Self {
            config,
            mistakes,
            properties: file.properties,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(more: &[(&str, &str)]) -> ConfigMap {
        [
            ("bootstrap.servers", "b:9092"),
            ("group.id", "g"),
            ("config.storage.topic", "c"),
            ("offset.storage.topic", "o"),
            ("status.storage.topic", "s"),
            ("key.converter", "K"),
            ("value.converter", "V"),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
    }

    #[test]
    fn what_no_worker_starts_with_is_told_and_looking_goes_on() {
        let file = WorkerFile::parse(properties(&[
            ("listeners", "https://:8443"),
            ("rest.extension.classes", "com.example.Auth"),
        ]))
        .unwrap();
        assert_eq!(file.config.group_id, "g");
        for key in ["listeners", "rest.extension.classes"] {
            assert!(
                file.mistakes.iter().any(|mistake| mistake.contains(key)),
                "{:?}",
                file.mistakes
            );
        }
        assert!(WorkerFile::parse(properties(&[])).unwrap().mistakes.is_empty());
    }

    #[test]
    fn a_file_that_does_not_name_the_group_is_refused_with_every_mistake() {
        let mut lacking = properties(&[("session.timeout.ms", "soon"), ("listeners", "https://:1")]);
        lacking.remove("group.id");
        let InspectError::WorkerFile(mistakes) = WorkerFile::parse(lacking).unwrap_err() else {
            panic!("another error")
        };
        for key in ["group.id", "session.timeout.ms"] {
            assert!(
                mistakes.iter().any(|mistake| mistake.contains(key)),
                "{mistakes:?}"
            );
        }
    }

    #[test]
    fn references_to_config_providers_are_told_where_the_worker_itself_needs_the_value() {
        let with = |key: &str| {
            WorkerFile::parse(properties(&[
                ("config.providers", "file"),
                ("config.providers.file.class", "org.example.FileConfigProvider"),
                (key, "${file:/etc/secrets:it}"),
            ]))
        };
        let error = with("ssl.keystore.password").unwrap_err().to_string();
        assert!(error.contains("in ssl.keystore.password,"), "{error}");
        let file = with("producer.ssl.keystore.password").unwrap();
        assert!(
            file.mistakes
                .iter()
                .any(|mistake| mistake.contains("config.providers.file.class")),
            "{:?}",
            file.mistakes
        );
    }

    #[test]
    fn values_of_config_providers_are_used_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = folder.path().join("s.properties");
        std::fs::write(&secrets, "group=g7\nword=s3cret-word\n").unwrap();
        let reference = |key: &str| format!("${{f:{}:{key}}}", secrets.display());
        let (group, word) = (reference("group"), reference("word"));
        let file = WorkerFile::parse(properties(&[
            ("config.providers", "f"),
            ("config.providers.f.class", "FileConfigProvider"),
            ("group.id", &group),
            ("ssl.keystore.password", &word),
            ("ssl.keystore.type", "PKCS12"),
            ("listeners", "https://:8443"),
        ]))
        .unwrap();
        assert_eq!(file.config.group_id, "g7");
        assert_eq!(file.mistakes.len(), 1, "{:?}", file.mistakes);
        let bad = WorkerFile::parse(properties(&[
            ("config.providers", "f"),
            ("config.providers.f.class", "FileConfigProvider"),
            ("ssl.keystore.password", &word),
            ("session.timeout.ms", &word),
        ]));
        let shown = bad.unwrap_err().to_string();
        assert!(
            shown.contains("session.timeout.ms") && !shown.contains("s3cret-word"),
            "{shown}"
        );
    }
}
