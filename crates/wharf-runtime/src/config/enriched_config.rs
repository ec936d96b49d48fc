//! The keys of the transformations and predicates that a configuration names, added to the framework's definition.
//!
//! Upstream's rules: each alias of `transforms` and `predicates` brings `.type` and `.plugin.version`; once the class is
//! known, its own keys follow in the alias's group, those of a transformation behind `predicate` and `negate`. Validators
//! of a class see its keys without the prefix. A class that cannot be used leaves only the first two keys, with the reason.

use wharf_api::config::{
    ConfigDef, ConfigKey, ConfigValue, Importance, NullableConfigMap, ParsedValue, Type, Width, parse_type,
};
use wharf_api::{ConfigMap, ConnectError, PluginKind};

use super::validation::{PluginView, add_error, set_recommended};

/// The key with the aliases of transformations.
pub(super) const TRANSFORMS: &str = "transforms";
/// The key with the aliases of predicates.
pub(super) const PREDICATES: &str = "predicates";

/// What is put under an alias.
struct Family {
    kind: PluginKind,
    /// The key with the aliases.
    key: &'static str,
    /// What groups of aliases begin with.
    group: &'static str,
    /// The name of the Java interface, as messages have it.
    interface: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family {
        kind: PluginKind::Transformation,
        key: TRANSFORMS,
        group: "Transforms",
        interface: "Transformation",
    },
    Family {
        kind: PluginKind::Predicate,
        key: PREDICATES,
        group: "Predicates",
        interface: "Predicate",
    },
];

/// The framework's definition with the keys of all aliases.
pub(super) struct EnrichedConfig {
    def: ConfigDef,
    aliases: Vec<Alias>,
}

/// What is known of one alias before its keys are validated.
struct Alias {
    kind: PluginKind,
    prefix: String,
    /// The class that `.type` stands for.
    class: Option<String>,
    /// What the answer shows of `.type`.
    shown: Option<String>,
    /// Why the class cannot be used; message by key.
    problems: Vec<(String, String)>,
    /// Whether the class's own keys are defined.
    has_own_keys: bool,
}

impl EnrichedConfig {
    /// Adds the keys of the aliases that a configuration names. Values may be wrong in any way.
    pub(super) fn new(framework: ConfigDef, config: &NullableConfigMap, plugins: &dyn PluginView) -> Self {
        let mut enriched = Self {
            def: framework,
            aliases: Vec::new(),
        };
        for family in &FAMILIES {
            for alias in aliases(config, family.key) {
                enriched.add(family, &alias, config, plugins);
            }
        }
        enriched
    }

    pub(super) fn def(&self) -> &ConfigDef {
        &self.def
    }

    pub(super) fn into_def(self) -> ConfigDef {
        self.def
    }

    fn add(&mut self, family: &Family, alias: &str, config: &NullableConfigMap, plugins: &dyn PluginView) {
        let Family {
            kind,
            group,
            interface,
            ..
        } = *family;
        let prefix = format!("{}.{alias}.", family.key);
        let (type_key, version_key) = (format!("{prefix}type"), format!("{prefix}plugin.version"));
        let name = given(config, &type_key);
        let requirement = given(config, &version_key);
        let class = name.and_then(|name| plugins.find_class(kind, name));
        let mut found = Alias {
            kind,
            shown: class.clone(),
            class,
            problems: Vec::new(),
            has_own_keys: false,
            prefix,
        };
        let own = found.own_keys(family, name, requirement, plugins);
        let default = found
            .class
            .as_ref()
            .and_then(|class| plugins.versions(kind, class).pop());
        let word = interface.to_lowercase();
        let group = format!("{group}: {alias}");
        let type_def = ConfigKey::new(&type_key, Type::Class)
            .importance(Importance::High)
            .doc(format!("Class of the {word} '{alias}'."))
            .group(&group, 0)
            .width(Width::Long)
            .display_name(format!("{interface} type for {alias}"));
        let version_def = ConfigKey::new(&version_key, Type::String)
            .importance(Importance::High)
            .doc(format!(
                "Version of the {word} '{alias}': one version, a range such as `[1.0,2.0)`, or `latest`."
            ))
            .group(&group, 1)
            .width(Width::Long)
            .display_name(format!("{interface} version for {alias}"));
        let version_def = match default.filter(|version| !version.is_empty()) {
            Some(version) => version_def.default(version),
            None => version_def.default_null(),
        };
        let def = std::mem::take(&mut self.def).define(type_def).define(version_def);
        self.def = match own {
            Some(own) => {
                found.has_own_keys = true;
                def.embed(&found.prefix, &group, 2, &own)
            }
            None => def,
        };
        self.aliases.push(found);
    }

