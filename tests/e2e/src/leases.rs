//! Values of a config provider that hold for a while: what a source and a sink make of them, before and after they changed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::group::{eventually, file_sink, file_source};
use crate::kafka::Seen;
use crate::stage::Stage;
use crate::worker::Worker;

/// A provider of a plugin whose values expire.
const CLASS: &str = "wharf.test.FixedProvider";
const OLD: &str = "old-word";
const NEW: &str = "new-word";

/// A value that goes into every record of a source, and the name of the file that a sink writes.
#[derive(Debug)]
pub struct Leases {
    word: PathBuf,
    output: PathBuf,
}

impl Leases {
    /// With the values that count at first.
    pub fn new(stage: &Stage) -> Self {
        Self {
            word: stage.write("word", OLD),
            output: stage.write("output", stage.file("first.txt")),
        }
    }

    /// Properties of the workers.
    pub fn settings(&self) -> [(&str, &str); 6] {
        [
            ("config.providers", "lease"),
            ("config.providers.lease.class", CLASS),
            ("config.providers.lease.param.ttl.millis", "500"),
            ("config.providers.lease.param.from.files", "true"),
            (
                "config.providers.lease.param.place.word",
                self.word.to_str().unwrap(),
            ),
            (
                "config.providers.lease.param.place.output",
                self.output.to_str().unwrap(),
            ),
        ]
    }

    /// Creates a source and a sink, waits until both work with the first values, changes these, and waits until both work with
    /// the new ones and with nothing else any more. Nobody but the leases restarts anything.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn are_followed(&self, stage: &Stage, one: &Worker, other: &Worker) {
        let topic = stage.named("topic");
        stage.kafka().create_topic(&topic, 1, &[]);
        let mut source = file_source(&stage.file("in.txt"), &topic);
        source["transforms"] = json!("mark");
        source["transforms.mark.type"] = json!("org.apache.kafka.connect.transforms.InsertHeader");
        source["transforms.mark.header"] = json!("mark");
        source["transforms.mark.value.literal"] = json!("${lease:place:word}");
        stage.write("in.txt", "");
        one.create(&stage.named("source"), source);
        one.create(&stage.named("sink"), file_sink("${lease:place:output}", &topic));
        for name in ["source", "sink"] {
            other.until_states(&stage.named(name), &["RUNNING", "RUNNING"]);
        }
        let mut reader = stage.kafka().reader(&topic);
        let mut marks = Vec::new();
        let mut last_is = |word: &str| {
            add_line(stage);
            marks.extend(reader.read_to_end().iter().map(mark));
            marks.last().is_some_and(|last| last == word)
        };
        eventually("records have the first word", || last_is(OLD));
        eventually("the first file is written", || {
            !stage.read("first.txt").is_empty()
        });

        replace(&self.word, NEW);
        replace(&self.output, &stage.file("second.txt"));
        eventually("records have the new word", || last_is(NEW));
        // The old sink may have taken all lines that were there when the source began to use the new word.
        eventually("the new file is written", || {
            last_is(NEW);
            !stage.read("second.txt").is_empty()
        });
        let first = stage.read("first.txt").len();
        let second = stage.read("second.txt").len();
        eventually("the new file grows", || {
            last_is(NEW);
            stage.read("second.txt").len() > second
        });
        assert_eq!(
            stage.read("first.txt").len(),
            first,
            "nobody writes the first file any more"
        );
        let change = marks.iter().position(|mark| mark == NEW).unwrap();
        assert!(marks[..change].iter().all(|mark| mark == OLD), "{marks:?}");
        assert!(marks[change..].iter().all(|mark| mark == NEW), "{marks:?}");
        // The sink's plugin tells where it writes; the log has the reference whatever that was at the time.
        for log in [one.log(), other.log()] {
            for file in ["first.txt", "second.txt"] {
                assert!(!log.contains(&stage.file(file)), "{log}");
            }
        }
    }
}

fn mark(record: &Seen) -> String {
    let (_, value) = record.headers.iter().find(|(name, _)| name == "mark").unwrap();
    String::from_utf8(value.clone().unwrap()).unwrap()
}

fn add_line(stage: &Stage) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(stage.path("in.txt"))
        .unwrap();
    std::io::Write::write_all(&mut file, b"line\n").unwrap();
}

/// Another content at once: a provider never sees half of it.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}
