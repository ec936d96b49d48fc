//! What a worker measures of itself, and the text in which it tells: every metric of upstream, times of steps, ages of
//! records, and what plugins register.
//!
//! Where it sits: threads of tasks write into their [`TaskMetrics`] with plain atomic additions, once for a batch; herder and
//! membership write into theirs; [`Worker::metrics_text`] reads all of it when somebody asks. What must stay true:
//! - Nothing is measured with a lock that a reader could hold, and no clock is read for each record.
//! - What is served is true of this worker now: metrics of a connector or task are served while the herder has it
//!   ([`Registration`]), and states are those that REST tells.
//! - Every metric is in the [`CATALOGUE`], from which `docs/metrics.md` is made.
//!
//! [`Worker::metrics_text`]: crate::worker::Worker::metrics_text

mod catalogue;
mod clock;
mod coordinator;
mod exposition;
mod facts;
mod histogram;
mod lag;
mod rebalance;
mod reference;
mod registry;
mod sampled;
mod stages;
mod stats;
mod task;
#[cfg(test)]
mod text_check;

pub use self::catalogue::{CATALOGUE, Group, Kind, MetricDef, MetricId};
pub(crate) use self::clock::Moment;
pub(crate) use self::coordinator::CoordinatorMetrics;
pub use self::exposition::TextFormat;
pub(crate) use self::exposition::{Exposition, Labels};
pub(crate) use self::facts::{ChainFacts, ClassFacts, ConnectorFacts, TaskFacts};
pub(crate) use self::lag::Timestamps;
pub(crate) use self::rebalance::{GroupFacts, RebalanceMetrics};
pub use self::reference::reference;
pub(crate) use self::registry::{Registration, WorkerMetrics, context_labels};
pub use self::sampled::Sampling;
pub(crate) use self::stages::{RecordStage, RecordTimer};
pub(crate) use self::task::{TaskKind, TaskMetrics};
