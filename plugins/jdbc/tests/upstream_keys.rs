//! Every key of the JVM's connectors: each is honoured, refused, or without effect for a reason that `docs/jdbc.md` gives.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use Verdict::{Documented, Honoured, Refused};
use common::SINK;
use common::source::SOURCE;
use wharf_api::ConfigMap;
use wharf_api::config::ConfigValue;
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_testkit::{SinkHarness, SourceHarness, config};

const DOCUMENT: &str = include_str!("../../../docs/jdbc.md");
const HEADING: &str = "## Keys of the JVM's connectors that change nothing";

enum Verdict {
    Honoured,
    /// Each value but the default, of which this is one, with what is said of it.
    Refused(&'static str, &'static str),
    /// What it asks for is done in any case, or has no meaning; these values are taken, and others are none of the JVM's either.
    Documented(&'static [&'static str]),
}

/// Of both connectors, Confluent's and Aiven's.
const BOTH: [(&str, Verdict); 12] = [
    ("connection.url", Honoured),
    ("connection.user", Honoured),
    ("connection.password", Honoured),
    ("connection.attempts", Honoured),
    ("connection.backoff.ms", Honoured),
    ("dialect.name", Honoured),
    ("quote.sql.identifiers", Honoured),
    ("sql.quote.identifiers", Honoured),
    ("db.timezone", Honoured),
    (
        "date.calendar.system",
        Documented(&["LEGACY", "PROLEPTIC_GREGORIAN"]),
    ),
    (
        "jdbc.credentials.provider.class",
        Refused(
            "com.example.Vault",
            "name a config provider in connection.user and connection.password",
        ),
    ),
    (
        "table.names.qualify",
        Refused("false", "choose a schema by schema.pattern"),
    ),
];

const OF_SOURCE: [(&str, Verdict); 32] = [
    ("catalog.pattern", Honoured),
    ("schema.pattern", Honoured),
    ("table.whitelist", Honoured),
    ("table.blacklist", Honoured),
    ("table.include.list", Honoured),
    ("table.exclude.list", Honoured),
    ("table.types", Honoured),
    ("table.poll.interval.ms", Honoured),
    ("numeric.mapping", Honoured),
    ("numeric.precision.mapping", Honoured),
    ("sql.complex.types.enable", Honoured),
    ("timestamp.granularity", Honoured),
    ("topic.prefix", Honoured),
    ("mode", Honoured),
    ("incrementing.column.name", Honoured),
    ("incrementing.column.mapping", Honoured),
    ("incrementing.initial", Honoured),
    ("timestamp.column.name", Honoured),
    ("timestamp.columns.mapping", Honoured),
    ("timestamp.initial", Honoured),
    ("timestamp.initial.ms", Honoured),
    ("timestamp.delay.interval.ms", Honoured),
    ("validate.non.null", Honoured),
    ("query", Honoured),
    ("query.masked", Honoured),
    ("query.suffix", Honoured),
    ("query.retry.attempts", Honoured),
    ("transaction.isolation.mode", Honoured),
    ("poll.interval.ms", Honoured),
    ("batch.max.rows", Honoured),
    ("max.buffer.size", Documented(&["0", "5000"])),
    ("poll.linger.ms", Documented(&["0", "10000"])),
];

const OF_SINK: [(&str, Verdict); 21] = [
    ("insert.mode", Honoured),
    ("batch.size", Honoured),
    ("delete.enabled", Honoured),
    ("table.name.format", Honoured),
    ("table.name.normalize", Honoured),
    ("topics.to.tables.mapping", Honoured),
    ("pk.mode", Honoured),
    ("pk.fields", Honoured),
    ("fields.whitelist", Honoured),
    ("replace.null.with.default", Honoured),
    ("auto.create", Honoured),
    ("auto.evolve", Honoured),
    ("timestamp.fields.list", Honoured),
    ("timestamp.precision.mode", Honoured),
    ("string.output.value.column.name", Honoured),
    ("mssql.use.merge.holdlock", Honoured),
    ("max.retries", Honoured),
    ("retry.backoff.ms", Honoured),
    ("trim.sensitive.log", Honoured),
    ("date.timezone", Documented(&["DB_TIMEZONE", "UTC", "utc"])),
    (
        "table.types",
        Documented(&["TABLE", "VIEW,PARTITIONED TABLE", "TABLE,PARTITIONED TABLE,VIEW"]),
    ),
];

fn of_source() -> impl Iterator<Item = &'static (&'static str, Verdict)> {
    BOTH.iter().chain(&OF_SOURCE)
}

fn of_sink() -> impl Iterator<Item = &'static (&'static str, Verdict)> {
    BOTH.iter().chain(&OF_SINK)
}

