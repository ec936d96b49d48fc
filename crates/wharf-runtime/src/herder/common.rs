//! What both herders do alike: answers that outlive who asked, refusals in upstream's words, small rules of requests.

use std::future::Future;

use super::{HerderError, RawConfig, Reply};
use crate::config::{NAME, WorkerConfig};

/// There is no such connector.
pub(super) fn not_found(name: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {name} not found"))
}

/// There is no such connector whose target state could be changed.
pub(super) fn unknown(name: &str) -> HerderError {
    HerderError::NotFound(format!("Unknown connector {name}"))
}

/// Runs an operation to its end, whether or not somebody waits for the answer.
pub(super) fn reply<T: Send + 'static>(
    work: impl Future<Output = Result<T, HerderError>> + Send + 'static,
) -> Reply<T> {
    let task = tokio::spawn(work);
    Box::pin(async move {
        task.await
            .unwrap_or_else(|error| Err(HerderError::Internal(format!("the operation failed: {error}"))))
    })
}

/// A configuration that names its connector.
pub(super) fn named(name: &str, mut config: RawConfig) -> RawConfig {
    config
        .entry(NAME.to_owned())
        .or_insert_with(|| Some(name.to_owned()));
    config
}

/// A configuration after a patch: a value sets a key, null removes it. It must still name its connector.
pub(super) fn patched(name: &str, mut config: RawConfig, patch: RawConfig) -> Result<RawConfig, HerderError> {
    for (key, value) in patch {
        match value {
            Some(value) => {
                config.insert(key, Some(value));
            }
            None => {
                config.remove(&key);
            }
        }
    }
    match config.get(NAME).and_then(Option::as_deref) {
        Some(inner) if inner == name => Ok(config),
        inner => Err(HerderError::BadRequest(format!(
            "Connector name configuration ({}) doesn't match connector name in the URL ({name})",
            inner.unwrap_or("null")
        ))),
    }
}

/// How often a patch is made anew, because the configuration under it was changed while the result was validated.
pub(super) const PATCH_TRIES: usize = 5;

/// Others changed a connector each time that a patch of it was about to be stored.
pub(super) fn patch_overtaken(name: &str) -> HerderError {
    HerderError::Conflict(format!(
        "Connector {name} was changed by others {PATCH_TRIES} times while the patched configuration was validated, and nothing \
         was done; the request may be sent again"
    ))
}

/// Whether used topics are recorded at all.
pub(super) fn check_topic_tracking(config: &WorkerConfig) -> Result<(), HerderError> {
    if config.topic_tracking_enable {
        return Ok(());
    }
    Err(HerderError::Forbidden("Topic tracking is disabled.".to_owned()))
}

/// Whether the record of used topics may be reset.
pub(super) fn check_topic_reset(config: &WorkerConfig) -> Result<(), HerderError> {
    check_topic_tracking(config)?;
    if config.topic_tracking_allow_reset {
        return Ok(());
    }
    Err(HerderError::Forbidden(
        "Topic tracking reset is disabled.".to_owned(),
    ))
}
