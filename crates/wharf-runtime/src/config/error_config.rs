//! How a connector's records that fail are treated: the checked form of the keys `errors.*`.

use std::time::Duration;

use wharf_api::config::ParsedConfig;
use wharf_api::{ConfigMap, ConnectError, Result};

/// Whether a record that fails may be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToleranceType {
    /// It fails the task.
    #[default]
    None,
    /// It is skipped.
    All,
}

/// What all connectors can say about failures of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorConfig {
    /// How long an operation that failed with a retriable error is tried again; `None` is for ever.
    pub retry_timeout: Option<Duration>,
    /// Above this a pause between two attempts is chosen by chance.
    pub retry_delay_max: Duration,
    /// Whether a record that fails may be skipped.
    pub tolerance: ToleranceType,
    /// Whether failures are logged, skipped records included.
    pub log_enable: bool,
    /// Whether the log shows the record.
    pub log_include_messages: bool,
}

impl Default for ErrorConfig {
    fn default() -> Self {
        Self {
            retry_timeout: Some(Duration::ZERO),
            retry_delay_max: Duration::from_mins(1),
            tolerance: ToleranceType::None,
            log_enable: false,
            log_include_messages: false,
        }
    }
}

impl ErrorConfig {
    /// Reads the keys of a configuration parsed by the definition of all connectors.
    pub(super) fn new(parsed: &ParsedConfig) -> Result<Self> {
        let millis = |key: &str| Ok::<_, ConnectError>(u64::try_from(parsed.long(key)?).ok());
        Ok(Self {
            retry_timeout: millis("errors.retry.timeout")?.map(Duration::from_millis),
            retry_delay_max: Duration::from_millis(millis("errors.retry.delay.max.ms")?.unwrap_or(0)),
            tolerance: match parsed.string("errors.tolerance")? {
                "all" => ToleranceType::All,
                _ => ToleranceType::None,
            },
            log_enable: parsed.boolean("errors.log.enable")?,
            log_include_messages: parsed.boolean("errors.log.include.messages")?,
        })
    }
}

/// Where records that failed are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// The topic.
    pub topic: String,
    /// Its replication factor when it has to be created.
    pub replication_factor: i16,
    /// Whether dead letters say in headers what failed.
    pub context_headers: bool,
}

impl DeadLetterConfig {
    /// Reads the three keys of a kind of connector; `None` when no topic is named.
    ///
    /// # Errors
    /// The first value that does not fit.
    pub(super) fn parse(
        keys: [&str; 3],
        headers_by_default: bool,
        config: &ConfigMap,
    ) -> Result<Option<Self>> {
        let [topic, factor, headers] = keys;
        let text = |key: &str| {
            config
                .get(key)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        let Some(name) = text(topic) else {
            return Ok(None);
        };
        let replication_factor = text(factor).map_or(Ok(3), |text| {
            text.parse()
                .map_err(|_| ConnectError::invalid_config(factor, text, "it is a number of replicas"))
        })?;
        let context_headers = match text(headers) {
            None => headers_by_default,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(text) => return Err(ConnectError::invalid_config(headers, text, "it is true or false")),
        };
        Ok(Some(Self {
            topic: name.to_owned(),
            replication_factor,
            context_headers,
        }))
    }
}
