//! A worker file of either mode, of which only the way to the brokers counts: what a worker would refuse to start with keeps
//! nobody from looking.

use std::path::Path;
use std::sync::Arc;

use wharf_api::ConfigMap;

use super::InspectError;
use super::resolved_file::ResolvedFile;
use crate::config::{DistributedConfig, Scheme, StandaloneConfig, WorkerConfig, WorkerMode, read_properties};

/// What clients of a worker's connectors are made of.
#[derive(Debug, Clone)]
pub struct ClientFile {
    /// What workers of both modes have in common.
    pub worker: Arc<WorkerConfig>,
}

impl ClientFile {
    /// Reads a file. It is one of a distributed worker if it names a `group.id` and a `config.storage.topic`.
    ///
    /// # Errors
    /// When it cannot be read, or does not say how to reach the brokers.
    pub fn read(path: &Path) -> Result<Self, InspectError> {
        let properties =
            read_properties(path).map_err(|error| InspectError::WorkerFile(vec![format!("{error:#}")]))?;
        Self::parse(properties)
    }

    /// Checks properties.
    ///
    /// # Errors
    /// As [`ClientFile::read`].
    pub fn parse(properties: ConfigMap) -> Result<Self, InspectError> {
        let is_distributed = ["group.id", "config.storage.topic"]
            .iter()
            .all(|key| properties.contains_key(*key));
        let mode = if is_distributed {
            WorkerMode::Distributed
        } else {
            WorkerMode::Standalone
        };
        let parse = |properties: &ConfigMap| match mode {
            WorkerMode::Distributed => DistributedConfig::parse(properties).map(|config| config.worker),
            WorkerMode::Standalone => StandaloneConfig::parse(properties).map(|config| config.worker),
        };
        let file = ResolvedFile::of(properties);
        let worker = parse(&file.properties)
            .or_else(|_| parse(&file.without_refused(mode)))
            .map_err(|errors| InspectError::WorkerFile(file.shown(&errors)))?;
        file.refuse_unresolved(&[])?;
        Ok(Self { worker })
    }

    /// Where the REST API of this file's worker would be, asked from the same machine; `None` when the file says no port, or
    /// not http.
    #[must_use]
    pub fn rest_url(&self) -> Option<String> {
        let rest = &self.worker.rest;
        let listener = rest
            .listeners
            .iter()
            .find(|listener| listener.scheme == Scheme::Http && listener.port != 0)?;
        Some(rest.advertised_url(&[listener.port], "localhost"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(more: &[(&str, &str)]) -> ConfigMap {
        [
            ("bootstrap.servers", "b:9092"),
            ("key.converter", "K"),
            ("value.converter", "V"),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
    }

    const GROUP: [(&str, &str); 4] = [
        ("group.id", "g"),
        ("config.storage.topic", "c"),
        ("offset.storage.topic", "o"),
        ("status.storage.topic", "s"),
    ];

    #[test]
    fn files_of_both_modes_serve_and_what_no_worker_starts_with_does_not_matter() {
        let standalone = properties(&[
            ("offset.storage.file.filename", "/o"),
            ("rest.extension.classes", "com.example.Auth"),
            ("consumer.sasl.mechanism", "PLAIN"),
        ]);
        let file = ClientFile::parse(standalone).unwrap();
        assert_eq!(file.worker.consumer["sasl.mechanism"], "PLAIN");
        let file = ClientFile::parse(properties(&GROUP)).unwrap();
        assert_eq!(file.worker.bootstrap_servers, ["b:9092"]);
    }

    #[test]
    fn a_file_with_other_mistakes_is_refused_and_a_secret_is_not_told() {
        let wrong = properties(&[
            ("offset.storage.file.filename", "/o"),
            ("producer.ssl.key.password", "s3cret"),
            ("offset.flush.interval.ms", "s3cret"),
        ]);
        let error = ClientFile::parse(wrong).unwrap_err().to_string();
        assert!(
            error.contains("offset.flush.interval.ms") && !error.contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn references_to_config_providers_are_told_where_a_client_needs_the_value() {
        let with = |key: &str| {
            ClientFile::parse(properties(&[
                ("offset.storage.file.filename", "/o"),
                ("config.providers", "file"),
                ("config.providers.file.class", "org.example.FileConfigProvider"),
                (key, "${file:/etc/secrets:it}"),
            ]))
        };
        let error = with("producer.ssl.keystore.password").unwrap_err().to_string();
        assert!(error.contains("in producer.ssl.keystore.password,"), "{error}");
        assert!(with("value.converter.schema.registry.url").is_ok());
    }

    #[test]
    fn the_rest_api_is_asked_for_where_the_file_has_it() {
        let url = |listeners: &str| {
            let more = [("offset.storage.file.filename", "/o"), ("listeners", listeners)];
            ClientFile::parse(properties(&more)).unwrap().rest_url()
        };
        assert_eq!(
            url("http://10.0.0.5:8085").as_deref(),
            Some("http://10.0.0.5:8085/")
        );
        assert_eq!(url("http://:8083").as_deref(), Some("http://localhost:8083/"));
        assert_eq!(url("http://127.0.0.1:0"), None);
    }
}
