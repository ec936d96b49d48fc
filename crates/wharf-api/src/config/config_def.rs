//! The list of keys, and what can be asked of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::recommender::Embedded;
use super::{ConfigKey, ConfigKeyInfo, ConfigValue, NullableConfigMap, ParsedConfig, ParsedValue, Type};
use super::{DefaultValue, Validator, parse_type};
use crate::{ConfigMap, ConnectError, Result};

/// Says whether a class of this name (or alias) exists among the host's plugins.
pub type ClassResolver = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// An ordered list of keys.
///
/// Building never panics: a key that is defined twice or has a wrong default is remembered, and [`check`](Self::check),
/// [`parse`](Self::parse) and [`parse_all`](Self::parse_all) fail with it. Authors call `check` in a test; the
/// worker calls it when it loads a plugin.
#[derive(Clone, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
    index: BTreeMap<String, usize>,
    problems: Vec<ConnectError>,
    resolver: Option<ClassResolver>,
}

impl ConfigDef {
    /// A definition without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A definition from descriptions, as they come from a plugin: its validators accept everything and it has no
    /// recommenders, because these run inside the plugin.
    #[must_use]
    pub fn from_infos(infos: impl IntoIterator<Item = ConfigKeyInfo>) -> Self {
        infos
            .into_iter()
            .fold(Self::new(), |def, info| def.define(ConfigKey::from(info)))
    }

