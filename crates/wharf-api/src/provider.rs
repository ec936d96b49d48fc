//! Config providers: where `${provider:path:key}` in a configuration comes from.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ConfigMap;
use crate::error::Result;

/// What a provider knows at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigData {
    /// Key to value. Keys that it does not know are left out.
    pub data: BTreeMap<String, String>,
    /// How long the values hold; then the connector is restarted with new ones.
    pub ttl: Option<Duration>,
}

/// Looks up values that must not stand in a configuration.
pub trait ConfigProvider: Send {
    /// Sets it up with its `config.providers.<name>.param.*` keys, without prefix.
    ///
    /// # Errors
    /// Fails the start of the worker.
    fn configure(&mut self, config: &ConfigMap) -> Result<()>;

    /// The values of these keys at this path; of all keys when none are named.
    ///
    /// # Errors
    /// A config error fails what needed the value.
    fn get(&mut self, path: &str, keys: &[&str]) -> Result<ConfigData>;
}
