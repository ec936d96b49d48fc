//! What is MySQL's own: its upserts, its limits, its locks; and what becomes of records while a server of it is away.

mod common;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use common::contention::{a_lock_is_given_up, a_row_gets_through, both_get_through};
use common::source::{field, ids, next, started};
use common::{Database, Schemas, mysql, mysql_query, record};
use mysql_async::prelude::Queryable as _;
use wharf_api::{Record, Schema, SchemaBuilder, Struct, Value};
use wharf_test_services::{CertificateFile, Certificates, MariaDb, available};

const KEYED: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), amount INT)";
const ROWS: &str = "SELECT id, name, amount FROM t ORDER BY id";
const UPSERT: [(&str, &str); 2] = [("insert.mode", "upsert"), ("pk.mode", "record_key")];

#[test]
fn an_upsert_never_changes_a_row_with_another_key() {
    for id in ["BIGINT PRIMARY KEY", "BIGINT PRIMARY KEY AUTO_INCREMENT"] {
        let Some(database) = mysql() else { return };
        database.query(&format!(
            "CREATE TABLE t (id {id}, name VARCHAR(20) UNIQUE, amount INT); INSERT INTO t VALUES (1, 'a', 1)"
        ));
        let mut sink = database.sink(&UPSERT).tolerant();
        let schemas = Schemas::default();
        sink.put(&[
            schemas.record(0, 3, Some("b"), Some(1)),
            // The name is that of row 1.
            schemas.record(1, 2, Some("a"), Some(5)),
            schemas.record(2, 1, Some("a"), Some(7)),
        ])
        .unwrap();
        let reports = sink.reports();
        let offsets: Vec<i64> = reports.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, [1], "{id}");
        assert!(
            reports[0].1.message().contains("another unique index"),
            "{}",
            reports[0].1
        );
        assert_eq!(database.lines(ROWS), ["1|a|7", "3|b|1"], "{id}");
    }
}

#[test]
fn a_row_without_a_key_is_not_changed_either() {
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE t (id BIGINT UNIQUE, name VARCHAR(20) UNIQUE, amount INT); INSERT INTO t VALUES (NULL, 'a', 1)",
    );
    let mut sink = database.sink(&UPSERT).tolerant();
    let schemas = Schemas::default();
    sink.put(&[
        schemas.record(0, 1, Some("a"), Some(5)),
        schemas.record(1, 2, Some("b"), Some(6)),
    ])
    .unwrap();
    assert_eq!(sink.reports().len(), 1);
    assert_eq!(database.lines(ROWS), ["NULL|a|1", "2|b|6"]);
}

#[test]
fn a_part_of_a_column_is_no_key() {
    let Some(database) = mysql() else { return };
    database.query("CREATE TABLE t (id VARCHAR(20) NOT NULL, name TEXT, amount INT, UNIQUE (id(3)))");
    let mut sink = database.sink(&UPSERT);
    let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
    assert!(error.message().contains("no unique index"), "{error}");
}

#[test]
fn the_number_0_is_a_number() {
    let Some(database) = mysql() else { return };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), amount INT)");
    let mut sink = database.sink(&UPSERT);
    let schemas = Schemas::default();
    for offset in 0..2 {
        sink.put(&[schemas.record(offset, 0, Some("zero"), None)])
            .unwrap();
    }
    assert_eq!(database.lines(ROWS), ["0|zero|NULL"]);
}

#[test]
fn many_rows_are_written_and_deleted_in_statements_of_many_sizes() {
    let Some(database) = mysql() else { return };
    database.query(KEYED);
    let more = [("delete.enabled", "true"), ("batch.size", "10000")];
    let mut sink = database.sink(&[&UPSERT[..], &more].concat());
    let schemas = Schemas::default();
    let records: Vec<Record> = (0..5_555)
        .map(|n| schemas.record(n, n, Some("x"), Some(1)))
        .chain((0..5_555).step_by(2).map(|n| schemas.tombstone(5_555 + n, n)))
        .collect();
    sink.put(&records).unwrap();
    assert_eq!(
        database.lines("SELECT count(*), min(id), max(id) FROM t"),
        ["2777|1|5553"]
    );
}

