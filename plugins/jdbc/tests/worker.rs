//! The connectors in a real worker, with a real broker: topic to table.

mod common;

use common::databases;
use serde_json::{Value, json};
use wharf_e2e::{PATIENCE, Stage};
use wharf_test_services::process::wait_until;

const ROWS: usize = 20_000;

/// What JsonConverter writes for a row with this id.
fn message(id: usize, name: &Value) -> String {
    json!({
        "schema": {"type": "struct", "name": "row", "fields": [
            {"field": "id", "type": "int64"},
            {"field": "name", "type": "string", "optional": true}
        ]},
        "payload": {"id": id, "name": name}
    })
    .to_string()
}

fn sink(url: &str, topic: &str, more: &Value) -> Value {
    let mut config = json!({
        "connector.class": "JdbcSink", "topics": topic, "connection.url": url, "table.name.format": "t",
        "auto.create": "true", "pk.mode": "record_value", "pk.fields": "id",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter"
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

#[test]
fn no_record_is_missing_and_none_is_there_twice_after_a_kill() {
    rows_survive_a_kill("upsert");
}

#[test]
fn rows_that_are_inserted_before_a_kill_are_no_dead_letters_after_it() {
    rows_survive_a_kill("insert");
}

fn rows_survive_a_kill(mode: &str) {
    for (index, database) in databases().into_iter().enumerate() {
        let Some(stage) = Stage::set_up(&format!("jdbc-kill-{mode}-{index}")) else {
            return;
        };
        let (name, topic, letters) = (stage.named("sink"), stage.named("rows"), stage.named("letters"));
        let kafka = stage.kafka();
        kafka.create_topic(&topic, 1, &[]);
        let messages: Vec<String> = (0..ROWS)
            .map(|id| message(id, &json!(format!("name {id}"))))
            .collect();
        kafka.produce_lines(&topic, &messages);
        let more = json!({
            "insert.mode": mode, "errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1"
        });
        let config = sink(&database.url(), &topic, &more);
        let count = || -> usize {
            // There is no table at first.
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                database.lines("SELECT count(*) FROM t")
            }));
            found.map_or(0, |lines| lines[0].parse().unwrap())
        };
        // What was written last comes again.
        let worker = stage.start(&[("offset.flush.interval.ms", "60000")], &[]);
        worker.create(&name, config.clone());
        assert!(wait_until(PATIENCE, || count() > 0), "{}", worker.log());
        worker.kill();
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        worker.create(&name, config);
        let all = wait_until(PATIENCE, || count() >= ROWS);
        let committed = || {
            kafka
                .committed(&format!("connect-{name}"))
                .get(&(topic.clone(), 0))
                .copied()
        };
        let all = all && wait_until(PATIENCE, || committed() == i64::try_from(ROWS).ok());
        assert_eq!(kafka.count(&letters), 0);
        let stored = kafka.committed(&format!("connect-{name}"));
        assert!(all, "{} rows, {stored:?}\n{}", count(), worker.log());
        let rows = database.lines("SELECT count(*), min(id), max(id), count(DISTINCT name) FROM t");
        assert_eq!(rows, [format!("{ROWS}|0|{}|{ROWS}", ROWS - 1)]);
        assert_eq!(worker.terminate(), Some(143));
    }
}

fn source(url: &str, prefix: &str) -> Value {
    let mut config = json!({
        "connector.class": "JdbcSource", "connection.url": url, "mode": "incrementing", "incrementing.column.name": "id",
        "table.whitelist": "items", "topic.prefix": prefix, "poll.interval.ms": "50", "batch.max.rows": "100",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true"
    });
    // Other tests have tables of this name in schemas of their own.
    if let Some((_, schema)) = url.split_once("&currentSchema=") {
        config["schema.pattern"] = json!(schema);
    }
    config
}

#[test]
fn no_row_is_missing_in_the_topic_after_a_kill_and_its_way_on_into_another_table_is_whole() {
    for (index, database) in databases().into_iter().enumerate() {
        let Some(stage) = Stage::set_up(&format!("jdbc-source-{index}")) else {
            return;
        };
        database.query("CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT)");
        let fill = |from: usize, to: usize| {
            database.query(&format!(
                "INSERT INTO items WITH RECURSIVE n(x) AS (SELECT {from} UNION ALL SELECT x + 1 FROM n WHERE x < {}) \
                 SELECT x, 'name ' || x FROM n; SELECT 1",
                to - 1
            ));
        };
        fill(0, ROWS / 2);
        let (name, prefix, topic) = (stage.named("source"), stage.named(""), stage.named("items"));
        stage.kafka().create_topic(&topic, 1, &[]);
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        worker.create(&name, source(&database.url(), &prefix));
        // Some of it is there, and the rest on its way.
        let mut topic_reader = stage.kafka().reader(&topic);
        let mut seen = topic_reader.read(500);
        worker.kill();
        fill(ROWS / 2, ROWS);
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        worker.create(&name, source(&database.url(), &prefix));
        let id = |record: &wharf_e2e::Seen| -> usize {
            let message: Value = serde_json::from_str(&record.text()).unwrap();
            assert_eq!(message["schema"]["name"], "items");
            usize::try_from(message["payload"]["id"].as_u64().unwrap()).unwrap()
        };
        let mut ids: std::collections::BTreeSet<usize> = seen.iter().map(id).collect();
        while ids.len() < ROWS {
            seen = topic_reader.read(1);
            ids.extend(seen.iter().map(id));
        }
        assert_eq!((ids.first(), ids.last()), (Some(&0), Some(&(ROWS - 1))));
        // Where it stands is known to the REST API as the JVM's connector stores it.
        worker.until(
            &format!("/connectors/{name}/offsets"),
            "all offsets are stored",
            |offsets| offsets["offsets"][0]["offset"]["incrementing"] == ROWS - 1,
        );

        let back = stage.named("back");
        let config = sink(
            &database.url(),
            &topic,
            &json!({"insert.mode": "upsert", "table.name.format": "back"}),
        );
        worker.create(&back, config);
        let count = || {
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                database.lines(
                    "SELECT count(*) FROM back JOIN items ON back.id = items.id AND back.name = items.name",
                )
            }));
            found.unwrap_or_default()
        };
        assert!(
            wait_until(PATIENCE, || count() == [ROWS.to_string()]),
            "{:?} {}",
            count(),
            worker.log()
        );
        assert_eq!(worker.terminate(), Some(143));
    }
}

