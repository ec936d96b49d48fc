//! `wharf migrate check` on the topics of a JVM worker.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};
use wharf_e2e::patches::{lines, noting};
use wharf_test_services::available;
use wharf_test_services::bundle::Bundle;

use crate::group::{Group, eventually, file_sink};
use crate::mixed::{Mixed, ask, create, healthy, path, terminate};

const CHECK: &[&str] = &["migrate", "check", "--json"];
/// Of a key whose value nobody may see.
const SECRET: &str = "s3cret-word";
/// There is no native plugin for it.
const MIRROR: &str = "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector";

fn connector<'a>(report: &'a Value, name: &str) -> &'a Value {
    let connectors = report["connectors"].as_array().unwrap();
    connectors
        .iter()
        .find(|connector| connector["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// Keys that keep a connector from moving.
fn blocked_by(connector: &Value) -> Vec<&str> {
    let problems = connector["problems"].as_array().unwrap();
    problems
        .iter()
        .map(|problem| problem["key"].as_str().unwrap_or_default())
        .collect()
}

fn messages(connector: &Value) -> String {
    connector["problems"].to_string()
}

#[test]
fn connectors_of_a_jvm_worker_are_told_which_of_them_can_move_and_why_others_cannot() {
    let Some(mixed) = Mixed::set_up("migrate") else {
        return;
    };
    let (group, stage) = (&mixed.group, mixed.stage());
    let Some(mirror) = available(Bundle::connect_mirror().fetch()) else {
        return;
    };
    // Several jars are one plugin in a folder of its own.
    std::fs::create_dir(stage.path("java")).unwrap();
    std::os::unix::fs::symlink(mirror, stage.path("java/mirror")).unwrap();
    let plugins = format!("{},{}", mixed.plugins.display(), stage.file("java"));
    let jvm = mixed.launch_jvm_with("jvm", &[("plugin.path", &plugins)]);
    healthy(&jvm);
    let with = |name: &str, more: Value| {
        let mut config = mixed.source(name);
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        create(&jvm, name, config);
    };
    with(
        "moves",
        json!({"producer.override.ssl.key.password": SECRET, "producer.override.linger.ms": "5"}),
    );
    with("stops", json!({}));
    with(
        "headed",
        json!({
            "transforms": "head",
            "transforms.head.type": "org.apache.kafka.connect.transforms.InsertHeader",
            "transforms.head.header": "from",
            "transforms.head.value.literal": "here",
            "errors.tolerance": "all",
        }),
    );
    with(
        "refers",
        json!({"batch.size": "100", "note": "${vault:secret:note}"}),
    );
    with(
        "converts",
        json!({"value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter", "header.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"}),
    );
    create(
        &jvm,
        "mirrors",
        json!({
            "connector.class": MIRROR,
            "tasks.max": "1",
            "source.cluster.alias": "here",
            "target.cluster.alias": "there",
            "source.cluster.bootstrap.servers": stage.bootstrap(),
            "target.cluster.bootstrap.servers": stage.bootstrap(),
            "heartbeats.topic.replication.factor": "1",
            "predicates": "p",
            "predicates.p.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
            "producer.override.ssl.keystore.password": SECRET,
        }),
    );
    create(
        &jvm,
        "writes",
        file_sink(&stage.file("out.txt"), &stage.named("moves")),
    );
    for name in ["moves", "stops"] {
        jvm.until(&path(name, "/offsets"), "the offset is stored", |offsets| {
            offsets["offsets"][0]["offset"]["position"] == 8
        });
    }
    jvm.until(&path("writes", "/offsets"), "its offset is stored", |offsets| {
        offsets["offsets"][0]["offset"]["kafka_offset"] == 2
    });
    ask(&jvm, "PUT", &path("stops", "/stop"), None, 204);
    jvm.until_states("stops", &["STOPPED"]);

    let kafka = stage.kafka();
    let configs = stage.named("configs");
    kafka.produce(&configs, [(Some("connector-strange"), &b"{not json"[..])]);
    let at = kafka.count(&configs) - 1;
    let topics = ["configs", "offsets", "statuses"].map(|topic| stage.named(topic));
    terminate([jvm]);
    let mut before = topics.each_ref().map(|topic| kafka.count(topic));
    eventually("the worker's last words have arrived", || {
        let now = topics.each_ref().map(|topic| kafka.count(topic));
        let is_still = now == before;
        before = now;
        is_still
    });

    let looked = group.look(CHECK, &[]);
    let report = looked.json();
    assert_eq!(
        (looked.code, &report["can_move"]),
        (1, &Value::Bool(false)),
        "{}",
        looked.stderr
    );
    assert_eq!(
        topics.each_ref().map(|topic| kafka.count(topic)),
        before,
        "looking writes nothing"
    );
    assert_eq!(report["group_id"], stage.named("workers"));
    assert_eq!(report["worker"]["can_start"], true, "{}", report["worker"]);
    let differences = report["worker"]["differences"].to_string();
    assert!(
        differences.contains("scheduled.rebalance.max.delay.ms"),
        "{differences}"
    );
    assert!(
        !differences.contains("heartbeat.interval.ms"),
        "the file sets it: {differences}"
    );

    let moves = connector(&report, "moves");
    assert_eq!(
        (&moves["can_move"], blocked_by(moves)),
        (&Value::Bool(true), vec![]),
        "{moves}"
    );
    let plugin = &moves["plugin"];
    assert_eq!(
        plugin["class"],
        "org.apache.kafka.connect.file.FileStreamSourceConnector"
    );
    assert_eq!(
        (&plugin["type"], &moves["class"]),
        (&json!("source"), &json!("FileStreamSource"))
    );
    assert_eq!(
        plugin["task_class"],
        "org.apache.kafka.connect.file.FileStreamSourceTask"
    );
    assert_eq!(
        (
            &moves["offsets"]["count"],
            &moves["tasks"],
            &moves["target_state"]
        ),
        (&json!(1), &json!(1), &json!("STARTED"))
    );
    assert!(
        moves["changes"]
            .to_string()
            .contains("version in its status changes from"),
        "{moves}"
    );

    let stops = connector(&report, "stops");
    assert_eq!(
        (&stops["can_move"], &stops["target_state"], &stops["tasks"]),
        (&json!(true), &json!("STOPPED"), &json!(0))
    );
    assert_eq!(stops["offsets"]["count"], 1);
    let writes = connector(&report, "writes");
    assert_eq!(
        (
            &writes["can_move"],
            &writes["offsets"]["count"],
            &writes["plugin"]["type"]
        ),
        (&json!(true), &json!(1), &json!("sink")),
        "{writes}"
    );
    assert_eq!(writes["offsets"]["place"], "consumer group connect-writes");

    let headed = connector(&report, "headed");
    assert_eq!(headed["can_move"], true, "{headed}");
    let mirrors = connector(&report, "mirrors");
    assert_eq!(
        (&mirrors["can_move"], &mirrors["plugin"], &mirrors["class"]),
        (&json!(false), &Value::Null, &json!(MIRROR))
    );
    assert!(blocked_by(mirrors).contains(&"connector.class"), "{mirrors}");
    assert!(messages(mirrors).contains(&stage.file("plugins")), "{mirrors}");
    let refers = connector(&report, "refers");
    assert!(
        messages(refers).contains("config provider `vault` (in note)"),
        "{refers}"
    );
    let converts = connector(&report, "converts");
    assert_eq!(
        converts["converters"]["value.converter"]["is_available"], true,
        "{converts}"
    );

    let records = report["unreadable_records"].as_array().unwrap();
    let strange: Vec<_> = records.iter().filter(|record| record["offset"] == at).collect();
    assert!(
        strange.len() == 1 && strange[0]["key"] == "connector-strange",
        "{records:?}"
    );
    assert!(
        strange[0]["reason"]
            .as_str()
            .unwrap()
            .contains("another application"),
        "{records:?}"
    );

    let text = group.look(&["migrate", "check"], &[]);
    assert_eq!(text.code, 1);
    for part in [
        "connectors can move.",
        "no native plugin for connector class",
        &format!("offset {at}, key `connector-strange`"),
    ] {
        assert!(text.stdout.contains(part), "{part} is not in\n{}", text.stdout);
    }
    for shown in [&looked.stdout, &looked.stderr, &text.stdout] {
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    // Without the plugins nothing can move; with a worker file that no worker takes, nothing either.
    let empty = stage.path("none");
    std::fs::create_dir(&empty).unwrap();
    let bare = group
        .look(CHECK, &[("plugin.path", &empty.to_string_lossy())])
        .json();
    let all = bare["connectors"].as_array().unwrap();
    assert!(
        all.len() == 7 && all.iter().all(|connector| connector["can_move"] == false),
        "{bare}"
    );
    let refused = group
        .look(
            CHECK,
            &[
                ("rest.extension.classes", "com.example.Auth"),
                ("value.converter", "io.example.AvroConverter"),
            ],
        )
        .json();
    assert_eq!(
        (&refused["worker"]["can_start"], &refused["can_move"]),
        (&json!(false), &json!(false))
    );
    let problems = refused["worker"]["problems"].to_string();
    assert!(
        problems.contains("rest.extension.classes") && problems.contains("io.example.AvroConverter"),
        "{problems}"
    );
    assert_eq!(
        connector(&refused, "moves")["can_move"],
        false,
        "its converter is the worker's"
    );
}

#[test]
fn a_check_asks_no_system_that_a_configuration_names() {
    let Some(group) = Group::set_up("migrate-offline") else {
        return;
    };
    let stage = &group.stage;
    let worker = group.start("one");
    healthy(&worker);
    terminate([worker]);
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    database.set_nonblocking(true).unwrap();
    let address = database.local_addr().unwrap();
    let reader = json!({
        "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector",
        "tasks.max": "1",
        "connection.url": format!("jdbc:postgresql://{address}/shop"),
        "connection.user": "reader",
        "connection.password": "${file:/etc/shop.properties:password}",
        "mode": "bulk",
        "query": "select 1 as one",
        "topic.prefix": "rows",
    });
    // Written as a worker does it, because no worker that tries it would take the configuration.
    let write = |name: &str, mut config: Value| {
        config["name"] = json!(name);
        let record = json!({"properties": config}).to_string();
        let key = format!("connector-{name}");
        stage
            .kafka()
            .produce(&stage.named("configs"), [(Some(key.as_str()), record.as_bytes())]);
    };
    write("reads", reader);
    write("notes", noting(stage));
    let providers = [
        ("config.providers", "file"),
        (
            "config.providers.file.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        ),
    ];
    let report = group.look(CHECK, &providers).json();
    assert_eq!(lines(stage), ["offline"], "{report}");
    let caller = database.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(caller, Err(ErrorKind::WouldBlock), "{report}");
    for name in ["reads", "notes"] {
        assert_eq!(connector(&report, name)["can_move"], true, "{report}");
    }
}
