//! The dependency rule of ARCHITECTURE.md: who must not know whom, directly or by way of others.
//!
//! Read from cargo's resolved graph, so that a rule cannot be walked around by a crate in between. Dependencies of
//! tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;

/// One rule: crates that `of` names must not reach any of `never`.
struct Rule {
    of: &'static str,
    never: &'static [&'static str],
    why: &'static str,
}

/// Stands for every crate below `plugins/`.
const EVERY_PLUGIN: &str = "plugins/*";

const RULES: [Rule; 8] = [
    Rule {
        of: "wharf-api",
        never: &[
            "tokio",
            "rdkafka",
            "axum",
            "abi_stable",
            "wharf-abi",
            "wharf-kafka",
            "wharf-runtime",
        ],
        why: "plugin authors read this crate; keep machinery out of it",
    },
    Rule {
        of: "wharf-abi",
        never: &[
            "tokio",
            "rdkafka",
            "axum",
            "wharf-kafka",
            "wharf-runtime",
            "wharf-rest",
        ],
        why: "the border is part of every plugin; keep the worker's side out of it",
    },
    Rule {
        of: EVERY_PLUGIN,
        never: &["wharf-kafka", "wharf-runtime", "wharf-rest", "rdkafka", "axum"],
        why: "a plugin sees wharf-api and wharf-abi only",
    },
    Rule {
        of: "wharf-converters",
        never: &[
            "wharf-abi",
            "wharf-kafka",
            "wharf-runtime",
            "wharf-rest",
            "rdkafka",
            "axum",
        ],
        why: "converters sit on wharf-api only",
    },
    Rule {
        of: "wharf-cluster",
        never: &[
            "tokio",
            "hyper",
            "axum",
            "rdkafka",
            "getrandom",
            "wharf-api",
            "wharf-abi",
            "wharf-kafka",
            "wharf-membership",
            "wharf-runtime",
            "wharf-rest",
        ],
        why: "what decides for a group has no clock, no I/O and no chance, and knows no plugins",
    },
    Rule {
        of: "wharf-kafka",
        never: &["wharf-api", "wharf-abi", "wharf-runtime", "wharf-rest", "axum"],
        why: "what speaks to Kafka knows nothing of Connect",
    },
    Rule {
        of: "wharf-runtime",
        never: &["wharf-rest", "axum"],
        why: "REST sits on the runtime, not in it",
    },
    Rule {
        of: "wharf",
        never: &[
            "krafka",
            "wharf-embedded-broker",
            "wharf-test-services",
            "wharf-testkit",
        ],
        why: "nothing made for tests ships in the worker",
    },
];

/// Checks the output of `cargo metadata`.
pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let graph = Graph::read(metadata);
    let mut findings = Vec::new();
    for rule in &RULES {
        for id in graph.members.iter().filter(|id| graph.is_meant(id, rule.of)) {
            for never in rule.never {
                if let Some(path) = graph.path(id, never) {
                    let what = format!("{} reaches {never} by {}", graph.name(id), path.join(" → "));
                    findings.push(Finding::new(graph.manifest(id), 0, what, rule.why));
                }
            }
        }
    }
    findings
}