/// A connector's keys, and its validation.
fn check<'a>(
    verdicts: impl Iterator<Item = &'a (&'static str, Verdict)>,
    keys: &BTreeSet<String>,
    mut validate: impl FnMut(&ConfigMap) -> Vec<ConfigValue>,
    good: &ConfigMap,
) {
    let mut known = BTreeSet::new();
    for (key, verdict) in verdicts {
        known.insert((*key).to_owned());
        assert!(keys.contains(*key), "{key} is taken without being known");
        let mut errors = |value: &str| {
            let mut config = good.clone();
            config.insert((*key).to_owned(), value.to_owned());
            let faulty = validate(&config).into_iter();
            faulty
                .flat_map(|value| {
                    value
                        .errors
                        .into_iter()
                        .map(move |error| (value.name.clone(), error))
                })
                .collect::<Vec<_>>()
        };
        match verdict {
            Honoured => {}
            Refused(value, part) => {
                let found = errors(value);
                assert_eq!(found.len(), 1, "{key}: {found:?}");
                assert!(found[0].0 == *key && found[0].1.contains(part), "{found:?}");
            }
            Documented(values) => {
                for value in *values {
                    assert_eq!(errors(value), [], "{key}={value}");
                }
                let found = errors("nonsense");
                let keys: BTreeSet<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
                assert_eq!(keys, BTreeSet::from([*key]), "{found:?}");
            }
        }
    }
    // None is left out above.
    let others = keys.difference(&known).filter(|key| !key.starts_with("wharf."));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_key_of_the_source_is_honoured_refused_or_documented() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE a (id INTEGER)")
        .unwrap();
    let url = format!("jdbc:sqlite:{}", path.display());
    for class in [SOURCE, "io.aiven.connect.jdbc.JdbcSourceConnector"] {
        let harness = SourceHarness::new(plugin_module(), class);
        let mut connector = harness.plugin().connector().unwrap();
        let keys = connector
            .config()
            .unwrap()
            .iter()
            .map(|key| key.name.clone())
            .collect();
        let good = config([
            ("connection.url", url.as_str()),
            ("mode", "bulk"),
            ("topic.prefix", "p-"),
        ]);
        check(
            of_source(),
            &keys,
            |config| connector.validate(config).unwrap(),
            &good,
        );
    }
}

#[test]
fn every_key_of_the_sink_is_honoured_refused_or_documented() {
    for class in [SINK, "io.aiven.connect.jdbc.JdbcSinkConnector"] {
        let harness = SinkHarness::new(plugin_module(), class);
        let mut connector = harness.plugin().connector().unwrap();
        let mut keys: BTreeSet<String> = connector
            .config()
            .unwrap()
            .iter()
            .map(|key| key.name.clone())
            .collect();
        // Of ours, under a name that producers have.
        assert!(keys.remove("linger.ms"));
        let good = config([("connection.url", "jdbc:sqlite::memory:"), ("topics", "t")]);
        check(
            of_sink(),
            &keys,
            |config| connector.validate(config).unwrap(),
            &good,
        );
    }
}

#[test]
fn the_document_names_the_keys_that_change_nothing_and_no_others() {
    let (_, section) = DOCUMENT.split_once(HEADING).unwrap();
    let section = section.split("\n#").next().unwrap();
    let mut documented: BTreeMap<&str, &str> = BTreeMap::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [key, of, reason, ..] = cells.as_slice() else {
            panic!("{row}")
        };
        assert!(reason.len() > 20, "{row}");
        documented.insert(key.trim_end_matches('`'), of);
    }
    let changes_nothing = |verdicts: &mut dyn Iterator<Item = &'static (&'static str, Verdict)>| {
        let keys = verdicts.filter(|(_, verdict)| !matches!(verdict, Honoured));
        keys.map(|(key, _)| *key).collect::<BTreeSet<_>>()
    };
    let of = |name: &str| {
        let keys = documented.iter().filter(|(_, of)| **of == name || **of == "both");
        keys.map(|(key, _)| *key).collect::<BTreeSet<_>>()
    };
    assert_eq!(of("source"), changes_nothing(&mut of_source()));
    assert_eq!(of("sink"), changes_nothing(&mut of_sink()));
}

#[test]
fn keys_that_do_not_matter_with_a_mode_are_not_visible() {
    let harness = SourceHarness::new(plugin_module(), SOURCE);
    let mut connector = harness.plugin().connector().unwrap();
    const COUNTS: [&str; 2] = ["incrementing.column.mapping", "incrementing.column.name"];
    const CHANGES: [&str; 2] = ["timestamp.column.name", "timestamp.columns.mapping"];
    const NULLS: [&str; 1] = ["validate.non.null"];
    for (mode, size, visible) in [
        ("bulk", "0", vec![]),
        ("bulk", "1000", [&COUNTS[..], &NULLS].concat()),
        ("incrementing", "0", [&COUNTS[..], &NULLS].concat()),
        ("timestamp", "0", [&CHANGES[..], &NULLS].concat()),
        (
            "timestamp+incrementing",
            "0",
            [&COUNTS[..], &CHANGES, &NULLS].concat(),
        ),
    ] {
        let config = config([
            ("connection.url", "jdbc:sqlite::memory:"),
            ("mode", mode),
            ("wharf.split.size", size),
        ]);
        let values = connector.validate(&config).unwrap();
        let mut found: Vec<&str> = values
            .iter()
            .filter(|value| {
                value.visible
                    && [&COUNTS[..], &CHANGES, &NULLS]
                        .concat()
                        .contains(&value.name.as_str())
            })
            .map(|value| value.name.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, visible, "{mode} {size}");
    }
}

#[test]
fn deletes_are_recommended_with_the_records_key_alone() {
    let harness = SinkHarness::new(plugin_module(), SINK);
    let mut connector = harness.plugin().connector().unwrap();
    let mut of = |mode: &str, deletes: &str, key: &str| {
        let config = config([
            ("connection.url", "jdbc:sqlite::memory:"),
            ("topics", "t"),
            ("pk.mode", mode),
            ("delete.enabled", deletes),
        ]);
        let mut values = connector.validate(&config).unwrap().into_iter();
        let value = values.find(|value| value.name == key).unwrap();
        let offered: Vec<String> = value.recommended_values.iter().map(ToString::to_string).collect();
        (offered, value.visible)
    };
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    assert_eq!(
        of("record_key", "true", "delete.enabled"),
        (texts(&["true", "false"]), true)
    );
    assert_eq!(of("none", "false", "delete.enabled"), (texts(&["false"]), false));
    assert_eq!(
        of("record_key", "true", "pk.mode"),
        (texts(&["record_key"]), true)
    );
    assert_eq!(
        of("none", "false", "pk.mode"),
        (texts(&["none", "kafka", "record_key", "record_value"]), true)
    );
}
