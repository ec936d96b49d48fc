//! Values from the worker's environment: `${env:NAME}`.

use wharf_api::provider::ConfigData;
use wharf_api::{ConfigMap, ConfigProvider, ConnectError, Result};

use super::file_config_provider::wanted;
use crate::config::JavaRegex;

/// The key with the pattern that names must match as a whole.
const ALLOWLIST_PATTERN: &str = "allowlist.pattern";

/// Upstream's `EnvVarConfigProvider`: the environment as it was when the provider was set up, as far as it is allowed.
#[derive(Debug, Default)]
pub(super) struct EnvVarConfigProvider {
    variables: ConfigMap,
}

impl EnvVarConfigProvider {
    fn set_up(
        &mut self,
        config: &ConfigMap,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<()> {
        let pattern = config
            .get(ALLOWLIST_PATTERN)
            .map(|pattern| {
                JavaRegex::new(pattern).map_err(|error| {
                    ConnectError::invalid_config(
                        ALLOWLIST_PATTERN,
                        pattern,
                        &format!("Invalid regex: {}", error.message()),
                    )
                })
            })
            .transpose()?;
        self.variables = variables
            .filter(|(name, _)| pattern.as_ref().is_none_or(|pattern| pattern.matches(name)))
            .collect();
        Ok(())
    }
}

impl ConfigProvider for EnvVarConfigProvider {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        // variables that are not UTF-8 cannot be values of a configuration
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.set_up(config, variables)
    }

    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData> {
        if !path.is_empty() {
            return Err(ConnectError::config(format!(
                "Path is not supported for EnvVarConfigProvider, invalid value '{path}'"
            )));
        }
        Ok(wanted(self.variables.clone(), keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(pattern: Option<&str>) -> Result<EnvVarConfigProvider> {
        let config = pattern
            .map(|pattern| (ALLOWLIST_PATTERN.to_owned(), pattern.to_owned()))
            .into_iter()
            .collect();
        let variables = [("DB_USER", "u"), ("DB_PASSWORD", "p"), ("HOME", "/h")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut provider = EnvVarConfigProvider::default();
        provider.set_up(&config, variables.into_iter())?;
        Ok(provider)
    }

    #[test]
    fn variables_are_found_as_far_as_the_pattern_matches_their_whole_name() {
        for (pattern, key, expected) in [
            (None, "HOME", Some("/h")),
            (None, "GONE", None),
            (Some("DB_.*"), "DB_USER", Some("u")),
            (Some("DB_.*"), "HOME", None),
            (Some("DB"), "DB_USER", None),
            (Some(""), "HOME", None),
        ] {
            let found = provider(pattern).unwrap().get("", &[key]).unwrap();
            assert_eq!(
                found.data.get(key).map(String::as_str),
                expected,
                "{pattern:?} {key}"
            );
        }
        assert_eq!(provider(None).unwrap().get("", &[]).unwrap().data.len(), 3);
    }

    #[test]
    fn paths_and_wrong_patterns_are_refused() {
        assert_eq!(
            provider(None).unwrap().get("p", &["HOME"]).unwrap_err().message(),
            "Path is not supported for EnvVarConfigProvider, invalid value 'p'"
        );
        assert!(
            provider(Some("("))
                .unwrap_err()
                .message()
                .contains("Invalid regex: ")
        );
    }

    #[test]
    fn the_environment_of_the_process_is_what_it_reads() {
        let mut provider = EnvVarConfigProvider::default();
        provider.configure(&ConfigMap::new()).unwrap();
        let (name, value) = std::env::vars().next().unwrap();
        assert_eq!(provider.get("", &[&name]).unwrap().data[&name], value);
    }
}