#[test]
fn texts_with_anything_in_them_arrive_as_they_are() {
    let Some(database) = mysql() else { return };
    // The default of a new column is part of a statement.
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field(
            "name",
            SchemaBuilder::string()
                .default_value("back\\slash' and `quote` \"")
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let texts = ["\\", "'", "\\'; DROP TABLE t; --", "%_\n\0\u{1f418}", ""];
    let records: Vec<Record> = texts
        .iter()
        .zip(0..)
        .map(|(text, offset)| {
            let mut value = Struct::new(Arc::clone(&schema)).unwrap();
            value.put("id", offset).unwrap();
            value.put("name", *text).unwrap();
            Record::sink("t", 0, offset).with_value(Some(Arc::clone(&schema)), value)
        })
        .collect();
    let mut sink = database.sink(&[("auto.create", "true")]);
    sink.put(&records).unwrap();
    let stored = database.lines("SELECT hex(name) FROM t ORDER BY id");
    let expected: Vec<String> = texts
        .iter()
        .map(|text| wharf_test_services::hex(text.as_bytes()).to_uppercase())
        .collect();
    assert_eq!(stored, expected);
    database.query("INSERT INTO t (id) VALUES (99)");
    assert_eq!(
        database.lines("SELECT name FROM t WHERE id = 99"),
        ["back\\slash' and `quote` \""]
    );
}

#[test]
fn bad_values_alone_are_reported_whatever_is_wrong_with_them() {
    let Some(database) = mysql() else { return };
    database.query("CREATE TABLE t (id TINYINT PRIMARY KEY, name VARCHAR(3), amount DECIMAL(3, 1))");
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("name", Schema::string())
        .field("amount", Schema::float64())
        .build()
        .unwrap();
    let of = |offset: i64, id: i64, name: &str, amount: f64| {
        let mut value = Struct::new(Arc::clone(&schema)).unwrap();
        value.put("id", id).unwrap();
        value.put("name", name).unwrap();
        value.put("amount", amount).unwrap();
        Record::sink("t", 0, offset).with_value(Some(Arc::clone(&schema)), value)
    };
    let mut sink = database.sink(&[]).tolerant();
    sink.put(&[
        of(0, 1, "a", 1.5),
        of(1, 300, "out of range", 1.0),
        of(2, 2, "long", 1.0),
        of(3, 3, "c", 100.0),
        of(4, 4, "d", f64::NAN),
        of(5, 1, "e", 1.0),
        of(6, 6, "f", 6.5),
    ])
    .unwrap();
    let reports = sink.reports();
    let offsets: Vec<i64> = reports.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [1, 2, 3, 4, 5]);
    for (index, part) in ["[1264]", "[1406]", "[1264]", "NaN has no place", "[1062]"]
        .iter()
        .enumerate()
    {
        assert!(reports[index].1.message().contains(part), "{}", reports[index].1);
    }
    assert_eq!(database.lines(ROWS), ["1|a|1.5", "6|f|6.5"]);
}

#[test]
fn a_row_that_no_packet_holds_is_a_bad_one() {
    let Some(server) = available(MariaDb::start(&[("max-allowed-packet", "1M")])) else {
        return;
    };
    let database = Database::MySql { url: server.url() };
    database.query("CREATE TABLE t (id BIGINT PRIMARY KEY, name LONGTEXT, amount INT)");
    let mut sink = database.sink(&[]).tolerant();
    let schemas = Schemas::default();
    let large = "x".repeat(400_000);
    let too_large = "x".repeat(2_000_000);
    // Three are more than one statement may hold.
    let records: Vec<Record> = [&large, &large, &too_large, &large]
        .into_iter()
        .zip(0..)
        .map(|(text, n)| schemas.record(n, n, Some(text), None))
        .collect();
    sink.put(&records).unwrap();
    let reports = sink.reports();
    assert_eq!(reports.len(), 1);
    assert!(
        reports[0].1.message().contains("offset 2: the row takes"),
        "{}",
        reports[0].1
    );
    assert_eq!(
        database.lines("SELECT count(*), sum(length(name)) FROM t"),
        ["3|1200000"]
    );
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_every_record_and_none_is_reported() {
    let Some(mut server) = available(MariaDb::start(&[])) else {
        return;
    };
    let database = Database::MySql { url: server.url() };
    database.query(KEYED);
    let more = [("retry.backoff.ms", "10"), ("connection.backoff.ms", "0")];
    let mut sink = database.sink(&more).tolerant();
    let schemas = Schemas::default();
    sink.put(&[schemas.record(0, 0, None, None)]).unwrap();
    let mode = [("mode", "incrementing"), ("incrementing.column.name", "id")];
    let mut harness = started(&database, &mode);
    assert_eq!(ids(&next(&mut harness, 1)), [0]);

    server.kill().unwrap();
    let batch = [schemas.record(1, 1, None, None), schemas.record(2, 2, None, None)];
    for _ in 0..3 {
        let error = sink.put(&batch).unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert!(error.message().contains("see that the database runs"), "{error}");
        assert_eq!(sink.safe(), 1, "nothing more may be committed");
    }
    assert!(harness.poll().unwrap().is_empty());

    server.restart().unwrap();
    // As the worker puts them again.
    sink.put(&batch).unwrap();
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["0", "1", "2"]);
    assert_eq!(sink.safe(), 3);
    assert!(sink.reports().is_empty());
    assert_eq!(ids(&next(&mut harness, 2)), [1, 2]);
    // Their connections alone are cut.
    for row in database
        .query("SELECT id FROM information_schema.processlist WHERE user = 'wharf' AND id <> connection_id()")
    {
        database.query(&format!("KILL {}", row[0]));
    }
    sink.put(&[schemas.record(3, 3, None, None)]).unwrap();
    assert_eq!(ids(&next(&mut harness, 1)), [3]);
    harness.stop().unwrap();
}

