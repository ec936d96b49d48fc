//! The three properties files of the demo.

use std::path::Path;

/// Names that the demo uses in more than one place.
pub(crate) const SOURCE: &str = "demo-source";
/// The other connector.
pub(crate) const SINK: &str = "demo-sink";
/// The topic between them.
pub(crate) const TOPIC: &str = "demo-lines";

/// Worker properties: lines travel as they are, offsets are flushed every second so that they can be shown.
pub(crate) fn worker(bootstrap: &str, rest_port: u16, plugins: &Path, offsets: &Path) -> String {
    properties(&[
        ("bootstrap.servers", bootstrap),
        ("listeners", &format!("http://127.0.0.1:{rest_port}")),
        (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        ("offset.storage.file.filename", &offsets.to_string_lossy()),
        ("offset.flush.interval.ms", "1000"),
        ("plugin.path", &plugins.to_string_lossy()),
    ])
}

/// The connector that reads the input file.
pub(crate) fn source(file: &Path) -> String {
    properties(&[
        ("name", SOURCE),
        ("connector.class", "FileStreamSource"),
        ("tasks.max", "1"),
        ("file", &file.to_string_lossy()),
        ("topic", TOPIC),
    ])
}

/// The connector that writes the output file.
pub(crate) fn sink(file: &Path) -> String {
    properties(&[
        ("name", SINK),
        ("connector.class", "FileStreamSink"),
        ("tasks.max", "1"),
        ("file", &file.to_string_lossy()),
        ("topics", TOPIC),
    ])
}

/// One of the lines that travel: numbered, so that a missing or doubled one can be named, and of varying length.
pub(crate) fn line(number: u64) -> String {
    // An odd multiplier scatters the numbers over all values, which makes the text different from line to line.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let tail = format!("{mixed:016x}{:016x}", mixed.rotate_left(23));
    format!("line {number:07} {}\n", &tail[..8 + (mixed >> 60) as usize])
}

fn properties(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={}\n", escape(value)))
        .collect()
}

/// Java properties are ISO-8859-1 with `\uXXXX`, and the backslash is their escape character.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            ' ' if out.is_empty() => out.push_str("\\ "),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_rules_of_java_properties() {
        let cases = [
            ("/tmp/a b", "/tmp/a b"),
            (" lead", "\\ lead"),
            ("C:\\x", "C:\\\\x"),
            ("é", "\\u00e9"),
            ("😀", "\\ud83d\\ude00"),
            ("a\nb", "a\\u000ab"),
        ];
        for (value, expected) in cases {
            assert_eq!(escape(value), expected);
        }
    }

    #[test]
    fn the_worker_listens_where_the_demo_asks_it_and_finds_the_plugins() {
        let text = worker("h:1", 8084, Path::new("/p"), Path::new("/t/o"));
        for line in [
            "bootstrap.servers=h:1",
            "listeners=http://127.0.0.1:8084",
            "plugin.path=/p",
        ] {
            assert!(text.lines().any(|l| l == line), "{text}");
        }
    }

    #[test]
    fn source_and_sink_meet_in_one_topic() {
        assert!(source(Path::new("/in")).contains("topic=demo-lines\n"));
        assert!(sink(Path::new("/out")).contains("topics=demo-lines\n"));
    }

    #[test]
    fn lines_are_numbered_and_differ_in_length() {
        let lengths: std::collections::BTreeSet<_> = (0..200).map(|n| line(n).len()).collect();
        assert!(lengths.len() > 8, "{lengths:?}");
        assert!(line(42).starts_with("line 0000042 ") && line(42).ends_with('\n'));
    }
}
