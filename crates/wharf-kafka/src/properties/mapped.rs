//! The rules of the catalogue that need more than a new name: units, other scales, values for the runtime.
//!
//! Values come here checked for their type.

use std::time::Duration;

use super::catalogue::INT_MAX;
use super::{ClientKind, Draft, OffsetReset};

fn parsed(value: &str) -> i64 {
    // Checked for its type before; a default that is no number fails a test.
    value.parse().unwrap_or(0)
}

fn duration(value: &str) -> Duration {
    Duration::from_millis(u64::try_from(parsed(value)).unwrap_or(0))
}

pub(super) fn client_id(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.client_id = value.to_owned();
    draft.set("client.id", value);
}

pub(super) fn group_id(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.group_id = value.to_owned();
    draft.set("group.id", value);
}

pub(super) fn metadata_max_age(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.metadata_max_age = duration(value);
    let age = parsed(value).clamp(1, 3_600_000);
    draft.set("topic.metadata.refresh.interval.ms", age.to_string());
    draft.set("metadata.max.age.ms", (age * 3).to_string());
}

/// −1 means "as the system likes", which is 0 here.
fn socket_buffer(key: &str, value: &str, draft: &mut Draft<'_>) {
    draft.set(key, parsed(value).clamp(0, 100_000_000).to_string());
}

pub(super) fn send_buffer(value: &str, draft: &mut Draft<'_>) {
    socket_buffer("socket.send.buffer.bytes", value, draft);
}

pub(super) fn receive_buffer(value: &str, draft: &mut Draft<'_>) {
    socket_buffer("socket.receive.buffer.bytes", value, draft);
}

/// Negative means never, which is 0 here; Java's 0 closes at once, the nearest is a millisecond.
pub(super) fn max_idle(value: &str, draft: &mut Draft<'_>) {
    let idle = parsed(value);
    draft.set(
        "connections.max.idle.ms",
        if idle < 0 { 0 } else { idle.clamp(1, INT_MAX) }.to_string(),
    );
}

pub(super) fn request_timeout(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.request_timeout = duration(value);
    draft.set("socket.timeout.ms", parsed(value).clamp(10, 300_000).to_string());
    if draft.client == ClientKind::Producer {
        draft.set("request.timeout.ms", parsed(value).clamp(1, 900_000).to_string());
    }
}

pub(super) fn api_timeout(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.default_api_timeout = duration(value);
}

pub(super) fn acks(value: &str, draft: &mut Draft<'_>) {
    draft.set("acks", if value == "all" { "-1" } else { value });
}

pub(super) fn max_block(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.max_block = (parsed(value) != i64::MAX).then(|| duration(value));
}

pub(super) fn buffer_memory(value: &str, draft: &mut Draft<'_>) {
    let bytes = parsed(value);
    draft.out.runtime.buffer_memory = u64::try_from(bytes).unwrap_or(0);
    draft.set(
        "queue.buffering.max.kbytes",
        (bytes / 1024).clamp(1, INT_MAX).to_string(),
    );
}

pub(super) fn ignore_keys(value: &str, draft: &mut Draft<'_>) {
    draft.set(
        "partitioner",
        if value == "true" {
            "random"
        } else {
            "murmur2_random"
        },
    );
}

pub(super) fn max_poll_interval(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.max_poll_interval = duration(value);
    draft.set(
        "max.poll.interval.ms",
        parsed(value).clamp(1, 86_400_000).to_string(),
    );
}

pub(super) fn max_poll_records(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.max_poll_records = usize::try_from(parsed(value)).unwrap_or(1);
}

pub(super) fn auto_commit(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.auto_commit = value == "true";
    // Commits are the caller's: the library would answer its own ones on the queue of messages, where it does not
    // expect them.
    draft.set("enable.auto.commit", "false");
}

pub(super) fn auto_commit_interval(value: &str, draft: &mut Draft<'_>) {
    draft.out.runtime.auto_commit_interval = duration(value);
}

pub(super) fn offset_reset(value: &str, draft: &mut Draft<'_>) {
    let lower = value.to_ascii_lowercase();
    let (reset, name) = match lower.as_str() {
        "earliest" => (OffsetReset::Earliest, "earliest"),
        "latest" => (OffsetReset::Latest, "latest"),
        "none" => (OffsetReset::None, "error"),
        other if other.starts_with("by_duration:") => {
            let message = "auto.offset.reset cannot be honoured by this worker with by_duration: \
                           use earliest, latest or none";
            return draft.problem("auto.offset.reset", message);
        }
        _ => {
            let message = format!(
                "Invalid value {value} for configuration auto.offset.reset: Invalid value `{value}` for \
                 configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of \
                 the format 'by_duration:<PnDTnHnMn.nS.>'."
            );
            return draft.problem("auto.offset.reset", message);
        }
    };
    draft.out.runtime.auto_offset_reset = reset;
    draft.set("auto.offset.reset", name);
}

/// librdkafka wants `message.max.bytes` to be no larger, and the largest response to hold a fetch.
pub(super) fn fetch_max(value: &str, draft: &mut Draft<'_>) {
    let bytes = parsed(value).clamp(1000, 2_147_483_135);
    draft.set("fetch.max.bytes", bytes.to_string());
    draft.set("message.max.bytes", bytes.min(1_000_000).to_string());
    draft.set(
        "receive.message.max.bytes",
        (bytes + 512).max(100_000_000).to_string(),
    );
}
