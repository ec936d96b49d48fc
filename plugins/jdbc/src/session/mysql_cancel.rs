//! Ends a statement of MySQL or MariaDB, which another connection has to ask for.
//!
//! Behind a load balancer that other connection may reach another server, where the number of ours is a stranger's; so it may be after a
//! restart. Nothing is ended that is not known to be ours: not by its number alone, but also by the server's names and by where the
//! connection came from. What is not ended that way ends with its connection, at last.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};

/// Those of these names that the server has.
const NAMES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('hostname', 'port', 'server_id', 'server_uid', 'server_uuid')";

/// One connection, as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    server: Vec<(String, String)>,
    id: u32,
    came_from: String,
}

impl Identity {
    /// Of this connection; nothing where the server does not say, or where a proxy between has numbers of its own.
    pub(super) async fn of(connection: &mut Conn) -> Result<Option<Self>, Error> {
        let id = connection.id();
        match found(connection, id, "CONNECTION_ID()").await {
            Err(Error::Server(refusal)) => {
                tracing::debug!(target: super::LOG, "statements will end with their connection: {refusal}");
                Ok(None)
            }
            found => found,
        }
    }

    /// Ends what it is doing, if these settings lead to its server and it is still there.
    pub(super) async fn end_statement(&self, options: &Opts) -> Result<(), Error> {
        let mut other = Conn::new(options.clone()).await?;
        if found(&mut other, self.id, "ID").await?.as_ref() == Some(self) {
            other.query_drop(format!("KILL QUERY {}", self.id)).await?;
        } else {
            tracing::debug!(target: super::LOG, "connection {} is not one of the server that is reached now", self.id);
        }
        other.disconnect().await
    }
}

/// The connection of this number, if it is this one.
async fn found(connection: &mut Conn, id: u32, this: &str) -> Result<Option<Identity>, Error> {
    let mut server: Vec<(String, String)> = connection.query(NAMES).await?;
    server.sort_unstable();
    let came_from: Option<String> = connection
        .query_first(format!(
            "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = {id} AND ID = {this}"
        ))
        .await?;
    Ok(came_from.map(|came_from| Identity {
        server,
        id,
        came_from,
    }))
}
