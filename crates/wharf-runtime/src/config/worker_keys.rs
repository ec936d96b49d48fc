//! The catalogue of worker keys that both modes share, and the one key of standalone mode alone: what each takes, and what this
//! build does with it.
//!
//! A key of Kafka's catalogue is either honoured, in full or within stated limits, or has no effect here for a stated reason,
//! or is refused by name as soon as its value asks for something this build does not do. Nothing that changes behaviour is
//! ignored silently.

use wharf_api::config::{Importance, ParsedValue, Type, Validator};

use super::client_override_policy::{OVERRIDE_ALLOWLIST_KEY, OVERRIDE_POLICY_KEY};
use super::cors::{ALLOW_METHODS, ALLOW_ORIGIN};
use super::response_headers::{self, RESPONSE_HEADERS};
use super::worker_key::{PrefixRule, PrefixSupport, WorkerKey, honoured};
use crate::herder::restart_policy::{NEVER, ON_FAILURE, RESTART_POLICY};

use Importance::{High, Low, Medium};

/// Default of `wharf.task.memory.max.bytes`: 32 MiB, what the Java producer's buffer holds.
pub const TASK_MEMORY_DEFAULT: i64 = 32 * 1024 * 1024;
/// Default of `wharf.worker.memory.max.bytes`: 256 MiB, the initial heap that the JVM worker is started with.
pub const WORKER_MEMORY_DEFAULT: i64 = 256 * 1024 * 1024;

/// The key that allows previews.
pub(super) const PREVIEW_ENABLE: &str = "wharf.preview.enable";
pub(super) const RESTART_BACKOFF: &str = "wharf.restart.backoff.ms";
pub(super) const RESTART_BACKOFF_MAX: &str = "wharf.restart.backoff.max.ms";

/// Families of keys that go to something by prefix, in both modes.
pub const PREFIX_RULES: &[PrefixRule] = &[
    PrefixRule {
        prefix: "key.converter.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "value.converter.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "header.converter.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "producer.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "consumer.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "admin.listeners.https.",
        support: PrefixSupport::Refused(NO_HTTPS),
    },
    PrefixRule {
        prefix: "listeners.https.",
        support: PrefixSupport::Refused(NO_HTTPS),
    },
    PrefixRule {
        prefix: "admin.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "config.providers.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "metrics.context.",
        support: PrefixSupport::Honoured,
    },
    PrefixRule {
        prefix: "internal.key.converter",
        support: PrefixSupport::Warned(
            "internal converters were removed in Kafka 3.0 and have no effect; remove the key",
        ),
    },
    PrefixRule {
        prefix: "internal.value.converter",
        support: PrefixSupport::Warned(
            "internal converters were removed in Kafka 3.0 and have no effect; remove the key",
        ),
    },
];

/// Unprefixed keys that reach admin clients as they are, whether or not the mode's definition knows them.
pub(super) const ADMIN_CLIENT_KEYS: &[&str] = &[
    "bootstrap.controllers",
    "client.id",
    "connections.max.idle.ms",
    "default.api.timeout.ms",
    "enable.metrics.push",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "security.providers",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms",
];

/// Prefixes of unprefixed security settings, which reach the worker's admin clients too.
pub(super) const ADMIN_CLIENT_PREFIXES: &[&str] = &["sasl.", "ssl."];

const NO_HTTPS: &str =
    "https listeners are not supported by this build yet; use an http:// listener behind a TLS proxy";
const ALL_METRICS: &str = "all metrics are recorded at every level, as those of Kafka Connect are";
const FEWER_SAMPLES: &str = "more than 100 samples are kept as 100";

pub(super) fn is_blank(value: &ParsedValue) -> bool {
    match value {
        ParsedValue::List(items) => items.iter().all(|item| item.trim().is_empty()),
        other => other.as_str().is_none_or(|text| text.trim().is_empty()),
    }
}

fn only_jmx(value: &ParsedValue) -> bool {
    let jmx = |item: &String| item.is_empty() || item == "org.apache.kafka.common.metrics.JmxReporter";
    value.as_list().is_none_or(|items| items.iter().all(jmx))
}

fn not_https(value: &ParsedValue) -> bool {
    let https = |text: &str| text.trim().to_ascii_lowercase().starts_with("https");
    match value {
        ParsedValue::List(items) => !items.iter().any(|item| https(item)),
        other => !other.as_str().is_some_and(https),
    }
}

