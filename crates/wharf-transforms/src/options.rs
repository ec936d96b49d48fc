//! Keys and checks that several transformations have.

#[cfg(test)]
use wharf_api::ConfigMap;
use wharf_api::config::{ConfigKey, ParsedConfig, Type, Validator};

use crate::JavaRegex;

/// Whether a null field that has a default is read as that default.
pub(crate) const REPLACE_NULL_WITH_DEFAULT: &str = "replace.null.with.default";

/// The key [`REPLACE_NULL_WITH_DEFAULT`].
pub(crate) fn replace_null_with_default() -> ConfigKey {
    ConfigKey::new(REPLACE_NULL_WITH_DEFAULT, Type::Boolean)
        .default(true)
        .doc("Reads a field that is null and has a default as that default. When false, null stays null.")
}

/// The value of [`REPLACE_NULL_WITH_DEFAULT`].
pub(crate) fn replaces_null(config: &ParsedConfig) -> bool {
    config.get_boolean(REPLACE_NULL_WITH_DEFAULT).unwrap_or(true)
}

/// A text that must be a regular expression; null passes.
pub fn valid_regex() -> Validator {
    Validator::custom("valid regex", |name, value| {
        match value.as_str().map(JavaRegex::new) {
            Some(Err(error)) => {
                let reason = format!("Invalid regex: {}", error.message());
                Err(wharf_api::ConnectError::invalid_config(name, value, &reason))
            }
            _ => Ok(()),
        }
    })
}

/// A list setting; empty when it is not set.
pub(crate) fn list(config: &ParsedConfig, key: &str) -> Vec<String> {
    config.get_list(key).unwrap_or_default().to_vec()
}

/// A text setting that always has a value.
pub(crate) fn text(config: &ParsedConfig, key: &str) -> wharf_api::Result<String> {
    config.string(key).map(str::to_owned)
}

/// A configuration from pairs, for tests.
#[cfg(test)]
pub(crate) fn config<const N: usize>(pairs: [(&str, &str); N]) -> ConfigMap {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}
