//! What becomes of a URL's parameters, for drivers that take them in any letter case.

use std::collections::BTreeMap;

use super::LOG;
use crate::failure::{Answer, Failure, Trouble};

/// Names of parameters, in small letters.
pub(super) struct Known<'a> {
    /// Those that are honoured, in lists.
    pub(super) here: &'a [&'a [&'a str]],
    /// Those that cannot be held, with the reason or remedy.
    pub(super) refused: &'a [(&'a str, &'a str)],
    /// Those of which nothing depends here.
    pub(super) meaningless: &'a [&'a str],
}

impl Known<'_> {
    /// Refuses what cannot be held, and names what is not known.
    pub(super) fn check(&self, all: &BTreeMap<String, String>) -> Answer<()> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (key, value) in all {
            let name = key.to_ascii_lowercase();
            if seen
                .insert(name.clone(), value)
                .is_some_and(|other| other != value)
            {
                let text = format!(
                    "parameter {key} of connection.url is there twice, with two values; take one of them out"
                );
                return Err(Failure::new(Trouble::Statement, text));
            }
            if let Some((_, remedy)) = self.refused.iter().find(|(refused, _)| *refused == name) {
                return Err(not_built_in(key, remedy));
            }
            if self.here.iter().any(|list| list.contains(&name.as_str())) {
                continue;
            }
            if self.meaningless.contains(&name.as_str()) {
                tracing::debug!(target: LOG, "parameter {key} of connection.url has no meaning here");
            } else {
                tracing::warn!(target: LOG, "parameter {key} of connection.url is not known, and not used");
            }
        }
        Ok(())
    }
}

pub(super) fn not_built_in(name: &str, remedy: &str) -> Failure {
    let text = format!("parameter {name} of connection.url is not built in: {remedy}");
    Failure::new(Trouble::Statement, text)
}
