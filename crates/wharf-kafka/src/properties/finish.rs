//! Rules over several properties: what must fit together in Java, and what librdkafka wants besides.

use super::catalogue::JAVA_ASSIGNORS;
use super::{ClientKind, Draft};

/// librdkafka gives up a new topic it does not find after this long; Java's worker waits without end. Half an hour and a
/// bit is the most that works: the library multiplies the number by 1000 in 32 bits, and its documented maximum of an
/// hour wraps around to "at once".
const TOPIC_PROPAGATION_MS: &str = "2147000";
/// How soon a fetch that was put off because enough was prefetched is tried again. The library's second would starve
/// a consumer with a small byte budget.
const FETCH_QUEUE_BACKOFF_MS: &str = "10";

/// Java's assignors and librdkafka's names for them.
const ASSIGNORS: [(&str, &str); 4] = [
    ("org.apache.kafka.clients.consumer.RangeAssignor", "range"),
    (
        "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "roundrobin",
    ),
    (
        "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        "cooperative-sticky",
    ),
    ("org.apache.kafka.clients.consumer.StickyAssignor", ""),
];

pub(super) fn apply(draft: &mut Draft<'_>) {
    bootstrap(draft);
    match draft.client {
        ClientKind::Producer => producer(draft),
        ClientKind::Consumer => consumer(draft),
        ClientKind::Admin => draft.set("topic.metadata.propagation.max.ms", "0"),
    }
}

fn bootstrap(draft: &mut Draft<'_>) {
    const KEY: &str = "bootstrap.servers";
    let servers = draft.java(KEY).unwrap_or_default().to_owned();
    if servers.is_empty() {
        return draft.problem(
            KEY,
            "Missing required configuration \"bootstrap.servers\" which has no default value.",
        );
    }
    for server in servers.split(',') {
        // An optional `PROTOCOL://` is allowed in front, as Java's address pattern does.
        let address = server.split_once("://").map_or(server, |(_, address)| address);
        let port = address.rsplit_once(':').and_then(|(host, port)| {
            let host_is_plain = !host.is_empty() && (!host.contains(':') || host.starts_with('['));
            host_is_plain.then(|| port.parse::<u16>().ok()).flatten()
        });
        if port.is_none() {
            draft.problem(KEY, format!("Invalid url in bootstrap.servers: {server}"));
        }
    }
    draft.set(KEY, servers);
}

fn producer(draft: &mut Draft<'_>) {
    let acks_all = matches!(draft.java("acks"), Some("all" | "-1"));
    let idempotent = draft.java("enable.idempotence") == Some("true");
    let in_flight = draft.number("max.in.flight.requests.per.connection");
    let may_be_idempotent = !draft.is_given("enable.idempotence")
        && acks_all
        && draft.number("retries") != Some(0)
        && in_flight.is_none_or(|count| count <= 5);
    if may_be_idempotent {
        // Java's default where nothing contradicts it. Here it is also what keeps the order of records: librdkafka sends
        // what waits behind a request before what the broker refused of it for now, even with one request in flight.
        draft.set("enable.idempotence", "true");
    }
    if idempotent {
        if !acks_all {
            draft.problem(
                "acks",
                "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.",
            );
        }
        if draft.number("retries") == Some(0) {
            draft.problem(
                "retries",
                "Must set retries to non-zero when using the idempotent producer.",
            );
        }
        if in_flight.is_some_and(|count| count > 5) {
            draft.problem(
                "max.in.flight.requests.per.connection",
                "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.",
            );
        }
    } else if draft.java("transactional.id").is_some() {
        draft.problem(
            "transactional.id",
            "Cannot set a transactional.id without also enabling idempotence.",
        );
    }
    let (linger, request) = (draft.number("linger.ms"), draft.number("request.timeout.ms"));
    if let (Some(linger), Some(request), Some(delivery)) =
        (linger, request, draft.number("delivery.timeout.ms"))
        && delivery < linger.saturating_add(request)
    {
        draft.problem(
            "delivery.timeout.ms",
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
        );
    }
    if draft.number("batch.size").is_some_and(|size| size < 1024) {
        let size = draft.java("batch.size").unwrap_or_default().to_owned();
        draft
            .out
            .warnings
            .push(format!("batch.size={size} sends nearly every record alone"));
    }
    let level = match draft.java("compression.type") {
        Some("gzip") => draft.number("compression.gzip.level"),
        Some("lz4") => draft.number("compression.lz4.level"),
        Some("zstd") => draft.number("compression.zstd.level"),
        _ => None,
    };
    if let Some(level) = level {
        draft.set("compression.level", level.clamp(-1, 12).to_string());
    }
    if draft.java("transactional.id").is_some()
        && let Some(limit) = draft
            .number("transaction.timeout.ms")
            .map(|limit| limit.max(1000))
    {
        // librdkafka wants both within a transaction's life; in Java the transaction simply ends first.
        let delivery = draft
            .number("delivery.timeout.ms")
            .unwrap_or(limit)
            .clamp(1, limit);
        let request = draft
            .number("request.timeout.ms")
            .unwrap_or(limit)
            .clamp(10, limit.min(300_000));
        draft.set("message.timeout.ms", delivery.to_string());
        draft.set("socket.timeout.ms", request.to_string());
    }
    // Bytes bound the buffer in Java, never the number of records.
    draft.set("queue.buffering.max.messages", "0");
    draft.set("batch.num.messages", "1000000");
    draft.set("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS);
}

fn consumer(draft: &mut Draft<'_>) {
    if draft.java("group.id").is_none_or(str::is_empty) {
        draft.problem(
            "group.id",
            "Missing required configuration \"group.id\" which has no default value.",
        );
    }
    draft.set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS);
    if draft.java("group.protocol") == Some("consumer") {
        for key in [
            "partition.assignment.strategy",
            "session.timeout.ms",
            "heartbeat.interval.ms",
        ] {
            if draft.is_given(key) {
                draft.problem(key, format!("{key} cannot be set when group.protocol=CONSUMER"));
            }
        }
        return;
    }
    if draft.java("group.remote.assignor").is_some() {
        draft.problem(
            "group.remote.assignor",
            "group.remote.assignor cannot be set when group.protocol=CLASSIC",
        );
    }
    timeouts(draft);
    assignors(draft);
}

