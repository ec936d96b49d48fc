//! Makes the chain of transforms that a connector's configuration asks for, with upstream's errors where it cannot be made.

use std::sync::Arc;

use wharf_api::config::{Type, parse_type};
use wharf_api::{ConfigMap, ConnectError, PluginKind, Result};

use super::transformation_chain::{
    Condition, PredicatePlace, TransformPlace, TransformationChain, TransformationStage,
};
use crate::metrics::{ChainFacts, ClassFacts};
use crate::plugins::{PluginRegistry, PredicatePlugin, TransformationPlugin};

/// Whose class a key names, and in which version.
struct Named<'c> {
    class: &'c str,
    version: Option<&'c str>,
}

impl<'c> Named<'c> {
    fn of(config: &'c ConfigMap, prefix: &str) -> Result<Self> {
        let text = |key: &str| config.get(&format!("{prefix}{key}")).map(|text| text.trim());
        match text("type") {
            Some(class) if !class.is_empty() => Ok(Self {
                class,
                version: text("plugin.version").filter(|version| !version.is_empty()),
            }),
            _ => Err(ConnectError::config(format!(
                "Unknown configuration '{prefix}type'"
            ))),
        }
    }

    /// The class as reports name it, whatever alias was given.
    fn full_class(&self, kind: PluginKind, plugins: &PluginRegistry) -> Arc<str> {
        plugins
            .plugin_class(kind, self.class, self.version)
            .unwrap_or_else(|| self.class.to_owned())
            .into()
    }

    fn facts(&self, kind: PluginKind, plugins: &PluginRegistry) -> ClassFacts {
        ClassFacts::used(plugins, kind, self.class, self.version)
    }
}

/// The transforms that a configuration names, in their order.
fn aliases(config: &ConfigMap) -> Result<Vec<String>> {
    let list = match config.get("transforms") {
        Some(text) => parse_type("transforms", text, Type::List)?,
        None => return Ok(Vec::new()),
    };
    let named = list.as_list().unwrap_or_default().iter();
    Ok(named.filter(|alias| !alias.is_empty()).cloned().collect())
}

/// What the chain of a connector is made of, whose configuration has been found to make one.
///
/// # Errors
/// When a transform or a predicate has no class.
pub(crate) fn chain_facts(config: &ConfigMap, plugins: &PluginRegistry) -> Result<ChainFacts> {
    let mut facts = ChainFacts::default();
    for alias in aliases(config)? {
        let prefix = format!("transforms.{alias}.");
        let transform = Named::of(config, &prefix)?.facts(PluginKind::Transformation, plugins);
        facts.transforms.insert(alias, transform);
        if let Some(alias) = config.get(&format!("{prefix}predicate")) {
            let alias = alias.trim();
            let predicate = Named::of(config, &format!("predicates.{alias}."))?;
            let predicate = predicate.facts(PluginKind::Predicate, plugins);
            facts.predicates.insert(alias.to_owned(), predicate);
        }
    }
    Ok(facts)
}

impl TransformationChain {
    /// The chain of a connector, configured.
    ///
    /// # Errors
    /// When a class is not there, or refuses its settings.
    pub(crate) fn of_connector(config: &ConfigMap, plugins: &PluginRegistry) -> Result<Self> {
        let stage = |alias: &String| {
            stage(alias, config, plugins).map_err(|error| {
                // As upstream: the text of the cause with its class.
                ConnectError::connect(format!("{}: {}", error.class(), error.message())).caused_by(
                    error.context(format!(
                        "transform {alias} cannot be used; correct transforms.{alias}.*"
                    )),
                )
            })
        };
        let stages = aliases(config)?.iter().map(stage).collect::<Result<_>>();
        stages.map(Self::new)
    }
}

fn stage(alias: &str, config: &ConfigMap, plugins: &PluginRegistry) -> Result<TransformationStage> {
    let prefix = format!("transforms.{alias}.");
    let named = Named::of(config, &prefix)?;
    let mut own = own_config(config, &prefix);
    let predicate = own.remove("predicate");
    let negate = own.remove("negate");
    let mut plugin = plugins.transformation(named.class, named.version)?;
    plugin.as_transformation().configure(&own)?;
    let transform = match plugin {
        TransformationPlugin::Builtin { transformation, .. } => TransformPlace::Builtin(transformation),
        TransformationPlugin::Remote(transformation) => TransformPlace::Remote(transformation),
    };
    let condition = match predicate {
        Some(predicate) => Some(Condition {
            predicate: condition(predicate.trim(), config, plugins)?,
            negate: negate.is_some_and(|text| text.trim().eq_ignore_ascii_case("true")),
        }),
        None => None,
    };
    let class = named.full_class(PluginKind::Transformation, plugins);
    Ok(TransformationStage::new(alias, class, transform, condition))
}

