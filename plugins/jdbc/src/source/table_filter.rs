//! Which of the database's tables are read.

use regex::Regex;

use super::definition::{
    BLACKLIST_CONFIG, CATALOG_CONFIG, INCLUDE_CONFIG, SCHEMA_CONFIG, TYPES_CONFIG, WHITELIST_CONFIG,
};

/// Which tables are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableFilter {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) types: Vec<String>,
    pub(super) whitelist: Vec<String>,
    pub(super) blacklist: Vec<String>,
    pub(super) include: Vec<Regex>,
    pub(super) exclude: Vec<Regex>,
}

impl TableFilter {
    /// Entries of the lists that no table of these has or matches, with their keys.
    pub(crate) fn unknown(&self, names: &[[String; 3]]) -> Vec<(&'static str, String)> {
        let is_table = |item: &&String| names.iter().flatten().any(|name| name == *item);
        let listed = [
            (WHITELIST_CONFIG, &self.whitelist),
            (BLACKLIST_CONFIG, &self.blacklist),
        ];
        let listed = listed.into_iter().flat_map(|(key, list)| {
            let missing = list.iter().filter(|item| !is_table(item));
            missing.map(move |item| (key, item.clone()))
        });
        let matches = |pattern: &Regex| names.iter().any(|[_, in_full, _]| pattern.is_match(in_full));
        let patterns = self.include.iter().filter(|pattern| !matches(pattern));
        let plain = |pattern: &Regex| {
            let text = pattern.as_str();
            let inner = text.strip_prefix("^(?:").and_then(|text| text.strip_suffix(")$"));
            inner.unwrap_or(text).to_owned()
        };
        listed
            .chain(patterns.map(|pattern| (INCLUDE_CONFIG, plain(pattern))))
            .collect()
    }

    /// What is said of tables that are to be read, of all that no table has or matches.
    pub(super) fn missing(&self, unknown: &[(&'static str, String)]) -> Vec<String> {
        let of = |wanted: &str| {
            let names = unknown.iter().filter(|(key, _)| *key == wanted);
            let names: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let place = format!("see {SCHEMA_CONFIG}, {CATALOG_CONFIG}, {TYPES_CONFIG} and the user's rights");
        let listed = of(WHITELIST_CONFIG).map(|names| {
            format!("{WHITELIST_CONFIG}: there is no table {names} yet that this user may read; {place}")
        });
        let matched = of(INCLUDE_CONFIG).map(|patterns| {
            format!(
                "{INCLUDE_CONFIG}: there is no table yet that this user may read and that matches {patterns}; {place}"
            )
        });
        listed.into_iter().chain(matched).collect()
    }

    /// Whether a table of this name, which is `schema.table` in full, is to be read.
    pub(crate) fn takes(&self, name: &str, in_full: &str, quoted: &str) -> bool {
        let names = [name, in_full, quoted];
        let is_in = |list: &[String]| list.iter().any(|item| names.contains(&item.as_str()));
        let matches = |list: &[Regex]| list.iter().any(|pattern| pattern.is_match(in_full));
        if !self.whitelist.is_empty() {
            return is_in(&self.whitelist);
        }
        if !self.include.is_empty() {
            return matches(&self.include) && !matches(&self.exclude);
        }
        !is_in(&self.blacklist)
    }
}