/// librdkafka refuses a poll interval below the session time-out, which Java takes; the session is shortened then.
fn timeouts(draft: &mut Draft<'_>) {
    let session = draft.number("session.timeout.ms");
    let heartbeat = draft.number("heartbeat.interval.ms");
    let (Some(session), Some(heartbeat)) = (session, heartbeat) else {
        return;
    };
    if heartbeat >= session {
        return draft.problem(
            "heartbeat.interval.ms",
            "Heartbeat must be set lower than the session timeout",
        );
    }
    let poll = draft.number("max.poll.interval.ms").unwrap_or(i64::MAX);
    let session = session.min(poll).clamp(1, 3_600_000);
    let heartbeat = if heartbeat < session {
        heartbeat
    } else {
        session / 3
    };
    draft.set("session.timeout.ms", session.to_string());
    draft.set("heartbeat.interval.ms", heartbeat.clamp(1, 3_600_000).to_string());
}

fn assignors(draft: &mut Draft<'_>) {
    const KEY: &str = "partition.assignment.strategy";
    let list = draft.java(KEY).unwrap_or_default().to_owned();
    if list == JAVA_ASSIGNORS {
        // Java's pair lets groups move from range to cooperative; the first is what a group then uses, and librdkafka
        // takes no mixed list.
        return draft.set(KEY, "range");
    }
    let mut names = Vec::new();
    for class in list.split(',').filter(|class| !class.is_empty()) {
        match ASSIGNORS
            .iter()
            .find(|(java, name)| *java == class || (!name.is_empty() && *name == class))
        {
            Some((_, "")) | None => {
                return draft.problem(
                    KEY,
                    format!(
                        "{KEY} cannot be honoured by this worker: {class} is not built in; use RangeAssignor, \
                         RoundRobinAssignor or CooperativeStickyAssignor"
                    ),
                );
            }
            Some((_, name)) => names.push(*name),
        }
    }
    if names.is_empty() {
        return draft.problem(
            KEY,
            format!(
                "Invalid value [] for configuration {KEY}: Configuration '{KEY}' values must not be empty."
            ),
        );
    }
    if names.len() > 1 && names.contains(&"cooperative-sticky") {
        let eager: Vec<_> = names
            .iter()
            .copied()
            .filter(|name| *name != "cooperative-sticky")
            .collect();
        draft.out.warnings.push(format!(
            "{KEY} mixes eager and cooperative assignors, which this client cannot offer together; it offers {}",
            eager.join(",")
        ));
        names = eager;
    }
    draft.set(KEY, names.join(","));
}