#[test]
fn no_row_is_missing_after_a_kill_where_tasks_share_a_table_and_a_restart_goes_on() {
    for (index, database) in databases().into_iter().enumerate() {
        let Some(stage) = Stage::set_up(&format!("jdbc-split-{index}")) else {
            return;
        };
        database.query("CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT)");
        database.query(&format!(
            "INSERT INTO items WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < {}) \
             SELECT x, 'name ' || x FROM n; SELECT 1",
            ROWS - 1
        ));
        let (name, prefix, topic) = (stage.named("split"), stage.named(""), stage.named("items"));
        stage.kafka().create_topic(&topic, 1, &[]);
        let config = |tasks: &str| {
            let mut config = source(&database.url(), &prefix);
            config["tasks.max"] = json!(tasks);
            config["wharf.split.size"] = json!("500");
            config
        };
        let flush = [("offset.flush.interval.ms", "100")];
        let worker = stage.start(&flush, &[]);
        worker.create(&name, config("3"));
        worker.until_states(&name, &["RUNNING"; 4]);
        let mut topic_reader = stage.kafka().reader(&topic);
        let id = |record: &wharf_e2e::Seen| -> usize {
            let message: Value = serde_json::from_str(&record.text()).unwrap();
            usize::try_from(message["payload"]["id"].as_u64().unwrap()).unwrap()
        };
        let mut ids: std::collections::BTreeSet<usize> = topic_reader.read(500).iter().map(id).collect();
        worker.kill();

        let worker = stage.start(&flush, &[]);
        worker.create(&name, config("2"));
        while ids.len() < ROWS {
            ids.extend(topic_reader.read(1).iter().map(id));
        }
        assert_eq!((ids.first(), ids.last()), (Some(&0), Some(&(ROWS - 1))));
        // Forty ranges, each of a lane of its own, whose last row is known to be stored.
        worker.until(
            &format!("/connectors/{name}/offsets"),
            "all offsets are stored",
            |offsets| {
                let lanes = offsets["offsets"].as_array().map_or(0, |offsets| {
                    let done = offsets.iter().filter(|lane| {
                        let read = lane["offset"]["incrementing"].as_u64().unwrap_or(0);
                        read % 500 == 499
                    });
                    done.count()
                });
                lanes == ROWS / 500
            },
        );
        worker.kill();

        // What follows is the new row alone.
        let worker = stage.start(&flush, &[]);
        topic_reader.read_to_end();
        worker.create(&name, config("3"));
        database.query(&format!("INSERT INTO items VALUES ({ROWS}, 'new'); SELECT 1"));
        let ids: Vec<usize> = topic_reader.read(1).iter().map(id).collect();
        assert_eq!(ids, [ROWS]);
        assert_eq!(worker.terminate(), Some(143));
    }
}

#[test]
fn bad_rows_become_dead_letters_and_keep_their_bytes() {
    for (index, database) in databases().into_iter().enumerate() {
        let Some(stage) = Stage::set_up(&format!("jdbc-letters-{index}")) else {
            return;
        };
        database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL)");
        let (name, topic, letters) = (stage.named("sink"), stage.named("rows"), stage.named("letters"));
        let kafka = stage.kafka();
        kafka.create_topic(&topic, 1, &[]);
        let messages: Vec<String> = (0..100)
            .map(|id| message(id, &if id % 40 == 7 { Value::Null } else { json!("x") }))
            .collect();
        kafka.produce_lines(&topic, &messages);
        let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
        let more = json!({
            "insert.mode": "insert", "errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true"
        });
        worker.create(&name, sink(&database.url(), &topic, &more));
        let seen = kafka.reader(&letters).read(3);
        let texts: Vec<String> = seen.iter().map(wharf_e2e::Seen::text).collect();
        assert_eq!(texts, [7, 47, 87].map(|id| messages[id].clone()));
        assert!(wait_until(PATIENCE, || kafka
            .committed(&format!("connect-{name}"))
            .get(&(topic.clone(), 0))
            == Some(&100)));
        assert_eq!(database.lines("SELECT count(*) FROM t"), ["97"]);
        worker.until_states(&name, &["RUNNING", "RUNNING"]);
    }
}

#[test]
fn validation_names_what_does_not_go_together() {
    let Some(stage) = Stage::set_up("jdbc-validate") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let config = sink(
        "jdbc:oracle:thin:@h:1:x",
        "t",
        &json!({
            "insert.mode": "upsert", "name": "n", "connector.class": "io.aiven.connect.jdbc.JdbcSinkConnector"
        }),
    );
    let answer = worker.call(
        "PUT",
        "/connector-plugins/io.aiven.connect.jdbc.JdbcSinkConnector/config/validate",
        Some(&config),
        200,
    );
    assert_eq!(answer["error_count"], 1, "{answer}");
    let url = answer["configs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|config| config["value"]["name"] == "connection.url")
        .unwrap();
    let said = url["value"]["errors"][0].as_str().unwrap();
    assert!(said.contains("is a pre-release"), "{said}");
}
