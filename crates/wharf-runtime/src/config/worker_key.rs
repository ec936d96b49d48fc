//! The form of an entry in the catalogue of worker keys.

use wharf_api::config::{ConfigKey, Importance, ParsedValue, Type, Validator};

/// What this build does with a key.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Support {
    /// As documented.
    Honoured,
    /// As documented for some values; the others are refused by name by the client that is given them. Says which.
    WithinLimits(&'static str),
    /// Accepted, because here no value of it changes what happens; the reason says why.
    NoEffect(&'static str),
    /// Only values for which `accepts` holds; for others the start is refused, and `instead` says what to do.
    Refused {
        /// The values that ask for nothing this build lacks.
        accepts: fn(&ParsedValue) -> bool,
        /// The remedy.
        instead: &'static str,
    },
}

/// A worker key.
#[derive(Debug)]
pub struct WorkerKey {
    /// Type, default, validator, importance and documentation.
    pub key: ConfigKey,
    /// What this build does with it.
    pub support: Support,
}

/// A family of keys, recognised by its prefix.
#[derive(Debug, Clone, Copy)]
pub struct PrefixRule {
    /// How the keys start.
    pub prefix: &'static str,
    /// What this build does with them.
    pub support: PrefixSupport,
}

/// What this build does with a family of keys.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum PrefixSupport {
    /// Handed on, without the prefix.
    Honoured,
    /// Accepted without effect, for this reason.
    NoEffect(&'static str),
    /// Accepted without effect and with this warning.
    Warned(&'static str),
    /// Refused, with this remedy.
    Refused(&'static str),
}

/// A key that does what it says.
pub(super) fn honoured(name: &str, value_type: Type, importance: Importance, doc: &str) -> WorkerKey {
    WorkerKey {
        key: ConfigKey::new(name, value_type).importance(importance).doc(doc),
        support: Support::Honoured,
    }
}

impl WorkerKey {
    fn with(self, change: impl FnOnce(ConfigKey) -> ConfigKey) -> Self {
        Self {
            key: change(self.key),
            ..self
        }
    }

    pub(super) fn default(self, value: impl ToString) -> Self {
        self.with(|key| key.default(value))
    }

    pub(super) fn null(self) -> Self {
        self.with(ConfigKey::default_null)
    }

    pub(super) fn valid(self, validator: Validator) -> Self {
        self.with(|key| key.validator(validator))
    }

    pub(super) fn no_effect(self, reason: &'static str) -> Self {
        Self {
            support: Support::NoEffect(reason),
            ..self
        }
    }

    pub(super) fn within_limits(self, limits: &'static str) -> Self {
        Self {
            support: Support::WithinLimits(limits),
            ..self
        }
    }

    pub(super) fn refused(self, accepts: fn(&ParsedValue) -> bool, instead: &'static str) -> Self {
        Self {
            support: Support::Refused { accepts, instead },
            ..self
        }
    }
}
