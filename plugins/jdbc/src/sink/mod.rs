//! The sink: records to rows.

pub(crate) mod cell;
pub(crate) mod config;
mod connector;
mod pending;
pub(crate) mod shape;
mod task;
mod writer;

pub use connector::{AivenJdbcSinkConnector, JdbcSinkConnector};
pub use task::JdbcSinkTask;
