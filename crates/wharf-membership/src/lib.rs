//! The connection by which a worker is a member of its group.
//!
//! librdkafka joins groups of consumers only, so the group of workers has a connection of its own: Kafka's messages from
//! `kafka-protocol`, over TCP, TLS by the same OpenSSL that librdkafka uses, and SASL. What to say on it is decided by
//! [`wharf_cluster::member`]; this crate carries it.
//!
//! What must stay true:
//! - Settings are librdkafka's own, already translated from the Java clients' ones, so that a store, a password or a host name
//!   check that works for producers works here and the other way round.
//! - A request that got no answer in time closes its connection: a late answer must never be taken for that of another request.
//! - Passwords and keys appear in no error and no log line.

mod connection;
mod error;
mod group_client;
mod lease;
mod messages;
mod sasl;
mod settings;
mod transport;

pub use self::connection::{BrokerAddress, Connection};
pub use self::error::ConnectionError;
pub use self::group_client::{Exchange, GroupClient, GroupEvent};
pub use self::lease::{Clock, HeldLease, Lease};
pub use self::settings::{ConnectionSettings, SaslSettings, TlsSettings, TokenLogin};
