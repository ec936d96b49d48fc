//! A worker file that is only looked with: what a worker would refuse to start with does not keep anybody from looking, as
//! long as the group, its topics and its brokers are named.

use std::fmt;
use std::path::Path;

use wharf_api::ConfigMap;
use wharf_cluster::config_state::has_placeholder;

use super::InspectError;
use super::secrets::Secrets;
use crate::config::{DistributedConfig, PrefixSupport, Support, WorkerMode, read_properties};

/// A worker file of distributed mode.
pub struct WorkerFile {
    /// What it says, without what is refused.
    pub config: DistributedConfig,
    /// Why a worker would not start with it; none when it would.
    pub mistakes: Vec<String>,
    /// The properties as given; secrets among them.
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
        let secrets = Secrets::of_worker(&properties);
        let shown = |errors: Vec<wharf_api::ConnectError>| -> Vec<String> {
            errors
                .iter()
                .map(|error| secrets.hide(&format!("{error:#}")))
                .collect()
        };
        let (config, mistakes) = match DistributedConfig::parse(&properties) {
            Ok(config) => (config, Vec::new()),
            Err(errors) => {
                let mistakes = shown(errors);
                let config = DistributedConfig::parse(&without_refused(WorkerMode::Distributed, &properties))
                    .map_err(|errors| InspectError::WorkerFile(shown(errors)))?;
                (config, mistakes)
            }
        };
        refuse_unresolved(&unresolved(&properties))?;
        Ok(Self {
            config,
            mistakes,
            properties,
        })
    }
}

/// Refuses settings whose values stand somewhere else.
pub(super) fn refuse_unresolved(keys: &[&str]) -> Result<(), InspectError> {
    if keys.is_empty() {
        return Ok(());
    }
    Err(InspectError::WorkerFile(vec![format!(
        "the worker file refers to config providers in {}, which this version does not resolve; write the values \
         themselves into a copy of the file for this command",
        keys.join(", ")
    )]))
}

/// Without what this build refuses by name, whatever its value.
pub(super) fn without_refused(mode: WorkerMode, properties: &ConfigMap) -> ConfigMap {
    let mut rest = properties.clone();
    for entry in mode.keys() {
        if matches!(entry.support, Support::Refused { .. }) {
            rest.remove(entry.key.name());
        }
    }
    rest.retain(|key, _| {
        !mode
            .prefix_rules()
            .any(|rule| matches!(rule.support, PrefixSupport::Refused(_)) && key.starts_with(rule.prefix))
    });
    rest
}

/// Keys of the worker's own connections whose values stand somewhere else.
fn unresolved(properties: &ConfigMap) -> Vec<&str> {
    if !properties.contains_key("config.providers") {
        return Vec::new();
    }
    let concerns_the_worker = |key: &str| {
        let is_setting_of_others = [
            "producer.",
            "consumer.",
            "admin.",
            "key.converter.",
            "value.converter.",
            "header.converter.",
            "config.providers.",
        ]
        .iter()
        .any(|prefix| key.starts_with(prefix));
        !is_setting_of_others
    };
    properties
        .iter()
        .filter(|(key, value)| concerns_the_worker(key) && has_placeholder(value))
        .map(|(key, _)| key.as_str())
        .collect()
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
                .any(|mistake| mistake.contains("config.providers"))
        );
    }
}
