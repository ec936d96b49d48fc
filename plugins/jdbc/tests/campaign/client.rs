//! A connection to a database that a test keeps, for transactions that stay open and statements that may fail.

use mysql_async::prelude::Queryable as _;
use tokio::runtime::{Builder, Runtime};

use super::common::{Database, mysql_options};

/// A connection. What it does not say in time, it says when it is asked the next time.
pub(crate) struct Client {
    runtime: Runtime,
    connection: Connection,
}

enum Connection {
    Postgres(tokio_postgres::Client),
    MySql(Box<mysql_async::Conn>),
}

impl Client {
    /// To PostgreSQL or MariaDB.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn connect(database: &Database) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = match database {
            Database::Postgres { url, schema } => runtime.block_on(async {
                let url = url.trim_start_matches("jdbc:");
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
                    .await
                    .map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                client
                    .batch_execute(&format!("SET search_path TO {schema}"))
                    .await
                    .map_err(|error| error.to_string())?;
                Ok::<_, String>(Connection::Postgres(client))
            })?,
            Database::MySql { url } => runtime.block_on(async {
                let mut connection = mysql_async::Conn::new(mysql_options(url))
                    .await
                    .map_err(|error| error.to_string())?;
                connection
                    .query_drop("SET sql_mode = 'ANSI,STRICT_ALL_TABLES', time_zone = '+00:00'")
                    .await
                    .map_err(|error| error.to_string())?;
                Ok::<_, String>(Connection::MySql(Box::new(connection)))
            })?,
            Database::Sqlite(_) => panic!("a file has no server"),
        };
        Ok(Self { runtime, connection })
    }

    /// Runs statements.
    ///
    /// # Errors
    /// The database's, or that of the connection, which is of no more use then.
    pub(crate) fn run(&mut self, sql: &str) -> Result<(), String> {
        let Self { runtime, connection } = self;
        runtime.block_on(async {
            match connection {
                Connection::Postgres(client) => {
                    client.batch_execute(sql).await.map_err(|error| error.to_string())
                }
                Connection::MySql(connection) => connection
                    .query_drop(sql)
                    .await
                    .map_err(|error| error.to_string()),
            }
        })
    }
}

/// A writer that goes on while its server comes and goes: a statement that failed is repeated by a new connection.
pub(crate) struct Writer<'a> {
    database: &'a Database,
    client: Option<Client>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(database: &'a Database) -> Self {
        Self {
            database,
            client: None,
        }
    }

    /// Runs a statement until it succeeds. It has to be one that may be repeated: it may have been done before its connection ended.
    pub(crate) fn run(&mut self, sql: &str) {
        super::in_time("a writer gets through", || {
            let client = match self.client.take() {
                Some(client) => Ok(client),
                None => Client::connect(self.database),
            };
            self.client = client
                .and_then(|mut client| client.run(sql).map(|()| client))
                .ok();
            self.client.is_some()
        });
    }
}
