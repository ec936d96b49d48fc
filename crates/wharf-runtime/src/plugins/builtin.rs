//! Converters, wherever they come from.

use wharf_abi::host::RemoteConverter;
use wharf_api::{ConfigMap, Converter};
use wharf_converters::FastPath;

/// A converter, not configured yet. Task loops look at where it comes from: what is built in may be skipped on its fast
/// path, what is in a library is called once for a batch.
#[non_exhaustive]
pub enum ConverterPlugin {
    /// It ships with the worker.
    Builtin {
        /// Its class.
        class: &'static str,
        /// The converter.
        converter: Box<dyn Converter>,
    },
    /// It is in a plugin library.
    Remote(Box<RemoteConverter>),
}

impl ConverterPlugin {
    /// The converter, for one value at a time.
    pub fn as_converter(&mut self) -> &mut dyn Converter {
        match self {
            Self::Builtin { converter, .. } => converter.as_mut(),
            Self::Remote(converter) => converter.as_mut(),
        }
    }

    /// The converter alone, for callers that need not know where it comes from.
    #[must_use]
    pub fn into_converter(self) -> Box<dyn Converter> {
        match self {
            Self::Builtin { converter, .. } => converter,
            Self::Remote(converter) => converter,
        }
    }

    /// What may be done instead of calling it, under this configuration (its own keys, without prefix).
    #[must_use]
    pub fn fast_path(&self, config: &ConfigMap) -> FastPath {
        match self {
            Self::Builtin { class, .. } => wharf_converters::fast_path(class, config),
            Self::Remote(_) => FastPath::None,
        }
    }

    /// Whether it is in a plugin library.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }
}

impl std::fmt::Debug for ConverterPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin { class, .. } => f.debug_tuple("Builtin").field(class).finish(),
            Self::Remote(converter) => f.debug_tuple("Remote").field(converter).finish(),
        }
    }
}
