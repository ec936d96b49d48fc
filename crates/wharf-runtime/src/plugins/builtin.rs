//! Converters, transformations and predicates, wherever they come from.

use wharf_abi::host::{RemoteConverter, RemotePredicate, RemoteTransformation};
use wharf_api::{ConfigMap, Converter, Predicate, Transformation};
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

/// A transformation, not configured yet. What is built in is called record by record, what is in a library once for a batch.
#[non_exhaustive]
pub enum TransformationPlugin {
    /// It ships with the worker.
    Builtin {
        /// Its class.
        class: &'static str,
        /// The transformation.
        transformation: Box<dyn Transformation>,
    },
    /// It is in a plugin library.
    Remote(Box<RemoteTransformation>),
}

impl TransformationPlugin {
    /// The transformation, for one record at a time.
    pub fn as_transformation(&mut self) -> &mut dyn Transformation {
        match self {
            Self::Builtin { transformation, .. } => transformation.as_mut(),
            Self::Remote(transformation) => transformation.as_mut(),
        }
    }

    /// The transformation alone, for callers that need not know where it comes from.
    #[must_use]
    pub fn into_transformation(self) -> Box<dyn Transformation> {
        match self {
            Self::Builtin { transformation, .. } => transformation,
            Self::Remote(transformation) => transformation,
        }
    }

    /// Whether it is in a plugin library.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }
}

impl std::fmt::Debug for TransformationPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin { class, .. } => f.debug_tuple("Builtin").field(class).finish(),
            Self::Remote(transformation) => f.debug_tuple("Remote").field(transformation).finish(),
        }
    }
}

/// A predicate, not configured yet. What is built in is called record by record, what is in a library once for a batch.
#[non_exhaustive]
pub enum PredicatePlugin {
    /// It ships with the worker.
    Builtin {
        /// Its class.
        class: &'static str,
        /// The predicate.
        predicate: Box<dyn Predicate>,
    },
    /// It is in a plugin library.
    Remote(Box<RemotePredicate>),
}

impl PredicatePlugin {
    /// The predicate, for one record at a time.
    pub fn as_predicate(&mut self) -> &mut dyn Predicate {
        match self {
            Self::Builtin { predicate, .. } => predicate.as_mut(),
            Self::Remote(predicate) => predicate.as_mut(),
        }
    }

    /// The predicate alone, for callers that need not know where it comes from.
    #[must_use]
    pub fn into_predicate(self) -> Box<dyn Predicate> {
        match self {
            Self::Builtin { predicate, .. } => predicate,
            Self::Remote(predicate) => predicate,
        }
    }

    /// Whether it is in a plugin library.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }
}

impl std::fmt::Debug for PredicatePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin { class, .. } => f.debug_tuple("Builtin").field(class).finish(),
            Self::Remote(predicate) => f.debug_tuple("Remote").field(predicate).finish(),
        }
    }
}
