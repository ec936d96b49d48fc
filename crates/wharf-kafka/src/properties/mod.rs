//! Java client properties, translated for librdkafka.
//!
//! Users write the properties of Kafka's Java clients; the client below is librdkafka, whose names, units,
//! ranges and defaults differ. [`translate`] starts from Java's effective defaults as Connect sets them, puts the
//! given properties on top, and turns the result into librdkafka's. What must stay true: every key of the Java
//! clients is in the [`catalogue`], so nothing is ignored by accident; what can not be honoured is refused by
//! name with a remedy; all mistakes are reported at once; a password never appears in `Debug` output or errors.

mod catalogue;
mod finish;
mod mapped;
mod oauth;
mod security;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use catalogue::Type;
pub use catalogue::definitions::{PropertyDefault, PropertyDefinition, PropertyImportance, definition};
use catalogue::{Entry, Rule, entries};

/// Which client the properties are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Properties of the Java producer.
    Producer,
    /// Properties of the Java consumer.
    Consumer,
    /// Properties of the Java admin client.
    Admin,
}

impl ClientKind {
    /// The client in the words of messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Admin => "admin client",
        }
    }
}

/// A property that stops the client from being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyProblem {
    /// The Java key.
    pub key: String,
    /// What is wrong and what to do; in Kafka's own words where Kafka has words for it. Holds no secrets.
    pub message: String,
}

impl fmt::Display for PropertyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Where a consumer starts in a partition without committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// With the first record there is.
    #[default]
    Earliest,
    /// With the next record to be written.
    Latest,
    /// Not at all: that is an error.
    None,
}

/// Settings that librdkafka has no key for, or that the caller must know as well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeSettings {
    /// `group.id`; empty when there is none.
    pub group_id: String,
    /// `client.id`; empty when there is none.
    pub client_id: String,
    /// `max.poll.records`: most records of one poll.
    pub max_poll_records: usize,
    /// `max.poll.interval.ms`: longest time between polls.
    pub max_poll_interval: Duration,
    /// `auto.offset.reset`.
    pub auto_offset_reset: OffsetReset,
    /// `enable.auto.commit`: what was handed out is to be committed now and then, whatever became of it. The caller does
    /// it; the client library does not.
    pub auto_commit: bool,
    /// `auto.commit.interval.ms`: how often.
    pub auto_commit_interval: Duration,
    /// `max.block.ms`: longest time a send may wait for buffer space; `None` is without end.
    pub max_block: Option<Duration>,
    /// `buffer.memory`: bytes of records a producer may hold.
    pub buffer_memory: u64,
    /// `metadata.max.age.ms`: how soon topics that appear are noticed.
    pub metadata_max_age: Duration,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: deadline of blocking calls such as a synchronous commit.
    pub default_api_timeout: Duration,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self {
            group_id: String::new(),
            client_id: String::new(),
            max_poll_records: 500,
            max_poll_interval: Duration::from_secs(300),
            auto_offset_reset: OffsetReset::Earliest,
            auto_commit: false,
            auto_commit_interval: Duration::from_secs(5),
            max_block: None,
            buffer_memory: 33_554_432,
            metadata_max_age: Duration::from_secs(300),
            request_timeout: Duration::from_secs(30),
            default_api_timeout: Duration::from_secs(60),
        }
    }
}

/// Properties ready for a client.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Translated {
    /// What librdkafka is given. May hold secrets: see `Debug`.
    pub librdkafka: BTreeMap<String, String>,
    /// What the caller looks after.
    pub runtime: RuntimeSettings,
    /// Keys no Java client knows; Java only warns about them, so they should be logged once.
    pub unknown: Vec<String>,
    /// Settings that are honoured with a difference worth a log line.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: BTreeMap<_, _> = self
            .librdkafka
            .iter()
            .map(|(key, value)| (key, if is_secret(key) { "[hidden]" } else { value }))
            .collect();
        f.debug_struct("Translated")
            .field("librdkafka", &shown)
            .field("runtime", &self.runtime)
            .field("unknown", &self.unknown)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Whether a property of librdkafka may hold a secret.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "pem", "username", "oauthbearer.config"]
        .iter()
        .any(|word| key.contains(word))
}

impl Translated {
    /// Bounds the number of records a producer holds, whatever their size: each weighs more than its bytes.
    ///
    /// Call it before [`crate::Producer::new`].
    pub fn bound_queued_records(&mut self, records: u64) {
        let records = records.clamp(1024, 10_000_000);
        self.librdkafka
            .insert("queue.buffering.max.messages".to_owned(), records.to_string());
    }

