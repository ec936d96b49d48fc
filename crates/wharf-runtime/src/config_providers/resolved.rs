//! A configuration with the values that its references stand for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wharf_api::ConfigMap;

use super::reference::{Reference, references};
use crate::logging::HiddenValues;

/// Values of fewer characters are no secrets, but parts of every message.
const SHORT: usize = 4;
/// So are numbers of fewer digits: ports, sizes, counts.
const SHORT_NUMBER: usize = 8;

/// A configuration as plugins and clients get it. Its `Debug` form shows no values, and no line of the log does while it, or a
/// clone, lives: who gives the configuration away keeps this as long.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// All keys; values without references that could be resolved.
    pub config: ConfigMap,
    /// How long values hold, by provider and path.
    pub ttls: BTreeMap<(String, String), Duration>,
    /// What stands for what: values that providers gave, with their references. None when there are none.
    values: Option<Arc<HiddenValues>>,
    /// The worker's own settings, which reach plugins as defaults of connectors.
    of_worker: Option<Arc<Resolved>>,
}

impl Resolved {
    /// A configuration in which nothing had to be resolved.
    pub(super) fn plain(config: ConfigMap) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Replaces references by what `lookup` knows of them; those that it does not know stay.
    pub(super) fn new(
        given: &ConfigMap,
        ttls: BTreeMap<(String, String), Duration>,
        lookup: impl Fn(&Reference<'_>) -> Option<String>,
    ) -> Self {
        let mut resolved = Self {
            ttls,
            ..Self::default()
        };
        let mut values = Vec::new();
        for (key, text) in given {
            let mut out = String::with_capacity(text.len());
            let mut from = 0;
            for reference in references(text) {
                out.push_str(&text[from..reference.start]);
                from = reference.end;
                let whole = &text[reference.start..reference.end];
                match lookup(&reference) {
                    Some(value) => {
                        out.push_str(&value);
                        note(&mut values, &value, whole);
                    }
                    None => out.push_str(whole),
                }
            }
            out.push_str(&text[from..]);
            resolved.config.insert(key.clone(), out);
        }
        if !values.is_empty() {
            resolved.values = Some(Arc::new(HiddenValues::new(values)));
        }
        resolved
    }

    /// The same, where texts may quote the worker's own settings, too.
    pub(super) fn of_worker(self, worker: Option<Arc<Self>>) -> Self {
        Self {
            of_worker: worker,
            ..self
        }
    }

    /// A text with references in the place of values, those of the worker's file included, for what is shown or stored.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let text = self.hide_own(text);
        match &self.of_worker {
            Some(worker) => worker.hide_own(&text),
            None => text,
        }
    }

    /// The same with the values of this configuration alone.
    #[must_use]
    pub fn hide_own(&self, text: &str) -> String {
        match &self.values {
            Some(values) => values.hide(text).into_owned(),
            None => text.to_owned(),
        }
    }

    /// Whether there is anything to [`hide`](Self::hide).
    #[must_use]
    pub fn has_values(&self) -> bool {
        self.values.is_some() || self.of_worker.is_some()
    }
}

fn note(values: &mut Vec<(String, String)>, value: &str, reference: &str) {
    // as messages show it; the parts that lines of it make are not secret alone
    let value = value.trim();
    let is_plain = match value.parse::<f64>() {
        Ok(_) => value.len() < SHORT_NUMBER,
        Err(_) => ["true", "false"]
            .iter()
            .any(|flag| value.eq_ignore_ascii_case(flag)),
    };
    if value.len() >= SHORT && !is_plain && !values.iter().any(|(known, _)| known == value) {
        values.push((value.to_owned(), reference.to_owned()));
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("keys", &self.config.keys())
            .field("ttls", &self.ttls)
            .field("values", &self.values)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Resolved {
        let given = [("k".to_owned(), text.to_owned())].into();
        Resolved::new(&given, BTreeMap::new(), |reference| {
            let value = match (reference.provider, reference.key) {
                ("t", "long") => Some("hunter2"),
                ("t", "longer") => Some("hunter2 and more\n"),
                ("t", "short") => Some("12"),
                ("t", "empty") => Some(""),
                ("t", "nested") => Some("${t:long}"),
                _ => None,
            };
            value.map(str::to_owned)
        })
    }

    #[test]
    fn known_references_are_replaced_and_others_stay() {
        for (text, expected) in [
            ("a${t:long}b${t:p:short}", "ahunter2b12"),
            ("${t:unknown}${u:long}", "${t:unknown}${u:long}"),
            ("${t:nested}", "${t:long}"),
            ("<${t:empty}>", "<>"),
            ("${t:longer}", "hunter2 and more\n"),
            ("plain", "plain"),
        ] {
            assert_eq!(resolved(text).config["k"], expected, "{text}");
        }
    }

    #[test]
    fn values_are_hidden_in_texts_and_in_debug() {
        let it = resolved("${t:long} ${t:p:longer} ${t:short} ${t:empty}");
        assert!(it.has_values());
        assert_eq!(
            it.hide("hunter2 and more, hunter2, 12, 123, (12)"),
            "${t:p:longer}, ${t:long}, 12, 123, (12)"
        );
        assert!(!format!("{it:?}").contains("hunter2"));
        assert!(!resolved("plain").has_values());
    }

    #[test]
    fn values_of_the_worker_are_hidden_beside_those_of_a_connector() {
        let worker = Arc::new(resolved("${t:long}"));
        let it = resolved("${t:p:longer}").of_worker(Some(Arc::clone(&worker)));
        assert_eq!(it.hide("hunter2 and more, hunter2"), "${t:p:longer}, ${t:long}");
        assert_eq!(it.hide_own("hunter2"), "hunter2");
        assert!(resolved("plain").of_worker(Some(worker)).has_values());
    }
}
