//! `wharf dlq list` and `show`, and what a replay refuses, on dead letters as connectors write them.

use serde_json::Value;
use wharf_e2e::security::{assert_no_secret, login, to, trust, worker_settings};
use wharf_e2e::{Stage, ToWrite};
use wharf_test_services::{CertificateFile, KafkaBroker, SecuredListener, Security};

use crate::group::{Group, Looked};

/// A point in time, in milliseconds since 1970, and as it is written.
const EARLY: (i64, &str) = (1_700_000_000_000, "2023-11-14T22:13:20Z");
const HOUR: i64 = 3_600_000;

/// Headers of a failure, as Kafka Connect writes them.
pub(crate) fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Option<Vec<u8>>)> {
    let full = |name: &str| match name.strip_prefix('~') {
        Some(own) => own.to_owned(),
        None if name.starts_with("__") => name.to_owned(),
        None => format!("__connect.errors.{name}"),
    };
    pairs
        .iter()
        .map(|(name, value)| (full(name), Some(value.as_bytes().to_vec())))
        .collect()
}

/// A letter of a sink connector.
pub(crate) fn letter(connector: &str, topic: &str, offset: i64, stage: &str, message: &str) -> ToWrite {
    ToWrite {
        timestamp: Some(EARLY.0 + offset * HOUR),
        key: Some(format!("k{offset}").into_bytes()),
        value: Some(format!("v{offset}").into_bytes()),
        headers: headers(&[
            ("~mine", "x"),
            ("topic", topic),
            ("partition", "0"),
            ("offset", &offset.to_string()),
            ("connector.name", connector),
            ("task.id", "1"),
            ("stage", stage),
            ("class.name", "org.example.Converter"),
            (
                "exception.class.name",
                "org.apache.kafka.connect.errors.DataException",
            ),
            ("exception.message", message),
            (
                "exception.stacktrace",
                "org.apache.kafka.connect.errors.DataException: bad\n\tat org.example.X\n",
            ),
        ]),
        ..ToWrite::default()
    }
}

pub(crate) fn dlq(group: &Group, what: &[&str], topic: &str, more: &[&str]) -> Looked {
    let line = [&["dlq"], what, &["--topic", topic], more].concat();
    group.look(&line, &[])
}

fn counts(overview: &Value) -> Vec<(String, u64)> {
    let groups = overview["groups"].as_array().unwrap();
    groups
        .iter()
        .map(|group| {
            let connector = group["connector"].as_str().unwrap_or("-");
            (connector.to_owned(), group["letters"].as_u64().unwrap())
        })
        .collect()
}

