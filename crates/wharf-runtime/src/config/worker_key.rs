//! The form of an entry in the catalogue of worker keys, and the reference page made of the entries.

use wharf_api::config::{ConfigKey, Importance, ParsedValue, Type, Validator};

use super::worker_keys::{PREFIX_RULES, standalone_worker_keys};

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

/// The reference page of worker keys: what each takes and what this build does with it, as a Markdown table.
#[must_use]
pub fn standalone_worker_reference() -> String {
    let mut out = String::from(
        "| Key | Type | Default | Valid values | Importance | Meaning | In this build |\n|---|---|---|---|---|---|---|\n",
    );
    for WorkerKey { key, support } in standalone_worker_keys() {
        let info = key.info();
        let default = if info.default.is_required() {
            "required".to_owned()
        } else {
            info.default_text()
                .map_or_else(|| "null".to_owned(), |text| format!("`{text}`"))
        };
        let support = match support {
            Support::Honoured => "honoured".to_owned(),
            Support::WithinLimits(limits) => format!("honoured within limits: {limits}"),
            Support::NoEffect(why) => format!("accepted without effect: {why}"),
            Support::Refused { instead, .. } => format!("refused where it asks for more: {instead}"),
        };
        let row = [
            format!("`{}`", info.name),
            info.value_type.to_string(),
            default,
            info.validator.clone().unwrap_or_default(),
            info.importance.name().to_lowercase(),
            info.documentation.clone(),
            support,
        ];
        out.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    for rule in PREFIX_RULES {
        let support = match rule.support {
            PrefixSupport::Honoured => "honoured".to_owned(),
            PrefixSupport::NoEffect(why) | PrefixSupport::Warned(why) => {
                format!("accepted without effect: {why}")
            }
            PrefixSupport::Refused(instead) => format!("refused: {instead}"),
        };
        out.push_str(&format!(
            "| `{}*` | | | | | handed on by prefix | {support} |\n",
            rule.prefix
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_says_for_every_key_what_this_build_does() {
        let page = standalone_worker_reference();
        assert_eq!(
            page.lines().count(),
            2 + standalone_worker_keys().len() + PREFIX_RULES.len()
        );
        assert!(page.contains("| `config.providers` | LIST | `` |"), "{page}");
        assert!(page.contains("| `listeners.https.*` |"), "{page}");
    }
}
