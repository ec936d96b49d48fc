//! `ProtobufConverter`: Protobuf messages whose schema is in a schema registry.
//!
//! It stands in for `io.confluent.connect.protobuf.ProtobufConverter`: the same keys, the same messages (magic byte, schema id, message
//! index, Protobuf), and for each Connect schema the same registered text, so that workers of both kinds share schemas. From the outside
//! in:
//!
//! - `protobuf_converter` asks the registry and keeps what it answers,
//! - `link` reads `.proto` text or descriptors into message types (`descriptor`), `well_known` are the files that need no reference,
//! - `to_connect` and `from_connect` make Connect schemas of message types and the other way round, each with a plan (`read_plan`,
//!   `write_plan`) along which `decode` and `encode` go between bytes and values, without messages in between.
//!
//! # Deliberate differences from upstream
//!
//! | case | upstream | here |
//! |---|---|---|
//! | a message type that contains itself | a Connect schema with a loop | refused: Connect schemas are trees here |
//! | a Connect default on a plain field | a value equal to it is not written, and read as zero | every value but zero is written |
//! | an int32 that `connect.type` calls int8 or int16 and that does not fit | wraps around | refused |
//! | texts of proto2 that are not UTF-8 | replaced | refused |
//! | a Decimal with more digits than its own precision | rounded | refused |
//! | an element of an array that is null | an exception without a reason | refused with the reason |
//!
//! Rules and field-level encryption of the registry are not run.

mod calendar;
mod case;
mod compatibility;
mod config;
mod decode;
mod definition;
mod descriptor;
mod encode;
mod field_meta;
mod from_connect;
mod link;
mod message_index;
mod names;
mod options;
mod protobuf_converter;
mod read_plan;
mod scalars;
mod serialized;
mod to_connect;
mod well_known;
mod wire;
mod write_plan;
mod write_planner;

pub use protobuf_converter::ProtobufConverter;

wharf_abi::export_plugins! {
    converter ProtobufConverter { class: "io.confluent.connect.protobuf.ProtobufConverter" }
}
