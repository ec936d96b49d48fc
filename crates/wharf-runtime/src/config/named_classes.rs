//! The classes that a connector's configuration names, as it stands: for those who ask whether they are there.

use wharf_api::PluginKind;
use wharf_cluster::config_state::has_placeholder;

use super::connector_config::{CONNECTOR_CLASS, CONNECTOR_VERSION};
use super::converter_config::ConverterKind;

/// What `connector.class` may name.
pub(crate) const CONNECTORS: &[PluginKind] = &[PluginKind::Sink, PluginKind::Source];

/// A key that names a class, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NamedClass<'c> {
    /// The key.
    pub(crate) key: String,
    /// What the class has to be one of.
    pub(crate) kinds: &'static [PluginKind],
    /// The name, full or short, without blanks around it; `None` where the configuration gives none.
    pub(crate) class: Option<&'c str>,
    /// The version or range that is asked for.
    pub(crate) version: Option<&'c str>,
}

impl NamedClass<'_> {
    /// What it is, in words.
    pub(crate) fn what(&self) -> String {
        match self.kinds {
            [kind] => kind.name().replace('_', " "),
            _ => "connector".to_owned(),
        }
    }

    /// Whether it is known what is asked for: a reference to a config provider may stand for anything.
    pub(crate) fn is_told(&self) -> bool {
        self.class.is_some()
            && ![self.class, self.version]
                .into_iter()
                .flatten()
                .any(has_placeholder)
    }
}

/// The connector's class, its own converters, and those of its transforms and predicates, in this order. What is not in the
/// configuration is the worker's affair.
pub(crate) fn named_classes<'c>(get: impl Fn(&str) -> Option<&'c str>) -> Vec<NamedClass<'c>> {
    let text = |key: &str| get(key).map(str::trim).filter(|text| !text.is_empty());
    let mut named = vec![NamedClass {
        key: CONNECTOR_CLASS.to_owned(),
        kinds: CONNECTORS,
        class: text(CONNECTOR_CLASS),
        version: text(CONNECTOR_VERSION),
    }];
    for kind in ConverterKind::ALL {
        if let class @ Some(_) = text(kind.class_key()) {
            named.push(NamedClass {
                key: kind.class_key().to_owned(),
                kinds: match kind {
                    ConverterKind::Key | ConverterKind::Value => &[PluginKind::Converter],
                    ConverterKind::Header => &[PluginKind::HeaderConverter],
                },
                class,
                version: text(kind.version_key()),
            });
        }
    }
    for (list, kinds) in [
        ("transforms", &[PluginKind::Transformation][..]),
        ("predicates", &[PluginKind::Predicate][..]),
    ] {
        let aliases = text(list).filter(|aliases| !has_placeholder(aliases));
        let aliases = aliases.unwrap_or_default().split(',').map(str::trim);
        for alias in aliases.filter(|alias| !alias.is_empty()) {
            let key = format!("{list}.{alias}.type");
            named.push(NamedClass {
                class: text(&key),
                version: text(&format!("{list}.{alias}.plugin.version")),
                key,
                kinds,
            });
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'c>(config: &[(&str, &'c str)]) -> Vec<NamedClass<'c>> {
        named_classes(|key| config.iter().find(|entry| entry.0 == key).map(|entry| entry.1))
    }

    #[test]
    fn every_key_that_names_a_class_is_found_with_its_version_and_without_blanks() {
        let config = [
            ("connector.class", " org.a.FileConnector "),
            ("connector.plugin.version", " [1,2) "),
            ("key.converter", "Json"),
            ("value.converter", " "),
            ("value.converter.plugin.version", "3"),
            ("header.converter", "org.a.Heads"),
            ("header.converter.plugin.version", "1.0"),
            ("transforms", " t, u ,,v"),
            ("transforms.t.type", " org.a.Cast$Value "),
            ("transforms.t.plugin.version", "7"),
            ("transforms.v.type", ""),
            ("transforms.w.type", "not.Listed"),
            ("predicates", "p"),
            ("predicates.p.type", "org.a.HasIt"),
        ];
        let named = named(&config);
        let shown: Vec<_> = named
            .iter()
            .map(|it| (it.key.as_str(), it.what(), it.class, it.version))
            .collect();
        let row = |key, what: &str, class, version| (key, what.to_owned(), class, version);
        assert_eq!(
            shown,
            [
                row(
                    "connector.class",
                    "connector",
                    Some("org.a.FileConnector"),
                    Some("[1,2)")
                ),
                row(
                    "header.converter",
                    "header converter",
                    Some("org.a.Heads"),
                    Some("1.0")
                ),
                row("key.converter", "converter", Some("Json"), None),
                row(
                    "transforms.t.type",
                    "transformation",
                    Some("org.a.Cast$Value"),
                    Some("7")
                ),
                row("transforms.u.type", "transformation", None, None),
                row("transforms.v.type", "transformation", None, None),
                row("predicates.p.type", "predicate", Some("org.a.HasIt"), None),
            ]
        );
        let told = named.iter().filter(|it| it.is_told()).count();
        assert_eq!(told, 5);
    }

    #[test]
    fn what_a_config_provider_has_to_say_first_is_not_told() {
        let config = [
            ("connector.class", "${file:/a:class}"),
            ("key.converter", "Json"),
            ("key.converter.plugin.version", "${file:/a:version}"),
            ("transforms", "${file:/a:list}"),
            ("predicates", "p"),
            ("predicates.p.type", "org.${env:HERE}.It"),
        ];
        let named = named(&config);
        assert_eq!(named.len(), 3);
        assert!(!named.iter().any(NamedClass::is_told), "{named:?}");
    }
}