struct Graph<'a> {
    /// Name and manifest path, from the root of the workspace where it lies below it.
    packages: BTreeMap<&'a str, (&'a str, &'a str)>,
    /// Normal and build dependencies.
    edges: BTreeMap<&'a str, Vec<&'a str>>,
    members: Vec<&'a str>,
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> Self {
        let root = metadata["workspace_root"].as_str().unwrap_or_default();
        let packages = list(&metadata["packages"]).iter().filter_map(|package| {
            let manifest = package["manifest_path"].as_str()?;
            let manifest = manifest
                .strip_prefix(root)
                .unwrap_or(manifest)
                .trim_start_matches('/');
            Some((package["id"].as_str()?, (package["name"].as_str()?, manifest)))
        });
        let counts = |dependency: &&Value| {
            list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"] != "dev")
        };
        let edges = list(&metadata["resolve"]["nodes"]).iter().filter_map(|node| {
            let targets = list(&node["deps"])
                .iter()
                .filter(counts)
                .filter_map(|dep| dep["pkg"].as_str());
            Some((node["id"].as_str()?, targets.collect()))
        });
        Self {
            packages: packages.collect(),
            edges: edges.collect(),
            members: list(&metadata["workspace_members"])
                .iter()
                .filter_map(Value::as_str)
                .collect(),
        }
    }

    fn name(&self, id: &str) -> &'a str {
        self.packages.get(id).map_or("", |(name, _)| name)
    }

    fn manifest(&self, id: &str) -> &'a str {
        self.packages.get(id).map_or("", |(_, manifest)| manifest)
    }

    fn is_meant(&self, id: &str, of: &str) -> bool {
        if of == EVERY_PLUGIN {
            self.manifest(id).starts_with("plugins/")
        } else {
            self.name(id) == of
        }
    }

    /// Names along the shortest way from one package to one of this name.
    fn path(&self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut seen = BTreeSet::from([from]);
        let mut level = vec![vec![from]];
        while !level.is_empty() {
            let mut next = Vec::new();
            for path in level {
                let last = path.last().copied().unwrap_or(from);
                for id in self.edges.get(last).into_iter().flatten().copied() {
                    if !seen.insert(id) {
                        continue;
                    }
                    let mut longer = path.clone();
                    longer.push(id);
                    if self.name(id) == to {
                        return Some(longer.iter().map(|id| self.name(id)).collect());
                    }
                    next.push(longer);
                }
            }
            level = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of these packages and edges; a `~` before the target marks a dependency of tests.
    fn workspace(edges: &[(&str, &str)]) -> Value {
        let names: BTreeSet<_> = edges
            .iter()
            .flat_map(|(a, b)| [*a, b.trim_start_matches('~')])
            .collect();
        let manifest = |name: &str| match name {
            "wharf-file" => "/w/plugins/file/Cargo.toml".to_owned(),
            name => format!("/w/crates/{name}/Cargo.toml"),
        };
        let packages: Vec<_> = names
            .iter()
            .map(|n| json!({"id": n, "name": n, "manifest_path": manifest(n)}))
            .collect();
        let nodes: Vec<_> = names
            .iter()
            .map(|name| {
                let deps: Vec<_> = edges
                    .iter()
                    .filter(|(from, _)| from == name)
                    .map(|(_, to)| {
                        let kind = if to.starts_with('~') {
                            json!("dev")
                        } else {
                            Value::Null
                        };
                        json!({"pkg": to.trim_start_matches('~'), "dep_kinds": [{"kind": kind}]})
                    })
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        json!({
            "packages": packages, "workspace_root": "/w", "resolve": {"nodes": nodes}, "workspace_members": names
        })
    }

    #[test]
    fn allowed_dependencies_and_those_of_tests_pass() {
        let metadata = workspace(&[
            ("wharf-abi", "wharf-api"),
            ("wharf-abi", "abi_stable"),
            ("wharf-file", "wharf-abi"),
            ("wharf-file", "~wharf-runtime"),
            ("wharf-runtime", "rdkafka"),
            ("wharf", "wharf-runtime"),
            ("wharf", "~wharf-embedded-broker"),
        ]);
        assert_eq!(check(&metadata), []);
    }

    #[test]
    fn a_forbidden_crate_is_found_however_far_away() {
        let metadata = workspace(&[
            ("wharf-api", "middle"),
            ("middle", "tokio"),
            ("wharf-file", "wharf-kafka"),
        ]);
        let findings = check(&metadata);
        let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 2, "{texts:?}");
        assert!(
            texts[0].contains("wharf-api reaches tokio by wharf-api → middle → tokio"),
            "{texts:?}"
        );
        assert!(
            texts[1].starts_with("plugins/file/Cargo.toml: wharf-file reaches wharf-kafka"),
            "{texts:?}"
        );
    }
}
