//! Clients of the runner's own: they write what sinks read, and read what sources wrote.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Map, Value, json};
use wharf_kafka::{
    Admin, ClientKind, Consumer, ConsumerHandler, KafkaError, MessageRef, NewTopic, Producer, Timestamp,
    TopicPartition, Translated, translate,
};

use crate::scenario::{Record, RecordPart};

const TICK: Duration = Duration::from_millis(50);
/// Longest time that one deed may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the deletion of a group is tried: members may be leaving, and a coordinator may be loading.
const LEAVE_PATIENCE: Duration = Duration::from_secs(15);

/// A broker and an admin client for it.
pub struct Kafka {
    bootstrap: String,
    admin: Admin,
}

impl Kafka {
    /// For the broker at this address.
    pub fn new(bootstrap: &str) -> Result<Self> {
        let admin = Admin::new(&client(bootstrap, ClientKind::Admin, &[])?)?;
        Ok(Self {
            bootstrap: bootstrap.to_owned(),
            admin,
        })
    }

    /// Address of the broker.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic unless it is there.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        if self.admin.describe_topic(name, PATIENCE)?.is_some() {
            return Ok(());
        }
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(partitions),
            replication_factor: Some(1),
            configs: BTreeMap::new(),
        };
        self.admin.create_topic(&topic, PATIENCE)?;
        Ok(())
    }

    /// Writes records in order and waits until all are acknowledged.
    pub fn produce(&self, topic: &str, records: &[Record]) -> Result<()> {
        self.create_topic(topic, 1)?;
        let producer = Producer::new(&client(&self.bootstrap, ClientKind::Producer, &[])?)?;
        let handle = producer.topic(topic)?;
        let mut failed = Vec::new();
        let mut note = |delivery: wharf_kafka::Delivery| failed.extend(delivery.result.err());
        for record in records {
            let (key, value) = (bytes(&record.key)?, bytes(&record.value)?);
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref().map(str::as_bytes)))
                .collect();
            producer
                .send(
                    &handle,
                    None,
                    record.timestamp,
                    key.as_deref(),
                    value.as_deref(),
                    &headers,
                    0,
                )
                .map_err(|error| anyhow!("cannot write to topic {topic}: {error}"))?;
        }
        if !producer.flush(PATIENCE, &mut note) {
            bail!("records for topic {topic} were not acknowledged in {PATIENCE:?}");
        }
        match failed.into_iter().next() {
            None => Ok(()),
            Some(error) => Err(anyhow!("cannot write to topic {topic}: {error}")),
        }
    }

    /// Reads the first `count` records of a topic: by partition, then by offset.
    pub fn consume(&self, topic: &str, count: usize, parts: &[RecordPart]) -> Result<Value> {
        self.create_topic(topic, 1)?;
        // A group of its own each time: the reader before may not have left its own yet.
        static READERS: AtomicU32 = AtomicU32::new(0);
        let reader = READERS.fetch_add(1, Ordering::Relaxed);
        let group = format!("reader-of-{topic}-{}-{reader}", std::process::id());
        let settings = [
            ("group.id", group.as_str()),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("metadata.max.age.ms", "1000"),
        ];
        let consumer = Consumer::new(&client(&self.bootstrap, ClientKind::Consumer, &settings)?)?;
        consumer.subscribe(&[topic.to_owned()])?;
        let mut seen = Seen {
            parts: parts.to_vec(),
            records: BTreeMap::new(),
        };
        let deadline = Instant::now() + PATIENCE;
        while seen.records.len() < count {
            if Instant::now() >= deadline {
                bail!(
                    "{} of {count} records came from topic {topic}",
                    seen.records.len()
                );
            }
            consumer.poll_batch(TICK, 1000, 16 << 20, &mut seen)?;
        }
        Ok(seen.records.into_values().take(count).collect())
    }

    /// Deletes a group as soon as nobody is in it; one that is not there is fine.
    pub fn delete_group(&self, group: &str) -> Result<()> {
        let deadline = Instant::now() + LEAVE_PATIENCE;
        loop {
            match self.admin.delete_group(group, PATIENCE) {
                Ok(_) => return Ok(()),
                Err(_) if Instant::now() < deadline => std::thread::sleep(TICK),
                Err(error) => return Err(error).with_context(|| format!("cannot delete group {group}")),
            }
        }
    }
}

