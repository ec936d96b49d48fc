//! What workers are made of and talk about.

use std::sync::Arc;

use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot, Properties};
use wharf_cluster::herder::WorkId;
use wharf_cluster::member::{self, Output};
use wharf_cluster::protocol::Assignment;
use wharf_cluster::time::Millis;

/// What differs between groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) session: Millis,
    pub(crate) heartbeat: Millis,
    pub(crate) rebalance: Millis,
    pub(crate) request: Millis,
    pub(crate) sync: Millis,
    pub(crate) unsync: Millis,
    /// How long a stop takes that nothing hinders, at most.
    pub(crate) stop: Millis,
    /// After which a stop is given up.
    pub(crate) stop_limit: Millis,
    pub(crate) max_delay: i32,
    /// How late records are read at worst.
    pub(crate) lag: Millis,
}

/// What the member's thread is told.
pub(crate) enum Order {
    EventTaken,
    SetMetadata(i64, Option<Assignment>),
    Rejoin(String),
    Prepared,
    Assignments(i32, Vec<(String, Vec<u8>)>),
    Leave,
    Close,
}

/// What the herder's thread is told.
pub(crate) enum Input {
    Member(member::Event),
    Config(Vec<ConfigEvent>, ConfigSnapshot),
    Read(bool),
    Stopped(WorkId),
    ShutDown,
}

/// A connector instance or a task that runs or has not ended yet.
pub(crate) struct Run {
    pub(crate) id: WorkId,
    pub(crate) number: u64,
    pub(crate) lease: u64,
    /// The connector's configuration, and the task's.
    pub(crate) config: Arc<Properties>,
    pub(crate) task_config: Option<Arc<Properties>>,
    pub(crate) ends_at: Option<Millis>,
}

/// What a worker does that concerns others.
pub(crate) enum Deed {
    Network(Output),
    /// A connector is to be asked for its task configurations.
    Publish {
        name: String,
        run: u64,
    },
}

pub(crate) fn url(number: usize) -> String {
    format!("http://w{number}:8083/")
}
