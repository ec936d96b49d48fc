//! Properties of a worker file as whoever only looks reads them: references to config providers resolved as far as they can be
//! here, and secrets kept out of what is told.

use wharf_api::{ConfigMap, ConnectError};
use wharf_cluster::config_state::has_placeholder;

use super::InspectError;
use super::secrets::Secrets;
use crate::config::{PrefixSupport, Support, WorkerMode};
use crate::config_providers::resolve_worker_properties;

/// The properties of a worker file.
pub(super) struct ResolvedFile {
    /// With the values of config providers, or as they stand in the file when those gave none; secrets among them.
    pub properties: ConfigMap,
    /// Why config providers gave no values.
    pub failures: Vec<String>,
    secrets: Secrets,
}

impl ResolvedFile {
    /// Whoever only looks may not have what the worker has, its files and its environment: a value that cannot be had is no
    /// error yet.
    pub(super) fn of(properties: ConfigMap) -> Self {
        let (properties, errors) = match resolve_worker_properties(&properties) {
            Ok(resolved) => (resolved.config, Vec::new()),
            Err(errors) => (properties, errors),
        };
        let mut resolved = Self {
            secrets: Secrets::of_worker(&properties),
            properties,
            failures: Vec::new(),
        };
        resolved.failures = resolved.shown(&errors);
        resolved
    }

    /// The texts of errors, without secrets.
    pub(super) fn shown(&self, errors: &[ConnectError]) -> Vec<String> {
        let texts = errors.iter();
        texts
            .map(|error| self.secrets.hide(&format!("{error:#}")))
            .collect()
    }

    /// Without what this build refuses by name, whatever its value.
    pub(super) fn without_refused(&self, mode: WorkerMode) -> ConfigMap {
        let mut rest = self.properties.clone();
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

    /// Refuses settings whose values stand somewhere else, but for those of converters, of the providers themselves, and
    /// beneath the `others`, which the command does without.
    pub(super) fn refuse_unresolved(&self, others: &[&str]) -> Result<(), InspectError> {
        if !self.properties.contains_key("config.providers") {
            return Ok(());
        }
        let of_others = [
            "key.converter.",
            "value.converter.",
            "header.converter.",
            "config.providers.",
        ];
        let is_needed = |key: &str| {
            !of_others
                .iter()
                .chain(others)
                .any(|prefix| key.starts_with(prefix))
        };
        let unresolved: Vec<&str> = self
            .properties
            .iter()
            .filter(|(key, value)| is_needed(key) && has_placeholder(value))
            .map(|(key, _)| key.as_str())
            .collect();
        if unresolved.is_empty() {
            return Ok(());
        }
        let mut told = vec![format!(
            "the worker file refers to config providers in {}, and they gave no values here; write the values themselves into \
             a copy of the file for this command",
            unresolved.join(", ")
        )];
        told.extend(self.failures.iter().cloned());
        Err(InspectError::WorkerFile(told))
    }
}
