//! Tests of the judgement of one connector, with plugins of the test module and configurations as a JVM worker wrote them.

use serde_json::json;
use wharf_cluster::config_state::ConfigState;

use super::*;
use crate::plugins::test_module;

fn worker_file(more: &[(&str, &str)]) -> WorkerFile {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let properties = [
        ("bootstrap.servers", "b:9092"),
        ("group.id", "g"),
        ("config.storage.topic", "c"),
        ("offset.storage.topic", "o"),
        ("status.storage.topic", "s"),
        ("key.converter", string),
        ("value.converter", string),
        ("plugin.path", "/opt/native"),
    ]
    .iter()
    .chain(more)
    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
    .collect();
    WorkerFile::parse(properties).unwrap()
}

/// The check of a connector with this configuration, with a worker file of these further properties.
fn check_with(config: &[(&str, &str)], worker: &[(&str, &str)]) -> ConnectorCheck {
    let mut properties = json!({"name": "c"});
    for (key, value) in config {
        properties[*key] = json!(value);
    }
    let records = [
        ("connector-c", json!({"properties": properties})),
        ("task-c-0", json!({"properties": {"task.class": "org.x.OldTask"}})),
        ("commit-c", json!({"tasks": 1})),
    ];
    let mut state = ConfigState::new();
    for (offset, (key, value)) in (0..).zip(records) {
        state.apply(offset, Some(key.as_bytes()), Some(value.to_string().as_bytes()));
    }
    let mut statuses = StatusState::new();
    let status =
        json!({"state": "RUNNING", "trace": null, "worker_id": "w:1", "generation": 1, "version": "0.9"});
    statuses
        .apply(Some(b"status-connector-c"), Some(status.to_string().as_bytes()))
        .unwrap();
    let plugins = PluginRegistry::of_modules([("/opt/native/libnew.so".into(), test_module::new())]);
    Migration::new(&worker_file(worker), plugins).check("c", &state.snapshot(), &statuses)
}

fn check(config: &[(&str, &str)]) -> ConnectorCheck {
    check_with(config, &[])
}

fn keys(check: &ConnectorCheck) -> Vec<&str> {
    check
        .problems
        .iter()
        .filter_map(|problem| problem.key.as_deref())
        .collect()
}

const ALPHA: (&str, &str) = ("connector.class", "AlphaSource");

#[test]
fn a_connector_with_a_native_plugin_moves_and_what_changes_is_said() {
    let check = check(&[ALPHA]);
    assert!(check.can_move, "{:?}", check.problems);
    let plugin = check.plugin.unwrap();
    assert_eq!(
        (plugin.version.as_deref(), plugin.kind),
        (Some("1.10"), ConnectorType::Source)
    );
    assert_eq!(plugin.path, "/opt/native/libnew.so");
    assert_eq!((check.tasks, check.target_state), (1, "STARTED"));
    assert!(check.converters["value.converter"].is_available && !check.converters["value.converter"].is_own);
    for part in [
        "task.class changes from org.x.OldTask to",
        "version in its status changes from 0.9 to 1.10",
    ] {
        assert!(
            check.changes.iter().any(|change| change.contains(part)),
            "{part}: {:?}",
            check.changes
        );
    }
}

#[test]
fn a_class_or_version_that_is_not_there_is_told_with_everything_else_that_is_missing() {
    let check = check(&[
        ("connector.class", "io.example.JvmOnlySource"),
        ("transforms", "t, h,none"),
        ("transforms.t.type", "io.example.Mask"),
        (
            "transforms.h.type",
            "org.apache.kafka.connect.transforms.HoistField$Key",
        ),
        ("predicates", "p,r"),
        ("predicates.p.type", "io.example.IsBig"),
        ("predicates.r.type", "RecordIsTombstone"),
        ("value.converter", "io.example.AvroConverter"),
    ]);
    assert_eq!(check.plugin, None);
    assert_eq!(
        keys(&check),
        [
            "connector.class",
            "transforms.t.type",
            "transforms.none.type",
            "predicates.p.type",
            "value.converter"
        ],
        "{check:?}"
    );
    assert!(
        check.problems[0].message.contains("plugin.path=/opt/native;"),
        "{check:?}"
    );
    let version = self::check(&[ALPHA, ("connector.plugin.version", "[7,)")]);
    assert_eq!(keys(&version), ["connector.plugin.version"]);
    assert_eq!(keys(&self::check(&[])), ["connector.class"]);
}