fn client(bootstrap: &str, kind: ClientKind, more: &[(&str, &str)]) -> Result<Translated> {
    let mut all = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    all.extend(
        more.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    translate(kind, &all).map_err(|problems| anyhow!("client settings are refused: {problems:?}"))
}

/// Text as it is, null as none, `{hex: …}` as these bytes, anything else as JSON.
fn bytes(value: &Value) -> Result<Option<Vec<u8>>> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(fields) if fields.keys().eq(["hex"]) => Some(from_hex(&fields["hex"])?),
        other => Some(other.to_string().into_bytes()),
    })
}

fn from_hex(value: &Value) -> Result<Vec<u8>> {
    let digits = value
        .as_str()
        .filter(|text| text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .with_context(|| format!("{value} is not a text of pairs of hexadecimal digits"))?;
    (0..digits.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&digits[at..at + 2], 16)?))
        .collect()
}

/// Text where it is text, else its bytes.
fn shown(bytes: Option<&[u8]>) -> Value {
    match bytes.map(std::str::from_utf8) {
        None => Value::Null,
        Some(Ok(text)) => json!(text),
        Some(Err(_)) => {
            let hex: String = bytes
                .unwrap_or_default()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json!({"hex": hex})
        }
    }
}

/// Of a stack trace in a dead letter only what failed can be compared, not where in the program.
fn without_frames<'v>(name: &str, value: Option<&'v [u8]>) -> Option<&'v [u8]> {
    let is_trace = name.ends_with("errors.exception.stacktrace");
    value.map(|bytes| match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) if is_trace => &bytes[..end],
        _ => bytes,
    })
}

/// Collects records; a rebalance that sends the reader back finds them where they were.
struct Seen {
    parts: Vec<RecordPart>,
    records: BTreeMap<(i32, i64), Value>,
}

impl ConsumerHandler for Seen {
    fn message(&mut self, message: MessageRef<'_>) {
        let mut record = Map::new();
        for part in &self.parts {
            let (name, value) = match part {
                RecordPart::Key => ("key", shown(message.key())),
                RecordPart::Value => ("value", shown(message.value())),
                RecordPart::Partition => ("partition", json!(message.partition())),
                RecordPart::Timestamp => (
                    "timestamp",
                    match message.timestamp() {
                        Timestamp::CreateTime(at) => json!(at),
                        other => json!(format!("{other:?}")),
                    },
                ),
                RecordPart::Headers => {
                    let headers = message
                        .headers()
                        .map(|(name, value)| json!([name.as_ref(), shown(without_frames(&name, value))]));
                    ("headers", headers.collect())
                }
            };
            record.insert(name.to_owned(), value);
        }
        self.records
            .insert((message.partition(), message.offset()), Value::Object(record));
    }

    fn assigned(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn revoked(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn lost(&mut self, _: &Consumer, _: &[TopicPartition]) {}

    fn committed(&mut self, _: &Consumer, _: u64, _: Result<(), KafkaError>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_bytes_and_bytes_become_values() {
        let cases = [
            (json!(null), None),
            (json!("x"), Some(&b"x"[..])),
            (json!({"a": 1}), Some(&b"{\"a\":1}"[..])),
            (json!({"hex": "ff00"}), Some(&[0xff, 0][..])),
        ];
        for (value, expected) in cases {
            assert_eq!(bytes(&value).unwrap().as_deref(), expected, "{value}");
        }
        for wrong in [json!("f"), json!("é"), json!("zz"), json!(7)] {
            assert!(bytes(&json!({ "hex": wrong })).is_err(), "{wrong}");
        }
        assert_eq!(shown(None), json!(null));
        assert_eq!(shown(Some(b"x")), json!("x"));
        assert_eq!(shown(Some(&[0xff, 0])), json!({"hex": "ff00"}));
    }
}
