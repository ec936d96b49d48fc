//! What source and sink connectors have in common: the context the worker gives them.

use std::sync::Arc;

use crate::ConfigMap;
use crate::error::{ConnectError, Result};
use crate::offset_map::OffsetMap;
use crate::plugin::{PluginHost, PluginMetrics};

/// `true` under this key of the configuration that a plugin has to check tells it to ask nobody: it finds only what can be told
/// from the configuration itself. So a worker checks what nobody asks it to try, such as connector files at its start, while
/// the systems that they name may be away, and `wharf migrate check`, which sees references where passwords belong.
pub const VALIDATE_OFFLINE: &str = "wharf.validate.offline";

/// Whether a configuration is to be checked without asking anybody; see [`VALIDATE_OFFLINE`].
#[must_use]
pub fn is_offline(config: &ConfigMap) -> bool {
    config.get(VALIDATE_OFFLINE).is_some_and(|value| value == "true")
}

/// What the worker does for a connector instance; behind [`ConnectorContext`].
pub trait ConnectorHost: PluginHost {
    /// See [`ConnectorContext::request_task_reconfiguration`].
    fn request_task_reconfiguration(&self);

    /// See [`ConnectorContext::raise_error`].
    fn raise_error(&self, error: ConnectError);

    /// Stored offsets of the given source partitions, in their order.
    ///
    /// # Errors
    /// When the offset store cannot be read, or for a sink connector.
    fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>>;

    /// See [`ConnectorContext::configs`].
    fn configs(&self) -> ConfigMap;
}

/// The worker, as a connector sees it. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct ConnectorContext {
    host: Arc<dyn ConnectorHost>,
    plugin_host: Arc<dyn PluginHost>,
}

impl ConnectorContext {
    /// A context over this host.
    #[must_use]
    pub fn new<H: ConnectorHost + 'static>(host: Arc<H>) -> Self {
        Self {
            plugin_host: Arc::clone(&host) as _,
            host,
        }
    }

    /// Asks the worker to call `task_configs` again and to restart the tasks if they changed.
    pub fn request_task_reconfiguration(&self) {
        self.host.request_task_reconfiguration();
    }

    /// Moves the connector to FAILED, with this error as its trace.
    pub fn raise_error(&self, error: ConnectError) {
        self.host.raise_error(error);
    }

    /// Stored source offsets, for source connectors.
    #[must_use]
    pub fn offset_reader(&self) -> OffsetReader {
        let host = Arc::clone(&self.host);
        OffsetReader::new(move |partitions| host.offsets(partitions))
    }

    /// The connector's configuration with the values that config providers give at present: a password may have been changed since the
    /// start. Empty when the worker is too old to say.
    #[must_use]
    pub fn configs(&self) -> ConfigMap {
        self.host.configs()
    }

    /// The connector's own metrics.
    #[must_use]
    pub fn metrics(&self) -> PluginMetrics {
        PluginMetrics::new(Arc::clone(&self.plugin_host))
    }

    /// Whether the worker wants the connector to stop. A thread of the connector's own should watch it.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.host.is_stopping()
    }

    /// Waits at most this long, less when the worker wants the connector to stop. Says whether it does.
    #[must_use]
    pub fn wait(&self, time: std::time::Duration) -> bool {
        self.host.wait(time)
    }
}

type ReadOffsets = dyn Fn(&[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> + Send + Sync;

/// Reads stored source offsets.
#[derive(Clone)]
pub struct OffsetReader {
    read: Arc<ReadOffsets>,
}

impl OffsetReader {
    /// A reader that calls this function.
    #[must_use]
    pub fn new(
        read: impl Fn(&[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Arc::new(read) }
    }

    /// The stored offset of one source partition; `None` when there is none.
    ///
    /// # Errors
    /// When the offset store cannot be read.
    pub fn offset(&self, partition: &OffsetMap) -> Result<Option<OffsetMap>> {
        Ok((self.read)(std::slice::from_ref(partition))?.pop().flatten())
    }

    /// The stored offsets of several source partitions, in their order.
    ///
    /// # Errors
    /// When the offset store cannot be read.
    pub fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        (self.read)(partitions)
    }
}
