//! The settings that Wharf's own clients would have, by the worker's own functions, so that the bare loops and kcat run
//! with the same ones and cannot drift from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use wharf_api::ConfigMap;
use wharf_kafka::{ClientKind, Translated, translate};
use wharf_runtime::config::{StandaloneConfig, WorkerConfig, sink_consumer_config, source_producer_config};
use wharf_runtime::worker::{BATCH_SIZE, RECORD_OVERHEAD};

/// What decides speed; the rest of librdkafka's settings is about addresses, names and patience.
const TELLING: [&str; 20] = [
    "acks",
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.type",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "linger.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
];

/// Unknown to the librdkafka that distributions build kcat with.
const NEWER_THAN_KCAT: [&str; 1] = ["fetch.queue.backoff.ms"];

fn worker_config(properties: &ConfigMap) -> Result<Arc<WorkerConfig>> {
    StandaloneConfig::parse(properties)
        .map(|config| config.worker)
        .map_err(|errors| anyhow::anyhow!("the worker's settings: {errors:?}"))
}

fn translated(kind: ClientKind, settings: &ConfigMap) -> Result<Translated> {
    match translate(kind, settings) {
        Ok(translated) => Ok(translated),
        Err(problems) => bail!("the settings of the {}: {problems:?}", kind.name()),
    }
}

/// librdkafka's settings for a source task's producer under a worker with these properties.
pub(crate) fn producer(worker: &ConfigMap) -> Result<BTreeMap<String, String>> {
    let config = worker_config(worker)?;
    let limit = config.memory.task_max_bytes;
    let mut settings = source_producer_config(&config, "bench", 0, &ConfigMap::new());
    settings.insert("buffer.memory".to_owned(), limit.to_string());
    settings
        .entry("batch.size".to_owned())
        .or_insert_with(|| BATCH_SIZE.to_owned());
    let mut translated = translated(ClientKind::Producer, &settings)?;
    translated.bound_queued_records(limit / RECORD_OVERHEAD);
    Ok(translated.librdkafka)
}

/// librdkafka's settings for a sink task's consumer under a worker with these properties.
pub(crate) fn consumer(worker: &ConfigMap) -> Result<BTreeMap<String, String>> {
    let config = worker_config(worker)?;
    let settings = sink_consumer_config(&config, "bench", 0, &ConfigMap::new());
    let mut translated = translated(ClientKind::Consumer, &settings)?;
    translated.bound_prefetch(config.memory.task_max_bytes / 2);
    Ok(translated.librdkafka)
}

/// Those of them that decide speed.
pub(crate) fn telling(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    settings
        .iter()
        .filter(|(key, _)| TELLING.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Those of them that kcat can be given.
pub(crate) fn for_kcat(settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings = telling(settings);
    settings.retain(|key, value| {
        // Without bound is written as 0 only since librdkafka 2.2.
        let is_unknown = NEWER_THAN_KCAT.contains(&key.as_str());
        !is_unknown && (key != "queue.buffering.max.messages" || value != "0")
    });
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> ConfigMap {
        [
            ("bootstrap.servers", "localhost:9092"),
            (
                "key.converter",
                "org.apache.kafka.connect.storage.StringConverter",
            ),
            (
                "value.converter",
                "org.apache.kafka.connect.storage.StringConverter",
            ),
            ("offset.storage.file.filename", "/tmp/offsets"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn the_bare_loops_get_the_promises_of_a_source_task_and_the_budget_of_a_sink_task() {
        let producer = telling(&producer(&worker()).unwrap());
        assert_eq!(producer["batch.size"], BATCH_SIZE);
        assert_eq!(producer["queue.buffering.max.kbytes"], "32768");
        assert_eq!(producer["queue.buffering.max.messages"], "131072");
        assert!(matches!(producer["acks"].as_str(), "all" | "-1"), "{producer:?}");
        let consumer = telling(&consumer(&worker()).unwrap());
        assert_eq!(consumer["queued.max.messages.kbytes"], "16384");
    }

    #[test]
    fn nothing_that_kcat_is_given_names_addresses_or_secrets() {
        for key in for_kcat(&producer(&worker()).unwrap()).keys() {
            assert!(TELLING.contains(&key.as_str()), "{key}");
        }
    }
}