    /// Adds what is wrong with the aliases to the values that the definition found, and shows aliases of classes as the
    /// classes they stand for.
    pub(super) fn check(
        &self,
        config: &NullableConfigMap,
        plugins: &dyn PluginView,
        values: &mut Vec<ConfigValue>,
    ) {
        for alias in &self.aliases {
            alias.check(config, plugins, values);
        }
        check_predicates(config, values);
    }
}

impl Alias {
    /// The definition of the class's own keys, or nothing and the reason among the problems.
    fn own_keys(
        &mut self,
        family: &Family,
        name: Option<&str>,
        requirement: Option<&str>,
        plugins: &dyn PluginView,
    ) -> Option<ConfigDef> {
        let name = name?;
        let type_key = format!("{}type", self.prefix);
        let invalid = |value: &str, reason: &str| {
            let error = ConnectError::invalid_config(type_key.as_str(), value, reason);
            (type_key.clone(), error.message().to_owned())
        };
        let Some(class) = &self.class else {
            let (shown, problem) = unusable(family, name, plugins).unwrap_or_else(|| {
                (
                    None,
                    invalid(name, &format!("Class {name} could not be found.")).1,
                )
            });
            self.shown = shown;
            self.problems.push((type_key, problem));
            return None;
        };
        if let Some(requirement) = requirement
            && let Err(problem) = plugins.check_version(self.kind, class, requirement)
        {
            self.problems.push((type_key.clone(), problem.message.clone()));
            self.problems
                .push((format!("{}plugin.version", self.prefix), problem.message));
            return None;
        }
        match plugins.plugin_config(self.kind, class, requirement) {
            Ok(own) if self.kind == PluginKind::Transformation => Some(with_condition(&own, class)),
            Ok(own) => Some(own),
            Err(error) => {
                let reason = format!(
                    "Error getting config definition from {}: {}",
                    family.interface,
                    error.message()
                );
                self.problems.push(invalid(&format!("class {class}"), &reason));
                None
            }
        }
    }

    fn check(&self, config: &NullableConfigMap, plugins: &dyn PluginView, values: &mut Vec<ConfigValue>) {
        let type_key = format!("{}type", self.prefix);
        let version_key = format!("{}plugin.version", self.prefix);
        set_recommended(values, &type_key, plugins.classes(self.kind));
        if let Some(class) = &self.class {
            set_recommended(values, &version_key, plugins.versions(self.kind, class));
        }
        let negate = format!("{}negate", self.prefix);
        let predicate = format!("{}predicate", self.prefix);
        let lacks_predicate = self.kind == PluginKind::Transformation
            && config.contains_key(&negate)
            && !config.contains_key(&predicate);
        if let Some(value) = values.iter_mut().find(|value| value.name == type_key)
            && given(config, &type_key).is_some()
        {
            value.value = self.shown.clone().map_or(ParsedValue::Null, ParsedValue::Class);
        }
        for (key, message) in &self.problems {
            add_error(values, key, message.clone());
        }
        if lacks_predicate {
            let message = format!(
                "Config '{negate}' was provided but there is no config '{predicate}' defining a predicate to be negated."
            );
            add_error(values, &type_key, message);
        }
        let Some(class) = self.class.as_ref().filter(|_| self.has_own_keys) else {
            return;
        };
        let own = own_settings(&self.prefix, &texts(config));
        match plugins.plugin_values(self.kind, class, given(config, &version_key), &own) {
            Ok(found) => add_library_errors(
                values,
                found.into_iter().map(|mut value| {
                    value.name.insert_str(0, &self.prefix);
                    value
                }),
            ),
            Err(error) => {
                let message = format!("the plugin cannot check its settings: {error:#}");
                add_error(values, &type_key, message);
            }
        }
    }
}

