//! What is said of records beside batches: acknowledgements, ends of transactions, results of a batch; and metrics.

use wharf_api::flat::{encode_value, view_value};
use wharf_api::plugin::MetricKind;
use wharf_api::source::TransactionEnd;
use wharf_api::{ConnectError, RecordMetadata, Result, Value, ValueRef};

use super::{Message, int, map, number, part, text, text_or_default, unexpected};

impl Message for TransactionEnd {
    fn to_value(&self) -> Value {
        let (name, record) = match self {
            Self::CommitBatch => ("commit", None),
            Self::CommitRecord(index) => ("commit", i64::try_from(*index).ok()),
            Self::AbortBatch => ("abort", None),
            Self::AbortRecord(index) => ("abort", i64::try_from(*index).ok()),
            _ => ("", None),
        };
        map([("end", name.into()), ("record", Value::from(record))])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let record = Option::<i64>::from_value(part(value, "record"))?
            .map(|index| usize::try_from(index).map_err(|_| unexpected("record")))
            .transpose()?;
        match (text(value, "end")?.as_str(), record) {
            ("commit", None) => Ok(Self::CommitBatch),
            ("commit", Some(index)) => Ok(Self::CommitRecord(index)),
            ("abort", None) => Ok(Self::AbortBatch),
            ("abort", Some(index)) => Ok(Self::AbortRecord(index)),
            _ => Err(unexpected("end of a transaction")),
        }
    }
}

/// A metric to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRegistration {
    /// Counter or gauge.
    pub kind: MetricKind,
    /// The name.
    pub name: String,
    /// What it counts or shows.
    pub description: String,
    /// Tag names and values.
    pub tags: Vec<(String, String)>,
}

impl Message for MetricRegistration {
    fn to_value(&self) -> Value {
        let kind = if self.kind == MetricKind::Counter {
            "counter"
        } else {
            "gauge"
        };
        map([
            ("kind", kind.into()),
            ("name", self.name.as_str().into()),
            ("description", self.description.as_str().into()),
            ("tags", self.tags.to_value()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            kind: match text(value, "kind")?.as_str() {
                "counter" => MetricKind::Counter,
                "gauge" => MetricKind::Gauge,
                _ => return Err(unexpected("kind of metric")),
            },
            name: text(value, "name")?,
            description: text_or_default(value, "description"),
            tags: Vec::from_value(part(value, "tags")).unwrap_or_default(),
        })
    }
}

/// A record that was acknowledged, or dropped on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAck {
    /// Position of the record in its batch.
    pub record: usize,
    /// What Kafka says; `None` when it was dropped.
    pub metadata: Option<RecordMetadata>,
}

