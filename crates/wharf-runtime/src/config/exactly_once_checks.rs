//! What a source connector's configuration may ask of exactly-once delivery, here and of its connector (KIP-618).

use wharf_api::config::{ConfigValue, ParsedValue};
use wharf_api::{ConnectorTransactionBoundaries, ExactlyOnceSupport as OfConnector, Result};

use super::source_connector_config::{EXACTLY_ONCE_SUPPORT, TRANSACTION_BOUNDARY};

/// What the worker that validates can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceWorker {
    /// Standalone: transactions are not in use, whatever a configuration says.
    Standalone,
    /// Distributed, with `exactly.once.source.support=enabled` or not.
    Distributed {
        /// Whether it is enabled.
        enabled: bool,
    },
}

/// What the connector itself says of a configuration.
pub(super) trait ConnectorAnswers {
    /// Whether exactly-once works with it.
    fn exactly_once_support(&self) -> Result<Option<OfConnector>>;
    /// Whether its tasks can say where transactions end.
    fn transaction_boundaries(&self) -> Result<ConnectorTransactionBoundaries>;
}

/// Adds what is wrong to the values of the two keys.
pub(super) fn check(
    worker: ExactlyOnceWorker,
    connector: &impl ConnectorAnswers,
    values: &mut [ConfigValue],
) {
    if asks_for(values, EXACTLY_ONCE_SUPPORT, "required") {
        let problems = match worker {
            ExactlyOnceWorker::Standalone => vec![
                "A standalone worker does not deliver exactly once; run the connector on distributed workers with \
                 exactly.once.source.support=enabled, or consider reconfiguring it to use the value \"requested\" for this \
                 property."
                    .to_owned(),
            ],
            ExactlyOnceWorker::Distributed { enabled } => support_problems(enabled, connector),
        };
        add(values, EXACTLY_ONCE_SUPPORT, problems);
    }
    if worker != ExactlyOnceWorker::Standalone && asks_for(values, TRANSACTION_BOUNDARY, "connector") {
        let problem = match connector.transaction_boundaries() {
            Ok(ConnectorTransactionBoundaries::Supported) => None,
            Ok(_) => Some(
                "The connector does not support connector-defined transaction boundaries with the given configuration. \
                 Please reconfigure it to use a different transaction boundary definition."
                    .to_owned(),
            ),
            Err(error) => Some(unexpected(&error)),
        };
        add(values, TRANSACTION_BOUNDARY, problem);
    }
}

fn support_problems(enabled: bool, connector: &impl ConnectorAnswers) -> Vec<String> {
    let mut problems = Vec::new();
    if !enabled {
        problems.push("This worker does not have exactly-once source support enabled.".to_owned());
    }
    match connector.exactly_once_support() {
        Ok(Some(OfConnector::Supported)) => {}
        Ok(None) => problems.push(
            "The connector does not implement the API required for preflight validation of exactly-once source support. \
             Please consult the documentation for the connector to determine whether it supports exactly-once semantics, and \
             then consider reconfiguring the connector to use the value \"requested\" for this property (which will disable \
             this preflight check and allow the connector to be created)."
                .to_owned(),
        ),
        Ok(Some(_)) => problems.push(
            "The connector does not support exactly-once source semantics with the provided configuration.".to_owned(),
        ),
        Err(error) => problems.push(unexpected(&error)),
    }
    problems
}

fn unexpected(error: &wharf_api::ConnectError) -> String {
    format!(
        "An unexpected error occurred during validation: {}",
        error.message()
    )
}

fn asks_for(values: &[ConfigValue], key: &str, wanted: &str) -> bool {
    values
        .iter()
        .find(|value| value.name == key)
        .filter(|value| value.errors.is_empty())
        .and_then(|value| match &value.value {
            ParsedValue::String(text) => Some(text.trim().eq_ignore_ascii_case(wanted)),
            _ => None,
        })
        .unwrap_or(false)
}

fn add(values: &mut [ConfigValue], key: &str, problems: impl IntoIterator<Item = String>) {
    if let Some(value) = values.iter_mut().find(|value| value.name == key) {
        problems.into_iter().for_each(|problem| value.add_error(problem));
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::{ConfigMap, ConnectError};

    use super::*;
    use crate::config::FrameworkDefaults;
    use crate::config::source_connector_config::source_connector_config_def;

    /// Answers of a connector; a text is its error.
    #[derive(Clone, Copy)]
    struct Says(
        Result<Option<OfConnector>, &'static str>,
        Result<bool, &'static str>,
    );

    impl ConnectorAnswers for Says {
        fn exactly_once_support(&self) -> Result<Option<OfConnector>> {
            self.0.map_err(ConnectError::connect)
        }

        fn transaction_boundaries(&self) -> Result<ConnectorTransactionBoundaries> {
            self.1
                .map_err(ConnectError::connect)
                .map(|supported| match supported {
                    true => ConnectorTransactionBoundaries::Supported,
                    false => ConnectorTransactionBoundaries::Unsupported,
                })
        }
    }

    fn errors(worker: ExactlyOnceWorker, says: Says, key: &str, text: &str) -> String {
        let config: ConfigMap = [(key.to_owned(), text.to_owned())].into();
        let mut values = source_connector_config_def(&FrameworkDefaults::default()).validate(&config);
        values.iter_mut().for_each(|value| value.errors.clear());
        check(worker, &says, &mut values);
        values
            .into_iter()
            .flat_map(|value| value.errors)
            .collect::<Vec<_>>()
            .join("|")
    }

    #[test]
    fn required_needs_a_worker_and_a_connector_that_do_it() {
        use ExactlyOnceWorker::{Distributed, Standalone};
        let (on, off) = (Distributed { enabled: true }, Distributed { enabled: false });
        let yes = Says(Ok(Some(OfConnector::Supported)), Ok(true));
        for (worker, says, text, expected) in [
            (on, yes, "Required", ""),
            (on, yes, "requested", ""),
            (off, yes, "requested", ""),
            (off, yes, "required", "This worker does not have"),
            (Standalone, yes, "required", "A standalone worker"),
            (
                on,
                Says(Ok(None), Ok(true)),
                "required",
                "does not implement the API",
            ),
            (
                on,
                Says(Ok(Some(OfConnector::Unsupported)), Ok(true)),
                "required",
                "does not support exactly-once",
            ),
            (
                on,
                Says(Err("boom"), Ok(true)),
                "required",
                "during validation: boom",
            ),
        ] {
            let errors = errors(worker, says, EXACTLY_ONCE_SUPPORT, text);
            assert_eq!(errors.is_empty(), expected.is_empty(), "{errors}");
            assert!(errors.contains(expected), "{errors}");
        }
    }

    #[test]
    fn boundaries_of_the_connector_need_one_that_can_say_them() {
        use ExactlyOnceWorker::{Distributed, Standalone};
        let says = |boundaries| Says(Ok(None), boundaries);
        for (worker, boundaries, text, expected) in [
            (Distributed { enabled: false }, Ok(true), "connector", ""),
            (Distributed { enabled: true }, Ok(false), "poll", ""),
            (
                Distributed { enabled: true },
                Ok(false),
                "Connector",
                "connector-defined transaction boundaries",
            ),
            (
                Distributed { enabled: true },
                Err("boom"),
                "connector",
                "during validation: boom",
            ),
            (Standalone, Ok(false), "connector", ""),
        ] {
            let errors = errors(worker, says(boundaries), TRANSACTION_BOUNDARY, text);
            assert_eq!(errors.is_empty(), expected.is_empty(), "{errors}");
            assert!(errors.contains(expected), "{errors}");
        }
    }
}