    /// Bounds the records a consumer fetches ahead to about `bytes`; smaller limits given by the user stay.
    ///
    /// Call it before [`crate::Consumer::new`]. A record larger than the budget still gets through alone.
    pub fn bound_prefetch(&mut self, bytes: u64) {
        let bytes = bytes.clamp(65_536, 1 << 31);
        self.librdkafka.insert(
            "queued.max.messages.kbytes".to_owned(),
            (bytes / 1024).min(2_097_151).to_string(),
        );
        let mut lower = |key: &str, limit: u64| {
            if let Some(value) = self.librdkafka.get_mut(key)
                && let Ok(current) = value.parse::<u64>()
                && current > limit
            {
                *value = limit.to_string();
            }
        };
        lower("message.max.bytes", bytes);
        lower("fetch.max.bytes", bytes);
        lower("max.partition.fetch.bytes", bytes);
    }
}

/// What is being worked out; the rules of the catalogue write here.
struct Draft<'a> {
    client: ClientKind,
    given: &'a BTreeMap<String, String>,
    /// Java values in force: the given ones, else Java's defaults.
    java: BTreeMap<&'static str, String>,
    out: Translated,
    problems: Vec<PropertyProblem>,
}

impl Draft<'_> {
    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.out.librdkafka.insert(key.to_owned(), value.into());
    }

    fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(PropertyProblem {
            key: key.to_owned(),
            message: message.into(),
        });
    }

    /// The value in force; `None` for null. Checked for its type already, or a problem was reported.
    fn java(&self, key: &str) -> Option<&str> {
        self.java.get(key).map(String::as_str)
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.java(key)?.parse().ok()
    }

    fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }
}

/// Translates the properties of one client.
///
/// # Errors
/// Every property that is wrong, refused or missing, in the order of their keys.
pub fn translate(
    client: ClientKind,
    properties: &BTreeMap<String, String>,
) -> Result<Translated, Vec<PropertyProblem>> {
    let mut draft = Draft {
        client,
        given: properties,
        java: BTreeMap::new(),
        out: Translated::default(),
        problems: Vec::new(),
    };
    let known: Vec<&Entry> = entries().filter(|entry| entry.applies_to(client)).collect();
    for entry in &known {
        match properties.get(entry.key) {
            Some(value) => match values::check(entry, value) {
                Ok(value) => drop(draft.java.insert(entry.key, value)),
                Err(message) => draft.problem(entry.key, message),
            },
            None => {
                if let Some(default) = entry.default {
                    draft.java.insert(entry.key, default.to_owned());
                }
            }
        }
    }
    for entry in &known {
        if let Some(value) = draft.java.get(entry.key).cloned() {
            apply(entry, &value, &mut draft);
        }
    }
    security::apply(&mut draft);
    finish::apply(&mut draft);
    draft.out.unknown = properties
        .keys()
        .filter(|key| !key.starts_with("metrics.context.") && !known.iter().any(|entry| entry.key == **key))
        .cloned()
        .collect();
    if draft.problems.is_empty() {
        Ok(draft.out)
    } else {
        draft.problems.sort_by(|a, b| a.key.cmp(&b.key));
        Err(draft.problems)
    }
}

fn apply(entry: &Entry, value: &str, draft: &mut Draft<'_>) {
    match entry.rule {
        Rule::Direct(name) => draft.set(name, value),
        Rule::Clamped(name, low, high) => {
            // Kafka's ranges are wider than librdkafka's; the nearest value there behaves the same or closest.
            if let Ok(number) = value.parse::<i64>() {
                draft.set(name, number.clamp(low, high).to_string());
            }
        }
        Rule::Mapped(map) => map(value, draft),
        Rule::Refused { allowed, remedy } => {
            if !value.is_empty() && !allowed.contains(&value) {
                let message = format!("{} cannot be honoured by this worker: {remedy}", entry.key);
                draft.problem(entry.key, message);
            }
        }
        Rule::Harmless(reason) => {
            if draft.is_given(entry.key) {
                tracing::debug!(property = entry.key, "property has no effect: {reason}");
            }
        }
        Rule::Later => {}
    }
}

#[cfg(test)]
mod oauth_tests;
#[cfg(test)]
mod tests;
