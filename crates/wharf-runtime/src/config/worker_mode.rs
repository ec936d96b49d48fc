//! The two ways to run a worker, as far as its settings are concerned: which keys a worker file may hold.
//!
//! The catalogue of a mode is the shared one and the mode's own keys. A key is in one place only, so that both modes treat it
//! alike.

use std::fmt;

use wharf_api::config::ConfigDef;

use super::distributed_keys::{DISTRIBUTED_PREFIX_RULES, client_keys, group_keys};
use super::worker_key::{PrefixRule, PrefixSupport, Support, WorkerKey};
use super::worker_keys::{
    PREFIX_RULES, connection_keys, metric_keys, rest_keys, runtime_keys, standalone_keys,
};
use super::worker_sasl_keys::sasl_keys;
use super::worker_tls_keys::tls_keys;

/// How a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerMode {
    /// Alone; source offsets are in a file.
    Standalone,
    /// As one of a group; everything is in topics.
    Distributed,
}

impl WorkerMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standalone, Self::Distributed];

    /// The one that this is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Standalone => Self::Distributed,
            Self::Distributed => Self::Standalone,
        }
    }

    /// The catalogue of keys, in the order of the reference pages.
    #[must_use]
    pub fn keys(self) -> Vec<WorkerKey> {
        let mut keys = connection_keys();
        match self {
            Self::Standalone => keys.extend(standalone_keys()),
            Self::Distributed => keys.extend(group_keys()),
        }
        keys.extend(runtime_keys());
        keys.extend(rest_keys());
        keys.extend(metric_keys());
        if self == Self::Distributed {
            keys.extend(client_keys());
        }
        keys.extend(tls_keys());
        // A standalone worker takes these too, but hands them on unseen.
        if self == Self::Distributed {
            keys.extend(sasl_keys());
        }
        keys
    }

    /// Families of keys that are recognised by their prefix.
    pub fn prefix_rules(self) -> impl Iterator<Item = &'static PrefixRule> {
        let own: &[PrefixRule] = match self {
            Self::Standalone => &[],
            Self::Distributed => DISTRIBUTED_PREFIX_RULES,
        };
        PREFIX_RULES.iter().chain(own)
    }

    /// The family that a key belongs to.
    pub(super) fn prefix_rule(self, key: &str) -> Option<&'static PrefixRule> {
        self.prefix_rules().find(|rule| key.starts_with(rule.prefix))
    }

    /// The definition made of the catalogue.
    #[must_use]
    pub fn config_def(self) -> ConfigDef {
        self.keys()
            .into_iter()
            .fold(ConfigDef::new(), |def, entry| def.define(entry.key))
    }

    /// The reference page of worker keys: what each takes and what this build does with it, as a Markdown table.
    #[must_use]
    pub fn reference(self) -> String {
        let mut out = String::from(
            "| Key | Type | Default | Valid values | Importance | Meaning | In this build |\n|---|---|---|---|---|---|---|\n",
        );
        for entry in self.keys() {
            out.push_str(&row(&entry));
        }
        for rule in self.prefix_rules() {
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
}

fn row(WorkerKey { key, support }: &WorkerKey) -> String {
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
    let cells = [
        format!("`{}`", info.name),
        info.value_type.to_string(),
        default,
        info.validator.clone().unwrap_or_default(),
        info.importance.name().to_lowercase(),
        info.documentation.clone(),
        support,
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// As messages name it.
impl fmt::Display for WorkerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone => "standalone",
            Self::Distributed => "distributed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_a_sound_definition() {
        for mode in WorkerMode::ALL {
            let def = mode.config_def();
            assert_eq!(def.check(), Ok(()), "{mode}");
            assert!(
                def.infos().all(|info| info.documentation.ends_with('.')),
                "every key says what it means"
            );
        }
    }

    #[test]
    fn every_default_is_accepted_by_its_own_rule() {
        for WorkerKey { key, support } in WorkerMode::ALL.into_iter().flat_map(WorkerMode::keys) {
            if let (Support::Refused { accepts, .. }, Ok(Some(default))) = (support, key.default_value()) {
                assert!(accepts(&default), "{}", key.name());
            }
        }
    }

    #[test]
    fn the_reference_page_says_for_every_key_what_this_build_does() {
        for mode in WorkerMode::ALL {
            let page = mode.reference();
            assert_eq!(
                page.lines().count(),
                2 + mode.keys().len() + mode.prefix_rules().count()
            );
            assert!(page.contains("| `config.providers` | LIST | `` |"), "{page}");
            assert!(page.contains("| `listeners.https.*` |"), "{page}");
            assert_eq!(
                page.contains("| `group.id` | STRING | required |"),
                mode == WorkerMode::Distributed,
                "{page}"
            );
        }
    }
}