#[test]
fn a_locked_table_is_waited_for_and_a_task_that_stops_waits_no_longer() {
    let Some(database) = mysql() else { return };
    database.query(KEYED);
    let (locked, is_locked) = mpsc::channel();
    let (release, may_release) = mpsc::channel::<()>();
    let name = database.query("SELECT database()")[0][0].clone();
    let url = database.url();
    let holder = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut connection = mysql_async::Conn::new(common::mysql_options(&url)).await.unwrap();
            connection.query_drop("LOCK TABLE t WRITE").await.unwrap();
            locked.send(()).unwrap();
            may_release.recv().unwrap();
            connection.disconnect().await.unwrap();
        });
    });
    is_locked.recv().unwrap();

    let waits = format!(
        "SELECT count(*) FROM information_schema.processlist WHERE db = '{name}' AND state LIKE 'Waiting for%lock'"
    );
    let url = database.url();
    a_lock_is_given_up(&database, "[1969]", move || {
        mysql_query(&url, &waits)[0][0].clone()
    });

    release.send(()).unwrap();
    holder.join().unwrap();
    a_row_gets_through(&database);
}

#[test]
fn two_tasks_that_write_the_same_rows_both_get_through() {
    let Some(database) = mysql() else { return };
    database.query(&format!(
        "{KEYED}; INSERT INTO t SELECT seq, 'x', 0 FROM seq_0_to_99"
    ));
    both_get_through(&database, &[], "[1213]");
}

#[test]
fn who_is_not_let_in_is_told_at_once() {
    let Some(database) = mysql() else { return };
    for (from, to, said) in [
        ("user=wharf", "user=nobody", "[1045]"),
        ("/test_", "/nowhere_", "[1049]"),
    ] {
        let url = database.url().replace(from, to);
        let mut sink = database.sink(&[("connection.url", &url), ("connection.attempts", "3")]);
        let error = sink.put(&[record(0, 1, None, None)]).unwrap_err();
        assert!(!error.is_retriable());
        assert!(error.message().contains(said), "{error}");
    }
}

#[test]
fn a_server_proves_who_it_is_where_the_url_asks_for_it() {
    let Some((server, certificates)) = available(MariaDb::start_secured()) else {
        return;
    };
    let path = |file| certificates.path(file).display().to_string();
    let authority = path(CertificateFile::Authority);
    let database = Database::MySql { url: server.url() };
    let cipher = "SELECT VARIABLE_VALUE AS x FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'";
    let attempt = |parameters: &str| {
        let mut url = format!("{}&{parameters}", database.url());
        if parameters.contains("user=") {
            url = url.replace("user=wharf&", "");
        }
        let more = [
            ("connection.url", url.as_str()),
            ("mode", "bulk"),
            ("query", cipher),
            ("query.retry.attempts", "0"),
        ];
        let mut harness = started(&database, &more);
        let read = harness.poll_for(1);
        harness.stop().unwrap();
        read.map(|mut records| match field(&records.remove(0), "x") {
            Value::String(text) => text.clone(),
            other => panic!("{other:?}"),
        })
    };
    let stranger = path(CertificateFile::Stranger);
    let store = path(CertificateFile::TrustPkcs12);
    database.query("CREATE USER known@'127.0.0.1' REQUIRE X509; GRANT ALL ON *.* TO known@'127.0.0.1'");
    let known = format!("sslMode=verify-full&serverSslCert={authority}&user=known");
    for parameters in [
        "sslMode=trust".to_owned(),
        "sslMode=PREFERRED".to_owned(),
        format!("sslMode=verify-ca&serverSslCert={authority}"),
        format!("sslMode=verify-full&serverSslCert={authority}"),
        format!(
            "sslMode=VERIFY_CA&trustCertificateKeyStoreUrl=file:{store}&trustCertificateKeyStorePassword={}",
            Certificates::PASSWORD
        ),
        format!(
            "{known}&keyStore={}&keyStorePassword={}",
            path(CertificateFile::ClientPkcs12),
            Certificates::PASSWORD
        ),
        format!("{known}&keyStore={}", path(CertificateFile::ClientPem)),
    ] {
        assert!(attempt(&parameters).unwrap().starts_with("TLS"), "{parameters}");
    }
    assert_eq!(attempt("sslMode=disable").unwrap(), "");
    for parameters in [
        "sslMode=verify-full".to_owned(),
        "sslMode=verify-ca".to_owned(),
        "useSsl=true".to_owned(),
        format!("sslMode=verify-ca&serverSslCert={stranger}"),
    ] {
        let error = attempt(&parameters).unwrap_err();
        let whole = format!("{error:#}");
        assert!(whole.contains("certificate"), "{parameters}: {whole}");
    }
}

