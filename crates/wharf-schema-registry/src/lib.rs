//! A blocking client of the Schema Registry, and what the converters that keep their schemas there have in common.
//!
//! Used by the Avro, JSON Schema and Protobuf plugins only; the worker does not know it. From the outside in:
//!
//! - [`SchemaRegistry`] is what a converter holds: which schema to write a record with, under which id
//!   ([`SchemaRegistry::for_write`]), and which schema a message was written with ([`SchemaRegistry::for_read`]). Both ask
//!   the network only for what they have not seen.
//! - [`SchemaRegistryClient`] makes the calls of the registry's REST API, with caches, retries and fail-over.
//! - [`TopicCache`] keeps what a converter prepared for a schema or an id of a topic.
//! - [`wire`] is the form of a message: magic byte and id, or a GUID in a header.
//! - [`config`] is the catalogue of keys that all three converters share.
//! - [`testing`] is a registry in this process, for tests without network.
//!
//! What must stay true: keys, default values, error classes and the texts around errors are those of the converters these
//! plugins stand in for; a secret never appears in a message or in a `Debug` text; every cache is bounded.

mod auth;
mod backup;
mod client;
pub mod config;
mod error;
mod http;
mod imports;
mod issuer;
mod model;
mod retry;
mod rules;
mod serde;
mod subject;
pub mod testing;
mod tls;
mod topic_cache;
pub mod wire;

pub use backup::{BackedUp, WRAPPER};
pub use client::{Attempted, SchemaRegistryClient};
pub use config::RegistryConfig;
pub use error::{Direction, Format, RegistryError, serialization};
pub use imports::{FindImports, ImportedSchema};
pub use model::{Guid, RegisteredSchema, RegistrySchema, SchemaReference};
pub use rules::{RuleMode, RuleOverrides, RulePhase, RuleSet};
pub use serde::{
    Compatibility, Compatible, References, SchemaRegistry, SchemaToWrite, WrittenWith, reference_texts,
};
pub use subject::SubjectNameStrategy;
pub use topic_cache::{CacheKey, ToWrite, TopicCache};
pub use wharf_converters::cache::LruCache;
