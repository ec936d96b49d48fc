//! The REST API of a worker: Kafka Connect's routes, statuses, bodies and headers over a [`Herder`].
//!
//! This crate holds no logic of its own: it reads requests, asks the herder, and writes answers. What must stay true:
//! reads answer from the herder's snapshot and never wait; changes wait for at most [`Timeouts::request`], after which
//! the client is told what the worker was doing; every error is `{"error_code", "message"}`; a user's mistake never
//! becomes a 500. Where that differs from Kafka Connect, `docs/conformance.md` has a line.
//!
//! Use: [`BoundServer::bind`] opens the sockets (so that the worker's id is known), [`BoundServer::serve`] answers on
//! them, [`RunningServer::stop`] ends it.
//!
//! [`Herder`]: wharf_runtime::herder::Herder

mod api;
mod body;
mod conventions;
mod cors;
mod error;
mod forwarding;
mod media_type;
mod request_log;
mod response_headers;
mod routes;
pub mod secrets;
mod server;
#[cfg(test)]
mod tests;

pub use api::Timeouts;
pub use error::RestError;
pub use routes::{OPENAPI, admin_router, main_router};
pub use server::{BoundServer, RunningServer, local_host};
