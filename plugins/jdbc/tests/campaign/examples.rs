//! The configurations in `config/`: all of them are valid, and they do what they say.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wharf_e2e::{Launch, Stage};

use super::common::{Database, mysql, postgres};
use super::{in_time, until_running, with};

/// Every example of this plugin, by its file name.
fn examples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("connect-jdbc-") {
            let text = fs::read_to_string(&path).unwrap();
            let config = match path.extension().unwrap().to_str() {
                Some("json") => {
                    let whole: Value = serde_json::from_str(&text).unwrap();
                    with(whole["config"].clone(), &[&json!({"name": whole["name"]})])
                }
                _ => of_properties(&text),
            };
            found.push((name, config));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// Lines of keys and values; the examples have no others.
fn of_properties(text: &str) -> Value {
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entries = lines.map(|line| {
        let (key, value) = line.split_once('=').unwrap();
        (key.to_owned(), json!(value))
    });
    Value::Object(entries.collect())
}

fn example(name: &str) -> Value {
    let all = examples();
    let found = all.iter().find(|(file, _)| file == name);
    found.unwrap_or_else(|| panic!("no {name}")).1.clone()
}

/// The example for a database of the tests.
fn for_database(example: Value, database: &Database, more: &Value) -> Value {
    let mut config = with(example, &[&json!({"connection.url": database.url()}), more]);
    let entries = config.as_object_mut().unwrap();
    entries.remove("connection.user");
    entries.remove("connection.password");
    entries.remove("name");
    config
}

#[test]
fn every_example_passes_the_plugins_validation() {
    let Some(stage) = Stage::set_up("jdbc-examples") else {
        return;
    };
    let worker = stage.start(&[], &[]);
    let all = examples();
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "connect-jdbc-mysql-timestamp.json",
            "connect-jdbc-postgres-upsert.json",
            "connect-jdbc-sink.properties",
            "connect-jdbc-source.properties"
        ]
    );
    for (name, config) in &all {
        let class = config["connector.class"].as_str().unwrap();
        let path = format!("/connector-plugins/{class}/config/validate");
        let answer = worker.call("PUT", &path, Some(config), 200);
        let errors: Vec<_> = answer["configs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|config| {
                config["value"]["errors"]
                    .as_array()
                    .is_some_and(|errors| !errors.is_empty())
            })
            .collect();
        // Which is the last thing that is looked at: the database of the example is not here.
        let is_away = |config: &&&Value| {
            let said = config["value"]["errors"].as_array().unwrap();
            let away = |text: &Value| {
                text.as_str()
                    .unwrap()
                    .starts_with("Could not connect to database.")
            };
            config["value"]["name"] == "connection.url" && said.iter().all(away)
        };
        assert_eq!(
            errors.iter().filter(is_away).count(),
            errors.len(),
            "{name}: {errors:?}"
        );
        // A key that nobody knows would be passed over.
        let known: Vec<&str> = answer["configs"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|config| config["definition"]["name"].as_str())
            .collect();
        for key in config.as_object().unwrap().keys() {
            let of_converter = key.starts_with("value.converter.") || key.starts_with("key.converter.");
            assert!(of_converter || known.contains(&key.as_str()), "{name}: {key}");
        }
    }
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_pair_for_sqlite_copies_a_table_and_what_comes_later_also_if_the_file_is_made_after_the_start() {
    let Some(stage) = Stage::set_up("jdbc-pair") else {
        return;
    };
    // Names of the test's own, on a broker that others use.
    let prefix = stage.named("");
    let topic = format!("{prefix}orders");
    stage.kafka().create_topic(&topic, 1, &[]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let files: Vec<_> = ["connect-jdbc-source.properties", "connect-jdbc-sink.properties"]
        .iter()
        .map(|name| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            assert!(text.contains("shop-"), "{text}");
            let name_before = if name.contains("source") {
                "local-jdbc-source"
            } else {
                "local-jdbc-sink"
            };
            let text = text.replace("shop-", &prefix).replace(
                &format!("name={name_before}"),
                &format!("name={prefix}{name_before}"),
            );
            stage.write(name, text)
        })
        .collect();
    let soon = ("offset.flush.interval.ms", "100");
    let worker = stage.launch(&[soon], &files, Launch::default());
    worker.wait_log("cannot be listed");
    let shop = rusqlite::Connection::open(stage.path("shop.db")).unwrap();
    shop.execute_batch(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, amount INTEGER); \
         INSERT INTO orders (item, amount) VALUES ('tea', 2), ('Käse', NULL); \
         CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)",
    )
    .unwrap();
    worker.wait_ready();
    let rows = || -> Vec<String> {
        let Ok(copy) = rusqlite::Connection::open(stage.path("copy.db")) else {
            return Vec::new();
        };
        let query = "SELECT id || '|' || item || '|' || coalesce(amount, 'NULL') FROM orders ORDER BY id";
        let Ok(mut statement) = copy.prepare(query) else {
            return Vec::new();
        };
        let found: rusqlite::Result<Vec<String>> = statement
            .query_map([], |row| row.get(0))
            .and_then(|rows| rows.collect());
        found.unwrap_or_default()
    };
    in_time("the rows are there", || rows() == ["1|tea|2", "2|Käse|NULL"]);
    shop.execute_batch("INSERT INTO orders (item, amount) VALUES ('bread', 1)")
        .unwrap();
    in_time("the new row is there", || {
        rows().last().is_some_and(|row| row == "3|bread|1")
    });
    assert_eq!(
        stage.kafka().partitions(&format!("{prefix}other")),
        None,
        "it was not asked for"
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_example_for_postgresql_writes_changes_and_deletes_rows() {
    let Some(database) = postgres() else { return };
    let Some(stage) = Stage::set_up("jdbc-upsert") else {
        return;
    };
    let topic = stage.named("customers");
    let kafka = stage.kafka();
    kafka.create_topic(&topic, 1, &[]);
    let more = json!({
        "topics": topic, "table.name.format": "customers", "errors.deadletterqueue.topic.name": stage.named("refused")
    });
    let config = for_database(example("connect-jdbc-postgres-upsert.json"), &database, &more);
    let key = |id: i64| {
        let fields = json!([{"field": "id", "type": "int64"}]);
        json!({"schema": {"type": "struct", "fields": fields}, "payload": {"id": id}}).to_string()
    };
    let value = |name: &str| {
        let fields = json!([{"field": "name", "type": "string"}]);
        Some(json!({"schema": {"type": "struct", "fields": fields}, "payload": {"name": name}}).to_string())
    };
    let records = [
        (1, value("Ada")),
        (2, value("Grace")),
        (1, value("Ada L.")),
        (3, value("Edsger")),
        (2, None),
    ];
    kafka.write_records(
        &topic,
        records.into_iter().map(|(id, value)| wharf_e2e::ToWrite {
            key: Some(key(id).into_bytes()),
            value: value.map(String::into_bytes),
            ..wharf_e2e::ToWrite::default()
        }),
    );
    let name = stage.named("upsert");
    let worker = stage.start(&[("offset.flush.interval.ms", "100")], &[]);
    worker.create(&name, config);
    until_running(&worker, &name);
    in_time("all is written", || {
        kafka
            .committed(&format!("connect-{name}"))
            .get(&(topic.clone(), 0))
            == Some(&5)
    });
    assert_eq!(
        database.lines("SELECT id, name FROM customers ORDER BY id"),
        ["1|Ada L.", "3|Edsger"]
    );
    assert_eq!(worker.terminate(), Some(143));
}

#[test]
fn the_example_for_mysql_reads_rows_and_their_changes() {
    let Some(database) = mysql() else { return };
    let Some(stage) = Stage::set_up("jdbc-timestamp") else {
        return;
    };
    database.query(
        "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(20), \
         updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)); \
         INSERT INTO customers (id, name) VALUES (1, 'Ada'), (2, 'Grace')",
    );
    let prefix = stage.named("");
    let topic = format!("{prefix}customers");
    stage.kafka().create_topic(&topic, 1, &[]);
    // The same, with a shorter wait.
    let more =
        json!({"topic.prefix": prefix, "timestamp.delay.interval.ms": "500", "poll.interval.ms": "50"});
    let config = for_database(example("connect-jdbc-mysql-timestamp.json"), &database, &more);
    let worker = stage.start(&[], &[]);
    worker.create(&stage.named("source"), config);
    let mut reader = stage.kafka().reader(&topic);
    let mut names = |count| -> Vec<String> {
        let seen = reader.read(count);
        seen.iter()
            .map(|record| {
                let message: Value = serde_json::from_str(&record.text()).unwrap();
                message["payload"]["name"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    assert_eq!(names(2), ["Ada", "Grace"]);
    database.query("UPDATE customers SET name = 'Ada L.' WHERE id = 1");
    assert_eq!(names(1), ["Ada L."]);
    assert_eq!(worker.terminate(), Some(143));
}