    /// Adds a key. The first definition of a name stays.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        if let Err(problem) = self.try_define(key) {
            self.problems.push(problem);
        }
        self
    }

    /// Adds a key, reporting at once what is wrong with it.
    ///
    /// # Errors
    ///
    /// `Configuration <name> is defined twice.`, or the default does not parse or is refused by the key's validator.
    /// The key is not added then, but for a wrong default, where it stays so that messages about its value make sense.
    pub fn try_define(&mut self, key: ConfigKey) -> Result<()> {
        let name = key.name().to_owned();
        if self.index.contains_key(&name) {
            return Err(ConnectError::config(format!(
                "Configuration {name} is defined twice."
            )));
        }
        let checked = key
            .default_value()
            .and_then(|default| match (default, &key.validator) {
                (Some(value), Some(validator)) => validator.ensure_valid(&name, &value),
                _ => Ok(()),
            });
        self.index.insert(name, self.keys.len());
        self.keys.push(key);
        checked
    }

    /// Adds all keys of another definition under a prefix: names and dependents get the prefix, groups become
    /// `<group_prefix>: <group>` (or the bare prefix), and the order in the group counts from `start_order` in the
    /// child's listing order. Validators and recommenders go on seeing the child's own names.
    #[must_use]
    pub fn embed(mut self, prefix: &str, group_prefix: &str, start_order: i32, child: &Self) -> Self {
        for (key, order) in child.sorted_keys().into_iter().zip(start_order..) {
            let mut key = key.clone();
            key.info.name.insert_str(0, prefix);
            for dependent in &mut key.info.dependents {
                dependent.insert_str(0, prefix);
            }
            key.info.group = Some(match key.info.group.take() {
                Some(group) => format!("{group_prefix}: {group}"),
                None => group_prefix.to_owned(),
            });
            key.info.order_in_group = order;
            key.validator = key.validator.map(|inner| Validator::Embedded {
                prefix: prefix.to_owned(),
                inner: Box::new(inner),
            });
            key.recommender = key.recommender.map(|inner| {
                Arc::new(Embedded {
                    prefix: prefix.to_owned(),
                    inner,
                }) as Arc<_>
            });
            self = self.define(key);
        }
        self.problems.extend(child.problems.iter().cloned());
        self
    }

    /// Sets who knows the classes that exist. With a resolver, a CLASS value it does not know is refused with
    /// `Class <value> could not be found.`; without one every name is accepted. Defaults are not resolved.
    #[must_use]
    pub fn class_resolver(mut self, resolver: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// What is wrong with the definition itself.
    ///
    /// # Errors
    ///
    /// The first problem: a key defined twice, a wrong default, or a dependent nobody defined.
    pub fn check(&self) -> Result<()> {
        if let Some(problem) = self.problems.first() {
            return Err(problem.clone());
        }
        let undefined = self.undefined_dependents();
        if undefined.is_empty() {
            return Ok(());
        }
        Err(ConnectError::config(format!(
            "Some configurations in are referred in the dependents, but not defined: {}",
            undefined.join(",")
        )))
    }

    /// All keys, in the order of their definition.
    #[must_use]
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// The plain data of all keys, in the order of their definition.
    pub fn infos(&self) -> impl Iterator<Item = &ConfigKeyInfo> {
        self.keys.iter().map(ConfigKey::info)
    }

    /// The names of all keys, in the order of their definition.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(ConfigKey::name)
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.index.get(name).map(|position| &self.keys[*position])
    }

    /// The names of all groups, in order of first appearance.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let mut groups = Vec::new();
        for group in self.infos().filter_map(|info| info.group.as_deref()) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// The keys in listing order: keys without group first, then by group as first seen, position in the group,
    /// required before optional, importance and name.
    #[must_use]
    pub fn sorted_keys(&self) -> Vec<&ConfigKey> {
        let groups = self.groups();
        let mut keys: Vec<&ConfigKey> = self.keys.iter().collect();
        keys.sort_by_cached_key(|key| {
            let info = key.info();
            let group = info
                .group
                .as_deref()
                .and_then(|name| groups.iter().position(|group| *group == name));
            (
                group,
                info.order_in_group,
                !info.default.is_required(),
                info.importance,
                info.name.clone(),
            )
        });
        keys
    }

    /// Parses a configuration: given values, then defaults, then validators. Keys nobody defined are kept as originals.
    ///
    /// # Errors
    ///
    /// The first mistake, in definition order.
    pub fn parse(&self, config: &ConfigMap) -> Result<ParsedConfig> {
        self.check()?;
        let values = self
            .keys
            .iter()
            .map(|key| Ok((key.name().to_owned(), self.parse_key(key, config)?)));
        Ok(ParsedConfig::new(values.collect::<Result<_>>()?, config.clone()))
    }

    /// Parses as [`parse`](Self::parse) does, but collects the mistakes of all keys, at most one per key.
    ///
    /// # Errors
    ///
    /// All mistakes, in definition order.
    pub fn parse_all(&self, config: &ConfigMap) -> std::result::Result<ParsedConfig, Vec<ConnectError>> {
        let mut errors: Vec<ConnectError> = self.check().err().into_iter().collect();
        let mut values = BTreeMap::new();
        for key in &self.keys {
            match self.parse_key(key, config) {
                Ok(value) => {
                    values.insert(key.name().to_owned(), value);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(ParsedConfig::new(values, config.clone()))
        } else {
            Err(errors)
        }
    }

    /// Says for every key what its value is and what is wrong with it.
    ///
    /// In definition order, followed by names that are only mentioned as dependents (invisible, with an error).
    /// A value that cannot be parsed is null, and its validator still runs on that null, so two messages for one key
    /// are normal. A key that can be reached by several dependents is checked once for each.
    #[must_use]
    pub fn validate(&self, config: &ConfigMap) -> Vec<ConfigValue> {
        super::validate::validate(self, config, |name| {
            config.get(name).map(|text| Some(text.as_str()))
        })
    }

    /// As [`validate`](Self::validate), for a configuration in which keys may be present without a value. Such a key
    /// is null, and its default is not used.
    #[must_use]
    pub fn validate_nullable(&self, config: &NullableConfigMap) -> Vec<ConfigValue> {
        let texts = config
            .iter()
            .filter_map(|(key, text)| Some((key.clone(), text.clone()?)))
            .collect();
        super::validate::validate(self, &texts, |name| config.get(name).map(Option::as_deref))
    }

    /// Dependents that are named by some key, but not defined; sorted.
    pub(super) fn undefined_dependents(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .infos()
            .flat_map(|info| &info.dependents)
            .map(String::as_str)
            .filter(|name| !self.index.contains_key(*name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Parses a text given for a key and resolves a class name.
    pub(super) fn parse_text(&self, name: &str, text: &str, value_type: Type) -> Result<ParsedValue> {
        let value = parse_type(name, text, value_type)?;
        if let (ParsedValue::Class(class), Some(resolver)) = (&value, &self.resolver)
            && !resolver(class)
        {
            let reason = format!("Class {class} could not be found.");
            return Err(ConnectError::invalid_config(name, text, &reason));
        }
        Ok(value)
    }

    fn parse_key(&self, key: &ConfigKey, config: &ConfigMap) -> Result<ParsedValue> {
        let info = &key.info;
        let mut value = match (config.get(&info.name), &info.default) {
            (Some(text), _) => self.parse_text(&info.name, text, info.value_type)?,
            (None, DefaultValue::Required) => return Err(missing(&info.name)),
            (None, DefaultValue::Null) => ParsedValue::Null,
            (None, DefaultValue::Text(text)) => parse_type(&info.name, text, info.value_type)?,
        };
        if let Some(validator) = &key.validator {
            if let (true, ParsedValue::List(items)) = (validator.drops_duplicates(), &mut value) {
                let mut seen = std::collections::BTreeSet::new();
                items.retain(|item| seen.insert(item.clone()));
            }
            validator.ensure_valid(&info.name, &value)?;
        }
        Ok(value)
    }
}

/// The message for a required key that was not given.
pub(super) fn missing(name: &str) -> ConnectError {
    ConnectError::config(format!(
        "Missing required configuration \"{name}\" which has no default value."
    ))
}

impl fmt::Debug for ConfigDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigDef")
            .field("keys", &self.keys)
            .field("problems", &self.problems)
            .field("resolver", &self.resolver.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Importance, Width};

    fn map(entries: &[(&str, &str)]) -> ConfigMap {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn full_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new("tasks", Type::Int)
                    .default(1)
                    .validator(Validator::at_least(1))
                    .importance(Importance::High)
                    .doc("How many.")
                    .group("Common", 2)
                    .width(Width::Short)
                    .display_name("Tasks")
                    .dependents(["mode"]),
            )
            .define(ConfigKey::new("mode", Type::String).default_null())
            .define(ConfigKey::new("name", Type::String).group("Common", 1))
            .define(ConfigKey::new("secret", Type::Password).default("x").internal())
    }

    #[test]
    fn absent_keys_get_their_defaults_and_unknown_ones_stay_originals() {
        let config = full_def()
            .parse(&map(&[("name", " n "), ("other", "o")]))
            .unwrap();
        assert_eq!(config.int("tasks"), Ok(1));
        assert_eq!(config.get("mode"), Ok(&ParsedValue::Null));
        assert_eq!(config.string("name"), Ok("n"));
        assert_eq!(config.password("secret").unwrap().reveal(), "x");
        assert_eq!(config.originals()["name"], " n ");
        assert_eq!(config.unknown_keys().collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn parse_stops_at_the_first_mistake_and_parse_all_lists_them() {
        let bad = map(&[("tasks", "0")]);
        let below = "Invalid value 0 for configuration tasks: Value must be at least 1";
        let missing = "Missing required configuration \"name\" which has no default value.";
        assert_eq!(full_def().parse(&bad).unwrap_err().message(), below);
        let errors = full_def().parse_all(&bad).unwrap_err();
        assert_eq!(
            errors.iter().map(ConnectError::message).collect::<Vec<_>>(),
            [below, missing]
        );
    }

    #[test]
    fn repeated_items_are_dropped_only_for_distinct_lists() {
        let def = ConfigDef::new()
            .define(ConfigKey::new("set", Type::List).validator(Validator::distinct_list(true, false)))
            .define(ConfigKey::new("list", Type::List));
        let config = def.parse(&map(&[("set", "b,a,b"), ("list", "b,a,b")])).unwrap();
        assert_eq!(config.list("set").unwrap(), ["b", "a"]);
        assert_eq!(config.list("list").unwrap(), ["b", "a", "b"]);
    }

    #[test]
    fn mistakes_of_the_definition_are_found() {
        let twice = full_def().define(ConfigKey::new("name", Type::Int));
        assert_eq!(
            twice.check().unwrap_err().message(),
            "Configuration name is defined twice."
        );
        assert_eq!(
            twice.parse(&map(&[])).unwrap_err().message(),
            "Configuration name is defined twice."
        );
        let bad_default = ConfigDef::new().define(ConfigKey::new("n", Type::Int).default("x"));
        assert_eq!(
            bad_default.check().unwrap_err().message(),
            "Invalid value x for configuration n: Not a number of type INT"
        );
        let refused = ConfigDef::new().define(
            ConfigKey::new("n", Type::Int)
                .default(0)
                .validator(Validator::at_least(1)),
        );
        assert!(refused.check().is_err());
        let dangling =
            ConfigDef::new().define(ConfigKey::new("a", Type::Int).default(1).dependents(["z", "y"]));
        assert_eq!(
            dangling.check().unwrap_err().message(),
            "Some configurations in are referred in the dependents, but not defined: y,z"
        );
    }

    #[test]
    fn a_definition_survives_its_description() {
        let def = full_def();
        let rebuilt = ConfigDef::from_infos(def.infos().cloned());
        assert_eq!(
            rebuilt.infos().collect::<Vec<_>>(),
            def.infos().collect::<Vec<_>>()
        );
        assert_eq!(
            rebuilt.key("tasks").unwrap().info().validator.as_deref(),
            Some("[1,...]")
        );
        // the check itself stays with the plugin
        assert_eq!(
            rebuilt
                .parse(&map(&[("tasks", "0"), ("name", "n")]))
                .unwrap()
                .int("tasks"),
            Ok(0)
        );
        assert_eq!(
            def.key("secret").unwrap().info().default_text().as_deref(),
            Some("[hidden]")
        );
    }

    #[test]
    fn classes_are_resolved_when_the_host_gives_a_resolver() {
        let def = ConfigDef::new().define(ConfigKey::new("c", Type::Class).default_null());
        assert!(def.parse(&map(&[("c", "no.Such")])).is_ok());
        let def = def.class_resolver(|name| name == "a.B");
        assert_eq!(def.parse(&map(&[("c", " a.B ")])).unwrap().class("c"), Ok("a.B"));
        assert_eq!(
            def.parse(&map(&[("c", "no.Such")])).unwrap_err().message(),
            "Invalid value no.Such for configuration c: Class no.Such could not be found."
        );
    }

    #[test]
    fn listing_order_is_group_position_required_importance_name() {
        let key = |name: &str| ConfigKey::new(name, Type::String);
        let def = ConfigDef::new()
            .define(key("g2").group("Second", 1))
            .define(key("g1b").group("First", 2))
            .define(key("g1a").group("First", 1))
            .define(key("low").default_null().importance(Importance::Low))
            .define(key("high.b").default_null().importance(Importance::High))
            .define(key("high.a").default_null().importance(Importance::High))
            .define(key("required").importance(Importance::Low));
        let names: Vec<_> = def.sorted_keys().into_iter().map(ConfigKey::name).collect();
        assert_eq!(names, ["required", "high.a", "high.b", "low", "g2", "g1a", "g1b"]);
        assert_eq!(def.groups(), ["Second", "First"]);
    }

    #[test]
    fn embedded_keys_get_prefix_group_and_running_order() {
        let child = ConfigDef::new()
            .define(
                ConfigKey::new("b", Type::Int)
                    .default(1)
                    .validator(Validator::at_least(1))
                    .dependents(["a"]),
            )
            .define(ConfigKey::new("a", Type::String).group("Inner", 9));
        let def = ConfigDef::new().embed("transforms.t.", "Transforms: t", 3, &child);
        let b = def.key("transforms.t.b").unwrap().info();
        assert_eq!((b.group.as_deref(), b.order_in_group), (Some("Transforms: t"), 3));
        assert_eq!(b.dependents, ["transforms.t.a"]);
        assert_eq!(b.display_name, "b");
        let a = def.key("transforms.t.a").unwrap().info();
        assert_eq!(
            (a.group.as_deref(), a.order_in_group),
            (Some("Transforms: t: Inner"), 4)
        );
        let error = def
            .parse(&map(&[("transforms.t.b", "0"), ("transforms.t.a", "")]))
            .unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid value 0 for configuration b: Value must be at least 1"
        );
    }
}
