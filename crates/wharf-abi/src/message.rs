//! Control messages: everything that crosses the border beside batches, written as flat [`Value`]s.
//!
//! A message is a map with text keys (or a plain value). Readers take the keys they know and use defaults for those that
//! are missing, so both sides may grow.

use wharf_api::config::{
    ConfigKeyInfo, ConfigValue, DefaultValue, Importance, ParsedValue, Password, Type, Width,
};
use wharf_api::flat::{decode_value, encode_value};
use wharf_api::plugin::MetricKind;
use wharf_api::sink::ReportedRecord;
use wharf_api::source::TransactionEnd;
use wharf_api::{
    ConfigMap, ConnectError, ErrorKind, OffsetMap, Offsets, RecordMetadata, Result, TopicPartition, Value,
};

/// Something that crosses the border as a value.
pub trait Message: Sized {
    /// As a value.
    fn to_value(&self) -> Value;

    /// From a value.
    ///
    /// # Errors
    /// A data error when a part that must be there is missing or of another type.
    fn from_value(value: &Value) -> Result<Self>;

    /// As bytes.
    ///
    /// # Errors
    /// A data error when it is too large.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        encode_value(&self.to_value(), &mut out)?;
        Ok(out)
    }

    /// From bytes.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value), or when the bytes are malformed.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_value(&decode_value(bytes)?)
    }
}

/// Builds a map value.
#[must_use]
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (Value::from(key), value))
            .collect(),
    )
}

fn unexpected(what: &str) -> ConnectError {
    ConnectError::data(format!("a message on the plugin border has no valid {what}"))
}

fn text(value: &Value, key: &str) -> Result<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| unexpected(key))
}

fn text_or_default(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn optional_text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn flag(value: &Value, key: &str, default: bool) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(default)
}

fn number(value: &Value, key: &str) -> Result<i64> {
    value
        .get(key)
        .and_then(Value::as_i64)
        .ok_or_else(|| unexpected(key))
}

fn int(value: &Value, key: &str) -> Result<i32> {
    i32::try_from(number(value, key)?).map_err(|_| unexpected(key))
}

/// The part under a key; null when it is missing.
#[must_use]
pub fn part<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

impl Message for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(value.clone())
    }
}

impl Message for bool {
    fn to_value(&self) -> Value {
        Value::Boolean(*self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        value.as_bool().ok_or_else(|| unexpected("truth value"))
    }
}

impl Message for i64 {
    fn to_value(&self) -> Value {
        Value::Int64(*self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        value.as_i64().ok_or_else(|| unexpected("number"))
    }
}

impl Message for String {
    fn to_value(&self) -> Value {
        Value::from(self.as_str())
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| unexpected("text"))
    }
}

impl<T: Message> Message for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Message::to_value)
    }

    fn from_value(value: &Value) -> Result<Self> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}

impl<T: Message> Message for Vec<T> {
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(Message::to_value).collect())
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_array()
            .ok_or_else(|| unexpected("list"))?
            .iter()
            .map(T::from_value)
            .collect()
    }
}

impl<A: Message, B: Message> Message for (A, B) {
    fn to_value(&self) -> Value {
        Value::Array(vec![self.0.to_value(), self.1.to_value()])
    }

    fn from_value(value: &Value) -> Result<Self> {
        match value.as_array() {
            Some([a, b, ..]) => Ok((A::from_value(a)?, B::from_value(b)?)),
            _ => Err(unexpected("pair")),
        }
    }
}

impl Message for ConfigMap {
    fn to_value(&self) -> Value {
        Value::Map(
            self.iter()
                .map(|(key, value)| (Value::from(key.as_str()), Value::from(value.as_str())))
                .collect(),
        )
    }

    fn from_value(value: &Value) -> Result<Self> {
        value
            .as_map()
            .ok_or_else(|| unexpected("configuration"))?
            .iter()
            .map(|(key, value)| {
                Ok((
                    key.as_str()
                        .ok_or_else(|| unexpected("configuration key"))?
                        .to_owned(),
                    value
                        .as_str()
                        .ok_or_else(|| unexpected("configuration value"))?
                        .to_owned(),
                ))
            })
            .collect()
    }
}

impl Message for OffsetMap {
    fn to_value(&self) -> Value {
        Self::to_value(self)
    }

    fn from_value(value: &Value) -> Result<Self> {
        Self::from_value(value)
    }
}

impl Message for TopicPartition {
    fn to_value(&self) -> Value {
        map([
            ("topic", self.topic.as_str().into()),
            ("partition", self.partition.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            topic: text(value, "topic")?,
            partition: int(value, "partition")?,
        })
    }
}

impl Message for Offsets {
    fn to_value(&self) -> Value {
        Value::Array(
            self.iter()
                .map(|(partition, offset)| (partition.clone(), *offset).to_value())
                .collect(),
        )
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Vec::<(TopicPartition, i64)>::from_value(value)?
            .into_iter()
            .collect())
    }
}

