//! Checks of a connector's configuration, common to sources and sinks.

use std::collections::BTreeSet;
use std::fmt::Debug;

use wharf_api::config::{ConfigKeyInfo, DefaultValue, Type};
use wharf_api::{ConfigMap, ErrorKind, Result};

use crate::PluginUnderTest;

/// A text that no plugin has by itself.
const SECRET: &str = "sesame-7f3a";

/// The value of a step that must succeed.
pub(crate) fn expect<T>(result: Result<T>, step: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{step}: {}", error.trace()),
    }
}

/// A step that may fail, but not panic.
pub(crate) fn no_panic<T>(result: Result<T>, step: &str) -> Option<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::Panic => panic!("{step} panicked: {}", error.trace()),
        other => other.ok(),
    }
}

pub(crate) fn check(
    plugin: &PluginUnderTest,
    good: &ConfigMap,
    bad: &[(ConfigMap, &'static str)],
    task_keys: &[&str],
) {
    let class = plugin.manifest();
    assert!(!class.version.is_empty(), "a connector has a version");
    assert!(
        class.task_class.is_some(),
        "a connector names the class of its tasks"
    );
    let keys = expect(expect(plugin.connector(), "make a connector").config(), "config");
    assert!(
        keys.iter().all(|key| !key.documentation.is_empty()),
        "every key is documented: {keys:?}"
    );
    assert_eq!(
        mistakes(plugin, good),
        Vec::<String>::new(),
        "the good configuration is refused"
    );
    required_keys_are_named(plugin, good, &keys);
    bad_configurations_are_refused(plugin, bad);
    secrets_are_masked(plugin, good, &keys);
    task_configurations_are_few_and_known(plugin, good, &keys, task_keys);
    no_panic(
        expect(plugin.connector(), "make a connector").start(&ConfigMap::new()),
        "start without configuration",
    );
}

/// All errors that `validate` finds.
fn mistakes(plugin: &PluginUnderTest, config: &ConfigMap) -> Vec<String> {
    let values = expect(
        expect(plugin.connector(), "make a connector").validate(config),
        "validate",
    );
    values.into_iter().flat_map(|value| value.errors).collect()
}

fn required_keys_are_named(plugin: &PluginUnderTest, good: &ConfigMap, keys: &[ConfigKeyInfo]) {
    for key in keys.iter().filter(|key| key.default == DefaultValue::Required) {
        let mut config = good.clone();
        config.remove(&key.name);
        let found = mistakes(plugin, &config);
        assert!(
            found.iter().any(|mistake| mistake.contains(&key.name)),
            "{} is missing, and validate says only {found:?}",
            key.name
        );
    }
}

/// `validate` must find the mistake, or else `start` of the connector must.
fn bad_configurations_are_refused(plugin: &PluginUnderTest, bad: &[(ConfigMap, &'static str)]) {
    for (config, part) in bad {
        let mut found = mistakes(plugin, config);
        if let Err(error) = expect(plugin.connector(), "make a connector").start(config) {
            assert_ne!(
                error.kind(),
                ErrorKind::Panic,
                "start panicked: {}",
                error.trace()
            );
            found.push(format!("{error:#}"));
        }
        assert!(
            found.iter().any(|mistake| mistake.contains(part)),
            "expected {part:?}, found {found:?}: {config:?}"
        );
    }
}

fn secrets_are_masked(plugin: &PluginUnderTest, good: &ConfigMap, keys: &[ConfigKeyInfo]) {
    let secret = |what: &dyn Debug| format!("{what:?}").contains(SECRET);
    let passwords = keys.iter().filter(|key| key.value_type == Type::Password);
    let mut config = good.clone();
    config.extend(passwords.map(|key| (key.name.clone(), SECRET.to_owned())));
    let mut connector = expect(plugin.connector(), "make a connector");
    let values = expect(connector.validate(&config), "validate");
    assert!(!secret(&values), "validate gives away a secret");
    let error = connector.start(&config).err();
    assert!(!secret(&error), "start gives away a secret in its error");
    for key in keys.iter().filter(|key| key.value_type != Type::Password) {
        let mut wrong = config.clone();
        wrong.insert(key.name.clone(), "\u{1}not a value".to_owned());
        assert!(
            !secret(&mistakes(plugin, &wrong)),
            "validate gives away a secret when {} is wrong",
            key.name
        );
    }
}

fn task_configurations_are_few_and_known(
    plugin: &PluginUnderTest,
    good: &ConfigMap,
    keys: &[ConfigKeyInfo],
    task_keys: &[&str],
) {
    let mut connector = expect(plugin.connector(), "make a connector");
    expect(connector.start(good), "start with a good configuration");
    let known: BTreeSet<&str> = keys
        .iter()
        .map(|key| key.name.as_str())
        .chain(good.keys().map(String::as_str))
        .chain(task_keys.iter().copied())
        .collect();
    for limit in [1, 2, 5] {
        let configs = expect(connector.task_configs(limit), "task configurations");
        assert!(
            configs.len() <= limit,
            "{} task configurations where {limit} are allowed",
            configs.len()
        );
        for key in configs.iter().flat_map(ConfigMap::keys) {
            assert!(
                known.contains(key.as_str()),
                "task configurations have an unknown key {key}"
            );
        }
    }
    expect(connector.stop(), "stop of the connector");
}
