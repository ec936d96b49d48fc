//! What the database says of a configuration, where validation asks it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::SourceConfig;
use super::definition::SPLIT_SIZE_CONFIG;
use super::scan::{Relation, Scan};
use super::tables;
use crate::dialect::dialect;
use crate::failure::Answer;
use crate::session::{self, Stop};
use crate::table_id::Quoting;

const LOG: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";
/// How long validation takes at most. A database that does not answer within it is not the configuration's fault.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether tables that are to be read in ranges can be: the key it is said of, and the message.
pub(super) fn check(config: &SourceConfig) -> Vec<(&'static str, String)> {
    if config.split_size.is_none() {
        return Vec::new();
    }
    let until = Instant::now() + PATIENCE;
    let stop: Stop = Arc::new(move |wait| {
        let left = until.saturating_duration_since(Instant::now());
        std::thread::sleep(wait.min(left));
        Instant::now() >= until
    });
    let mut config = config.clone();
    config.connection.attempts = 1;
    let messages = splits(&config, &stop).unwrap_or_else(|failure| {
        tracing::warn!(target: LOG, "{SPLIT_SIZE_CONFIG} is not compared with the tables: {failure}");
        Vec::new()
    });
    messages
        .into_iter()
        .map(|message| (SPLIT_SIZE_CONFIG, message))
        .collect()
}

/// Of each table that cannot be read in ranges, why.
fn splits(config: &SourceConfig, stop: &Stop) -> Answer<Vec<String>> {
    let found = tables::list(config, stop)?;
    let mut session = session::connect_to_read(config, stop)?;
    let dialect = dialect(config.connection.url.database);
    let quoting = Quoting {
        quote: dialect.quote(),
        always: config.connection.quote_always,
    };
    let mut messages = Vec::new();
    for table in found.tables {
        let relation = Relation::Table(table);
        let columns = session.columns(&relation, quoting)?;
        if let Err(error) = Scan::new(&relation, &columns, config, dialect, quoting) {
            messages.push(error.message().to_owned());
        }
    }
    Ok(messages)
}
