//! The source: tables and queries to topics.
//!
//! A row's way: `scan.rs` makes the statement, a connection of `session/` runs it and gives the row's values to `row.rs`, where
//! `column.rs` says what becomes of each; `reader.rs` asks for them on a thread of its own, as `horizon.rs` and `split.rs` say how far, and
//! `output.rs` makes records of them and hands them to `task.rs`.

mod check;
mod column;
mod config;
mod connector;
mod definition;
mod handover;
mod horizon;
mod limit;
mod monitor;
mod offset;
mod output;
mod reader;
mod row;
mod scan;
mod split;
mod table_filter;
mod tables;
mod task;

pub(crate) use column::{Raw, Reading, SourceColumn, SourceType};
pub(crate) use config::SourceConfig;
pub(crate) use offset::At;
pub(crate) use row::{Row, Shape};
pub(crate) use scan::Relation;
pub(crate) use table_filter::TableFilter;

pub use connector::{AivenJdbcSourceConnector, JdbcSourceConnector};
pub use task::JdbcSourceTask;
