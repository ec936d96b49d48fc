//! The catalogue of providers that ship with the worker, under their Java class names.

use std::fmt;

use wharf_api::ConfigProvider;

use super::directory_config_provider::DirectoryConfigProvider;
use super::env_var_config_provider::EnvVarConfigProvider;
use super::file_config_provider::FileConfigProvider;

/// A provider that is built in.
pub(crate) struct BuiltinProvider {
    /// Its class.
    pub(crate) class: &'static str,
    /// Makes one.
    pub(crate) new: fn() -> Box<dyn ConfigProvider>,
}

impl fmt::Debug for BuiltinProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BuiltinProvider").field(&self.class).finish()
    }
}

/// All of them.
pub(crate) static BUILTIN: [BuiltinProvider; 3] = [
    BuiltinProvider {
        class: "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
        new: || Box::new(DirectoryConfigProvider::default()),
    },
    BuiltinProvider {
        class: "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        new: || Box::new(EnvVarConfigProvider::default()),
    },
    BuiltinProvider {
        class: "org.apache.kafka.common.config.provider.FileConfigProvider",
        new: || Box::new(FileConfigProvider::default()),
    },
];
