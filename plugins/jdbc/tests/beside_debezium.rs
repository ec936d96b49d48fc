//! The values that arrive in a table, beside those that Debezium's JDBC sink on the JVM writes for the same topic: its keys are its own,
//! and so are the types of the tables it makes, so both write into tables that are there.

mod common;

use std::ffi::OsString;

use common::{Database, mysql, postgres};
use serde_json::{Value, json};
use wharf_e2e::{Launch, PATIENCE, Stage, ToWrite, Worker, properties};
use wharf_test_services::bundle::Bundle;
use wharf_test_services::process::wait_until;
use wharf_test_services::{available, jvm_connect};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
/// The row that comes last.
const LAST: i64 = 99;

/// The columns of both tables, but for the key.
fn columns(database: &Database) -> String {
    let [tiny, double, bytes, time, timestamp] = database.of(
        [""; 5],
        ["smallint", "double precision", "bytea", "time(3)", "timestamp(3)"],
        ["tinyint", "double", "blob", "time(3)", "datetime(3)"],
    );
    format!(
        "i8 {tiny}, i16 smallint, i32 integer, i64 bigint, f32 real, f64 {double}, flag boolean, word text, \
         data {bytes}, price decimal(20,2), made_on date, made_time {time}, made_at {timestamp}"
    )
}

/// A value of each type that Connect has, logical types included.
fn schema() -> Value {
    let field = |name: &str, kind: &str| json!({"field": name, "type": kind, "optional": true});
    let logical = |name: &str, kind: &str, logical: &str| {
        let name_of = format!("org.apache.kafka.connect.data.{logical}");
        json!({"field": name, "type": kind, "optional": true, "name": name_of, "version": 1})
    };
    let mut price = logical("price", "bytes", "Decimal");
    price["parameters"] = json!({"scale": "2"});
    json!({"type": "struct", "name": "row", "fields": [
        {"field": "id", "type": "int64"},
        field("i8", "int8"), field("i16", "int16"), field("i32", "int32"), field("i64", "int64"),
        field("f32", "float"), field("f64", "double"), field("flag", "boolean"), field("word", "string"),
        field("data", "bytes"), price, logical("made_on", "int32", "Date"), logical("made_time", "int32", "Time"),
        logical("made_at", "int64", "Timestamp")
    ]})
}

/// Rows, as their payloads.
fn payloads() -> Vec<Value> {
    let row = |id: i64, values: [Value; 13]| {
        let names = [
            "i8",
            "i16",
            "i32",
            "i64",
            "f32",
            "f64",
            "flag",
            "word",
            "data",
            "price",
            "made_on",
            "made_time",
            "made_at",
        ];
        let mut row = json!({"id": id});
        for (name, value) in names.into_iter().zip(values) {
            row[name] = value;
        }
        row
    };
    let plain = |id: i64, word: &str| {
        let values = [
            json!(1),
            json!(2),
            json!(3),
            json!(4),
            json!(0.5),
            json!(-2.25),
            json!(true),
            json!(word),
            // 00 01 02 FF, and 123.45.
            json!("AAEC/w=="),
            json!("MDk="),
            json!(20_000),
            json!(45_296_789),
            json!(1_700_000_000_123_i64),
        ];
        row(id, values)
    };
    let least = [
        json!(i8::MIN),
        json!(i16::MIN),
        json!(i32::MIN),
        json!(i64::MIN),
        json!(-1.5e30),
        json!(-1.7e308),
        json!(false),
        json!(""),
        json!(""),
        // -123.45
        json!("z8c="),
        json!(0),
        json!(0),
        json!(0),
    ];
    let greatest = [
        json!(i8::MAX),
        json!(i16::MAX),
        json!(i32::MAX),
        json!(i64::MAX),
        json!(1.5e30),
        json!(1.7e308),
        json!(true),
        json!("naïve 雪 🦀 ' \" \\ \n\t%"),
        json!("/w=="),
        // 9999999999999999.99
        json!("DeC2s6dj//8="),
        json!(2_932_896),
        json!(86_399_999),
        json!(253_402_300_799_999_i64),
    ];
    let mut before_1970 = plain(5, "before");
    before_1970["made_on"] = json!(-25_567);
    before_1970["made_at"] = json!(-1_i64);
    vec![
        plain(1, "first"),
        plain(2, "second"),
        row(3, least),
        row(4, greatest),
        before_1970,
        row(6, [const { Value::Null }; 13]),
        plain(1, "changed"),
    ]
}

fn key(id: i64) -> Vec<u8> {
    let schema = json!({"type": "struct", "name": "key", "fields": [{"field": "id", "type": "int64"}]});
    json!({"schema": schema, "payload": {"id": id}})
        .to_string()
        .into_bytes()
}

