//! Tests of the worker configuration: defaults, mistakes, refusals, warnings.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::StandaloneConfig;

fn map(entries: &[(&str, &str)]) -> ConfigMap {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn with(entries: &[(&str, &str)]) -> ConfigMap {
    let mut all = map(&[
        ("bootstrap.servers", "broker:9092"),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        ("offset.storage.file.filename", "/tmp/connect.offsets"),
    ]);
    all.extend(map(entries));
    all
}

fn parse(entries: &[(&str, &str)]) -> Arc<WorkerConfig> {
    StandaloneConfig::parse(&with(entries)).unwrap().worker
}

fn mistakes(entries: &[(&str, &str)]) -> Vec<String> {
    let errors = StandaloneConfig::parse(&with(entries)).unwrap_err();
    errors.iter().map(|error| error.message().to_owned()).collect()
}

#[test]
fn a_minimal_file_gets_the_defaults_of_kafka() {
    let config = parse(&[]);
    assert_eq!(config.bootstrap_servers, ["broker:9092"]);
    assert_eq!(
        config.header_converter.class,
        "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    );
    assert_eq!(config.task_shutdown_graceful_timeout, Duration::from_secs(5));
    assert_eq!(config.offset_flush_interval, Duration::from_secs(60));
    assert_eq!(config.offset_flush_timeout, Duration::from_secs(5));
    assert_eq!(config.rest.listeners, [Listener::parse("http://:8083").unwrap()]);
    assert_eq!(config.rest.admin_listeners, AdminListeners::OnMainListeners);
    assert_eq!(config.override_policy, ClientOverridePolicy::All);
    assert!(
        config.topic_creation_enable && config.topic_tracking_enable && config.topic_tracking_allow_reset
    );
    assert_eq!(
        config.memory,
        MemoryLimits {
            task_max_bytes: 32 << 20,
            worker_max_bytes: 256 << 20
        }
    );
    assert!(config.plugin_path.is_empty() && config.warnings.is_empty());
}

#[test]
fn prefixed_settings_reach_whom_they_are_for() {
    let config = parse(&[
        ("key.converter.schemas.enable", "false"),
        ("key.converter.plugin.version", "1.0"),
        ("producer.linger.ms", "7"),
        ("consumer.max.poll.records", "9"),
        ("admin.retries", "3"),
        ("admin.listeners", ""),
        ("sasl.mechanism", "PLAIN"),
        ("request.timeout.ms", "5"),
        ("plugin.path", "/a, /b"),
    ]);
    assert_eq!(config.key_converter.config["schemas.enable"], "false");
    assert_eq!(config.key_converter.version.as_deref(), Some("1.0"));
    assert_eq!(config.producer, map(&[("linger.ms", "7")]));
    assert_eq!(config.consumer, map(&[("max.poll.records", "9")]));
    assert_eq!(config.admin, map(&[("retries", "3")]));
    assert_eq!(
        config.inherited_by_admin,
        map(&[("request.timeout.ms", "5"), ("sasl.mechanism", "PLAIN")])
    );
    assert_eq!(config.rest.admin_listeners, AdminListeners::Off);
    assert_eq!(config.plugin_path, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn all_mistakes_are_listed_at_once() {
    let properties = map(&[
        ("value.converter", "x"),
        ("offset.flush.interval.ms", "soon"),
        ("listeners", "8083"),
        ("rest.extension.classes", "Basic"),
    ]);
    let errors = StandaloneConfig::parse(&properties).unwrap_err();
    let text = errors
        .iter()
        .map(ConnectError::message)
        .collect::<Vec<_>>()
        .join("\n");
    for part in [
        "Missing required configuration \"bootstrap.servers\" which has no default value.",
        "Missing required configuration \"key.converter\" which has no default value.",
        "Missing required configuration \"offset.storage.file.filename\" which has no default value.",
        "Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
        "Listener doesn't have the right format",
        "for configuration rest.extension.classes: REST extensions are not supported by this build yet",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(errors.len(), 6, "{text}");
}

#[test]
fn what_changes_behaviour_and_is_not_done_is_refused_by_name() {
    let cases = [
        ("listeners", "https://:8443"),
        ("admin.listeners", "https://:8443"),
        ("listeners.https.ssl.keystore.location", "x"),
        ("admin.listeners.https.ssl.keystore.location", "x"),
        ("rest.advertised.listener", "https"),
        ("rest.extension.classes", "x.Y"),
        ("metric.reporters", "x.Y"),
    ];
    for (key, value) in cases {
        let mistakes = mistakes(&[(key, value)]);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains(key), "{mistakes:?}");
    }
}

#[test]
fn rules_for_cross_origin_requests_and_headers_are_read_and_their_mistakes_told_once() {
    let rest = &parse(&[
        ("access.control.allow.origin", "http://a"),
        ("access.control.allow.methods", "GET,PUT"),
        ("response.http.headers.config", "add X-A: b"),
    ])
    .rest;
    let cross_origin = rest.cross_origin.as_ref().unwrap();
    assert!(cross_origin.allows("http://a") && !cross_origin.allows("http://b"));
    assert_eq!(cross_origin.methods(), "GET,PUT");
    assert_eq!(rest.response_headers.len(), 1);
    let plain = &parse(&[("access.control.allow.methods", "GET")]).rest;
    assert_eq!((&plain.cross_origin, plain.response_headers.len()), (&None, 0));
    for (key, value) in [
        ("access.control.allow.origin", "*.example.com"),
        ("response.http.headers.config", "add X-A"),
    ] {
        let mistakes = mistakes(&[(key, value)]);
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].contains(key), "{mistakes:?}");
    }
}

#[test]
fn what_cannot_change_anything_is_accepted() {
    let config = parse(&[
        ("plugin.discovery", "SERVICE_LOAD"),
        ("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter"),
        ("metrics.recording.level", "DEBUG"),
        ("metrics.context.zone", "a"),
        ("access.control.allow.origin", ""),
        ("rest.extension.classes", ""),
        ("config.providers", "file"),
        ("config.providers.file.class", "x"),
        ("ssl.client.auth", "required"),
    ]);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn values_are_checked_even_where_they_have_no_effect() {
    assert_eq!(mistakes(&[("plugin.discovery", "magic")]).len(), 1);
    assert_eq!(mistakes(&[("rest.advertised.port", "70000")]).len(), 1);
    assert_eq!(mistakes(&[("rest.advertised.listener", "ftp")]).len(), 1);
    assert_eq!(mistakes(&[("listeners", "")]).len(), 1);
    assert_eq!(mistakes(&[("listeners", "http://:1,,http://:2")]).len(), 1);
    assert_eq!(mistakes(&[("wharf.worker.memory.max.bytes", "1000000")]).len(), 1);
}

#[test]
fn unknown_keys_are_reported_once() {
    let config = parse(&[
        ("offset.flush.intervall.ms", "1"),
        ("zzz", "2"),
        ("internal.key.converter", "x"),
    ]);
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert!(config.warnings[0].starts_with("internal.key.converter: "));
    assert!(config.warnings[1].ends_with("offset.flush.intervall.ms, zzz"));
}

#[test]
fn keys_of_the_other_mode_are_named_as_such() {
    let config = parse(&[
        ("group.id", "g"),
        ("config.storage.topic", "c"),
        ("offset.storage.min.insync.replicas", "2"),
        ("client.id", "reaches admin clients"),
        ("zzz", "1"),
    ]);
    assert_eq!(
        config.warnings,
        [
            "these properties are for distributed workers and have no effect on this standalone worker: \
             config.storage.topic, group.id, offset.storage.min.insync.replicas",
            "these worker properties are not known and have no effect, check their spelling: zzz",
        ]
    );
}

#[test]
fn secrets_do_not_reach_debug_output() {
    let config = parse(&[
        ("producer.sasl.jaas.config", "s3cret"),
        ("ssl.key.password", "s3cret"),
    ]);
    assert!(!format!("{config:?}").contains("s3cret"));
    let standalone = StandaloneConfig::parse(&config.originals).unwrap();
    assert!(!format!("{standalone:?}").contains("s3cret"));
    assert_eq!(standalone.offset_storage_file, Path::new("/tmp/connect.offsets"));
}

#[test]
fn the_worker_file_that_is_shipped_is_accepted_without_warnings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/connect-standalone.properties");
    let properties = crate::config::read_properties(&path).unwrap();
    assert_eq!(
        StandaloneConfig::parse(&properties).unwrap().worker.warnings,
        Vec::<String>::new()
    );
}
