//! Which member can run which connector: a native worker says in its metadata what classes it has plugins for, a JVM worker is
//! taken to have all.
//!
//! What no member can run is given to any: there it fails, and its status says what is missing.

use std::collections::{BTreeMap, HashMap, HashSet};

use wharf_cluster::config_state::ConfigSnapshot;
use wharf_cluster::protocol::WorkerState;

use crate::config::CONNECTOR_CLASS;

/// What the members of a round can run.
pub(super) struct Abilities {
    /// Members that say what they can run, with the names of the classes.
    native: HashMap<String, HashSet<String>>,
    /// Whether there are others.
    has_jvm: bool,
    /// The class of each connector.
    classes: BTreeMap<String, String>,
}

impl Abilities {
    pub(super) fn of(members: &[(String, Vec<u8>)], snapshot: &ConfigSnapshot) -> Self {
        let mut native = HashMap::new();
        let mut has_jvm = false;
        for (member, metadata) in members {
            // One whose metadata cannot be read gets nothing anyway.
            match WorkerState::decode(metadata).map(|state| state.runs) {
                Ok(Some(classes)) => drop(native.insert(member.clone(), classes.into_iter().collect())),
                Ok(None) => has_jvm = true,
                Err(_) => {}
            }
        }
        let classes = snapshot.connectors().filter_map(|name| {
            let class = snapshot.config(name)?.get(CONNECTOR_CLASS)?;
            Some((name.to_owned(), class.trim().to_owned()))
        });
        Self {
            native,
            has_jvm,
            classes: classes.collect(),
        }
    }

    pub(super) fn can_run(&self, member: &str, connector: &str) -> bool {
        // What is no longer configured is about to be stopped, wherever it runs.
        let Some(class) = self.classes.get(connector) else {
            return true;
        };
        match self.native.get(member) {
            None => true,
            Some(classes) if classes.contains(class) => true,
            Some(_) => !self.has_jvm && !self.native.values().any(|classes| classes.contains(class)),
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_cluster::config_state::ConfigState;
    use wharf_cluster::protocol::ConnectProtocol;

    use super::*;

    fn abilities(members: &[(&str, Option<&[&str]>)]) -> Abilities {
        let members: Vec<_> = members
            .iter()
            .map(|(member, classes)| {
                let state = WorkerState {
                    runs: classes.map(|classes| classes.iter().map(|class| (*class).to_owned()).collect()),
                    ..WorkerState::default()
                };
                (
                    (*member).to_owned(),
                    state.encode(ConnectProtocol::Sessioned).unwrap(),
                )
            })
            .collect();
        let mut state = ConfigState::new();
        for (offset, name) in (0..).zip(["A", "B"]) {
            let key = format!("connector-{name}");
            let value = format!(r#"{{"properties":{{"connector.class":" {name} "}}}}"#);
            state.apply(offset, Some(key.as_bytes()), Some(value.as_bytes()));
        }
        Abilities::of(&members, &state.snapshot())
    }

    #[test]
    fn connectors_go_where_their_plugin_is_and_to_jvm_workers() {
        let abilities = abilities(&[("w1", Some(&["A"])), ("w2", Some(&["A", "B"])), ("j", None)]);
        for (member, connector, expected) in [
            ("w1", "A", true),
            ("w1", "B", false),
            ("w2", "B", true),
            ("j", "A", true),
            ("j", "B", true),
            ("w1", "deleted", true),
        ] {
            assert_eq!(
                abilities.can_run(member, connector),
                expected,
                "{member} {connector}"
            );
        }
    }

    #[test]
    fn what_nobody_can_run_is_given_to_any_so_that_its_status_tells() {
        let alone = abilities(&[("w1", Some(&["A"])), ("w2", Some(&[]))]);
        assert!(alone.can_run("w1", "B") && alone.can_run("w2", "B"));
        assert!(alone.can_run("w1", "A") && !alone.can_run("w2", "A"));
        let with_jvm = abilities(&[("w1", Some(&[])), ("j", None)]);
        assert!(!with_jvm.can_run("w1", "B") && with_jvm.can_run("j", "B"));
    }
}