impl Message for ReportedRecord {
    fn to_value(&self) -> Value {
        map([
            ("partition", self.partition.to_value()),
            ("offset", self.offset.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        Ok(Self {
            partition: TopicPartition::from_value(part(value, "partition"))?,
            offset: number(value, "offset")?,
        })
    }
}

impl Message for ConnectError {
    fn to_value(&self) -> Value {
        map([
            ("kind", self.kind().name().into()),
            ("message", self.message().into()),
            ("class", Value::from(self.explicit_class())),
            ("frames", self.frames().to_vec().to_value()),
            ("cause", self.cause().map_or(Value::Null, Message::to_value)),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let kind = ErrorKind::from_name(&text(value, "kind")?);
        let mut error = Self::new(kind, text_or_default(value, "message"));
        if let Some(class) = optional_text(value, "class") {
            error = error.with_class(class);
        }
        if let Ok(frames) = Vec::<String>::from_value(part(value, "frames")) {
            error = error.with_frames(frames);
        }
        Ok(match Option::<Self>::from_value(part(value, "cause"))? {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }
}

impl Message for ConfigKeyInfo {
    fn to_value(&self) -> Value {
        let (required, default) = match &self.default {
            DefaultValue::Required => (true, Value::Null),
            DefaultValue::Null => (false, Value::Null),
            DefaultValue::Text(text) => (false, text.as_str().into()),
            _ => (false, Value::Null),
        };
        map([
            ("name", self.name.as_str().into()),
            ("type", self.value_type.name().into()),
            ("required", required.into()),
            ("default", default),
            ("validator", Value::from(self.validator.as_deref())),
            ("importance", self.importance.name().into()),
            ("documentation", self.documentation.as_str().into()),
            ("group", Value::from(self.group.as_deref())),
            ("order", self.order_in_group.into()),
            ("width", self.width.name().into()),
            ("display_name", self.display_name.as_str().into()),
            ("dependents", self.dependents.to_value()),
            ("internal", self.internal.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let name = text(value, "name")?;
        let default = match (flag(value, "required", false), optional_text(value, "default")) {
            (true, _) => DefaultValue::Required,
            (false, Some(text)) => DefaultValue::Text(text),
            (false, None) => DefaultValue::Null,
        };
        Ok(Self {
            value_type: text(value, "type")?
                .parse::<Type>()
                .map_err(|_| unexpected("type of a configuration key"))?,
            default,
            validator: optional_text(value, "validator"),
            importance: text_or_default(value, "importance")
                .parse()
                .unwrap_or(Importance::Medium),
            documentation: text_or_default(value, "documentation"),
            group: optional_text(value, "group"),
            order_in_group: int(value, "order").unwrap_or(-1),
            width: text_or_default(value, "width").parse().unwrap_or(Width::None),
            display_name: optional_text(value, "display_name").unwrap_or_else(|| name.clone()),
            dependents: Vec::from_value(part(value, "dependents")).unwrap_or_default(),
            internal: flag(value, "internal", false),
            name,
        })
    }
}

impl Message for ParsedValue {
    fn to_value(&self) -> Value {
        let (name, value) = match self {
            Self::Null => return Value::Null,
            Self::Boolean(value) => (Type::Boolean, Value::from(*value)),
            Self::String(value) => (Type::String, Value::from(value.as_str())),
            Self::Int(value) => (Type::Int, Value::from(*value)),
            Self::Short(value) => (Type::Short, Value::from(*value)),
            Self::Long(value) => (Type::Long, Value::from(*value)),
            Self::Double(value) => (Type::Double, Value::from(*value)),
            Self::List(items) => (Type::List, items.to_value()),
            Self::Class(value) => (Type::Class, Value::from(value.as_str())),
            // A checked password needs to be known as one, not to be seen.
            Self::Password(_) => (Type::Password, Value::Null),
            _ => return Value::Null,
        };
        map([("type", name.name().into()), ("value", value)])
    }

    fn from_value(message: &Value) -> Result<Self> {
        if message.is_null() {
            return Ok(Self::Null);
        }
        let value = part(message, "value");
        let wrong = || unexpected("configuration value");
        let kind = text(message, "type")?.parse::<Type>().map_err(|_| wrong())?;
        Ok(match kind {
            Type::Boolean => Self::Boolean(value.as_bool().ok_or_else(wrong)?),
            Type::String => Self::String(String::from_value(value)?),
            Type::Class => Self::Class(String::from_value(value)?),
            Type::Int => Self::Int(int(message, "value")?),
            Type::Short => Self::Short(i16::try_from(int(message, "value")?).map_err(|_| wrong())?),
            Type::Long => Self::Long(number(message, "value")?),
            Type::Double => match value {
                Value::Float64(number) => Self::Double(*number),
                _ => return Err(wrong()),
            },
            Type::List => Self::List(Vec::from_value(value)?),
            Type::Password => Self::Password(Password::new("[hidden]")),
            _ => return Err(wrong()),
        })
    }
}

impl Message for ConfigValue {
    fn to_value(&self) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("value", self.value.to_value()),
            ("recommended", self.recommended_values.to_value()),
            ("errors", self.errors.to_value()),
            ("visible", self.visible.into()),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let mut out = Self::with_value(
            text(value, "name")?,
            ParsedValue::from_value(part(value, "value"))?,
        );
        out.recommended_values = Vec::from_value(part(value, "recommended")).unwrap_or_default();
        out.errors = Vec::from_value(part(value, "errors")).unwrap_or_default();
        out.visible = flag(value, "visible", true);
        Ok(out)
    }
}

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

fn position(value: &Value) -> Result<usize> {
    usize::try_from(i64::from_value(value)?).map_err(|_| unexpected("position"))
}

fn position_value(position: usize) -> Value {
    i64::try_from(position).unwrap_or(i64::MAX).into()
}

impl Message for BatchResult {
    fn to_value(&self) -> Value {
        map([
            ("batch", self.batch.as_slice().into()),
            (
                "positions",
                Value::Array(self.positions.iter().map(|&at| position_value(at)).collect()),
            ),
            ("errors", errors_to_value(&self.errors)),
        ])
    }

    fn from_value(value: &Value) -> Result<Self> {
        let batch = match part(value, "batch") {
            Value::Bytes(bytes) => bytes.clone(),
            _ => return Err(unexpected("batch")),
        };
        let positions = part(value, "positions").as_array().unwrap_or_default();
        Ok(Self {
            batch,
            positions: positions.iter().map(position).collect::<Result<_>>()?,
            errors: errors_from_value(part(value, "errors"))?,
        })
    }
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
            Some([at, error, ..]) => Ok((position(at)?, ConnectError::from_value(error)?)),
            _ => Err(unexpected("error of a record")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Message + PartialEq + std::fmt::Debug>(message: T) {
        assert_eq!(T::from_bytes(&message.to_bytes().unwrap()).unwrap(), message);
    }

    #[test]
    fn messages_survive_the_border() {
        round_trip(
            ConnectError::data("bad")
                .with_class("a.B")
                .with_frames(["x:1"])
                .context("outer"),
        );
        round_trip(ConfigMap::from([("a".to_owned(), "ä=b".to_owned())]));
        round_trip(Offsets::from([(TopicPartition::new("t", 3), 42)]));
        round_trip(vec![(OffsetMap::from([("f", "x")]), None::<OffsetMap>)]);
        round_trip(TransactionEnd::AbortRecord(7));
        round_trip(RecordAck {
            record: 3,
            metadata: None,
        });
        round_trip(RecordAck {
            record: 3,
            metadata: Some(RecordMetadata {
                topic: "t".into(),
                partition: 1,
                offset: 9,
                timestamp: None,
            }),
        });
        round_trip(MetricRegistration {
            kind: MetricKind::Gauge,
            name: "n".into(),
            description: "d".into(),
            tags: vec![("k".into(), "v".into())],
        });
        round_trip(BatchResult {
            batch: vec![1, 2],
            positions: vec![0, 2],
            errors: vec![(1, ConnectError::retriable("later"))],
        });
    }

    #[test]
    fn a_key_definition_survives_the_border_and_unknown_parts_are_skipped() {
        let key = wharf_api::config::ConfigKey::new("k", Type::Int)
            .default(7)
            .importance(Importance::High)
            .group("G", 3)
            .width(Width::Long)
            .dependents(["x"])
            .doc("what it is");
        let mut value = key.info().to_value();
        if let Value::Map(entries) = &mut value {
            entries.push(("from the future".into(), 1_i32.into()));
        }
        assert_eq!(&ConfigKeyInfo::from_value(&value).unwrap(), key.info());
    }

    #[test]
    fn passwords_do_not_cross_back() {
        let mut value = ConfigValue::with_value("p", ParsedValue::Password(Password::new("secret")));
        value.add_error("bad");
        let bytes = value.to_bytes().unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        assert_eq!(ConfigValue::from_bytes(&bytes).unwrap().errors, ["bad"]);
    }
}
