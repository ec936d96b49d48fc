//! Whether a worker would start with a worker file that JVM workers use, and what would be different.

use serde::Serialize;

use super::WorkerFile;
use super::secrets::Secrets;
use crate::config::{InternalClients, PrefixSupport, Support, WorkerMode, membership_connection};
use crate::plugins::PluginRegistry;
use crate::standalone::worker_mistakes;

/// Keys whose defaults are not upstream's, with upstream's.
const DEFAULTS: [(&str, &str); 2] = [
    ("heartbeat.interval.ms", "3000"),
    ("scheduled.rebalance.max.delay.ms", "300000"),
];

/// What is to be said of a worker file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorkerCheck {
    /// Whether a worker would start with it.
    pub can_start: bool,
    /// Why it would not.
    pub problems: Vec<String>,
    /// What would be other than on a JVM worker.
    pub differences: Vec<Difference>,
    /// What a worker would warn of: keys that are unknown or have no effect.
    pub warnings: Vec<String>,
    /// Libraries of `plugin.path` that would not be used.
    pub refused_plugins: Vec<String>,
    /// `plugin.path`.
    pub plugin_path: Vec<String>,
    /// `connect.protocol`.
    pub connect_protocol: String,
    /// `exactly.once.source.support`.
    pub exactly_once_source_support: String,
}

/// A setting that means something else, or has another default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key.
    pub key: String,
    /// What is different.
    pub message: String,
}

pub(super) fn check_worker_file(file: &WorkerFile, plugins: &PluginRegistry) -> WorkerCheck {
    let worker = &file.config.worker;
    let secrets = Secrets::of_worker(&file.properties);
    let mut problems = file.mistakes.clone();
    let mut warnings = worker.warnings.clone();
    match InternalClients::translate(&file.config) {
        Ok(clients) => warnings.extend(clients.warnings),
        Err(mistakes) => problems.extend(mistakes),
    }
    problems.extend(
        membership_connection(&file.config, "check")
            .err()
            .map(|error| format!("{error:#}")),
    );
    problems.extend(worker_mistakes(worker, plugins));
    let mut told = Vec::new();
    for problem in problems {
        let problem = secrets.hide(&problem);
        if !told.contains(&problem) {
            told.push(problem);
        }
    }
    WorkerCheck {
        can_start: told.is_empty(),
        problems: told,
        differences: differences(file),
        warnings: warnings.iter().map(|warning| secrets.hide(warning)).collect(),
        refused_plugins: plugins.refused().iter().map(ToString::to_string).collect(),
        plugin_path: worker
            .plugin_path
            .iter()
            .map(|folder| folder.display().to_string())
            .collect(),
        connect_protocol: file.config.protocol.to_string(),
        exactly_once_source_support: file.config.exactly_once.to_string(),
    }
}

/// What a JVM worker would do otherwise with the same file.
fn differences(file: &WorkerFile) -> Vec<Difference> {
    let mode = WorkerMode::Distributed;
    let mut found = Vec::new();
    let mut differs = |key: &str, message: String| {
        found.push(Difference {
            key: key.to_owned(),
            message,
        });
    };
    let def = mode.config_def();
    for (key, upstream) in DEFAULTS {
        let ours = def.key(key).and_then(|key| key.info().default_text());
        if let Some(ours) = ours.filter(|ours| !file.properties.contains_key(key) && ours != upstream) {
            differs(key, format!("not set: {ours} here, {upstream} on JVM workers"));
        }
    }
    for entry in mode.keys() {
        let key = entry.key.name();
        if !file.properties.contains_key(key) {
            continue;
        }
        match entry.support {
            Support::NoEffect(why) => differs(key, format!("has no effect here: {why}")),
            Support::WithinLimits(limits) => differs(key, format!("honoured within limits: {limits}")),
            _ => {}
        }
    }
    for rule in mode.prefix_rules() {
        if let PrefixSupport::NoEffect(why) = rule.support
            && file.properties.keys().any(|key| key.starts_with(rule.prefix))
        {
            differs(&format!("{}*", rule.prefix), format!("has no effect here: {why}"));
        }
    }
    if !file.config.protocol.is_cooperative() {
        differs(
            "connect.protocol",
            "eager: every rebalance stops all work on all workers; leave it at its default once no JVM worker needs it"
                .to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(more: &[(&str, &str)]) -> WorkerCheck {
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let properties = [
            ("bootstrap.servers", "b:9092"),
            ("group.id", "g"),
            ("config.storage.topic", "c"),
            ("offset.storage.topic", "o"),
            ("status.storage.topic", "s"),
            ("key.converter", string),
            ("value.converter", string),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
        check_worker_file(
            &WorkerFile::parse(properties).unwrap(),
            &PluginRegistry::default(),
        )
    }

    fn keys(check: &WorkerCheck) -> Vec<&str> {
        check
            .differences
            .iter()
            .map(|difference| difference.key.as_str())
            .collect()
    }

    #[test]
    fn defaults_that_differ_are_told_until_the_file_sets_them() {
        let plain = check(&[]);
        assert!(plain.can_start, "{plain:?}");
        assert_eq!(
            keys(&plain),
            ["heartbeat.interval.ms", "scheduled.rebalance.max.delay.ms"]
        );
        assert_eq!(
            plain.differences[0].message,
            "not set: 500 here, 3000 on JVM workers"
        );
        let set = check(&[
            ("heartbeat.interval.ms", "3000"),
            ("scheduled.rebalance.max.delay.ms", "0"),
        ]);
        assert_eq!(keys(&set), [] as [&str; 0]);
        assert_eq!(
            (
                set.connect_protocol.as_str(),
                set.exactly_once_source_support.as_str()
            ),
            ("sessioned", "disabled")
        );
    }

    #[test]
    fn what_keeps_a_worker_from_starting_is_told_with_the_key_and_without_secrets() {
        let check = check(&[
            ("value.converter", "io.confluent.connect.avro.AvroConverter"),
            ("listeners", "https://:8443"),
            ("connect.protocol", "eager"),
            ("security.protocol", "SSL"),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.password", "s3cret-word"),
            ("ssl.keystore.location", "/no/such/s3cret-word"),
            ("grouup.id", "typo"),
        ]);
        assert!(!check.can_start);
        for part in ["value.converter", "AvroConverter", "listeners", "[hidden]"] {
            assert!(
                check.problems.iter().any(|problem| problem.contains(part)),
                "{part}: {check:?}"
            );
        }
        assert!(!format!("{check:?}").contains("s3cret-word"), "{check:?}");
        assert!(
            check.warnings.iter().any(|warning| warning.contains("grouup.id")),
            "{check:?}"
        );
        for key in ["connect.protocol", "ssl.keystore.location"] {
            assert!(keys(&check).contains(&key), "{check:?}");
        }
    }
}