/// Why a name that means something is no class of the family, and what is shown of it.
fn unusable(family: &Family, name: &str, plugins: &dyn PluginView) -> Option<(Option<String>, String)> {
    // Java's class around those for keys and values
    let inner: Vec<String> = plugins
        .classes(family.kind)
        .into_iter()
        .filter(|class| class.strip_prefix(name).is_some_and(|rest| rest.starts_with('$')))
        .collect();
    if !inner.is_empty() {
        let message = format!(
            "This class is abstract and cannot be created. Did you mean {}?",
            inner.join(", ")
        );
        return Some((Some(name.to_owned()), message));
    }
    let class = PluginKind::ALL
        .into_iter()
        .find_map(|kind| plugins.find_class(kind, name))?;
    let message = format!(
        "Class class {class} does not implement the {} interface",
        family.interface
    );
    Some((Some(class), message))
}

/// The settings of an alias as its class gets them: prefix removed, without what belongs to the framework.
fn own_settings(prefix: &str, config: &ConfigMap) -> ConfigMap {
    let mut own = super::converter_config::with_prefix(config, prefix);
    for key in ["type", "plugin.version", "predicate", "negate"] {
        own.remove(key);
    }
    own
}

/// Adds messages and recommendations that a library gave for its own keys. A key whose text does not even fit its type
/// has its message already.
pub(crate) fn add_library_errors(values: &mut [ConfigValue], found: impl IntoIterator<Item = ConfigValue>) {
    for found in found {
        if let Some(value) = values.iter_mut().find(|value| value.name == found.name) {
            if value.errors.is_empty() {
                value.errors = found.errors;
            }
            value.recommended_values = found.recommended_values;
            value.visible = found.visible;
        }
    }
}

/// A transformation's own keys behind the two that every transformation has.
fn with_condition(own: &ConfigDef, class: &str) -> ConfigDef {
    let condition = ConfigDef::new()
        .define(
            ConfigKey::new("predicate", Type::String)
                .default_null()
                .importance(Importance::Medium)
                .doc("Alias of the predicate that decides whether the transformation applies to a record."),
        )
        .define(
            ConfigKey::new("negate", Type::Boolean)
                .default(false)
                .importance(Importance::Medium)
                .doc("Whether the transformation applies where the predicate does not hold."),
        );
    own.keys().iter().fold(condition, |def, key| {
        if matches!(key.name(), "predicate" | "negate") {
            tracing::warn!(
                "{class}: its key {} cannot be set, as every transformation has one of that name",
                key.name()
            );
            def
        } else {
            def.define(key.clone())
        }
    })
}

/// The aliases that a key lists, each once.
fn aliases(config: &NullableConfigMap, key: &str) -> Vec<String> {
    let parsed = config
        .get(key)
        .and_then(Option::as_deref)
        .map(|text| parse_type(key, text, Type::List));
    let Some(Ok(ParsedValue::List(items))) = parsed else {
        return Vec::new();
    };
    let mut unique = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}

/// A transformation that names a predicate nobody defined would fail each task at its start.
fn check_predicates(config: &NullableConfigMap, values: &mut Vec<ConfigValue>) {
    let known = aliases(config, PREDICATES);
    for alias in aliases(config, TRANSFORMS) {
        let key = format!("{TRANSFORMS}.{alias}.predicate");
        let Some(predicate) = given(config, &key).filter(|name| !known.iter().any(|known| known == name))
        else {
            continue;
        };
        let reason = format!("there is no such predicate; list it in {PREDICATES} and give it a type");
        let error = ConnectError::invalid_config(&key, predicate, &reason);
        add_error(values, &key, error.message().to_owned());
    }
}

/// The entries that have a value.
pub(super) fn texts(config: &NullableConfigMap) -> ConfigMap {
    config
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect()
}

pub(super) fn given<'a>(config: &'a NullableConfigMap, key: &str) -> Option<&'a str> {
    config.get(key)?.as_deref().map(str::trim)
}
