//! The source connector: finds tables, shares them out to tasks, and looks for new ones.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use wharf_api::config::{ConfigDef, ConfigValue};
use wharf_api::source::{ExactlyOnceSupport, SourceOffsetChange};
use wharf_api::{ConfigMap, ConnectError, ConnectorContext, Result, SourceConnector};

use super::config::{SourceConfig, validate};
use super::definition::{TABLES_CONFIG, definition};
use super::{JdbcSourceTask, offset, tables};
use crate::session::Stop;
use crate::table_id::TableId;

const LOG: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";
/// How long the first list of tables is waited for.
const FIRST_LIST: Duration = Duration::from_secs(60);

/// What the monitor knows.
#[derive(Default)]
struct Known {
    /// Nothing until the database was asked.
    tables: Option<Vec<TableId>>,
    /// Why it could not be asked last.
    failure: Option<ConnectError>,
    /// Somebody has waited for the tables in vain.
    was_late: bool,
    /// Names of the configuration that no table has, as they were told last.
    unknown: Vec<String>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables, once they are known.
    fn tables(&self) -> Result<Vec<TableId>> {
        let until = Instant::now() + FIRST_LIST;
        let mut known = self.known();
        loop {
            if let Some(tables) = &known.tables {
                return Ok(tables.clone());
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

/// Looks for tables. What it knows stays what it was while the database cannot be asked.
struct Monitor {
    context: ConnectorContext,
    config: SourceConfig,
    shared: Arc<Shared>,
    stop: Stop,
}

impl Monitor {
    fn run(self) {
        loop {
            self.look();
            if (self.stop)(self.config.table_poll_interval) {
                return;
            }
        }
    }

    fn look(&self) {
        let found = tables::list(&self.config, &self.stop)
            .map_err(|failure| failure.to_error())
            .and_then(|found| tables::check(&found.tables).map(|()| found));
        let mut known = self.shared.known();
        match found {
            Ok(found) => self.take(&mut known, found),
            Err(error) => {
                // What is being read goes on.
                warn!(target: LOG, "the tables of the database cannot be listed: {}", error.message());
                known.failure = Some(error);
            }
        }
        self.shared.changed.notify_all();
    }

    fn take(&self, known: &mut Known, found: tables::Found) {
        if !found.unknown.is_empty() && found.unknown != known.unknown {
            warn!(
                target: LOG,
                "there are no tables {}, or this user may not read them",
                found.unknown.join(", ")
            );
        }
        known.unknown = found.unknown;
        known.failure = None;
        let count = found.tables.len();
        let before = known.tables.replace(found.tables);
        if before == known.tables {
            return;
        }
        if count == 0 {
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

/// A connector that is started.
#[derive(Default)]
struct Running {
    config: ConfigMap,
    is_query: bool,
    quoting: Option<crate::table_id::Quoting>,
    shared: Arc<Shared>,
    monitor: Option<(Arc<super::task::Stopping>, JoinHandle<()>)>,
}

impl Running {
    fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        let parsed = SourceConfig::of(config)?;
        info!(target: LOG, "reading from the {}", parsed.connection.url);
        self.config = config.clone();
        self.is_query = parsed.query.is_some();
        self.quoting = Some(tables::quoting(&parsed, true));
        self.shared = Arc::default();
        if self.is_query {
            return Ok(());
        }
        let stopping = Arc::new(super::task::Stopping::default());
        let flag = Arc::clone(&stopping);
        let monitor = Monitor {
            context,
            config: parsed,
            shared: Arc::clone(&self.shared),
            stop: Arc::new(move |time| flag.wait(time)),
        };
        let thread = std::thread::Builder::new()
            .name("jdbc-tables".to_owned())
            .spawn(move || monitor.run())
            .map_err(|error| ConnectError::connect(format!("no thread to look for tables: {error}")))?;
        self.monitor = Some((stopping, thread));
        Ok(())
    }

    fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
        if self.is_query {
            return Ok(vec![self.config.clone()]);
        }
        let Some(quoting) = self.quoting else {
            return Err(wharf_api::source::not_started());
        };
        let tables = self.shared.tables()?;
        let groups = tables::groups(&tables, max_tasks);
        Ok(groups
            .into_iter()
            .map(|group| {
                let names: Vec<String> = group.iter().map(|table| table.sql(quoting)).collect();
                let mut config = self.config.clone();
                config.insert(TABLES_CONFIG.to_owned(), names.join(","));
                config
            })
            .collect())
    }

    fn stop(&mut self) {
        if let Some((stopping, thread)) = self.monitor.take() {
            stopping.set();
            // A panic was told when it happened.
            let _ = thread.join();
        }
    }
}

/// Rows of one instant may be given twice where time alone says which ones are new, and all of them in bulk.
fn exactly_once(config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
    Ok(Some(if SourceConfig::of(config)?.mode.counts() {
        ExactlyOnceSupport::Supported
    } else {
        ExactlyOnceSupport::Unsupported
    }))
}

macro_rules! source_connectors {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name {
            running: Running,
        }

        impl SourceConnector for $name {
            type Task = JdbcSourceTask;

            fn config(&self) -> ConfigDef {
                definition()
            }

            fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<()> {
                self.running.start(context, config)
            }

            fn task_configs(&self, max_tasks: usize) -> Result<Vec<ConfigMap>> {
                self.running.task_configs(max_tasks)
            }

            fn stop(&mut self) -> Result<()> {
                self.running.stop();
                Ok(())
            }

            fn validate(&self, config: &ConfigMap) -> Result<Vec<ConfigValue>> {
                Ok(validate(config))
            }

            fn exactly_once_support(&self, config: &ConfigMap) -> Result<Option<ExactlyOnceSupport>> {
                exactly_once(config)
            }

            fn alter_offsets(&self, _config: &ConfigMap, offsets: &[SourceOffsetChange]) -> Result<bool> {
                offset::check(offsets)?;
                Ok(true)
            }
        }
    )*};
}

source_connectors! {
    /// Reads tables and queries, under the name that most configurations have.
    JdbcSourceConnector;
    /// The same, under the name that configurations for Aiven's connector have.
    AivenJdbcSourceConnector;
}
