//! Databases for tests, asked as a user would ask them.

#![allow(dead_code, reason = "not every test file asks for everything")]

pub(crate) mod contention;
pub(crate) mod losing;
pub(crate) mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;
use tokio_postgres::SimpleQueryMessage;
use wharf_api::{
    ConfigMap, ConnectError, Record, Result, Schema, SchemaBuilder, SchemaRef, Struct, TopicPartition, Value,
};
use wharf_jdbc::wharf_plugin::plugin_module;
use wharf_test_services::{MariaDb, Postgres, available};
use wharf_testkit::SinkHarness;

pub(crate) const SINK: &str = "io.confluent.connect.jdbc.JdbcSinkConnector";

/// A database of one test's own.
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    /// A schema of its own in a shared server, which the connection finds first.
    Postgres {
        url: String,
        schema: String,
    },
    /// A database of its own in a shared server.
    MySql {
        url: String,
    },
}

/// One of each kind, or the first alone where servers cannot be had.
pub(crate) fn databases() -> Vec<Database> {
    let mut all = vec![Database::Sqlite(tempfile::tempdir().unwrap())];
    all.extend(postgres());
    all.extend(mysql());
    all
}

/// MariaDB, where it can be had.
pub(crate) fn mysql() -> Option<Database> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = MariaDb::shared()?;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    mysql_query(&server.url(), &format!("CREATE DATABASE {name}"));
    Some(Database::MySql {
        url: server.url_of(&name),
    })
}

/// Runs statements; the rows of the last one, as text. Nulls are `NULL`, and what is no text is in hexadecimal digits. Texts are
/// joined by `||`, as elsewhere.
pub(crate) fn mysql_query(url: &str, sql: &str) -> Vec<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = mysql_async::Conn::new(mysql_options(url)).await.unwrap();
        connection
            .query_drop("SET sql_mode = 'ANSI,STRICT_ALL_TABLES', time_zone = '+00:00', max_recursive_iterations = 1000000")
            .await
            .unwrap();
        let rows = async {
            let mut result = connection.query_iter(sql).await?;
            loop {
                let found: Vec<mysql_async::Row> = result.collect().await?;
                let rows = found
                    .into_iter()
                    .map(|row| row.unwrap().iter().map(mysql_text).collect())
                    .collect();
                if result.is_empty() {
                    return Ok::<_, mysql_async::Error>(rows);
                }
            }
        };
        let rows = rows.await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        connection.disconnect().await.unwrap();
        rows
    })
}

/// How a client of ours reaches it.
pub(crate) fn mysql_options(url: &str) -> mysql_async::Opts {
    let url = url.trim_start_matches("jdbc:mariadb:").replace("?user=wharf", "");
    let url = format!("mysql:{}?prefer_socket=false", url.replace("//", "//wharf@"));
    mysql_async::Opts::from_url(&url).unwrap()
}

fn mysql_text(value: &mysql_async::Value) -> String {
    match value {
        mysql_async::Value::NULL => "NULL".to_owned(),
        mysql_async::Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(char::is_control) => text.to_owned(),
            _ => wharf_test_services::hex(bytes),
        },
        other => panic!("{other:?}"),
    }
}

/// A PostgreSQL server of the test's own, to be killed.
pub(crate) fn own_server() -> Option<(Postgres, Database)> {
    let server = available(Postgres::start(&[]))?;
    let database = Database::Postgres {
        url: server.url(),
        schema: "public".to_owned(),
    };
    Some((server, database))
}

/// PostgreSQL, where it can be had.
pub(crate) fn postgres() -> Option<Database> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = Postgres::shared()?;
    let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let database = Database::Postgres {
        url: server.url(),
        schema,
    };
    let Database::Postgres { schema, .. } = &database else {
        unreachable!()
    };
    postgres_query(
        &server.url(),
        &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"),
    );
    Some(database)
}

/// Runs statements; the rows of the last one, as text. Nulls are `NULL`.
pub(crate) fn postgres_query(url: &str, sql: &str) -> Vec<Vec<String>> {
    let url = url.trim_start_matches("jdbc:");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut rows = Vec::new();
        for message in client
            .simple_query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
        {
            match message {
                SimpleQueryMessage::Row(row) => rows.push(
                    (0..row.len())
                        .map(|index| row.get(index).unwrap_or("NULL").to_owned())
                        .collect(),
                ),
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                _ => {}
            }
        }
        drop(client);
        let _ = connection.await;
        rows
    })
}

