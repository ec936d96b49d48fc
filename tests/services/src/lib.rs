//! Real services for tests, started on this machine without containers: an Apache Kafka broker first of all.
//!
//! Sits beside the tests and `xtask`; nothing that ships depends on it. Only the standard library is used, so
//! that a test binary that needs a broker does not become slow to build; the feature `identities` adds OpenSSL.
//!
//! What must stay true:
//! - A service dies with the process that started it, however that process ends (see [`process`]).
//! - "Cannot be had here" and "was there but failed" are different answers ([`ServiceError`]): the first may be
//!   skipped, the second never.
//! - Under `CI=true` or `WHARF_REQUIRE_SERVICES=1` nothing is skipped ([`required`]).
//!
//! A test asks like this:
//!
//! ```no_run
//! use wharf_test_services::KafkaBroker;
//!
//! # fn a_test() {
//! let Some(kafka) = KafkaBroker::shared() else { return };
//! let bootstrap = kafka.bootstrap();
//! # let _ = bootstrap;
//! # }
//! ```

mod archive;
#[cfg(feature = "identities")]
mod authority;
pub mod built;
pub mod bundle;
mod certificates;
mod damage;
mod data_folder;
mod database_server;
mod error;
#[cfg(feature = "identities")]
mod front;
pub mod heap;
mod hex;
pub mod http;
mod identity;
pub mod jvm_connect;
mod kafka;
mod kafka_config;
mod kafka_security;
pub mod mariadb;
pub mod ports;
pub mod postgres;
pub mod process;
mod proxy;
pub mod python;
mod random;
pub mod schema_registry;
mod skip;

#[cfg(feature = "identities")]
pub use authority::Identity;
pub use certificates::{CertificateFile, Certificates};
pub use damage::damage;
pub use error::ServiceError;
#[cfg(feature = "identities")]
pub use front::{Front, acceptor};
pub use hex::{hex, unhex};
pub use identity::{IdentityProvider, TokenAnswer};
pub use kafka::{KafkaBroker, KafkaOptions, SharedKafka};
pub use kafka_security::{SecuredListener, Security};
pub use mariadb::MariaDb;
pub use postgres::Postgres;
pub use process::Lifetime;
pub use proxy::Proxy;
pub use random::Random;
pub use schema_registry::SchemaRegistry;
pub use skip::{REQUIRE_SERVICES, SKIP_LOG, SKIP_REASON, TEST_KAFKA, available, required};

use std::path::{Path, PathBuf};

/// The folder that build outputs go to: `CARGO_TARGET_DIR`, else `target` of this workspace.
pub fn target_dir() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) if Path::new(&dir).is_absolute() => PathBuf::from(dir),
        Some(dir) => root.join(dir),
        None => root.canonicalize().unwrap_or(root).join("target"),
    }
}