fn condition(alias: &str, config: &ConfigMap, plugins: &PluginRegistry) -> Result<PredicatePlace> {
    let prefix = format!("predicates.{alias}.");
    let named = Named::of(config, &prefix)?;
    let mut plugin = plugins.predicate(named.class, named.version)?;
    plugin.as_predicate().configure(&own_config(config, &prefix))?;
    Ok(match plugin {
        PredicatePlugin::Builtin { predicate, .. } => PredicatePlace::Builtin(predicate),
        PredicatePlugin::Remote(predicate) => PredicatePlace::Remote(predicate),
    })
}

/// The settings under a prefix, without those that are the worker's.
fn own_config(config: &ConfigMap, prefix: &str) -> ConfigMap {
    config
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .filter(|(key, _)| key != "type" && key != "plugin.version")
        .collect()
}

#[cfg(test)]
mod tests {
    use wharf_api::{Record, Value};

    use super::*;
    use crate::config::ErrorConfig;
    use crate::worker::TaskControl;
    use crate::worker::errors::{Attempt, RetryWithTolerance, TaskClock};
    use crate::worker::transformation_chain::Pending;

    fn config(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    const HOIST: &str = "org.apache.kafka.connect.transforms.HoistField$Value";

    fn hoist<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut entries = vec![
            ("transforms", "h"),
            ("transforms.h.type", HOIST),
            ("transforms.h.field", "line"),
        ];
        entries.extend(more);
        entries
    }

    #[test]
    fn a_connector_s_transforms_are_made_with_their_own_settings_and_predicates() {
        let rules = RetryWithTolerance::new(
            &ErrorConfig::default(),
            Box::new(TaskClock(Arc::new(TaskControl::new(false)))),
            Arc::default(),
        );
        let tombstone = [
            ("transforms.h.predicate", "tombstone"),
            ("predicates", "tombstone"),
            (
                "predicates.tombstone.type",
                "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
            ),
        ];
        let negated: Vec<_> = tombstone
            .iter()
            .copied()
            .chain([("transforms.h.negate", "True")])
            .collect();
        for (more, applies_to_value, applies_to_null) in [
            (&[][..], true, true),
            (&tombstone[..], false, true),
            (&negated[..], true, false),
        ] {
            let config = config(&hoist(more));
            let mut chain = TransformationChain::of_connector(&config, &PluginRegistry::default()).unwrap();
            for (value, applies) in [
                (Value::from("x"), applies_to_value),
                (Value::Null, applies_to_null),
            ] {
                let record = Record::sink("t", 0, 1).with_value(None, value.clone());
                let Attempt::Done(Some(changed)) = chain.finish(Pending::new(record), &rules) else {
                    panic!("{more:?}");
                };
                assert_eq!(changed.value != value, applies, "{more:?} {value:?}");
            }
        }
        let none = TransformationChain::of_connector(&ConfigMap::new(), &PluginRegistry::default()).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn metrics_are_told_full_classes_and_versions_and_each_alias_once() {
        let ask = "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone";
        let entries = config(&[
            ("transforms", "h, k,,h"),
            ("transforms.h.type", HOIST),
            ("transforms.h.field", "line"),
            ("transforms.h.predicate", " gone "),
            ("transforms.k.type", "ValueToKey"),
            ("transforms.k.fields", "a"),
            ("predicates", "gone, unused"),
            ("predicates.gone.type", "RecordIsTombstone"),
            ("predicates.unused.type", ask),
        ]);
        let plugins = PluginRegistry::default();
        assert!(TransformationChain::of_connector(&entries, &plugins).is_ok());
        let facts = chain_facts(&entries, &plugins).unwrap();
        let part = |alias: &str, class: &str| {
            let version = Some(env!("CARGO_PKG_VERSION").to_owned());
            let class = class.to_owned();
            (alias.to_owned(), ClassFacts { class, version })
        };
        let to_key = part("k", "org.apache.kafka.connect.transforms.ValueToKey");
        assert_eq!(facts.transforms, [part("h", HOIST), to_key].into());
        assert_eq!(facts.predicates, [part("gone", ask)].into());
        assert_eq!(
            chain_facts(&ConfigMap::new(), &plugins).unwrap(),
            ChainFacts::default()
        );
    }

    #[test]
    fn what_cannot_be_made_fails_the_start_in_upstream_s_words() {
        let cases = [
            (
                config(&[("transforms", "x")]),
                "Unknown configuration 'transforms.x.type'",
            ),
            (
                config(&hoist(&[("transforms.h.predicate", "gone")])),
                "org.apache.kafka.common.config.ConfigException: Unknown configuration 'predicates.gone.type'",
            ),
            (
                config(&[("transforms", "h"), ("transforms.h.type", HOIST)]),
                "org.apache.kafka.common.config.ConfigException: Missing required configuration",
            ),
        ];
        for (config, expected) in cases {
            let error = TransformationChain::of_connector(&config, &PluginRegistry::default())
                .err()
                .unwrap();
            assert!(error.message().contains(expected), "{error}");
            assert!(
                format!("{error:#}").contains("cannot be used; correct transforms."),
                "{error:#}"
            );
        }
    }
}