pub(super) fn connection_keys() -> Vec<WorkerKey> {
    vec![
        honoured(
            "bootstrap.servers",
            Type::List,
            High,
            "Kafka brokers to start from, as host:port, for the worker and for all clients of connectors.",
        )
        .valid(Validator::distinct_list(false, false)),
        honoured(
            "client.dns.lookup",
            Type::String,
            Medium,
            "How the names of brokers are turned into addresses.",
        )
        .default("use_all_dns_ips")
        .valid(Validator::one_of([
            "use_all_dns_ips",
            "resolve_canonical_bootstrap_servers_only",
        ])),
        honoured(
            "key.converter",
            Type::Class,
            High,
            "Converter of record keys; its settings follow under `key.converter.`.",
        ),
        honoured(
            "key.converter.plugin.version",
            Type::String,
            Low,
            "Version of the key converter: a range, or the newest without one.",
        )
        .null(),
        honoured(
            "value.converter",
            Type::Class,
            High,
            "Converter of record values; its settings follow under `value.converter.`.",
        ),
        honoured(
            "value.converter.plugin.version",
            Type::String,
            Low,
            "Version of the value converter: a range, or the newest without one.",
        )
        .null(),
        honoured(
            "header.converter",
            Type::Class,
            Low,
            "Converter of header values; its settings follow under `header.converter.`.",
        )
        .default("org.apache.kafka.connect.storage.SimpleHeaderConverter"),
        honoured(
            "header.converter.plugin.version",
            Type::String,
            Low,
            "Version of the header converter: a range, or the newest without one.",
        )
        .null(),
        honoured(
            OVERRIDE_POLICY_KEY,
            Type::String,
            Medium,
            "Which client settings connectors may override: All, None, Principal or Allowlist.",
        )
        .default("All"),
        honoured(
            OVERRIDE_ALLOWLIST_KEY,
            Type::List,
            Medium,
            "The client settings that the policy Allowlist allows.",
        )
        .default(""),
    ]
}

/// What only a standalone worker has.
pub(super) fn standalone_keys() -> Vec<WorkerKey> {
    vec![
        honoured(
            "offset.storage.file.filename",
            Type::String,
            High,
            "The file that keeps the offsets of source connectors.",
        )
        .valid(Validator::NonEmptyString),
    ]
}

pub(super) fn runtime_keys() -> Vec<WorkerKey> {
    vec![
        honoured(
            "task.shutdown.graceful.timeout.ms",
            Type::Long,
            Low,
            "Time for all tasks together to stop, in milliseconds; what runs longer is abandoned.",
        )
        .default(5000)
        .valid(Validator::at_least(0)),
        honoured("offset.flush.interval.ms", Type::Long, Low, "How often offsets are committed, in milliseconds.")
            .default(60_000)
            .valid(Validator::at_least(0)),
        honoured("offset.flush.timeout.ms", Type::Long, Low, "Time for one attempt to commit offsets, in milliseconds.")
            .default(5000)
            .valid(Validator::at_least(0)),
        honoured(
            "plugin.path",
            Type::List,
            Low,
            "Folders with plugins, separated by commas; each holds libraries or folders with one plugin each.",
        )
        .null(),
        honoured("plugin.discovery", Type::String, Low, "How the JVM worker finds Java plugins.")
            .default("hybrid_warn")
            .valid(Validator::one_of_ignore_case(["only_scan", "hybrid_warn", "hybrid_fail", "service_load"]))
            .no_effect("plugins are native libraries that say themselves what they hold, so there is one way to find them"),
        honoured("config.providers", Type::List, Low, "Names of sources for variables in configurations.")
            .default(""),
        honoured("topic.creation.enable", Type::Boolean, Low, "Whether source connectors may create topics by `topic.creation.` rules.")
            .default(true),
        honoured("topic.tracking.enable", Type::Boolean, Low, "Whether the topics that connectors use are recorded.").default(true),
        honoured("topic.tracking.allow.reset", Type::Boolean, Low, "Whether the record of used topics may be reset by REST.")
            .default(true),
        honoured(
            PREVIEW_ENABLE,
            Type::Boolean,
            Low,
            "Whether `POST /connector-plugins/{plugin}/preview` shows what converters and transformations make of records. Who \
             may send requests can read topics by it.",
        )
        .default(false),
        honoured(
            "wharf.task.memory.max.bytes",
            Type::Long,
            Medium,
            "Bytes of records that one task may hold between its plugin and Kafka. A single larger record still passes, alone. \
             The default is what the Java producer's buffer holds.",
        )
        .default(TASK_MEMORY_DEFAULT)
        .valid(Validator::at_least(64 * 1024)),
        honoured(
            "wharf.worker.memory.max.bytes",
            Type::Long,
            Medium,
            "Bytes of records that all tasks together may hold. Must not be below the limit of one task. \
             The default is the heap that the JVM worker starts with.",
        )
        .default(WORKER_MEMORY_DEFAULT)
        .valid(Validator::at_least(64 * 1024)),
        honoured(
            RESTART_POLICY,
            Type::String,
            Medium,
            "Whether connectors and tasks that have failed are restarted by the worker: never, or on-failure. A connector may say \
             otherwise by a key of the same name in its own configuration.",
        )
        .default(NEVER)
        .valid(Validator::one_of_ignore_case([NEVER, ON_FAILURE])),
        honoured(
            RESTART_BACKOFF,
            Type::Long,
            Low,
            "Milliseconds before the first restart of what has failed; the wait doubles with each failure that follows soon.",
        )
        .default(1_000)
        .valid(Validator::at_least(1)),
        honoured(
            RESTART_BACKOFF_MAX,
            Type::Long,
            Low,
            "The longest wait before a restart, in milliseconds. After that long without failure the wait begins anew.",
        )
        .default(60_000)
        .valid(Validator::at_least(1)),
    ]
}

