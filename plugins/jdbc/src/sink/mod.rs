//! The sink: records to rows.

mod careful;
pub(crate) mod cell;
pub(crate) mod config;
mod connector;
mod deadline;
mod pending;
pub(crate) mod shape;
mod task;
mod writer;
mod written_before;

pub use connector::{AivenJdbcSinkConnector, JdbcSinkConnector};
pub use task::JdbcSinkTask;