/// Rows and a changed one. None that is deleted: Debezium's sink passes over a null that no envelope came before.
fn records() -> Vec<ToWrite> {
    let schema = schema();
    let written = |payload: &Value| ToWrite {
        key: Some(key(payload["id"].as_i64().unwrap())),
        value: Some(
            json!({"schema": schema, "payload": payload})
                .to_string()
                .into_bytes(),
        ),
        ..ToWrite::default()
    };
    let mut records: Vec<ToWrite> = payloads().iter().map(written).collect();
    let mut last = payloads().remove(0);
    last["id"] = json!(LAST);
    records.push(written(&last));
    records
}

/// A worker of the JVM with one of Debezium's sinks.
fn debezium(stage: &Stage, topic: &str, url: &str, user: [&str; 2]) -> Option<Worker> {
    let jars = available(Bundle::connect().fetch())?;
    let folder = stage.path("jvm");
    // It takes Jackson from the worker: it looks there for Jackson's modules, which do not fit another copy of it.
    available(Bundle::debezium_jdbc().link(&folder.join("plugins"), "jackson-"))?;
    let plugins = folder.join("plugins");
    let offsets = folder.join("offsets");
    let worker = properties(&[
        ("bootstrap.servers", stage.bootstrap()),
        ("listeners", "http://127.0.0.1:0"),
        ("key.converter", JSON),
        ("value.converter", JSON),
        ("offset.storage.file.filename", &offsets.to_string_lossy()),
        ("plugin.path", &plugins.to_string_lossy()),
    ]);
    let connector = properties(&[
        ("name", &stage.named("theirs")),
        ("connector.class", "io.debezium.connector.jdbc.JdbcSinkConnector"),
        ("topics", topic),
        ("connection.url", url),
        ("connection.username", user[0]),
        ("connection.password", user[1]),
        ("table.name.format", "theirs"),
        ("insert.mode", "upsert"),
        ("primary.key.mode", "record_key"),
        ("primary.key.fields", "id"),
        ("schema.evolution", "none"),
    ]);
    let files = [
        stage.write("jvm/worker.properties", worker),
        stage.write("jvm/sink.properties", connector),
    ];
    let files = files.each_ref().map(std::path::PathBuf::as_path);
    let options = &jvm_connect::SHORT_RUN;
    let command = jvm_connect::command(&jars, options, "ConnectStandalone", &files, &folder).unwrap();
    let arguments: Vec<OsString> = command[1..].iter().map(OsString::from).collect();
    Some(Worker::spawn(
        "java".as_ref(),
        &arguments,
        &folder,
        Launch::default(),
    ))
}

#[test]
fn a_table_has_the_values_that_debezium_writes() {
    for (index, database) in [postgres(), mysql()].into_iter().flatten().enumerate() {
        let Some(stage) = Stage::set_up(&format!("debezium-{index}")) else {
            return;
        };
        for table in ["ours", "theirs"] {
            database.query(&format!(
                "CREATE TABLE {table} (id bigint NOT NULL PRIMARY KEY, {})",
                columns(&database)
            ));
        }
        let url = database.url();
        let (their_url, user) = if database.is_postgres() {
            // The server asks for no password.
            (url.clone(), ["wharf", "none"])
        } else {
            database.query("GRANT ALL ON *.* TO debezium@'127.0.0.1' IDENTIFIED BY 'secret'");
            (url.replace("?user=wharf", ""), ["debezium", "secret"])
        };
        let topic = stage.named("rows");
        stage.kafka().create_topic(&topic, 1, &[]);
        stage.kafka().write_records(&topic, records());
        let Some(jvm) = debezium(&stage, &topic, &their_url, user) else {
            return;
        };
        let worker = stage.start(&[], &[]);
        let config = json!({
            "connector.class": "JdbcSink", "topics": topic, "connection.url": url, "table.name.format": "ours",
            "insert.mode": "upsert", "pk.mode": "record_key", "pk.fields": "id",
            "key.converter": JSON, "value.converter": JSON
        });
        worker.create(&stage.named("ours"), config);
        for (table, its) in [("ours", &worker), ("theirs", &jvm)] {
            let sql = format!("SELECT count(*) FROM {table} WHERE id = {LAST}");
            // A busy machine takes a minute for a JVM worker and its Hibernate.
            let found = wait_until(4 * PATIENCE, || {
                database.lines(&sql) == ["1"] || its.has_ended() || its.log().contains("Task is being killed")
            });
            assert!(found && database.lines(&sql) == ["1"], "{table}: {}", its.log());
        }
        let rows = |table: &str| database.lines(&format!("SELECT * FROM {table} ORDER BY id"));
        let (ours, theirs) = (rows("ours"), rows("theirs"));
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), 7, "{ours:?}");
        assert!(ours[0].contains("|changed|"), "{ours:?}");
        assert_eq!(worker.terminate(), Some(143));
    }
}
