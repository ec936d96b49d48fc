//! The source connector: finds tables, shares them out to tasks, and looks for new ones.

use std::sync::Arc;
use std::thread::JoinHandle;

use tracing::{info, warn};
use wharf_api::config::{ConfigDef, ConfigValue};
use wharf_api::source::{ExactlyOnceSupport, SourceOffsetChange};
use wharf_api::{ConfigMap, ConnectError, ConnectorContext, Result, SourceConnector};

use super::config::{Mode, SourceConfig, validate};
use super::definition::{BEGAN_CONFIG, MODE_CONFIG, SHARE_CONFIG, TABLES_CONFIG, definition};
use super::monitor::{Monitor, Shared};
use super::split::{LANES, Share};
use super::{JdbcSourceTask, offset, tables};
use crate::jvm_keys;
use crate::table_id::TableId;

const LOG: &str = "io.confluent.connect.jdbc.JdbcSourceConnector";

/// A connector that is started.
#[derive(Default)]
struct Running {
    config: ConfigMap,
    is_query: bool,
    /// Whether rows are read from the connector's start on.
    begins_now: bool,
    splits: bool,
    quoting: Option<crate::table_id::Quoting>,
    shared: Arc<Shared>,
    monitor: Option<(Arc<super::task::Stopping>, JoinHandle<()>)>,
}

impl Running {
    fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<()> {
        let parsed = SourceConfig::of(config)?;
        info!(target: LOG, "reading from the {}", parsed.connection.url);
        if let Some(text) = jvm_keys::warning(&definition().validate(config)) {
            warn!(target: LOG, "{text}");
        }
        self.config = config.clone();
        self.is_query = parsed.query.is_some();
        self.splits = parsed.split_size.is_some();
        self.quoting = Some(tables::quoting(&parsed, true));
        self.shared = Arc::default();
        self.begins_now = parsed.begins_now();
        if self.is_query && !self.begins_now {
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
        let Some(quoting) = self.quoting else {
            return Err(wharf_api::source::not_started());
        };
        let mut all = self.config.clone();
        let mut tables = Vec::new();
        if !self.is_query || self.begins_now {
            let began;
            (tables, began) = self.shared.tables()?;
            // Tasks that are started again begin where they began.
            all.extend(began.map(|began| (BEGAN_CONFIG.to_owned(), offset::millis(began).to_string())));
        }
        if self.is_query {
            return Ok(vec![all]);
        }
        let of_group = |group: &[TableId]| {
            let names: Vec<String> = group.iter().map(|table| table.sql(quoting)).collect();
            let mut config = all.clone();
            config.insert(TABLES_CONFIG.to_owned(), names.join(","));
            config
        };
        if self.splits && !tables.is_empty() {
            // Ranges of all of them for everybody.
            let config = of_group(&tables);
            let shares = Share::of_tasks(max_tasks.min(LANES.into()));
            return Ok(shares
                .map(|share| {
                    let mut config = config.clone();
                    config.insert(SHARE_CONFIG.to_owned(), share);
                    config
                })
                .collect());
        }
        let groups = tables::groups(&tables, max_tasks);
        Ok(groups.into_iter().map(of_group).collect())
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

/// The mode of a configuration, which need not be whole.
fn mode(config: &ConfigMap) -> Option<Mode> {
    let name = config.get(MODE_CONFIG)?;
    let found = Mode::NAMES.iter().find(|(known, _)| known == name);
    found.map(|(_, mode)| *mode)
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

            fn alter_offsets(&self, config: &ConfigMap, offsets: &[SourceOffsetChange]) -> Result<bool> {
                offset::check(offsets, mode(config))?;
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