pub(super) fn rest_keys() -> Vec<WorkerKey> {
    vec![
        honoured("listeners", Type::List, Low, "Addresses of the REST interface, as http://host:port; an empty host means all.")
            .default("http://:8083")
            .refused(not_https, NO_HTTPS),
        honoured(
            "admin.listeners",
            Type::List,
            Low,
            "Addresses for /admin alone. Without the key it is served on the main listeners, with an empty value nowhere.",
        )
        .null()
        .refused(not_https, NO_HTTPS),
        honoured("rest.advertised.host.name", Type::String, Low, "The host that other workers and tools are told.").null(),
        honoured("rest.advertised.port", Type::Int, Low, "The port that other workers and tools are told.")
            .null()
            .valid(null_or_between(0, 65_535)),
        honoured("rest.advertised.listener", Type::String, Low, "The protocol that other workers and tools are told: http or https.")
            .null()
            .refused(not_https, NO_HTTPS),
        honoured(
            ALLOW_ORIGIN,
            Type::String,
            Low,
            "Origins whose pages may send requests: * or regular expressions, with commas between them. Empty: no origin is told that \
             it may.",
        )
        .default(""),
        honoured(
            ALLOW_METHODS,
            Type::String,
            Low,
            "Methods that such requests may use, with commas between them; GET, POST and HEAD when empty.",
        )
        .default(""),
        honoured(
            RESPONSE_HEADERS,
            Type::String,
            Low,
            "Headers of every answer on the main listeners: set, add, setDate or addDate, a name, a colon and the value.",
        )
        .default("")
        .valid(response_headers::validator()),
        honoured("rest.extension.classes", Type::List, Low, "REST extensions, such as basic authentication.")
            .default("")
            .refused(is_blank, "REST extensions are not supported by this build yet; remove the key, and protect the interface by a proxy"),
        honoured("ssl.client.auth", Type::String, Low, "Whether https listeners ask for client certificates.")
            .default("none")
            .valid(Validator::one_of(["required", "requested", "none"]))
            .no_effect("it concerns https listeners only, and these are refused"),
    ]
}

pub(super) fn metric_keys() -> Vec<WorkerKey> {
    vec![
        honoured(
            "metrics.sample.window.ms",
            Type::Long,
            Low,
            "Length of a metrics sample, in milliseconds.",
        )
        .default(30_000)
        .valid(Validator::at_least(0)),
        honoured(
            "metrics.num.samples",
            Type::Int,
            Low,
            "How many metrics samples are kept.",
        )
        .default(2)
        .valid(Validator::at_least(1))
        .within_limits(FEWER_SAMPLES),
        honoured(
            "metrics.recording.level",
            Type::String,
            Low,
            "How detailed metrics are.",
        )
        .default("INFO")
        .valid(Validator::one_of(["INFO", "DEBUG"]))
        .no_effect(ALL_METRICS),
        honoured(
            "metric.reporters",
            Type::List,
            Low,
            "Java classes that publish metrics.",
        )
        .default("org.apache.kafka.common.metrics.JmxReporter")
        .refused(
            only_jmx,
            "Java metric reporters cannot be loaded by a native worker; remove the key and read GET /metrics",
        ),
    ]
}

fn null_or_between(min: i32, max: i32) -> Validator {
    let range = Validator::between(min, max);
    Validator::custom(format!("null or {range}"), move |name, value| {
        if value.is_null() {
            Ok(())
        } else {
            range.ensure_valid(name, value)
        }
    })
}