/// A record of a table with a key of one text or number, and an amount; a tombstone without one.
fn keyed(offset: i64, id: Value, amount: Option<i32>) -> Record {
    let id_schema = match id {
        Value::String(_) => Schema::string(),
        _ => Schema::int64(),
    };
    let structure = || SchemaBuilder::structure().field("id", Arc::clone(&id_schema));
    let key_schema = structure().build().unwrap();
    let mut key = Struct::new(Arc::clone(&key_schema)).unwrap();
    key.put("id", id.clone()).unwrap();
    let record = Record::sink("t", 0, offset).with_key(Some(key_schema), key);
    let Some(amount) = amount else { return record };
    let schema = structure().field("amount", Schema::int32()).build().unwrap();
    let mut value = Struct::new(Arc::clone(&schema)).unwrap();
    value.put("id", id).unwrap();
    value.put("amount", amount).unwrap();
    record.with_value(Some(schema), value)
}

#[test]
fn of_keys_that_are_one_to_the_database_the_later_write_stays() {
    for database in [mysql(), Some(Database::Sqlite(tempfile::tempdir().unwrap()))] {
        let Some(database) = database else { return };
        let (column, keys) = match database {
            Database::Sqlite(_) => ("TEXT COLLATE NOCASE", ["a", "A"]),
            _ => ("VARCHAR(20)", ["é", "E"]),
        };
        database.query(&format!(
            "CREATE TABLE t (id {column} PRIMARY KEY, amount INT); SELECT 1"
        ));
        let mut sink = database.sink(&UPSERT);
        let records: Vec<Record> = [keys[0], keys[1], keys[0], keys[1]]
            .iter()
            .zip(0..)
            .map(|(key, offset)| keyed(offset, Value::from(*key), Some(i32::try_from(offset).unwrap())))
            .collect();
        sink.put(&records[..2]).unwrap();
        assert_eq!(database.lines("SELECT amount FROM t"), ["1"]);
        sink.put(&records[2..]).unwrap();
        assert_eq!(database.lines("SELECT amount FROM t"), ["3"]);
    }
}

#[test]
fn a_key_takes_its_own_row_and_none_that_looks_like_it() {
    const DELETES: [(&str, &str); 3] = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("delete.enabled", "true"),
    ];
    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE t (id VARCHAR(30) PRIMARY KEY, amount INT); INSERT INTO t VALUES ('1234567890123456789', 1), \
         ('1234567890123456788', 2), ('1', 3), ('01', 4), ('none', 5)",
    );
    let mut sink = database.sink(&DELETES).tolerant();
    sink.put(&[
        keyed(0, Value::Int64(1_234_567_890_123_456_789), None),
        keyed(1, Value::Int64(1), None),
        keyed(2, Value::Int64(0), None),
    ])
    .unwrap();
    assert_eq!(
        database.lines("SELECT id FROM t ORDER BY amount"),
        ["1234567890123456788", "01", "none"]
    );
    assert!(sink.reports().is_empty());

    let Some(database) = mysql() else { return };
    database.query(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, amount INT); INSERT INTO t VALUES (0, 1), (12, 2), (13, 3)",
    );
    let mut sink = database.sink(&DELETES).tolerant();
    let text = |offset, text: &str| keyed(offset, Value::from(text), None);
    sink.put(&[text(0, "12abc"), text(1, "abc"), text(2, "13")])
        .unwrap();
    assert_eq!(database.lines("SELECT id FROM t ORDER BY id"), ["0", "12"]);
    let offsets: Vec<i64> = sink.reports().iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [0, 1]);
}
