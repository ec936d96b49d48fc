//! The keys of `AssociatedNameStrategy`, which names subjects unless another strategy is set.
//!
//! Upstream's class reads them by itself, so that no definition of upstream lists them.

use std::time::Duration;

use wharf_api::Result;
use wharf_api::config::{ConfigDef, ConfigKey, Importance, ParsedConfig, Type, Validator};

use crate::subject::SubjectNameStrategy;

const FALLBACK_TYPE: &str = "subject.name.strategy.fallback.type";
const KAFKA_CLUSTER_ID: &str = "subject.name.strategy.kafka.cluster.id";
const CACHE_SIZE: &str = "subject.name.strategy.cache.size";
const CACHE_EXPIRY_SECS: &str = "subject.name.strategy.cache.expiry.secs";

/// How topics are associated with subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Associations {
    /// The Kafka cluster whose topics are meant; `-` is any.
    pub namespace: String,
    /// What names the subject of a topic that has none; `None` refuses it.
    pub fallback: Option<SubjectNameStrategy>,
    /// The most topics whose subject is kept.
    pub cache: usize,
    /// How long a topic's subject is kept; `None` is for ever.
    pub time_to_live: Option<Duration>,
}

/// Adds the keys.
pub(super) fn associations(base: ConfigDef) -> ConfigDef {
    let key = |name: &str, value_type, doc: &str| {
        ConfigKey::new(name, value_type)
            .importance(Importance::Low)
            .doc(doc)
    };
    base.define(
        key(
            FALLBACK_TYPE,
            Type::String,
            "What names the subject of a topic with which the registry associates none: TOPIC, RECORD, TOPIC_RECORD, or NONE to \
             refuse it.",
        )
        .default("TOPIC")
        .validator(Validator::one_of_ignore_case(["TOPIC", "RECORD", "TOPIC_RECORD", "NONE"])),
    )
    .define(
        key(
            KAFKA_CLUSTER_ID,
            Type::String,
            "The id of the Kafka cluster whose topics are associated; any without it.",
        )
        .default_null(),
    )
    .define(key(CACHE_SIZE, Type::Int, "The most topics whose subject is kept.").default(1000))
    .define(
        key(
            CACHE_EXPIRY_SECS,
            Type::Int,
            "How many seconds a topic's subject is kept for schemas that are met later; -1 is for ever.",
        )
        .default(-1),
    )
}

impl Associations {
    pub(super) fn from_parsed(parsed: &ParsedConfig) -> Result<Self> {
        let fallback = parsed.string(FALLBACK_TYPE)?.to_ascii_uppercase();
        Ok(Self {
            namespace: parsed.get_string(KAFKA_CLUSTER_ID).unwrap_or("-").to_owned(),
            fallback: match fallback.as_str() {
                "RECORD" => Some(SubjectNameStrategy::Record),
                "TOPIC_RECORD" => Some(SubjectNameStrategy::TopicRecord),
                "NONE" => None,
                _ => Some(SubjectNameStrategy::Topic),
            },
            cache: usize::try_from(parsed.int(CACHE_SIZE)?).unwrap_or(0),
            time_to_live: u64::try_from(parsed.int(CACHE_EXPIRY_SECS)?)
                .ok()
                .map(Duration::from_secs),
        })
    }
}