impl Message for RecordAck {
    fn to_value(&self) -> Value {
        let metadata = self.metadata.as_ref().map(|metadata| {
            map([
                ("topic", metadata.topic.as_str().into()),
                ("partition", metadata.partition.into()),
                ("offset", metadata.offset.into()),
                ("timestamp", Value::from(metadata.timestamp)),
            ])
        });
        map([
            ("record", i64::try_from(self.record).unwrap_or(i64::MAX).into()),
            ("metadata", metadata.unwrap_or_default()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let metadata = part(value, "metadata");
        Ok(Self {
            record: usize::try_from(number(value, "record")?).map_err(|_| unexpected("record"))?,
            metadata: if metadata.is_null() {
                None
            } else {
                Some(RecordMetadata {
                    topic: text(metadata, "topic")?,
                    partition: int(metadata, "partition")?,
                    offset: number(metadata, "offset")?,
                    timestamp: Option::from_value(part(metadata, "timestamp"))?,
                })
            },
        })
    }
}

/// A batch together with what happened to each record that is not in order: the answer of a converter or transformation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchResult {
    /// The finished bytes of a record batch.
    pub batch: Vec<u8>,
    /// For each record of the result its position in the input. Empty means that they correspond one to one.
    pub positions: Vec<usize>,
    /// Positions of records of the input that failed, and why.
    pub errors: Vec<(usize, ConnectError)>,
}

impl BatchResult {
    /// Answers for all records of a batch: what was made of those that did not fail, in their order.
    #[must_use]
    pub fn for_all(records: usize, batch: Vec<u8>, errors: Vec<(usize, ConnectError)>) -> Self {
        let mut failed = errors.iter().map(|(position, _)| *position).peekable();
        let positions = if errors.is_empty() {
            Vec::new()
        } else {
            (0..records)
                .filter(|position| failed.next_if_eq(position).is_none())
                .collect()
        };
        Self {
            batch,
            positions,
            errors,
        }
    }

    /// As bytes. The batch is by far the largest part, and copied once only.
    ///
    /// # Errors
    /// A data error when it is too large.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        const REST: usize = 64;
        let mut out = Vec::with_capacity(self.batch.len() + REST + self.positions.len() * size_of::<i64>());
        encode_value(&self.into_value(), &mut out)?;
        Ok(out)
    }

    /// From bytes. Nothing of it is made a tree but errors.
    ///
    /// # Errors
    /// A data error when they are malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        view_value(bytes, |value| {
            let ValueRef::Map(parts) = value else {
                return Err(unexpected("result"));
            };
            let (mut batch, mut positions, mut errors) = (None, Vec::new(), Vec::new());
            for (key, value) in parts.iter() {
                match (key.as_str(), value) {
                    (Some("batch"), ValueRef::Bytes(bytes)) => batch = Some(bytes.to_vec()),
                    (Some("positions"), ValueRef::Array(items)) => {
                        positions = items.iter().map(position).collect::<Result<_>>()?;
                    }
                    (Some("errors"), value) => errors = errors_from_value(&value.to_value())?,
                    _ => {}
                }
            }
            Ok(Self {
                batch: batch.ok_or_else(|| unexpected("batch"))?,
                positions,
                errors,
            })
        })
    }

    fn into_value(self) -> Value {
        let positions = self.positions.iter().map(|at| position_value(*at)).collect();
        map([
            ("errors", errors_to_value(&self.errors)),
            ("positions", Value::Array(positions)),
            ("batch", Value::Bytes(self.batch)),
        ])
    }
}

/// The class of [`postponed`].
const POSTPONED: &str = "wharf.Postponed";

/// What a converter answers for the records behind one that failed for a reason beside its data, as another system being away: it has not
/// tried them. The worker asks for each by itself when its turn comes, which it never does where the first fails the task.
#[must_use]
pub fn postponed() -> ConnectError {
    ConnectError::retriable(
        "not tried, since a record before it in its batch failed for a reason beside its data",
    )
    .with_class(POSTPONED)
}

/// Whether an error is [`postponed`].
#[must_use]
pub fn is_postponed(error: &ConnectError) -> bool {
    error.is_retriable() && error.explicit_class() == Some(POSTPONED)
}

fn position(value: ValueRef<'_>) -> Result<usize> {
    value
        .as_i64()
        .and_then(|position| usize::try_from(position).ok())
        .ok_or_else(|| unexpected("position"))
}

fn position_value(position: usize) -> Value {
    i64::try_from(position).unwrap_or(i64::MAX).into()
}

/// Errors by position.
#[must_use]
pub fn errors_to_value(errors: &[(usize, ConnectError)]) -> Value {
    Value::Array(
        errors
            .iter()
            .map(|(at, error)| Value::Array(vec![position_value(*at), error.to_value()]))
            .collect(),
    )
}

/// Errors by position.
///
/// # Errors
/// A data error when they are malformed.
pub fn errors_from_value(value: &Value) -> Result<Vec<(usize, ConnectError)>> {
    value
        .as_array()
        .unwrap_or_default()
        .iter()
        .map(|pair| match pair.as_array() {
            Some([at, error, ..]) => Ok((position(at.as_ref())?, ConnectError::from_value(error)?)),
            _ => Err(unexpected("error of a record")),
        })
        .collect()
}
