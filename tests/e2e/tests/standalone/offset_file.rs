//! The offset file is upstream's own: a JVM worker and this one go on where the other left off.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use wharf_e2e::{PATIENCE, Seen, Stage, properties};
use wharf_test_services::bundle::Bundle;
use wharf_test_services::process::{Lifetime, Service, wait_until};
use wharf_test_services::{available, jvm_connect};

/// Written by a JVM worker of Kafka 4.3.0; `fixtures/README.md` says how.
const OF_JVM_WORKER: &[u8] = include_bytes!("../fixtures/jvm-worker.offsets");

/// The two connectors that the JVM worker ran: name, file, what it had read.
const CONNECTORS: [(&str, &str, &str); 2] = [
    ("jvm-source", "input.txt", "one\ntwo\n"),
    ("jvm-source-2", "grüße-日本.txt", "alpha\nbeta\ngamma\n"),
];

/// Prints what Java reads from an offset file, sorted.
const READER: &str = r#"
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

public class ReadOffsets {
    public static void main(String[] arguments) throws Exception {
        SortedSet<String> lines = new TreeSet<>();
        try (ObjectInputStream in = new ObjectInputStream(new FileInputStream(arguments[0]))) {
            for (Map.Entry<?, ?> entry : ((HashMap<?, ?>) in.readObject()).entrySet()) {
                lines.add(text(entry.getKey()) + "=" + text(entry.getValue()));
            }
        }
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        lines.forEach(out::println);
    }

    private static String text(Object bytes) {
        return bytes == null ? "null" : new String((byte[]) bytes, StandardCharsets.UTF_8);
    }
}
"#;

fn source(stage: &Stage, name: &str, file: &str, topic: &str) -> std::path::PathBuf {
    let config = properties(&[
        ("name", name),
        ("connector.class", "FileStreamSource"),
        ("file", file),
        ("topic", topic),
    ]);
    stage.write(&format!("{name}.properties"), config)
}

