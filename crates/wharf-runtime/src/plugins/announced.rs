//! What a worker tells a group of its plugins, and what the leader makes of that.
//!
//! Short names are not sent: the leader finds them by the rule by which the worker does. For that it has to know of all kinds, as
//! classes of all kinds share short names.

use std::collections::{BTreeMap, BTreeSet};

use wharf_api::PluginKind;
use wharf_cluster::protocol::PluginClasses;

use super::maven_version::MavenVersion;
use super::names::PluginNames;
use super::registry::PluginRegistry;
use super::version_range::VersionRange;
use crate::config::{CONNECTORS, NamedClass};

impl PluginRegistry {
    /// All plugins, as a worker announces them when it joins a group.
    #[must_use]
    pub fn announcement(&self) -> Vec<PluginClasses> {
        let mut groups: BTreeMap<(PluginKind, &str, bool), BTreeSet<String>> = BTreeMap::new();
        for entry in self.entries() {
            groups
                .entry((entry.kind, entry.version.as_str(), !entry.is_another_name))
                .or_default()
                .insert(entry.class.to_string());
        }
        let group =
            |((kind, version, have_short_names), classes): ((PluginKind, &str, bool), _)| PluginClasses {
                kind: kind.name().to_owned(),
                version: version.to_owned(),
                have_short_names,
                classes,
            };
        groups.into_iter().map(group).collect()
    }
}

/// The plugins of another worker.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedPlugins {
    names: PluginNames,
    versions: BTreeMap<String, Vec<(PluginKind, MavenVersion)>>,
}

impl AnnouncedPlugins {
    /// Kinds that are not known here are passed over.
    pub(crate) fn of(announcement: &[PluginClasses]) -> Self {
        let mut plugins = Self::default();
        for group in announcement {
            let Some(kind) = PluginKind::from_name(&group.kind) else {
                continue;
            };
            let version = MavenVersion::new(&group.version);
            for class in &group.classes {
                plugins.names.add(kind, class, group.have_short_names);
                let versions = plugins.versions.entry(class.clone()).or_default();
                versions.push((kind, version.clone()));
            }
        }
        plugins
    }

    /// Whether that worker finds what a configuration names. A version that no worker can read keeps nobody from trying.
    pub(crate) fn have(&self, named: &NamedClass<'_>) -> bool {
        let Some(name) = named.class else { return true };
        let class = if named.kinds == CONNECTORS {
            self.names.connector(name).ok()
        } else {
            self.names.class(named.kinds, name)
        };
        let Some(versions) = class.and_then(|class| self.versions.get(class)) else {
            return false;
        };
        match VersionRange::parse(named.version.unwrap_or_default()) {
            Ok(Some(range)) => versions
                .iter()
                .any(|(kind, version)| named.kinds.contains(kind) && range.contains(version)),
            Ok(None) | Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_cluster::protocol::{ConnectProtocol, WorkerState};

    use super::*;
    use crate::config::named_classes;
    use crate::plugins::test_module;

    fn registry() -> PluginRegistry {
        PluginRegistry::of_modules([
            ("/p/libold.so".into(), test_module::old()),
            ("/p/libnew.so".into(), test_module::new()),
            ("/p/libomega.so".into(), test_module::several_names()),
        ])
    }

    /// Keys of classes that the other side would not find.
    fn missing(plugins: &AnnouncedPlugins, config: &[(&str, &str)]) -> Vec<String> {
        named_classes(|key| config.iter().find(|entry| entry.0 == key).map(|entry| entry.1))
            .into_iter()
            .filter(|named| !plugins.have(named))
            .map(|named| named.key)
            .collect()
    }

    #[test]
    fn the_leader_finds_by_every_name_what_the_worker_finds_and_nothing_else() {
        let registry = registry();
        let announced = AnnouncedPlugins::of(&registry.announcement());
        let mut names = BTreeSet::from(["Nothing".to_owned(), "org.x.Nothing".to_owned()]);
        for location in registry.locations() {
            let simple = location.class.rsplit(['.', '$']).next().unwrap().to_owned();
            for word in PluginKind::ALL.map(PluginKind::suffix) {
                names.extend(simple.strip_suffix(word).map(str::to_owned));
            }
            names.extend([simple, location.class]);
        }
        let mut found = 0;
        for name in &names {
            for (key, kind) in [
                ("key.converter", PluginKind::Converter),
                ("header.converter", PluginKind::HeaderConverter),
                ("transforms.t.type", PluginKind::Transformation),
                ("predicates.p.type", PluginKind::Predicate),
            ] {
                let config = [("transforms", "t"), ("predicates", "p"), (key, name.as_str())];
                let here = registry.plugin_class(kind, name, None).is_some();
                let there = !missing(&announced, &config).contains(&key.to_owned());
                assert_eq!(there, here, "{key}={name}");
                found += usize::from(here);
            }
            let here = registry.connector(name, None).is_ok();
            assert_eq!(
                missing(&announced, &[("connector.class", name)]).is_empty(),
                here,
                "{name}"
            );
            found += usize::from(here);
        }
        assert!(found > 100, "{found} of {names:?}");
        for name in ["AlphaSource", "OmegaSink", "org.a.OmegaSinkConnector"] {
            assert!(names.contains(name) && missing(&announced, &[("connector.class", name)]).is_empty());
        }
        assert!(!missing(&announced, &[("connector.class", "Beta")]).is_empty());
    }

    #[test]
    fn versions_count_where_a_configuration_asks_for_one() {
        let announced = AnnouncedPlugins::of(&registry().announcement());
        for (version, found) in [
            ("1.0", true),
            ("[1.5,2)", true),
            ("latest", true),
            ("2", false),
            ("[1.0,1.10)", true),
            ("(1.0,1.10)", false),
            ("[1", true),
        ] {
            let config = [
                ("connector.class", "AlphaSource"),
                ("connector.plugin.version", version),
            ];
            assert_eq!(missing(&announced, &config).is_empty(), found, "{version}");
        }
        let of_java = [
            ("key.converter", "Json"),
            ("key.converter.plugin.version", "4.3.0"),
        ];
        assert_eq!(missing(&announced, &of_java), ["key.converter"]);
    }

    #[test]
    fn kinds_of_a_newer_worker_are_passed_over() {
        let mut announcement = registry().announcement();
        announcement.push(PluginClasses {
            kind: "something_new".to_owned(),
            version: String::new(),
            have_short_names: true,
            classes: ["org.y.AlphaSource".to_owned()].into(),
        });
        let announced = AnnouncedPlugins::of(&announcement);
        assert!(missing(&announced, &[("connector.class", "AlphaSource")]).is_empty());
    }

    #[test]
    fn what_is_built_in_takes_little_of_each_request_to_join() {
        let size = |plugins| {
            let state = WorkerState {
                plugins,
                ..WorkerState::default()
            };
            state.encode(ConnectProtocol::Sessioned).unwrap().len()
        };
        let announcement = PluginRegistry::default().announcement();
        let classes: usize = announcement.iter().map(|group| group.classes.len()).sum();
        let taken = size(Some(announcement)) - size(None);
        assert!(taken < 25 * classes, "{taken} bytes for {classes} classes");
    }
}
