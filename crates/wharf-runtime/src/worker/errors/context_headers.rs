//! The headers by which a dead letter says what failed: upstream's, and for sources ours beside them.

use super::stage::RecordFailure;
use crate::herder::TaskId;

/// Prefix of upstream's headers.
const PREFIX: &str = "__connect.errors.";

/// A header's name and its value as text; `None` is a null.
pub(super) type ContextHeader = (String, Option<String>);

/// The record's place in what it was consumed from.
pub(super) struct ConsumedFrom<'r> {
    pub(super) topic: &'r str,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// Upstream's headers, in upstream's order. A source's record has a topic but no place in it.
pub(super) fn context_headers(
    task: &TaskId,
    topic: &str,
    consumed: Option<&ConsumedFrom<'_>>,
    failure: &RecordFailure,
) -> Vec<ContextHeader> {
    let mut headers = Vec::with_capacity(10);
    let mut put = |name: &str, value: Option<String>| headers.push((format!("{PREFIX}{name}"), value));
    put("topic", Some(topic.to_owned()));
    if let Some(consumed) = consumed {
        put("partition", Some(consumed.partition.to_string()));
        put("offset", Some(consumed.offset.to_string()));
    }
    put("connector.name", Some(task.connector.clone()));
    put("task.id", Some(task.task.to_string()));
    put("stage", Some(failure.stage.name().to_owned()));
    put("class.name", Some(failure.class.clone()));
    put("exception.class.name", Some(failure.error.class().to_owned()));
    // Java's exceptions without a message have none, not an empty one.
    let message = Some(failure.error.message()).filter(|message| !message.is_empty());
    put("exception.message", message.map(str::to_owned));
    put("exception.stacktrace", Some(failure.error.trace()));
    headers
}

#[cfg(test)]
mod tests {
    use wharf_api::ConnectError;

    use super::*;
    use crate::worker::errors::Stage;

    fn failure(error: ConnectError) -> RecordFailure {
        RecordFailure {
            stage: Stage::ValueConverter,
            class: "a.Json".to_owned(),
            error,
            is_tolerated: true,
        }
    }

    #[test]
    fn headers_are_upstream_s_in_its_order_with_the_class_of_the_error_s_kind() {
        let task = TaskId {
            connector: "c".to_owned(),
            task: 3,
        };
        let from = ConsumedFrom {
            topic: "t",
            partition: 1,
            offset: 7,
        };
        let error = ConnectError::data("bad").caused_by(
            ConnectError::connect("").with_class("org.apache.kafka.common.errors.SerializationException"),
        );
        let headers = context_headers(&task, from.topic, Some(&from), &failure(error));
        let text: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null")))
            .collect();
        assert_eq!(
            text,
            [
                "__connect.errors.topic=t",
                "__connect.errors.partition=1",
                "__connect.errors.offset=7",
                "__connect.errors.connector.name=c",
                "__connect.errors.task.id=3",
                "__connect.errors.stage=VALUE_CONVERTER",
                "__connect.errors.class.name=a.Json",
                "__connect.errors.exception.class.name=org.apache.kafka.connect.errors.DataException",
                "__connect.errors.exception.message=bad",
                "__connect.errors.exception.stacktrace=org.apache.kafka.connect.errors.DataException: bad\nCaused by: \
                 org.apache.kafka.common.errors.SerializationException: \n",
            ]
        );
    }

    #[test]
    fn an_error_without_a_message_has_a_null_there() {
        let task = TaskId {
            connector: "c".to_owned(),
            task: 0,
        };
        let headers = context_headers(&task, "t", None, &failure(ConnectError::data("")));
        let message = headers
            .iter()
            .find(|(name, _)| name.ends_with("exception.message"));
        assert_eq!(message.map(|(_, value)| value.clone()), Some(None));
        assert_eq!(
            headers.len(),
            8,
            "a source's record has no partition and offset in a topic"
        );
    }
}