#[test]
fn validation_is_that_of_the_worker() {
    let check = check(&[
        ALPHA,
        ("transforms", "t,h"),
        ("transforms.t.type", "io.example.Mask"),
        (
            "transforms.h.type",
            "org.apache.kafka.connect.transforms.HoistField$Key",
        ),
        ("errors.tolerance", "some"),
        ("tasks.max", "many"),
        ("producer.override.linger.ms", "soon"),
        ("header.converter", "io.example.HeaderConverter"),
    ]);
    assert!(!check.can_move);
    for key in [
        "transforms.t.type",
        "transforms.h.field",
        "errors.tolerance",
        "tasks.max",
        "producer.override.linger.ms",
        "header.converter",
    ] {
        assert!(keys(&check).contains(&key), "{key}: {check:?}");
    }
    let own = self::check(&[
        ALPHA,
        ("producer.override.my.own", "x"),
        ("producer.override.acks", "1"),
    ]);
    assert!(own.can_move, "{own:?}");
    assert!(
        own.changes
            .iter()
            .any(|change| change.contains("producer.override.my.own")),
        "{own:?}"
    );
}

#[test]
fn a_default_converter_that_is_not_there_keeps_those_from_moving_that_use_it() {
    let avro = [("value.converter", "io.example.AvroConverter")];
    assert_eq!(keys(&check_with(&[ALPHA], &avro)), ["value.converter"]);
    let own = [ALPHA, ("value.converter", "ByteArrayConverter")];
    assert!(check_with(&own, &avro).can_move);
}

#[test]
fn references_to_config_providers_that_the_worker_has_are_no_problem() {
    let providers = [
        ("config.providers", "vault,env"),
        ("config.providers.vault.class", "FileConfigProvider"),
        ("config.providers.env.class", "EnvVarConfigProvider"),
    ];
    let config = [
        ALPHA,
        ("password", "${vault:/no/such/file:pw}"),
        ("url", "${env:X}"),
    ];
    let check = check_with(&config, &providers);
    assert!(check.can_move, "{check:?}");
    assert!(!check_with(&config, &providers[..2]).can_move);
}

#[test]
fn references_to_config_providers_are_told_by_provider_and_kept_in_texts() {
    let check = check(&[
        ALPHA,
        ("password", "${vault:db:pw}"),
        ("url", "${vault:db:url}?${env:X}"),
    ]);
    assert!(!check.can_move);
    let messages: Vec<&str> = check
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert!(
        messages
            .iter()
            .any(|text| text.contains("config provider `vault` (in password, url)")),
        "{messages:?}"
    );
    assert!(
        messages
            .iter()
            .any(|text| text.contains("config provider `env` (in url)")),
        "{messages:?}"
    );
    // An error that the reference itself causes is not held against the connector.
    let number = self::check(&[ALPHA, ("tasks.max", "${env:TASKS}")]);
    assert_eq!(keys(&number), [] as [&str; 0]);
    assert!(
        number
            .changes
            .iter()
            .any(|change| change.starts_with("tasks.max: the check saw the reference")),
        "{number:?}"
    );
}

#[test]
fn secrets_are_in_no_text() {
    let check = check(&[
        ALPHA,
        ("producer.override.ssl.key.password", "s3cret-word"),
        ("producer.override.ssl.keystore.location", "/no/such/s3cret-word"),
        ("producer.override.ssl.keystore.type", "PEM"),
        ("producer.override.security.protocol", "SSL"),
    ]);
    assert!(!check.can_move, "{check:?}");
    assert!(!format!("{check:?}").contains("s3cret-word"), "{check:?}");
    assert!(format!("{check:?}").contains("[hidden]"), "{check:?}");
}
