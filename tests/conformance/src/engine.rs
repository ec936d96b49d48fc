//! The workers that scenarios run on, behind one interface.
//!
//! An engine starts workers of one kind and hands out their addresses: one standalone worker, or the members of a group. What
//! a scenario needs beyond that, a broker and folders, it brings itself, so an engine knows nothing of scenarios.

mod jvm;
mod process;
mod wharf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::mode::Mode;

pub use jvm::Jvm;
pub use wharf::Wharf;

/// What the environment of every worker has, for providers that read it.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("WHARF_SCENARIO_TOPIC", "of-env"),
    ("WHARF_SCENARIO_NUMBER", "7"),
    ("OTHER_SCENARIO_TOPIC", "not-allowed"),
];

/// What workers are started with.
#[derive(Debug, Clone)]
pub struct Place {
    /// How they run.
    pub mode: Mode,
    /// How many there are.
    pub workers: usize,
    /// What nothing else on the broker is called: the beginning of the names of the group and its topics.
    pub name: String,
    /// Their folder: properties, offsets, logs.
    pub folder: PathBuf,
    /// Address of the broker.
    pub bootstrap: String,
    /// Worker keys on top of the usual ones; `None` takes one away.
    pub worker: BTreeMap<String, Option<String>>,
}

/// A kind of worker.
pub trait Engine {
    /// Short name, as in `jvm`.
    fn name(&self) -> &'static str;

    /// Whether its groups refuse requests during a rebalance, so that clients have to send them again; one that does not
    /// is held to it.
    fn refuses_in_rebalances(&self) -> bool;

    /// Starts workers and waits until all of them answer.
    fn start(&self, place: &Place) -> Result<Box<dyn Workers>>;
}

/// Running workers, in the order in which they were started: the first of a group leads it. Dropping them ends them at once.
pub trait Workers: Send {
    /// Host and port of each worker's main listener; they change when a worker is restarted.
    fn addresses(&self) -> Vec<String>;

    /// Stops one worker in an orderly way, starts it again and waits until it answers.
    fn restart(&mut self, worker: usize) -> Result<()>;

    /// Log of one worker.
    fn log(&self, worker: usize) -> &Path;
}

/// The properties of a worker in [`Place`], as text of a Java properties file.
fn properties(place: &Place, plugin_path: &Path) -> String {
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut all: BTreeMap<String, String> = [
        ("bootstrap.servers", place.bootstrap.clone()),
        // The system chooses a port that nobody has; the log tells which.
        ("listeners", "http://127.0.0.1:0".to_owned()),
        ("key.converter", json.to_owned()),
        ("value.converter", json.to_owned()),
        // Scenarios about offsets wait for this.
        ("offset.flush.interval.ms", "500".to_owned()),
        ("plugin.path", text(plugin_path)),
        // A killed member would otherwise hold its partitions for 45 s.
        ("consumer.session.timeout.ms", "2000".to_owned()),
        ("consumer.heartbeat.interval.ms", "400".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let own = match place.mode {
        Mode::Standalone => [(
            "offset.storage.file.filename",
            text(&place.folder.join("offsets")),
        )]
        .into(),
        Mode::Distributed => group(&place.name),
    };
    all.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    for (key, value) in &place.worker {
        match value {
            Some(value) => all.insert(key.clone(), value.clone()),
            None => all.remove(key),
        };
    }
    all.iter()
        .map(|(key, value)| format!("{}={}\n", escape(key), escape(value)))
        .collect()
}

/// What a group needs; the same for both kinds of workers, where defaults differ.
fn group(name: &str) -> BTreeMap<&'static str, String> {
    [
        ("group.id", name.to_owned()),
        ("config.storage.topic", format!("{name}-configs")),
        ("offset.storage.topic", format!("{name}-offsets")),
        ("status.storage.topic", format!("{name}-statuses")),
        ("config.storage.replication.factor", "1".to_owned()),
        ("offset.storage.replication.factor", "1".to_owned()),
        ("status.storage.replication.factor", "1".to_owned()),
        ("offset.storage.partitions", "2".to_owned()),
        ("status.storage.partitions", "2".to_owned()),
        ("session.timeout.ms", "6000".to_owned()),
        ("heartbeat.interval.ms", "200".to_owned()),
        ("scheduled.rebalance.max.delay.ms", "0".to_owned()),
    ]
    .into()
}

/// The beginning of a command with [`ENVIRONMENT`]. Levels that the caller's environment sets would show in answers about loggers.
fn with_environment() -> Vec<String> {
    let mut command = ["env", "-u", "WHARF_LOG"].map(str::to_owned).to_vec();
    command.extend(ENVIRONMENT.map(|(name, value)| format!("{name}={value}")));
    command
}

/// Java reads properties as ISO-8859-1, and takes `\` and, in keys, `=`, `:` and blanks for something else.
fn escape(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte @ (b'\\' | b'=' | b':' | b' ' | b'#' | b'!')) => format!("\\{}", char::from(byte)),
            Ok(byte) if (0x21..0x7f).contains(&byte) => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_added_replaced_and_taken_away() {
        let worker = [
            ("key.converter", Some("X")),
            ("value.converter", None),
            ("producer.a b", Some("é=1\n")),
        ];
        let place = |mode| Place {
            mode,
            workers: 1,
            name: "g".to_owned(),
            folder: PathBuf::from("/f"),
            bootstrap: "h:1".to_owned(),
            worker: worker
                .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
                .into(),
        };
        let text = properties(&place(Mode::Standalone), Path::new("/plugins"));
        let lines: Vec<_> = text.lines().collect();
        for line in [
            "bootstrap.servers=h\\:1",
            "key.converter=X",
            "plugin.path=/plugins",
            "producer.a\\ b=\\u00e9\\=1\\u000a",
        ] {
            assert!(lines.contains(&line), "{line} in {text}");
        }
        assert!(!text.contains("value.converter"), "{text}");
        let group = properties(&place(Mode::Distributed), Path::new("/plugins"));
        for (text, mine, other) in [
            (&text, "offset.storage.file.filename=/f/offsets\n", "group.id"),
            (&group, "group.id=g\n", "offset.storage.file"),
        ] {
            assert!(text.contains(mine) && !text.contains(other), "{text}");
        }
    }
}
