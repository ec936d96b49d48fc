//! `cargo xtask demo jdbc`: a table of a real PostgreSQL server through a topic into a table of SQLite, by a real worker process, while
//! rows are inserted and updated; then both tables are compared, row by row.
#![allow(clippy::print_stdout, reason = "it is there to be looked at")]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use wharf_e2e::{Stage, Worker};
use wharf_embedded_broker::EmbeddedBroker;
use wharf_test_services::Postgres;
use wharf_test_services::process::wait_until;

const SOURCE: &str = "orders-source";
const SINK: &str = "orders-sink";
const TOPIC: &str = "shop-orders";
const ROWS: usize = 50_000;
const MORE_ROWS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(120);

const TABLE: &str = "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL, \
    amount numeric(10, 2) NOT NULL, paid boolean NOT NULL DEFAULT false, updated_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const ALL: &str = "SELECT id::text || '|' || customer || '|' || amount::text || '|' || paid::int::text FROM orders ORDER BY id";
/// The same of SQLite, which keeps a decimal as a number.
const ALL_COPIES: &str =
    "SELECT id || '|' || customer || '|' || printf('%.2f', amount) || '|' || paid FROM orders ORDER BY id";

/// Runs the demo.
///
/// # Errors
/// When something is not as it should be.
pub fn run() -> Result<()> {
    let database = Postgres::start(&[]).context("cannot start PostgreSQL")?;
    step(&format!("a PostgreSQL server at 127.0.0.1:{}", database.port()));
    let shop = Shop::open(&database.url())?;
    shop.insert(ROWS)?;
    step(&format!("a table \"orders\" with {ROWS} rows"));

    let broker = EmbeddedBroker::start().context("cannot start the embedded broker")?;
    step(&format!("an embedded broker at {}", broker.bootstrap()));
    let Some(stage) = Stage::with_shipped_plugins("demo-jdbc", broker.bootstrap()) else {
        bail!("worker and plugins are not built; run this as `cargo xtask demo jdbc`");
    };
    let begun = Instant::now();
    let worker = stage.start(&[("offset.flush.interval.ms", "1000")], &[]);
    step(&format!(
        "wharf standalone worker.properties: ready after {} ms, at http://{}",
        begun.elapsed().as_millis(),
        worker.address()
    ));

    let copy = stage.path("shop.db");
    create(&worker, SOURCE, source(&database.url()));
    create(&worker, SINK, sink(&copy));
    let begun = Instant::now();
    follow(&worker, &shop, &copy, ROWS)?;
    step(&format!(
        "{ROWS} rows went through topic {TOPIC} and are the same in SQLite ({:.1?})",
        begun.elapsed()
    ));

    shop.insert(MORE_ROWS)?;
    let updated = shop.execute("UPDATE orders SET paid = true, amount = amount + 1, updated_at = clock_timestamp() WHERE id % 50 = 0")?;
    step(&format!(
        "{MORE_ROWS} rows more, and {updated} of all are updated"
    ));
    follow(&worker, &shop, &copy, ROWS + MORE_ROWS)?;
    step("SQLite has every row once, as PostgreSQL has it");
    let path = format!("/connectors/{SOURCE}/offsets");
    let offsets = worker.call("GET", &path, None, 200);
    println!("    GET {path}\n        {offsets}");
    step("SIGTERM to the worker");
    let code = worker.terminate();
    if code != Some(143) {
        bail!("the worker did not stop in an orderly way: {code:?}");
    }
    Ok(())
}

fn step(what: &str) {
    println!("==> {what}");
}

fn create(worker: &Worker, name: &str, config: Value) {
    let shown = format!(
        "{}, {}",
        config["connector.class"].as_str().unwrap_or_default(),
        config["connection.url"]
    );
    worker.create(name, config);
    println!("    POST /connectors  {name}: {shown}");
    let status = worker.until_states(name, &["RUNNING", "RUNNING"]);
    println!("    GET /connectors/{name}/status\n        {status}");
}

fn source(url: &str) -> Value {
    json!({
        "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector",
        "connection.url": url,
        "mode": "timestamp+incrementing",
        "timestamp.column.name": "updated_at",
        "incrementing.column.name": "id",
        "schema.pattern": "public",
        "topic.prefix": "shop-",
        "poll.interval.ms": "200",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true"
    })
}

fn sink(file: &Path) -> Value {
    json!({
        "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector",
        "topics": TOPIC,
        "connection.url": format!("jdbc:sqlite:{}", file.display()),
        "table.name.format": "orders",
        "insert.mode": "upsert",
        "pk.mode": "record_value",
        "pk.fields": "id",
        "auto.create": "true",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true"
    })
}

/// Waits until both tables are the same.
fn follow(worker: &Worker, shop: &Shop, copy: &Path, rows: usize) -> Result<()> {
    let wanted = shop.lines()?;
    if wanted.len() != rows {
        bail!("PostgreSQL has {} rows instead of {rows}", wanted.len());
    }
    let mut found = Vec::new();
    let is_same = wait_until(PATIENCE, || {
        // There is no table at first.
        found = copies(copy).unwrap_or_default();
        found == wanted
    });
    if is_same {
        return Ok(());
    }
    let different = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
    bail!(
        "SQLite has {} of {rows} rows; the first that differs: {different:?}\n{}",
        found.len(),
        worker.log()
    )
}

fn copies(file: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(ALL_COPIES)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// The database that the rows come from.
struct Shop {
    runtime: Runtime,
    client: Client,
}

impl Shop {
    fn open(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let url = url.trim_start_matches("jdbc:");
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        // Ends with the client.
        runtime.spawn(connection);
        let shop = Self { runtime, client };
        shop.execute(TABLE)?;
        Ok(shop)
    }

    fn execute(&self, sql: &str) -> Result<u64> {
        let done = self.runtime.block_on(self.client.execute(sql, &[]));
        done.with_context(|| sql.to_owned())
    }

    fn insert(&self, rows: usize) -> Result<()> {
        let sql = format!(
            "INSERT INTO orders (customer, amount) SELECT 'customer ' || n % 997, n * 1.25 FROM generate_series(1, {rows}) AS n"
        );
        self.execute(&sql).map(drop)
    }

    fn lines(&self) -> Result<Vec<String>> {
        let rows = self.runtime.block_on(self.client.query(ALL, &[]))?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
