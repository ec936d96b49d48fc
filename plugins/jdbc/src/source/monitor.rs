//! Looks for tables while the connector runs.
//!
//! What is known of them stays what it was while the database cannot be asked. Each look logs in anew, with the configuration of its
//! moment. What cannot heal by itself makes the connector FAILED: before the first list there is nothing to go on with, and later
//! tasks go on with the tables that they have.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};
use wharf_api::{ConnectError, ConnectorContext, Result};

use super::config::SourceConfig;
use super::offset::At;
use super::tables::{self, Found};
use crate::session::Stop;
use crate::table_id::TableId;

const LOG: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";
/// How long the first list of tables is waited for.
const FIRST_LIST: Duration = Duration::from_secs(60);
/// Between two looks as long as there is no list.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What the monitor knows.
#[derive(Default)]
struct Known {
    /// Nothing until the database was asked.
    tables: Option<Vec<TableId>>,
    /// The database's time at the first look, where rows are read from then on.
    began: Option<At>,
    /// Why it could not be asked last.
    failure: Option<ConnectError>,
    /// Somebody has waited for the tables in vain.
    was_late: bool,
    /// Names and patterns of the configuration that no table has, as they were told last.
    unknown: Vec<(&'static str, String)>,
}

/// What the monitor knows, for those who ask.
#[derive(Default)]
pub(super) struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables and, where it matters, when reading began, once they are known.
    ///
    /// # Errors
    /// Why they are not: retriable unless somebody has to do something about it.
    pub(super) fn tables(&self) -> Result<(Vec<TableId>, Option<At>)> {
        let until = Instant::now() + FIRST_LIST;
        let mut known = self.known();
        loop {
            if let Some(tables) = &known.tables {
                return Ok((tables.clone(), known.began));
            }
            if let Some(failure) = known.failure.as_ref().filter(|failure| !failure.is_retriable()) {
                return Err(failure.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                known.was_late = true;
                let why = known.failure.clone();
                return Err(why.unwrap_or_else(|| {
                    ConnectError::retriable("the database has not said in time which tables there are")
                }));
            }
            known = self
                .changed
                .wait_timeout(known, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// What looks for tables.
pub(super) struct Monitor {
    pub(super) context: ConnectorContext,
    /// As the connector was started.
    pub(super) config: SourceConfig,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: Stop,
}

impl Monitor {
    /// Looks until it is told to stop, or there is nothing more to look for.
    pub(super) fn run(self) {
        let mut retry = FIRST_RETRY;
        while self.look() {
            let wait = match self.shared.known().tables {
                Some(_) if self.config.query.is_some() => return,
                Some(_) => self.config.table_poll_interval,
                None => retry,
            };
            retry = retry.saturating_mul(2).min(LAST_RETRY);
            if (self.stop)(wait) {
                return;
            }
        }
    }

    /// Looks once. Says whether it is of use to look again.
    fn look(&self) -> bool {
        let is_first = self.shared.known().tables.is_none();
        let found = self.present(is_first).and_then(|config| {
            let found = tables::list(&config, &self.stop).map_err(|failure| failure.to_error())?;
            Ok((tables::check(&found.tables), found))
        });
        let mut known = self.shared.known();
        let hopeless = match found {
            Ok((Ok(()), found)) => {
                self.take(&mut known, found);
                None
            }
            // Whether there is a list or not: nobody would read what has come.
            Ok((Err(error), _)) => Some(error),
            Err(error) if is_first && !error.is_retriable() => Some(error),
            Err(error) => {
                // What is being read goes on.
                warn!(target: LOG, "the tables of the database cannot be listed: {}", error.message());
                known.failure = Some(error);
                None
            }
        };
        if let Some(error) = &hopeless {
            known.failure = Some(error.clone());
        }
        drop(known);
        let goes_on = hopeless.is_none();
        if let Some(error) = hopeless {
            self.context.raise_error(error);
        }
        self.shared.changed.notify_all();
        goes_on
    }

    /// How the database is reached at present. Before the first list the next look is near enough to try a connection once.
    fn present(&self, is_first: bool) -> Result<SourceConfig> {
        let mut config = self.config.clone();
        let present = self.context.configs();
        if !present.is_empty() {
            config.connection = SourceConfig::of(&present)?.connection;
        }
        if is_first {
            config.connection.attempts = 1;
        }
        Ok(config)
    }

    fn take(&self, known: &mut Known, found: Found) {
        if !found.unknown.is_empty() && found.unknown != known.unknown {
            let names: Vec<&str> = found.unknown.iter().map(|(_, name)| name.as_str()).collect();
            warn!(
                target: LOG,
                "there are no tables {}, or this user may not read them",
                names.join(", ")
            );
        }
        known.unknown = found.unknown;
        known.failure = None;
        known.began = known.began.or(found.now);
        let count = found.tables.len();
        let before = known.tables.replace(found.tables);
        if before == known.tables {
            return;
        }
        if count == 0 && self.config.query.is_none() {
            warn!(
                target: LOG,
                "no table is there to be read: look at table.whitelist and its like, schema.pattern, and what the user may read"
            );
        }
        if before.is_some() || std::mem::take(&mut known.was_late) {
            info!(target: LOG, "there are other tables than before, {count} now; tasks get new configurations");
            self.context.request_task_reconfiguration();
        }
    }
}