#[test]
fn letters_are_counted_and_selected_by_connector_stage_reason_and_time() {
    let Some(group) = Group::set_up("dlq-list") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let topic = stage.named("dlq");
    kafka.create_topic(&topic, 2, &[]);
    let bare = ToWrite {
        value: Some(b"no context".to_vec()),
        timestamp: Some(EARLY.0),
        partition: Some(1),
        ..ToWrite::default()
    };
    let again = ToWrite {
        headers: [
            letter("b", "u", 9, "TASK_PUT", "").headers,
            headers(&[("__wharf.replay.count", "2"), ("__wharf.replay.topic", "u")]),
        ]
        .concat(),
        ..letter("b", "u", 9, "TASK_PUT", "")
    };
    kafka.write_records(
        &topic,
        [
            letter("a", "t", 0, "VALUE_CONVERTER", "bad JSON"),
            letter("a", "t", 1, "VALUE_CONVERTER", "bad JSON"),
            letter("b", "t", 2, "TRANSFORMATION", "no such field"),
            again,
            bare,
        ],
    );
    let all = dlq(&group, &["list", "--json"], &topic, &[]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    let all = all.json();
    assert_eq!(
        (all["letters"].as_u64(), all["selected"].as_u64()),
        (Some(5), Some(5))
    );
    assert_eq!(
        (all["without_context"].as_u64(), all["replayed_before"].as_u64()),
        (Some(1), Some(1))
    );
    let found = counts(&all);
    assert_eq!(found[0], ("a".to_owned(), 2));
    assert_eq!(found.len(), 4, "{all}");
    let a = &all["groups"][0];
    assert_eq!(a["first"], "2023-11-14T22:13:20.000Z");
    assert_eq!(a["last"], "2023-11-14T23:13:20.000Z");
    assert_eq!(a["sample_message"], "bad JSON");

    let next = "2023-11-14T23:13:20Z";
    for (filter, wanted) in [
        (&["--connector", "a"][..], 2),
        (&["--stage", "transformation"], 1),
        (&["--reason", "JSON"], 2),
        (&["--reason", "dataexception"], 4),
        (&["--since", next], 3),
        (&["--since", EARLY.1, "--until", next], 2),
        (&["--since", "1h"], 0),
        (&["--again"], 1),
        (&["--connector", "a", "--until", next], 1),
    ] {
        let some = dlq(&group, &["list", "--json"], &topic, filter).json();
        assert_eq!(some["selected"].as_u64(), Some(wanted), "{filter:?}: {some}");
    }

    let text = dlq(&group, &["list"], &topic, &["--records", "--limit", "2"]);
    for part in [
        "5 dead letter(s)",
        "1 without context headers",
        "t 0:0",
        "… and 3 more",
        "bad JSON",
        "DataException",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[test]
fn one_letter_is_shown_whole_and_what_is_not_there_is_told() {
    let Some(group) = Group::set_up("dlq-show") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let topic = stage.named("dlq");
    kafka.create_topic(&topic, 1, &[]);
    let binary = ToWrite {
        value: Some(vec![0, 1, 255]),
        ..letter("a", "t", 1, "VALUE_CONVERTER", "bad")
    };
    kafka.write_records(&topic, [letter("a", "t", 0, "VALUE_CONVERTER", "bad"), binary]);
    let shown = dlq(&group, &["show"], &topic, &["--at", "0:0"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for part in [
        "topic t, partition 0, offset 0",
        "a, task 1",
        "VALUE_CONVERTER",
        "    at org.example.X",
        "mine: x",
        "Key (2 bytes)",
        "  v0",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let json = dlq(
        &group,
        &["show", "--json"],
        &topic,
        &["--at", "0:1", "--max-bytes", "2"],
    )
    .json();
    assert_eq!(json["value"]["hex"], "0001");
    assert_eq!(
        (&json["value"]["bytes"], &json["value"]["is_cut"]),
        (&3.into(), &true.into())
    );
    assert_eq!(json["failure"]["offset"], 1);
    assert_eq!(json["headers"].as_array().unwrap().len(), 1);
    for at in ["0:2", "7:0"] {
        let none = dlq(&group, &["show"], &topic, &["--at", at]);
        assert_eq!(none.code, 1, "{at}: {}", none.stdout);
        assert!(none.stderr.contains(at), "{}", none.stderr);
    }
    let none = dlq(&group, &["list"], &stage.named("nothing"), &[]);
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("does not exist"), "{}", none.stderr);
    assert_eq!(
        kafka.partitions(&stage.named("nothing")),
        None,
        "looking makes no topic"
    );
}

#[test]
fn a_replay_refuses_what_would_lose_records_or_do_harm_before_anything_is_sent() {
    let Some(group) = Group::set_up("dlq-refused") else {
        return;
    };
    let (stage, kafka) = (&group.stage, group.stage.kafka());
    let (topic, original) = (stage.named("dlq"), stage.named("original"));
    kafka.create_topic(&topic, 1, &[]);
    let bare = ToWrite {
        value: Some(b"bare".to_vec()),
        ..ToWrite::default()
    };
    let of_source = ToWrite {
        headers: [
            letter("s", &original, 1, "TRANSFORMATION", "bad").headers,
            headers(&[("__wharf.errors.content", "connect-json")]),
        ]
        .concat(),
        ..ToWrite::default()
    };
    kafka.write_records(
        &topic,
        [letter("a", &original, 0, "TASK_PUT", "bad"), bare, of_source],
    );
    let replay = |more: &[&str]| dlq(&group, &["replay"], &topic, more);
    let says = |more: &[&str], code: i32, part: &str| {
        let said = replay(more);
        assert_eq!(said.code, code, "{more:?}: {} {}", said.stdout, said.stderr);
        let all = said.stdout + &said.stderr;
        assert!(all.contains(part), "{more:?}: {part} is not in {all}");
    };
    says(
        &["--to", "original", "--yes", "--connector", "a"],
        2,
        "does not exist",
    );
    assert_eq!(
        kafka.partitions(&original),
        None,
        "no topic is made by a typing error"
    );
    kafka.create_topic(&original, 1, &[("cleanup.policy", "compact")]);
    says(&["--to", "original", "--yes"], 2, "no context headers");
    says(&["--to", "original", "--yes"], 2, "JSON or text");
    says(&["--to", &topic, "--yes"], 2, "back into topic");
    says(&["--to", "original", "--leave"], 2, "--yes");
    says(&["--to", "original", "--leave", "--dry-run"], 0, "compacted");
    assert_eq!(kafka.count(&original), 0);

    says(
        &[
            "--to",
            "original",
            "--leave",
            "--yes",
            "--group",
            &stage.named("own"),
        ],
        0,
        "1 of 1 letter(s)",
    );
    assert_eq!(kafka.count(&original), 1);
    // The same group, another selection.
    let own = stage.named("own");
    let other = [
        "--to",
        "original",
        "--leave",
        "--yes",
        "--connector",
        "a",
        "--group",
        &own,
    ];
    says(&other, 2, "something else");
    assert_eq!(kafka.count(&original), 1);
    // What has no topic of its own goes where it is told.
    let repair = stage.named("repair");
    kafka.create_topic(&repair, 1, &[]);
    says(&["--to", &repair, "--yes"], 0, "3 of 3 letter(s)");
    assert_eq!(kafka.count(&repair), 3);
}

#[test]
fn brokers_that_ask_who_it_is_are_told_as_connectors_tell_them_and_no_secret_is_shown() {
    let Some((broker, security)) = KafkaBroker::shared_secured() else {
        return;
    };
    let Some(stage) = Stage::on("dlq-secured", &broker.bootstrap()) else {
        return;
    };
    let group = Group { stage };
    let (topic, original) = (group.stage.named("dlq"), group.stage.named("original"));
    let kafka = group.stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&original, 1, &[]);
    kafka.write_records(&topic, [letter("a", &original, 0, "TASK_PUT", "bad")]);
    let run = |password: &str, line: &[&str]| {
        let settings = [
            to(security, SecuredListener::SaslSsl, "SASL_SSL"),
            trust(security, CertificateFile::Authority),
            login("PLAIN", password),
        ]
        .concat();
        let all = worker_settings(&settings);
        let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let line = [&["dlq"], line, &["--topic", &topic]].concat();
        let said = group.look(&line, &pairs);
        assert_no_secret(&said.stdout);
        assert_no_secret(&said.stderr);
        said
    };
    let listed = run(Security::PASSWORD, &["list", "--json"]);
    assert_eq!((listed.code, listed.json()["letters"].as_u64()), (0, Some(1)));
    let sent = run(Security::PASSWORD, &["replay", "--to", "original", "--yes"]);
    assert_eq!(sent.code, 0, "{} {}", sent.stdout, sent.stderr);
    assert_eq!(kafka.count(&original), 1);
    let refused = run("wr0ng-word", &["list"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(!refused.stderr.contains("wr0ng-word"), "{}", refused.stderr);
}