impl Database {
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// What is right for it, of what is written for SQLite, PostgreSQL and MySQL.
    pub(crate) fn of<T>(&self, sqlite: T, postgres: T, mysql: T) -> T {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres { .. } => postgres,
            Self::MySql { .. } => mysql,
        }
    }

    /// The type of times without a zone, with fractions of a second.
    pub(crate) fn timestamp(&self) -> &'static str {
        self.of("TIMESTAMP", "TIMESTAMP", "DATETIME(6)")
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("jdbc:sqlite:{}", folder.path().join("test.db").display()),
            Self::Postgres { url, schema } => format!("{url}&currentSchema={schema}"),
            Self::MySql { url } => url.clone(),
        }
    }

    /// Runs statements; the rows of the last one, as text. Nulls are `NULL`.
    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Postgres { url, schema } => {
                postgres_query(url, &format!("SET search_path TO {schema}; {sql}"))
            }
            Self::MySql { url } => mysql_query(url, sql),
            Self::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
                // All but the last one have no rows.
                let (before, last) = sql.rsplit_once(';').unwrap_or(("", sql));
                connection.execute_batch(before).unwrap();
                let mut statement = connection.prepare(last).unwrap();
                let columns = statement.column_count();
                let mut rows = Vec::new();
                let mut found = statement.query([]).unwrap();
                while let Some(row) = found.next().unwrap() {
                    rows.push(
                        (0..columns)
                            .map(|index| text(row.get_ref(index).unwrap()))
                            .collect(),
                    );
                }
                rows
            }
        }
    }

    /// The rows of a query, each as one text with `|` between its columns.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        self.query(sql).iter().map(|row| row.join("|")).collect()
    }

    /// A sink with its first task on partition 0 of topic `t`.
    pub(crate) fn sink(&self, more: &[(&str, &str)]) -> Sink {
        let sink = self.unstarted(more);
        sink.started().unwrap()
    }

    pub(crate) fn unstarted(&self, more: &[(&str, &str)]) -> Sink {
        let mut config: ConfigMap = [
            ("connection.url", self.url().as_str()),
            ("connection.attempts", "1"),
            ("linger.ms", "0"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        for (key, value) in more {
            config.insert((*key).to_owned(), (*value).to_owned());
        }
        Sink {
            harness: SinkHarness::new(plugin_module(), SINK),
            config,
        }
    }
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef::{Blob, Integer, Null, Real, Text};
    match value {
        Null => "NULL".to_owned(),
        Integer(number) => number.to_string(),
        Real(number) => number.to_string(),
        Text(text) => String::from_utf8_lossy(text).into_owned(),
        Blob(bytes) => wharf_test_services::hex(bytes),
    }
}

/// A sink under test.
pub(crate) struct Sink {
    pub(crate) harness: SinkHarness,
    config: ConfigMap,
}

impl Sink {
    pub(crate) fn started(mut self) -> Result<Self> {
        self.harness.start(&self.config, &[TopicPartition::new("t", 0)])?;
        Ok(self)
    }

    /// A sink whose bad records become dead letters.
    pub(crate) fn tolerant(mut self) -> Self {
        self.harness.worker().set_tolerates_errors(true);
        // What can be reported is asked at the start.
        self.harness.stop().unwrap();
        self.started().unwrap()
    }

    pub(crate) fn put(&mut self, records: &[Record]) -> Result<()> {
        self.harness.put(records)
    }

    /// The offset that may be committed.
    pub(crate) fn safe(&mut self) -> i64 {
        self.harness.pre_commit().unwrap()[&TopicPartition::new("t", 0)]
    }

    /// Offsets that were reported, with what was said.
    pub(crate) fn reports(&self) -> Vec<(i64, ConnectError)> {
        let reports = self.harness.worker().reports();
        reports
            .into_iter()
            .map(|(record, error)| (record.offset, error))
            .collect()
    }
}

/// `id` as the key, and a value of `id`, `name` (optional) and `amount` (optional).
pub(crate) fn value_schema() -> SchemaRef {
    SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("name", Schema::optional_string())
        .field("amount", Schema::optional_int32())
        .build()
        .unwrap()
}

pub(crate) fn key_schema() -> SchemaRef {
    SchemaBuilder::structure()
        .field("id", Schema::int64())
        .build()
        .unwrap()
}

/// A record of topic `t`.
pub(crate) fn record(offset: i64, id: i64, name: Option<&str>, amount: Option<i32>) -> Record {
    let schemas = Schemas::default();
    schemas.record(offset, id, name, amount)
}

/// Schemas that many records share, as those of a converter are.
#[derive(Clone)]
pub(crate) struct Schemas {
    pub(crate) key: SchemaRef,
    pub(crate) value: SchemaRef,
}

impl Default for Schemas {
    fn default() -> Self {
        Self {
            key: key_schema(),
            value: value_schema(),
        }
    }
}

impl Schemas {
    pub(crate) fn record(&self, offset: i64, id: i64, name: Option<&str>, amount: Option<i32>) -> Record {
        let mut value = Struct::new(Arc::clone(&self.value)).unwrap();
        value.put("id", id).unwrap();
        value.put("name", name.map_or(Value::Null, Value::from)).unwrap();
        value
            .put("amount", amount.map_or(Value::Null, Value::from))
            .unwrap();
        self.tombstone(offset, id)
            .with_value(Some(Arc::clone(&self.value)), value)
    }

    pub(crate) fn tombstone(&self, offset: i64, id: i64) -> Record {
        let mut key = Struct::new(Arc::clone(&self.key)).unwrap();
        key.put("id", id).unwrap();
        Record::sink("t", 0, offset).with_key(Some(Arc::clone(&self.key)), key)
    }
}
