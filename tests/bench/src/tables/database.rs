//! The PostgreSQL of a run, and what is asked of it.

use std::path::Path;
use std::pin::pin;

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};
use wharf_test_services::Postgres;

/// The columns of every table.
const COLUMNS: &str =
    "id bigint PRIMARY KEY, name text NOT NULL, amount double precision NOT NULL, note text NOT NULL";

/// A server of one's own, and a connection to it.
pub(super) struct Database {
    client: Client,
    runtime: Runtime,
    server: Postgres,
}

impl Database {
    pub(super) fn start() -> Result<Self> {
        // Else checkpoints come at other moments in each round.
        let server = Postgres::start(&[("max_wal_size", "16GB"), ("checkpoint_timeout", "1h")])?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let url = server.url();
        let client = runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(url.trim_start_matches("jdbc:"), NoTls).await?;
            tokio::spawn(connection);
            anyhow::Ok(client)
        })?;
        Ok(Self {
            client,
            runtime,
            server,
        })
    }

    /// As `connection.url` takes it.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.runtime
            .block_on(self.client.batch_execute(sql))
            .with_context(|| format!("the database refused: {sql}"))
    }

    /// A table without rows.
    pub(super) fn create(&self, table: &str) -> Result<()> {
        self.run(&format!("CREATE TABLE {table} ({COLUMNS})"))
    }

    /// A table that has every second of the rows, with other values.
    pub(super) fn create_half_full(&self, table: &str, rows: u64) -> Result<()> {
        self.create(table)?;
        self.run(&format!(
            "INSERT INTO {table} SELECT id, 'old', 0, 'old' FROM generate_series(0, {}, 2) AS id; ANALYZE {table}",
            rows - 1
        ))
    }

    pub(super) fn drop(&self, table: &str) -> Result<()> {
        self.run(&format!("DROP TABLE {table}; CHECKPOINT"))
    }

    /// What psql's `COPY` of a file does, without psql: the server reads the file itself.
    pub(super) fn copy_in(&self, table: &str, file: &Path) -> Result<()> {
        self.run(&format!("COPY {table} FROM '{}'", file.display()))
    }

    /// The same into a table beside it, from which rows are inserted, or replace those that are there.
    pub(super) fn merge_in(&self, table: &str, file: &Path) -> Result<()> {
        self.run(&format!(
            "BEGIN; CREATE TEMP TABLE staging (LIKE {table}) ON COMMIT DROP; COPY staging FROM '{}'; \
             INSERT INTO {table} SELECT * FROM staging ON CONFLICT (id) DO UPDATE SET \
             name = excluded.name, amount = excluded.amount, note = excluded.note; COMMIT",
            file.display()
        ))
    }

    /// Takes all that `COPY … TO STDOUT` sends and lets it go; how many bytes that were.
    pub(super) fn copy_out(&self, table: &str) -> Result<u64> {
        self.runtime.block_on(async {
            let stream = self.client.copy_out(&format!("COPY {table} TO STDOUT")).await?;
            let mut stream = pin!(stream);
            let mut bytes = 0;
            while let Some(part) = stream.try_next().await? {
                bytes += part.len() as u64;
            }
            Ok(bytes)
        })
    }

    /// Whether a row has come.
    pub(super) fn has(&self, table: &str, id: u64) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {table} WHERE id = {id} AND name <> 'old'");
        let found = self.runtime.block_on(self.client.query_opt(&sql, &[]))?;
        Ok(found.is_some())
    }

    /// What all rows together are, in whatever order.
    pub(super) fn content(&self, table: &str) -> Result<String> {
        let sql = format!(
            "SELECT count(*) || ' rows, ' || sum(hashtextextended(t::text, 0)::numeric) FROM {table} AS t"
        );
        let row = self.runtime.block_on(self.client.query_one(&sql, &[]))?;
        Ok(row.try_get(0)?)
    }
}
