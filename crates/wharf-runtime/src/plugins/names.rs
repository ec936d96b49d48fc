//! The names a class goes by: its full name, its simple name, and the simple name without the word for its kind.
//!
//! The aliases of all kinds share one table; one that could mean two classes means neither.

use std::collections::BTreeMap;

use wharf_api::PluginKind;

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