#[test]
fn a_file_of_the_jvm_worker_is_continued() {
    let Some(stage) = Stage::set_up("jvm-file") else {
        return;
    };
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    stage.write("offsets", OF_JVM_WORKER);
    let files = CONNECTORS.map(|(name, file, old)| {
        stage.write(file, format!("{old}new of {name}\n"));
        source(&stage, name, file, &topic)
    });
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &files);
    let lines: BTreeSet<_> = stage
        .kafka()
        .reader(&topic)
        .read(2)
        .iter()
        .map(Seen::text)
        .collect();
    assert_eq!(
        lines,
        CONNECTORS.map(|(name, ..)| format!("new of {name}")).into()
    );
    for (name, file, old) in CONNECTORS {
        let end = old.len() + format!("new of {name}\n").len();
        worker.until(
            &format!("/connectors/{name}/offsets"),
            "the position has moved",
            |answer| {
                let offset = &answer["offsets"][0];
                offset["partition"]["filename"] == file && offset["offset"]["position"] == end
            },
        );
    }
    assert_eq!(
        stage.kafka().count(&topic),
        2,
        "nothing that was read before is read again"
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn java_reads_the_file_that_this_worker_writes() {
    // The broker needs Java too, so where the stage can be set up there is one.
    let Some(stage) = Stage::set_up("java-reads") else {
        return;
    };
    let topic = stage.named("lines");
    stage.kafka().create_topic(&topic, 1, &[]);
    let text = "grüße\n日本\n";
    let second = stage.named("zweite-größe");
    stage.write("input.txt", text);
    stage.write("größe.txt", text);
    // An entry that was reset stays as a tombstone.
    stage.write("offsets", OF_JVM_WORKER);
    let connector = |name: &str, file: &str| serde_json::json!({"connector.class": "FileStreamSource", "file": file, "topic": topic, "name": name});
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(&second, connector(&second, "größe.txt"));
    let (reset, file, _) = CONNECTORS[1];
    worker.create(reset, connector(reset, file));
    worker.call("PUT", &format!("/connectors/{reset}/stop"), None, 204);
    worker.call("DELETE", &format!("/connectors/{reset}/offsets"), None, 200);
    assert!(wait_until(PATIENCE, || stage.kafka().count(&topic) == 2));
    assert_eq!(worker.terminate(), Some(143));

    let expected: BTreeSet<String> = [
        format!(
            "[\"{second}\",{{\"filename\":\"größe.txt\"}}]={{\"position\":{}}}",
            text.len()
        ),
        "[\"jvm-source\",{\"filename\":\"input.txt\"}]={\"position\":8}".to_owned(),
        format!("[\"{reset}\",{{\"filename\":\"{file}\"}}]=null"),
    ]
    .into();
    assert_eq!(read_by_java(&stage, &stage.path("offsets")), expected);
}

fn read_by_java(stage: &Stage, offsets: &Path) -> BTreeSet<String> {
    let program = stage.write("ReadOffsets.java", READER);
    let output = Command::new("java")
        .arg(program)
        .arg(offsets)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_jvm_worker_continues_the_file_of_this_worker_and_this_one_the_jvms() {
    let Some(stage) = Stage::set_up("to-jvm") else {
        return;
    };
    let Some(connect) = available(Bundle::connect().fetch()) else {
        return;
    };
    let Some(plugins) = available(Bundle::connect_file().fetch()) else {
        return;
    };
    let (topic, name) = (stage.named("lines"), stage.named("source"));
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let input = stage.file("input.txt");
    let files = [source(&stage, &name, &input, &topic)];
    let mut text = "one\ntwo\n".to_owned();
    stage.write("input.txt", &text);
    let often = [("offset.flush.interval.ms", "100")];
    let worker = stage.start(&often, &files);
    assert!(wait_until(PATIENCE, || kafka.count(&topic) == 2));
    assert_eq!(worker.terminate(), Some(143));

    text += "three\n";
    stage.write("input.txt", &text);
    let more = [often[0], ("plugin.path", plugins.to_str().unwrap())];
    let properties = stage.write("jvm.properties", stage.worker_properties(&more));
    let folder = stage.path("jvm");
    std::fs::create_dir_all(&folder).unwrap();
    let command = jvm_connect::command(
        &connect,
        &jvm_connect::SHORT_RUN,
        "ConnectStandalone",
        &[&properties, &files[0]],
        &folder,
    )
    .unwrap();
    let mut jvm = Service::start(&command, &stage.path("jvm.log"), Lifetime::WithParent).unwrap();
    let sent = wait_until(PATIENCE, || kafka.count(&topic) > 2 || !jvm.is_running());
    assert!(sent && jvm.is_running(), "{}", jvm.log_tail(30));
    assert!(jvm.terminate(PATIENCE).unwrap(), "{}", jvm.log_tail(30));
    let position = format!("{{\"position\":{}}}", text.len());
    let entry = format!("[\"{name}\",{{\"filename\":\"{input}\"}}]={position}");
    assert_eq!(read_by_java(&stage, &stage.path("offsets")), [entry].into());

    text += "four\n";
    stage.write("input.txt", &text);
    let worker = stage.start(&often, &files);
    assert!(wait_until(PATIENCE, || kafka.count(&topic) >= 4));
    assert_eq!(worker.terminate(), Some(143));
    let lines: Vec<_> = kafka
        .reader(&topic)
        .read_to_end()
        .iter()
        .map(Seen::text)
        .collect();
    assert_eq!(lines, ["one", "two", "three", "four"]);
}

#[test]
fn a_file_that_is_missing_empty_or_cut_off_means_no_offsets_and_anything_else_stops_the_start() {
    let Some(stage) = Stage::set_up("bad-file") else {
        return;
    };
    for (what, content) in [
        ("empty", &b""[..]),
        ("cut off", &OF_JVM_WORKER[..OF_JVM_WORKER.len() / 2]),
    ] {
        stage.write("offsets", content);
        let worker = stage.start(&[], &[]);
        assert_eq!(worker.terminate(), Some(143), "{what}");
    }
    for content in [&b"{\"no\": \"Java object\"}"[..], b"\xac\xed\x00\x05t\x00\x03abc"] {
        stage.write("offsets", content);
        let mut worker = stage.launch(&[], &[], wharf_e2e::Launch::default());
        let code = worker.end(PATIENCE);
        assert!(matches!(code, Some(2 | 3)), "{code:?}");
        assert!(worker.log().contains(&stage.file("offsets")), "{}", worker.log());
        assert_eq!(
            stage.read("offsets"),
            content,
            "a file that cannot be read is left as it is"
        );
    }
}
