//! What the database says of a configuration when it is validated.

use super::config::{SinkConfig, TABLE_NAME_FORMAT_CONFIG};
use crate::probe::{self, Asking, Findings};
use crate::session;
use crate::table_id::TableId;

/// What is wrong with it: the keys it is said of, and the messages.
pub(super) fn check(config: &SinkConfig) -> Findings {
    let config = config.clone();
    let connection = config.connection.clone();
    probe::ask(&connection, move |asking| ask(&config, asking))
}

fn ask(config: &SinkConfig, asking: &Asking) -> Findings {
    let quoting = config.connection.quoting();
    let table = config.only_table(quoting.quote).filter(|_| !config.auto_create);
    // A file of SQLite is made by the task, and not by validation.
    if asking.is_without_file {
        table.iter().for_each(|table| note_missing(asking, table));
        return Vec::new();
    }
    let session = session::connect(&asking.connection, &asking.stop, config.trim_sensitive_log);
    let mut session = match asking.connected(session) {
        Ok(session) => session,
        Err(findings) => return findings,
    };
    let Some(table) = table else {
        return Vec::new();
    };
    match session.describe(&table, quoting) {
        Ok(Some(_)) => {}
        Ok(None) => note_missing(asking, &table),
        Err(failure) => asking.warn(&failure),
    }
    Vec::new()
}

/// It may be made after the connector.
fn note_missing(asking: &Asking, table: &TableId) {
    asking.note(&format!(
        "{TABLE_NAME_FORMAT_CONFIG}: table {table} is missing and auto-creation is disabled; make it before records come, see that this \
         user may see it, or set auto.create=true"
    ));
}
