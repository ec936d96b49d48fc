//! The sink: records to rows.

mod careful;
pub(crate) mod cell;
mod check;
pub(crate) mod config;
mod connector;
mod deadline;
mod pending;
mod recommend;
pub(crate) mod shape;
mod task;
mod writer;
mod written_before;

pub use connector::{AivenJdbcSinkConnector, JdbcSinkConnector};
pub use task::JdbcSinkTask;
