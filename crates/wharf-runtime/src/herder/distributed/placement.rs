//! Which member can run which connector: a native worker says in its metadata what plugins it has, a JVM worker is taken to
//! have all.
//!
//! What no member can run is given to any: there it fails, and its status says what is missing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wharf_cluster::config_state::ConfigSnapshot;
use wharf_cluster::protocol::WorkerState;

use crate::config::{NamedClass, named_classes};
use crate::plugins::AnnouncedPlugins;

/// What the members of a round can run.
pub(super) struct Abilities {
    /// Members that say what they can run.
    native: HashSet<String>,
    /// Of each connector that not all can run, those of them that can.
    able: HashMap<String, Arc<HashSet<String>>>,
}

impl Abilities {
    pub(super) fn of(members: &[(String, Vec<u8>)], snapshot: &ConfigSnapshot) -> Self {
        let mut native = HashMap::new();
        let mut has_jvm = false;
        for (member, metadata) in members {
            // One whose metadata cannot be read gets nothing anyway.
            match WorkerState::decode(metadata).map(|state| state.plugins) {
                Ok(Some(plugins)) => drop(native.insert(member, AnnouncedPlugins::of(&plugins))),
                Ok(None) => has_jvm = true,
                Err(_) => {}
            }
        }
        let able = |named: &[NamedClass<'_>]| -> HashSet<String> {
            let can_run = |plugins: &AnnouncedPlugins| named.iter().all(|named| plugins.have(named));
            let members = native.iter().filter(|(_, plugins)| can_run(plugins));
            members.map(|(member, _)| (*member).clone()).collect()
        };
        // Many connectors name the same classes.
        let mut known: HashMap<Vec<NamedClass<'_>>, Arc<HashSet<String>>> = HashMap::new();
        let mut restricted = HashMap::new();
        for name in snapshot.connectors() {
            let Some(config) = snapshot.config(name) else {
                continue;
            };
            let mut named = named_classes(|key| config.get(key));
            named.retain(NamedClass::is_told);
            let able = known
                .entry(named)
                .or_insert_with_key(|named| Arc::new(able(named)));
            let by_none = able.is_empty() && !has_jvm;
            if !by_none && able.len() < native.len() {
                restricted.insert(name.to_owned(), Arc::clone(able));
            }
        }
        Self {
            native: native.into_keys().cloned().collect(),
            able: restricted,
        }
    }

    pub(super) fn can_run(&self, member: &str, connector: &str) -> bool {
        // What is no longer configured is about to be stopped, wherever it runs.
        let able = self.able.get(connector);
        able.is_none_or(|able| able.contains(member) || !self.native.contains(member))
    }
}

#[cfg(test)]
mod tests {
    use wharf_cluster::config_state::ConfigState;
    use wharf_cluster::protocol::{ConnectProtocol, PluginClasses};

    use super::*;

