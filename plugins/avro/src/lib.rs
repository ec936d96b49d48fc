//! `AvroConverter`: Avro with its schemas in a Schema Registry, under the class name of Confluent's converter.
//!
//! From the outside in: [`AvroConverter`] finds the plan for a schema or an id; `codec` makes plans and walks them; `data`
//! maps schemas both ways; `schema` holds, reads and writes Avro schemas. Calls to the registry are those of
//! [`wharf_schema_registry`].
//!
//! # Deliberate differences from upstream
//!
//! - Types that contain themselves are refused when they are read, since schemas of this worker cannot; upstream makes a
//!   schema that most sinks cannot walk.
//! - Strings that are not UTF-8 are refused; upstream replaces what is malformed.
//! - A schema from the registry (`use.latest.version`, `use.schema.id`) is filled by names of fields, its other fields by
//!   their defaults; upstream goes by position.
//! - A message whose schema is not registered under the topic's subject is read, without a version; upstream refuses it.
//! - A fixed type takes exactly its number of bytes; upstream cuts what is longer.
//! - Entries of maps keep their order.

mod codec;
mod config;
mod converter;
mod data;
mod json;
mod schema;

pub use converter::AvroConverter;

wharf_abi::export_plugins! {
    converter AvroConverter { class: "io.confluent.connect.avro.AvroConverter" }
}
