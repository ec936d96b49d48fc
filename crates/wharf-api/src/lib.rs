//! What a plugin author reads: records, schemas, values, configuration definitions, and the traits of connectors,
//! tasks, converters, transforms, predicates, config providers and override policies.
//!
//! This crate knows neither tokio, rdkafka, axum nor abi_stable. Names and contracts are those of the Java Connect API
//! in 4.x, spelled in Rust; where they differ, the item says why.

pub mod batch;
pub mod calendar;
pub mod config;
pub mod connector;
pub mod converter;
pub mod decimal;
pub mod error;
pub mod flat;
pub mod headers;
mod java_float;
pub mod java_text;
pub mod logical;
pub mod offset_map;
pub mod plugin;
pub mod policy;
pub mod projector;
pub mod provider;
pub mod record;
pub mod schema;
pub mod schema_builder;
pub mod sink;
pub mod source;
pub mod structs;
pub mod transform;
mod validate;
pub mod value;
pub mod value_ref;
pub mod values;
mod zone;

pub use batch::{Datum, NewOrigin, NewRecord, RecordBatch, RecordBatchRef, RecordRef};
pub use connector::{ConnectorContext, OffsetReader};
pub use converter::{Converter, ConverterType, Encoded, HeaderConverter, SchemaAndValue};
pub use decimal::Decimal;
pub use error::{ConnectError, ErrorKind, Result};
pub use headers::{Header, Headers};
pub use offset_map::OffsetMap;
pub use plugin::{PluginKind, PluginMetrics};
pub use policy::ClientConfigOverridePolicy;
pub use provider::ConfigProvider;
pub use record::{Origin, Record, TimestampType, TopicPartition};
pub use schema::{Field, Schema, SchemaRef, SchemaType};
pub use schema_builder::SchemaBuilder;
pub use sink::{ErrantRecordReporter, Offsets, SinkConnector, SinkTask, SinkTaskContext};
pub use source::{
    ConnectorTransactionBoundaries, ExactlyOnceSupport, RecordMetadata, SourceConnector, SourceTask,
    SourceTaskContext,
};
pub use structs::Struct;
pub use transform::{Applied, Predicate, Transformation};
pub use value::Value;
pub use value_ref::ValueRef;

/// A flat configuration: key to text, ordered by key.
pub type ConfigMap = std::collections::BTreeMap<String, String>;