    /// A kind, and classes of it.
    type Classes = (&'static str, &'static [&'static str]);

    const CONNECTORS: Classes = ("source", &["org.a.FileConnector"]);
    const TRANSFORMS: Classes = (
        "transformation",
        &["org.t.Cast$Key", "org.t.Cast$Value", "org.t.Mask"],
    );
    const CONVERTERS: Classes = ("converter", &["org.c.JsonConverter"]);
    const HEADERS: Classes = ("header_converter", &["org.c.JsonConverter"]);
    const PREDICATES: Classes = ("predicate", &["org.p.HasIt"]);

    /// `plain` names no class but its own; `it` has further settings.
    fn abilities(members: &[(&str, Option<&[Classes]>)], more: &[(&str, &str)]) -> Abilities {
        let classes = |(kind, classes): &Classes| PluginClasses {
            kind: (*kind).to_owned(),
            version: "1.5".to_owned(),
            have_short_names: true,
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        };
        let members: Vec<_> = members
            .iter()
            .map(|(member, plugins)| {
                let state = WorkerState {
                    plugins: plugins.map(|plugins| plugins.iter().map(classes).collect()),
                    ..WorkerState::default()
                };
                (
                    (*member).to_owned(),
                    state.encode(ConnectProtocol::Sessioned).unwrap(),
                )
            })
            .collect();
        let mut state = ConfigState::new();
        for (offset, name, more) in [(0, "plain", &[][..]), (1, "it", more)] {
            let mut properties = serde_json::json!({"connector.class": " File "});
            for (key, value) in more {
                properties[*key] = (*value).into();
            }
            let key = format!("connector-{name}");
            let value = serde_json::json!({ "properties": properties }).to_string();
            state.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
        }
        Abilities::of(&members, &state.snapshot())
    }

    #[test]
    fn connectors_go_where_their_plugin_is_and_to_jvm_workers() {
        let lacking = abilities(
            &[("none", Some(&[])), ("file", Some(&[CONNECTORS])), ("jvm", None)],
            &[("connector.class", "org.b.OtherConnector")],
        );
        for (member, connector, expected) in [
            ("none", "plain", false),
            ("file", "plain", true),
            ("jvm", "plain", true),
            ("none", "it", false),
            ("file", "it", false),
            ("jvm", "it", true),
            ("file", "deleted", true),
            ("unreadable", "it", true),
        ] {
            assert_eq!(
                lacking.can_run(member, connector),
                expected,
                "{member} {connector}"
            );
        }
    }

    #[test]
    fn every_class_that_a_configuration_names_has_to_be_there() {
        let of = |key: &str, value: &str| -> bool {
            let all = [CONNECTORS, TRANSFORMS, CONVERTERS, HEADERS, PREDICATES];
            let lists = [("transforms", " t "), ("predicates", "p"), (key, value)];
            let abilities = abilities(&[("w", Some(&all)), ("jvm", None)], &lists);
            assert!(abilities.can_run("jvm", "it") && abilities.can_run("w", "plain"));
            abilities.can_run("w", "it")
        };
        for (key, value, expected) in [
            ("connector.class", "FileConnector", true),
            ("connector.class", "org.t.Mask", false),
            ("key.converter", " Json ", true),
            ("key.converter", "org.j.JavaConverter", false),
            ("value.converter", "org.c.JsonConverter", true),
            ("value.converter", "org.j.JavaConverter", false),
            ("header.converter", "JsonConverter", true),
            ("header.converter", "org.j.JavaConverter", false),
            ("header.converter", "", true),
            ("header.converter", "${env:CONVERTER}", true),
            ("transforms.t.type", "org.t.Cast$Value", true),
            ("transforms.t.type", "org.t.Cast", false),
            ("transforms.t.type", "Mask", true),
            ("transforms.t.type", "Key", true),
            ("transforms.t.type", "org.c.JsonConverter", false),
            ("transforms.t.type", "${env:MASK}", true),
            ("transforms.u.type", "not.Listed", true),
            ("predicates.p.type", "HasIt", true),
            ("predicates.p.type", "org.j.HasThat", false),
        ] {
            assert_eq!(of(key, value), expected, "{key}={value}");
        }
    }

    #[test]
    fn a_version_that_is_asked_for_counts() {
        for (version, expected) in [
            ("1.5", true),
            ("[1,2)", true),
            ("4.3.0", false),
            ("${env:V}", true),
        ] {
            let config = [
                ("key.converter", "Json"),
                ("key.converter.plugin.version", version),
            ];
            let abilities = abilities(&[("w", Some(&[CONNECTORS, CONVERTERS])), ("jvm", None)], &config);
            assert_eq!(abilities.can_run("w", "it"), expected, "{version}");
        }
    }

    #[test]
    fn what_nobody_can_run_is_given_to_any_so_that_its_status_tells() {
        let java = [("value.converter", "org.j.JavaConverter")];
        let alone = abilities(&[("w1", Some(&[CONNECTORS])), ("w2", Some(&[]))], &java);
        assert!(alone.can_run("w1", "it") && alone.can_run("w2", "it"));
        assert!(alone.can_run("w1", "plain") && !alone.can_run("w2", "plain"));
        let with_jvm = abilities(&[("w1", Some(&[CONNECTORS])), ("j", None)], &java);
        assert!(!with_jvm.can_run("w1", "it") && with_jvm.can_run("j", "it"));
        let rust = [("value.converter", "Json")];
        let with_other = abilities(
            &[
                ("w1", Some(&[CONNECTORS])),
                ("w2", Some(&[CONNECTORS, CONVERTERS])),
            ],
            &rust,
        );
        assert!(!with_other.can_run("w1", "it") && with_other.can_run("w2", "it"));
    }
}
