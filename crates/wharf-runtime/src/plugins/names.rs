//! The names a class goes by: its full name, its simple name, and the simple name without the word for its kind.
//!
//! The aliases of all kinds share one table; one that could mean two classes means neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_api::PluginKind;

use crate::config::CONNECTORS;

/// What stands after the last dot and the last `$`.
#[must_use]
pub fn simple_name(class: &str) -> &str {
    class.rsplit(['.', '$']).next().unwrap_or(class)
}

/// The simple name cut at the last occurrence of the kind's word, as upstream cuts it: also when the word is not at the
/// end, but not when nothing would be left.
#[must_use]
pub fn pruned_name(kind: PluginKind, class: &str) -> &str {
    let simple = simple_name(class);
    match simple.rfind(kind.suffix()) {
        Some(at) if at > 0 => &simple[..at],
        _ => simple,
    }
}

/// Alias to class.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases(BTreeMap<String, Option<String>>);

impl Aliases {
    /// Adds the aliases of a class.
    pub(super) fn add(&mut self, kind: PluginKind, class: &str) {
        for alias in [simple_name(class), pruned_name(kind, class)] {
            match self.0.get_mut(alias) {
                None => drop(self.0.insert(alias.to_owned(), Some(class.to_owned()))),
                Some(known) if known.as_deref() != Some(class) => {
                    tracing::debug!(
                        alias,
                        class,
                        "alias fits more than one class; use full class names"
                    );
                    *known = None;
                }
                Some(_) => {}
            }
        }
    }

    /// The class that an alias stands for.
    pub(super) fn class(&self, alias: &str) -> Option<&str> {
        self.0.get(alias)?.as_deref()
    }
}

/// Classes of all kinds, and what they are found by.
#[derive(Debug, Clone, Default)]
pub(super) struct PluginNames {
    /// Whether short names may mean the class.
    classes: BTreeMap<PluginKind, BTreeMap<Arc<str>, bool>>,
    aliases: Aliases,
}

impl PluginNames {
    pub(super) fn add(&mut self, kind: PluginKind, class: &str, has_short_names: bool) {
        if has_short_names {
            self.aliases.add(kind, class);
        }
        let classes = self.classes.entry(kind).or_default();
        *classes.entry(class.into()).or_default() |= has_short_names;
    }

    /// The class of any kind that an alias stands for.
    pub(super) fn class_of_alias(&self, alias: &str) -> Option<&str> {
        self.aliases.class(alias)
    }

    /// The class of one of these kinds that a full name or alias stands for.
    pub(super) fn class(&self, kinds: &[PluginKind], name: &str) -> Option<&str> {
        let class = |wanted: &str| {
            kinds.iter().find_map(|kind| {
                let (class, _) = self.classes.get(kind)?.get_key_value(wanted)?;
                Some(&**class)
            })
        };
        class(name).or_else(|| class(self.aliases.class(name)?))
    }

    /// The connector that a name stands for. Where it is no full name and no alias, a second try: any connector whose simple
    /// name is the text, with or without `Connector`.
    ///
    /// # Errors
    /// All classes that the name might mean: none, or several.
    pub(super) fn connector(&self, name: &str) -> Result<&str, BTreeSet<&str>> {
        if let Some(class) = self.class(CONNECTORS, name) {
            return Ok(class);
        }
        let fits = |class: &str| {
            simple_name(class)
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest == "Connector")
        };
        let connectors = CONNECTORS.iter().filter_map(|kind| self.classes.get(kind));
        let named: BTreeSet<&str> = connectors
            .flatten()
            .filter(|(class, has_short_names)| **has_short_names && fits(class))
            .map(|(class, _)| &**class)
            .collect();
        match named.first() {
            Some(class) if named.len() == 1 => Ok(class),
            _ => Err(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_known_by_its_simple_and_its_pruned_name() {
        for (kind, class, simple, pruned) in [
            (
                PluginKind::Source,
                "org.a.FileStreamSourceConnector",
                "FileStreamSourceConnector",
                "FileStreamSource",
            ),
            (PluginKind::Sink, "FooConnectorV2", "FooConnectorV2", "Foo"),
            (PluginKind::Sink, "a.Connector", "Connector", "Connector"),
            (PluginKind::Converter, "a.JsonConverter", "JsonConverter", "Json"),
            (
                PluginKind::HeaderConverter,
                "a.JsonConverter",
                "JsonConverter",
                "JsonConverter",
            ),
            (
                PluginKind::HeaderConverter,
                "a.SimpleHeaderConverter",
                "SimpleHeaderConverter",
                "Simple",
            ),
            (PluginKind::Transformation, "a.Cast$Value", "Value", "Value"),
            (
                PluginKind::OverridePolicy,
                "a.AllConnectorClientConfigOverridePolicy",
                "AllConnectorClientConfigOverridePolicy",
                "All",
            ),
        ] {
            assert_eq!((simple_name(class), pruned_name(kind, class)), (simple, pruned));
        }
    }

    #[test]
    fn an_alias_of_two_classes_stands_for_neither() {
        let mut aliases = Aliases::default();
        aliases.add(PluginKind::Converter, "a.JsonConverter");
        aliases.add(PluginKind::HeaderConverter, "a.JsonConverter");
        assert_eq!(aliases.class("Json"), Some("a.JsonConverter"));
        assert_eq!(aliases.class("JsonConverter"), Some("a.JsonConverter"));
        aliases.add(PluginKind::Predicate, "b.JsonPredicate");
        assert_eq!(aliases.class("Json"), None);
        aliases.add(PluginKind::Converter, "c.JsonConverter");
        assert_eq!(aliases.class("Json"), None);
        assert_eq!(aliases.class("JsonConverter"), None);
        assert_eq!(aliases.class("JsonPredicate"), Some("b.JsonPredicate"));
    }
}
