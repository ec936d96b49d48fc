//! Connector keys of Kafka's catalogue that this build does not honour yet: set to something that would change
//! behaviour, they make the configuration invalid instead of being ignored.
//!
//! Keys that only refine one of these (`errors.retry.delay.max.ms`, `errors.log.include.messages`, the dead letter
//! topic's other settings) have no effect without it and are accepted. `offsets.storage.topic` and `transaction.boundary`
//! are without effect in standalone mode upstream too.

use wharf_api::config::{ConfigDef, ConfigValue, ParsedValue};
use wharf_api::{ConfigMap, ConnectError};

use super::connector_config::FrameworkDefaults;
use super::sink_connector_config::sink_connector_config_def;
use super::source_connector_config::source_connector_config_def;
use crate::herder::ConnectorType;

/// Key, what is missing, and what to do.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "errors.retry.timeout",
        "trying failed operations again is not supported by this build yet; remove it",
    ),
    (
        "errors.tolerance",
        "skipping failed records is not supported by this build yet; remove it",
    ),
    (
        "errors.log.enable",
        "logging of failed operations is not supported by this build yet; remove it",
    ),
    (
        "errors.deadletterqueue.topic.name",
        "dead letter topics are not supported by this build yet; remove it",
    ),
];

/// Adds an error to each such key whose value asks for something.
pub(super) fn check(def: &ConfigDef, values: &mut [ConfigValue]) {
    for (name, why) in UNSUPPORTED {
        let Some(key) = def.key(name) else { continue };
        let Some(value) = values.iter_mut().find(|value| value.name == *name) else {
            continue;
        };
        // a null stands for a value that could not be parsed, which has its error already
        let harmless = value.value.is_null()
            || key
                .default_value()
                .ok()
                .flatten()
                .is_some_and(|default| same(&default, &value.value));
        if !harmless {
            value.errors.push(format!(
                "Invalid value {} for configuration {name}: {why}",
                value.value
            ));
        }
    }
}

/// Keys of a configuration that ask for what this build does not do, each with the reason. Other mistakes are found, and worded,
/// where the configuration is used.
pub(crate) fn unsupported_keys(config: &ConfigMap, connector_type: ConnectorType) -> Vec<(String, String)> {
    let defaults = FrameworkDefaults::default();
    let def = match connector_type {
        ConnectorType::Sink => sink_connector_config_def(&defaults),
        _ => source_connector_config_def(&defaults),
    };
    let mut values = def.validate(config);
    values.iter_mut().for_each(|value| value.errors.clear());
    check(&def, &mut values);
    values
        .into_iter()
        .flat_map(|value| {
            let name = value.name;
            value.errors.into_iter().map(move |error| (name.clone(), error))
        })
        .collect()
}

/// Refuses to run a configuration that was not validated by this build: in a group it may have been accepted by a worker that
/// honours more, and run without what it asks for it would write other records than its owner expects.
///
/// # Errors
/// Of kind config, naming every such key.
pub(crate) fn refuse_unsupported(config: &ConfigMap, connector_type: ConnectorType) -> wharf_api::Result<()> {
    let refused = unsupported_keys(config, connector_type);
    if refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = refused.into_iter().map(|(_, error)| error).collect();
    Err(ConnectError::config(refused.join("; ")))
}

fn same(default: &ParsedValue, value: &ParsedValue) -> bool {
    match (default.as_str(), value.as_str()) {
        (Some(default), Some(text)) => default.eq_ignore_ascii_case(text.trim()),
        _ => default == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(def: &ConfigDef, key: &str, text: &str) -> usize {
        let mut values = def.validate(&[(key.to_owned(), text.to_owned())].into());
        let count = |values: &[ConfigValue]| -> usize { values.iter().map(|value| value.errors.len()).sum() };
        let before = count(&values);
        check(def, &mut values);
        count(&values) - before
    }

    #[test]
    fn what_another_worker_accepted_is_refused_by_every_key_that_is_not_honoured_and_by_no_other() {
        let config = |pairs: &[(&str, &str)]| -> ConfigMap {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let harmless = config(&[("name", "c"), ("tasks.max", "many"), ("errors.tolerance", "none")]);
        for kind in [ConnectorType::Source, ConnectorType::Sink] {
            assert!(refuse_unsupported(&harmless, kind).is_ok());
            let asking = config(&[
                ("name", "c"),
                ("errors.log.enable", "true"),
                ("errors.tolerance", "all"),
            ]);
            let error = refuse_unsupported(&asking, kind).unwrap_err();
            for key in ["errors.log.enable", "errors.tolerance"] {
                assert!(
                    error.message().contains(&format!("for configuration {key}: ")),
                    "{error}"
                );
            }
            assert!(!error.message().contains("tasks.max"), "{error}");
        }
        let dead_letters = config(&[("errors.deadletterqueue.topic.name", "d")]);
        assert!(refuse_unsupported(&dead_letters, ConnectorType::Sink).is_err());
    }

    #[test]
    fn only_values_that_ask_for_something_are_refused() {
        let source = source_connector_config_def(&FrameworkDefaults::default());
        let sink = sink_connector_config_def(&FrameworkDefaults::default());
        let cases = [
            (&source, "errors.retry.timeout", "-1", 1),
            (&source, "errors.retry.timeout", "0", 0),
            (&source, "errors.retry.timeout", "x", 0),
            (&source, "errors.retry.delay.max.ms", "5", 0),
            (&source, "errors.tolerance", "all", 1),
            (&source, "errors.tolerance", "none", 0),
            (&source, "errors.log.enable", "true", 1),
            (&source, "errors.log.include.messages", "true", 0),
            (&source, "exactly.once.support", "required", 0),
            (&source, "transaction.boundary", "interval", 0),
            (&source, "config.action.reload", "none", 0),
            (&sink, "errors.deadletterqueue.topic.name", "d", 1),
            (&sink, "errors.deadletterqueue.topic.name", " ", 0),
            (&sink, "errors.deadletterqueue.context.headers.enable", "true", 0),
        ];
        for (def, key, text, expected) in cases {
            assert_eq!(errors(def, key, text), expected, "{key}={text}");
        }
    }
}
