//! `TimestampRouter`: makes the topic of a record from its topic and its timestamp.

use wharf_api::config::{ConfigDef, ConfigKey, Importance, Type};
use wharf_api::{Applied, ConfigMap, ConnectError, Record, Result, Transformation};

use crate::options::text;
use crate::simple_date_format::SimpleDateFormat;

const TOPIC_FORMAT: &str = "topic.format";
const TIMESTAMP_FORMAT: &str = "timestamp.format";
const TOPIC: &str = "${topic}";
const TIMESTAMP: &str = "${timestamp}";

/// The transformation.
#[derive(Default)]
pub(crate) struct TimestampRouter {
    topic_format: String,
    /// Upstream finds a wrong pattern with the first record.
    timestamp_format: Option<Result<SimpleDateFormat>>,
}

impl Transformation for TimestampRouter {
    fn configure(&mut self, config: &ConfigMap) -> Result<()> {
        let config = self.config().parse(config)?;
        self.topic_format = text(&config, TOPIC_FORMAT)?;
        self.timestamp_format = Some(SimpleDateFormat::new(config.string(TIMESTAMP_FORMAT)?));
        Ok(())
    }

    fn config(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::new(TOPIC_FORMAT, Type::String)
                    .default("${topic}-${timestamp}")
                    .importance(Importance::High)
                    .doc("The new topic, in which ${topic} and ${timestamp} stand for those of the record."),
            )
            .define(
                ConfigKey::new(TIMESTAMP_FORMAT, Type::String)
                    .default("yyyyMMdd")
                    .importance(Importance::High)
                    .doc("How the timestamp is written, in UTC: a pattern of java.text.SimpleDateFormat."),
            )
    }

    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        let Some(timestamp) = record.timestamp else {
            return Err(ConnectError::data(format!(
                "Timestamp missing on record: {record}"
            )));
        };
        let format = match &self.timestamp_format {
            Some(Ok(format)) => format,
            Some(Err(error)) => return Err(error.clone()),
            None => return Ok(Applied::Kept),
        };
        // the timestamp last: a topic that reads ${timestamp} is replaced too
        record.topic = self
            .topic_format
            .replace(TOPIC, &record.topic)
            .replace(TIMESTAMP, &format.format(timestamp));
        Ok(Applied::Kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::config;

    fn route<const N: usize>(pairs: [(&str, &str); N], timestamp: Option<i64>) -> Result<String> {
        let mut router = TimestampRouter::default();
        router.configure(&config(pairs))?;
        let mut record = Record::sink("topic", 0, 0);
        record.timestamp = timestamp;
        Ok(router.applied(record)?.unwrap().topic)
    }

    #[test]
    fn topic_and_timestamp_are_put_into_the_format() {
        assert_eq!(route([], Some(1_483_425_001_864)).unwrap(), "topic-20170103");
        let long = [
            ("topic.format", "${timestamp}.${topic}.${topic}"),
            ("timestamp.format", "yyyy-MM-dd'T'HH"),
        ];
        assert_eq!(
            route(long, Some(1_483_425_001_864)).unwrap(),
            "2017-01-03T06.topic.topic"
        );
    }

    #[test]
    fn a_record_without_timestamp_is_refused() {
        let error = route([], None).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("Timestamp missing on record: SinkRecord{"),
            "{error}"
        );
        let error = route([("timestamp.format", "b")], Some(0)).unwrap_err();
        assert_eq!(error.message(), "Illegal pattern character 'b'");
    }
}
